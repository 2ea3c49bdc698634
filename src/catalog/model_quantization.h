// SPDX-License-Identifier: Apache-2.0
// Which matrix of a checkpoint is stored in which format, as quantization_config and hf_quant_config.json state it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/format.h"
#include "catalog/model_fields.h"

namespace fareline {

// How a matrix is stored, and what the multiplier is fed beside it.
struct Storage {
  Format weights = Format::bf16, activations = Format::bf16;
  bool operator==(const Storage&) const = default;
};

// A name, with wildcards or as a regular expression, of modules stored in one way. A plain name stands for itself and for
// everything below it, and may leave out what comes before ("gate" is the module gate of any layer).
struct ModulePattern {
  enum class Kind : unsigned char { plain, wildcard, regular };
  Kind kind = Kind::plain;
  std::string text;                // without what wraps the language model ("model.", "model.language_model.", "backbone.")
  std::optional<Storage> storage;  // nothing: left as the rest of the checkpoint
};

struct Quantization {
  Storage rest;                         // what is not quantized: the file's dtype
  std::optional<Storage> linear;        // "all linear modules"; nothing: only what is named
  bool head_linear = false;             // the LM head is one of them
  std::vector<ModulePattern> anywhere;  // patterns that name no single layer
  std::map<std::int64_t, std::vector<ModulePattern>> of_layer;
  std::optional<Format> kv;
  // Whether two layers of one shape may be stored in different ways.
  bool by_layer() const;
};

// The dtype of a configuration; bf16, noted, where it states none.
Format read_dtype(const ModelFields& file);

// Reads quantization_config of `file` (or of `outer`, which wraps it) and the text of hf_quant_config.json.
Quantization read_quantization(const ModelFields& outer, const ModelFields& file, const std::optional<ModelFields>& hf_quant, Format dtype);

// How the module `name` of layer `layer` ("layers.3.self_attn.q_proj", 3; -1: of no layer) is stored. `linear`: it is one of
// the linear modules that a method converts unless told otherwise.
Storage storage_of(const Quantization& quantization, std::string_view name, std::int64_t layer, bool linear);

// Whether `text` matches: '*' stands for any text, dots included; the match may end where a dot follows.
bool matches_wildcard(std::string_view pattern, std::string_view text);
// Whether a regular expression matches from the start of `text`; nothing where it uses what is not known here (known:
// literals, . \. [a-z] * + ? ^ $ | and groups) or takes too many steps.
std::optional<bool> matches_regular(std::string_view pattern, std::string_view text);

}  // namespace fareline
