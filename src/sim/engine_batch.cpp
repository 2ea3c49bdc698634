// SPDX-License-Identifier: Apache-2.0
// One replica: what its steps carry, how long they take, and what they leave behind.
#include <algorithm>
#include <cmath>

#include "sim/engine.h"

namespace fareline {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

void WaitingLine::pop() {
  if (!line_.empty()) return line_.pop_front();
  std::pop_heap(heap_.begin(), heap_.end());
  heap_.pop_back();
}

void WaitingLine::join(Order order, const Sequence& s, Index index, bool in_front) {
  if (order == Order::arrival) return in_front ? line_.push_front(index) : line_.push_back(index);
  heap_.push_back({order == Order::priority ? -static_cast<std::int64_t>(s.priority) : s.prompt, s.stamp, index});
  std::push_heap(heap_.begin(), heap_.end());
}

void WaitingLine::leave(Index index) {
  std::erase(line_, index);
  std::erase_if(heap_, [&](const WaitKey& k) { return k.sequence == index; });
  std::make_heap(heap_.begin(), heap_.end());
}

std::int64_t Engine::available(const Replica& r) const {
  return pool_of(r).pages - r.own_pages - r.cache.pages() + r.cache.evictable();
}

void Engine::take(Replica& r, std::int64_t pages) {
  const std::int64_t unused = pool_of(r).pages - r.own_pages - r.cache.pages();
  if (pages > unused) r.cache.make_room(pages - unused, now());
  r.own_pages += pages;
  totals.pages_most = std::max(totals.pages_most, r.own_pages + r.cache.pages() - r.cache.evictable());
}

std::int64_t Engine::pages_of(const Sequence& s, std::int64_t tokens) const {
  const Pool& pool = pool_of(replicas[static_cast<std::size_t>(s.where())]);
  const std::int64_t page = pool.plan->plan().page_tokens;
  const std::int64_t rest = std::max<std::int64_t>(0, tokens - s.full * s.block_tokens);
  return pool.sequence_pages + s.full * divide_up(s.block_tokens, page) + divide_up(rest, page);
}

std::int64_t Engine::shared_pages(const Sequence& s) const {
  if (s.held == 0) return 0;
  return s.held * divide_up(s.block_tokens, pool_of(replicas[static_cast<std::size_t>(s.where())]).plan->plan().page_tokens);
}

// The remainder of a lane's steps over page_tokens at which the sequence, as of `joined`, begins a page.
std::size_t Engine::crossing(const Sequence& s, const Pool& pool) const {
  const std::int64_t page = pool.plan->plan().page_tokens;
  const std::int64_t into = (s.kept - s.full * s.block_tokens) % page;
  return static_cast<std::size_t>((s.joined + (into == 0 ? 0 : page - into)) % page);
}

// Pages that the decoding sequences of a lane begin in its next `steps` steps.
std::int64_t Engine::growth(const Replica& r, const Lane& l, std::int64_t steps) const {
  const std::int64_t page = pool_of(r).plan->plan().page_tokens;
  std::int64_t pages = steps / page * l.decoding;
  for (std::int64_t i = steps / page * page; i < steps; ++i) pages += l.crossings[static_cast<std::size_t>((l.step + i) % page)];
  return pages;
}

// With drafts, sequences advance unevenly: what one step may write of each, over what it has.
std::int64_t Engine::drafted_growth(const Lane& l) const {
  std::int64_t pages = 0;
  for (Index i = l.first; i != nobody; i = at(i).after)
    if (at(i).phase == Phase::decoding)
      pages += std::max<std::int64_t>(0, pages_of(at(i), at(i).kept + 1 + fleet.drafting.draft()) - shared_pages(at(i)) - at(i).own_pages);
  return pages;
}

Seconds Engine::departure(Seconds at) const {
  double k = std::ceil(at / fleet.period);
  while (k * fleet.period < at) k += 1;
  while ((k - 1) * fleet.period >= at) k -= 1;
  return k * fleet.period;
}

Seconds Engine::begin_of(const Run& run, std::int64_t step) const {
  if (step == 0) return run.begin;
  if (fleet.batching != Batching::train) return run.begin + run.line.time_of(run.context, step);
  const double each = std::ceil(run.line.at(run.context).time / fleet.period);
  return (std::round(run.begin / fleet.period) + static_cast<double>(step) * each) * fleet.period;
}

Seconds Engine::end_of(const Run& run, std::int64_t step) const {
  if (run.steps == 1 && step == 0) return run.begin + run.cost.time;
  if (fleet.batching != Batching::train) return run.begin + run.line.time_of(run.context, step + 1);
  return begin_of(run, step) + run.line.at(run.context + static_cast<double>(step)).time;
}

void Engine::mark(Index replica, int lane) {
  const Index name = first_lane[static_cast<std::size_t>(replica)] + lane;
  Lane& l = this->replica(replica).lanes[static_cast<std::size_t>(lane)];
  if (l.dirty) return;
  l.dirty = true;
  dirty.push_back(name);
}

void Engine::touch(Index replica) {
  Replica& r = this->replica(replica);
  for (int i = 0; i < static_cast<int>(r.lanes.size()); ++i) {
    const Lane& l = r.lanes[static_cast<std::size_t>(i)];
    if (!l.run.on) mark(replica, i);
    else if (l.run.steps > 1) truncate(replica, i);
  }
}

// Ends a run of steps with the one under way.
void Engine::truncate(Index replica, int lane) {
  Replica& r = this->replica(replica);
  Lane& l = r.lanes[static_cast<std::size_t>(lane)];
  Run& run = l.run;
  std::int64_t steps;
  if (fleet.batching == Batching::train) {
    steps = 1;
    for (std::int64_t high = run.steps; steps < high;) {  // the fewest after which the next would leave now or later
      const std::int64_t middle = (steps + high) / 2;
      if (begin_of(run, middle) >= now()) high = middle;
      else steps = middle + 1;
    }
  } else {
    const double passed = (now() - run.begin).coherent(), first = run.line.at(run.context).time.coherent(),
                 slope = run.line.per_token.time.coherent();
    double n = passed / first;
    for (int round = 0; round < 2; ++round) n = passed / (first + slope * std::max(0.0, n - 1) / 2);
    steps = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(n)), 1, run.steps);
    while (steps > 1 && end_of(run, steps - 2) >= now()) --steps;
    while (steps < run.steps && end_of(run, steps - 1) < now()) ++steps;
  }
  if (steps >= run.steps) return;
  run.end = end_of(run, steps - 1);
  if (steps == 1) run.cost = run.line.at(run.context);
  run.steps = steps;
  const std::int64_t grown = growth(r, l, steps);
  if (grown > run.grown) take(r, grown - run.grown);
  run.grown = grown;
  if (r.lanes.size() > 1) r.entrance = begin_of(run, steps - 1) + run.line.at(run.context + static_cast<double>(steps - 1)).stage;
  lane_events.set(first_lane[static_cast<std::size_t>(replica)] + lane, max(run.end, now()), ++sequence_number);
}

void Engine::leave_lane(Index index) {
  Sequence& s = at(index);
  Lane& l = replica(s.where()).lanes[static_cast<std::size_t>(s.lane)];
  (s.before == nobody ? l.first : at(s.before).after) = s.after;
  (s.after == nobody ? l.last : at(s.after).before) = s.before;
  s.before = s.after = nobody;
  --l.members;
}

void Engine::join_decode(Index index) {
  Sequence& s = at(index);
  Replica& r = replica(s.where());
  Lane& l = r.lanes[static_cast<std::size_t>(s.lane)];
  s.phase = Phase::decoding;
  s.joined = l.step;
  s.kept = s.wanted() - 1;
  ++l.decoding;
  l.context += s.kept;
  if (fleet.drafting.draft() > 0) return;
  ++l.crossings[crossing(s, pool_of(r))];
  l.finishes.push_back({l.step + s.output - s.generated, s.stamp, index});
  std::push_heap(l.finishes.begin(), l.finishes.end());
}

void Engine::leave_decode(Index index) {
  Sequence& s = at(index);
  Replica& r = replica(s.where());
  Lane& l = r.lanes[static_cast<std::size_t>(s.lane)];
  --l.decoding;
  if (fleet.drafting.draft() == 0) {
    --l.crossings[crossing(s, pool_of(r))];
    const std::int64_t steps = l.step - s.joined;
    s.generated += steps;
    s.kept += steps;
    s.joined = l.step;
    s.own_pages = pages_of(s, s.kept) - shared_pages(s);
  }
  l.context -= s.kept;
}

void Engine::free_pages(Index index) {
  Sequence& s = at(index);
  Replica& r = replica(s.where());
  r.own_pages -= s.own_pages;
  s.own_pages = 0;
  if (s.held > 0) r.cache.release(Hashes(s.blocks).first(static_cast<std::size_t>(s.held)), now());
  s.held = 0;
}

// Who makes room: the last admitted, of the lowest priority where priorities count.
Index Engine::victim(const Lane& l) const {
  if (fleet.order != Order::priority) return l.last;
  Index least = l.last;
  for (Index i = l.last; i != nobody; i = at(i).before)
    if (at(i).priority < at(least).priority) least = i;
  return least;
}

void Engine::preempt(Index index) {
  Sequence& s = at(index);
  Replica& r = replica(s.where());
  Lane& l = r.lanes[static_cast<std::size_t>(s.lane)];
  const bool decoded = s.phase == Phase::decoding;
  if (decoded) {
    leave_decode(index);
    std::erase_if(l.finishes, [&](const Finish& f) { return f.sequence == index; });
    std::make_heap(l.finishes.begin(), l.finishes.end());
  } else {
    std::erase(l.prefilling, index);
  }
  leave_lane(index);
  free_pages(index);
  ++s.preemptions;
  ++totals.preemptions;
  if (decoded && fleet.preemption == Preemption::swap) {
    const Bytes bytes = static_cast<double>(pages_of(s, s.kept)) * pool_of(r).page;
    r.host_link = max(r.host_link, now()) + bytes / fleet.host_bandwidth;
    totals.swapped += bytes;
    s.swapped = true;
  } else {
    totals.lost_tokens += s.kept;
    s.kept = 0;
  }
  s.phase = Phase::waiting;
  s.lane = nobody;
  ++waiting;
  r.waiting.join(fleet.order, s, index, true);
}

// Gives the head of the line memory, if there is enough. What it lacks then starts on its way.
bool Engine::admit(Index replica, int lane, Index index) {
  Replica& r = this->replica(replica);
  Sequence& s = at(index);
  Seconds ready = now();
  const bool comes = s.handing || s.swapped;
  if (comes) {
    const std::int64_t pages = pages_of(s, s.kept);
    // With what its next step writes, or two that share a page too few would give way to each other for ever.
    if (pages_of(s, s.kept + 1 + fleet.drafting.draft()) > available(r)) return false;
    take(r, pages);
    s.left_pages = s.own_pages;
    s.own_pages = pages;
    const Bytes bytes = static_cast<double>(pages) * pool_of(r).page;
    if (s.handing) {
      Replica& from = this->replica(s.replica);
      ready = max(now(), max(from.out_link, r.in_link)) + bytes / fleet.transfer_bandwidth;
      from.out_link = r.in_link = ready;
      ready += fleet.transfer_latency;
      totals.transferred += bytes;
    } else {
      ready = r.host_link = max(r.host_link, now()) + bytes / fleet.host_bandwidth;
      totals.swapped += bytes;
    }
    s.swapped = false;
  } else {
    const std::int64_t most = s.full == 0 ? 0 : std::min(s.full, (s.prompt - 1) / s.block_tokens);
    const Hashes wanted = Hashes(s.blocks).first(static_cast<std::size_t>(most));
    const Cache::Match match = most > 0 ? r.cache.match(wanted, now()) : Cache::Match{};
    s.held = match.blocks;
    const std::int64_t own = pages_of(s, s.wanted()) - shared_pages(s);
    if (own + match.missing > available(r) - match.evictable) {
      s.held = 0;
      return false;
    }
    if (match.blocks > 0) ready = r.cache.hold(wanted.first(static_cast<std::size_t>(match.blocks)), now(), totals.retrieved);
    take(r, own);
    s.own_pages = own;
    s.kept = s.held * s.block_tokens;
    if (!s.admitted) {
      s.cached = s.kept;
      totals.tier_tokens += match.below * s.block_tokens;
    }
  }
  s.admitted = true;
  --waiting;
  if (comes || ready > now()) {
    s.phase = Phase::loading;
    ++r.loading;
    schedule(ready, EventKind::loaded, index, s.version);
  } else {
    enter(replica, lane, index);
  }
  return true;
}

void Engine::enter(Index replica, int lane, Index index) {
  Lane& l = this->replica(replica).lanes[static_cast<std::size_t>(lane)];
  Sequence& s = at(index);
  s.lane = lane;
  s.before = l.last;
  s.after = nobody;
  (l.last == nobody ? l.first : at(l.last).after) = index;
  l.last = index;
  ++l.members;
  if (s.generated > 0 && s.kept == s.wanted() - 1) return join_decode(index);
  s.phase = Phase::prefilling;
  l.prefilling.push_back(index);
}

void Engine::plan_dirty() {
  // Planning dirties nothing, but what it tells the observer may take time: the list is short.
  for (std::size_t i = 0; i < dirty.size(); ++i) {
    const LaneName name = lane_names[static_cast<std::size_t>(dirty[i])];
    replica(name.replica).lanes[static_cast<std::size_t>(name.lane)].dirty = false;
    plan(name.replica, name.lane);
  }
  dirty.clear();
}

// The steps that a lane can take before anything changes: until a sequence has all its tokens, the pages are used up, or cost bends.
std::int64_t Engine::steps_ahead(const Replica& r, const Lane& l, const CostLine& line, double context) const {
  if (fleet.every_step) return 1;
  for (const Lane& other : r.lanes)
    if (&other != &l && (other.members > 0 || !other.joining.empty() || other.run.on)) return 1;
  if (r.lanes.size() > 1 && (!r.waiting.empty() || r.loading > 0)) return 1;
  std::int64_t steps = l.finishes.front().step - l.step;
  const double straight = std::floor(line.to - context) + 1;
  if (straight < static_cast<double>(steps)) steps = std::max<std::int64_t>(1, static_cast<std::int64_t>(straight));
  const std::int64_t page = pool_of(r).plan->plan().page_tokens, pages = available(r);
  if ((steps / page + 1) * l.decoding > pages && growth(r, l, steps) > pages) {
    std::int64_t low = 1, high = steps;  // growth is monotone
    while (high - low > 1) {
      const std::int64_t middle = (low + high) / 2;
      (growth(r, l, middle) > pages ? high : low) = middle;
    }
    steps = low;
  }
  if (fleet.batching == Batching::train && steps > 1) {
    const double each = std::ceil(line.at(context).time / fleet.period);
    const auto same = [&](std::int64_t n) { return std::ceil(line.at(context + static_cast<double>(n - 1)).time / fleet.period) == each; };
    if (!same(steps)) {
      std::int64_t low = 1, high = steps;
      while (high - low > 1) {
        const std::int64_t middle = (low + high) / 2;
        (same(middle) ? low : high) = middle;
      }
      steps = low;
    }
  }
  return steps;
}

void Engine::plan(Index replica, int lane) {
  Replica& r = this->replica(replica);
  Lane& l = r.lanes[static_cast<std::size_t>(lane)];
  if (l.run.on || r.status == Status::off || r.status == Status::starting || r.status == Status::down) return;
  if (l.members == 0 && l.joining.empty() && r.waiting.empty()) {
    if (wants_states) tell(replica);
    return;
  }
  const Index name = first_lane[static_cast<std::size_t>(replica)] + lane;
  if (l.departing && lane_events.has(name) && lane_events.at(name) > now()) return;
  if (r.lanes.size() > 1 || fleet.batching == Batching::train) {
    Seconds leaves = r.lanes.size() > 1 ? max(now(), r.entrance) : now();
    if (fleet.batching == Batching::train) leaves = departure(leaves);
    l.departing = leaves > now();
    if (l.departing) return lane_events.set(name, leaves, ++sequence_number);
  }
  const Pool& pool = pool_of(r);
  const Plan& layout = pool.plan->plan();
  const bool drafting = fleet.drafting.draft() > 0;
  for (const Index i : l.joining) enter(replica, lane, i);
  l.joining.clear();

  const auto grows = [&] { return drafting ? drafted_growth(l) : growth(r, l, 1); };
  bool preempted = false;
  const auto make_room = [&] {
    while (l.decoding > 0 && grows() > available(r)) {
      preempt(victim(l));
      preempted = true;
    }
  };
  const bool alone = fleet.batching == Batching::prefill_first;  // prompts are
  if (!alone) make_room();
  const std::int64_t decoding_beside = alone ? 0 : l.decoding;
  const std::int64_t room_each = std::max<std::int64_t>(
      0, layout.token_budget - divide_up(decoding_beside, layout.dp) * (1 + fleet.drafting.draft()));
  std::int64_t room = room_each * layout.dp;
  Batch batch;
  l.chunks.clear();
  // What the decoding sequences grow by in this step is theirs before others are admitted.
  const std::int64_t grown = alone ? 0 : grows();
  if (grown > 0) take(r, grown);
  const auto chunk = [&](Index index) {
    Sequence& s = at(index);
    const std::int64_t tokens = std::min({s.wanted() - s.kept, room_each, room});
    if (tokens <= 0) return;
    if (!s.started) s.start = now();
    s.started = true;
    l.chunks.push_back({index, tokens});
    room -= tokens;
    ++batch.chunks;
    batch.chunk_tokens += tokens;
    batch.pairs += tokens * s.kept + tokens * (tokens + 1) / 2;
  };
  for (const Index i : l.prefilling) chunk(i);
  if (!preempted && !r.waiting.empty()) {
    const auto lanes = static_cast<std::int64_t>(r.lanes.size());
    std::int64_t members = r.loading;
    for (const Lane& other : r.lanes) members += other.members + static_cast<std::int64_t>(other.joining.size());
    while (!r.waiting.empty() && members < pool.sequences_most) {
      const Index head = r.waiting.front();
      if (lanes > 1 && l.members >= divide_up(members + r.waiting.size(), lanes)) break;
      if (room <= 0 && !at(head).handing && !at(head).swapped) break;
      if (!admit(replica, lane, head)) break;
      r.waiting.pop();
      ++members;
      if (at(head).phase == Phase::prefilling) chunk(head);
    }
  }
  std::int64_t taken = grown;
  if (alone && batch.chunks == 0) {
    make_room();
    taken = grows();
    if (taken > 0) take(r, taken);
  }
  const bool decodes = l.decoding > 0 && !(alone && batch.chunks > 0);
  if (decodes) batch.decoding = l.decoding;
  if (wants_states) tell(replica);
  if (batch.decoding == 0 && batch.chunks == 0) {
    if (preempted) mark(replica, lane);  // alone, and out of memory: it is taken up again at once
    return;
  }
  if (drafting && decodes)
    for (Index i = l.first; i != nobody; i = at(i).after)
      if (at(i).phase == Phase::decoding)
        at(i).own_pages = std::max(at(i).own_pages, pages_of(at(i), at(i).kept + 1 + fleet.drafting.draft()) - shared_pages(at(i)));

  Run& run = l.run;
  run.on = true;
  run.begin = now();
  run.steps = 1;
  run.batch = batch;
  run.grown = drafting ? 0 : taken;
  run.context = decodes ? static_cast<double>(l.context) / static_cast<double>(l.decoding) : 0;
  StepTimes& costs = times[static_cast<std::size_t>(r.pool)];
  const CostLine* line = batch.chunks == 0 && !drafting ? costs.line(batch.decoding, run.context) : nullptr;
  if (line) {
    // Pages taken for the first step are part of the growth: give them back to the count before looking ahead.
    r.own_pages -= run.grown;
    run.steps = preempted ? 1 : steps_ahead(r, l, *line, run.context);
    r.own_pages += run.grown;
    run.cost = line->at(run.context);
    if (run.steps > 1) run.line = *line;
  } else {
    run.cost = costs.at(batch, run.context);
  }
  run.end = end_of(run, run.steps - 1);
  if (r.lanes.size() > 1)
    r.entrance = run.steps == 1 ? run.begin + run.cost.stage
                                : begin_of(run, run.steps - 1) + run.line.at(run.context + static_cast<double>(run.steps - 1)).stage;
  lane_events.set(name, run.end, ++sequence_number);
}

void Engine::apply(Index replica, int lane, std::int64_t steps) {
  Replica& r = this->replica(replica);
  Lane& l = r.lanes[static_cast<std::size_t>(lane)];
  Run& run = l.run;
  const double n = static_cast<double>(steps), further = n * (n - 1) / 2;
  StepCost all = run.cost;
  if (run.steps > 1) {
    const StepCost first = run.line.at(run.context);
    const StepCost& more = run.line.per_token;
    all = {n * first.time + further * more.time, n * first.stage + further * more.stage, n * first.flops + further * more.flops,
           n * first.moved + further * more.moved};
  }
  totals.steps += static_cast<std::uint64_t>(steps);
  totals.busy += r.lanes.size() > 1 ? all.stage : all.time;
  totals.flops += all.flops;
  totals.moved += all.moved;
  totals.prefilled_tokens += run.batch.chunk_tokens;
  if (wants_steps)
    observer.stepped({.begin = run.begin, .end = end_of(run, steps - 1), .replica = replica, .steps = steps, .decoding = run.batch.decoding,
                      .prefill_chunks = run.batch.chunks, .prefill_tokens = run.batch.chunk_tokens, .flops = all.flops,
                      .moved = all.moved});
  if (run.batch.decoding == 0 || fleet.drafting.draft() > 0) return;
  const std::int64_t grown = growth(r, l, steps);
  if (grown > run.grown) take(r, grown - run.grown);
  run.grown = 0;
  l.step += steps;
  l.context += steps * l.decoding;
}

void Engine::prefilled(Index index) {
  Sequence& s = at(index);
  Replica& r = replica(s.where());
  Lane& l = r.lanes[static_cast<std::size_t>(s.lane)];
  std::erase(l.prefilling, index);
  if (s.full > s.held) {
    const Hashes fresh = Hashes(s.blocks).subspan(static_cast<std::size_t>(s.held), static_cast<std::size_t>(s.full - s.held));
    const std::int64_t page = pool_of(r).plan->plan().page_tokens;
    const std::int64_t moved = r.cache.keep(fresh, s.held, s.block_tokens, divide_up(s.block_tokens, page), now());
    r.own_pages -= moved;
    s.own_pages -= moved;
    s.held = s.full;
  }
  if (s.output > 0) {
    if (s.generated++ == 0) s.first_token = now();
  }
  if (s.generated >= s.output) {
    leave_lane(index);
    free_pages(index);
    return finish(index, s.output == 0 ? Outcome::empty : Outcome::answered);
  }
  if (pool_of(r).role != Role::prefills) return join_decode(index);
  leave_lane(index);
  s.handing = true;
  send(index);
}

void Engine::draw_accepted(Index replica, int lane) {
  Lane& l = this->replica(replica).lanes[static_cast<std::size_t>(lane)];
  for (Index i = l.first, next_one = nobody; i != nobody; i = next_one) {
    next_one = at(i).after;
    Sequence& s = at(i);
    if (s.phase != Phase::decoding) continue;
    double left = Draws(fleet.seed ^ scrambled(s.id), Purpose::fleet, static_cast<std::uint64_t>(s.generated)).uniform();
    std::int64_t yield = 1;
    for (std::size_t k = 0; k + 1 < fleet.drafting.accepted.size() && left >= fleet.drafting.accepted[k]; ++k, ++yield)
      left -= fleet.drafting.accepted[k];
    yield = std::min(yield, s.output - s.generated);
    s.generated += yield;
    s.kept += yield;
    l.context += yield;
    if (s.generated < s.output) continue;
    leave_decode(i);
    leave_lane(i);
    free_pages(i);
    finish(i, Outcome::answered);
  }
}

void Engine::complete(Index replica, int lane) {
  Replica& r = this->replica(replica);
  Lane& l = r.lanes[static_cast<std::size_t>(lane)];
  lane_events.clear(first_lane[static_cast<std::size_t>(replica)] + lane);
  if (l.departing) {
    l.departing = false;
    return mark(replica, lane);
  }
  apply(replica, lane, l.run.steps);
  const bool decoded = l.run.batch.decoding > 0;
  l.run.on = false;
  if (decoded && fleet.drafting.draft() > 0) draw_accepted(replica, lane);
  while (!l.finishes.empty() && l.finishes.front().step <= l.step) {
    const Index index = l.finishes.front().sequence;
    std::pop_heap(l.finishes.begin(), l.finishes.end());
    l.finishes.pop_back();
    leave_decode(index);
    leave_lane(index);
    free_pages(index);
    finish(index, Outcome::answered);
  }
  for (const Chunk& c : l.chunks) {
    Sequence& s = at(c.sequence);
    s.kept += c.tokens;
    if (s.kept == s.wanted()) prefilled(c.sequence);
  }
  l.chunks.clear();
  if (r.lanes.size() == 1) return mark(replica, lane);
  for (int i = 0; i < static_cast<int>(r.lanes.size()); ++i)  // what one lets go, others may take
    if (!r.lanes[static_cast<std::size_t>(i)].run.on) mark(replica, i);
}

}  // namespace fareline
