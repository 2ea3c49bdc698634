// SPDX-License-Identifier: Apache-2.0
#include "measure.h"

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/value.h"
#include "files.h"
#include "plot/table.h"
#include "probe.h"
#include "units/text.h"

namespace fareline::cli {
namespace {

using Json = nlohmann::ordered_json;

// The columns of a table of kernels, which calibrations are fitted on.
constexpr std::array<std::string_view, 20> measured_kernel_columns{
    "chip",     "stack",    "kernel", "format",  "threads", "m",      "n",     "k",     "batch",   "heads",
    "kv_heads", "head_dim", "tokens", "context", "experts", "active", "ranks", "bytes", "seconds", "source"};

// Ctrl-C while it lives is seen and kills nobody. No handler runs: one that fell into the middle of a compiled product of oneDNN would
// write over what that keeps below its stack pointer. Threads begun meanwhile inherit the mask.
class Interruption {
 public:
  Interruption() {
    sigemptyset(&wanted_);
    sigaddset(&wanted_, SIGINT);
    sigaddset(&wanted_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &wanted_, &before_);
  }
  ~Interruption() {
    const timespec now{};
    while (sigtimedwait(&wanted_, nullptr, &now) > 0) {}
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  bool seen() const {
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
  }

 private:
  sigset_t wanted_{}, before_{};
};

struct Arguments {
  std::string out, chip, name, device = "auto";
  bool json = false, quick = false;
};

// A row as it came, its texts kept.
struct Timed {
  ProbeRow row;
  std::string kernel, format, stack, source;
};

struct Found {
  std::vector<Timed> rows;
  std::vector<std::string> notes;
  ProbeDevice device;
  bool terminal = false;
  std::string shown;
  const Interruption* interruption = nullptr;
};

void take_row(void* context, const ProbeRow& row) {
  static_cast<Found*>(context)->rows.push_back({row, row.kernel, row.format, row.stack, row.source});
}
void take_note(void* context, const char* what) { static_cast<Found*>(context)->notes.emplace_back(what); }
void take_progress(void* context, const char* what, double done) {
  Found& found = *static_cast<Found*>(context);
  if (found.terminal) {
    std::fprintf(stderr, "\r\033[K%3.0f%%  %s", 100 * done, what);
    std::fflush(stderr);
  } else if (found.shown != what) {
    std::fprintf(stderr, "%3.0f%%  %s\n", 100 * done, what);
  }
  found.shown = what;
}
bool stopped(void* context) { return static_cast<const Found*>(context)->interruption->seen(); }

// The module beside the program, opened; none where this build has none.
Expected<ProbeEntry> module_named(const std::string& name, std::string_view needs) {
  namespace fs = std::filesystem;
  std::error_code code;
  const fs::path path = fs::read_symlink("/proc/self/exe", code).parent_path() / fmt::format("fareline-measure-{}.so", name);
  if (code || !fs::exists(path, code))
    return fail(fmt::format("--device {}", name), fmt::format("this program was built without {}", needs),
                fmt::format("install it and build again; {} is looked for", path.string()));
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  void* entry = module ? dlsym(module, "fareline_probe") : nullptr;
  if (!entry) return fail(path.string(), fmt::format("cannot be opened: {}", dlerror()), "install what it names, or build again here");
  return reinterpret_cast<ProbeEntry>(entry);
}

Expected<void> measured_by(const std::string& device, Found& found, bool quick) {
  const auto entry = module_named(device, device == "gpu" ? "CUDA (nvcc and cuBLAS)" : "oneDNN (libdnnl-dev)");
  if (!entry) return std::unexpected(entry.error());
  const ProbeAsk ask{.quick = quick, .context = &found, .row = take_row, .progress = take_progress, .note = take_note, .stopped = stopped};
  const int code = (*entry)(&ask, &found.device);
  if (found.terminal && !found.shown.empty()) std::fprintf(stderr, "\r\033[K");
  if (code == 0) return {};
  const std::string why = found.notes.empty() ? "nothing could be measured" : found.notes.back();
  found.notes.clear();
  return fail(fmt::format("--device {}", device), why, device == "gpu" ? "run it where a card is, or write --device cpu" : "see the note");
}

// "AMD EPYC 9654 96-Core Processor" as a file's name.
std::string file_name(std::string_view title) {
  std::string name;
  for (const char c : title) {
    if (std::isalnum(static_cast<unsigned char>(c))) name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!name.empty() && name.back() != '-') name += '-';
  }
  while (name.ends_with('-')) name.pop_back();
  return name.empty() ? "this-machine" : name;
}

std::string cell(double value) { return value > 0 ? fmt::format("{}", value) : std::string(); }

std::string csv_of(const Found& found, const std::string& chip) {
  const std::string where = fmt::format("fareline measure, {}", found.device.title);
  const auto quoted = [](std::string text) {
    for (std::size_t i = 0; (i = text.find('"', i)) != std::string::npos; i += 2) text.insert(i, 1, '"');
    return '"' + text + '"';
  };
  std::string out;
  for (const std::string_view column : measured_kernel_columns) out += fmt::format("{}{}", out.empty() ? "" : ",", column);
  out += ",seconds_least,seconds_most,repeats\r\n";
  for (const Timed& t : found.rows) {
    const ProbeRow& r = t.row;
    const std::map<std::string_view, std::string> cells{
        {"chip", chip}, {"stack", t.stack}, {"kernel", t.kernel}, {"format", t.format}, {"threads", cell(r.threads)},
        {"m", cell(r.m)}, {"n", cell(r.n)}, {"k", cell(r.k)}, {"batch", cell(r.batch)}, {"heads", cell(r.heads)},
        {"kv_heads", cell(r.kv_heads)}, {"head_dim", cell(r.head_dim)}, {"tokens", cell(r.tokens)},
        {"context", t.kernel.starts_with("attention") ? fmt::format("{}", r.context) : std::string()}, {"experts", ""}, {"active", ""},
        {"ranks", ""}, {"bytes", r.bytes >= 0 ? fmt::format("{}", r.bytes) : std::string()}, {"seconds", fmt::format("{}", r.seconds)},
        {"source", quoted(fmt::format("{}: {}", where, t.source))}};
    bool first = true;
    for (const std::string_view column : measured_kernel_columns) {
      const auto found_cell = cells.find(column);
      out += fmt::format("{}{}", first ? "" : ",", found_cell == cells.end() ? "" : found_cell->second);
      first = false;
    }
    out += fmt::format(",{},{},{}\r\n", r.fastest, r.slowest, r.repeats);
  }
  return out;
}

// What the rows come to: the best rate of every format and number of threads, and what reading reaches.
struct Summary {
  std::map<std::string, FlopRate> peak;  // by format: the best of any kernel
  Bandwidth reading, of_one;             // from memory: with all threads, with one
  Seconds launch;                        // the longest empty launch
  double spread = 0;                     // median over the rows of (most - least) / median
};

Summary summary_of(const Found& found) {
  Summary s;
  std::vector<double> spreads;
  double largest = 0;
  int most_threads = 0;
  for (const Timed& t : found.rows) {
    most_threads = std::max(most_threads, t.row.threads);
    if (t.kernel == "elementwise") largest = std::max(largest, t.row.bytes);
    spreads.push_back((t.row.slowest - t.row.fastest) / t.row.seconds);
  }
  for (const Timed& t : found.rows) {
    const Seconds time = t.row.seconds * unit::s;
    if (t.kernel == "gemm") {
      FlopRate& best = s.peak[t.format];
      best = max(best, t.row.flop * unit::flop / time);
    } else if (t.kernel == "elementwise" && t.row.bytes == 0) {
      s.launch = max(s.launch, time);
    } else if (t.kernel == "elementwise" && t.row.bytes >= largest) {
      Bandwidth& rate = t.row.threads == most_threads ? s.reading : s.of_one;
      if (t.row.threads == most_threads || t.row.threads == 1) rate = max(rate, t.row.bytes * unit::B / time);
    }
  }
  // Attention may beat the products that were tried; what multiplies in a format without products of its own does so in FP32.
  for (const Timed& t : found.rows) {
    if (!t.kernel.starts_with("attention") || s.peak.empty()) continue;
    const auto own = s.peak.contains(t.format) ? s.peak.find(t.format) : s.peak.find("fp32");
    if (own != s.peak.end()) own->second = max(own->second, t.row.flop * unit::flop / (t.row.seconds * unit::s));
  }
  if (!spreads.empty()) {
    std::sort(spreads.begin(), spreads.end());
    s.spread = spreads[spreads.size() / 2];
  }
  return s;
}

std::string month() {
  const std::time_t now = std::time(nullptr);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m", std::gmtime(&now));
  return text;
}

// The chip as it was measured, to be completed by hand: rates are what was reached, not what the maker states.
Json chip_of(const Found& found, const Summary& s, const std::string& name) {
  const auto fact = [](std::string value, std::string_view how) {
    return Json{{"value", std::move(value)}, {"source", fmt::format("fareline measure: {}", how)}};
  };
  Json peak = Json::object();
  for (const auto& [format, rate] : s.peak)
    if (format != "fp16") peak[format] = fact(to_text(rate, 6), "the fastest product; the maker's figure, if there is one, belongs here");
  Json chip{{"name", name}, {"title", found.device.title}, {"vendor", found.device.vendor}, {"family", found.device.family},
            {"status", "shipping"}, {"released", month()}, {"peak", std::move(peak)}};
  chip["cores"] = Json{{"value", found.device.cores}, {"source", "fareline measure: what the system says"}};
  chip["hbm_capacity"] = fact(fmt::format("{} B", found.device.memory_bytes), "what the system says");
  chip["hbm_usable"] = fact(fmt::format("{} B", found.device.usable_bytes), "what the system says");
  chip["hbm_bandwidth"] = fact(to_text(s.reading, 6), "reading more than the cache holds, all cores");
  if (s.of_one > Bandwidth{} && s.of_one < s.reading)
    chip["core_bandwidth"] = fact(to_text(s.of_one, 6), "reading more than the cache holds, one thread");
  chip["host_link"] = found.device.family == std::string("cpu") ? fact(to_text(s.reading, 6), "the memory is the host's")
                                                                : Json{{"unknown", "fareline measure does not measure it"}};
  chip["tdp"] = Json{{"unknown", "fareline measure does not measure it"}};
  return chip;
}

Json system_of(const Found& found, const std::string& name) {
  return {{"name", name}, {"title", fmt::format("One {}", found.device.title)}, {"chip", name}, {"status", "shipping"}, {"domain", 1},
          {"chips", 1}, {"source", "fareline measure: the machine it ran on"}, {"scale_up", {{"none", "one chip"}}},
          {"scale_out", {{"none", "one machine"}}}, {"tiers", Json::array()}};
}

Json answer_of(const Found& found, const Summary& s, const Arguments& arguments, const std::string& chip) {
  Json rates = Json::array(), reading = Json::array(), peak = Json::object();
  for (const auto& [format, rate] : s.peak) peak[format] = plain(rate);
  for (const Timed& t : found.rows) {
    if (t.kernel != "elementwise" || !(t.row.bytes > 0)) continue;
    Json one{{"bytes", plain(t.row.bytes * unit::B)}, {"rate", plain(t.row.bytes * unit::B / (t.row.seconds * unit::s))}};
    if (t.row.threads > 0) one["threads"] = t.row.threads;
    reading.push_back(std::move(one));
  }
  Json answer{{"chip", chip}, {"title", found.device.title}, {"cores", found.device.cores}, {"rows", found.rows.size()},
              {"bandwidth", plain(s.reading)}, {"peak", std::move(peak)}, {"launch", plain(s.launch)}, {"spread", s.spread},
              {"reading", std::move(reading)}};
  if (s.of_one > Bandwidth{}) answer["core_bandwidth"] = plain(s.of_one);
  return {{"question", "measure"}, {"inputs", {{"device", arguments.device}, {"quick", arguments.quick}}}, {"answer", std::move(answer)},
          {"explain", Json::object()}, {"warnings", found.notes}};
}

std::string text_of(const Found& found, const Summary& s) {
  std::string out = fmt::format("{}, {} cores: {} kernels timed, {:.0f}% between fastest and slowest run\n\n", found.device.title,
                                found.device.cores, found.rows.size(), 100 * s.spread);
  plot::Table table;
  table.columns = {{.name = ""}, {.name = "best", .right = true}};
  const auto add = [&](std::string what, std::string value) {
    table.columns[0].texts.push_back(std::move(what));
    table.columns[1].texts.push_back(std::move(value));
  };
  add("reading from memory", to_text(s.reading));
  if (s.of_one > Bandwidth{} && s.of_one < s.reading) add("reading from memory, one thread", to_text(s.of_one));
  for (const auto& [format, rate] : s.peak) add(fmt::format("multiplying in {}", format), to_text(rate));
  add("an empty launch", to_text(s.launch));
  if (const auto text = plot::text_table(table)) out += *text;
  for (const std::string& note : found.notes) out += fmt::format("\nnote: {}", note);
  return out + (found.notes.empty() ? "" : "\n");
}

Expected<void> write_chip(const std::string& path, const Found& found, const Summary& s, const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code code;
  const fs::path file = path;
  const bool in_catalogue = file.parent_path().filename() == "chips";
  const fs::path systems = file.parent_path().parent_path() / "systems";
  if (in_catalogue) {
    fs::create_directories(file.parent_path(), code);
    fs::create_directories(systems, code);
  }
  if (const auto done = write_file(path, chip_of(found, s, name).dump(2) + "\n"); !done) return done;
  if (!in_catalogue) return {};
  return write_file((systems / (name + ".json")).string(), system_of(found, name).dump(2) + "\n");
}

enum class Outcome { written, interrupted };

Expected<Outcome> measure(const Arguments& arguments) {
  if (arguments.device != "cpu" && arguments.device != "gpu" && arguments.device != "auto")
    return fail("--device", in_quotes(arguments.device) + " is no device", "write cpu, gpu or auto");
  if (!arguments.chip.empty() && !arguments.chip.ends_with(".json"))
    return fail("--chip " + arguments.chip, "is no file of a chip", "write e.g. --chip mine/chips/my-machine.json");
  Found found;
  found.terminal = isatty(STDERR_FILENO) == 1;
  {
    const Interruption interruption;
    found.interruption = &interruption;
    auto done = measured_by(arguments.device == "cpu" ? "cpu" : "gpu", found, arguments.quick);
    if (!done && arguments.device == "auto") {
      found = {.terminal = found.terminal, .interruption = &interruption};
      done = measured_by("cpu", found, arguments.quick);
    }
    if (!done) return std::unexpected(done.error());
    if (interruption.seen()) return Outcome::interrupted;
  }
  const Summary summary = summary_of(found);
  const std::string name = !arguments.name.empty()   ? arguments.name
                           : !arguments.chip.empty() ? std::filesystem::path(arguments.chip).stem().string()
                                                     : file_name(found.device.title);
  if (!arguments.out.empty())
    if (const auto written = write_file(arguments.out, csv_of(found, name)); !written) return std::unexpected(written.error());
  if (!arguments.chip.empty())
    if (const auto written = write_chip(arguments.chip, found, summary, name); !written) return std::unexpected(written.error());
  if (arguments.out == "-") return Outcome::written;
  const std::string text = arguments.json
                               ? answer_of(found, summary, arguments, name).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                               : text_of(found, summary);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return Outcome::written;
}

}  // namespace

void add_measure(CLI::App& app, int (*complain)(const Error&)) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command = *app.add_subcommand("measure", "time kernels of the machine you sit at, for a calibration to be fitted on");
  command.footer("Example: fareline measure -o mine.csv --chip mine/chips/my-machine.json");
  command.add_option("-o,--output", arguments->out, "write every kernel's timing as CSV here (- for standard output)")->type_name("FILE");
  command
      .add_option("--chip", arguments->chip,
                  "write the machine as a chip's file here, to be completed; in a folder named chips its system is written too, in systems")
      ->type_name("FILE");
  command
      .add_option("--name", arguments->name,
                  "the chip's name in the table; else that of --chip's file, else what the machine calls itself")
      ->type_name("");
  command.add_option("--device", arguments->device, "cpu, gpu (NVIDIA), or auto: the GPU where there is one")
      ->type_name("");
  command.add_flag("--quick", arguments->quick, "a few seconds in place of a minute: fewer shapes and repeats");
  command.add_flag("--json", arguments->json, "answer as JSON");
  command.callback([arguments, complain] {
    const auto done = measure(*arguments);
    if (!done) throw CLI::RuntimeError(complain(done.error()));
    if (*done == Outcome::written) throw CLI::RuntimeError(0);
    complain({"measure", "was interrupted: nothing is written", "let it come to its end, or write --quick"});
    throw CLI::RuntimeError(130);
  });
}

}  // namespace fareline::cli
