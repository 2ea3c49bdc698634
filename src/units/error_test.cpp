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

TEST(NearestNames, TakesNoNoticeOfTheTailOfAHugeName) {
  EXPECT_EQ(nearest_names(std::string(10'000'000, 'x'), chips), "");
}

TEST(CheckDeathTest, NamesTheConditionAndThePlace) {
  EXPECT_DEATH(FARELINE_CHECK(1 + 1 == 3), "bug at .*error_test.cpp:[0-9]+: 1 \\+ 1 == 3 does not hold");
}

}  // namespace
}  // namespace fareline
