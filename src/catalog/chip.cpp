// SPDX-License-Identifier: Apache-2.0
#include "catalog/chip.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/fields.h"

namespace fareline {
namespace {

constexpr Range<FlopRate> believable_peak{unit::GFLOP / unit::s, 1000 * unit::PFLOP / unit::s};
constexpr Range<Bandwidth> believable_link{unit::MB / unit::s, unit::PB / unit::s};
constexpr Range<Seconds> believable_hop{unit::ns, unit::s};
constexpr Range<StoragePrice> believable_storage{0 * unit::usd / unit::GB / unit::s, 1000 * unit::usd / unit::GB / unit::month};

std::string name_of(Fields& fields) {
  const std::string name = fields.text("name");
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  if (!std::all_of(name.begin(), name.end(), allowed))
    fields.wrong("name", fmt::format("\"{}\" is not a name", name.substr(0, 60)),
                 "write small letters, digits and hyphens, e.g. \"h100-sxm\"");
  return name;
}

void read_peaks(Fields& chip, Chip& read) {
  Fields peak = chip.object("peak");
  bool any = false;
  for (const FormatRow& format : formats) {
    const std::string key(format.name);
    if (format.rate != format.format) {
      if (peak.raw(key, Presence::optional))
        peak.wrong(key, "multiplies at the rate of another format", fmt::format("write it under \"{}\"", name(format.rate)));
      continue;
    }
    Sourced<FlopRate>& rate = read.peak[static_cast<std::size_t>(format.format)];
    rate = peak.fact<FlopRate>(key, believable_peak, Presence::optional);
    any = any || rate.stated();
  }
  peak.done();
  if (!any && chip.has("peak"))
    peak.wrong("", "no format has a peak", "add e.g. \"bf16\": {\"value\": \"989 TFLOP/s\", \"source\": \"…\"}");
}

Link read_link(Fields& system, std::string_view key) {
  Fields fields = system.object(key);
  Link link;
  if (fields.has("none")) {
    link.kind = "none";
    link.bandwidth.disputed = link.latency.disputed = fields.text("none");
  } else {
    link.kind = fields.text("kind");
    link.bandwidth = fields.fact<Bandwidth>("bandwidth", believable_link);
    link.latency = fields.fact<Seconds>("latency", believable_hop);
  }
  fields.done();
  return link;
}

std::vector<MemoryTier> read_tiers(Fields& system) {
  std::vector<MemoryTier> tiers;
  std::size_t least = 0;  // tiers stand nearest first, each at most once
  for (Fields& fields : system.objects("tiers")) {
    MemoryTier tier;
    tier.name = fields.choice("name", tier_names);
    const auto rank = static_cast<std::size_t>(std::find(tier_names.begin(), tier_names.end(), tier.name) - tier_names.begin());
    if (rank < least) fields.wrong("name", fmt::format("\"{}\" stands twice or too late", tier.name), "list each tier once, nearest first");
    least = rank + 1;
    tier.capacity = fields.fact<Bytes>("capacity", {unit::MB, 1000 * unit::PB});
    tier.bandwidth = fields.fact<Bandwidth>("bandwidth", believable_link);
    tier.price = fields.fact<StoragePrice>("price", believable_storage);
    fields.done();
    tiers.push_back(std::move(tier));
  }
  return tiers;
}

}  // namespace

Expected<Chip> read_chip(std::string_view file, std::string_view text) {
  const auto document = parse_json(file, text);
  if (!document) return std::unexpected(document.error());
  std::optional<Error> error;
  Fields fields(*document, std::string(file), "", error);
  Chip chip;
  chip.name = name_of(fields);
  chip.title = fields.text("title");
  chip.vendor = fields.text("vendor");
  chip.family = fields.choice("family", chip_families);
  chip.status = fields.choice("status", statuses);
  chip.released = fields.date("released");
  read_peaks(fields, chip);
  for (const auto& fact : chip_capacities) chip.*fact.member = fields.fact<Bytes>(fact.key, {fact.least, fact.most});
  for (const auto& fact : chip_bandwidths)
    chip.*fact.member =
        fields.fact<Bandwidth>(fact.key, {fact.least, fact.most}, fact.optional ? Presence::optional : Presence::required);
  for (const auto& fact : chip_powers) chip.*fact.member = fields.fact<Watts>(fact.key, {fact.least, fact.most});
  for (const auto& fact : chip_counts) chip.*fact.member = fields.fact(fact.key, {fact.least, fact.most});
  fields.done();
  if (chip.hbm_usable.value > chip.hbm_capacity.value)
    fields.wrong("hbm_usable",
                 fmt::format("{} is more than the physical {}", to_text(chip.hbm_usable.value), to_text(chip.hbm_capacity.value)),
                 "write both in the same unit; a data sheet's GB are often GiB");
  if (error) return std::unexpected(*error);
  return chip;
}

Expected<System> read_system(std::string_view file, std::string_view text, std::span<const Chip> chips) {
  const auto document = parse_json(file, text);
  if (!document) return std::unexpected(document.error());
  std::optional<Error> error;
  Fields fields(*document, std::string(file), "", error);
  System system;
  system.name = name_of(fields);
  system.title = fields.text("title");
  const std::string chip = fields.text("chip");
  system.status = fields.choice("status", statuses);
  system.domain = static_cast<int>(fields.count("domain", {1, 1'000'000}));
  system.chips = static_cast<int>(fields.count("chips", {1, 1'000'000}));
  system.source = fields.text("source");
  system.scale_up = read_link(fields, "scale_up");
  system.scale_out = read_link(fields, "scale_out");
  system.tiers = read_tiers(fields);
  fields.done();
  if (system.domain > 1 && system.scale_up.kind == "none")
    fields.wrong("scale_up", fmt::format("none, but the domain has {} chips", system.domain), "state the link, or write \"domain\": 1");
  const auto found = std::find_if(chips.begin(), chips.end(), [&](const Chip& known) { return known.name == chip; });
  if (found != chips.end()) {
    system.chip = *found;
  } else {
    std::vector<std::string> names;
    for (const Chip& known : chips) names.push_back(known.name);
    const std::string near = nearest_names(chip, names);
    fields.wrong("chip", fmt::format("there is no chip \"{}\"", chip.substr(0, 60)), near.empty() ? "add its file to chips/" : near);
  }
  if (error) return std::unexpected(*error);
  return system;
}

}  // namespace fareline
