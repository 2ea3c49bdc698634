// SPDX-License-Identifier: Apache-2.0
#include "api/price_list.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "units/text.h"

namespace fareline {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 6> regions{"global.", "regional.", "us.", "eu.", "apac.", "au."};
constexpr std::array<std::string_view, 9> makers{"anthropic", "openai", "google", "mistral", "deepseek",
                                                 "meta",      "amazon", "qwen",   "zhipuai"};

std::string text_at(const Json& row, const char* name) {
  return row.is_object() && row.contains(name) && row[name].is_string() ? row[name].get<std::string>() : std::string();
}

// A cell that holds a number that a price or a length can be; anything else is as if it were empty.
std::optional<double> number_at(const Json& row, const char* name) {
  const std::string text = text_at(row, name);
  if (text.empty()) return std::nullopt;
  const auto number = parse_quantity(text, Dim{});
  return number && *number >= 0 && *number <= 1e12 ? std::optional(*number) : std::nullopt;
}

std::optional<TokenPrice> price_at(const Json& row, const char* name, double tokens) {
  const auto number = number_at(row, name);
  return number ? std::optional(*number / tokens * unit::usd / unit::token) : std::nullopt;
}

bool digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_date(const std::vector<std::string>& words, std::size_t i) {
  const auto year = [](const std::string& w) { return w.size() >= 4 && w.starts_with("20") && digits(w); };
  if (words[i].size() == 8 && year(words[i])) return true;
  return i + 2 < words.size() && words[i].size() == 4 && year(words[i]) && words[i + 1].size() == 2 && digits(words[i + 1]) &&
         words[i + 2].size() == 2 && digits(words[i + 2]);
}

Expected<PriceStep> step_of(const Json& object, const std::string& where) {
  PriceStep step;
  bool input = false, output = false;
  for (const auto& [name, value] : object.items()) {
    if (name == "above") {
      if (!value.is_number() || !(value.get<double>() >= 0) || value.get<double>() > 1e12)
        return fail(where + ".above", "is not a count of tokens", "write a number, e.g. 200000");
      step.above = value;
      continue;
    }
    if (name == "steps" || name == "name" || name == "source") continue;
    const auto price = value.is_string() ? parse<TokenPrice>(value.get<std::string>()) : parse<TokenPrice>("?");
    if (!price || !(*price >= TokenPrice{}) || *price > 1 * unit::usd / unit::token)
      return fail(where + "." + in_quotes(name), "is no price", "write e.g. \"3 USD/Mtok\"");
    if (name == "input") input = (step.input = *price, true);
    else if (name == "output") output = (step.output = *price, true);
    else if (name == "cached") step.cached = *price;
    else if (name == "write_5min") step.write_5min = *price;
    else if (name == "write_1h") step.write_1h = *price;
    else
      return fail(where, in_quotes(name) + " is no part of a price list",
                  "write input, output, cached, write_5min, write_1h, above, steps");
  }
  if (!input || !output)
    return fail(where, input ? "states no output price" : "states no input price", "write both, e.g. \"3 USD/Mtok\"");
  return step;
}

void sort_by_length(std::vector<PriceStep>& steps) {
  std::stable_sort(steps.begin(), steps.end(), [](const PriceStep& a, const PriceStep& b) { return a.above < b.above; });
}

Expected<std::vector<PriceStep>> steps_of_document(Inputs& inputs, const Json& list) {
  if (is_table(list)) {
    if (!inputs.has("provider") || !inputs.has("offer"))
      return fail("provider", "is missing", "say whose row of the table: --provider anthropic --offer claude-sonnet-4-5");
    const PriceBook book(list);
    const auto found = book.find(inputs.text("provider"), inputs.text("offer"));
    if (found.offers.empty() || found.by_maker)
      return fail("offer", fmt::format("the table has no {} of {}", in_quotes(inputs.text("offer")), in_quotes(inputs.text("provider"))),
                  "see its columns of providers and models");
    return found.offers.front()->steps;
  }
  if (!list.is_object()) return fail("prices", "is no price list", "write {\"input\": \"3 USD/Mtok\", \"output\": \"15 USD/Mtok\"}");
  auto first = step_of(list, "prices");
  if (!first) return std::unexpected(first.error());
  std::vector<PriceStep> steps{*first};
  if (!list.contains("steps")) return steps;
  if (!list["steps"].is_array())
    return fail("prices.steps", "is not a list", "write [{\"above\": 200000, \"input\": ..., \"output\": ...}]");
  for (const Json& one : list["steps"]) {
    if (!one.is_object() || !one.contains("above"))
      return fail("prices.steps", "holds something that is no step", "write {\"above\": 200000, \"input\": ..., \"output\": ...}");
    auto step = step_of(one, "prices.steps");
    if (!step) return std::unexpected(step.error());
    steps.push_back(*step);
  }
  return steps;
}

// A million tokens' prices with a row a length; a token's with a column a length.
std::vector<PriceStep> steps_of_row(const Json& row) {
  if (const auto input = price_at(row, "input_usd_per_mtok", 1e6))
    return {{.above = number_at(row, "tier_starts_at_input_tokens").value_or(0),
             .input = *input,
             .output = price_at(row, "output_usd_per_mtok", 1e6).value_or(TokenPrice{}),
             .cached = price_at(row, "cache_read_usd_per_mtok", 1e6),
             .write_5min = price_at(row, "cache_write_usd_per_mtok", 1e6),
             .write_1h = std::nullopt}};
  const auto input = price_at(row, "input_cost_per_token_usd", 1);
  if (!input) return {};
  std::vector<PriceStep> steps{{.above = 0,
                                .input = *input,
                                .output = price_at(row, "output_cost_per_token_usd", 1).value_or(TokenPrice{}),
                                .cached = price_at(row, "cache_read_input_token_cost_usd", 1),
                                .write_5min = price_at(row, "cache_creation_input_token_cost_usd", 1),
                                .write_1h = price_at(row, "cache_creation_input_token_cost_above_1hr_usd", 1)}};
  for (const double above : {128e3, 200e3}) {
    const auto column = [&](const char* name) {
      return price_at(row, fmt::format("{}_above_{}k_tokens_usd", name, above / 1e3).c_str(), 1);
    };
    const auto more = column("input_cost_per_token");
    if (!more) continue;
    PriceStep step = steps.back();
    step.above = above;
    step.input = *more;
    step.output = column("output_cost_per_token").value_or(step.output);
    if (const auto cached = column("cache_read_input_token_cost")) step.cached = cached;
    steps.push_back(step);
  }
  return steps;
}

}  // namespace

bool is_table(const Json& document) { return document.is_object() && document.contains("rows") && document["rows"].is_array(); }

std::vector<std::string> words_of_model(std::string_view name) {
  const auto slash = name.find_last_of('/');
  std::string text;
  for (const char c : name.substr(slash == std::string_view::npos ? 0 : slash + 1))
    text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const std::string_view region : regions)
    if (text.starts_with(region)) text = text.substr(region.size());
  for (const std::string_view maker : makers)
    if (text.starts_with(std::string(maker) + ".")) text = text.substr(maker.size() + 1);
  // Bedrock's "-v1:0" is a version of the interface.
  if (const auto v = text.rfind("-v"); v != std::string::npos && text.find(':', v) != std::string::npos)
    if (digits(std::string_view(text).substr(v + 2, text.find(':', v) - v - 2))) text = text.substr(0, v);
  std::vector<std::string> words(1);
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) words.back() += c;
    else if (!words.back().empty()) words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  for (std::size_t i = 1; i < words.size(); ++i)
    if (is_date(words, i))
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i),
                  words.begin() + static_cast<std::ptrdiff_t>(i + (words[i].size() == 8 ? 1 : 3)));
  if (words.size() > 1 && words.back() == "latest") words.pop_back();
  if (words.size() > 1 && words.back() == "0") words.pop_back();
  std::sort(words.begin(), words.end());
  return words;
}

PriceBook::PriceBook(const Json& table) {
  std::map<std::string, std::size_t> known;
  for (const Json& row : table["rows"]) {
    PriceOffer offer{.provider = text_at(row, "provider"),
                     .model = text_at(row, "model_id"),
                     .source = text_at(row, "source"),
                     .steps = steps_of_row(row)};
    if (offer.provider.empty()) offer.provider = text_at(row, "litellm_provider");
    if (offer.model.empty()) offer.model = text_at(row, "model");
    if (offer.provider.empty() || offer.model.empty() || offer.steps.empty()) continue;
    const std::string days = text_at(row, "valid_from") + "/" + text_at(row, "valid_to"), note = text_at(row, "note");
    offer.constrained = days != "/" || note.starts_with('{') || offer.model.starts_with("global.");
    // Rows that differ in nothing but the length they start at are one list.
    const std::string identity =
        fmt::format("{}\n{}\n{}\n{}\n{}", offer.provider, offer.model, days, note.starts_with('{') ? note : "", offer.source);
    if (const auto [at, fresh] = known.try_emplace(identity, offers_.size()); !fresh) {
      auto& steps = offers_[at->second].steps;
      steps.insert(steps.end(), offer.steps.begin(), offer.steps.end());
      continue;
    }
    by_name_[{offer.provider, words_of_model(offer.model)}].push_back(offers_.size());
    offers_.push_back(std::move(offer));
  }
  for (PriceOffer& offer : offers_) sort_by_length(offer.steps);
  for (auto& [name, indices] : by_name_)
    std::stable_sort(indices.begin(), indices.end(),
                     [&](std::size_t a, std::size_t b) { return offers_[a].constrained < offers_[b].constrained; });
}

const std::vector<std::size_t>* PriceBook::at(std::string_view provider, std::string_view model) const {
  const auto words = words_of_model(model);
  if (const auto found = by_name_.find({std::string(provider), words}); found != by_name_.end()) return &found->second;
  if (!model.ends_with("-latest")) return nullptr;
  const std::vector<std::size_t>* newest = nullptr;
  double best = -1;
  for (const auto& [key, indices] : by_name_) {
    if (key.first != provider || key.second.size() != words.size() + 1) continue;
    std::vector<std::string> more;
    std::set_difference(key.second.begin(), key.second.end(), words.begin(), words.end(), std::back_inserter(more));
    if (more.size() != 1 || !digits(more.front())) continue;
    const auto number = parse_quantity(more.front(), Dim{});
    if (!number || *number <= best) continue;
    best = *number;
    newest = &indices;
  }
  return newest;
}

PriceBook::Found PriceBook::find(std::string_view provider, std::string_view model) const {
  Found found;
  const std::vector<std::size_t>* indices = at(provider, model);
  for (const std::string_view maker : makers) {
    if (indices) break;
    indices = at(maker, model);
    found.by_maker = true;
  }
  if (!indices) return {};
  for (const std::size_t i : *indices) found.offers.push_back(&offers_[i]);
  return found;
}

Expected<std::vector<PriceStep>> price_steps_of(Inputs& inputs) {
  std::vector<PriceStep> steps;
  if (const Json* list = inputs.object("prices")) {
    auto read = steps_of_document(inputs, *list);
    if (!read) return std::unexpected(read.error());
    steps = std::move(*read);
  } else if (inputs.has("prices")) {
    return fail("prices", in_quotes(inputs.text("prices")) + " is no price list",
                "give a JSON file or a table, or --input_price and --output_price");
  }
  const auto given = [&](const char* name) { return inputs.quantity<TokenPrice>(name); };
  if (steps.empty()) {
    for (const char* name : {"input_price", "output_price"})
      if (!given(name)) return fail(name, "is missing", fmt::format("give --{} \"3 USD/Mtok\", or a list: --prices FILE", name));
    steps.push_back({.above = 0, .input = {}, .output = {}, .cached = {}, .write_5min = {}, .write_1h = {}});
  }
  PriceStep& first = steps.front();
  if (const auto p = given("input_price")) first.input = *p;
  if (const auto p = given("output_price")) first.output = *p;
  if (const auto p = given("cached_price")) first.cached = p;
  if (const auto p = given("write_5min_price")) first.write_5min = p;
  if (const auto p = given("write_1h_price")) first.write_1h = p;
  if (const auto above = inputs.number("above")) {
    PriceStep step = first;
    step.above = *above;
    if (const auto p = given("input_price_above")) step.input = *p;
    if (const auto p = given("output_price_above")) step.output = *p;
    steps.push_back(step);
  } else {
    for (const char* name : {"input_price_above", "output_price_above"})
      if (given(name)) return fail("above", "is missing", "say beyond which length that price holds: --above 200000");
  }
  sort_by_length(steps);
  return steps;
}

}  // namespace fareline
