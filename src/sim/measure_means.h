// SPDX-License-Identifier: Apache-2.0
// How sure a mean is that was taken over one run, whose values hang together.
#pragma once

#include <cstdint>
#include <vector>

#include "units/quantity.h"

namespace fareline {

struct Interval {
  Seconds low, high;
};

// Returns the 97.5% point of Student's t with `freedom` degrees of freedom.
// Equation: z + (z^3 + z)/4v + (5 z^5 + 16 z^3 + 3 z)/96 v^2 + (3 z^7 + 19 z^5 + 17 z^3 - 15 z)/384 v^3, z = 1.959964.
// Source: Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.5. Assumes: freedom >= 8; error below 0.001.
double student_t(double freedom);

// Means of batches of successive values; batches are paired as the run grows, so that there are 32 to 64 of them.
// Source: Schmeiser 1982, Batch size effects in the analysis of simulation output (Operations Research 30).
// Assumes: a batch is much longer than the values hang together: not so at loads close to 1 or in short runs.
class BatchMeans {
 public:
  void add(Seconds value);
  // The 95% confidence interval of the mean over whole batches; nothing less than all where there are fewer than 16.
  // Equation: mean +- t s / sqrt(b), s the standard deviation of the b batch means. Source and Assumes: as the class.
  bool known() const { return batches_.size() >= 16; }
  Interval interval() const;
  template <class Archive>
  void archive(Archive& archive) { archive(batches_, size_, now_, sum_); }

 private:
  std::vector<Seconds> batches_;   // means
  std::uint64_t size_ = 1, now_ = 0;
  Seconds sum_;                    // of the batch under way
};

}  // namespace fareline
