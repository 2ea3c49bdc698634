// SPDX-License-Identifier: Apache-2.0
#include "economics/money.h"

#include <cmath>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "catalog/catalog.h"
#include "perf/serving.h"

namespace fareline {
namespace {

struct Rack {
  Model model = *Catalogue::built_in().model("meta-llama/Meta-Llama-3.1-70B");
  System system = *Catalogue::built_in().system("hgx-h100");
  Calibration calibration = *Catalogue::built_in().calibration("default");
  Plan plan{.tp = 8};
  CompiledPlan compiled = *compile(model, system, calibration, plan);
  Serving serve(const Workload& w, double users) const {
    return *closed_loop(compiled, memory_use(model, system, plan, w.prompt.mean() + w.output.mean()), w, {}, users);
  }
};

constexpr MoneyRate chip_rate = 2.5 * unit::usd / unit::hour;

TEST(RequestBill, AddsUpToWhatTheChipsAndTheStorageCost) {
  const Rack rack;
  EXPECT_TRUE(rc::check([&] {
    const Workload w{.prompt = {.longest = static_cast<double>(*rc::gen::inRange(1, 16'000))},
                     .output = {.longest = static_cast<double>(*rc::gen::inRange(1, 2'000))},
                     .cached = *rc::gen::element(0.0, 0.3, 0.9)};
    const Serving s = rack.serve(w, *rc::gen::element(1.0, 8.0, 64.0));
    const PrefixStorage storage{.price = 0.05 * unit::usd / (unit::GB * unit::hour),
                                .hold = *rc::gen::inRange(0, 7200) * unit::s,
                                .size = w.prompt_cached() * 327'680 * unit::B};
    const RequestBill bill = request_bill(s, 8, chip_rate, storage);
    RC_ASSERT(std::abs((bill.input + bill.prefix + bill.storage + bill.output) / bill.total - 1) < 1e-12);
    RC_ASSERT(std::abs((8 * chip_rate / s.rate + storage.size * storage.hold * storage.price) / bill.total - 1) < 1e-12);
    for (const Dollars part : {bill.input, bill.prefix, bill.storage, bill.output}) RC_ASSERT(part >= Dollars{});
    const TokenPrices prices = token_prices(bill, w);
    const Dollars back = w.prompt_new() * unit::token * prices.input + w.prompt_cached() * unit::token * prices.cached_input +
                         w.output.mean() * unit::token * prices.output;
    RC_ASSERT(std::abs(back / bill.total - 1) < 1e-12);
    RC_ASSERT(std::abs((w.prompt.mean() + w.output.mean()) * unit::token * prices.blended / bill.total - 1) < 1e-12);
  }));
}

TEST(TokenPrices, ChargeACachedTokenLessThanANewOneAndANewOneLessThanAnOutput) {
  const Rack rack;
  for (const double prompt : {512.0, 4096.0, 32'768.0})
    for (const double cached : {0.2, 0.5, 0.9})
      for (const double users : {1.0, 8.0, 16.0}) {
        const Workload w{.prompt = {.longest = prompt}, .output = {.longest = 512}, .cached = cached};
        const TokenPrices prices = token_prices(request_bill(rack.serve(w, users), 8, chip_rate, {}), w);
        EXPECT_GT(prices.cached_input, TokenPrice{}) << prompt << ' ' << cached << ' ' << users;
        EXPECT_LT(prices.cached_input, prices.input) << prompt << ' ' << cached << ' ' << users;
        EXPECT_LT(prices.input, prices.output) << prompt << ' ' << cached << ' ' << users;
      }
}

TEST(RequestBill, OfPoolsApartIsSplitByTheirChips) {
  const Rack rack;
  const Workload w{.prompt = {.longest = 4096}, .output = {.longest = 512}};
  const Serving s = *disaggregated(rack.compiled, rack.compiled, memory_use(rack.model, rack.system, rack.plan, 5000), rack.model,
                                   rack.system, w, {}, 32, {});
  const RequestBill bill = request_bill(s, 16, chip_rate, {});
  EXPECT_NEAR(bill.input / bill.output, 1, 1e-12);  // eight chips each
  EXPECT_NEAR(bill.total / (16 * chip_rate / s.rate), 1, 1e-12);
}

TEST(RequestBill, OfALoneUserIsChipTimeOfPrefillAndOfDecode) {
  const Rack rack;
  const Workload w{.prompt = {.longest = 4096}, .output = {.longest = 512}};
  const Serving s = rack.serve(w, 1);
  const RequestBill bill = request_bill(s, 8, chip_rate, {});
  const Seconds prefill = rack.compiled.estimate({.prefill_sequences = 1, .prefill_tokens = 4096}).time;
  const Seconds step = rack.compiled.estimate({.decode_sequences = 1, .decode_context = 4096 + 256}).time;
  // What the engine waits for besides (tokenising, admission) is shared in proportion.
  EXPECT_NEAR(bill.input / bill.output / (prefill / (511 * step)), 1, 1e-6);
  const Seconds admission = rack.calibration.engine.prompt;
  EXPECT_NEAR(bill.total / (8 * chip_rate * (admission + prefill + 511 * step)), 1, 1e-6);
}

TEST(RequestBill, ChargesForHoldingAPrefixByBytesAndTime) {
  const Rack rack;
  const Workload w{.prompt = {.longest = 4096}, .output = {.longest = 512}, .cached = 0.5};
  const Serving s = rack.serve(w, 8);
  const PrefixStorage storage{.price = 0.1 * unit::usd / (unit::GB * unit::hour), .hold = 30 * unit::minute, .size = 2 * unit::GB};
  EXPECT_NEAR(request_bill(s, 8, chip_rate, storage).storage.in(unit::usd), 0.1, 1e-12);
}

// A server of 1,450 dollars over three years at 170 W: written off at 40.28 dollars a month; 170 W at a PUE of 1.8 for 730 h is
// 223.4 kWh, at 6.2 cents 13.85 dollars. The figures of the case study's kind: Barroso, Clidaras & Hoelzle, The Datacenter as a
// Computer, 2nd ed., chapter 6, where a server is written off over three years and power is paid by the kWh with PUE.
TEST(OwnedRate, IsDepreciationAndPowerByTheHour) {
  const Ownership server{
      .chip = 1450 * unit::usd, .life = 3 * unit::year, .power = 170 * unit::W, .pue = 1.8, .electricity = 0.062 * unit::usd / unit::kWh};
  const double monthly = 1450.0 / 36 + 0.170 * 1.8 * 730 * 0.062;
  EXPECT_NEAR((owned_rate(server) * unit::month).in(unit::usd), monthly, 1e-9);
}

TEST(OwnedRate, GrowsWithIdlenessOnlyInItsCapital) {
  Ownership chip{.chip = 30'000 * unit::usd, .network = 5'000 * unit::usd, .life = 4 * unit::year, .power = 1 * unit::kW, .pue = 1.2,
                 .electricity = 0.1 * unit::usd / unit::kWh, .utilisation = 1, .upkeep = 0.03};
  const MoneyRate busy = owned_rate(chip), power = 1 * unit::kW * 1.2 * (0.1 * unit::usd / unit::kWh);
  chip.utilisation = 0.5;
  EXPECT_NEAR((owned_rate(chip) - power) / (busy - power), 2, 1e-12);
  EXPECT_NEAR((busy - power) / (35'000 * unit::usd * (1 / (4 * unit::year) + 0.03 / unit::year)), 1, 1e-12);
}

}  // namespace
}  // namespace fareline
