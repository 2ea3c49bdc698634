// SPDX-License-Identifier: Apache-2.0
#include "economics/money.h"

namespace fareline {

MoneyRate owned_rate(const Ownership& o) {
  const MoneyRate capital = (o.chip + o.network) * (1 / o.life + o.upkeep / unit::year) / o.utilisation;
  return capital + o.power * o.pue * o.electricity;
}

RequestBill request_bill(const Serving& s, double chips, MoneyRate chip_rate, const PrefixStorage& storage) {
  const Dollars whole = chips * chip_rate / s.rate;
  RequestBill bill;
  bill.storage = storage.size * storage.hold * storage.price;
  const Seconds prompt_time = s.prefill_time + s.prefix_time;
  const double prompt_share = s.prefill_share > 0 ? s.prefill_share : prompt_time / (prompt_time + s.decode_time);
  const double prefix_share = prompt_time > Seconds{} ? s.prefix_time / prompt_time : 0;
  bill.prefix = prompt_share * prefix_share * whole;
  bill.input = prompt_share * whole - bill.prefix;
  bill.output = whole - prompt_share * whole;
  bill.total = whole + bill.storage;
  return bill;
}

TokenPrices token_prices(const RequestBill& bill, const Workload& workload) {
  const double fresh = workload.prompt_new(), cached = workload.prompt_cached(), output = workload.output.mean();
  TokenPrices prices;
  if (fresh > 0) prices.input = bill.input / (fresh * unit::token);
  if (cached > 0) prices.cached_input = (bill.prefix + bill.storage) / (cached * unit::token);
  if (output > 0) prices.output = bill.output / (output * unit::token);
  prices.blended = bill.total / ((fresh + cached + output) * unit::token);
  return prices;
}

}  // namespace fareline
