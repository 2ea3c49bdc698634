// SPDX-License-Identifier: Apache-2.0
// The inputs of the question "invert": a price list, what it was sold from, and what is assumed of what it does not say.
#pragma once

#include <array>

#include "api/blackboard.h"
#include "api/price_list.h"

namespace fareline {

// The blackboard's system, of which one is assumed: a price is an amount of some chip's time.
inline constexpr auto invert_system_inputs = [] {
  auto all = blackboard_system_inputs;
  all[0].value = "hgx-h100";
  all[0].reason = "what open models were mostly rented on in 2024 and 2025";
  return all;
}();

constexpr Input range_input(std::string_view name, std::string_view value, std::string_view reason, std::string_view summary) {
  return {.name = name, .kind = InputKind::number, .value = value, .reason = reason, .summary = summary, .least = 1e-9, .most = 1e12};
}

// Ends of ranges that hold with a chance of 80%.
inline constexpr auto invert_assumptions = in_group("assumptions", std::array<Input, 17>{{
    {.name = "active_parameters",
     .kind = InputKind::count,
     .reason = "from the price of input",
     .summary = "parameters a token is multiplied with, where they are known",
     .least = 1},
    {.name = "bytes_per_parameter",
     .kind = InputKind::quantity,
     .value = "1 B",
     .reason = "FP8, as most hosts of open models state",
     .summary = "bytes of a stored parameter; the chip's peak is that of such a format",
     .dim = Bytes::dim,
     .least = 0.01,
     .most = 64},
    {.name = "context_below",
     .kind = InputKind::count,
     .reason = "not known: the step is taken for the balance of reading and multiplying",
     .summary = "tokens of past that the price below the step is for",
     .least = 1,
     .most = 1e12},
    {.name = "context_above",
     .kind = InputKind::count,
     .reason = "not known, as context_below",
     .summary = "tokens of past that the price above the step is for",
     .least = 1,
     .most = 1e12},
    range_input("mfu_low", "0.125", "the lowest tenth of what cost computes for the catalogue's models",
                "share of its peak that a chip reaches while it computes prompts, low end"),
    range_input("mfu_high", "0.65", "the highest tenth of the same", "the same, high end"),
    range_input("margin_low", "2", "hosted open models, with mfu: the lowest tenth of input price over rent at full peak",
                "price over the rent of the time it takes, idle time and profit included, low end"),
    range_input("margin_high", "9.3", "the highest tenth of the same", "the same, high end"),
    range_input("reading_low", "0.044", "the lowest tenth of what cost computes for the catalogue's models",
                "share of its peak bandwidth at which a chip reads a longer past, low end"),
    range_input("reading_high", "0.83", "the highest tenth of the same", "the same, high end"),
    range_input("past_low", "740", "hosted open models, with margin: the lowest tenth of output price over the rent of reading a token",
                "tokens of past whose reading would take all the time of an output token, low end"),
    range_input("past_high", "58000", "the highest tenth of the same", "the same, high end"),
    range_input("crossover_low", "0.5", "a provider steps at a round number of tokens, not at the balance",
                "length at which a price steps over the one at which reading and multiplying balance, low end"),
    range_input("crossover_high", "2", "as crossover_low", "the same, high end"),
    {.name = "fast_price",
     .kind = InputKind::number,
     .reason = "none: the list has no fast mode",
     .summary = "price of fast mode over the normal one, e.g. 6",
     .least = 1,
     .most = 1e6},
    {.name = "fast_speed",
     .kind = InputKind::number,
     .reason = "none: the list has no fast mode",
     .summary = "speed of fast mode over the normal one, e.g. 2.5",
     .least = 1,
     .most = 1e6},
    {.name = "speed",
     .kind = InputKind::number,
     .reason = "none: of fast mode only ratios are told",
     .summary = "output tokens a second that a user of the normal mode gets",
     .least = 1e-3,
     .most = 1e9},
}});
inline constexpr auto invert_inputs = joined(price_list_inputs, invert_system_inputs, invert_assumptions);

}  // namespace fareline
