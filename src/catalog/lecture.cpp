// SPDX-License-Identifier: Apache-2.0
#include "catalog/lecture.h"

#include <algorithm>
#include <vector>

#include <nlohmann/json.hpp>

#include "catalog/embedded.h"
#include "catalog/fields.h"

namespace fareline {
namespace {

// Whole seconds of "19:07" or "1:09:38"; what is no time comes last.
int seconds(std::string_view at) {
  int total = 0, part = 0;
  for (const char c : at) {
    if (c == ':') {
      total = 60 * (total + part);
      part = 0;
    } else if (c >= '0' && c <= '9') {
      part = 10 * part + (c - '0');
    } else {
      return 1 << 30;
    }
  }
  return total + part;
}

}  // namespace

Expected<LectureFigure> read_lecture_figure(std::string_view file, std::string_view text) {
  const auto document = parse_json(file, text);
  if (!document) return std::unexpected(document.error());
  std::optional<Error> error;
  Fields fields(*document, std::string(file), "", error);
  LectureFigure figure;
  figure.id = fields.text("id");
  figure.at = fields.text("at");
  figure.quantity = fields.text("quantity");
  figure.said = fields.text("said");
  figure.question = fields.text("question");
  const auto object = [&](std::string_view key, Presence presence) -> std::string {
    const nlohmann::json* value = fields.raw(key, presence);
    if (!value) return {};
    if (!value->is_object()) fields.wrong(key, "is not an object", "write {\"batch\": 2000}");
    return value->dump();
  };
  figure.inputs = object("inputs", Presence::required);
  figure.over = object("over", Presence::optional);
  figure.answer = fields.text("answer");
  figure.unit = fields.text("unit");
  if (fields.has("scale")) figure.scale = fields.number("scale", {1e-30, 1e30});
  if (fields.has("exact")) figure.exact = fields.number("exact", {-1e30, 1e30});
  figure.note = fields.text("note", Presence::optional);
  figure.plot = fields.text("plot", Presence::optional);
  fields.done();
  if (error) return std::unexpected(*error);
  return figure;
}

std::span<const LectureFigure> lecture_figures() {
  static const std::vector<LectureFigure> figures = [] {
    std::vector<LectureFigure> all;
    for (const EmbeddedFile& file : embedded_files()) {
      if (!file.path.starts_with("lecture/")) continue;
      auto figure = read_lecture_figure(file.path, file.text);
      if (!figure) bug(figure.error().line().c_str(), __FILE__, __LINE__);
      all.push_back(std::move(*figure));
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const LectureFigure& a, const LectureFigure& b) { return seconds(a.at) < seconds(b.at); });
    return all;
  }();
  return figures;
}

}  // namespace fareline
