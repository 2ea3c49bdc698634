// SPDX-License-Identifier: Apache-2.0
#include "plot/axis.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace fareline::plot {
namespace {

Axis axis_of(Scale scale) { return {.label = "x", .unit = counted("requests"), .scale = scale}; }

Range random_range(Scale scale) {
  const double low = *rc::gen::inRange(1, 1'000'000) * 1e-3;
  const double span = *rc::gen::inRange(1, 1'000'000) * 1e-2;
  if (scale == Scale::linear) return {low - 500, low - 500 + span};
  return {low, low * (1 + span)};
}

class EveryScale : public testing::TestWithParam<Scale> {};
INSTANTIATE_TEST_SUITE_P(Axis, EveryScale, testing::Values(Scale::linear, Scale::log2, Scale::log10));

TEST_P(EveryScale, ticks_ascend_lie_in_the_range_are_few_and_read_differently) {
  const Scale scale = GetParam();
  EXPECT_TRUE(rc::check([scale] {
    const Range range = random_range(scale);
    const int most = *rc::gen::inRange(2, 14);
    const auto ticks = major_ticks(axis_of(scale), range, most);
    RC_ASSERT(static_cast<int>(ticks.size()) <= most);
    std::set<std::string> texts;
    for (std::size_t i = 0; i < ticks.size(); ++i) {
      RC_ASSERT(position(scale, range, ticks[i].value) > -1e-6);
      RC_ASSERT(position(scale, range, ticks[i].value) < 1 + 1e-6);
      if (i > 0) RC_ASSERT(ticks[i - 1].value < ticks[i].value);
      RC_ASSERT(texts.insert(ticks[i].text).second);
    }
  }));
}

TEST_P(EveryScale, ticks_leave_no_part_of_the_range_bare) {
  const Scale scale = GetParam();
  EXPECT_TRUE(rc::check([scale] {
    const Range range = random_range(scale);
    const auto ticks = major_ticks(axis_of(scale), range, 8);
    RC_ASSERT(ticks.size() >= 2);
    double last = 0;
    for (const Tick& tick : ticks) {
      RC_ASSERT(position(scale, range, tick.value) - last < 0.72);
      last = position(scale, range, tick.value);
    }
    RC_ASSERT(1 - last < 0.72);
  }));
}

TEST_P(EveryScale, minor_lines_lie_in_the_range_and_not_on_a_major_one) {
  const Scale scale = GetParam();
  EXPECT_TRUE(rc::check([scale] {
    const Range range = random_range(scale);
    const auto major = major_ticks(axis_of(scale), range, 8);
    for (const Tick& minor : minor_ticks(axis_of(scale), range, major)) {
      RC_ASSERT(minor.text.empty());
      RC_ASSERT(position(scale, range, minor.value) > -1e-6 && position(scale, range, minor.value) < 1 + 1e-6);
      for (const Tick& tick : major) RC_ASSERT(std::fabs(position(scale, range, tick.value) - position(scale, range, minor.value)) > 1e-9);
    }
  }));
}

TEST_P(EveryScale, the_range_found_holds_every_value) {
  const Scale scale = GetParam();
  EXPECT_TRUE(rc::check([scale] {
    const auto counts = *rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 1'000'000));
    std::vector<double> values(counts.begin(), counts.end());
    for (const Ends ends : {Ends::round, Ends::tight}) {
      const auto range = resolved_range(axis_of(scale), values, ends);
      RC_ASSERT(range.has_value());
      RC_ASSERT(range->low < range->high);
      for (const double v : values) RC_ASSERT(position(scale, *range, v) >= -1e-9 && position(scale, *range, v) <= 1 + 1e-9);
    }
  }));
}

TEST_P(EveryScale, an_infinite_value_is_refused_and_a_missing_one_is_passed_over) {
  const double values[] = {1, std::nan(""), 8};
  const auto range = resolved_range(axis_of(GetParam()), values, Ends::tight);
  ASSERT_TRUE(range);
  EXPECT_LE(range->low, 1);
  EXPECT_GE(range->high, 8);
  const double infinite[] = {1, HUGE_VAL};
  EXPECT_FALSE(resolved_range(axis_of(GetParam()), infinite));
}

TEST(Axis, a_linear_axis_ticks_at_multiples_of_one_two_or_five) {
  EXPECT_TRUE(rc::check([] {
    const Range range = random_range(Scale::linear);
    const auto ticks = major_ticks(axis_of(Scale::linear), range, 8);
    RC_ASSERT(ticks.size() >= 2);
    const double apart = ticks[1].value - ticks[0].value;
    const double decade = std::pow(10.0, std::floor(std::log10(apart * (1 + 1e-6))));
    const double leading = std::round(apart / decade), step = leading * decade;
    RC_ASSERT(leading == 1 || leading == 2 || leading == 5);
    for (const Tick& t : ticks) RC_ASSERT(std::fabs(t.value / step - std::round(t.value / step)) < 1e-6);
  }));
}

TEST(Axis, a_batch_axis_ticks_at_powers_of_two) {
  const auto ticks = major_ticks(axis_of(Scale::log2), {1, 4096}, 16);
  ASSERT_EQ(ticks.size(), 13u);
  for (int n = 0; n <= 12; ++n) EXPECT_EQ(ticks[static_cast<std::size_t>(n)].value, std::ldexp(1.0, n));
}

TEST(Axis, tick_texts_are_in_the_unit_and_carry_prefixes_where_there_is_none) {
  const Axis time{.label = "Time", .unit = unit_of("ms", unit::ms)};
  EXPECT_EQ(tick_text(time, 0.02), "20");
  EXPECT_EQ(tick_text(axis_of(Scale::linear), 2e6), "2M");
  EXPECT_EQ(tick_text(axis_of(Scale::log2), 131072), "128Ki");
  EXPECT_EQ(tick_text(axis_of(Scale::log2), 4096), "4,096");
  EXPECT_EQ(value_text(unit_of("ms", unit::ms), 0.0123), "12.3 ms");
  EXPECT_EQ(value_text(per_cent(), 0.123), "12.3%");
}

TEST(Axis, the_title_names_the_unit_and_explains_binary_prefixes) {
  EXPECT_EQ(axis_title({.label = "Time", .unit = unit_of("ms", unit::ms)}, {}), "Time (ms)");
  EXPECT_EQ(axis_title({.label = "Rate", .unit = {"", 1, Bandwidth::dim}}, {}), "Rate (B/s)");
  const Axis context{.label = "Context", .unit = counted("tokens"), .scale = Scale::log2};
  EXPECT_EQ(axis_title(context, major_ticks(context, {1024, 131072}, 8)), "Context (tokens, Ki = 1,024)");
}

TEST(Axis, the_fitting_unit_is_the_one_that_text_would_use) {
  EXPECT_EQ(fitting_unit(Seconds::dim, 0.02).name, "ms");
  EXPECT_DOUBLE_EQ(fitting_unit(Seconds::dim, 0.02).factor, 1e-3);
  EXPECT_EQ(fitting_unit(TokenPrice::dim, 3e-6).name, "USD/Mtok");
  EXPECT_EQ(fitting_unit(Frequency::dim, 50).name, "/s");
  EXPECT_EQ(fitting_unit(Seconds::dim, 5 * 86400.0).name, "days");
  EXPECT_DOUBLE_EQ(fitting_unit(Seconds::dim, 5 * 86400.0).factor, 86400);
}

TEST(Axis, a_log_axis_refuses_what_is_not_positive) {
  for (const Scale scale : {Scale::log2, Scale::log10}) {
    for (const double bad : {0.0, -3.0}) {
      const double values[] = {1, bad};
      const auto range = resolved_range(axis_of(scale), values);
      ASSERT_FALSE(range);
      EXPECT_NE(range.error().line().find("log axis"), std::string::npos);
      Axis axis = axis_of(scale);
      axis.range = Range{bad, 10};
      EXPECT_FALSE(resolved_range(axis, {}));
    }
  }
}

TEST(Axis, a_range_that_is_given_is_kept_and_an_empty_one_is_refused) {
  Axis axis = axis_of(Scale::linear);
  axis.range = Range{3, 7};
  const double values[] = {1, 100};
  EXPECT_EQ(resolved_range(axis, values)->low, 3);
  EXPECT_EQ(resolved_range(axis, values)->high, 7);
  axis.range = Range{7, 7};
  EXPECT_FALSE(resolved_range(axis, values));
}

TEST(Axis, a_column_of_quantities_keeps_its_dimension) {
  const Values values(std::vector<Seconds>{2 * unit::ms, 1 * unit::minute});
  EXPECT_EQ(values.dim, Seconds::dim);
  EXPECT_DOUBLE_EQ(values.coherent[1], 60);
}

}  // namespace
}  // namespace fareline::plot
