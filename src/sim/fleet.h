// SPDX-License-Identifier: Apache-2.0
// A fleet of replicas that serves traffic: what is simulated, what is told while it runs, and the run itself.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "perf/compiled_plan.h"
#include "perf/memory.h"
#include "sim/policies.h"
#include "sim/request.h"
#include "units/error.h"

namespace fareline {

enum class Role : unsigned char { serves, prefills, decodes };

// Equal replicas of one plan.
struct Pool {
  const CompiledPlan* plan = nullptr;   // must outlive the run
  Role role = Role::serves;
  int replicas = 1;
  std::int64_t pages = 0;               // KV pages one replica holds, of plan().page_tokens each
  std::int64_t sequence_pages = 0;      // further pages of any sequence: recurrent state, windows
  Bytes page;                           // of one page over the whole replica
  int sequences_most = 256;             // admitted at once, a replica: vLLM's max_num_seqs
};

// Returns a pool of plan().replicas replicas: its pages are what memory leaves beside weights and workspace. Infeasible where the
// weights do not fit. Source: kv_capacity_tokens, sequence_bytes.
// Assumes: dp groups share pages evenly; what a sequence keeps whatever its length (windows, recurrent state) takes whole pages.
std::expected<Pool, Infeasible> pool_of(const Model& model, const System& system, const CompiledPlan& plan);

// Speculative decoding: `accepted[i]` is the chance that just the first i of accepted.size() - 1 drafted tokens are kept.
struct Drafting {
  std::vector<double> accepted;         // adds up to 1; empty: no drafting
  bool by_mtp = false;                  // drafted by the model's MTP module, whose time counts; else free
  int draft() const { return accepted.empty() ? 0 : static_cast<int>(accepted.size()) - 1; }
};
// Returns the chances of 0..draft tokens accepted where each is with chance `acceptance`. Equation: a^i (1 - a), and a^d.
// Source: Leviathan, Kalman & Matias 2022, section 3.1. Assumes: acceptances are independent with one rate.
std::vector<double> geometric_acceptance(int draft, double acceptance);

// A place below HBM where cached blocks are kept, of one replica.
struct CacheTier {
  std::string name;
  Bytes capacity;
  Bandwidth bandwidth;                  // reading, of the replica; requests that read share it first come, first served
  Seconds latency{};
};

struct PrefixCache {
  bool on = false;
  Eviction eviction = Eviction::lru;
  Seconds time_to_live = 5 * unit::minute;  // Eviction::ttl
  std::vector<CacheTier> tiers;         // nearest first
};

struct Outage {
  int replica = 0;                      // counted through all pools
  Seconds at, lasts;
};

struct Failures {
  Seconds mean_between{};               // of one replica, exponential; zero: none
  Seconds restart{};                    // until it serves again, its caches empty
  std::vector<Outage> planned;          // in order of time
};

// Replicas of the first pool follow the load, between `least` and the pool's `replicas`.
struct Scaling {
  int least = 0;                        // 0: all replicas always run
  Seconds interval = 15 * unit::s;      // between two decisions
  Seconds start_up = 2 * unit::minute;
  double target = 0.5;                  // requests in the system a replica, as a share of sequences_most
};

struct Fleet {
  std::vector<Pool> pools;              // one that serves; or one that prefills and one that decodes
  Batching batching = Batching::continuous;
  Seconds period{};                     // Batching::train
  Order order = Order::arrival;
  Preemption preemption = Preemption::recompute;
  Router router = Router::round_robin;
  Drafting drafting;
  PrefixCache cache;
  Bandwidth transfer_bandwidth;         // KV between pools: out of one prefill replica, and into one decode replica
  Seconds transfer_latency{};
  Bandwidth host_bandwidth;             // of one replica: Preemption::swap
  Failures failures;
  Scaling scaling;
  std::int64_t waiting_most = std::numeric_limits<std::int64_t>::max();  // requests in queues; one more is refused
  std::uint64_t seed = 1;
  bool every_step = false;              // no skipping ahead: each step is an event
  bool verify = false;                  // counts every page at every event, as builds for debugging do anyway
};

enum class Outcome : unsigned char {
  answered,
  empty,          // an answer of no tokens: the prompt was read, nothing was said
  too_long,       // prompt and answer together exceed what a replica can hold
  duplicate,      // an id that is in the system already
  turned_away,    // queues were full
  malformed,      // negative lengths, an arrival before the previous one
};
inline constexpr int outcome_count = 6;

// A request's whole story. Times are since the start of the traffic; what did not happen is at `finish`.
struct Finished {
  std::uint64_t id = 0, session = 0;
  int priority = 0;
  Outcome outcome{};
  Seconds arrival, start;               // `start`: the first step that worked on it began
  Seconds first_token, finish;          // `finish`: its last token
  std::int64_t prompt = 0, output = 0;
  std::int64_t cached = 0;              // tokens of the prompt taken from the cache, HBM and tiers, when it was first admitted
  int preemptions = 0, restarts = 0;    // times its KV was lost to others, to failures
  int replica = -1, decode_replica = -1;  // counted through all pools; the same unless pools are apart
};

// One replica just after a change.
struct ReplicaState {
  Seconds at;
  int replica = 0;
  std::int64_t waiting = 0, prefilling = 0, decoding = 0;  // requests; `waiting` includes those whose KV is on its way
  std::int64_t pages_used = 0;          // held by requests
  std::int64_t pages_cached = 0;        // held by nobody, of use to who comes
  std::int64_t pages = 0;
  bool up = true;
};

// Steps one replica took in a row with the same batch: one event of the engine.
struct StepRun {
  Seconds begin, end;
  int replica = 0;
  std::int64_t steps = 0;
  std::int64_t decoding = 0, prefill_chunks = 0, prefill_tokens = 0;  // of each step
  Flops flops;                          // of one chip of the slowest stage, all steps together
  Bytes moved;                          // likewise: weights, KV and activations
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void finished(const Finished&) {}
  virtual void changed(const ReplicaState&) {}
  virtual void stepped(const StepRun&) {}
  // What is worth telling; the engine spares itself the rest.
  virtual bool wants_states() const { return false; }
  virtual bool wants_steps() const { return false; }
};

struct Totals {
  std::uint64_t requests = 0;           // taken from the traffic
  std::array<std::uint64_t, outcome_count> outcomes{};
  std::uint64_t events = 0, steps = 0;
  Seconds now;
  std::int64_t prompt_tokens = 0, cached_tokens = 0, output_tokens = 0;  // of finished requests
  std::int64_t lost_tokens = 0;         // whose KV preemptions and failures took, to be computed again
  std::int64_t prefilled_tokens = 0;    // passed through the model as prompt, recomputed ones included
  std::int64_t tier_tokens = 0;         // of cached_tokens, read from a tier below HBM
  std::uint64_t preemptions = 0, failures = 0, scalings = 0;
  Bytes transferred, swapped, retrieved;
  Seconds busy;                         // replica-seconds in which a step ran: of the slowest stage
  Seconds provided;                     // replica-seconds switched on, starting included
  Flops flops;                          // of one chip of the slowest stage, added over replicas
  Bytes moved;
  // Little's law holds exactly: the integral of requests in the system is the sum of their stays.
  Seconds request_seconds, stays;
  std::int64_t in_system = 0, in_system_most = 0;
  std::int64_t pages_most = 0;          // of one replica
};

// A run: deterministic in the fleet, the traffic and the seed, whatever thread it runs on. Independent runs share nothing.
class Simulation {
 public:
  // Errors: pools that do not belong together, policies without what they need.
  static Expected<Simulation> start(Fleet fleet, Traffic& traffic, Observer& observer);
  // The same from where a checkpoint of an equal fleet was taken; the traffic is restored too. Results go on bit for bit.
  // Errors: bytes that are no checkpoint of this fleet; a traffic that cannot be restored.
  static Expected<Simulation> resume(Fleet fleet, Traffic& traffic, Observer& observer, std::string_view checkpoint);
  Simulation(Simulation&&) noexcept;
  Simulation& operator=(Simulation&&) noexcept;
  ~Simulation();

  // Takes about so many events; false once nothing is left to happen.
  bool advance(std::uint64_t events);
  const Totals& totals() const;
  // Every byte of the state, the traffic's included. Errors: a traffic that cannot be saved.
  Expected<std::string> checkpoint() const;

 private:
  struct State;
  explicit Simulation(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Runs to the end, or until `go_on`, asked every 65,536 events, says no.
Expected<Totals> run(Fleet fleet, Traffic& traffic, Observer& observer, const std::function<bool(const Totals&)>& go_on = {});

}  // namespace fareline
