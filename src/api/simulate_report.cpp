// SPDX-License-Identifier: Apache-2.0
#include "api/simulate_report.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "plot/grid.h"
#include "plot/table.h"
#include "plot/timeline.h"
#include "units/text.h"

namespace fareline {
namespace {

constexpr std::array<std::string_view, outcome_count> outcome_names{"answered",  "empty",       "too_long",
                                                                    "duplicate", "turned_away", "malformed"};

double seconds(Seconds t) { return t.in(unit::s); }

}  // namespace

RequestLog::RequestLog(Sink sink) : sink_(std::move(sink)) {
  sink_("id,session,priority,outcome,arrival (s),start (s),first_token (s),finish (s),ttft (s),tpot (s),e2e (s),prompt,cached,output,"
        "preemptions,restarts,replica,decode_replica\r\n");
}

void RequestLog::finished(const Finished& r) {
  fmt::basic_memory_buffer<char, 512> line;
  const auto outcome = outcome_names[static_cast<std::size_t>(r.outcome)];
  fmt::format_to(std::back_inserter(line), "{},{},{},{},{},{},{},{},", r.id, r.session, r.priority, outcome, seconds(r.arrival),
                 seconds(r.start), seconds(r.first_token), seconds(r.finish));
  if (r.outcome == Outcome::answered) {
    fmt::format_to(std::back_inserter(line), "{},", seconds(r.first_token - r.arrival));
    if (r.output > 1) fmt::format_to(std::back_inserter(line), "{}", seconds(r.finish - r.first_token) / static_cast<double>(r.output - 1));
    fmt::format_to(std::back_inserter(line), ",{},", seconds(r.finish - r.arrival));
  } else {
    fmt::format_to(std::back_inserter(line), ",,,");
  }
  fmt::format_to(std::back_inserter(line), "{},{},{},{},{},{},{}\r\n", r.prompt, r.cached, r.output, r.preemptions, r.restarts, r.replica,
                 r.decode_replica);
  sink_({line.data(), line.size()});
}

ChromeTrace::ChromeTrace(Sink sink) : sink_(std::move(sink)) { sink_("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"); }

void ChromeTrace::event(std::string_view text) {
  if (written_++ > 0) sink_(",\n");
  sink_(text);
}

void ChromeTrace::name(int replica) {
  const auto place = static_cast<std::size_t>(replica);
  if (place >= named_.size()) named_.resize(place + 1);
  if (named_[place]) return;
  named_[place] = true;
  event(fmt::format(R"({{"name":"process_name","ph":"M","pid":{0},"ts":0,"args":{{"name":"replica {0}"}}}})", replica));
  event(fmt::format(R"({{"name":"thread_name","ph":"M","pid":{},"tid":1,"ts":0,"args":{{"name":"steps"}}}})", replica));
}

void ChromeTrace::finished(const Finished& r) {
  if (full() || r.outcome != Outcome::answered) return;
  name(r.replica);
  const auto span = [&](std::string_view name, Seconds from, Seconds to, int replica, std::string_view more) {
    event(fmt::format(R"({{"name":"{}","cat":"request","ph":"b","id":{},"pid":{},"tid":0,"ts":{}{}}})", name, r.id, replica,
                      from.in(unit::us), more));
    event(
        fmt::format(R"({{"name":"{}","cat":"request","ph":"e","id":{},"pid":{},"tid":0,"ts":{}}})", name, r.id, replica, to.in(unit::us)));
  };
  span(fmt::format("request {}", r.id), r.arrival, r.finish, r.replica,
       fmt::format(R"(,"args":{{"prompt":{},"cached":{},"output":{},"preemptions":{}}})", r.prompt, r.cached, r.output, r.preemptions));
  span("waits", r.arrival, r.start, r.replica, "");
  span("reads its prompt", r.start, r.first_token, r.replica, "");
  if (r.finish > r.first_token) span("answers", r.first_token, r.finish, r.replica, "");
}

void ChromeTrace::changed(const ReplicaState& s) {
  if (full()) return;
  name(s.replica);
  event(fmt::format(R"({{"name":"requests","ph":"C","pid":{},"ts":{},"args":{{"waiting":{},"running":{}}}}})", s.replica, s.at.in(unit::us),
                    s.waiting, s.prefilling + s.decoding));
  event(fmt::format(R"({{"name":"KV pages","ph":"C","pid":{},"ts":{},"args":{{"used":{},"cached":{}}}}})", s.replica, s.at.in(unit::us),
                    s.pages_used, s.pages_cached));
}

void ChromeTrace::stepped(const StepRun& r) {
  if (full()) return;
  name(r.replica);
  event(
      fmt::format(R"({{"name":"{}","cat":"step","ph":"X","pid":{},"tid":1,"ts":{},"dur":{},"args":{{"steps":{},"decoding":{},"prompts":{},)"
                  R"("prompt_tokens":{}}}}})",
                  r.prefill_tokens > 0 ? "with prompts" : "decode", r.replica, r.begin.in(unit::us), (r.end - r.begin).in(unit::us),
                  r.steps, r.decoding, r.prefill_chunks, r.prefill_tokens));
}

void ChromeTrace::end() { sink_("\n]}\n"); }

void SlowestRequest::stepped(const StepRun& run) {
  recent_.push_back(run);
  if (recent_.size() > most_steps) recent_.pop_front();
  // The steps right after its first token belong to the picture too.
  if (any_ && run.replica == slowest_.replica && steps_.size() < 2 * most_steps && !steps_.empty() && run.begin >= steps_.back().end &&
      run.begin < slowest_.first_token + (slowest_.first_token - slowest_.arrival) / 4)
    steps_.push_back(run);
}

void SlowestRequest::finished(const Finished& r) {
  if (r.outcome != Outcome::answered || (any_ && r.first_token - r.arrival <= slowest_.first_token - slowest_.arrival)) return;
  any_ = true;
  slowest_ = r;
  steps_.clear();
  for (const StepRun& run : recent_)
    if (run.replica == r.replica && run.end > r.arrival) steps_.push_back(run);
}

std::string SlowestRequest::svg() const {
  if (!any_) return {};
  const Finished& r = slowest_;
  const Seconds shown = min(r.finish, r.first_token + (r.first_token - r.arrival) / 4);
  plot::Timeline picture{
      .title = fmt::format("Request {}, which waited longest for its first token", r.id),
      .subtitle = fmt::format("{} prompt tokens ({} cached), {} of output; first token after {}", r.prompt, r.cached, r.output,
                              to_text(r.first_token - r.arrival, 3)),
      .description = "What the request waited for, and the steps its replica took meanwhile, since its arrival.",
      .time = {.label = "since its arrival", .unit = plot::fitting_unit(Seconds::dim, (shown - r.arrival).coherent())},
      .rows = {"the request", fmt::format("replica {}", r.replica)}};
  const auto slot = [&](std::size_t row, Seconds from, Seconds to, std::string kind) {
    from = max(from, r.arrival), to = min(to, shown);
    if (to > from) picture.slots.push_back({.row = row, .start = from - r.arrival, .end = to - r.arrival, .kind = std::move(kind)});
  };
  slot(0, r.arrival, r.start, "waits");
  slot(0, r.start, r.first_token, "its prompt is read");
  slot(0, r.first_token, shown, "answers");
  // Steps of a kind in a row are one slot.
  for (std::size_t i = 0; i < steps_.size();) {
    const bool prompts = steps_[i].prefill_tokens > 0;
    std::size_t k = i + 1;
    while (k < steps_.size() && (steps_[k].prefill_tokens > 0) == prompts && steps_[k].begin <= steps_[k - 1].end) ++k;
    slot(1, steps_[i].begin, steps_[k - 1].end, prompts ? "steps with prompts" : "steps that decode");
    i = k;
  }
  const auto drawn = plot::svg(picture);
  return drawn ? *drawn : std::string();
}

std::vector<std::pair<std::string, std::string>> report_tables(const Simulated& run) {
  const Measures& m = run.measures;
  constexpr std::array<double, 13> ranks{0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};
  const std::array<std::pair<const char*, const DurationSketch*>, 5> sketches{
      {{"ttft", &m.ttft.sketch}, {"tpot", &m.tpot.sketch}, {"itl", &m.itl}, {"e2e", &m.e2e.sketch}, {"waiting", &m.waiting.sketch}}};
  const plot::Unit s = plot::unit_of("s", 1 * unit::s);
  std::vector<std::string> names;
  std::vector<double> counts;
  std::vector<Seconds> means;
  std::array<std::vector<Seconds>, ranks.size()> at;
  for (const auto& [name, sketch] : sketches) {
    names.emplace_back(name);
    counts.push_back(static_cast<double>(sketch->count()));
    means.push_back(sketch->mean());
    for (std::size_t i = 0; i < ranks.size(); ++i) at[i].push_back(sketch->percentile(ranks[i]));
  }
  plot::Table percentiles{.columns = {plot::text_column("time", std::move(names)),
                                      plot::number_column("count", {}, plot::Values(std::move(counts))),
                                      plot::number_column("mean", s, plot::Values(means))}};
  for (std::size_t i = 0; i < ranks.size(); ++i)
    percentiles.columns.push_back(plot::number_column(fmt::format("p{}", 100 * ranks[i]), s, plot::Values(at[i])));

  std::vector<Seconds> from;
  std::vector<double> waiting, running, used, cached, up, finished, prompt, output;
  for (std::size_t i = 0; i < m.series.stretches().size(); ++i) {
    const Stretch& x = m.series.stretches()[i];
    if (!(x.covered > Seconds{})) continue;
    from.push_back(static_cast<double>(i) * m.series.length());
    waiting.push_back(x.waiting / x.covered), running.push_back(x.running / x.covered), up.push_back(x.up / x.covered);
    used.push_back(x.pages > 0 ? x.used / x.pages : 0), cached.push_back(x.pages > 0 ? x.cached / x.pages : 0);
    finished.push_back(static_cast<double>(x.finished));
    prompt.push_back(static_cast<double>(x.prompt_tokens)), output.push_back(static_cast<double>(x.output_tokens));
  }
  plot::Table series{.columns = {plot::number_column("from", s, plot::Values(from))}};
  for (auto& [name, values] : std::initializer_list<std::pair<const char*, std::vector<double>&>>{{"waiting", waiting},
                                                                                                  {"running", running},
                                                                                                  {"kv_used", used},
                                                                                                  {"kv_cached", cached},
                                                                                                  {"replicas_up", up},
                                                                                                  {"finished", finished},
                                                                                                  {"prompt_tokens", prompt},
                                                                                                  {"output_tokens", output}})
    series.columns.push_back(plot::number_column(name, {}, plot::Values(std::move(values))));
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& [name, table] : {std::pair<const char*, const plot::Table&>{"percentiles.csv", percentiles}, {"series.csv", series}}) {
    const auto text = plot::csv(table);
    FARELINE_CHECK(text.has_value());
    files.emplace_back(name, *text);
  }
  return files;
}

}  // namespace fareline
