// SPDX-License-Identifier: Apache-2.0
#include "economics/bill.h"

namespace fareline {

std::expected<UsageBill, std::string> usage_bill(const std::vector<PriceStep>& list, const Usage& usage) {
  const PriceStep* step = nullptr;
  for (const PriceStep& s : list)
    if (s.above == 0 || usage.input > s.above) step = &s;
  if (!step) return std::unexpected("no price from the first token on");
  if (usage.written_1h > 0 && !step->write_1h) return std::unexpected("no price for a write of an hour");
  const double fresh = usage.input - usage.cached - usage.written_5min - usage.written_1h;
  if (fresh < 0) return std::unexpected("more cached and written tokens than there are");
  return UsageBill{.input = fresh * unit::token * step->input,
                   .cached = usage.cached * unit::token * step->cached.value_or(step->input),
                   .written = usage.written_5min * unit::token * step->write_5min.value_or(step->input) +
                              usage.written_1h * unit::token * step->write_1h.value_or(step->input),
                   .output = usage.output * unit::token * step->output,
                   .above = step->above};
}

TokenPrice blended_price(const UsageBill& bill, const Usage& usage) { return bill.total() / ((usage.input + usage.output) * unit::token); }

}  // namespace fareline
