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

std::string in_quotes(std::string_view text) {
  constexpr int most = 60;
  // Bytes of the UTF-8 character at `i`: 0 where there is none. (Unicode 15, table 3-7: the second byte's range excludes
  // overlong forms, surrogates and what lies above U+10FFFF.)
  const auto width = [&](std::size_t i) -> std::size_t {
    const auto byte = static_cast<unsigned char>(text[i]);
    std::size_t size = 0;
    if (byte < 0x80) size = 1;
    else if (byte >= 0xC2 && byte < 0xE0) size = 2;
    else if (byte >= 0xE0 && byte < 0xF0) size = 3;
    else if (byte >= 0xF0 && byte < 0xF5) size = 4;
    if (i + size > text.size()) return 0;
    for (std::size_t k = 1; k < size; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return 0;
    const auto second = size > 2 ? static_cast<unsigned char>(text[i + 1]) : 0x80;
    if ((byte == 0xE0 && second < 0xA0) || (byte == 0xED && second > 0x9F) || (byte == 0xF0 && second < 0x90) ||
        (byte == 0xF4 && second > 0x8F)) {
      return 0;
    }
    return size;
  };
  std::string out = "\"";
  std::size_t i = 0;
  for (int characters = 0; i < text.size() && characters < most; ++characters) {
    const std::size_t size = width(i);
    const bool control = size == 1 && (static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7F);
    if (size == 0 || control) out += '?';
    else out += text.substr(i, size);
    i += size == 0 ? 1 : size;
  }
  return out + (i < text.size() ? "...\"" : "\"");
}

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
