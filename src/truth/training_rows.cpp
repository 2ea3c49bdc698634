// SPDX-License-Identifier: Apache-2.0
#include "truth/training_rows.h"

#include <array>
#include <cmath>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "truth/serving_formats.h"
#include "truth/table.h"

namespace fareline {
namespace {

using serving::Cells;

constexpr std::array<std::string_view, 9> megatron_columns{"num_heads",       "hidden",       "num_layers", "tp", "pp", "num_gpus",
                                                           "batch_sequences", "seq_len_tokens", "achieved_tflops_per_gpu"};
constexpr std::array<std::string_view, 10> mosaic_columns{
    "model",      "seq_len_tokens", "num_gpus",          "gpu",
    "grad_accum", "mp_mode",        "micro_batch_size", "throughput_tokens_per_s_per_gpu",
    "precision",  "activation_checkpointing"};
constexpr std::array<std::string_view, 10> mlperf_columns{
    "benchmark",          "accelerator",      "total_accelerators", "global_batch_size_sequences", "seq_len_tokens",
    "step_time_median_s", "sequences_per_s_best", "tp",             "cp",                          "interleaved_pp"};

// GPT's transformer as the two tables state it, in the fields that read_model knows of calculon's.
std::string gpt_config(double hidden, double heads, double layers, double sequence, double vocabulary) {
  return fmt::format(
      R"({{"hidden":{:.0f},"feedforward":{:.0f},"seq_size":{:.0f},"attn_heads":{:.0f},"attn_size":{:.0f},)"
      R"("num_blocks":{:.0f},"vocab_size":{:.0f}}})",
      hidden, 4 * hidden, sequence, heads, hidden / heads, layers, vocabulary);
}

// Narayanan et al. 2021, table 1. Micro-batch and chunks are not stated: "we use the interleaved schedule" (section 5.1), and the
// micro-batch that is fastest (section 3.4).
Expected<void> read_megatron(const TableReader& table, TrainingRow& row) {
  Cells cells(table);
  const double h = cells.number_or("hidden", 0), heads = cells.number_or("num_heads", 0), layers = cells.number_or("num_layers", 0),
               s = cells.number_or("seq_len_tokens", 0), chips = cells.number_or("num_gpus", 0),
               batch = cells.number_or("batch_sequences", 0), vocabulary = cells.number_or("vocab", 51200),
               achieved = cells.number_or("achieved_tflops_per_gpu", 0);
  TrainingSetup& setup = row.setup;
  setup.model = fmt::format("GPT {}B", cells.text("params_billion"));
  setup.software = "Megatron-LM of 2021";
  setup.system = "dgx-a100";
  setup.overlaps = false;
  setup.plan.tp = cells.count_or("tp", 1);
  setup.plan.pp = cells.count_or("pp", 1);
  if (const auto done = cells.done(); !done) return done;
  if (!(h > 0 && heads > 0 && layers > 0 && s > 0 && chips > 0 && batch > 0 && achieved > 0)) {
    row.refusal = "its shape or its result is not stated";
    return {};
  }
  setup.config = gpt_config(h, heads, layers, s, vocabulary);
  setup.plan.sequence = s;
  setup.plan.fused_attention = false;
  setup.plan.dropout = true;
  setup.plan.recompute = Recompute::full;
  setup.plan.sharding = Sharding::none;
  setup.search = {.chips = static_cast<int>(chips), .sequences = batch, .micro_batch = true, .chunks = true};
  // The paper's FLOP of a step, equation 3, over what it reached.
  const double flop = 96 * batch * s * layers * h * h * (1 + s / (6 * h) + vocabulary / (16 * layers * h));
  row.measured = flop * unit::flop / (achieved * chips * unit::TFLOP / unit::s);
  return {};
}

struct MptShape {
  std::string_view name;
  double layers, hidden, heads;
};
// Source: MosaicML, LLM Foundry, scripts/train/yamls/pretrain (mpt-*.yaml): d_model, n_heads, n_layers.
constexpr std::array<MptShape, 9> mpt_shapes{{
    {"125m", 12, 768, 12}, {"350m", 24, 1024, 16}, {"760m", 24, 1536, 12}, {"1b", 24, 2048, 16}, {"3b", 32, 2560, 20},
    {"7b", 32, 4096, 32},  {"13b", 40, 5120, 40},  {"30b", 48, 7168, 56},  {"70b", 80, 8192, 64},
}};
constexpr double mpt_vocabulary = 50432;  // GPT-NeoX's tokenizer, padded: in the same files

// LLM Foundry's table: parameters, gradients and optimiser shared out over all chips (FULL_SHARD), attention fused.
Expected<void> read_mosaic(const TableReader& table, TrainingRow& row) {
  Cells cells(table);
  TrainingSetup& setup = row.setup;
  const std::string_view model = cells.text("model"), gpu = cells.text("gpu");
  const double s = cells.number_or("seq_len_tokens", 0), rate = cells.number_or("throughput_tokens_per_s_per_gpu", 0);
  setup.search.chips = cells.count_or("num_gpus", 1);
  setup.plan.micro_batch = cells.count_or("micro_batch_size", 1);
  const int steps = cells.count_or("grad_accum", 1);
  if (const auto done = cells.done(); !done) return done;
  setup.model = fmt::format("MPT {}", model);
  setup.software = "LLM Foundry (FSDP)";
  setup.system = gpu == "a100_80gb" ? "dgx-a100" : gpu == "a100_40gb" ? "a100-40gb" : gpu.starts_with("h100") ? "hgx-h100" : "";
  const MptShape* shape = nullptr;
  for (const MptShape& one : mpt_shapes)
    if (one.name == model) shape = &one;
  if (!shape) row.refusal = "a model whose shape is not known";
  else if (setup.system.empty()) row.refusal = "a chip that is not known";
  else if (!(s > 0 && rate > 0)) row.refusal = "its shape or its result is not stated";
  if (!row.refusal.empty()) return {};
  setup.config = gpt_config(shape->hidden, shape->heads, shape->layers, s, mpt_vocabulary);
  setup.plan.sequence = s;
  setup.plan.sharding = Sharding::parameters;
  setup.plan.recompute = cells.text("activation_checkpointing") == "True" ? Recompute::full : Recompute::none;
  // PyTorch's FSDP reduces gradients in 16 bits under Composer's PURE, in 32 under its DEFAULT (Composer documentation, FSDP).
  setup.plan.gradient = cells.text("mp_mode") == "PURE" ? 2 * unit::B : 4 * unit::B;
  if (cells.text("precision").find("fp8") != std::string_view::npos) setup.plan.multiply = Format::fp8;
  setup.search.sequences = static_cast<double>(setup.search.chips) * setup.plan.micro_batch * steps;
  row.measured = setup.plan.micro_batch * steps * s / rate * unit::s;
  return {};
}

// Chips as MLPerf's submitters call them.
std::string_view mlperf_system(std::string_view chip) {
  const auto says = [&](std::string_view what) { return chip.find(what) != std::string_view::npos; };
  if (says("NVL")) return {};
  if (says("H100")) return "hgx-h100";
  if (says("H200")) return "hgx-h200";
  if (says("GB200")) return "gb200-nvl72";
  if (says("GB300")) return "gb300-nvl72";
  if (says("B200")) return "hgx-b200";
  if (says("B300")) return "hgx-b300";
  if (says("A100")) return "dgx-a100";
  if (says("MI300X")) return "mi300x-8";
  if (says("MI325X")) return "mi325x-8";
  if (says("MI355X")) return "mi355x-8";
  if (says("L40S")) return "l40s-8";
  return {};
}

// MLPerf Training's language models. Where the columns say nothing of it, products are in FP8, as in NVIDIA's and AMD's code.
Expected<void> read_mlperf(const TableReader& table, TrainingRow& row) {
  Cells cells(table);
  TrainingSetup& setup = row.setup;
  const std::string_view benchmark = cells.text("benchmark");
  const auto chips = cells.number("total_accelerators"), batch = cells.number("global_batch_size_sequences"),
             s = cells.number("seq_len_tokens"), step = cells.number("step_time_median_s"), rate = cells.number("sequences_per_s_best");
  const auto tp = cells.number("tp"), pp = cells.number("pp"), cp = cells.number("cp"), chunks = cells.number("interleaved_pp"),
             b = cells.number("micro_batch_size"), accumulated = cells.number("gradient_accumulation_steps");
  if (const auto done = cells.done(); !done) return done;
  setup.software = "MLPerf Training " + std::string(cells.text("round"));
  setup.system = mlperf_system(cells.text("accelerator"));
  row.id = fmt::format("{} {} {}", cells.text("round"), cells.text("submitter"), cells.text("platform"));
  const bool adapters = benchmark == "llama2_70b_lora";
  if (benchmark == "gpt3") {
    setup.model = "GPT-3 175B";
    setup.config = gpt_config(12288, 96, 96, s.value_or(2048), 51200);
  } else if (adapters) {
    setup.model = "meta-llama/Llama-2-70b-hf";
  } else if (benchmark == "llama31_405b") {
    setup.model = "meta-llama/Llama-3.1-405B";
  } else {
    row.refusal = "a benchmark that is not known";
    return {};
  }
  if (setup.system.empty()) row.refusal = "a chip that is not known";
  else if (!chips || !batch || !s || !(step || rate)) row.refusal = "its batch or its result is not stated";
  else if (!(tp && (cp || pp)) && !(adapters && accumulated)) row.refusal = "its layout is not stated";
  if (!row.refusal.empty()) return {};
  TrainingPlan& plan = setup.plan;
  // Replicas follow from the micro-batches of each; what is left of the chips shares a sequence.
  if (!(tp && (cp || pp))) setup.inner = static_cast<int>(*chips * *accumulated * b.value_or(1) / *batch);
  plan.tp = static_cast<int>(tp.value_or(1));
  plan.pp = static_cast<int>(pp.value_or(1));
  plan.cp = static_cast<int>(cp.value_or(1));
  plan.micro_batch = static_cast<int>(b.value_or(1));
  plan.chunks = static_cast<int>(chunks.value_or(1));
  if (plan.chunks > 1) plan.schedule = ScheduleKind::interleaved;
  plan.sequence = *s;
  plan.sequence_parallel = true;
  plan.multiply = cells.text("fp4") == "True" ? Format::nvfp4 : Format::fp8;
  plan.gradient = 2 * unit::B;
  plan.trained = adapters ? 0 : 1;
  setup.search = {.chips = static_cast<int>(*chips), .sequences = *batch};
  row.measured = step ? *step * unit::s : *batch / *rate * unit::s;
  return {};
}

struct KnownTable {
  TrainingTable table;
  std::span<const std::string_view> columns;
  Expected<void> (*read)(const TableReader&, TrainingRow&);
};
constexpr std::array<KnownTable, 3> known_tables{{
    {{"megatron", "Megatron-LM's weak scaling: TFLOP/s of GPT models"}, megatron_columns, read_megatron},
    {{"mosaic", "LLM Foundry: tokens a second of MPT models"}, mosaic_columns, read_mosaic},
    {{"mlperf_training", "MLPerf Training: steps of language models"}, mlperf_columns, read_mlperf},
}};

const KnownTable* known(const TableReader& table) {
  for (const KnownTable& one : known_tables)
    if (table.has_all(one.columns)) return &one;
  return nullptr;
}

}  // namespace

std::vector<TrainingTable> training_tables() {
  std::vector<TrainingTable> all;
  for (const KnownTable& one : known_tables) all.push_back(one.table);
  return all;
}

Expected<bool> holds_training(std::string file, std::string_view bytes) {
  const auto table = TableReader::open(std::move(file), bytes);
  if (!table) return std::unexpected(table.error());
  return known(*table) != nullptr;
}

Expected<std::vector<TrainingRow>> read_training_rows(std::string file, std::string_view bytes) {
  auto table = TableReader::open(std::move(file), bytes);
  if (!table) return std::unexpected(table.error());
  const KnownTable* format = known(*table);
  if (!format)
    return fail(table->file(), "is no table of training measurements that is known",
                "give one with the columns of: megatron, mosaic, mlperf_training");
  std::vector<TrainingRow> rows;
  for (;;) {
    const auto more = table->next();
    if (!more) return std::unexpected(more.error());
    if (!*more) return rows;
    TrainingRow row;
    if (const auto read = format->read(*table, row); !read) return std::unexpected(read.error());
    if (row.id.empty()) row.id = fmt::format("{}:{}", table->file(), table->line());
    row.source = std::string(table->text(table->find("source")));
    rows.push_back(std::move(row));
  }
}

}  // namespace fareline
