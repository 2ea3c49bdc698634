// SPDX-License-Identifier: Apache-2.0
// End-to-end measurements of serving, whatever table they stand in, as one kind of row: what was run apart from what was measured.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/format.h"
#include "truth/client_run.h"
#include "units/error.h"
#include "units/quantity.h"

namespace fareline {

// How one pool of equal replicas was laid out.
struct PoolLayout {
  int tp = 1, pp = 1;
  int dp = 1;             // data parallelism of attention
  int ep = 1;             // ranks the experts are dealt to
  int replicas = 1;
  int chips() const { return tp * dp * pp * replicas; }
  friend bool operator==(const PoolLayout&, const PoolLayout&) = default;
};

// What asked the system for tokens.
enum class Load : unsigned char {
  users,      // so many users, each sending the next request when the last is answered
  batch,      // one batch, prefilled together and decoded together
  saturated,  // all requests at once: as many run as memory and engine hold
};
std::string_view name(Load load);

// All that a prediction may look at.
struct ServingSetup {
  std::string model;             // the catalogue's name, or the row's own where it brings its configuration
  std::string config;            // config.json of a model in no catalogue; else empty
  std::string system;            // the catalogue's name
  std::string stack;             // the engine, as calibrations name it: "vllm", "sglang", "trtllm", or another's own name
  std::string version;           // of the engine; empty where not stated
  std::string precision;         // as the table labels it
  std::optional<Format> weights, experts, kv, activations;  // none: as the model is published
  PoolLayout layout;             // of all, or of the decode pool
  bool layout_open = false;      // not stated: tp is the one predicted best, over as many chips
  std::optional<PoolLayout> prefill;  // a prefill pool apart
  Load load = Load::users;
  double sequences = 0;          // users or sequences of the batch; saturated: the engine's limit, 0 for none
  double prompt = 0, output = 0; // tokens of the longest request
  double shortest = 1;           // shortest length over the longest, uniform between
  double waves = 0;              // requests a user, when the client sends so many and stops; 0: it goes on for good
  double queued = 0;             // users beyond the sequences the engine was told to hold
  Scheduling scheduling;         // how the engine was told to take prompts in
  double draft = 0;              // tokens drafted a step by the model's own module
  double accepted = 1;           // tokens a verified step yields, so far as known beforehand
  int token_budget = 8192;       // tokens of one step of one dp group
  double memory_fraction = 0.9;  // of usable memory, what the engine may take
  int threads = 0;               // cores of the chip that it ran on; 0: all
  std::optional<Bandwidth> probed;       // of the memory, read just before and after the run: the mean
  std::optional<Bandwidth> probed_most;  // the faster of the two
  int chips() const { return layout.chips() + (prefill ? prefill->chips() : 0); }
};

// What was measured of it.
struct ServingMeasured {
  std::optional<Seconds> ttft;        // mean or median, queueing included where the table's holds it
  std::optional<Seconds> tpot;        // after the first token
  std::optional<TokenRate> throughput;  // a chip
  bool counts_prompt = false;         // throughput counts prompt tokens too
};

struct ServingRow {
  std::string id;                // the table's own, else its file and line
  std::string source;
  ServingSetup setup;
  ServingMeasured measured;
  std::string assumption;        // a sentence on what the table leaves out and was assumed; empty where nothing was
  std::string refusal;           // why it is not predicted, a reason shared by its like; empty where it is
};

// A table whose rows are understood.
struct ServingTable {
  std::string_view name, summary;
  std::span<const std::string_view> columns;  // all of which its header names
};
std::span<const ServingTable> serving_tables();

// Whether the header of `bytes` is that of a table of serving measurements. Errors: what TableReader refuses.
Expected<bool> holds_serving(const std::string& file, std::string_view bytes);

// Reads every row of a table, refused ones with their reason, in the table's order. Which table it is, its header tells.
// Errors: a header of no known table (the nearest one's missing columns are named), all that TableReader refuses.
Expected<std::vector<ServingRow>> read_serving_rows(std::string file, std::string_view bytes);

}  // namespace fareline
