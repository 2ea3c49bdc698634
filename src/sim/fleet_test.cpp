// SPDX-License-Identifier: Apache-2.0
#include "sim/fleet.h"

#include <cmath>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "tests/scenes.h"
#include "sim/slow_fleet.h"

namespace fareline {
namespace {

using namespace test;

const CompiledPlan& llama() {
  static const CompiledPlan plan = [] {
    const Catalogue& c = Catalogue::built_in();
    return *compile(*c.model("meta-llama/Llama-3.1-8B-Instruct"), *c.system("hgx-h100"), *c.calibration("hopper-vllm"),
                    {.token_budget = 2048});
  }();
  return plan;
}

Fleet one_replica(std::int64_t pages = 100'000) {
  return {.pools = {{.plan = &llama(), .pages = pages, .page = 2 * unit::MiB}}, .verify = true};
}

std::vector<Request> requests_at(std::initializer_list<Request> list) { return list; }

Totals totals_of(const Fleet& fleet, std::vector<Request> requests, Recorder& recorder) {
  ListTraffic traffic(std::move(requests));
  return *run(fleet, traffic, recorder);
}

void close(Seconds a, Seconds b, const char* what, std::uint64_t id) {
  const double x = a.coherent(), y = b.coherent();
  EXPECT_LE(std::abs(x - y), 1e-9 * std::max(std::abs(x), std::abs(y))) << what << " of request " << id;
}

// A random load of a few dozen requests, dense enough to overlap and sparse enough to fall idle.
std::vector<Request> any_requests(std::int64_t longest) {
  const int count = *rc::gen::inRange(1, 50);
  const double gap = *rc::gen::element(0.0, 0.001, 0.02, 0.2, 3.0);
  std::vector<Request> requests;
  double at = 0;
  for (int i = 0; i < count; ++i) {
    at += gap * any_between(0, 2);
    requests.push_back({.id = static_cast<std::uint64_t>(i) * 7 + 3,
                        .arrival = at * unit::s,
                        .prompt = *rc::gen::inRange<std::int64_t>(1, longest),
                        .output = *rc::gen::inRange<std::int64_t>(0, *rc::gen::element<std::int64_t>(3, 60, 400)),
                        .priority = *rc::gen::inRange(0, 3)});
  }
  return requests;
}

RC_GTEST_PROP(Fleet, TakesTheSameStepsAsTheSlowReferenceThatTakesEach, ()) {
  const Scene scene = any_scene();
  Plan layout = scene.plan;
  layout.replicas = 1;
  layout.token_budget = *rc::gen::element(64, 256, 2048);
  const auto compiled = compile(scene.model, scene.system, scene.calibration, layout);
  RC_PRE(compiled.has_value());
  const int page = compiled->plan().page_tokens;
  Fleet fleet{.pools = {{.plan = &*compiled,
                         .replicas = *rc::gen::element(1, 1, 2, 3),
                         .pages = *rc::gen::element<std::int64_t>(40, 80, 300, 100'000),
                         .sequence_pages = *rc::gen::element(0, 0, 2),
                         .page = page * 128 * unit::kB,
                         .sequences_most = *rc::gen::element(1, 3, 16, 64)}}};
  fleet.batching = *rc::gen::element(Batching::continuous, Batching::continuous, Batching::prefill_first, Batching::train);
  if (layout.pp > 1 && fleet.batching == Batching::train) fleet.batching = Batching::continuous;
  fleet.period = *rc::gen::element(7.0, 50.0, 1000.0) * unit::ms;
  fleet.order = *rc::gen::element(Order::arrival, Order::priority, Order::shortest);
  fleet.preemption = *rc::gen::element(Preemption::recompute, Preemption::swap);
  fleet.host_bandwidth = 20 * unit::GB / unit::s;
  fleet.router = *rc::gen::element(Router::round_robin, Router::least_loaded);
  if (*rc::gen::inRange(0, 4) == 0) fleet.drafting.accepted = geometric_acceptance(*rc::gen::inRange(1, 5), any_between(0, 1));
  fleet.verify = true;
  const std::vector<Request> requests = any_requests(*rc::gen::element<std::int64_t>(20, 500, 3000));

  RC_LOG() << scene.model.name << ", " << row(fleet.batching).name << ", " << row(fleet.order).name << ", " << row(fleet.preemption).name
           << ", pages " << fleet.pools[0].pages << ", replicas " << fleet.pools[0].replicas
           << ", at most " << fleet.pools[0].sequences_most
           << ", pp " << layout.pp << ", dp " << layout.dp << ", draft " << fleet.drafting.draft()
           << ", requests " << requests.size() << "\n";
  Recorder recorder;
  const Totals totals = totals_of(fleet, requests, recorder);
  const std::map<std::uint64_t, Finished> fast = by_id(recorder.stories), slow = by_id(SlowFleet(fleet, requests).run());
  RC_ASSERT(fast.size() == requests.size());
  RC_ASSERT(slow.size() == requests.size());
  const auto near = [](Seconds a, Seconds b) { return std::abs((a - b).coherent()) <= 1e-9 * std::max(a.coherent(), b.coherent()); };
  std::int64_t in = 0, out = 0;
  for (const Request& r : requests) {
    const Finished &a = fast.at(r.id), &b = slow.at(r.id);
    RC_ASSERT(a.outcome == b.outcome);
    if (a.outcome == Outcome::too_long) continue;
    RC_LOG() << "request " << r.id << ": start " << a.start.coherent() << " / " << b.start.coherent()
             << ", finish " << a.finish.coherent() << " / "
             << b.finish.coherent() << ", preemptions " << a.preemptions << " / " << b.preemptions << "\n";
    RC_ASSERT(a.preemptions == b.preemptions);
    RC_ASSERT(near(a.start, b.start));
    if (r.output > 0) RC_ASSERT(near(a.first_token, b.first_token));
    RC_ASSERT(near(a.finish, b.finish));
    RC_ASSERT(a.output == r.output);
    in += r.prompt;
    out += r.output;
  }
  // What went in came out, and Little's law holds.
  RC_ASSERT(totals.prompt_tokens == in);
  RC_ASSERT(totals.output_tokens == out);
  RC_ASSERT(near(totals.request_seconds, totals.stays));
  RC_ASSERT(totals.in_system == 0);
}

TEST(Fleet, GivesALoneRequestTheTimesOfItsPasses) {
  Recorder recorder;
  totals_of(one_replica(), requests_at({{.id = 1, .arrival = 2.0 * unit::s, .prompt = 1000, .output = 257}}), recorder);
  const Finished& f = recorder.stories.at(0);
  const Seconds begin = 2.0 * unit::s + llama().engine().prompt;
  const Seconds prefill = llama().estimate({.prefill_sequences = 1, .prefill_tokens = 1000}).time;
  Seconds decode;
  for (int i = 0; i < 256; ++i) decode += llama().estimate({.decode_sequences = 1, .decode_context = 1000.0 + i}).time;
  close(f.start, begin, "start", 1);
  close(f.first_token, begin + prefill, "first token", 1);
  close(f.finish, begin + prefill + decode, "finish", 1);
}

TEST(Fleet, SkipsThousandsOfStepsInOneEvent) {
  Recorder recorder;
  const Totals totals = totals_of(one_replica(), requests_at({{.id = 1, .prompt = 100, .output = 20'000}}), recorder);
  EXPECT_EQ(totals.steps, 20'000u);
  EXPECT_LT(totals.events, 20u);
}

// Waiting of a queue with deterministic service: one request at a time, each a prompt of the same length.
// Source: Pollaczek-Khinchine; W = rho S / (2 (1 - rho)).
TEST(Fleet, WaitsAsLongAsPollaczekAndKhinchineSay) {
  Fleet fleet = one_replica();
  fleet.pools[0].sequences_most = 1;
  fleet.verify = false;
  const Seconds service = llama().estimate({.prefill_sequences = 1, .prefill_tokens = 1000}).time;
  for (const double rho : {0.3, 0.7, 0.9}) {
    const int batches = 40, each = 10'000;
    Draws random(11, Purpose::fleet, static_cast<std::uint64_t>(100 * rho));
    std::vector<Request> requests;
    Seconds at;
    for (int i = 0; i < batches * each; ++i) {
      at += random.exponential_gap() / rho * service;
      requests.push_back({.id = static_cast<std::uint64_t>(i), .arrival = at, .prompt = 1000, .output = 1});
    }
    Recorder recorder;
    totals_of(fleet, requests, recorder);
    std::vector<double> means(batches);
    for (const Finished& f : recorder.stories)
      means[f.id / each] += (f.start - f.arrival - llama().engine().prompt) / service / each;
    double mean = 0, square = 0;
    for (const double m : means) mean += m / batches;
    for (const double m : means) square += (m - mean) * (m - mean) / (batches - 1) / batches;
    const double expected = rho / (2 * (1 - rho));
    EXPECT_NEAR(mean, expected, 3.3 * std::sqrt(square)) << "at " << rho;  // 99.9% of runs
  }
}

// M/M/c: trains leave so often that an answer's length is its service, in sequences_most places.
// Source: Erlang C; W = C(c, a) S / (c - a). Assumes: half a period of waiting for the train besides.
TEST(Fleet, WaitsAsLongAsErlangSays) {
  Fleet fleet = one_replica();
  const int servers = 5;
  fleet.pools[0].sequences_most = servers;
  fleet.batching = Batching::train;
  fleet.period = 50 * unit::ms;
  fleet.verify = false;
  const double mean_steps = 400, rho = 0.8, offered = rho * servers;
  const int batches = 30, each = 4'000;
  Draws random(5, Purpose::fleet, 1);
  std::vector<Request> requests;
  Seconds at;
  for (int i = 0; i < batches * each; ++i) {
    at += random.exponential_gap() / offered * mean_steps * fleet.period;
    const double length = std::ceil(natural_log(random.uniform()) / natural_log(1 - 1 / mean_steps));  // geometric
    requests.push_back({.id = static_cast<std::uint64_t>(i), .arrival = at, .prompt = 1, .output = static_cast<std::int64_t>(length)});
  }
  Recorder recorder;
  totals_of(fleet, requests, recorder);
  std::vector<double> means(batches);
  for (const Finished& f : recorder.stories) means[f.id / each] += (f.start - f.arrival - llama().engine().prompt) / fleet.period / each;
  double mean = 0, square = 0;
  for (const double m : means) mean += m / batches;
  for (const double m : means) square += (m - mean) * (m - mean) / (batches - 1) / batches;
  double sum = 0, term = 1;
  for (int k = 0; k < servers; term *= offered / ++k) sum += term;
  const double waits = term / (1 - rho) / (sum + term / (1 - rho));  // chance to wait
  EXPECT_NEAR(mean, waits * mean_steps / (servers - offered) + 0.5, 3.3 * std::sqrt(square));
}

TEST(Fleet, CountsWhatItCannotServe) {
  Fleet fleet = one_replica(100);  // 1600 tokens
  fleet.waiting_most = 3;
  Recorder recorder;
  std::vector<Request> requests = requests_at({{.id = 1, .prompt = 1000, .output = 0},
                                               {.id = 2, .prompt = 1500, .output = 101},
                                               {.id = 3, .prompt = 1500, .output = 100},
                                               {.id = 3, .prompt = 10, .output = 1},
                                               {.id = 4, .prompt = 0, .output = 1},
                                               {.id = 5, .prompt = 10, .output = -1},
                                               {.id = 6, .prompt = 10, .output = 1},
                                               {.id = 7, .prompt = 10, .output = 1},
                                               {.id = 8, .arrival = 100.0 * unit::s, .prompt = 10, .output = 1},
                                               {.id = 9, .arrival = 99.0 * unit::s, .prompt = 10, .output = 1}});
  const Totals totals = totals_of(fleet, requests, recorder);
  EXPECT_EQ(totals.requests, 10u);
  EXPECT_THAT(totals.outcomes, testing::ElementsAre(3, 1, 1, 1, 1, 3));
  EXPECT_EQ(recorder.stories.size(), 10u);
}

TEST(Fleet, RefusesWhatDoesNotBelongTogether) {
  ListTraffic traffic({});
  Recorder recorder;
  const auto what = [&](const Fleet& fleet) { return run(fleet, traffic, recorder).error().line(); };
  EXPECT_THAT(what({}), testing::HasSubstr("0 pools"));
  Fleet fleet = one_replica();
  fleet.batching = Batching::train;
  EXPECT_THAT(what(fleet), testing::HasSubstr("period"));
  fleet = one_replica();
  fleet.pools.push_back(fleet.pools[0]);
  EXPECT_THAT(what(fleet), testing::HasSubstr("roles"));
  fleet = one_replica();
  fleet.preemption = Preemption::swap;
  EXPECT_THAT(what(fleet), testing::HasSubstr("host memory"));
  fleet = one_replica();
  fleet.drafting.accepted = {0.5, 0.4};
  EXPECT_THAT(what(fleet), testing::HasSubstr("add up"));
  fleet = one_replica();
  fleet.failures.planned = {{.replica = 1}};
  EXPECT_THAT(what(fleet), testing::HasSubstr("no replica 1"));
}

}  // namespace
}  // namespace fareline
