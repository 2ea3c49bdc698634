// SPDX-License-Identifier: Apache-2.0
#include "simulate.h"

#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <mutex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/figures.h"
#include "api/simulate.h"
#include "api/simulate_report.h"
#include "files.h"
#include "threads.h"
#include "truth/gzip_bytes.h"
#include "units/text.h"

namespace fareline::cli {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t checkpoint_bytes = std::size_t{1} << 32;

std::sig_atomic_t volatile stop = 0;
timespec volatile stopped_at{};
void interrupt(int) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  // A second one ends it at once; what comes within the second is the first, sent to the program and to its group.
  if (stop != 0 && now.tv_sec > stopped_at.tv_sec + 1) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  } else if (stop == 0) {
    stopped_at.tv_sec = now.tv_sec;
    stop = 1;
  }
}

class FileBytes : public ByteSource {
 public:
  explicit FileBytes(std::FILE* file) : file_(file), piece_(1u << 17, '\0') {}
  ~FileBytes() override { std::fclose(file_); }
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  Expected<std::string_view> next() override {
    const std::size_t size = std::fread(piece_.data(), 1, piece_.size(), file_);
    if (size == 0 && std::ferror(file_)) return fail({}, "cannot be read on", "check the disk");
    return std::string_view(piece_).substr(0, size);
  }

 private:
  std::FILE* file_;
  std::string piece_;
};

// The files of a report that grow with the run; they get their names once all is written.
struct Streams {
  StreamedFile requests, trace;
  RequestLog log{[this](std::string_view text) { requests.write(text); }};
  ChromeTrace chrome{[this](std::string_view text) { trace.write(text); }};
  SlowestRequest slowest;
  Observers all;
  explicit Streams(const std::filesystem::path& folder)
      : requests((folder / "requests.csv").string()), trace((folder / "trace.json").string()) {
    for (Observer* one : std::initializer_list<Observer*>{&log, &chrome, &slowest}) all.add(one);
  }
};

class Machine : public Surroundings {
 public:
  Machine(const SimulateArguments& arguments, double requests) : arguments_(arguments), requests_(requests), begin_(Clock::now()) {}

  Expected<std::unique_ptr<ByteSource>> open(const std::string& path) override {
    std::error_code code;
    const auto status = std::filesystem::status(path, code);
    if (code || !std::filesystem::exists(status)) return fail(path, "there is no such file", "give the path of an existing file");
    if (std::filesystem::is_directory(status)) return fail(path, "is a folder", "give the path of a file");
    if (!std::filesystem::is_regular_file(status)) return fail(path, "is no file that can be read twice", "save the trace as a file first");
    std::FILE* file = std::fopen(path.c_str(), "rb");
    if (!file) return fail(path, "cannot be read", "check its permissions");
    return inflated(std::make_unique<FileBytes>(file));
  }

  bool go_on(const Totals& totals, const Save& save) override {
    const std::lock_guard lock(mutex_);
    const Clock::time_point now = Clock::now();
    if (!save) {  // one run of a search
      if (now - begin_ > quiet_ && now - told_ > every_) {
        told_ = now;
        std::fprintf(stderr, "fareline: searching for the load at which the limits break, %.0f s\n", seconds(now));
      }
      return stop == 0;
    }
    const bool stopping = stop != 0;
    if (!arguments_.checkpoint.empty() && (stopping || now - saved_ > std::chrono::seconds(60))) {
      saved_ = Clock::now();
      const auto bytes = save();
      const auto written = bytes ? write_file(arguments_.checkpoint, *bytes) : Expected<void>(std::unexpected(bytes.error()));
      if (!written) {
        error_ = written.error();
        return false;
      }
    }
    if (now - begin_ > quiet_ && now - told_ > every_) {
      told_ = now;
      tell(totals, seconds(now));
    }
    return !stopping;
  }

  Observer* observer() override { return streams ? &streams->all : nullptr; }
  std::string_view checkpoint() const override { return resumed; }

  Expected<void> over(const Scenario&, const Simulated& run) override {
    wall = seconds(Clock::now());
    if (told_ > begin_) tell(run.totals, wall);
    if (error_) return std::unexpected(*error_);
    if (streams) tables = report_tables(run);
    return {};
  }

  // What comes next is dealt out as threads come free; what is found does not depend on who finds it.
  void each(std::size_t count, const std::function<void(std::size_t)>& one) override {
    Threads(arguments_.threads).run(count, one);
  }

  std::unique_ptr<Streams> streams;
  std::string resumed;
  std::vector<std::pair<std::string, std::string>> tables;
  double wall = 0;  // of the run asked for, without a search

 private:
  double seconds(Clock::time_point now) const { return std::chrono::duration<double>(now - begin_).count(); }
  void tell(const Totals& totals, double passed) const {
    const double requests = static_cast<double>(totals.requests);
    const std::string share = requests_ > 0 ? fmt::format(" ({:.0f}%)", 100 * requests / requests_) : std::string();
    std::fprintf(stderr, "fareline: %s requests%s, %s of the fleet's time, in %.0f s\n", number_text(requests, 10).c_str(), share.c_str(),
                 to_text(totals.now, 3).c_str(), passed);
  }

  static constexpr auto quiet_ = std::chrono::seconds(3), every_ = std::chrono::seconds(3);
  const SimulateArguments& arguments_;
  double requests_;
  Clock::time_point begin_, told_ = begin_, saved_ = begin_;
  std::mutex mutex_;
  std::optional<Error> error_;
};

Expected<void> write_report(const std::string& folder, Machine& machine, const Json& answered) {
  Streams& streams = *machine.streams;
  streams.chrome.end();
  for (StreamedFile* file : {&streams.requests, &streams.trace})
    if (const auto kept = file->keep(); !kept) return kept;
  std::vector<std::pair<std::string, std::string>> files = machine.tables;
  if (std::string svg = streams.slowest.svg(); !svg.empty()) files.emplace_back("slowest-request.svg", std::move(svg));
  constexpr std::array<std::pair<std::string_view, const char*>, 4> names{{{"Requests over time", "requests.svg"},
                                                                           {"KV pages over time", "kv.svg"},
                                                                           {"How long requests waited for tokens", "times.svg"},
                                                                           {"Latency against load", "load.svg"}}};
  const Json& figures = answered["answer"]["figures"];
  for (const Json& figure : figures)
    for (const auto& [title, file] : names) {
      if (figure["title"] != title) continue;
      const auto svg = plot_figures({{"question", "simulate"}, {"answer", {{"figures", Json::array({figure})}}}});
      if (!svg) return std::unexpected(svg.error());
      files.emplace_back(file, *svg);
    }
  files.emplace_back("answer.json", answered.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  for (const auto& [name, text] : files)
    if (const auto written = write_file((std::filesystem::path(folder) / name).string(), text); !written) return written;
  return {};
}

}  // namespace

void add_simulate_options(CLI::App& command, SimulateArguments& arguments) {
  command
      .add_option(
          "--report", arguments.report,
          "a folder; percentiles, time series and every request as CSV, pictures as SVG, and a trace for Perfetto are written there")
      ->type_name("DIR");
  command.add_option("--checkpoint", arguments.checkpoint, "write the run's state here every minute, and when it is interrupted (Ctrl-C)")
      ->type_name("FILE");
  command.add_option("--resume", arguments.resume, "go on from a checkpoint; give the inputs the run was started with")->type_name("FILE");
  command.add_option("--threads", arguments.threads, "runs at once where the load is searched; the answer does not depend on it")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
}

Expected<Json> simulate(const Json& asked, const Catalogue& catalogue, const SimulateArguments& arguments, bool& interrupted) {
  double requests = 0;
  if (const Json& given = asked["inputs"]; given.contains("requests") && given["requests"].is_string())
    if (const auto count = parse_count(given["requests"].get<std::string>())) requests = static_cast<double>(*count);
  Machine machine(arguments, requests);
  if (!arguments.resume.empty()) {
    auto bytes = read_file(arguments.resume, checkpoint_bytes);
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->empty()) return fail(arguments.resume, "is empty", "give a checkpoint");
    machine.resumed = std::move(*bytes);
  }
  stop = 0;
  const auto before = std::signal(SIGINT, interrupt);
  if (!arguments.report.empty()) {
    std::error_code code;
    std::filesystem::create_directories(arguments.report, code);
    machine.streams = std::make_unique<Streams>(arguments.report);
    for (const StreamedFile* file : {&machine.streams->requests, &machine.streams->trace})
      if (const auto opened = file->opened(); !opened) return std::unexpected(opened.error());
  }
  auto answered = ask_simulation(asked, catalogue, machine);
  std::signal(SIGINT, before);
  interrupted = stop != 0;
  if (!answered) return answered;
  if (answered->contains("run")) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    (*answered)["run"]["wall"] = {{"value", machine.wall}, {"unit", "s"}};
    (*answered)["run"]["peak_memory"] = {{"value", static_cast<double>(usage.ru_maxrss) * 1024}, {"unit", "B"}};
  }
  if (machine.streams && answered->contains("run"))
    if (const auto written = write_report(arguments.report, machine, *answered); !written) return std::unexpected(written.error());
  return answered;
}

}  // namespace fareline::cli
