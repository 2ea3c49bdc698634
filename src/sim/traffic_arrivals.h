// SPDX-License-Identifier: Apache-2.0
// When requests come: "poisson", "gamma:0.5", "markov:4,0.1,30s", "diurnal:0.5,24h", "fixed".
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/traffic_random.h"
#include "units/error.h"
#include "units/quantity.h"

namespace fareline {

struct ArrivalLaw {
  enum class Kind : unsigned char { poisson, gamma, markov, diurnal, fixed } kind = Kind::poisson;
  double burstiness = 1;              // gamma: the shape of the gaps; below 1 they are burstier than Poisson's
  double ratio = 1, share = 0.5;      // markov: rate in a burst over the calm one; share of the time in bursts
  Seconds dwell;                      // markov: mean length of a burst
  double swing = 0;                   // diurnal: how far the rate goes above and below its mean, as a share of it
  Seconds period = 24.0 * unit::hour;  // diurnal
};

// Errors: an unknown law with the nearest names, numbers that are missing or out of range.
Expected<ArrivalLaw> read_arrival_law(std::string_view text);

// The moments of arrival of one law at one mean rate, in order.
// Equation: the n-th arrival is where the cumulative intensity L(t), the rate times the integral of the profile, reaches G_n, a sum
// of n gaps of mean 1: exponential ones, or gamma, or all 1. A higher rate moves the same G_n closer together; phases and days
// stay where they are.
// Source: Cinlar 1975, Introduction to Stochastic Processes, chapter 4 (time change of a Poisson process); Fischer & Meier-Hellstern
// 1993, The Markov-modulated Poisson process cookbook.
// Assumes: rate > 0; gaps of `fixed` are equal, the first arrival one gap after the start.
class Arrivals {
 public:
  Arrivals(const ArrivalLaw& law, Frequency rate, std::uint64_t seed) : law_(law), rate_(rate), seed_(seed) {}
  Seconds next();

 private:
  Seconds when(double cumulative);
  ArrivalLaw law_;
  Frequency rate_;
  std::uint64_t seed_, drawn_ = 0;
  double cumulative_ = 0;                // G_n
  // markov: the phase under way
  std::uint64_t phases_ = 0;
  bool burst_ = false;
  Seconds phase_start_, phase_end_;
  double at_phase_start_ = 0;            // L there
};

// Returns the sine of `turns` whole turns. Equation: sin(2 pi x), reduced to a quarter turn, by its Taylor series.
// Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 4.3.65. Assumes: |turns| < 1e9; error below 1e-15 near zero turns.
double sine_of_turns(double turns);

}  // namespace fareline
