// SPDX-License-Identifier: Apache-2.0
// ModelReading the fields of a config.json: typed, bounded, and with every default taken written down.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "units/error.h"

namespace fareline {

// Bounds of what a file may ask for, so that a bad one costs neither memory nor time.
inline constexpr std::int64_t most_dimension = 2147483647;  // a width, the vocabulary
inline constexpr std::int64_t most_layers = 10000;
inline constexpr std::int64_t most_experts = 100000;
inline constexpr std::int64_t most_heads = 65536;
inline constexpr std::int64_t most_head_dimension = 1048576;

// What reading one file gathers: the first error, and a sentence for every default.
struct ModelReading {
  std::optional<Error> error;
  std::vector<std::string> notes;
  std::string defaults;  // the configuration class that defaults come from: "LlamaConfig (huggingface/transformers)"

  bool listens = true;  // whether `asked` grows: while a family's reader is at work, which names fields by literals
  std::vector<std::string_view> asked;  // names of fields that were looked for, each once; literals

  void refuse(std::string where, std::string what, std::string remedy);
  void note(std::string sentence) { notes.push_back(std::move(sentence)); }
};

// One object of the file. The first thing wrong is kept in ModelReading::error and what is returned from then on is harmless
// (the lower bound, false, as many zeros as asked for), so that a reader needs one check, at its end.
class ModelFields {
 public:
  ModelFields(const nlohmann::json& object, std::string path, ModelReading& reading)
      : object_(&object), path_(std::move(path)), reading_(&reading) {}

  bool has(std::string_view name) const;     // present and not null
  bool states(std::string_view name) const;  // present, null or not
  // A whole number in [low, high]. Required.
  std::int64_t whole(std::string_view name, std::int64_t high = most_dimension, std::int64_t low = 1) const;
  // The first of two spellings that is there. Required.
  std::int64_t whole_of(std::string_view name, std::string_view other, std::int64_t high = most_dimension, std::int64_t low = 1) const;
  // `otherwise` where the field is absent, which is noted.
  std::int64_t whole_or(std::string_view name, std::int64_t otherwise, std::int64_t high = most_dimension, std::int64_t low = 1) const;
  // `otherwise` where the field is absent, without a note: for a field that says "none" by its absence.
  std::int64_t whole_if(std::string_view name, std::int64_t otherwise, std::int64_t high = most_dimension, std::int64_t low = 0) const;
  double number(std::string_view name, double low, double high) const;
  bool flag(std::string_view name) const;                                        // required
  bool flag_or(std::string_view name, bool otherwise) const;                     // noted where absent
  bool flag_if(std::string_view name, bool otherwise) const;                     // not noted
  std::string text(std::string_view name) const;                                 // required
  std::string text_or(std::string_view name, std::string_view otherwise) const;  // not noted
  // Exactly `count` whole numbers in [0, high]; `more` allows a longer list, whose rest is dropped (entries of MTP modules).
  std::vector<std::int64_t> wholes(std::string_view name, std::int64_t count, std::int64_t high, bool more = false) const;
  // A list of any length up to `most`.
  std::vector<std::int64_t> whole_list(std::string_view name, std::int64_t most, std::int64_t high) const;
  std::vector<std::string> texts(std::string_view name, std::int64_t count, bool more = false) const;
  std::vector<std::string> text_list(std::string_view name, std::int64_t most) const;  // of any length up to `most`
  std::vector<ModelFields> objects(std::string_view name, std::int64_t count) const;
  std::optional<ModelFields> object(std::string_view name) const;  // nothing where absent
  bool is_list(std::string_view name) const;
  bool is_text(std::string_view name) const;

  void refuse(std::string_view name, std::string what, std::string remedy) const;
  void note(std::string sentence) const { reading_->note(std::move(sentence)); }
  bool failed() const { return reading_->error.has_value(); }
  // A default that is taken, as a sentence with its source.
  void note_default(std::string_view name, std::string_view value) const;
  std::string where(std::string_view name) const;
  const nlohmann::json& json() const { return *object_; }
  ModelReading& reading() const { return *reading_; }

 private:
  const nlohmann::json* find(std::string_view name) const;
  std::int64_t checked(const nlohmann::json& value, const std::string& where, std::int64_t low, std::int64_t high) const;

  const nlohmann::json* object_;
  std::string path_;
  ModelReading* reading_;
};

}  // namespace fareline
