// SPDX-License-Identifier: Apache-2.0
// The inputs of the question "plan".
#pragma once

#include <array>
#include <string_view>

#include "api/setting.h"

namespace fareline {

inline constexpr auto plan_setting_inputs =
    joined(rows_named(setting_inputs, std::to_array<std::string_view>({"model"})),
           in_group("setting", std::array<Input, 1>{{
                                   {.name = "systems",
                                    .reason = "has no default",
                                    .summary = "systems that may be used, comma separated: names from the catalogue"},
                               }}),
           rows_named(setting_inputs, std::to_array<std::string_view>({"stack", "calibration", "memory_fraction", "reserve"})));

inline constexpr auto plan_workload_inputs = joined(
    rows_named(workload_inputs, std::to_array<std::string_view>({"prompt", "output", "cached", "shortest"})),
    in_group("workload", std::array<Input, 2>{{
                             {.name = "rate",
                              .kind = InputKind::quantity,
                              .reason = "as many users on one replica as serve best: a price needs no rate",
                              .summary = "requests a second that all replicas together must carry, arriving at random",
                              .dim = Frequency::dim,
                              .least = 1e-9,
                              .most = 1e9},
                             {.name = "concurrency",
                              .kind = InputKind::count,
                              .reason = "as the rate",
                              .summary = "users of all replicas together who each send their next request when the last is answered",
                              .least = 1,
                              .most = 1e9},
                         }}));

inline constexpr auto plan_promise_inputs = in_group(
    "promise",
    std::array<Input, 7>{{
        {.name = "ttft",
         .kind = InputKind::quantity,
         .value = "2 s",
         .reason = "the server limit of MLPerf Inference v5.1 for llama2-70b and llama3.1-8b",
         .summary = "most time to the first token, on average",
         .dim = Seconds::dim,
         .least = 1e-9},
        {.name = "tpot",
         .kind = InputKind::quantity,
         .value = "50 ms",
         .reason = "20 tokens a second to each user, faster than people read; MLPerf Inference v5.1's interactive limits are 30 and 40 ms",
         .summary = "most time an output token may take, on average",
         .dim = Seconds::dim,
         .least = 1e-9},
        {.name = "chips",
         .value = "1..512",
         .reason = "beyond some hundred chips replicas repeat what fewer do",
         .summary = "chips that may be used: at most so many, or from..to"},
        {.name = "budget",
         .kind = InputKind::quantity,
         .reason = "no limit",
         .summary = "most that all chips may cost: \"200 USD/h\"",
         .dim = MoneyRate::dim,
         .least = 1e-12},
        {.name = "most_power",
         .kind = InputKind::quantity,
         .reason = "no limit",
         .summary = "most power that all chips may draw, each with its share of the server: 1.3 times its TDP",
         .dim = Watts::dim,
         .least = 1e-3},
        {.name = "minimise",
         .kind = InputKind::choice,
         .value = "price",
         .reason = "what is sold is tokens",
         .summary = "what is to be least: the price of any token, chips, their power, TPOT or TTFT",
         .choices = "price,chips,power,tpot,ttft"},
        {.name = "plans",
         .kind = InputKind::count,
         .value = "8",
         .reason = "what fits a screen",
         .summary = "how many plans are shown, best first, one a layout",
         .least = 1,
         .most = 1000},
    }});

inline constexpr auto plan_space_inputs = joined(
    in_group("plan",
             std::array<Input, 11>{{
                 {.name = "layouts",
                  .kind = InputKind::choice,
                  .value = "launchable",
                  .reason = "a plan is there to be run",
                  .summary = "launchable: those that the engine of --stack has arguments for; or any",
                  .choices = "launchable,any"},
                 {.name = "precision",
                  .value = "published",
                  .reason = "other formats answer otherwise than the published model does",
                  .summary = "number formats of the weights that may be used, comma separated: published, fp8, nvfp4, ..."},
                 {.name = "experts",
                  .value = "published",
                  .reason = "as the weights",
                  .summary = "number formats of the experts' weights that may be used, comma separated"},
                 {.name = "kv",
                  .value = "published",
                  .reason = "as the weights",
                  .summary = "number formats of the KV cache that may be used, comma separated"},
                 {.name = "tp", .reason = "every power of two up to 64", .summary = "tensor parallelism that may be used, comma separated"},
                 {.name = "ep",
                  .reason = "every power of two up to the ranks of a stage",
                  .summary = "expert parallelism that may be used, comma separated"},
                 {.name = "pp", .reason = "every power of two up to 16", .summary = "pipeline stages that may be used, comma separated"},
                 {.name = "dp",
                  .reason = "every power of two where there are experts, else 1: replicas are the same",
                  .summary = "data parallelism of attention that may be used, comma separated"},
                 {.name = "cp", .reason = "every power of two up to 8", .summary = "context parallelism that may be used, comma separated"},
                 {.name = "replicas",
                  .reason = "every number that the chips allow",
                  .summary = "equal copies that may be used: so many, or from..to"},
                 {.name = "token_budget",
                  .value = "2048,8192,16384",
                  .reason = "vLLM's defaults for smaller and larger chips (vLLM documentation, Optimization and Tuning)",
                  .summary = "tokens of one step of one dp group that may be used, comma separated"},
             }}),
    rows_named(plan_inputs,
               std::to_array<std::string_view>({"activations", "expert_skew", "draft", "draft_by", "acceptance", "accepted"})));

inline constexpr auto plan_money_inputs = joined(
    in_group("money", std::array<Input, 1>{{
                          {.name = "rental",
                           .reason = "the catalogue's median offer for each chip",
                           .summary = "rent of one chip of each system, comma separated: \"3 USD/h,2.5 USD/h\""},
                      }}),
    rows_named(money_inputs, std::to_array<std::string_view>({"owned", "capital", "network", "years", "power", "pue", "electricity",
                                                              "utilisation", "upkeep", "tier", "hold"})));

inline constexpr auto plan_question_inputs =
    joined(plan_setting_inputs, plan_workload_inputs, plan_promise_inputs, plan_space_inputs, plan_money_inputs);

}  // namespace fareline
