// SPDX-License-Identifier: Apache-2.0
// Price lists of APIs: as inputs, as a document, or as a table with a row a provider and model.
#pragma once

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "api/inputs.h"
#include "api/setting.h"
#include "economics/bill.h"

namespace fareline {

constexpr Input price_input(std::string_view name, std::string_view reason, std::string_view summary) {
  return {.name = name, .kind = InputKind::quantity, .reason = reason, .summary = summary, .dim = TokenPrice::dim, .most = 1};
}
inline constexpr auto price_list_inputs = in_group("prices", std::array<Input, 11>{{
    {.name = "prices",
     .kind = InputKind::document,
     .reason = "the prices below",
     .summary = "a price list: {\"input\": \"3 USD/Mtok\", \"output\", \"cached\", \"write_5min\", \"write_1h\", \"steps\": [{\"above\": "
                "200000, ...}]}, or a table (CSV) of many"},
    {.name = "provider", .reason = "none: the list is of one", .summary = "whose row of a table of price lists"},
    {.name = "offer", .reason = "none: the list is of one", .summary = "which model's row of a table of price lists"},
    price_input("input_price", "the list's", "of a new prompt token"),
    price_input("output_price", "the list's", "of an output token"),
    price_input("cached_price", "the list's; without one, a new token's", "of a prompt token read from the cache"),
    price_input("write_5min_price", "the list's; without one, a new token's", "of a prompt token written to the cache for five minutes"),
    price_input("write_1h_price", "the list's; without one such tokens are refused", "of a prompt token written to the cache for an hour"),
    {.name = "above",
     .kind = InputKind::count,
     .reason = "none: one price whatever the length",
     .summary = "length of prompt beyond which the next prices hold",
     .least = 1,
     .most = 1e12},
    price_input("input_price_above", "as below that length", "of a new prompt token beyond that length"),
    price_input("output_price_above", "as below that length", "of an output token beyond that length"),
}});

// The list that the inputs give, ordered by length. Errors: no price of input or output; a table without provider and offer.
Expected<std::vector<PriceStep>> price_steps_of(Inputs& inputs);

// Whether the document is a table: what the command line makes of a CSV file, {"name": path, "rows": [{column: text}]}.
bool is_table(const nlohmann::ordered_json& document);

// A row or more of a table: what a provider asks for one model.
struct PriceOffer {
  std::string provider, model, source;
  bool constrained = false;  // it holds from or until a day, by hour of the day, or for any region
  std::vector<PriceStep> steps;
};

// The words of a model's name in no order, without maker, region, date and version: {"4", "5", "claude", "sonnet"} of
// "us.anthropic.claude-sonnet-4-5-20250929-v1:0" as of "anthropic/claude-4.5-sonnet".
std::vector<std::string> words_of_model(std::string_view name);

// A table of price lists. Columns: provider, model_id, tier_starts_at_input_tokens, input_usd_per_mtok, output_usd_per_mtok,
// cache_read_usd_per_mtok, cache_write_usd_per_mtok, valid_from, valid_to, note, source; or LiteLLM's: litellm_provider, model,
// input_cost_per_token_usd and its kin.
class PriceBook {
 public:
  explicit PriceBook(const nlohmann::ordered_json& table);

  struct Found {
    std::vector<const PriceOffer*> offers;  // the one that holds without constraint first
    bool by_maker = false;                  // the provider's own is not in the table; its maker's is
  };
  // By the words of the name; "-latest" is the newest there is. Where the provider has none, the maker's is taken.
  Found find(std::string_view provider, std::string_view model) const;
  const std::vector<PriceOffer>& offers() const { return offers_; }

 private:
  using Key = std::pair<std::string, std::vector<std::string>>;
  const std::vector<std::size_t>* at(std::string_view provider, std::string_view model) const;
  std::vector<PriceOffer> offers_;
  std::map<Key, std::vector<std::size_t>> by_name_;
};

}  // namespace fareline
