// SPDX-License-Identifier: Apache-2.0
// The blackboard: a model and a system as the few numbers a formula needs. A named one gives them; a number given by the asker stands
// in its place.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/inputs.h"
#include "api/setting.h"
#include "catalog/catalog.h"

namespace fareline {

inline constexpr auto blackboard_model_inputs = in_group("blackboard", std::array<Input, 12>{{
    {.name = "model",
     .kind = InputKind::model,
     .reason = "none: the numbers below stand in its place",
     .summary = "the language model: a name from the catalogue, or a path to its config.json"},
    {.name = "total_parameters",
     .kind = InputKind::count,
     .reason = "the model's",
     .summary = "parameters of the model, instead of its own",
     .least = 1},
    {.name = "active_parameters",
     .kind = InputKind::count,
     .reason = "the model's",
     .summary = "parameters one token is multiplied with, instead of the model's",
     .least = 1},
    {.name = "bytes_per_parameter",
     .kind = InputKind::quantity,
     .reason = "the model's, over all matrices as published",
     .summary = "bytes of one stored parameter, instead of the model's",
     .dim = Bytes::dim,
     .least = 0.01,
     .most = 64},
    {.name = "kv_per_token",
     .kind = InputKind::quantity,
     .reason = "the model's, windows not yet full",
     .summary = "KV bytes of one token over all layers, instead of the model's",
     .dim = BytesPerToken::dim,
     .least = 1e-3,
     .most = 1e12},
    {.name = "layers",
     .kind = InputKind::count,
     .reason = "the model's",
     .summary = "layers, instead of the model's",
     .least = 1,
     .most = 1e6},
    {.name = "hidden",
     .kind = InputKind::count,
     .reason = "the model's",
     .summary = "width of the residual stream, instead of the model's",
     .least = 1,
     .most = 1e7},
    {.name = "heads",
     .kind = InputKind::count,
     .reason = "the model's, of its first layer with attention",
     .summary = "query heads of a layer, instead of the model's",
     .least = 1,
     .most = 1e6},
    {.name = "kv_heads",
     .kind = InputKind::count,
     .reason = "the model's, of its first layer with attention",
     .summary = "KV heads of a layer, instead of the model's",
     .least = 1,
     .most = 1e6},
    {.name = "head_dim",
     .kind = InputKind::count,
     .reason = "the model's, of its first layer with attention",
     .summary = "width of one head, instead of the model's",
     .least = 1,
     .most = 1e6},
    {.name = "routed_experts",
     .kind = InputKind::count,
     .reason = "the model's, of its first layer with experts",
     .summary = "experts of a layer, instead of the model's",
     .least = 1,
     .most = 1e6},
    {.name = "activated_experts",
     .kind = InputKind::count,
     .reason = "the model's, of its first layer with experts",
     .summary = "experts a token is routed to, instead of the model's",
     .least = 1,
     .most = 1e6},
}});

inline constexpr auto blackboard_system_inputs = in_group("blackboard", std::array<Input, 10>{{
    {.name = "system",
     .reason = "none: the numbers below stand in its place",
     .summary = "the system of chips: a name from the catalogue"},
    {.name = "chips",
     .kind = InputKind::count,
     .reason = "the system's",
     .summary = "chips that work on the model together, instead of the system's",
     .least = 1,
     .most = 1e7},
    {.name = "peak",
     .kind = InputKind::quantity,
     .reason = "the chip's in the format of the model's weights, or in one as wide as bytes_per_parameter",
     .summary = "FLOP/s of a chip in the format multiplied, instead of its own",
     .dim = FlopRate::dim,
     .least = 1e6,
     .most = 1e24},
    {.name = "hbm_bandwidth",
     .kind = InputKind::quantity,
     .reason = "the chip's",
     .summary = "memory bandwidth of a chip, instead of its own",
     .dim = Bandwidth::dim,
     .least = 1e6,
     .most = 1e21},
    {.name = "hbm_capacity",
     .kind = InputKind::quantity,
     .reason = "the chip's",
     .summary = "memory of a chip, instead of its own",
     .dim = Bytes::dim,
     .least = 1e6,
     .most = 1e21},
    {.name = "scale_up_bandwidth",
     .kind = InputKind::quantity,
     .reason = "the system's",
     .summary = "one-way bandwidth of a chip inside its domain, instead of its own",
     .dim = Bandwidth::dim,
     .least = 1e3,
     .most = 1e21},
    {.name = "scale_out_bandwidth",
     .kind = InputKind::quantity,
     .reason = "the system's",
     .summary = "one-way bandwidth of a chip between domains, instead of its own",
     .dim = Bandwidth::dim,
     .least = 1e3,
     .most = 1e21},
    {.name = "domain",
     .kind = InputKind::count,
     .reason = "the system's",
     .summary = "chips of one scale-up domain, instead of the system's",
     .least = 1,
     .most = 1e6},
    {.name = "hardware_ratio",
     .kind = InputKind::number,
     .reason = "multiplies per second times bytes of a parameter, over bytes per second",
     .summary = "the dimensionless ratio of compute to memory, in place of a peak and a bandwidth",
     .least = 1e-3,
     .most = 1e9},
    {.name = "rental",
     .kind = InputKind::quantity,
     .reason = "the catalogue's median offer for the chip",
     .summary = "rent of one chip",
     .dim = MoneyRate::dim},
}});

struct BlackboardModel {
  std::shared_ptr<const Model> named;  // none where numbers stand in its place
  std::optional<double> total_parameters, active_parameters;
  std::optional<Bytes> bytes_per_parameter;
  std::optional<BytesPerToken> kv_per_token;
  std::optional<double> layers, hidden, heads, kv_heads, head_dim, routed_experts, activated_experts;
  // What a number stands for that the asker changed: the rest of a named model no longer tells it.
  bool kv_given = false, parameters_given = false;
};

struct BlackboardSystem {
  std::optional<System> named;
  std::optional<double> chips, domain;
  std::optional<FlopRate> peak;  // of a chip
  std::optional<Bandwidth> hbm_bandwidth, scale_up_bandwidth, scale_out_bandwidth;
  std::optional<Bytes> hbm_capacity;
  std::optional<double> hardware_ratio;  // given, or multiplies/s x bytes of a parameter over bytes/s
  std::optional<MoneyRate> rental;
};

// Returns what the inputs say of a model; every number taken from a named model is recorded in `inputs`.
// Errors: a model that cannot be read; more active than there are.
Expected<BlackboardModel> blackboard_model(Inputs& inputs, const Catalogue& catalogue);
// The same of a system. The peak is the chip's in the format of the model's weights; of bare parameters in the format of their width.
Expected<BlackboardSystem> blackboard_system(Inputs& inputs, const Catalogue& catalogue, const BlackboardModel& model);

// The value, or the error that says what may be given: `name` itself (as in `example`), or a `whole` ("model", "system") that has it.
template <class T>
Expected<T> needed(const std::optional<T>& value, std::string_view name, std::string_view whole, std::string_view example) {
  if (value) return *value;
  return fail(std::string(name), "is missing",
              "give --" + std::string(name) + " " + std::string(example) + ", or a " + std::string(whole) + " that has it");
}

}  // namespace fareline
