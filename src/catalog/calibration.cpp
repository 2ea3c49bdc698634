// SPDX-License-Identifier: Apache-2.0
#include "catalog/calibration.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/fields.h"

namespace fareline {
namespace {

constexpr Range<Seconds> believable_overhead{0 * unit::s, 10 * unit::s};
constexpr Range<double> share_of_peak{std::numeric_limits<double>::denorm_min(), 1};  // (0, 1]
constexpr Range<double> share_of_time{0, 1};
constexpr Range<double> share_of_kernels{0.1, 10};

// Times an entry may leave out: absent is zero, which is what a kernel without the effect has.
constexpr std::pair<std::string_view, Seconds Efficiency::*> optional_times[] = {{"item_time", &Efficiency::item_time},
                                                                                {"depth_time", &Efficiency::depth_time},
                                                                                {"peer_latency", &Efficiency::peer_latency},
                                                                                {"second_latency", &Efficiency::second_latency}};

// The kernels and formats one entry speaks of; -1 for all.
struct Scope {
  int kernel = -1, format = -1;
  bool covers(int k, int f) const { return (kernel < 0 || kernel == k) && (format < 0 || format == f); }
  int weight() const { return (kernel >= 0 ? 2 : 0) + (format >= 0 ? 1 : 0); }
  friend bool operator==(const Scope&, const Scope&) = default;
};

template <class Rows>
int index_named(Fields& entry, std::string_view key, const Rows& rows) {
  const std::string wanted = entry.text(key);
  if (wanted == "*" || wanted.empty()) return -1;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].name == wanted) return static_cast<int>(i);
    names.emplace_back(rows[i].name);
  }
  std::string all = "*";
  for (const std::string& name : names) all += ", " + name;
  const std::string near = nearest_names(wanted, names);
  entry.wrong(key, fmt::format("there is no {} \"{}\"", key, wanted.substr(0, 60)), near.empty() ? "known are " + all : near);
  return -1;
}

std::string scope_text(const Scope& scope) {
  return fmt::format("kernel {} and format {}", scope.kernel < 0 ? "*" : kernels[static_cast<std::size_t>(scope.kernel)].name,
                     scope.format < 0 ? "*" : formats[static_cast<std::size_t>(scope.format)].name);
}

Evidence read_evidence(Fields& entry) {
  Fields fields = entry.object("evidence");
  Evidence evidence;
  evidence.rows = static_cast<int>(fields.count("rows", {1, 100'000'000}));
  evidence.tables = fields.text("tables");
  evidence.median_error = fields.number("median_error", {0, 1000});
  evidence.band.low = fields.number("low", {std::numeric_limits<double>::denorm_min(), 1000});
  evidence.band.high = fields.number("high", {std::numeric_limits<double>::denorm_min(), 1000});
  fields.done();
  return evidence;
}

void read_kernels(Fields& fields, Calibration& calibration) {
  std::vector<std::pair<Scope, Efficiency>> entries;
  for (Fields& entry : fields.objects("kernels")) {
    Scope scope;
    scope.kernel = index_named(entry, "kernel", kernels);
    scope.format = index_named(entry, "format", formats);
    Efficiency efficiency;
    efficiency.peak_share = entry.number("peak_share", share_of_peak);
    efficiency.bandwidth_share = entry.number("bandwidth_share", share_of_peak);
    efficiency.latency = entry.quantity<Seconds>("latency", believable_overhead);
    efficiency.serial_share = entry.number("serial_share", share_of_time);
    efficiency.tile = static_cast<int>(entry.count("tile", {1, 65536}));
    for (const auto& [key, member] : optional_times)
      if (entry.has(key)) efficiency.*member = entry.quantity<Seconds>(key, believable_overhead);
    if (entry.has("depth_most")) efficiency.depth_most = entry.number("depth_most", {1, 1e9});
    if (entry.has("softmax_dims")) efficiency.softmax_dims = entry.number("softmax_dims", {0, 4096});
    if (entry.has("tiled_from")) efficiency.tiled_from = static_cast<int>(entry.count("tiled_from", {1, 65536}));
    if (entry.has("vector_dims")) efficiency.vector_dims = entry.number("vector_dims", {1, 4096});
    if (entry.has("tail_dims")) efficiency.tail_dims = entry.number("tail_dims", {0, 4096});
    if (entry.has("second_share")) efficiency.second_share = entry.number("second_share", share_of_peak);
    efficiency.fitted = entry.flag("fitted");
    if (entry.has("evidence")) efficiency.evidence = read_evidence(entry);
    entry.done();
    for (const auto& [earlier, unused] : entries)
      if (earlier == scope) entry.wrong("", fmt::format("there are two entries for {}", scope_text(scope)), "keep one of them");
    entries.emplace_back(scope, efficiency);
  }
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first.weight() < b.first.weight(); });
  for (int k = 0; k < kernel_count; ++k)
    for (int f = 0; f < format_count; ++f) {
      bool covered = false;
      for (const auto& [scope, efficiency] : entries) {
        if (!scope.covers(k, f)) continue;
        calibration.kernels[static_cast<std::size_t>(k)][static_cast<std::size_t>(f)] = efficiency;
        covered = true;
      }
      if (!covered)
        fields.wrong("kernels", fmt::format("there is no entry for {}", scope_text({k, f})),
                     "add it, or one with \"*\" for the kernel or the format");
    }
}

Band read_band(Fields& bands, std::string_view key) {
  Fields fields = bands.object(key);
  Band band;
  band.low = fields.number("low", share_of_peak);
  band.high = fields.number("high", {1, 1000});
  fields.done();
  return band;
}

// The shortest text in a usual unit that reads back as the same bits.
std::string exact_text(Seconds value) {
  for (int digits = 1; digits <= 17; ++digits)
    for (const auto& [unit_text, unit] : {std::pair{"us", unit::us}, std::pair{"ms", unit::ms}, std::pair{"ns", unit::ns}}) {
      const std::string number = fmt::format("{:.{}g}", value.in(unit), digits), text = number + " " + unit_text;
      if (number.find('e') != std::string::npos) continue;
      if (const auto read = parse_quantity(text, Seconds::dim); read && *read == value.coherent()) return text;
    }
  return fmt::format("{} s", value.coherent());
}

nlohmann::ordered_json entry_json(std::string_view kernel, std::string_view format, const Efficiency& efficiency) {
  nlohmann::ordered_json entry{{"kernel", kernel},
                               {"format", format},
                               {"peak_share", efficiency.peak_share},
                               {"bandwidth_share", efficiency.bandwidth_share},
                               {"latency", exact_text(efficiency.latency)},
                               {"serial_share", efficiency.serial_share},
                               {"tile", efficiency.tile}};
  for (const auto& [key, member] : optional_times)
    if (efficiency.*member > Seconds{}) entry[std::string(key)] = exact_text(efficiency.*member);
  if (efficiency.depth_most > 0) entry["depth_most"] = efficiency.depth_most;
  if (efficiency.softmax_dims > 0) entry["softmax_dims"] = efficiency.softmax_dims;
  if (efficiency.tiled_from > 1) entry["tiled_from"] = efficiency.tiled_from;
  if (efficiency.vector_dims > 0) entry["vector_dims"] = efficiency.vector_dims;
  if (efficiency.tail_dims > 0) entry["tail_dims"] = efficiency.tail_dims;
  if (efficiency.second_share != 1) entry["second_share"] = efficiency.second_share;
  entry["fitted"] = efficiency.fitted;
  if (const Evidence& e = efficiency.evidence; e.rows > 0)
    entry["evidence"] = {
        {"rows", e.rows}, {"tables", e.tables}, {"median_error", e.median_error}, {"low", e.band.low}, {"high", e.band.high}};
  return entry;
}

}  // namespace

Expected<Calibration> read_calibration(std::string_view file, std::string_view text) {
  const auto document = parse_json(file, text);
  if (!document) return std::unexpected(document.error());
  std::optional<Error> error;
  Fields fields(*document, std::string(file), "", error);
  Calibration calibration;
  calibration.name = fields.text("name");
  calibration.title = fields.text("title");
  calibration.chip = fields.text("chip");
  calibration.stack = fields.text("stack");
  calibration.evidence = fields.text("evidence");
  calibration.source = fields.text("source");
  read_kernels(fields, calibration);
  Fields engine = fields.object("engine");
  calibration.engine.step = engine.quantity<Seconds>("step", believable_overhead);
  calibration.engine.sequence = engine.quantity<Seconds>("sequence", believable_overhead);
  calibration.engine.prompt = engine.quantity<Seconds>("prompt", believable_overhead);
  calibration.engine.collective_overlap = engine.number("collective_overlap", share_of_time);
  calibration.engine.launch_share = engine.number("launch_share", share_of_time);
  if (engine.has("memory_share")) calibration.engine.memory_share = engine.number("memory_share", share_of_kernels);
  if (engine.has("flop_share")) calibration.engine.flop_share = engine.number("flop_share", share_of_kernels);
  if (engine.has("everything_overlaps")) calibration.engine.everything_overlaps = engine.flag("everything_overlaps");
  engine.done();
  Fields bands = fields.object("bands");
  calibration.pass = read_band(bands, "pass");
  calibration.tpot = read_band(bands, "tpot");
  calibration.ttft = read_band(bands, "ttft");
  calibration.throughput = read_band(bands, "throughput");
  bands.done();
  fields.done();
  if (error) return std::unexpected(*error);
  return calibration;
}

std::string write_calibration(const Calibration& calibration) {
  nlohmann::ordered_json document = {{"name", calibration.name},         {"title", calibration.title},       {"chip", calibration.chip},
                                     {"stack", calibration.stack},       {"evidence", calibration.evidence}, {"source", calibration.source},
                                     {"kernels", nlohmann::ordered_json::array()}};
  for (const KernelRow& kernel : kernels) {
    // One entry says for all formats what most of them have; the others follow.
    const auto& row = calibration.kernels[static_cast<std::size_t>(kernel.kernel)];
    const Efficiency* common = &row.front();
    for (const Efficiency& candidate : row)
      if (std::count(row.begin(), row.end(), candidate) > std::count(row.begin(), row.end(), *common)) common = &candidate;
    document["kernels"].push_back(entry_json(kernel.name, "*", *common));
    for (const FormatRow& format : formats)
      if (const Efficiency& efficiency = row[static_cast<std::size_t>(format.format)]; !(efficiency == *common))
        document["kernels"].push_back(entry_json(kernel.name, format.name, efficiency));
  }
  document["engine"] = {{"step", exact_text(calibration.engine.step)},
                        {"sequence", exact_text(calibration.engine.sequence)},
                        {"prompt", exact_text(calibration.engine.prompt)},
                        {"collective_overlap", calibration.engine.collective_overlap},
                        {"launch_share", calibration.engine.launch_share}};
  if (calibration.engine.memory_share != 1) document["engine"]["memory_share"] = calibration.engine.memory_share;
  if (calibration.engine.flop_share != 1) document["engine"]["flop_share"] = calibration.engine.flop_share;
  if (calibration.engine.everything_overlaps) document["engine"]["everything_overlaps"] = true;
  for (const auto& [key, band] : {std::pair{"pass", calibration.pass}, std::pair{"tpot", calibration.tpot},
                                  std::pair{"ttft", calibration.ttft}, std::pair{"throughput", calibration.throughput}})
    document["bands"][key] = {{"low", band.low}, {"high", band.high}};
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace fareline
