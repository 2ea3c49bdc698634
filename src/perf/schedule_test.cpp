// SPDX-License-Identifier: Apache-2.0
#include "perf/schedule.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fareline {
namespace {

// Whole ticks, so that every sum is exact and formulas hold to the last bit.
Seconds tick(int n) { return n * unit::s; }

struct Case {
  PipelineShape shape;
  PieceTimes times;
};

// A shape the schedule takes.
Case drawn(ScheduleKind kind, bool alike) {
  const int half = *rc::gen::inRange(1, 7), stages = kind == ScheduleKind::dualpipe ? 2 * half : *rc::gen::inRange(1, 11);
  const int chunks = kind == ScheduleKind::interleaved ? *rc::gen::inRange(2, 5) : 1;
  const int groups = *rc::gen::inRange(2, 6);
  const int more = kind == ScheduleKind::interleaved ? 0 : 2 * *rc::gen::inRange(0, 5);
  const int f = chunks * *rc::gen::inRange(1, 9), b = alike ? f : chunks * *rc::gen::inRange(1, 9),
            w = alike ? f : chunks * *rc::gen::inRange(1, 9);
  return {{.stages = stages, .micro_batches = groups * stages + more, .chunks = chunks, .rounds = *rc::gen::inRange(1, 6)},
          {tick(2 * f), tick(2 * b), tick(2 * w), tick(2 * (f + b + w)), Seconds{}}};
}

TEST(Schedules, TakeWhatTheirFormulaSaysToTheLastBitWhereItIsExact) {
  EXPECT_TRUE(rc::check([] {
    for (const ScheduleRow& row : schedules()) {
      const auto [shape, times] = drawn(row.kind, *rc::gen::arbitrary<bool>());
      RC_ASSERT(row.refuses(shape).empty());
      const Simulated run = simulate(row.kind, shape, times);
      RC_ASSERT(run.complete);
      if (row.exact(shape, times)) RC_ASSERT(run.bubble == row.bubble(shape, times));
    }
  }));
}

TEST(Schedules, StayWithinTheirStatedApproximationElsewhere) {
  EXPECT_TRUE(rc::check([] {
    for (const ScheduleRow& row : schedules()) {
      const auto [shape, t] = drawn(row.kind, false);
      const Simulated run = simulate(row.kind, shape, t);
      const Seconds longest = max(t.forward, max(t.input_gradient, t.weight_gradient));
      const Seconds spread = longest - min(t.forward, min(t.input_gradient, t.weight_gradient));
      const Seconds off = row.bubble(shape, t) - run.bubble;
      RC_ASSERT(max(off, -1 * off) <= (shape.stages - 1) * spread);
    }
  }));
}

TEST(Schedules, HoldTheActivationsTheirFormulaSays) {
  EXPECT_TRUE(rc::check([] {
    for (const ScheduleRow& row : schedules()) {
      const auto [shape, times] = drawn(row.kind, true);
      RC_ASSERT(simulate(row.kind, shape, times).activations == row.activations(shape));
    }
  }));
}

// What a graph of dependencies means, checked piece by piece, apart from how it was run.
TEST(Schedules, DoEveryPieceOnceAfterWhatItNeeds) {
  EXPECT_TRUE(rc::check([] {
    for (const ScheduleRow& row : schedules()) {
      auto [shape, times] = drawn(row.kind, false);
      times.hop = tick(*rc::gen::inRange(0, 4));
      const Simulated run = simulate(row.kind, shape, times, true);
      RC_ASSERT(run.complete);
      const int p = shape.stages;
      const int lanes = row.kind == ScheduleKind::interleaved                                  ? shape.chunks
                        : row.kind == ScheduleKind::zb_v || row.kind == ScheduleKind::dualpipe ? 2
                                                                                               : 1;
      // The place of a chunk in the way of its micro-batches.
      const auto place = [&](int device, int lane) {
        if (row.kind == ScheduleKind::interleaved) return lane * p + device;
        if (row.kind == ScheduleKind::zb_v) return lane == 0 ? device : 2 * p - 1 - device;
        return lane == 0 ? device : p - 1 - device;
      };
      const bool ways = row.kind == ScheduleKind::dualpipe;       // micro-batches of the two directions are not the same
      std::map<std::tuple<int, int, int, bool>, PieceSlot> done;  // way, micro-batch, place, backward
      std::vector<Seconds> free(static_cast<std::size_t>(p));
      int gradients = 0;
      for (const PieceSlot& s : run.slots) {
        RC_ASSERT(s.start >= free[static_cast<std::size_t>(s.device)]);
        free[static_cast<std::size_t>(s.device)] = s.end;
        const auto enter = [&](int lane, int micro_batch, bool back) {
          RC_ASSERT(done.emplace(std::tuple(ways ? lane : 0, micro_batch, place(s.device, lane), back), s).second);
        };
        const PieceKind k = s.piece.kind;
        if (k == PieceKind::forward || k == PieceKind::overlapped) enter(s.piece.chunk, s.piece.micro_batch, false);
        if (k == PieceKind::backward || k == PieceKind::input_gradient) enter(s.piece.chunk, s.piece.micro_batch, true);
        if (k == PieceKind::overlapped) enter(1 - s.piece.chunk, s.piece.second, true);
        gradients += k == PieceKind::weight_gradient || k == PieceKind::backward || k == PieceKind::overlapped;
      }
      const int last = (row.kind == ScheduleKind::dualpipe ? p : p * lanes) - 1;
      const bool trains = row.kind != ScheduleKind::decode;
      const int pieces = shape.micro_batches * (row.kind == ScheduleKind::dualpipe ? p : p * lanes) * (trains ? 1 : shape.rounds);
      RC_ASSERT(static_cast<int>(done.size()) == pieces * (trains ? 2 : 1));
      if (trains) RC_ASSERT(gradients == pieces);
      for (const auto& [key, slot] : done) {
        const auto& [way, micro_batch, at, back] = key;
        std::tuple<int, int, int, bool> before{way, micro_batch, at + (back ? 1 : -1), back};
        if (back && at == last) before = {way, micro_batch, at, false};
        if (!back && at == 0) {
          if (trains || micro_batch < shape.micro_batches) continue;
          before = {way, micro_batch - shape.micro_batches, last, false};
        }
        RC_ASSERT(done.contains(before));
        const PieceSlot& needed = done.at(before);
        RC_ASSERT(slot.start >= needed.end + (needed.device == slot.device ? Seconds{} : times.hop));
      }
    }
  }));
}

TEST(Schedules, NeverGetFasterWithLongerHops) {
  EXPECT_TRUE(rc::check([] {
    for (const ScheduleRow& row : schedules()) {
      auto [shape, times] = drawn(row.kind, false);
      const Simulated near = simulate(row.kind, shape, times);
      times.hop = tick(*rc::gen::inRange(1, 9));
      RC_ASSERT(simulate(row.kind, shape, times).time >= near.time);
    }
  }));
}

// The bubble as a share of the work, (p - 1)/m: Narayanan et al. 2021, section 2.2.1.
TEST(Schedules, WasteASmallerShareTheMoreMicroBatches) {
  for (const int m : {8, 16, 64}) {
    const PieceTimes t{tick(1), tick(1), tick(1), tick(3), {}};
    const Simulated run = simulate(ScheduleKind::one_f_one_b, {.stages = 8, .micro_batches = m}, t);
    EXPECT_EQ(run.bubble / (m * tick(3)), 7.0 / m);
  }
}

// 4 racks, one micro-batch: three quarters of the time each of them does nothing (the lecture at 57:22).
TEST(DecodePipeline, FillsWithAsManyMicroBatchesAsStages) {
  EXPECT_EQ(decode_pipeline({.stages = 4, .micro_batches = 1}, tick(5), {}).utilisation, 0.25);
  const DecodePipeline full = decode_pipeline({.stages = 4, .micro_batches = 4}, tick(5), {});
  EXPECT_EQ(full.utilisation, 1);
  EXPECT_EQ(full.token_time, full.alone);
  EXPECT_EQ(full.fewest, 4);
  EXPECT_EQ(decode_pipeline({.stages = 4, .micro_batches = 4}, tick(5), tick(5)).fewest, 8);
}

TEST(DecodePipeline, IsWhatTheGraphDoesInTheLongRun) {
  EXPECT_TRUE(rc::check([] {
    auto [shape, times] = drawn(ScheduleKind::decode, false);
    shape.micro_batches = *rc::gen::inRange(1, 30);
    times.hop = tick(*rc::gen::inRange(0, 9));
    shape.rounds = 40;
    const Seconds earlier = simulate(ScheduleKind::decode, shape, times).time;
    shape.rounds = 41;
    const Simulated run = simulate(ScheduleKind::decode, shape, times);
    RC_ASSERT(run.time - earlier == decode_pipeline(shape, times.forward, times.hop).token_time);
    RC_ASSERT(run.bubble == schedule_row(ScheduleKind::decode).bubble(shape, times));
  }));
}

TEST(ScaleOut, StopsBindingWithEnoughLayersAStage) {
  EXPECT_EQ(scale_up_over_scale_out(1.0 / 8, 8, 2, 2), 4);  // the lecture at 50:50
  EXPECT_EQ(scale_up_over_scale_out(1.0 / 8, 8, 0.5, 2), 1);
}

}  // namespace
}  // namespace fareline
