// SPDX-License-Identifier: Apache-2.0
// How long prompts and answers are: "1024", "uniform:512,2048", "lognormal:1024,0.8", "file:lengths.csv".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/traffic_random.h"
#include "units/error.h"

namespace fareline {

struct LengthLaw {
  enum class Kind : unsigned char { fixed, uniform, lognormal, drawn } kind = Kind::fixed;
  double first = 0, second = 0;  // fixed: the length; uniform: lowest and highest; lognormal: median and sigma of the logarithm
  std::string path;              // drawn: the table, whose rows whoever has files puts into `rows`
  std::shared_ptr<const std::vector<std::int64_t>> rows;

  bool always(double length) const { return kind == Kind::fixed && first == length; }
  // The next length, whole tokens, at most 2^40; lengths drawn at random are at least one token.
  // Source: definitions; a lognormal variable is e to a normal one. Assumes: `rows` is there where lengths are drawn from a file.
  std::int64_t draw(Draws& draws) const;
  // Mean length before rounding. Equation: (a + b) / 2; median e^(sigma^2 / 2). Source: definitions.
  double mean() const;
};

// Errors: an unknown law with the nearest names, numbers that are missing, negative or the wrong way round.
Expected<LengthLaw> read_length_law(std::string_view text);

}  // namespace fareline
