// SPDX-License-Identifier: Apache-2.0
// What a run leaves behind for those who look closer: tables, pictures, a log of requests, a trace for Perfetto.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/simulate.h"

namespace fareline {

// Where text goes as it comes.
using Sink = std::function<void(std::string_view)>;

// One line of CSV a request that finished, in the order in which they did.
class RequestLog : public Observer {
 public:
  explicit RequestLog(Sink sink);
  void finished(const Finished& request) override;

 private:
  Sink sink_;
};

// The run in Chrome's trace event format, which Perfetto shows: a process a replica, its steps, its queue and memory as counters, its
// requests from arrival to the last token. Ends after so many events, so that it can still be opened.
// Source: Google, Trace Event Format (2016), complete, counter and nestable async events.
class ChromeTrace : public Observer {
 public:
  static constexpr std::uint64_t most_events = 500'000;
  explicit ChromeTrace(Sink sink);
  void finished(const Finished& request) override;
  void changed(const ReplicaState& state) override;
  void stepped(const StepRun& run) override;
  bool wants_states() const override { return true; }
  bool wants_steps() const override { return true; }
  void end();  // writes what closes the file

 private:
  void event(std::string_view text);
  void name(int replica);  // before its first event
  bool full() const { return written_ >= most_events; }
  Sink sink_;
  std::uint64_t written_ = 0;
  std::vector<bool> named_;
};

// Keeps the request that waited longest for its first token, and the steps its replica took meanwhile.
class SlowestRequest : public Observer {
 public:
  void finished(const Finished& request) override;
  void stepped(const StepRun& run) override;
  bool wants_steps() const override { return true; }
  // The picture of its waiting, its prompt and its first tokens, as SVG; nothing where no request was answered.
  std::string svg() const;

 private:
  static constexpr std::size_t most_steps = 4096;
  std::deque<StepRun> recent_;
  Finished slowest_;
  std::vector<StepRun> steps_;
  bool any_ = false;
};

// Tells several observers.
class Observers : public Observer {
 public:
  void add(Observer* one) { all_.push_back(one); }
  void finished(const Finished& request) override {
    for (Observer* one : all_) one->finished(request);
  }
  void changed(const ReplicaState& state) override {
    for (Observer* one : all_)
      if (one->wants_states()) one->changed(state);
  }
  void stepped(const StepRun& run) override {
    for (Observer* one : all_)
      if (one->wants_steps()) one->stepped(run);
  }
  bool wants_states() const override {
    for (const Observer* one : all_)
      if (one->wants_states()) return true;
    return false;
  }
  bool wants_steps() const override {
    for (const Observer* one : all_)
      if (one->wants_steps()) return true;
    return false;
  }

 private:
  std::vector<Observer*> all_;
};

// Files of a run by name: percentiles and time series as CSV. Errors: none that a run can cause.
std::vector<std::pair<std::string, std::string>> report_tables(const Simulated& run);

}  // namespace fareline
