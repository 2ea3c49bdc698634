// SPDX-License-Identifier: Apache-2.0
#include "units/elementary.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

namespace fareline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double smallest = std::numeric_limits<double>::denorm_min();
constexpr double largest = std::numeric_limits<double>::max();
constexpr int tries = 200'000;

// The distance of `value` from `truth` (computed with more digits) in units of the last place of a double at `truth`.
double ulps(double value, long double truth) {
  const double nearest = static_cast<double>(truth);
  const double unit = std::nextafter(std::fabs(nearest), infinity) - std::fabs(nearest);
  return static_cast<double>(std::fabs(static_cast<long double>(value) - truth) / unit);
}

// Doubles spread evenly in [low, high), the same on every machine.
struct Uniform {
  std::mt19937_64 bits{20240607};
  double operator()(double low, double high) { return low + (high - low) * (static_cast<double>(bits() >> 11) * 0x1p-53); }
};

TEST(Exponential, IsWithinTwoUnitsOfTheLastPlace) {
  static_assert(std::numeric_limits<long double>::digits >= 64, "the truth needs more digits than a double");
  Uniform uniform;
  for (int i = 0; i < tries; ++i) {
    const double x = uniform(-708, 709.78);
    ASSERT_LE(ulps(exponential(x), std::exp(static_cast<long double>(x))), 2) << "x = " << x;
  }
  for (int i = 0; i < tries; ++i) {
    const double x = uniform(-1, 1);
    ASSERT_LE(ulps(exponential(x), std::exp(static_cast<long double>(x))), 2) << "x = " << x;
  }
}

TEST(Exponential, ReachesTheLargestDoubleAndNotBeyond) {
  // ln(2^1024) = 709.78271289338397...: e^709.7827 is finite, though 2^1024, by which it is scaled, is none.
  for (const double x : {709.44, 709.5, 709.7, 709.78, 709.7827}) {
    EXPECT_TRUE(std::isfinite(exponential(x))) << x;
    EXPECT_LE(ulps(exponential(x), std::exp(static_cast<long double>(x))), 2) << x;
  }
  EXPECT_EQ(exponential(709.7828), infinity);
  EXPECT_EQ(exponential(infinity), infinity);
}

TEST(Exponential, FallsThroughTheSubnormalsToZero) {
  for (const double x : {-708.1, -710.0, -720.0, -740.0, -744.4})
    EXPECT_NEAR(exponential(x), static_cast<double>(std::exp(static_cast<long double>(x))), exponential(x) * 1e-15 + smallest) << x;
  EXPECT_EQ(exponential(-746), 0);
  EXPECT_EQ(exponential(-infinity), 0);
}

TEST(Exponential, OfZeroIsOneAndOfNanIsNan) {
  static_assert(exponential(0) == 1);
  static_assert(exponential(-0.0) == 1);
  EXPECT_TRUE(std::isnan(exponential(not_a_number)));
}

TEST(NaturalLog, IsWithinTwoUnitsOfTheLastPlaceFromTheSmallestToTheLargestDouble) {
  Uniform uniform;
  for (int i = 0; i < tries; ++i) {
    const double x = std::ldexp(uniform(1, 2), static_cast<int>(uniform(-1074, 1024)));
    if (x == 0) continue;
    ASSERT_LE(ulps(natural_log(x), std::log(static_cast<long double>(x))), 2) << "x = " << x;
  }
  for (const double x : {smallest, largest, 0x1p-1022, 0x1p-1023})
    EXPECT_LE(ulps(natural_log(x), std::log(static_cast<long double>(x))), 2) << x;
}

TEST(NaturalLog, KeepsItsDigitsNearOne) {
  Uniform uniform;
  for (int i = 0; i < tries; ++i) {
    const double x = 1 + std::ldexp(uniform(-1, 1), -static_cast<int>(uniform(2, 52)));
    if (x == 1) continue;
    ASSERT_LE(ulps(natural_log(x), std::log(static_cast<long double>(x))), 2) << "x = " << x;
  }
}

TEST(NaturalLog, HasTheLimitsOfALogarithm) {
  static_assert(natural_log(1) == 0);
  EXPECT_EQ(natural_log(0), -infinity);
  EXPECT_EQ(natural_log(infinity), infinity);
  EXPECT_TRUE(std::isnan(natural_log(-1)));
  EXPECT_TRUE(std::isnan(natural_log(not_a_number)));
}

TEST(NaturalLog, IsUndoneByExponential) {
  Uniform uniform;
  for (int i = 0; i < tries; ++i) {
    const double x = uniform(-700, 700);
    ASSERT_NEAR(natural_log(exponential(x)), x, std::fabs(x) * 1e-15 + 5e-16);
  }
}

TEST(Power, LosesNoMoreDigitsThanTheSizeOfItsExponentSays) {
  Uniform uniform;
  for (int i = 0; i < tries; ++i) {
    const double x = std::exp(uniform(-50, 50)), y = uniform(-1, 1);
    const long double truth = std::pow(static_cast<long double>(x), static_cast<long double>(y));
    ASSERT_NEAR(power(x, y), static_cast<double>(truth), static_cast<double>(truth) * 1e-14) << x << " to the " << y;
  }
}

TEST(Power, IsOneToAnyPowerAndAnythingToTheZeroth) {
  static_assert(power(1, 17.3) == 1);
  static_assert(power(0, 0) == 1);
  static_assert(power(1e300, 0) == 1);
  static_assert(power(0, 2.5) == 0);
  EXPECT_EQ(power(0, -1), infinity);
  EXPECT_TRUE(std::isnan(power(-2, 0.5)));
}

TEST(Power, RisesWithItsBaseAndItsExponent) {
  Uniform uniform;
  for (int i = 0; i < tries; ++i) {
    const double x = uniform(1.001, 1000), y = uniform(0.01, 20);
    ASSERT_LT(power(x, y), power(x * (1 + 1e-10), y)) << x << " to the " << y;
    ASSERT_LT(power(x, y), power(x, y + 1e-9)) << x << " to the " << y;
  }
}

// Determinism: only additions, multiplications and divisions of IEEE doubles are used, so what the compiler folds at compile time
// (in its own arithmetic) is bit for bit what the machine computes.
template <int N>
struct Table {
  double x[N], exponential_of[N], log_of[N];
};
constexpr Table<64> folded = [] {
  Table<64> table{};
  double x = 1e-9;
  for (int i = 0; i < 64; ++i, x *= 1.9) {
    table.x[i] = x;
    table.exponential_of[i] = exponential(-x / 1e6);
    table.log_of[i] = natural_log(x);
  }
  return table;
}();

TEST(Elementary, GivesTheSameBitsAtCompileTimeAndAtRunTime) {
  for (int i = 0; i < 64; ++i) {
    const volatile double x = folded.x[i];  // volatile: not folded here
    EXPECT_EQ(exponential(-x / 1e6), folded.exponential_of[i]) << folded.x[i];
    EXPECT_EQ(natural_log(x), folded.log_of[i]) << folded.x[i];
  }
}

}  // namespace
}  // namespace fareline
