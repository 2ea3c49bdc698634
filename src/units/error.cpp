// SPDX-License-Identifier: Apache-2.0
#include "units/error.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace fareline {

void bug(const char* what, const char* file, int line) {
  std::fprintf(stderr, "fareline: bug at %s:%d: %s does not hold; please report it\n", file, line, what);
  std::abort();
}

namespace {

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

// Levenshtein's distance without regard to case.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

bool contains(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char x, char y) { return lower(x) == lower(y); }) != text.end();
}

}  // namespace

std::string nearest_names(std::string_view name, std::span<const std::string> known) {
  name = name.substr(0, 200);  // a longer one is no name, and the distance is quadratic
  std::vector<std::pair<std::size_t, std::string_view>> ranked;
  for (const std::string& candidate : known) {
    std::size_t distance = edit_distance(name, candidate);
    if (name.size() >= 3 && (contains(candidate, name) || contains(name, candidate))) distance = std::min<std::size_t>(distance, 1);
    if (distance <= std::max(name.size() / 3, std::size_t{1})) ranked.emplace_back(distance, candidate);
  }
  std::sort(ranked.begin(), ranked.end());
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(ranked.size(), 3); ++i) {
    if (!text.empty()) text += ", ";
    text += ranked[i].second;
  }
  return text.empty() ? text : "did you mean " + text + "?";
}

}  // namespace fareline
