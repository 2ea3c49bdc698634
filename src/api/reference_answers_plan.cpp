// SPDX-License-Identifier: Apache-2.0
// What the members of an answer to "plan" mean: one row each.
#include <array>

#include "api/reference.h"

namespace fareline {
namespace {

constexpr auto table = std::to_array<AnswerField>({
    {"plan", "feasible", "whether any plan keeps the limits; where false `reason` says what comes nearest and `remedy` what would do"},
    {"plan", "considered", "plans in the space: layouts, formats, token budgets and numbers of replicas, or of users"},
    {"plan", "estimated", "of these, those whose steady state was computed"},
    {"plan", "bounded", "those that the floor under them excludes: they cannot be better, or cannot keep the limits"},
    {"plan", "impossible", "those that do not divide, or do not fit in memory"},
    {"plan", "preferred", "rank of the simplest plan among those whose band overlaps the best one's"},
    {"plan", "plans[].rank", "1: the best; the last may be the preferred one alone"},
    {"plan", "plans[].system", "the chips it is on"},
    {"plan", "plans[].chips", "of all replicas"},
    {"plan", "plans[].layout", "replicas and parallelism in words"},
    {"plan", "plans[].weights", "number format of the weights"},
    {"plan", "plans[].kv", "number format of the KV cache"},
    {"plan", "plans[].price.*", "as in cost"},
    {"plan", "plans[].latency.*", "as in cost"},
    {"plan", "plans[].throughput.*", "as in cost"},
    {"plan", "plans[].batch.*", "as in cost"},
    {"plan", "plans[].plan.*", "as in cost; `token_budget`: tokens of one step of one dp group"},
    {"plan", "plans[].equal", "whether its band overlaps the best one's"},
    {"plan", "plans[].parts", "how much there is to it: kinds of parallelism above one, and formats that are not as published"},
    {"plan", "plans[].system_rate", "what all its chips cost"},
    {"plan", "plans[].inputs.*", "the inputs with which \"cost\" answers the same"},
    {"plan", "plans[].command", "the same as a command"},
    {"plan", "launch[].*",
     "how a serving engine is started on one replica of the preferred plan: `engine`; `command`, left out where it has no arguments for "
     "the "
     "layout; `file`, a configuration the command names; `note`, why not, or what else must be seen to"},
    {"plan", "why", "the best plan, what its size is due to, what other systems would take, and which plan is preferred"},
    {"plan", "figures", "picture as data: what a token costs under each plan, by what it pays for"},
    {"no plan", "feasible", "false"},
    {"no plan", "reason", "the limit that comes nearest to being kept, and by which plan"},
    {"no plan", "needed", "what that limit would have to be"},
    {"no plan", "available", "what it is"},
    {"no plan", "remedy", "what would do"},
    {"no plan", "nearest[].limit", "one limit given up, all others kept; nearest first"},
    {"no plan", "nearest[].needed", "what the limit would have to be"},
    {"no plan", "nearest[].available", "what it is"},
    {"no plan", "nearest[].ratio", "how far the two are apart"},
    {"no plan", "nearest[].layout", "the plan that keeps all others"},
    {"no plan", "nearest[].remedy", "what to write"},
    {"no plan", "nearest[].inputs.*", "the inputs of \"cost\" for that plan"},
    {"no plan", "considered", "plans in the space"},
});

}  // namespace

std::span<const AnswerField> plan_answer_fields() { return table; }

}  // namespace fareline
