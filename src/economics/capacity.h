// SPDX-License-Identifier: Apache-2.0
// Memory as a good: what a layout keeps in a chip, and what tokens would cost with less of it.
#pragma once

#include "units/quantity.h"

namespace fareline {

using MemoryPrice = Quantity<Dim{.data = -1, .money = 1}>;

// A model over `experts` x `stages` chips, and the sequences that decode in it.
struct MemorySplit {
  Bytes weights;      // of the model
  Bytes sequence;     // KV of one sequence
  double experts = 1, stages = 1;
  double in_flight = 1;  // sequences of one micro-batch
  double micro_batches = 1;
};

// Returns the weight bytes of one chip. Equation: N b / (E P). Source: the lecture at 1:06:25. Assumes: layers and experts divide.
Bytes weights_per_chip(const MemorySplit& split);

// Returns the KV bytes of one chip. Equation: m B kv / (E P). Source: the lecture at 1:11:16: with m = P the stages cancel.
// Assumes: sequences are spread evenly; a stage keeps its own layers' KV of every micro-batch.
Bytes kv_per_chip(const MemorySplit& split);

// One chip's memory and what a decode step does with it.
struct MemoryMarket {
  double chips = 1;
  Bytes capacity;          // of a chip
  Bandwidth bandwidth;     // of a chip
  FlopRate peak;           // of a chip
  Bytes weights, sequence; // of the model; of one sequence
  double active = 0;       // parameters
  MoneyRate rate;          // of a chip with `capacity`
  double memory_share = 0; // of the rate: what the capacity itself costs
  Seconds pace;            // most time of a step
};

struct MemoryPoint {
  bool fits = false;
  double sequences = 0;
  Seconds step;
  MoneyRate rate;     // of a chip
  TokenPrice price;
};
// Returns decode with `scale` times the memory: sequences that fit and keep the pace, and the price of a token. Equation:
// B = min(held, paced); held = (s C - W) / kv; t = max(2 N B / F, (W + B kv) / BW); price = rate (1 - share (1 - s)) chips t / B.
// Source: the lecture at 13:52 and 1:01:54. Assumes: rooflines; bandwidth does not change with capacity; memory's part of the rate
// is proportional to it.
MemoryPoint at_memory(const MemoryMarket& market, double scale);

// Returns the share of a chip's price that its memory is, at most all of it. Equation: price capacity / capital.
// Source: definition. Assumes: `price` holds the seller's margin.
double memory_share(MemoryPrice price, Bytes capacity, Dollars capital);

}  // namespace fareline
