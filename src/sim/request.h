// SPDX-License-Identifier: Apache-2.0
// What arrives at a serving system: one request, and where requests come from.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "units/quantity.h"

namespace fareline {

// One request as its client sends it. Lengths are whole tokens; an output of none is allowed and counted.
struct Request {
  std::uint64_t id = 0;
  Seconds arrival;
  std::int64_t prompt = 0, output = 0;
  int priority = 0;                  // larger goes first
  std::uint64_t session = 0;         // turns of one conversation share it; 0: none
  std::vector<std::uint64_t> blocks; // hashes of the prompt's blocks in order, each naming its whole prefix; empty: nothing is shared
  int block_tokens = 512;            // tokens of a block
};

// Requests in order of arrival, one at a time: a trace larger than memory is no problem.
class Traffic {
 public:
  virtual ~Traffic() = default;
  // The next request; nothing at the end.
  virtual std::optional<Request> next() = 0;
  // Tells a closed loop that request `id` was answered at `at`, so that its client can send the next. Open loops ignore it.
  virtual void answered(std::uint64_t id, Seconds at) { (void)id, (void)at; }
};

}  // namespace fareline
