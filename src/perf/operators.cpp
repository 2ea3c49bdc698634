// SPDX-License-Identifier: Apache-2.0
#include "perf/operators.h"

#include <algorithm>
#include <cmath>

namespace fareline {
namespace {

// Sum of min(c + i, w) for i = 1..n.
double capped_pairs(double before, double fresh, double cap) {
  const double below = std::clamp(cap - before, 0.0, fresh);
  return below * before + below * (below + 1) / 2 + (fresh - below) * cap;
}

// Sum of min((c + i)/m, k) for i = 1..n, pooled entries counted as fractions.
double pooled_pairs(double before, double fresh, double pool, double most) {
  return most > 0 ? capped_pairs(before, fresh, most * pool) / pool : (fresh * before + fresh * (fresh + 1) / 2) / pool;
}

// Sum over positions 1..x of the position within its chunk.
double chunk_sum(double x, double chunk) {
  const double whole = std::floor(x / chunk), rest = x - whole * chunk;
  return whole * chunk * (chunk + 1) / 2 + rest * (rest + 1) / 2;
}

}  // namespace

double attended(const Reach& reach, double context) {
  if (reach.compress > 1) {
    const double pooled = context / reach.compress;
    return (reach.topk > 0 ? std::min(pooled, reach.topk) : pooled) + std::min(context, reach.window);
  }
  if (reach.topk > 0) return std::min(context, reach.topk);
  if (reach.window <= 0) return context;
  if (reach.kind == AttentionKind::chunked) return context <= reach.window ? context : (reach.window + 1) / 2;
  return std::min(context, reach.window);
}

double attended_pairs(const Reach& reach, double before, double fresh) {
  if (fresh <= 0) return 0;
  if (reach.compress > 1)
    return pooled_pairs(before, fresh, reach.compress, reach.topk) + (reach.window > 0 ? capped_pairs(before, fresh, reach.window) : 0);
  if (reach.topk > 0) return capped_pairs(before, fresh, reach.topk);
  if (reach.window <= 0) return fresh * before + fresh * (fresh + 1) / 2;
  if (reach.kind == AttentionKind::chunked) return chunk_sum(before + fresh, reach.window) - chunk_sum(before, reach.window);
  return capped_pairs(before, fresh, reach.window);
}

double entries_read(const Reach& reach, double before, double fresh) {
  if (reach.compress > 1) return (before + fresh) / reach.compress + (reach.window > 0 ? std::min(before, reach.window) + fresh : 0);
  if (reach.window <= 0) return before + fresh;
  if (reach.kind == AttentionKind::chunked) return before - std::floor(before / reach.window) * reach.window + fresh;
  return std::min(before, reach.window) + fresh;
}

}  // namespace fareline
