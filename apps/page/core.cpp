// SPDX-License-Identifier: Apache-2.0
// The core as the page sees it: room for a question's text, its answer, and the tables that forms are made of.
#include <cstdlib>
#include <string>

#define FMT_STATIC_THOUSANDS_SEPARATOR ','
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/asking.h"
#include "api/figures.h"
#include "api/question.h"
#include "api/sweep.h"
#include "units/text.h"

namespace {

using Json = nlohmann::ordered_json;

std::string answer;

// Tells the page what share of the answer is there.
extern "C" [[clang::import_module("page"), clang::import_name("progress")]] void progress(double done);

Json row(const fareline::Input& input) {
  static constexpr const char* kinds[] = {"text", "model", "count", "number", "quantity", "choice", "document"};
  Json j{{"name", input.name},     {"kind", kinds[static_cast<std::size_t>(input.kind)]},
         {"value", input.value},     {"reason", input.reason},
         {"summary", input.summary}, {"group", input.group}};
  if (input.kind == fareline::InputKind::quantity) j["unit"] = fareline::unit_name(input.dim);
  if (!input.choices.empty()) j["choices"] = input.choices;
  if (fareline::is_numeric(input.kind)) j["least"] = input.least, j["most"] = input.most;
  return j;
}

}  // namespace

namespace fareline {

// The page draws the figures of an answer itself.
Expected<std::string> plot_figures(const Json&) { return fail("plot", "is not drawn here", "take the figures of the answer"); }
Expected<std::string> plot_sweep(const Json&) { return fail("plot", "is not drawn here", "take the columns of the answer"); }

}  // namespace fareline

// Numbers are written without the standard library's locales, a tenth of the core: these definitions come before all others.
template fmt::detail::thousands_sep_result<char> fmt::detail::thousands_sep_impl<char>(fmt::detail::locale_ref);
template char fmt::detail::decimal_point_impl<char>(fmt::detail::locale_ref);

extern "C" {

// Debian's builtins are compiled with a guard of the stack, and wasi-libc has none.
unsigned long __stack_chk_guard = 0x2545F491;
[[noreturn]] void __stack_chk_fail() { std::abort(); }

[[clang::export_name("room")]] char* room(std::size_t bytes) {
  static std::string question;
  question.resize(bytes);
  return question.data();
}

// Both return the text of the answer, of answered() bytes. Where it is watched a run is not cut short: the page ends it with its worker.
[[clang::export_name("ask")]] const char* ask(const char* question, std::size_t bytes, bool watched) {
  const auto read = fareline::read_document("question", {question, bytes});
  fareline::Watch watch;
  if (watched) watch = [](double done) { return progress(done), true; };
  answer = fareline::text_of(read ? fareline::ask_watched(*read, fareline::Catalogue::built_in(), watch) : std::unexpected(read.error()));
  return answer.data();
}

[[clang::export_name("tables")]] const char* tables() {
  Json all = Json::array();
  for (const fareline::Question& question : fareline::questions()) {
    Json inputs = Json::array();
    for (const fareline::Input& input : question.inputs) inputs.push_back(row(input));
    all.push_back({{"name", question.name}, {"summary", question.summary}, {"example", question.example}, {"inputs", std::move(inputs)}});
  }
  answer = all.dump();
  return answer.data();
}

[[clang::export_name("answered")]] std::size_t answered() { return answer.size(); }
}
