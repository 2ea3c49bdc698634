// SPDX-License-Identifier: Apache-2.0
// The state of a run, and what happens in it. fleet.h is its face.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "sim/event_queue.h"
#include "sim/flat_map.h"
#include "sim/fleet.h"
#include "sim/prefix_cache.h"
#include "sim/step_times.h"

namespace fareline {

using Index = std::int32_t;
inline constexpr Index nobody = -1;

enum class Phase : unsigned char {
  absent,       // a spare slot
  homeless,     // no replica is up
  waiting,      // in a replica's queue; of a decode replica, while its KV stays where the prompt was read
  loading,      // has memory; KV is on its way to it
  joining,      // KV is there; the next step takes it in
  prefilling,
  decoding,
};

// A request in the system. While it decodes, `generated` and `kept` are as of step `joined` of its lane.
struct Sequence {
  std::uint64_t id = 0, session = 0, stamp = 0;  // stamp: order of arrival
  std::uint64_t version = 0;            // changes when what was under way for it no longer holds
  Seconds arrival, start, first_token;
  std::int64_t prompt = 0, output = 0, generated = 0;
  std::int64_t kept = 0;                // tokens whose KV is there
  std::int64_t joined = 0;
  std::int64_t cached = 0;
  std::int64_t own_pages = 0;           // beside shared blocks; on `replica`, or on `decoder` once that admitted it
  std::int64_t left_pages = 0;          // on `replica` while the KV moves to `decoder`
  std::int64_t held = 0;                // leading blocks held in the cache of `replica`
  std::int64_t full = 0;                // leading blocks that can be shared: of whole prompts, where there is a cache
  std::vector<std::uint64_t> blocks;
  int block_tokens = 0, priority = 0, preemptions = 0, restarts = 0;
  Index replica = nobody, decoder = nobody, lane = nobody;
  Index before = nobody, after = nobody;  // in its lane, by admission
  Phase phase = Phase::absent;
  bool started = false, admitted = false, swapped = false;
  bool handing = false;                 // its prompt is read and its KV waits on `replica` for the decode pool
  bool moved = false;                   // its KV is on `decoder`
  // The replica whose queue or batch it is in.
  Index where() const { return decoder != nobody ? decoder : replica; }
  // Tokens to have kept before the next one can be generated.
  std::int64_t wanted() const { return prompt + generated; }
  void archive(Archive& archive);
};

struct WaitKey {
  std::int64_t rank;                    // smaller first
  std::uint64_t stamp;
  Index sequence;
  friend bool operator<(const WaitKey& a, const WaitKey& b) { return a.rank != b.rank ? a.rank > b.rank : a.stamp > b.stamp; }
};

// Requests before a replica: a heap by the order's rank, or simply a line where arrival decides.
class WaitingLine {
 public:
  bool empty() const { return line_.empty() && heap_.empty(); }
  std::int64_t size() const { return static_cast<std::int64_t>(line_.size() + heap_.size()); }
  Index front() const { return line_.empty() ? heap_.front().sequence : line_.front(); }
  void pop();
  void join(Order order, const Sequence& s, Index index, bool in_front);
  void leave(Index index);
  void archive(Archive& archive);

 private:
  std::deque<Index> line_;
  std::vector<WaitKey> heap_;
};

struct Finish {
  std::int64_t step;                    // of the lane, after which it has all its tokens
  std::uint64_t stamp;
  Index sequence;
  friend bool operator<(const Finish& a, const Finish& b) { return a.step != b.step ? a.step > b.step : a.stamp > b.stamp; }
};

struct Chunk {
  Index sequence;
  std::int64_t tokens;
};

// Steps under way: one, or several on a line.
struct Run {
  bool on = false;
  Seconds begin, end;                   // of the first step; of the last
  std::int64_t steps = 0;
  double context = 0;                   // mean, of the first step
  StepCost cost;                        // of a single step
  CostLine line;                        // of several
  Batch batch;
  std::int64_t grown = 0;               // pages taken for it so far
};

// One micro-batch and its sequences; a replica has one a pipeline stage.
struct Lane {
  std::int64_t step = 0;                // steps done
  std::int64_t decoding = 0;
  std::int64_t context = 0;             // tokens kept by decoding sequences together
  std::int64_t members = 0;             // sequences from admission to the end
  std::vector<Finish> finishes;         // a heap, of decoding sequences
  std::vector<Index> prefilling, joining;
  std::vector<Chunk> chunks;            // of the step under way
  std::vector<std::int32_t> crossings;  // [step mod page_tokens]: decoding sequences that then begin a page
  Index first = nobody, last = nobody;  // members by admission
  Run run;
  bool departing = false;               // waits for the pipeline's entrance, or for the train
  bool dirty = false;
  void archive(Archive& archive);
};

enum class Status : unsigned char { off, starting, up, draining, down };

struct Replica {
  int pool = 0;
  Status status = Status::up;
  std::vector<Lane> lanes;
  WaitingLine waiting;
  std::int64_t requests = 0;            // routed here and not finished
  std::int64_t loading = 0;
  std::int64_t own_pages = 0;           // of all sequences, beside the cache's
  Cache cache;
  Seconds entrance;                     // of the pipeline: free from
  Seconds host_link, out_link, in_link; // busy until
  Seconds since;                        // switched on
  std::uint64_t version = 0;            // changes when it fails or stops
  std::uint64_t failures = 0;
  void archive(Archive& archive);
};

struct Engine {
  Fleet fleet;
  Traffic& traffic;
  Observer& observer;
  Totals totals;
  bool wants_states = false, wants_steps = false;

  std::vector<Replica> replicas;
  std::vector<StepTimes> times;         // a pool
  std::vector<Sequence> sequences;
  std::vector<Index> spare;
  FlatMap ids;
  std::optional<Request> next;          // the traffic's next, held back until its time
  bool exhausted = false;
  struct Reply {
    Seconds at;
    std::uint64_t stamp;
    std::vector<Request> request;       // one
  };
  std::vector<Reply> replies;           // a heap: what clients send when they have been answered
  LaneEvents lane_events;
  EventHeap events;
  std::vector<Index> dirty;             // lanes to plan before time goes on
  std::vector<Index> homeless;
  std::uint64_t stamps = 0, sequence_number = 0, draws = 0;
  std::vector<std::uint64_t> turns;     // round robin, a pool
  std::int64_t waiting = 0;             // in all queues
  Seconds latest_arrival;
  Seconds accounted;                    // until when the integrals go
  std::int64_t switched_on = 0;         // replicas
  Seconds overhead;                     // of the engine before a request can be queued
  struct LaneName {
    Index replica;
    int lane;
  };
  std::vector<LaneName> lane_names;     // in the numbering of lane_events
  std::vector<Index> first_lane;        // of a replica

  Engine(Fleet&& f, Traffic& t, Observer& o);

  // engine_loop.cpp
  bool advance(std::uint64_t count);
  bool happen();                        // one event; false at the end
  void pull();
  void arrive(Request&& request);
  void refuse(const Request& request, Outcome outcome);
  void answer(std::uint64_t id);
  void finish(Index index, Outcome outcome);
  void account();                       // the integrals, up to now
  void tell(Index replica);
  void schedule(Seconds at, EventKind kind, Index who, std::uint64_t version);
  Seconds now() const { return totals.now; }

  // engine_batch.cpp
  void plan_dirty();
  void plan(Index replica, int lane);
  void complete(Index replica, int lane);
  void apply(Index replica, int lane, std::int64_t steps);  // counts steps of the run under way as done
  void truncate(Index replica, int lane);
  void touch(Index replica);            // something changed that its next step should know
  void mark(Index replica, int lane);
  bool admit(Index replica, int lane, Index index);
  void enter(Index replica, int lane, Index index);       // becomes a member, to read its prompt or to decode
  void join_decode(Index index);
  void leave_decode(Index index);       // and brings `generated`, `kept` and `own_pages` up to now
  void leave_lane(Index index);
  void free_pages(Index index);
  void preempt(Index index);
  void prefilled(Index index);
  void draw_accepted(Index replica, int lane);
  Index victim(const Lane& l) const;
  std::int64_t pages_of(const Sequence& s, std::int64_t tokens) const;  // that `tokens` of it take, shared ones included
  std::int64_t shared_pages(const Sequence& s) const;     // of the blocks it holds
  std::size_t crossing(const Sequence& s, const Pool& pool) const;
  std::int64_t growth(const Replica& r, const Lane& l, std::int64_t steps) const;
  std::int64_t drafted_growth(const Lane& l) const;
  std::int64_t available(const Replica& r) const;
  void take(Replica& r, std::int64_t pages);
  Seconds begin_of(const Run& run, std::int64_t step) const;
  Seconds end_of(const Run& run, std::int64_t step) const;  // of the step-th, from 0
  Seconds departure(Seconds at) const;
  std::int64_t steps_ahead(const Replica& r, const Lane& l, const CostLine& line, double context) const;

  // engine_fleet.cpp
  Index route(const Sequence& s, int pool);
  void send(Index index);               // to a replica of the pool that is next for it
  void loaded(Index index);
  void fail(Index replica, Seconds lasts);
  void lose(Index index, Index replica);
  void start_again(Index replica);
  void scale();
  void rest(Index replica);             // switches off a drained replica
  void plan_failure(Index replica);

  // engine_state.cpp
  void archive(Archive& archive);
  std::uint64_t fingerprint() const;
  bool consistent() const;

  Sequence& at(Index i) { return sequences[static_cast<std::size_t>(i)]; }
  const Sequence& at(Index i) const { return sequences[static_cast<std::size_t>(i)]; }
  Replica& replica(Index i) { return replicas[static_cast<std::size_t>(i)]; }
  const Pool& pool_of(const Replica& r) const { return fleet.pools[static_cast<std::size_t>(r.pool)]; }
};

}  // namespace fareline
