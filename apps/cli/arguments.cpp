// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"

#include <filesystem>

#include <nlohmann/json.hpp>

#include "api/question.h"
#include "files.h"

namespace fareline::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t config_bytes = 16'000'000;

}  // namespace

Expected<Json> model_argument(const std::string& text) {
  namespace fs = std::filesystem;
  std::error_code code;
  fs::path path = text;
  const bool looks_like_path = text.ends_with(".json") || text.starts_with(".") || text.starts_with("/");
  if (!looks_like_path && !fs::exists(path, code)) return Json(text);
  if (fs::is_directory(path, code)) path /= "config.json";
  const auto config = read_file(path.string(), config_bytes);
  if (!config) return std::unexpected(config.error());
  auto parsed = read_document(path.string(), *config);
  if (!parsed) return std::unexpected(parsed.error());
  Json model{{"name", text}, {"config", std::move(*parsed)}};
  const fs::path quantization = path.parent_path() / "hf_quant_config.json";
  if (path.filename() == "config.json" && fs::exists(quantization, code)) {
    const auto quant = read_file(quantization.string(), config_bytes);
    if (!quant) return std::unexpected(quant.error());
    auto parsed_quant = read_document(quantization.string(), *quant);
    if (!parsed_quant) return std::unexpected(parsed_quant.error());
    model["hf_quant_config"] = std::move(*parsed_quant);
  }
  return model;
}

Expected<Json> document_argument(const std::string& text) {
  std::error_code code;
  if (text.ends_with(".csv") || text.ends_with(".csv.gz")) return read_rows(text);
  if (!text.ends_with(".json") && !std::filesystem::is_regular_file(text, code)) return Json(text);
  const auto document = read_file(text, config_bytes);
  if (!document) return std::unexpected(document.error());
  return read_document(text, *document);
}

}  // namespace fareline::cli
