// SPDX-License-Identifier: Apache-2.0
// The fleet: which replica a request goes to, what moves between replicas, and replicas that come and go.
#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/engine.h"

namespace fareline {
namespace {

// Requests by which a replica that knows the prompt may be fuller than the emptiest, besides being twice as full.
// Source: SGLang router documentation, balance_abs_threshold 32 and balance_rel_threshold, between 1 and 2 by default over versions.
// Assumes: what holds for that router's queues holds for others.
constexpr std::int64_t imbalance = 32;

}  // namespace

Index Engine::route(const Sequence& s, int pool) {
  Index first = 0;
  for (int p = 0; p < pool; ++p) first += fleet.pools[static_cast<std::size_t>(p)].replicas;
  const Index count = fleet.pools[static_cast<std::size_t>(pool)].replicas;
  const auto up = [&](Index i) { return replica(first + i).status == Status::up; };
  if (count == 1) return up(0) ? first : nobody;
  const auto load = [&](Index i) { return replica(first + i).requests; };
  Index least = nobody, ready = 0;
  for (Index i = 0; i < count; ++i) {
    if (!up(i)) continue;
    ++ready;
    if (least == nobody || load(i) < load(least)) least = i;
  }
  if (ready == 0) return nobody;
  switch (fleet.router) {
    case Router::least_loaded: return first + least;
    case Router::round_robin: {
      std::uint64_t& turn = turns[static_cast<std::size_t>(pool)];
      for (;;)
        if (const auto i = static_cast<Index>(turn++ % static_cast<std::uint64_t>(count)); up(i)) return first + i;
    }
    case Router::power_of_two: {
      Draws random(fleet.seed, Purpose::fleet, draws++);
      Index drawn[2];
      for (Index& d : drawn) {
        auto nth = static_cast<Index>(random.uniform() * ready);
        for (d = 0; !up(d) || nth-- > 0;) ++d;
      }
      return first + (load(drawn[1]) < load(drawn[0]) ? drawn[1] : drawn[0]);
    }
    case Router::prefix_aware: {
      std::int64_t longest = 0;
      Index best = least;
      for (Index i = 0; i < count && s.full > 0 && pool == 0; ++i) {
        if (!up(i)) continue;
        const std::int64_t blocks = replica(first + i).cache.match(Hashes(s.blocks).first(static_cast<std::size_t>(s.full)), now()).blocks;
        if (blocks > longest || (blocks == longest && longest > 0 && load(i) < load(best))) best = i, longest = blocks;
      }
      return first + (load(best) > load(least) + imbalance && load(best) > 2 * load(least) ? least : best);
    }
  }
  return nobody;
}

void Engine::send(Index index) {
  Sequence& s = at(index);
  const Index to = route(s, s.handing ? 1 : 0);
  if (to == nobody) {
    s.phase = Phase::homeless;
    homeless.push_back(index);
    return;
  }
  (s.handing ? s.decoder : s.replica) = to;
  Replica& r = replica(to);
  s.phase = Phase::waiting;
  ++waiting;
  ++r.requests;
  // Behind others that wait in the order of arrival it changes nothing before they are gone.
  const bool blocked = fleet.order == Order::arrival && r.lanes.size() == 1 && !r.waiting.empty() && r.lanes[0].run.on;
  r.waiting.join(fleet.order, s, index, false);
  if (!blocked) touch(to);
  if (wants_states) tell(to);
}

void Engine::loaded(Index index) {
  Sequence& s = at(index);
  const Index where = s.where();
  Replica& r = replica(where);
  --r.loading;
  if (s.handing) {
    Replica& from = replica(s.replica);
    from.own_pages -= s.left_pages;
    s.left_pages = 0;
    if (s.held > 0) from.cache.release(Hashes(s.blocks).first(static_cast<std::size_t>(s.held)), now());
    s.held = 0;
    s.handing = false;
    s.moved = true;
    --from.requests;
    touch(s.replica);
    rest(s.replica);
  }
  s.phase = Phase::joining;
  int lane = 0;
  const auto size = [&](int i) {
    const Lane& l = r.lanes[static_cast<std::size_t>(i)];
    return l.members + static_cast<std::int64_t>(l.joining.size());
  };
  for (int i = 1; i < static_cast<int>(r.lanes.size()); ++i)
    if (size(i) < size(lane)) lane = i;
  s.lane = lane;
  r.lanes[static_cast<std::size_t>(lane)].joining.push_back(index);
  touch(where);
}

// A request of a failing replica: what it keeps, and what it must do again.
void Engine::lose(Index index, Index failed) {
  Sequence& s = at(index);
  ++s.version;
  if (s.handing && s.decoder == failed && s.replica != failed) {  // its KV is safe where the prompt was read
    if (s.phase == Phase::loading) s.own_pages = std::exchange(s.left_pages, 0);
    else --waiting;
    s.decoder = nobody;
    return send(index);
  }
  if (s.phase == Phase::waiting) --waiting;
  if (s.phase == Phase::decoding) leave_decode(index);
  if (s.handing && s.decoder != nobody && s.decoder != failed) {  // it was to leave for a replica that lives
    Replica& to = replica(s.decoder);
    --to.requests;
    if (s.phase == Phase::loading) {
      to.own_pages -= s.own_pages;
      --to.loading;
    } else {
      to.waiting.leave(index);
    }
    touch(s.decoder);
  }
  totals.lost_tokens += s.kept;
  s.kept = s.own_pages = s.left_pages = s.held = 0;
  s.swapped = s.handing = s.moved = false;
  s.replica = s.decoder = s.lane = s.before = s.after = nobody;
  ++s.restarts;
  send(index);
}

void Engine::fail(Index failed, Seconds lasts) {
  Replica& r = replica(failed);
  if (r.status == Status::off || r.status == Status::down || r.status == Status::starting) return;
  ++totals.failures;
  for (int i = 0; i < static_cast<int>(r.lanes.size()); ++i) {
    Lane& l = r.lanes[static_cast<std::size_t>(i)];
    if (l.run.on && l.run.steps > 1) {  // the steps that ended have told their tokens
      std::int64_t done = 0;
      while (done + 1 < l.run.steps && end_of(l.run, done) <= now()) ++done;
      if (done > 0) apply(failed, i, done);
    }
    lane_events.clear(first_lane[static_cast<std::size_t>(failed)] + i);
  }
  std::vector<Index> hit;
  for (Index i = 0; i < static_cast<Index>(sequences.size()); ++i) {
    const Sequence& s = at(i);
    if (s.phase != Phase::absent && (s.decoder == failed || (s.replica == failed && !s.moved))) hit.push_back(i);
  }
  std::sort(hit.begin(), hit.end(), [&](Index a, Index b) { return at(a).stamp < at(b).stamp; });
  std::erase_if(homeless, [&](Index i) { return std::find(hit.begin(), hit.end(), i) != hit.end(); });
  r.status = Status::down;
  ++r.version;
  for (const Index i : hit) lose(i, failed);
  const std::size_t lanes = r.lanes.size(), page = r.lanes[0].crossings.size();
  for (Lane& l : r.lanes) {
    const bool listed = l.dirty;
    l = {};
    l.crossings.resize(page);
    l.dirty = listed;
  }
  FARELINE_CHECK(r.lanes.size() == lanes);
  r.waiting = {};
  r.cache.clear();
  r.requests = r.loading = r.own_pages = 0;
  r.entrance = r.host_link = r.out_link = r.in_link = now();
  schedule(now() + lasts, EventKind::recovery, failed, r.version);
  if (wants_states) tell(failed);
}

void Engine::plan_failure(Index index) {
  if (!(fleet.failures.mean_between > Seconds{})) return;
  Replica& r = replica(index);
  Draws random(fleet.seed ^ scrambled(static_cast<std::uint64_t>(index) + 1), Purpose::fleet, (std::uint64_t{1} << 31) + r.failures++);
  schedule(now() + random.exponential_gap() * fleet.failures.mean_between, EventKind::failure, index, r.version);
}

void Engine::start_again(Index index) {
  Replica& r = replica(index);
  r.status = Status::up;
  ++r.version;
  plan_failure(index);
  const std::vector<Index> stranded = std::exchange(homeless, {});
  for (const Index i : stranded) send(i);
  if (wants_states) tell(index);
}

void Engine::scale() {
  const Pool& pool = fleet.pools.front();
  const Scaling& scaling = fleet.scaling;
  std::int64_t requests = 0;
  int running = 0;
  for (Index i = 0; i < pool.replicas; ++i) {
    requests += replica(i).requests;
    const Status status = replica(i).status;
    running += status == Status::up || status == Status::starting || status == Status::down;
  }
  for (const Index i : homeless) requests += !at(i).handing;
  const double each = scaling.target * pool.sequences_most;
  const int wanted = std::clamp(static_cast<int>(std::ceil(static_cast<double>(requests) / each)), scaling.least, pool.replicas);
  if (wanted != running) ++totals.scalings;
  for (Index i = 0; i < pool.replicas && running < wanted; ++i) {  // who was to leave stays, before others start
    Replica& r = replica(i);
    if (r.status != Status::draining) continue;
    r.status = Status::up;
    ++running;
  }
  for (Index i = 0; i < pool.replicas && running < wanted; ++i) {
    Replica& r = replica(i);
    if (r.status != Status::off) continue;
    r.status = Status::starting;
    ++r.version;
    ++switched_on;
    ++running;
    schedule(now() + scaling.start_up, EventKind::started, i, r.version);
  }
  for (Index i = pool.replicas; i-- > 0 && running > wanted;) {
    Replica& r = replica(i);
    if (r.status != Status::up) continue;
    r.status = Status::draining;
    --running;
    rest(i);
  }
  schedule(now() + scaling.interval, EventKind::scaling, 0, 0);
}

void Engine::rest(Index index) {
  Replica& r = replica(index);
  if (r.status != Status::draining || r.requests > 0) return;
  r.status = Status::off;
  ++r.version;
  --switched_on;
  r.cache.clear();
  if (wants_states) tell(index);
}

}  // namespace fareline
