// SPDX-License-Identifier: Apache-2.0
// log, exp and pow built from IEEE additions, multiplications and divisions only, so that every compiler, machine and
// browser gives the same bits (the standard library's differ between vendors, and with fused multiply-add).
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace fareline {

// Returns the natural logarithm of x. Equation: x = m 2^e, ln m = 2 atanh((m - 1)/(m + 1)), as a series.
// Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 4.1.27.
// Assumes: x is finite and positive; relative error below 4e-16 away from 1.
constexpr double natural_log(double x) {
  if (!(x > 0)) return x == 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  if (x > std::numeric_limits<double>::max()) return x;
  int exponent = 0;
  if (x < 0x1p-1022) { x *= 0x1p54; exponent = -54; }
  const auto bits = std::bit_cast<std::uint64_t>(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
  if (m > 1.4142135623730951) { m *= 0.5; ++exponent; }
  const double r = (m - 1) / (m + 1), q = r * r;
  double series = 1.0 / 23;
  for (int n = 21; n >= 3; n -= 2) series = series * q + 1.0 / n;
  const double high = 0.693147180369123816490, low = 1.90821492927058770002e-10;  // ln 2 in two parts
  return exponent * high + (2 * r + (2 * r * (series * q) + exponent * low));
}

// Returns e to the x. Equation: x = k ln 2 + r, e^x = 2^k e^r, e^r by its Taylor series.
// Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 4.2.1.
// Assumes: round to nearest; relative error below 4e-16; 0 and infinity where the result leaves the range of a double, NaN of NaN.
constexpr double exponential(double x) {
  if (x != x) return x;
  if (x > 709.782712893384) return std::numeric_limits<double>::infinity();
  if (x < -708) return x < -745 ? 0 : exponential(x + 100) * 3.720075976020836e-44;
  const double scaled = x * 1.4426950408889634;
  const int k = static_cast<int>(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  const double r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
  double series = 1;
  for (int n = 14; n >= 1; --n) series = 1 + r * series * (1.0 / n);
  if (k == 1024) return 2 * series * std::bit_cast<double>(std::uint64_t{2046} << 52);  // 2^1024 is no double, 2 e^r 2^1023 is
  return series * std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52);
}

// Returns x to the power y. Equation: x^y = e^(y ln x).
// Source: definition.
// Assumes: x >= 0 (NaN of a negative x); relative error grows with |y ln x| (1e-14 at |y ln x| = 50).
constexpr double power(double x, double y) {
  if (y == 0) return 1;
  if (x == 0) return y > 0 ? 0 : std::numeric_limits<double>::infinity();
  return exponential(y * natural_log(x));
}

}  // namespace fareline
