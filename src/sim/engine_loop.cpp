// SPDX-License-Identifier: Apache-2.0
// What happens when: arrivals, events, and the end of requests.
#include <algorithm>
#include <limits>
#include <utility>

#include "sim/engine.h"

namespace fareline {
namespace {

bool later(const Engine::Reply& a, const Engine::Reply& b) { return a.at == b.at ? a.stamp > b.stamp : a.at > b.at; }

// What a block takes to compute at the start of a prompt, and what each token before it adds: the slope over 64 Ki tokens.
// Source: CompiledPlan::estimate. Assumes: alone in its pass.
Cache cache_of(const Fleet& fleet, const Pool& pool) {
  const Pass first{.prefill_sequences = 1, .prefill_tokens = 512};
  Pass deep = first;
  deep.prefill_context = 0x1p16;
  const Seconds start = pool.plan->estimate(first).time;
  return Cache(fleet.cache, pool.page, start, (pool.plan->estimate(deep).time - start) / deep.prefill_context);
}

}  // namespace

Engine::Engine(Fleet&& f, Traffic& t, Observer& o) : fleet(std::move(f)), traffic(t), observer(o) {
  wants_states = observer.wants_states();
  wants_steps = observer.wants_steps();
  overhead = fleet.pools.front().plan->engine().prompt;
  turns.resize(fleet.pools.size());
  for (std::size_t p = 0; p < fleet.pools.size(); ++p) {
    const Pool& pool = fleet.pools[p];
    const Plan& layout = pool.plan->plan();
    times.emplace_back(*pool.plan, static_cast<double>(pool.pages) * layout.page_tokens, fleet.drafting.draft(), fleet.drafting.by_mtp);
    for (int i = 0; i < pool.replicas; ++i) {
      Replica r{.pool = static_cast<int>(p), .cache = cache_of(fleet, pool)};
      r.lanes.resize(static_cast<std::size_t>(layout.pp));
      for (Lane& l : r.lanes) l.crossings.resize(static_cast<std::size_t>(layout.page_tokens));
      if (p == 0 && fleet.scaling.least > 0 && i >= fleet.scaling.least) r.status = Status::off;
      switched_on += r.status != Status::off;
      const auto name = static_cast<Index>(replicas.size());
      first_lane.push_back(static_cast<Index>(lane_names.size()));
      for (int lane = 0; lane < layout.pp; ++lane) lane_names.push_back({name, lane});
      replicas.push_back(std::move(r));
    }
  }
  lane_events = LaneEvents(lane_names.size());
  for (std::size_t i = 0; i < replicas.size(); ++i)
    if (replicas[i].status == Status::up) plan_failure(static_cast<Index>(i));
  for (std::size_t i = 0; i < fleet.failures.planned.size(); ++i)
    schedule(fleet.failures.planned[i].at, EventKind::outage, static_cast<Index>(i), 0);
  if (fleet.scaling.least > 0) schedule(fleet.scaling.interval, EventKind::scaling, 0, 0);
}

void Engine::schedule(Seconds at, EventKind kind, Index who, std::uint64_t version) {
  events.push({.at = at, .sequence = ++sequence_number, .version = version, .who = who, .kind = kind});
}

void Engine::account() {
  const Seconds passed = now() - accounted;
  totals.request_seconds += static_cast<double>(totals.in_system) * passed;
  totals.provided += static_cast<double>(switched_on) * passed;
  accounted = now();
}

void Engine::pull() {
  while (!next && !exhausted) {
    next = traffic.next();
    if (!next) {
      exhausted = true;
    } else if (next->arrival < latest_arrival) {
      ++totals.requests;
      const Request backwards = *std::exchange(next, std::nullopt);
      refuse(backwards, Outcome::malformed);
    } else {
      latest_arrival = next->arrival;
    }
  }
}

bool Engine::advance(std::uint64_t count) {
  if (wants_states && totals.events == 0)
    for (std::size_t i = 0; i < replicas.size(); ++i) tell(static_cast<Index>(i));
  for (; count > 0; --count) {
    if (!happen()) return false;
    if (fleet.verify) FARELINE_CHECK(consistent());
#ifndef NDEBUG
    FARELINE_CHECK(consistent());
#endif
  }
  return true;
}

bool Engine::happen() {
  for (;;) {
    pull();
    if (totals.in_system == 0 && !next && replies.empty()) return false;
    constexpr Seconds never = Seconds::from_coherent(std::numeric_limits<double>::infinity());
    Seconds arrival = next ? next->arrival + overhead : never;
    const bool reply = !replies.empty() && replies.front().at + overhead < arrival;
    if (reply) arrival = replies.front().at + overhead;
    const Seconds lane = lane_events.empty() ? never : lane_events.at(lane_events.top());
    const Seconds event = events.empty() ? never : events.top().at;
    const Seconds first = min(lane, event), when = min(first, arrival);
    if (!dirty.empty() && when > now()) {  // the steps that leave now know all that happened by now
      plan_dirty();
      continue;
    }
    FARELINE_CHECK(when < never);
    totals.now = max(when, now());
    account();
    ++totals.events;
    if (arrival < first) {
      Request request;
      if (reply) {
        std::pop_heap(replies.begin(), replies.end(), later);
        request = std::move(replies.back().request.front());
        replies.pop_back();
      } else {
        request = *std::exchange(next, std::nullopt);
      }
      arrive(std::move(request));
      return true;
    }
    if (lane < event || (lane == event && lane_events.sequence(lane_events.top()) < events.top().sequence)) {
      const LaneName name = lane_names[static_cast<std::size_t>(lane_events.top())];
      complete(name.replica, name.lane);
      rest(name.replica);
      return true;
    }
    const Event e = events.pop();
    switch (e.kind) {
      case EventKind::loaded:
        if (at(e.who).version == e.version) loaded(e.who);
        break;
      case EventKind::failure:
        if (replica(e.who).version == e.version) fail(e.who, fleet.failures.restart);
        break;
      case EventKind::outage: {
        const Outage& outage = fleet.failures.planned[static_cast<std::size_t>(e.who)];
        fail(outage.replica, outage.lasts);
        break;
      }
      case EventKind::recovery:
      case EventKind::started:
        if (replica(e.who).version == e.version) start_again(e.who);
        break;
      case EventKind::scaling: scale(); break;
    }
    return true;
  }
}

void Engine::arrive(Request&& request) {
  ++totals.requests;
  if (request.prompt < 1 || request.output < 0) return refuse(request, Outcome::malformed);
  if (ids.find(request.id) != FlatMap::none) return refuse(request, Outcome::duplicate);
  if (waiting >= fleet.waiting_most) return refuse(request, Outcome::turned_away);
  if (spare.empty()) {
    spare.push_back(static_cast<Index>(sequences.size()));
    sequences.emplace_back();
  }
  const Index index = spare.back();
  Sequence& s = at(index);
  const std::uint64_t version = s.version;
  s = {};
  s.version = version;
  s.id = request.id;
  s.session = request.session;
  s.stamp = ++stamps;
  s.arrival = request.arrival;
  s.prompt = request.prompt;
  s.output = request.output;
  s.priority = request.priority;
  s.replica = 0;
  if (fleet.cache.on && request.block_tokens > 0 && !request.blocks.empty()) {
    s.blocks = std::move(request.blocks);
    s.block_tokens = request.block_tokens;
    s.full = std::min(static_cast<std::int64_t>(s.blocks.size()), s.prompt / s.block_tokens);
  }
  Index first = 0;
  for (const Pool& pool : fleet.pools) {
    s.replica = first;
    first += pool.replicas;
    if (pages_of(s, s.prompt + s.output + fleet.drafting.draft()) > pool.pages) {
      request.blocks.clear();
      return refuse(request, Outcome::too_long);
    }
  }
  s.replica = nobody;
  spare.pop_back();
  ids.insert(s.id, index);
  ++totals.in_system;
  totals.in_system_most = std::max(totals.in_system_most, totals.in_system);
  totals.request_seconds += overhead;
  send(index);
}

void Engine::refuse(const Request& request, Outcome outcome) {
  ++totals.outcomes[static_cast<std::size_t>(outcome)];
  const Seconds then = max(request.arrival, now());
  observer.finished({.id = request.id, .session = request.session, .priority = request.priority, .outcome = outcome,
                     .arrival = request.arrival, .start = then, .first_token = then, .finish = then, .prompt = request.prompt,
                     .output = request.output});
  answer(request.id);
}

void Engine::answer(std::uint64_t id) {
  if (std::optional<Request> reply = traffic.answered(id, now())) {
    replies.push_back({.at = max(reply->arrival, now()), .stamp = ++stamps, .request = {}});
    replies.back().request.push_back(std::move(*reply));
    std::push_heap(replies.begin(), replies.end(), later);
  }
}

void Engine::finish(Index index, Outcome outcome) {
  Sequence& s = at(index);
  ++totals.outcomes[static_cast<std::size_t>(outcome)];
  totals.prompt_tokens += s.prompt;
  totals.cached_tokens += s.cached;
  totals.output_tokens += s.generated;
  totals.stays += now() - s.arrival;
  --totals.in_system;
  observer.finished({.id = s.id, .session = s.session, .priority = s.priority, .outcome = outcome, .arrival = s.arrival, .start = s.start,
                     .first_token = s.generated > 0 ? s.first_token : now(), .finish = now(), .prompt = s.prompt, .output = s.generated,
                     .cached = s.cached, .preemptions = s.preemptions, .restarts = s.restarts, .replica = s.replica,
                     .decode_replica = s.where()});
  const std::uint64_t id = s.id;
  --replica(s.where()).requests;
  ids.erase(id);
  s.phase = Phase::absent;
  ++s.version;
  spare.push_back(index);
  answer(id);
}

void Engine::tell(Index index) {
  const Replica& r = replica(index);
  ReplicaState state{.at = now(), .replica = index, .waiting = r.waiting.size() + r.loading,
                     .pages_used = r.own_pages + r.cache.pages() - r.cache.evictable(), .pages_cached = r.cache.evictable(),
                     .pages = pool_of(r).pages, .up = r.status == Status::up || r.status == Status::draining};
  for (const Lane& l : r.lanes) {
    state.decoding += l.decoding;
    state.prefilling += l.members - l.decoding;
    state.waiting += static_cast<std::int64_t>(l.joining.size());
  }
  observer.changed(state);
}

}  // namespace fareline
