// SPDX-License-Identifier: Apache-2.0
#include "perf/racks.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "perf/collectives.h"

namespace fareline {
namespace {

TEST(PlaceExperts, OverARackLeavesEightChipsIdle) {
  const ExpertPlacement rack = place_experts(256, 72);
  EXPECT_EQ(rack.chips, 64);
  EXPECT_EQ(rack.per_chip, 4);
  EXPECT_EQ(rack.idle, 8);
  EXPECT_EQ(place_experts(384, 72).idle, 8);   // Kimi K2's 384: 64 chips of 6
  EXPECT_EQ(place_experts(128, 576).idle, 448);  // no expert is cut: one a chip
}

// Every smaller or equal count of chips, tried one by one.
RC_GTEST_PROP(PlaceExperts, uses_the_most_chips_that_divide, ()) {
  const int experts = *rc::gen::inRange(1, 1000), chips = *rc::gen::inRange(1, 600);
  int best = 1;
  for (int c = 1; c <= chips; ++c)
    if (c <= experts && experts % c == 0) best = c;
  const ExpertPlacement placed = place_experts(experts, chips);
  RC_ASSERT(placed.chips == best);
  RC_ASSERT(placed.chips * placed.per_chip == experts);
  RC_ASSERT(placed.chips + placed.idle == chips);
}

TEST(Exchange, OverTwoRacksIsEightTimesSlowerOutside) {
  const Exchange e = exchange_time(100, dispatch_bytes(8, 7168, unit::B), 2, 800 * unit::GB / unit::s, 100 * unit::GB / unit::s);
  EXPECT_EQ(share_leaving(2), 0.5);
  EXPECT_NEAR(e.outside / e.inside, 8, 1e-12);
  EXPECT_EQ(outside_over_inside(2, 8), 8);
  EXPECT_EQ(exchange_time(100, unit::MB, 1, 800 * unit::GB / unit::s, 100 * unit::GB / unit::s).outside, Seconds{});
}

// The lecture leaves latency out; without it the all-to-all of perf/collectives is the same time.
TEST(Exchange, IsTheCollectiveWithoutLatency) {
  const Bandwidth up = 900 * unit::GB / unit::s, out = 50 * unit::GB / unit::s;
  const Bytes dispatch = dispatch_bytes(8, 7168, unit::B);
  const RankGroup group{.ranks = 144, .ranks_in_domain = 72, .direct = {{}, up}, .phased = {{}, up}, .out = {{}, out}};
  EXPECT_NEAR(2 * all_to_all_time(group, 0.5 * 64 * dispatch, 0.5 * 64 * dispatch) / exchange_time(64, dispatch, 2, up, out).time(), 1,
              1e-12);
}

RC_GTEST_PROP(Exchange, slows_with_domains_and_speeds_with_links, ()) {
  const double domains = *rc::gen::inRange(2, 64), tokens = *rc::gen::inRange(1, 1000);
  const Bandwidth out = *rc::gen::inRange(1, 400) * unit::GB / unit::s, up = 8 * out;
  const Seconds here = exchange_time(tokens, unit::MB, domains, up, out).time();
  RC_ASSERT(exchange_time(tokens, unit::MB, domains + 1, up, out).time() >= here);
  RC_ASSERT(exchange_time(tokens, unit::MB, domains, up, 2 * out).time() <= here);
  RC_ASSERT(exchange_time(tokens, unit::MB, domains, up, out).time() > exchange_time(tokens, unit::MB, 1, up, out).time());
}

TEST(StageHop, IsOutweighedByTheExpertsOfAFewLayers) {
  EXPECT_EQ(scale_up_over_scale_out(8, 8, 2), 4);
  EXPECT_EQ(least_layers(8, 8), 1);
  EXPECT_EQ(least_layers(18, 2), 5);  // 18 / 4
}

RC_GTEST_PROP(LeastLayers, is_the_first_at_which_scale_up_takes_longer, ()) {
  const double ratio = *rc::gen::inRange(1, 200), activated = *rc::gen::inRange(1, 33);
  const double layers = least_layers(ratio, activated);
  RC_ASSERT(scale_up_over_scale_out(ratio, activated, layers) >= 1 - 1e-9);
  RC_ASSERT(layers == 1 || scale_up_over_scale_out(ratio, activated, layers - 1) < 1);
}

TEST(Domain, OfSeventyTwoFetchesNineTimesAsFastAsOfEight) {
  const Bandwidth hbm = 8 * unit::TB / unit::s;
  EXPECT_NEAR(domain_fetch_time(1e12, unit::B, 8, hbm) / domain_fetch_time(1e12, unit::B, 72, hbm), 9, 1e-12);
  EXPECT_NEAR(largest_model(72, 192 * unit::GB, 0.5, unit::B), 6.912e12, 1);
  EXPECT_EQ(hop_time(4, 2.5 * unit::ms).in(unit::ms), 10);
}

}  // namespace
}  // namespace fareline
