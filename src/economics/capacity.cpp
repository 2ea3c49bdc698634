// SPDX-License-Identifier: Apache-2.0
#include "economics/capacity.h"

#include <algorithm>
#include <cmath>

namespace fareline {

Bytes weights_per_chip(const MemorySplit& s) { return s.weights / (s.experts * s.stages); }

Bytes kv_per_chip(const MemorySplit& s) { return s.micro_batches * s.in_flight * s.sequence / (s.experts * s.stages); }

MemoryPoint at_memory(const MemoryMarket& m, double scale) {
  MemoryPoint point{.rate = (1 - m.memory_share * (1 - scale)) * m.rate};
  const Bandwidth bandwidth = m.chips * m.bandwidth;
  const FlopRate peak = m.chips * m.peak;
  const Bytes left = scale * m.chips * m.capacity - m.weights;
  if (!(left >= m.sequence)) return point;
  const double held = std::floor(left / m.sequence);
  const double by_memory = (m.pace * bandwidth - m.weights) / m.sequence, by_compute = m.pace * peak / (2 * m.active * unit::flop);
  const double sequences = std::floor(std::min({held, by_memory, by_compute}));
  if (!(sequences >= 1)) return point;
  point.sequences = sequences;
  point.fits = true;
  point.step = max(2 * m.active * point.sequences * unit::flop / peak, (m.weights + point.sequences * m.sequence) / bandwidth);
  point.price = m.chips * point.rate * point.step / (point.sequences * unit::token);
  return point;
}

double memory_share(MemoryPrice price, Bytes capacity, Dollars capital) { return std::min(1.0, price * capacity / capital); }

}  // namespace fareline
