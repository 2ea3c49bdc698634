// SPDX-License-Identifier: Apache-2.0
#include "perf/context.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace fareline {
namespace {

// A Blackwell rack of 72 and DeepSeek-V3 rounded, as perf/balance_test.cpp has it.
const Rooflines board{.total = 700e9, .active = 37e9, .element = 0.5 * unit::B, .peak = 72 * 10 * unit::PFLOP / unit::s,
                      .bandwidth = 72 * 8 * unit::TB / unit::s};
constexpr Bytes rack = 72 * 192 * unit::GB;

SequenceLoad load(Bytes kept) { return {.kept = kept, .work = {.read = kept, .flop = {}}}; }

double positive(int most) { return *rc::gen::inRange(1, most); }

// 13.824 TB less 350 GB of weights hold 65,791.0 sequences of 204.8 MB.
TEST(SequencesThatFit, ShareWhatWeightsLeave) {
  EXPECT_NEAR(sequences_that_fit(board, rack, 204.8 * unit::MB), (13824e9 - 350e9) / 204.8e6, 1e-6);
  EXPECT_EQ(sequences_that_fit(board, 300 * unit::GB, 1 * unit::B), 0);
  EXPECT_TRUE(std::isinf(sequences_that_fit(board, rack, Bytes{})));
}

// The lecture's step: 607.6 us of weights, 0.35556 us of KV a sequence. In 20 ms fit (20 - 0.6076) / 0.00035556 of them.
TEST(LargestBatch, KeepsThePaceAndFits) {
  const double batch = largest_batch(board, rack, load(204.8 * unit::MB), 20 * unit::ms);
  EXPECT_NEAR(batch, (20e-3 - 350e9 / 576e12) / (204.8e6 / 576e12), 1e-6);
  EXPECT_NEAR(decode_step_time(board, batch, load(204.8 * unit::MB).work).in(unit::ms), 20, 1e-9);
  EXPECT_NEAR(largest_batch(board, 351 * unit::GB, load(204.8 * unit::MB), 20 * unit::ms), 1e9 / 204.8e6, 1e-9);
  EXPECT_EQ(largest_batch(board, rack, load(204.8 * unit::MB), 0.1 * unit::ms), 1);
}

TEST(SystemsForOne, AreWhatASequenceIsSpreadOver) {
  EXPECT_EQ(systems_for_one(board, 1000 * unit::GB, 650 * unit::GB), 1);
  EXPECT_EQ(systems_for_one(board, 1000 * unit::GB, 651 * unit::GB), 2);
  EXPECT_EQ(systems_for_one(board, 350 * unit::GB, 1 * unit::B), 0);
}

// At 300 multiplies a parameter fetched, 100e9 active parameters of a byte and 200,000 tokens: 1,667 B, the lecture at 1:37:18.
TEST(BalancedKv, IsTheLectures) {
  EXPECT_NEAR(balanced_kv(100e9, 1 * unit::B, 300, 200e3) * unit::token / unit::B, 100e9 / (300 * 200e3), 1e-9);
}

TEST(KvOfHeads, IsTheLectures) { EXPECT_EQ(kv_of_heads(1, 8, 128, 1 * unit::B) * unit::token / unit::B, 2048); }

// The i-th of n tokens is read by n - i passes after its own; counted out.
RC_GTEST_PROP(Participation, is_counted_pass_by_pass, ()) {
  const int n = *rc::gen::inRange(1, 300);
  double read = 0;
  for (int token = 1; token <= n; ++token)
    for (int pass = 1; pass <= n; ++pass) read += pass > token;
  RC_ASSERT(std::abs(participation(n) - read / n / n) < 1e-12);
}

// A constant attention is its own mean; one that grows linearly, half of the last: midpoints are exact for it.
TEST(PromptTime, SumsAttentionOverTheTokens) {
  const auto linear = [](double context) { return context * unit::GFLOP; };
  EXPECT_NEAR(prompt_time(board, 1000, linear).in(unit::s), (2 * 37e9 * 1000 + 1e9 * 1000 * 1000 / 2) / 720e15, 1e-15);
  EXPECT_NEAR(prompt_time(board, 1000, [](double) { return Flops{}; }).in(unit::s), 2 * 37e9 * 1000 / 720e15, 1e-18);
}

RC_GTEST_PROP(DecodeTime, of_a_token_never_falls_with_what_is_kept, ()) {
  const Bytes kept = positive(1000000) * unit::MB, more = kept + positive(1000000) * unit::MB;
  const Seconds pace = positive(100) * unit::ms;
  RC_ASSERT(decode_time_of_token(board, rack, load(kept), pace) <= decode_time_of_token(board, rack, load(more), pace) * (1 + 1e-12));
}

RC_GTEST_PROP(DecodePace, is_kept_where_weights_and_one_sequence_can_be_read_in_it, ()) {
  const Bytes kept = positive(1000000) * unit::MB;
  const Seconds pace = positive(100) * unit::ms;
  if (systems_for_one(board, rack, kept) > 1 || weight_fetch_time(board) + kv_fetch_time(board, 1, kept) > pace) return;
  RC_ASSERT(decode_pace(board, rack, load(kept), pace) <= pace * (1 + 1e-12));
}

// Spread over S systems of the same kind, one sequence costs what S systems ask while they read it together.
TEST(DecodeTime, OfASequenceTooLargeIsOfAllSystemsItTakes) {
  const Bytes kept = 2 * (rack - 350 * unit::GB);
  const Seconds together = (2 * 350 * unit::GB + kept) / board.bandwidth;
  EXPECT_NEAR(decode_time_of_token(board, rack, load(kept), 20 * unit::ms) / together, 1, 1e-12);
  EXPECT_NEAR(decode_pace(board, rack, load(kept), 20 * unit::ms) / (together / 2), 1, 1e-12);
}

}  // namespace
}  // namespace fareline
