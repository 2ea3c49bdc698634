// SPDX-License-Identifier: Apache-2.0
// same_bytes.mjs CORE.js CORE.wasm FARELINE [COUNT [SEED]]: asks the core as WebAssembly and the native command line the same questions:
// the example of every question, every question the reference and the lecture write down, and COUNT random ones over all tables. Every
// answer must have the same bytes.
import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [code, wasm, fareline, count = "1000", seed = "1"] = process.argv.slice(2);
const source = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../../..");
const { start } = await import(pathToFileURL(path.resolve(code)).href);
const core = await start(readFileSync(wasm));
const tables = JSON.parse(core.tables());

// xorshift of 32 bits: a run can be had again by its seed.
let state = (Number(seed) * 2654435761) >>> 0 || 1;
const below = (n) => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  state >>>= 0;
  return state % n;
};
const any = (list) => list[below(list.length)];

const names = (kind) => JSON.parse(core.ask(JSON.stringify({ question: "list", inputs: { kind } }))).answer.rows.map((row) => row.name);
const models = names("models");
const systems = names("systems");
const calibrations = names("calibrations");
const chips = names("chips");

// Where a number usually lies, so that answers are reached and not only refusals.
const usual = {
  hbm_bandwidth: [1e11, 2e13],
  scale_up_bandwidth: [1e10, 2e12],
  scale_out_bandwidth: [1e9, 1e11],
  hbm_capacity: [2e10, 4e11],
  peak: [1e13, 1e16],
  bytes_per_parameter: [0.5, 4],
  kv_per_token: [1e3, 1e6],
  rental: [1e-4, 3e-3],
  mean_between_failures: [1e3, 1e6],
  restart: [1, 300],
  start_up: [1, 300],
  scale_interval: [5, 100],
  think: [0.1, 100],
  period: [0.01, 1],
  wire: [0.5, 2],
};

function value(input) {
  const most = Math.min(input.most ?? 0, 256);
  const least = Math.max(input.least ?? 0, 0);
  if (input.name === "model") return any(below(20) ? models : ["nobody/nothing", 5, {}]);
  if (input.name === "system") return any(systems);
  if (input.name === "calibration") return any([...calibrations, "auto"]);
  if (below(25) === 0) return any([0, -1, 0.5, "8Ki", "many", "nan", "50%", "1 furlong", null, [], {}]);
  switch (input.kind) {
    case "count":
      return Math.floor(least + (most - least) * (below(1001) / 1000) ** 2);
    case "number":
      return least + (Math.min(most, 30) - least) * (below(101) / 100);
    case "quantity": {
      const [low, high] = usual[input.name] ?? [Math.max(input.least, 1e-3), Math.min(input.most, 1e4)];
      return `${Number((low * (Math.max(low, high) / low) ** (below(1001) / 1000)).toPrecision(4))} ${input.unit}`;
    }
    case "choice":
      return any(input.choices.split(","));
    default:
      return input.value || any(["auto", "nothing", {}, []]);
  }
}

function random() {
  const table = any(tables.filter((t) => !["sweep", "lecture"].includes(t.name)));
  const inputs = {};
  for (const input of table.inputs) {
    const wanted = ["model", "system", "prompt", "output", "batch"].includes(input.name) ? 1 : 6;
    if (below(wanted) === 0 && (input.kind !== "document" || below(8) === 0)) inputs[input.name] = value(input);
  }
  if ("tp" in inputs || below(2)) inputs.tp = any([1, 2, 4, 8]);
  if (!table.inputs.some((i) => i.name === "tp")) delete inputs.tp;
  if (table.inputs.some((i) => i.name === "concurrency") && inputs.batch === undefined) inputs.concurrency ??= any([1, 8, 64, 300]);
  if (table.inputs.some((i) => i.name === "rate") && below(4)) delete inputs.rate;
  if (table.name === "show") {
    inputs.kind = any(["model", "chip", "system", "calibration"]);
    inputs.name = any({ model: models, chip: chips, system: systems, calibration: calibrations }[inputs.kind]);
  }
  if (table.name === "step") inputs.tokens ??= 1 + below(8000);
  if (table.name === "speed") for (const name of ["batch", "concurrency", "rate"]) delete inputs[name];
  for (const [name, whole] of [
    ["active_parameters", "total_parameters"],
    ["activated_experts", "routed_experts"],
  ])
    if (!(whole in inputs)) delete inputs[name];
  if (table.name === "simulate") {
    inputs.requests = 20 + below(200);
    inputs.prompt = any([500, "uniform:10,2000", "lognormal:1024,0.8"]);
    inputs.output = any([100, "uniform:10,200", "lognormal:256,1.0"]);
    inputs.traffic = any(["poisson", "gamma:0.5", "markov:4,0.1,30s", "diurnal:0.5,24h", "fixed"]);
    if (below(2)) ((inputs.rate = any(["0.5/s", "4/s", "40/s"])), delete inputs.concurrency);
  }
  return { question: table.name, inputs };
}

// The words of a command: --name value, and words without a name in the order of the table.
function typed(table) {
  const inputs = {};
  const free = table.inputs.map((i) => i.name);
  const words = table.example.match(/"[^"]*"|\S+/g) ?? [];
  const plain = (w) => (/^-?[0-9.]+(e[0-9]+)?$/.test(w) ? Number(w) : w.replaceAll('"', ""));
  const own = {};
  for (let i = 0; i < words.length; ++i) {
    if (words[i].startsWith("--")) own[words[i].slice(2)] = plain(words[++i]);
    else inputs[free.shift()] = words[i];
  }
  if (table.name === "sweep") {
    const { vary, show, ...rest } = own;
    return { question: "sweep", inputs: { ...inputs, vary, ...(show && { show }), inputs: rest } };
  }
  if (table.name === "lecture")
    return {
      question: "lecture",
      inputs: { ...inputs, set: Object.fromEntries([String(own.set).split("=")].map(([k, v]) => [k, plain(v)])) },
    };
  return { question: table.name, inputs: { ...inputs, ...own } };
}

const questions = tables.map(typed);
for (const line of readFileSync(path.join(source, "docs/reference/answers.md"), "utf8").split("\n"))
  if (line.startsWith('{"question"')) questions.push(JSON.parse(line));
for (const file of readdirSync(path.join(source, "data/lecture")).sort()) {
  const figure = JSON.parse(readFileSync(path.join(source, "data/lecture", file), "utf8"));
  questions.push({ question: figure.question, inputs: figure.inputs ?? {} });
}
questions.push({ question: "lecture", inputs: {} });
for (const kind of ["models", "chips", "systems", "prices", "calibrations", "questions"])
  questions.push({ question: "list", inputs: { kind } });
const written = questions.length;
for (let i = 0; i < Number(count); ++i) questions.push(random());

const lines = questions.map((q) => JSON.stringify(q));
const native = spawnSync(fareline, ["ask"], { input: lines.join("\n") + "\n", encoding: "utf8", maxBuffer: 1 << 30 });
if (native.error) throw native.error;
const expected = native.stdout.split("\n");
let different = 0,
  answers = 0;
const started = performance.now();
lines.forEach((line, i) => {
  const got = core.ask(line);
  if (!got.startsWith('{"error"')) ++answers;
  if (got === expected[i]) return;
  if (++different <= 5) {
    let at = 0;
    while (got[at] === expected[i]?.[at]) ++at;
    console.log(
      `different at byte ${at}: ${line}\n  page:    ${got.slice(Math.max(0, at - 40), at + 60)}` +
        `\n  command: ${expected[i]?.slice(Math.max(0, at - 40), at + 60)}`,
    );
  }
});
console.log(
  `${written} written questions and ${count} random ones (seed ${seed}): ${answers} answered, ${lines.length - answers} refused, ` +
    `${different} different; ${((performance.now() - started) / lines.length).toFixed(2)} ms each in WebAssembly`,
);
process.exit(different || answers < lines.length / 4 ? 1 : 0);
