// SPDX-License-Identifier: Apache-2.0
#include "perf/balance.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "catalog/catalog.h"
#include "perf/compiled_plan.h"

namespace fareline {
namespace {

// The blackboard: a Blackwell rack of 72, 8 TB/s and 10 PFLOP/s each, and DeepSeek-V3 rounded as the lecture rounds it.
const Rooflines board{.total = 700e9, .active = 37e9, .element = 0.5 * unit::B, .peak = 72 * 10 * unit::PFLOP / unit::s,
                      .bandwidth = 72 * 8 * unit::TB / unit::s};

double positive(int most) { return *rc::gen::inRange(1, most); }

Rooflines any() {
  const double active = positive(1000) * 1e9;
  return {.total = active * (1 + positive(40) / 10), .active = active, .element = positive(16) / 4 * unit::B,
          .peak = positive(100000) * unit::TFLOP / unit::s, .bandwidth = positive(1000000) * unit::GB / unit::s};
}

TEST(Rooflines, AreThoseOfTheBlackboard) {
  EXPECT_NEAR(multiply_time(board, 2000).in(unit::ms), 2 * 2000 * 37e9 / 720e15 * 1e3, 1e-12);
  EXPECT_NEAR(weight_fetch_time(board).in(unit::ms), 350e9 / 576e12 * 1e3, 1e-12);
  EXPECT_NEAR(kv_fetch_time(board, 2000, 100000 * 2048 * unit::B).in(unit::ms), 2000 * 100000 * 2048.0 / 576e12 * 1e3, 1e-12);
  EXPECT_NEAR(hardware_ratio(989.4 * unit::TFLOP / unit::s, 2 * unit::B, 3.35 * unit::TB / unit::s), 295.34, 0.01);
  EXPECT_EQ(balanced_batch(300, 8), 2400);
  EXPECT_NEAR(effective_over_active(1.3e9, 370e6), 3.51351, 1e-5);
}

// A roofline's ridge is in FLOP a byte; the lecture counts multiplies (half of the FLOP) and parameters (b bytes).
TEST(RidgePoint, IsTheHardwareRatioInOtherUnits) {
  const FlopRate peak = 4.5 * unit::PFLOP / unit::s;
  const Bandwidth bandwidth = 8 * unit::TB / unit::s;
  EXPECT_NEAR(ridge_point(peak, bandwidth) / (unit::flop / unit::B), 562.5, 1e-9);
  EXPECT_NEAR(hardware_ratio(peak, 2 * unit::B, bandwidth), 562.5, 1e-9);
}

RC_GTEST_PROP(BalancedBatch, makes_weight_fetch_equal_to_multiply, ()) {
  const Rooflines r = any();
  const double batch = balanced_batch(hardware_ratio(r.peak, r.element, r.bandwidth), r.total / r.active);
  RC_ASSERT(std::abs(weight_fetch_time(r) / multiply_time(r, batch) - 1) < 1e-12);
}

RC_GTEST_PROP(BalancedBatch, grows_with_kv_and_makes_both_sides_equal, ()) {
  const Rooflines r = any();
  const Bytes read = positive(10000000) * unit::B;
  const auto with = balanced_batch_with_kv(r, read);
  const double without = balanced_batch(hardware_ratio(r.peak, r.element, r.bandwidth), r.total / r.active);
  if (!with) {
    RC_ASSERT(kv_fetch_time(r, 1, read) >= multiply_time(r, 1));
    return;
  }
  RC_ASSERT(*with >= without * (1 - 1e-12));
  RC_ASSERT(std::abs((weight_fetch_time(r) + kv_fetch_time(r, *with, read)) / multiply_time(r, *with) - 1) < 1e-6);
}

RC_GTEST_PROP(StepUtilisation, falls_with_context_and_rises_with_batch, ()) {
  const Rooflines r = any();
  const double batch = positive(5000);
  const Bytes read = positive(1000000000) * unit::B;
  const double here = step_utilisation(r, batch, read);
  RC_ASSERT(here > 0 && here <= 1);
  RC_ASSERT(step_utilisation(r, batch, 2 * read) <= here);
  RC_ASSERT(step_utilisation(r, 2 * batch, read) >= here * (1 - 1e-12));
}

// Where KV fetch alone equals compute, twice the context halves the utilisation of a large batch.
TEST(StepUtilisation, IsHalfAtTwiceTheBalancedContext) {
  const Bytes read = 2 * board.active * unit::flop / board.peak * board.bandwidth;
  EXPECT_NEAR(step_utilisation(board, 1e12, read), 1, 1e-6);
  EXPECT_NEAR(step_utilisation(board, 1e12, 2 * read), 0.5, 1e-6);
}

TEST(TokensRead, GrowAsTheRootOrNotAtAll) {
  EXPECT_EQ(tokens_read(Reading::dense, 5000, 0), 5000);
  EXPECT_EQ(tokens_read(Reading::sliding, 5000, 4096), 4096);
  EXPECT_EQ(tokens_read(Reading::sliding, 500, 4096), 500);
  EXPECT_EQ(tokens_read(Reading::selected, 1e6, 2048), 2048);
  EXPECT_NEAR(tokens_read(Reading::square_root, 1e6, 0) / tokens_read(Reading::square_root, 1e4, 0), 10, 1e-12);
  EXPECT_EQ(tokens_read(Reading::square_root, 1, 0), 1);
}

// The same bytes as an independent path counts: the compiled plan's, of one sequence on one rank.
TEST(ContextWork, ReadsWhatACompiledPassReads) {
  const Catalogue& catalogue = Catalogue::built_in();
  const System system = *catalogue.system("gb200-nvl72");
  const Calibration ideal = *catalogue.calibration("ideal");
  for (const char* name : {"meta-llama/Llama-3.1-70B", "deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3.2", "openai/gpt-oss-120b",
                           "google/gemma-3-27b-it", "Qwen/Qwen3-Next-80B-A3B"}) {
    const Model model = *catalogue.model(name);
    const auto plan = compile(model, system, ideal, Plan{});
    ASSERT_TRUE(plan.has_value()) << name;
    for (const double context : {1000.0, 100000.0}) {
      const PassEstimate pass = plan->estimate({.decode_sequences = 1, .decode_context = context});
      EXPECT_NEAR(context_work(model, model.precision.kv, context + 1, false).read / pass.kv, 1, 0.01) << name << " " << context;
    }
  }
}

TEST(ContextWork, GrowsWithContext) {
  const Catalogue& catalogue = Catalogue::built_in();
  for (const std::string& name : catalogue.model_names()) {
    const Model model = *catalogue.model(name);
    const ContextWork near = context_work(model, model.precision.kv, 10000, false),
                      far = context_work(model, model.precision.kv, 1e6, false);
    EXPECT_LE(near.read, far.read) << name;
    EXPECT_LE(near.flop, far.flop) << name;
  }
}

// Llama-3.1-405B: 126 layers of 128 heads of 128; N / (2 L h d).
TEST(QuadraticOnset, OfAModelIsThatOfItsDimensions) {
  const Model model = *Catalogue::built_in().model("meta-llama/Meta-Llama-3.1-405B");
  const double active = static_cast<double>(count_parameters(model).active);
  const auto onset = quadratic_onset(model, active);
  ASSERT_TRUE(onset.has_value());
  EXPECT_NEAR(*onset / quadratic_onset(active, 126, 128, 128), 1, 1e-9);
  EXPECT_NEAR(*onset, 98300, 500);  // 405.85e9 / (2 x 126 x 128 x 128)
}

TEST(QuadraticOnset, IsNotMetByStates) {
  Model model = *Catalogue::built_in().model("Qwen/Qwen3-Next-80B-A3B");
  std::erase_if(model.order, [&](int kind) { return model.kinds[static_cast<std::size_t>(kind)].attention.kind != AttentionKind::linear; });
  EXPECT_FALSE(quadratic_onset(model, 3e9).has_value());
}

}  // namespace
}  // namespace fareline
