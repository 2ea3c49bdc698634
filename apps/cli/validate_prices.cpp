// SPDX-License-Identifier: Apache-2.0
#include "validate_prices.h"

#include "files.h"
#include "truth/table.h"

namespace fareline::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t table_bytes = 1'000'000'000;

enum class Holds : unsigned char { other, prices, cases };

Expected<Holds> kind_of(const std::string& file) {
  const auto bytes = read_file(file, table_bytes);
  if (!bytes) return std::unexpected(bytes.error());
  const auto table = TableReader::open(file, *bytes);
  if (!table) return Holds::other;  // whoever reads it says what is wrong
  if (table->find("expected_input_usd")) return Holds::cases;
  return table->find("input_usd_per_mtok") || table->find("input_cost_per_token_usd") ? Holds::prices : Holds::other;
}

}  // namespace

Expected<std::optional<Json>> validate_prices(const std::vector<std::string>& files, const Catalogue& catalogue) {
  Json prices, cases;
  bool other = false;
  for (const std::string& file : files) {
    const auto kind = kind_of(file);
    if (!kind) return std::unexpected(kind.error());
    if (*kind == Holds::other) {
      other = true;
      continue;
    }
    auto rows = read_rows(file);
    if (!rows) return std::unexpected(rows.error());
    Json& to = *kind == Holds::prices ? prices : cases;
    if (to.is_null()) to = std::move(*rows);
    else
      for (Json& row : (*rows)["rows"]) to["rows"].push_back(std::move(row));
  }
  if (prices.is_null() && cases.is_null()) return std::nullopt;
  if (other) return fail(files.front(), "and the others are not all about prices", "validate measurements and prices apart");
  if (prices.is_null()) return fail(files.front(), "holds billing cases and no prices", "give the table of prices beside it");
  Json question{{"question", cases.is_null() ? "invert" : "bill"}, {"inputs", {{"prices", std::move(prices)}}}};
  if (!cases.is_null()) question["inputs"]["cases"] = std::move(cases);
  auto answered = ask(question, catalogue);
  if (!answered) return std::unexpected(answered.error());
  return std::optional(std::move(*answered));
}

}  // namespace fareline::cli
