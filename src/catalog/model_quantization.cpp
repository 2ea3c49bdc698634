// SPDX-License-Identifier: Apache-2.0
#include "catalog/model_quantization.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace fareline {

namespace {

constexpr std::size_t most_patterns = 200000, most_wildcards = 4096, most_pattern_length = 512;

// The name without what wraps the language model.
std::string_view unwrapped(std::string_view name) {
  for (const std::string_view prefix :
       {"model.language_model.", "language_model.model.", "language_model.", "model.", "backbone.", "transformer."})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return name;
}

// The layer a name speaks of: "layers.12.mlp" is 12; -1 where it names none or more than one.
std::int64_t layer_named(std::string_view name) {
  constexpr std::string_view start = "layers.";
  if (!name.starts_with(start)) return -1;
  std::int64_t number = 0;
  std::size_t i = start.size();
  for (; i < name.size() && name[i] >= '0' && name[i] <= '9' && number <= most_layers; ++i) number = number * 10 + (name[i] - '0');
  if (i == start.size() || number > most_layers || (i < name.size() && name[i] != '.')) return -1;
  return number;
}

// All experts of a layer are one matrix here: ".experts.17." stands for ".experts.0.".
std::string first_expert(std::string_view name) {
  constexpr std::string_view mark = ".experts.";
  const std::size_t at = name.find(mark);
  if (at == std::string_view::npos) return std::string(name);
  const std::size_t digits = at + mark.size();
  std::size_t end = digits;
  while (end < name.size() && name[end] >= '0' && name[end] <= '9') ++end;
  if (end == digits || (end < name.size() && name[end] != '.')) return std::string(name);
  return std::string(name.substr(0, digits)) + "0" + std::string(name.substr(end));
}

bool same_or_below(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return false;
  for (std::size_t at = name.find(pattern); at != std::string_view::npos; at = name.find(pattern, at + 1)) {
    const std::size_t end = at + pattern.size();
    if ((at == 0 || name[at - 1] == '.') && (end == name.size() || name[end] == '.')) return true;
  }
  return false;
}

bool matches(const ModulePattern& pattern, std::string_view name) {
  switch (pattern.kind) {
    case ModulePattern::Kind::plain: return same_or_below(pattern.text, name);
    case ModulePattern::Kind::wildcard: return matches_wildcard(pattern.text, name);
    case ModulePattern::Kind::regular:
      // The name in the file has a prefix that is not known here: patterns begin with ".*" or with "model.".
      return matches_regular(pattern.text, name).value_or(false) ||
             matches_regular(pattern.text, "model." + std::string(name)).value_or(false);
  }
  return false;
}

void add_pattern(const ModelFields& file, std::string_view field, Quantization& quantization, std::string_view text,
                 std::optional<Storage> storage) {
  if (text.size() > most_pattern_length) {
    file.refuse(field, fmt::format("a name of {} characters", text.size()), "name modules of the model");
    return;
  }
  ModulePattern pattern;
  pattern.storage = storage;
  if (text.starts_with("re:")) {
    pattern.kind = ModulePattern::Kind::regular;
    pattern.text = std::string(text.substr(3));
    if (!matches_regular(pattern.text, "layers.0.self_attn.q_proj"))
      file.refuse(field, fmt::format("the regular expression \"{}\" is not understood", pattern.text),
                  "use literals, ., [], (|), *, + and ?");
  } else {
    const std::string_view name = unwrapped(text);
    pattern.kind = name.find('*') == std::string_view::npos ? ModulePattern::Kind::plain : ModulePattern::Kind::wildcard;
    pattern.text = pattern.kind == ModulePattern::Kind::plain ? first_expert(name) : std::string(name);
  }
  const std::int64_t layer = pattern.kind == ModulePattern::Kind::regular ? -1 : layer_named(pattern.text);
  std::vector<ModulePattern>& list = layer < 0 ? quantization.anywhere : quantization.of_layer[layer];
  // Thousands of experts become one name; a second statement about it must say the same.
  if (pattern.kind == ModulePattern::Kind::plain)
    for (const ModulePattern& earlier : list)
      if (earlier.kind == ModulePattern::Kind::plain && earlier.text == pattern.text &&
          earlier.storage.has_value() == storage.has_value()) {
        if (storage && *earlier.storage != *storage)
          file.refuse(field, fmt::format("{} is stored in two formats", pattern.text), "the experts of one layer must share a format");
        return;
      }
  if (list.size() >= most_wildcards) {
    file.refuse(field, fmt::format("more than {} names of one layer, or of none", most_wildcards), "name modules of the model");
    return;
  }
  list.push_back(std::move(pattern));
}

// A list of names, or nothing.
void add_patterns(const ModelFields& file, std::string_view field, Quantization& quantization, std::optional<Storage> storage) {
  if (!file.has(field)) return;
  const nlohmann::json& list = file.json()[std::string(field)];
  if (!list.is_array() || list.size() > most_patterns) {
    file.refuse(field, list.is_array() ? fmt::format("has {} entries", list.size()) : "is not a list", "write a list of module names");
    return;
  }
  for (const nlohmann::json& name : list) {
    if (file.failed()) return;
    if (name.is_string()) add_pattern(file, field, quantization, name.get_ref<const std::string&>(), storage);
    else file.refuse(field, "holds something that is not a name", "write a list of module names");
  }
}

struct Algorithm {
  std::string_view name;
  Storage storage;
};

// Source: NVIDIA TensorRT-Model-Optimizer, modelopt/torch/export (quant_algo names); W4A16 feeds the multiplier 16 bits.
constexpr std::array algorithms{
    Algorithm{"FP8", {Format::fp8, Format::fp8}},
    Algorithm{"FP8_PER_CHANNEL_PER_TOKEN", {Format::fp8, Format::fp8}},
    Algorithm{"FP8_PB_WO", {Format::fp8_block, Format::bf16}},
    Algorithm{"FP8_PB_REAL", {Format::fp8_block, Format::fp8}},
    Algorithm{"NVFP4", {Format::nvfp4, Format::nvfp4}},
    Algorithm{"W4A16_NVFP4", {Format::nvfp4, Format::bf16}},
    Algorithm{"W4A8_NVFP4_FP8", {Format::nvfp4, Format::fp8}},
    Algorithm{"MXFP4", {Format::mxfp4, Format::bf16}},
    Algorithm{"W4A8_MXFP4_FP8", {Format::mxfp4, Format::fp8}},
    Algorithm{"MXFP8", {Format::mxfp8, Format::mxfp8}},
    Algorithm{"W4A16_AWQ", {Format::int4, Format::bf16}},
    Algorithm{"W4A8_AWQ", {Format::int4, Format::fp8}},
    Algorithm{"W4A16", {Format::int4, Format::bf16}},
    Algorithm{"W8A16", {Format::int8, Format::bf16}},
    Algorithm{"INT8_SQ", {Format::int8, Format::int8}},
    Algorithm{"W8A8_SQ_PER_CHANNEL", {Format::int8, Format::int8}},
};

std::optional<Storage> algorithm_named(const ModelFields& file, std::string_view field) {
  const std::string name = file.text(field);
  for (const Algorithm& algorithm : algorithms)
    if (algorithm.name == name) return algorithm.storage;
  std::string known;
  for (const Algorithm& algorithm : algorithms) known += (known.empty() ? "" : ", ") + std::string(algorithm.name);
  file.refuse(field, fmt::format("\"{}\" is not known", name.substr(0, 40)), "known: " + known);
  return std::nullopt;
}

// The format of integers of `bits` in groups of `group` (-1: a channel).
std::optional<Format> integer_format(const ModelFields& file, std::string_view field, std::int64_t bits, std::int64_t group) {
  if (bits == 8) return Format::int8;
  if (bits == 4) {
    if (group == 32) return Format::int4_32;
    if (group != 128)
      file.note(fmt::format("4-bit integers in groups of {} are counted with the scales of groups of 128: {}", group, file.where(field)));
    return Format::int4;
  }
  file.refuse(field, fmt::format("{} bits are not understood", bits), "this reader knows 4 and 8");
  return std::nullopt;
}

// A scheme of compressed-tensors or modelopt: {"num_bits", "type", "group_size", "strategy"}.
// Source: neuralmagic/compressed-tensors, src/compressed_tensors/quantization/quant_args.py.
std::optional<Format> scheme_format(const ModelFields& scheme, std::string_view storage_name) {
  const std::int64_t bits = scheme.whole("num_bits", 32), group = scheme.whole_if("group_size", -1, most_dimension, -1);
  const std::string type = scheme.text_or("type", "int"), strategy = scheme.text_or("strategy", "");
  if (type == "int") return integer_format(scheme, "num_bits", bits, group);
  if (type != "float") {
    scheme.refuse("type", "is neither \"int\" nor \"float\"", "write one of them");
    return std::nullopt;
  }
  if (bits == 8) return group == 32 ? Format::mxfp8 : strategy == "block" ? Format::fp8_block : Format::fp8;
  if (bits == 4) return storage_name.find("mxfp4") != std::string_view::npos || group == 32 ? Format::mxfp4 : Format::nvfp4;
  scheme.refuse("num_bits", fmt::format("floats of {} bits are not understood", bits), "this reader knows 4 and 8");
  return std::nullopt;
}

// config_groups: {"group_0": {"weights": {…}, "input_activations": {…}, "targets": ["Linear"]}, …}
void read_groups(const ModelFields& config, Quantization& quantization, Format dtype) {
  const std::optional<ModelFields> groups = config.object("config_groups");
  if (!groups) return;
  for (const auto& [name, value] : groups->json().items()) {
    const std::optional<ModelFields> group = groups->object(name);
    if (!group || config.failed()) return;
    const std::optional<ModelFields> weights = group->object("weights");
    if (!weights) continue;  // only activations
    const std::string packing = group->text_or("format", config.text_or("format", ""));
    const std::optional<Format> stored = scheme_format(*weights, packing);
    std::optional<Format> fed = dtype;
    if (const std::optional<ModelFields> inputs = group->object("input_activations")) fed = scheme_format(*inputs, packing);
    if (!stored || !fed) return;
    const Storage storage{*stored, *fed};
    bool all = !group->has("targets");
    if (group->is_list("targets"))
      for (const nlohmann::json& target : group->json()["targets"]) all = all || (target.is_string() && target == "Linear");
    if (all) quantization.linear = storage;
    else add_patterns(*group, "targets", quantization, storage);
  }
}

void read_quantized_layers(const ModelFields& config, Quantization& quantization) {
  const std::optional<ModelFields> layers = config.object("quantized_layers");
  if (!layers) return;
  if (layers->json().size() > most_patterns) config.refuse("quantized_layers", "has too many entries", "name modules of the model");
  for (const auto& [name, value] : layers->json().items()) {
    if (config.failed()) return;
    // The later experts of a layer are looked at by name only where they could differ: all are read.
    const std::optional<ModelFields> layer = layers->object(name);
    if (!layer) return;
    if (const std::optional<Storage> storage = algorithm_named(*layer, "quant_algo"))
      add_pattern(config, "quantized_layers", quantization, name, storage);
  }
}

std::optional<Format> read_kv(const ModelFields& config) {
  if (config.has("kv_cache_quant_algo")) {
    const std::string name = config.text("kv_cache_quant_algo");
    if (name == "FP8") return Format::fp8;
    if (name == "INT8") return Format::int8;
    if (name == "NVFP4") return Format::nvfp4;
    config.refuse("kv_cache_quant_algo", fmt::format("\"{}\" is not known", name.substr(0, 40)), "known: FP8, INT8, NVFP4");
  } else if (config.is_text("kv_cache_scheme")) {
    if (config.text("kv_cache_scheme") == "FP8") return Format::fp8;
    config.refuse("kv_cache_scheme", "is not known", "known: \"FP8\", or an object");
  } else if (const std::optional<ModelFields> scheme = config.object("kv_cache_scheme")) {
    return scheme_format(*scheme, "");
  }
  return std::nullopt;
}

// A modelopt description: the object "quantization" of hf_quant_config.json, or quantization_config with quant_method modelopt.
void read_modelopt(const ModelFields& config, Quantization& quantization, Format dtype) {
  const std::string algorithm = config.has("quant_algo") ? config.text("quant_algo") : "";
  if (algorithm == "MIXED_PRECISION") {
    read_quantized_layers(config, quantization);
    if (!config.has("quantized_layers")) read_groups(config, quantization, dtype);
  } else if (!algorithm.empty()) {
    quantization.linear = algorithm_named(config, "quant_algo");
  } else {
    read_groups(config, quantization, dtype);
  }
  add_patterns(config, "exclude_modules", quantization, std::nullopt);
  add_patterns(config, "ignore", quantization, std::nullopt);
  if (!config.has("exclude_modules") && !config.has("ignore"))
    config.note(
        fmt::format("{} names no module that stays in {}: the LM head, routers and convolutions do, the defaults of "
                    "NVIDIA TensorRT-Model-Optimizer (modelopt/torch/quantization/config.py)",
                    config.where(""), name(dtype)));
  if (const std::optional<Format> kv = read_kv(config)) quantization.kv = kv;
}

// The 8-bit floats of huggingface/transformers (FineGrainedFP8Config), which DeepSeek published first.
void read_fp8(const ModelFields& config, Quantization& quantization) {
  const std::string activations = config.text_or("activation_scheme", "dynamic");
  Format stored = Format::fp8;
  if (config.has("weight_block_size")) {
    const std::vector<std::int64_t> block = config.wholes("weight_block_size", 2, 1000000);
    stored = block[0] == 1 && block[1] == 32 ? Format::mxfp8 : Format::fp8_block;
    if (stored == Format::fp8_block && (block[0] != 128 || block[1] != 128))
      config.note(fmt::format("blocks of {} x {} are counted with the scales of 128 x 128: {}", block[0], block[1],
                              config.where("weight_block_size")));
  }
  quantization.linear = Storage{stored, activations == "none" ? Format::bf16 : Format::fp8};
  add_patterns(config, "modules_to_not_convert", quantization, std::nullopt);
  if (!config.has("modules_to_not_convert"))
    config.note(
        fmt::format("{} is not in the file: the LM head, embeddings, norms and routers stay unconverted, as FineGrainedFP8Config "
                    "(huggingface/transformers) and DeepSeek-V3's inference code have it",
                    config.where("modules_to_not_convert")));
  read_quantized_layers(config, quantization);
}

}  // namespace

bool Quantization::by_layer() const {
  // A pattern treats all layers alike where it has no digit and nothing that stands for a fixed number of characters.
  const auto alike = [](const ModulePattern& pattern) {
    const std::string& text = pattern.text;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if ((c >= '0' && c <= '9') || (c == '?' && pattern.kind == ModulePattern::Kind::wildcard)) return false;
      if (pattern.kind != ModulePattern::Kind::regular) continue;
      const char next = i + 1 < text.size() ? text[i + 1] : '\0';
      if (c == '[' || (c == '.' && next != '*') || (c == '\\' && next != '.' && next != '_')) return false;
      if (c == '\\') ++i;
    }
    return true;
  };
  return !of_layer.empty() || !std::all_of(anywhere.begin(), anywhere.end(), alike);
}

bool matches_wildcard(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (true) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && t < text.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (p == pattern.size() && (t == text.size() || text[t] == '.')) {
      return true;
    } else if (star != std::string_view::npos && mark < text.size()) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
}

namespace {

// A backtracking matcher over the pattern's own text. `rest` continues the match after what is being matched.
class RegularMatcher {
 public:
  explicit RegularMatcher(std::string_view pattern) : pattern_(pattern) {}

  std::optional<bool> run(std::string_view text) {
    text_ = text;
    const bool found = alternatives(0, pattern_.size(), 0, 0, nullptr);
    if (failed_) return std::nullopt;
    return found;
  }

 private:
  // What follows a group: the pattern from `at` to `end`, then `next`.
  struct Rest {
    std::size_t at, end;
    const Rest* next;
  };

  bool give_up() {
    failed_ = true;
    return false;
  }

  // The end of the atom at `p`, before its repetition.
  std::size_t atom_end(std::size_t p, std::size_t end) {
    if (pattern_[p] == '\\') return p + 2 <= end ? p + 2 : (give_up(), end);
    if (pattern_[p] == '[') {
      std::size_t q = p + 1;
      while (q < end && pattern_[q] != ']') q += pattern_[q] == '\\' ? 2 : 1;
      return q < end ? q + 1 : (give_up(), end);
    }
    if (pattern_[p] == '(') {
      int depth = 0;
      for (std::size_t q = p; q < end; ++q) {
        if (pattern_[q] == '\\') {
          ++q;
        } else if (pattern_[q] == '(') {
          ++depth;
        } else if (pattern_[q] == ')' && --depth == 0) {
          return q + 1;
        }
      }
      give_up();
      return end;
    }
    return p + 1;
  }

  bool one(std::size_t p, std::size_t end, char c) {
    const char first = pattern_[p];
    if (first == '.') return true;
    if (first == '\\') {
      const char escaped = p + 1 < end ? pattern_[p + 1] : '\0';
      if (escaped == 'd') return c >= '0' && c <= '9';
      if (escaped == 'w') return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
      if ((escaped >= 'a' && escaped <= 'z') || (escaped >= 'A' && escaped <= 'Z') || (escaped >= '0' && escaped <= '9')) return give_up();
      return c == escaped;
    }
    if (first == '[') {
      std::size_t q = p + 1;
      const bool inverted = q < end && pattern_[q] == '^';
      bool found = false;
      for (q += inverted; q + 1 < end; ++q) {
        if (pattern_[q] == '\\') return give_up();
        if (q + 3 < end && pattern_[q + 1] == '-') {
          found = found || (c >= pattern_[q] && c <= pattern_[q + 2]);
          q += 2;
        } else {
          found = found || c == pattern_[q];
        }
      }
      return found != inverted;
    }
    return c == first;
  }

  // The pattern [p, end), a choice of alternatives, at text position t, then `rest`.
  bool alternatives(std::size_t p, std::size_t end, std::size_t t, int depth, const Rest* rest) {
    std::size_t start = p;
    for (std::size_t q = p; q <= end && !failed_;) {
      if (q == end || pattern_[q] == '|') {
        if (sequence(start, q, t, depth + 1, rest)) return true;
        start = ++q;
      } else {
        q = atom_end(q, end);
      }
    }
    return false;
  }

  bool sequence(std::size_t p, std::size_t end, std::size_t t, int depth, const Rest* rest) {
    if (++steps_ > 20000 || depth > 2000) return give_up();
    if (failed_) return false;
    if (p == end) {
      if (!rest) return true;
      return sequence(rest->at, rest->end, t, depth + 1, rest->next);
    }
    const char first = pattern_[p];
    if (first == '^') return t == 0 && sequence(p + 1, end, t, depth + 1, rest);
    if (first == '$') return t == text_.size() && sequence(p + 1, end, t, depth + 1, rest);
    if (first == '*' || first == '+' || first == '?' || first == '{' || first == ')' || first == ']') return give_up();
    const std::size_t after = atom_end(p, end);
    if (failed_) return false;
    char repeat = after < end ? pattern_[after] : '\0';
    if (repeat == '{') return give_up();
    if (repeat != '*' && repeat != '+' && repeat != '?') repeat = '\0';
    const std::size_t next = after + (repeat != '\0');
    if (next < end && repeat != '\0' && (pattern_[next] == '?' || pattern_[next] == '+' || pattern_[next] == '*')) return give_up();
    if (first == '(') {
      std::size_t inside = p + 1;
      if (inside < after && pattern_[inside] == '?') {
        if (pattern_.substr(inside, 2) != "?:") return give_up();
        inside += 2;
      }
      if (repeat == '*' || repeat == '+') return give_up();
      const Rest follow{next, end, rest};
      if (alternatives(inside, after - 1, t, depth + 1, &follow)) return true;
      return repeat == '?' && sequence(next, end, t, depth + 1, rest);
    }
    std::size_t most = 0;
    const std::size_t limit = repeat == '*' || repeat == '+' ? text_.size() - t : 1;
    while (most < limit && t + most < text_.size() && one(p, after, text_[t + most])) ++most;
    const std::size_t least = repeat == '*' || repeat == '?' ? 0 : 1;
    for (std::size_t count = most + 1; count-- > least;)
      if (sequence(next, end, t + count, depth + 1, rest)) return true;
    return false;
  }

  std::string_view pattern_, text_;
  int steps_ = 0;
  bool failed_ = false;
};

}  // namespace

std::optional<bool> matches_regular(std::string_view pattern, std::string_view text) { return RegularMatcher(pattern).run(text); }

Format read_dtype(const ModelFields& file) {
  for (const std::string_view field : {"torch_dtype", "dtype"}) {
    if (!file.has(field)) continue;
    std::string name = file.text(field);
    if (name.starts_with("torch.")) name = name.substr(6);
    if (name == "bfloat16") return Format::bf16;
    if (name == "float16" || name == "half") return Format::fp16;
    if (name == "float32" || name == "float") return Format::fp32;
    if (name == "auto") break;
    file.refuse(field, fmt::format("\"{}\" is not known", name.substr(0, 40)), "known: bfloat16, float16, float32");
    return Format::bf16;
  }
  file.note("torch_dtype is not in the file: bfloat16 is taken, in which these models are served");
  return Format::bf16;
}

Quantization read_quantization(const ModelFields& outer, const ModelFields& file, const std::optional<ModelFields>& hf_quant,
                               Format dtype) {
  Quantization quantization;
  quantization.rest = {dtype, dtype};
  std::optional<ModelFields> config = file.object("quantization_config");
  if (!config) config = outer.object("quantization_config");
  std::optional<ModelFields> modelopt;
  if (hf_quant) {
    modelopt = hf_quant->object("quantization");
    if (!modelopt) modelopt = *hf_quant;
  }
  std::string method;
  if (config) method = config->has("quant_method") ? config->text("quant_method") : config->has("quant_algo") ? "modelopt" : "";
  if (config && method == "fp8") {
    read_fp8(*config, quantization);
    if (modelopt) {
      file.note("hf_quant_config.json adds formats to modules that quantization_config stores in fp8; what it leaves out stays fp8");
      if (!config->has("quantized_layers")) read_quantized_layers(*modelopt, quantization);
      if (const std::optional<Format> kv = read_kv(*modelopt)) quantization.kv = kv;
    }
    return quantization;
  }
  if (modelopt) {
    read_modelopt(*modelopt, quantization, dtype);
    return quantization;
  }
  if (!config) return quantization;
  if (method == "modelopt" || method == "modelopt_fp4" || method == "modelopt_mixed") {
    read_modelopt(*config, quantization, dtype);
  } else if (method == "compressed-tensors") {
    read_groups(*config, quantization, dtype);
    add_patterns(*config, "ignore", quantization, std::nullopt);
    quantization.head_linear = true;  // it is a Linear module like any other: files that spare it say so
    quantization.kv = read_kv(*config);
  } else if (method == "mxfp4") {
    quantization.linear = Storage{Format::mxfp4, dtype};
    add_patterns(*config, "modules_to_not_convert", quantization, std::nullopt);
  } else if (method == "gptq" || method == "awq") {
    const std::int64_t bits = config->has("bits") ? config->whole("bits", 32) : config->whole("w_bit", 32);
    const std::int64_t group = config->has("group_size") ? config->whole("group_size", most_dimension, -1)
                                                         : config->whole_if("q_group_size", 128, most_dimension, -1);
    if (const std::optional<Format> stored = integer_format(*config, "bits", bits, group)) quantization.linear = Storage{*stored, dtype};
    add_patterns(*config, "modules_to_not_convert", quantization, std::nullopt);
  } else if (method == "fbgemm_fp8") {
    quantization.linear = Storage{Format::fp8, Format::fp8};
    add_patterns(*config, "modules_to_not_convert", quantization, std::nullopt);
  } else if (method == "bitsandbytes") {
    if (config->flag_if("load_in_4bit", false)) {
      quantization.linear = Storage{Format::int4, dtype};
      file.note("bitsandbytes' 4-bit blocks of 64 are counted with the scales of groups of 128: quantization_config");
    } else if (config->flag_if("load_in_8bit", false)) {
      quantization.linear = Storage{Format::int8, Format::int8};
    } else {
      config->refuse("load_in_4bit", "neither 4 nor 8 bits are loaded", "set load_in_4bit or load_in_8bit");
    }
    add_patterns(*config, "llm_int8_skip_modules", quantization, std::nullopt);
  } else {
    config->refuse("quant_method", method.empty() ? "is missing" : fmt::format("\"{}\" is not known", method.substr(0, 40)),
                   "known: fp8, modelopt, compressed-tensors, mxfp4, gptq, awq, fbgemm_fp8, bitsandbytes");
  }
  return quantization;
}

Storage storage_of(const Quantization& quantization, std::string_view name, std::int64_t layer, bool linear) {
  bool spared = false;
  const auto look = [&](const std::vector<ModulePattern>& patterns) -> const Storage* {
    for (const ModulePattern& pattern : patterns) {
      if (spared && !pattern.storage) continue;
      if (!matches(pattern, name)) continue;
      if (pattern.storage) return &*pattern.storage;
      spared = true;
    }
    return nullptr;
  };
  if (layer >= 0)
    if (const auto found = quantization.of_layer.find(layer); found != quantization.of_layer.end())
      if (const Storage* storage = look(found->second)) return *storage;
  if (const Storage* storage = look(quantization.anywhere)) return *storage;
  return linear && !spared && quantization.linear ? *quantization.linear : quantization.rest;
}

}  // namespace fareline
