// SPDX-License-Identifier: Apache-2.0
// What every question about a pass shares: the model, the system, the calibration, the plan, the workload and the rates.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "api/inputs.h"
#include "economics/money.h"
#include "perf/compiled_plan.h"
#include "perf/serving.h"

namespace fareline {

// Tables of inputs joined to a question's.
template <std::size_t... N>
constexpr auto joined(const std::array<Input, N>&... tables) {
  std::array<Input, (N + ...)> all{};
  std::size_t i = 0;
  ((std::copy(tables.begin(), tables.end(), all.begin() + static_cast<std::ptrdiff_t>(i)), i += N), ...);
  return all;
}

// The same table, each row told which it stands in.
template <std::size_t N>
constexpr std::array<Input, N> in_group(std::string_view group, std::array<Input, N> table) {
  for (Input& input : table) input.group = group;
  return table;
}

// The rows of a table that have these names, in their order.
template <std::size_t N, std::size_t M>
constexpr std::array<Input, M> rows_named(const std::array<Input, N>& table, const std::array<std::string_view, M>& names) {
  std::array<Input, M> found{};
  for (std::size_t i = 0; i < M; ++i)
    for (const Input& input : table)
      if (input.name == names[i]) found[i] = input;
  return found;
}

inline constexpr auto setting_inputs = in_group("setting", std::array<Input, 12>{{
    {.name = "model",
     .kind = InputKind::model,
     .reason = "has no default",
     .summary = "the language model: a name from the catalogue, or a path to its config.json"},
    {.name = "system", .reason = "has no default", .summary = "the system of chips: a name from the catalogue"},
    {.name = "stack",
     .kind = InputKind::choice,
     .value = "vllm",
     .reason = "the engine with the most measured rows, and the best fitted",
     .summary = "the serving engine whose calibration is used",
     .choices = "vllm,sglang,trtllm"},
    {.name = "calibration",
     .value = "auto",
     .reason = "the nearest evidence: chip and engine, else the chip's family, else any",
     .summary = "achieved efficiencies: auto, ideal (peak rates, no overhead), or a calibration's name"},
    {.name = "hbm_bandwidth",
     .kind = InputKind::quantity,
     .reason = "the chip's",
     .summary = "memory bandwidth of a chip, instead of its own",
     .dim = Bandwidth::dim,
     .least = 1e6},
    {.name = "hbm_capacity",
     .kind = InputKind::quantity,
     .reason = "the chip's",
     .summary = "memory of a chip, instead of its own",
     .dim = Bytes::dim,
     .least = 1e6},
    {.name = "peak",
     .kind = InputKind::quantity,
     .reason = "the chip's",
     .summary = "16-bit peak of a chip, instead of its own; other formats are scaled with it",
     .dim = FlopRate::dim,
     .least = 1e6},
    {.name = "scale_up_bandwidth",
     .kind = InputKind::quantity,
     .reason = "the system's",
     .summary = "one-way bandwidth of a chip inside its domain, instead of its own",
     .dim = Bandwidth::dim,
     .least = 1e3},
    {.name = "scale_out_bandwidth",
     .kind = InputKind::quantity,
     .reason = "the system's",
     .summary = "one-way bandwidth of a chip between domains, instead of its own",
     .dim = Bandwidth::dim,
     .least = 1e3},
    {.name = "domain",
     .kind = InputKind::count,
     .reason = "the system's",
     .summary = "chips of one scale-up domain, instead of its own",
     .least = 1,
     .most = 1e6},
    {.name = "memory_fraction",
     .kind = InputKind::number,
     .value = "0.9",
     .reason = "vLLM's default --gpu-memory-utilization (vLLM documentation, Engine Arguments)",
     .summary = "share of usable memory the engine may take",
     .least = 0.01,
     .most = 1},
    {.name = "reserve",
     .kind = InputKind::quantity,
     .value = "0 GB",
     .reason = "the engine's runtime and its communicators are counted already",
     .summary = "memory of a chip set aside besides",
     .dim = Bytes::dim},
}});

inline constexpr auto plan_inputs = in_group("plan", std::array<Input, 16>{{
    {.name = "tp",
     .kind = InputKind::count,
     .reason = "chosen to serve cheapest",
     .summary = "tensor parallelism",
     .least = 1,
     .most = 65536},
    {.name = "ep",
     .kind = InputKind::count,
     .reason = "chosen to serve cheapest",
     .summary = "expert parallelism",
     .least = 1,
     .most = 65536},
    {.name = "pp",
     .kind = InputKind::count,
     .reason = "chosen to serve cheapest",
     .summary = "pipeline parallelism",
     .least = 1,
     .most = 1024},
    {.name = "dp",
     .kind = InputKind::count,
     .reason = "chosen to serve cheapest",
     .summary = "data parallelism of attention inside a replica",
     .least = 1,
     .most = 65536},
    {.name = "cp",
     .kind = InputKind::count,
     .value = "1",
     .reason = "contexts below 1M tokens rarely need it",
     .summary = "context parallelism: a sequence's KV over so many ranks",
     .least = 1,
     .most = 4096},
    {.name = "replicas",
     .kind = InputKind::count,
     .value = "1",
     .reason = "price does not depend on it",
     .summary = "equal copies of the plan, load dealt evenly",
     .least = 1,
     .most = 1e6},
    {.name = "weights",
     .kind = InputKind::choice,
     .reason = "as published",
     .summary = "number format of the weights",
     .choices = "fp32,bf16,fp16,fp8,fp8_block,mxfp8,int8,nvfp4,mxfp4,int4"},
    {.name = "experts",
     .kind = InputKind::choice,
     .reason = "as the weights",
     .summary = "number format of the experts' weights",
     .choices = "bf16,fp16,fp8,fp8_block,mxfp8,int8,nvfp4,mxfp4,int4"},
    {.name = "kv",
     .kind = InputKind::choice,
     .reason = "as published",
     .summary = "number format of the KV cache",
     .choices = "fp32,bf16,fp16,fp8,int8,nvfp4"},
    {.name = "activations",
     .kind = InputKind::choice,
     .reason = "as narrow as the weights where the chip multiplies so",
     .summary = "number format the multipliers are fed",
     .choices = "bf16,fp16,fp8,int8,nvfp4"},
    {.name = "expert_skew",
     .kind = InputKind::number,
     .value = "0.5",
     .reason = "between balanced routing (0) and the power law of exponent 1.2 that aiconfigurator benchmarks (about 1)",
     .summary = "coefficient of variation of the experts' popularity",
     .least = 0,
     .most = 20},
    {.name = "token_budget",
     .kind = InputKind::count,
     .value = "8192",
     .reason = "vLLM's default max_num_batched_tokens on an H100 (vLLM documentation, Optimization and Tuning)",
     .summary = "tokens of one step of one dp group, prefill chunks and decodes together",
     .least = 1,
     .most = 1e7},
    {.name = "draft",
     .kind = InputKind::count,
     .value = "0",
     .reason = "no speculative decoding unless asked",
     .summary = "tokens drafted and verified a step",
     .least = 0,
     .most = 64},
    {.name = "draft_by",
     .kind = InputKind::choice,
     .value = "mtp",
     .reason = "the model's own module where it has one",
     .summary = "what drafts: the MTP module (its time counts) or n-grams (free)",
     .choices = "mtp,ngram"},
    {.name = "acceptance",
     .kind = InputKind::number,
     .value = "0.71",
     .reason = "median of the Transformer drafters in Leviathan et al. 2022, table 3",
     .summary = "chance that a drafted token is kept",
     .least = 0,
     .most = 1},
    {.name = "accepted",
     .kind = InputKind::number,
     .reason = "from the acceptance",
     .summary = "measured tokens a verified step yields, instead of the acceptance",
     .least = 1,
     .most = 65},
}});

inline constexpr auto workload_inputs = in_group("workload", std::array<Input, 7>{{
    {.name = "prompt",
     .kind = InputKind::count,
     .reason = "has no default",
     .summary = "prompt tokens of a request, cached ones included",
     .least = 1,
     .most = 1e9},
    {.name = "output",
     .kind = InputKind::count,
     .reason = "has no default",
     .summary = "output tokens of a request",
     .least = 1,
     .most = 1e9},
    {.name = "cached",
     .kind = InputKind::number,
     .value = "0",
     .reason = "no prefix is shared unless said",
     .summary = "share of the prompt whose KV is already there",
     .least = 0,
     .most = 1},
    {.name = "shortest",
     .kind = InputKind::number,
     .value = "1",
     .reason = "all requests alike",
     .summary = "shortest length over the longest: lengths are uniform between (1: fixed)",
     .least = 0.001,
     .most = 1},
    {.name = "concurrency",
     .kind = InputKind::count,
     .reason = "chosen to serve cheapest within the pace",
     .summary = "users who each send their next request when the last is answered",
     .least = 1,
     .most = 1e9},
    {.name = "batch",
     .kind = InputKind::count,
     .reason = "from the concurrency",
     .summary = "sequences one replica decodes at once, instead of a concurrency",
     .least = 1,
     .most = 1e9},
    {.name = "rate",
     .kind = InputKind::quantity,
     .reason = "from the concurrency",
     .summary = "requests a second arriving at random, instead of a concurrency",
     .dim = Frequency::dim,
     .least = 1e-9},
}});

inline constexpr auto money_inputs = in_group("money", std::array<Input, 16>{{
    {.name = "pace",
     .kind = InputKind::quantity,
     .value = "50 ms",
     .reason = "20 tokens a second to each user, faster than people read; MLPerf Inference v5.1's interactive limits are 30 and 40 ms",
     .summary = "most time an output token may take where fareline chooses the plan or the concurrency",
     .dim = Seconds::dim,
     .least = 1e-9},
    {.name = "patience",
     .kind = InputKind::quantity,
     .value = "2 s",
     .reason = "the server limit of MLPerf Inference v5.1 for llama2-70b and llama3.1-8b",
     .summary = "most time to the first token where fareline chooses",
     .dim = Seconds::dim,
     .least = 1e-9},
    {.name = "rental",
     .kind = InputKind::quantity,
     .reason = "the catalogue's median offer for the chip",
     .summary = "rent of one chip",
     .dim = MoneyRate::dim},
    {.name = "owned",
     .kind = InputKind::choice,
     .value = "no",
     .reason = "chips are rented unless said",
     .summary = "own the chips instead of renting them",
     .choices = "no,yes"},
    {.name = "capital",
     .kind = InputKind::quantity,
     .reason = "the catalogue's for the chip",
     .summary = "price of a chip with its share of the server, where owned",
     .dim = Dollars::dim},
    {.name = "network",
     .kind = InputKind::quantity,
     .reason = "the catalogue's for the chip",
     .summary = "price of a chip's share of switches and cables, where owned",
     .dim = Dollars::dim},
    {.name = "years",
     .kind = InputKind::number,
     .value = "5",
     .reason = "server life in large operators' annual reports is 5 to 6 years",
     .summary = "years of depreciation, where owned",
     .least = 0.1,
     .most = 50},
    {.name = "power",
     .kind = InputKind::quantity,
     .reason = "1.3 times the chip's TDP, for its share of the server",
     .summary = "power a chip and its share of the server draw, where owned",
     .dim = Watts::dim},
    {.name = "pue",
     .kind = InputKind::number,
     .value = "1.25",
     .reason = "between the 1.1 of large operators and the 1.56 average of Uptime Institute's 2024 survey",
     .summary = "facility over IT energy, where owned",
     .least = 1,
     .most = 5},
    {.name = "electricity",
     .kind = InputKind::quantity,
     .value = "0.08 USD/kWh",
     .reason = "US industrial average, EIA Electric Power Monthly, table 5.3",
     .summary = "price of electricity, where owned",
     .dim = EnergyPrice::dim},
    {.name = "utilisation",
     .kind = InputKind::number,
     .value = "0.8",
     .reason = "a fleet with a daily cycle, half filled with batch work",
     .summary = "share of the time that owned chips earn",
     .least = 0.001,
     .most = 1},
    {.name = "upkeep",
     .kind = InputKind::number,
     .value = "0.05",
     .reason = "space, staff and repair; Barroso et al. 2018, chapter 6, has 5% a year of server cost",
     .summary = "yearly upkeep over capital, where owned",
     .least = 0,
     .most = 2},
    {.name = "tier",
     .kind = InputKind::choice,
     .value = "dram",
     .reason = "what engines offload prefixes to first",
     .summary = "where a cached prefix is kept between uses",
     .choices = "hbm,dram,flash,disk,remote"},
    {.name = "hold",
     .kind = InputKind::quantity,
     .value = "5 min",
     .reason = "the usual time to live of API prompt caches (Anthropic documentation, Prompt caching)",
     .summary = "time between two uses of a cached prefix",
     .dim = Seconds::dim},
    {.name = "prefill_replicas",
     .kind = InputKind::count,
     .reason = "prefill and decode share chips unless given",
     .summary = "replicas of a prefill pool apart; `replicas` is then the decode pool",
     .least = 1,
     .most = 1e6},
    {.name = "prefill_tp",
     .kind = InputKind::count,
     .reason = "as tp",
     .summary = "tensor parallelism of the prefill pool",
     .least = 1,
     .most = 65536},
}});

Expected<Model> model_of(Inputs& inputs, const Catalogue& catalogue);
Expected<System> system_of(Inputs& inputs, const Catalogue& catalogue);
// The calibration a question asks for. `auto` takes the nearest evidence for chip and stack and says in `warnings` where it is far.
Expected<Calibration> calibration_of(Inputs& inputs, const Catalogue& catalogue, const Chip& chip, std::vector<std::string>& warnings);
// The plan's parts that were given; the layout's are 1 where they were not.
Plan plan_of(const Inputs& inputs);
Speculation speculation_of(Inputs& inputs, const Model& model);
Workload workload_of(const Inputs& inputs);
// Records what the published model, the chip and the system gave to the answer where the asker gave nothing.
void record_facts(Inputs& inputs, const Model& model, const System& system, const Plan& plan);
// Nothing where the plan is of a sensible number of chips. Errors: a product of its parts above a million.
Expected<void> chips_in_bounds(const Inputs& inputs);
// Rent or ownership, a chip.
Expected<MoneyRate> chip_rate_of(Inputs& inputs, const Catalogue& catalogue, const System& system, std::vector<std::string>& warnings);
// Sentences about number formats the chip cannot multiply and what happens instead.
std::vector<std::string> format_notes(const Model& model, const Plan& plan, const Chip& chip);

// A constraint in words: "4 GPUs ... do not divide".
std::string words(const Infeasible& reason);
std::string remedy(const Infeasible& reason);

}  // namespace fareline
