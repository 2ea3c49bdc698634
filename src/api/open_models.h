// SPDX-License-Identifier: Apache-2.0
// Which model of the catalogue a provider's name means.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"

namespace fareline {

// What prices are about: parameters a token is multiplied with, KV bytes of a token, of a published configuration.
struct OpenModel {
  std::string name;
  double active = 0;
  BytesPerToken kv{};  // zero where nothing grows with the past
};

class OpenModels {
 public:
  explicit OpenModels(const Catalogue& catalogue);
  const std::vector<OpenModel>& all() const { return all_; }
  // By the words of the name, without those that leave the shape alone (Instruct, turbo, FP8, a date); nothing where none or a word
  // that changes it (distill, guard, a size) is left over.
  const OpenModel* find(std::string_view offered) const;

 private:
  std::vector<OpenModel> all_;
  std::map<std::vector<std::string>, std::size_t> by_words_;
};

}  // namespace fareline
