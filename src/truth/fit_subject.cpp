// SPDX-License-Identifier: Apache-2.0
#include "truth/fit_subject.h"

#include <algorithm>

namespace fareline {

Expected<FitSubject> fit_subject(const Catalogue& catalogue, std::string_view chip, std::string_view stack) {
  if (std::find(chip_families.begin(), chip_families.end(), chip) == chip_families.end())
    if (const auto known = catalogue.chip(chip); !known) {
      Error error = known.error();
      error.remedy += " (or a family: hopper, blackwell)";
      return std::unexpected(std::move(error).within("--chip"));
    }
  FitSubject subject{.chip = std::string(chip), .engine = std::string(stack), .version = {}};
  const auto dash = stack.rfind('-');
  if (dash != std::string_view::npos && dash + 1 < stack.size() && stack[dash + 1] >= '0' && stack[dash + 1] <= '9') {
    subject.engine = stack.substr(0, dash);
    subject.version = stack.substr(dash + 1);
  }
  return subject;
}

}  // namespace fareline
