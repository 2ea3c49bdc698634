// SPDX-License-Identifier: Apache-2.0
// The whole state as bytes, and whether it adds up.
#include <algorithm>
#include <bit>

#include "sim/engine.h"

namespace fareline {
namespace {

void archive_request(Archive& archive, Request& r) {
  archive(r.id, r.arrival, r.prompt, r.output, r.priority, r.session, r.blocks, r.block_tokens);
}

}  // namespace

void Sequence::archive(Archive& archive) {
  archive(id, session, stamp, version, arrival, start, first_token, prompt, output, generated, kept, joined, cached, own_pages, left_pages,
          held, full, blocks, block_tokens,
          priority, preemptions, restarts, replica, decoder, lane, before, after, phase, started, admitted,
          swapped, handing, moved);
}

void WaitingLine::archive(Archive& archive) {
  std::vector<Index> line(line_.begin(), line_.end());
  archive(line, heap_);
  line_.assign(line.begin(), line.end());
}

void Lane::archive(Archive& archive) {
  archive(step, decoding, context, members, finishes, prefilling, joining, chunks, crossings, first, last, run, departing, dirty);
}

void Replica::archive(Archive& archive) {
  archive(pool, status, lanes, waiting, requests, loading, own_pages, cache, entrance, host_link, out_link, in_link, version, failures);
}

void Engine::archive(Archive& archive) {
  std::uint64_t print = fingerprint();
  const std::uint64_t mine = print;
  archive(print);
  if (print != mine) return archive.fail();
  archive(totals, sequences, spare, exhausted, lane_events, events, dirty, homeless, stamps, sequence_number, draws, turns, waiting,
          latest_arrival, accounted, switched_on);
  for (Replica& r : replicas) archive(r);
  for (StepTimes& t : times) t.archive(archive);
  bool holds = next.has_value();
  archive(holds);
  if (archive.reading()) next.reset();
  if (holds) {
    if (!next) next.emplace();
    archive_request(archive, *next);
  }
  replies.resize(archive.count(replies.size()));
  for (Reply& reply : replies) {
    reply.request.resize(1);
    archive(reply.at, reply.stamp);
    archive_request(archive, reply.request.front());
  }
  if (!archive.reading()) return;
  ids.clear();
  for (std::size_t i = 0; i < sequences.size(); ++i)
    if (sequences[i].phase != Phase::absent) ids.insert(sequences[i].id, static_cast<std::int32_t>(i));
}

// A number that two fleets hardly share unless a run of one is a run of the other.
std::uint64_t Engine::fingerprint() const {
  std::uint64_t hash = 1;  // of the layout of the bytes
  const auto mix_bits = [&](std::uint64_t bits) { hash = scrambled(hash * golden_gamma ^ bits); };
  const auto mix = [&](double x) { mix_bits(std::bit_cast<std::uint64_t>(x)); };
  for (const Pool& p : fleet.pools) {
    const Plan& plan = p.plan->plan();
    for (const double x : {1.0 * static_cast<double>(p.role), 1.0 * p.replicas, static_cast<double>(p.pages),
                           static_cast<double>(p.sequence_pages), p.page.coherent(), 1.0 * p.sequences_most, 1.0 * plan.dp, 1.0 * plan.pp,
                           1.0 * plan.token_budget, 1.0 * plan.page_tokens, p.plan->engine().prompt.coherent()})
      mix(x);
    mix(p.plan->estimate({.decode_sequences = 7, .decode_context = 1000}).time.coherent());
    mix(p.plan->estimate({.prefill_sequences = 1, .prefill_tokens = 1000}).time.coherent());
  }
  for (const double x : {1.0 * static_cast<double>(fleet.batching), fleet.period.coherent(), 1.0 * static_cast<double>(fleet.order),
                         1.0 * static_cast<double>(fleet.preemption), 1.0 * static_cast<double>(fleet.router),
                         fleet.drafting.by_mtp ? 1.0 : 0,
                         fleet.cache.on ? 1.0 : 0, 1.0 * static_cast<double>(fleet.cache.eviction), fleet.cache.time_to_live.coherent(),
                         fleet.transfer_bandwidth.coherent(), fleet.transfer_latency.coherent(), fleet.host_bandwidth.coherent(),
                         fleet.failures.mean_between.coherent(), fleet.failures.restart.coherent(), 1.0 * fleet.scaling.least,
                         fleet.scaling.interval.coherent(), fleet.scaling.start_up.coherent(), fleet.scaling.target,
                         static_cast<double>(fleet.waiting_most), fleet.every_step ? 1.0 : 0})
    mix(x);
  for (const double x : fleet.drafting.accepted) mix(x);
  for (const CacheTier& t : fleet.cache.tiers) mix(t.capacity.coherent()), mix(t.bandwidth.coherent()), mix(t.latency.coherent());
  for (const Outage& o : fleet.failures.planned) mix(o.replica), mix(o.at.coherent()), mix(o.lasts.coherent());
  mix_bits(fleet.seed);
  return hash;
}

bool Engine::consistent() const {
  std::int64_t in_system = 0, queued = 0;
  struct Sum {
    std::int64_t own = 0, held = 0, requests = 0, loading = 0;
  };
  std::vector<Sum> sums(replicas.size());
  std::vector<std::int64_t> contexts(lane_names.size()), decoding(lane_names.size()), members(lane_names.size());
  for (const Sequence& s : sequences) {
    if (s.phase == Phase::absent) continue;
    ++in_system;
    queued += s.phase == Phase::waiting;
    if (s.generated > s.output) return false;
    if (s.replica == nobody) continue;
    Sum& home = sums[static_cast<std::size_t>(s.where())];
    if (s.phase != Phase::homeless) ++home.requests;
    if (s.handing) {  // its KV is on `replica`, and, once admitted, room for it on `decoder`
      Sum& from = sums[static_cast<std::size_t>(s.replica)];
      ++from.requests;
      from.held += s.held;
      if (s.phase != Phase::loading) {
        from.own += s.own_pages;
        continue;
      }
      from.own += s.left_pages;
    } else {
      home.held += s.held;
    }
    home.loading += s.phase == Phase::loading;
    std::int64_t own = s.own_pages;
    if (s.phase == Phase::decoding || s.phase == Phase::prefilling) {
      const auto name = static_cast<std::size_t>(first_lane[static_cast<std::size_t>(s.where())] + s.lane);
      const Lane& l = replicas[static_cast<std::size_t>(s.where())].lanes[static_cast<std::size_t>(s.lane)];
      ++members[name];
      if (s.phase == Phase::decoding) {
        std::int64_t kept = s.kept;
        if (fleet.drafting.draft() == 0) {
          kept += l.step - s.joined;
          own = pages_of(s, kept) - shared_pages(s);
        }
        contexts[name] += kept;
        ++decoding[name];
      }
    }
    home.own += own;
  }
  for (std::size_t i = 0; i < lane_names.size(); ++i) {
    const Lane& l = replicas[static_cast<std::size_t>(lane_names[i].replica)].lanes[static_cast<std::size_t>(lane_names[i].lane)];
    if (l.context != contexts[i] || l.decoding != decoding[i] || l.members != members[i]) return false;
  }
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    const Replica& r = replicas[i];
    std::int64_t own = sums[i].own;
    for (const Lane& l : r.lanes) own += l.run.on ? l.run.grown : 0;
    if (own != r.own_pages || r.own_pages < 0 || r.requests != sums[i].requests || r.loading != sums[i].loading) return false;
    if (!r.cache.consistent(sums[i].held)) return false;
    if (r.own_pages + r.cache.pages() > pool_of(r).pages) return false;
  }
  return in_system == totals.in_system && queued == waiting;
}

}  // namespace fareline
