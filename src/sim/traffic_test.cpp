// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "sim/traffic_generated.h"
#include "sim/traffic_trace.h"
#include "units/text.h"

namespace fareline {
namespace {

std::vector<Request> all_of(Traffic& traffic) {
  std::vector<Request> all;
  while (auto request = traffic.next()) all.push_back(std::move(*request));
  return all;
}

// `text` as a trace that comes in pieces of `piece` bytes.
std::vector<Request> replayed(std::string_view text, std::size_t piece = 7, TraceChoice choice = {}) {
  auto trace = TraceTraffic::open("trace", std::make_unique<TextBytes>(text, piece), choice);
  if (!trace) {
    ADD_FAILURE() << trace.error().line();
    return {};
  }
  auto all = all_of(**trace);
  EXPECT_EQ((*trace)->failed(), nullptr) << (*trace)->failed()->line();
  return all;
}

std::string refused(std::string_view text, TraceChoice choice = {}) {
  auto trace = TraceTraffic::open("trace", std::make_unique<TextBytes>(text, 5), choice);
  if (!trace) return trace.error().line();
  all_of(**trace);
  if (const Error* error = (*trace)->failed()) return error->line();
  ADD_FAILURE() << "read: " << text;
  return {};
}

TEST(Draws, AreSplitMix64) {
  // The sequence of state 0: Vigna's splitmix64.c gives these for the first additions of the golden gamma.
  EXPECT_EQ(scrambled(golden_gamma), 0xe220a8397b1dcdafu);
  EXPECT_EQ(scrambled(2 * golden_gamma), 0x6e789e6aa1b965f4u);
  EXPECT_EQ(scrambled(1234567 + golden_gamma), 6457827717110365317u);
}

TEST(Draws, OfOnePurposeSayNothingAboutAnother) {
  // Correlation of n independent pairs has standard deviation 1 / sqrt(n).
  constexpr int n = 100000;
  double sum = 0;
  for (std::uint64_t i = 0; i < n; ++i)
    sum += (Draws(1, Purpose::prompt, i).uniform() - 0.5) * (Draws(1, Purpose::output, i).uniform() - 0.5) * 12;
  EXPECT_LT(std::abs(sum / n), 5 / std::sqrt(n));
}

struct Moments {
  double mean = 0, variance = 0;
};
template <class Draw>
Moments moments(int n, Draw draw) {
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = draw(static_cast<std::uint64_t>(i));
    sum += x, squares += x * x;
  }
  return {sum / n, squares / n - sum / n * sum / n};
}

TEST(Draws, HaveTheMomentsOfTheirLaws) {
  constexpr int n = 200000;
  const double root = std::sqrt(n);
  const auto normal = moments(n, [](std::uint64_t i) { return Draws(3, Purpose::prompt, i).normal(); });
  EXPECT_NEAR(normal.mean, 0, 5 / root);
  EXPECT_NEAR(normal.variance, 1, 5 * std::sqrt(2) / root);
  const auto gaps = moments(n, [](std::uint64_t i) { return Draws(3, Purpose::arrival, i).exponential_gap(); });
  EXPECT_NEAR(gaps.mean, 1, 5 / root);
  EXPECT_NEAR(gaps.variance, 1, 5 * std::sqrt(8) / root);  // the variance of a sample variance is (kurtosis - 1) / n = 8 / n
  for (const double shape : {0.3, 1.0, 4.0}) {
    // Mean 1, variance 1 / shape, kurtosis 3 + 6 / shape.
    const auto gamma = moments(n, [&](std::uint64_t i) { return Draws(3, Purpose::arrival, i).gamma_of_mean_one(shape); });
    EXPECT_NEAR(gamma.mean, 1, 5 / std::sqrt(shape) / root) << shape;
    EXPECT_NEAR(gamma.variance, 1 / shape, 5 / shape * std::sqrt(2 + 6 / shape) / root) << shape;
  }
}

TEST(LengthLaw, HasTheMeanItSaysAndTheMedianItIsGiven) {
  constexpr int n = 200000;
  for (const char* text : {"1024", "uniform:512,2048", "lognormal:1024,0.8"}) {
    const auto law = read_length_law(text);
    ASSERT_TRUE(law) << law.error().line();
    int below = 0;
    const auto drawn = moments(n, [&](std::uint64_t i) {
      Draws draws(5, Purpose::prompt, i);
      const auto length = law->draw(draws);
      below += length <= 1024;
      return static_cast<double>(length);
    });
    EXPECT_NEAR(drawn.mean, law->mean(), 5 * std::sqrt(drawn.variance / n) + 0.01) << text;
    if (law->kind == LengthLaw::Kind::lognormal) {
      EXPECT_NEAR(below / double(n), 0.5, 5 * 0.5 / std::sqrt(n));
      EXPECT_NEAR(law->mean(), 1024 * std::exp(0.32), 1e-6);
    }
  }
}

TEST(LengthLaw, RefusesWhatIsNoLaw) {
  for (const char* text :
       {"", "-5", "1.5", "uniform:9,3", "uniform:3", "lognormal:0,1", "lognormal:5,-1", "lognormal:5", "file:", "poisson:3", "uniform:0,4"})
    EXPECT_FALSE(read_length_law(text)) << text;
}

TEST(Arrivals, HaveTheirRateWhateverTheLaw) {
  for (const char* text : {"poisson", "gamma:0.25", "markov:4,0.1,30s", "diurnal:0.5,10min", "fixed"}) {
    const auto law = read_arrival_law(text);
    ASSERT_TRUE(law) << law.error().line();
    constexpr int n = 200000;
    Arrivals arrivals(*law, 40 / unit::s, 7);
    Seconds last{};
    for (int i = 0; i < n; ++i) {
      const Seconds now = arrivals.next();
      ASSERT_GE(now, last) << text;
      last = now;
    }
    // Gaps of variance 1 / burstiness; bursts add that of their phases (about 170 of 30 s and 270 s in 5,000 s).
    EXPECT_NEAR(n / last.in(unit::s), 40, law->kind == ArrivalLaw::Kind::markov ? 10 : 40 * 5 * 2 / std::sqrt(n)) << text;
  }
}

TEST(Arrivals, OfTwiceTheRateComeInHalfTheTime) {
  for (const char* text : {"poisson", "gamma:3", "fixed"}) {
    const auto law = *read_arrival_law(text);
    Arrivals slow(law, 10 / unit::s, 3), fast(law, 20 / unit::s, 3);
    for (int i = 0; i < 1000; ++i) EXPECT_NEAR(slow.next() / fast.next(), 2, 1e-12) << text;
  }
}

TEST(Arrivals, OfADayFollowItsProfile) {
  // Over the first half of a period the share of the arrivals is 1/2 + swing / pi, from the integral of 1 + swing sin.
  const auto law = *read_arrival_law("diurnal:0.8,1000s");
  Arrivals arrivals(law, 100 / unit::s, 11);
  int first = 0, all = 0;
  for (Seconds now = arrivals.next(); now < 1000.0 * unit::s; now = arrivals.next()) ++all, first += now < 500.0 * unit::s;
  EXPECT_NEAR(double(first) / all, 0.5 + 0.8 / std::acos(-1.0), 5 * 0.5 / std::sqrt(all));
}

TEST(Arrivals, InBurstsAreAsManyAsTheirShareAndRatioSay) {
  // Index of dispersion of counts over windows much longer than the phases: 1 + 2 rate (r_b - r_c)^2 p (1 - p) / (mean^2 (a + b)),
  // a and b the rates of leaving the phases (Fischer & Meier-Hellstern 1993, eq. 8, with the rates written as shares of the mean).
  const auto law = *read_arrival_law("markov:5,0.2,2s");
  constexpr double rate = 50, window = 200;
  Arrivals arrivals(law, rate / unit::s, 5);
  constexpr int windows = 2000;
  std::vector<double> counts(windows);
  for (Seconds now = arrivals.next(); now.in(unit::s) < windows * window; now = arrivals.next())
    ++counts[static_cast<std::size_t>(now.in(unit::s) / window)];
  const auto m = moments(windows, [&](std::uint64_t i) { return counts[i]; });
  const double calm = rate / (0.8 + 5 * 0.2), burst = 5 * calm, leave_burst = 1 / 2.0, leave_calm = 1 / 8.0;
  const double dispersion = 1 + 2 * (burst - calm) * (burst - calm) * 0.2 * 0.8 / (rate * (leave_burst + leave_calm));
  EXPECT_NEAR(m.variance / m.mean, dispersion, dispersion * 5 * std::sqrt(2.0 / windows) + dispersion * 0.02);
}

TEST(Arrivals, SineIsOdd) {
  for (double x = -3; x < 3; x += 0.01) EXPECT_NEAR(sine_of_turns(x), std::sin(2 * std::acos(-1.0) * x), 2e-15 * (1 + std::abs(x)) * 4);
}

TrafficLaw law_of(std::uint64_t requests) {
  return {.rate = 10 / unit::s, .prompt = *read_length_law("lognormal:1024,0.8"), .output = *read_length_law("lognormal:256,1.0"),
          .requests = requests, .seed = 9};
}

TEST(GeneratedTraffic, KeepsItsLengthsWhenTheRateChanges) {
  TrafficLaw law = law_of(500);
  GeneratedTraffic slow(law);
  law.rate = 1000 / unit::s;
  GeneratedTraffic fast(law);
  const auto a = all_of(slow), b = all_of(fast);
  ASSERT_EQ(a.size(), 500u);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].prompt, b[i].prompt);
    EXPECT_EQ(a[i].output, b[i].output);
  }
}

TEST(GeneratedTraffic, OfAClosedLoopHasEachUserWaitForHisAnswer) {
  TrafficLaw law = law_of(100);
  law.users = 4;
  law.think = 2.0 * unit::s;
  GeneratedTraffic traffic(law);
  auto waiting = all_of(traffic);
  ASSERT_EQ(waiting.size(), 4u);
  std::size_t seen = 4;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    const Seconds at = waiting[i].arrival + 1.0 * unit::s;
    if (auto next = traffic.answered(waiting[i].id, at)) {
      EXPECT_GE(next->arrival, at);
      EXPECT_EQ(next->id % 4, waiting[i].id % 4);  // the same user
      ++seen;
      waiting.push_back(std::move(*next));
    }
  }
  EXPECT_EQ(seen, 100u);
}

TEST(GeneratedTraffic, GivesATurnTheWholeConversationAndItsBlocks) {
  TrafficLaw law = law_of(64);
  law.turns = *read_length_law("4");
  law.shared = 1000;
  law.blocks = true;
  law.block_tokens = 64;
  GeneratedTraffic traffic(law);
  const Request first = *traffic.next(), other = *traffic.next();
  EXPECT_EQ(first.blocks.size(), static_cast<std::size_t>(first.prompt / 64));
  for (std::size_t i = 0; i < 1000 / 64; ++i) EXPECT_EQ(first.blocks[i], other.blocks[i]);
  EXPECT_NE(first.blocks[1000 / 64], other.blocks[1000 / 64]);
  Request turn = first;
  for (int k = 1; k < 4; ++k) {
    const auto next = traffic.answered(turn.id, turn.arrival + 3.0 * unit::s);
    ASSERT_TRUE(next);
    EXPECT_GT(next->prompt, turn.prompt + turn.output);
    EXPECT_EQ(next->session, turn.session);
    EXPECT_TRUE(std::equal(turn.blocks.begin(), turn.blocks.end(), next->blocks.begin()));
    turn = *next;
  }
  EXPECT_FALSE(traffic.answered(turn.id, turn.arrival));
}

RC_GTEST_PROP(GeneratedTraffic, GoesOnWhereItStood, ()) {
  TrafficLaw law = law_of(200);
  law.arrivals = *read_arrival_law(*rc::gen::element("poisson", "gamma:0.5", "markov:4,0.1,3s", "diurnal:0.5,20s", "fixed"));
  law.seed = *rc::gen::arbitrary<std::uint32_t>();
  GeneratedTraffic whole(law), half(law), rest(law);
  const auto all = all_of(whole);
  const auto before = *rc::gen::inRange(0, 200);
  for (int i = 0; i < before; ++i) half.next();
  RC_ASSERT(rest.restore(*half.save()));
  for (std::size_t i = static_cast<std::size_t>(before); i < all.size(); ++i) {
    const auto next = rest.next();
    RC_ASSERT(next && next->id == all[i].id && next->arrival == all[i].arrival && next->prompt == all[i].prompt);
  }
  RC_ASSERT(!rest.next());
}

TEST(TraceTraffic, ReadsAzureDatesAcrossMidnight) {
  const auto all =
      replayed("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-12-31 23:59:59.9000000,374,44\n2024-01-01 00:00:00.1000000,396,109\n");
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].arrival, Seconds{});
  EXPECT_NEAR(all[1].arrival.in(unit::s), 0.2, 1e-7);
  EXPECT_EQ(all[1].prompt, 396);
  EXPECT_EQ(all[1].output, 109);
  const auto later = replayed("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-02-28 23:00:00.0+00:00,1,1\n2024-03-01T01:00:00Z,1,0\n");
  EXPECT_NEAR(later[1].arrival.in(unit::hour), 26, 1e-9);  // 2024 has a 29th of February
}

TEST(TraceTraffic, ReadsBurstGptWithAndWithoutSessions) {
  const auto old = replayed(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\r\n5,ChatGPT,472,18,490,Conversation log\r\n"
      "45,ChatGPT,1087,0,1087,\"API log, failed\"\r\n");
  ASSERT_EQ(old.size(), 2u);
  EXPECT_EQ(old[1].arrival, 40.0 * unit::s);
  EXPECT_EQ(old[1].output, 0);
  EXPECT_EQ(replayed("Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,,1,a,4,2,6,x").size(),
            1u);
}

TEST(TraceTraffic, ReadsMooncakeInBothItsForms) {
  const auto lines = replayed("{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47, 48]}\n"
                              "\n{\"timestamp\":30535,\"input_length\":6472,\"output_length\":26,\"hash_ids\":[],\"note\":\"a \\\" b\"}");
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].blocks, (std::vector<std::uint64_t>{46, 47, 48}));
  EXPECT_NEAR(lines[1].arrival.in(unit::s), 3.053, 1e-12);
  const auto table = replayed(
      "timestamp_ms,input_tokens,output_tokens,n_hash_blocks_512tok,hash_ids_space_separated,source\n27482,6955,52,3,46 47 48,x\n");
  ASSERT_EQ(table.size(), 1u);
  EXPECT_EQ(table[0].blocks, lines[0].blocks);
  EXPECT_EQ(table[0].block_tokens, 512);
}

TEST(TraceTraffic, ReadsAPlainTableFasterThanItWas) {
  const auto all = replayed("arrival,prompt,output,session,priority,id\n0,10,2,alice,1,7\n3,20,2,,0,9\n", 3, {.speed = 2});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].arrival, 1.5 * unit::s);
  EXPECT_EQ(all[0].priority, 1);
  EXPECT_NE(all[0].session, 0u);
  EXPECT_EQ(all[1].session, 0u);
  EXPECT_EQ(all[1].id, 9u);
}

TEST(TraceTraffic, TakesTheRowsItIsToldTo) {
  const std::string text = "workload,arrival_s,input_tokens,output_tokens\na,5,1,1\nb,1,2,2\nb,2,3,3\n";
  EXPECT_EQ(replayed(text, 100, {.column = "workload", .value = "b"}).size(), 2u);
  EXPECT_EQ(refused(text), "trace line 3: time runs backwards by 4 s; sort the rows by arrival, or take one workload alone");
  EXPECT_EQ(refused(text, {.column = "wrkload", .value = "b"}), "trace: has no column \"wrkload\"; did you mean workload?");
}

TEST(TraceTraffic, NamesTheLineOfEveryFault) {
  const std::string head = "arrival,prompt,output,id\n0,10,2,1\n";
  EXPECT_EQ(refused(head + "1,-4,2,2\n"), "trace line 3: prompt is -4; write a count of tokens, zero or more, at most 2^40");
  EXPECT_EQ(refused(head + "1,4,2.5,2\n"), "trace line 3: output is \"2.5\", no whole number; write a count of tokens");
  EXPECT_EQ(refused(head + "1,4,2,1\n"), "trace line 3: the id \"1\" was there before; give every request its own id");
  EXPECT_EQ(refused(head + "1,4,2\n"), "trace line 3: has 3 cells, the header 4; give every column one cell");
  EXPECT_EQ(refused(head + "1,4,2,3,5\n"), "trace line 3: has more than the header's 4 cells; give every column one cell");
  EXPECT_EQ(refused(head + "x,4,2,3\n"), "trace line 3: arrival is \"x\"; write a number");
  EXPECT_EQ(refused(head + "\n\"1,4,2,3\n"),
            "trace line 4: a quote is opened and not closed on its line; close it; a cell has no line breaks");
  EXPECT_EQ(refused(""), "trace: is empty; give a table with a header line, or JSON lines");
  EXPECT_TRUE(refused("arrival,prompt\n0,1\n")
                  .starts_with("trace line 1: has no column \"output\"; name the columns as one of plain: arrival, prompt, output"));
  EXPECT_TRUE(refused("a,b\n0,1\n").starts_with("trace line 1: is the header of no known trace"));
  EXPECT_EQ(refused("{\"timestamp\": 1, \"input_length\": 2}\n"),
            "trace line 1: has no \"output_length\"; write timestamp, input_length and output_length");
  EXPECT_TRUE(refused("{\"timestamp\": 1,\n").starts_with("trace line 1: is no flat JSON object from character 17 on"));
}

RC_GTEST_PROP(TraceTraffic, ReadsTheSameInPiecesOfAnySize, (std::uint8_t piece)) {
  std::string text = "arrival,prompt,output\r\n";
  for (int i = 0; i < 30; ++i) text += std::to_string(i * 0.25) + "," + std::to_string(i * 37) + "," + std::to_string(i) + "\r\n";
  const auto whole = replayed(text, std::string::npos), pieces = replayed(text, piece + 1u);
  RC_ASSERT(whole.size() == 30u && pieces.size() == 30u);
  for (std::size_t i = 0; i < whole.size(); ++i) RC_ASSERT(whole[i].arrival == pieces[i].arrival && whole[i].prompt == pieces[i].prompt);
}

RC_GTEST_PROP(TraceTraffic, RefusesAnIdThatWasThereWhateverTheOrder, ()) {
  const auto ids = *rc::gen::container<std::vector<std::uint8_t>>(40, rc::gen::inRange<std::uint8_t>(0, 60));
  std::string text = "arrival,prompt,output,id\n";
  std::vector<bool> there(60);
  std::size_t fresh = 0;
  bool twice = false;
  for (const auto id : ids) {
    text += "0,1,1," + std::to_string(id) + "\n";
    twice = twice || there[id];
    fresh += !twice;
    there[id] = true;
  }
  auto trace = TraceTraffic::open("trace", std::make_unique<TextBytes>(text));
  RC_ASSERT(trace.has_value());
  RC_ASSERT(all_of(**trace).size() == fresh);
  RC_ASSERT(((*trace)->failed() != nullptr) == twice);
}

TEST(Lengths, AreDrawnInPairsFromOneFile) {
  auto columns = read_lengths("lengths", std::make_unique<TextBytes>("input_tokens,output_tokens,source\n100,1\n"));
  ASSERT_FALSE(columns);
  EXPECT_EQ(columns.error().line(), "lengths line 2: has 2 cells, the header 3; give every column one cell");
  columns = read_lengths("lengths", std::make_unique<TextBytes>("input_tokens,output_tokens\n100,1\n200,2\n300,3\n"));
  ASSERT_TRUE(columns) << columns.error().line();
  TrafficLaw law = law_of(100);
  law.prompt = law.output = *read_length_law("file:lengths");
  law.prompt.rows = std::make_shared<const std::vector<std::int64_t>>((*columns)[0]);
  law.output.rows = std::make_shared<const std::vector<std::int64_t>>((*columns)[1]);
  GeneratedTraffic traffic(law);
  std::int64_t sum = 0;
  for (const Request& request : all_of(traffic)) {
    EXPECT_EQ(request.prompt, 100 * request.output);
    sum += request.output;
  }
  EXPECT_GT(sum, 100);
}

}  // namespace
}  // namespace fareline
