// SPDX-License-Identifier: Apache-2.0
// How a token reads its past: the named model's own way, or one of the lecture's four.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "api/blackboard.h"
#include "perf/balance.h"

namespace fareline {

inline constexpr auto past_inputs = in_group("question", std::array<Input, 4>{{
    {.name = "attention",
     .kind = InputKind::choice,
     .value = "own",
     .reason = "the named model's; of bare numbers dense",
     .summary = "how much of its past a token reads",
     .choices = "own,dense,sliding,square_root,selected"},
    {.name = "window",
     .kind = InputKind::count,
     .value = "4096",
     .reason = "the window of Mistral 7B and Gemma 2",
     .summary = "tokens read where attention is sliding",
     .least = 1,
     .most = 1e9},
    {.name = "topk",
     .kind = InputKind::count,
     .value = "2048",
     .reason = "DeepSeek-V3.2-Exp report, section 2.1",
     .summary = "tokens read where attention is selected",
     .least = 1,
     .most = 1e9},
    {.name = "index_share",
     .kind = InputKind::number,
     .value = "0.1146",
     .reason = "DeepSeek-V3.2: 132 bytes of index keys beside 1,152 of latents",
     .summary = "bytes of index keys read of every token, over its KV bytes, where attention is selected",
     .least = 0,
     .most = 1},
}});

struct Past {
  double window = 0, topk = 0, index_share = 0;
  std::string attention;  // one of the choices

  explicit Past(const Inputs& inputs);

  // Whether the named model's own layers say it: it is named, and its KV was not replaced by a number.
  static bool is_own(const BlackboardModel& model, std::string_view reading) { return reading == "own" && model.named && !model.kv_given; }
  // Bytes of its past that a new token reads, `context` tokens behind it.
  Bytes read(const BlackboardModel& model, std::string_view reading, double context) const;
  // Bytes that are kept of `context` tokens.
  Bytes kept(const BlackboardModel& model, std::string_view reading, double context) const;
  // FLOP of attention of one new token; of bare numbers without layers, heads and head_dim none, as the lecture has it.
  Flops flop(const BlackboardModel& model, std::string_view reading, double context, bool prefill) const;

 private:
  double tokens(std::string_view reading, double context) const;
};

}  // namespace fareline
