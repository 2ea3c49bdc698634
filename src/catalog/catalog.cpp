// SPDX-License-Identifier: Apache-2.0
#include "catalog/catalog.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "catalog/embedded.h"
#include "catalog/fields.h"
#include "units/elementary.h"

namespace fareline {
namespace {

constexpr Range<MoneyRate> believable_rental{0.001 * unit::usd / unit::hour, 1000 * unit::usd / unit::hour};
constexpr Range<Dollars> believable_purchase{0 * unit::usd, 1e7 * unit::usd};
constexpr Range<EnergyPrice> believable_electricity{0.001 * unit::usd / unit::kWh, 10 * unit::usd / unit::kWh};
constexpr std::array<std::string_view, 4> rental_kinds{"on-demand", "reserved", "spot", "modelled"};
constexpr std::array<std::string_view, 3> price_kinds{"rental", "capital", "electricity"};
constexpr Range<std::int64_t> believable_parameters{0, 1'000'000'000'000'000};

constexpr std::array<std::string_view, 5> folders{"chips/", "systems/", "prices/", "models/", "calibrations/"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}
std::string_view behind_slash(std::string_view name) { return name.substr(name.rfind('/') + 1); }

template <class T>
std::vector<std::string> names_of(const std::vector<T>& things) {
  std::vector<std::string> names;
  for (const T& thing : things) names.push_back(thing.name);
  std::sort(names.begin(), names.end());
  return names;
}

template <class T>
const T* named(const std::vector<T>& things, std::string_view name) {
  for (const T& thing : things)
    if (thing.name == name) return &thing;
  return nullptr;
}

std::unexpected<Error> unknown(std::string_view kind, std::string_view name, const std::vector<std::string>& known) {
  const std::string near = nearest_names(name, known);
  std::string all;
  for (std::size_t i = 0; i < std::min<std::size_t>(known.size(), 12); ++i) all += (i ? ", " : "") + known[i];
  if (known.size() > 12) all += ", …";
  return fail("", fmt::format("there is no {} \"{}\"", kind, name.substr(0, 60)),
              !near.empty() ? near : known.empty() ? fmt::format("add a {}", kind) : "known are " + all);
}

// Puts `thing` in the place of the one of its name, or behind all.
template <class T>
void replace_or_add(std::vector<T>& things, T thing) {
  for (T& old : things)
    if (old.name == thing.name) {
      old = std::move(thing);
      return;
    }
  things.push_back(std::move(thing));
}

struct Prices {
  std::vector<RentalPrice> rental;
  std::vector<CapitalPrice> capital;
  std::vector<ElectricityPrice> electricity;
};

// Reads the chip a price is for, which must be known.
std::string priced_chip(Fields& row, const std::vector<Chip>& chips) {
  const std::string chip = row.text("chip");
  if (!chip.empty() && !named(chips, chip)) {
    const Error error = unknown("chip", chip, names_of(chips)).error();
    row.wrong("chip", error.what, error.remedy);
  }
  return chip;
}

Expected<Prices> read_prices(const std::string& file, std::string_view text, const std::vector<Chip>& chips) {
  const auto document = parse_json(file, text);
  if (!document) return std::unexpected(document.error());
  std::optional<Error> error;
  Fields fields(*document, file, "", error);
  const std::string kind = fields.choice("kind", price_kinds);
  const std::string date = fields.date("date");
  Prices prices;
  for (Fields& row : fields.objects("prices")) {
    if (kind == "rental") {
      RentalPrice price;
      price.chip = priced_chip(row, chips);
      price.provider = row.text("provider");
      price.kind = row.choice("kind", rental_kinds);
      price.date = date;
      price.rate = row.quantity<MoneyRate>("rate", believable_rental);
      price.source = row.text("source");
      prices.rental.push_back(std::move(price));
    } else if (kind == "capital") {
      CapitalPrice price;
      price.chip = priced_chip(row, chips);
      price.date = date;
      price.chip_price = row.quantity<Dollars>("chip_price", believable_purchase);
      price.network_price = row.quantity<Dollars>("network_price", believable_purchase);
      price.source = row.text("source");
      prices.capital.push_back(std::move(price));
    } else if (kind == "electricity") {
      ElectricityPrice price;
      price.region = row.text("region");
      price.date = date;
      price.rate = row.quantity<EnergyPrice>("rate", believable_electricity);
      price.source = row.text("source");
      prices.electricity.push_back(std::move(price));
    }
    row.done();
  }
  fields.done();
  if (error) return std::unexpected(*error);
  return prices;
}

// A model's file: the configuration as published, and what its publisher says of it.
struct ModelDocument {
  std::string name, source, config, quantization;
  std::vector<std::string> aliases;
  PublishedCount published;
};

Expected<ModelDocument> read_model_document(const std::string& file, std::string_view text) {
  const auto document = parse_json(file, text);
  if (!document) return std::unexpected(document.error());
  std::optional<Error> error;
  Fields fields(*document, file, "", error);
  ModelDocument model;
  model.name = fields.text("name");
  model.source = fields.text("source");
  if (const auto* aliases = fields.raw("aliases", Presence::optional)) {
    for (const auto& alias : *aliases)
      if (alias.is_string()) model.aliases.push_back(alias.get<std::string>());
    if (!aliases->is_array() || model.aliases.size() != aliases->size())
      fields.wrong("aliases", "is not a list of names", "write e.g. [\"meta-llama/Meta-Llama-3.1-70B\"]");
  }
  Fields published = fields.object("published");
  model.published.total = published.count("total", believable_parameters);
  model.published.active = published.count("active", believable_parameters);
  model.published.nominal = published.flag("nominal");
  model.published.source = published.text("source");
  published.done();
  if (const auto* config = fields.raw("config")) model.config = config->dump();
  if (const auto* quantization = fields.raw("hf_quant_config", Presence::optional)) model.quantization = quantization->dump();
  fields.done();
  if (error) return std::unexpected(*error);
  return model;
}

// The newest of the rows for which `wanted` holds; nothing where there is none. Dates are ISO, so text order is their order.
template <class Price, class Wanted>
const Price* newest(const std::vector<Price>& prices, Wanted wanted) {
  const Price* best = nullptr;
  for (const Price& price : prices)
    if (wanted(price) && (!best || price.date > best->date)) best = &price;
  return best;
}

void add_once(std::string& list, const std::string& text) {
  if (list.find(text) == std::string::npos) list += (list.empty() ? "" : "; ") + text;
}

// The median of `offers`, which are not empty; of an even number the mean of the middle two.
RentalPrice median(std::vector<const RentalPrice*> offers) {
  std::stable_sort(offers.begin(), offers.end(), [](const RentalPrice* a, const RentalPrice* b) { return a->rate < b->rate; });
  const std::size_t middle = offers.size() / 2;
  RentalPrice price = *offers[middle];
  if (offers.size() == 1) return price;
  if (offers.size() % 2 == 0) price.rate = 0.5 * (offers[middle - 1]->rate + offers[middle]->rate);
  std::string providers, kinds, sources;
  for (const RentalPrice* offer : offers) {
    add_once(providers, offer->provider);
    add_once(kinds, offer->kind);
    add_once(sources, offer->source);
    price.date = std::max(price.date, offer->date);
  }
  price.provider = fmt::format("median of {} offers: {}", offers.size(), providers);
  price.kind = kinds;
  price.source = sources;
  return price;
}

}  // namespace

const Catalogue& Catalogue::built_in() {
  static const Catalogue catalogue = [] {
    std::vector<std::pair<std::string, std::string>> files;
    for (const EmbeddedFile& file : embedded_files()) files.emplace_back(file.path, file.text);
    auto read = Catalogue::read(files);
    if (!read) bug(read.error().line().c_str(), __FILE__, __LINE__);
    return std::move(*read);
  }();
  return catalogue;
}

Expected<Catalogue> Catalogue::read(const std::vector<std::pair<std::string, std::string>>& files) {
  Catalogue catalogue;
  for (const auto& [path, text] : files) {
    if (path.starts_with("lecture/")) continue;  // questions, not things: catalog/lecture.h
    if (std::none_of(folders.begin(), folders.end(), [&](std::string_view folder) { return path.starts_with(folder); }))
      return fail(path, "is in no folder of the catalogue", "put it in chips/, systems/, prices/, models/ or calibrations/");
    if (!path.starts_with("chips/")) continue;
    auto chip = read_chip(path, text);
    if (!chip) return std::unexpected(chip.error());
    replace_or_add(catalogue.chips_, std::move(*chip));
  }
  for (const auto& [path, text] : files) {
    if (path.starts_with("systems/")) {
      auto system = read_system(path, text, catalogue.chips_);
      if (!system) return std::unexpected(system.error());
      replace_or_add(catalogue.systems_, std::move(*system));
    } else if (path.starts_with("prices/")) {
      auto prices = read_prices(path, text, catalogue.chips_);
      if (!prices) return std::unexpected(prices.error());
      for (auto& price : prices->rental) catalogue.rental_.push_back(std::move(price));
      for (auto& price : prices->capital) catalogue.capital_.push_back(std::move(price));
      for (auto& price : prices->electricity) catalogue.electricity_.push_back(std::move(price));
    } else if (path.starts_with("models/")) {
      auto model = read_model_document(path, text);
      if (!model) return std::unexpected(model.error());
      replace_or_add(catalogue.models_, ModelFile{path, std::move(model->name), text, std::move(model->aliases)});
    } else if (path.starts_with("calibrations/")) {
      auto calibration = read_calibration(path, text);
      if (!calibration) return std::unexpected(calibration.error());
      replace_or_add(catalogue.calibrations_, std::move(*calibration));
    }
  }
  return catalogue;
}

Expected<Chip> Catalogue::chip(std::string_view name) const {
  if (const Chip* chip = named(chips_, name)) return *chip;
  return unknown("chip", name, chip_names());
}

Expected<System> Catalogue::system(std::string_view name) const {
  if (const System* system = named(systems_, name)) return *system;
  return unknown("system", name, system_names());
}

Expected<Calibration> Catalogue::calibration(std::string_view name) const {
  if (const Calibration* calibration = named(calibrations_, name)) return *calibration;
  return unknown("calibration", name, calibration_names());
}

Expected<Calibration> Catalogue::calibration_for(const Chip& chip, std::string_view stack) const {
  const auto score = [&](const Calibration& c) {
    const bool kin = chip.family.starts_with(c.chip + "-");  // blackwell-ultra takes blackwell's
    const int on_chip = c.chip == chip.name ? 8 : c.chip == chip.family ? 6 : kin ? 4 : c.chip == "*" ? 0 : -100;
    return on_chip + (c.stack.starts_with(stack) ? 2 : c.stack == "*" ? 1 : 0);
  };
  // What kernels achieve in training, with gradients and without an engine, says nothing of serving, nor the other way round.
  const auto apart = [&](const Calibration& c) { return c.stack != "*" && (c.stack == "training") != (stack == "training"); };
  const Calibration* best = nullptr;
  for (const Calibration& c : calibrations_)
    if (c.name != "ideal" && !apart(c) && score(c) >= 0 && (!best || score(c) > score(*best))) best = &c;
  if (!best) return fail("calibration", "none is known for this chip", "write --calibration ideal for the physical bound");
  Calibration found = *best;
  if (found.chip != chip.name && found.chip != chip.family && found.chip != "*") {
    // A chip of a family's next generation: residuals of kernels fitted on one chip and tried on its kin were up to 1.3 times
    // as wide (H100 to H200, aiconfigurator's tables).
    for (Band* band : {&found.pass, &found.tpot, &found.ttft, &found.throughput}) {
      band->low = power(band->low, 1.3);
      band->high = power(band->high, 1.3);
    }
  }
  return found;
}

Expected<Model> Catalogue::model(std::string_view name) const {
  const ModelFile* found = nullptr;
  std::string both;
  const auto is_alias = [&](const std::string& alias) { return same(alias, name) || same(behind_slash(alias), name); };
  for (const ModelFile& file : models_) {
    if (same(file.name, name) || std::any_of(file.aliases.begin(), file.aliases.end(), is_alias)) {
      found = &file;
      both.clear();
      break;
    }
    if (!same(behind_slash(file.name), name)) continue;
    if (found) both = found->name + " or " + file.name;
    found = &file;
  }
  if (!both.empty()) return fail("", fmt::format("\"{}\" is the name of two models", name.substr(0, 60)), "write " + both);
  if (!found) {
    const std::vector<std::string> known = model_names();
    // A name without its owner is compared with names without theirs.
    if (name.find('/') == std::string_view::npos) {
      std::vector<std::string> bare;
      for (const std::string& one : known) bare.emplace_back(behind_slash(one));
      if (const std::string near = nearest_names(name, bare); !near.empty())
        return fail("", fmt::format("there is no model \"{}\"", name.substr(0, 60)), near);
    }
    return unknown("model", name, known);
  }
  auto document = read_model_document(found->path, found->text);
  if (!document) return std::unexpected(document.error());
  auto model = read_model(document->name, document->config, document->quantization);
  if (!model) return std::unexpected(std::move(model.error()).within(found->path));
  model->source = document->source;
  model->published = document->published;
  return model;
}

std::vector<std::string> Catalogue::chip_names() const { return names_of(chips_); }
std::vector<std::string> Catalogue::system_names() const { return names_of(systems_); }
std::vector<std::string> Catalogue::model_names() const { return names_of(models_); }
std::vector<std::string> Catalogue::calibration_names() const { return names_of(calibrations_); }

Expected<RentalPrice> Catalogue::default_rental(std::string_view chip) const {
  const RentalPrice* latest =
      newest(rental_, [&](const RentalPrice& price) { return price.chip == chip && price.kind == "on-demand"; });
  std::vector<const RentalPrice*> offers;
  for (const RentalPrice& price : rental_)
    if (price.chip == chip && (!latest || (price.kind == "on-demand" && price.date == latest->date))) offers.push_back(&price);
  if (!offers.empty()) return median(std::move(offers));
  if (!named(chips_, chip)) return unknown("chip", chip, chip_names());
  return fail("", fmt::format("no rental price of {} is known", chip), "state one, e.g. \"2.5 USD/h\"");
}

Expected<CapitalPrice> Catalogue::capital(std::string_view chip) const {
  if (const CapitalPrice* price = newest(capital_, [&](const CapitalPrice& row) { return row.chip == chip; })) return *price;
  if (!named(chips_, chip)) return unknown("chip", chip, chip_names());
  return fail("", fmt::format("no purchase price of {} is known", chip), "state one, e.g. \"30000 USD\"");
}

Expected<ElectricityPrice> Catalogue::electricity(std::string_view region) const {
  if (const ElectricityPrice* price = newest(electricity_, [&](const ElectricityPrice& row) { return row.region == region; }))
    return *price;
  std::vector<std::string> regions;
  for (const ElectricityPrice& price : electricity_)
    if (std::find(regions.begin(), regions.end(), price.region) == regions.end()) regions.push_back(price.region);
  return unknown("region with a price of electricity", region, regions);
}

}  // namespace fareline
