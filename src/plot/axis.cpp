// SPDX-License-Identifier: Apache-2.0
#include "plot/axis.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "units/elementary.h"
#include "units/text.h"

namespace fareline::plot {
namespace {

constexpr double ln10 = natural_log(10.0), ln2 = natural_log(2.0);

// Ten to a whole power, exact where a double can be.
double power_of_ten(int n) {
  double value = 1;
  for (int i = 0; i < std::abs(n); ++i) value *= 10;
  return n < 0 ? 1 / value : value;
}

int decade_below(double value) { return static_cast<int>(std::floor(natural_log(value) / ln10 + 1e-9)); }
int octave_below(double value) { return static_cast<int>(std::floor(natural_log(value) / ln2 + 1e-9)); }

// Returns the smallest of 1, 2, 5 times a power of ten that is not below `step`.
double round_step(double step) {
  const double decade = power_of_ten(decade_below(step));
  for (const double k : {1.0, 2.0, 5.0})
    if (k * decade >= step * (1 - 1e-9)) return k * decade;
  return 10 * decade;
}

// The widest range of whole steps that `range` contains, in units of the step.
std::pair<double, double> whole_steps(Range range, double step) {
  return {std::ceil(range.low / step - 1e-6), std::floor(range.high / step + 1e-6)};
}

double linear_step(Range range, int most) {
  double step = round_step((range.high - range.low) / std::max(1, most));
  for (auto [first, last] = whole_steps(range, step); last - first + 1 > most; std::tie(first, last) = whole_steps(range, step))
    step = round_step(step * 1.5);
  return step;
}

std::vector<double> linear_ticks(Range range, int most) {
  const double step = linear_step(range, most);
  const auto [first, last] = whole_steps(range, step);
  std::vector<double> ticks;
  for (double k = first; k <= last; ++k) ticks.push_back(k * step);
  return ticks;
}

bool inside(Range range, double value) {
  const double slack = 1e-9 * std::max(std::fabs(range.low), std::fabs(range.high));
  return value >= range.low - slack && value <= range.high + slack;
}

std::vector<double> decade_ticks(Range range, int most) {
  for (const auto& digits : {std::vector<double>{1, 2, 5}, std::vector<double>{1, 3}, std::vector<double>{1}}) {
    std::vector<double> ticks;
    for (int n = decade_below(range.low); n <= decade_below(range.high); ++n)
      for (const double digit : digits)
        if (const double value = digit * power_of_ten(n); inside(range, value)) ticks.push_back(value);
    if (static_cast<int>(ticks.size()) <= most && ticks.size() >= 3) return ticks;
  }
  const int low = decade_below(range.low), high = decade_below(range.high);
  if (high - low < 2) return linear_ticks(range, most);
  for (int stride = 1;; ++stride) {
    std::vector<double> ticks;
    for (int n = low; n <= high; ++n)
      if (n % stride == 0 && inside(range, power_of_ten(n))) ticks.push_back(power_of_ten(n));
    if (static_cast<int>(ticks.size()) <= most) return ticks;
  }
}

std::vector<double> octave_ticks(Range range, int most) {
  const int low = octave_below(range.low), high = octave_below(range.high);
  for (int stride = 1;; ++stride) {
    std::vector<double> ticks;
    for (int n = low; n <= high; ++n)
      if (n % stride == 0 && inside(range, std::ldexp(1.0, n))) ticks.push_back(std::ldexp(1.0, n));
    if (static_cast<int>(ticks.size()) > most) continue;
    // Fewer than three powers of two leave most of a narrow range bare.
    return ticks.size() >= 3 || stride > 1 ? ticks : linear_ticks(range, most);
  }
}

Range in_unit(const Axis& axis, Range range) { return {range.low / axis.unit.factor, range.high / axis.unit.factor}; }

}  // namespace

Unit fitting_unit(Dim dim, double largest) {
  if (dim == Dim{}) return {"", 1, dim};
  const std::string text = to_text(largest, dim, 3);
  const std::size_t end = text.find_first_not_of("0123456789.,+-");
  if (end != std::string::npos) {
    std::string name = text.substr(text[end] == ' ' ? end + 1 : end);
    if (const auto factor = parse_quantity("1 " + name, dim)) return {name, *factor, dim};
    // to_text writes the plural of a day and of a year; the parser takes the singular.
    if (name.ends_with('s'))
      if (const auto factor = parse_quantity("1 " + name.substr(0, name.size() - 1), dim)) return {name, *factor, dim};
  }
  return {unit_name(dim), 1, dim};
}

double position(Scale scale, Range range, double value) {
  if (scale == Scale::linear) return (value - range.low) / (range.high - range.low);
  const double low = natural_log(range.low), high = natural_log(range.high);
  return (natural_log(value) - low) / (high - low);
}

Expected<Range> resolved_range(const Axis& axis, std::span<const double> values, Ends ends) {
  const bool logarithmic = axis.scale != Scale::linear;
  const auto where = axis.label.empty() ? std::string("axis") : fmt::format("axis \"{}\"", axis.label);
  bool any = false;
  Range range;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    if (std::isinf(value)) return fail(where, "a value is infinite", "leave it out (NaN marks a gap)");
    if (logarithmic && value <= 0)
      return fail(where, fmt::format("{} has no place on a log axis", value_text(axis.unit, value)),
                  "use a linear scale, or leave it out (NaN marks a gap)");
    range = any ? Range{std::min(range.low, value), std::max(range.high, value)} : Range{value, value};
    any = true;
  }
  if (axis.range) {
    if (!std::isfinite(axis.range->low) || !std::isfinite(axis.range->high) || axis.range->low >= axis.range->high)
      return fail(where, "the range is empty", "give its low end first, then a higher one");
    if (logarithmic && axis.range->low <= 0) return fail(where, "the range of a log axis starts at or below zero", "start it above zero");
    return *axis.range;
  }
  const double unit = axis.unit.factor;
  if (logarithmic) {
    if (!any) return Range{unit, 10 * unit};
    const double ratio = range.high / range.low;
    const double margin = ratio > 1.001 ? power(ratio, 0.03) : 2;
    return Range{range.low / margin, range.high * margin};
  }
  if (!any) return Range{0, unit};
  if (axis.from_zero) range = {std::min(0.0, range.low), std::max(0.0, range.high)};
  if (range.high - range.low <= 1e-9 * std::max(std::fabs(range.low), std::fabs(range.high)) || range.high == range.low) {
    const double around = range.low == 0 ? unit : 0.5 * std::fabs(range.low);
    range = {range.low - around, range.high + around};
  }
  if (ends == Ends::tight) return range;
  const Range scaled = in_unit(axis, range);
  const double step = linear_step(scaled, 6);
  return Range{std::floor(scaled.low / step + 1e-9) * step * unit, std::ceil(scaled.high / step - 1e-9) * step * unit};
}

Expected<void> fits(const Axis& axis, Value value, std::string where) {
  if (value.dim != axis.unit.dim)
    return fail(std::move(where), fmt::format("it is in {}, its axis is in {}", unit_name(value.dim), axis.unit.name),
                "give both one dimension");
  if (!std::isfinite(value.coherent)) return fail(std::move(where), "it is not a finite number", "leave it out");
  if (axis.scale != Scale::linear && value.coherent <= 0)
    return fail(std::move(where), fmt::format("{} has no place on a log axis", value_text(axis.unit, value.coherent)),
                "use a linear scale");
  return {};
}

std::vector<Tick> major_ticks(const Axis& axis, Range range, int most) {
  const Range scaled = in_unit(axis, range);
  const std::vector<double> values = axis.scale == Scale::linear  ? linear_ticks(scaled, most)
                                     : axis.scale == Scale::log10 ? decade_ticks(scaled, most)
                                                                  : octave_ticks(scaled, most);
  std::vector<Tick> ticks;
  for (const double value : values) ticks.push_back({value * axis.unit.factor, tick_text(axis, value * axis.unit.factor)});
  // Ticks closer than four digits tell apart (a narrow range far from zero) take as many digits as they need.
  for (int digits = 5; digits <= 15; ++digits) {
    const auto same = [](const Tick& a, const Tick& b) { return a.text == b.text; };
    if (std::adjacent_find(ticks.begin(), ticks.end(), same) == ticks.end()) break;
    for (Tick& tick : ticks) tick.text = tick_text(axis, tick.value, digits);
  }
  return ticks;
}

std::vector<Tick> minor_ticks(const Axis& axis, Range range, std::span<const Tick> major) {
  std::vector<Tick> ticks;
  if (major.size() < 2) return ticks;
  const Range scaled = in_unit(axis, range);
  const auto add = [&](double value) {
    const double coherent = value * axis.unit.factor;
    const bool taken =
        std::ranges::any_of(major, [&](const Tick& t) { return std::fabs(t.value - coherent) <= 1e-9 * std::fabs(coherent); });
    if (inside(scaled, value) && !taken) ticks.push_back({coherent, ""});
  };
  const double first = major[0].value / axis.unit.factor, second = major[1].value / axis.unit.factor;
  if (axis.scale == Scale::log10 && scaled.high / scaled.low < 1e5) {
    for (int n = decade_below(scaled.low); n <= decade_below(scaled.high); ++n)
      for (int digit = 1; digit <= 9; ++digit) add(digit * power_of_ten(n));
  } else if (axis.scale != Scale::linear) {
    const bool binary = axis.scale == Scale::log2;
    const int low = binary ? octave_below(scaled.low) : decade_below(scaled.low);
    const int high = binary ? octave_below(scaled.high) : decade_below(scaled.high);
    if (high - low <= 40)
      for (int n = low; n <= high; ++n) add(binary ? std::ldexp(1.0, n) : power_of_ten(n));
  } else {
    const double step = second - first;
    const double leading = step / power_of_ten(decade_below(step));
    const int parts = leading > 1.5 && leading < 2.5 ? 4 : 5;
    const double small = step / parts;
    const auto [low, high] = whole_steps(scaled, small);
    for (double k = low; k <= high; ++k)
      if (std::fmod(std::fabs(k), parts) != 0) add(k * small);
  }
  return ticks;
}

std::string tick_text(const Axis& axis, double value, int digits) {
  const double v = value / axis.unit.factor;
  if (axis.unit.dim != Dim{} || axis.unit.name == "%") return number_text(v, digits);
  struct Prefix { double factor; std::string_view name; };
  static constexpr auto decimal = std::to_array<Prefix>({{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}});
  static constexpr auto binary = std::to_array<Prefix>({{0x1p40, "Ti"}, {0x1p30, "Gi"}, {0x1p20, "Mi"}, {0x1p10, "Ki"}});
  if (axis.scale == Scale::log2 && v == std::floor(v)) {
    for (const auto& [factor, name] : binary)
      if (v >= factor && v >= 16384 && std::fmod(v, factor) == 0) return number_text(v / factor, digits) + std::string(name);
    return number_text(v, std::max(digits, 7));
  }
  if (std::fabs(v) >= 1e4)
    for (const auto& [factor, name] : decimal)
      if (std::fabs(v) >= factor * (1 - 1e-9)) return number_text(v / factor, digits) + std::string(name);
  return number_text(v, digits);
}

std::string value_text(const Unit& unit, double value, int digits) {
  const std::string number = number_text(value / unit.factor, digits);
  if (unit.name.empty()) return number;
  return unit.name == "%" ? number + "%" : number + " " + unit.name;
}

std::string axis_title(const Axis& axis, std::span<const Tick> ticks) {
  std::string unit = axis.unit.name.empty() && axis.unit.dim != Dim{} ? unit_name(axis.unit.dim) : axis.unit.name;
  const auto writes = [&](std::string_view prefix) {
    return std::ranges::any_of(ticks, [&](const Tick& t) { return t.text.ends_with(prefix); });
  };
  if (writes("Ki")) unit += unit.empty() ? "Ki = 1,024" : ", Ki = 1,024";
  if (writes("Mi")) unit += unit.empty() ? "Mi = 1,048,576" : ", Mi = 1,048,576";
  return unit.empty() ? axis.label : fmt::format("{} ({})", axis.label, unit);
}

}  // namespace fareline::plot
