// SPDX-License-Identifier: Apache-2.0
// The catalogue: everything in data/, read strictly, found by name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/calibration.h"
#include "catalog/chip.h"
#include "catalog/model.h"
#include "units/error.h"

namespace fareline {

// What renting a chip costs; rows are dated and never edited, only added.
struct RentalPrice {
  std::string chip, provider, kind;  // kind: "on-demand", "reserved", "spot", "modelled"
  std::string date, source;
  MoneyRate rate;                    // a chip
};

// What buying a chip with its share of the server, network and racks costs.
struct CapitalPrice {
  std::string chip, date, source;
  Dollars chip_price, network_price;
};

// What electricity costs a data centre.
struct ElectricityPrice {
  std::string region, date, source;
  EnergyPrice rate;
};

class Catalogue {
 public:
  // The catalogue compiled in. Aborts where data/ is broken: a test reads every file.
  static const Catalogue& built_in();
  // Reads the files given (path below data/, text), in order; the folder says the kind; a later file of a name replaces an
  // earlier one, prices add up. Configurations of models are kept as text and read when asked for.
  // Errors: the first file that cannot be read, with its path and field; a folder that holds no kind; a chip that a system or
  // a price names and no file describes.
  static Expected<Catalogue> read(const std::vector<std::pair<std::string, std::string>>& files);

  // Errors: unknown, with the nearest names.
  Expected<Chip> chip(std::string_view name) const;
  Expected<System> system(std::string_view name) const;
  // A model by its Hugging Face name ("meta-llama/Llama-3.1-70B") or the part behind the slash, any case.
  Expected<Model> model(std::string_view name) const;
  Expected<Calibration> calibration(std::string_view name) const;
  // The calibration with the nearest evidence for `chip` under `stack` ("vllm"): the chip's own before its family's, before
  // that of an earlier generation of the family (whose bands are widened), before any; then the stack's own before any.
  // "ideal" is never nearest. Errors: none is known for the chip.
  Expected<Calibration> calibration_for(const Chip& chip, std::string_view stack) const;

  std::vector<std::string> chip_names() const, system_names() const, model_names() const, calibration_names() const;
  const std::vector<RentalPrice>& rental_prices() const { return rental_; }
  const std::vector<CapitalPrice>& capital_prices() const { return capital_; }
  // The price a question uses where none is given: the median on-demand offer of the newest date for the chip, or,
  // where there is none, the median of what is known, which its `kind` says. Errors: no price is known for the chip.
  Expected<RentalPrice> default_rental(std::string_view chip) const;
  // The newest capital price of the chip. Errors: none is known for the chip.
  Expected<CapitalPrice> capital(std::string_view chip) const;
  // The newest price of electricity in the region. Errors: unknown, with the nearest names.
  Expected<ElectricityPrice> electricity(std::string_view region) const;
  const std::vector<ElectricityPrice>& electricity_prices() const { return electricity_; }

 private:
  std::vector<Chip> chips_;
  std::vector<System> systems_;
  struct ModelFile {
    std::string path, name, text;
    std::vector<std::string> aliases;  // names it was published under before
  };
  std::vector<ModelFile> models_;
  std::vector<Calibration> calibrations_;
  std::vector<RentalPrice> rental_;
  std::vector<CapitalPrice> capital_;
  std::vector<ElectricityPrice> electricity_;
};

}  // namespace fareline
