// SPDX-License-Identifier: Apache-2.0
#include "economics/tiers.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "units/elementary.h"

namespace fareline {
namespace {

constexpr MoneyRate cents(double rate) { return rate * unit::usd / unit::hour; }

// Gray & Putzolu 1987: a disc access a second costs 2,000 USD, a kilobyte of memory 5 USD; 2000 / 5 = 400 s, "five minutes".
TEST(BreakEven, IsTheFiveMinuteRuleOf1987) {
  const Seconds life = unit::year;  // of no matter: both are bought
  const Keeping memory{.hold = 5 * unit::usd / life, .retrieve = {}, .write = {}};
  const Keeping disc{.hold = {}, .retrieve = 2000 * unit::usd / life * unit::s, .write = {}};
  EXPECT_NEAR(break_even(memory, disc)->in(unit::s), 400, 1e-9);
  EXPECT_FALSE(break_even(disc, disc).has_value());
}

// The lecture at 1:51 and 1:55, with the bare numbers of its table.
TEST(Recomputed, CostsElevenCentsAMillionTokensOnAnH100AtFullRate) {
  EXPECT_NEAR(recomputed(100e9, 1e6, 989.4 * unit::TFLOP / unit::s, 1, cents(2)).retrieve.in(unit::usd), 0.112302, 5e-7);
  EXPECT_EQ(recomputed(100e9, 1e6, 989.4 * unit::TFLOP / unit::s, 1, cents(2)).hold, MoneyRate{});
}
TEST(WorkingStorage, CostsFourteenMicrodollarsASecondForAMillionTokensOfTwoKilobytes) {
  EXPECT_NEAR((2048e6 * unit::B * working_storage(cents(2), 80 * unit::GB)).in(unit::usd / unit::s) * 1e6, 14.2222, 5e-5);
}
TEST(DrainTime, OfARubinIsFourteenMilliseconds) {
  EXPECT_NEAR(drain_time(288 * unit::GB, 20 * unit::TB / unit::s).in(unit::ms), 14.4, 1e-9);
}

TEST(OwnedStorage, OfDramAtFiveDollarsIsATwentiethOfItsListPrice) {
  const StoragePrice owned = owned_storage(5 * unit::usd / unit::GB, 5 * unit::year, 0.05, 0.8);
  EXPECT_NEAR(owned.in(unit::usd / unit::GB / unit::year), 5 * 0.25 / 0.8, 1e-12);
  EXPECT_LT(owned, 0.05 * (0.004237 * unit::usd / unit::GB / unit::hour));
}

// Reading a tier once takes what holding it full for its drain time does: the lecture's rule that a tier suits the time it drains in.
TEST(Kept, CostsAsMuchToRetrieveAsToHoldForTheDrainTime) {
  EXPECT_TRUE(rc::check([] {
    const TierOffer tier{.capacity = *rc::gen::inRange(1, 10'000) * unit::GB,
                         .bandwidth = *rc::gen::inRange(1, 10'000) * unit::GB / unit::s,
                         .hold = *rc::gen::inRange(1, 1000) * 1e-3 * unit::usd / unit::GB / unit::month};
    const Keeping k = kept(tier, *rc::gen::inRange(1, 1000) * unit::MB);
    RC_ASSERT(std::abs(k.retrieve / (k.hold * drain_time(tier.capacity, tier.bandwidth)) - 1) < 1e-12);
    RC_ASSERT(k.write == k.retrieve);
  }));
}

Keeping any_keeping() {
  return {.hold = *rc::gen::inRange(0, 1000) * 1e-6 * unit::usd / unit::s,
          .retrieve = *rc::gen::inRange(0, 1000) * 1e-4 * unit::usd,
          .write = *rc::gen::inRange(0, 100) * 1e-4 * unit::usd};
}

TEST(CheapestByGap, IsTheCheapestOfAllAtEveryGap) {
  EXPECT_TRUE(rc::check([] {
    std::vector<Keeping> all;
    for (int i = *rc::gen::inRange(1, 7); i > 0; --i) all.push_back(any_keeping());
    const auto envelope = cheapest_by_gap(all);
    const Seconds gap = *rc::gen::inRange(0, 2000) * unit::s;
    std::size_t chosen = 0;
    for (const CheapestFrom& part : envelope)
      if (part.from <= gap) chosen = part.index;
    const auto cost = [&](const Keeping& k) { return k.hold * gap + k.retrieve; };
    for (const Keeping& k : all) RC_ASSERT(cost(all[chosen]) <= cost(k) + 1e-12 * unit::usd);
    for (std::size_t i = 1; i < envelope.size(); ++i) {
      RC_ASSERT(envelope[i - 1].from < envelope[i].from);
      RC_ASSERT(all[envelope[i].index].hold < all[envelope[i - 1].index].hold);
    }
  }));
}

// A memoryless gap tells nothing as it goes on: what was worth keeping stays so.
TEST(BestTimeToLive, OfAMemorylessGapIsAllOrNothing) {
  EXPECT_TRUE(rc::check([] {
    const Keeping tier = any_keeping();
    const Keeping recompute{.hold = {}, .retrieve = *rc::gen::inRange(1, 3000) * 1e-4 * unit::usd, .write = {}};
    const auto reuse = Reuse::exponential(*rc::gen::inRange(1, 5000) * unit::s, 1);
    const TimeToLive best = best_time_to_live(tier, recompute, reuse);
    RC_ASSERT(best.forever || best.live == Seconds{});
    const Dollars keep = reuse.mean() * tier.hold + tier.retrieve;
    RC_ASSERT(std::abs((best.cost - min(keep, recompute.retrieve)).in(unit::usd)) < 1e-12);
  }));
}

TEST(BestTimeToLive, BeatsEveryOtherWhereSomeNeverComeAgain) {
  EXPECT_TRUE(rc::check([] {
    const Keeping tier = any_keeping();
    const Keeping recompute{.hold = {}, .retrieve = *rc::gen::inRange(1, 5000) * 1e-4 * unit::usd, .write = {}};
    const auto reuse = *rc::gen::arbitrary<bool>()
                           ? Reuse::exponential(*rc::gen::inRange(1, 5000) * unit::s, *rc::gen::inRange(1, 100) / 100.0)
                           : Reuse::measured({*rc::gen::inRange(1, 5000) * unit::s, *rc::gen::inRange(1, 500) * unit::s,
                                              *rc::gen::inRange(1, 50) * unit::s},
                                             *rc::gen::inRange(0, 5));
    const TimeToLive best = best_time_to_live(tier, recompute, reuse);
    const Seconds other = *rc::gen::inRange(0, 20'000) * unit::s;
    RC_ASSERT(best.cost <= cost_of_use(tier, recompute, reuse, other) + 1e-9 * unit::usd);
    if (!best.forever) RC_ASSERT(std::abs((best.cost - cost_of_use(tier, recompute, reuse, best.live)).in(unit::usd)) < 1e-12);
  }));
}

// What the formula says is what happens: prefixes used, held and given up one after the other.
TEST(CostOfUse, IsTheMeanOfWhatHappensToEveryGap) {
  const std::vector<Seconds> gaps{3 * unit::s, 40 * unit::s, 7 * unit::s, 600 * unit::s, 90 * unit::s};
  const Keeping tier{.hold = 2e-6 * unit::usd / unit::s, .retrieve = 1e-4 * unit::usd, .write = 3e-5 * unit::usd};
  const Keeping recompute{.hold = {}, .retrieve = 4e-3 * unit::usd, .write = {}};
  const double never = 2;
  for (const double live : {5.0, 60.0, 100.0, 1000.0}) {
    Dollars sum;
    for (const Seconds gap : gaps) {
      const bool hit = gap.in(unit::s) <= live;
      sum += min(gap, live * unit::s) * tier.hold + (hit ? tier.retrieve : recompute.retrieve + tier.write);
    }
    sum += never * (live * unit::s * tier.hold + tier.write);  // a use that is no hit wrote the prefix, as every first one does
    EXPECT_NEAR(cost_of_use(tier, recompute, Reuse::measured(gaps, never), live * unit::s).in(unit::usd),
                (sum / (static_cast<double>(gaps.size()) + never)).in(unit::usd), 1e-12)
        << live;
  }
}

TEST(Reuse, WaitsNoLongerThanItsMeanAndComesAtLast) {
  const auto reuse = Reuse::exponential(100 * unit::s, 1);
  EXPECT_NEAR(reuse.within(100 * unit::s), 1 - 1 / 2.718281828459045, 1e-12);
  EXPECT_NEAR(reuse.waited(1e6 * unit::s).in(unit::s), 100, 1e-9);
  EXPECT_EQ(Reuse::measured({2 * unit::s, unit::s}, 2).within(1.5 * unit::s), 0.25);
}

TEST(Wear, OfADriveWrittenOnceADayForFiveYearsIsASmallPartOfItsPrice) {
  EXPECT_NEAR(wear(0.1 * unit::usd / unit::GB, 1825).in(unit::usd / unit::GB), 5.479e-5, 1e-8);
}

TEST(ChargeOfWrite, GrowsWithTheTimePromisedAndNeverFallsBelowComputing) {
  const Keeping tier{.hold = 1e-6 * unit::usd / unit::s, .retrieve = 1e-4 * unit::usd, .write = 1e-5 * unit::usd};
  const Keeping recompute{.hold = {}, .retrieve = 4e-3 * unit::usd, .write = {}};
  EXPECT_EQ(charge_of_write(tier, recompute, Seconds{}), recompute.retrieve + tier.write);
  EXPECT_LT(charge_of_write(tier, recompute, 5 * unit::minute), charge_of_write(tier, recompute, unit::hour));
}

}  // namespace
}  // namespace fareline
