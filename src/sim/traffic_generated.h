// SPDX-License-Identifier: Apache-2.0
// Traffic made from laws: an open loop at a rate or a closed loop of users; single requests, or sessions whose turns share a
// prefix.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/request.h"
#include "sim/traffic_arrivals.h"
#include "sim/traffic_lengths.h"

namespace fareline {

inline constexpr std::uint64_t most_turns = 4096;

struct TrafficLaw {
  ArrivalLaw arrivals;
  Frequency rate;                // requests a second on average: sessions start at the rate over their mean turns; of an open loop
  std::uint64_t users = 0;       // of a closed loop; 0: an open one
  LengthLaw prompt, output;      // of a turn: what the user adds, and the answer
  LengthLaw turns{.first = 1};
  Seconds think;                 // mean time between an answer and the next turn or request of the same client, exponential
  std::int64_t shared = 0;       // tokens before every prompt that are the same for all: a system prompt
  double urgent = 0;             // share of the requests with priority 1
  bool blocks = false;           // name the prompts' blocks, so that a cache can find them again
  int block_tokens = 512;
  std::uint64_t requests = 0;    // ends after so many
  std::uint64_t seed = 0;
};

// A prompt's turn k holds the shared tokens, the turns before it with their answers, and what the user adds. Where prompt and output
// are drawn from the same file, both come from the same row. Every draw depends on seed, purpose and id alone.
class GeneratedTraffic : public Traffic {
 public:
  // Assumes: rate or users is positive; lengths from a file have their rows.
  explicit GeneratedTraffic(TrafficLaw law);
  std::optional<Request> next() override;
  std::optional<Request> answered(std::uint64_t id, Seconds at) override;
  std::optional<std::string> save() const override;
  bool restore(std::string_view bytes) override;

 private:
  Request made(std::uint64_t session, std::uint64_t turn, Seconds arrival) const;
  std::int64_t length(const LengthLaw& law, Purpose purpose, std::uint64_t id) const;
  std::uint64_t turns_of(std::uint64_t session) const;
  Seconds thinking(std::uint64_t id) const;

  TrafficLaw law_;
  std::uint64_t stride_ = 1;   // ids of a session: session * stride + turn
  bool paired_ = false;
  Arrivals arrivals_;
  std::vector<Seconds> first_;          // closed loop: when each user begins, in order, and which
  std::vector<std::uint64_t> first_user_;
  std::uint64_t sessions_ = 0, issued_ = 0;
};

}  // namespace fareline
