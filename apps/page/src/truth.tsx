// SPDX-License-Identifier: Apache-2.0
// Truth: what was predicted against what others measured, row by row; and what each calibration was fitted on.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { core, embedded } from "./asking";
import { Figure } from "./figure";
import type { Lines, Series } from "./figure_data";
import { digits, percent } from "./numbers";
import { other, other_key, set_other } from "./setting";

interface Row {
  model: string;
  system: string;
  engine: string;
  precision: string;
  layout: string;
  users: string;
  prompt: string;
  output: string;
  tpot: [number, number];
  ttft: [number, number];
}

// docs/guide/how-wrong.csv, as docs/guide/how-wrong.sh writes it.
async function published(): Promise<Row[]> {
  const [, ...lines] = new TextDecoder()
    .decode(await embedded("residuals"))
    .trim()
    .split("\n");
  return lines.map((line) => {
    const [model, system, engine, precision, layout, users, prompt, output, ...n] = line.split(",") as string[];
    const of = (i: number) => (n[i] === "" || n[i] === undefined ? NaN : Number(n[i]));
    return { model, system, engine, precision, layout, users, prompt, output, tpot: [of(0), of(1)], ttft: [of(2), of(3)] } as Row;
  });
}

const middle = (values: number[]) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor((sorted.length - 1) / 2)]! : NaN;
};
const error = ([predicted, measured]: [number, number]) => predicted / measured - 1;
const columns = ["model", "system", "engine", "precision"] as const;

export function Truth() {
  const rows = useSignal<Row[]>([]),
    calibrations = useSignal<any[]>([]);
  useEffect(() => {
    published().then((all) => (rows.value = all));
    core.ask({ question: "list", inputs: { kind: "calibrations" } }).then((a) => (calibrations.value = a.answer?.rows ?? []));
  }, []);
  const wanted = other.value[other_key.value] ?? {};
  const metric = (wanted["metric"] === "ttft" ? "ttft" : "tpot") as "tpot" | "ttft";
  const group = (columns.find((c) => c === wanted["by"]) ?? "engine") as (typeof columns)[number];
  const want = (name: string, value: string) => {
    const next = { ...wanted };
    if (value) next[name] = value;
    else delete next[name];
    set_other(next);
  };
  const kept = useMemo(
    () => rows.value.filter((r) => Number.isFinite(r[metric][0] + r[metric][1]) && columns.every((c) => !wanted[c] || r[c] === wanted[c])),
    [rows.value, wanted, metric],
  );
  const groups = useMemo(() => {
    const all = new Map<string, Row[]>();
    for (const row of kept) all.set(row[group], [...(all.get(row[group]) ?? []), row]);
    return [...all].sort((a, b) => b[1].length - a[1].length);
  }, [kept, group]);
  const figure = useMemo((): Lines => {
    const measured = kept.map((r) => r[metric][1]),
      ends = [Math.min(...measured, 1) / 1.2, Math.max(...measured, 0) * 1.2];
    const line = (name: string, by: number, style: "estimate" | "floor"): Series => ({
      name,
      style,
      x: ends,
      y: ends.map((v) => v * by),
      colour: 7,
    });
    const points = groups.slice(0, 7).map(([name, of], i): Series => ({
      name,
      style: "points",
      colour: i,
      x: of.map((r) => r[metric][1]),
      y: of.map((r) => r[metric][0]),
      labels: of.map((r) => `${r.model} on ${r.system}, ${r.engine}, ${r.layout}, ${r.users} users, ${r.prompt} in, ${r.output} out`),
    }));
    const axis = (what: string) => ({
      label: `${metric === "tpot" ? "time per output token" : "time to first token"}, ${what}`,
      unit: "s",
      scale: "log10" as const,
    });
    return {
      kind: "lines",
      title: "Predicted against measured",
      subtitle: `${kept.length} rows; on the line they are the same`,
      description: "Each row of engines under load that others measured, by what was predicted for it without looking.",
      x: axis("measured"),
      y: axis("predicted"),
      series: kept.length ? [line("equal", 1, "estimate"), line("20% off", 1.2, "floor"), line("", 1 / 1.2, "floor"), ...points] : [],
    };
  }, [kept, groups, metric]);
  const names = (c: (typeof columns)[number]) => [...new Set(rows.value.map((r) => r[c]))].sort();
  return (
    <section aria-labelledby="truth-title">
      <h1 id="truth-title">Truth</h1>
      <p class="lead">
        Every row below is a run of an engine that others measured and published (aiconfigurator's silicon sample), predicted from its
        configuration alone. Efficiencies of kernels were fitted elsewhere, seven overheads an engine and chip family on these same rows.
      </p>
      <div class="entries">
        <div class="entry">
          <label for="t-metric">metric</label>
          <select id="t-metric" value={metric} onChange={(e) => want("metric", e.currentTarget.value)}>
            <option value="tpot">time per output token</option>
            <option value="ttft">time to first token</option>
          </select>
        </div>
        {columns.map((c) => (
          <div class="entry" key={c}>
            <label for={`t-${c}`}>{c}</label>
            <select id={`t-${c}`} value={wanted[c] ?? ""} onChange={(e) => want(c, e.currentTarget.value)}>
              <option value="">all</option>
              {names(c).map((n) => (
                <option key={n}>{n}</option>
              ))}
            </select>
          </div>
        ))}
        <div class="entry">
          <label for="t-by">coloured by</label>
          <select id="t-by" value={group} onChange={(e) => want("by", e.currentTarget.value)}>
            {columns.map((c) => (
              <option key={c}>{c}</option>
            ))}
          </select>
        </div>
      </div>
      <Figure figure={figure} height={460} />
      <div class="scroll" tabIndex={0} role="region" aria-label="Errors by group">
        <table>
          <thead>
            <tr>
              <th scope="col">{group}</th>
              <th scope="col">rows</th>
              <th scope="col">median error</th>
              <th scope="col">bias (median)</th>
              <th scope="col">within 20%</th>
            </tr>
          </thead>
          <tbody>
            {[["all", kept] as [string, Row[]], ...groups].map(([name, of]) => {
              const errors = of.map((r) => error(r[metric]));
              return (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td>{of.length}</td>
                  <td>{percent(middle(errors.map(Math.abs)))}</td>
                  <td>{`${middle(errors) > 0 ? "+" : ""}${digits(100 * middle(errors), 2)}%`}</td>
                  <td>{percent(errors.filter((e) => Math.abs(e) <= 0.2).length / Math.max(1, errors.length))}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <h2>Calibrations, and what they were fitted on</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Calibrations">
        <table>
          <thead>
            <tr>
              {Object.keys(calibrations.value[0] ?? { name: 0 }).map((k) => (
                <th key={k} scope="col">
                  {k}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {calibrations.value.map((r) => (
              <tr key={r.name}>
                {Object.entries(r).map(([k, v]) =>
                  k === "name" ? (
                    <th key={k} scope="row">
                      {String(v)}
                    </th>
                  ) : (
                    <td key={k}>{typeof v === "object" ? JSON.stringify(v) : String(v)}</td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
