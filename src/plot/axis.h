// SPDX-License-Identifier: Apache-2.0
// What a picture's axis is: a label, a unit, a scale and a range; where its ticks stand and what they say.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "units/error.h"
#include "units/quantity.h"

namespace fareline::plot {

// The unit in which an axis or a column is written: its name, its size in coherent units, its dimension.
struct Unit {
  std::string name;   // "ms"; for a pure number what is counted ("requests"), or empty
  double factor = 1;  // coherent units in one of these
  Dim dim;
};

template <Dim D>
Unit unit_of(std::string name, Quantity<D> one) { return {std::move(name), one.coherent(), D}; }
// The unit of a pure number: what is counted, "requests".
inline Unit counted(std::string name) { return {std::move(name), 1, Dim{}}; }
inline Unit per_cent() { return {"%", 0.01, Dim{}}; }
// The unit that writes `largest` (coherent, in `dim`) with the fitting prefix, as to_text would: "ms" for 0.02 s.
Unit fitting_unit(Dim dim, double largest);

// A number with its dimension, made from any quantity or from a pure number. NaN says that there is no value.
struct Value {
  Dim dim;
  double coherent = 0;

  Value() = default;
  Value(Dim d, double c) : dim(d), coherent(c) {}
  template <Dim D>
  Value(Quantity<D> quantity) : dim(D), coherent(quantity.coherent()) {}
  Value(double pure_number) : coherent(pure_number) {}
};

// A column of numbers with the dimension they share. NaN says that there is no value: the plan does not fit.
struct Values {
  Dim dim;
  std::vector<double> coherent;

  Values() = default;
  Values(Dim d, std::vector<double> c) : dim(d), coherent(std::move(c)) {}
  template <Dim D>
  explicit Values(std::span<const Quantity<D>> quantities) : dim(D) {
    for (const Quantity<D> q : quantities) coherent.push_back(q.coherent());
  }
  template <Dim D>
  explicit Values(const std::vector<Quantity<D>>& quantities) : Values(std::span<const Quantity<D>>(quantities)) {}
  explicit Values(std::vector<double> pure_numbers) : coherent(std::move(pure_numbers)) {}
  std::size_t size() const { return coherent.size(); }
};

enum class Scale { linear, log2, log10 };

// From low to high, in coherent units of the axis' dimension.
struct Range {
  double low = 0, high = 1;
};

struct Axis {
  std::string label;            // "Time per output token"
  Unit unit;                    // written after the label: "Time per output token (ms)"
  Scale scale = Scale::linear;
  std::optional<Range> range = {};   // else what the data need, widened to round ticks
  bool from_zero = false;       // a linear axis without a range starts at zero
};

// Returns nothing where `value` is a finite number in the dimension of the axis; else an error at `where`.
Expected<void> fits(const Axis& axis, Value value, std::string where);

struct Tick {
  double value = 0;   // coherent
  std::string text;   // empty: a minor grid line
};

// Returns `label (unit)`; "label" alone is never written where a unit exists. A log2 axis that writes Ki or Mi says so.
std::string axis_title(const Axis& axis, std::span<const Tick> ticks);

// Returns the share of the way from range.low to range.high at which `value` stands on the scale: 0 at low, 1 at high.
// Assumes: the range has passed `resolved_range`; on a log scale `value` is positive.
double position(Scale scale, Range range, double value);

enum class Ends { round, tight };

// Returns the range to draw: axis.range where given, else the values' own, widened to round ticks (linear; not where its ends are
// tight) or by 3% (log).
// Values that are NaN are passed over; without any value the range is one unit (linear) or one decade (log).
// Errors: a value that is infinite; a value or bound that is not positive on a log axis; a range that is empty.
Expected<Range> resolved_range(const Axis& axis, std::span<const double> values, Ends ends = Ends::round);

// Returns at most `most` labelled ticks inside the range, ascending: multiples of 1, 2 or 5 times a power of ten (linear),
// decades or 1-2-5 within them (log10), powers of two (log2). Assumes: most >= 2.
std::vector<Tick> major_ticks(const Axis& axis, Range range, int most);
// Returns the unlabelled grid lines between them.
std::vector<Tick> minor_ticks(const Axis& axis, Range range, std::span<const Tick> major);

// Returns `value` (coherent) in the unit of the axis, with `digits` significant digits and without the unit's name: "12.5";
// pure numbers from ten thousand up carry an SI prefix, "20k"; on a log2 axis a binary one, "128Ki".
std::string tick_text(const Axis& axis, double value, int digits = 4);
// The same with the unit's name: "12.5 ms".
std::string value_text(const Unit& unit, double value, int digits = 3);

}  // namespace fareline::plot
