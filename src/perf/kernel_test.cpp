// SPDX-License-Identifier: Apache-2.0
#include "perf/kernel.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "catalog/catalog.h"
#include "perf/compiled_plan.h"
#include "perf/kernel_operators.h"

namespace fareline {
namespace {

System h100() { return *Catalogue::built_in().system("hgx-h100"); }
Calibration named(const char* name) { return *Catalogue::built_in().calibration(name); }

// 2 m n k FLOP and n k + m (n + k) elements of two bytes, m and n whole tiles.
TEST(KernelTime, OfAnIdealProductIsTheLongerRoofline) {
  const System system = h100();
  const Calibration ideal = named("ideal");
  const Operator op = product_operator(
      {system, ideal}, "product", {.inputs = 4096, .outputs = 8192, .elements = 4096.0 * 8192, .weights = 2 * 4096.0 * 8192 * unit::B});
  for (const double m : {64.0, 8192.0}) {
    const KernelWork work = work_of(op, {.attention_tokens = m});
    const Seconds compute = 2 * m * 4096 * 8192 * unit::flop / system.chip.peak[static_cast<std::size_t>(Format::bf16)].value;
    const Seconds memory = 2 * (4096.0 * 8192 + m * (4096 + 8192)) * unit::B / system.chip.hbm_bandwidth.value;
    EXPECT_NEAR(kernel_time(op.pace, work).total(work) / max(compute, memory), 1, 1e-12) << m;
  }
}

TEST(KernelTime, AddsWhatACalibrationStatesTermByTerm) {
  const System system = h100();
  const Efficiency efficiency{.peak_share = 0.5, .bandwidth_share = 0.8, .latency = 3 * unit::us, .serial_share = 0.25,
                              .item_time = 132 * unit::us, .depth_time = 2 * unit::ns, .depth_most = 100, .softmax_dims = 3};
  const KernelPace pace = kernel_pace(efficiency, system.chip, Format::bf16);
  const KernelWork work{.launches = 2, .executed = 989 * unit::GFLOP, .softmax = 98.9 * unit::GFLOP, .weights = 2.68 * unit::GB,
                        .items = 7, .depth = 500};
  // 2 launches of 3 us, 7 items of 132 us over 132 cores, 100 of 500 steps of 2 ns: 6 + 7 + 0.2 us. (989 + 3 * 98.9) GFLOP at half of
  // 989 TFLOP/s: 2.6 ms. 2.68 GB at 0.8 of 3.35 TB/s: 1 ms, of which a quarter shows.
  EXPECT_NEAR(kernel_time(pace, work).total(work).in(unit::us), 13.2 + 2600 + 250, 1e-6);
  // An engine that keeps half of launches, items and chains.
  const KernelPace half = kernel_pace(efficiency, system.chip, Format::bf16, EngineOverhead{.launch_share = 0.5});
  EXPECT_NEAR(kernel_time(half, work).total(work).in(unit::us), 6.6 + 2600 + 250, 1e-6);
}

RC_GTEST_PROP(KernelTime, NeverUndercutsFlopAndBytesAndGrowsWithBoth, ()) {
  const auto share = [] { return *rc::gen::inRange(1, 101) / 100.0; };
  const Efficiency efficiency{.peak_share = share(), .bandwidth_share = share(), .latency = *rc::gen::inRange(0, 50) * unit::us,
                              .serial_share = share(), .item_time = *rc::gen::inRange(0, 9) * unit::us};
  const System system = h100();
  const KernelPace pace = kernel_pace(efficiency, system.chip, Format::bf16);
  const auto time = [&](double flop, double bytes) {
    const KernelWork work{.launches = 1, .flops = flop * unit::flop, .executed = flop * unit::flop, .weights = bytes * unit::B, .items = 3};
    return kernel_time(pace, work).total(work);
  };
  const double flop = *rc::gen::inRange(0, 1'000'000) * 1e6, bytes = *rc::gen::inRange(0, 1'000'000) * 1e3;
  RC_ASSERT(time(flop, bytes) >= flop * unit::flop / system.chip.peak[static_cast<std::size_t>(Format::bf16)].value);
  RC_ASSERT(time(flop, bytes) >= bytes * unit::B / system.chip.hbm_bandwidth.value);
  RC_ASSERT(time(2 * flop, bytes) >= time(flop, bytes));
  RC_ASSERT(time(flop, 2 * bytes) >= time(flop, bytes));
}

TEST(ExpectedRouting, TouchesWhatOccupancySaysAndLoadsTheSlowestRankAboveTheMean) {
  const System system = h100();
  const Calibration calibration = named("default");
  for (const double skew : {0.0, 0.7}) {
    const Operator op = experts_operator({system, calibration}, {.experts = 64, .active = 4, .ranks = 8, .hidden = 512, .width = 256,
                                                                 .elements = 3 * 512.0 * 256, .skew = skew});
    for (const double tokens : {1.0, 16.0, 1000.0}) {
      const Routing routing = expected_routing(op, tokens);
      EXPECT_NEAR(routing.touched, 8 * touched_share(tokens, 64, 4, skew), 1e-9);
      EXPECT_GE(routing.pairs, tokens * 4 / 8);
      EXPECT_LE(routing.pairs, tokens * 4);
      EXPECT_GE(routing.tiled, routing.pairs);
    }
  }
}

TEST(Work, OfAKernelWithNothingToDoHasNoLaunch) {
  const System system = h100();
  const Calibration calibration = named("default");
  std::vector<Operator> operators;
  attention_operators({system, calibration}, {.kind = AttentionKind::full, .heads = 8, .kv_heads = 8, .qk_dim = 128, .v_dim = 128}, 1, 1,
                      Format::bf16, operators);
  ASSERT_EQ(operators.size(), 2u);
  EXPECT_EQ(work_of(operators[0], {.prefill_sequences = 1, .prefill_tokens = 5}).launches, 0) << "decode, without decoding sequences";
  EXPECT_EQ(work_of(operators[1], {.decode_sequences = 1, .decode_context = 5}).launches, 0) << "prefill, without prompts";
  EXPECT_EQ(work_of(elementwise_operator({system, calibration}, "vectors", 1 * unit::B, 1), {}).launches, 0);
}

}  // namespace
}  // namespace fareline
