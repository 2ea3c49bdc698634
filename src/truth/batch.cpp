// SPDX-License-Identifier: Apache-2.0
#include "truth/batch.h"

#include <algorithm>
#include <cmath>

#include "perf/compiled_plan.h"

namespace fareline {
namespace {

// Equation: peaks by threads over cores; bandwidth = sqrt(min(stated, threads core_bandwidth) probed).
// Source: llama_cpu, whose probes drift threefold: its steps follow the square root of their probes (fitted powers 0.1 to 0.5).
// Assumes: a probe is one noisy look at a shared machine, worth as much as what is stated of it.
System as_found(System system, const ServingSetup& s) {
  Chip& chip = system.chip;
  const int cores = std::max(1, chip.cores.value);
  if (s.threads > 0 && s.threads < cores) {
    for (auto& peak : chip.peak) peak.value = static_cast<double>(s.threads) / cores * peak.value;
    if (chip.core_bandwidth.stated()) chip.hbm_bandwidth.value = min(chip.hbm_bandwidth.value, s.threads * chip.core_bandwidth.value);
    chip.cores.value = s.threads;
  }
  if (s.probed) chip.hbm_bandwidth.value *= std::sqrt(*s.probed / chip.hbm_bandwidth.value);
  return system;
}

System at_its_best(System system, const ServingSetup& s) {
  if (s.probed_most) system.chip.hbm_bandwidth.value = max(system.chip.hbm_bandwidth.value, *s.probed_most);
  return system;
}

}  // namespace

std::expected<BatchCase, std::string> batch_case(const Catalogue& catalogue, const ServingSetup& s) {
  auto model = s.config.empty() ? catalogue.model(s.model) : read_model(s.model, s.config);
  if (!model) return std::unexpected("the model is unknown");
  if (!s.config.empty() && s.weights) model->embedding.format = model->lm_head.format = *s.weights;  // one format for all matrices
  const auto system = catalogue.system(s.system);
  if (!system) return std::unexpected("the system is unknown");
  const double mean = (1 + s.shortest) / 2;
  return BatchCase{.model = std::move(*model),
                   .found = as_found(*system, s),
                   .best = at_its_best(*system, s),
                   .plan = plan_of(s, s.layout),
                   .sequences = s.sequences,
                   .prompt = s.prompt * mean,
                   .output = s.output * mean,
                   .chips = s.layout.chips()};
}

std::expected<ServingPrediction, std::string> predict(const BatchCase& batch, const Calibration& calibration, bool counts_prompt) {
  const auto found = compile(batch.model, batch.found, calibration, batch.plan);
  const auto best = compile(batch.model, batch.best, calibration, batch.plan);
  if (!found || !best) return std::unexpected(reason(found ? best.error() : found.error()));
  const auto pass = [&](const Pass& asked) {
    PassEstimate estimate = found->estimate(asked);
    estimate.floor = min(estimate.floor, best->estimate(asked).floor);
    return estimate;
  };
  const PassEstimate prefill = pass({.prefill_sequences = batch.sequences, .prefill_tokens = batch.prompt});
  const PassEstimate decode = pass({.decode_sequences = batch.sequences, .decode_context = batch.prompt + batch.output / 2});
  const double steps = std::max(0.0, batch.output - 1);
  const Seconds whole = prefill.time + steps * decode.time, least = prefill.floor + steps * decode.floor;
  const Tokens tokens = batch.sequences * (batch.output + (counts_prompt ? batch.prompt : 0)) * unit::token / batch.chips;
  ServingPrediction p{.ttft = banded(prefill.time, prefill.floor, calibration.pass), .calibration = calibration.name};
  if (steps > 0) p.tpot = banded(decode.time, decode.floor, calibration.pass);
  p.throughput = banded(tokens / whole, tokens / least, calibration.throughput);
  return p;
}

}  // namespace fareline
