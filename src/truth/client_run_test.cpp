// SPDX-License-Identifier: Apache-2.0
#include "truth/client_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "catalog/catalog.h"

namespace fareline {
namespace {

CompiledPlan llama(int token_budget = 8192, const char* calibration = "hopper-vllm") {
  const Catalogue& all = Catalogue::built_in();
  Plan plan{.tp = 8};
  plan.token_budget = token_budget;
  return *compile(*all.model("meta-llama/Llama-3.1-70B"), *all.system("hgx-h100"), *all.calibration(calibration), plan);
}

constexpr double plenty = 1e6;
Workload fixed(double prompt, double output) { return {.prompt = {prompt, 1}, .output = {output, 1}}; }

TEST(ClientRun, OfALoneUserIsHisPromptAndThenHisSteps) {
  const CompiledPlan plan = llama();
  const ClientRun run = client_run(plan, plenty, fixed(2000, 101), {}, {}, {.users = 1, .waves = 3});
  const Seconds prompt = plan.estimate({.prefill_sequences = 1, .prefill_tokens = 2000}).time;
  Seconds steps;
  for (int k = 0; k < 100; ++k) steps += plan.estimate({.decode_sequences = 1, .decode_context = 2000.5 + k}).time;
  EXPECT_NEAR(run.ttft_mean.coherent(), (prompt + plan.engine().prompt).coherent(), 1e-12);
  EXPECT_EQ(run.ttft_mean.coherent(), run.ttft_median.coherent());
  EXPECT_NEAR(run.tpot_mean / (steps / 100), 1, 1e-6);
  EXPECT_NEAR(run.rate * (run.ttft_mean + 100 * run.tpot_mean), 1, 1e-6);
}

// Of C prompts sent together, each of which fills a step of its own, the k-th waits for k.
TEST(ClientRun, CountsTheOpeningBurst) {
  const CompiledPlan plan = llama(4096);
  const Seconds pass = plan.estimate({.prefill_sequences = 1, .prefill_tokens = 4096}).time;
  const ClientRun run =
      client_run(plan, plenty, fixed(4096, 2), {}, {.prompts_alone = true, .whole_prompts = true}, {.users = 9, .waves = 1});
  EXPECT_NEAR((run.ttft_mean - plan.engine().prompt) / pass, 5, 1e-9);
  EXPECT_NEAR((run.ttft_median - plan.engine().prompt) / pass, 5, 1e-9);
}

TEST(ClientRun, HoldsToLittlesLaw) {
  const Workload workload{.prompt = {1024, 0.8}, .output = {512, 0.8}};
  for (const double users : {1.0, 4.0, 32.0}) {
    const ClientRun run = client_run(llama(), plenty, workload, {}, {}, {.users = users, .waves = 40});
    const double there = run.rate * (run.ttft_mean + (workload.output.mean() - 1) * run.tpot_mean);
    EXPECT_NEAR(there / users, 1, 0.05) << users << ": but for the users that are through before the last";
  }
}

TEST(ClientRun, WaitsAsLongAsTheEngineWasToldTo) {
  const CompiledPlan plan = llama();
  const Workload workload{.prompt = {1024, 0.8}, .output = {1024, 0.8}};
  const Client client{.users = 8, .waves = 10};
  const ClientRun at_once = client_run(plan, plenty, workload, {}, {}, client);
  const ClientRun held = client_run(plan, plenty, workload, {}, {.wait_steps = 20, .wait_fill = 0.9}, client);
  // Nine tenths of the requests find others decoding and wait 20 steps, or fewer where another comes to wait with them.
  const double waited = (held.ttft_mean - at_once.ttft_mean) / at_once.tpot_mean;
  EXPECT_GT(waited, 9);
  EXPECT_LT(waited, 21);
  const ClientRun unfilled = client_run(plan, plenty, workload, {}, {.wait_steps = 20, .wait_fill = 0}, client);
  EXPECT_EQ(unfilled.ttft_mean, at_once.ttft_mean) << "any prompt is enough";
  // Looking every 30 steps makes those who come wait for 15 on average.
  const ClientRun seldom = client_run(plan, plenty, workload, {}, {.poll_steps = 30}, client);
  const double missed = (seldom.ttft_mean - at_once.ttft_mean) / at_once.tpot_mean;
  EXPECT_GT(missed, 9);
  EXPECT_LT(missed, 30);
}

TEST(ClientRun, ServesOneByOneWhereMemoryHoldsOne) {
  const ClientRun alone = client_run(llama(), plenty, fixed(1000, 100), {}, {}, {.users = 1, .waves = 10});
  const ClientRun queued = client_run(llama(), 1, fixed(1000, 100), {}, {}, {.users = 4, .waves = 10});
  EXPECT_NEAR(queued.tpot_mean / alone.tpot_mean, 1, 1e-9);
  EXPECT_GT(queued.ttft_mean, 3 * 0.9 * 99 * alone.tpot_mean * 0.9);
}

// What a drafted token saves: the steps, in the ratio of what they yield.
TEST(ClientRun, TakesFewerStepsWhereTheyYieldMore) {
  const ClientRun plain = client_run(llama(), plenty, fixed(1000, 301), {}, {}, {.users = 1, .waves = 2});
  const ClientRun drafted = client_run(llama(), plenty, fixed(1000, 301), {.draft = 1, .yield = 1.5}, {}, {.users = 1, .waves = 2});
  EXPECT_LT(drafted.tpot_mean, plain.tpot_mean);
  EXPECT_GT(drafted.tpot_mean, plain.tpot_mean / 1.5 * 0.99);
}

TEST(ClientRun, SendsPromptsThroughAPoolApart) {
  const CompiledPlan plan = llama();
  const Seconds prompt = plan.estimate({.prefill_sequences = 1, .prefill_tokens = 4000}).time;
  const PrefillPool one{.plan = &plan, .servers = 1, .transfer = 5 * unit::ms};
  const ClientRun alone = client_run(plan, plenty, fixed(4000, 100), {}, {}, {.users = 1, .waves = 2}, one);
  EXPECT_NEAR(alone.ttft_mean.coherent(), (prompt + 5 * unit::ms + plan.engine().prompt).coherent(), 1e-9);
  const ClientRun crowd = client_run(plan, plenty, fixed(4000, 100), {}, {}, {.users = 16, .waves = 5}, one);
  PrefillPool four = one;
  four.servers = 4;
  const ClientRun eased = client_run(plan, plenty, fixed(4000, 100), {}, {}, {.users = 16, .waves = 5}, four);
  EXPECT_GT(crowd.ttft_mean, 2 * eased.ttft_mean);
  EXPECT_GE(eased.rate, crowd.rate);
}

// Eight prompts of 1,000 tokens fill a pass of 8,192 between them: a burst of 16 takes two passes, one of four a pass.
TEST(ClientRun, FillsThePassesOfAPoolApart) {
  const CompiledPlan plan = llama(8192);
  const Seconds full = plan.estimate({.prefill_sequences = 8, .prefill_tokens = 1000}).time;
  const PrefillPool pool{.plan = &plan, .servers = 1, .transfer = {}};
  const ClientRun run = client_run(plan, plenty, fixed(1000, 1), {}, {}, {.users = 16, .waves = 1}, pool);
  EXPECT_NEAR((run.ttft_mean - plan.engine().prompt) / (1.5 * full), 1, 1e-9);
  const Seconds half = plan.estimate({.prefill_sequences = 4, .prefill_tokens = 1000}).time;
  const ClientRun four = client_run(plan, plenty, fixed(1000, 1), {}, {}, {.users = 4, .waves = 1}, pool);
  EXPECT_NEAR((four.ttft_mean - plan.engine().prompt) / half, 1, 1e-9);
}

// The obvious run: every step on its own, everything looked at every time.
ClientRun step_by_step(const CompiledPlan& plan, const Workload& w, const Client& client, int budget) {
  struct One { double prompt, output, filled = 0, made = 0, sent = 0, first = -1, last = -1; };
  const auto total = static_cast<std::size_t>(client.users * client.waves);
  std::vector<One> all;
  std::deque<std::size_t> waiting;
  std::vector<std::size_t> decoding;
  double now = 0;
  const auto send = [&] {
    if (all.size() == total) return;
    const double i = static_cast<double>(all.size()) + 0.5, g = 0.7548776662466927;
    all.push_back({.prompt = w.prompt.longest * (w.prompt.shortest + (1 - w.prompt.shortest) * std::fmod(i * g, 1.0)),
                   .output = w.output.longest * (w.output.shortest + (1 - w.output.shortest) * std::fmod(i * g * g, 1.0)), .sent = now});
    waiting.push_back(all.size() - 1);
  };
  for (double u = 0; u < client.users; ++u) send();
  while (!waiting.empty() || !decoding.empty()) {
    Pass pass;
    double room = budget - static_cast<double>(decoding.size()), before = 0, tokens = 0;
    std::vector<std::size_t> done;
    for (const std::size_t i : waiting) {
      One& r = all[i];
      const double take = std::min(r.prompt - r.filled, room);
      if (take <= 0) break;
      before += r.filled;
      r.filled += take;
      room -= take;
      tokens += take;
      ++pass.prefill_sequences;
      if (r.filled < r.prompt) break;
      done.push_back(i);
    }
    if (pass.prefill_sequences > 0) {
      pass.prefill_tokens = tokens / pass.prefill_sequences;
      pass.prefill_context = before / pass.prefill_sequences;
    }
    double context = 0;
    for (const std::size_t i : decoding) context += all[i].prompt + all[i].made;
    pass.decode_sequences = static_cast<double>(decoding.size());
    // A stride counts its contexts at its middle, half a token on.
    if (!decoding.empty()) pass.decode_context = context / pass.decode_sequences + (pass.prefill_sequences > 0 ? 0 : 0.5);
    now += plan.estimate(pass).time.in(unit::s);
    for (const std::size_t i : done) waiting.pop_front();
    std::vector<std::size_t> left;
    std::vector<std::size_t> ended;
    for (const std::size_t i : decoding) {
      One& r = all[i];
      if (++r.made >= r.output - 1 - 1e-9) ended.push_back(i);
      else left.push_back(i);
    }
    decoding = left;
    for (const std::size_t i : ended) all[i].last = now;
    for (std::size_t k = 0; k < ended.size(); ++k) send();
    for (const std::size_t i : done) {
      all[i].first = now;
      decoding.push_back(i);
    }
  }
  ClientRun run;
  for (const One& r : all) {
    run.ttft_mean += (r.first - r.sent) / static_cast<double>(total) * unit::s;
    run.tpot_mean += (r.last - r.first) / (r.output - 1) / static_cast<double>(total) * unit::s;
  }
  run.ttft_mean += plan.engine().prompt;
  return run;
}

TEST(ClientRun, IsWhatGoingStepByStepGives) {
  for (const int budget : {700, 2048, 8192})
    for (const double users : {1.0, 5.0, 24.0}) {
      const CompiledPlan plan = llama(budget);
      const Workload workload{.prompt = {900, 0.5}, .output = {200, 0.6}};
      const Client client{.users = users, .waves = 6};
      const ClientRun strides = client_run(plan, plenty, workload, {}, {}, client);
      const ClientRun steps = step_by_step(plan, workload, client, budget);
      EXPECT_NEAR(strides.ttft_mean / steps.ttft_mean, 1, 0.01) << budget << ", " << users;
      EXPECT_NEAR(strides.tpot_mean / steps.tpot_mean, 1, 0.01) << budget << ", " << users;
    }
}

}  // namespace
}  // namespace fareline
