// SPDX-License-Identifier: Apache-2.0
// The KV of a prefix between two uses: kept in one of several tiers of memory, or deleted and computed again.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "catalog/chip.h"
#include "units/quantity.h"

namespace fareline {

using DataPrice = Quantity<Dim{.data = -1, .money = 1}>;  // buying memory

// One prefix in one tier. Where it is deleted nothing is held, and retrieving is computing it again.
struct Keeping {
  MoneyRate hold;
  Dollars retrieve;
  Dollars write;
};

// Returns what holding a byte costs in memory that was bought with the server, over its life.
// Equation: device (1/life + upkeep/year) / utilisation. Source: Barroso, Holzle & Ranganathan, The Datacenter as a Computer, 3rd
// ed., chapter 6, as owned_rate of money.h. Assumes: the memory is filled to `utilisation`; its power (about 0.1 W/GB of DRAM, 6% of
// the price at 0.08 USD/kWh) is left out; straight-line depreciation.
StoragePrice owned_storage(DataPrice device, Seconds life, double upkeep, double utilisation);

// What a tier is written off over, filled to, and kept up for. Source: as the defaults `years`, `utilisation`, `upkeep` of "cost": server
// life in large operators' annual reports; Barroso et al. 2018, chapter 6. Assumes: memory lives as long as the server.
inline constexpr Seconds storage_life = 5 * unit::year;
inline constexpr double storage_filled = 0.8, storage_upkeep = 0.05;

// Memory that comes with the server, as its buyer pays it. Source: SemiAnalysis, AI Server Cost Analysis (2023), by
// epoch-research/training-cost-trends, notebook on production cost: of a DGX H100's parts 7,860 USD are memory (2000 GB) and 3,456 USD
// drives (34.56 TB). Assumes: the server was bought at such prices; 4 TB of RDIMM cost 18.8 USD/GB in the shortage of December 2025
// (tuttotech.net 2025-12-29).
inline constexpr DataPrice dram_price = 7860.0 / 2000 * unit::usd / unit::GB, flash_price = 3456.0 / 34'560 * unit::usd / unit::GB;

// Returns what holding a byte in a tier of the catalogue costs: memory of the server at what it costs to own, all else at its rent.
// Equation: owned_storage of dram and flash, else the tier's price. Source: owned_storage, dram_price.
// Assumes: the rent of the chips pays for their host; a cloud's list price of memory, which a server full of chips brings along, is not
// what holding a byte takes from its owner.
StoragePrice holding_price(const MemoryTier& tier);

// What a remote store charges to read and to write a byte, by requests. Source: AWS, S3 pricing, Standard, us-east-1: 0.0004 USD a
// thousand GET, 0.005 a thousand PUT; AWS, Performance guidelines for Amazon S3: ranges of 8 to 16 MB. Assumes: requests of 16 MB; no
// charge for the transfer inside a region.
inline constexpr DataPrice remote_get = 0.4e-6 * unit::usd / (16 * unit::MB), remote_put = 5e-6 * unit::usd / (16 * unit::MB);

// Times a drive can be written over. Source: Samsung, PM9A3 and PM9D3a data sheets: 1 drive write a day over 5 years.
// Assumes: the drives of all systems are of this class.
inline constexpr double drive_writes = 5 * 365;

// Returns what the buyer pays for a byte of a tier that comes with the server; zero of one that is rented.
// Source: dram_price. Assumes: nothing.
DataPrice device_price(std::string_view tier);

// Returns what holding a byte costs in memory without which the chip cannot work.
// Equation: chip rate / capacity. Source: the lecture at 1:56. Assumes: a chip earns in proportion to the memory left to it.
StoragePrice working_storage(MoneyRate chip, Bytes capacity);

// Returns how long reading the whole tier takes.
// Equation: capacity / bandwidth. Source: the lecture at 2:01. Assumes: nothing else reads.
Seconds drain_time(Bytes capacity, Bandwidth bandwidth);

// What a tier is, one chip's share.
struct TierOffer {
  Bytes capacity;
  Bandwidth bandwidth;     // zero: in place, nothing is moved
  StoragePrice hold;
  DataPrice wear{};        // what a byte written takes off the device's life
  DataPrice get{}, put{};  // of a store that charges by request instead of lending a device
};

// Returns what keeping `size` bytes there costs.
// Equation: hold = size price; retrieve = size / bandwidth x (price capacity), the device for as long as it reads, or size get; write =
// the same + size wear, or size put. Source: the lecture at 1:57; Gray & Putzolu 1987 (an access costs its share of the device's time).
// Assumes: writing is as fast as reading; the chip computes meanwhile, so that its time is not billed.
Keeping kept(const TierOffer& tier, Bytes size);

// Returns what a byte written takes off a drive. Equation: device / writes over its life, in capacities.
// Source: drives are sold with an endurance in drive writes a day over five years. Assumes: no write amplification beyond the rating's.
DataPrice wear(DataPrice device, double writes);

// Returns the cost of computing the KV of `tokens` again. Equation: 2 N tokens / (peak mfu) x chip rate.
// Source: the lecture at 1:51; Kaplan et al. 2020, section 2.1 (2 FLOP a parameter and token). Assumes: attention is left out.
Keeping recomputed(double active_parameters, double tokens, FlopRate peak, double mfu, MoneyRate chip);

// Returns the time between two uses at which `near` and `far` cost the same; nothing where one is cheaper at any.
// Equation: (far.retrieve - near.retrieve) / (near.hold - far.hold).
// Source: Gray & Putzolu 1987, The 5 Minute Rule for Trading Memory for Disk Accesses (SIGMOD), equation of the break-even interval;
// Gray & Graefe 1997. Assumes: both hold until the use.
std::optional<Seconds> break_even(const Keeping& near, const Keeping& far);

// The cheapest of several when the time to the next use is known: `index` from `from` to the next one's `from`.
struct CheapestFrom {
  Seconds from;
  std::size_t index = 0;
};
// Returns the lower envelope of hold T + retrieve over T, shortest first.
// Source: Gray & Putzolu 1987, pair by pair. Assumes: as break_even.
std::vector<CheapestFrom> cheapest_by_gap(const std::vector<Keeping>& tiers);

// When a prefix is used again: exponentially distributed with a mean, or as measured. Some never are.
class Reuse {
 public:
  // `again` is the share that is used again.
  static Reuse exponential(Seconds mean, double again);
  // `never` counts the uses no other followed.
  static Reuse measured(std::vector<Seconds> gaps, double never);

  double again() const { return again_; }
  double within(Seconds t) const;    // P(used again before t)
  Seconds waited(Seconds t) const;   // E min(gap, t), never used again counting as t
  const std::vector<Seconds>& gaps() const { return gaps_; }  // ascending; empty where exponential
  Seconds mean() const { return mean_; }                      // of those used again

 private:
  double left(Seconds t) const;  // exp(-t / mean)
  Seconds mean_{};
  double again_ = 1;
  std::vector<Seconds> gaps_, sums_;   // sums_[i]: the first i gaps
};

// Returns the expected cost of one use's aftermath where the prefix is deleted `live` after its last use.
// Equation: hold E min(gap, live) + P(gap <= live) retrieve + P(live < gap) recompute + (1 - P(gap <= live)) write; at live = 0 nothing
// is written, P(used again) recompute. Source: count of what happens. Assumes: every computed prefix is written once and a hit keeps
// the copy; a gap does not depend on the one before.
Dollars cost_of_use(const Keeping& tier, const Keeping& recompute, const Reuse& reuse, Seconds live);

struct TimeToLive {
  Seconds live;            // zero: delete at once
  bool forever = false;    // no use is far enough to give up
  Dollars cost;            // a use
};
// Returns the time to live that costs least.
// Equation: where the hazard of a use falls to hold / (recompute + write - retrieve); exponential with a share p coming again:
// live = mean ln(p ((R + w - r) / mean - hold) / ((1 - p) hold)); measured: the best of the gaps.
// Source: derivative of cost_of_use. Assumes: as cost_of_use.
TimeToLive best_time_to_live(const Keeping& tier, const Keeping& recompute, const Reuse& reuse);

// Returns what a write that is held for `live` whatever happens costs. Equation: recompute + write + hold live.
// Source: count. Assumes: the prefix is computed once and held to the end.
Dollars charge_of_write(const Keeping& tier, const Keeping& recompute, Seconds live);

}  // namespace fareline
