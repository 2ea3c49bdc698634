// SPDX-License-Identifier: Apache-2.0
#include "perf/memory.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/scenes.h"

namespace fareline {
namespace {

using namespace test;

const Model& llama() {
  static const Model model = *Catalogue::built_in().model("meta-llama/Meta-Llama-3.1-70B");
  return model;
}
const Model& deepseek() {
  static const Model model = *Catalogue::built_in().model("deepseek-ai/DeepSeek-V3");
  return model;
}
const System& hgx() {
  static const System system = *Catalogue::built_in().system("hgx-h100");
  return system;
}

TEST(Memory, AddsUpToItsBudget) {
  EXPECT_TRUE(rc::check([] {
    const Scene s = any_scene();
    if (!compile(s.model, s.system, s.calibration, s.plan)) return;
    const MemoryUse use = memory_use(s.model, s.system, s.plan, *rc::gen::inRange(1, 100'000));
    const Bytes parts = use.weights + use.activations + use.collectives + use.reserve + use.left();
    RC_ASSERT(std::abs(parts / use.budget - 1) < 1e-9);
    RC_ASSERT(use.budget <= use.usable);
    RC_ASSERT(use.usable <= use.physical);
    RC_ASSERT(use.state <= use.sequence);
    RC_ASSERT(use.weights > Bytes{});
  }));
}

TEST(Memory, HoldsWhatTheWholeModelIsOverItsRanks) {
  const double parameters = static_cast<double>(count_parameters(llama()).total);
  for (const int tp : {1, 2, 4, 8}) {
    const double whole = tp * memory_use(llama(), hgx(), {.tp = tp}, 1).weights.in(unit::B);
    const double norms = (2 * 80 + 1) * 8192;  // whole on every rank
    EXPECT_NEAR(whole / (2 * (parameters + (tp - 1) * norms)), 1, 1e-12) << tp;
  }
}

TEST(Memory, KeepsRunsOfPages) {
  const Plan plan{.tp = 8, .page_tokens = 64};
  const Bytes one = memory_use(llama(), hgx(), plan, 1).sequence;
  EXPECT_EQ(one, memory_use(llama(), hgx(), plan, 64).sequence);
  EXPECT_EQ(2 * one, memory_use(llama(), hgx(), plan, 65).sequence);
  EXPECT_NEAR(one.in(unit::B), 64 * 327'680.0 / 8, 1e-6);
}

TEST(Memory, GivesTheLastStageOfSevenOverEightyLayersItsDue) {
  // 80 = 7 * 11 + 3: some stages hold twelve layers, and the fullest sets the room.
  const MemoryUse use = memory_use(llama(), hgx(), {.pp = 7}, 16);
  EXPECT_NEAR(use.sequence.in(unit::B), 12.0 / 80 * 16 * 327'680, 1e-6);
  const double layer = 2 * (8192.0 * (8192 + 2 * 1024) + 8192.0 * 8192 + 3.0 * 8192 * 28672 + 2 * 8192);
  EXPECT_GE(use.weights.in(unit::B), 12 * layer);
  EXPECT_LE(use.weights.in(unit::B), 12 * layer + 2.0 * 8192 * 128256 + 1e6);  // with an embedding at most
}

TEST(Capacity, GrowsWithTensorParallelismAndWithNarrowerFormats) {
  double before = 0;
  for (const int tp : {2, 4, 8}) {
    const Plan plan{.tp = tp};
    const double tokens = kv_capacity_tokens(llama(), memory_use(llama(), hgx(), plan, 4096), plan);
    EXPECT_GT(tokens, before) << tp;
    before = tokens;
  }
  const Plan wide{.tp = 4}, narrow_kv{.tp = 4, .kv = Format::fp8}, narrow{.tp = 4, .weights = Format::fp8, .kv = Format::fp8};
  const auto tokens = [](const Plan& plan) { return kv_capacity_tokens(llama(), memory_use(llama(), hgx(), plan, 4096), plan); };
  EXPECT_NEAR(tokens(narrow_kv) / tokens(wide), 2, 1e-3);
  EXPECT_GT(tokens(narrow), tokens(narrow_kv));
}

TEST(Capacity, IsNeverMoreThanTheBudgetHolds) {
  EXPECT_TRUE(rc::check([] {
    const Scene s = any_scene();
    if (!compile(s.model, s.system, s.calibration, s.plan)) return;
    const MemoryUse use = memory_use(s.model, s.system, s.plan, 1000);
    const double sequences = most_sequences(use, s.plan) / s.plan.dp;
    if (sequences < 0) {
      RC_ASSERT(use.left() < Bytes{});
    } else if (use.sequence > Bytes{}) {
      RC_ASSERT(sequences * use.sequence <= use.left());
      RC_ASSERT((sequences + 1) * use.sequence > use.left());
    }
    const double tokens = kv_capacity_tokens(s.model, use, s.plan) / s.plan.dp;
    RC_ASSERT(std::fmod(tokens, s.plan.page_tokens) == 0);
  }));
}

TEST(Capacity, OfLatentsDoesNotGrowWithTensorParallelismButWithGroups) {
  // Every tensor-parallel rank keeps the whole latent: eight ranks hold one copy eight times; eight groups hold eight.
  const System nvl = *Catalogue::built_in().system("gb200-nvl72");
  const Plan ranks{.tp = 16, .ep = 16}, groups{.ep = 16, .dp = 16};
  const MemoryUse a = memory_use(deepseek(), nvl, ranks, 4096), b = memory_use(deepseek(), nvl, groups, 4096);
  EXPECT_EQ(a.sequence, b.sequence);
  EXPECT_GT(most_sequences(b, groups), 8 * most_sequences(a, ranks));
}

TEST(SequenceBytes, AddsUpPerToken) {
  EXPECT_NEAR(sequence_bytes(llama(), Format::bf16, 1000).in(unit::B), 1000 * 327'680.0, 1e-3);
  EXPECT_NEAR(sequence_bytes(deepseek(), Format::bf16, 1000).in(unit::B), 1000 * 70'272.0, 1e-3);
  EXPECT_EQ(sequence_bytes(llama(), Format::bf16, 0), Bytes{});
}

TEST(SequenceBytes, AgreeWithWhatTheRanksOfOneReplicaHold) {
  EXPECT_TRUE(rc::check([] {
    const Model& model = all_models()[static_cast<std::size_t>(*rc::gen::inRange(0, static_cast<int>(all_models().size())))];
    const double context = 16 * *rc::gen::inRange(1, 1000);
    const Bytes one = memory_use(model, hgx(), {.kv = Format::bf16}, context).sequence;
    RC_ASSERT(std::abs(one / sequence_bytes(model, Format::bf16, context) - 1) < 1e-12);
  }));
}

}  // namespace
}  // namespace fareline
