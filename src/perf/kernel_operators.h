// SPDX-License-Identifier: Apache-2.0
// Operators from their dimensions on one rank, whichever model or table of timings they come from.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "catalog/calibration.h"
#include "catalog/chip.h"
#include "catalog/model.h"
#include "perf/operators.h"

namespace fareline {

// Where kernels run, and what they achieve there.
struct KernelSite {
  const System& system;
  const Calibration& calibration;
  const Chip& chip() const { return system.chip; }
};

// An operator with its pace and nothing to do yet. `kept`: the format its calibration is stated for; `rate`: that it multiplies at.
Operator operator_on(const KernelSite& site, OperatorKind kind, Kernel kernel, std::string_view label, Format kept, Format rate);

// One product of tokens with the columns of a weight, as a rank sees it.
struct ProductShape {
  double inputs = 0, outputs = 0;        // k and n
  double elements = 0;                   // of the weights; k n where one matrix makes up the product
  Bytes weights{};                       // k n elements in the format kept, scales included
  Format kept = Format::bf16;
  std::optional<Format> activations{};   // none: as narrow as the weights multiply
  Bytes output_element = stream_element;
};
Operator product_operator(const KernelSite& site, std::string_view label, const ProductShape& shape);

// The experts of a layer as the one fused kernel that engines run: sort by expert, gate and up, activation, down, sum.
struct ExpertsShape {
  double experts = 0, active = 0;
  double ranks = 1;                      // that the experts are dealt to
  double hidden = 0, width = 0;          // of an expert, its width cut over the tensor-parallel ranks left
  int matrices = 3;                      // 3: gated; 2: plain
  double elements = 0;                   // of one expert's matrices on this rank
  Bytes biases{};                        // of one expert
  Format kept = Format::bf16;
  std::optional<Format> activations{};
  double skew = 0;                       // coefficient of variation of the experts' popularity
  bool dispatched = false;               // a rank is handed only the tokens sent to it; else every token, and skips the rest
};
Operator experts_operator(const KernelSite& site, const ExpertsShape& shape);

// The operators of one layer's token mixer: decode, prefill, and the indexer's. `kv`: what is kept of tokens.
void attention_operators(const KernelSite& site, const Attention& attention, int tp, int cp, Format kv, std::vector<Operator>& operators);

// `launches` kernels that read and write `a_row` bytes of every token, and `weights` once.
Operator elementwise_operator(const KernelSite& site, std::string_view label, Bytes a_row, double launches, Bytes weights = {});

// A collective over `ranks` chips whose neighbours are `stride` apart, over a vector of `a_row` bytes a token.
Operator collective_operator(const KernelSite& site, OperatorKind kind, Kernel kernel, std::string_view label, int ranks, int stride,
                             Bytes a_row);

// Expert dispatch or combine over `ranks`: what one token sends whose activations `shared_by` ranks hold between them.
struct ExchangeShape {
  int ranks = 1, stride = 1;
  double shared_by = 1;
  double active = 0, hidden = 0;
  Format wire = Format::bf16;
};
Operator exchange_operator(const KernelSite& site, OperatorKind kind, std::string_view label, const ExchangeShape& shape);

}  // namespace fareline
