// SPDX-License-Identifier: Apache-2.0
#include "sim/traffic_lengths.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/traffic_words.h"

namespace fareline {

constexpr double longest = 0x1p40;

std::int64_t LengthLaw::draw(Draws& draws) const {
  switch (kind) {
    case Kind::fixed: return static_cast<std::int64_t>(first);
    case Kind::uniform: return static_cast<std::int64_t>(std::min(second, first + std::floor(draws.uniform() * (second - first + 1))));
    case Kind::lognormal:
      return static_cast<std::int64_t>(std::clamp(std::floor(first * exponential(second * draws.normal()) + 0.5), 1.0, longest));
    case Kind::drawn: {
      const auto size = static_cast<double>(rows->size());
      return (*rows)[static_cast<std::size_t>(std::min(draws.uniform() * size, size - 1))];
    }
  }
  return 0;
}

double LengthLaw::mean() const {
  switch (kind) {
    case Kind::fixed: return first;
    case Kind::uniform: return (first + second) / 2;
    case Kind::lognormal: return first * exponential(second * second / 2);
    case Kind::drawn: {
      double sum = 0;
      for (const std::int64_t length : *rows) sum += static_cast<double>(length);
      return sum / static_cast<double>(rows->size());
    }
  }
  return 0;
}

Expected<LengthLaw> read_length_law(std::string_view text) {
  const Words words = words_of(text);
  const auto wrong = [&](const char* what) {
    return fail({}, in_quotes(text) + " " + what,
                "write e.g. 1024, uniform:512,2048, lognormal:1024,0.8 (median, sigma) or file:lengths.csv");
  };
  if (words.name == "file") {
    if (words.rest.empty()) return wrong("names no file");
    return LengthLaw{.kind = LengthLaw::Kind::drawn, .path = std::string(words.rest)};
  }
  const bool bare = words.name == text;
  LengthLaw law;
  if (words.name == "uniform") law.kind = LengthLaw::Kind::uniform;
  else if (words.name == "lognormal") law.kind = LengthLaw::Kind::lognormal;
  else if (!bare && words.name != "fixed") return wrong("is no law of lengths");
  const auto arguments = bare ? std::vector<std::string_view>{text} : words.arguments;
  if (arguments.size() != (law.kind == LengthLaw::Kind::fixed ? 1u : 2u)) return wrong("has not as many numbers as its law takes");
  const bool lognormal = law.kind == LengthLaw::Kind::lognormal;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    double& value = i == 0 ? law.first : law.second;
    if (lognormal && i == 1) {
      const auto sigma = parse_quantity(arguments[i], Dim{});
      if (!sigma || !(*sigma >= 0) || *sigma > 10) return wrong("has no sigma between 0 and 10");
      value = *sigma;
    } else {
      const auto count = parse_count(arguments[i]);
      if (!count || static_cast<double>(*count) > longest) return wrong("is not a law of whole tokens");
      value = static_cast<double>(*count);
    }
  }
  if (law.kind == LengthLaw::Kind::uniform && law.first > law.second) return wrong("has its lowest above its highest");
  if (law.kind != LengthLaw::Kind::fixed && law.first < 1) return wrong("starts below one token");
  return law;
}

}  // namespace fareline
