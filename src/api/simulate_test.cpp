// SPDX-License-Identifier: Apache-2.0
#include "api/simulate.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "api/asked.h"
#include "api/simulate_inputs.h"
#include "api/simulate_report.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;
using test::refused;
using test::with;

const Json lone{{"model", "meta-llama/Llama-3.1-8B-Instruct"}, {"system", "hgx-h100"}, {"tp", 1}, {"concurrency", 1}, {"requests", 3},
                {"prompt", "1000"}, {"output", "101"}};
const Json busy{{"model", "meta-llama/Llama-3.1-8B-Instruct"}, {"system", "hgx-h100"}, {"tp", 1}, {"rate", "8/s"},
                {"requests", 2000}, {"prompt", "lognormal:800,0.7"}, {"output", "lognormal:150,0.6"}};

double value(const Json& answered, const char* pointer) {
  return answered["answer"].at(Json::json_pointer(std::string(pointer) + "/value")).get<double>();
}

// A user alone meets an empty system each time: his prompt's pass, and then a step a token, as `step` answers them one by one.
TEST(Simulation, OfALoneUserIsTheSumOfHisPasses) {
  const Json a = asked("simulate", lone);
  const auto step = [](const Json& more) {
    return asked("step",
                 with({{"model", "meta-llama/Llama-3.1-8B-Instruct"}, {"system", "hgx-h100"}, {"tp", 1}}, more))["answer"]["time"]["value"]
        .get<double>();
  };
  const Calibration calibration = *Catalogue::built_in().calibration("hopper-vllm");
  const double prefill = step({{"pass", "prefill"}, {"tokens", 1000}}) + calibration.engine.prompt.in(unit::s);
  EXPECT_NEAR(value(a, "/ttft/mean"), prefill, 1e-9 * prefill);
  double decode = 0;
  for (int i = 0; i < 100; ++i) decode += step({{"batch", 1}, {"context", 1000 + i}});
  EXPECT_NEAR(value(a, "/tpot/mean"), decode / 100, 1e-9 * decode);
  EXPECT_NEAR(value(a, "/duration"), 3 * (prefill + decode), 1e-9 * (prefill + decode));
}

TEST(Simulation, SpendsTheWholeBill) {
  const Json a = asked("simulate", with(busy, {{"shared", 1024}, {"prefix_cache", "yes"}, {"rental", "3.6 USD/h"}, {"replicas", 2}}));
  const double cached = value(a, "/cache/tokens_saved");
  ASSERT_GT(cached, 0);
  const double duration = value(a, "/duration"), output = value(a, "/throughput/output_tokens") * duration,
               prompt = value(a, "/throughput/total_tokens") * duration - output;
  const double paid =
      (value(a, "/price/input") * (prompt - cached) + value(a, "/price/cached_input") * cached + value(a, "/price/output") * output) / 1e6;
  EXPECT_NEAR(paid, 2 * 0.001 * duration, 1e-6 * paid) << "two chips at 3.6 USD an hour";
  EXPECT_NEAR(paid, value(a, "/bill/run"), 1e-9 * paid);
}

TEST(Simulation, IsTheSameEveryTimeAndAnotherWithAnotherSeed) {
  EXPECT_EQ(test::text_of("simulate", busy), test::text_of("simulate", busy));
  EXPECT_NE(value(asked("simulate", busy), "/ttft/mean"), value(asked("simulate", with(busy, {{"seed", 2}})), "/ttft/mean"));
}

// Times are those of the steady state where there is one: two ways to the same number, one by queueing formulas.
TEST(Simulation, ComesNearTheSteadyState) {
  const Json fixed{{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}, {"tp", 8}, {"concurrency", 32}};
  const Json steady = asked("cost", with(fixed, {{"prompt", 2048}, {"output", 256}}));
  const Json run = asked("simulate", with(fixed, {{"prompt", "2048"}, {"output", "256"}, {"requests", 2000}, {"think", "1 s"}}));
  EXPECT_NEAR(value(run, "/tpot/mean") / value(steady, "/latency/tpot"), 1, 0.1);
  EXPECT_NEAR(value(run, "/price/blended") / value(steady, "/price/blended"), 1, 0.1);
}

TEST(Simulation, TakesRowsAsTheyAre) {
  Json rows = Json::array();
  for (int i = 0; i < 50; ++i) rows.push_back({{"arrival", 0.5 * i}, {"prompt", 700}, {"output", i % 5 == 0 ? 0 : 20}, {"id", 100 + i}});
  rows.push_back({{"arrival", 25.0}, {"prompt", 100'000'000}, {"output", 1}, {"id", 1}});
  const Json inputs{{"model", "meta-llama/Llama-3.1-8B-Instruct"}, {"system", "hgx-h100"}, {"tp", 1}, {"traffic", rows}};
  const Json a = asked("simulate", inputs);
  EXPECT_EQ(a["answer"]["outcomes"]["answered"], 40);
  EXPECT_EQ(a["answer"]["outcomes"]["empty"], 10);
  EXPECT_EQ(a["answer"]["outcomes"]["too_long"], 1);
  EXPECT_EQ(a["run"]["requests"], 51);
  EXPECT_EQ(refused("simulate",
                    with(inputs,
                         {{"traffic", {{{"arrival", 2}, {"prompt", 5}, {"output", 5}}, {{"arrival", 1}, {"prompt", 5}, {"output", 5}}}}})),
            "traffic line 2: time runs backwards by 1 s; sort the rows by arrival");
  EXPECT_EQ(refused("simulate", with(inputs, {{"traffic", {{{"arrival", 2}, {"prompt", 5}}}}})),
            "traffic line 1: has no \"output\"; write arrival, prompt and output");
}

TEST(Simulation, SaysWhatIsMissingOrUnknown) {
  EXPECT_EQ(refused("simulate", with(busy, {{"traffic", "posson"}})), "traffic: \"posson\" is no law of arrivals; did you mean poisson?");
  EXPECT_EQ(refused("simulate", with(busy, {{"router", "random"}})),
            "router: \"random\" is not a choice; write one of round-robin, least-loaded, prefix-aware, power-of-two");
  EXPECT_EQ(refused("simulate", with(busy, {{"prefix_cache", "yes"}, {"tiers", "hbm,drum:1TB"}})),
            "tiers: hgx-h100 has no tier \"drum\"; did you mean dram?");
  EXPECT_EQ(refused("simulate", with(busy, {{"concurrency", 5}})),
            "concurrency: is given beside a rate; give one of --rate, --concurrency");
  EXPECT_EQ(refused("simulate", with(busy, {{"disaggregate", "3"}})),
            "disaggregate: \"3\" is not prefill replicas to decode replicas; write e.g. 3:1");
  EXPECT_EQ(refused("simulate", with(busy, {{"outages", "1:10s:5s"}})),
            "outages: \"1:10s:5s\" speaks of no replica of 0 to 0; write replica:at:lasts, e.g. 0:10min:5min");
  EXPECT_EQ(refused("simulate", with(busy, {{"traffic", "day.csv"}})),
            "traffic: \"day.csv\": is a file, and there are none here; give the rows of a trace as a list, or a law");
}

TEST(Simulation, OfNothingThatFitsSaysSo) {
  const Json a = asked("simulate", {{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}, {"tp", 1}, {"rate", "1/s"},
                                    {"prompt", "1000"}, {"output", "100"}});
  EXPECT_EQ(a["answer"]["feasible"], false);
  EXPECT_GT(a["answer"]["needed"]["value"].get<double>(), a["answer"]["available"]["value"].get<double>());
}

TEST(Simulation, NamesEveryPolicy) {
  EXPECT_EQ(PolicyNames<router_rows>::view, "round-robin,least-loaded,prefix-aware,power-of-two");
  EXPECT_EQ(PolicyNames<order_rows>::view, "arrival,priority,shortest");
}

// What is served at a higher rate, by the same draws, is answered no sooner.
RC_GTEST_PROP(Simulation, of_more_load_waits_no_less, ()) {
  const int rate = *rc::gen::inRange(1, 12);
  const Json inputs = with(busy, {{"requests", 500}, {"seed", *rc::gen::inRange(1, 1000)}});
  const Json less = asked("simulate", with(inputs, {{"rate", std::to_string(rate) + "/s"}})),
             more = asked("simulate", with(inputs, {{"rate", std::to_string(2 * rate) + "/s"}}));
  RC_ASSERT(value(less, "/e2e/mean") <= value(more, "/e2e/mean"));
  RC_ASSERT(test::disorder(more["answer"]) == "");
  RC_ASSERT(test::first_null(more) == "");
}

TEST(Capacity, IsWhereTheObjectivesBreak) {
  const Json a = asked("simulate", with(busy, {{"requests", 1000}, {"find_capacity", "yes"}, {"attainment", 0.95}}))["answer"]["capacity"];
  ASSERT_EQ(a["found"], true);
  const double rate = a["rate"]["value"];
  bool above = false;
  for (const Json& load : a["loads"]) {
    if (load["rate"]["value"].get<double>() <= rate) EXPECT_GE(load["kept"]["value"].get<double>(), 0.95) << load.dump();
    else if (!above) {
      above = true;
      EXPECT_LT(load["kept"]["value"].get<double>(), 0.95);
      EXPECT_LT(load["rate"]["value"].get<double>() / rate, 1.01);
    }
  }
  EXPECT_TRUE(above);
}

// Stops after a while, with its state; goes on from one.
class Stopping : public Surroundings {
 public:
  explicit Stopping(int rounds, std::string from = {}) : rounds_(rounds), from_(std::move(from)) {}
  bool go_on(const Totals&, const Save& save) override {
    if (--rounds_ != 0) return true;
    saved = *save();
    return false;
  }
  std::string_view checkpoint() const override { return from_; }
  std::string saved;

 private:
  int rounds_;
  std::string from_;
};

TEST(Simulation, GoesOnFromACheckpointAsIfItHadNotStopped) {
  const Json question{{"question", "simulate"}, {"inputs", with(busy, {{"requests", 40'000}, {"shared", 512}, {"prefix_cache", "yes"}})}};
  Stopping first(2);
  const auto half = ask_simulation(question, Catalogue::built_in(), first);
  ASSERT_TRUE(half) << half.error().line();
  EXPECT_EQ((*half)["run"]["complete"], false);
  Stopping second(-1, first.saved);
  const auto whole = ask_simulation(question, Catalogue::built_in(), second);
  ASSERT_TRUE(whole) << whole.error().line();
  EXPECT_EQ(whole->dump(), asked("simulate", question["inputs"]).dump());
  Stopping cut(-1, first.saved.substr(0, first.saved.size() / 2));
  const auto refused_cut = ask_simulation(question, Catalogue::built_in(), cut);
  ASSERT_FALSE(refused_cut);
  EXPECT_EQ(refused_cut.error().line(), "checkpoint: is damaged or cut short; resume from one that was written whole");
  Stopping other(-1, first.saved);
  Json another = question;
  another["inputs"]["output"] = "100";
  const auto refused_other = ask_simulation(another, Catalogue::built_in(), other);
  ASSERT_FALSE(refused_other);
  EXPECT_EQ(refused_other.error().line(), "checkpoint: was taken of another run; resume with the inputs that run was started with");
}

// What is tried, and what is found, does not depend on how many run at once, nor on the order in which they end.
class Backwards : public Surroundings {
 public:
  void each(std::size_t count, const std::function<void(std::size_t)>& one) override {
    for (std::size_t i = count; i > 0; --i) one(i - 1);
  }
};

TEST(Capacity, DoesNotDependOnTheOrderOfRuns) {
  const Json question{{"question", "simulate"}, {"inputs", with(busy, {{"requests", 500}, {"find_capacity", "yes"}})}};
  Backwards around;
  EXPECT_EQ(ask_simulation(question, Catalogue::built_in(), around)->dump(), asked("simulate", question["inputs"]).dump());
}

// The log tells each request once, and a trace is JSON.
class Writing : public Surroundings {
 public:
  Writing() {
    for (Observer* one : std::initializer_list<Observer*>{&log, &chrome, &slowest}) all.add(one);
  }
  Observer* observer() override { return &all; }
  Expected<void> over(const Scenario&, const Simulated& run) override {
    tables = report_tables(run);
    chrome.end();
    return {};
  }
  std::string requests, trace;
  RequestLog log{[this](std::string_view text) { requests += text; }};
  ChromeTrace chrome{[this](std::string_view text) { trace += text; }};
  SlowestRequest slowest;
  Observers all;
  std::vector<std::pair<std::string, std::string>> tables;
};

TEST(Report, TellsEveryRequestOnceAndItsTraceIsJson) {
  Writing around;
  const auto a = ask_simulation({{"question", "simulate"}, {"inputs", with(busy, {{"requests", 300}, {"replicas", 2}})}},
                                Catalogue::built_in(), around);
  ASSERT_TRUE(a) << a.error().line();
  EXPECT_EQ(std::count(around.requests.begin(), around.requests.end(), '\n'), 301);
  const Json trace = Json::parse(around.trace);
  int requests = 0, names = 0;
  for (const Json& event : trace["traceEvents"]) {
    names += event["name"] == "process_name";
    requests += event["ph"] == "b" && event["name"].get<std::string>().starts_with("request ");
    EXPECT_GE(event["ts"].get<double>(), 0);
  }
  EXPECT_EQ(requests, 300);
  EXPECT_EQ(names, 2);
  EXPECT_NE(around.slowest.svg().find("<svg"), std::string::npos);
  ASSERT_EQ(around.tables.size(), 2u);
  EXPECT_TRUE(around.tables[0].second.starts_with("time,count,mean (s),p0.1 (s)"));
  EXPECT_EQ(std::count(around.tables[0].second.begin(), around.tables[0].second.end(), '\n'), 6);
}

}  // namespace
}  // namespace fareline
