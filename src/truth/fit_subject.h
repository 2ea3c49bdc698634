// SPDX-License-Identifier: Apache-2.0
// What a calibration is fitted for: a chip or a family of chips, under an engine with or without its version.
#pragma once

#include <string>
#include <string_view>

#include "catalog/catalog.h"
#include "units/error.h"

namespace fareline {

struct FitSubject {
  std::string chip;             // a chip's name, or a family's
  std::string engine, version;  // "trtllm", "1.0"; every version that begins so
  bool of(const Chip& other) const { return other.name == chip || other.family == chip; }
  bool under(std::string_view other, std::string_view its_version) const { return other == engine && its_version.starts_with(version); }
};

// Returns the subject. `stack` is an engine with or without its version ("trtllm-1.0"). Errors: no chip or family of that name.
Expected<FitSubject> fit_subject(const Catalogue& catalogue, std::string_view chip, std::string_view stack);

}  // namespace fareline
