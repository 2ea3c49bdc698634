// SPDX-License-Identifier: Apache-2.0
// What the reader of model files refuses, notes and decides, and properties over random files.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "catalog/embedded.h"
#include "catalog/model.h"
#include "catalog/model_family.h"
#include "catalog/model_quantization.h"

namespace fareline {
namespace {

using Json = nlohmann::json;

Json small_llama() {
  return {{"model_type", "llama"},
          {"architectures", {"LlamaForCausalLM"}},
          {"hidden_size", 64},
          {"intermediate_size", 160},
          {"num_hidden_layers", 3},
          {"num_attention_heads", 8},
          {"num_key_value_heads", 2},
          {"vocab_size", 1000},
          {"max_position_embeddings", 512},
          {"tie_word_embeddings", false},
          {"torch_dtype", "bfloat16"},
          {"head_dim", 8}};
}

Json with(Json config, const std::string& field, Json value) {
  config[field] = std::move(value);
  return config;
}

Model read(const Json& config, std::string_view quantization = {}) {
  Expected<Model> model = read_model("test", config.dump(), quantization);
  EXPECT_TRUE(model) << (model ? "" : model.error().line());
  return model ? std::move(*model) : Model{};
}

std::string refusal_of(std::string_view text, std::string_view quantization = {}) {
  const Expected<Model> model = read_model("test", text, quantization);
  return model ? "" : model.error().line();
}
std::string refusal(const Json& config) { return refusal_of(config.dump()); }

// Format of the matrix `op` in layer `number`.
Format format_in(const Model& model, std::size_t number, std::string_view op) {
  for (const Matrix& matrix : model.kinds[static_cast<std::size_t>(model.order[number])].matrices)
    if (matrix.op == op && matrix.use != Use::elementwise) return matrix.format;
  ADD_FAILURE() << "no matrix " << op;
  return Format::fp64;
}

bool notes_hold(const Model& model, std::string_view text) {
  for (const std::string& note : model.notes)
    if (note.find(text) != std::string::npos) return true;
  return false;
}

// ── what is refused ──

struct Refused {
  const char *name, *text, *expected;
};

class BadFile : public testing::TestWithParam<Refused> {};

TEST_P(BadFile, IsRefusedInOneLineThatSaysWhatToDo) {
  const std::string line = refusal_of(std::string_view(GetParam().text));
  EXPECT_NE(line.find(GetParam().expected), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find("; "), std::string::npos) << "no remedy: " << line;
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, BadFile,
    testing::Values(Refused{"empty", "", "is empty"}, Refused{"not_json", "hello", "not JSON"},
                    Refused{"truncated", R"({"model_type": "llama", "hidden_size": 40)", "cut off"},
                    Refused{"list", "[1, 2]", "not a JSON object"}, Refused{"no_type", R"({"hidden_size": 64})", "model_type: is missing"},
                    Refused{"encoder", R"({"model_type": "bert", "hidden_size": 768})", "an encoder, not a language model"},
                    Refused{"images", R"({"model_type": "vit", "hidden_size": 768})", "a model of images, not a language model"},
                    Refused{"sound", R"({"model_type": "whisper", "is_encoder_decoder": true})", "not a language model"},
                    Refused{"pairs", R"({"model_type": "t5"})", "an encoder-decoder, not a language model"},
                    Refused{"diffusion", R"({"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.21"})", "a diffusion model"},
                    Refused{"misspelt", R"({"model_type": "qwen3_mo"})", "qwen3_moe"}),
    [](const auto& instance) { return instance.param.name; });

TEST(ModelReader, NamesTheFieldThatIsMissing) {
  for (const char* field : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"}) {
    Json config = small_llama();
    config.erase(field);
    EXPECT_NE(refusal(config).find(std::string(field) + ": is missing"), std::string::npos) << refusal(config);
  }
}

TEST(ModelReader, RefusesNumbersThatNoModelHas) {
  for (const char* field :
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size"})
    for (const Json& value : {Json(0), Json(-8), Json(3.5), Json("64"), Json(true), Json(1e300), Json(std::uint64_t{1} << 63),
                              Json(Json::array()), Json(Json::object())}) {
      const std::string line = refusal(with(small_llama(), field, value));
      EXPECT_NE(line.find(field), std::string::npos) << field << " = " << value << ": " << line;
    }
  EXPECT_NE(refusal(with(small_llama(), "num_hidden_layers", 10001)).find("10000"), std::string::npos);
  EXPECT_NE(refusal(with(small_llama(), "num_key_value_heads", 3)).find("not a multiple"), std::string::npos);
  Json config = small_llama();
  config.erase("head_dim");
  EXPECT_NE(refusal(with(config, "hidden_size", 65)).find("not a multiple"), std::string::npos);
  config = with(with(small_llama(), "hidden_size", 2147483647), "vocab_size", 2147483647);
  EXPECT_NE(refusal(config).find("parameters"), std::string::npos);
}

TEST(ModelReader, RefusesAFileOfAHundredMegabytesBeforeReadingIt) {
  const std::string huge(100'000'000, ' ');
  EXPECT_NE(refusal_of(huge).find("100 MB is too large"), std::string::npos);
  EXPECT_NE(refusal_of(small_llama().dump(), huge).find("hf_quant_config.json"), std::string::npos);
}

TEST(ModelReader, RefusesMoreActiveExpertsThanThereAre) {
  Json config = small_llama();
  config["model_type"] = "mixtral";
  config["num_local_experts"] = 4;
  config["num_experts_per_tok"] = 5;
  EXPECT_NE(refusal(config).find("5 of 4 experts"), std::string::npos);
}

TEST(ModelReader, RefusesAPartThatTheModelTypeHasNoPlaceFor) {
  EXPECT_NE(refusal(with(small_llama(), "num_experts", 64)).find("num_experts: changes the architecture"), std::string::npos);
  EXPECT_EQ(refusal(with(small_llama(), "num_experts", nullptr)), "");
  EXPECT_EQ(refusal(with(small_llama(), "some_training_flag", 64)), "");
}

TEST(ModelReader, SurvivesDeepNesting) {
  std::string deep = R"({"model_type": "llama", "hidden_size": )";
  for (int i = 0; i < 100000; ++i) deep += '[';
  EXPECT_NE(refusal_of(deep), "");
  for (int i = 0; i < 100000; ++i) deep += ']';
  EXPECT_NE(refusal_of(deep + "}").find("hidden_size"), std::string::npos);
}

TEST(ModelReader, ReadsTheInfinityThatPythonWrites) {
  std::string text = with(small_llama(), "note", "Infinity stays in \"text\"").dump();
  text.pop_back();
  EXPECT_TRUE(read_model("test", text + R"(, "time_step_limit": [0.0, Infinity, -Infinity, NaN]})"));
}

// ── what is assumed is said ──

TEST(ModelReader, NotesEveryDefaultWithItsSource) {
  Json config = small_llama();
  EXPECT_TRUE(read(config).notes.empty());
  for (const char* field : {"num_key_value_heads", "head_dim", "tie_word_embeddings"}) config.erase(field);
  const Model model = read(config);
  EXPECT_TRUE(notes_hold(model, "num_key_value_heads is not in the file: 8, the default of LlamaConfig"));
  EXPECT_TRUE(notes_hold(model, "head_dim is not in the file: hidden_size / num_attention_heads = 8"));
  EXPECT_TRUE(notes_hold(model, "tie_word_embeddings is not in the file: false"));
  EXPECT_EQ(model.kinds.front().attention.kv_heads, 8);
}

TEST(ModelReader, TakesMistralsWindowWhereTheFileIsSilentAndNoneWhereItSaysNull) {
  Json config = with(small_llama(), "model_type", "mistral");
  EXPECT_EQ(read(config).kinds.front().attention.window, 4096);
  EXPECT_TRUE(notes_hold(read(config), "sliding_window is not in the file: 4096"));
  EXPECT_EQ(read(with(config, "sliding_window", nullptr)).kinds.front().attention.kind, AttentionKind::full);
}

TEST(ModelFamilies, StateWhatTheyAreAndWhereTheirLayoutIsPublished) {
  for (const ModelFamily& family : model_families()) {
    EXPECT_FALSE(family.summary.empty() || family.source.empty() || family.defaults.empty()) << family.model_type;
    EXPECT_NE(family.build, nullptr) << family.model_type;
  }
}

// ── formats ──

TEST(Quantization, OfBlocksLeavesRouterNormsAndHeadInSixteenBits) {
  Json config = small_llama();
  config["model_type"] = "mixtral";
  config["num_local_experts"] = 4;
  config["num_experts_per_tok"] = 2;
  config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {128, 128}}, {"activation_scheme", "dynamic"}};
  const Model model = read(config);
  EXPECT_EQ(format_in(model, 0, "qkv"), Format::fp8_block);
  EXPECT_EQ(format_in(model, 0, "expert_down"), Format::fp8_block);
  EXPECT_EQ(format_in(model, 0, "router"), Format::bf16);
  EXPECT_EQ(model.lm_head.format, Format::bf16);
  EXPECT_EQ(model.precision.weights, Format::fp8_block);
  EXPECT_EQ(model.precision.activations, Format::fp8);
  EXPECT_EQ(model.precision.kv, Format::bf16);
}

TEST(Quantization, SparesTheLayersThatAListNames) {
  Json config = with(small_llama(), "quantization_config",
                     {{"quant_method", "modelopt"},
                      {"quant_algo", "NVFP4"},
                      {"ignore", {"lm_head", "model.layers.0*", "model.layers.2.self_attn.o_proj"}},
                      {"kv_cache_scheme", {{"num_bits", 8}, {"type", "float"}}}});
  const Model model = read(config);
  EXPECT_EQ(model.kinds.size(), 3u);
  EXPECT_EQ(format_in(model, 0, "qkv"), Format::bf16);
  EXPECT_EQ(format_in(model, 0, "down"), Format::bf16);
  EXPECT_EQ(format_in(model, 1, "qkv"), Format::nvfp4);
  EXPECT_EQ(format_in(model, 2, "o"), Format::bf16);
  EXPECT_EQ(format_in(model, 2, "qkv"), Format::nvfp4);
  EXPECT_EQ(model.precision.kv, Format::fp8);
}

TEST(Quantization, GivesEachPartTheFormatThatIsNamed) {
  const Json quantization{{"quantization",
                           {{"quant_algo", "MIXED_PRECISION"},
                            {"kv_cache_quant_algo", "FP8"},
                            {"quantized_layers",
                             {{"model.layers.1.mlp.down_proj", {{"quant_algo", "W4A16_NVFP4"}}},
                              {"model.layers.1.self_attn.o_proj", {{"quant_algo", "FP8"}}}}}}}};
  const Model model = read(small_llama(), quantization.dump());
  EXPECT_EQ(format_in(model, 1, "down"), Format::nvfp4);
  EXPECT_EQ(format_in(model, 1, "o"), Format::fp8);
  EXPECT_EQ(format_in(model, 1, "qkv"), Format::bf16);
  EXPECT_EQ(format_in(model, 0, "down"), Format::bf16);
}

TEST(Quantization, CountsFourBitIntegersWithTheScalesOfTheirGroups) {
  const auto scheme = [](int group) {
    return Json{{"quant_method", "compressed-tensors"},
                {"ignore", {"lm_head", "re:.*self_attn.*"}},
                {"config_groups",
                 {{"group_0", {{"targets", {"Linear"}}, {"weights", {{"num_bits", 4}, {"type", "int"}, {"group_size", group}}}}}}}};
  };
  EXPECT_EQ(format_in(read(with(small_llama(), "quantization_config", scheme(128))), 0, "down"), Format::int4);
  const Model model = read(with(small_llama(), "quantization_config", scheme(32)));
  EXPECT_EQ(format_in(model, 0, "down"), Format::int4_32);
  EXPECT_EQ(format_in(model, 0, "qkv"), Format::bf16);
  EXPECT_EQ(model.precision.activations, Format::bf16);
}

TEST(Quantization, RefusesWhatItDoesNotKnow) {
  EXPECT_NE(refusal(with(small_llama(), "quantization_config", {{"quant_method", "magic"}})).find("known: fp8"), std::string::npos);
  EXPECT_NE(refusal(with(small_llama(), "quantization_config", {{"quant_method", "gptq"}, {"bits", 3}})).find("3 bits"), std::string::npos);
  EXPECT_NE(refusal(with(small_llama(), "quantization_config", {{"quant_method", "compressed-tensors"}, {"ignore", {"re:(?=x)"}}}))
                .find("regular expression"),
            std::string::npos);
  EXPECT_NE(refusal_of(small_llama().dump(), R"({"quantization": {"quant_algo": "FP3"}})").find("\"FP3\" is not known"), std::string::npos);
}

TEST(Quantization, RefusesExpertsOfOneLayerInTwoFormats) {
  const std::string text = R"({"quantization": {"quant_algo": "MIXED_PRECISION", "quantized_layers": {
      "model.layers.0.mlp.experts.0.up_proj": {"quant_algo": "FP8"}, "model.layers.0.mlp.experts.1.up_proj": {"quant_algo": "NVFP4"}}}})";
  EXPECT_NE(refusal_of(small_llama().dump(), text).find("two formats"), std::string::npos);
}

TEST(Quantization, LooksAtEveryLayerOnlyWherePatternsTellLayersApart) {
  const auto by_layer = [](ModulePattern::Kind kind, std::string text) {
    Quantization quantization;
    quantization.anywhere.push_back({kind, std::move(text), std::nullopt});
    return quantization.by_layer();
  };
  EXPECT_FALSE(by_layer(ModulePattern::Kind::regular, R"(.*mlp\.(gate|up)_proj.*)"));
  EXPECT_TRUE(by_layer(ModulePattern::Kind::regular, R"(.*layers\.1.*)"));
  EXPECT_TRUE(by_layer(ModulePattern::Kind::regular, R"(layers\...\.mlp)"));
  EXPECT_TRUE(by_layer(ModulePattern::Kind::regular, R"(layers\.\d\.mlp)"));
  EXPECT_FALSE(by_layer(ModulePattern::Kind::wildcard, "layers.*.self_attn"));
  EXPECT_TRUE(by_layer(ModulePattern::Kind::wildcard, "layers.0*"));
  EXPECT_FALSE(by_layer(ModulePattern::Kind::plain, "lm_head"));
}

TEST(ModelReader, IgnoresANormOfALatentSpaceThatThereIsNot) {  // found by fuzzing
  Json config = small_llama();
  config.update({{"model_type", "kimi_linear"},
                 {"q_lora_rank", 32},
                 {"kv_lora_rank", 16},
                 {"qk_nope_head_dim", 8},
                 {"qk_rope_head_dim", 4},
                 {"v_head_dim", 8},
                 {"num_experts", 4},
                 {"num_experts_per_token", 2},
                 {"moe_intermediate_size", 32},
                 {"latent_moe_use_norm", true},
                 {"linear_attn_config",
                  {{"kda_layers", {1, 2}}, {"full_attn_layers", {3}}, {"num_heads", 4}, {"head_dim", 8}, {"short_conv_kernel_size", 4}}}});
  for (const Layer& layer : read(config).kinds)
    for (const Matrix& matrix : layer.matrices) EXPECT_GT(matrix.parameters(), 0) << matrix.op;
}

TEST(Wildcards, SpanDotsAndEndAtADot) {
  EXPECT_TRUE(matches_wildcard("layers.*.self_attn", "layers.3.self_attn.q_proj"));
  EXPECT_TRUE(matches_wildcard("layers.0*", "layers.0.mlp.down_proj"));
  EXPECT_FALSE(matches_wildcard("layers.1.*", "layers.10.mlp"));
  EXPECT_FALSE(matches_wildcard("layers.*.mlp.gate", "layers.1.mlp.gate_proj"));
  EXPECT_TRUE(matches_wildcard("*.attn.*", "layers.1.attn.wq_b"));
}

TEST(RegularExpressions, MatchAsPythonsDo) {
  EXPECT_EQ(matches_regular(R"(.*mlp\.(gate|up|gate_up|down)_proj.*)", "layers.0.mlp.gate_proj"), true);
  EXPECT_EQ(matches_regular(R"(.*mlp\.(gate|up|gate_up|down)_proj.*)", "layers.1.mlp.experts.0.gate_proj"), false);
  EXPECT_EQ(matches_regular("a+b?[c-e]*$", "aacde"), true);
  EXPECT_EQ(matches_regular("a+b?[c-e]*$", "aabx"), false);
  EXPECT_EQ(matches_regular(R"(layers\.\d+\.(?:mlp)?)", "layers.12.mlp"), true);
  EXPECT_EQ(matches_regular("(a*)*b", "aaaa"), std::nullopt);
  EXPECT_EQ(matches_regular("(", "a"), std::nullopt);
  EXPECT_EQ(matches_regular(".*.*.*.*.*.*.*.*.*.*x", std::string(200, 'a')), std::nullopt) << "gives up instead of taking for ever";
}

// ── properties ──

RC_GTEST_PROP(RandomLlama, CountsWhatASlowRecountOfItsTensorsCounts, ()) {
  const int layers = *rc::gen::inRange(1, 12), kv_heads = *rc::gen::inRange(1, 9), group = *rc::gen::inRange(1, 9);
  const int dim = *rc::gen::inRange(1, 130), hidden = *rc::gen::inRange(1, 3000), width = *rc::gen::inRange(1, 9000);
  const int vocabulary = *rc::gen::inRange(1, 200000);
  const bool tied = *rc::gen::arbitrary<bool>(), bias = *rc::gen::arbitrary<bool>(), mlp_bias = *rc::gen::arbitrary<bool>();
  const int heads = kv_heads * group;
  Json config = small_llama();
  config.update({{"hidden_size", hidden},
                 {"intermediate_size", width},
                 {"num_hidden_layers", layers},
                 {"num_attention_heads", heads},
                 {"num_key_value_heads", kv_heads},
                 {"head_dim", dim},
                 {"vocab_size", vocabulary},
                 {"tie_word_embeddings", tied},
                 {"attention_bias", bias},
                 {"mlp_bias", mlp_bias}});
  // Every tensor of a Llama checkpoint by its shape, one layer at a time.
  std::int64_t total = std::int64_t{vocabulary} * hidden * (tied ? 1 : 2) + hidden;
  for (int i = 0; i < layers; ++i) {
    for (const std::int64_t outputs : {heads * dim, kv_heads * dim, kv_heads * dim}) total += outputs * hidden + (bias ? outputs : 0);
    total += std::int64_t{hidden} * heads * dim + (bias ? hidden : 0);
    for (int k = 0; k < 2; ++k) total += std::int64_t{width} * hidden + (mlp_bias ? width : 0);
    total += std::int64_t{hidden} * width + (mlp_bias ? hidden : 0);
    total += 2 * hidden;
  }
  const auto model = read_model("random", config.dump());
  RC_ASSERT(model.has_value());
  RC_ASSERT(count_parameters(*model).total == total);
  RC_ASSERT(count_parameters(*model).active == total);
  RC_ASSERT(kv_bytes_per_token(*model, 2 * unit::B).in(unit::B) == 4.0 * layers * kv_heads * dim);
}

std::vector<Json> catalogue_documents() {
  std::vector<Json> documents;
  for (const EmbeddedFile& file : embedded_files())
    if (file.path.starts_with("models/")) documents.push_back(Json::parse(file.text));
  return documents;
}

RC_GTEST_PROP(AnyLayer, KeepsMoreForALongerContextAndNoMoreThanItsWindow, ()) {
  static const std::vector<Json> documents = catalogue_documents();
  const Json& document = documents[*rc::gen::inRange<std::size_t>(0, documents.size())];
  const double context = *rc::gen::inRange(1, 2000000), longer = context + *rc::gen::inRange(1, 1000);
  const auto model = read_model("any", document["config"].dump());
  RC_ASSERT(model.has_value());
  for (const Layer& layer : model->kinds) {
    RC_ASSERT(kept_elements(layer.attention, longer) >= kept_elements(layer.attention, context));
    RC_ASSERT(index_elements(layer.attention, longer) >= index_elements(layer.attention, context));
    if (layer.attention.kind == AttentionKind::sliding || layer.attention.kind == AttentionKind::chunked)
      RC_ASSERT(kept_elements(layer.attention, longer) <= kept_elements(layer.attention, layer.attention.window));
  }
}

// Replaces one value somewhere in a document by something hostile, or drops it.
void mutate(Json& json) {
  Json* place = &json;
  while (place->is_structured() && !place->empty() && *rc::gen::inRange(0, 5) != 0) {
    const std::size_t index = *rc::gen::inRange<std::size_t>(0, place->size());
    auto at = place->begin();
    std::advance(at, static_cast<std::ptrdiff_t>(index));
    if (*rc::gen::inRange(0, 8) == 0) {
      place->erase(at);
      return;
    }
    place = &*at;
  }
  *place = *rc::gen::element<Json>(nullptr, 0, -1, 1, 3, 1e18, 0.5, 2147483647, 2147483648, 10000, 65536, "", "shared", "*", true, false,
                                   Json::array(), Json::object(), Json::array({1, 1, 1}), "full_attention", 4503599627370496);
}

RC_GTEST_PROP(MutatedFiles, AreReadOrRefusedInOneLine, ()) {
  static const std::vector<Json> documents = catalogue_documents();
  Json document = documents[*rc::gen::inRange<std::size_t>(0, documents.size())];
  const int times = *rc::gen::inRange(1, 4);
  for (int i = 0; i < times; ++i)
    mutate(*rc::gen::inRange(0, 3) == 0 && document.contains("hf_quant_config") ? document["hf_quant_config"] : document["config"]);
  const auto model =
      read_model("mutated", document["config"].dump(), document.contains("hf_quant_config") ? document["hf_quant_config"].dump() : "");
  if (!model) {
    RC_ASSERT(model.error().line().find('\n') == std::string::npos);
    RC_ASSERT(!model.error().remedy.empty());
    return;
  }
  const ParameterCount count = count_parameters(*model);
  RC_ASSERT(count.total > 0);
  RC_ASSERT(count.active <= count.total);
  for (const Layer& layer : model->kinds)
    for (const Matrix& matrix : layer.matrices) RC_ASSERT(matrix.parameters() > 0 && matrix.shards_most > 0);
}

TEST(ModelReader, ReadsTheSameModelFromTheSameFile) {
  for (const Json& document : catalogue_documents()) {
    const std::string text = document["config"].dump();
    const auto first = read_model("same", text), second = read_model("same", text);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->notes, second->notes);
    EXPECT_EQ(first->order, second->order);
    EXPECT_EQ(count_parameters(*first).total, count_parameters(*second).total);
  }
}

}  // namespace
}  // namespace fareline
