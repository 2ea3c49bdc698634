// SPDX-License-Identifier: Apache-2.0
// How numbers stand in an answer: SI value, unit, floor and band; money per million tokens.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "catalog/calibration.h"
#include "units/quantity.h"
#include "units/text.h"

namespace fareline {

inline nlohmann::ordered_json plain(double value, std::string_view unit) { return {{"value", value}, {"unit", unit}}; }

template <Dim D>
nlohmann::ordered_json plain(Quantity<D> q) { return plain(q.coherent(), unit_name(D)); }

// A quantity that grows as things go worse (a time, a price): the floor lies under it, and so under its band.
template <Dim D>
nlohmann::ordered_json banded(Quantity<D> value, Quantity<D> floor, Band band, double scale = 1, std::string_view unit = {}) {
  const auto out = [&](Quantity<D> q) { return q.coherent() * scale; };
  return {{"value", out(value)}, {"unit", unit.empty() ? unit_name(D) : std::string(unit)}, {"floor", out(floor)},
          {"low", out(max(floor, value * band.low))}, {"high", out(value * band.high)}};
}

// A quantity that shrinks as things go worse (a rate): the physical bound lies above it. It stands under the name all
// quantities have for it, `floor`, and under the one that fits.
inline nlohmann::ordered_json banded_rate(double value, double ceiling, Band band, std::string_view unit) {
  return {{"value", value},     {"unit", unit}, {"floor", ceiling}, {"ceiling", ceiling}, {"low", value * band.low},
          {"high", std::min(ceiling, value * band.high)}};
}

}  // namespace fareline
