// SPDX-License-Identifier: Apache-2.0
#include "sim/traffic_bytes.h"

#include <cstring>

#include <fmt/format.h>

namespace fareline {

std::string LineReader::where() const { return fmt::format("{} line {}", name_, line_); }

std::optional<std::string_view> LineReader::next() {
  if (error_) return std::nullopt;
  joined_.clear();
  for (;;) {
    if (piece_.empty()) {
      if (ended_) {
        if (joined_.empty()) return std::nullopt;
        ++line_;
        return joined_;
      }
      auto piece = source_->next();
      if (!piece) {
        ++line_;
        error_ = std::move(piece.error());
        error_->where = error_->where.empty() ? where() : fmt::format("{} line {}", error_->where, line_);
        return std::nullopt;
      }
      piece_ = *piece;
      ended_ = piece_.empty();
      continue;
    }
    const void* end = std::memchr(piece_.data(), '\n', piece_.size());
    const std::size_t size = end ? static_cast<std::size_t>(static_cast<const char*>(end) - piece_.data()) : piece_.size();
    if (joined_.size() + size > longest_trace_line) {
      ++line_;
      error_ = Error{where(), fmt::format("is longer than {} MiB", longest_trace_line >> 20), "give one request a line"};
      return std::nullopt;
    }
    std::string_view line = piece_.substr(0, size);
    piece_.remove_prefix(end ? size + 1 : size);
    if (!end || !joined_.empty()) joined_ += line;
    if (!end) continue;
    if (!joined_.empty()) line = joined_;
    ++line_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }
}

}  // namespace fareline
