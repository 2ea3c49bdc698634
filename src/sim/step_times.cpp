// SPDX-License-Identifier: Apache-2.0
#include "sim/step_times.h"

#include <algorithm>
#include <cmath>

#include "sim/traffic_random.h"

namespace fareline {
namespace {

constexpr std::size_t places = std::size_t{1} << 13;
constexpr int worth_a_line = 3;       // uses of a mixed batch after which its line is drawn
constexpr std::size_t most_lines = 64;
constexpr double tolerance = 2e-13;   // of a point against its line, relative: some roundings of an estimate's sum

bool near(double a, double b) { return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b)); }
bool near(const StepCost& a, const StepCost& b) {
  return near(a.time.coherent(), b.time.coherent()) && near(a.stage.coherent(), b.stage.coherent()) &&
         near(a.flops.coherent(), b.flops.coherent()) && near(a.moved.coherent(), b.moved.coherent());
}

CostLine through(double from, const StepCost& a, double to, const StepCost& b) {
  const double width = to - from;
  CostLine line{.from = from, .to = to};
  line.per_token = {(b.time - a.time) / width, (b.stage - a.stage) / width, (b.flops - a.flops) / width, (b.moved - a.moved) / width};
  line.at_none = {a.time - from * line.per_token.time, a.stage - from * line.per_token.stage, a.flops - from * line.per_token.flops,
                  a.moved - from * line.per_token.moved};
  return line;
}

// Draws a function that is made of lines, by looking at points: an interval whose quarters lie on the line through its ends is one;
// else it is parted where the lines at both ends meet, or in the middle.
template <class F>
struct Drawer {
  const F& cost;
  std::vector<CostLine> lines;
  bool crooked = false;

  bool straight(const CostLine& line) const {
    for (const double part : {0.25, 0.5, 0.75, 0.0625, 0.9375}) {
      const double x = line.from + part * (line.to - line.from);
      if (!near(cost(x), line.at(x))) return false;
    }
    return true;
  }
  void emit(const CostLine& line) {
    const double from = lines.empty() ? 0 : lines.back().from;
    if (!lines.empty() && near(lines.back().at(line.to), line.at(line.to)) && near(line.at(from), lines.back().at(from))) {
      lines.back() = through(from, lines.back().at(from), line.to, line.at(line.to));
      return;
    }
    lines.push_back(line);
    crooked = crooked || lines.size() > most_lines;
  }
  void part(double from, const StepCost& a, double to, const StepCost& b, int depth) {
    if (crooked) return;
    const CostLine whole = through(from, a, to, b);
    if (straight(whole)) return emit(whole);
    if (depth > 60 || to - from < 1e-9) {
      // A jump: the line on its left holds up to `from`, and what is right of it begins there.
      if (!lines.empty()) lines.back().to = from;
      CostLine step = whole;
      step.per_token = {};
      step.at_none = b;
      return emit(step);
    }
    const double width = to - from, near_from = from + width / 128, near_to = to - width / 128;
    const CostLine left = through(from, a, near_from, cost(near_from)), right = through(near_to, cost(near_to), to, b);
    const double slopes = (left.per_token.time - right.per_token.time).coherent();
    if (slopes != 0) {
      const double meet = (right.at_none.time - left.at_none.time).coherent() / slopes;
      if (meet > near_from && meet < near_to) {
        const StepCost there = cost(meet);
        const CostLine first = through(from, a, meet, there), second = through(meet, there, to, b);
        if (straight(first) && straight(second)) {
          emit(first);
          return emit(second);
        }
      }
    }
    const double middle = 0.5 * (from + to);
    const StepCost there = cost(middle);
    part(from, a, middle, there, depth + 1);
    part(middle, there, to, b, depth + 1);
  }
};

}  // namespace

StepTimes::StepTimes(const CompiledPlan& plan, double context_most, int draft, bool drafted_by_mtp)
    : plan_(&plan), context_most_(context_most), draft_(draft), drafted_by_mtp_(drafted_by_mtp), mixed_(places) {}

StepCost StepTimes::estimate(const Batch& batch, double context) const {
  Pass pass;
  pass.decode_sequences = static_cast<double>(batch.decoding) * plan_->plan().pp;  // a pass counts the micro-batches of all stages
  pass.decode_context = context;
  pass.tokens_per_sequence = 1 + draft_;
  if (batch.chunks > 0) {
    const double chunks = static_cast<double>(batch.chunks), tokens = static_cast<double>(batch.chunk_tokens);
    pass.prefill_sequences = chunks;
    pass.prefill_tokens = tokens / chunks;
    pass.prefill_context = std::max(0.0, static_cast<double>(batch.pairs) / tokens - (pass.prefill_tokens + 1) / 2);
  }
  const PassEstimate e = plan_->estimate(pass);
  StepCost cost{e.time, e.stage_time, e.flops, e.weights + e.kv + e.activations};
  if (drafted_by_mtp_ && draft_ > 0 && batch.decoding > 0) {
    const Seconds drafting = draft_ * plan_->draft(pass).stage_time;
    cost.time += drafting;
    cost.stage += drafting;
  }
  return cost;
}

StepTimes::Curve StepTimes::draw(const Batch& batch) const {
  const auto cost = [&](double context) { return estimate(batch, context); };
  Drawer<decltype(cost)> drawer{cost, {}, false};
  // Octave by octave, so that no bend hides between the points looked at in a wide interval.
  double from = 0;
  StepCost a = cost(0);
  for (double to = 64;; to *= 4) {
    to = std::min(to, std::max(context_most_, 1.0));
    const StepCost b = cost(to);
    drawer.part(from, a, to, b, 0);
    from = to;
    a = b;
    if (to >= context_most_) break;
  }
  Curve curve;
  if (!drawer.crooked) curve.lines = std::move(drawer.lines);
  return curve;
}

const CostLine* StepTimes::on(Curve& curve, double context) const {
  const std::size_t n = curve.lines.size();
  if (n == 0 || context > curve.lines.back().to) return nullptr;
  std::size_t i = std::min(curve.last, n - 1);
  while (i > 0 && context <= curve.lines[i].from) --i;
  while (i + 1 < n && context > curve.lines[i].to) ++i;
  curve.last = i;
  return &curve.lines[i];
}

const CostLine* StepTimes::line(std::int64_t decoding, double context) {
  if (draft_ > 0) return nullptr;
  const auto i = static_cast<std::size_t>(decoding);
  if (i >= decoding_.size()) decoding_.resize(i + 1);
  if (!decoding_[i]) decoding_[i] = std::make_unique<Curve>(draw({.decoding = decoding}));
  return on(*decoding_[i], context);
}

StepTimes::Remembered& StepTimes::place_of(const Batch& batch) {
  std::uint64_t hash = scrambled(static_cast<std::uint64_t>(batch.decoding) + golden_gamma * static_cast<std::uint64_t>(batch.chunks));
  hash = scrambled(hash ^ (static_cast<std::uint64_t>(batch.chunk_tokens) + golden_gamma * static_cast<std::uint64_t>(batch.pairs)));
  return mixed_[hash & (places - 1)];
}

StepCost StepTimes::at(const Batch& batch, double context) {
  if (draft_ > 0 && batch.decoding > 0) return estimate(batch, context);
  if (batch.chunks == 0) {
    const CostLine* found = line(batch.decoding, context);
    return found ? found->at(context) : estimate(batch, context);
  }
  Remembered& place = place_of(batch);
  if (place.batch == batch) {
    if (place.seen < worth_a_line + 8) ++place.seen;
    if (!place.curve && place.seen >= worth_a_line) place.curve = std::make_unique<Curve>(draw(batch));
    if (place.curve)
      if (const CostLine* found = on(*place.curve, context)) return found->at(context);
  } else if (--place.seen <= 0) {
    place = {.batch = batch, .seen = 1, .curve = nullptr};
  }
  return estimate(batch, context);
}

void StepTimes::archive(Archive& archive) {
  std::vector<Remembered>& all = mixed_;
  std::uint64_t used = 0;
  if (!archive.reading())
    for (const Remembered& r : all) used += r.seen > 0;
  archive(used);
  if (archive.reading()) {
    all.clear();
    all.resize(places);
    for (std::uint64_t i = 0; i < used && !archive.failed(); ++i) {
      Batch batch;
      int seen = 0;
      bool drawn = false;
      archive(batch, seen, drawn);
      Remembered& place = place_of(batch);
      place = {.batch = batch, .seen = seen, .curve = drawn ? std::make_unique<Curve>(draw(batch)) : nullptr};
    }
  } else {
    for (Remembered& r : all) {
      if (r.seen <= 0) continue;
      bool drawn = r.curve != nullptr;
      archive(r.batch, r.seen, drawn);
    }
  }
}

}  // namespace fareline
