// SPDX-License-Identifier: Apache-2.0
#include "units/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>

namespace fareline {
namespace {

struct Atom {
  std::string_view name;
  double factor;
  Dim dim;
  bool decimal_prefix;
};

constexpr Dim data{.data = 1}, flops{.flop = 1}, time{.time = 1}, energy{.energy = 1}, money{.money = 1}, tokens{.token = 1};
constexpr Dim power_dim{.time = -1, .energy = 1};

constexpr auto atoms = std::to_array<Atom>({
    {"B", 1, data, true},        {"KiB", 0x1p10, data, false}, {"MiB", 0x1p20, data, false}, {"GiB", 0x1p30, data, false},
    {"TiB", 0x1p40, data, false}, {"PiB", 0x1p50, data, false}, {"b", 0.125, data, true},     {"bit", 0.125, data, true},
    {"byte", 1, data, false},    {"bytes", 1, data, false},
    {"FLOP", 1, flops, true},    {"flop", 1, flops, true},     {"FLOPs", 1, flops, true},    {"OP", 1, flops, true},
    {"s", 1, time, true},        {"min", 60, time, false},     {"h", 3600, time, false},     {"hour", 3600, time, false},
    {"hours", 3600, time, false}, {"day", 86400, time, false}, {"days", 86400, time, false}, {"d", 86400, time, false},
    {"month", 730 * 3600.0, time, false}, {"year", 8760 * 3600.0, time, false}, {"years", 8760 * 3600.0, time, false},
    {"yr", 8760 * 3600.0, time, false},
    {"J", 1, energy, true},      {"Wh", 3600, energy, true},   {"W", 1, power_dim, true},
    {"USD", 1, money, false},    {"usd", 1, money, false},     {"$", 1, money, false},       {"cent", 0.01, money, false},
    {"tok", 1, tokens, true},    {"token", 1, tokens, true},   {"tokens", 1, tokens, true},
    {"1", 1, Dim{}, false},      {"req", 1, Dim{}, false},     {"Hz", 1, Dim{.time = -1}, true},
});

std::optional<double> prefix_factor(std::string_view prefix) {
  if (prefix == "k" || prefix == "K") return 1e3;
  if (prefix == "M") return 1e6;
  if (prefix == "G") return 1e9;
  if (prefix == "T") return 1e12;
  if (prefix == "P") return 1e15;
  if (prefix == "E") return 1e18;
  if (prefix == "Z") return 1e21;
  if (prefix == "Y") return 1e24;
  if (prefix == "m") return 1e-3;
  if (prefix == "u" || prefix == "\u00B5" || prefix == "\u03BC") return 1e-6;
  if (prefix == "n") return 1e-9;
  return std::nullopt;
}

struct Scale {
  double factor;
  Dim dim;
};

std::optional<Scale> atom_scale(std::string_view name) {
  for (const Atom& atom : atoms)
    if (atom.name == name) return Scale{atom.factor, atom.dim};
  for (const Atom& atom : atoms) {
    if (!atom.decimal_prefix || !name.ends_with(atom.name) || name.size() == atom.name.size()) continue;
    if (const auto factor = prefix_factor(name.substr(0, name.size() - atom.name.size()))) return Scale{*factor * atom.factor, atom.dim};
  }
  return std::nullopt;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// What to write, by dimension.
std::string_view example(Dim dim) {
  if (dim == Bytes::dim) return "80 GB";
  if (dim == Flops::dim) return "1 PFLOP";
  if (dim == Seconds::dim) return "50 ms";
  if (dim == Joules::dim) return "3 kWh";
  if (dim == Dollars::dim) return "2 USD";
  if (dim == Tokens::dim) return "15 Mtok";
  if (dim == Bandwidth::dim) return "3350 GB/s";
  if (dim == FlopRate::dim) return "989 TFLOP/s";
  if (dim == Watts::dim) return "700 W";
  if (dim == Frequency::dim) return "50/s";
  if (dim == TokenRate::dim) return "40 tok/s";
  if (dim == MoneyRate::dim) return "2.5 USD/h";
  if (dim == TokenPrice::dim) return "3 USD/Mtok";
  if (dim == EnergyPrice::dim) return "0.08 USD/kWh";
  if (dim == StoragePrice::dim) return "0.02 USD/GB/month";
  return "0.5";
}

std::string remedy(Dim dim) { return fmt::format("write e.g. \"{}\"", example(dim)); }

std::unexpected<Error> unreadable(std::string_view text, std::string_view why, Dim dim) {
  return fail("", fmt::format("{} {}", in_quotes(text), why), remedy(dim));
}

// The number at the head of `text`, thousands separators refused; what follows it is left in `text`.
std::optional<double> take_number(std::string_view& text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

Expected<double> parse_quantity(std::string_view text, Dim dim) {
  constexpr std::size_t longest = 100;  // of any quantity a person writes, twice over
  const std::string_view whole = text;
  if (text.size() > longest) return unreadable(whole, "is too long", dim);
  text = trimmed(text);
  const auto value = take_number(text);
  if (!value) return unreadable(whole, "is not a finite number with a unit", dim);
  text = trimmed(text);
  if (dim == Dim{} && text == "%") return *value / 100;
  if (text.empty()) {
    if (dim == Dim{}) return *value;
    return unreadable(whole, "has no unit", dim);
  }
  Scale total{*value, {}};
  int sign = 1;
  if (text.front() == '/') { sign = -1; text.remove_prefix(1); }
  while (true) {
    const auto end = text.find_first_of("/*");
    const std::string_view name = trimmed(text.substr(0, end));
    const auto scale = atom_scale(name);
    const bool stray_one = name == "1" && (sign < 0 || end == std::string_view::npos || text[end] != '/');  // "5 1"; "5 1/s" is well
    if (!scale || stray_one) return unreadable(whole, fmt::format("has the unknown unit {}", in_quotes(name)), dim);
    total.factor = sign > 0 ? total.factor * scale->factor : total.factor / scale->factor;
    total.dim = total.dim + (sign > 0 ? scale->dim : -scale->dim);
    if (end == std::string_view::npos) break;
    sign = text[end] == '/' ? -1 : 1;
    text.remove_prefix(end + 1);
  }
  if (total.dim != dim) return unreadable(whole, fmt::format("is in {}, but {} is due", unit_name(total.dim), unit_name(dim)), dim);
  if (!std::isfinite(total.factor)) return unreadable(whole, "is not finite", dim);
  return total.factor;
}

Expected<std::int64_t> parse_count(std::string_view text) {
  const std::string_view whole = text;
  const auto wrong = [&](std::string_view why) {
    return fail("", fmt::format("{} {}", in_quotes(whole), why), "write a whole number, e.g. 4096, 128k, 1M, 15T or 8Ki");
  };
  text = trimmed(text);
  const auto value = take_number(text);
  if (!value) return wrong("is not a number");
  text = trimmed(text);
  double factor = 1;
  if (text == "k" || text == "K") factor = 1e3;
  else if (text == "M") factor = 1e6;
  else if (text == "B" || text == "G") factor = 1e9;
  else if (text == "T") factor = 1e12;
  else if (text == "Ki") factor = 0x1p10;
  else if (text == "Mi") factor = 0x1p20;
  else if (text == "Gi") factor = 0x1p30;
  else if (!text.empty()) return wrong(fmt::format("ends in {}, which is no multiplier", in_quotes(text)));
  double count = *value * factor;
  if (std::fabs(count - std::round(count)) <= std::fabs(count) * 0x1p-51) count = std::round(count);  // 4.35 x 100 is 434.99999999999994
  if (count < 0) return wrong("is negative");
  if (count > 0x1p53) return wrong("is too large");
  if (count != std::floor(count)) return wrong("is not a whole number");
  return static_cast<std::int64_t>(count);
}

std::string unit_name(Dim dim) {
  const std::array<std::pair<int, std::string_view>, 6> parts{{{dim.money, "USD"}, {dim.token, "tok"}, {dim.flop, "FLOP"},
                                                              {dim.data, "B"}, {dim.energy, "J"}, {dim.time, "s"}}};
  if (dim == power_dim) return "W";
  std::string top, bottom;
  for (const auto& [exponent, name] : parts) {
    for (int i = 0; i < exponent; ++i) top += (top.empty() ? "" : "*") + std::string(name);
    for (int i = 0; i < -exponent; ++i) bottom += "/" + std::string(name);
  }
  return (top.empty() ? "1" : top) + bottom;
}

std::string number_text(double value, int digits) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "∞" : "-∞";
  if (value == 0) return "0";
  digits = std::clamp(digits, 1, 17);
  const std::string rounded = fmt::format("{:.{}e}", value, digits - 1);  // "1.234e+05"
  const char *const begin = rounded.data(), *const end = begin + rounded.size(), *const mark = std::find(begin, end, 'e');
  double v = 0;
  int exponent = 0;
  std::from_chars(begin, end, v);
  std::from_chars(mark + (mark[1] == '+' ? 2 : 1), end, exponent);
  if (exponent < -4 || exponent > 14) return fmt::format("{:.{}g}", v, digits);
  std::string text = fmt::format("{:.{}f}", v, std::max(0, digits - 1 - exponent));
  if (text.find('.') != std::string::npos) {
    while (text.back() == '0') text.pop_back();
    if (text.back() == '.') text.pop_back();
  }
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  const std::size_t dot = std::min(text.find('.'), text.size());
  for (std::size_t i = dot; i > first + 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string to_text(double value, Dim dim, int digits) {
  struct Style { Dim dim; double factor; std::string_view name; };
  // The largest unit of the dimension's that leaves at least one is taken; the last is the smallest.
  static constexpr auto styles = std::to_array<Style>({
      {Bytes::dim, 1e15, "PB"},       {Bytes::dim, 1e12, "TB"},       {Bytes::dim, 1e9, "GB"},
      {Bytes::dim, 1e6, "MB"},        {Bytes::dim, 1e3, "kB"},        {Bytes::dim, 1, "B"},
      {Flops::dim, 1e24, "YFLOP"},    {Flops::dim, 1e18, "EFLOP"},    {Flops::dim, 1e15, "PFLOP"},
      {Flops::dim, 1e12, "TFLOP"},    {Flops::dim, 1e9, "GFLOP"},     {Flops::dim, 1e6, "MFLOP"},
      {Flops::dim, 1, "FLOP"},
      {Seconds::dim, 8760 * 3600.0, "years"}, {Seconds::dim, 86400, "days"}, {Seconds::dim, 3600, "h"},
      {Seconds::dim, 1, "s"},         {Seconds::dim, 1e-3, "ms"},     {Seconds::dim, 1e-6, "µs"},
      {Seconds::dim, 1e-9, "ns"},
      {Joules::dim, 3.6e9, "MWh"},    {Joules::dim, 3.6e6, "kWh"},    {Joules::dim, 1, "J"},
      {Joules::dim, 1e-3, "mJ"},
      {Dollars::dim, 1, "USD"},
      {Tokens::dim, 1e12, "Ttok"},    {Tokens::dim, 1e9, "Gtok"},     {Tokens::dim, 1e6, "Mtok"},
      {Tokens::dim, 1, "tok"},
      {Bandwidth::dim, 1e15, "PB/s"}, {Bandwidth::dim, 1e12, "TB/s"}, {Bandwidth::dim, 1e9, "GB/s"},
      {Bandwidth::dim, 1e6, "MB/s"},  {Bandwidth::dim, 1, "B/s"},
      {FlopRate::dim, 1e18, "EFLOP/s"}, {FlopRate::dim, 1e15, "PFLOP/s"}, {FlopRate::dim, 1e12, "TFLOP/s"},
      {FlopRate::dim, 1e9, "GFLOP/s"},  {FlopRate::dim, 1, "FLOP/s"},
      {Watts::dim, 1e9, "GW"},        {Watts::dim, 1e6, "MW"},        {Watts::dim, 1e3, "kW"},
      {Watts::dim, 1, "W"},
      {TokenRate::dim, 1, "tok/s"},   {Frequency::dim, 1, "/s"},      {BytesPerToken::dim, 1, "B/tok"},
      {MoneyRate::dim, 1 / 3600.0, "USD/h"},
      {TokenPrice::dim, 1e-6, "USD/Mtok"},
      {EnergyPrice::dim, 1 / 3.6e6, "USD/kWh"},
      {StoragePrice::dim, 1e-9 / (730 * 3600.0), "USD/GB/month"},
  });
  if (dim == Dim{}) return number_text(value, digits);
  digits = std::clamp(digits, 1, 17);
  double rounded = 0;  // what will be read: 999.96 GB is written as 1 TB
  const std::string read = fmt::format("{:.{}e}", std::fabs(value), digits - 1);
  std::from_chars(read.data(), read.data() + read.size(), rounded);
  const Style* chosen = nullptr;
  for (const Style& style : styles) {
    if (style.dim != dim) continue;
    chosen = &style;
    if (value == 0 ? style.factor == 1 : rounded >= style.factor * (1 - 1e-9)) break;
  }
  if (!chosen) return number_text(value, digits) + " " + unit_name(dim);
  const std::string number = number_text(value / chosen->factor, digits);
  return chosen->name.front() == '/' ? number + std::string(chosen->name) : number + " " + std::string(chosen->name);
}

}  // namespace fareline
