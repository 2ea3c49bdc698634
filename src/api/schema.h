// SPDX-License-Identifier: Apache-2.0
// The service over HTTP as OpenAPI 3.1, written from the question tables.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "api/question.h"

namespace fareline {

// Returns the JSON Schema of one input: its kind, bounds, choices, default and what it means.
nlohmann::ordered_json input_schema(const Input& input);

// Returns the document: paths, and a component for the inputs of each question. It names no host.
nlohmann::ordered_json openapi_schema();

}  // namespace fareline
