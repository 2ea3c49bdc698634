// SPDX-License-Identifier: Apache-2.0
// Files of the person at the keyboard: read whole, bounded; written whole or not at all.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "units/error.h"

namespace fareline::cli {

// Errors: cannot be opened, is a folder, is above `most` bytes.
Expected<std::string> read_file(const std::string& path, std::size_t most);

// Returns the table (CSV or gzipped CSV) in a file as {"name": path, "rows": [{column: text}]}, empty cells left out.
// Errors: as read_file and TableReader in truth/table.h.
Expected<nlohmann::ordered_json> read_rows(const std::string& path);

// Writes beside the target first and renames: nothing half-written stays behind. "-" is standard output.
Expected<void> write_file(const std::string& path, const std::string& text);

// A file written as it comes, beside its target until it is kept; without that nothing stays behind.
class StreamedFile {
 public:
  explicit StreamedFile(std::string path);
  ~StreamedFile();
  StreamedFile(const StreamedFile&) = delete;
  StreamedFile& operator=(const StreamedFile&) = delete;
  void write(std::string_view text);
  Expected<void> opened() const;  // Errors: cannot be written
  Expected<void> keep();          // Errors: cannot be written

 private:
  std::string path_;
  std::FILE* file_;
  bool failed_ = false;
};

}  // namespace fareline::cli
