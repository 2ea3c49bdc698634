// SPDX-License-Identifier: Apache-2.0
// JSON on one line, several times as fast as the library that holds it writes it.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace fareline {

// Returns the bytes of json.dump(-1, ' ', false, replace): no blanks, broken UTF-8 as U+FFFD, a number that is not finite as null.
std::string json_text(const nlohmann::ordered_json& json);

}  // namespace fareline
