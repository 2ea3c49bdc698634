// SPDX-License-Identifier: Apache-2.0
#include "calibrate.h"

#include <cstdio>
#include <memory>

#include <unistd.h>

#include <fmt/format.h>

#include "files.h"
#include "truth/fit_kernels.h"
#include "truth/report_parts.h"

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

Expected<void> write(const Arguments& arguments, const Catalogue& catalogue) {
  std::vector<KernelTiming> rows;
  for (const std::string& file : arguments.files) {
    const auto bytes = read_file(file, table_bytes);
    if (!bytes) return std::unexpected(bytes.error());
    auto some = read_kernel_timings(file, *bytes);
    if (!some) return std::unexpected(some.error());
    rows.insert(rows.end(), std::make_move_iterator(some->begin()), std::make_move_iterator(some->end()));
  }
  auto base = base_of(arguments, catalogue);
  if (!base) return std::unexpected(base.error());
  const bool watched = isatty(STDERR_FILENO) != 0;
  const FitProgress progress = [&](std::size_t done, std::size_t total, Kernel kernel, Format format, std::size_t count) {
    fmt::print(stderr, "{}{} of {}: {} {}, {} timings{}", watched ? "\r\033[K" : "", done + 1, total, name(kernel), name(format), count,
               watched ? "" : "\n");
    std::fflush(stderr);
  };
  auto fits = fit_kernels(catalogue, rows, {.chip = arguments.chip, .stack = arguments.stack, .base = *base}, progress);
  if (watched) std::fputs("\r\033[K", stderr);
  if (!fits) return std::unexpected(fits.error());
  Calibration& c = fits->calibration;
  c.name = name_of(arguments);
  if (base->name != c.name) {
    c.title = fmt::format("{} under {}", arguments.chip, arguments.stack);
    c.evidence = fmt::format("{} kernel timings; engine overheads and bands taken from {}", fits->used, base->name);
    c.source = "fareline calibrate";
  }
  c.chip = arguments.chip;
  c.stack = arguments.stack;
  const std::string text = write_calibration(c);
  if (const auto sound = read_calibration(arguments.output, text); !sound) return std::unexpected(sound.error());
  if (const auto written = write_file(arguments.output, text); !written) return written;
  if (arguments.output == "-") return {};
  std::string told = fmt::format("{} timings read, {} used, base {}\n\n", fits->rows, fits->used, base->name);
  TextGrid grid{{"kernel", false},  {"format", false},  {"timings", true}, {"median error", true},
                {"held out", true}, {"80% band", true}, {"base", true}};
  for (const KernelFit& f : fits->fits) {
    const Evidence& e = f.efficiency.evidence;
    grid.add({std::string(name(f.kernel)), std::string(name(f.format)), fmt::format("{}", e.rows), per_cent(f.fitted_error),
              per_cent(e.median_error), fmt::format("{:.2f} to {:.2f}", e.band.low, e.band.high), per_cent(f.base_error)});
  }
  told += grid.text();
  std::string unfitted;
  for (const KernelRow& k : kernels)
    if (std::none_of(fits->fits.begin(), fits->fits.end(), [&](const KernelFit& f) { return f.kernel == k.kernel; }))
      unfitted += (unfitted.empty() ? "" : ", ") + std::string(k.name);
  if (!unfitted.empty()) told += fmt::format("\nno timings, so as in {}: {}\n", base->name, unfitted);
  if (!fits->refused.empty()) {
    TextGrid refused{{"not used because", false}, {"rows", true}};
    for (const Refusal& r : fits->refused) refused.add({r.reason, fmt::format("{}", r.rows)});
    told += "\n" + refused.text();
  }
  std::fwrite(told.data(), 1, told.size(), stdout);
  return {};
}

}  // namespace

void add_calibrate(CLI::App& app, Expected<Catalogue> (*catalogue_at)(const std::string&), int (*complain)(const Error&)) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command =
      *app.add_subcommand("calibrate", "fit what kernels achieve to timings of them, as a file that data/calibrations takes");
  command.footer("Example: fareline calibrate timings.csv.gz --chip h200-sxm --stack trtllm-1.0 -o h200-trtllm.json");
  std::string known;
  for (const KernelTable& table : kernel_tables()) known += (known.empty() ? "" : "; ") + std::string(table.summary);
  command.add_option("measurements", arguments->files, "tables of timings, CSV or gzipped CSV: " + known)->required()->type_name("FILE");
  command.add_option("--chip", arguments->chip, "the chip, or the family of chips, whose timings are fitted")->required()->type_name("");
  command.add_option("--stack", arguments->stack, "the engine or library whose timings are fitted, with or without its version")
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
