// SPDX-License-Identifier: Apache-2.0
#include "units/quantity.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <type_traits>

namespace fareline {
namespace {

using namespace unit;

// Dimensions multiply and divide as the physics does.
static_assert(std::is_same_v<decltype(GB / s), Bandwidth>);
static_assert(std::is_same_v<decltype(GB / (GB / s)), Seconds>);
static_assert(std::is_same_v<decltype(TFLOP / s), FlopRate>);
static_assert(std::is_same_v<decltype(W * hour), Joules>);
static_assert(std::is_same_v<decltype(usd / kWh * kWh), Dollars>);
static_assert(std::is_same_v<decltype(usd / Mtok), TokenPrice>);
static_assert(std::is_same_v<decltype(usd / (GB * month)), StoragePrice>);
static_assert(std::is_same_v<decltype(B / token * token), Bytes>);
static_assert(std::is_same_v<decltype(1.0 / s), Frequency>);
static_assert(std::is_same_v<decltype(usd / hour / (token / s)), TokenPrice>);
static_assert(std::is_same_v<decltype(GB / GB), double>, "a ratio is a plain double");

// Nothing enters or leaves without its unit.
static_assert(!std::is_convertible_v<double, Seconds> && !std::is_constructible_v<Seconds, double>);
static_assert(!std::is_convertible_v<Seconds, double> && !std::is_constructible_v<double, Seconds>);
static_assert(!std::is_convertible_v<Bytes, Seconds> && !std::is_constructible_v<Seconds, Bytes>);

// At run time a quantity is one double.
static_assert(sizeof(Bandwidth) == sizeof(double) && std::is_trivially_copyable_v<Bandwidth>);

// The units are what their standards say. Source: BIPM, The International System of Units, 9th edition, tables 7 and 8;
// IEC 80000-13 (binary prefixes).
static_assert(GB.in(B) == 1e9 && GiB.in(B) == 1073741824 && TiB.in(GiB) == 1024 && kB.in(B) == 1000 && KiB.in(B) == 1024);
static_assert(hour.in(s) == 3600 && day.in(hour) == 24 && year.in(day) == 365 && year.in(month) == 12 && minute.in(s) == 60);
static_assert(kWh.in(J) == 3.6e6 && (kW * hour).in(kWh) == 1);
static_assert(Mtok.in(token) == 1e6);

// A 70-billion-parameter model in bf16 read once at 3.35 TB/s takes 140 / 3350 s.
static_assert((140 * GB / (3350 * GB / s)).in(ms) > 41.79 && (140 * GB / (3350 * GB / s)).in(ms) < 41.80);

TEST(Quantity, DefaultsToZero) { EXPECT_EQ(Seconds{}, 0 * s); }

TEST(Quantity, LeavesInTheUnitItIsAskedFor) {
  EXPECT_DOUBLE_EQ((2.5 * hour).in(minute), 150);
  EXPECT_DOUBLE_EQ((1 * GiB).in(GB), 1.073741824);
}

TEST(Quantity, CarriesNanAndInfinityAsADoubleDoes) {
  const Seconds nan = 0 * s / 0.0, infinite = s / 0.0;
  EXPECT_FALSE(nan == nan);
  EXPECT_FALSE(nan < s || nan > s || nan <= s || nan >= s);
  EXPECT_GT(infinite, 1e300 * s);
}

RC_GTEST_PROP(Quantity, AddsSubtractsAndScalesAsItsValue, (double a, double b, double k)) {
  RC_PRE(k != 0);
  const Bytes x = a * B, y = b * B;
  RC_ASSERT((x + y).coherent() == a + b);
  RC_ASSERT((x - y).coherent() == a - b);
  RC_ASSERT((x * k).coherent() == a * k && (k * x).coherent() == k * a && (x / k).coherent() == a / k);
  Bytes sum = x;
  sum += y;
  RC_ASSERT(sum == x + y);
  sum -= y;
  RC_ASSERT(sum == x + y - y);
  Bytes scaled = x;
  scaled *= k;
  RC_ASSERT(scaled == x * k);
  scaled = x;
  scaled /= k;
  RC_ASSERT(scaled == x / k);
}

RC_GTEST_PROP(Quantity, IsOrderedAsItsValue, (double a, double b)) {
  const Seconds x = a * s, y = b * s;
  RC_ASSERT((x < y) == (a < b) && (x > y) == (a > b) && (x <= y) == (a <= b) && (x >= y) == (a >= b) && (x == y) == (a == b));
  RC_ASSERT(max(x, y).coherent() == std::fmax(a, b) && min(x, y).coherent() == std::fmin(a, b));
}

RC_GTEST_PROP(Quantity, DividesIntoADimensionlessRatio, (double a, double b)) {
  RC_PRE(b != 0);
  RC_ASSERT((a * J) / (b * J) == a / b);
}

}  // namespace
}  // namespace fareline
