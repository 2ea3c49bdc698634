// SPDX-License-Identifier: Apache-2.0
#include "perf/schedule.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace fareline {
namespace {

using enum PieceKind;

// A device's order is a few phases, each a short pattern repeated. Micro-batches are counted up for each kind and chunk.
struct Step {
  PieceKind kind{};
  int chunk = 0;
};
struct Phase {
  Phase(std::int64_t repeats, std::initializer_list<Step> pattern) : times(repeats), steps(pattern.size()) {
    std::copy(pattern.begin(), pattern.end(), step.begin());
  }
  std::int64_t times;
  std::size_t steps;
  std::array<Step, 6> step{};
};
using Order = std::vector<Phase>;

Order decode_order(const PipelineShape& s, int) { return {{std::int64_t{s.micro_batches} * s.rounds, {{forward, 0}}}}; }

Order gpipe_order(const PipelineShape& s, int) { return {{s.micro_batches, {{forward, 0}}}, {s.micro_batches, {{backward, 0}}}}; }

Order one_f_one_b_order(const PipelineShape& s, int device) {
  const int warm = std::min(s.stages - 1 - device, s.micro_batches);
  return {{warm, {{forward, 0}}}, {s.micro_batches - warm, {{forward, 0}, {backward, 0}}}, {warm, {{backward, 0}}}};
}

Order interleaved_order(const PipelineShape& s, int device) {
  const std::int64_t all = std::int64_t{s.micro_batches} * s.chunks;
  const std::int64_t warm = std::min<std::int64_t>(2 * (s.stages - 1 - device) + std::int64_t{s.chunks - 1} * s.stages, all);
  return {{warm, {{forward, 0}}}, {all - warm, {{forward, 0}, {backward, 0}}}, {warm, {{backward, 0}}}};
}

Order zb_h1_order(const PipelineShape& s, int device) {
  const int m = s.micro_batches, warm = std::min(s.stages - 1 - device, m), lag = std::min(device, m - warm);
  return {{warm, {{forward, 0}}},
          {lag, {{forward, 0}, {input_gradient, 0}}},
          {m - warm - lag, {{forward, 0}, {input_gradient, 0}, {weight_gradient, 0}}},
          {warm, {{input_gradient, 0}, {weight_gradient, 0}}},
          {lag, {{weight_gradient, 0}}}};
}

Order zb_v_order(const PipelineShape& s, int device) {
  const int p = s.stages, m = s.micro_batches, first = 2 * (p - device) - 1, both = m - first - device;
  const Step f0{forward, 0}, f1{forward, 1}, b0{input_gradient, 0}, b1{input_gradient, 1}, w0{weight_gradient, 0}, w1{weight_gradient, 1};
  return {{first, {f0}},
          {device, {f1, f0}},
          {p - device, {f1, b1, w1}},
          {both, {f0, b0, w0, f1, b1, w1}},
          {m - device - (p - device) - both, {b0, w0, f1, b1, w1}},
          {device, {b0, b1}},
          {p - device, {b0, w0}},
          {device, {w1}},
          {device, {w0}}};
}

Order dualpipe_order(const PipelineShape& s, int device) {
  const int half = s.stages / 2, near = std::min(device, s.stages - 1 - device), far = half - 1 - near;
  const int own = device < half ? 0 : 1, other = 1 - own;  // the direction that enters on this side
  const int steady = s.micro_batches / 2 - s.stages + near + 1;
  const Step f0{forward, own}, f1{forward, other}, b0{backward, own}, b1{backward, other}, i0{input_gradient, own},
      i1{input_gradient, other}, w{weight_gradient, 0}, o01{overlapped, own}, o10{overlapped, other};
  Order order{{2 * far, {f0}}, {near + 1, {f0, f1}}, {far, {i1, w, f1}}};
  if (far == 0 && steady > 0) {  // nothing to overlap the middle's first pair with
    order.push_back({1, {f0, b1, o10}});
    order.push_back({steady - 1, {o01, o10}});
  } else {
    order.push_back({steady, {o01, o10}});
  }
  order.push_back({far, {b1, o10}});
  // Half of the last near + 1 pairs keep their weight gradients for the end.
  const int drain = near + 1, whole = drain / 2;
  order.push_back({whole, {b1, b0}});
  if (near % 2 == 1) {
    order.push_back({drain - whole, {i1, i0}});
  } else {
    order.push_back({1, {b1, i0}});
    order.push_back({drain - whole - 1, {i1, i0}});
  }
  order.push_back({far, {w, i0}});
  order.push_back({drain, {w}});
  return order;
}

// ---- rows ----------------------------------------------------------------------------------------------------------------

std::string_view any(const PipelineShape&) { return {}; }
std::string_view whole_groups(const PipelineShape& s) {
  if (s.micro_batches % s.stages != 0) return "micro-batches that are no multiple of the stages";
  return s.chunks < 2 ? "fewer than 2 chunks a device" : std::string_view();
}
std::string_view enough_for_h1(const PipelineShape& s) {
  return s.micro_batches < s.stages ? "fewer micro-batches than stages" : std::string_view();
}
std::string_view enough_for_v(const PipelineShape& s) {
  return s.micro_batches < 2 * s.stages - 1 ? "fewer micro-batches than twice the stages, less one" : std::string_view();
}
std::string_view pairs(const PipelineShape& s) {
  if (s.stages % 2 != 0 || s.micro_batches % 2 != 0) return "an odd number of stages or micro-batches";
  return s.micro_batches < 2 * s.stages ? "fewer micro-batches than twice the stages" : std::string_view();
}

Seconds whole_backward(const PieceTimes& t) { return t.input_gradient + t.weight_gradient; }

constexpr bool no_hop(const PieceTimes& t) { return t.hop == Seconds{}; }
bool alike(const PieceTimes& t) { return no_hop(t) && t.forward == t.input_gradient && t.forward == t.weight_gradient; }

}  // namespace

std::span<const ScheduleRow> schedules() {
  static const std::array<ScheduleRow, 7> rows{{
      {ScheduleKind::decode, "decode", "micro-batches go round, each after its own last token", "(r - 1) (max(P (F + h), m F) - m F)",
       "the lecture at 57:22; Pope et al. 2022, section 3.4", "stages take alike", 1, any,
       [](const PipelineShape& s, const PieceTimes& t) {
         const Seconds around = static_cast<double>(s.stages) * (t.forward + (s.stages > 1 ? t.hop : Seconds{}));
         const Seconds work = static_cast<double>(s.micro_batches) * t.forward;
         return static_cast<double>(s.rounds - 1) * (max(around, work) - work);
       },
       [](const PipelineShape&) { return 0.0; }, [](const PipelineShape&, const PieceTimes&) { return true; }},
      {ScheduleKind::gpipe, "gpipe", "all micro-batches forwards, then all backwards", "(P - 1) (F + B + W + 2 h)",
       "Huang et al. 2019, GPipe, arXiv:1811.06965, section 2.3", "stages take alike", 1, any,
       [](const PipelineShape& s, const PieceTimes& t) {
         return static_cast<double>(s.stages - 1) * (t.forward + whole_backward(t) + 2 * t.hop);
       },
       [](const PipelineShape& s) { return static_cast<double>(s.micro_batches); },
       [](const PipelineShape&, const PieceTimes&) { return true; }},
      {ScheduleKind::one_f_one_b, "1f1b", "one forwards, one backwards, as soon as the first comes back", "(P - 1) (F + B + W)",
       "Narayanan et al. 2021, Megatron-LM, arXiv:2104.04473, section 2.2.1 (PipeDream-Flush)", "stages take alike; hops are free", 1, any,
       [](const PipelineShape& s, const PieceTimes& t) { return static_cast<double>(s.stages - 1) * (t.forward + whole_backward(t)); },
       [](const PipelineShape& s) { return static_cast<double>(std::min(s.stages, s.micro_batches)); },
       [](const PipelineShape&, const PieceTimes& t) { return no_hop(t); }},
      {ScheduleKind::interleaved, "interleaved", "1f1b with several chunks of layers a device", "(P - 1) (F + B + W) / v",
       "Narayanan et al. 2021, Megatron-LM, arXiv:2104.04473, section 2.2.2", "stages take alike; hops are free; m a multiple of P", 1,
       whole_groups,
       [](const PipelineShape& s, const PieceTimes& t) {
         return static_cast<double>(s.stages - 1) * (t.forward + whole_backward(t)) / s.chunks;
       },
       [](const PipelineShape& s) {
         const double chunks = s.chunks, warm = 2.0 * (s.stages - 1) + (chunks - 1) * s.stages + 1;
         return std::min(warm, s.micro_batches * chunks) / chunks;
       },
       [](const PipelineShape&, const PieceTimes& t) { return no_hop(t); }},
      {ScheduleKind::zb_h1, "zb-h1", "1f1b whose weight gradients wait for the gaps", "(P - 1) (F + B - W)",
       "Qi et al. 2024, Zero Bubble Pipeline Parallelism, arXiv:2401.10241, table 2",
       "stages take alike; hops are free; W at most F and B, else within (P - 1) (largest - least of F, B, W)", 1, enough_for_h1,
       [](const PipelineShape& s, const PieceTimes& t) {
         return static_cast<double>(s.stages - 1) * (t.forward + t.input_gradient - t.weight_gradient);
       },
       [](const PipelineShape& s) { return static_cast<double>(s.stages); },
       [](const PipelineShape&, const PieceTimes& t) {
         return no_hop(t) && t.weight_gradient <= t.forward && t.weight_gradient <= t.input_gradient;
       }},
      {ScheduleKind::zb_v, "zb-v", "two chunks a device, there and back, weight gradients in the gaps", "0 where F = B = W",
       "Qi et al. 2024, Zero Bubble Pipeline Parallelism, arXiv:2401.10241, section 6",
       "as zb-h1; devices step without waiting for one another; else within (P - 1) (largest - least of F, B, W)", 1, enough_for_v,
       [](const PipelineShape&, const PieceTimes&) { return Seconds{}; },
       [](const PipelineShape& s) { return static_cast<double>(s.stages); },
       [](const PipelineShape&, const PieceTimes& t) { return alike(t); }},
      {ScheduleKind::dualpipe, "dualpipe", "two directions at once, forwards of one over backwards of the other",
       "(P/2 - 1) (F&B + B' - 3 W), B' = B + W", "DeepSeek-AI 2024, DeepSeek-V3 report, arXiv:2412.19437, table 2",
       "stages take alike; hops are free; F = B = W, F&B their sum; else within (P - 1) (largest - least of F, B, W), F&B their sum", 2,
       pairs,
       [](const PipelineShape& s, const PieceTimes& t) {
         return (s.stages / 2 - 1.0) * (t.overlapped + whole_backward(t) - 3 * t.weight_gradient);
       },
       [](const PipelineShape& s) { return s.stages + 1.0; },
       [](const PipelineShape&, const PieceTimes& t) { return alike(t) && t.overlapped == t.forward + whole_backward(t); }},
  }};
  return rows;
}

const ScheduleRow& schedule_row(ScheduleKind kind) { return schedules()[static_cast<std::size_t>(kind)]; }

namespace {

Order order_of(ScheduleKind kind, const PipelineShape& shape, int device) {
  static constexpr Order (*orders[])(const PipelineShape&, int) = {decode_order, gpipe_order, one_f_one_b_order, interleaved_order,
                                                                   zb_h1_order,  zb_v_order,  dualpipe_order};
  return orders[static_cast<std::size_t>(kind)](shape, device);
}

// Chunks of one device whose micro-batches and messages are kept apart.
int lanes(ScheduleKind kind, const PipelineShape& shape) {
  return kind == ScheduleKind::interleaved ? shape.chunks : kind == ScheduleKind::zb_v || kind == ScheduleKind::dualpipe ? 2 : 1;
}

// Arrivals from one neighbour, first come first served.
class Channel {
 public:
  bool empty() const { return head_ == tail_; }
  double front() const { return ring_[head_ & (ring_.size() - 1)]; }
  void pop() { ++head_; }
  void push(double at) {
    if (tail_ - head_ == ring_.size()) grow();
    ring_[tail_++ & (ring_.size() - 1)] = at;
  }

 private:
  void grow() {
    std::vector<double> larger(2 * ring_.size());
    for (std::size_t i = head_; i != tail_; ++i) larger[i & (larger.size() - 1)] = ring_[i & (ring_.size() - 1)];
    ring_ = std::move(larger);
  }
  std::vector<double> ring_ = std::vector<double>(4);
  std::size_t head_ = 0, tail_ = 0;
};

struct Device {
  Order order;
  std::size_t phase = 0, step = 0;
  std::int64_t time = 0;
  double free = 0, first = -1, last = 0, work = 0;
  std::array<int, 2> lane{}, in_lane{};           // of an interleaved order: forwards, backwards; of a group, and how far in
  std::vector<int> forwards, backwards, weights;  // next micro-batch of each lane
  std::int64_t held = 0, pending = 0, most_held = 0, most_pending = 0;
  int waits = -1;  // channel
};

// The order as a graph, run.
class Run {
 public:
  Run(ScheduleKind kind, const PipelineShape& shape, const PieceTimes& times, bool keep)
      : kind_(kind),
        shape_(shape),
        keep_(keep),
        lanes_(lanes(kind, shape)),
        devices_(static_cast<std::size_t>(shape.stages)),
        channels_(static_cast<std::size_t>(2 * lanes_ * shape.stages)) {
    const double part = kind == ScheduleKind::dualpipe ? 1 : 1.0 / lanes_;
    const auto cost = [&](PieceKind k) -> double& { return cost_[static_cast<std::size_t>(k)]; };
    cost(forward) = times.forward.coherent() * part;
    cost(input_gradient) = times.input_gradient.coherent() * part;
    cost(weight_gradient) = times.weight_gradient.coherent() * part;
    cost(backward) = (times.input_gradient + times.weight_gradient).coherent() * part;
    cost(overlapped) = times.overlapped.coherent();
    hop_ = times.hop.coherent();
    for (int d = 0; d < shape.stages; ++d)
      for (int lane = 0; lane < lanes_; ++lane)
        for (const bool back : {false, true}) {
          after_.push_back(after(d, lane, back));
          starts_.push_back(kind != ScheduleKind::decode && after(d, lane, !back).device < 0);
        }
    for (int d = 0; d < shape.stages; ++d) {
      Device& device = devices_[static_cast<std::size_t>(d)];
      device.order = order_of(kind, shape, d);
      device.forwards.resize(static_cast<std::size_t>(lanes_));
      device.backwards = device.weights = device.forwards;
      skip_empty(device);
    }
    if (kind == ScheduleKind::decode)
      for (int m = 0; m < shape.micro_batches; ++m) channels_[channel(0, 0, false)].push(0);
  }

  Simulated result() {
    for (int d = 0; d < shape_.stages; ++d) ready_.push_back(d);
    for (std::size_t next = 0; next < ready_.size(); ++next) {
      work(ready_[next]);
      if (next == 4096) {
        ready_.erase(ready_.begin(), ready_.begin() + 4097);
        next = std::size_t(-1);
      }
    }
    Simulated all{.complete = true};
    for (const Device& d : devices_) {
      all.complete = all.complete && d.phase == d.order.size();
      all.time = max(all.time, d.last * unit::s);
      all.span = max(all.span, (d.last - d.first) * unit::s);
      all.bubble = max(all.bubble, (d.last - d.first - d.work) * unit::s);
      if (kind_ == ScheduleKind::decode) continue;
      const double part = kind_ == ScheduleKind::dualpipe ? 1 : lanes_;
      all.activations = std::max(all.activations, static_cast<double>(d.most_held) / part);
      all.until_weights = std::max(all.until_weights, static_cast<double>(d.most_pending) / part);
    }
    all.slots = std::move(slots_);
    return all;
  }

 private:
  // Messages into a device's lane, forwards or backwards.
  std::size_t channel(int device, int lane, bool back) const { return static_cast<std::size_t>((device * lanes_ + lane) * 2 + back); }

  // Where a micro-batch goes after `lane` of `device`; none at the end of its way.
  struct Place {
    int device = -1, lane = 0;
  };
  Place after(int device, int lane, bool back) const {
    const int p = shape_.stages;
    switch (kind_) {
      case ScheduleKind::decode: return {(device + 1) % p, 0};
      case ScheduleKind::interleaved: {
        const int stage = lane * p + device + (back ? -1 : 1);
        return stage < 0 || stage == p * lanes_ ? Place{} : Place{stage % p, stage / p};
      }
      case ScheduleKind::zb_v: {
        const int at = (lane == 0 ? device : 2 * p - 1 - device) + (back ? -1 : 1);
        return at < 0 || at == 2 * p ? Place{} : at < p ? Place{at, 0} : Place{2 * p - 1 - at, 1};
      }
      default: {
        const bool up = (lane == 0) != back;
        const int to = device + (up ? 1 : -1);
        return to < 0 || to == p ? Place{} : Place{to, lane};
      }
    }
  }
  bool starts(int device, int lane, bool back) const { return starts_[channel(device, lane, back)]; }

  static void skip_empty(Device& d) {
    while (d.phase < d.order.size() && d.order[d.phase].times <= 0) ++d.phase;
  }
  static void advance(Device& d) {
    const Phase& phase = d.order[d.phase];
    if (++d.step < phase.steps) return;
    d.step = 0;
    if (++d.time < phase.times) return;
    d.time = 0;
    ++d.phase;
    skip_empty(d);
  }

  int lane_of(const Device& d, const Step& step) const {
    if (kind_ != ScheduleKind::interleaved) return step.chunk;
    const bool back = step.kind != forward;
    return back ? lanes_ - 1 - d.lane[back] : d.lane[back];
  }

  // Sends what `lane` of device `from` has finished, and wakes who waits for it.
  void send(int from, int lane, bool back, double end) {
    const Place to = after_[channel(from, lane, back)];
    if (to.device < 0) return;
    const std::size_t c = channel(to.device, to.lane, back);
    channels_[c].push(to.device == from ? end : end + hop_);
    Device& other = devices_[static_cast<std::size_t>(to.device)];
    if (other.waits == static_cast<int>(c)) {
      other.waits = -1;
      if (to.device != from) ready_.push_back(to.device);
    }
  }

  void work(int number) {
    Device& d = devices_[static_cast<std::size_t>(number)];
    while (d.phase < d.order.size()) {
      const Step step = d.order[d.phase].step[d.step];
      const int lane = lane_of(d, step);
      const bool goes_on = step.kind == forward || step.kind == overlapped;
      const int back_lane = step.kind == overlapped ? 1 - lane : lane;
      const bool goes_back = step.kind == backward || step.kind == input_gradient || step.kind == overlapped;
      double start = d.free;
      const bool takes_on = goes_on && !starts(number, lane, false), takes_back = goes_back && !starts(number, back_lane, true);
      const std::size_t on = channel(number, lane, false), back = channel(number, back_lane, true);
      if (takes_on && channels_[on].empty()) {
        d.waits = static_cast<int>(on);
        return;
      }
      if (takes_back && channels_[back].empty()) {
        d.waits = static_cast<int>(back);
        return;
      }
      if (takes_on) {
        start = std::max(start, channels_[on].front());
        channels_[on].pop();
      }
      if (takes_back) {
        start = std::max(start, channels_[back].front());
        channels_[back].pop();
      }
      const double end = start + cost_[static_cast<std::size_t>(step.kind)];
      if (d.first < 0) d.first = start;
      d.free = d.last = end;
      d.work += cost_[static_cast<std::size_t>(step.kind)];
      int& next = (goes_on ? d.forwards : goes_back ? d.backwards : d.weights)[static_cast<std::size_t>(lane)];
      int& next_back = d.backwards[static_cast<std::size_t>(back_lane)];
      if (keep_) slots_.push_back({number, {step.kind, lane, next, next_back}, start * unit::s, end * unit::s});
      ++next;
      if (step.kind == overlapped) ++next_back;
      if (goes_on) {
        d.most_held = std::max(d.most_held, ++d.held);
        d.most_pending = std::max(d.most_pending, ++d.pending);
      }
      if (goes_back) --d.held;
      if (step.kind == backward || step.kind == overlapped || step.kind == weight_gradient) --d.pending;
      if (kind_ == ScheduleKind::interleaved && ++d.in_lane[!goes_on] == shape_.stages) {
        d.in_lane[!goes_on] = 0;
        if (++d.lane[!goes_on] == lanes_) d.lane[!goes_on] = 0;
      }
      advance(d);
      if (goes_on) send(number, lane, false, end);
      if (goes_back) send(number, back_lane, true, end);
    }
  }

  ScheduleKind kind_;
  PipelineShape shape_;
  bool keep_;
  int lanes_;
  std::vector<Device> devices_;
  std::vector<Channel> channels_;
  std::array<double, 5> cost_{};
  double hop_ = 0;
  std::vector<Place> after_;  // by channel
  std::vector<char> starts_;
  std::vector<int> ready_;
  std::vector<PieceSlot> slots_;
};

}  // namespace

Simulated simulate(ScheduleKind kind, const PipelineShape& shape, const PieceTimes& times, bool keep_slots) {
  return Run(kind, shape, times, keep_slots).result();
}

DecodePipeline decode_pipeline(const PipelineShape& shape, Seconds forward_time, Seconds hop) {
  const double p = shape.stages, m = shape.micro_batches;
  const Seconds around = p * (forward_time + (shape.stages > 1 ? hop : Seconds{})), work = m * forward_time;
  const Seconds token = max(around, work);
  return {.token_time = token,
          .alone = p * forward_time,
          .hops = token - max(p * forward_time, work),
          .utilisation = work / token,
          .fewest = static_cast<int>(std::min(1e9, std::ceil(around / forward_time)))};
}

double scale_up_over_scale_out(double bandwidth_ratio, double activated_experts, double layers, double copies) {
  return bandwidth_ratio * activated_experts * layers * copies;
}

}  // namespace fareline
