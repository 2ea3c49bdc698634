// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/asked.h"

namespace fareline {
namespace {

using test::asked;
using test::Json;
using test::refused;
using test::with;
using testing::HasSubstr;

const Json llama{{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h100"}, {"prompt", 2048}, {"output", 256}, {"tp", 8}};
const Json deepseek{{"model", "deepseek-ai/DeepSeek-V3"}, {"system", "gb200-nvl72"}, {"prompt", 4096}, {"output", 512}};

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> all;
  for (const auto& [name, value] : object.items()) all.push_back(name);
  return all;
}

// Workloads and loads of every kind, each with the plan given or left open.
std::vector<Json> questions_of_cost() {
  return {with(llama, {{"concurrency", 32}}),
          with(llama, {{"batch", 16}, {"cached", 0.8}}),
          with(llama, {{"rate", "2 /s"}, {"cached", 0.5}, {"tier", "hbm"}}),
          with(llama, {{"concurrency", 64}, {"shortest", 0.1}, {"cached", "25%"}, {"hold", "1 h"}}),
          with(llama, {{"concurrency", 8}, {"owned", "yes"}, {"capital", "30000 USD"}, {"network", "5000 USD"}}),
          with(llama, {{"concurrency", 16}, {"draft", 3}, {"draft_by", "ngram"}}),
          with(llama, {{"concurrency", 64}, {"tp", 4}, {"prefill_replicas", 1}, {"replicas", 2}, {"cached", 0.5}}),
          with(llama, {{"concurrency", 64}, {"calibration", "ideal"}}),
          with(deepseek, {{"draft", 1}, {"cached", 0.9}}),
          deepseek};
}

TEST(Cost, says_why_where_what_was_given_leaves_no_layout_to_try) {
  const Json answer = asked("cost", {{"model", "meta-llama/Llama-3.1-8B"}, {"system", "hgx-h100"}, {"prompt", 100}, {"output", 10},
                                           {"batch", 8}, {"ep", 81}, {"pp", 31}, {"cp", 94}})["answer"];
  EXPECT_EQ(answer["feasible"], false);
  EXPECT_EQ(answer["needed"]["value"], 81);
  EXPECT_EQ(answer["available"]["value"], 94);
}

TEST(Step, refuses_a_domain_without_links_inside) {
  const Json apart{{"model", "meta-llama/Llama-3.1-70B"}, {"system", "gh200-1"}, {"tp", 2}, {"domain", 2}};
  EXPECT_THAT(refused("step", apart), HasSubstr("no links inside a domain"));
  const Json linked = asked("step", with(apart, {{"scale_up_bandwidth", "450 GB/s"}, {"hbm_capacity", "200 GB"}}))["answer"];
  EXPECT_GT(linked["time"]["value"], 0);
}

TEST(Cost, prices_times_tokens_are_the_bill) {
  for (const Json& question : questions_of_cost()) {
    const Json all = asked("cost", question);
    ASSERT_TRUE(all.contains("answer") && all["answer"]["feasible"].get<bool>()) << question << all;
    const Json& in = all["inputs"];
    const Json& price = all["answer"]["price"];
    const double mean = (1 + in["shortest"]["value"].get<double>()) / 2;
    const double prompt = in["prompt"]["value"].get<double>() * mean, output = in["output"]["value"].get<double>() * mean;
    const double cached = in["cached"]["value"].get<double>() * prompt;
    const double bill = all["answer"]["bill"]["request"]["value"].get<double>();
    const auto usd = [&](const char* name) { return price[name]["value"].get<double>() * 1e-6; };
    const double parts = usd("input") * (prompt - cached) + usd("cached_input") * cached + usd("output") * output;
    EXPECT_NEAR(parts / bill, 1, 1e-9) << question;
    EXPECT_NEAR(usd("blended") * (prompt + output) / bill, 1, 1e-9) << question;
    for (const char* name : {"input", "cached_input", "output", "blended"}) EXPECT_EQ(price[name]["unit"], "USD/Mtok");
  }
}

TEST(Cost, chips_times_their_rate_is_the_bill_of_all_requests) {
  for (const Json& question : questions_of_cost()) {
    const Json answer = asked("cost", question)["answer"];
    const double a_second = answer["throughput"]["requests"]["value"].get<double>() *
                            (answer["bill"]["request"]["value"].get<double>() - answer["bill"]["storage"]["value"].get<double>());
    EXPECT_NEAR(a_second / answer["bill"]["system_rate"]["value"].get<double>(), 1, 1e-9) << question;
  }
}

TEST(Cost, has_the_members_that_are_promised) {
  const Json all = asked("cost", with(llama, {{"concurrency", 32}}));
  EXPECT_EQ(keys(all), (std::vector<std::string>{"question", "inputs", "answer", "explain", "warnings"}));
  const Json& answer = all["answer"];
  EXPECT_EQ(keys(answer["price"]), (std::vector<std::string>{"input", "cached_input", "output", "blended"}));
  for (const char* name : {"ttft", "tpot"}) EXPECT_EQ(answer["latency"][name]["unit"], "s");
  for (const char* name : {"output_tokens", "total_tokens", "output_tokens_per_chip", "total_tokens_per_chip"})
    EXPECT_EQ(answer["throughput"][name]["unit"], "tok/s") << name;
  for (const char* binder : {"weights", "kv", "flops", "collectives", "launches"})
    for (const char* pass : {"decode", "prefill"}) EXPECT_TRUE(answer["bound"][pass].contains(binder)) << binder;
  EXPECT_TRUE(answer["bound"]["capacity"].contains("share"));
  EXPECT_FALSE(answer["why"].get<std::string>().empty());
  EXPECT_FALSE(answer["change"].get<std::string>().empty());
  EXPECT_FALSE(all["explain"]["numbers"].empty());
  EXPECT_TRUE(all["warnings"].is_array());
}

TEST(Cost, shares_of_what_binds_add_up) {
  for (const Json& question : questions_of_cost()) {
    const Json bound = asked("cost", question)["answer"]["bound"];
    for (const char* pass : {"decode", "prefill"}) {
      double sum = 0;
      for (const auto& [name, binder] : bound[pass].items()) {
        EXPECT_GE(binder["share"].get<double>(), 0) << name;
        sum += binder["share"].get<double>();
      }
      EXPECT_NEAR(sum, 1, 1e-9) << pass << question;
    }
    EXPECT_GT(bound["capacity"]["share"].get<double>(), 0);
    EXPECT_LE(bound["capacity"]["share"].get<double>(), 1);
  }
}

TEST(Cost, estimates_stand_between_their_floor_and_their_band) {
  for (const Json& question : questions_of_cost()) {
    const Json all = asked("cost", question);
    int estimates = 0;
    test::each_estimate(all["answer"], [&](const std::string&, const Json&) { ++estimates; });
    EXPECT_EQ(estimates, 12) << question;  // four prices, three latencies, five throughputs
    EXPECT_EQ(test::disorder(all["answer"]), "") << question;
    EXPECT_EQ(test::first_null(all), "") << question;
  }
}

TEST(Cost, throughput_is_requests_times_tokens) {
  const Json answer = asked("cost", with(llama, {{"concurrency", 32}}))["answer"];
  const auto rate = [&](const char* name) { return answer["throughput"][name]["value"].get<double>(); };
  EXPECT_NEAR(rate("output_tokens"), rate("requests") * 256, 1e-9 * rate("output_tokens"));
  EXPECT_NEAR(rate("total_tokens"), rate("requests") * (2048 + 256), 1e-9 * rate("total_tokens"));
  EXPECT_NEAR(rate("output_tokens_per_chip") * 8, rate("output_tokens"), 1e-9 * rate("output_tokens"));
}

TEST(Cost, closed_loop_obeys_littles_law) {
  const Json answer = asked("cost", with(llama, {{"concurrency", 32}}))["answer"];
  const double requests = answer["throughput"]["requests"]["value"], e2e = answer["latency"]["e2e"]["value"];
  EXPECT_NEAR(requests * e2e, 32, 0.02 * 32);
}

TEST(Cost, is_the_same_to_the_byte_when_asked_twice) {
  for (const Json& question : questions_of_cost()) EXPECT_EQ(test::text_of("cost", question), test::text_of("cost", question));
}

TEST(Cost, rises_with_the_rent_and_falls_with_a_cached_prompt) {
  const auto blended = [&](const Json& more) {
    return asked("cost", with(with(llama, {{"concurrency", 32}}), more))["answer"]["price"]["blended"]["value"].get<double>();
  };
  EXPECT_NEAR(blended({{"rental", "4 USD/h"}}) / blended({{"rental", "2 USD/h"}}), 2, 1e-9);
  EXPECT_LT(blended({{"cached", 0.8}}), blended({{"cached", 0}}));
}

TEST(Cost, says_what_is_needed_and_what_would_fit_where_memory_is_short) {
  const Json all = asked("cost", with(llama, {{"tp", 1}, {"batch", 1}}));
  const Json& answer = all["answer"];
  EXPECT_EQ(answer["feasible"], false);
  EXPECT_EQ(answer["needed"]["unit"], "B");
  EXPECT_GT(answer["needed"]["value"].get<double>(), 2 * 70e9);  // 70e9 parameters of 2 bytes
  EXPECT_LT(answer["available"]["value"].get<double>(), 80e9);
  EXPECT_THAT(answer["would_fit"].get<std::string>(), HasSubstr("tp 2"));
  EXPECT_FALSE(answer["remedy"].get<std::string>().empty());
}

TEST(Cost, says_what_idles_where_72_chips_share_256_experts) {
  for (const Json& plan : {Json{{"ep", 72}}, Json{{"ep", 72}, {"tp", 1}, {"dp", 72}}, Json{{"ep", 72}, {"tp", 8}}}) {
    const Json answer = asked("cost", with(deepseek, plan))["answer"];
    EXPECT_EQ(answer["feasible"], false);
    EXPECT_EQ(answer["reason"], "256 experts do not divide over 72 ranks: 64 ranks would hold 4 each and 8 would idle") << plan;
  }
}

TEST(Cost, says_which_count_a_plan_does_not_divide) {
  const auto reason = [&](const Json& more) {
    return asked("cost", with(with(llama, {{"batch", 1}}), more))["answer"].value("reason", std::string());
  };
  EXPECT_EQ(reason({{"tp", 7}}), "64 attention heads do not divide over tp 7");  // 64 heads: config.json of Llama-3.1-70B
  EXPECT_THAT(reason({{"pp", 81}}), HasSubstr("81 pipeline stages are more than the model's 80 layers"));
  EXPECT_THAT(reason({{"ep", 3}}), HasSubstr("ep 3 does not divide"));
}

TEST(Cost, takes_one_of_concurrency_batch_and_rate) {
  for (const Json& two :
       {Json{{"batch", 4}, {"concurrency", 4}}, Json{{"batch", 4}, {"rate", "1/s"}}, Json{{"concurrency", 4}, {"rate", "1/s"}}})
    EXPECT_THAT(refused("cost", with(llama, two)), HasSubstr("give one of --concurrency, --batch, --rate"));
}

TEST(Cost, refuses_more_chips_than_can_be_counted) {
  EXPECT_THAT(refused("cost", with(llama, {{"tp", 65536}, {"dp", 65536}, {"cp", 4096}, {"pp", 1024}, {"replicas", 1000000}})),
              HasSubstr("chips"));
  const Json most = asked("cost", with(llama, {{"tp", 65536}, {"dp", 16}}));
  EXPECT_EQ(most["answer"]["feasible"], false);
}

TEST(Cost, chooses_what_is_left_out_within_the_pace_and_says_so) {
  const Json all = asked("cost", deepseek);
  const Json& in = all["inputs"];
  for (const char* name : {"tp", "ep", "pp", "dp", "concurrency"}) {
    EXPECT_EQ(in[name]["chosen_by"], "fareline") << name;
    EXPECT_THAT(in[name]["source"].get<std::string>(), HasSubstr("TPOT within 50 ms")) << name;
  }
  EXPECT_LE(all["answer"]["latency"]["tpot"]["value"].get<double>(), in["pace"]["value"].get<double>());
  EXPECT_LE(all["answer"]["latency"]["ttft"]["value"].get<double>(), in["patience"]["value"].get<double>());
  // The choice, given, answers the same.
  Json given = deepseek;
  for (const char* name : {"tp", "ep", "pp", "dp", "concurrency"}) given[name] = in[name]["value"];
  EXPECT_EQ(asked("cost", given)["answer"]["price"], all["answer"]["price"]);
  // And no other load on the chosen plan serves cheaper within the pace.
  for (const double factor : {0.5, 2.0}) {
    const Json other = asked("cost", with(given, {{"concurrency", in["concurrency"]["value"].get<double>() * factor}}))["answer"];
    const bool within = other["latency"]["tpot"]["value"].get<double>() <= 0.05 && other["latency"]["ttft"]["value"].get<double>() <= 2;
    EXPECT_FALSE(within && other["price"]["blended"]["value"] < all["answer"]["price"]["blended"]["value"]) << factor;
  }
}

TEST(Cost, without_explanation_gives_the_same_numbers) {
  const Json brief = asked("cost", with(llama, {{"batch", 8}})), none = asked("cost", with(llama, {{"batch", 8}, {"explain", "none"}}));
  EXPECT_EQ(brief["answer"]["price"], none["answer"]["price"]);
  EXPECT_EQ(brief["answer"]["bound"], none["answer"]["bound"]);
  EXPECT_TRUE(none["explain"].empty());
}

TEST(Cost, falls_back_to_the_chips_own_memory_where_a_system_has_no_other_tier) {
  for (const std::string& system : Catalogue::built_in().system_names()) {
    const Json all = asked(
        "cost",
        {{"model", "Qwen/Qwen3-0.6B"}, {"system", system}, {"prompt", 512}, {"output", 16}, {"batch", 1}, {"tp", 1}, {"cached", 0.5}});
    const bool no_rent = all.contains("error") && all["error"]["where"] == "rental";
    EXPECT_TRUE(no_rent || all.contains("answer")) << system << all;
    EXPECT_EQ(test::first_null(all), "") << system;
  }
}

// Llama-3.1-70B, bf16, on 8 H100 (the "about 5.1 ms"): a step reads every matrix but the embedding's rows,
// (70,553,706,496 - 128,256 * 8,192) * 2 B / 8 / 3.35 TB/s = 5.187 ms, and the KV of one token, 327,680 B / 8.
TEST(Step, of_one_sequence_takes_as_long_as_reading_the_weights_in_the_ideal) {
  const Json time = asked("step", {{"model", "meta-llama/Llama-3.1-70B"},
                                   {"system", "hgx-h100"},
                                   {"tp", 8},
                                   {"batch", 1},
                                   {"context", 1},
                                   {"calibration", "ideal"}})["answer"]["time"];
  const double weights = (70553706496.0 - 128256.0 * 8192) * 2 / 8 / 3.35e12;
  EXPECT_NEAR(time["floor"].get<double>() / weights, 1, 0.005);
  EXPECT_NEAR(time["value"].get<double>() / weights, 1, 0.005);
}

TEST(Step, in_the_ideal_is_its_floor) {
  for (const Json& question :
       {Json{{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h200"}, {"tp", 4}, {"batch", 128}, {"context", 8192}},
        Json{{"model", "meta-llama/Llama-3.1-8B"}, {"system", "hgx-h100"}, {"tp", 1}, {"pass", "prefill"}, {"tokens", 4096}},
        Json{{"model", "deepseek-ai/DeepSeek-V3"}, {"system", "gb200-nvl72"}, {"dp", 16}, {"ep", 16}, {"batch", 512}}}) {
    const Json time = asked("step", with(question, {{"calibration", "ideal"}}))["answer"]["time"];
    const double value = time["value"], floor = time["floor"];
    EXPECT_NEAR(value / floor, 1, 1e-9) << question;
    EXPECT_EQ(time["low"], time["value"]) << question;
    EXPECT_EQ(time["high"], time["value"]) << question;
  }
}

TEST(Step, opens_into_operators_that_add_up) {
  const Json all =
      asked("step", {{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h200"}, {"tp", 4}, {"batch", 128}, {"context", 8192}});
  double flop = 0;
  for (const Json& row : all["explain"]["operators"]) {
    flop += row["flop"]["value"].get<double>();
    EXPECT_FALSE(row["formula"].get<std::string>().empty());
    EXPECT_FALSE(row["source"].get<std::string>().empty());
  }
  EXPECT_NEAR(flop / all["answer"]["per_chip"]["flop"]["value"].get<double>(), 1, 1e-9);
  EXPECT_EQ(test::disorder(all["answer"]), "");
}

TEST(Step, of_prefill_needs_its_tokens) {
  EXPECT_EQ(refused("step", {{"model", "meta-llama/Llama-3.1-8B"}, {"system", "hgx-h100"}, {"pass", "prefill"}}),
            "tokens: is missing; give --tokens 4096, the new tokens of the prefill");
}

TEST(Memory, holds_as_many_sequences_as_it_says) {
  const Json all = asked("memory", {{"model", "meta-llama/Llama-3.1-70B"}, {"system", "hgx-h200"}, {"tp", 4}, {"context", 8192}});
  const Json& chip = all["answer"]["chip"];
  EXPECT_EQ(all["answer"]["kv_per_token"]["value"], 327680);  // 80 layers * 2 * 8 heads * 128 * 2 B
  const double left = chip["left_for_kv"]["value"], each = chip["sequence"]["value"], most = chip["largest_batch"]["value"];
  EXPECT_LE(most * each, left);
  EXPECT_GT((most + 1) * each, left);
  const auto fits = [&](double batch) {
    return asked("step", {{"model", "meta-llama/Llama-3.1-70B"},
                          {"system", "hgx-h200"},
                          {"tp", 4},
                          {"context", 8191},
                          {"batch", batch}})["answer"]["feasible"]
        .get<bool>();
  };
  EXPECT_TRUE(fits(most));
  EXPECT_FALSE(fits(most + 1));
}

TEST(Catalogue_questions, list_and_show_everything) {
  for (const char* kind : {"models", "chips", "systems", "prices", "calibrations", "questions"}) {
    const Json rows = asked("list", {{"kind", kind}})["answer"]["rows"];
    EXPECT_FALSE(rows.empty()) << kind;
    EXPECT_EQ(test::first_null(rows), "") << kind;
    const std::string one = std::string(kind).substr(0, std::string(kind).size() - 1);
    if (one == "price" || one == "question") continue;
    for (const Json& row : rows) EXPECT_TRUE(asked("show", {{"kind", one}, {"name", row["name"]}}).contains("answer")) << row["name"];
  }
  EXPECT_THAT(refused("show", {{"kind", "chip"}, {"name", "h100"}}), HasSubstr("did you mean"));
  EXPECT_THAT(refused("show", {{"kind", "chip"}}), HasSubstr("fareline list chips"));
}

}  // namespace
}  // namespace fareline
