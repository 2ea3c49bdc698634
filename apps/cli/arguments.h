// SPDX-License-Identifier: Apache-2.0
// What stands for a file in a question: the person at the keyboard gives its path, the core its content.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "units/error.h"

namespace fareline::cli {

// A model given as a path becomes {"name", "config", "hf_quant_config"}, text read from the file or the folder's config.json (and
// hf_quant_config.json beside it); anything else is a name. Errors: as read_file and read_document.
Expected<nlohmann::ordered_json> model_argument(const std::string& text);

// A document given as a path becomes the JSON in that file, a table (CSV) its rows; anything else is a name. Errors: the same.
Expected<nlohmann::ordered_json> document_argument(const std::string& text);

}  // namespace fareline::cli
