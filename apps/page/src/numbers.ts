// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them: three digits, and the prefix that fits.
import type { Quantity } from "./asking";

export interface Unit {
  name: string;
  factor: number;
} // shown = value / factor

const prefixes: [string, number][] = [
  ["", 1],
  ["k", 1e3],
  ["M", 1e6],
  ["G", 1e9],
  ["T", 1e12],
  ["P", 1e15],
  ["E", 1e18],
];
const small: [string, number][] = [
  ["n", 1e-9],
  ["µ", 1e-6],
  ["m", 1e-3],
];

// The unit a value as large as `largest` is shown in.
export function fitting(unit: string, largest: number): Unit {
  const size = Math.abs(largest);
  if (unit === "s") {
    if (size >= 2 * 86400) return { name: "days", factor: 86400 };
    if (size >= 2 * 3600) return { name: "h", factor: 3600 };
    if (size >= 120) return { name: "min", factor: 60 };
    if (size >= 1 || size === 0) return { name: "s", factor: 1 };
    const [prefix, factor] = small.findLast(([, f]) => size >= f) ?? small[0]!;
    return { name: prefix + "s", factor };
  }
  if (unit === "B" || unit === "B/s" || unit === "FLOP" || unit === "FLOP/s") {
    const [prefix, factor] = prefixes.findLast(([, f]) => size >= f) ?? prefixes[0]!;
    return { name: prefix + unit, factor };
  }
  if (unit === "USD/s") return { name: "USD/h", factor: 1 / 3600 };
  if (unit === "1") return { name: "", factor: 1 };
  return { name: unit, factor: 1 };
}

const grouped = (digits: string) => digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

// `value` with three significant digits, whole numbers whole.
export function digits(value: number, significant = 3): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7) {
    const [prefix, factor] = size >= 1e15 ? ["e15", 1e15] : size >= 1e12 ? ["T", 1e12] : size >= 1e9 ? ["G", 1e9] : ["M", 1e6];
    return digits(value / (factor as number), significant) + prefix;
  }
  if (size >= 100 || Number.isInteger(value))
    return grouped(String(size >= 1000 ? Number(value.toPrecision(4)).toFixed(0) : Math.round(value)));
  if (size < 1e-3) return value.toExponential(significant - 1).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(significant)));
}

export function show(q: Quantity | number | undefined | null): string {
  if (q === undefined || q === null) return "–";
  if (typeof q === "number") return digits(q);
  const unit = fitting(q.unit, q.value);
  const number = digits(q.value / unit.factor);
  return unit.name ? `${number} ${unit.name}` : number;
}

export const percent = (share: number) => `${share >= 0.1 || share === 0 ? Math.round(100 * share) : digits(100 * share, 2)}%`;

// A number as it is typed, taken apart: "3.35 TB/s" is 3.35 and " TB/s".
export function parts(text: string): { number: number; rest: string } | undefined {
  const match = /^\s*(-?[0-9][0-9,]*\.?[0-9]*(?:e[+-]?[0-9]+)?)(.*)$/i.exec(text);
  if (!match) return undefined;
  return { number: Number(match[1]!.replaceAll(",", "")), rest: match[2]! };
}

// Rounded to what a hand can mean by a drag: two digits, whole numbers whole.
export function rounded(value: number, whole: boolean): number {
  if (whole && value < 20) return Math.round(value);
  const step = 10 ** (Math.floor(Math.log10(Math.abs(value) || 1)) - 1);
  const near = Number((Math.round(value / step) * step).toPrecision(12));
  return whole ? Math.round(near) : near;
}
