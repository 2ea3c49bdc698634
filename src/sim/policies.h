// SPDX-License-Identifier: Apache-2.0
// What a serving system may decide in more than one way: one row a policy.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace fareline {

// How a step's batch is made up.
enum class Batching : unsigned char { continuous, prefill_first, train };
// Which waiting request is admitted first.
enum class Order : unsigned char { arrival, priority, shortest };
// What becomes of the KV of a sequence that must make room.
enum class Preemption : unsigned char { recompute, swap };
// Which replica a request goes to.
enum class Router : unsigned char { round_robin, least_loaded, prefix_aware, power_of_two };
// Which cached block goes first when a tier is full.
enum class Eviction : unsigned char { lru, lfu, ttl, cost };

template <class Kind>
struct PolicyRow {
  Kind kind;
  std::string_view name, summary, source;
};

inline constexpr std::array<PolicyRow<Batching>, 3> batching_rows{{
    {Batching::continuous, "continuous", "every step decodes all sequences and fills its token budget with chunks of prompts",
     "Yu et al. 2022, Orca, section 4.2; Agrawal et al. 2024, Sarathi-Serve, section 4.2"},
    {Batching::prefill_first, "prefill-first", "waiting prompts take a step of their own, and decoding pauses for it",
     "Kwon et al. 2023, vLLM, section 4.5 (the scheduler of vLLM 0)"},
    {Batching::train, "train", "continuous, but a step leaves only at multiples of a period",
     "the lecture at 23:15 (a pass departs every 20 ms)"},
}};
inline constexpr std::array<PolicyRow<Order>, 3> order_rows{{
    {Order::arrival, "arrival", "first come, first served", "vLLM documentation, scheduling policy fcfs"},
    {Order::priority, "priority", "the highest priority first, then by arrival", "vLLM documentation, scheduling policy priority"},
    {Order::shortest, "shortest", "the shortest prompt first, then by arrival", "Schrage & Miller 1966 (shortest job first)"},
}};
inline constexpr std::array<PolicyRow<Preemption>, 2> preemption_rows{{
    {Preemption::recompute, "recompute", "its KV is dropped, and computed again with what it had answered",
     "Kwon et al. 2023, section 4.5"},
    {Preemption::swap, "swap", "its KV goes to host memory over the host link and comes back", "Kwon et al. 2023, section 4.5"},
}};
inline constexpr std::array<PolicyRow<Router>, 4> router_rows{{
    {Router::round_robin, "round-robin", "each replica in turn", "Nagle 1987, On packet switches with infinite storage"},
    {Router::least_loaded, "least-loaded", "the replica with the fewest requests",
     "Winston 1977, Optimality of the shortest line discipline"},
    {Router::prefix_aware, "prefix-aware", "the replica that caches most of the prompt, unless it is far busier than the least loaded",
     "Zheng et al. 2024, SGLang, section 3; Qin et al. 2024, Mooncake, algorithm 1"},
    {Router::power_of_two, "power-of-two", "the less loaded of two drawn at random", "Mitzenmacher 2001, The power of two choices"},
}};
inline constexpr std::array<PolicyRow<Eviction>, 4> eviction_rows{{
    {Eviction::lru, "lru", "the block unused for longest", "Kwon et al. 2023, section 4.5; Qin et al. 2024, table 1"},
    {Eviction::lfu, "lfu", "the block used least often, of those the one unused for longest", "Qin et al. 2024, table 1"},
    {Eviction::ttl, "ttl", "as lru, and a block is gone so long after its last use",
     "Anthropic documentation, prompt caching (five minutes)"},
    {Eviction::cost, "cost", "the block whose recomputation saved per use is least, aged as others go",
     "Cherkasova 1998, Greedy-Dual-Size-Frequency"},
}};

constexpr std::span<const PolicyRow<Batching>> rows_of(Batching) { return batching_rows; }
constexpr std::span<const PolicyRow<Order>> rows_of(Order) { return order_rows; }
constexpr std::span<const PolicyRow<Preemption>> rows_of(Preemption) { return preemption_rows; }
constexpr std::span<const PolicyRow<Router>> rows_of(Router) { return router_rows; }
constexpr std::span<const PolicyRow<Eviction>> rows_of(Eviction) { return eviction_rows; }

template <class Kind>
constexpr const PolicyRow<Kind>& row(Kind kind) { return rows_of(kind)[static_cast<std::size_t>(kind)]; }

template <class Kind>
constexpr std::optional<Kind> policy_named(std::string_view text) {
  for (const PolicyRow<Kind>& r : rows_of(Kind{}))
    if (r.name == text) return r.kind;
  return std::nullopt;
}

}  // namespace fareline
