// SPDX-License-Identifier: Apache-2.0
#include "sim/prefix_cache.h"

#include <algorithm>

namespace fareline {

Cache::Cache(const PrefixCache& policy, Bytes page, Seconds recompute, Seconds recompute_deep)
    : policy_(policy), page_(page), recompute_(recompute), recompute_deep_(recompute_deep), places_(policy.tiers.size() + 1) {}

Cache::Match Cache::match(Hashes blocks, Seconds now) const {
  Match match;
  for (const std::uint64_t hash : blocks) {
    const std::int32_t found = index_.find(hash);
    if (found == FlatMap::none) break;
    const Block& b = blocks_[static_cast<std::size_t>(found)];
    if (gone(b, now)) break;
    ++match.blocks;
    if (b.place > 0) {
      ++match.below;
      match.missing += b.pages;
    } else if (b.holds == 0) {
      match.evictable += b.pages;
    }
  }
  return match;
}

void Cache::rank(std::int32_t index) {
  Block& b = blocks_[static_cast<std::size_t>(index)];
  Place& place = places_[static_cast<std::size_t>(b.place)];
  b.version = ++ranked_;
  switch (policy_.eviction) {
    case Eviction::lru:
    case Eviction::ttl: b.worth = b.used.coherent(); break;
    case Eviction::lfu: b.worth = b.uses; break;
    case Eviction::cost:
      b.worth = place.age + (b.uses * (recompute_ + static_cast<double>(b.before) * recompute_deep_) / b.pages).coherent();
      break;
  }
  place.heap.push_back({b.worth, b.version, index});
  std::push_heap(place.heap.begin(), place.heap.end());
  if (place.heap.size() > 64 && place.heap.size() > 4 * static_cast<std::size_t>(std::max<std::int64_t>(place.blocks, 1))) {
    std::erase_if(place.heap, [&](const Candidate& c) { return blocks_[static_cast<std::size_t>(c.block)].version != c.version; });
    std::make_heap(place.heap.begin(), place.heap.end());
  }
}

std::int32_t Cache::least(Place& place) {
  while (!place.heap.empty()) {
    const Candidate top = place.heap.front();
    std::pop_heap(place.heap.begin(), place.heap.end());
    place.heap.pop_back();
    Block& b = blocks_[static_cast<std::size_t>(top.block)];
    if (b.version != top.version) continue;
    b.version = ++ranked_;
    --place.blocks;
    place.age = top.worth;
    return top.block;
  }
  return nobody;
}

void Cache::drop(std::int32_t index) {
  Block& b = blocks_[static_cast<std::size_t>(index)];
  index_.erase(b.hash);
  b.version = ++ranked_;
  b.place = nobody;
  spare_.push_back(index);
}

void Cache::settle(std::int32_t index, Seconds now) {
  for (;;) {
    Block& b = blocks_[static_cast<std::size_t>(index)];
    const auto to = static_cast<std::size_t>(b.place) + 1;
    if (to >= places_.size() || gone(b, now)) return drop(index);
    b.place = static_cast<std::int32_t>(to);
    if (bytes(b) > policy_.tiers[to - 1].capacity) continue;
    Place& place = places_[to];
    while (place.used + bytes(b) > policy_.tiers[to - 1].capacity) {
      const std::int32_t out = least(place);
      if (out == nobody) return drop(index);
      place.used -= bytes(blocks_[static_cast<std::size_t>(out)]);
      settle(out, now);
    }
    place.used += bytes(b);
    ++place.blocks;
    return rank(index);
  }
}

void Cache::make_room(std::int64_t pages, Seconds now) {
  while (pages > 0) {
    const std::int32_t out = least(places_[0]);
    if (out == nobody) return;
    const Block& b = blocks_[static_cast<std::size_t>(out)];
    pages -= b.pages;
    pages_ -= b.pages;
    evictable_ -= b.pages;
    settle(out, now);
  }
}

Seconds Cache::hold(Hashes blocks, Seconds now, Bytes& retrieved) {
  Seconds ready = now;
  for (const std::uint64_t hash : blocks) {
    Block& b = blocks_[static_cast<std::size_t>(index_.find(hash))];
    if (b.place > 0) {
      const auto from = static_cast<std::size_t>(b.place);
      Place& place = places_[from];
      const CacheTier& tier = policy_.tiers[from - 1];
      place.busy = max(place.busy, now) + bytes(b) / tier.bandwidth;
      b.ready = place.busy + tier.latency;
      retrieved += bytes(b);
      place.used -= bytes(b);
      --place.blocks;
      b.version = ++ranked_;
      b.place = 0;
      pages_ += b.pages;
    } else if (b.holds == 0) {
      evictable_ -= b.pages;
      --places_[0].blocks;
      b.version = ++ranked_;
    }
    ++b.holds;
    ++b.uses;
    b.used = now;
    ready = max(ready, b.ready);
  }
  return ready;
}

std::int64_t Cache::keep(Hashes blocks, std::int64_t before, int tokens, std::int64_t pages, Seconds now) {
  std::int64_t taken = 0;
  for (const std::uint64_t hash : blocks) {
    std::int32_t index = index_.find(hash);
    taken += pages;
    if (index != FlatMap::none) {
      Block& b = blocks_[static_cast<std::size_t>(index)];
      if (b.place == 0) {  // computed twice: the copy goes, the block is shared
        if (b.holds == 0) {
          evictable_ -= b.pages;
          --places_[0].blocks;
          b.version = ++ranked_;
        }
        ++b.holds;
        ++b.uses;
        b.used = now;
        before += 1;
        continue;
      }
      Place& place = places_[static_cast<std::size_t>(b.place)];
      place.used -= bytes(b);
      --place.blocks;
      drop(index);
    }
    if (spare_.empty()) {
      spare_.push_back(static_cast<std::int32_t>(blocks_.size()));
      blocks_.emplace_back();
    }
    index = spare_.back();
    spare_.pop_back();
    blocks_[static_cast<std::size_t>(index)] = {.hash = hash, .version = ++ranked_, .used = now, .ready = now, .before = before * tokens,
                                                .holds = 1, .pages = static_cast<std::int32_t>(pages), .uses = 1, .place = 0};
    index_.insert(hash, index);
    pages_ += pages;
    before += 1;
  }
  return taken;
}

void Cache::release(Hashes blocks, Seconds now) {
  // The end of a prompt first: it is worth nothing without what stands before it.
  for (std::size_t i = blocks.size(); i-- > 0;) {
    const std::int32_t index = index_.find(blocks[i]);
    Block& b = blocks_[static_cast<std::size_t>(index)];
    b.used = now;
    if (--b.holds > 0) continue;
    evictable_ += b.pages;
    ++places_[0].blocks;
    rank(index);
  }
}

void Cache::clear() {
  blocks_.clear();
  spare_.clear();
  index_.clear();
  for (Place& place : places_) place = {};
  pages_ = evictable_ = 0;
}

void Cache::archive(Archive& archive) {
  archive(blocks_, spare_, pages_, evictable_, ranked_);
  for (Place& place : places_) archive(place.heap, place.blocks, place.used, place.busy, place.age);
  if (!archive.reading()) return;
  index_.clear();
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    if (blocks_[i].place != nobody) index_.insert(blocks_[i].hash, static_cast<std::int32_t>(i));
}

bool Cache::consistent(std::int64_t held) const {
  std::int64_t pages = 0, evictable = 0;
  std::vector<Bytes> used(places_.size());
  for (const Block& b : blocks_) {
    if (b.place == nobody) continue;
    if (b.holds < 0 || (b.place > 0 && b.holds > 0)) return false;
    held -= b.holds;
    if (b.place > 0) used[static_cast<std::size_t>(b.place)] += bytes(b);
    else pages += b.pages, evictable += b.holds == 0 ? b.pages : 0;
  }
  for (std::size_t i = 1; i < used.size(); ++i)
    if (used[i] - places_[i].used > 1e-6 * unit::B + 1e-9 * used[i] || places_[i].used - used[i] > 1e-6 * unit::B + 1e-9 * used[i] ||
        used[i] > policy_.tiers[i - 1].capacity * (1 + 1e-9))
      return false;
  return held == 0 && pages == pages_ && evictable == evictable_;
}

}  // namespace fareline
