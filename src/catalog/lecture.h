// SPDX-License-Identifier: Apache-2.0
// A figure of the lecture: what was said when, and the question whose answer holds it. One file each in data/lecture/.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "units/error.h"

namespace fareline {

struct LectureFigure {
  std::string id, at;           // "batch.optimal_lecture"; "19:07", or the thread it stands in
  std::string quantity, said;
  std::string question;         // "balance"
  std::string inputs;           // JSON object
  std::string over;             // JSON object: the figure is the ratio to the same with these inputs instead; empty: it is none
  std::string answer;           // path of the answer: "batch.weights", "rows[2].time"
  std::string unit;             // as the figure was stated: "ms"
  double scale = 1;             // of those units in one of the answer's
  std::optional<double> exact;  // none where it depends on the model
  std::string note;             // where the lecture and a real configuration part
  std::string plot;             // file name of the picture its question draws, without ".svg"; empty: none
};

// Reads a figure. Errors: whatever parse_json and Fields refuse.
Expected<LectureFigure> read_lecture_figure(std::string_view file, std::string_view text);

// The figures compiled in, by time. Aborts where data/lecture/ is broken: a test reads every file.
std::span<const LectureFigure> lecture_figures();

}  // namespace fareline
