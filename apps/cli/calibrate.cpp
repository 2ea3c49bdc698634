// SPDX-License-Identifier: Apache-2.0
#include "calibrate.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include <unistd.h>

#include <fmt/format.h>

#include "files.h"
#include "truth/fit_engine.h"
#include "truth/fit_kernels.h"
#include "truth/report_parts.h"
#include "units/text.h"

namespace fareline::cli {
namespace {

constexpr std::size_t table_bytes = 1'000'000'000;

struct Arguments {
  std::vector<std::string> files;
  std::string chip, stack, name, from, output, data;
};

// "h200-sxm-trtllm-1.0", from where the file goes or from what it is of.
std::string name_of(const Arguments& arguments) {
  if (!arguments.name.empty()) return arguments.name;
  if (arguments.output == "-") return arguments.chip + "-" + arguments.stack;
  const std::string file = arguments.output.substr(arguments.output.find_last_of('/') + 1);
  return file.ends_with(".json") ? file.substr(0, file.size() - 5) : file;
}

Expected<Calibration> base_of(const Arguments& arguments, const Catalogue& catalogue) {
  if (!arguments.from.empty()) {
    auto named = catalogue.calibration(arguments.from);
    if (!named) return std::unexpected(Error(named.error()).within("--from"));
    return named;
  }
  const std::string engine = arguments.stack.substr(0, arguments.stack.find('-'));
  Chip chip{.name = arguments.chip, .family = arguments.chip};
  if (auto known = catalogue.chip(arguments.chip)) chip = std::move(*known);
  return catalogue.calibration_for(chip, engine);
}

// The timings of kernels and the end-to-end rows of all tables given.
struct Measurements {
  std::vector<KernelTiming> kernels;
  std::vector<ServingRow> serving;
};
Expected<Measurements> read(const Arguments& arguments) {
  Measurements all;
  const auto add = [](auto& to, auto&& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  for (const std::string& file : arguments.files) {
    const auto bytes = read_file(file, table_bytes);
    if (!bytes) return std::unexpected(bytes.error());
    const auto kernels = holds_kernels(file, *bytes), serving = holds_serving(file, *bytes);
    if (!kernels) return std::unexpected(kernels.error());
    if (serving && *serving) {
      auto some = read_serving_rows(file, *bytes);
      if (!some) return std::unexpected(some.error());
      add(all.serving, *some);
    } else {
      auto some = read_kernel_timings(file, *bytes);
      if (!some) return std::unexpected(some.error());
      add(all.kernels, *some);
    }
  }
  return all;
}

// One line that is written over while somebody watches.
class Progress {
 public:
  void tell(const std::string& line) const {
    fmt::print(stderr, "{}{}{}", watched_ ? "\r\033[K" : "", line, watched_ ? "" : "\n");
    std::fflush(stderr);
  }
  ~Progress() {
    if (watched_) std::fputs("\r\033[K", stderr);
  }

 private:
  bool watched_ = isatty(STDERR_FILENO) != 0;
};

std::string refusals(const std::vector<Refusal>& refused) {
  if (refused.empty()) return {};
  TextGrid grid{{"not used because", false}, {"rows", true}};
  for (const Refusal& r : refused) grid.add({r.reason, fmt::format("{}", r.rows)});
  return "\n" + grid.text();
}

std::string told_of(const KernelFits& fits, const std::string& base) {
  std::string told = fmt::format("{} timings read, {} used, base {}\n\n", fits.rows, fits.used, base);
  TextGrid grid{{"kernel", false},  {"format", false},  {"timings", true}, {"median error", true},
                {"held out", true}, {"80% band", true}, {"base", true}};
  for (const KernelFit& f : fits.fits) {
    const Evidence& e = f.efficiency.evidence;
    grid.add({std::string(name(f.kernel)), std::string(name(f.format)), fmt::format("{}", e.rows), per_cent(f.fitted_error),
              per_cent(e.median_error), fmt::format("{:.2f} to {:.2f}", e.band.low, e.band.high), per_cent(f.base_error)});
  }
  told += grid.text();
  std::string unfitted;
  for (const KernelRow& k : kernels)
    if (std::none_of(fits.fits.begin(), fits.fits.end(), [&](const KernelFit& f) { return f.kernel == k.kernel; }))
      unfitted += (unfitted.empty() ? "" : ", ") + std::string(k.name);
  if (!unfitted.empty()) told += fmt::format("\nno timings, so as in {}: {}\n", base, unfitted);
  return told + refusals(fits.refused);
}

std::string told_of(const EngineFit& fit, std::size_t rows) {
  std::string told = fmt::format("{} end-to-end rows read, {} used\n\n", rows, fit.rows);
  TextGrid errors{{"", false}, {"rows", true}, {"median error", true}, {"90th percentile", true}, {"left out", true}, {"80% band", true}};
  for (std::size_t m = 0; m < metric_count; ++m) {
    const ErrorSummary &all = fit.fitted[m], &left_out = fit.left_out[m];
    if (all.count == 0) continue;
    const Band band = std::array{fit.tpot, fit.ttft, fit.throughput}[m];
    errors.add({std::string(metric_names[m]), fmt::format("{}", all.count), per_cent(all.median_abs_error), per_cent(all.p90_abs_error),
                per_cent(left_out.median_abs_error), fmt::format("{:.2f} to {:.2f}", band.low, band.high)});
  }
  told += errors.text() + "\n";
  TextGrid engine{{"of the engine", false}, {"", true}};
  const EngineOverhead& e = fit.engine;
  engine.add({"a step", to_text(e.step, 3)});
  engine.add({"a sequence and step", to_text(e.sequence, 3)});
  engine.add({"a prompt", to_text(e.prompt, 3)});
  engine.add({"of the kernels' launches", per_cent(e.launch_share)});
  engine.add({"of their memory time", per_cent(e.memory_share)});
  engine.add({"of their FLOP time", per_cent(e.flop_share)});
  engine.add({"of collectives, hidden", per_cent(e.collective_overlap)});
  return told + engine.text() + refusals(fit.refused);
}

// What a calibration says it was fitted on: first of its kernels, then of its engine, then what else there is to know.
std::string evidence_of(const Calibration& base, const std::string& name, const std::string& kernels, const std::string& engine) {
  std::vector<std::string> parts;
  std::string_view left = base.evidence;
  for (std::size_t at = 0; at != std::string_view::npos;) {
    at = left.find("; ");
    parts.emplace_back(left.substr(0, at));
    if (at != std::string_view::npos) left.remove_prefix(at + 2);
  }
  const bool again = base.name == name && parts.size() >= 2;
  std::string text = !kernels.empty() ? kernels : again ? parts[0] : "kernels as in " + base.name;
  text += "; " + (!engine.empty() ? engine : again ? parts[1] : "engine overheads and bands taken from " + base.name);
  for (std::size_t i = 2; again && i < parts.size(); ++i) text += "; " + parts[i];
  return text;
}

Expected<void> write(const Arguments& arguments, const Catalogue& catalogue) {
  const auto measurements = read(arguments);
  if (!measurements) return std::unexpected(measurements.error());
  const auto base = base_of(arguments, catalogue);
  if (!base) return std::unexpected(base.error());
  const auto subject = fit_subject(catalogue, arguments.chip, arguments.stack);
  if (!subject) return std::unexpected(subject.error());
  Calibration c = *base;
  std::string told, of_kernels, of_engine;
  if (!measurements->kernels.empty() || measurements->serving.empty()) {
    const Progress progress;
    const auto fits =
        fit_kernels(catalogue, measurements->kernels, {.chip = arguments.chip, .stack = arguments.stack, .base = *base},
                    [&](std::size_t done, std::size_t total, Kernel kernel, Format format, std::size_t count) {
                      progress.tell(fmt::format("{} of {}: {} {}, {} timings", done + 1, total, name(kernel), name(format), count));
                    });
    if (!fits) return std::unexpected(fits.error());
    c = fits->calibration;
    told = told_of(*fits, base->name);
    of_kernels = fmt::format("{} kernel timings{}", fits->used, fits->versions.empty() ? "" : " (" + fits->versions + ")");
  }
  if (!measurements->serving.empty()) {
    const Progress progress;
    const auto fit = fit_engine(catalogue, c, measurements->serving,
                                {.subject = *subject, .progress = [&](int done, int total, std::size_t rows) {
                                   progress.tell(fmt::format("{} of {}: engine overheads, {} rows", done + 1, total, rows));
                                 }});
    if (!fit)
      return fail("MEASUREMENTS", fmt::format("{} ({} under {})", fit.error(), arguments.chip, arguments.stack),
                  "give end-to-end rows of this chip and engine");
    c.engine = fit->engine;
    c.pass = fit->pass;
    c.tpot = fit->tpot;
    c.ttft = fit->ttft;
    c.throughput = fit->throughput;
    std::string models;
    for (const std::string& model : fit->models) models += (models.empty() ? "" : ", ") + model.substr(model.rfind('/') + 1);
    of_engine = fmt::format("engine overheads from {} end-to-end rows ({}), median error of TPOT {:.0f}% ({:.0f}% on rows left out)",
                            fit->rows, models, 100 * fit->fitted[0].median_abs_error, 100 * fit->left_out[0].median_abs_error);
    told += (told.empty() ? "" : "\n") + told_of(*fit, measurements->serving.size());
  }
  c.name = name_of(arguments);
  c.evidence = evidence_of(*base, c.name, of_kernels, of_engine);
  if (base->name != c.name) {
    c.title = fmt::format("{} under {}", arguments.chip, arguments.stack);
    c.source = "fareline calibrate";
  }
  c.chip = arguments.chip;
  c.stack = arguments.stack;
  const std::string text = write_calibration(c);
  if (const auto sound = read_calibration(arguments.output, text); !sound) return std::unexpected(sound.error());
  if (const auto written = write_file(arguments.output, text); !written) return written;
  if (arguments.output != "-") std::fwrite(told.data(), 1, told.size(), stdout);
  return {};
}

}  // namespace

void add_calibrate(CLI::App& app, Expected<Catalogue> (*catalogue_at)(const std::string&), int (*complain)(const Error&)) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command =
      *app.add_subcommand("calibrate", "fit what kernels and engines achieve to measurements, as a file that data/calibrations takes");
  command.footer("Example: fareline calibrate timings.csv.gz --chip h200-sxm --stack trtllm-1.0 -o h200-trtllm.json");
  std::string known;
  for (const KernelTable& table : kernel_tables()) known += (known.empty() ? "" : "; ") + std::string(table.summary);
  known += "; or of engines under load, from which their overheads and the bands are fitted: ";
  for (const ServingTable& table : serving_tables())
    known += (&table == &serving_tables().front() ? "" : "; ") + std::string(table.summary);
  command.add_option("measurements", arguments->files, "tables of timings of kernels, CSV or gzipped CSV: " + known)
      ->required()
      ->type_name("FILE");
  command.add_option("--chip", arguments->chip, "the chip, or the family of chips, whose measurements are fitted")
      ->required()
      ->type_name("");
  command.add_option("--stack", arguments->stack, "the engine or library whose measurements are fitted, with or without its version")
      ->required()
      ->type_name("");
  command
      .add_option("--from", arguments->from,
                  "the calibration whose entries stand in where there are no timings [the nearest of the chip and the engine]")
      ->type_name("");
  command.add_option("--name", arguments->name, "the calibration's name [the file's]")->type_name("");
  command.add_option("-o,--output", arguments->output, "write the calibration here (- for standard output)")->required()->type_name("FILE");
  command.add_option("--data", arguments->data, "a folder laid out as data/ whose files are added to the catalogue or replace its own")
      ->type_name("DIR");
  command.callback([arguments, catalogue_at, complain] {
    const auto done = [&]() -> Expected<void> {
      if (arguments->data.empty()) return write(*arguments, Catalogue::built_in());
      const auto catalogue = catalogue_at(arguments->data);
      if (!catalogue) return std::unexpected(catalogue.error());
      return write(*arguments, *catalogue);
    }();
    throw CLI::RuntimeError(done ? 0 : complain(done.error()));
  });
}

}  // namespace fareline::cli
