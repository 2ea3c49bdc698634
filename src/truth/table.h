// SPDX-License-Identifier: Apache-2.0
// Tables of measurements: CSV (RFC 4180), plain or gzipped, read row by row from bytes already in memory. Nothing here opens
// a file.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "units/error.h"

namespace fareline {

// The longest record a table may have, line breaks in quotes included, and its most columns.
inline constexpr std::size_t longest_record_bytes = 1u << 20;
inline constexpr std::size_t most_columns = 1024;

// Where a column of the header stands; none: the table has no such column.
using ColumnIndex = std::optional<std::size_t>;

// Reads one table, one record at a time; memory does not grow with the table. Lines count from 1, the header's own.
class TableReader {
 public:
  // Reads the header. `file` names the table in errors; `bytes` must outlive the reader.
  // Errors: empty, damaged gzip, a name twice or empty, beyond the bounds above.
  static Expected<TableReader> open(std::string file, std::string_view bytes);
  TableReader(TableReader&&) noexcept;
  TableReader& operator=(TableReader&&) noexcept;
  ~TableReader();

  const std::vector<std::string>& columns() const { return columns_; }
  ColumnIndex find(std::string_view column) const;
  bool has_all(std::span<const std::string_view> columns) const;
  // Errors: the column is missing; names the nearest and what the table has.
  Expected<std::size_t> require(std::string_view column) const;

  // Goes to the next record; false at the end. Blank lines are passed over.
  // Errors, with the line: more or fewer cells than the header, a quote that is not closed or stands inside a plain cell, a
  // record or a cell beyond the bounds, gzip that is damaged or cut short.
  Expected<bool> next();

  // Cells of the current record, quotes taken off. A column the table lacks reads as empty.
  std::string_view text(ColumnIndex column) const;
  // The number in a cell; none where it is empty. Errors, with line and column: anything else than a finite number.
  Expected<std::optional<double>> number(ColumnIndex column) const;

  long line() const { return line_; }         // on which the current record began
  const std::string& file() const { return file_; }

 private:
  class Bytes;  // the table's characters, inflated as they are asked for
  explicit TableReader(std::string file);
  Expected<bool> record();
  std::string where() const;

  std::string file_;
  std::unique_ptr<Bytes> bytes_;
  std::vector<std::string> columns_;
  std::string record_;                  // the cells' characters, one after the other
  std::vector<std::size_t> ends_;       // of each cell in record_
  long line_ = 0, next_line_ = 1;
};

}  // namespace fareline
