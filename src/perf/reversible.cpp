// SPDX-License-Identifier: Apache-2.0
#include "perf/reversible.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fareline {
namespace {

// Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators (SplitMix64's mixer).
std::uint64_t mixed(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15ull;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}
double uniform(std::uint64_t z) { return static_cast<double>(mixed(z) >> 11) * 0x1p-52 - 1; }  // in [-1, 1)

double narrowed(double v, Width width) {
  if (width == Width::fp64) return v;
  const auto single = static_cast<float>(v);
  if (width == Width::fp32) return single;
  const auto bits = std::bit_cast<std::uint32_t>(single);
  const std::uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000u;  // to nearest, ties to even
  return std::bit_cast<float>(rounded);
}

// A layer: each element mixes its own and its neighbour's.
std::uint64_t integer_layer(const std::vector<std::uint64_t>& x, std::size_t i, std::uint64_t key) {
  return mixed(x[i] ^ key) + 3 * x[(i + 1) % x.size()] + i;
}
double float_layer(const std::vector<double>& x, std::size_t i, std::uint64_t key, Width width) {
  double sum = 0;
  for (std::size_t j = 0; j < 4; ++j) sum += uniform(key + 4 * i + j) * x[(i + j) % x.size()];
  return narrowed(sum / (1 + std::abs(sum)), width);
}

template <class Pair, class Layer, class Add>
void forwards(Pair& pair, int layers, std::uint64_t seed, Layer layer, Add add) {
  auto next = pair.x;
  for (int l = 0; l < layers; ++l) {
    for (std::size_t i = 0; i < next.size(); ++i) next[i] = add(pair.y[i], layer(pair.x, i, mixed(seed + static_cast<std::uint64_t>(l))));
    std::swap(pair.y, pair.x);
    std::swap(pair.x, next);
  }
}
template <class Pair, class Layer, class Subtract>
void backwards(Pair& pair, int layers, std::uint64_t seed, Layer layer, Subtract subtract) {
  auto before = pair.x;
  for (int l = layers - 1; l >= 0; --l) {
    for (std::size_t i = 0; i < before.size(); ++i)
      before[i] = subtract(pair.x[i], layer(pair.y, i, mixed(seed + static_cast<std::uint64_t>(l))));
    std::swap(pair.x, pair.y);
    std::swap(pair.y, before);
  }
}

}  // namespace

Bytes kept_activations(Rebuild rebuild, const Depth& d) {
  switch (rebuild) {
    case Rebuild::none: return d.layers * d.layer;
    case Rebuild::checkpoints: return d.layers / d.checkpoints * d.boundary + d.checkpoints * d.layer;
    case Rebuild::every_layer: return d.layers * d.boundary + d.layer;
    case Rebuild::reversible: return 2 * d.boundary + d.layer;
  }
  return {};
}

double rebuild_compute(Rebuild rebuild) { return rebuild == Rebuild::none ? 1 : 4.0 / 3; }

void feistel_forwards(IntegerPair& pair, int layers, std::uint64_t seed) {
  forwards(pair, layers, seed, integer_layer, [](std::uint64_t y, std::uint64_t f) { return y + f; });
}
void feistel_backwards(IntegerPair& pair, int layers, std::uint64_t seed) {
  backwards(pair, layers, seed, integer_layer, [](std::uint64_t z, std::uint64_t f) { return z - f; });
}
void feistel_forwards(FloatPair& pair, int layers, std::uint64_t seed, Width width) {
  const auto layer = [&](const std::vector<double>& x, std::size_t i, std::uint64_t key) { return float_layer(x, i, key, width); };
  forwards(pair, layers, seed, layer, [&](double y, double f) { return narrowed(y + f, width); });
}
void feistel_backwards(FloatPair& pair, int layers, std::uint64_t seed, Width width) {
  const auto layer = [&](const std::vector<double>& x, std::size_t i, std::uint64_t key) { return float_layer(x, i, key, width); };
  backwards(pair, layers, seed, layer, [&](double z, double f) { return narrowed(z - f, width); });
}

double integer_round_trip_error(int width, int layers, std::uint64_t seed) {
  IntegerPair pair;
  for (int i = 0; i < width; ++i) {
    pair.x.push_back(mixed(seed + static_cast<std::uint64_t>(2 * i)));
    pair.y.push_back(mixed(seed + static_cast<std::uint64_t>(2 * i + 1)));
  }
  IntegerPair back = pair;
  feistel_forwards(back, layers, seed);
  feistel_backwards(back, layers, seed);
  double error = 0, largest = 0;
  const auto signed_double = [](std::uint64_t v) { return std::abs(static_cast<double>(static_cast<std::int64_t>(v))); };
  for (std::size_t i = 0; i < pair.x.size(); ++i) {
    error = std::max({error, signed_double(pair.x[i] - back.x[i]), signed_double(pair.y[i] - back.y[i])});
    largest = std::max({largest, signed_double(pair.x[i]), signed_double(pair.y[i])});
  }
  return error / largest;
}

double float_round_trip_error(int width, int layers, std::uint64_t seed, Width format) {
  FloatPair pair;
  for (int i = 0; i < width; ++i) {
    pair.x.push_back(narrowed(uniform(seed + static_cast<std::uint64_t>(2 * i)), format));
    pair.y.push_back(narrowed(uniform(seed + static_cast<std::uint64_t>(2 * i + 1)), format));
  }
  FloatPair back = pair;
  feistel_forwards(back, layers, seed, format);
  feistel_backwards(back, layers, seed, format);
  double error = 0, largest = 0;
  for (std::size_t i = 0; i < pair.x.size(); ++i) {
    error = std::max({error, std::abs(pair.x[i] - back.x[i]), std::abs(pair.y[i] - back.y[i])});
    largest = std::max({largest, std::abs(pair.x[i]), std::abs(pair.y[i])});
  }
  return error / largest;
}

}  // namespace fareline
