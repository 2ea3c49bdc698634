// SPDX-License-Identifier: Apache-2.0
#include "api/open_models.h"

#include <algorithm>
#include <array>

#include "api/price_list.h"

namespace fareline {
namespace {

constexpr auto leave_the_shape = std::to_array<std::string_view>(
    {"instruct", "chat", "it", "hf", "turbo", "versatile", "instant", "basic", "fp8", "fp4", "nvfp4", "bf16", "awq", "int4", "static",
     "pertensor", "maas", "preview", "free", "thinking", "fast", "lite", "latest", "2507", "2512", "2506", "high", "low", "tput",
     "throughput", "reference", "base", "text", "adapter", "tee", "128e", "16e", "17b", "meta", "nvidia", "openai", "v1", "p"});

constexpr auto families = std::to_array<std::string_view>({"llama", "qwen", "kimi", "gemma", "phi"});

bool digit(char c) { return c >= '0' && c <= '9'; }

// "qwen-3", "llama-v3p1": providers write the same version in several ways.
std::vector<std::string> words_of(std::string_view name) {
  const auto slash = name.find_last_of('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  std::string text;
  for (const char c : name) text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  // Bedrock's "-1:0" is a version of the interface.
  if (const auto colon = text.rfind(':'); colon != std::string::npos && colon >= 2 && text[colon - 2] == '-' && digit(text[colon - 1]))
    text.erase(colon - 2);
  for (std::size_t i = 1; i + 1 < text.size(); ++i)
    if (text[i] == 'p' && digit(text[i - 1]) && digit(text[i + 1])) text[i] = '.';
  for (const std::string_view family : families)
    for (const std::string_view between : {"-v", "-k", "-"}) {
      const auto at = text.find(family);
      const std::size_t digits = at + family.size() + between.size();
      if (at == std::string::npos || digits >= text.size() || !digit(text[digits])) continue;
      if (text.substr(at + family.size(), between.size()) == between) text.erase(at + family.size(), between == "-k" ? 1 : between.size());
    }
  std::vector<std::string> words = words_of_model(text);
  std::erase_if(words, [](const std::string& word) {
    return std::find(leave_the_shape.begin(), leave_the_shape.end(), word) != leave_the_shape.end();
  });
  return words;
}

}  // namespace

OpenModels::OpenModels(const Catalogue& catalogue) {
  for (const std::string& name : catalogue.model_names()) {
    const auto model = catalogue.model(name);
    if (!model) continue;
    const Bytes kv = kv_bytes_per_token(*model, element_bytes(model->precision.kv));
    by_words_.try_emplace(words_of(name), all_.size());
    all_.push_back({.name = name, .active = static_cast<double>(count_parameters(*model).active), .kv = kv / unit::token});
  }
}

const OpenModel* OpenModels::find(std::string_view offered) const {
  const auto found = by_words_.find(words_of(offered));
  return found == by_words_.end() ? nullptr : &all_[found->second];
}

}  // namespace fareline
