// SPDX-License-Identifier: Apache-2.0
// Random numbers that depend on (seed, purpose, index) alone: the third prompt's length is the same whatever was drawn before
// it, so that runs at two rates see the same requests (common random numbers), and a run is resumed by counting.
#pragma once

#include <cmath>
#include <cstdint>

#include "units/elementary.h"

namespace fareline {

// What a number is drawn for; each is a stream of its own.
enum class Purpose : std::uint64_t { arrival = 1, phase, prompt, output, turns, think, priority, block, fleet };

// Returns 64 bits without visible order from `x`; a bijection. Source: Steele, Lea & Flood 2014, Fast splittable pseudorandom
// number generators (OOPSLA), SplitMix64, with the finalizer of D. Stafford, variant 13.
constexpr std::uint64_t scrambled(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}
inline constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15;

// A sequence of draws. Assumes: fewer than 2^32 indices of a purpose, so that two sequences hardly ever meet.
class Draws {
 public:
  Draws(std::uint64_t seed, Purpose purpose, std::uint64_t index)
      : state_(scrambled(scrambled(seed + golden_gamma) ^ (static_cast<std::uint64_t>(purpose) * golden_gamma)) +
               scrambled(index + golden_gamma)) {}

  // SplitMix64.
  constexpr std::uint64_t bits() {
    state_ += golden_gamma;
    return scrambled(state_);
  }
  // Between 0 and 1, neither of them.
  constexpr double uniform() { return (static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52; }
  // Of mean 1. Equation: -ln U. Source: inversion.
  constexpr double exponential_gap() { return -natural_log(uniform()); }
  // Of mean 0 and variance 1. Source: Marsaglia & Bray 1964, the polar method; its second number is not used.
  double normal() {
    for (;;) {
      const double x = 2 * uniform() - 1, y = 2 * uniform() - 1, square = x * x + y * y;
      if (square < 1 && square > 0) return x * std::sqrt(-2 * natural_log(square) / square);
    }
  }
  // Gamma of the given shape and mean 1. Source: Marsaglia & Tsang 2000, A simple method for generating gamma variables;
  // below shape 1 by their G(a) = G(a + 1) U^(1/a).
  double gamma_of_mean_one(double shape) {
    const double raised = shape < 1 ? shape + 1 : shape, d = raised - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
      const double x = normal(), root = 1 + c * x;
      if (root <= 0) continue;
      const double v = root * root * root;
      if (natural_log(uniform()) >= x * x / 2 + d * (1 - v + natural_log(v))) continue;
      const double boost = shape < 1 ? power(uniform(), 1 / shape) : 1;
      return d * v * boost / shape;
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace fareline
