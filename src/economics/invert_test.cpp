// SPDX-License-Identifier: Apache-2.0
#include "economics/invert.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace fareline {
namespace {

constexpr MoneyRate rent = 2 * unit::usd / unit::hour;
constexpr FlopRate peak = 989.4 * unit::TFLOP / unit::s;
constexpr Bandwidth bandwidth = 3.35 * unit::TB / unit::s;

double positive(int most) { return *rc::gen::inRange(1, most); }

// The lecture's rematerialisation of a million tokens, 0.112302 USD at 100e9 active parameters, the other way round.
TEST(ActiveSoldAtRent, InvertsTheLecturesCostToRematerialise) {
  EXPECT_NEAR(active_sold_at_rent(0.112302 * unit::usd / unit::Mtok, peak, rent) / 100e9, 1, 1e-5);
}

RC_GTEST_PROP(MarginOfInput, is_what_the_price_was_multiplied_by, ()) {
  const double active = positive(1000) * 1e9, mfu = positive(100) / 100, margin = positive(50) / 5;
  const TokenPrice price = margin * rent * (2 * active * unit::flop / (mfu * peak)) / unit::token;
  RC_ASSERT(std::abs(margin_of_input(price, active, peak, mfu, rent) / margin - 1) < 1e-12);
  RC_ASSERT(std::abs(active_sold_at_rent(price, peak, rent) * mfu / margin / active - 1) < 1e-12);
}

RC_GTEST_PROP(KvFromSlope, is_what_made_the_price_rise, ()) {
  const BytesPerToken kv = positive(1000000) * unit::kB / unit::token;
  const double from = positive(100000), further = positive(1000000);
  const auto price = [&](double past) { return rent * (1 * unit::ms + past * unit::token * kv / bandwidth) / unit::token; };
  RC_ASSERT(std::abs(kv_from_slope(price(from), price(from + further), further, bandwidth, rent) / kv - 1) < 1e-6);
  // All of the price as reading is no less.
  RC_ASSERT(kv_from_output(price(from), from, bandwidth, rent) >= kv);
}

// 6 times the price at 2.5 times the speed: 15 times fewer share a step, which had 1.8 times as much that grows as not.
TEST(FastModeOf, TheLectureIs) {
  const auto fast = fast_mode(6, 2.5);
  ASSERT_TRUE(fast);
  EXPECT_EQ(fast->batch, 15);
  EXPECT_NEAR(fast->growth, 1.8, 1e-12);
  EXPECT_FALSE(fast_mode(1, 2));
  EXPECT_FALSE(fast_mode(2, 1));
}

RC_GTEST_PROP(FastModeOf, two_batches_of_a_step_are_found_again, ()) {
  const double growth = positive(1000) / 100, ratio = 1 + positive(1000) / 10;
  const double normal = 1 + growth, fast = 1 + growth / ratio;
  const auto found = fast_mode(ratio * fast / normal, normal / fast);
  if (!(ratio * fast / normal > 1)) return;
  RC_ASSERT(found && std::abs(found->batch / ratio - 1) < 1e-9 && std::abs(found->growth / growth - 1) < 1e-6);
}

TEST(Product, OfKnownNumbersIsTheirProduct) {
  const Spread s = product({{2, 2}, {3, 3}});
  EXPECT_NEAR(s.low, 6, 1e-12);
  EXPECT_NEAR(s.high, 6, 1e-12);
}

// Two factors as unsure as each other: the logarithm's half-width grows by the square root of two.
TEST(Product, AddsVariances) {
  const Spread s = product({{0.5, 2}, {0.5, 2}});
  EXPECT_NEAR(s.middle, 1, 1e-12);
  EXPECT_NEAR(s.high, std::exp(std::sqrt(2.0) * std::log(2.0)), 1e-12);
  EXPECT_NEAR(s.low * s.high, 1, 1e-12);
}

RC_GTEST_PROP(Product, is_no_narrower_than_any_of_its_factors, ()) {
  const Range a{1, positive(100)}, b{1, positive(100)};
  const Spread s = product({a, inverse(b)});
  RC_ASSERT(s.low <= s.middle && s.middle <= s.high);
  RC_ASSERT(s.high / s.low >= std::max(a.high / a.low, b.high / b.low) * (1 - 1e-12));
}

}  // namespace
}  // namespace fareline
