// SPDX-License-Identifier: Apache-2.0
// Reversible (Feistel) layers: inputs recomputed from outputs instead of kept; and the construction itself, run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "units/quantity.h"

namespace fareline {

// How the backward pass comes by what the forward pass computed.
enum class Rebuild : unsigned char { none, checkpoints, every_layer, reversible };

struct Depth {
  double layers = 1;
  double checkpoints = 1;  // of Rebuild::checkpoints: layers a segment has
  Bytes layer;             // activations a layer keeps for its backward pass
  Bytes boundary;          // the residual stream between two layers
};

// Returns the activations kept at the peak. Equation: none: L a; checkpoints every k layers: L/k r + k a; every layer: L r + a;
// reversible: 2 r + a. Source: Gomez et al. 2017, The Reversible Residual Network, arXiv:1707.04585, table 1; Chen et al. 2016,
// arXiv:1604.06174, section 4; the lecture at 2:12:18. Assumes: layers alike; one layer or segment is rebuilt at a time.
Bytes kept_activations(Rebuild rebuild, const Depth& depth);

// Returns the FLOP of a training step over those of one that keeps everything. Equation: (3 + rebuilt) / 3, rebuilt = 0 or 1.
// Source: as kept_activations; Gomez et al. 2017, section 3.2. Assumes: backward is twice forward; every layer is rebuilt once.
double rebuild_compute(Rebuild rebuild);

// Returns a layer's outputs (x', y') = (y + f(x), x), f seeded and fixed, on integers that wrap at 2^64.
// Source: the lecture at 2:10:03 to 2:11:34; Feistel 1973. Assumes: two's complement.
struct IntegerPair {
  std::vector<std::uint64_t> x, y;
  bool operator==(const IntegerPair&) const = default;
};
void feistel_forwards(IntegerPair& pair, int layers, std::uint64_t seed);
void feistel_backwards(IntegerPair& pair, int layers, std::uint64_t seed);

// The same on floats of 64, 32 or 16 (bfloat16) bits; f is a soft sign of a seeded product.
struct FloatPair {
  std::vector<double> x, y;
};
enum class Width : unsigned char { fp64, fp32, bf16 };
void feistel_forwards(FloatPair& pair, int layers, std::uint64_t seed, Width width);
void feistel_backwards(FloatPair& pair, int layers, std::uint64_t seed, Width width);

// Returns the largest error of inputs recovered from outputs, over the largest input. Equation: max |x - x_recovered| / max |x|.
// Source: definition; z = y + f(x), y = z - f(x), the lecture at 2:10:03. Assumes: inputs are seeded, uniform in [-1, 1).
double integer_round_trip_error(int width, int layers, std::uint64_t seed);
// The same on floats. Equation: max |x - x_recovered| / max |x|. Source: definition. Assumes: as integer_round_trip_error.
double float_round_trip_error(int width, int layers, std::uint64_t seed, Width format);

}  // namespace fareline
