// SPDX-License-Identifier: Apache-2.0
#include "perf/serving.h"

#include <algorithm>
#include <cmath>

#include "perf/capacity.h"
#include "units/elementary.h"

namespace fareline {
namespace {

// One replica at `decoding` sequences: its decode step, its mixed step, and what a request takes of both.
struct Operation {
  Pass decode_pass, mixed_pass;
  PassEstimate decode, mixed;
  Seconds draft_time;
  Seconds period, period_floor;   // one decode step of every sequence
  Seconds prefill;                // E: engine time a prompt adds to the steps of those it meets
  Seconds prompt_time;            // engine time that serves prompts, the decode steps they meet left out
  Seconds service;                // S: mixed-step time a prompt occupies
  Seconds own_prefill, own_prefill_floor;  // first chunk in to first token out
  Seconds total, total_floor;     // T
  double mixed_steps = 0;         // r
  double together = 1;
  bool feasible = true;
};

struct Replica {
  const CompiledPlan& plan;
  const Workload& workload;
  const Speculation& speculation;
  bool decodes = true;            // false: a prefill pool

  double steps() const { return decodes ? std::max(0.0, workload.output.mean() - 1) / speculation.yield : 0; }
  double decode_context() const { return workload.prompt.mean() + workload.output.biased_mean() / 2; }
  int pipelines() const { return plan.plan().pp; }

  double room(double decoding) const {
    const Plan& p = plan.plan();
    return p.token_budget - std::max(decoding, 0.0) / (p.dp * p.pp) * (1 + speculation.draft);
  }

  // `others` is the share of the load that a request meets: (C - 1)/C in a closed loop, where nobody meets himself, 1 in an open one.
  // `waiting` prompts stand before the engine, which takes as many into a step as fit.
  Operation at(double decoding, double cached_tokens, double others, double waiting = 1) const {
    const Plan& p = plan.plan();
    Operation o;
    const double sequences = decoding > 0 ? std::max(decoding, 1.0) : 0;
    o.decode_pass = {.decode_sequences = sequences, .decode_context = decode_context(), .tokens_per_sequence = 1 + speculation.draft};
    if (sequences > 0) {
      o.decode = plan.estimate(o.decode_pass);
      if (speculation.by_mtp && speculation.draft > 0) o.draft_time = speculation.draft * plan.draft(o.decode_pass).stage_time;
      o.period = max(o.decode.time, pipelines() * o.decode.stage_time) + o.draft_time;
      o.period_floor = max(o.decode.floor, pipelines() * o.decode.stage_floor);
    }
    const double fresh = std::max(workload.prompt.mean() - cached_tokens, 1.0);
    const double here = room(decoding);
    if (here < 1) {
      o.feasible = false;
      return o;
    }
    const double chunks = fresh / here;
    const double micro_steps = sequences > 0 ? steps() * pipelines() / decoding : 0;  // decode steps a micro-batch does, a request
    const double most_together = chunks > 1 ? p.dp : std::max(1.0, p.dp * here / fresh);
    // So many prompts share a mixed step as arrive while one runs; at least so many that prompts keep up with steps.
    double together = std::clamp(std::max(waiting, micro_steps > 0 ? std::max(1.0, chunks) / micro_steps : 1.0), 1.0, most_together);
    for (int round = 0; round < 3; ++round) {
      const double tokens = std::min(fresh, here);
      o.mixed_pass = o.decode_pass;
      o.mixed_pass.decode_sequences = others * decoding;
      o.mixed_pass.prefill_sequences = together;
      o.mixed_pass.prefill_tokens = tokens;
      o.mixed_pass.prefill_context = cached_tokens;
      o.mixed = plan.estimate(o.mixed_pass);
      Seconds first = o.mixed.stage_time, first_floor = o.mixed.stage_floor, through = o.mixed.time, through_floor = o.mixed.floor;
      if (chunks > 1) {  // attention grows linearly over the chunks: the mean of the first and the last is exact
        o.mixed_pass.prefill_context = cached_tokens + fresh - tokens;
        const PassEstimate last = plan.estimate(o.mixed_pass);
        o.mixed_pass.prefill_context = cached_tokens;
        first = 0.5 * (first + last.stage_time);
        first_floor = 0.5 * (first_floor + last.stage_floor);
        through = 0.5 * (through + last.time);
        through_floor = 0.5 * (through_floor + last.floor);
      }
      o.mixed_steps = std::max(1.0, chunks) / together;
      o.service = o.mixed_steps * first;
      o.prefill = o.mixed_steps * max(Seconds{}, first - o.decode.stage_time);
      o.prompt_time = o.mixed_steps * max(Seconds{}, first - others * std::min(decoding, 1.0) * o.decode.stage_time);
      o.total = sequences > 0 ? others * o.prefill + steps() / decoding * o.period : o.prefill;
      // More prompts than steps to carry them: the batch cannot be sustained.
      if (sequences > 0 && steps() > 0 && o.mixed_steps > micro_steps * (1 + 1e-9)) o.feasible = together < most_together;
      // Of the decode steps a request rides, those that carry a prompt besides take at least the mixed step's floor.
      const double rides = sequences > 0 ? steps() * pipelines() / sequences : 0;
      const double mixed = sequences > 0 ? std::min(others * o.mixed_steps, rides) : o.mixed_steps;
      o.total_floor = mixed * first_floor + std::max(rides - mixed, 0.0) * o.decode.stage_floor;
      const double whole = std::ceil(std::max(1.0, chunks) - 1e-9);
      o.own_prefill = plan.engine().prompt + through + (whole - 1) * first;
      // A lone prompt, nothing beside it, each of its tokens once.
      Pass alone = o.mixed_pass;
      alone.decode_sequences = 0;
      alone.prefill_sequences = 1;
      const PassEstimate least = plan.estimate(alone);
      o.own_prefill_floor = least.floor + (max(1.0, chunks) - 1) * least.stage_floor;
      o.together = together;
      const double arriving = std::max(1.0, chunks) * first / o.total;
      const double next = std::clamp(std::max(arriving, together), 1.0, most_together);
      if (next <= together * (1 + 1e-6)) break;
      together = next;
    }
    return o;
  }

  static double max(double a, double b) { return a > b ? a : b; }
  static Seconds max(Seconds a, Seconds b) { return fareline::max(a, b); }
};

// Waiting before one deterministic server; `others` is the share of the load a request can meet: (C - 1)/C in a closed loop.
Seconds wait_before(Seconds service, double busy, double others) {
  const double met = busy * others;
  if (met >= 1) return Seconds::from_coherent(1e300);
  return met / (2 * (1 - met)) * service;
}

// The root of an increasing function on (low, high], value(high) >= 0 or high itself. Illinois' false position, then bisection.
template <class F>
double root(F value, double low, double high) {
  double low_value = value(low), high_value = value(high);
  if (high_value <= 0) return high;
  if (low_value >= 0) return low;
  int side = 0;
  for (int i = 0; i < 60 && high - low > 1e-9 * high; ++i) {
    double middle =
        (i % 3 == 2 || high_value > 1e200) ? 0.5 * (low + high) : (low * high_value - high * low_value) / (high_value - low_value);
    if (!(middle > low && middle < high)) middle = 0.5 * (low + high);
    const double v = value(middle);
    if (v > 0) {
      high = middle;
      high_value = v;
      if (side == 1) low_value *= 0.5;
      side = 1;
    } else {
      low = middle;
      low_value = v;
      if (side == -1) high_value *= 0.5;
      side = -1;
    }
  }
  return low;
}

Serving answer(const Replica& replica, const Operation& o, double decoding, double replicas, double others) {
  Serving s;
  s.decoding = decoding;
  s.decode_pass = o.decode_pass;
  s.mixed_pass = o.mixed_pass;
  s.decode = o.decode;
  s.mixed = o.mixed;
  s.draft_time = o.draft_time;
  s.together = o.together;
  const double steps = replica.steps(), outputs = std::max(replica.workload.output.mean() - 1, 1.0);
  if (steps > 0) {
    s.tpot.value = (steps * o.period + decoding * others * o.prefill) / outputs;
    s.tpot.floor = fareline::max(decoding * o.total_floor, steps * o.period_floor) / outputs;
  }
  s.rate = replicas / o.total;
  s.rate_ceiling = replicas / o.total_floor;
  const double cached = replica.workload.prompt_cached();
  s.prefill_time = o.prompt_time;
  if (cached > 0) {
    // The same new tokens with nothing before them: what is left is the prefix.
    Pass pass = o.mixed_pass;
    const Seconds with = replica.plan.estimate(pass).stage_time;
    pass.prefill_context = 0;
    const Seconds without = replica.plan.estimate(pass).stage_time;
    // A chunked window holds less of a long context than of a short one: then the prefix costs nothing.
    s.prefix_time = fareline::max(Seconds{}, fareline::min(o.prompt_time, o.mixed_steps * (with - without)));
    s.prefill_time = o.prompt_time - s.prefix_time;
  }
  // Below one sequence decoding the engine also idles: nobody's step takes longer than its own.
  if (steps > 0) s.decode_time = fareline::min(fareline::max(Seconds{}, o.total - o.prompt_time), steps * o.period);
  return s;
}

}  // namespace

std::expected<Serving, Infeasible> closed_loop(const CompiledPlan& plan, const MemoryUse& memory, const Workload& workload,
                                               const Speculation& speculation, double concurrency) {
  const Replica replica{.plan = plan, .workload = workload, .speculation = speculation};
  const double replicas = plan.plan().replicas, users = concurrency / replicas;
  const double limit = most_sequences(memory, plan.plan());
  if (limit < 1) return std::unexpected(out_of_memory(memory, 1));
  const double admitted = std::min(users, limit);
  const double others = std::max(0.0, 1 - 1 / admitted);
  const double cached = workload.prompt_cached();
  const auto in_system = [&](double decoding, Operation& o) {
    o = replica.at(decoding, cached, others, admitted - decoding);
    if (!o.feasible) return 1e300;
    const double rate = 1 / o.total.in(unit::s);
    const Seconds wait = wait_before(o.service, std::min(rate * o.service.in(unit::s), 1e6), others);
    return decoding + rate * (wait + o.own_prefill + 0.5 * others * std::min(1.0, decoding) * o.period).in(unit::s);
  };
  Operation o;
  double decoding = 0;
  if (replica.steps() > 0) {
    decoding = root([&](double b) { return in_system(b, o) - admitted; }, admitted * 1e-6, admitted);
    in_system(decoding, o);
  } else {
    in_system(0, o);
    o.total = max(o.total, o.own_prefill / admitted);  // fewer users than pipeline stages leave stages idle
  }
  if (!o.feasible)
    return std::unexpected(
        Infeasible{Infeasible::Constraint::budget, admitted / plan.plan().dp, static_cast<double>(plan.plan().token_budget)});
  Serving s = answer(replica, o, decoding, replicas, replica.steps() > 0 ? others : 1);
  s.concurrency = concurrency;
  s.resident_limit = limit;
  s.admitted = admitted;
  // Little's law over everyone in the system: what is not decoding is waiting for, or in, prefill.
  const Seconds until_first = (users - decoding) * o.total;
  const Seconds own = o.own_prefill;
  s.ttft.value = max(own, until_first);
  s.ttft.floor = o.own_prefill_floor;
  s.queueing = s.ttft.value - own;
  return s;
}

std::expected<Serving, Infeasible> fixed_batch(const CompiledPlan& plan, const MemoryUse& memory, const Workload& workload,
                                               const Speculation& speculation, double batch) {
  const Replica replica{.plan = plan, .workload = workload, .speculation = speculation};
  const double limit = most_sequences(memory, plan.plan());
  if (batch > limit) return std::unexpected(out_of_memory(memory, batch / plan.plan().dp));
  const double replicas = plan.plan().replicas, decoding = replica.steps() > 0 ? batch : 0;
  // As many users as keep `batch` decoding: C = B + X (wait + prefill), which the share of others (C - 1)/C depends on.
  double users = batch, others = 0;
  Operation o;
  Seconds queueing;
  for (int round = 0; round < 60; ++round) {
    others = std::max(0.0, 1 - 1 / users);
    o = replica.at(decoding, workload.prompt_cached(), others, users - decoding);
    if (!o.feasible)
      return std::unexpected(
          Infeasible{Infeasible::Constraint::budget, batch / plan.plan().dp, static_cast<double>(plan.plan().token_budget)});
    const double busy = std::min(o.service / o.total, 0.999);
    queueing = wait_before(o.service, busy, others) + 0.5 * others * std::min(1.0, decoding) * o.period;
    const double next = decoding + (o.own_prefill + queueing) / o.total;
    const bool settled = std::abs(next - users) <= 1e-12 * users;
    users = next;
    if (settled) break;
  }
  Serving s = answer(replica, o, decoding, replicas, others);
  s.resident_limit = limit;
  s.queueing = queueing;
  s.ttft.value = o.own_prefill + s.queueing;
  s.ttft.floor = o.own_prefill_floor;
  s.admitted = users;
  s.concurrency = s.admitted * replicas;
  return s;
}

namespace {

// The largest batch open_loop looks at.
double most_open(const CompiledPlan& plan, const Speculation& speculation, double limit) {
  return std::min(limit, plan.plan().token_budget * plan.plan().dp * plan.plan().pp / (1 + speculation.draft) - 1);
}

// Requests a second that a replica carries at `batch`; none where prompts crowd out its steps.
double carried(const Replica& replica, double batch, Operation& o) {
  o = replica.at(batch, replica.workload.prompt_cached(), 1);
  if (!o.feasible) return 0;
  return std::min(1 / o.total.in(unit::s), replica.steps() > 0 ? 1e300 : 1 / o.service.in(unit::s));
}

}  // namespace

Frequency Carried::most() const {
  Frequency most;
  for (const Frequency rate : rates) most = max(most, rate);
  return most;
}

double Carried::batch_above(Frequency rate) const {
  double below = 0;
  for (std::size_t i = 0; i < rates.size() && rates[i] < rate; ++i) below = batches[i];
  return below;
}

Carried carried_by_batch(const CompiledPlan& plan, const MemoryUse& memory, const Workload& workload, const Speculation& speculation) {
  const Replica replica{.plan = plan, .workload = workload, .speculation = speculation};
  const double limit = most_sequences(memory, plan.plan()), most = most_open(plan, speculation, limit);
  Carried all;
  if (limit < 1) return all;
  Operation o;
  const bool decodes = replica.steps() > 0;
  for (double batch = decodes ? 1 : 0;; batch = std::min(2 * batch, most)) {
    all.batches.push_back(batch);
    all.rates.push_back(carried(replica, batch, o) / unit::s);
    if (!decodes || batch >= most) return all;
  }
}

std::expected<Serving, Infeasible> open_loop(const CompiledPlan& plan, const MemoryUse& memory, const Workload& workload,
                                             const Speculation& speculation, Frequency rate) {
  const Replica replica{.plan = plan, .workload = workload, .speculation = speculation};
  const double replicas = plan.plan().replicas, each = rate.coherent() / replicas;
  const double limit = most_sequences(memory, plan.plan());
  if (limit < 1) return std::unexpected(out_of_memory(memory, 1));
  const double most = most_open(plan, speculation, limit);
  Operation o;
  // Spare capacity at batch b, increasing in b while batching pays.
  const auto spare = [&](double b) { return carried(replica, b, o) - each; };
  double decoding = 0;
  if (replica.steps() > 0) {
    // Throughput may fall again at large batches (prompts crowd out steps): find the first batch that carries the rate.
    double low = 0, high = 1;
    double best = spare(high);
    while (best < 0 && high < most) {
      low = high;
      high = std::min(2 * high, most);
      best = std::max(best, spare(high));
    }
    if (best < 0) return std::unexpected(Infeasible{Infeasible::Constraint::rate, rate.coherent(), (best + each) * replicas});
    decoding = root(spare, std::max(low, high * 1e-9), high);
    if (spare(decoding) < 0) decoding = std::min(high, decoding * (1 + 1e-8));
    spare(decoding);
  } else if (spare(0) < 0) {
    return std::unexpected(Infeasible{Infeasible::Constraint::rate, rate.coherent(), (spare(0) + each) * replicas});
  }
  const double busy = each * o.service.in(unit::s);
  if (busy >= 1) return std::unexpected(Infeasible{Infeasible::Constraint::rate, rate.coherent(), replicas / o.service.in(unit::s)});
  Serving s = answer(replica, o, decoding, replicas, 1);
  s.rate = rate;
  s.rate_ceiling = max(s.rate_ceiling, rate);  // the root is found to nine digits
  s.resident_limit = limit;
  const Seconds own = o.own_prefill;
  s.queueing = wait_before(o.service, busy, 1) + 0.5 * std::min(1.0, decoding) * o.period;
  s.ttft.value = own + s.queueing;
  s.ttft.floor = o.own_prefill_floor;
  s.admitted = decoding + each * s.ttft.value.in(unit::s);
  s.concurrency = s.admitted * replicas;
  return s;
}

std::expected<Serving, Infeasible> disaggregated(const CompiledPlan& prefill, const CompiledPlan& decode, const MemoryUse& decode_memory,
                                                 const Model& model, const System& system, const Workload& workload,
                                                 const Speculation& speculation, double concurrency, Frequency rate) {
  const Replica front{.plan = prefill, .workload = workload, .speculation = speculation, .decodes = false};
  const Replica back{.plan = decode, .workload = workload, .speculation = speculation};
  const double servers = prefill.plan().replicas, pools = decode.plan().replicas;
  const double limit = most_sequences(decode_memory, decode.plan());
  if (limit < 1) return std::unexpected(out_of_memory(decode_memory, 1));
  // A pool apart is fed one prompt a dp group: its groups run in step.
  const Operation p = front.at(0, workload.prompt_cached(), 1, prefill.plan().dp);
  const Frequency prefill_capacity = servers / p.service;
  const Format kv = decode.plan().kv.value_or(model.precision.kv);
  // Every chip of a prefill replica sends its share of the prompt's KV.
  const Bandwidth link = system.scale_out.bandwidth.value * prefill.plan().stage_chips();
  const Seconds transfer = system.scale_out.bandwidth.stated()
                               ? sequence_bytes(model, kv, workload.prompt.mean()) / link + system.scale_out.latency.value
                               : Seconds{};
  struct Decoding {
    Pass pass;
    PassEstimate estimate;
    Seconds draft_time, period, period_floor;
  };
  const auto decoding_at = [&](double b) {
    Decoding d;
    d.pass = {.decode_sequences = std::max(b, 1.0), .decode_context = back.decode_context(), .tokens_per_sequence = 1 + speculation.draft};
    d.estimate = decode.estimate(d.pass);
    if (speculation.by_mtp && speculation.draft > 0) d.draft_time = speculation.draft * decode.draft(d.pass).stage_time;
    d.period = max(d.estimate.time, back.pipelines() * d.estimate.stage_time) + d.draft_time;
    d.period_floor = max(d.estimate.floor, back.pipelines() * d.estimate.stage_floor);
    return d;
  };
  const double steps = back.steps();
  const auto wait = [&](Frequency x, double others) {
    const double busy = x / prefill_capacity * others;
    if (busy >= 1) return Seconds::from_coherent(1e300);
    return power(busy, std::sqrt(2 * (servers + 1)) - 1) / (2 * servers * (1 - busy)) * p.service;
  };
  const auto rate_at = [&](double b, const Decoding& d) {
    return steps > 0 ? pools * b / (steps * d.period) : prefill_capacity;
  };
  double b = 0;
  Frequency x = rate;
  if (concurrency > 0) {
    const double others = std::max(0.0, 1 - 1 / concurrency);
    if (steps > 0) {
      b = root([&](double v) {
        const Frequency flow = rate_at(v, decoding_at(v));
        return pools * v + flow * (wait(flow, others) + p.own_prefill + transfer) - concurrency;
      }, 1e-6, std::min(limit, concurrency / pools));
      x = min(rate_at(b, decoding_at(b)), prefill_capacity);
    } else {
      x = prefill_capacity;
    }
  } else {
    if (rate >= prefill_capacity)
      return std::unexpected(Infeasible{Infeasible::Constraint::rate, rate.coherent(), prefill_capacity.coherent()});
    const auto spare = [&](double v) { return (rate_at(v, decoding_at(v)) - rate).coherent(); };
    if (steps > 0 && spare(limit) < 0)
      return std::unexpected(Infeasible{Infeasible::Constraint::rate, rate.coherent(), rate_at(limit, decoding_at(limit)).coherent()});
    if (steps > 0) b = root(spare, 1e-9, limit);
  }
  const Decoding d = decoding_at(b);
  Serving s;
  s.decoding = b;
  s.resident_limit = limit;
  s.admitted = b;
  s.decode_pass = d.pass;
  s.decode = d.estimate;
  s.mixed_pass = p.mixed_pass;
  s.mixed = p.mixed;
  s.together = p.together;
  s.draft_time = d.draft_time;
  s.rate = x;
  const double outputs = std::max(workload.output.mean() - 1, 1.0);
  if (steps > 0) {
    s.tpot.value = steps * d.period / outputs;
    s.tpot.floor = steps * d.period_floor / outputs;
  }
  const Frequency decode_ceiling = steps > 0 ? pools * std::max(b, 1.0) / (steps * d.period_floor) : servers / p.total_floor;
  s.rate_ceiling = max(x, min(decode_ceiling, servers / p.total_floor));
  const Seconds unloaded = p.own_prefill + transfer;
  s.ttft.value = unloaded;
  if (concurrency > 0) s.ttft.value = max(unloaded, (concurrency - pools * b) / x);  // Little's law
  else s.ttft.value = unloaded + wait(x, 1);
  s.queueing = s.ttft.value - unloaded;
  s.ttft.floor = p.own_prefill_floor;
  s.concurrency = concurrency > 0 ? concurrency : pools * b + x * s.ttft.value;
  const double prefill_chips = prefill.plan().chips(), decode_chips = decode.plan().chips();
  s.prefill_share = prefill_chips / (prefill_chips + decode_chips);
  const double cached = workload.prompt_cached();
  s.prefill_time = servers / x;
  s.decode_time = pools / x;
  if (cached > 0) {
    Pass pass = p.mixed_pass;
    const Seconds with = prefill.estimate(pass).stage_time;
    pass.prefill_context = 0;
    const double share = std::clamp(1 - prefill.estimate(pass).stage_time / with, 0.0, 1.0);
    s.prefix_time = share * s.prefill_time;
    s.prefill_time -= s.prefix_time;
  }
  return s;
}

}  // namespace fareline
