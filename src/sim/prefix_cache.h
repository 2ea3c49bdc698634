// SPDX-License-Identifier: Apache-2.0
// The blocks of prompts one replica still has: in HBM, where running requests share them, and in the tiers below.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/archive.h"
#include "sim/flat_map.h"
#include "sim/fleet.h"

namespace fareline {

using Hashes = std::span<const std::uint64_t>;

// A block is in one place: in HBM, or, once evicted from there, in the nearest tier that had room, pushed further down as others come.
class Cache {
 public:
  // `recompute` and `recompute_deep` are what a block takes to compute at the start of a prompt, and the more for each token before it.
  Cache(const PrefixCache& policy, Bytes page, Seconds recompute, Seconds recompute_deep);

  // Pages of HBM that blocks hold, and those of them that no request needs.
  std::int64_t pages() const { return pages_; }
  std::int64_t evictable() const { return evictable_; }

  struct Match {
    std::int64_t blocks = 0;              // that lead the prompt and are here
    std::int64_t evictable = 0;           // pages of theirs that no request needs yet
    std::int64_t missing = 0;             // pages that those in tiers take in HBM
    std::int64_t below = 0;               // blocks in tiers
  };
  Match match(Hashes blocks, Seconds now) const;
  // Holds these blocks, each of which is here, for a request; those in tiers come up first. Returns when the last is readable.
  // Equation: a tier reads block after block, each bytes / bandwidth, first come, first served, and the latency once.
  Seconds hold(Hashes blocks, Seconds now, Bytes& retrieved);
  // Holds blocks just computed, of `pages` pages each; the first stands after `before` blocks of `tokens` tokens. One that is here
  // already is shared. Returns the pages the cache took over.
  std::int64_t keep(Hashes blocks, std::int64_t before, int tokens, std::int64_t pages, Seconds now);
  // Lets go of blocks a request held.
  void release(Hashes blocks, Seconds now);
  // Frees at least so many pages of HBM. Assumes: so many are evictable.
  void make_room(std::int64_t pages, Seconds now);
  // All is lost.
  void clear();

  void archive(Archive& archive);
  // Whether the counts are those of the blocks; `held` counts the requests' holds, a block as often as it is held.
  bool consistent(std::int64_t held) const;

 private:
  static constexpr std::int32_t nobody = -1;
  struct Block {
    std::uint64_t hash = 0, version = 0;
    Seconds used, ready;                  // last use; readable from
    double worth = 0;                     // what eviction goes by
    std::int64_t before = 0;              // tokens of the prompt in front of it
    std::int32_t holds = 0, pages = 0, uses = 0;
    std::int32_t place = nobody;          // 0: HBM; 1...: tiers; nobody: not in use
  };
  struct Candidate {
    double worth;
    std::uint64_t version;                // of the block when it was ranked; also the order of ranking
    std::int32_t block;
    friend bool operator<(const Candidate& a, const Candidate& b) {
      return a.worth != b.worth ? a.worth > b.worth : a.version > b.version;
    }
  };
  struct Place {
    std::vector<Candidate> heap;          // the least worth on top; stale ones are passed over
    std::int64_t blocks = 0;              // rankable ones
    Bytes used;
    Seconds busy;                         // until when its reads last
    double age = 0;                       // worth of what went last (cost)
  };

  bool gone(const Block& b, Seconds now) const {
    return policy_.eviction == Eviction::ttl && b.holds == 0 && now - b.used > policy_.time_to_live;
  }
  void rank(std::int32_t index);          // after a use, or on arrival at a place
  std::int32_t least(Place& place);       // takes the least worth out of the ranks
  void settle(std::int32_t index, Seconds now);  // moves an evicted block to the nearest tier that takes it, else drops it
  void drop(std::int32_t index);
  Bytes bytes(const Block& b) const { return static_cast<double>(b.pages) * page_; }

  PrefixCache policy_;
  Bytes page_;
  Seconds recompute_, recompute_deep_;
  std::vector<Block> blocks_;
  std::vector<std::int32_t> spare_;
  FlatMap index_;
  std::vector<Place> places_;
  std::int64_t pages_ = 0, evictable_ = 0;
  std::uint64_t ranked_ = 0;
};

}  // namespace fareline
