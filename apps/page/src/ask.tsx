// SPDX-License-Identifier: Apache-2.0
// Ask: one question, its numbers with floor and band, what binds, and where every number comes from.
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { Answer, Explained, Quantity } from "./asking";
import { Figure } from "./figure";
import type { Bars } from "./figure_data";
import { digits, fitting, percent, show } from "./numbers";
import { Opened, Refused, Scrub, Take, Warnings } from "./parts";
import { question_of, set, setting } from "./setting";
import { SettingLine } from "./setting_line";
import { row_of } from "./catalogue";

interface Shown {
  path: string;
  name: string;
  note: string;
}
const numbers: { title: string; rows: Shown[] }[] = [
  {
    title: "Price",
    rows: [
      { path: "price.input", name: "new input", note: "of a prompt token that is not cached" },
      { path: "price.cached_input", name: "cached input", note: "of a prompt token whose KV is read back" },
      { path: "price.output", name: "output", note: "of an output token" },
      { path: "price.blended", name: "any token", note: "the whole bill over all tokens" },
    ],
  },
  {
    title: "Time",
    rows: [
      { path: "latency.ttft", name: "first token (TTFT)", note: "waiting, the prompt's own prefill, fetching the cached prefix" },
      { path: "latency.tpot", name: "each further token (TPOT)", note: "time per output token after the first" },
      { path: "latency.e2e", name: "whole answer", note: "from request to last token: ttft + (output − 1) tpot" },
    ],
  },
  {
    title: "Throughput",
    rows: [
      { path: "throughput.output_tokens", name: "output tokens", note: "a second, all replicas" },
      { path: "throughput.output_tokens_per_chip", name: "output tokens, a chip", note: "the same over the chips" },
      { path: "throughput.requests", name: "requests", note: "answered a second, all replicas" },
    ],
  },
];

export const member = (answer: any, path: string): any => path.split(".").reduce((at, name) => at?.[name], answer);

// Where a value lies between its bound of physics and the edge of its band, on a scale of ratios.
export function Range({ q }: { q: Quantity }) {
  const bound = q.ceiling ?? q.floor;
  if (q.low === undefined || q.high === undefined || bound === undefined || !(q.value > 0)) return null;
  const least = Math.min(bound, q.low, q.value),
    most = Math.max(bound, q.high, q.value);
  if (!(least > 0)) return null;
  const room = 0.06 * Math.log(most / least) + 0.02,
    a = Math.log(least) - room,
    b = Math.log(most) + room;
  const at = (v: number) => `${(100 * (Math.log(v) - a)) / (b - a)}%`;
  return (
    <span class="range" aria-hidden="true">
      <span class="band" style={{ left: at(q.low), right: `calc(100% - ${at(q.high)})` }} />
      <span class="bound" style={{ left: at(bound) }} />
      <span class="dot" style={{ left: at(q.value) }} />
    </span>
  );
}

// What stands behind a number: its own explanation, or the numbers of the answer that make it up.
function explanation(answer: Answer, path: string): Explained | undefined {
  const own = (answer.explain?.numbers as Explained[] | undefined)?.find((n) => n.name === path);
  if (own) return own;
  const a = answer.answer,
    find = (p: string): Explained => ({ name: p, value: member(a, p) });
  const made: Record<string, { formula: string; inputs: string[] }> = {
    "latency.e2e": { formula: "ttft + (output − 1) tpot", inputs: ["latency.ttft", "latency.tpot"] },
    "price.blended": {
      formula: "what the chips cost while one request is served, and storage, over all its tokens",
      inputs: ["bill.request", "bill.input", "bill.prefix", "bill.storage", "bill.output"],
    },
    "price.cached_input": {
      formula: "(what reading and holding the prefix costs) / cached prompt tokens",
      inputs: ["bill.prefix", "bill.storage"],
    },
    "throughput.requests": {
      formula: "requests in the system / their mean stay (Little's law)",
      inputs: ["batch.concurrency", "latency.e2e"],
    },
    "throughput.output_tokens": { formula: "requests a second × output tokens", inputs: ["throughput.requests"] },
    "throughput.output_tokens_per_chip": { formula: "output tokens a second / chips", inputs: ["throughput.output_tokens"] },
  };
  const one = made[path];
  return (
    one && {
      name: path,
      value: member(a, path),
      formula: one.formula,
      inputs: one.inputs.map((p) => (answer.explain?.numbers as Explained[] | undefined)?.find((n) => n.name === p) ?? find(p)),
    }
  );
}

export function NumberRow({ answer, row }: { answer: Answer; row: Shown }) {
  const open = useSignal(false);
  const q = member(answer.answer, row.path) as Quantity | undefined;
  if (!q) return null;
  const unit = fitting(q.unit, q.value),
    other = (v: number | undefined) => (v === undefined ? "" : digits(v / unit.factor));
  const bound = q.ceiling ?? q.floor;
  const why = open.value ? explanation(answer, row.path) : undefined;
  return (
    <li class={open.value ? "number open" : "number"}>
      <button type="button" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
        <span class="what">{row.name}</span>
        <span class="value">
          {digits(q.value / unit.factor)} <small>{unit.name}</small>
        </span>
        <Range q={q} />
        <span class="band-text">
          {q.low !== undefined ? `${other(q.low)} to ${other(q.high)}` : ""}
          {bound !== undefined && (
            <>
              {" "}
              · bound <i>{other(bound)}</i>
            </>
          )}
        </span>
      </button>
      {why && (
        <div class="why">
          <p class="note">{row.note}</p>
          <Opened one={why} top />
        </div>
      )}
    </li>
  );
}

export function waterfall(answer: Answer, pass: "decode" | "prefill"): Bars | undefined {
  const bound = answer.answer.bound?.[pass];
  if (!bound) return undefined;
  let sum = 0;
  const rows = Object.entries(bound as Record<string, { time: Quantity; share: number }>).map(([name, { time }]) => {
    const row = {
      name,
      parts: [
        { name: "before", amount: sum, kind: "" },
        { name, amount: time.value, kind: name },
      ],
    };
    sum += time.value;
    return row;
  });
  const floor = answer.explain?.passes?.[pass]?.floor?.value;
  return {
    kind: "bars",
    title: pass === "decode" ? "What a decode step's time goes to" : "What a step with prompts goes to",
    subtitle: `${show({ value: sum, unit: "s" })} in all`,
    description: `Time of the ${pass} step by what binds it, largest first: ` + rows.map((r) => r.name).join(", "),
    value: { label: "time", unit: "s", scale: "linear", from_zero: true },
    rows,
    ...(floor ? { markers: [{ at: floor, text: "bound of physics" }] } : {}),
  };
}

export function memory_figure(answer: Answer): Bars | undefined {
  const m = answer.answer.memory;
  if (!m?.weights) return undefined;
  const seen = (name: string) => m[name]?.value ?? 0;
  const held = Math.min(
    seen("left_for_kv"),
    seen("sequence") * ((answer.answer.batch?.decoding?.value ?? 0) / Math.max(1, answer.answer.plan?.dp ?? 1)),
  );
  const parts = [
    { name: "weights", amount: seen("weights"), kind: "weights" },
    { name: "activations", amount: seen("activations"), kind: "activations" },
    { name: "collectives", amount: seen("collectives"), kind: "collectives" },
    { name: "runtime", amount: seen("reserve"), kind: "engine" },
    { name: "KV of these users", amount: held, kind: "kv" },
    { name: "free for KV", amount: seen("left_for_kv") - held, kind: "free" },
    { name: "not the engine's", amount: Math.max(0, seen("physical") - seen("budget")), kind: "outside" },
  ].filter((p) => p.amount > 0);
  return {
    kind: "bars",
    title: "What the fullest chip holds",
    subtitle: `${show(m.physical)}; room for ${digits(m.largest_batch.value)} sequences a replica`,
    description: "Memory of the fullest chip by what is kept in it.",
    value: { label: "memory", unit: "B", scale: "linear", from_zero: true },
    rows: [{ name: "a chip", parts }],
  };
}

function sensitivity(answer: Answer): Bars | undefined {
  const rows = (answer.answer.sensitivity ?? []) as { change: string; price_ratio: number }[];
  if (!rows.length) return undefined;
  return {
    kind: "bars",
    title: "What would change the price",
    subtitle: "price of a token then over now",
    description: "Ratio of the blended price after one thing is doubled to the price now.",
    value: { label: "price then over now", unit: "1", scale: "linear", from_zero: true },
    rows: rows.map((r) => ({
      name: r.change,
      parts: [{ name: r.change, amount: r.price_ratio, kind: r.price_ratio < 1 ? "free" : "outside" }],
    })),
    markers: [{ at: 1, text: "now" }],
  };
}

// Every value the answer was computed from, who chose it and why; those of the question can be taken in the hand.
function Inputs({ answer }: { answer: Answer }) {
  return (
    <details class="inputs">
      <summary>Every input: who chose it, and why</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="Inputs">
        <table>
          <thead>
            <tr>
              <th scope="col">input</th>
              <th scope="col">value</th>
              <th scope="col">chosen by</th>
              <th scope="col">why, with its source</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(answer.inputs).map(([name, used]) => {
              const row = row_of(answer.question, name),
                given = setting.value[name];
              const unit = typeof used.value === "number" ? fitting(used.unit ?? "1", used.value) : undefined;
              const text =
                given ??
                (unit
                  ? `${Number(((used.value as number) / unit.factor).toPrecision(6))}${unit.name ? ` ${unit.name.replace("µ", "u")}` : ""}`
                  : String(used.value));
              return (
                <tr key={name}>
                  <th scope="row" title={row?.summary}>
                    {name}
                  </th>
                  <td>
                    {row && ["count", "number", "quantity"].includes(row.kind) ? (
                      <Scrub
                        label={row.summary}
                        text={text}
                        whole={row.kind === "count"}
                        least={row.least}
                        most={row.kind === "quantity" ? undefined : row.most}
                        set={(v) => set(name, v)}
                        chosen={given === undefined}
                        reset={given !== undefined ? () => set(name, undefined) : undefined}
                      />
                    ) : row?.choices ? (
                      <select aria-label={row.summary} value={text} onChange={(e) => set(name, e.currentTarget.value)}>
                        {row.choices.split(",").map((c) => (
                          <option key={c}>{c}</option>
                        ))}
                      </select>
                    ) : name === "calibration" || name === "stack" ? (
                      <span>{text}</span>
                    ) : (
                      <span>{typeof used.value === "object" ? ((used.value as any)?.name ?? "your configuration") : text}</span>
                    )}
                  </td>
                  <td>{used.chosen_by}</td>
                  <td class="source">{used.source ?? ""}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </details>
  );
}

function Operators({ answer }: { answer: Answer }) {
  const passes = answer.explain?.passes as Record<string, { operators?: any[] }> | undefined;
  if (!passes || !Object.values(passes).some((p) => p.operators)) return null;
  return (
    <>
      {Object.entries(passes).map(
        ([pass, { operators }]) =>
          operators && (
            <details class="inputs" key={pass}>
              <summary>Every operator of the {pass} pass</summary>
              <div class="scroll" tabIndex={0} role="region" aria-label={`Operators of the ${pass} pass`}>
                <table>
                  <thead>
                    <tr>
                      <th scope="col">operator</th>
                      <th scope="col">layers</th>
                      <th scope="col">time</th>
                      <th scope="col">binds</th>
                      <th scope="col">FLOP</th>
                      <th scope="col">formula</th>
                      <th scope="col">source, and what is assumed</th>
                    </tr>
                  </thead>
                  <tbody>
                    {operators.map((o, i) => (
                      <tr key={i}>
                        <th scope="row">{o.name}</th>
                        <td>{o.layers}</td>
                        <td>{show(o.time)}</td>
                        <td>{o.bound}</td>
                        <td>{show(o.flop)}</td>
                        <td>
                          <code>{o.formula}</code>
                        </td>
                        <td class="source">
                          {o.source}
                          {o.assumes && `; assumes ${o.assumes}`}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            </details>
          ),
      )}
    </>
  );
}

export function NoFit({ answer }: { answer: any }) {
  return (
    <div class="nofit" role="status">
      <h2>It does not fit</h2>
      <p>{answer.reason}.</p>
      <p>
        Needed {show(answer.needed)}, there is {show(answer.available)}. {answer.remedy}
        {answer.would_fit && (
          <>
            ; <em>{answer.would_fit}</em>
          </>
        )}
        .
      </p>
    </div>
  );
}

export function Ask({ answer }: { answer: Answer | undefined }) {
  const falls = useMemo(
    () =>
      answer?.answer?.feasible
        ? ([waterfall(answer, "decode"), waterfall(answer, "prefill"), memory_figure(answer), sensitivity(answer)].filter(
            Boolean,
          ) as Bars[])
        : [],
    [answer],
  );
  return (
    <section aria-labelledby="ask-title">
      <h1 id="ask-title" class="hidden">
        Ask
      </h1>
      <SettingLine answer={answer} />
      <Take question={question_of("cost", setting.value)} />
      {!answer && <p class="busy">…</p>}
      {answer?.error && <Refused error={answer.error} />}
      {answer?.answer && !answer.answer.feasible && <NoFit answer={answer.answer} />}
      {answer?.answer?.feasible && (
        <>
          <p class="lead">
            {answer.answer.why} {answer.answer.change}
          </p>
          <div class="numbers">
            {numbers.map((group) => (
              <div key={group.title}>
                <h2>{group.title}</h2>
                <ul>
                  {group.rows.map((row) => (
                    <NumberRow key={row.path} answer={answer} row={row} />
                  ))}
                </ul>
              </div>
            ))}
          </div>
          <p class="legend-line">
            <span class="range sample">
              <span class="band" style={{ left: "35%", right: "15%" }} />
              <span class="bound" style={{ left: "12%" }} />
              <span class="dot" style={{ left: "55%" }} />
            </span>
            the estimate, the band that 80% of measurements should fall into, and the bound of physics. Open a number for its formula.
          </p>
          <div class="figures">
            {falls.map((f) => (
              <Figure key={f.title} figure={f} />
            ))}
          </div>
          <p class="legend-line">
            Utilisation: decode {percent(answer.answer.utilisation.decode.mfu)} of FLOP/s and{" "}
            {percent(answer.answer.utilisation.decode.mbu)} of bandwidth, prefill {percent(answer.answer.utilisation.prefill.mfu)} and{" "}
            {percent(answer.answer.utilisation.prefill.mbu)}. Calibration {answer.explain?.calibration?.name}:{" "}
            {answer.explain?.calibration?.evidence}.
          </p>
          <Inputs answer={answer} />
          <Operators answer={answer} />
        </>
      )}
      {answer?.warnings && <Warnings warnings={answer.warnings} />}
    </section>
  );
}
