// SPDX-License-Identifier: Apache-2.0
// Tables: aligned text for people, CSV (RFC 4180) for programs. Both say the unit of every column.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plot/axis.h"

namespace fareline::plot {

// A column is of texts, or of numbers in one unit.
struct Column {
  std::string name;                     // "time per output token"
  Unit unit;                            // numbers: written after the name
  std::vector<std::string> texts = {};
  Values numbers = {};                  // NaN: no value, written as Table::none
  int digits = 4;                       // significant digits for people; CSV always carries all of them
  bool right = false;                   // texts stand at the right; numbers always do
};
Column text_column(std::string name, std::vector<std::string> texts);
Column number_column(std::string name, Unit unit, Values numbers, int digits = 4);

struct Table {
  std::vector<Column> columns;
  std::string none = "–";
  bool colour = false;  // ANSI: a bold header
};

// Returns lines of UTF-8 text, each ended by a line feed: a header "name (unit)", a rule, the rows; two blanks between columns.
// Errors: columns of unequal length, numbers that are not in the dimension of their unit.
Expected<std::string> text_table(const Table& table);

// Returns CSV as RFC 4180 has it: CRLF line ends, a header "name (unit)", fields with commas, quotes or line breaks quoted;
// numbers in the column's unit with as many digits as a double needs to come back the same, no value as an empty field.
// Errors: as for text_table.
Expected<std::string> csv(const Table& table);

// Returns how many terminal cells `text` takes: one a character, none for combining marks, two for wide East Asian ones.
std::size_t terminal_width(std::string_view text);

}  // namespace fareline::plot
