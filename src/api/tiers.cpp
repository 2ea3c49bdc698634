// SPDX-License-Identifier: Apache-2.0
// The question "tiers": where to keep a cached prefix, and how long.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "api/blackboard.h"
#include "api/explain.h"
#include "api/figures.h"
#include "api/questions.h"
#include "economics/tiers.h"
#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto tier_inputs = in_group("question", std::array<Input, 6>{{
    {.name = "context",
     .kind = InputKind::count,
     .value = "8192",
     .reason = "a long conversation, or a system prompt with a document",
     .summary = "tokens of the cached prefix",
     .least = 1,
     .most = 1e9},
    {.name = "mfu",
     .kind = InputKind::number,
     .value = "0.5",
     .reason = "between the 0.3 and 0.7 of peak that prefill reaches on H100, H200 and B200 (fits to InferenceX rows)",
     .summary = "share of the peak that computing the prefix again reaches",
     .least = 0.01,
     .most = 1},
    {.name = "reuse",
     .kind = InputKind::quantity,
     .value = "110 s",
     .reason = "mean gap between two uses of a block in Mooncake's synthetic trace (kvcache-ai/Mooncake, FAST25-release)",
     .summary = "mean time between two uses of the prefix, exponentially distributed",
     .dim = Seconds::dim,
     .least = 1e-3,
     .most = 1e9},
    {.name = "again",
     .kind = InputKind::number,
     .value = "0.64",
     .reason = "share of block uses that another follows in the same trace; the trace is 17 minutes long, so that later ones are missed",
     .summary = "share of uses that another follows",
     .least = 0,
     .most = 1},
    {.name = "gaps",
     .kind = InputKind::document,
     .reason = "exponential, from reuse and again",
     .summary = "measured seconds between two uses instead: a list, or {\"gaps\": [...], \"never\": uses that none followed}"},
    {.name = "prices",
     .kind = InputKind::choice,
     .value = "owned",
     .reason = "the chips' rent pays for their host, whose memory at a cloud's list price would be paid twice",
     .summary = "what memory of the server is charged at: what it costs to own, or a cloud's list price",
     .choices = "owned,list"},
}});
constexpr auto inputs_table = joined(blackboard_model_inputs, blackboard_system_inputs, tier_inputs);

constexpr double tokens_per_million = 1e6;

struct Tier {
  std::string name, source;
  TierOffer offer;
  Keeping cost;
  bool computes = false;
};

Expected<Reuse> reuse_of(Inputs& inputs) {
  const Json* given = inputs.object("gaps");
  if (!given) {
    if (inputs.has("gaps"))
      return fail("gaps", in_quotes(inputs.text("gaps")) + " is no list of seconds", "give a JSON file that holds a list of numbers");
    return Reuse::exponential(*inputs.quantity<Seconds>("reuse"), *inputs.number("again"));
  }
  for (const std::string_view unused : {"reuse", "again"}) inputs.leave_out(unused);
  const Json* list = given;
  double never = 0;
  if (given->is_object()) {
    if (!given->contains("gaps")) return fail("gaps", "has no member \"gaps\"", "write {\"gaps\": [12.5, 300], \"never\": 3}");
    list = &(*given)["gaps"];
    if (given->contains("never")) {
      if (!(*given)["never"].is_number() || !((*given)["never"].get<double>() >= 0))
        return fail("gaps.never", "is not a count", "write how many uses no other followed, e.g. 3");
      never = (*given)["never"];
    }
  }
  if (!list->is_array() || list->empty()) return fail("gaps", "holds no gap", "write a list of seconds, e.g. [12.5, 300]");
  std::vector<Seconds> gaps;
  for (const Json& gap : *list) {
    if (!gap.is_number() || !(gap.get<double>() >= 0) || !(gap.get<double>() <= 1e12))
      return fail(fmt::format("gaps[{}]", gaps.size()), "is not a number of seconds", "write seconds as numbers, none negative");
    gaps.push_back(gap.get<double>() * unit::s);
  }
  return Reuse::measured(std::move(gaps), never);
}

std::string after(const TimeToLive& best) {
  return best.forever ? "however long it takes" : "for " + to_text(best.live, 3) + " after each use";
}

Json charge_row(const Tier& tier, const Keeping& recompute, double tokens) {
  const auto per_million = [&](Dollars d) { return plain(d.in(unit::usd) / tokens * tokens_per_million, "USD/Mtok"); };
  const Dollars five = charge_of_write(tier.cost, recompute, 5 * unit::minute), hour = charge_of_write(tier.cost, recompute, unit::hour);
  return {{"tier", tier.name},
          {"write_5min", per_million(five)},
          {"write_1h", per_million(hour)},
          {"hit", per_million(tier.cost.retrieve)},
          {"write_5min_over_input", plain(five / recompute.retrieve, "1")},
          {"write_1h_over_input", plain(hour / recompute.retrieve, "1")},
          {"hit_over_input", plain(tier.cost.retrieve / recompute.retrieve, "1")}};
}

LineFigure picture(const std::vector<Tier>& tiers, const std::vector<CheapestFrom>& envelope, double tokens) {
  LineFigure figure{.title = "What a prefix costs from one use to the next",
                    .subtitle = fmt::format("{} tokens, held until they are used or computed again", number_text(tokens)),
                    .description = "Cost of one use over the time since the last, a line a tier; where lines cross, tiers break even.",
                    .x = {.label = "seconds between two uses", .unit = "1", .scale = "log10"},
                    .y = {.label = "cost of a million tokens", .unit = "USD/Mtok", .scale = "log10"}};
  double last = 3600;
  for (const CheapestFrom& part : envelope) last = std::max(last, std::min(part.from.in(unit::s) * 10, 1e9));
  int colour = 0;
  for (const Tier& tier : tiers) {
    FigureSeries series{.name = tier.name, .x = {}, .y = {}, .colour = colour++};
    for (double t = 0.1; t <= last * 1.0001; t *= 1.25892541179416721) {
      series.x.push_back(t);
      series.y.push_back((t * unit::s * tier.cost.hold + tier.cost.retrieve).in(unit::usd) / tokens * tokens_per_million);
    }
    figure.series.push_back(std::move(series));
  }
  for (std::size_t i = 1; i < envelope.size(); ++i)
    if (envelope[i].from.in(unit::s) >= 0.1)
      figure.markers.push_back({.vertical = true, .at = envelope[i].from.in(unit::s),
                                .text = fmt::format("{} from {}", tiers[envelope[i].index].name, to_text(envelope[i].from, 2))});
  return figure;
}

Expected<Json> answer_tiers(Inputs& inputs, const Catalogue& catalogue) {
  const auto model = blackboard_model(inputs, catalogue);
  if (!model) return std::unexpected(model.error());
  const auto system = blackboard_system(inputs, catalogue, *model);
  if (!system) return std::unexpected(system.error());
  const auto reuse = reuse_of(inputs);
  if (!reuse) return std::unexpected(reuse.error());
  const auto active = needed(model->active_parameters, "active_parameters", "model", "37e9");
  const auto kv = needed(model->kv_per_token, "kv_per_token", "model", "\"70 kB/tok\"");
  const auto peak = needed(system->peak, "peak", "system", "\"989 TFLOP/s\"");
  const auto capacity = needed(system->hbm_capacity, "hbm_capacity", "system", "\"80 GB\"");
  const auto bandwidth = needed(system->hbm_bandwidth, "hbm_bandwidth", "system", "\"3.35 TB/s\"");
  const auto rental = needed(system->rental, "rental", "system", "\"2 USD/h\"");
  for (const auto* missing : {!active ? &active.error() : nullptr, !kv ? &kv.error() : nullptr, !peak ? &peak.error() : nullptr,
                              !capacity ? &capacity.error() : nullptr, !bandwidth ? &bandwidth.error() : nullptr,
                              !rental ? &rental.error() : nullptr})
    if (missing) return std::unexpected(*missing);

  for (const std::string_view unused : {"total_parameters", "bytes_per_parameter", "layers", "hidden", "heads", "kv_heads", "head_dim",
                                        "routed_experts", "activated_experts", "scale_up_bandwidth", "scale_out_bandwidth", "domain",
                                        "hardware_ratio"})
    inputs.leave_out(unused);
  const double tokens = *inputs.number("context"), chips = system->chips.value_or(1), mfu = *inputs.number("mfu");
  const Bytes size = model->named && !model->kv_given ? sequence_bytes(*model->named, model->named->precision.kv, tokens)
                                                      : tokens * unit::token * *kv;
  std::vector<Tier> tiers;
  tiers.push_back({.name = "hbm",
                   .source = "economics/tiers.h: working_storage",
                   .offer = {.capacity = *capacity, .bandwidth = {}, .hold = working_storage(*rental, *capacity)},
                   .cost = {}});
  if (system->named)
    for (const MemoryTier& tier : system->named->tiers) {
      if (!tier.capacity.stated() || !tier.bandwidth.stated()) continue;
      Tier t{.name = tier.name, .source = tier.price.source, .offer = {.capacity = tier.capacity.value, .bandwidth = tier.bandwidth.value,
             .hold = tier.price.value}, .cost = {}};
      const DataPrice device = device_price(tier.name);
      if (inputs.text("prices") == "owned" && device > DataPrice{}) {
        t.offer.hold = holding_price(tier);
        t.source = "economics/tiers.h: owned_storage";
      }
      if (tier.name == "remote") {
        t.offer.get = remote_get;
        t.offer.put = remote_put;
      }
      if (tier.name == "flash") t.offer.wear = wear(device, drive_writes);
      tiers.push_back(std::move(t));
    }
  for (Tier& tier : tiers) tier.cost = kept(tier.offer, size);
  const Keeping recompute = recomputed(*active, tokens, *peak, mfu, *rental);
  tiers.push_back({.name = "recompute", .source = "economics/tiers.h: recomputed", .offer = {}, .cost = recompute, .computes = true});

  const auto per_million = [&](Dollars d) { return plain(d.in(unit::usd) / tokens * tokens_per_million, "USD/Mtok"); };
  std::vector<Keeping> costs;
  Json rows = Json::array(), pairs = Json::array(), charges = Json::array();
  std::size_t best = tiers.size() - 1;
  TimeToLive best_live{.live = {}, .forever = false, .cost = reuse->again() * recompute.retrieve};
  for (std::size_t i = 0; i < tiers.size(); ++i) {
    const Tier& tier = tiers[i];
    costs.push_back(tier.cost);
    Json row{{"tier", tier.name}, {"hold", plain(tier.cost.hold)}, {"retrieve", plain(tier.cost.retrieve)},
             {"retrieve_price", per_million(tier.cost.retrieve)}};
    if (!tier.computes) {
      row["write"] = plain(tier.cost.write);
      row["capacity"] = plain(tier.offer.capacity);
      row["drain"] = plain(drain_time(tier.offer.capacity, tier.offer.bandwidth > Bandwidth{} ? tier.offer.bandwidth : *bandwidth));
      if (tier.offer.bandwidth > Bandwidth{}) row["retrieval_time"] = plain(size / (chips * tier.offer.bandwidth));
      const TimeToLive live = best_time_to_live(tier.cost, recompute, *reuse);
      row["live"] = live.forever ? Json("for good") : Json(to_text(live.live, 3));
      row["cost_of_use"] = plain(live.cost);
      if (live.cost < best_live.cost) {
        best = i;
        best_live = live;
      }
      charges.push_back(charge_row(tier, recompute, tokens));
    } else {
      row["retrieval_time"] = plain(2 * *active * tokens * unit::flop / (chips * mfu * *peak));
      row["cost_of_use"] = plain(reuse->again() * recompute.retrieve);
    }
    rows.push_back(std::move(row));
    for (std::size_t k = 0; k < i; ++k)
      if (const auto at = break_even(tiers[k].cost, tier.cost))
        pairs.push_back({{"near", tiers[k].name}, {"far", tier.name}, {"at", plain(*at)}});
  }
  const auto envelope = cheapest_by_gap(costs);
  Json by_gap = Json::array();
  for (const CheapestFrom& part : envelope) by_gap.push_back({{"from", plain(part.from)}, {"tier", tiers[part.index].name}});

  Json answer{{"size", plain(size)}, {"again", plain(reuse->again(), "1")}, {"mean_gap", plain(reuse->mean())}};
  answer["best"] = {{"tier", tiers[best].name},
                    {"live", plain(best_live.live)},
                    {"for_good", best_live.forever},
                    {"cost", plain(best_live.cost)},
                    {"saved", plain(1 - (reuse->again() > 0 ? best_live.cost / (reuse->again() * recompute.retrieve) : 1), "1")}};
  answer["rows"] = std::move(rows);
  answer["break_even"] = std::move(pairs);
  answer["by_gap"] = std::move(by_gap);
  answer["charges"] = std::move(charges);
  for (const Tier& tier : tiers)
    if (tier.name == "flash")
      answer["wear"] = {{"endurance", plain(drive_writes * tier.offer.capacity)},
                        {"writes", plain(drive_writes * tier.offer.capacity / storage_life)},
                        {"prefixes", plain(drive_writes * tier.offer.capacity / storage_life / size * unit::s, "1")},
                        {"part_of_write", plain(size * tier.offer.wear / tier.cost.write, "1")}};
  const std::string chosen = tiers[best].name;
  answer["why"] = best == tiers.size() - 1
                      ? fmt::format("Computing {} tokens again costs {}: no tier holds {} for less until it is used.", number_text(tokens),
                                    to_text(recompute.retrieve, 3), to_text(size, 3))
                      : fmt::format("Kept in {} {}, a use costs {} where computing again costs {} each time: {:.0f}% less.", chosen,
                                    after(best_live), to_text(best_live.cost, 3), to_text(recompute.retrieve, 3),
                                    100 * answer["best"]["saved"]["value"].get<double>());
  std::string change;
  for (std::size_t i = 1; i < envelope.size(); ++i)
    change += fmt::format("{}{} is cheapest from {}", i > 1 ? ", " : "", tiers[envelope[i].index].name, to_text(envelope[i].from, 3));
  answer["change"] = change.empty() ? std::string("No gap changes the choice.")
                                    : fmt::format("Were the gap known: {} to begin with; {}.", tiers[envelope.front().index].name, change);
  answer["figures"] = Json::array({to_json(picture(tiers, envelope, tokens))});

  Json numbers = Json::array();
  const auto node = [](std::string name, Json value, std::string source = {}) {
    return Explained{.name = std::move(name), .value = std::move(value), .formula = {}, .source = std::move(source), .inputs = {}};
  };
  for (const Tier& tier : tiers) {
    if (tier.computes) {
      numbers.push_back(to_json({.name = "recompute.retrieve",
                                 .value = plain(tier.cost.retrieve),
                                 .formula = "2 active_parameters context / (peak mfu) rental",
                                 .source = tier.source,
                                 .inputs = {node("active_parameters", plain(*active, "1")), node("context", plain(tokens, "tok")),
                                            node("peak", plain(*peak)), node("mfu", plain(mfu, "1")), node("rental", plain(*rental))}}));
      continue;
    }
    numbers.push_back(to_json({.name = tier.name + ".hold",
                               .value = plain(tier.cost.hold),
                               .formula = tier.name == "hbm" ? "size rental / hbm_capacity" : "size price",
                               .source = tier.source,
                               .inputs = {node("size", plain(size)), node("price", plain(tier.offer.hold))}}));
    if (tier.offer.bandwidth > Bandwidth{})
      numbers.push_back(to_json({.name = tier.name + ".retrieve",
                                 .value = plain(tier.cost.retrieve),
                                 .formula = tier.offer.put > DataPrice{} ? "size get" : "size / bandwidth (price capacity)",
                                 .source = "economics/tiers.h: kept",
                                 .inputs = {node("size", plain(size)), node("bandwidth", plain(tier.offer.bandwidth)),
                                            node("capacity", plain(tier.offer.capacity)), node("price", plain(tier.offer.hold))}}));
  }
  Json warnings = Json::array();
  if (!system->named) warnings.push_back("no system is named: its host memory, flash, disk and remote store are not known");
  return Json{{"answer", std::move(answer)}, {"explain", {{"numbers", std::move(numbers)}}}, {"warnings", std::move(warnings)}};
}

}  // namespace

Question tiers_question() {
  return {"tiers", "where to keep a cached prefix between uses, for how long, and what to charge for it",
          "--model meta-llama/Llama-3.1-70B --system hgx-h100 --context 8192", inputs_table, answer_tiers, plot_figures};
}

}  // namespace fareline
