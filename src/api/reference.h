// SPDX-License-Identifier: Apache-2.0
// The reference documentation, written from the tables the program itself works by.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "catalog/catalog.h"

namespace fareline {

// A Markdown file: path below the folder the reference is written to, and its text.
struct ReferencePage {
  std::string path, text;
};

// Returns the pages: the questions, the shape of their answers, operators, kernels, number formats, and what `catalogue` holds.
// The same catalogue gives the same bytes.
std::vector<ReferencePage> reference_pages(const Catalogue& catalogue);

// What a member of an answer means. A path names members from the answer down; "*" stands for any one name, "[]" for each
// element of a list.
struct AnswerField {
  std::string_view question, path, summary;
};
std::span<const AnswerField> answer_fields();
// The rows of a group of questions, which answer_fields() joins.
std::span<const AnswerField> blackboard_answer_fields();
std::span<const AnswerField> price_answer_fields();  // of caches and prices
std::span<const AnswerField> simulate_answer_fields();
std::span<const AnswerField> training_answer_fields();  // of pipelines, memory and training
std::span<const AnswerField> plan_answer_fields();

// The row that describes `path` of an answer to `question`; nothing where no row does.
const AnswerField* described(std::string_view question, std::string_view path);

// The paths of the members of `answer`, quantities and lists of like things taken as one member each, in the answer's order.
std::vector<std::string> answer_paths(const nlohmann::ordered_json& answer);

// A member of a calibration's file, below "kernels[]", "engine" or "bands.*".
struct CalibrationField {
  std::string_view group, key, unit, summary;
};
std::span<const CalibrationField> calibration_fields();

}  // namespace fareline
