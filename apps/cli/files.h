// SPDX-License-Identifier: Apache-2.0
// Files of the person at the keyboard: read whole, bounded; written whole or not at all.
#pragma once

#include <string>

#include "units/error.h"

namespace fareline::cli {

// Errors: cannot be opened, is a folder, is above `most` bytes.
Expected<std::string> read_file(const std::string& path, std::size_t most);

// Writes beside the target first and renames: nothing half-written stays behind. "-" is standard output.
Expected<void> write_file(const std::string& path, const std::string& text);

}  // namespace fareline::cli
