// SPDX-License-Identifier: Apache-2.0
// Text to quantity and back: "3.35 TB/s", "50 ms", "2.5 USD/h", "15T tok". Decimal and binary prefixes are never
// confused (GB = 1e9 bytes, GiB = 2^30), nor bits and bytes (Gb, GB).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "units/error.h"
#include "units/quantity.h"

namespace fareline {

// Returns the coherent value of `text` in dimension `dim`; for a dimensionless `dim` a bare number or a per cent.
// Errors: no number, no unit, unknown unit, unit of another dimension, not finite. The remedy shows the spelling to use.
Expected<double> parse_quantity(std::string_view text, Dim dim);

template <class Q>
Expected<Q> parse(std::string_view text) {
  Expected<double> value = parse_quantity(text, Q::dim);
  if (!value) return std::unexpected(std::move(value.error()));
  return Q::from_coherent(*value);
}

// Returns a count: "4096", "128k" (1e3), "1M", "15T", "8Ki" (2^10). Errors: not a whole number, negative, above 2^53.
Expected<std::int64_t> parse_count(std::string_view text);

// Returns the SI name of a dimension's coherent unit: "B/s", "USD/tok"; "1" for none.
std::string unit_name(Dim dim);

// Returns `value` (coherent, in `dim`) for people: the fitting prefix and `digits` significant digits, "3.35 TB/s".
std::string to_text(double value, Dim dim, int digits = 4);
template <Dim D>
std::string to_text(Quantity<D> q, int digits = 4) { return to_text(q.coherent(), D, digits); }

// Returns `value` with `digits` significant digits and no exponent while it is readable: "0.0123", "12,300".
std::string number_text(double value, int digits = 4);

}  // namespace fareline
