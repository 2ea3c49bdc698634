// SPDX-License-Identifier: Apache-2.0
#include "perf/reversible.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fareline {
namespace {

constexpr Depth depth(double layers) { return {.layers = layers, .checkpoints = 4, .layer = 34 * unit::MB, .boundary = 2 * unit::MB}; }

TEST(Feistel, RecoversIntegersExactly) {
  EXPECT_TRUE(rc::check([] {
    const int width = *rc::gen::inRange(1, 65), layers = *rc::gen::inRange(0, 100);
    const std::uint64_t seed = *rc::gen::arbitrary<std::uint64_t>();
    RC_ASSERT(integer_round_trip_error(width, layers, seed) == 0);
  }));
}

// x' = y + f(x), y' = x: after one layer the old x stands in y.
TEST(Feistel, KeepsOneHalfAndMixesItIntoTheOther) {
  const IntegerPair start{.x = {1, 2, 3}, .y = {4, 5, 6}};
  IntegerPair pair = start;
  feistel_forwards(pair, 1, 7);
  EXPECT_EQ(pair.y, start.x);
  EXPECT_NE(pair.x, start.y);
  feistel_backwards(pair, 1, 7);
  EXPECT_EQ(pair, start);
}

// (y + f) - f differs from y by a rounding of each addition: 2^-53, 2^-24 and 2^-8 a layer, which the layers before it carry on.
TEST(Feistel, RecoversFloatsToTheirRoundings) {
  EXPECT_GT(float_round_trip_error(64, 32, 1, Width::bf16), 0x1p-10);
  EXPECT_LT(float_round_trip_error(64, 32, 1, Width::fp32), 1e-3);
  EXPECT_LT(float_round_trip_error(64, 32, 1, Width::fp64), 1e-12);
  EXPECT_GT(float_round_trip_error(64, 32, 1, Width::fp64), 0);
  for (const Width w : {Width::fp64, Width::fp32, Width::bf16}) EXPECT_EQ(float_round_trip_error(64, 0, 1, w), 0);
}

TEST(Feistel, LosesMoreTheNarrowerTheFormat) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const auto error = [&](Width w) { return float_round_trip_error(64, 40, seed, w); };
    EXPECT_LT(error(Width::fp64), error(Width::fp32));
    EXPECT_LT(error(Width::fp32), error(Width::bf16));
  }
}

// The lecture at 2:12:18: linear in the number of layers; nothing stored at all.
TEST(KeptActivations, GrowWithDepthUnlessLayersAreReversible) {
  EXPECT_EQ(kept_activations(Rebuild::none, depth(80)) / kept_activations(Rebuild::none, depth(4)), 20);
  EXPECT_EQ(kept_activations(Rebuild::reversible, depth(80)), kept_activations(Rebuild::reversible, depth(4)));
}

TEST(KeptActivations, AreFewestReversibleAndMostKept) {
  EXPECT_TRUE(rc::check([] {
    Depth d = depth(*rc::gen::inRange(2, 200));
    d.checkpoints = *rc::gen::inRange(1, static_cast<int>(d.layers) + 1);
    for (const Rebuild r : {Rebuild::checkpoints, Rebuild::every_layer})
      RC_ASSERT(kept_activations(Rebuild::reversible, d) <= kept_activations(r, d));
    RC_ASSERT(kept_activations(Rebuild::every_layer, d) < kept_activations(Rebuild::none, d));
    Depth segment = d;
    segment.checkpoints = 1;
    RC_ASSERT(kept_activations(Rebuild::checkpoints, segment) == kept_activations(Rebuild::every_layer, segment));
  }));
}

TEST(RebuildCompute, AddsAForwardPass) {
  EXPECT_EQ(rebuild_compute(Rebuild::none), 1);
  EXPECT_EQ(rebuild_compute(Rebuild::reversible), 4.0 / 3);
}

}  // namespace
}  // namespace fareline
