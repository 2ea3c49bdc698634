// SPDX-License-Identifier: Apache-2.0
// What the members of answers about caches and prices mean: one row each.
#include <array>

#include "api/reference.h"

namespace fareline {
namespace {

constexpr auto answer_table = std::to_array<AnswerField>({
    {"tiers", "size", "KV of the prefix"},
    {"tiers", "again", "share of uses that another follows"},
    {"tiers", "mean_gap", "mean time between two uses, of those followed"},
    {"tiers", "best.tier", "where a use costs least"},
    {"tiers", "best.live", "how long after its last use the prefix is deleted"},
    {"tiers", "best.for_good", "whether it is never deleted"},
    {"tiers", "best.cost", "what comes after a use costs: holding, retrieving or computing again, writing"},
    {"tiers", "best.saved", "share of the cost of always computing again that is saved"},
    {"tiers", "rows[].tier", "where the prefix is; recompute: nowhere"},
    {"tiers", "rows[].hold", "holding the prefix"},
    {"tiers", "rows[].retrieve", "bringing it back once"},
    {"tiers", "rows[].retrieve_price", "the same over the prefix' tokens"},
    {"tiers", "rows[].write", "putting it there, the drive's wear included"},
    {"tiers", "rows[].capacity", "a chip's share"},
    {"tiers", "rows[].drain", "time to read all of it: the gap at which holding costs what reading does"},
    {"tiers", "rows[].retrieval_time", "until the prefix is back, all chips together"},
    {"tiers", "rows[].live", "the time to live that costs least in this tier"},
    {"tiers", "rows[].cost_of_use", "what comes after a use costs with it"},
    {"tiers", "break_even[].near", "the tier that is dearer to hold"},
    {"tiers", "break_even[].far", "the one that is dearer to retrieve from"},
    {"tiers", "break_even[].at", "the time between two uses at which both cost the same"},
    {"tiers", "by_gap[].from", "the time between two uses from which"},
    {"tiers", "by_gap[].tier", "this tier is cheapest"},
    {"tiers", "charges[].tier", "where the prefix is kept"},
    {"tiers", "charges[].write_5min", "computing the prefix and holding it five minutes, a token"},
    {"tiers", "charges[].write_1h", "the same for an hour"},
    {"tiers", "charges[].hit", "retrieving it, a token; reading it in the pass is not in it"},
    {"tiers", "charges[].write_5min_over_input", "the five minutes' write over computing alone"},
    {"tiers", "charges[].write_1h_over_input", "the hour's"},
    {"tiers", "charges[].hit_over_input", "a hit over computing"},
    {"tiers", "wear.endurance", "what can be written to a chip's flash before it is worn out"},
    {"tiers", "wear.writes", "the rate at which that takes its life of five years"},
    {"tiers", "wear.prefixes", "such prefixes a second"},
    {"tiers", "wear.part_of_write", "wear over the cost of a write to flash"},
    {"tiers", "why", "what the best tier saves, in a sentence"},
    {"tiers", "figures", "pictures as data"},
    {"tiers", "change", "at which gaps another tier is better, in a sentence"},

    {"bill", "total", "what the request is charged"},
    {"bill", "input", "of that, for prompt tokens neither cached nor written"},
    {"bill", "cached", "for tokens read from the cache"},
    {"bill", "written", "for tokens written to it"},
    {"bill", "output", "for output tokens"},
    {"bill", "blended", "the charge over all tokens"},
    {"bill", "step_above", "length of prompt above which these prices hold, where they are not the first"},
    {"bill", "provider.cost", "what the same request costs who serves it, by the question cost"},
    {"bill", "provider.input", "of that, computing the new part of the prompt"},
    {"bill", "provider.cached", "reading the cached part and keeping it"},
    {"bill", "provider.output", "decoding"},
    {"bill", "provider.charged_over_cost", "the charge over the cost"},
    {"bill", "cases", "usage records of the table"},
    {"bill", "stated", "those whose model and kinds of tokens the table of prices states"},
    {"bill", "matched", "those of them that come out within 0.00001 USD"},
    {"bill", "share", "matched over stated"},
    {"bill", "lists[].whose", "whose price it is: the provider's own, or the model's maker's where the table has none of the provider"},
    {"bill", "lists[].cases", "cases priced so"},
    {"bill", "lists[].matched", "those that come out"},
    {"bill", "others[].reason", "why a case is not stated, or missed"},
    {"bill", "others[].cases", "how many"},
    {"bill", "why", "charge and cost, or the share that comes out, in a sentence"},
    {"bill", "figures", "pictures as data"},
});

}  // namespace

std::span<const AnswerField> price_answer_fields() { return answer_table; }

}  // namespace fareline
