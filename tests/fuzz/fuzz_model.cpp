// SPDX-License-Identifier: Apache-2.0
// Any bytes as a config.json, or as a file of data/models with a config and an hf_quant_config: a model whose counts are
// finite and positive, or an error of one short line.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "catalog/model.h"

using namespace fareline;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string config(reinterpret_cast<const char*>(data), size), quantization;
  const auto replace = nlohmann::json::error_handler_t::replace;
  if (const auto document = nlohmann::json::parse(config, nullptr, false); document.is_object() && document.contains("config")) {
    config = document["config"].dump(-1, ' ', false, replace);
    if (document.contains("hf_quant_config")) quantization = document["hf_quant_config"].dump(-1, ' ', false, replace);
  }
  const Expected<Model> model = read_model("fuzzed", config, quantization);
  if (!model) {
    const std::string line = model.error().line();
    require(!model.error().what.empty() && !model.error().remedy.empty());
    require(line.size() < 2000);
    for (const char c : line) require(c != '\n');
    return 0;
  }
  require(model->layers() > 0 && model->layers() <= 10000 && !model->kinds.empty());
  const ParameterCount count = count_parameters(*model);
  require(count.total > 0 && count.active > 0 && count.active <= count.total);
  std::int64_t sum = 0;
  for (int part = 0; part < part_count; ++part) {
    require(count.total_by_part[part] >= 0 && count.active_by_part[part] <= count.total_by_part[part]);
    sum += count.total_by_part[part];
  }
  require(sum == count.total);
  for (const int kind : model->order) require(kind >= 0 && static_cast<std::size_t>(kind) < model->kinds.size());
  for (const Layer& layer : model->kinds) {
    double before = 0;
    for (const double context : {0.0, 1.0, 127.0, 4096.0, 1e6}) {
      const double elements = kept_elements(layer.attention, context);
      require(std::isfinite(elements) && elements >= before);
      require(std::isfinite(index_elements(layer.attention, context)));
      before = elements;
    }
    require(state_elements(layer.attention) >= 0);
    for (const Matrix& matrix : layer.matrices)
      require(matrix.inputs > 0 && matrix.outputs > 0 && matrix.copies > 0 && matrix.shards_most > 0);
  }
  return 0;
}
