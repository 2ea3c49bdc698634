// SPDX-License-Identifier: Apache-2.0
#include "units/error.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fareline {
namespace {

const std::vector<std::string> chips{"h100-sxm", "h100-pcie", "h200-sxm", "b200", "mi300x", "tpu-v5e", "tpu-v5p"};

TEST(Error, LineIsWhereThenWhatThenRemedy) {
  EXPECT_EQ((Error{"h100.json: hbm", "\"3350\" has no unit", "write e.g. \"80 GB\""}).line(),
            "h100.json: hbm: \"3350\" has no unit; write e.g. \"80 GB\"");
}

TEST(Error, LineLeavesOutWhatIsEmpty) {
  EXPECT_EQ((Error{"", "nothing was asked", ""}).line(), "nothing was asked");
  EXPECT_EQ((Error{"--tp", "is zero", ""}).line(), "--tp: is zero");
  EXPECT_EQ((Error{"", "is zero", "write 1"}).line(), "is zero; write 1");
}

TEST(Error, WithinPutsTheOuterPlaceFirst) {
  EXPECT_EQ((Error{"bandwidth", "is negative", ""}).within("hbm").within("h100.json").line(), "h100.json: hbm: bandwidth: is negative");
  EXPECT_EQ((Error{"", "is negative", ""}).within("hbm").line(), "hbm: is negative");
}

TEST(NearestNames, FindsATypingMistakeWithoutRegardToCase) {
  EXPECT_EQ(nearest_names("H100-SXN", chips), "did you mean h100-sxm, h200-sxm?");
  EXPECT_EQ(nearest_names("MI300", chips), "did you mean mi300x?");
}

TEST(NearestNames, FindsThePartOfANameBestFirstAndAtMostThree) {
  EXPECT_EQ(nearest_names("h100", chips), "did you mean h100-pcie, h100-sxm?");
  EXPECT_EQ(nearest_names("tpu-v5", chips), "did you mean tpu-v5e, tpu-v5p?");
  const std::vector<std::string> many{"llama-1", "llama-2", "llama-3", "llama-4"};
  EXPECT_EQ(nearest_names("llama", many), "did you mean llama-1, llama-2, llama-3?");
}

TEST(NearestNames, PutsTheExactNameBeforeAPart) {
  const std::vector<std::string> names{"a100-40g", "a100", "za100"};
  EXPECT_EQ(nearest_names("a100", names).substr(0, 19), "did you mean a100, ");
}

TEST(NearestNames, SaysNothingWhereNothingIsNear) {
  EXPECT_EQ(nearest_names("cerebras", chips), "");
  EXPECT_EQ(nearest_names("h100", {}), "");
  EXPECT_EQ(nearest_names("", chips), "");
}

TEST(NearestNames, TakesNoNoticeOfTheTailOfAHugeName) { EXPECT_EQ(nearest_names(std::string(10'000'000, 'x'), chips), ""); }

TEST(InQuotes, KeepsWhatCanBeRead) {
  EXPECT_EQ(in_quotes("3.35 TB/s"), "\"3.35 TB/s\"");
  EXPECT_EQ(in_quotes(""), "\"\"");
  EXPECT_EQ(in_quotes("5 \u00B5s \u20AC \U0001F600"), "\"5 \u00B5s \u20AC \U0001F600\"");
}

TEST(InQuotes, StaysOnOneLineAndShort) {
  EXPECT_EQ(in_quotes("a\nb\tc\x7F"), "\"a?b?c?\"");
  EXPECT_EQ(in_quotes(std::string(60, 'x')), "\"" + std::string(60, 'x') + "\"");
  EXPECT_EQ(in_quotes(std::string(61, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

TEST(InQuotes, ReplacesBrokenUtf8) {
  EXPECT_EQ(in_quotes("\xFFok"), "\"?ok\"");
  EXPECT_EQ(in_quotes("cut \xE2\x82"), "\"cut ??\"") << "the third byte is missing";
  EXPECT_EQ(in_quotes("\xC0\xAF"), "\"??\"") << "an overlong slash";
  EXPECT_EQ(in_quotes("\xED\xA0\x80"), "\"???\"") << "a surrogate";
  EXPECT_EQ(in_quotes("\xF4\x90\x80\x80"), "\"????\"") << "above U+10FFFF";
}

TEST(CheckDeathTest, NamesTheConditionAndThePlace) {
  EXPECT_DEATH(FARELINE_CHECK(1 + 1 == 3), "bug at .*error_test.cpp:[0-9]+: 1 \\+ 1 == 3 does not hold");
}

}  // namespace
}  // namespace fareline
