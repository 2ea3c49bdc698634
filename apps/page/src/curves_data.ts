// SPDX-License-Identifier: Apache-2.0
// The linked figures of one setting, from swept answers.
import { core, type Answer, type Json, type Question } from "./asking";
import type { Lines, Series } from "./figure_data";
import { show } from "./numbers";
import { question_of, type Given } from "./setting";

export interface Ranges {
  users: number;
  prompt: number;
}
export interface Curves {
  price: Lines;
  time: Lines;
  context: Lines;
  frontier: Lines;
  memory: Lines;
  roofline: Lines;
}

const kept = new Map<string, Promise<Answer>>();
export function asked(question: Question): Promise<Answer> {
  const text = JSON.stringify(question);
  let answer = kept.get(text);
  if (!answer) {
    answer = core.ask(question);
    kept.set(text, answer);
    if (kept.size > 40) kept.delete(kept.keys().next().value!);
  }
  return answer;
}

const plan_names = ["tp", "ep", "pp", "dp", "cp", "replicas"];
// The setting with the layout the answer has, and its users where `users`.
export function with_plan(given: Given, answer: Answer, users: boolean): Given {
  const { concurrency: _c, batch: _b, rate: _r, ...rest } = given;
  const held: Given = { ...rest };
  for (const name of plan_names) held[name] ??= String(answer.answer.plan[name]);
  if (users) held["concurrency"] = String(Math.round(answer.answer.batch.concurrency.value));
  return held;
}

interface Column {
  name: string;
  unit: string;
  values: (number | null)[];
  floor?: (number | null)[];
  low?: (number | null)[];
  high?: (number | null)[];
}
async function swept(
  given: Given,
  vary: string,
  show_: string,
): Promise<{ x: number[]; columns: Record<string, Column>; bound: (string | null)[] } | undefined> {
  const inputs = question_of("cost", given).inputs as Json;
  const { answer } = await asked({ question: "sweep", inputs: { of: "cost", inputs, vary, show: show_ } });
  if (!answer?.columns) return undefined;
  return {
    x: answer.varied[0].values,
    columns: Object.fromEntries(answer.columns.map((c: Column) => [c.name, c])),
    bound: answer.bound ?? [],
  };
}

const of_column = (name: string, x: (number | null)[], c: Column | undefined, colour: number, band: boolean): Series[] => {
  if (!c) return [];
  const all: Series[] = [];
  if (band && c.low && c.high) all.push({ name: `${name}, 80% band`, style: "band", x, y: c.low, high: c.high, colour });
  all.push({ name, style: "estimate", x, y: c.values, colour });
  if (c.floor) all.push({ name: `${name}, bound`, style: "floor", x, y: c.floor, colour });
  return all;
};

function regimes(x: number[], bound: (string | null)[]) {
  const all: { from: number; to: number; kind: string }[] = [];
  bound.forEach((kind, i) => {
    const last = all[all.length - 1];
    if (!kind) return;
    if (last?.kind === kind) last.to = x[i]!;
    else {
      if (last) last.to = x[i]!;
      all.push({ from: x[i]!, to: x[i]!, kind });
    }
  });
  return all;
}

const users_axis = { label: "users at once", unit: "1", counted: "users", scale: "log2" as const };
const no_lines = (title: string, x: Lines["x"], y: Lines["y"]): Lines => ({ kind: "lines", title, description: "", x, y, series: [] });

function memory(answer: Answer): Lines {
  const m = answer.answer.memory,
    at = (name: string) => m[name]?.value ?? 0,
    dp = answer.answer.plan.dp * answer.answer.plan.replicas;
  const fixed = at("weights") + at("activations") + at("collectives") + at("reserve"),
    most = at("largest_batch");
  const n = [0, most * 1.15],
    users = n.map((v) => v * answer.answer.plan.replicas);
  const a_chip = (v: number) => fixed + (v / Math.max(1, most)) * at("left_for_kv");
  return {
    kind: "lines",
    title: "Memory against users",
    subtitle: `${show(m.sequence)} of KV a user on a chip`,
    description: "What the fullest chip holds as users come: weights and workspace whatever they are, KV for each.",
    x: { label: "users at once", unit: "1", counted: "users", scale: "linear", from_zero: true },
    y: { label: "memory of a chip", unit: "B", scale: "linear", from_zero: true },
    series: [
      { name: "weights", style: "estimate", x: users, y: n.map(() => at("weights")), colour: 2 },
      { name: "and workspace", style: "estimate", x: users, y: n.map(() => fixed), colour: 4 },
      { name: "and KV", style: "estimate", x: users, y: n.map(a_chip), colour: 0 },
    ],
    markers: [
      { vertical: false, at: at("budget"), text: "the engine may take" },
      { vertical: true, at: most * answer.answer.plan.replicas, text: `full: ${Math.floor(most)}${dp > 1 ? " a replica" : ""}` },
    ],
  };
}

const widths: Record<string, number> = {
  bf16: 16,
  fp16: 16,
  fp32: 32,
  tf32: 32,
  fp8: 8,
  fp8_block: 8,
  mxfp8: 8,
  int8: 8,
  fp4: 4,
  nvfp4: 4,
  mxfp4: 4,
  int4: 4,
};

async function roofline(answer: Answer): Promise<Lines> {
  const x = { label: "FLOP a byte", unit: "1", scale: "log10" as const },
    y = { label: "FLOP/s of a chip", unit: "FLOP/s", scale: "log10" as const };
  const operators = answer.explain?.passes?.decode?.operators as any[] | undefined;
  const bandwidth = answer.inputs["hbm_bandwidth"]?.value as number,
    peak = answer.inputs["peak"]?.value as number;
  if (!operators || !bandwidth || !peak) return no_lines("The roofline", x, y);
  const system = (await asked({ question: "show", inputs: { kind: "system", name: String(answer.inputs["system"]!.value) } })).answer;
  const chip = (await asked({ question: "show", inputs: { kind: "chip", name: String(system?.chip?.value ?? system?.chip ?? "") } }))
    .answer;
  const peaks: Record<string, number> = {};
  const see = (at: any, name: string) => {
    if (at && typeof at === "object") {
      if (typeof at.value === "number" && at.unit === "FLOP/s") peaks[name] = at.value;
      else for (const [k, v] of Object.entries(at)) see(v, k);
    }
  };
  see(chip, "");
  const own = peaks["bf16"] ?? peaks["fp16"] ?? peak;
  const bits = [...new Set(operators.filter((o) => o.flop.value > 0).map((o) => widths[o.multiplies_in as string] ?? 16))].sort(
    (a, b) => b - a,
  );
  const peak_of = (width: number) => {
    const found = Object.entries(peaks)
      .filter(([name]) => (widths[name] ?? 0) === width)
      .map(([, v]) => v);
    return (Math.max(own * (width === 16 ? 1 : 0), ...found) || own) * (peak / own);
  };
  const balance = peak / bandwidth;
  const points = operators.filter((o) => o.flop.value > 0 && o.weights.value + o.kv.value + o.activations.value > 0);
  const low = Math.min(0.3, ...points.map((o) => o.flop.value / (o.weights.value + o.kv.value + o.activations.value))),
    high = Math.max(balance * 30, 3000);
  const series: Series[] = [
    {
      name: "bandwidth",
      style: "estimate",
      x: [low, Math.max(...bits.map(peak_of)) / bandwidth],
      y: [low * bandwidth, Math.max(...bits.map(peak_of))],
      colour: 1,
    },
  ];
  for (const width of bits)
    series.push({
      name: `peak, ${width} bit`,
      style: "estimate",
      x: [peak_of(width) / bandwidth, high],
      y: [peak_of(width), peak_of(width)],
      colour: width === 16 ? 2 : width === 8 ? 4 : 5,
    });
  series.push({
    name: "operators of a decode step",
    style: "points",
    colour: 0,
    labels: points.map((o) => o.name),
    x: points.map((o) => o.flop.value / (o.weights.value + o.kv.value + o.activations.value)),
    y: points.map((o) => o.flop.value / o.time.value),
  });
  return {
    kind: "lines",
    title: "The roofline",
    subtitle: "drag a roof: bandwidth or peak",
    description: "FLOP/s each operator of the decode step reaches, over its FLOP a byte, under the chip's bandwidth and peaks.",
    x,
    y,
    series,
  };
}

export async function curves(
  given: Given,
  answer: Answer,
  ranges: Ranges,
  full: Answer | undefined,
  frontier: Lines | undefined,
  points: number,
): Promise<Curves> {
  const plan = with_plan(given, answer, false),
    users = with_plan(given, answer, true);
  const { prompt: _, ...no_prompt } = users;
  const [a, b, roof] = await Promise.all([
    swept(plan, `concurrency=1..${ranges.users}:${points}`, "price.output,price.input,latency.tpot,latency.ttft"),
    swept(no_prompt, `prompt=64..${ranges.prompt}:${points}`, "price.input,price.output,price.blended,latency.ttft"),
    full
      ? roofline(full)
      : no_lines(
          "The roofline",
          { label: "FLOP a byte", unit: "1", scale: "log10" },
          { label: "FLOP/s of a chip", unit: "FLOP/s", scale: "log10" },
        ),
  ]);
  const price_axis = { label: "price", unit: "USD/Mtok", scale: "log10" as const };
  const price: Lines = {
    ...no_lines("Price against batch", users_axis, price_axis),
    description: "Price of output and input tokens over the users served at once.",
    subtitle: "weights are read once for all who ride",
    series: a
      ? [...of_column("output", a.x, a.columns["price.output"], 0, true), ...of_column("input", a.x, a.columns["price.input"], 1, false)]
      : [],
    regimes: a ? regimes(a.x, a.bound) : [],
  };
  const time: Lines = {
    ...no_lines("Time against batch", users_axis, { label: "time", unit: "s", scale: "log10" }),
    description: "Time to the first token and per further token over the users served at once.",
    subtitle: "more riders, slower trains",
    series: a
      ? [
          ...of_column("TPOT", a.x, a.columns["latency.tpot"], 0, true),
          ...of_column("TTFT", a.x, a.columns["latency.ttft"], 3, false).filter((s) => s.style !== "floor"),
        ]
      : [],
  };
  const context: Lines = {
    ...no_lines("Price against context", { label: "prompt", unit: "1", counted: "tokens", scale: "log2" }, price_axis),
    description: "Price of tokens over the length of the prompt.",
    subtitle: `at ${users["concurrency"]} users`,
    series: b
      ? [
          ...of_column("output", b.x, b.columns["price.output"], 0, true),
          ...of_column("input", b.x, b.columns["price.input"], 1, false).filter((s) => s.style !== "floor"),
          ...of_column("any token", b.x, b.columns["price.blended"], 3, false).filter((s) => s.style !== "floor"),
        ]
      : [],
  };
  const tpot = a?.columns["latency.tpot"],
    output = a?.columns["price.output"];
  const held: Series = {
    name: "this layout",
    style: "estimate",
    x: (tpot?.values ?? []).map((v) => (v ? 1 / v : null)),
    y: output?.values ?? [],
    colour: 0,
  };
  const best = (frontier?.series ?? []).map((s, i) => ({
    ...s,
    name: i ? "drafting, any layout" : "any layout",
    colour: i ? 5 : 2,
    style: "estimate" as const,
  }));
  const now: Series = {
    name: "here",
    style: "points",
    x: [1 / answer.answer.latency.tpot.value],
    y: [answer.answer.price.output.value],
    colour: 6,
  };
  return {
    price,
    time,
    context,
    roofline: roof,
    memory: memory(answer),
    frontier: {
      ...no_lines("Price against speed", { label: "speed to a user", unit: "tok/s", scale: "log10" }, price_axis),
      subtitle: "faster for one is dearer for all",
      description: "Price of output over tokens a second of one user: of this layout by its users, and the best of every layout.",
      series: [held, ...best, now],
    },
  };
}
