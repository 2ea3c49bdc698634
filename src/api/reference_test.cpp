// SPDX-License-Identifier: Apache-2.0
#include "api/reference.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>
#include <sstream>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "api/question.h"
#include "catalog/embedded.h"
#include "tests/place.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<ReferencePage>& pages() {
  static const std::vector<ReferencePage> written = reference_pages(Catalogue::built_in());
  return written;
}

std::string page_named(std::string_view path) {
  for (const ReferencePage& page : pages())
    if (page.path == path) return page.text;
  return {};
}

// Where two texts part: the line of the first, and what stands there in each.
std::string first_difference(const std::string& committed, const std::string& due) {
  const auto at =
      static_cast<std::size_t>(std::mismatch(committed.begin(), committed.end(), due.begin(), due.end()).first - committed.begin());
  const auto line = 1 + std::count(committed.begin(), committed.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  const auto piece = [&](const std::string& text) { return at < text.size() ? text.substr(at, 60) : std::string("(its end)"); };
  return "line " + std::to_string(line) + ": \"" + piece(committed) + "\" where \"" + piece(due) + "\" is due";
}

TEST(Reference, IsCommittedAsTheProgramWritesIt) {
  const std::filesystem::path folder = test::source_folder() / "docs/reference";
  std::set<std::string> due;
  for (const ReferencePage& page : pages()) {
    due.insert(page.path);
    const std::string committed = test::file_text(folder / page.path);
    EXPECT_TRUE(committed == page.text) << "docs/reference/" << page.path << ", " << first_difference(committed, page.text)
                                        << "\nrun: build/release/fareline docs docs/reference";
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    EXPECT_TRUE(due.contains(entry.path().filename().string())) << entry.path() << " is not written by fareline docs: remove it";
}

TEST(Reference, IsTheSameEveryTime) {
  const auto again = reference_pages(Catalogue::built_in());
  ASSERT_EQ(again.size(), pages().size());
  for (std::size_t i = 0; i < again.size(); ++i) EXPECT_EQ(again[i].text, pages()[i].text) << again[i].path;
}

TEST(Reference, IndexLinksEveryPage) {
  const std::string index = page_named("README.md");
  for (const ReferencePage& page : pages()) {
    if (page.path == "README.md") continue;
    EXPECT_THAT(index, testing::HasSubstr("](" + page.path + ")"));
  }
}

TEST(Reference, EveryInputOfEveryQuestionIsThereWithItsReason) {
  const std::string page = page_named("questions.md");
  for (const Question& question : questions()) {
    EXPECT_THAT(page, testing::HasSubstr("\n## " + std::string(question.name) + "\n"));
    for (const Input& input : question.inputs)
      EXPECT_THAT(page, testing::HasSubstr("\n| `" + std::string(input.name) + "` |")) << question.name;
  }
}

// Links "(#anchor)" lead to a heading of the same page, as GitHub names them.
TEST(Reference, LinksWithinAPageLeadSomewhere) {
  for (const ReferencePage& page : pages()) {
    std::set<std::string> anchors;
    for (std::size_t at = page.text.find("\n## "); at != std::string::npos; at = page.text.find("\n## ", at + 1)) {
      std::string anchor;
      for (const char c : page.text.substr(at + 4, page.text.find('\n', at + 1) - at - 4)) {
        if (c == ' ') anchor += '-';
        else if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(c));
      }
      anchors.insert(anchor);
    }
    for (std::size_t at = page.text.find("](#"); at != std::string::npos; at = page.text.find("](#", at + 1))
      EXPECT_TRUE(anchors.contains(page.text.substr(at + 3, page.text.find(')', at) - at - 3)))
          << page.path << ": " << page.text.substr(at, 60);
  }
}

TEST(Reference, TablesHaveAsManyCellsInEveryRow) {
  for (const ReferencePage& page : pages()) {
    std::istringstream lines(page.text);
    long columns = 0;
    for (std::string line; std::getline(lines, line);) {
      long bars = 0;
      for (std::size_t i = 0; i < line.size(); ++i) bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\');
      if (!line.starts_with("|")) columns = 0;
      else if (columns == 0) columns = bars;
      else EXPECT_EQ(bars, columns) << page.path << ": " << line;
    }
  }
}

TEST(Reference, EverySourceOfAChipAndWhatDisputesItIsShown) {
  const std::string page = page_named("chips.md");
  for (const std::string& name : Catalogue::built_in().chip_names()) {
    const Chip chip = *Catalogue::built_in().chip(name);
    const auto from = page.find("\n## " + name + "\n");
    ASSERT_NE(from, std::string::npos) << name;
    const std::string section = page.substr(from, page.find("\n## ", from + 1) - from);
    std::string plain;
    for (const char c : section)
      if (c != '\\') plain += c;
    EXPECT_THAT(plain, testing::HasSubstr(chip.hbm_bandwidth.source)) << name;
    EXPECT_THAT(plain, testing::HasSubstr(chip.hbm_bandwidth.disputed)) << name;
  }
}

TEST(CalibrationFields, AreThoseOfTheFiles) {
  std::set<std::string> written;
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.path.starts_with("calibrations/")) continue;
    const Json json = Json::parse(file.text);
    for (const Json& entry : json["kernels"])
      for (const auto& [key, value] : entry.items()) written.insert("kernels[]." + key);
    for (const auto& [key, value] : json["engine"].items()) written.insert("engine." + key);
    for (const auto& [band, ends] : json["bands"].items())
      for (const auto& [key, value] : ends.items()) written.insert("bands.*." + key);
  }
  std::set<std::string> documented;
  for (const CalibrationField& field : calibration_fields()) documented.insert(std::string(field.group) + "." + std::string(field.key));
  EXPECT_EQ(documented, written);
}

// Asks a question of each shape; every member of its answer has a row, and every row is met by some answer.
TEST(AnswerFields, DescribeEveryMemberOfEveryAnswerAndNothingElse) {
  const auto inputs = [](const char* text) { return Json::parse(text); };
  const std::vector<std::tuple<std::string, std::string, Json>> asked{
      {"cost", "cost",
       inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "tp": 2, "concurrency": 16, "prompt": 2048, "output": 256})")},
      {"cost", "cost",
       inputs(
           R"({"model": "deepseek-ai/DeepSeek-V3", "system": "gb200-nvl72", "tp": 1, "dp": 8, "ep": 8, "rate": "1 1/s",
                                  "prompt": 2048, "output": 256,
                                  "cached": 0.5})")},
      {"cost", "cost",
       inputs(
           R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "tp": 2, "prefill_replicas": 1,
                                  "concurrency": 16, "prompt": 2048, "output": 256})")},
      {"step", "step", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "pp": 2, "batch": 16})")},
      {"step", "step", inputs(R"({"model": "Qwen/Qwen3-Next-80B-A3B", "system": "hgx-h100", "tp": 4, "pass": "prefill", "tokens": 512})")},
      {"memory", "memory", inputs(R"({"model": "deepseek-ai/DeepSeek-V3.2", "system": "hgx-h200", "tp": 8})")},
      {"infeasible", "cost",
       inputs(R"({"model": "meta-llama/Llama-3.1-70B", "system": "hgx-h100", "tp": 1, "prompt": 2048, "output": 256})")},
      {"infeasible", "step", inputs(R"({"model": "meta-llama/Llama-3.1-70B", "system": "hgx-h100", "tp": 3})")},
      {"sweep", "sweep",
       inputs(
           R"({"of": "cost", "vary": "batch=1,100000 tp=2,4",
                                  "inputs": {"model": "openai/gpt-oss-20b", "system": "hgx-h100", "prompt": 2048, "output": 256}})")},
      {"tiers", "tiers", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100"})")},
      {"bill", "bill",
       inputs(R"({"usage": {"input_tokens": 300000, "output_tokens": 500}, "input_price": "1 USD/Mtok", "output_price": "5 USD/Mtok",
                  "above": 200000, "model": "openai/gpt-oss-20b", "system": "hgx-h100"})")},
      {"bill", "bill",
       inputs(R"({"cases": {"rows": [{"provider": "p", "model": "m", "normalised_usage_json": "{}"}]}, "prices": {"rows": []}})")},
      {"invert", "invert",
       inputs(
           R"({"input_price": "5 USD/Mtok", "output_price": "25 USD/Mtok", "cached_price": "0.5 USD/Mtok", "write_5min_price": "6 USD/Mtok",
                                    "write_1h_price": "10 USD/Mtok", "above": 200000, "output_price_above": "37 USD/Mtok",
                                    "fast_price": 6, "fast_speed": 2.5, "speed": 50})")},
      {"invert", "invert", inputs(R"({"input_price": "0.27 USD/Mtok", "output_price": "1.1 USD/Mtok"})")},
      {"invert", "invert",
       inputs(R"({"prices": {"rows": [{"provider": "p", "model_id": "gpt-oss-20b", "input_usd_per_mtok": "0.1",
                                       "output_usd_per_mtok": "0.3"}]}})")},
      {"context", "context", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100"})")},
      {"infeasible", "context", inputs(R"({"model": "moonshotai/Kimi-K2-Instruct", "system": "hgx-h100"})")},
      {"balance", "balance", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "dense_equivalent": "10G"})")},
      {"balance", "balance", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "context": 512})")},
      {"departures", "departures",
       inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "batch": 200, "ride": 10, "load": 0.9})")},
      {"racks", "racks", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "racks": 2})")},
      {"speed", "speed", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "prompt": 2048, "output": 256})")},
      {"lecture", "lecture", inputs("{}")},
      {"lecture", "lecture", inputs(R"({"id": "roofline.sparse_attention"})")},
      {"simulate", "simulate",
       inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "tp": 1, "rate": "20 1/s", "prompt": "uniform:100,2000",
                  "output": "64", "shared": 2048, "turns": "2", "requests": 400, "prefix_cache": "yes", "find_capacity": "yes"})")},
      {"simulate", "simulate",
       inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "tp": 1, "concurrency": 16, "prompt": "512", "output": "64",
                  "disaggregate": "1:1", "preemption": "swap", "requests": 100})")},
      {"pipeline", "pipeline", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100"})")},
      {"pipeline", "pipeline", inputs(R"({"pass": "decode"})")},
      {"lifetime", "lifetime", inputs(R"({"model": "openai/gpt-oss-20b", "falling": 4, "rising": 1})")},
      {"capacity", "capacity", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "stages": 2})")},
      {"reversible", "reversible", inputs(R"({"model": "openai/gpt-oss-20b"})")},
      {"train", "train", inputs(R"({"model": "openai/gpt-oss-20b", "system": "hgx-h100", "chips": 16, "pp": 2})")},
      {"infeasible", "train", inputs(R"({"model": "meta-llama/Llama-3.1-405B", "system": "hgx-h100", "chips": 8})")},
      {"plan", "plan",
       inputs(R"({"model": "openai/gpt-oss-20b", "systems": "hgx-h100", "prompt": 2048, "output": 256, "rate": "20/s", "chips": "8"})")},
      {"no plan", "plan",
       inputs(R"({"model": "openai/gpt-oss-20b", "systems": "hgx-h100", "prompt": 2048, "output": 256, "rate": "20/s", "chips": "8",
                  "tpot": "1 ms"})")},
      {"list", "list", inputs(R"({"kind": "chips"})")},
      {"list", "list", inputs(R"({"kind": "prices"})")},
      {"list", "list", inputs(R"({"kind": "models"})")},
      {"show chip", "show", inputs(R"({"kind": "chip", "name": "h100-sxm"})")},
      {"show chip", "show", inputs(R"({"kind": "chip", "name": "cpu-zen4-2core"})")},
      {"show system", "show", inputs(R"({"kind": "system", "name": "gb200-nvl72"})")},
      {"show model", "show", inputs(R"({"kind": "model", "name": "deepseek-ai/DeepSeek-V3.2"})")},
      {"show calibration", "show", inputs(R"({"kind": "calibration", "name": "default"})")}};
  std::set<const AnswerField*> met;
  for (const auto& [shape, question, given] : asked) {
    const auto answered = ask(Json{{"question", question}, {"inputs", given}}, Catalogue::built_in());
    ASSERT_TRUE(answered.has_value()) << answered.error().line();
    for (const std::string& path : answer_paths((*answered)["answer"])) {
      const AnswerField* field = described(shape, path);
      EXPECT_NE(field, nullptr) << "the reference says nothing about \"" << path << "\" of " << shape
                                << ": add a row to api/reference_answers.cpp";
      met.insert(field);
    }
  }
  for (const AnswerField& field : answer_fields())
    EXPECT_TRUE(met.contains(&field)) << "no answer to " << field.question << " has \"" << field.path << "\"";
}

TEST(Described, TakesAStarForOneNameAlone) {
  ASSERT_NE(described("cost", "bound.decode.kv.share"), nullptr);
  EXPECT_EQ(described("cost", "bound.decode.kv.share")->path, "bound.decode.*.share");
  EXPECT_EQ(described("cost", "bound.decode.share"), nullptr);
  EXPECT_EQ(described("cost", "plan"), nullptr);
  EXPECT_EQ(described("step", "price.output"), nullptr);
}

}  // namespace
}  // namespace fareline
