// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "api/asked.h"
#include "api/questions.h"
#include "catalog/embedded.h"
#include "catalog/lecture.h"
#include "tests/place.h"

namespace fareline {
namespace {

using test::Json;

// The cells of one line of the table, quotes taken off.
std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> all(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') quoted = !quoted;
    else if (c == ',' && !quoted) all.emplace_back();
    else if (c != '\r') all.back() += c;
  }
  return all;
}

TEST(LectureFigures, AreNamedAfterTheirFilesAndAskAQuestionThereIs) {
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.path.starts_with("lecture/")) continue;
    const auto figure = read_lecture_figure(file.path, file.text);
    ASSERT_TRUE(figure.has_value()) << figure.error().line();
    EXPECT_EQ("lecture/" + figure->id + ".json", file.path);
    EXPECT_NE(question_named(figure->question), nullptr) << figure->id;
  }
}

TEST(LectureFigures, ComeInTheOrderTheyWereSaid) {
  // "1:09:38" in seconds; what stands in a forum thread ("seed 2") comes last.
  const auto seconds = [](const std::string& at) {
    int total = 0;
    for (std::istringstream parts(at); std::isdigit(parts.peek());) {
      std::string part;
      std::getline(parts, part, ':');
      total = 60 * total + std::stoi(part);
    }
    return std::isdigit(static_cast<unsigned char>(at.front())) ? total : 1'000'000;
  };
  std::vector<int> at;
  for (const LectureFigure& figure : lecture_figures()) at.push_back(seconds(figure.at));
  ASSERT_GT(at.size(), 1u);
  EXPECT_TRUE(std::is_sorted(at.begin(), at.end()));
}

TEST(ReadLectureFigure, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(read_lecture_figure("f.json", R"({"id": "a"})").has_value());
  const auto spare = read_lecture_figure("f.json", R"({"id": "a", "at": "1:00", "quantity": "q", "said": "s", "question": "balance",
      "inputs": {}, "answer": "time", "unit": "s", "value": 3})");
  ASSERT_FALSE(spare.has_value());
  EXPECT_NE(spare.error().line().find("value"), std::string::npos);
}

TEST(Lecture, HoldsEveryFigureOfTheTable) {
  const auto shared = test::shared_folder();
  if (!shared) GTEST_SKIP() << "../shared is not there";
  std::istringstream table(test::file_text(*shared / "lecture/lecture.csv"));
  const Json answer = test::asked("lecture", Json::object());
  ASSERT_TRUE(answer.contains("answer")) << answer;
  std::map<std::string, Json> rows;
  for (const Json& row : answer["answer"]["rows"]) rows[row["id"]] = row;
  std::string line;
  std::getline(table, line);
  int figures = 0;
  while (std::getline(table, line)) {
    if (line.empty()) continue;
    const std::vector<std::string> cell = cells(line);
    ASSERT_EQ(cell.size(), 9u) << line;
    ++figures;
    if (!rows.contains(cell[0])) {
      ADD_FAILURE() << cell[0] << " has no file in data/lecture";
      continue;
    }
    const Json& row = rows[cell[0]];
    EXPECT_EQ(row["at"], cell[1]) << cell[0];
    EXPECT_EQ(row["said"], cell[8]) << cell[0];
    if (cell[6].empty()) continue;
    const double exact = std::stod(cell[6]), value = row["value"];
    EXPECT_LE(std::abs(value - exact), 0.005 * std::abs(exact)) << cell[0] << ": " << value << " " << row["unit"] << ", exactly " << exact;
    EXPECT_TRUE(row["within"].get<bool>()) << cell[0];
  }
  EXPECT_EQ(figures, 59);
}

TEST(Lecture, IsAskedOtherwise) {
  const Json answer = test::asked("lecture", {{"id", "batch.optimal_lecture"}, {"set", {{"activated_experts", 8}}}});
  EXPECT_EQ(answer["answer"]["rows"][0]["value"], 9600);  // 300 x 256 / 8
  EXPECT_FALSE(answer["answer"]["rows"][0]["within"].get<bool>());
}

TEST(Lecture, RefusesInWords) {
  EXPECT_EQ(test::refused("lecture", {{"id", "batch.optimal_lectur"}}),
            "id: \"batch.optimal_lectur\" is no figure of the lecture; did you mean batch.optimal_lecture?");
  EXPECT_NE(test::refused("lecture", {{"set", {{"batch", 5}}}}).find("name one figure"), std::string::npos);
  EXPECT_NE(test::refused("lecture", {{"id", "batch.optimal_lecture"}, {"set", {{"activated_expert", 8}}}}).find("activated_experts"),
            std::string::npos);
}

TEST(LecturePlots, AreDrawnEach) {
  const auto pictures = lecture_plots(Catalogue::built_in());
  ASSERT_TRUE(pictures.has_value()) << pictures.error().line();
  std::set<std::string> names;
  for (const auto& [name, svg] : *pictures) {
    EXPECT_TRUE(names.insert(name).second) << name << " is drawn twice";
    EXPECT_NE(svg.find("<svg"), std::string::npos);
  }
  // The curves of the blackboard.
  for (const char* name : {"batch", "context", "pipeline-unfilled", "pipeline-filled", "tiers", "cost-of-a-life"})
    EXPECT_TRUE(names.contains(std::string(name) + ".svg")) << name;
}

}  // namespace
}  // namespace fareline
