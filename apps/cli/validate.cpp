// SPDX-License-Identifier: Apache-2.0
#include "validate.h"

#include <cstdio>
#include <memory>

#include <nlohmann/json.hpp>

#include "files.h"
#include "render.h"
#include "truth/capacity.h"
#include "truth/kernel_rows.h"
#include "truth/report.h"
#include "truth/request_runs.h"
#include "truth/serving_rows.h"
#include "truth/step_fit.h"
#include "truth/validate.h"
#include "truth/validate_kernels.h"
#include "truth/validate_requests.h"
#include "truth/validate_training.h"
#include "validate_prices.h"

namespace fareline::cli {
namespace {

constexpr std::size_t table_bytes = 1'000'000'000;

struct Arguments {
  std::vector<std::string> files;
  std::string calibration, plot, csv, data, fit;
  bool json = false, leave_out = false, kernels = false;
};

// The rows of all files, by `read`, which is read_serving_rows or read_kernel_timings.
template <class Row>
Expected<std::vector<Row>> rows_of(const Arguments& arguments, Expected<std::vector<Row>> (*read)(std::string, std::string_view)) {
  std::vector<Row> rows;
  for (const std::string& file : arguments.files) {
    const auto bytes = read_file(file, table_bytes);
    if (!bytes) return std::unexpected(bytes.error());
    auto some = read(file, *bytes);
    if (!some) {
      const auto kernels = holds_kernels(file, *bytes);
      if (!arguments.kernels && kernels && *kernels) return fail(file, "is a table of single kernels", "add --kernels");
      return std::unexpected(some.error());
    }
    rows.insert(rows.end(), std::make_move_iterator(some->begin()), std::make_move_iterator(some->end()));
  }
  return rows;
}

// Whether the files are tables of runs request by request. Errors: some are and some are not.
Expected<bool> are_requests(const Arguments& arguments) {
  std::size_t count = 0;
  for (const std::string& file : arguments.files) {
    const auto bytes = read_file(file, table_bytes);
    if (!bytes) return std::unexpected(bytes.error());
    const auto holds = holds_requests(file, *bytes);
    if (!holds) return holds;
    count += *holds;
  }
  if (count > 0 && count < arguments.files.size())
    return fail(arguments.files.front(), "stands beside a table of another kind", "validate runs request by request by themselves");
  return count > 0;
}

Expected<std::vector<RequestRun>> runs_of(const Arguments& arguments) {
  std::vector<RequestRun> runs;
  for (const std::string& file : arguments.files) {
    const auto bytes = read_file(file, table_bytes);
    if (!bytes) return std::unexpected(bytes.error());
    if (const auto read = read_request_runs(file, *bytes, runs); !read) return std::unexpected(read.error());
  }
  return runs;
}

// Writes what is told of a validation, of engines or of kernels.
template <class V>
Expected<void> tell(const Arguments& arguments, const V& validation) {
  if (!arguments.csv.empty()) {
    const auto text = to_csv(validation);
    if (!text) return std::unexpected(text.error());
    if (const auto written = write_file(arguments.csv, *text); !written) return written;
  }
  if (!arguments.plot.empty()) {
    const auto text = to_svg(validation);
    if (!text) return std::unexpected(text.error());
    if (const auto written = write_file(arguments.plot, *text); !written) return written;
  }
  if (arguments.csv == "-" || arguments.plot == "-") return {};
  using Json = nlohmann::ordered_json;
  const std::string text = arguments.json ? to_json(validation, arguments.files).dump(2, ' ', false, Json::error_handler_t::replace) + "\n"
                                          : to_text(validation);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

// The same of prices, which questions answer.
Expected<void> tell_prices(const Arguments& arguments, const nlohmann::ordered_json& answered) {
  if (!arguments.calibration.empty() || !arguments.csv.empty() || !arguments.fit.empty() || arguments.leave_out)
    return fail(arguments.files.front(), "holds prices, which no calibration predicts", "leave out all but --plot and --json");
  if (!arguments.plot.empty()) {
    const Question* question = question_named(answered["question"].get<std::string>());
    const auto text = question->plot(answered);
    if (!text) return std::unexpected(text.error());
    if (const auto written = write_file(arguments.plot, *text); !written) return written;
    if (arguments.plot == "-") return {};
  }
  using Json = nlohmann::ordered_json;
  const std::string text =
      arguments.json ? answered.dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : rendered(answered, false);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

Expected<void> write(const Arguments& arguments, const Catalogue& catalogue) {
  const auto prices = validate_prices(arguments.files, catalogue);
  if (!prices) return std::unexpected(prices.error());
  if (*prices) return tell_prices(arguments, **prices);
  if (!arguments.calibration.empty())
    if (const auto named = catalogue.calibration(arguments.calibration); !named)
      return std::unexpected(Error(named.error()).within("--calibration"));
  if (arguments.kernels) {
    auto rows = rows_of(arguments, read_kernel_timings);
    if (!rows) return std::unexpected(rows.error());
    return tell(arguments, validate_kernels(catalogue, std::move(*rows), arguments.calibration));
  }
  bool training = false, capacity = false;
  for (const std::string& file : arguments.files) {
    const auto bytes = read_file(file, table_bytes);
    const auto holds = bytes ? holds_training(file, *bytes) : Expected<bool>(std::unexpected(bytes.error()));
    if (!holds) return std::unexpected(holds.error());
    training |= *holds;
    capacity |= holds_capacity(file, *bytes).value_or(false);
  }
  if (training) {
    if (!arguments.fit.empty() || arguments.leave_out)
      return fail("--fit", "is of no use here: no step of training is fitted", "leave it out");
    auto rows = rows_of(arguments, read_training_rows);
    if (!rows) return std::unexpected(rows.error());
    return tell(arguments, validate_training(catalogue, std::move(*rows), arguments.calibration));
  }
  if (const auto requests = are_requests(arguments); !requests) return std::unexpected(requests.error());
  else if (*requests) {
    if (!arguments.fit.empty() || arguments.leave_out) return fail("--fit", "is of no use here: no run is fitted", "leave it out");
    auto runs = runs_of(arguments);
    if (!runs) return std::unexpected(runs.error());
    return tell(arguments, validate_requests(catalogue, std::move(*runs), arguments.calibration));
  }
  if (capacity) {
    if (!arguments.fit.empty() || arguments.leave_out) return fail("--fit", "is of no use here: no memory is fitted", "leave it out");
    auto rows = rows_of(arguments, read_capacity_rows);
    if (!rows) return std::unexpected(rows.error());
    return tell(arguments, validate_capacity(catalogue, std::move(*rows)));
  }
  auto rows = rows_of(arguments, read_serving_rows);
  if (!rows) return std::unexpected(rows.error());
  if (!arguments.fit.empty() || arguments.leave_out) {
    const auto start = start_of_fit(catalogue, *rows, arguments.calibration);
    if (!start) return std::unexpected(start.error());
    if (!arguments.fit.empty()) {
      const auto fitted = fit_steps(catalogue, *rows, *start);
      if (!fitted) return std::unexpected(fitted.error());
      return write_file(arguments.fit, write_calibration(*fitted));
    }
    auto left_out = validate_left_out(catalogue, std::move(*rows), *start);
    if (!left_out) return std::unexpected(left_out.error());
    return tell(arguments, *left_out);
  }
  return tell(arguments, validate(catalogue, std::move(*rows), arguments.calibration));
}

}  // namespace

void add_validate(CLI::App& app, Expected<Catalogue> (*catalogue_at)(const std::string&), int (*complain)(const Error&)) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App& command =
      *app.add_subcommand("validate", "how far predictions are from measurements: every row predicted with no access to its result");
  command.footer("Example: fareline validate measurements.csv.gz --plot errors.svg");
  std::string known;
  for (const ServingTable& table : serving_tables()) known += (known.empty() ? "" : "; ") + std::string(table.summary);
  for (const TrainingTable& table : training_tables()) known += "; " + std::string(table.summary);
  for (const ServingTable& table : request_tables()) known += "; " + std::string(table.summary);
  known += "; " + std::string(capacity_summary);
  command
      .add_option("files", arguments->files,
                  "tables of measurements, CSV or gzipped CSV: " + known +
                      "; price lists of APIs, by \"invert\"; billing cases beside them, by \"bill\"")
      ->required()
      ->type_name("FILE");
  std::string kernel_tables_known;
  for (const KernelTable& table : kernel_tables())
    kernel_tables_known += (kernel_tables_known.empty() ? "" : "; ") + std::string(table.summary);
  command.add_flag("--kernels", arguments->kernels, "the tables time single kernels: " + kernel_tables_known);
  command
      .add_option("--calibration", arguments->calibration,
                  "a calibration's name, or ideal; else the nearest evidence for each row's chip and engine")
      ->type_name("");
  command
      .add_option("--plot", arguments->plot,
                  "write predicted against measured, and the error by group, as SVG here (- for standard output)")
      ->type_name("FILE");
  command.add_option("--csv", arguments->csv, "write every row's prediction and measurement as CSV here (- for standard output)")
      ->type_name("FILE");
  command.add_flag("--leave-out", arguments->leave_out,
                   "predict every model's steps on a CPU by a calibration fitted on the other models' steps alone");
  command.add_option("--fit", arguments->fit, "fit the calibration again on the tables' steps on a CPU and write it here")
      ->type_name("FILE");
  command.add_flag("--json", arguments->json, "answer as JSON");
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
