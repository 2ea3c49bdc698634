// SPDX-License-Identifier: Apache-2.0
// "gamma:0.5" and "markov:4,0.1,30s" taken apart.
#pragma once

#include <string_view>
#include <vector>

#include "units/text.h"

namespace fareline {

struct Words {
  std::string_view name, rest;             // before and behind the colon
  std::vector<std::string_view> arguments;  // `rest` at its commas
};

inline Words words_of(std::string_view text) {
  const auto colon = text.find(':');
  Words words{.name = text.substr(0, colon)};
  if (colon == std::string_view::npos) return words;
  words.rest = text.substr(colon + 1);
  for (std::string_view left = words.rest; !left.empty();) {
    const auto comma = left.find(',');
    words.arguments.push_back(left.substr(0, comma));
    left = comma == std::string_view::npos ? std::string_view{} : left.substr(comma + 1);
  }
  return words;
}

}  // namespace fareline
