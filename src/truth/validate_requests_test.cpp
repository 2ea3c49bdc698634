// SPDX-License-Identifier: Apache-2.0
#include "truth/validate_requests.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "perf/compiled_plan.h"
#include "tests/place.h"

namespace fareline {
namespace {

const Catalogue& catalogue() { return Catalogue::built_in(); }

constexpr std::string_view header =
    "run,hardware,model,tp,dp,max_num_seqs,max_num_batched_tokens,dtype,kv_tokens_capacity,vllm_version,request_id,input_toks,output_toks,"
    "arrival_rel_s,ttft_from_queued_s,e2e_from_queued_s,source\n";

std::string row(std::string_view run, std::string_view hardware, int prompt, int output, double arrival, double ttft, double e2e) {
  std::string text(run);
  text += "," + std::string(hardware) + ",meta-llama/Llama-3.1-8B,1,1,128,2048,bfloat16,,0.19.0,r" + std::to_string(arrival);
  for (const int count : {prompt, output}) text += "," + std::to_string(count);
  for (const double time : {arrival, ttft, e2e}) text += "," + std::to_string(time);
  return text + ",here\n";
}

std::vector<RequestRun> runs_of(const std::vector<std::string>& tables) {
  std::vector<RequestRun> runs;
  for (const std::string& table : tables) {
    const auto read = read_request_runs("t.csv", table, runs);
    EXPECT_TRUE(read) << read.error().line();
  }
  return runs;
}

std::string refused(const std::string& table) {
  std::vector<RequestRun> runs;
  const auto read = read_request_runs("t.csv", table, runs);
  return read ? "" : read.error().line();
}

TEST(RequestRuns, JoinARunsRequestsAndItsLoad) {
  const std::string requests = std::string(header) + row("a", "RTXPRO6000", 100, 10, 5, 1, 2) + row("b", "H100", 30, 4, 0, 1, 2) +
                               row("a", "RTXPRO6000", 200, 20, 1, 1, 2);
  const std::string load = "run,t_s,running_requests,waiting_requests\na,1,3,4\nb,1,5,6\na,2,7,8\n";
  for (const auto& tables : {std::vector{requests, load}, std::vector{load, requests}}) {
    const auto runs = runs_of(tables);
    ASSERT_EQ(runs.size(), 2u);
    EXPECT_EQ(runs[0].name, "a");
    ASSERT_EQ(runs[0].requests.size(), 2u);
    EXPECT_EQ(runs[0].requests[0].prompt, 200);  // by arrival
    ASSERT_EQ(runs[0].load.size(), 2u);
    EXPECT_EQ(runs[0].load[1].waiting, 8);
    EXPECT_EQ(runs[0].setup.system, "rtx-pro-6000-8");
    EXPECT_EQ(runs[0].setup.token_budget, 2048);
    EXPECT_EQ(runs[1].setup.system, "hgx-h100");
  }
}

TEST(RequestRuns, RefuseWhatCannotBe) {
  const std::string known(header);
  EXPECT_EQ(refused(known + row("a", "H100", 10, 5, 0, 2, 1)), "t.csv line 2: time runs backwards; take the row out, or measure again");
  EXPECT_EQ(refused(known + row("a", "H100", 10, 0, 0, 1, 2)),
            "t.csv line 2: a request has no prompt or no answer; take the row out, or measure again");
  EXPECT_EQ(refused("run,when\na,1\n"),
            "t.csv: is no table of a run's requests or of its load; give one with a column for run, and its requests or load");
}

TEST(RequestValidation, SaysWhyARunIsNotSimulated) {
  const auto v = validate_requests(catalogue(), runs_of({std::string(header) + row("a", "Abacus", 10, 5, 0, 1, 2),
                                                         "run,t_s,running_requests,waiting_requests\nb,1,3,4\n"}));
  ASSERT_EQ(v.runs.size(), 2u);
  EXPECT_EQ(v.runs[0].run.refusal, "the system \"Abacus\" is unknown");
  EXPECT_EQ(v.runs[1].run.refusal, "the table of its requests is missing");
  EXPECT_EQ(to_json(v, {"t.csv"})["answer"]["runs"][0]["refused"], "the system \"Abacus\" is unknown");
  EXPECT_FALSE(to_svg(v));
}

// Alone, a request's first token is one pass over its prompt, and each further one a pass over one sequence.
TEST(RequestValidation, TakesALoneRequestForItsPasses) {
  const auto v = validate_requests(catalogue(), runs_of({std::string(header) + row("a", "H100", 1000, 3, 0, 1, 2)}));
  ASSERT_EQ(v.runs.size(), 1u);
  ASSERT_EQ(v.runs[0].answered, 1u);
  const auto plan = compile(*catalogue().model("meta-llama/Llama-3.1-8B-Instruct"), *catalogue().system("hgx-h100"),
                            *catalogue().calibration("hopper-vllm"), {.token_budget = 2048});
  ASSERT_TRUE(plan);
  const Seconds prompt = plan->estimate({.prefill_sequences = 1, .prefill_tokens = 1000}).time;
  const auto decode = [&](double context) { return plan->estimate({.decode_sequences = 1, .decode_context = context}).time; };
  const SimulatedRequest& r = v.runs[0].prediction.requests[0];
  EXPECT_NEAR(r.ttft / prompt, 1, 1e-9);
  EXPECT_NEAR(r.tpot / ((decode(1000) + decode(1001)) / 2), 1, 2e-3);
  EXPECT_NEAR((r.e2e - r.ttft) / (2 * r.tpot), 1, 1e-12);
}

TEST(RequestValidation, DoesNotLookAtTheMeasurementToPredict) {
  const auto slow = validate_requests(catalogue(), runs_of({std::string(header) + row("a", "H100", 1000, 30, 0, 1, 2)}));
  const auto fast = validate_requests(catalogue(), runs_of({std::string(header) + row("a", "H100", 1000, 30, 0, 0.1, 0.2)}));
  EXPECT_EQ(slow.runs[0].prediction.requests[0].e2e.coherent(), fast.runs[0].prediction.requests[0].e2e.coherent());
  EXPECT_NEAR(slow.runs[0].times[2][0].error() + 1, (fast.runs[0].times[2][0].error() + 1) / 10, 1e-6);
}

TEST(SharedMeasurements, OfARunRequestByRequestAreWithinTheirLimits) {
  if (!test::shared_folder()) GTEST_SKIP() << "no ../shared";
  std::vector<RequestRun> runs;
  for (const char* name : {"vllm_per_request_runs.csv.gz", "vllm_timeseries_runs.csv.gz"})
    ASSERT_TRUE(read_request_runs(name, test::file_text(*test::shared_folder() / "data/dev" / name), runs));
  const auto v = validate_requests(catalogue(), std::move(runs));
  ASSERT_EQ(v.runs.size(), 1u);
  const RunComparison& c = v.runs[0];
  EXPECT_EQ(c.answered, 300u);
  for (const auto& time : c.times) {
    EXPECT_LT(std::abs(time[static_cast<std::size_t>(Moment::mean)].error()), 0.05);
    EXPECT_LT(std::abs(time[static_cast<std::size_t>(Moment::p99)].error()), 0.10);
  }
  EXPECT_LT(c.running_error, 0.05);
  EXPECT_LT(c.waiting_error, 0.05);
  EXPECT_TRUE(to_svg(v));
}

}  // namespace
}  // namespace fareline
