// SPDX-License-Identifier: Apache-2.0
#include "truth/table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <zlib.h>

namespace fareline {

// Plain bytes are handed through; gzip is inflated a piece at a time. Concatenated gzip members are one table (RFC 1952, 2.2).
class TableReader::Bytes {
 public:
  explicit Bytes(std::string_view bytes) : plain_(bytes) {
    if (bytes.size() < 2 || static_cast<unsigned char>(bytes[0]) != 0x1f || static_cast<unsigned char>(bytes[1]) != 0x8b) return;
    packed_ = true;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib's interface; it does not write there
    left_ = bytes.size();
    broken_ = inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK;
  }
  ~Bytes() {
    if (packed_) inflateEnd(&stream_);
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;

  // The next character; -1 at the end, and where the gzip is damaged.
  int next() {
    if (at_ == end_ && !more()) return -1;
    return static_cast<unsigned char>(*at_++);
  }
  int peek() {
    if (at_ == end_ && !more()) return -1;
    return static_cast<unsigned char>(*at_);
  }
  bool broken() const { return broken_; }

 private:
  bool more() {
    if (broken_) return false;
    if (!packed_) {
      if (plain_.empty()) return false;
      at_ = plain_.data();
      end_ = at_ + plain_.size();
      plain_ = {};
      return true;
    }
    stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
    stream_.avail_out = static_cast<uInt>(piece_.size());
    while (stream_.avail_out == piece_.size()) {
      if (between_) {
        if (left_ == 0 && stream_.avail_in == 0) return false;
        broken_ = inflateReset(&stream_) != Z_OK;
        if (broken_) return false;
        between_ = false;
      }
      if (stream_.avail_in == 0) {
        stream_.avail_in = static_cast<uInt>(std::min<std::size_t>(left_, 1u << 30));
        left_ -= stream_.avail_in;
      }
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        between_ = true;
      } else if (status != Z_OK || (stream_.avail_in == 0 && left_ == 0 && stream_.avail_out == piece_.size())) {
        broken_ = true;
        return false;
      }
    }
    at_ = piece_.data();
    end_ = at_ + (piece_.size() - stream_.avail_out);
    return true;
  }

  std::string_view plain_;
  bool packed_ = false, broken_ = false, between_ = false;
  z_stream stream_{};
  std::size_t left_ = 0;  // packed bytes not yet given to zlib
  std::array<char, 1u << 16> piece_;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
};

TableReader::TableReader(std::string file) : file_(std::move(file)) {}
TableReader::TableReader(TableReader&&) noexcept = default;
TableReader& TableReader::operator=(TableReader&&) noexcept = default;
TableReader::~TableReader() = default;

std::string TableReader::where() const { return fmt::format("{} line {}", file_, line_); }

// Reads one record into record_ and ends_; false at the end of the table.
Expected<bool> TableReader::record() {
  const auto damaged = [&] { return fail(where(), "the gzip is damaged or cut short", "fetch the file again"); };
  for (;;) {
    record_.clear();
    ends_.clear();
    line_ = next_line_;
    bool quoted = false, was_quoted = false, any = false;
    std::size_t start = 0;
    for (;;) {
      const int c = bytes_->next();
      if (c < 0) {
        if (bytes_->broken()) return damaged();
        if (quoted) return fail(where(), "a quote is opened and never closed", "close it, or write two quotes for one");
        if (!any) return false;
        ends_.push_back(record_.size());
        return true;
      }
      if (record_.size() >= longest_record_bytes)
        return fail(where(), fmt::format("the record is longer than {} bytes", longest_record_bytes), "give a CSV table");
      if (c == '\n') ++next_line_;
      if (quoted) {
        if (c != '"') {
          record_.push_back(static_cast<char>(c));
        } else if (bytes_->peek() == '"') {
          record_.push_back('"');
          bytes_->next();
        } else {
          quoted = false;
          const int after = bytes_->peek();
          if (after >= 0 && after != ',' && after != '\n' && after != '\r')
            return fail(where(), "text follows a closing quote", "quote the whole cell, and write two quotes for one");
        }
        continue;
      }
      if (c == '\r' && bytes_->peek() == '\n') continue;
      if (c == '\n') {
        if (!any) break;  // a blank line
        ends_.push_back(record_.size());
        return true;
      }
      any = true;
      if (c == ',') {
        if (ends_.size() + 1 >= most_columns)
          return fail(where(), fmt::format("the record has more than {} cells", most_columns), "give a CSV table");
        ends_.push_back(record_.size());
        start = record_.size();
        was_quoted = false;
      } else if (c == '"') {
        if (record_.size() != start || was_quoted)
          return fail(where(), "a quote stands inside a plain cell", "quote the whole cell, and write two quotes for one");
        quoted = was_quoted = true;
      } else {
        record_.push_back(static_cast<char>(c));
      }
    }
  }
}

Expected<TableReader> TableReader::open(std::string file, std::string_view bytes) {
  TableReader table(std::move(file));
  table.bytes_ = std::make_unique<Bytes>(bytes);
  const auto header = table.record();
  if (!header) return std::unexpected(header.error());
  if (!*header) return fail(table.file_, "is empty", "give a CSV table with a header line");
  for (std::size_t i = 0; i < table.ends_.size(); ++i) {
    std::string name(table.text(i));
    if (i == 0 && name.starts_with("\xEF\xBB\xBF")) name.erase(0, 3);  // a byte order mark
    if (name.empty()) return fail(table.where(), fmt::format("column {} of the header has no name", i + 1), "name every column");
    if (table.find(name)) return fail(table.where(), fmt::format("the header names {} twice", in_quotes(name)), "name every column once");
    table.columns_.push_back(std::move(name));
  }
  return table;
}

ColumnIndex TableReader::find(std::string_view column) const {
  const auto found = std::find(columns_.begin(), columns_.end(), column);
  return found == columns_.end() ? ColumnIndex{} : ColumnIndex(static_cast<std::size_t>(found - columns_.begin()));
}

bool TableReader::has_all(std::span<const std::string_view> columns) const {
  return std::all_of(columns.begin(), columns.end(), [&](std::string_view c) { return find(c).has_value(); });
}

Expected<std::size_t> TableReader::require(std::string_view column) const {
  if (const ColumnIndex at = find(column)) return *at;
  const std::string near = nearest_names(column, columns_);
  return fail(file_, fmt::format("has no column \"{}\"", column), near.empty() ? fmt::format("name it in the header line") : near);
}

Expected<bool> TableReader::next() {
  const auto more = record();
  if (!more || !*more) return more;
  if (ends_.size() != columns_.size())
    return fail(where(), fmt::format("has {} cells where the header has {}", ends_.size(), columns_.size()),
                "write every cell, the empty ones too");
  return true;
}

std::string_view TableReader::text(ColumnIndex column) const {
  if (!column || *column >= ends_.size()) return {};
  const std::size_t begin = *column == 0 ? 0 : ends_[*column - 1];
  return std::string_view(record_).substr(begin, ends_[*column] - begin);
}

Expected<std::optional<double>> TableReader::number(ColumnIndex column) const {
  std::string_view cell = text(column);
  if (cell.empty()) return std::nullopt;
  if (cell.front() == '+') cell.remove_prefix(1);
  double value = 0;
  const auto [end, code] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (code != std::errc() || end != cell.data() + cell.size() || !std::isfinite(value))
    return fail(fmt::format("{}, column {}", where(), columns_[*column]), fmt::format("{} is not a number", in_quotes(cell)),
                "write a number such as 12.5, or leave the cell empty");
  return value;
}

}  // namespace fareline
