// SPDX-License-Identifier: Apache-2.0
// What the members of an answer to "simulate" mean: one row each.
#include <array>

#include "api/reference.h"

namespace fareline {
namespace {

constexpr auto table = std::to_array<AnswerField>({
    {"simulate", "feasible", "as in cost"},
    {"simulate", "ttft.mean",
     "from a request's arrival to its first token, over answered requests; floor: a mean prompt alone in its pass"},
    {"simulate", "ttft.p50", "half of them are not longer; within 0.2%, as all percentiles"},
    {"simulate", "ttft.p90", "nine tenths"},
    {"simulate", "ttft.p99", "99 in 100"},
    {"simulate", "ttft.p999", "999 in 1000"},
    {"simulate", "ttft.mean_least", "low end of the mean's 95% confidence interval, over this run; left out in short runs"},
    {"simulate", "ttft.mean_most", "its high end"},
    {"simulate", "tpot.*", "the same of the time per token after the first, of answers of two or more"},
    {"simulate", "e2e.*", "the same of the time from arrival to the last token"},
    {"simulate", "itl.*", "the same of the time between two tokens, over tokens: the step that brought each"},
    {"simulate", "waiting.*", "the same of the time from arrival until a step works on the request"},
    {"simulate", "goodput.requests", "requests a second that kept the objectives"},
    {"simulate", "goodput.output_tokens", "their output tokens a second"},
    {"simulate", "goodput.share", "their share of those answered"},
    {"simulate", "throughput.requests", "requests finished a second"},
    {"simulate", "throughput.output_tokens", "output tokens a second, all replicas"},
    {"simulate", "throughput.total_tokens", "prompt and output tokens a second, cached ones included"},
    {"simulate", "throughput.output_tokens_per_chip", "the same over the chips switched on"},
    {"simulate", "throughput.total_tokens_per_chip", "the same over the chips switched on"},
    {"simulate", "price.input", "of a prompt token that was not cached: what all chips cost over the run, split by engine time"},
    {"simulate", "price.cached_input", "of a prompt token found in the cache, tiers below HBM included; left out without hits"},
    {"simulate", "price.output", "of an output token"},
    {"simulate", "price.blended", "the whole bill over all tokens, cached ones included"},
    {"simulate", "bill.request", "of a mean request"},
    {"simulate", "bill.chip_rate", "one chip's cost, rented or owned"},
    {"simulate", "bill.run", "of the whole run"},
    {"simulate", "utilisation.busy", "share of the replicas' time in which a step ran"},
    {"simulate", "utilisation.mfu", "FLOP of the run over what the peak allows in the time the chips were switched on"},
    {"simulate", "utilisation.mbu", "bytes of weights, KV and activations over what the memory's bandwidth allows in that time"},
    {"simulate", "queue.waiting", "requests waiting, all replicas, mean over time"},
    {"simulate", "queue.running", "requests in a batch, mean over time"},
    {"simulate", "queue.in_system_most", "most requests in the system at once"},
    {"simulate", "kv.used", "share of KV pages that requests hold, mean over time"},
    {"simulate", "kv.cached", "share that nobody holds but whose blocks are kept, mean over time"},
    {"simulate", "kv.used_most", "largest share of one replica's pages that requests held"},
    {"simulate", "kv.capacity", "tokens of KV that all replicas hold"},
    {"simulate", "cache.hit_rate", "share of prompt tokens found in the cache"},
    {"simulate", "cache.requests_with_hits", "share of answered requests that found some"},
    {"simulate", "cache.tokens_saved", "prompt tokens that were not computed"},
    {"simulate", "cache.tokens_from_tiers", "of them, read from a tier below HBM"},
    {"simulate", "cache.retrieved", "bytes read from those tiers"},
    {"simulate", "cache.saved", "those tokens at the price of new input, less what reading and holding them costs"},
    {"simulate", "preemptions", "times a sequence lost its KV to others"},
    {"simulate", "lost_tokens", "tokens whose KV preemptions and failures took, to be computed again"},
    {"simulate", "failures", "of replicas, planned ones included"},
    {"simulate", "scalings", "replicas switched on or off"},
    {"simulate", "transferred", "KV sent from the prefill pool to the decode pool"},
    {"simulate", "swapped", "KV sent to host memory and back"},
    {"simulate", "energy.total", "of all chips at their rated power for as long as they were switched on: at most so much"},
    {"simulate", "energy.output_token", "the same over the output tokens"},
    {"simulate", "outcomes.*", "requests by what became of them; `in_system`: stopped with the run"},
    {"simulate", "duration", "from the first arrival to the last event"},
    {"simulate", "plan.*", "how the model is laid out; `chips` counts all replicas and both pools"},
    {"simulate", "plan.prefill.*", "the layout of the prefill pool, where it is apart"},
    {"simulate", "capacity.share", "share of the requests that must keep the objectives"},
    {"simulate", "capacity.found", "whether a load keeps them and a higher one does not"},
    {"simulate", "capacity.rate", "the highest rate found that keeps them"},
    {"simulate", "capacity.over_asked", "the same over the load asked for"},
    {"simulate", "capacity.loads[].rate", "requests a second offered"},
    {"simulate", "capacity.loads[].kept", "share of the requests that kept the objectives"},
    {"simulate", "capacity.loads[].ttft_mean", "as ttft.mean"},
    {"simulate", "capacity.loads[].ttft_p99", "as ttft.p99"},
    {"simulate", "capacity.loads[].tpot_mean", "as tpot.mean"},
    {"simulate", "capacity.loads[].tpot_p99", "as tpot.p99"},
    {"simulate", "why", "what came of the run, in a sentence"},
    {"simulate", "figures", "pictures as data: requests and KV over time, distributions, latency against load"},
});

}  // namespace

std::span<const AnswerField> simulate_answer_fields() { return table; }

}  // namespace fareline
