// SPDX-License-Identifier: Apache-2.0
// What every answer is wrapped in, for questions that are answered with more than their inputs.
#pragma once

#include <functional>

#include "api/inputs.h"

namespace fareline {

// Returns what ask() does where the question's row is answered by `answer` in place of its own function. Errors: as ask.
Expected<nlohmann::ordered_json> ask_with(const nlohmann::ordered_json& question, const Catalogue& catalogue,
                                          const std::function<Expected<nlohmann::ordered_json>(Inputs&)>& answer);

}  // namespace fareline
