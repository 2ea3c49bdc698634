// SPDX-License-Identifier: Apache-2.0
// What a request is answered, apart from the wire it comes by: routes, limits, counts. No request reads a file of the host.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/asking.h"

namespace fareline::cli {

struct ServeLimits {
  std::size_t header = 16'384, body = 4'000'000;  // bytes of a request
  std::size_t questions = 1'000;                  // of one request
  std::size_t connections = 16'384;
  std::chrono::seconds question{60};              // after which one is stopped
  std::chrono::seconds request{20};               // for a request to come in, and for an answer to be taken
  std::chrono::seconds idle{75};                  // between two requests
};

struct Reply {
  unsigned status = 200;
  std::string_view type;   // of the content
  std::string body;
  std::string_view allow;  // the method due, where another came
};

// {"error": {"where", "what", "remedy"}} with its status.
Reply refusal(unsigned status, const Error& error);

class Service {
 public:
  Service(const Catalogue& catalogue, ServeLimits limits);

  // Returns the reply to a request. `there` is asked now and then whether somebody waits for it. Errors are replies.
  Reply reply(std::string_view method, std::string_view target, std::string_view body, const Watch& there = {});

  // Whether a request is for an answer told as it comes: POST /v1/ask of one question, with text/event-stream accepted.
  static bool is_streamed(std::string_view method, std::string_view target, std::string_view accept);
  // Returns the last event of such an answer: "answer", or "error". `watch` is told how far it is.
  std::string last_event(std::string_view body, const Watch& watch);
  static std::string progress_event(double done);

  const ServeLimits& limits() const { return limits_; }

  // Counted by whoever holds the connections.
  std::atomic<std::int64_t> connections{0};
  std::atomic<std::uint64_t> refused_connections{0};
  void count(unsigned status);

 private:
  enum class Outcome : unsigned char { answered, refused, stopped };
  struct Counts {
    static constexpr std::array<double, 9> bounds{0.0001, 0.0003, 0.001, 0.003, 0.01, 0.1, 1, 10, 60};  // seconds
    std::array<std::atomic<std::uint64_t>, 3> outcomes{};
    std::array<std::atomic<std::uint64_t>, bounds.size() + 1> times{};
    std::atomic<std::uint64_t> nanoseconds{0};
  };
  struct Told {
    std::string text;
    Outcome outcome = Outcome::answered;
  };
  Told told(const nlohmann::ordered_json& question, const Watch& watch);
  Reply ask(std::string_view body, const Watch& there);
  std::string metrics() const;

  const Catalogue& catalogue_;
  ServeLimits limits_;
  std::string schema_, listing_;
  std::unique_ptr<Counts[]> counts_;                    // by row of the question table, and one for what is no question
  std::array<std::atomic<std::uint64_t>, 600> statuses_{};
};

}  // namespace fareline::cli
