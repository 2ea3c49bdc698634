// SPDX-License-Identifier: Apache-2.0
// The questions "list" and "show": what the catalogue holds, each value with its source.
#include <fmt/format.h>

#include "api/questions.h"
#include "api/value.h"
#include "perf/memory.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json fact(const Sourced<T>& f) {
  Json j = [&] {
    if constexpr (std::is_arithmetic_v<T>) return plain(f.value, "1");
    else return plain(f.value);
  }();
  j["source"] = f.source;
  if (!f.disputed.empty()) j["disputed"] = f.disputed;
  return j;
}

Json chip_json(const Chip& c) {
  Json j{{"name", c.name}, {"title", c.title}, {"vendor", c.vendor}, {"family", c.family}, {"status", c.status}, {"released", c.released}};
  for (const FormatRow& format : formats)
    if (const auto& peak = c.peak[static_cast<std::size_t>(format.format)]; peak.stated()) j["peak"][std::string(format.name)] = fact(peak);
  const auto put = [&](const char* name, const auto& f) { if (f.stated()) j[name] = fact(f); };
  put("cores", c.cores);
  put("hbm_capacity", c.hbm_capacity);
  put("hbm_usable", c.hbm_usable);
  put("hbm_bandwidth", c.hbm_bandwidth);
  put("host_link", c.host_link);
  put("core_bandwidth", c.core_bandwidth);
  put("tdp", c.tdp);
  return j;
}

Json link_json(const Link& l) {
  Json j{{"kind", l.kind}};
  if (l.bandwidth.stated()) j["bandwidth"] = fact(l.bandwidth);
  if (l.latency.stated()) j["latency"] = fact(l.latency);
  return j;
}

Json system_json(const System& s) {
  Json j{{"name", s.name}, {"title", s.title}, {"status", s.status}, {"chip", s.chip.name}, {"chips", s.chips}, {"domain", s.domain},
         {"scale_up", link_json(s.scale_up)}, {"scale_out", link_json(s.scale_out)}};
  for (const MemoryTier& t : s.tiers) {
    Json tier{{"name", t.name}};
    if (t.capacity.stated()) tier["capacity"] = fact(t.capacity);
    if (t.bandwidth.stated()) tier["bandwidth"] = fact(t.bandwidth);
    if (t.price.stated()) tier["price"] = fact(t.price);
    j["tiers"].push_back(std::move(tier));
  }
  return j;
}

Json model_json(const Model& m) {
  const ParameterCount count = count_parameters(m);
  Json j{{"name", m.name},
         {"architecture", m.architecture},
         {"source", m.source},
         {"layers", m.layers()},
         {"hidden", m.hidden},
         {"vocabulary", m.vocabulary},
         {"max_context", plain(static_cast<double>(m.max_context), "tok")},
         {"parameters", {{"total", count.total}, {"active", count.active}}},
         {"kv_per_token", plain(kv_bytes_per_token(m, element_bytes(m.precision.kv)))},
         {"precision",
          {{"weights", std::string(name(m.precision.weights))},
           {"kv", std::string(name(m.precision.kv))},
           {"activations", std::string(name(m.precision.activations))}}}};
  if (m.published.total > 0)
    j["published"] = {
        {"total", m.published.total}, {"active", m.published.active}, {"nominal", m.published.nominal}, {"source", m.published.source}};
  Json kinds = Json::array();
  for (std::size_t k = 0; k < m.kinds.size(); ++k) {
    const Layer& l = m.kinds[k];
    const auto layers = std::count(m.order.begin(), m.order.end(), static_cast<int>(k));
    Json kind{{"layers", layers},
              {"attention", std::string(name(l.attention.kind))},
              {"heads", l.attention.heads},
              {"kv_heads", l.attention.kv_heads}};
    if (l.attention.window > 0) kind["window"] = l.attention.window;
    if (l.attention.topk > 0) kind["selected_tokens"] = l.attention.topk;
    kind["experts"] = l.feed_forward.experts;
    kind["active_experts"] = l.feed_forward.active_experts;
    kind["intermediate"] = l.feed_forward.intermediate;
    std::int64_t parameters = 0;
    for (const Matrix& matrix : l.matrices) parameters += matrix.parameters();
    kind["parameters"] = parameters;
    kinds.push_back(std::move(kind));
  }
  j["layer_kinds"] = std::move(kinds);
  j["mtp_modules"] = m.mtp.size();
  j["notes"] = m.notes;
  return j;
}

Json calibration_json(const Calibration& c) {
  Json j{{"name", c.name}, {"title", c.title}, {"chip", c.chip}, {"stack", c.stack}, {"evidence", c.evidence}, {"source", c.source}};
  j["engine"] = {{"step", plain(c.engine.step)},
                 {"sequence", plain(c.engine.sequence)},
                 {"prompt", plain(c.engine.prompt)},
                 {"collective_overlap", c.engine.collective_overlap}};
  for (const KernelRow& k : kernels) {
    for (const Format format : {Format::bf16, Format::fp8, Format::nvfp4}) {
      const Efficiency& e = c.at(k.kernel, format);
      j["kernels"].push_back({{"kernel", std::string(k.name)},
                              {"format", std::string(name(format))},
                              {"peak_share", e.peak_share},
                              {"bandwidth_share", e.bandwidth_share},
                              {"latency", plain(e.latency)},
                              {"serial_share", e.serial_share},
                              {"item_time", plain(e.item_time)},
                              {"depth_time", plain(e.depth_time)},
                              {"fitted", e.fitted}});
    }
  }
  return j;
}

Json whole(Json answer) { return {{"answer", std::move(answer)}, {"explain", Json::object()}, {"warnings", Json::array()}}; }

}  // namespace

Expected<Json> answer_list(Inputs& inputs, const Catalogue& catalogue) {
  const std::string kind = inputs.text("kind");
  Json rows = Json::array();
  if (kind == "chips") {
    for (const std::string& n : catalogue.chip_names()) {
      const Chip c = *catalogue.chip(n);
      rows.push_back({{"name", c.name},
                      {"title", c.title},
                      {"status", c.status},
                      {"hbm_capacity", plain(c.hbm_capacity.value)},
                      {"hbm_bandwidth", plain(c.hbm_bandwidth.value)}});
    }
  } else if (kind == "systems") {
    for (const std::string& n : catalogue.system_names()) {
      const System s = *catalogue.system(n);
      rows.push_back({{"name", s.name},
                      {"title", s.title},
                      {"status", s.status},
                      {"chip", s.chip.name},
                      {"chips", plain(s.chips, "1")},
                      {"domain", plain(s.domain, "1")}});
    }
  } else if (kind == "models") {
    for (const std::string& n : catalogue.model_names()) {
      const auto m = catalogue.model(n);
      if (!m) return std::unexpected(m.error());
      const ParameterCount count = count_parameters(*m);
      rows.push_back({{"name", m->name},
                      {"layers", plain(m->layers(), "1")},
                      {"parameters", plain(static_cast<double>(count.total), "1")},
                      {"active", plain(static_cast<double>(count.active), "1")},
                      {"kv_per_token", plain(kv_bytes_per_token(*m, element_bytes(m->precision.kv)))},
                      {"weights", std::string(name(m->precision.weights))}});
    }
  } else if (kind == "prices") {
    for (const RentalPrice& p : catalogue.rental_prices())
      rows.push_back(
          {{"chip", p.chip}, {"rate", plain(p.rate)}, {"provider", p.provider}, {"kind", p.kind}, {"date", p.date}, {"source", p.source}});
  } else if (kind == "calibrations") {
    for (const std::string& n : catalogue.calibration_names()) {
      const Calibration c = *catalogue.calibration(n);
      rows.push_back({{"name", c.name}, {"title", c.title}, {"chip", c.chip}, {"stack", c.stack}, {"evidence", c.evidence}});
    }
  } else {
    for (const Question& q : questions()) rows.push_back({{"name", std::string(q.name)}, {"summary", std::string(q.summary)}});
  }
  return whole({{"kind", kind}, {"rows", std::move(rows)}});
}

Expected<Json> answer_show(Inputs& inputs, const Catalogue& catalogue) {
  const std::string kind = inputs.text("kind"), wanted = inputs.text("name");
  if (wanted.empty()) return fail("name", "is missing", fmt::format("give a name from \"fareline list {}s\"", kind));
  const auto shown = [&](const auto& found, auto&& write) -> Expected<Json> {
    if (!found) return std::unexpected(Error(found.error()).within("name"));
    return whole(write(*found));
  };
  if (kind == "chip") return shown(catalogue.chip(wanted), chip_json);
  if (kind == "system") return shown(catalogue.system(wanted), system_json);
  if (kind == "model") return shown(catalogue.model(wanted), model_json);
  return shown(catalogue.calibration(wanted), calibration_json);
}

}  // namespace fareline
