// SPDX-License-Identifier: Apache-2.0
// Steady state of a serving system: a closed loop of users or an open loop at a rate, continuous batching with chunked prefill,
// or prefill and decode on pools of their own.
#pragma once

#include <expected>

#include "perf/compiled_plan.h"
#include "perf/memory.h"

namespace fareline {

// Lengths of requests. Uniform lengths run from `shortest` times the longest to the longest; 1 makes them fixed.
struct Lengths {
  double longest = 0;
  double shortest = 1;
  double mean() const { return longest * (1 + shortest) / 2; }
  // Mean square over mean: what a length looks like to whoever meets it while it runs.
  double biased_mean() const { return longest * longest * (1 + shortest + shortest * shortest) / 3 / mean(); }
};

struct Workload {
  Lengths prompt, output;
  double cached = 0;           // share of the prompt whose KV is already there
  double prompt_new() const { return prompt.mean() * (1 - cached); }
  double prompt_cached() const { return prompt.mean() * cached; }
};

// Draft tokens a step and what they yield; none by default.
struct Speculation {
  double draft = 0;            // drafted tokens a step
  double yield = 1;            // tokens a step on average, the model's own included
  bool by_mtp = false;         // drafted by the model's MTP module, whose time counts; else drafted free (n-gram)
};

struct Bounded {
  Seconds value, floor;
};

// Steady state of one system of `replicas` equal replicas.
struct Serving {
  double concurrency = 0;      // requests in the system, all replicas
  double decoding = 0;         // sequences decoding in one replica
  double resident_limit = 0;   // sequences one replica's memory holds
  double admitted = 0;         // requests in one replica that hold memory
  Bounded ttft, tpot;
  Seconds queueing;            // part of TTFT spent waiting
  Frequency rate, rate_ceiling;  // requests a second of all replicas; at the physical floor
  // Engine time of one replica that one request takes: adds up to replicas / rate while every step has somebody to decode.
  Seconds prefill_time;        // what new prompt tokens add to steps
  Seconds prefix_time;         // what reading the cached prefix adds
  Seconds decode_time;         // its share of the decode steps
  double prefill_share = 0;    // share of the chips that serve prompts, where pools are apart; else 0
  double together = 1;         // prompts (or chunks of them) one mixed step holds
  Pass decode_pass, mixed_pass;
  PassEstimate decode, mixed;  // the two kinds of step
  Seconds draft_time;          // of a step
};

// Returns the steady state of `concurrency` users over all replicas, each sending its next request when the last is answered.
// Equation, one replica: a request takes T = f E + n t(B) / B of the engine, E = r (t_mixed - t_decode) for its r mixed steps and
// n = (output - 1) / yield decode steps; X = 1 / T; TPOT = (n t(B) + f B E) / (output - 1); C = B + X (wait + prefill) (Little),
// solved for B; wait = S f rho / (2 (1 - f rho)) + f t / 2, S = r t_mixed, rho = X S, f = (C - 1) / C: nobody waits for himself,
// and a lone user's T is prefill + n t(1).
// Source: Little 1961; Pollaczek-Khinchine for deterministic service; Schweitzer 1979 for the closed loop's (C - 1)/C.
// Assumes: lengths are independent; prompts are served in order; a prompt that fits in a step's budget is not split; requests
// that find no memory wait outside (and that wait is in TTFT).
std::expected<Serving, Infeasible> closed_loop(const CompiledPlan& plan, const MemoryUse& memory, const Workload& workload,
                                               const Speculation& speculation, double concurrency);

// Returns the steady state in which each replica decodes `batch` sequences at once, as many users as that takes.
// Equation: as closed_loop with B given and C = B + X (wait + prefill). Errors: more sequences than memory holds.
// Source and Assumes: as closed_loop.
std::expected<Serving, Infeasible> fixed_batch(const CompiledPlan& plan, const MemoryUse& memory, const Workload& workload,
                                               const Speculation& speculation, double batch);

// Returns the steady state at `rate` requests a second over all replicas, Poisson arrivals dealt evenly.
// Equation: as closed_loop with X given, solved for B; wait = S rho / (2 (1 - rho)). Errors: rate beyond capacity.
// Source and Assumes: as closed_loop; M/D/1.
std::expected<Serving, Infeasible> open_loop(const CompiledPlan& plan, const MemoryUse& memory, const Workload& workload,
                                             const Speculation& speculation, Frequency rate);

// Pools apart: `prefill` and `decode` are compiled for their own plans (whose `replicas` are the pool sizes); the KV of a prompt
// crosses the scale-out network of `system` once. Exactly one of `concurrency` (users) and `rate` is positive.
// Equation: decode as closed_loop with E = 0; wait of x servers = S rho^(sqrt(2 (x + 1)) - 1) / (2 x (1 - rho)).
// Source: Sakasegawa 1977 (M/G/c), with zero variance of service. Assumes: transfer overlaps neither prefill nor decode.
std::expected<Serving, Infeasible> disaggregated(const CompiledPlan& prefill, const CompiledPlan& decode, const MemoryUse& decode_memory,
                                                 const Model& model, const System& system, const Workload& workload,
                                                 const Speculation& speculation, double concurrency, Frequency rate);

}  // namespace fareline
