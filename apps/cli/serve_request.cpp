// SPDX-License-Identifier: Apache-2.0
#include "serve_request.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "api/json_text.h"
#include "api/schema.h"
#include "serve_page.h"

namespace fareline::cli {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr std::string_view json_type = "application/json", html_type = "text/html; charset=utf-8",
                           metrics_type = "text/plain; version=0.0.4; charset=utf-8";

std::string line(const Json& json) { return json_text(json) + "\n"; }

// Everything of the catalogue by kind, each as the question "list" answers it.
std::string listing(const Catalogue& catalogue) {
  Json all = Json::object();
  for (const char* kind : {"models", "chips", "systems", "prices", "calibrations", "questions"}) {
    const auto answer = fareline::ask({{"question", "list"}, {"inputs", {{"kind", kind}}}}, catalogue);
    if (answer) all[kind] = (*answer)["answer"];
  }
  return line(all);
}

}  // namespace

Reply refusal(unsigned status, const Error& error) { return {status, json_type, text_of(std::unexpected(error)) + "\n", {}}; }

Service::Service(const Catalogue& catalogue, ServeLimits limits)
    : catalogue_(catalogue),
      limits_(limits),
      schema_(line(openapi_schema())),
      listing_(listing(catalogue)),
      counts_(std::make_unique<Counts[]>(questions().size() + 1)) {}

void Service::count(unsigned status) { statuses_[std::min<std::size_t>(status, statuses_.size() - 1)] += 1; }

Service::Told Service::told(const Json& question, const Watch& watch) {
  const auto begun = Clock::now(), end = begun + limits_.question;
  bool late = false, left = false;
  const auto answer = ask_watched(question, catalogue_, [&](double done) {
    late = late || Clock::now() > end;
    left = left || (watch && !watch(done));
    return !late && !left;
  });
  Told told{.text = {}, .outcome = answer ? Outcome::answered : Outcome::refused};
  if (late || left) {
    told.outcome = Outcome::stopped;
    told.text = text_of(std::unexpected(Error{"question", fmt::format("took longer than {} s", limits_.question.count()),
                                              "ask for less, or have the service started with more --seconds"}));
  } else {
    told.text = text_of(answer);
  }
  std::size_t row = questions().size();
  if (question.is_object() && question.contains("question") && question["question"].is_string())
    if (const Question* known = question_named(question["question"].get<std::string>()))
      row = static_cast<std::size_t>(known - questions().data());
  Counts& counts = counts_[row];
  const auto took = Clock::now() - begun;
  const double seconds = std::chrono::duration<double>(took).count();
  counts.outcomes[static_cast<std::size_t>(told.outcome)] += 1;
  counts.times[static_cast<std::size_t>(std::lower_bound(Counts::bounds.begin(), Counts::bounds.end(), seconds) -
                                        Counts::bounds.begin())] += 1;
  counts.nanoseconds += static_cast<std::uint64_t>(std::chrono::nanoseconds(took).count());
  return told;
}

Reply Service::ask(std::string_view body, const Watch& there) {
  const auto document = read_document("question", body);
  if (!document) return refusal(400, document.error());
  if (!document->is_array()) {
    Told answer = told(*document, there);
    const unsigned status = answer.outcome == Outcome::answered ? 200 : answer.outcome == Outcome::refused ? 400 : 504;
    return {status, json_type, std::move(answer.text) + "\n", {}};
  }
  if (document->size() > limits_.questions)
    return refusal(413, {"question", fmt::format("there are {} of them", document->size()),
                         fmt::format("ask at most {} in one request", limits_.questions)});
  std::string all = "[";
  bool left = false;
  const Watch watch = [&](double done) { return !(left = left || (there && !there(done))); };
  for (const Json& question : *document) {
    if (!watch(0)) break;
    all += (all.size() == 1 ? "" : ",") + told(question, watch).text;
  }
  return {200, json_type, all + "]\n", {}};
}

Reply Service::reply(std::string_view method, std::string_view target, std::string_view body, const Watch& there) {
  struct Route {
    std::string_view path, method;
  };
  static constexpr Route routes[] = {
      {"/", "GET"}, {"/v1/ask", "POST"}, {"/v1/catalogue", "GET"}, {"/v1/schema", "GET"}, {"/metrics", "GET"}};
  const std::string_view path = target.substr(0, target.find('?'));
  const auto route = std::find_if(std::begin(routes), std::end(routes), [&](const Route& r) { return r.path == path; });
  if (route == std::end(routes))
    return refusal(404, {in_quotes(path), "is nothing here", "see /, /v1/ask, /v1/catalogue, /v1/schema and /metrics"});
  const bool head = method == "HEAD" && route->method == "GET";
  if (method != route->method && !head) {
    Reply wrong = refusal(405, {in_quotes(method), fmt::format("is no way to ask for {}", route->path),
                                fmt::format("send {} {}", route->method, route->path)});
    wrong.allow = route->method == "GET" ? "GET, HEAD" : route->method;
    return wrong;
  }
  if (path == "/v1/ask") return ask(body, there);
  if (path == "/v1/catalogue") return {200, json_type, listing_, {}};
  if (path == "/v1/schema") return {200, json_type, schema_, {}};
  if (path == "/metrics") return {200, metrics_type, metrics(), {}};
  return {200, html_type, std::string(index_page), {}};
}

bool Service::is_streamed(std::string_view method, std::string_view target, std::string_view accept) {
  return method == "POST" && target.substr(0, target.find('?')) == "/v1/ask" && accept.find("text/event-stream") != std::string_view::npos;
}

std::string Service::progress_event(double done) { return fmt::format("event: progress\ndata: {{\"done\":{:.4f}}}\n\n", done); }

std::string Service::last_event(std::string_view body, const Watch& watch) {
  const auto event = [](bool answered, const std::string& text) {
    return fmt::format("event: {}\ndata: {}\n\n", answered ? "answer" : "error", text);
  };
  const auto document = read_document("question", body);
  if (!document) return event(false, text_of(std::unexpected(document.error())));
  const Told answer = told(*document, watch);
  return event(answer.outcome == Outcome::answered, answer.text);
}

std::string Service::metrics() const {
  std::string out;
  const auto name_of = [](std::size_t row) { return row < questions().size() ? questions()[row].name : std::string_view("unknown"); };
  out += "# HELP fareline_questions_total Questions by name and outcome.\n# TYPE fareline_questions_total counter\n";
  for (std::size_t row = 0; row <= questions().size(); ++row)
    for (const auto& [outcome, name] :
         {std::pair{Outcome::answered, "answered"}, {Outcome::refused, "refused"}, {Outcome::stopped, "stopped"}})
      out += fmt::format("fareline_questions_total{{question=\"{}\",outcome=\"{}\"}} {}\n", name_of(row), name,
                         counts_[row].outcomes[static_cast<std::size_t>(outcome)].load());
  out += "# HELP fareline_question_seconds Time from a question read to its answer written as text.\n"
         "# TYPE fareline_question_seconds histogram\n";
  for (std::size_t row = 0; row <= questions().size(); ++row) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < Counts::bounds.size(); ++i) {
      below += counts_[row].times[i];
      out += fmt::format("fareline_question_seconds_bucket{{question=\"{}\",le=\"{}\"}} {}\n", name_of(row), Counts::bounds[i], below);
    }
    below += counts_[row].times.back();
    out += fmt::format("fareline_question_seconds_bucket{{question=\"{0}\",le=\"+Inf\"}} {1}\n"
                       "fareline_question_seconds_sum{{question=\"{0}\"}} {2}\nfareline_question_seconds_count{{question=\"{0}\"}} {1}\n",
                       name_of(row), below, 1e-9 * static_cast<double>(counts_[row].nanoseconds.load()));
  }
  out += "# HELP fareline_replies_total Replies by status.\n# TYPE fareline_replies_total counter\n";
  for (std::size_t status = 0; status < statuses_.size(); ++status)
    if (const std::uint64_t replies = statuses_[status])
      out += fmt::format("fareline_replies_total{{status=\"{}\"}} {}\n", status, replies);
  out += fmt::format("# HELP fareline_connections Connections open now.\n# TYPE fareline_connections gauge\nfareline_connections {}\n"
                     "# HELP fareline_refused_connections_total Connections beyond the limit.\n"
                     "# TYPE fareline_refused_connections_total counter\nfareline_refused_connections_total {}\n",
                     connections.load(), refused_connections.load());
  return out;
}

}  // namespace fareline::cli
