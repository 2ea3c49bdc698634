// SPDX-License-Identifier: Apache-2.0
#include "sim/traffic_trace.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "sim/traffic_random.h"
#include "units/text.h"

namespace fareline {
namespace {

using Clock = TraceFormat::Clock;

constexpr auto formats = std::to_array<TraceFormat>({
    {"plain", "arrival in seconds, lengths in tokens; id, session and priority where they are there", "arrival", "prompt", "output",
     Clock::seconds, "id", "session", "priority", "", "docs/guide/simulate.md"},
    {"azure", "Azure's LLM inference traces of 2023 and 2024", "TIMESTAMP", "ContextTokens", "GeneratedTokens", Clock::date, "", "", "", "",
     "Azure/AzurePublicDataset, AzureLLMInferenceDataset2023.md and 2024.md"},
    {"burstgpt", "BurstGPT; failed requests have no output", "Timestamp", "Request tokens", "Response tokens", Clock::seconds, "", "", "",
     "", "HPMLL/BurstGPT, README.md"},
    {"mooncake", "Mooncake's, with the hash of each block of 512 tokens", "timestamp_ms", "input_tokens", "output_tokens",
     Clock::milliseconds, "", "", "", "hash_ids_space_separated", "kvcache-ai/Mooncake, FAST25-release/traces"},
    {"seconds", "arrivals in seconds, as Azure's and ShareGPT's conversations are often rewritten", "arrival_s", "input_tokens",
     "output_tokens", Clock::seconds, "", "", "", "", "casys-kaist/LLMServingSim, workloads"},
    {"vllm", "one record a request of a vLLM run", "arrival_rel_s", "input_toks", "output_toks", Clock::seconds, "request_id", "", "", "",
     "casys-kaist/LLMServingSim, bench/examples"},
    {"lengths", "lengths alone, to draw from", "", "input_tokens", "output_tokens"},
    {"lengths", "lengths alone, to draw from", "", "prompt", "output"},
});
// JSON lines: {"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47]}.
constexpr TraceFormat json_format{"mooncake",
                                  "Mooncake's JSON lines, with the hash of each block of 512 tokens",
                                  "timestamp",
                                  "input_length",
                                  "output_length",
                                  Clock::milliseconds,
                                  "request_id",
                                  "session_id",
                                  "priority",
                                  "hash_ids",
                                  "kvcache-ai/Mooncake, FAST25-release/traces"};
// The same with the plain table's names: {"arrival": 27.482, "prompt": 6955, "output": 52}.
constexpr TraceFormat plain_json_format{"plain",
                                        "JSON lines; arrival in seconds",
                                        "arrival",
                                        "prompt",
                                        "output",
                                        Clock::seconds,
                                        "id",
                                        "session",
                                        "priority",
                                        "blocks",
                                        "docs/guide/simulate.md"};
constexpr std::size_t most_rows = 1u << 24, most_trace_columns = 1024;

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, scrambled
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return scrambled(hash);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// Days from 1970-01-01 to a date of the Gregorian calendar. Source: Hatcher 1984, Simple formulae for Julian day numbers and calendar
// dates, QJRAS 25.
std::int64_t days_to(std::int64_t year, int month, int day) {
  year -= month <= 2;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
  const std::int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// Seconds since 1970 of "2023-11-16 18:17:03.9799600", with 'T' for the blank and an offset such as "+00:00" or "Z" behind it.
std::optional<double> seconds_of_date(std::string_view text) {
  const auto two = [&](std::size_t at) -> std::optional<int> { return number_in<int>(text.substr(at, 2)); };
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || (text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  const auto year = number_in<int>(text.substr(0, 4));
  const auto month = two(5), day = two(8), hour = two(11), minute = two(14), second = two(17);
  if (!year || !month || !day || !hour || !minute || !second || *month < 1 || *month > 12 || *day < 1 || *day > 31 || *hour < 0 ||
      *hour > 23 || *minute < 0 || *minute > 59 || *second < 0 || *second > 60)
    return std::nullopt;
  double fraction = 0;
  std::size_t at = 19;
  if (at < text.size() && text[at] == '.') {
    double place = 0.1;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, place /= 10) fraction += place * (text[at] - '0');
  }
  int offset = 0;
  const std::string_view zone = text.substr(at);
  if (!zone.empty() && zone != "Z") {
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
    const auto hours = number_in<int>(zone.substr(1, 2)), minutes = number_in<int>(zone.substr(4, 2));
    if (!hours || !minutes || *hours < 0 || *minutes < 0) return std::nullopt;
    offset = (*hours * 60 + *minutes) * (zone[0] == '-' ? -60 : 60);
  }
  // Days are counted from 2020, so that a double keeps the tenth of a microsecond that Azure writes.
  constexpr std::int64_t from_2020 = 18262;
  const auto days = days_to(*year, *month, *day) - from_2020;
  return static_cast<double>(days * 86400 + *hour * 3600 + *minute * 60 + *second - offset) + fraction;
}

}  // namespace

struct TraceTraffic::Row {
  double arrival = 0;
  std::int64_t prompt = 0, output = 0;
  std::uint64_t id = 0, session = 0;
  int priority = 0;
  std::vector<std::uint64_t> blocks;
};

std::span<const TraceFormat> trace_formats() { return formats; }

std::string trace_formats_text() {
  std::string text;
  for (const TraceFormat& format : formats)
    if (!format.arrival.empty())
      text += fmt::format("{}{}: {}, {}, {}", text.empty() ? "" : "; ", format.name, format.arrival, format.prompt, format.output);
  return text;
}

TraceTraffic::TraceTraffic(std::string name, std::unique_ptr<ByteSource> source, TraceChoice choice)
    : lines_(std::move(name), std::move(source)), choice_(std::move(choice)), cells_(parts) {}
TraceTraffic::~TraceTraffic() = default;

bool TraceTraffic::wrong(std::string what, std::string remedy) {
  error_ = Error{lines_.where(), std::move(what), std::move(remedy)};
  return false;
}

Expected<std::unique_ptr<TraceTraffic>> TraceTraffic::open(std::string name, std::unique_ptr<ByteSource> source, TraceChoice choice) {
  std::unique_ptr<TraceTraffic> trace(new TraceTraffic(std::move(name), std::move(source), std::move(choice)));
  if (const auto header = trace->read_header(false); !header) return std::unexpected(header.error());
  return trace;
}

Expected<void> TraceTraffic::read_header(bool lengths_alone) {
  std::optional<std::string_view> line;
  do line = lines_.next();
  while (line && trimmed(*line).empty());
  if (!line) {
    if (lines_.failed()) return std::unexpected(*lines_.failed());
    return fail(lines_.name(), "is empty", "give a table with a header line, or JSON lines");
  }
  if (line->starts_with("\xEF\xBB\xBF")) line->remove_prefix(3);
  if (trimmed(*line).starts_with('{')) {
    if (!choice_.column.empty())
      return fail(lines_.name(), "JSON lines have no columns to choose rows by", "leave the choice out");
    json_ = true;
    format_ = line->find("\"arrival\"") == std::string_view::npos ? &json_format : &plain_json_format;
    first_line_ = std::string(*line);
    return {};
  }
  for (std::string_view left = *line;;) {
    const auto comma = left.find(',');
    std::string_view column = trimmed(left.substr(0, comma));
    if (column.size() >= 2 && column.front() == '"' && column.back() == '"') column = column.substr(1, column.size() - 2);
    columns_.emplace_back(column);
    if (columns_.size() > most_trace_columns)
      return fail(lines_.where(), fmt::format("has more than {} columns", most_trace_columns), "give a table of requests");
    if (comma == std::string_view::npos) break;
    left.remove_prefix(comma + 1);
  }
  for (std::size_t i = 0; i < columns_.size(); ++i)
    for (std::size_t k = i + 1; k < columns_.size(); ++k)
      if (columns_[i] == columns_[k] && !columns_[i].empty())
        return fail(lines_.where(), "has the column " + in_quotes(columns_[i]) + " twice", "name every column once");
  const auto has = [&](std::string_view column) {
    return column.empty() || std::find(columns_.begin(), columns_.end(), column) != columns_.end();
  };
  for (const TraceFormat& format : formats)
    if (!format_ && (lengths_alone || !format.arrival.empty()) && (lengths_alone || has(format.arrival)) && has(format.prompt) &&
        has(format.output))
      format_ = &format;
  if (!format_) {
    // The format that comes nearest says what is missing.
    const TraceFormat* nearest = nullptr;
    int most = 0;
    for (const TraceFormat& format : formats) {
      const int there = (!format.arrival.empty() && has(format.arrival)) + has(format.prompt) + has(format.output);
      if (!format.arrival.empty() && there > most) most = there, nearest = &format;
    }
    if (nearest)
      for (const std::string_view column : {nearest->arrival, nearest->prompt, nearest->output})
        if (!has(column))
          return fail(lines_.where(), "has no column " + in_quotes(column),
                      fmt::format("name the columns as one of {}", trace_formats_text()));
    return fail(lines_.where(), "is the header of no known trace", fmt::format("name the columns as one of {}", trace_formats_text()));
  }
  part_of_.assign(columns_.size(), 0);
  const std::array<std::string_view, parts> named{lengths_alone ? std::string_view{} : format_->arrival, format_->prompt, format_->output,
                                                  format_->id, format_->session, format_->priority, format_->blocks, choice_.column};
  for (std::size_t part = 0; part < parts; ++part)
    for (std::size_t i = 0; i < columns_.size(); ++i)
      if (!named[part].empty() && columns_[i] == named[part]) part_of_[i] |= 1 << part;
  if (!choice_.column.empty() && !has(choice_.column)) {
    const std::string near = nearest_names(choice_.column, columns_);
    return fail(lines_.name(), "has no column " + in_quotes(choice_.column), near.empty() ? "name one of its columns" : near);
  }
  return {};
}

bool TraceTraffic::is_new(std::string_view text, std::uint64_t& number) {
  const auto value = number_in<std::uint64_t>(text);
  if (!value) {
    number = std::uint64_t{1} << 63 | given_;  // apart from the ids that are numbers
    return texts_.insert(hash_of(text)).second;
  }
  number = *value;
  auto after = ids_.upper_bound(*value);
  auto before = after == ids_.begin() ? ids_.end() : std::prev(after);
  if (before != ids_.end() && *value <= before->second) return false;
  const bool joins_before = before != ids_.end() && before->second + 1 == *value,
             joins_after = after != ids_.end() && after->first == *value + 1;
  if (joins_before && joins_after) {
    before->second = after->second;
    ids_.erase(after);
  } else if (joins_before) {
    before->second = *value;
  } else if (joins_after) {
    const std::uint64_t last = after->second;
    ids_.emplace_hint(ids_.erase(after), *value, last);
  } else {
    ids_.emplace_hint(after, *value, *value);
  }
  return true;
}

bool TraceTraffic::read_cells(std::string_view line, Row& row) {
  for (std::string_view& cell : cells_) cell = {};
  std::size_t column = 0;
  const char* at = line.data();
  const char* const end = at + line.size();
  for (;;) {
    std::string_view cell;
    const char* begin = at;
    bool escaped_quotes = false;
    if (at != end && *at == '"') {
      for (++at;; ++at) {
        if (at == end) return wrong("a quote is opened and not closed on its line", "close it; a cell has no line breaks");
        if (*at != '"') continue;
        if (at + 1 == end || at[1] != '"') break;
        escaped_quotes = true;
        ++at;
      }
      cell = {begin + 1, static_cast<std::size_t>(at - begin - 1)};
      if (++at != end && *at != ',') return wrong("text follows a closing quote", "quote the whole cell, and write two quotes for one");
    } else {
      while (at != end && *at != ',') ++at;
      cell = {begin, static_cast<std::size_t>(at - begin)};
    }
    if (column >= part_of_.size())
      return wrong(fmt::format("has more than the header's {} cells", columns_.size()), "give every column one cell");
    if (const int is = part_of_[column]; is != 0)
      for (std::size_t part = 0; part < parts; ++part) {
        if ((is >> part & 1) == 0) continue;
        if (escaped_quotes) {
          std::string& text = unquoted_[part];
          text.clear();
          for (std::size_t i = 0; i < cell.size(); ++i) {
            text += cell[i];
            if (cell[i] == '"') ++i;
          }
          cells_[part] = text;
        } else {
          cells_[part] = trimmed(cell);
        }
      }
    ++column;
    if (at == end) break;
    ++at;
  }
  if (column < columns_.size())
    return wrong(fmt::format("has {} cells, the header {}", column, columns_.size()), "give every column one cell");
  const auto tokens = [&](Part part, std::string_view name, std::int64_t& value) {
    const std::string_view cell = cells_[part];
    auto whole = number_in<std::int64_t>(cell);
    if (!whole) {
      const auto real = number_in<double>(cell);
      if (real && *real == std::floor(*real) && std::abs(*real) < 0x1p53) whole = static_cast<std::int64_t>(*real);
    }
    if (!whole)
      return wrong(fmt::format("{} is {}", name, cell.empty() ? "empty" : in_quotes(cell) + ", no whole number"),
                   "write a count of tokens");
    if (*whole < 0 || *whole > std::int64_t{1} << 40)
      return wrong(fmt::format("{} is {}", name, *whole), "write a count of tokens, zero or more, at most 2^40");
    value = *whole;
    return true;
  };
  if (!choice_.column.empty() && cells_[chosen] != choice_.value) return true;
  if (!tokens(prompt, format_->prompt, row.prompt) || !tokens(output, format_->output, row.output)) return false;
  if (const std::string_view cell = cells_[arrival]; cell.data() != nullptr) {
    const auto time = format_->clock == Clock::date ? seconds_of_date(cell) : number_in<double>(cell);
    if (!time || !std::isfinite(*time))
      return wrong(fmt::format("{} is {}", format_->arrival, cell.empty() ? "empty" : in_quotes(cell)),
                   format_->clock == Clock::date ? "write a time as 2023-11-16 18:17:03.98" : "write a number");
    row.arrival = *time;
  }
  if (!cells_[session].empty()) row.session = number_in<std::uint64_t>(cells_[session]).value_or(hash_of(cells_[session]));
  if (!cells_[priority].empty()) {
    const auto value = number_in<int>(cells_[priority]);
    if (!value) return wrong("priority is " + in_quotes(cells_[priority]), "write a whole number; larger goes first");
    row.priority = *value;
  }
  for (std::string_view left = cells_[blocks]; !(left = trimmed(left)).empty();) {
    const auto blank = std::min(left.find(' '), left.size());
    const auto hash = number_in<std::uint64_t>(left.substr(0, blank));
    if (!hash) return wrong("a block's hash is " + in_quotes(left.substr(0, blank)), "write whole numbers with blanks between");
    row.blocks.push_back(*hash);
    left.remove_prefix(blank);
  }
  return identified(cells_[id], row);
}

// Gives the row its id: its own, or its number where the trace has none.
bool TraceTraffic::identified(std::string_view text, Row& row) {
  row.id = given_;
  if (given_ == 0) with_ids_ = !text.empty();
  if (with_ids_ == text.empty())
    return wrong(text.empty() ? "has no id, but the first request has one" : "has an id, but the first request has none",
                 "give all an id, or none");
  if (!text.empty() && !is_new(text, row.id))
    return wrong("the id " + in_quotes(text) + " was there before", "give every request its own id");
  return true;
}

// Reads one flat object: numbers, text, and lists of whole numbers; members that are not named in the format are passed over.
bool TraceTraffic::read_json(std::string_view line, Row& row) {
  const char* at = line.data();
  const char* const end = at + line.size();
  const auto blank = [&] { while (at != end && (*at == ' ' || *at == '\t')) ++at; };
  const TraceFormat& format = *format_;
  const char* as = &format == &json_format
                       ? "write {\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47]}"
                       : "write {\"arrival\": 27.482, \"prompt\": 6955, \"output\": 52}";
  const auto no_json = [&] { return wrong(fmt::format("is no flat JSON object from character {} on", at - line.data() + 1), as); };
  const auto text = [&](std::string_view& value) {
    if (at == end || *at != '"') return false;
    const char* begin = ++at;
    while (at != end && *at != '"') at += *at == '\\' && at + 1 != end ? 2 : 1;
    if (at == end) return false;
    value = {begin, static_cast<std::size_t>(at - begin)};
    ++at;
    return true;
  };
  const auto scalar = [&](std::string_view& value) {
    const char* begin = at;
    while (at != end && *at != ',' && *at != '}' && *at != ']' && *at != ' ' && *at != '\t') ++at;
    value = {begin, static_cast<std::size_t>(at - begin)};
    return number_in<double>(value).has_value() || value == "null" || value == "true" || value == "false";
  };
  bool seen[parts] = {};
  std::string_view id_text;
  const auto whole = [&](std::string_view value, std::string_view name, std::int64_t& into) {
    const auto real = number_in<double>(value);
    if (!real || *real != std::floor(*real) || *real < 0 || *real > 0x1p40)
      return wrong(fmt::format("{} is {}", name, in_quotes(value)), "write a count of tokens, zero or more, at most 2^40");
    into = static_cast<std::int64_t>(*real);
    return true;
  };
  blank();
  if (at == end || *at++ != '{') return --at, no_json();
  for (bool first = true;; first = false) {
    blank();
    if (first && at != end && *at == '}') break;
    std::string_view key, value;
    if (!text(key)) return no_json();
    blank();
    if (at == end || *at != ':') return no_json();
    ++at;
    blank();
    const std::array<std::string_view, parts> named{format.arrival, format.prompt,   format.output, format.id,
                                                    format.session, format.priority, format.blocks, std::string_view{}};
    const auto part = static_cast<Part>(std::find(named.begin(), named.end(), key) - named.begin());
    if (part < parts) {
      if (seen[part]) return wrong("has " + in_quotes(key) + " twice", "write every member once");
      seen[part] = true;
    }
    if (at != end && *at == '[') {
      ++at;
      for (bool one = true;; one = false) {
        blank();
        if (one && at != end && *at == ']') break;
        std::string_view item;
        if (part == blocks) {
          std::uint64_t hash = 0;
          const auto [after, code] = std::from_chars(at, end, hash);
          if (code != std::errc())
            return wrong("a block's hash is no whole number", fmt::format("write whole numbers between the brackets of {}", format.blocks));
          row.blocks.push_back(hash);
          at = after;
        } else if (at != end && *at == '"' ? !text(item) : !scalar(item)) {
          return no_json();
        }
        blank();
        if (at == end || (*at != ',' && *at != ']')) return no_json();
        if (*at == ']') break;
        ++at;
      }
      ++at;
      if (part < blocks) return wrong(in_quotes(key) + " is a list", "write a number");
    } else {
      const bool quoted = at != end && *at == '"';
      if (quoted ? !text(value) : !scalar(value)) return no_json();
      switch (part) {
        case arrival: {
          const auto time = quoted ? std::nullopt : number_in<double>(value);
          if (!time || !std::isfinite(*time)) return wrong(fmt::format("{} is {}", format.arrival, in_quotes(value)),
                         fmt::format("write {} as a number", format.clock == Clock::milliseconds ? "milliseconds" : "seconds"));
          row.arrival = *time;
          break;
        }
        case prompt:
          if (!whole(value, key, row.prompt)) return false;
          break;
        case output:
          if (!whole(value, key, row.output)) return false;
          break;
        case session: row.session = number_in<std::uint64_t>(value).value_or(hash_of(value)); break;
        case priority:
          if (const auto number = number_in<int>(value)) row.priority = *number;
          else return wrong("priority is " + in_quotes(value), "write a whole number; larger goes first");
          break;
        case id: id_text = value; break;
        case blocks: return wrong(fmt::format("{} is no list", format.blocks), "write whole numbers between brackets");
        default: break;
      }
    }
    blank();
    if (at == end || (*at != ',' && *at != '}')) return no_json();
    if (*at == '}') break;
    ++at;
  }
  ++at;
  blank();
  if (at != end) return no_json();
  for (const auto& [part, name] : {std::pair{arrival, format.arrival}, {prompt, format.prompt}, {output, format.output}})
    if (!seen[part])
      return wrong("has no " + in_quotes(name), fmt::format("write {}, {} and {}", format.arrival, format.prompt, format.output));
  return identified(id_text, row);
}

bool TraceTraffic::read_row(Row& row) {
  if (error_) return false;
  for (;;) {
    const auto line = first_line_ ? std::optional<std::string_view>(*first_line_) : lines_.next();
    if (!line) {
      if (lines_.failed()) error_ = *lines_.failed();
      return false;
    }
    if (trimmed(*line).empty()) continue;
    row = {};
    const bool read = json_ ? read_json(*line, row) : read_cells(*line, row);
    first_line_.reset();
    if (!read) return false;
    if (!choice_.column.empty() && cells_[chosen] != choice_.value) continue;
    return true;
  }
}

std::optional<Request> TraceTraffic::next() {
  Row row;
  if (given_ >= choice_.requests || !read_row(row)) return std::nullopt;
  const double in_seconds = format_->clock == Clock::milliseconds ? 1e-3 : 1;
  if (!any_) origin_ = last_ = row.arrival;
  any_ = true;
  if (row.arrival < last_) {
    std::string choose;
    for (const std::string& column : columns_)
      if (column == "workload" || column == "run") choose = fmt::format(", or take one {} alone", column);
    wrong(fmt::format("time runs backwards by {}", to_text((last_ - row.arrival) * in_seconds * unit::s)),
          "sort the rows by arrival" + choose);
    return std::nullopt;
  }
  last_ = row.arrival;
  ++given_;
  return Request{.id = row.id,
                 .arrival = (row.arrival - origin_) * in_seconds / choice_.speed * unit::s,
                 .prompt = row.prompt,
                 .output = row.output,
                 .priority = row.priority,
                 .session = row.session,
                 .blocks = std::move(row.blocks)};
}

std::optional<std::string> TraceTraffic::save() const { return fmt::format("{}", given_); }

bool TraceTraffic::restore(std::string_view bytes) {
  const auto given = number_in<std::uint64_t>(bytes);
  if (!given || given_ > *given) return false;
  while (given_ < *given)
    if (!next()) return false;
  return true;
}

Expected<std::vector<std::vector<std::int64_t>>> read_lengths(std::string name, std::unique_ptr<ByteSource> source) {
  TraceTraffic trace(std::move(name), std::move(source), {});
  if (const auto header = trace.read_header(true); !header) return std::unexpected(header.error());
  std::vector<std::vector<std::int64_t>> columns(2);
  TraceTraffic::Row row;
  while (trace.read_row(row)) {
    if (columns[0].size() == most_rows)
      return fail(trace.lines_.where(), fmt::format("has more than {} rows", most_rows), "draw from a shorter table");
    columns[0].push_back(row.prompt);
    columns[1].push_back(row.output);
    ++trace.given_;
  }
  if (trace.error_) return std::unexpected(*trace.error_);
  if (columns[0].empty()) return fail(trace.lines_.name(), "has no rows", "give a table of lengths");
  return columns;
}

}  // namespace fareline
