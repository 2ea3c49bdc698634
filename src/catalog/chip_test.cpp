// SPDX-License-Identifier: Apache-2.0
#include "catalog/chip.h"

#include <array>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck.h>

#include "catalog/embedded.h"
#include "units/text.h"

namespace fareline {
namespace {

using nlohmann::json;

json fact(const char* value) { return {{"value", value}, {"source", "a sheet"}}; }

json small_chip() {
  return {{"name", "test-chip"},
          {"title", "A chip"},
          {"vendor", "V"},
          {"family", "hopper"},
          {"status", "shipping"},
          {"released", "2022-09"},
          {"peak", {{"bf16", fact("1 PFLOP/s")}, {"fp8", fact("2 PFLOP/s")}}},
          {"cores", {{"value", 100}, {"source", "a sheet"}}},
          {"hbm_capacity", fact("80 GiB")},
          {"hbm_usable", fact("79 GiB")},
          {"hbm_bandwidth", fact("3 TB/s")},
          {"host_link", fact("63 GB/s")},
          {"tdp", fact("700 W")}};
}

json small_system() {
  const json link = {{"kind", "a link"}, {"bandwidth", fact("450 GB/s")}, {"latency", fact("1 us")}};
  return {
      {"name", "test-system"},
      {"title", "A system"},
      {"chip", "test-chip"},
      {"status", "shipping"},
      {"domain", 8},
      {"chips", 8},
      {"source", "a sheet"},
      {"scale_up", link},
      {"scale_out", link},
      {"tiers",
       json::array({{{"name", "dram"}, {"capacity", fact("256 GB")}, {"bandwidth", fact("63 GB/s")}, {"price", fact("0.004 USD/GB/h")}}})}};
}

std::string chip_error(const json& chip) {
  const auto read = read_chip("chips/t.json", chip.dump());
  return read ? "" : read.error().line();
}

std::string system_error(const json& system) {
  const std::array<Chip, 1> chips{read_chip("chips/t.json", small_chip().dump()).value()};
  const auto read = read_system("systems/t.json", system.dump(), chips);
  return read ? "" : read.error().line();
}

TEST(Chip, IsReadWithItsPeaksUnderTheFormatTheyMultiplyAt) {
  const auto chip = read_chip("chips/t.json", small_chip().dump());
  ASSERT_TRUE(chip.has_value()) << chip.error().line();
  EXPECT_EQ(chip->name, "test-chip");
  EXPECT_EQ(chip->peak[static_cast<std::size_t>(row(Format::fp8_block).rate)].value, 2 * unit::PFLOP / unit::s);
  EXPECT_FALSE(chip->peak[static_cast<std::size_t>(Format::nvfp4)].stated());
  EXPECT_EQ(chip->cores.value, 100);
  EXPECT_EQ(chip->hbm_usable.value, 79 * unit::GiB);
}

TEST(Chip, IsRefusedWithAPeakUnderAFormatThatMultipliesAtAnothers) {
  json chip = small_chip();
  chip["peak"]["mxfp4"] = fact("4 PFLOP/s");
  EXPECT_EQ(chip_error(chip), "chips/t.json: peak.mxfp4: multiplies at the rate of another format; write it under \"nvfp4\"");
}

TEST(Chip, IsRefusedWithoutAnyPeak) {
  json chip = small_chip();
  chip["peak"] = json::object();
  EXPECT_EQ(chip_error(chip),
            "chips/t.json: peak: no format has a peak; add e.g. \"bf16\": {\"value\": \"989 TFLOP/s\", \"source\": \"…\"}");
}

TEST(Chip, IsRefusedWithMoreUsableThanPhysicalMemory) {
  json chip = small_chip();
  chip["hbm_capacity"] = fact("80 GB");
  EXPECT_EQ(
      chip_error(chip),
      "chips/t.json: hbm_usable: 84.83 GB is more than the physical 80 GB; write both in the same unit; a data sheet's GB are often GiB");
}

TEST(Chip, IsRefusedWithAFamilyStatusOrNameThatIsNone) {
  json chip = small_chip();
  chip["status"] = "sold";
  EXPECT_EQ(chip_error(chip), "chips/t.json: status: \"sold\" is not one of its values; write \"shipping\", \"announced\" or \"retired\"");
  chip = small_chip();
  chip["name"] = "H100 SXM";
  EXPECT_EQ(chip_error(chip), "chips/t.json: name: \"H100 SXM\" is not a name; write small letters, digits and hyphens, e.g. \"h100-sxm\"");
}

TEST(Chip, NeedsEachOfItsMembers) {
  const json whole = small_chip();
  for (const auto& [key, value] : whole.items()) {
    json chip = whole;
    chip.erase(key);
    EXPECT_EQ(chip_error(chip).find("chips/t.json: \"" + key + "\" is missing"), 0u) << key << ": " << chip_error(chip);
  }
}

TEST(System, IsReadWithItsChipLinksAndTiers) {
  const std::array<Chip, 1> chips{read_chip("chips/t.json", small_chip().dump()).value()};
  const auto system = read_system("systems/t.json", small_system().dump(), chips);
  ASSERT_TRUE(system.has_value()) << system.error().line();
  EXPECT_EQ(system->chip.name, "test-chip");
  EXPECT_EQ(system->scale_up.latency.value, 1 * unit::us);
  ASSERT_EQ(system->tiers.size(), 1u);
  EXPECT_EQ(system->tiers[0].capacity.value, 256 * unit::GB);
}

TEST(System, IsRefusedWithAChipNobodyDescribes) {
  json system = small_system();
  system["chip"] = "test-chop";
  EXPECT_EQ(system_error(system), "systems/t.json: chip: there is no chip \"test-chop\"; did you mean test-chip?");
}

TEST(System, IsRefusedWithADomainOfSeveralChipsAndNoLink) {
  json system = small_system();
  system["scale_up"] = {{"none", "one chip"}};
  EXPECT_EQ(system_error(system), "systems/t.json: scale_up: none, but the domain has 8 chips; state the link, or write \"domain\": 1");
  system["domain"] = 1;
  EXPECT_EQ(system_error(system), "");
}

TEST(System, IsRefusedWithTiersTwiceOrOutOfOrder) {
  json system = small_system();
  system["tiers"].push_back(system["tiers"][0]);
  EXPECT_EQ(system_error(system), "systems/t.json: tiers[1].name: \"dram\" stands twice or too late; list each tier once, nearest first");
}

// One random change somewhere in `value`: a member dropped, renamed or doubled in depth, or a value of another kind.
json mutated(json value) {
  json* place = &value;
  while (place->is_structured() && !place->empty() && *rc::gen::inRange(0, 4) != 0) {
    auto at = place->begin();
    std::advance(at, *rc::gen::inRange<std::size_t>(0, place->size()));
    place = &*at;
  }
  const auto text = *rc::gen::string<std::string>();
  switch (*rc::gen::inRange(0, 9)) {
    case 0: *place = nullptr; break;
    case 1: *place = *rc::gen::arbitrary<double>(); break;
    case 2: *place = *rc::gen::arbitrary<std::int64_t>(); break;
    case 3: *place = text; break;
    case 4: *place = json::array({*place, text}); break;
    case 5: *place = json::object({{text, *place}}); break;
    case 6:
      *place = *rc::gen::elementOf(std::vector<std::string>{"1e308 TB/s", "-0 W", "inf GB", "3 GB/s/s/s/s", "1 FLOP", "0x10 GB", "7 1"});
      break;
    case 7: if (place->is_object()) (*place)[text] = text; break;
    default: if (place->is_object() && !place->empty()) place->erase(place->begin()); break;
  }
  return value;
}

bool says_where_what_and_remedy(const Error& error) { return !error.where.empty() && !error.what.empty() && !error.remedy.empty(); }

TEST(Chip, ChangedAtRandomIsReadOrRefusedWithPlaceFaultAndRemedy) {
  EXPECT_TRUE(rc::check([] {
    json chip = small_chip();
    for (int times = *rc::gen::inRange(1, 4); times > 0; --times) chip = mutated(chip);
    const auto read = read_chip("chips/t.json", chip.dump(-1, ' ', false, json::error_handler_t::replace));
    RC_ASSERT(read.has_value() || says_where_what_and_remedy(read.error()));
    if (read) RC_ASSERT(read->hbm_bandwidth.value > Bandwidth{} || !read->hbm_bandwidth.stated());
  }));
}

TEST(System, ChangedAtRandomIsReadOrRefusedWithPlaceFaultAndRemedy) {
  const std::array<Chip, 1> chips{read_chip("chips/t.json", small_chip().dump()).value()};
  EXPECT_TRUE(rc::check([&] {
    json system = small_system();
    for (int times = *rc::gen::inRange(1, 4); times > 0; --times) system = mutated(system);
    const auto read = read_system("systems/t.json", system.dump(-1, ' ', false, json::error_handler_t::replace), chips);
    RC_ASSERT(read.has_value() || says_where_what_and_remedy(read.error()));
  }));
}

TEST(Chip, CutShortAnywhereIsRefused) {
  const std::string text = small_chip().dump();
  for (std::size_t length = 0; length < text.size(); ++length)
    EXPECT_FALSE(read_chip("chips/t.json", text.substr(0, length)).has_value()) << length;
}

}  // namespace
}  // namespace fareline
