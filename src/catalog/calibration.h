// SPDX-License-Identifier: Apache-2.0
// A calibration: the share of the peak that kernels and engines achieve, fitted elsewhere, read as data.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/format.h"
#include "units/error.h"
#include "units/quantity.h"

namespace fareline {

// Kinds of kernel whose efficiency is stated apart.
enum class Kernel : unsigned char {
  gemm,               // dense matrix product, weights streamed
  attention_prefill,  // scores and values of many queries a sequence
  attention_decode,   // one or a few queries a sequence, KV streamed
  mla_prefill,
  mla_decode,
  sparse_index,       // the indexer of sparse attention
  grouped_gemm,       // experts
  recurrent_prefill,  // linear attention and state-space scans
  recurrent_decode,
  elementwise,        // norms, rope, activations, residual, routing, sampling
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,         // expert dispatch and combine
  point_to_point,     // pipeline hop, KV transfer
};
inline constexpr int kernel_count = 15;

struct KernelRow {
  Kernel kernel;
  std::string_view name, summary;
};
inline constexpr std::array<KernelRow, kernel_count> kernels{{
    {Kernel::gemm, "gemm", "dense matrix product"},
    {Kernel::attention_prefill, "attention_prefill", "attention of many queries a sequence"},
    {Kernel::attention_decode, "attention_decode", "attention of one query a sequence, KV streamed"},
    {Kernel::mla_prefill, "mla_prefill", "latent attention, expanded"},
    {Kernel::mla_decode, "mla_decode", "latent attention, absorbed"},
    {Kernel::sparse_index, "sparse_index", "indexer of sparse attention"},
    {Kernel::grouped_gemm, "grouped_gemm", "experts' matrix products"},
    {Kernel::recurrent_prefill, "recurrent_prefill", "linear attention and state-space scans"},
    {Kernel::recurrent_decode, "recurrent_decode", "one step of a recurrent state"},
    {Kernel::elementwise, "elementwise", "norms, rope, activations, residual, routing, sampling"},
    {Kernel::all_reduce, "all_reduce", "sum over ranks, to all"},
    {Kernel::all_gather, "all_gather", "parts of every rank, to all"},
    {Kernel::reduce_scatter, "reduce_scatter", "sum over ranks, a part to each"},
    {Kernel::all_to_all, "all_to_all", "expert dispatch and combine"},
    {Kernel::point_to_point, "point_to_point", "one rank to another"},
}};
constexpr std::string_view name(Kernel kernel) { return kernels[static_cast<std::size_t>(kernel)].name; }

// Multipliers on an estimate between which 80% of measurements lie.
struct Band {
  double low = 1, high = 1;
  friend bool operator==(const Band&, const Band&) = default;
};

// What an entry of a calibration was fitted on, and by how much it misses timings held out from the fit.
struct Evidence {
  int rows = 0;               // 0: not stated
  std::string tables;         // "aic_gemm, measured"
  double median_error = 0;    // median of |estimate / measured - 1|
  Band band;                  // measured over estimate: 80% lie between
  friend bool operator==(const Evidence&, const Evidence&) = default;
};

// What one kind of kernel achieves on one number format, as kept in memory (a weight-only format is its own row).
// For a kernel of `f` FLOP (rows and columns rounded up to the kernel's tile), `b` bytes, `u` work items and a chain of `d` steps
//     t = latency + item_time u / cores + depth_time min(d, depth_most) + max(tf, tb) + serial_share min(tf, tb)
//     tf = f / (peak_share peak),  tb = b / (bandwidth_share bandwidth)
// A collective of n ranks that moves volumes v1 (direct) or v2 (in two phases) over a link:
//     t = latency + hop + peer_latency (n - 1) + item_time tokens
//         + min(v1 / (bandwidth_share link), second_latency + v2 / (second_share link))
// Every term is at least zero and every share at most one, so no estimate undercuts the floor.
struct Efficiency {
  double peak_share = 1;
  double bandwidth_share = 1;
  Seconds latency{};        // a launch, back to back with others
  double serial_share = 0;  // of the shorter of compute and memory time, what is not hidden behind the longer
  int tile = 1;             // rows a kernel works on at once
  int tiled_from = 1;       // products: rows from which they are cut into tiles; fewer are streamed row by row, FLOP behind bytes
  Seconds item_time{};      // a core's time on one work item besides its FLOP and bytes
  Seconds depth_time{};     // a step of the longest chain of one work item (k of a product, keys of a row)
  double depth_most = 0;    // steps after which kernels split the chain; 0: never
  double softmax_dims = 0;  // attention: an exponential costs as much as so many more head dimensions
  double vector_dims = 0;   // attention, one query: head dimensions of a full vector; 0: any number fills one
  double tail_dims = 0;     // ... dimensions at the peak rate that each costs which fills no vector
  Seconds peer_latency{};   // collectives: each further rank
  Seconds second_latency{}; // collectives: the other protocol's
  double second_share = 1;
  bool fitted = false;      // false: no evidence for this kernel and format, taken from another
  Evidence evidence;
  friend bool operator==(const Efficiency&, const Efficiency&) = default;
};

// What the engine adds to the kernels.
struct EngineOverhead {
  Seconds step{};              // scheduler and host gap, a step
  Seconds sequence{};          // sampling and bookkeeping, a sequence and step
  double launch_share = 1;     // of kernels' launches, work items and chains: what is left once engines fuse and overlap neighbours
  double memory_share = 1;     // of kernels' memory time: below 1 where a kernel's reads begin under the one before it
  double flop_share = 1;       // of kernels' FLOP time: above 1 where lasting load pulls the clock down
  Seconds prompt{};            // tokenising, admission, first detokenisation, a request
  double collective_overlap = 0;  // share of collective time hidden behind compute
  bool everything_overlaps = false;  // a pass takes its floor: the longest of compute, memory and wire (the blackboard)
  friend bool operator==(const EngineOverhead&, const EngineOverhead&) = default;
};

struct Calibration {
  std::string name, title;       // "default"
  std::string chip;              // chip or family it was fitted on, "*" for any
  std::string stack;             // "vllm-0.11", "*" for any
  std::string evidence;          // what it was fitted on, with what residual; a sentence
  std::string source;
  std::array<std::array<Efficiency, format_count>, kernel_count> kernels;  // by Kernel, by the format kept in memory
  EngineOverhead engine;
  Band pass, tpot, ttft, throughput;  // of one pass; of serving answers
  const Efficiency& at(Kernel kernel, Format format) const {
    return kernels[static_cast<std::size_t>(kernel)][static_cast<std::size_t>(format)];
  }
};

constexpr std::optional<Kernel> kernel_named(std::string_view text) {
  for (const KernelRow& r : kernels)
    if (r.name == text) return r.kernel;
  return std::nullopt;
}

// Reads a calibration. Its "kernels" are entries for a kernel and a format, each by name or "*" for all; the entry that
// names more holds, a kernel before a format, in whatever order they stand.
// Errors: whatever parse_json and Fields refuse; a share outside (0, 1]; a band that does not straddle 1; two entries for
// the same kernel and format; a kernel and format without entry. `file` names the text in errors.
Expected<Calibration> read_calibration(std::string_view file, std::string_view text);

// Returns the file that read_calibration reads as `calibration`, bit for bit.
std::string write_calibration(const Calibration& calibration);

}  // namespace fareline
