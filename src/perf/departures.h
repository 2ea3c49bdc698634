// SPDX-License-Identifier: Apache-2.0
// Passes as trains: one leaves every interval with as many passengers as it has seats, full or not; who finds no seat waits for the
// next.
#pragma once

#include <vector>

#include "units/quantity.h"

namespace fareline {

// Returns the time to read the whole memory once: the interval that neither leaves memory unread nor reads it twice.
// Equation: capacity / bandwidth. Source: the lecture at 24:17. Assumes: memory is full of weights and KV that every pass reads.
Seconds memory_drain_time(Bytes capacity, Bandwidth bandwidth);

// Returns the worst latency where no train is full: just missed one, then rides one. Equation: 2 T.
// Source: the lecture at 23:15. Assumes: a pass lasts its interval.
Seconds worst_latency(Seconds interval);

// Returns the tokens a second of passes that carry `batch` tokens each. Equation: B / T.
// Source: the lecture at 26:53. Assumes: every pass is full.
TokenRate pass_throughput(double batch, Seconds interval);

// Passengers who arrive at random, `rate` a second, and trains of `seats` that leave every `interval`.
struct Trains {
  Seconds interval;
  double seats = 1;   // whole
  Frequency rate;
  double load() const { return rate * interval / seats; }
};

// The steady state of a platform.
struct Platform {
  std::vector<double> left_behind;  // chance that so many are left standing when a train has gone
  std::vector<double> at_least;     // ... that so many or more are
  double mean_left = 0;
  bool approximate = false;         // so near to full that the distribution is its exponential limit
};

// Returns who is left behind. Equation: W' = max(0, W + A - s), A Poisson of mean m = rate T. W is compound Poisson:
// E z^W = exp(sum_j a_j (z^j - 1)), a_j = sum_k P(S_k = k s + j)/k, S_k Poisson of mean k m; hence n p_n = sum_j j a_j p_(n-j).
// Source: Bailey 1954, On queueing processes with bulk service, JRSS B 16 (the model); Spitzer 1956, A combinatorial lemma, theorem
// 3.1 (the solution); Panjer 1981, ASTIN Bulletin 12 (the recursion); Kingman 1962, On queues in heavy traffic (the limit, mean
// m / (2 (s - m)) - 1/2 of load near 1, there exponential).
// Assumes: load below 1, arrivals Poisson, trains leave on time; the limit where 4,096 terms do not reach 1e-11.
Platform platform(const Trains& trains);

// Returns the mean wait of a passenger for his train to leave. Equation: T/2 + E W / rate.
// Source: Little 1961; Chaudhry & Templeton 1983, A First Course in Bulk Queues, section 4.2. Assumes: first come, first served.
Seconds mean_wait(const Trains& trains, const Platform& platform);

// Returns the chance that a passenger waits longer than `time`. Equation: a passenger u before the next train finds N(T - u) others of
// his interval before him; he takes train 1 + floor((W + N)/s). Averaged over u.
// Source: Chaudhry & Templeton 1983, section 4.2; Abramowitz & Stegun 25.4.30 (four points of Gauss and Legendre). Assumes: as
// platform; u on either side of the last whole interval before `time` in eight panels each.
double wait_exceeds(const Trains& trains, const Platform& platform, Seconds time);

// Returns the wait that a `share` of the passengers does not exceed. Equation: P(wait > t) = 1 - share.
// Source: wait_exceeds, by bisection. Assumes: as wait_exceeds.
Seconds wait_percentile(const Trains& trains, const Platform& platform, double share);

}  // namespace fareline
