// SPDX-License-Identifier: Apache-2.0
#include "economics/tiers.h"

#include <algorithm>

#include "units/elementary.h"

namespace fareline {

StoragePrice owned_storage(DataPrice device, Seconds life, double upkeep, double utilisation) {
  return device * (1 / life + upkeep / unit::year) / utilisation;
}

DataPrice device_price(std::string_view tier) {
  return tier == "dram" ? dram_price : tier == "flash" ? flash_price : DataPrice{};
}

StoragePrice holding_price(const MemoryTier& tier) {
  const DataPrice device = device_price(tier.name);
  return device > DataPrice{} ? owned_storage(device, storage_life, storage_upkeep, storage_filled) : tier.price.value;
}

StoragePrice working_storage(MoneyRate chip, Bytes capacity) { return chip / capacity; }

Seconds drain_time(Bytes capacity, Bandwidth bandwidth) { return capacity / bandwidth; }

Keeping kept(const TierOffer& tier, Bytes size) {
  Keeping k{.hold = size * tier.hold};
  if (tier.put > DataPrice{}) {
    k.retrieve = size * tier.get;
    k.write = size * tier.put;
    return k;
  }
  if (tier.bandwidth > Bandwidth{}) k.retrieve = size / tier.bandwidth * (tier.hold * tier.capacity);
  k.write = k.retrieve + size * tier.wear;
  return k;
}

DataPrice wear(DataPrice device, double writes) { return device / writes; }

Keeping recomputed(double active_parameters, double tokens, FlopRate peak, double mfu, MoneyRate chip) {
  return {.hold = {}, .retrieve = 2 * active_parameters * tokens * unit::flop / (mfu * peak) * chip, .write = {}};
}

std::optional<Seconds> break_even(const Keeping& near, const Keeping& far) {
  const Dollars dearer = far.retrieve - near.retrieve;
  const MoneyRate cheaper = near.hold - far.hold;
  if (dearer == Dollars{} || cheaper == MoneyRate{}) return std::nullopt;
  const Seconds at = dearer / cheaper;
  return at > Seconds{} ? std::optional(at) : std::nullopt;
}

std::vector<CheapestFrom> cheapest_by_gap(const std::vector<Keeping>& tiers) {
  std::vector<CheapestFrom> envelope;
  if (tiers.empty()) return envelope;
  std::size_t now = 0;
  for (std::size_t i = 1; i < tiers.size(); ++i)
    if (tiers[i].retrieve < tiers[now].retrieve || (tiers[i].retrieve == tiers[now].retrieve && tiers[i].hold < tiers[now].hold)) now = i;
  envelope.push_back({Seconds{}, now});
  for (;;) {
    std::optional<CheapestFrom> next;
    for (std::size_t i = 0; i < tiers.size(); ++i) {
      if (!(tiers[i].hold < tiers[now].hold)) continue;
      const Seconds at = max(envelope.back().from, break_even(tiers[now], tiers[i]).value_or(Seconds{}));
      if (!next || at < next->from || (at == next->from && tiers[i].hold < tiers[next->index].hold)) next = CheapestFrom{at, i};
    }
    if (!next) return envelope;
    now = next->index;
    if (next->from == envelope.back().from) envelope.back() = *next;
    else envelope.push_back(*next);
  }
}

Reuse Reuse::exponential(Seconds mean, double again) {
  Reuse r;
  r.mean_ = mean;
  r.again_ = again;
  return r;
}

Reuse Reuse::measured(std::vector<Seconds> gaps, double never) {
  Reuse r;
  std::sort(gaps.begin(), gaps.end());
  r.gaps_ = std::move(gaps);
  r.sums_.assign(1, Seconds{});
  for (const Seconds gap : r.gaps_) r.sums_.push_back(r.sums_.back() + gap);
  const double n = static_cast<double>(r.gaps_.size());
  r.again_ = n + never > 0 ? n / (n + never) : 0;
  if (n > 0) r.mean_ = r.sums_.back() / n;
  return r;
}

double Reuse::left(Seconds t) const { return mean_ > Seconds{} ? fareline::exponential(-(t / mean_)) : 0; }

double Reuse::within(Seconds t) const {
  if (again_ == 0) return 0;
  if (gaps_.empty()) return again_ * (1 - left(t));
  const auto before = std::upper_bound(gaps_.begin(), gaps_.end(), t) - gaps_.begin();
  return again_ * static_cast<double>(before) / static_cast<double>(gaps_.size());
}

Seconds Reuse::waited(Seconds t) const {
  if (again_ == 0) return t;
  if (gaps_.empty()) return (1 - again_) * t + again_ * (1 - left(t)) * mean_;
  const auto before = static_cast<std::size_t>(std::upper_bound(gaps_.begin(), gaps_.end(), t) - gaps_.begin());
  const double n = static_cast<double>(gaps_.size());
  return (1 - again_) * t + again_ / n * (sums_[before] + (n - static_cast<double>(before)) * t);
}

Dollars cost_of_use(const Keeping& tier, const Keeping& recompute, const Reuse& reuse, Seconds live) {
  if (live == Seconds{}) return reuse.again() * recompute.retrieve;
  const double hit = reuse.within(live);
  return reuse.waited(live) * tier.hold + hit * tier.retrieve + (reuse.again() - hit) * recompute.retrieve + (1 - hit) * tier.write;
}

TimeToLive best_time_to_live(const Keeping& tier, const Keeping& recompute, const Reuse& reuse) {
  TimeToLive best{.live = {}, .forever = false, .cost = cost_of_use(tier, recompute, reuse, Seconds{})};
  const auto consider = [&](Seconds live) {
    if (const Dollars cost = cost_of_use(tier, recompute, reuse, live); cost < best.cost) best = {live, false, cost};
  };
  if (!reuse.gaps().empty()) {
    for (const Seconds gap : reuse.gaps()) consider(gap);
    best.forever = best.live == reuse.gaps().back() && reuse.again() == 1;
    return best;
  }
  if (reuse.again() == 0 || reuse.mean() == Seconds{}) return best;
  const MoneyRate saved = (recompute.retrieve + tier.write - tier.retrieve) / reuse.mean() - tier.hold;
  if (!(saved > MoneyRate{})) return best;
  if (reuse.again() == 1 || tier.hold == MoneyRate{}) {  // the hazard never falls to the price of holding
    const Dollars cost = reuse.again() * (reuse.mean() * tier.hold + tier.retrieve) + (1 - reuse.again()) * tier.write;
    if (cost < best.cost) best = {reuse.mean(), true, cost};
    return best;
  }
  const double odds = reuse.again() * (saved / ((1 - reuse.again()) * tier.hold));
  if (odds > 1) consider(natural_log(odds) * reuse.mean());
  return best;
}

Dollars charge_of_write(const Keeping& tier, const Keeping& recompute, Seconds live) {
  return recompute.retrieve + tier.write + live * tier.hold;
}

}  // namespace fareline
