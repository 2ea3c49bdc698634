// SPDX-License-Identifier: Apache-2.0
// Pools apart, caches, failures, scaling, checkpoints: whatever happens, every request has its end and every page its owner.
#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "sim/fleet.h"
#include "sim/slow_fleet.h"
#include "tests/scenes.h"

namespace fareline {
namespace {

using namespace test;

const CompiledPlan& llama(int stages = 1) {
  static const auto make = [](int pp) {
    const Catalogue& c = Catalogue::built_in();
    return *compile(*c.model("meta-llama/Llama-3.1-8B-Instruct"), *c.system("hgx-h100"), *c.calibration("hopper-vllm"),
                    {.pp = pp, .token_budget = 512});
  };
  static const CompiledPlan one = make(1), two = make(2);
  return stages == 1 ? one : two;
}

// Turns of conversations: each prompt begins with blocks that another had.
std::vector<Request> any_conversations(int count) {
  std::vector<Request> requests;
  const double gap = *rc::gen::element(0.0, 0.01, 0.2, 2.0);
  double at = 0;
  for (int i = 0; i < count; ++i) {
    at += gap * any_between(0, 2);
    Request r{.id = static_cast<std::uint64_t>(i), .arrival = at * unit::s, .prompt = *rc::gen::inRange<std::int64_t>(1, 400),
              .output = *rc::gen::inRange<std::int64_t>(0, 100), .priority = *rc::gen::inRange(0, 2), .block_tokens = 32};
    const std::uint64_t talk = *rc::gen::inRange<std::uint64_t>(0, 5);
    for (std::int64_t b = 0; b * 32 < r.prompt; ++b) r.blocks.push_back(1000 * talk + static_cast<std::uint64_t>(b));
    requests.push_back(std::move(r));
  }
  return requests;
}

Fleet any_fleet() {
  const auto pool = [&](Role role) {
    return Pool{.plan = &llama(*rc::gen::element(1, 1, 2)), .role = role, .replicas = *rc::gen::inRange(1, 4),
                .pages = *rc::gen::element<std::int64_t>(40, 100, 10'000), .page = 2 * unit::MiB,
                .sequences_most = *rc::gen::element(1, 4, 64)};
  };
  Fleet fleet;
  if (*rc::gen::inRange(0, 2)) fleet.pools = {pool(Role::prefills), pool(Role::decodes)};
  else fleet.pools = {pool(Role::serves)};
  fleet.batching = *rc::gen::element(Batching::continuous, Batching::prefill_first);
  fleet.order = *rc::gen::element(Order::arrival, Order::priority, Order::shortest);
  fleet.preemption = *rc::gen::element(Preemption::recompute, Preemption::swap);
  fleet.router = *rc::gen::element(Router::round_robin, Router::least_loaded, Router::prefix_aware, Router::power_of_two);
  fleet.transfer_bandwidth = fleet.host_bandwidth = 20 * unit::GB / unit::s;
  fleet.cache.on = *rc::gen::inRange(0, 3) > 0;
  fleet.cache.eviction = *rc::gen::element(Eviction::lru, Eviction::lfu, Eviction::ttl, Eviction::cost);
  fleet.cache.time_to_live = 2.0 * unit::s;
  if (*rc::gen::inRange(0, 2))
    fleet.cache.tiers = {{.name = "dram", .capacity = 30 * unit::MiB, .bandwidth = 50 * unit::GB / unit::s},
                         {.name = "flash", .capacity = 100 * unit::MiB, .bandwidth = 5 * unit::GB / unit::s, .latency = 1 * unit::ms}};
  if (*rc::gen::inRange(0, 3) == 0) fleet.drafting.accepted = geometric_acceptance(2, 0.6);
  if (*rc::gen::inRange(0, 3) == 0) fleet.failures = {.mean_between = 3.0 * unit::s, .restart = 1.0 * unit::s, .planned = {}};
  if (*rc::gen::inRange(0, 3) == 0)
    fleet.failures.planned = {{.replica = 0, .at = 0.05 * unit::s, .lasts = 0.5 * unit::s},
                              {.replica = 0, .at = 1.0 * unit::s, .lasts = 2.0 * unit::s}};
  if (*rc::gen::inRange(0, 3) == 0) fleet.scaling = {.least = 1, .interval = 0.3 * unit::s, .start_up = 0.7 * unit::s, .target = 0.3};
  fleet.verify = true;
  return fleet;
}

bool same(const std::vector<Finished>& a, const std::vector<Finished>& b, std::size_t from) {
  if (a.size() != b.size() + from) return false;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const Finished &x = a[from + i], &y = b[i];
    if (x.id != y.id || !(x.start == y.start) || !(x.first_token == y.first_token) || !(x.finish == y.finish) || x.cached != y.cached ||
        x.replica != y.replica || x.decode_replica != y.decode_replica || x.preemptions != y.preemptions || x.restarts != y.restarts)
      return false;
  }
  return true;
}

RC_GTEST_PROP(FleetParts, GiveEveryRequestAnEndAndEveryPageAnOwner, ()) {
  const Fleet fleet = any_fleet();
  const std::vector<Request> requests = any_conversations(*rc::gen::inRange(1, 40));
  ListTraffic traffic(requests);
  Recorder recorder;
  const Totals totals = *run(fleet, traffic, recorder);
  RC_ASSERT(recorder.stories.size() == requests.size());
  std::int64_t in = 0, out = 0;
  for (const auto& [id, f] : by_id(recorder.stories)) {
    if (f.outcome == Outcome::too_long) continue;
    const Request& r = requests[id];
    RC_ASSERT(f.output == r.output);
    RC_ASSERT(f.arrival <= f.start && f.start <= f.first_token && f.first_token <= f.finish);
    RC_ASSERT(f.cached >= 0 && f.cached < r.prompt);
    in += r.prompt;
    out += r.output;
  }
  RC_ASSERT(totals.prompt_tokens == in);
  RC_ASSERT(totals.output_tokens == out);
  RC_ASSERT(std::abs((totals.request_seconds - totals.stays).coherent()) <= 1e-9 * totals.stays.coherent());

  // Stopped anywhere and resumed from its bytes, a run goes on bit for bit.
  ListTraffic once(requests), again(requests);
  Recorder before, after;
  Simulation first = *Simulation::start(fleet, once, before);
  first.advance(*rc::gen::inRange<std::uint64_t>(0, totals.events + 1));
  const std::string bytes = *first.checkpoint();
  Simulation second = *Simulation::resume(fleet, again, after, bytes);
  while (second.advance(1000)) {}
  RC_ASSERT(same(recorder.stories, after.stories, before.stories.size()));
  RC_ASSERT(second.totals().busy == totals.busy && second.totals().events == totals.events && second.totals().now == totals.now);
  // Other bytes are refused, and do no harm.
  ListTraffic other(requests);
  RC_ASSERT(!Simulation::resume(fleet, other, after, std::string_view(bytes).substr(0, bytes.size() / 2)));
}

TEST(FleetParts, ReadAPromptSeenBeforeFromTheCache) {
  Fleet fleet{.pools = {{.plan = &llama(), .pages = 1000, .page = 2 * unit::MiB}}, .verify = true};
  fleet.cache.on = true;
  const std::vector<std::uint64_t> blocks{1, 2, 3};
  ListTraffic traffic({{.id = 1, .prompt = 1600, .output = 1, .blocks = blocks},
                       {.id = 2, .arrival = 10.0 * unit::s, .prompt = 1600, .output = 1, .blocks = blocks},
                       {.id = 3, .arrival = 20.0 * unit::s, .prompt = 1024, .output = 1, .blocks = {1, 2}}});
  Recorder recorder;
  const Totals totals = *run(fleet, traffic, recorder);
  const auto story = by_id(recorder.stories);
  EXPECT_EQ(story.at(1).cached, 0);
  EXPECT_EQ(story.at(2).cached, 1536);
  EXPECT_EQ(story.at(3).cached, 512);  // the last token is always computed, and a block is taken whole
  EXPECT_EQ(totals.cached_tokens, 2048);
  const Seconds cached = llama().estimate({.prefill_sequences = 1, .prefill_tokens = 64, .prefill_context = 1536}).time;
  EXPECT_NEAR((story.at(2).first_token - story.at(2).start) / cached, 1, 1e-9);
}

TEST(FleetParts, BringBlocksUpFromATierInTheTimeOfItsLink) {
  Fleet fleet{.pools = {{.plan = &llama(), .pages = 70, .page = 2 * unit::MiB}}, .verify = true};
  fleet.cache = {.on = true, .tiers = {{.name = "dram", .capacity = unit::GiB, .bandwidth = unit::GiB / unit::s, .latency = 1 * unit::ms}}};
  ListTraffic traffic({{.id = 1, .prompt = 513, .output = 1, .blocks = {1}},
                       {.id = 2, .arrival = 10.0 * unit::s, .prompt = 1025, .output = 1, .blocks = {8, 9}},  // pushes block 1 down
                       {.id = 3, .arrival = 20.0 * unit::s, .prompt = 513, .output = 1, .blocks = {1}}});
  Recorder recorder;
  const Totals totals = *run(fleet, traffic, recorder);
  const Finished third = by_id(recorder.stories).at(3);
  EXPECT_EQ(third.cached, 512);
  EXPECT_EQ(totals.tier_tokens, 512);
  const Seconds moved = 32 * 2 * unit::MiB / (unit::GiB / unit::s) + 1 * unit::ms;
  EXPECT_NEAR((third.start - third.arrival - llama().engine().prompt) / moved, 1, 1e-9);
}

TEST(FleetParts, MoveKvBetweenPoolsInTheTimeOfTheNetwork) {
  Fleet fleet{.pools = {{.plan = &llama(), .role = Role::prefills, .pages = 1000, .page = 2 * unit::MiB},
                        {.plan = &llama(), .role = Role::decodes, .pages = 1000, .page = 2 * unit::MiB}},
              .transfer_bandwidth = unit::GiB / unit::s, .transfer_latency = 1 * unit::ms, .verify = true};
  ListTraffic traffic({{.id = 1, .prompt = 160, .output = 2}});
  Recorder recorder;
  const Totals totals = *run(fleet, traffic, recorder);
  const Finished& f = recorder.stories.at(0);
  const Seconds moved = 10 * 2 * unit::MiB / (unit::GiB / unit::s) + 1 * unit::ms;
  const Seconds decode = llama().estimate({.decode_sequences = 1, .decode_context = 160}).time;
  EXPECT_NEAR((f.finish - f.first_token) / (moved + decode), 1, 1e-9);
  EXPECT_EQ(f.replica, 0);
  EXPECT_EQ(f.decode_replica, 1);
  EXPECT_EQ(totals.transferred, 10 * 2 * unit::MiB);
}

TEST(FleetParts, StartReplicasWhenLoadComesAndStopThemWhenItGoes) {
  Fleet fleet{.pools = {{.plan = &llama(), .replicas = 4, .pages = 10'000, .page = 2 * unit::MiB, .sequences_most = 8}}, .verify = true};
  fleet.router = Router::least_loaded;
  fleet.scaling = {.least = 1, .interval = 1.0 * unit::s, .start_up = 5.0 * unit::s, .target = 1};
  std::vector<Request> requests;
  for (int i = 0; i < 60; ++i)
    requests.push_back({.id = static_cast<std::uint64_t>(i), .arrival = 0.5 * i * unit::s, .prompt = 100, .output = 4000});
  requests.push_back({.id = 1000, .arrival = 1000.0 * unit::s, .prompt = 1, .output = 1});
  ListTraffic traffic(requests);
  Recorder recorder;
  recorder.all = true;
  const Totals totals = *run(fleet, traffic, recorder);
  EXPECT_GE(totals.scalings, 2u);
  EXPECT_GT(totals.provided, 1000.0 * unit::s);      // one ran all the time
  EXPECT_LT(totals.provided, 2 * 1000.0 * unit::s);  // four did not
  int highest = 0;
  for (const Finished& f : recorder.stories) highest = std::max(highest, f.replica);
  EXPECT_GT(highest, 0);
}

}  // namespace
}  // namespace fareline
