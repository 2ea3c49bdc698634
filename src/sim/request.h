// SPDX-License-Identifier: Apache-2.0
// What arrives at a serving system: one request, and where requests come from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "units/error.h"
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

// Requests, one at a time: a trace larger than memory is no problem.
class Traffic {
 public:
  virtual ~Traffic() = default;
  // The next request in order of arrival of those that wait for nobody's answer; nothing at the end. Of a closed loop: each user's first.
  virtual std::optional<Request> next() = 0;
  // Why `next` gave nothing, where that was no end: a trace with a fault, and its line.
  virtual const Error* failed() const { return nullptr; }
  // Request `id` was answered (or refused) at `at`: what its client sends in reply, at `at` or later. An open loop sends nothing.
  virtual std::optional<Request> answered(std::uint64_t id, Seconds at) { return (void)id, (void)at, std::nullopt; }
  // Where it stands, in bytes, and going on from there; a traffic that cannot says nothing and false.
  virtual std::optional<std::string> save() const { return std::nullopt; }
  virtual bool restore(std::string_view bytes) { return (void)bytes, false; }
};

}  // namespace fareline
