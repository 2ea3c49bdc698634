// SPDX-License-Identifier: Apache-2.0
// A trace as bytes that come a piece at a time, and as lines. Nothing here opens a file: whoever has files makes a ByteSource.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "units/error.h"

namespace fareline {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next bytes, which stay until the next call; empty at the end. Errors: cannot be read on, or what was packed is damaged
  // or cut short.
  virtual Expected<std::string_view> next() = 0;
};

// Text that is in memory, in pieces of at most `piece` bytes. The text must outlive the source.
class TextBytes : public ByteSource {
 public:
  explicit TextBytes(std::string_view text, std::size_t piece = std::string_view::npos) : text_(text), piece_(piece) {}
  Expected<std::string_view> next() override {
    const std::string_view now = text_.substr(0, piece_);
    text_.remove_prefix(now.size());
    return now;
  }

 private:
  std::string_view text_;
  std::size_t piece_;
};

// The longest line of a trace: a million tokens in blocks of 16 are half a million bytes of hashes.
inline constexpr std::size_t longest_trace_line = 1u << 24;

// Lines of a source without their ends; memory does not grow with it.
class LineReader {
 public:
  LineReader(std::string name, std::unique_ptr<ByteSource> source) : name_(std::move(name)), source_(std::move(source)) {}
  // The next line, which stays until the next call; nothing at the end, and after a failure.
  std::optional<std::string_view> next();
  const Error* failed() const { return error_ ? &*error_ : nullptr; }
  long line() const { return line_; }  // of the line that next() gave last, from 1
  std::string where() const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::unique_ptr<ByteSource> source_;
  std::string_view piece_;
  std::string joined_;  // a line that began in an earlier piece
  bool ended_ = false;
  long line_ = 0;
  std::optional<Error> error_;
};

}  // namespace fareline
