// SPDX-License-Identifier: Apache-2.0
#include "plot/table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "units/text.h"

namespace fareline::plot {
namespace {

bool is_text(const Column& column) { return !column.texts.empty() || column.numbers.size() == 0; }
std::size_t rows(const Column& column) { return is_text(column) ? column.texts.size() : column.numbers.size(); }

std::string header(const Column& column) {
  return is_text(column) || column.unit.name.empty() ? column.name : fmt::format("{} ({})", column.name, column.unit.name);
}

Expected<void> check(const Table& table) {
  for (const Column& column : table.columns) {
    if (!column.texts.empty() && column.numbers.size() > 0)
      return fail(fmt::format("column \"{}\"", column.name), "it holds texts and numbers", "make two columns of it");
    if (rows(column) != rows(table.columns[0]))
      return fail(fmt::format("column \"{}\"", column.name),
                  fmt::format("it has {} rows and \"{}\" has {}", rows(column), table.columns[0].name, rows(table.columns[0])),
                  "give every column as many");
    if (!is_text(column) && column.numbers.dim != column.unit.dim)
      return fail(fmt::format("column \"{}\"", column.name),
                  fmt::format("its numbers are in {}, its unit is {}", unit_name(column.numbers.dim), column.unit.name),
                  "give both the same dimension");
  }
  return {};
}

// Line breaks and control characters would break the rows of a terminal table.
std::string one_line(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  return text;
}

std::string cell(const Table& table, const Column& column, std::size_t row) {
  if (is_text(column)) return one_line(column.texts[row]);
  const double value = column.numbers.coherent[row];
  return std::isnan(value) ? table.none : number_text(value / column.unit.factor, column.digits);
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string blanks(width - std::min(width, terminal_width(text)), ' ');
  return right ? blanks + text : text + blanks;
}

std::string field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::uint32_t take_code_point(std::string_view& text) {
  const auto head = static_cast<unsigned char>(text[0]);
  const std::size_t length = std::min<std::size_t>(text.size(), head < 0xC0 ? 1 : head < 0xE0 ? 2 : head < 0xF0 ? 3 : 4);
  std::uint32_t code = length == 1 ? head : head & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  text.remove_prefix(length);
  return code;
}

}  // namespace

Column text_column(std::string name, std::vector<std::string> texts) {
  return {.name = std::move(name), .unit = {}, .texts = std::move(texts)};
}
Column number_column(std::string name, Unit unit, Values numbers, int digits) {
  return {.name = std::move(name), .unit = std::move(unit), .numbers = std::move(numbers), .digits = digits};
}

std::size_t terminal_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const std::uint32_t code = take_code_point(text);
    const bool combining = (code >= 0x300 && code < 0x370) || (code >= 0x200B && code < 0x2010) || (code >= 0xFE00 && code < 0xFE10);
    const bool wide = (code >= 0x1100 && code < 0x1160) || (code >= 0x2E80 && code < 0xA4D0) || (code >= 0xAC00 && code < 0xD7A4) ||
                      (code >= 0xF900 && code < 0xFB00) || (code >= 0xFF00 && code < 0xFF61) || (code >= 0x1F300 && code < 0x20000) ||
                      (code >= 0x20000 && code < 0x40000);
    width += combining ? 0 : wide ? 2 : 1;
  }
  return width;
}

Expected<std::string> text_table(const Table& table) {
  if (const auto checked = check(table); !checked) return std::unexpected(checked.error());
  if (table.columns.empty()) return std::string();
  const std::size_t count = rows(table.columns[0]);
  std::vector<std::string> lines(count + 2);
  for (const Column& column : table.columns) {
    const bool right = column.right || !is_text(column);
    std::vector<std::string> cells{one_line(header(column))};
    for (std::size_t row = 0; row < count; ++row) cells.push_back(cell(table, column, row));
    std::size_t width = 0;
    for (const std::string& text : cells) width = std::max(width, terminal_width(text));
    std::string rule;
    for (std::size_t i = 0; i < width; ++i) rule += "─";
    cells.insert(cells.begin() + 1, rule);
    for (std::size_t i = 0; i < cells.size(); ++i) lines[i] += (&column == &table.columns[0] ? "" : "  ") + padded(cells[i], width, right);
  }
  std::string text;
  for (std::string& line : lines) {
    while (line.ends_with(' ')) line.pop_back();
    text += table.colour && &line == &lines[0] ? "\x1b[1m" + line + "\x1b[0m\n" : line + "\n";
  }
  return text;
}

Expected<std::string> csv(const Table& table) {
  if (const auto checked = check(table); !checked) return std::unexpected(checked.error());
  if (table.columns.empty()) return std::string();
  std::string text;
  for (const Column& column : table.columns) text += (&column == &table.columns[0] ? "" : ",") + field(header(column));
  text += "\r\n";
  for (std::size_t row = 0; row < rows(table.columns[0]); ++row) {
    for (const Column& column : table.columns) {
      if (&column != &table.columns[0]) text += ',';
      if (is_text(column)) text += field(column.texts[row]);
      else if (!std::isnan(column.numbers.coherent[row])) text += fmt::format("{}", column.numbers.coherent[row] / column.unit.factor);
    }
    text += "\r\n";
  }
  return text;
}

}  // namespace fareline::plot
