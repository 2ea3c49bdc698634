// SPDX-License-Identifier: Apache-2.0
// config.json in, Model out: finds the family, lets it state the layers, and gives every matrix the format it is stored in.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "catalog/model_family.h"
#include "catalog/model_quantization.h"

namespace fareline {

std::optional<std::string> without_nonfinite(std::string_view text) {
  if (text.find("Infinity") == std::string_view::npos && text.find("NaN") == std::string_view::npos) return std::nullopt;
  std::string clean;
  clean.reserve(text.size());
  bool inside = false;
  for (std::size_t i = 0; i < text.size();) {
    if (inside && text[i] == '\\' && i + 1 < text.size()) {
      clean.append(text.substr(i, 2));
      i += 2;
      continue;
    }
    if (text[i] == '"') inside = !inside;
    bool replaced = false;
    if (!inside)
      for (const std::string_view word : {"-Infinity", "Infinity", "NaN"})
        if (text.substr(i).starts_with(word)) {
          clean += "null";
          i += word.size();
          replaced = true;
          break;
        }
    if (!replaced) clean += text[i++];
  }
  return clean;
}

namespace {

using Json = nlohmann::json;

constexpr std::size_t most_bytes = std::size_t{16} << 20;  // MiniMax-M3's per-expert lists take 3 MB
constexpr double most_parameters = 1e16;
constexpr std::int64_t most_pattern_checks = 20'000'000;

Expected<Json> parse(std::string_view where, std::string_view text) {
  if (text.size() > most_bytes)
    return fail(std::string(where),
                fmt::format("{:.0f} MB is too large for a model's configuration", static_cast<double>(text.size()) / 1e6),
                "give the config.json beside the weights, not the weights");
  const std::optional<std::string> clean = without_nonfinite(text);
  const std::string_view source = clean ? std::string_view(*clean) : text;
  Json json = Json::parse(source.begin(), source.end(), nullptr, false);
  if (json.is_discarded()) {
    const bool blank = source.find_first_not_of(" \t\r\n") == std::string_view::npos;
    return fail(std::string(where), blank ? "is empty" : "is not JSON, or is cut off", "give the whole config.json as published");
  }
  if (!json.is_object()) return fail(std::string(where), "is not a JSON object", "give the config.json as published");
  return json;
}

// What a model type that is no decoder of text is, for the error; empty where it is not known.
std::string_view other_kind(const Json& json) {
  if (json.contains("_diffusers_version") || (json.contains("_class_name") && !json.contains("model_type"))) return "a diffusion model";
  if (json.value("is_encoder_decoder", Json()) == true) return "an encoder-decoder";
  const Json type = json.value("model_type", Json());
  if (!type.is_string()) return "";
  constexpr std::string_view encoders[] = {"bert",       "roberta",     "distilbert", "albert",     "electra",   "deberta",
                                           "deberta-v2", "xlm-roberta", "mpnet",      "modernbert", "nomic_bert"};
  constexpr std::string_view images[] = {"vit",
                                         "clip",
                                         "siglip",
                                         "siglip_vision_model",
                                         "clip_vision_model",
                                         "clip_text_model",
                                         "swin",
                                         "convnext",
                                         "resnet",
                                         "dinov2",
                                         "deit",
                                         "beit",
                                         "detr",
                                         "sam"};
  constexpr std::string_view audio[] = {"whisper", "wav2vec2", "hubert", "encodec", "clap", "speecht5"};
  constexpr std::string_view pairs[] = {"t5", "mt5", "umt5", "bart", "mbart", "pegasus", "marian", "m2m_100", "blenderbot"};
  const std::string& name = type.get_ref<const std::string&>();
  if (std::ranges::find(encoders, name) != std::end(encoders)) return "an encoder";
  if (std::ranges::find(images, name) != std::end(images)) return "a model of images";
  if (std::ranges::find(audio, name) != std::end(audio)) return "a model of sound";
  if (std::ranges::find(pairs, name) != std::end(pairs)) return "an encoder-decoder";
  return "";
}

const ModelFamily* family_named(std::string_view type) {
  const std::span<const ModelFamily> families = model_families();
  const auto found = std::ranges::lower_bound(families, type, {}, &ModelFamily::model_type);
  return found != families.end() && found->model_type == type ? &*found : nullptr;
}

// Tables of other tools have no model_type: their own fields tell.
std::string_view type_of_table(const Json& json) {
  if (json.contains("hidden") && json.contains("feedforward") && json.contains("attn_heads")) return "calculon";
  if (json.contains("n_head") && json.contains("hidden_dim") && json.contains("ffn_embed_dim")) return "llm_analysis";
  return "";
}

Expected<const ModelFamily*> find_family(const Json& outer, const Json& inner) {
  if (const std::string_view table = type_of_table(outer); !table.empty()) return family_named(table);
  if (const std::string_view kind = other_kind(outer); !kind.empty())
    return fail("model_type", fmt::format("this is {}, not a language model", kind), "give the config.json of a decoder of text");
  const Json& stated = inner.contains("model_type") && inner["model_type"].is_string() ? inner : outer;
  if (!stated.contains("model_type") || !stated["model_type"].is_string())
    return fail("model_type", "is missing: this may not be a language model's config.json", "give the config.json as published");
  const std::string type = stated["model_type"].get<std::string>().substr(0, 60);
  if (const ModelFamily* family = family_named(type)) return family;
  if (const Json wrapper = outer.value("model_type", Json()); wrapper.is_string())
    if (const ModelFamily* family = family_named(wrapper.get_ref<const std::string&>())) return family;
  std::vector<std::string> known;
  for (const ModelFamily& family : model_families()) known.emplace_back(family.model_type);
  const std::string nearest = nearest_names(type, known);
  return fail("model_type", fmt::format("\"{}\" is not known", type),
              nearest.empty() ? "fareline list models names what is known; a model in Llama's layout may be read as \"llama\"" : nearest);
}

class Assembly {
 public:
  Assembly(const Architecture& architecture, const Quantization& quantization) : architecture_(architecture), quantization_(quantization) {}

  Layer layer(const LayerDraft& draft, std::string_view prefix, std::int64_t number) {
    Layer layer = draft.layer;
    layer.matrices.reserve(draft.weights.size());
    for (const Weight& weight : draft.weights) {
      Matrix matrix = weight.matrix;
      const Storage storage = storage_of_weight(weight, prefix, number);
      matrix.format = storage.weights;
      if (matrix.use != Use::elementwise && matrix.use != Use::lookup)
        tally_of(storage).parameters +=
            static_cast<double>(matrix.inputs) * static_cast<double>(matrix.outputs) * static_cast<double>(matrix.copies);
      layer.matrices.push_back(std::move(matrix));
    }
    return layer;
  }

  // The formats of a draft's matrices as they would be in layer `number`, one character each.
  std::string signature(const LayerDraft& draft, std::string_view prefix, std::int64_t number) {
    std::string text;
    for (const Weight& weight : draft.weights) text += static_cast<char>(storage_of_weight(weight, prefix, number).weights);
    return text;
  }

  Storage storage_of_weight(const Weight& weight, std::string_view prefix, std::int64_t number) {
    if (weight.module.empty()) return {quantization_.rest.weights, quantization_.rest.activations};
    name_.assign(prefix);
    name_ += weight.module;
    const Storage storage = storage_of(quantization_, name_, number, weight.linear);
    // A format that the file states for the routed experts alone holds where no list says otherwise.
    if (weight.matrix.split == Split::experts && architecture_.routed_experts != Format::fp64 && quantization_.linear &&
        storage == *quantization_.linear)
      return {architecture_.routed_experts, storage.activations};
    return storage;
  }

  // Parameters by the way they are stored.
  struct Tally {
    Storage storage;
    double parameters = 0;
  };
  Tally& tally_of(const Storage& storage) {
    for (Tally& tally : tallies_)
      if (tally.storage == storage) return tally;
    return tallies_.emplace_back(Tally{storage, 0});
  }
  std::vector<Tally> take_tallies() { return std::exchange(tallies_, {}); }

 private:
  const Architecture& architecture_;
  const Quantization& quantization_;
  std::string name_;
  std::vector<Tally> tallies_;
};

// Fields that give a model parts which a reader that never looks for them would leave out.
constexpr std::string_view telling[] = {"num_experts",
                                        "num_local_experts",
                                        "n_routed_experts",
                                        "moe_num_experts",
                                        "kv_lora_rank",
                                        "index_topk",
                                        "ssm_state_size",
                                        "mamba_d_state",
                                        "linear_attn_config",
                                        "linear_num_value_heads",
                                        "sparse_attention_config",
                                        "block_configs",
                                        "layers_block_type",
                                        "hybrid_override_pattern",
                                        "attn_type_list",
                                        "hybrid_layer_pattern",
                                        "compress_ratios",
                                        "hc_mult",
                                        "moe_latent_size",
                                        "routed_expert_hidden_size",
                                        "attn_res_block_size",
                                        "hidden_size_per_layer_input",
                                        "num_kv_shared_layers",
                                        "word_embed_proj_dim",
                                        "cross_attention_layers"};

// Refuses a field that changes the architecture and that the family's reader did not look for.
void check_understood(const Json& config, std::string_view type, ModelReading& reading) {
  const auto asked = [&](std::string_view name) { return std::ranges::find(reading.asked, name) != reading.asked.end(); };
  constexpr std::string_view spellings[] = {"num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"};
  const bool experts = std::ranges::any_of(spellings, asked);
  for (const std::string_view name : telling) {
    if (experts && std::ranges::find(spellings, name) != std::end(spellings)) continue;  // one number under two names
    const auto found = config.find(name);
    if (found == config.end() || asked(name)) continue;
    const bool idle = found->is_null() || *found == false || *found == 0 || *found == 1 || (found->is_structured() && found->empty());
    if (!idle)
      reading.refuse(std::string(name), fmt::format("changes the architecture, and the reader of \"{}\" has no place for it", type),
                     "state the model_type that has it, or set it to null if the model does without");
  }
}

// Refuses what would overflow or is beyond any model.
bool within_bounds(const Architecture& model, ModelReading& reading) {
  double total = 2.0 * static_cast<double>(model.hidden) * static_cast<double>(model.vocabulary);
  std::vector<double> sizes;
  const auto size = [&](const std::vector<Weight>& weights) {
    double sum = 0;
    for (const Weight& weight : weights) {
      const Matrix& matrix = weight.matrix;
      if (matrix.inputs < 1 || matrix.outputs < 1 || matrix.copies < 1 || matrix.shards_most < 1)
        reading.refuse(matrix.op, "has no width", "take all dimensions from one model's file");
      sum += static_cast<double>(matrix.inputs) * static_cast<double>(matrix.outputs) * static_cast<double>(matrix.copies);
    }
    return sum;
  };
  for (const LayerDraft& draft : model.drafts) sizes.push_back(size(draft.weights));
  for (const int draft : model.order) total += sizes[static_cast<std::size_t>(draft)];
  for (const LayerDraft& draft : model.mtp) total += size(draft.weights);
  total += size(model.other);
  if (total <= most_parameters) return !reading.error;
  reading.refuse("hidden_size", fmt::format("the file describes {:.1e} parameters", total),
                 "no model has more than 1e16: check the dimensions");
  return false;
}

}  // namespace

Expected<Model> read_model(std::string_view name, std::string_view config_json, std::string_view hf_quant_json) {
  const std::string place = name.empty() ? "config.json" : std::string(name);
  Expected<Json> outer_json = parse(place, config_json);
  if (!outer_json) return std::unexpected(std::move(outer_json.error()));
  Json quant_json;
  if (!hf_quant_json.empty()) {
    Expected<Json> parsed = parse("hf_quant_config.json", hf_quant_json);
    if (!parsed) return std::unexpected(std::move(parsed.error()).within(place));
    quant_json = std::move(*parsed);
  }

  const auto nested = outer_json->find("text_config");
  const bool wraps = nested != outer_json->end() && nested->is_object();
  const Json& inner_json = wraps ? *nested : *outer_json;
  const Expected<const ModelFamily*> family = find_family(*outer_json, inner_json);
  if (!family) return std::unexpected(Error(family.error()).within(place));

  ModelReading reading;
  reading.defaults = std::string((*family)->defaults);
  const ModelFields outer(*outer_json, "", reading), file(inner_json, wraps ? "text_config" : "", reading);
  if (wraps) {
    reading.note("the text part of a model that also takes other input is read; its towers and projectors are left out");
    // What the wrapper says for the whole model holds for its text part.
    if (outer.has("tie_word_embeddings") && !file.has("tie_word_embeddings")) {
      outer.flag_if("tie_word_embeddings", false);
      if (!reading.error) (*nested)["tie_word_embeddings"] = (*outer_json)["tie_word_embeddings"];
    }
  }
  Architecture architecture;
  if (!reading.error) (*family)->build(file, architecture);
  reading.listens = false;
  if (!reading.error) check_understood(inner_json, (*family)->model_type, reading);
  if (!reading.error && architecture.order.empty()) reading.refuse("num_hidden_layers", "no layers", "write how many there are");
  Format dtype = Format::bf16;
  Quantization quantization;
  if (!reading.error) {
    dtype = read_dtype(file.has("torch_dtype") || file.has("dtype") ? file : outer);
    std::optional<ModelFields> hf_quant;
    if (quant_json.is_object()) hf_quant.emplace(quant_json, "hf_quant_config.json", reading);
    quantization = read_quantization(outer, file, hf_quant, dtype);
  }
  if (!reading.error) {
    std::size_t weights = 0;
    for (const LayerDraft& draft : architecture.drafts) weights = std::max(weights, draft.weights.size());
    if (static_cast<double>(weights) * static_cast<double>(architecture.order.size()) * static_cast<double>(quantization.anywhere.size()) >
        static_cast<double>(most_pattern_checks))
      reading.refuse("quantization_config", "too many wildcard names for so many layers", "name the modules of each layer");
  }
  if (reading.error || !within_bounds(architecture, reading)) return std::unexpected(std::move(*reading.error).within(place));

  Model model;
  model.name = std::string(name);
  model.hidden = static_cast<int>(architecture.hidden);
  model.vocabulary = architecture.vocabulary;
  model.max_context = architecture.max_context;
  model.tied_embeddings = architecture.tied;
  model.residual_streams = architecture.residual_streams;
  const Json& names = outer_json->contains("architectures") ? *outer_json : inner_json;
  const auto stated = names.find("architectures");
  const bool stands = stated != names.end() && stated->is_array() && !stated->empty() && (*stated)[0].is_string();
  model.architecture = stands ? (*stated)[0].get<std::string>() : std::string((*family)->model_type);

  Assembly assembly(architecture, quantization);
  std::vector<Assembly::Tally> totals;
  const auto gather = [&](const std::vector<Assembly::Tally>& tallies, double times) {
    for (const Assembly::Tally& tally : tallies) {
      const auto found = std::ranges::find(totals, tally.storage, &Assembly::Tally::storage);
      if (found == totals.end()) totals.push_back({tally.storage, tally.parameters * times});
      else found->parameters += tally.parameters * times;
    }
  };
  std::unordered_map<std::string, int> kinds;
  std::vector<std::vector<Assembly::Tally>> tallies;
  const bool by_layer = quantization.by_layer();
  std::string prefix = "layers.0.";
  for (std::size_t i = 0; i < architecture.order.size(); ++i) {
    const int draft = architecture.order[i];
    std::string key = std::to_string(draft) + ":";
    if (by_layer) {
      prefix = "layers." + std::to_string(i) + ".";
      key += assembly.signature(architecture.drafts[static_cast<std::size_t>(draft)], prefix, static_cast<std::int64_t>(i));
    }
    const auto [found, added] = kinds.emplace(std::move(key), static_cast<int>(model.kinds.size()));
    if (added) {
      model.kinds.push_back(assembly.layer(architecture.drafts[static_cast<std::size_t>(draft)], prefix, static_cast<std::int64_t>(i)));
      tallies.push_back(assembly.take_tallies());
    }
    model.order.push_back(found->second);
  }
  std::vector<double> times(model.kinds.size(), 0);
  for (const int kind : model.order) times[static_cast<std::size_t>(kind)] += 1;
  for (std::size_t i = 0; i < tallies.size(); ++i) gather(tallies[i], times[i]);

  const bool continues = architecture.mtp_prefix == "layers.";
  for (std::size_t i = 0; i < architecture.mtp.size(); ++i) {
    const std::size_t number = continues ? architecture.order.size() + i : i;
    model.mtp.push_back(assembly.layer(architecture.mtp[i], fmt::format("{}{}.", architecture.mtp_prefix, number),
                                       continues ? static_cast<std::int64_t>(number) : -1));
  }
  assembly.take_tallies();

  const auto boundary = [&](std::string_view op, std::string_view module, Part part, Split split, Use use, bool linear) {
    Weight weight{.matrix = {.op = std::string(op), .part = part, .split = split, .shards_most = architecture.vocabulary, .use = use},
                  .module = module,
                  .linear = linear};
    weight.matrix.inputs = use == Use::lookup ? architecture.vocabulary : architecture.hidden;
    weight.matrix.outputs = use == Use::lookup ? architecture.hidden : architecture.vocabulary;
    weight.matrix.format = assembly.storage_of_weight(weight, "", -1).weights;
    return weight.matrix;
  };
  model.embedding = boundary("embedding", architecture.embedding_module, Part::embedding, Split::rows, Use::lookup, false);
  model.lm_head = boundary("lm_head", architecture.head_module, Part::lm_head, Split::columns, Use::last_tokens,
                           quantization.head_linear || architecture.head_linear);
  if (model.tied_embeddings) model.lm_head.format = model.embedding.format;
  for (const Weight& weight : architecture.other) {
    model.other.push_back(weight.matrix);
    model.other.back().format = quantization.rest.weights;
  }

  // The format that holds the most parameters speaks for the model.
  const auto largest = std::ranges::max_element(totals, {}, &Assembly::Tally::parameters);
  model.precision = {.weights = largest == totals.end() ? dtype : largest->storage.weights,
                     .kv = quantization.kv.value_or(dtype == Format::fp32 ? Format::bf16 : dtype),
                     .activations = largest == totals.end() ? dtype : largest->storage.activations};
  if (!quantization.kv && dtype == Format::fp32) reading.note("the KV cache of a model stored in fp32 is kept in bf16, as engines do");
  model.notes = std::move(reading.notes);
  return model;
}

}  // namespace fareline
