// SPDX-License-Identifier: Apache-2.0
#include "perf/operators.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace fareline {
namespace {

// Positions, 1-based, that token `position` sees under `reach`, itself among them, one by one.
int visible(const Reach& reach, int position) {
  int seen = 0;
  for (int key = 1; key <= position; ++key) {
    const bool in_window = reach.window <= 0 || position - key < reach.window;
    const bool in_chunk =
        reach.window <= 0 || (key - 1) / static_cast<int>(reach.window) == (position - 1) / static_cast<int>(reach.window);
    seen += reach.kind == AttentionKind::chunked ? in_chunk : in_window;
  }
  return reach.topk > 0 ? std::min(seen, static_cast<int>(reach.topk)) : seen;
}

Reach any_reach() {
  const int window = *rc::gen::inRange(1, 40);
  switch (*rc::gen::inRange(0, 4)) {
    case 0: return {};
    case 1: return {.kind = AttentionKind::sliding, .window = static_cast<double>(window)};
    case 2: return {.kind = AttentionKind::chunked, .window = static_cast<double>(window)};
    default: return {.kind = AttentionKind::mla, .topk = static_cast<double>(window)};
  }
}

TEST(AttendedPairs, EqualsASumOverTokensForEveryReach) {
  EXPECT_TRUE(rc::check([] {
    const Reach reach = any_reach();
    const int before = *rc::gen::inRange(0, 120), fresh = *rc::gen::inRange(0, 120);
    int pairs = 0;
    for (int token = before + 1; token <= before + fresh; ++token) pairs += visible(reach, token);
    RC_ASSERT(attended_pairs(reach, before, fresh) == pairs);
  }));
}

TEST(AttendedPairs, OfPooledEntriesEqualsASumOverTokens) {
  EXPECT_TRUE(rc::check([] {
    const double pool = *rc::gen::inRange(2, 9), window = *rc::gen::inRange(0, 20), most = *rc::gen::element(0.0, 3.0, 10.0);
    const Reach reach{.window = window, .topk = most, .compress = pool};
    const int before = *rc::gen::inRange(0, 100), fresh = *rc::gen::inRange(1, 100);
    double pairs = 0;
    for (int token = before + 1; token <= before + fresh; ++token)
      pairs += (most > 0 ? std::min(token / pool, most) : token / pool) + std::min(static_cast<double>(token), window);
    // Within a token of where the selection fills up: the sum in closed form turns between whole tokens.
    RC_ASSERT(std::abs(attended_pairs(reach, before, fresh) - pairs) <= 1e-9 * pairs + 1);
  }));
}

TEST(AttendedPairs, OfOneTokenIsWhatItAttendsTo) {
  EXPECT_TRUE(rc::check([] {
    const Reach reach = any_reach();
    if (reach.kind == AttentionKind::chunked) return;  // attended() gives the mean over a chunk there
    const int before = *rc::gen::inRange(0, 500);
    RC_ASSERT(attended(reach, before + 1) == attended_pairs(reach, before, 1));
  }));
}

TEST(AttendedPairs, OfAChunkAveragesToWhatAttendedSays) {
  const Reach reach{.kind = AttentionKind::chunked, .window = 8192};
  EXPECT_EQ(attended_pairs(reach, 3 * 8192, 8192) / 8192, attended(reach, 30'000));
}

TEST(EntriesRead, CountsEveryEntryAnyNewTokenSeesOnce) {
  EXPECT_TRUE(rc::check([] {
    Reach reach = any_reach();
    if (reach.topk > 0) return;  // the union of selections is bounded by the context, which is what is read
    const int before = *rc::gen::inRange(0, 120), fresh = *rc::gen::inRange(1, 120);
    if (reach.kind == AttentionKind::chunked && before % static_cast<int>(reach.window) == 0) return;
    std::set<int> keys;
    for (int token = before + 1; token <= before + fresh; ++token)
      for (int key = 1; key <= token; ++key) {
        const bool in_window = reach.window <= 0 || token - key < reach.window;
        const bool in_chunk =
            reach.window <= 0 || (key - 1) / static_cast<int>(reach.window) == (token - 1) / static_cast<int>(reach.window);
        if (reach.kind == AttentionKind::chunked ? in_chunk : in_window) keys.insert(key);
      }
    const double read = entries_read(reach, before, fresh), seen = static_cast<double>(keys.size());
    // A window of w reaches w - 1 entries behind the first new token; one entry of slack is the formula's.
    RC_ASSERT(read >= seen);
    RC_ASSERT(read <= seen + 1);
  }));
}

TEST(OperatorRows, StandInTheOrderOfTheirKinds) {
  for (std::size_t i = 0; i < operator_rows.size(); ++i)
    EXPECT_EQ(static_cast<std::size_t>(operator_rows[i].kind), i) << operator_rows[i].name;
  std::set<std::string_view> names;
  for (const OperatorRow& r : operator_rows) {
    names.insert(r.name);
    EXPECT_FALSE(r.equation.empty() || r.source.empty() || r.assumes.empty() || r.summary.empty()) << r.name;
  }
  EXPECT_EQ(names.size(), operator_rows.size());
}

}  // namespace
}  // namespace fareline
