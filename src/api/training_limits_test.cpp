// SPDX-License-Identifier: Apache-2.0
// Limits and monotonicities of the questions on pipelines, memory, a model's life and reversible layers.
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "api/asked.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;

double value(const Json& answered, const std::string& path) {
  RC_ASSERT(answered.contains("answer"));
  return answered["answer"].at(Json::json_pointer("/" + path))["value"];
}

RC_GTEST_PROP(Pipeline, KeepsAStageBusyFromTheFewestMicroBatchesOn, ()) {
  const int stages = *rc::gen::inRange(2, 40), hop = *rc::gen::inRange(0, 40);
  const Json inputs{{"pass", "decode"}, {"stages", stages}, {"pass_time", "20 ms"}, {"hop", fmt::format("{} ms", hop / 10.0)}};
  const int fewest = static_cast<int>(value(asked("pipeline", inputs), "fewest_micro_batches"));
  RC_ASSERT(fewest >= stages);
  const auto busy = [&](int m) { return value(asked("pipeline", test::with(inputs, {{"micro_batches", m}})), "utilisation"); };
  RC_ASSERT(std::abs(busy(fewest) - 1) < 1e-12);
  if (fewest > 1) RC_ASSERT(busy(fewest - 1) < 1);
}

RC_GTEST_PROP(Pipeline, IdlesAsTheStagesBehindTheFirstOverAllMicroBatches, ()) {
  const int stages = *rc::gen::inRange(2, 12), m = stages * *rc::gen::inRange(2, 20);
  const Json answer = asked("pipeline", {{"stages", stages}, {"micro_batches", m}});
  // GPipe's (P - 1) / (m + P - 1): Huang et al. 2019, section 2.3.
  RC_ASSERT(std::abs(value(answer, "schedules/0/idle") - (stages - 1.0) / (m + stages - 1)) < 1e-9);
  RC_ASSERT(value(answer, "schedules/1/activations") <= value(answer, "schedules/0/activations"));
}

RC_GTEST_PROP(Lifetime, TrainsLongerAndSmallerForMoreServed, ()) {
  const double active = std::floor(std::pow(10.0, *rc::gen::inRange(95, 115) / 10.0));
  const int rate = *rc::gen::inRange(1, 100);
  const auto life = [&](int megatokens) {
    return asked("lifetime",
                 {{"active_parameters", active}, {"pretraining", "20 Ttok"}, {"serve_rate", fmt::format("{} Mtok/s", megatokens)}});
  };
  const Json less = life(rate), more = life(2 * rate);
  RC_ASSERT(std::abs(value(more, "served") / value(less, "served") - 2) < 1e-12);
  RC_ASSERT(std::abs(value(more, "equal_costs/pretraining") / value(less, "equal_costs/pretraining") - 2) < 1e-12);
  RC_ASSERT(value(more, "least/parameters") < value(less, "least/parameters"));
  RC_ASSERT(value(more, "least/tokens") > value(less, "least/tokens"));
  RC_ASSERT(value(more, "least/total") > value(less, "least/total"));
}

RC_GTEST_PROP(Lifetime, ComesToTheComputeOptimumWhereNobodyIsServed, ()) {
  const double active = std::floor(std::pow(10.0, *rc::gen::inRange(90, 115) / 10.0));
  const Json life = asked("lifetime", {{"active_parameters", active}, {"pretraining", "10 Ttok"}, {"serve_rate", "1e-3 tok/s"}});
  RC_ASSERT(std::abs(value(life, "least/tokens") / value(life, "least/law_optimal_tokens") - 1) < 1e-3);
}

RC_GTEST_PROP(Capacity, DividesWeightsByChipsAndKvByExpertChipsAlone, ()) {
  const int chips = *rc::gen::inRange(1, 100), stages = *rc::gen::inRange(1, 30), context = 1024 * *rc::gen::inRange(1, 200);
  const Json inputs{{"total_parameters", 1e12}, {"bytes_per_parameter", "1 B"}, {"expert_chips", chips}, {"stages", stages},
                    {"kv_per_token", "2048 B/tok"}, {"context", context}, {"sequences", 16}};
  const Json answer = asked("capacity", inputs);
  RC_ASSERT(std::abs(value(answer, "chip/weights") * chips * stages / 1e12 - 1) < 1e-12);
  RC_ASSERT(std::abs(value(answer, "chip/kv") * chips / (16 * 2048.0 * context) - 1) < 1e-12);
  const Json longer = asked("capacity", test::with(inputs, {{"context", 2 * context}}));
  RC_ASSERT(std::abs(value(longer, "chip/kv") / value(answer, "chip/kv") - 2) < 1e-12);
}

RC_GTEST_PROP(Capacity, AsksMoreOfATokenWhereMemoryIsDearer, ()) {
  const int share = *rc::gen::inRange(1, 40);
  const auto priced = [&](int percent) {
    return asked("capacity", {{"model", "deepseek-ai/DeepSeek-V3"}, {"system", "gb200-nvl72"}, {"context", 65536}, {"sequences", 64},
                              {"hbm_share", percent / 100.0}});
  };
  const Json cheap = priced(share), dear = priced(2 * share);
  // Half of the memory saves more where it is dearer.
  const auto half = [](const Json& answer) {
    const Json& points = answer["answer"]["price_of_memory"]["points"];
    for (const Json& point : points)
      if (std::abs(point["memory"]["value"].get<double>() / points.back()["memory"]["value"].get<double>()) < 0.3)
        return point["rate"]["value"].get<double>();
    return 0.0;
  };
  RC_ASSERT(half(dear) < half(cheap));
}

RC_GTEST_PROP(Reversible, KeepsTheSameAtAnyDepthAndTheRestGrows, ()) {
  const int layers = 4 * *rc::gen::inRange(2, 60), hidden = 64 * *rc::gen::inRange(1, 200);
  const Json shallow = asked("reversible", {{"layers", layers}, {"hidden", hidden}}),
             deep = asked("reversible", {{"layers", 2 * layers}, {"hidden", hidden}});
  const auto kept = [](const Json& answer, int way) { return value(answer, fmt::format("ways/{}/activations", way)); };
  RC_ASSERT(std::abs(kept(deep, 0) / kept(shallow, 0) - 2) < 1e-12);
  RC_ASSERT(kept(deep, 1) > kept(shallow, 1) && kept(deep, 1) < kept(deep, 0));
  RC_ASSERT(kept(deep, 3) == kept(shallow, 3));
  RC_ASSERT(value(deep, "round_trip/integers") == 0);
}

}  // namespace
}  // namespace fareline
