// SPDX-License-Identifier: Apache-2.0
// For the question "invert": what is assumed, what prices are an amount of, and a table of prices held against published models.
#pragma once

#include "api/invert_inputs.h"
#include "api/open_models.h"
#include "economics/invert.h"

namespace fareline {

// Ranges that hold with a chance of 80%.
struct Assumptions {
  Range mfu, margin, reading, past, crossover;
  explicit Assumptions(const Inputs& inputs);
};

// The chip whose time is sold.
struct SoldFrom {
  BlackboardSystem system;
  FlopRate peak;
  Bandwidth bandwidth;
  MoneyRate rental;
  double ratio = 0;
};
Expected<SoldFrom> sold_from(Inputs& inputs, const Catalogue& catalogue);

inline Spread scaled(Spread spread, double by) { return {spread.low * by, spread.middle * by, spread.high * by}; }

// Active parameters from the price of input; KV bytes of a token from the whole price of output, coherent.
Spread active_of(const Assumptions& a, const SoldFrom& from, TokenPrice input);
Spread kv_of_output(const Assumptions& a, const SoldFrom& from, TokenPrice output);

// Every offer of a model whose configuration is known: how often the ranges hold it.
Expected<nlohmann::ordered_json> answer_offers(Inputs& inputs, const nlohmann::ordered_json& table, const Assumptions& a,
                                               const SoldFrom& from, const Catalogue& catalogue);

}  // namespace fareline
