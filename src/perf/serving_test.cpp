// SPDX-License-Identifier: Apache-2.0
#include "perf/serving.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/scenes.h"

namespace fareline {
namespace {

using namespace test;

// Llama-3.1-70B on an HGX H100 with kernels that are no blackboard's: launches, half the peak, a step's overhead.
struct Bench {
  Model model = *Catalogue::built_in().model("meta-llama/Meta-Llama-3.1-70B");
  System system = *Catalogue::built_in().system("hgx-h100");
  Calibration calibration = rough();
  Plan plan{.tp = 8};
  CompiledPlan compiled = *compile(model, system, calibration, plan);
  Workload workload{.prompt = {.longest = 4096}, .output = {.longest = 512}};
  MemoryUse memory() const { return memory_use(model, system, plan, workload.prompt.mean() + workload.output.mean()); }

  static Calibration rough() {
    Calibration c = ideal();
    for (auto& kernel : c.kernels)
      kernel.fill({.peak_share = 0.6,
                   .bandwidth_share = 0.8,
                   .latency = 3 * unit::us,
                   .serial_share = 0.1,
                   .tile = 64,
                   .peer_latency = 0.3 * unit::us});
    c.engine = {.step = 2 * unit::ms, .sequence = 20 * unit::us};
    return c;
  }
};

Workload any_workload() {
  Workload w;
  w.prompt = {.longest = static_cast<double>(*rc::gen::inRange(1, 20'000)), .shortest = *rc::gen::element(1.0, 0.8, 0.2)};
  w.output = {.longest = static_cast<double>(*rc::gen::inRange(1, 3'000)), .shortest = *rc::gen::element(1.0, 0.8)};
  w.cached = *rc::gen::element(0.0, 0.0, 0.5, 0.95);
  return w;
}

Speculation any_speculation() {
  if (*rc::gen::inRange(0, 3)) return {};
  const double draft = *rc::gen::inRange(1, 6);
  return {.draft = draft, .yield = any_between(1, draft + 1), .by_mtp = *rc::gen::element(true, false)};
}

void hold_to_floors(const Serving& s) {
  RC_ASSERT(at_least(s.ttft.value, s.ttft.floor));
  RC_ASSERT(at_least(s.tpot.value, s.tpot.floor));
  RC_ASSERT(at_least(s.rate_ceiling, s.rate));
  RC_ASSERT(s.rate > Frequency{});
  RC_ASSERT(std::isfinite(s.rate.coherent()));
  RC_ASSERT(std::isfinite(s.ttft.value.coherent()));
  RC_ASSERT(std::isfinite(s.tpot.value.coherent()));
  RC_ASSERT(s.queueing >= -1e-9 * s.ttft.value);
  RC_ASSERT(s.prefill_time >= Seconds{});
  RC_ASSERT(s.prefix_time >= Seconds{});
  RC_ASSERT(s.decode_time >= Seconds{});
  RC_ASSERT(s.prefill_time + s.prefix_time + s.decode_time > Seconds{});
  RC_ASSERT(s.decoding <= s.resident_limit * (1 + 1e-9));
}

TEST(Serving, NeverUndercutsItsFloors) {
  int answered[4] = {};
  EXPECT_TRUE(rc::check([&] {
    Scene s = any_scene();
    const auto plan = compile(s.model, s.system, s.calibration, s.plan);
    if (!plan) return;
    const Workload w = any_workload();
    const Speculation speculation = any_speculation();
    MemoryUse memory = memory_use(s.model, s.system, s.plan, w.prompt.mean() + w.output.mean());
    if (memory.left() < Bytes{})
      memory.budget = memory.budget - memory.left() + 100 * memory.sequence + 1 * unit::GB;  // as if more memory were there
    const double users = *rc::gen::element(1.0, 2.0, 5.0, 40.0, 1000.0);
    if (const auto closed = closed_loop(*plan, memory, w, speculation, users)) {
      ++answered[0];
      hold_to_floors(*closed);
      if (const auto open = open_loop(*plan, memory, w, speculation, any_between(0.05, 0.95) * closed->rate)) {
        ++answered[1];
        hold_to_floors(*open);
      }
    }
    if (const auto fixed = fixed_batch(*plan, memory, w, speculation, users)) {
      ++answered[2];
      hold_to_floors(*fixed);
    }
    Plan pool = s.plan;
    pool.replicas = *rc::gen::inRange(1, 5);
    const CompiledPlan front = *compile(s.model, s.system, s.calibration, pool);
    const bool by_rate = *rc::gen::arbitrary<bool>();
    const auto apart =
        disaggregated(front, *plan, memory, s.model, s.system, w, speculation, by_rate ? 0 : users, by_rate ? 0.01 / unit::s : Frequency{});
    if (apart) {
      ++answered[3];
      hold_to_floors(*apart);
    }
  }));
  for (const int count : answered) EXPECT_GT(count, 10);
}

TEST(ClosedLoop, ObeysLittlesLaw) {
  EXPECT_TRUE(rc::check([] {
    Scene s = any_scene();
    const auto plan = compile(s.model, s.system, s.calibration, s.plan);
    if (!plan) return;
    const Workload w = any_workload();
    const MemoryUse memory = memory_use(s.model, s.system, s.plan, w.prompt.mean() + w.output.mean());
    const double users = s.plan.replicas * *rc::gen::element(1.0, 2.0, 5.0, 40.0, 300.0);
    const auto answer = closed_loop(*plan, memory, w, {}, users);
    if (!answer) return;
    const double outputs = std::max(w.output.mean() - 1, 1.0);
    const double present = answer->rate * (answer->ttft.value + outputs * answer->tpot.value);
    RC_ASSERT(std::abs(present / users - 1) < 1e-3);
  }));
}

TEST(OpenLoop, ObeysLittlesLaw) {
  const Bench b;
  for (const double share : {0.01, 0.3, 0.7}) {
    const Frequency rate = share * closed_loop(b.compiled, b.memory(), b.workload, {}, 64)->rate;
    const Serving s = *open_loop(b.compiled, b.memory(), b.workload, {}, rate);
    EXPECT_NEAR(s.decoding / (rate * 511 * s.tpot.value), 1, 1e-6);
    EXPECT_NEAR(s.concurrency / (rate * (s.ttft.value + 511 * s.tpot.value)), 1, 1e-6);
  }
}

TEST(ClosedLoop, OfOneUserIsPrefillAndThenDecodeStepsByHand) {
  const Bench b;
  const Serving s = *closed_loop(b.compiled, b.memory(), b.workload, {}, 1);
  const Seconds prefill = b.compiled.estimate({.prefill_sequences = 1, .prefill_tokens = 4096}).time;
  const Seconds step = b.compiled.estimate({.decode_sequences = 1, .decode_context = 4096 + 256}).time;
  EXPECT_NEAR(s.ttft.value / prefill, 1, 1e-6);
  EXPECT_NEAR(s.tpot.value / step, 1, 1e-6);
  EXPECT_NEAR(1 / s.rate / (prefill + 511 * step), 1, 1e-6);
  EXPECT_NEAR(s.queueing.in(unit::us), 0, 1e-2);
  EXPECT_NEAR((s.prefill_time + s.decode_time) * s.rate, 1, 1e-6);
  EXPECT_NEAR(s.prefill_time / prefill, 1, 1e-6);
}

TEST(ClosedLoop, OfOneUserAndOneTokenIsPrefillAlone) {
  for (const int pp : {1, 4}) {
    Bench b;
    b.plan = {.tp = 2, .pp = pp};
    b.compiled = *compile(b.model, b.system, b.calibration, b.plan);
    b.workload.output = {.longest = 1};
    MemoryUse memory = b.memory();
    memory.budget = 100 * memory.budget;
    const Serving s = *closed_loop(b.compiled, memory, b.workload, {}, 1);
    const Seconds prefill = b.compiled.estimate({.prefill_sequences = 1, .prefill_tokens = 4096}).time;
    EXPECT_NEAR(s.ttft.value / prefill, 1, 1e-9) << pp;
    EXPECT_NEAR(1 / s.rate / prefill, 1, 1e-9) << pp;
    EXPECT_EQ(s.tpot.value, Seconds{});
  }
}

TEST(ClosedLoop, OfAOneTokenPromptIsDecodingAndOneStep) {
  Bench b;
  b.workload.prompt = {.longest = 1};
  const Serving s = *closed_loop(b.compiled, b.memory(), b.workload, {}, 1);
  const Seconds first = b.compiled.estimate({.prefill_sequences = 1, .prefill_tokens = 1}).time;
  const Seconds step = b.compiled.estimate({.decode_sequences = 1, .decode_context = 1 + 256}).time;
  EXPECT_NEAR(first / step, 1, 0.02);
  EXPECT_NEAR(1 / s.rate / (first + 511 * step), 1, 1e-6);
}

TEST(ClosedLoop, ServesMoreWithMoreUsersUntilMemoryIsFull) {
  const Bench b;
  Frequency rate{};
  Seconds tpot{};
  bool full = false;
  for (double users = 1; users <= 4096; users *= 2) {
    const Serving s = *closed_loop(b.compiled, b.memory(), b.workload, {}, users);
    EXPECT_TRUE(at_least(s.rate, 0.99 * rate)) << users;  // a batch that has just begun another tile of 64 rows loses a little
    EXPECT_TRUE(at_least(s.tpot.value, (1 - 1e-6) * tpot)) << users;
    EXPECT_LE(s.admitted, s.resident_limit);
    if (full) {
      EXPECT_NEAR(s.rate / rate, 1, 1e-3) << users;  // the others wait outside
    }
    full = users >= s.resident_limit;
    rate = s.rate;
    tpot = s.tpot.value;
  }
  EXPECT_TRUE(full);
}

TEST(ClosedLoop, SharesItsUsersEvenlyOverReplicas) {
  const Bench b;
  Plan twice = b.plan;
  twice.replicas = 2;
  const CompiledPlan two = *compile(b.model, b.system, b.calibration, twice);
  const Serving one = *closed_loop(b.compiled, b.memory(), b.workload, {}, 20), both = *closed_loop(two, b.memory(), b.workload, {}, 40);
  EXPECT_NEAR(both.rate / one.rate, 2, 1e-9);
  EXPECT_NEAR(both.tpot.value / one.tpot.value, 1, 1e-9);
}

TEST(ClosedLoop, DecodesSlowerWithLongerContext) {
  Bench b;
  Seconds before{};
  for (const double prompt : {256.0, 1024.0, 4096.0, 16384.0}) {
    b.workload.prompt = {.longest = prompt};
    const Seconds tpot = closed_loop(b.compiled, b.memory(), b.workload, {}, 8)->tpot.value;
    EXPECT_GT(tpot, before) << prompt;
    before = tpot;
  }
}

TEST(ClosedLoop, IsQuickerWithACachedPrefix) {
  Bench b;
  const Serving fresh = *closed_loop(b.compiled, b.memory(), b.workload, {}, 16);
  b.workload.cached = 0.8;
  const Serving cached = *closed_loop(b.compiled, b.memory(), b.workload, {}, 16);
  EXPECT_LT(cached.ttft.value, fresh.ttft.value);
  EXPECT_GT(cached.rate, fresh.rate);
  EXPECT_GT(cached.prefix_time, Seconds{});
  EXPECT_LT(cached.prefix_time, cached.prefill_time);
}

TEST(OpenLoop, AtTheClosedLoopsRateHasItsBatchAndPace) {
  const Bench b;
  for (const double users : {16.0, 48.0, 96.0}) {
    const Serving closed = *closed_loop(b.compiled, b.memory(), b.workload, {}, users);
    const auto open = open_loop(b.compiled, b.memory(), b.workload, {}, closed.rate);
    ASSERT_TRUE(open) << users;
    // A Poisson arrival meets everybody, a user of a closed loop everybody but himself: 1/C of the load apart, more near saturation.
    EXPECT_GT(open->decoding, closed.decoding);
    EXPECT_NEAR(open->decoding / closed.decoding, 1, 0.05) << users;
    EXPECT_NEAR(open->tpot.value / closed.tpot.value, 1, 0.05) << users;
  }
}

TEST(OpenLoop, AtATrickleIsOneUserAlone) {
  const Bench b;
  const Serving alone = *closed_loop(b.compiled, b.memory(), b.workload, {}, 1),
                trickle = *open_loop(b.compiled, b.memory(), b.workload, {}, 1e-4 * alone.rate);
  // A tile of 64 rows is begun for the decoding token that is seldom there: 64 in 4,096.
  EXPECT_NEAR(trickle.ttft.value / alone.ttft.value, 1, 64.0 / 4096);
  EXPECT_NEAR(trickle.tpot.value / alone.tpot.value, 1, 1e-3);
  // Idle time is shared in proportion to work: the split is that of the busy engine.
  EXPECT_NEAR(trickle.prefill_time / trickle.decode_time / (alone.prefill_time / alone.decode_time), 1, 64.0 / 4096);
}

TEST(OpenLoop, RefusesMoreThanItsCapacityAndSaysHowMuchThatIs) {
  const Bench b;
  const auto refused = open_loop(b.compiled, b.memory(), b.workload, {}, 1000 / unit::s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().constraint, Infeasible::Constraint::rate);
  EXPECT_EQ(refused.error().needed, 1000);
  const double capacity = refused.error().available;
  EXPECT_TRUE(open_loop(b.compiled, b.memory(), b.workload, {}, 0.98 * capacity / unit::s));
  EXPECT_FALSE(open_loop(b.compiled, b.memory(), b.workload, {}, 1.02 * capacity / unit::s));
}

TEST(FixedBatch, IsTheClosedLoopOfItsUsers) {
  const Bench b;
  for (const double batch : {1.0, 4.0, 32.0, 100.0}) {
    const Serving fixed = *fixed_batch(b.compiled, b.memory(), b.workload, {}, batch);
    EXPECT_EQ(fixed.decoding, batch);
    EXPECT_GT(fixed.concurrency, batch);
    const auto closed = closed_loop(b.compiled, b.memory(), b.workload, {}, fixed.concurrency);
    ASSERT_TRUE(closed);
    EXPECT_NEAR(closed->decoding / batch, 1, 1e-6) << batch;
    EXPECT_NEAR(closed->tpot.value / fixed.tpot.value, 1, 1e-6) << batch;
    EXPECT_NEAR(closed->ttft.value / fixed.ttft.value, 1, 1e-5) << batch;
    EXPECT_NEAR(closed->rate / fixed.rate, 1, 1e-6) << batch;
  }
}

TEST(FixedBatch, RefusesMoreThanMemoryHolds) {
  const Bench b;
  const double limit = most_sequences(b.memory(), b.plan);
  EXPECT_TRUE(fixed_batch(b.compiled, b.memory(), b.workload, {}, limit));
  const auto refused = fixed_batch(b.compiled, b.memory(), b.workload, {}, limit + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().constraint, Infeasible::Constraint::memory);
  EXPECT_GT(refused.error().needed, refused.error().available);
}

TEST(Speculation, OfFreeAndAlwaysAcceptedDraftsSavesSteps) {
  const Bench b;
  const Serving plain = *closed_loop(b.compiled, b.memory(), b.workload, {}, 1),
                drafted = *closed_loop(b.compiled, b.memory(), b.workload, {.draft = 3, .yield = 4}, 1);
  // A quarter of the steps, each a little longer: at batch 1 four tokens cost about what one does.
  EXPECT_LT(drafted.tpot.value, plain.tpot.value / 3);
  EXPECT_GT(drafted.tpot.value, plain.tpot.value / 4.001);
  const Serving wasted = *closed_loop(b.compiled, b.memory(), b.workload, {.draft = 3, .yield = 1}, 1);
  EXPECT_GT(wasted.tpot.value, plain.tpot.value);
}

TEST(Disaggregated, AddsPrefillTransferAndDecodeUp) {
  const Bench b;
  const Serving s = *disaggregated(b.compiled, b.compiled, b.memory(), b.model, b.system, b.workload, {}, 1, {});
  const Seconds prefill = b.compiled.estimate({.prefill_sequences = 1, .prefill_tokens = 4096}).time;
  const Seconds step = b.compiled.estimate({.decode_sequences = 1, .decode_context = 4096 + 256}).time;
  // 4,096 tokens of 327,680 B over eight ports of 50 GB/s.
  const Seconds transfer = 4096 * 327'680.0 / (8 * 50e9) * unit::s + b.system.scale_out.latency.value;
  EXPECT_NEAR(s.ttft.value / (prefill + transfer), 1, 1e-6);
  EXPECT_NEAR(s.tpot.value / step, 1, 1e-6);
  EXPECT_NEAR(1 / s.rate / (prefill + transfer + 511 * step), 1, 1e-6);
  EXPECT_EQ(s.prefill_share, 0.5);
}

TEST(Disaggregated, KeepsPrefillsOutOfTheStepsOfOthers) {
  const Bench b;
  const Serving together = *closed_loop(b.compiled, b.memory(), b.workload, {}, 64);
  const Serving apart = *disaggregated(b.compiled, b.compiled, b.memory(), b.model, b.system, b.workload, {}, 0, together.rate / 2);
  EXPECT_LT(apart.tpot.value, together.tpot.value);
  EXPECT_NEAR(apart.decoding / (apart.rate * 511 * apart.tpot.value), 1, 1e-6);  // Little's law of the decode pool
}

TEST(Disaggregated, RefusesMoreThanItsPrefillPoolTakes) {
  const Bench b;
  const auto refused = disaggregated(b.compiled, b.compiled, b.memory(), b.model, b.system, b.workload, {}, 0, 1000 / unit::s);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().constraint, Infeasible::Constraint::rate);
  const Seconds prefill = b.compiled.estimate({.prefill_sequences = 1, .prefill_tokens = 4096}).stage_time;
  EXPECT_NEAR(refused.error().available * prefill.in(unit::s), 1, 1e-9);
}

}  // namespace
}  // namespace fareline
