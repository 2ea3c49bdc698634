// SPDX-License-Identifier: Apache-2.0
// Timings of single kernels, whatever table they stand in, as one kind of row: what was run apart from how long it took.
//
// The table that `fareline measure` writes is one of them, and anyone may write it. Its header names these columns, in any order;
// a cell that a kernel does not need stays empty:
//   chip      the catalogue's name ("h100-sxm", "cpu-zen4-2core")
//   stack     the library or engine ("onednn", "openblas", "cublas", "vllm")
//   kernel    a kernel of catalog/calibration.h: gemm, grouped_gemm, attention_prefill, attention_decode, elementwise, all_reduce, ...
//   format    in which the weights, for attention the KV, are kept ("bf16", "fp8", "int8", "fp32")
//   threads   cores of a CPU that took part; empty: all
//   m, n, k   gemm: rows (tokens), outputs, inputs
//   batch     attention: sequences
//   heads, kv_heads, head_dim
//   tokens    attention_prefill: new tokens of each sequence; grouped_gemm: tokens, with n its width, k its hidden size
//   context   attention: tokens already kept of each sequence
//   experts, active   grouped_gemm
//   ranks     collectives: chips
//   bytes     elementwise: bytes read and written, 0 for an empty launch; collectives: the size of one rank's vector
//   seconds   of one run, back to back with others
//   source    how it was measured
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "catalog/calibration.h"
#include "catalog/format.h"
#include "catalog/model.h"
#include "units/error.h"
#include "units/quantity.h"

namespace fareline {

// What `fareline measure` writes, in this order.
inline constexpr std::array<std::string_view, 20> measured_kernel_columns{
    "chip",     "stack",  "kernel",  "format",  "threads", "m",     "n",     "k",       "batch",  "heads",
    "kv_heads", "head_dim", "tokens", "context", "experts", "active", "ranks", "bytes", "seconds", "source"};

// A product of m tokens with k x n weights.
struct ProductRun {
  double m = 0, n = 0, k = 0;
  std::optional<Format> activations{};  // none: as narrow as the weights multiply
};

// One rank's share of a layer's experts.
struct ExpertsRun {
  double tokens = 0, hidden = 0, width = 0;  // width: an expert's, before it is cut
  double experts = 0, active = 0;
  int tp = 1, ep = 1;
  int matrices = 3;
  std::optional<Format> activations{};
  // How tokens were routed: each expert alike, or its load drawn from a power law with this exponent; none: at random.
  bool balanced = false;
  double exponent = 0;
};

// A token mixer, its heads as one rank has them, over equal sequences.
struct AttentionRun {
  Attention attention;
  double sequences = 0;
  double before = 0;                    // tokens kept of each
  double fresh = 0;                     // new tokens of each; 0: decoding one
};

// All of a layer's mixer, products and all, of a model in the catalogue.
struct MixerRun {
  std::string model;
  Format weights = Format::bf16;
  int heads = 0;                        // on this rank
  bool selects = true;                  // false: the selection of an earlier layer is used again
  double sequences = 0, before = 0, fresh = 0;
};

struct ElementwiseRun {
  Bytes bytes{};
};

// `size`: what one rank ends with (all-gather), or holds (all others).
struct CollectiveRun {
  int ranks = 1;
  Bytes size{};
};

// Expert dispatch or combine.
struct ExchangeRun {
  bool combines = false;
  int ranks = 1;
  double tokens = 0, hidden = 0, active = 0;  // tokens: of one rank
};

// All that a prediction may look at.
struct KernelSetup {
  std::string chip, system;             // the catalogue's names; a system where more than a chip takes part
  std::string stack, version;           // "vllm", "0.24.0"
  std::string source;                   // the kernel's own name, where the table has one
  Kernel kernel{};                      // by which it is grouped
  Format format = Format::bf16;         // in which the weights, or the KV, are kept
  std::variant<ProductRun, ExpertsRun, AttentionRun, MixerRun, ElementwiseRun, CollectiveRun, ExchangeRun> run;
};

struct KernelTiming {
  std::string id;                       // the table's file and line
  std::string table;                    // the table's name: "aic_gemm"
  KernelSetup setup;
  Seconds measured{};
  std::string refusal;                  // why it is not predicted, a reason shared by its like; empty where it is
};

struct KernelTable {
  std::string_view name, summary;
  std::span<const std::string_view> columns;  // all of which its header names
};
std::span<const KernelTable> kernel_tables();

// Whether the header of `bytes` is that of a table of kernels. Errors: what TableReader refuses.
Expected<bool> holds_kernels(const std::string& file, std::string_view bytes);

// Reads every row of a table, refused ones with their reason, in the table's order; a record that times several kernels gives a row
// for each. Which table it is, its header tells.
// Errors: a header of no known table (the nearest one's missing columns are named), all that TableReader refuses.
Expected<std::vector<KernelTiming>> read_kernel_timings(std::string file, std::string_view bytes);

}  // namespace fareline
