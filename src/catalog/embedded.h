// SPDX-License-Identifier: Apache-2.0
// The files of data/, compiled in.
#pragma once

#include <span>
#include <string_view>

namespace fareline {

struct EmbeddedFile {
  std::string_view path;  // below data/: "chips/h100-sxm.json"
  std::string_view text;
};

// All files of data/, sorted by path.
std::span<const EmbeddedFile> embedded_files();

}  // namespace fareline
