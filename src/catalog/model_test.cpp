// SPDX-License-Identifier: Apache-2.0
// Counts and kept bytes of published models against what their publishers and others state.
#include "catalog/model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "catalog/catalog.h"
#include "catalog/embedded.h"
#include "tests/place.h"

namespace fareline {
namespace {

using Json = nlohmann::json;

Model catalogued(std::string_view name) {
  Expected<Model> model = Catalogue::built_in().model(name);
  EXPECT_TRUE(model) << name << ": " << (model ? "" : model.error().line());
  return model ? std::move(*model) : Model{};
}

// KV bytes of one token in 16 bits with every layer at full length, as published tables count them: windows are not capped.
double kv_bytes(const Model& model) { return kv_bytes_per_token(model, 2 * unit::B).in(unit::B); }

// ── exact counts ──

struct Counted {
  const char* name;
  std::int64_t total;
  const char* source;
};

// The number of parameters that the checkpoint's safetensors header sums to, as the model's page on huggingface.co shows it.
constexpr Counted counted[] = {
    {"meta-llama/Llama-2-7b-hf", 6738415616, "huggingface.co, safetensors of meta-llama/Llama-2-7b-hf"},
    {"meta-llama/Llama-2-13b-hf", 13015864320, "huggingface.co, safetensors of meta-llama/Llama-2-13b-hf"},
    {"meta-llama/Llama-2-70b-hf", 68976648192, "huggingface.co, safetensors of meta-llama/Llama-2-70b-hf"},
    {"meta-llama/Llama-3.1-8B", 8030261248, "huggingface.co, safetensors of meta-llama/Llama-3.1-8B"},
    {"meta-llama/Llama-3.1-70B", 70553706496, "huggingface.co, safetensors of meta-llama/Llama-3.1-70B"},
    {"meta-llama/Llama-3.1-405B", 405853388800, "huggingface.co, safetensors of meta-llama/Llama-3.1-405B"},
    {"mistralai/Mistral-7B-v0.1", 7241732096, "huggingface.co, safetensors of mistralai/Mistral-7B-v0.1"},
    {"mistralai/Mistral-7B-v0.3", 7248023552, "huggingface.co, safetensors of mistralai/Mistral-7B-v0.3"},
    {"mistralai/Mixtral-8x7B-v0.1", 46702792704, "huggingface.co, safetensors of mistralai/Mixtral-8x7B-v0.1"},
    {"Qwen/Qwen2.5-7B-Instruct", 7615616512, "huggingface.co, safetensors of Qwen/Qwen2.5-7B-Instruct (biases of Q, K and V included)"},
    {"Qwen/Qwen2.5-72B-Instruct", 72706203648, "huggingface.co, safetensors of Qwen/Qwen2.5-72B-Instruct"},
    {"Qwen/Qwen3-8B", 8190735360, "huggingface.co, safetensors of Qwen/Qwen3-8B"},
    {"Qwen/Qwen3-32B", 32762123264, "huggingface.co, safetensors of Qwen/Qwen3-32B"},
    {"Qwen/Qwen3-30B-A3B", 30532122624, "huggingface.co, safetensors of Qwen/Qwen3-30B-A3B"},
    {"Qwen/Qwen3-235B-A22B", 235093634560, "huggingface.co, safetensors of Qwen/Qwen3-235B-A22B"},
    {"google/gemma-2-2b", 2614341888, "huggingface.co, safetensors of google/gemma-2-2b (embeddings once)"},
    {"google/gemma-2-9b", 9241705984, "huggingface.co, safetensors of google/gemma-2-9b (embeddings once)"},
    {"google/gemma-2-27b", 27227128320, "huggingface.co, safetensors of google/gemma-2-27b (embeddings once)"},
    {"google/gemma-3-1b-it", 999885952, "huggingface.co, safetensors of google/gemma-3-1b-it (embeddings once)"},
    {"microsoft/phi-4", 14659507200, "huggingface.co, safetensors of microsoft/phi-4"},
    {"microsoft/Phi-3-medium-4k-instruct", 13960238080, "huggingface.co, safetensors of microsoft/Phi-3-medium-4k-instruct"},
    {"openai-community/gpt2", 124439808, "huggingface/transformers, parameters of GPT2LMHeadModel gpt2"},
    {"openai-community/gpt2-medium", 354823168, "huggingface/transformers, parameters of GPT2LMHeadModel gpt2-medium"},
    {"openai-community/gpt2-xl", 1557611200, "huggingface/transformers, parameters of GPT2LMHeadModel gpt2-xl"},
    {"bigscience/bloom", 176247271424, "bigscience/bloom model card"},
};

class CountOfParameters : public testing::TestWithParam<Counted> {};

TEST_P(CountOfParameters, EqualsThePublishedCountToTheLastDigit) {
  EXPECT_EQ(count_parameters(catalogued(GetParam().name)).total, GetParam().total) << GetParam().source;
}

INSTANTIATE_TEST_SUITE_P(Models, CountOfParameters, testing::ValuesIn(counted), [](const auto& instance) {
  std::string text = instance.param.name;
  std::ranges::replace_if(text, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return text;
});

// gpt-oss model card (arXiv 2508.10925), Table 1: 116.83 billion in all, 114.71 in the MLPs, 0.96 in attention, 1.16 in
// embedding and unembedding, 5.13 active with the unembedding and without the embedding.
TEST(GptOss120b, CountsByPartAsItsModelCardDoes) {
  const Model model = catalogued("gpt-oss-120b");
  const ParameterCount count = count_parameters(model);
  const auto billions = [&](std::initializer_list<Part> parts) {
    double sum = 0;
    for (const Part part : parts) sum += static_cast<double>(count.total_by_part[static_cast<std::size_t>(part)]) / 1e9;
    return sum;
  };
  EXPECT_NEAR(static_cast<double>(count.total) / 1e9, 116.83, 0.005);
  EXPECT_NEAR(billions({Part::experts, Part::router}), 114.71, 0.01);
  EXPECT_NEAR(billions({Part::attention}), 0.96, 0.005);
  EXPECT_NEAR(billions({Part::embedding, Part::lm_head}), 1.16, 0.005);
  EXPECT_NEAR(static_cast<double>(count.active - model.embedding.parameters()) / 1e9, 5.13, 0.005);
}

// DeepSeek-V3 report (arXiv 2412.19437), abstract: 671B in all, 37B activated. huggingface.co, safetensors of
// deepseek-ai/DeepSeek-V3: 684.49B with the prediction module, which carries its own copies of embedding and head.
TEST(DeepSeekV3, KeepsItsPredictionModuleApartFromItsCount) {
  const Model model = catalogued("deepseek-ai/DeepSeek-V3");
  const ParameterCount count = count_parameters(model);
  EXPECT_NEAR(static_cast<double>(count.total) / 1e9, 671.03, 0.005);
  EXPECT_NEAR(static_cast<double>(count.active - model.embedding.parameters()) / 1e9, 37, 0.5);
  ASSERT_EQ(model.mtp.size(), 1u);
  std::int64_t module = model.embedding.parameters() + model.lm_head.parameters();
  for (const Matrix& matrix : model.mtp.front().matrices) module += matrix.parameters();
  EXPECT_NEAR(static_cast<double>(count.total + module) / 1e9, 684.49, 0.005);
}

// huggingface.co shows 753B for the checkpoint of GLM-5.2, prediction module included; only a quarter of the layers has an indexer.
TEST(Glm52, SharesTheIndexerOfEveryFourthLayer) {
  const Model model = catalogued("zai-org/GLM-5.2");
  int own = 0;
  for (const int kind : model.order) own += index_elements(model.kinds[static_cast<std::size_t>(kind)].attention, 1) > 0;
  EXPECT_EQ(own, 21);  // the 21 layers that indexer_types calls "full"
  std::int64_t all = count_parameters(model).total;
  for (const Matrix& matrix : model.mtp.front().matrices) all += matrix.parameters();
  EXPECT_NEAR(static_cast<double>(all) / 1e9, 753, 1);
}

// ── kept bytes ──

struct Kept {
  const char* name;
  double bytes;  // of one token, windows not yet full, in 2-byte elements
  const char* reason;
};

constexpr Kept kept[] = {
    {"meta-llama/Llama-3.1-70B", 80 * 2 * 8 * 128 * 2, "80 layers x (K, V) x 8 heads x 128"},
    {"meta-llama/Llama-2-7b-hf", 32 * 2 * 32 * 128 * 2, "32 layers x (K, V) x 32 heads x 128"},
    {"deepseek-ai/DeepSeek-V3", 61 * (512 + 64) * 2, "61 layers x (latent 512 + rotary 64)"},
    {"openai/gpt-oss-120b", 36 * 2 * 8 * 64 * 2, "36 layers x (K, V) x 8 heads x 64; every other has a window of 128"},
    {"google/gemma-3-27b-it", 62 * 2 * 16 * 128 * 2, "62 layers x (K, V) x 16 heads x 128; 52 have a window"},
    {"Qwen/Qwen3-Next-80B-A3B", 12 * 2 * 2 * 256 * 2, "12 of 48 layers attend; the rest keep a state"},
    {"moonshotai/Kimi-K3", 24 * (512 + 64) * 2, "24 of 93 layers keep a latent"},
    {"nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", 6 * 2 * 2 * 128 * 2, "6 of 52 layers attend"},
    {"ai21labs/AI21-Jamba-1.5-Mini", 4 * 2 * 8 * 128 * 2, "4 of 32 layers attend"},
    {"meta-llama/Llama-4-Scout-17B-16E-Instruct", 48 * 2 * 8 * 128 * 2, "48 layers x (K, V) x 8 heads x 128; 36 are chunked"},
    {"google/gemma-4-26B-A4B", 25 * 2 * 8 * 256 * 2 + 5 * 2 * 512 * 2,
     "25 windowed layers x (K, V) x 8 heads x 256, and 5 full ones whose one vector of 2 x 512 is key and value"},
    {"mistralai/Mistral-7B-v0.1", 32 * 2 * 8 * 128 * 2, "32 layers x (K, V) x 8 heads x 128, all with a window of 4096"},
    {"deepseek-ai/DeepSeek-V4-Flash", (43 + 21 / 4.0 + 20 / 128.0) * 512 * 2,
     "43 windows, and pooled entries: compress_ratios has 21 of 4, 20 of 128, 2 of 0"},
};

class KeptBytes : public testing::TestWithParam<Kept> {};

TEST_P(KeptBytes, OfOneTokenAreCountedAsModelCardsDo) {
  EXPECT_DOUBLE_EQ(kv_bytes_per_token(catalogued(GetParam().name), 2 * unit::B).in(unit::B), GetParam().bytes) << GetParam().reason;
}

INSTANTIATE_TEST_SUITE_P(Models, KeptBytes, testing::ValuesIn(kept), [](const auto& instance) {
  std::string text = instance.param.name;
  std::ranges::replace_if(text, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return text;
});

TEST(KeptElements, StopAtTheWindow) {
  const Model model = catalogued("mistralai/Mistral-7B-v0.1");
  const Attention& attention = model.kinds.front().attention;
  EXPECT_EQ(kept_elements(attention, 4096), 2 * 8 * 128 * 4096);
  EXPECT_EQ(kept_elements(attention, 1e6), kept_elements(attention, 4096));
  EXPECT_EQ(kept_elements(attention, 0), 0);
}

TEST(KeptElements, OfACompressedLayerAreItsWindowAndItsPooledEntries) {
  const Model model = catalogued("deepseek-ai/DeepSeek-V4-Pro");
  const Attention& attention = model.kinds[static_cast<std::size_t>(model.order.front())].attention;
  ASSERT_EQ(attention.compress, 128);
  EXPECT_EQ(kept_elements(attention, 128000), 512 * (128 + 128000 / 128));
}

TEST(KeptElements, OfTheIndexerAreOneKeyAToken) {
  const Model model = catalogued("deepseek-ai/DeepSeek-V3.2");
  EXPECT_EQ(index_elements(model.kinds.front().attention, 1000), 1000 * 128);
  EXPECT_EQ(index_elements(catalogued("deepseek-ai/DeepSeek-V3").kinds.front().attention, 1000), 0);
}

TEST(StateElements, OfMamba2AreHeadsTimesHeadTimesStateAndTheConvolutionWindow) {
  const Model model = catalogued("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16");
  // 64 heads of 64 x 128; channels: 64 x 64 + 2 x 8 groups x 128, of which three of four taps are earlier tokens.
  EXPECT_EQ(state_elements(model.kinds.front().attention), 64 * 64 * 128 + (64 * 64 + 2 * 8 * 128) * 3);
  EXPECT_EQ(state_elements(catalogued("meta-llama/Llama-3.1-8B").kinds.front().attention), 0);
}

// ── the catalogue ──

// Published active counts follow three customs: all of a token's parameters, without the rows of the embedding, or without
// embedding and LM head. One of them must give the published figure when rounded as it is.
bool active_agrees(const Model& model, const ParameterCount& count) {
  const double published = static_cast<double>(model.published.active);
  const double last_digit = std::fmod(published, 1e9) == 0 ? 1e9 : 1e8;
  const double embedding = static_cast<double>(model.embedding.parameters()), head = static_cast<double>(model.lm_head.parameters());
  const double active = static_cast<double>(count.active);
  for (const double counted_as : {active, active - embedding, active - embedding - head})
    if (std::abs(counted_as - published) <= 0.5 * last_digit + 1e6 || std::abs(counted_as / published - 1) < 0.01) return true;
  return false;
}

TEST(Catalogue, CountsEveryModelWithinAHundredthOfWhatItsPublisherCounts) {
  // Where the published figure is not of the same thing.
  const std::map<std::string, std::string> active_exceptions{
      {"MiniMaxAI/MiniMax-M3", "23B leaves out embeddings and indexer: 25.96 - 2.46 - 0.22"},
      {"nvidia/MiniMax-M3-NVFP4", "as MiniMax-M3"},
      {"deepseek-ai/DeepSeek-V2-Lite", "2.45 without the embedding, printed as 2.4"},
  };
  int exact = 0;
  for (const std::string& name : Catalogue::built_in().model_names()) {
    const Model model = catalogued(name);
    const ParameterCount count = count_parameters(model);
    ASSERT_GT(model.published.total, 0) << name;
    const double ratio = static_cast<double>(count.total) / static_cast<double>(model.published.total);
    if (!model.published.nominal) {
      EXPECT_NEAR(ratio, 1, 0.01) << name << ": " << count.total;
      EXPECT_EQ(active_agrees(model, count), !active_exceptions.contains(name)) << name << ": " << count.active;
      ++exact;
    } else {
      EXPECT_NEAR(ratio, 1, 0.31) << name << ": " << count.total;  // "7B" names 7.6 billion, "0.6B" and "2B" less
    }
  }
  EXPECT_GE(exact, 50);
}

TEST(Catalogue, StatesTheSourceOfEveryModel) {
  for (const std::string& name : Catalogue::built_in().model_names()) {
    const Model model = catalogued(name);
    EXPECT_FALSE(model.source.empty()) << name;
    EXPECT_FALSE(model.published.source.empty()) << name;
  }
}

TEST(Catalogue, FindsAModelByTheNameItWasPublishedUnderBefore) {
  EXPECT_EQ(catalogued("meta-llama/Meta-Llama-3.1-70B").name, "meta-llama/Llama-3.1-70B");
  EXPECT_EQ(catalogued("Meta-Llama-3.1-70B").name, "meta-llama/Llama-3.1-70B");
}

// ── the published files themselves ──

std::vector<std::filesystem::path> published_configs() {
  std::vector<std::filesystem::path> files;
  const auto shared = test::shared_folder();
  if (!shared || !std::filesystem::is_directory(*shared / "data" / "configs")) return files;
  for (const auto& entry : std::filesystem::directory_iterator(*shared / "data" / "configs"))
    if (entry.path().string().ends_with(".json") && !entry.path().string().ends_with(".hf_quant.json")) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

Expected<Model> read_published(const std::filesystem::path& file) {
  std::filesystem::path quantization = file;
  quantization.replace_extension(".hf_quant.json");
  return read_model(file.filename().string(), test::file_text(file), test::file_text(quantization));
}

TEST(PublishedConfigs, AllLoad) {
  const auto files = published_configs();
  if (files.empty()) GTEST_SKIP() << "the published configurations are not beside this checkout";
  EXPECT_GE(files.size(), 140u);
  for (const auto& file : files) {
    const Expected<Model> model = read_published(file);
    ASSERT_TRUE(model) << model.error().line();
    EXPECT_GT(count_parameters(*model).total, 0);
    EXPECT_EQ(model->order.size(), static_cast<std::size_t>(model->layers()));
    for (const Layer& layer : model->kinds)
      for (const Matrix& matrix : layer.matrices) {
        EXPECT_GT(matrix.parameters(), 0) << file << ": " << matrix.op;
        EXPECT_FALSE(matrix.op.empty());
        EXPECT_LE(matrix.shards_most, std::max(matrix.inputs, matrix.outputs) * matrix.copies) << file << ": " << matrix.op;
      }
  }
}

// The catalogue's file states the same model as the published one: counts, kept bytes and the format of every matrix.
TEST(PublishedConfigs, AreCarriedByTheCatalogueWithoutLoss) {
  const auto files = published_configs();
  if (files.empty()) GTEST_SKIP() << "the published configurations are not beside this checkout";
  int compared = 0;
  for (const auto& file : files) {
    std::string name = file.stem().string();
    if (name.starts_with("nonhf-")) continue;
    name.replace(name.find("__"), 2, "/");
    const Expected<Model> model = read_published(file);
    ASSERT_TRUE(model) << model.error().line();
    const Model carried = catalogued(name);
    ASSERT_EQ(carried.order, model->order) << name;
    ASSERT_EQ(carried.kinds.size(), model->kinds.size()) << name;
    for (std::size_t i = 0; i < carried.kinds.size(); ++i) {
      ASSERT_EQ(carried.kinds[i].matrices.size(), model->kinds[i].matrices.size()) << name;
      for (std::size_t k = 0; k < carried.kinds[i].matrices.size(); ++k) {
        EXPECT_EQ(carried.kinds[i].matrices[k].format, model->kinds[i].matrices[k].format)
            << name << " " << carried.kinds[i].matrices[k].op;
        EXPECT_EQ(carried.kinds[i].matrices[k].parameters(), model->kinds[i].matrices[k].parameters()) << name;
      }
    }
    EXPECT_EQ(carried.precision.kv, model->precision.kv) << name;
    EXPECT_EQ(carried.precision.activations, model->precision.activations) << name;
    EXPECT_EQ(carried.mtp.size(), model->mtp.size()) << name;
    EXPECT_EQ(carried.max_context, model->max_context) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 122);
}

// The rows of a CSV file by column name. Quotes hold commas.
std::vector<std::map<std::string, std::string>> read_csv(const std::string& text) {
  std::vector<std::map<std::string, std::string>> rows;
  std::vector<std::string> header;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      else if (c == ',' && !quoted) cells.emplace_back();
      else if (c != '\r') cells.back() += c;
    }
    if (header.empty()) {
      header = cells;
      continue;
    }
    std::map<std::string, std::string>& row = rows.emplace_back();
    for (std::size_t i = 0; i < header.size() && i < cells.size(); ++i) row[header[i]] = cells[i];
  }
  return rows;
}

TEST(PublishedConfigs, CountAsTheIndexOfConfigurationsComputed) {
  const auto shared = test::shared_folder();
  if (!shared) GTEST_SKIP() << "the index of configurations is not beside this checkout";
  const std::filesystem::path index = *shared / "data" / "dev" / "model_configs_index.csv.gz";
  if (!std::filesystem::exists(index)) GTEST_SKIP() << "the index of configurations is not beside this checkout";
  std::string text;
  FILE* pipe = popen(("gzip -dc '" + index.string() + "'").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  char buffer[65536];
  for (std::size_t size; (size = fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, size);
  ASSERT_EQ(pclose(pipe), 0);

  // The index was computed by one generic counter; where a model departs from it, the reason.
  struct Exception {
    const char *file, *reason;
    bool total, active, kv;
  };
  constexpr Exception exceptions[]{
      {"XiaomiMiMo__MiMo-V2-Flash.json",
       "the counter takes V heads of 192 (v_head_dim is 128) and 4 KV heads on window layers (swa_num_key_value_heads is 8)", true, true,
       true},
      {"google__gemma-4-26B-A4B.json",
       "the counter knows neither top_k_experts, nor the full layers' heads of 512 without V, nor shared key-values: published 25.2B, "
       "3.8B, 210 KiB",
       true, true, true},
      {"nvidia__Gemma-4-31B-IT-NVFP4.json", "as Gemma 4 26B: published 30.7B and 840 KiB", true, true, true},
      {"tiiuae__falcon-180B.json", "the counter unties the embeddings; FalconConfig ties them where the file is silent", true, true, false},
      {"zai-org__GLM-5.2.json", "the counter gives every layer an indexer; indexer_types gives 21 of 78 one", false, true, false},
      {"zai-org__GLM-5.2-FP8.json", "as GLM-5.2", false, true, false},
      {"nvidia__GLM-5.2-NVFP4.json", "as GLM-5.2", false, true, false},
  };
  int totals = 0, kv = 0;
  for (auto& row : read_csv(text)) {
    if (row["calc_total_B"].empty()) continue;
    const std::filesystem::path file = *shared / "data" / "configs" / row["file"];
    const Expected<Model> model = read_published(file);
    ASSERT_TRUE(model) << model.error().line();
    const ParameterCount count = count_parameters(*model);
    const auto found = std::ranges::find(exceptions, row["file"], &Exception::file);
    const bool excepted = found != std::end(exceptions);
    // The counter leaves out norms and biases and rounds to a million: a thousandth covers it.
    const auto near = [&](std::int64_t ours, const std::string& theirs) {
      const double counted_there = std::stod(theirs) * 1e9;
      return std::abs(static_cast<double>(ours) - counted_there) < std::max(0.002 * counted_there, 0.6e6);
    };
    EXPECT_EQ(near(count.total, row["calc_total_B"]), !(excepted && found->total)) << row["file"] << ": " << count.total;
    EXPECT_EQ(near(count.active, row["calc_active_B"]), !(excepted && found->active)) << row["file"] << ": " << count.active;
    EXPECT_EQ(kv_bytes(*model) == std::stod(row["calc_kv_bytes_per_token_16bit"]), !(excepted && found->kv))
        << row["file"] << ": " << kv_bytes(*model);
    ++totals;
    // The gallery prints KiB to a tenth; MiMo's figure is of the generic counter's heads, not of its own.
    if (!row["published_kv_KiB_per_token_bf16"].empty() && row["file"] != "XiaomiMiMo__MiMo-V2-Flash.json") {
      EXPECT_NEAR(kv_bytes(*model) / 1024, std::stod(row["published_kv_KiB_per_token_bf16"]), 0.051) << row["file"];
      ++kv;
    }
  }
  EXPECT_GE(totals, 85);
  EXPECT_GE(kv, 30);
}

}  // namespace
}  // namespace fareline
