// SPDX-License-Identifier: Apache-2.0
#include "economics/bill.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fareline {
namespace {

constexpr TokenPrice usd(double per_million) { return per_million * unit::usd / unit::Mtok; }

// Anthropic's list of Claude Sonnet 4.5: 3 and 15 USD, 0.3 a hit, 3.75 and 6 a write; above 200k tokens 6 and 22.5.
const std::vector<PriceStep> sonnet{
    {.above = 0, .input = usd(3), .output = usd(15), .cached = usd(0.3), .write_5min = usd(3.75), .write_1h = usd(6)},
    {.above = 200'000, .input = usd(6), .output = usd(22.5), .cached = usd(0.6), .write_5min = usd(7.5), .write_1h = usd(12)}};

TEST(UsageBill, ChargesEveryKindOfTokenItsPrice) {
  const auto bill = usage_bill(sonnet, {.input = 100'000, .cached = 60'000, .written_5min = 20'000, .written_1h = 10'000, .output = 1000});
  EXPECT_NEAR(bill->total().in(unit::usd), 0.03 + 0.018 + 0.075 + 0.06 + 0.015, 1e-12);
}
TEST(UsageBill, StepsUpForTheWholeRequestBeyondTheThresholdAlone) {
  EXPECT_NEAR(usage_bill(sonnet, {.input = 200'000, .output = 0})->total().in(unit::usd), 0.6, 1e-12);
  EXPECT_NEAR(usage_bill(sonnet, {.input = 200'001, .output = 0})->total().in(unit::usd), 1.200006, 1e-12);
}
TEST(UsageBill, SaysWhatTheListDoesNotState) {
  EXPECT_EQ(usage_bill({{.above = 0, .input = usd(3), .output = usd(15)}}, {.input = 9, .written_1h = 2}).error(),
            "no price for a write of an hour");
  EXPECT_FALSE(usage_bill(sonnet, {.input = 9, .cached = 10}).has_value());
  EXPECT_FALSE(usage_bill({}, {.input = 9}).has_value());
}
// The thread's example: 5 and 15 USD at 3 to 1.
TEST(BlendedPrice, OfThreeToOneIsSevenAndAHalf) {
  const Usage usage{.input = 3, .output = 1};
  EXPECT_NEAR(blended_price(*usage_bill({{.above = 0, .input = usd(5), .output = usd(15)}}, usage), usage).in(unit::usd / unit::Mtok), 7.5,
              1e-12);
}
TEST(UsageBill, NeverFallsWithMoreTokensAndAHitNeverCostsMore) {
  EXPECT_TRUE(rc::check([] {
    Usage usage{.input = static_cast<double>(*rc::gen::inRange(1, 400'000)), .output = static_cast<double>(*rc::gen::inRange(0, 10'000))};
    const Dollars before = usage_bill(sonnet, usage)->total();
    Usage more = usage;
    more.input += *rc::gen::inRange(0, 400'000);
    RC_ASSERT(before <= usage_bill(sonnet, more)->total());
    usage.cached = *rc::gen::inRange(0, 101) / 100.0 * usage.input;
    RC_ASSERT(usage_bill(sonnet, usage)->total() <= before + 1e-12 * unit::usd);
  }));
}

}  // namespace
}  // namespace fareline
