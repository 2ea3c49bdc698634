// SPDX-License-Identifier: Apache-2.0
// What an API charges for a request: a usage record priced from a price list.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "units/quantity.h"

namespace fareline {

// Tokens of one request as providers count them.
struct Usage {
  double input = 0;          // the whole prompt, cached and written parts included
  double cached = 0;         // read from the cache
  double written_5min = 0, written_1h = 0;
  double output = 0;
};

// Prices from a length of prompt on.
struct PriceStep {
  double above = 0;          // tokens of prompt that it takes more than; zero: from the first
  TokenPrice input, output;
  std::optional<TokenPrice> cached, write_5min, write_1h;
};

struct UsageBill {
  Dollars input, cached, written, output;
  double above = 0;          // of the step that applied
  Dollars total() const { return input + cached + written + output; }
};

// Returns what `usage` costs, or what the list does not state.
// Equation: every token of the request at the step its whole prompt falls into; new = input - cached - written; cached tokens without a
// price of their own are charged as new ones, written ones too. Source: Anthropic, Pricing and Prompt caching (a write of five minutes
// 1.25 and of an hour 2 times the input); Google, Gemini API pricing (prompts above 200k tokens).
// Assumes: steps are ordered by length; the step is decided by the whole prompt, cached tokens included.
std::expected<UsageBill, std::string> usage_bill(const std::vector<PriceStep>& list, const Usage& usage);

// Returns the mean price of a token. Equation: total / (input + output). Source: definition. Assumes: there is a token.
TokenPrice blended_price(const UsageBill& bill, const Usage& usage);

}  // namespace fareline
