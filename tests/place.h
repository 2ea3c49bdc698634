// SPDX-License-Identifier: Apache-2.0
// Where tests find files: #include "tests/place.h".
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace fareline::test {

// The root of this checkout.
inline std::filesystem::path source_folder() { return FARELINE_SOURCE; }

// The measured data beside the checkout (../shared), where it is there; a test that needs it says GTEST_SKIP() where not.
inline std::optional<std::filesystem::path> shared_folder() {
  const std::filesystem::path folder = FARELINE_SHARED;
  return std::filesystem::is_directory(folder) ? std::optional(folder) : std::nullopt;
}

// The bytes of a file; empty where it cannot be read.
inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace fareline::test
