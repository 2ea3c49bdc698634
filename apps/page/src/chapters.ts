// SPDX-License-Identifier: Apache-2.0
// The blackboard in chapters. Paragraphs stand apart by an empty line. In the prose {name} is an input in the reader's hand, and
// [path] a number of the answer as it stands now.
import type { Given } from "./setting";

export interface Chapter {
  id: string;
  title: string;
  question: string;
  given: Given;
  prose: string;
  more?: string;
}

const deepseek: Given = { model: "deepseek-ai/DeepSeek-V3", system: "gb200-nvl72" };

export const chapters: Chapter[] = [
  {
    id: "batch",
    title: "Why a batch",
    question: "balance",
    given: { ...deepseek, context: "1000" },
    prose: `
      To write one token, a chip reads every weight it holds. To write a token for two people, it reads them once as well. That is the
      whole secret of cheap tokens: the reading is shared by everybody who is on board, while each brings multiplications of their own.

      So there are two times in every step. *Fetching* the weights takes the same however many ride along. *Multiplying* grows with each
      rider. Where the two lines cross, neither waits for the other: for {model} on {system} that is a batch of [batch.weights]
      sequences. Alone, a token would cost [cost.unbatched_over_floor] times the floor. (Each sequence here has {context} tokens behind
      it; that is the next chapter.)

      Crossing lies where a pure number of the hardware, FLOP/s over bytes a second, [ridge.hardware_ratio], meets a pure number of the
      model, its parameters over those a token uses, [ridge.sparsity]. The size of the model has dropped out: a model ten times as large
      wants the same batch.
    `,
    more: "Drag the context upwards and see the fetch of KV rise over both.",
  },
  {
    id: "balance",
    title: "Balance, and what long contexts break",
    question: "balance",
    given: { ...deepseek, context: "8192", batch: "2000" },
    prose: `
      Weights are read once for all, but memories are not. Every sequence brings its past along, the keys and values of each earlier
      token, and nobody else reads those. With {batch} sequences of {context} tokens each, weights take [time.weights], multiplications
      [time.compute] and the past [time.kv].

      There is no batch that helps against it: twice the riders bring twice the pasts. From a context of [context.balanced] tokens on,
      multipliers wait for memory whatever the batch. At twice that context they are busy half of the time, at ten times a tenth. Here
      they reach [utilisation.mfu] of their peak.

      Attention that reads less moves the wall, and the last figure shows how far: a window stops it, a square root bends it, and
      picking the best few still has to look at every token once, cheaply, to know which they are.
    `,
  },
  {
    id: "departures",
    title: "Departures",
    question: "departures",
    given: { system: "rubin-nvl144", batch: "2000", load: "0.9" },
    prose: `
      Serving is a railway. A pass leaves every so often, whoever is on the platform rides, and who comes a moment late takes the next.
      A natural interval is the time in which a chip can read all of its memory once: longer would read some of it twice, shorter would
      leave some unread. On {system} that is [interval.natural].

      Just missing a train means waiting for one and riding the next, so nobody needs more than [latency.worst] while there are seats.
      With {batch} seats a pass, [throughput.tokens] leave the station, [throughput.share_of_provider] of a large provider's traffic. A
      useful machine is a small part of the world.

      Seats run out long before the average train is full. At a load of {load} a passenger waits [wait.mean] on average and one in a
      hundred waits [wait.p99]. Push the load towards one.
    `,
  },
  {
    id: "experts",
    title: "Experts on racks",
    question: "racks",
    given: { ...deepseek, racks: "2", tokens: "64" },
    prose: `
      A layer of experts is a switchboard: each token picks a handful of experts, and they may sit on any chip. Inside a rack every chip
      reaches every other at full speed, so a rack is where a layer of experts belongs: [experts.per_chip] experts a chip on
      [experts.chips] chips, and [experts.idle] chips left over because experts do not divide.

      Now put the layer on {racks} racks. [exchange.share_leaving] of the traffic wants to leave, through a network that is
      [exchange.bandwidth_ratio] times thinner. The exchange takes [exchange.time] instead of [exchange.one_domain]: [exchange.slowdown]
      times as long. More chips, and slower.

      What a bigger rack buys is less obvious than memory: all its chips read their share of the weights at the same time. The time to
      fetch the weights is the least a token can take, and it falls with the size of the domain: [latency.weight_fetch] here.
    `,
  },
  {
    id: "pipeline",
    title: "Pipelines",
    question: "pipeline",
    given: { stages: "4", micro_batches: "8", schedule: "zb-h1" },
    prose: `
      A model too large for one rack can be cut across its layers: this rack does the first quarter, the next one the second. Little
      travels between racks, one vector a token, so thin networks will do. The price is paid in time: with one batch going round, three
      racks out of four look on.

      Cut the batch into {micro_batches} pieces for {stages} stages, and the pieces follow each other like carriages. Press play. The
      white between them is the bubble. When tokens are generated, as many pieces as stages leave no gap; in training the way back must
      be fitted in, and a schedule decides how well.

      What a pipeline does not do is make one token faster. It visits the same layers one after the other, plus the hops.
    `,
  },
  {
    id: "memory",
    title: "Memory",
    question: "capacity",
    given: { ...deepseek, stages: "4", context: "65536", sequences: "512" },
    prose: `
      Spread weights over more chips and each holds less of them; that part is simple. The pasts of the riders are less obliging. A
      pipeline of {stages} stages splits each past over its stages, but to keep all stages busy it must have as many batches on the way,
      each with pasts of its own. The two cancel.

      So pipelines buy room for weights and none for memories. At {context} tokens for {sequences} sequences that is what decides, and
      it is why high-bandwidth memory, not arithmetic, is what long contexts are short of.
    `,
  },
  {
    id: "speed",
    title: "What speed costs",
    question: "speed",
    given: { ...deepseek, prompt: "4096", output: "512" },
    prose: `
      The same machine can sell the same token at many prices. Let few people on board and everybody goes fast and pays for an emptier
      train. Let many on board and it is cheap and slow. The curve below is that menu, every layout and load tried, for {model} on
      {system}.

      Going slower than normal saves less and less, [slow.saving] at the end, because weights are already shared and the rest is each
      rider's own. Going faster gets dear quickly: the fastest is [fastest.speed_over_normal] times as fast as normal, at
      [fastest.price_over_normal] times the price, for below the time to read the weights once nothing goes.

      A fast mode sold at so many times the speed is a point on this curve: {speed_factor} times as fast must cost
      [fast.price_over_normal] times as much, and [drafting.fast_price_over_normal] times with drafting, where a small model guesses
      ahead and the large one only checks.
    `,
  },
  {
    id: "context",
    title: "Price lists, read backwards",
    question: "context",
    given: { ...deepseek, context: "131072" },
    prose: `
      A price list is an engineering document, published. If prompts above some length cost half as much again, then about there the
      seller's multipliers start to wait for memory. Knowing the hardware's ratio, the length tells how many bytes a token of context
      takes, and that tells how the model's attention was built.

      Read forwards: here is what a token costs {model} on {system} as its context grows to {context} tokens, and the flat steps that
      would cover it.
    `,
  },
  {
    id: "bill",
    title: "A bill",
    question: "bill",
    given: {
      input: "100000",
      cached: "60000",
      output: "1000",
      input_price: "3 USD/Mtok",
      cached_price: "0.3 USD/Mtok",
      output_price: "15 USD/Mtok",
    },
    prose: `
      Three prices stand on every list. Output is dearer than input because input comes many tokens at a time, all in one pass, and
      shares the weights among itself; output comes one by one. Cached input is cheaper because its keys and values were computed before
      and only need fetching.

      A request of {input} tokens of which {cached} are cached, answered in {output}, is charged [total] at {input_price},
      {cached_price} and {output_price}. Most of an agent's bill is old conversation read again.
    `,
  },
  {
    id: "tiers",
    title: "Where to keep a past",
    question: "tiers",
    given: { model: "meta-llama/Llama-3.1-70B", system: "hgx-h100", context: "8192" },
    prose: `
      A past of {context} tokens takes [size]. Keep it in the chip's memory and it is there at once, but that seat is taken. Throw it
      away and it must be computed again. Between lie the host's memory, flash, and disks: each slower to fetch from and cheaper to wait
      in.

      Holding costs by the second, fetching costs by the use. So for each gap between two uses one tier is cheapest, and where the lines
      cross the past should move down a floor. With {reuse} between uses, [again] of which are followed by another, it belongs in
      [best.tier].

      This is why caches are sold by the five minutes and by the hour: those are not round numbers of time but two floors of a building.
    `,
  },
  {
    id: "life",
    title: "A model's life",
    question: "lifetime",
    given: { active_parameters: "100e9", serve_rate: "50 Mtok/s", life: "60 days" },
    prose: `
      A model is trained once and used until the next one. Training costs six multiplications-and-additions a parameter and token, use
      two. If both bills are to be as small as possible together, they come out about the same size.

      At {serve_rate} for {life} a model of {active_parameters} parameters writes more tokens than it ever read. Then it pays to train a
      smaller one for longer than its own best, far longer: it is overtrained on purpose, because the users' bill is the longer one.
    `,
  },
  {
    id: "reversible",
    title: "Reversible layers",
    question: "reversible",
    given: { layers: "80", hidden: "8192" },
    prose: `
      Going back through a network needs what every layer saw on the way forward, and keeping it fills memory. A reversible layer can be
      run backwards: its input is computed from its output, as a Feistel cipher undoes its rounds. With {layers} layers of width
      {hidden}, what had to be kept shrinks to the last layer, for one more pass of arithmetic.

      It is the same bargain as everywhere on this blackboard: memory against multiplication, and today multiplication is the cheaper
      one.
    `,
  },
];
