// SPDX-License-Identifier: Apache-2.0
// Traces that others recorded, read line by line: CSV with a header, and JSON lines.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "sim/request.h"
#include "sim/traffic_bytes.h"

namespace fareline {

// A table of requests that is understood: its columns by name; where one is empty the table has none.
struct TraceFormat {
  std::string_view name, summary;
  std::string_view arrival, prompt, output;       // needed; without arrivals a table gives lengths alone
  enum class Clock : unsigned char { seconds, milliseconds, date } clock = Clock::seconds;
  std::string_view id = {}, session = {}, priority = {}, blocks = {};  // taken where they are there
  std::string_view source = {};                   // where the format is published
};
std::span<const TraceFormat> trace_formats();
// "azure: TIMESTAMP, ContextTokens, GeneratedTokens; ...": for help and errors.
std::string trace_formats_text();

struct TraceChoice {
  std::string column, value;      // only rows whose `column` reads `value`; empty: all
  double speed = 1;               // time runs so many times faster
  std::uint64_t requests = UINT64_MAX;  // ends after so many
};

// The requests of a trace; time counts from the first, divided by `speed`. Ids are the trace's where they are whole numbers, else
// the row's number; memory grows with a trace only where it has ids that are not numbered on.
class TraceTraffic : public Traffic {
 public:
  // Reads the header. `name` names the trace in errors. Errors: empty, columns of no known format, a column to choose by that is
  // not there, and as the source's.
  static Expected<std::unique_ptr<TraceTraffic>> open(std::string name, std::unique_ptr<ByteSource> source, TraceChoice choice = {});
  ~TraceTraffic() override;
  // Stops, with `failed`, at a line that has not the header's cells, a length that is negative or no whole number, time that runs
  // backwards, an id that was there before, or JSON that is none.
  std::optional<Request> next() override;
  const Error* failed() const override { return error_ ? &*error_ : nullptr; }
  std::optional<std::string> save() const override;
  bool restore(std::string_view bytes) override;  // reads up to there again
  const TraceFormat& format() const { return *format_; }

 private:
  friend Expected<std::vector<std::vector<std::int64_t>>> read_lengths(std::string name, std::unique_ptr<ByteSource> source);
  struct Row;
  TraceTraffic(std::string name, std::unique_ptr<ByteSource> source, TraceChoice choice);
  Expected<void> read_header(bool lengths_alone);
  bool read_row(Row& row);            // false at the end and after an error
  bool read_cells(std::string_view line, Row& row);
  bool read_json(std::string_view line, Row& row);
  bool wrong(std::string what, std::string remedy);
  bool identified(std::string_view id, Row& row);
  bool is_new(std::string_view id, std::uint64_t& number);

  LineReader lines_;
  TraceChoice choice_;
  const TraceFormat* format_ = nullptr;
  bool json_ = false;
  std::optional<std::string> first_line_;      // of JSON lines, read to tell the format
  std::vector<std::string> columns_;
  enum Part : unsigned char { arrival, prompt, output, id, session, priority, blocks, chosen, parts };
  std::vector<int> part_of_;                   // [column]: a bit for each Part it is
  std::vector<std::string_view> cells_;        // [Part] of the line under way
  std::string unquoted_[parts];
  std::uint64_t given_ = 0;
  bool any_ = false, with_ids_ = false;
  double origin_ = 0, last_ = 0;               // in the clock's own unit
  std::map<std::uint64_t, std::uint64_t> ids_;  // stretches of numbers that were there: first to last
  std::unordered_set<std::uint64_t> texts_;    // hashes of the other ids
  std::optional<Error> error_;
};

// Returns the prompt and output lengths of a table with or without arrivals, as two columns. Errors: as of a trace; no rows; more than
// sixteen million.
Expected<std::vector<std::vector<std::int64_t>>> read_lengths(std::string name, std::unique_ptr<ByteSource> source);

}  // namespace fareline
