// SPDX-License-Identifier: Apache-2.0
// Figures as answers carry them (src/api/figures.h), and their values as a table.
import { fitting } from "./numbers";

export interface Axis {
  label: string;
  unit: string;
  scale: "linear" | "log2" | "log10";
  counted?: string;
  from_zero?: boolean;
}
export interface Series {
  name: string;
  style: "estimate" | "floor" | "band" | "points" | "step";
  x: (number | null)[];
  y: (number | null)[];
  high?: (number | null)[];
  colour: number;
  labels?: string[];
}
export interface Lines {
  kind: "lines";
  title: string;
  subtitle?: string;
  description: string;
  x: Axis;
  y: Axis;
  series: Series[];
  markers?: { vertical: boolean; at: number; text: string }[];
  regimes?: { from: number; to: number; kind: string }[];
}
export interface Bars {
  kind: "bars";
  title: string;
  subtitle?: string;
  description: string;
  value: Axis;
  rows: { name: string; parts: { name: string; amount: number; kind: string }[] }[]; // of kind "": a gap
  markers?: { at: number; text: string }[];
}
export interface Timeline {
  kind: "timeline";
  title: string;
  subtitle?: string;
  description: string;
  time: Axis;
  rows: string[];
  slots: { row: number; start: number; end: number; text?: string; kind: string }[];
}
export type FigureData = Lines | Bars | Timeline;

export interface Columns {
  names: string[];
  rows: (number | string | null)[][];
}

const named = (axis: Axis) => `${axis.label}${axis.unit === "1" ? (axis.counted ? ` (${axis.counted})` : "") : ` (${axis.unit})`}`;

// The values of a figure, in the units of answers.
export function columns(figure: FigureData): Columns {
  if (figure.kind === "bars")
    return {
      names: ["row", "part", named(figure.value)],
      rows: figure.rows.flatMap((r) => r.parts.filter((p) => p.kind).map((p) => [r.name, p.name, p.amount])),
    };
  if (figure.kind === "timeline")
    return {
      names: ["row", "what", `start (${figure.time.unit})`, `end (${figure.time.unit})`],
      rows: figure.slots.map((s) => [figure.rows[s.row] ?? s.row, s.text || s.kind, s.start, s.end]),
    };
  const alike = figure.series.every((s) => s.x.length === figure.series[0]!.x.length && s.x.every((v, i) => v === figure.series[0]!.x[i]));
  if (!alike)
    return {
      names: ["series", named(figure.x), named(figure.y)],
      rows: figure.series.flatMap((s) => s.x.map((x, i) => [s.labels?.[i] ? `${s.name}: ${s.labels[i]}` : s.name, x, s.y[i] ?? null])),
    };
  const names = [named(figure.x)];
  for (const s of figure.series) s.high ? names.push(`${s.name}, low`, `${s.name}, high`) : names.push(`${s.name} (${figure.y.unit})`);
  const rows = (figure.series[0]?.x ?? []).map((x, i) => [
    x,
    ...figure.series.flatMap((s) => (s.high ? [s.y[i] ?? null, s.high[i] ?? null] : [s.y[i] ?? null])),
  ]);
  return { names, rows };
}

export function csv({ names, rows }: Columns): string {
  const cell = (v: number | string | null) =>
    v === null ? "" : typeof v === "string" && /[",\n]/.test(v) ? `"${v.replaceAll('"', '""')}"` : String(v);
  return [names, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

// What a scale needs: where a value lies between 0 and 1, and where lines of a grid stand.
export interface Scale {
  at(value: number): number;
  value(at: number): number;
  ticks: number[];
  low: number;
  high: number;
}

export function scale(axis: Axis, low: number, high: number, space: number): Scale {
  if (!Number.isFinite(low) || !Number.isFinite(high)) [low, high] = [1, 10];
  if (axis.scale !== "linear") {
    if (!(low > 0)) low = high > 0 ? high / 1e3 : 1;
    if (!(high > low)) high = low * 10;
    const base = axis.scale === "log2" ? 2 : 10;
    const log = (v: number) => Math.log(v) / Math.log(base);
    const a = log(low),
      b = log(high);
    const every = Math.max(1, Math.ceil((b - a) / Math.max(2, space / 58)));
    let ticks: number[] = [];
    for (let e = Math.ceil(a - 1e-9); e <= b + 1e-9; ++e) if (e % every === 0) ticks.push(base ** e);
    if (base === 10 && (b - a < 1.5 || b - a < space / 125)) {
      const between = b - a < 0.7 ? [1, 1.5, 2, 3, 4, 5, 6, 8] : [1, 2, 5];
      ticks = [];
      for (let e = Math.floor(a); e <= b; ++e)
        for (const m of between) if (m * 10 ** e >= low * 0.999 && m * 10 ** e <= high * 1.001) ticks.push(m * 10 ** e);
    }
    return { at: (v) => (log(v) - a) / (b - a), value: (t) => base ** (a + t * (b - a)), ticks, low, high };
  }
  if (axis.from_zero) low = Math.min(0, low);
  if (!(high > low)) high = low + (Math.abs(low) || 1);
  const unit = fitting(axis.unit, Math.max(Math.abs(low), Math.abs(high))).factor;
  const raw = (high - low) / unit / Math.max(2, space / 64);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw)! * unit;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-9) + 1e-300; ++i) ticks.push(i * step);
  return { at: (v) => (v - low) / (high - low), value: (t) => low + t * (high - low), ticks, low, high };
}
