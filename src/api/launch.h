// SPDX-License-Identifier: Apache-2.0
// How the serving engines are started on a plan.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "perf/plan.h"

namespace fareline {

// What a launch needs to know beside the plan.
struct LaunchLoad {
  double sequences = 0;         // that one replica must be able to hold at once
  double context = 0;           // tokens of the longest request, prompt and output
  double kv_share = 0.9;        // of a chip's memory, for weights and KV
  bool shares_prefixes = false;
  int unit_chips = 8;           // of one server
};

struct LaunchCommand {
  std::string engine;           // "vllm", "sglang", "trtllm"
  std::string command;          // of one replica; empty where the engine has no flags for it
  std::string file;             // a configuration file that the command names, as text; empty: none
  std::string note;             // why there is none, or what else must be seen to
};

// The arguments used are those of vLLM's documentation (Engine Arguments; Data Parallel Deployment; Expert Parallel Deployment), SGLang's
// (Server Arguments) and TensorRT-LLM's (trtllm-serve; Parallelism in TensorRT LLM).

// Why `stack` has no flags for this layout; empty where it has.
// Rules: vLLM deals experts over all ranks of tp x dp or cuts all of them over these; SGLang's tp counts the dp groups; TensorRT-LLM's
// attention is tensor parallel or data parallel over all ranks; none has a cp that spreads both prefill and decode.
std::string_view cannot_launch(std::string_view stack, const Plan& plan);

// One row an engine, in the order of the input "stack". `model` is what its files are found under.
std::vector<LaunchCommand> launch_commands(std::string_view name, const Model& model, const Plan& plan, const LaunchLoad& load);

}  // namespace fareline
