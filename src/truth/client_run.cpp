// SPDX-License-Identifier: Apache-2.0
#include "truth/client_run.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <queue>
#include <vector>

namespace fareline {
namespace {

struct Request {
  double prompt = 0, output = 0;   // tokens
  double filled = 0;               // of the prompt
  double sent = 0, first = 0, last = 0;  // seconds
};

struct Ending {
  double step;                     // decode steps done when it ends
  std::size_t request;
  friend bool operator>(const Ending& a, const Ending& b) { return a.step != b.step ? a.step > b.step : a.request > b.request; }
};
struct Arrival {
  double time;
  std::size_t request;
  friend bool operator>(const Arrival& a, const Arrival& b) { return a.time != b.time ? a.time > b.time : a.request > b.request; }
};
template <class T>
using Earliest = std::priority_queue<T, std::vector<T>, std::greater<T>>;

struct Run {
  const CompiledPlan& plan;
  double limit;
  const Workload& workload;
  const Speculation& speculation;
  const Scheduling& scheduling;
  const Client& client;
  const PrefillPool& pool;

  std::vector<Request> requests;
  std::size_t issued = 0, answered = 0;
  double now = 0;
  std::deque<std::size_t> waiting;         // prompts the engine has seen
  Earliest<Arrival> arriving;              // and has not
  Earliest<Ending> decoding;
  double steps = 0;                        // decode steps done
  double context = 0;                      // of all decoding sequences, were they at step 0
  double polled = 0;                       // decode steps at the last look
  int waited = 0, unbalanced = 0;
  std::deque<std::size_t> sent;            // prompts that no replica of the prefill pool has taken up
  std::vector<double> free;                // when each of its replicas is

  int groups() const { return plan.plan().dp; }
  double drafted() const { return 1 + speculation.draft; }

  void issue() {
    if (issued >= requests.size()) return;
    constexpr double g = 0.7548776662466927, g2 = g * g;
    Request& r = requests[issued];
    const double a = std::fmod((static_cast<double>(issued) + 0.5) * g, 1.0), b = std::fmod((static_cast<double>(issued) + 0.5) * g2, 1.0);
    const Lengths &p = workload.prompt, &o = workload.output;
    r.prompt = std::max(1.0, p.longest * (p.shortest + (1 - p.shortest) * a) * (1 - workload.cached));
    r.output = std::max(1.0, o.longest * (o.shortest + (1 - o.shortest) * b));
    r.sent = now;
    if (pool.plan) sent.push_back(issued++);
    else arriving.push({now, issued++});
  }

  // When the prefill pool takes up its next prompts.
  double next_start() const {
    constexpr double never = 1e300;
    return sent.empty() ? never : std::max(*std::min_element(free.begin(), free.end()), requests[sent.front()].sent);
  }

  // Lets the pool apart take up what it does by `until`: each replica a pass at a time, as many prompts as fill one, first come first.
  void prefill(double until) {
    for (double start = next_start(); start <= until; start = next_start()) {
      double room = pool.plan->plan().dp * static_cast<double>(pool.plan->plan().token_budget), tokens = 0;
      std::vector<std::size_t> taken;
      for (; !sent.empty() && requests[sent.front()].sent <= start; sent.pop_front()) {
        const Request& r = requests[sent.front()];
        if (static_cast<double>(taken.size()) >= pool.plan->plan().dp && r.prompt > room) break;
        room -= r.prompt;
        tokens += r.prompt;
        taken.push_back(sent.front());
      }
      const auto prompts = static_cast<double>(taken.size());
      const double pass = pool.plan->estimate({.prefill_sequences = prompts, .prefill_tokens = tokens / prompts}).time.in(unit::s);
      for (const std::size_t i : taken) {
        requests[i].filled = requests[i].prompt;
        arriving.push({start + pass + pool.transfer.in(unit::s), i});
      }
      // A replica that several decode replicas share is taken up by the others' prompts in between.
      *std::min_element(free.begin(), free.end()) = start + pass * std::max(static_cast<double>(free.size()) / pool.servers, 1.0);
    }
  }

  double stride(double n) {
    const double sequences = static_cast<double>(decoding.size());
    const double mean = (context + sequences * (steps + n / 2) * speculation.yield) / sequences;
    const Pass pass{.decode_sequences = sequences, .decode_context = mean, .tokens_per_sequence = drafted()};
    double time = plan.estimate(pass).time.in(unit::s);
    if (speculation.by_mtp && speculation.draft > 0) time += speculation.draft * plan.draft(pass).stage_time.in(unit::s);
    return time;
  }

  void start(std::size_t i) {
    Request& r = requests[i];
    const double left = (r.output - 1) / speculation.yield;
    decoding.push({steps + std::max(0.0, left), i});
    context += r.prompt - steps * speculation.yield;
  }

  void finish() {
    while (!decoding.empty() && decoding.top().step <= steps + 1e-9) {
      const Ending e = decoding.top();
      decoding.pop();
      Request& r = requests[e.request];
      context -= r.prompt - (e.step - std::max(0.0, (r.output - 1) / speculation.yield)) * speculation.yield;
      r.last = now;
      ++answered;
      issue();
    }
  }

  // What has arrived and fits, looked at every poll_steps decode steps.
  void look() {
    if (scheduling.poll_steps > 1 && !decoding.empty()) {
      const double since = std::fmod(steps - polled, scheduling.poll_steps);
      polled = steps - since;
      if (since > 1e-9) return;
    }
    polled = steps;
    while (!arriving.empty() && arriving.top().time <= now) {
      waiting.push_back(arriving.top().request);
      arriving.pop();
    }
  }

  bool prompts_wait() {
    if (waiting.empty() || decoding.empty()) return waiting.empty();
    const double here = std::min(static_cast<double>(waiting.size()), std::max(0.0, limit - static_cast<double>(decoding.size())));
    if (here < 1) return true;
    if (scheduling.wait_steps > 0) {
      double tokens = static_cast<double>(decoding.size()) * drafted() / groups();
      for (std::size_t k = 0; k < waiting.size() && static_cast<double>(k) < here; ++k) tokens += requests[waiting[k]].prompt / groups();
      if (waited < scheduling.wait_steps && tokens < scheduling.wait_fill * plan.plan().token_budget) return ++waited, true;
      waited = 0;
    }
    if (scheduling.balance_steps > 0 && groups() > 1) {
      if (unbalanced < scheduling.balance_steps && here < groups()) return ++unbalanced, true;
      unbalanced = 0;
    }
    return false;
  }

  // One step with prompts in it.
  void prompt_step() {
    const double sequences = scheduling.prompts_alone ? 0 : static_cast<double>(decoding.size());
    double room = groups() * static_cast<double>(plan.plan().token_budget) - sequences * drafted();
    double places = limit - static_cast<double>(decoding.size()), tokens = 0, before = 0;
    std::vector<std::size_t> done;
    int prompts = 0;
    std::size_t taken = 0;
    for (; taken < waiting.size() && places >= 1; ++taken) {
      Request& r = requests[waiting[taken]];
      const double left = r.prompt - r.filled;
      if (scheduling.whole_prompts && prompts > 0 && left > room) break;
      const double now_done = scheduling.whole_prompts ? left : std::min(left, std::max(room, 0.0));
      if (now_done <= 0 && prompts > 0) break;
      const double step = std::max(now_done, 1.0);
      before += r.filled;
      r.filled = std::min(r.prompt, r.filled + step);
      room -= step;
      tokens += step;
      ++prompts;
      --places;
      if (r.filled < r.prompt) break;  // the step is full
      done.push_back(waiting[taken]);
    }
    for (std::size_t k = 0; k < done.size(); ++k) waiting.pop_front();
    Pass pass{.prefill_sequences = static_cast<double>(prompts), .prefill_tokens = tokens / prompts, .prefill_context = before / prompts};
    if (sequences > 0) {
      pass.decode_sequences = sequences;
      pass.decode_context = (context + sequences * steps * speculation.yield) / sequences;
      pass.tokens_per_sequence = drafted();
    }
    now += plan.estimate(pass).time.in(unit::s);
    if (sequences > 0) {
      steps += 1;
      finish();
    }
    for (const std::size_t i : done) {
      requests[i].first = now;
      start(i);
    }
    finish();  // answers of one token
    polled = steps;
  }

  void decode_steps() {
    double n = std::max(1.0, std::ceil(decoding.top().step - steps - 1e-9));
    if (scheduling.poll_steps > 1 && !arriving.empty())
      n = std::min(n, std::max(1.0, std::ceil(polled + scheduling.poll_steps - steps - 1e-9)));
    const bool may_wait = scheduling.wait_steps > 0 || scheduling.balance_steps > 0;
    if (!waiting.empty() && may_wait && static_cast<double>(decoding.size()) + 1 <= limit) {
      const double most = std::max(scheduling.wait_steps > 0 ? scheduling.wait_steps - waited : 0,
                                   scheduling.balance_steps > 0 && groups() > 1 ? scheduling.balance_steps - unbalanced : 0);
      n = std::clamp(most + 1, 1.0, n);
      if (waited > 0) waited += static_cast<int>(n) - 1;
      if (unbalanced > 0) unbalanced += static_cast<int>(n) - 1;
    }
    double time = stride(n);
    if (pool.plan) {  // a prompt done elsewhere joins at the next step
      const double event = std::min(arriving.empty() ? next_start() : arriving.top().time, next_start());
      const double until = std::max(1.0, std::ceil((event - now) / time));
      if (until < n) time = stride(n = until);
    }
    now += n * time;
    steps += n;
    finish();
  }

  // Prompts done elsewhere: their first token comes with the step they join.
  void join() {
    while (!arriving.empty() && arriving.top().time <= now && static_cast<double>(decoding.size()) + 1 <= std::max(limit, 1.0)) {
      const std::size_t i = arriving.top().request;
      arriving.pop();
      requests[i].first = now;
      start(i);
    }
    finish();
  }

  void go() {
    const auto total = static_cast<std::size_t>(std::max(1.0, std::round(client.users * client.waves)));
    requests.resize(total);
    if (pool.plan) free.resize(static_cast<std::size_t>(std::max(1.0, std::floor(pool.servers))));
    for (double u = 0; u < client.users; ++u) issue();
    while (answered < total) {
      if (pool.plan) {
        prefill(now);
        if (decoding.empty()) {
          if (arriving.empty()) prefill(now = next_start());
          prefill(arriving.top().time);
          now = std::max(now, arriving.top().time);
        }
        join();
        if (!decoding.empty()) decode_steps();
        continue;
      }
      look();
      if (!prompts_wait()) prompt_step();
      else if (!decoding.empty()) decode_steps();
    }
  }
};

double middle(std::vector<double>& values) {
  const std::size_t half = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(half), values.end());
  if (values.size() % 2 == 1) return values[half];
  const double above = values[half];
  return 0.5 * (above + *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(half)));
}

}  // namespace

ClientRun client_run(const CompiledPlan& plan, double limit, const Workload& workload, const Speculation& speculation,
                     const Scheduling& scheduling, const Client& client, const PrefillPool& prefill) {
  Run run{.plan = plan, .limit = std::max(limit, 1.0), .workload = workload, .speculation = speculation, .scheduling = scheduling,
          .client = client, .pool = prefill};
  run.go();
  std::vector<double> ttft, tpot;
  double ttft_sum = 0, tpot_sum = 0;
  for (const Request& r : run.requests) {
    ttft.push_back(r.first - r.sent);
    ttft_sum += ttft.back();
    if (r.output <= 1) continue;
    tpot.push_back((r.last - r.first) / (r.output - 1));
    tpot_sum += tpot.back();
  }
  const auto n = static_cast<double>(ttft.size());
  const Seconds prompt = plan.engine().prompt;
  ClientRun result{.ttft_mean = ttft_sum / n * unit::s + prompt, .ttft_median = middle(ttft) * unit::s + prompt};
  if (!tpot.empty()) {
    result.tpot_mean = tpot_sum / static_cast<double>(tpot.size()) * unit::s;
    result.tpot_median = middle(tpot) * unit::s;
  }
  // Every request also spends `prompt` outside the engine, where its user waits.
  result.rate = n / (run.now * unit::s + client.waves * prompt);
  return result;
}

}  // namespace fareline
