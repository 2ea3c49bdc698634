// SPDX-License-Identifier: Apache-2.0
// The model types that are understood: one row each.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "catalog/model_architecture.h"

namespace fareline {

struct ModelFamily {
  std::string_view model_type;  // as config.json states it
  std::string_view summary;
  std::string_view defaults;  // the configuration class that omitted fields take their defaults from
  std::string_view source;    // where the layout of its matrices is published
  Builder build;
};

// All rows, by model_type.
std::span<const ModelFamily> model_families();

}  // namespace fareline
