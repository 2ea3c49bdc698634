// SPDX-License-Identifier: Apache-2.0
// What a benchmark client measures: so many users who all start at once, request by request, against one engine, step by step.
#pragma once

#include "perf/compiled_plan.h"
#include "perf/serving.h"

namespace fareline {

// How an engine takes waiting prompts into its steps.
struct Scheduling {
  bool prompts_alone = false;  // a step holds prompts or decoding sequences, prompts first; else both
  bool whole_prompts = false;  // a prompt is never cut over steps; else it fills what room a step has
  int poll_steps = 1;          // decode steps between two looks at what has arrived; a step with prompts is followed by one
  int wait_steps = 0;          // decode steps that prompts wait for more of them...
  double wait_fill = 0;        // ... until they fill so much of a step
  int balance_steps = 0;       // decode steps that prompts wait until every dp group has one
  friend bool operator==(const Scheduling&, const Scheduling&) = default;
};

// A client: `users` requests stand at any time, the first of them all at once, until `requests` have been answered.
struct Client {
  double users = 1;
  double waves = 10;           // requests a user
};

// A pool of prefill replicas apart, as one decode replica sees it.
struct PrefillPool {
  const CompiledPlan* plan = nullptr;
  double servers = 1;          // prefill replicas for each decode replica
  Seconds transfer;            // of one prompt's KV
};

struct ClientRun {
  Seconds ttft_mean, ttft_median, tpot_mean, tpot_median;
  Frequency rate;              // requests a second of this replica, from the first request to the last answer
};

// Returns what the client measures of one replica that holds at most `limit` sequences.
// A prefill pool apart takes prompts first come, first served, a pass at a time, as many as its token budget holds (each dp group one
// at least).
// Equation: the run itself. Lengths of request i are fractions frac(i g) and frac(i g^2) between shortest and longest, g = 0.7549 the
// reciprocal of the plastic number; every step takes what `plan` estimates for the sequences and prompts in it; between two events
// steps are alike but for a context that grows by one, and are taken in one stride at its middle.
// Source: vLLM, benchmarks/benchmark_serving.py (max-concurrency, random-range-ratio); Roberts 2018 (the R2 sequence);
// schedulers: vLLM documentation, Optimization (chunked prefill); SGLang documentation, Server Arguments (chunked-prefill-size,
// scheduler-recv-interval); NVIDIA, TensorRT-LLM API reference (batch_wait_timeout_iters, batch_wait_max_tokens_ratio,
// AttentionDpConfig.timeout_iters).
// Assumes: an answer's successor is sent at once; dp groups are evenly loaded and step together.
ClientRun client_run(const CompiledPlan& plan, double limit, const Workload& workload, const Speculation& speculation,
                     const Scheduling& scheduling, const Client& client, const PrefillPool& prefill = {});

}  // namespace fareline
