// SPDX-License-Identifier: Apache-2.0
// One renderer of every figure an answer carries: curves, bars, timelines. Drawn as SVG; read by hand, by key, or as a table.
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren, JSX, RefObject } from "preact";
import {
  columns,
  csv,
  scale,
  type Axis,
  type Bars,
  type FigureData,
  type Lines,
  type Scale,
  type Series,
  type Timeline,
} from "./figure_data";
import { digits, fitting, type Unit } from "./numbers";
import { download, png_of, svg_of } from "./sharing";

const binders = ["weights", "kv", "activations", "flops", "collectives", "launches", "engine"];
const kind_colour = (kind: string, order: string[]) =>
  binders.includes(kind) ? `var(--${kind})` : `var(--s${Math.max(0, order.indexOf(kind)) % 8})`;
const on_colour = (kind: string) => (binders.includes(kind) ? "var(--on-colour)" : "var(--on-s)");
const text_width = (text: string, size = 12) => text.length * size * 0.56;

function unit_of(axis: Axis, values: Iterable<number | null>): Unit {
  let most = 0;
  for (const v of values) if (v !== null && Math.abs(v) > most) most = Math.abs(v);
  return fitting(axis.unit, most);
}
const many_units = (axis: Axis) => axis.scale !== "linear" && ["s", "B", "B/s", "FLOP", "FLOP/s"].includes(axis.unit);
const tick_text = (value: number, unit: Unit, axis: Axis) => {
  if (many_units(axis)) {
    const own = fitting(axis.unit, value * 1.0001);
    return `${digits(Number((value / own.factor).toPrecision(6)))} ${own.name}`;
  }
  const shown = value / unit.factor;
  if (axis.scale === "log2" && shown >= 1024 && Number.isInteger(Math.log2(shown)))
    return shown >= 1048576 ? `${shown / 1048576}Mi` : `${shown / 1024}Ki`;
  return digits(Number(shown.toPrecision(6)));
};
const axis_text = (axis: Axis, unit: Unit) => {
  const what = axis.unit === "1" ? axis.counted : many_units(axis) ? "" : unit.name;
  return what && !axis.label.includes(what) ? `${axis.label}, ${what}` : axis.label;
};

// A path through points, at most one a half pixel; gaps stay gaps.
function path_of(x: (number | null)[], y: (number | null)[], sx: (v: number) => number, sy: (v: number) => number, step: boolean): string {
  const out: string[] = [];
  let pen = false,
    last_x = -1e9,
    last_y = 0;
  for (let i = 0; i < x.length; ++i) {
    const vx = x[i],
      vy = y[i];
    const px = vx === null || vx === undefined ? NaN : sx(vx),
      py = vy === null || vy === undefined ? NaN : sy(vy);
    if (!Number.isFinite(px) || !Number.isFinite(py)) {
      pen = false;
      continue;
    }
    if (pen && i < x.length - 1 && Math.abs(px - last_x) < 0.5 && Math.abs(py - last_y) < 0.5) continue;
    const rx = Math.round(px * 10) / 10,
      ry = Math.round(py * 10) / 10;
    if (!pen) out.push("M", String(rx), " ", String(ry));
    else if (step) out.push("H", String(rx), "V", String(ry));
    else out.push("L", String(rx), " ", String(ry));
    pen = true;
    last_x = px;
    last_y = py;
  }
  return out.join("");
}

function band_of(s: Series, sx: (v: number) => number, sy: (v: number) => number): string {
  const up: string[] = [],
    down: string[] = [];
  s.x.forEach((x, i) => {
    const low = s.y[i],
      high = s.high![i];
    if (x === null || low === null || high === null || low === undefined || high === undefined) return;
    const px = sx(x),
      pl = sy(low),
      ph = sy(high);
    if (!Number.isFinite(px + pl + ph)) return;
    up.push(`${Math.round(px * 10) / 10} ${Math.round(ph * 10) / 10}`);
    down.push(`${Math.round(px * 10) / 10} ${Math.round(pl * 10) / 10}`);
  });
  return up.length ? `M${up.join("L")}L${down.reverse().join("L")}Z` : "";
}

// Names with their colours, as lines of at most `width`.
function legend(items: { name: string; colour: string; dash?: boolean; soft?: boolean }[], left: number, width: number, top: number) {
  let x = left,
    y = top;
  const drawn = items.map((item) => {
    const wide = 22 + text_width(item.name, 11.5) + 12;
    if (x > left && x + wide > left + width) ((x = left), (y += 17));
    const at = { x, y };
    x += wide;
    return (
      <g key={item.name}>
        {item.soft ? (
          <rect x={at.x} y={at.y - 8} width="16" height="9" fill={item.colour} opacity="0.3" />
        ) : (
          <line
            x1={at.x}
            x2={at.x + 16}
            y1={at.y - 4}
            y2={at.y - 4}
            stroke={item.colour}
            stroke-width={item.dash ? 1.5 : 3}
            {...(item.dash ? { "stroke-dasharray": "3 3" } : {})}
          />
        )}
        <text x={at.x + 21} y={at.y} font-size="11.5" fill="var(--ink)">
          {item.name}
        </text>
      </g>
    );
  });
  return { drawn, bottom: items.length ? y + 6 : top - 12 };
}

export interface Here {
  x: number;
  label: string;
  set?: (value: number) => void;
  vertical?: boolean;
}
interface Handle {
  series: string;
  label: string;
  value: number;
  set: (value: number) => void;
}
export interface FigureProps {
  figure: FigureData;
  height?: number;
  here?: Here; // where the setting stands on the x axis; dragged, it sets it
  handle?: Handle[]; // horizontal or slanted lines that are dragged up and down
  ghost?: Lines; // the same figure of the pinned setting
  onPick?: (series: number, point: number) => void;
  children?: ComponentChildren;
}

function use_width(): [RefObject<HTMLDivElement | null>, number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, set] = useState(560);
  useLayoutEffect(() => {
    const box = ref.current!;
    const see = () => box.clientWidth > 0 && set(Math.round(box.clientWidth));
    see();
    const observer = new ResizeObserver(see);
    observer.observe(box);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

const finite = (v: number | null | undefined): v is number => v !== null && v !== undefined && Number.isFinite(v);

function lines_frame(f: Lines, ghost: Lines | undefined, here: Here | undefined, width: number, height: number) {
  let x_low = Infinity,
    x_high = -Infinity,
    y_low = Infinity,
    y_high = -Infinity;
  const log_y = f.y.scale !== "linear",
    log_x = f.x.scale !== "linear";
  const see = (s: Series) => {
    for (let i = 0; i < s.x.length; ++i) {
      const x = s.x[i],
        y = s.y[i],
        h = s.high?.[i];
      if (!finite(x) || (log_x && x <= 0) || !finite(y)) continue;
      if (x < x_low) x_low = x;
      if (x > x_high) x_high = x;
      if (!log_y || y > 0) {
        if (y < y_low) y_low = y;
        if (y > y_high) y_high = y;
      }
      if (finite(h) && h > y_high) y_high = h;
    }
  };
  f.series.forEach(see);
  ghost?.series.forEach(see);
  for (const m of f.markers ?? [])
    if (!m.vertical && m.at > 0 && m.at < y_high * 4) ((y_high = Math.max(y_high, m.at)), (y_low = Math.min(y_low, m.at)));
  if (here && finite(here.x) && (!log_x || here.x > 0)) ((x_low = Math.min(x_low, here.x)), (x_high = Math.max(x_high, here.x)));
  if (!log_y && !f.y.from_zero) {
    const room = (y_high - y_low) * 0.05;
    y_high += room;
    y_low = y_low >= 0 && y_low - room < 0 ? 0 : y_low - room;
  } else if (log_y) ((y_high *= 1.15), (y_low /= 1.15));
  else y_high *= 1.05;
  const names = f.series.filter((s) => s.name);
  const colour = (s: Series) => `var(--s${s.colour % 8})`;
  const key =
    names.length > 1 || names[0]?.style === "band"
      ? legend(
          names.map((s) => ({ name: s.name, colour: colour(s), dash: s.style === "floor", soft: s.style === "band" })),
          8,
          width - 12,
          16,
        )
      : legend([], 8, width, 16);
  const y_unit = unit_of(f.y, [y_high]),
    x_unit = unit_of(f.x, [x_high]);
  const top = key.bottom + 24,
    bottom = height - 38;
  const y = scale(f.y, y_low, y_high, (bottom - top) * 1.6);
  const left = Math.max(34, 12 + Math.max(...y.ticks.map((t) => text_width(tick_text(t, y_unit, f.y), 11))));
  const right = width - 14;
  const x = scale(f.x, x_low, x_high, (right - left) * 0.9);
  return {
    key,
    x,
    y,
    x_unit,
    y_unit,
    left,
    right,
    top,
    bottom,
    colour,
    sx: (v: number) => left + x.at(v) * (right - left),
    sy: (v: number) => bottom - y.at(v) * (bottom - top),
  };
}

function LinesPicture({
  f,
  ghost,
  here,
  handle,
  width,
  height,
  hover,
  setHover,
  onPick,
}: {
  f: Lines;
  ghost?: Lines;
  here?: Here;
  handle?: Handle[];
  width: number;
  height: number;
  hover: number | undefined;
  setHover: (x: number | undefined) => void;
  onPick?: (series: number, point: number) => void;
}) {
  const frame = lines_frame(f, ghost, here, width, height);
  const { x, y, sx, sy, left, right, top, bottom, colour } = frame;
  const clip = useId();
  const svg_x = (event: PointerEvent) => {
    const box =
      (event.currentTarget as SVGElement).ownerSVGElement?.getBoundingClientRect() ??
      (event.currentTarget as SVGElement).getBoundingClientRect();
    return x.value(Math.min(1, Math.max(0, (event.clientX - box.left - left) / (right - left))));
  };
  const drag = useRef<((event: PointerEvent) => void) | undefined>(undefined);
  const begin = (move: (event: PointerEvent) => void) => (event: PointerEvent) => {
    event.preventDefault();
    event.stopPropagation();
    drag.current = move;
    ((event.currentTarget as SVGElement).ownerSVGElement ?? (event.currentTarget as SVGElement)).setPointerCapture(event.pointerId);
    move(event);
  };
  const box_of = (event: PointerEvent) =>
    ((event.currentTarget as SVGElement).ownerSVGElement ?? (event.currentTarget as SVGElement)).getBoundingClientRect();
  let marker_row = -1,
    marker_end = -1e9;
  const markers = [...(f.markers ?? [])].sort((a, b) => a.at - b.at);
  const path = (s: Series, key: string, pinned: boolean): JSX.Element | null => {
    const stroke = colour(s);
    if (pinned && s.style === "floor") return null;
    if (s.style === "band") return pinned ? null : <path key={key} d={band_of(s, sx, sy)} fill={stroke} opacity="0.18" />;
    if (s.style === "points")
      return (
        <g key={key}>
          {s.x.map(
            (px, i) =>
              finite(px) &&
              finite(s.y[i]) && (
                <circle
                  key={i}
                  cx={Math.round(sx(px) * 10) / 10}
                  cy={Math.round(sy(s.y[i]!) * 10) / 10}
                  r={pinned ? 3 : s.x.length > 100 ? 2.8 : 4.5}
                  fill={pinned ? "none" : stroke}
                  stroke={stroke}
                  fill-opacity={s.x.length > 100 ? 0.5 : 0.8}
                  stroke-opacity={s.x.length > 100 ? 0.6 : 1}
                  class={onPick ? "pick" : undefined}
                  onClick={onPick && (() => onPick(f.series.indexOf(s), i))}
                >
                  <title>
                    {`${s.labels?.[i] ?? s.name}: ${digits(px / frame.x_unit.factor)} ${frame.x_unit.name}, ` +
                      `${digits(s.y[i]! / frame.y_unit.factor)} ${frame.y_unit.name}`}
                  </title>
                </circle>
              ),
          )}
        </g>
      );
    return (
      <path
        key={key}
        d={path_of(s.x, s.y, sx, sy, s.style === "step")}
        fill="none"
        stroke={stroke}
        stroke-linejoin="round"
        stroke-linecap="round"
        stroke-width={s.style === "floor" ? 1.5 : pinned ? 1.5 : 2.5}
        opacity={pinned ? 0.55 : 1}
        {...(pinned ? { "stroke-dasharray": "1 5" } : s.style === "floor" ? { "stroke-dasharray": "4 4" } : {})}
      />
    );
  };
  return (
    <svg
      xmlns="http://www.w3.org/2000/svg"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`${f.title}. ${f.description}`}
      font-family="system-ui, sans-serif"
      onPointerMove={(e) => (drag.current ? drag.current(e) : setHover(svg_x(e)))}
      onPointerUp={() => (drag.current = undefined)}
      onPointerCancel={() => (drag.current = undefined)}
      onPointerLeave={() => drag.current || setHover(undefined)}
    >
      <defs>
        <clipPath id={clip}>
          <rect x={left} y={top - 4} width={right - left} height={bottom - top + 8} />
        </clipPath>
      </defs>
      {frame.key.drawn}
      <text x={left} y={top - 9} font-size="11" fill="var(--soft)">
        {axis_text(f.y, frame.y_unit)}
      </text>
      {y.ticks.map((t) => (
        <g key={t}>
          <line x1={left} x2={right} y1={sy(t)} y2={sy(t)} stroke="var(--line)" />
          <text x={left - 6} y={sy(t) + 4} font-size="11" text-anchor="end" fill="var(--soft)">
            {tick_text(t, frame.y_unit, f.y)}
          </text>
        </g>
      ))}
      {x.ticks.map((t) => (
        <g key={t}>
          <line x1={sx(t)} x2={sx(t)} y1={bottom} y2={bottom + 4} stroke="var(--soft)" />
          <text x={sx(t)} y={bottom + 16} font-size="11" text-anchor="middle" fill="var(--soft)">
            {tick_text(t, frame.x_unit, f.x)}
          </text>
        </g>
      ))}
      <line x1={left} x2={right} y1={bottom} y2={bottom} stroke="var(--soft)" />
      <text x={right} y={height - 6} font-size="11" text-anchor="end" fill="var(--soft)">
        {axis_text(f.x, frame.x_unit)}
      </text>
      {(f.regimes ?? []).map((r, i) => (
        <g key={i}>
          <rect
            x={sx(Math.max(r.from, x.low))}
            y={bottom - 5}
            width={Math.max(0, sx(Math.min(r.to, x.high)) - sx(Math.max(r.from, x.low)))}
            height="5"
            fill={kind_colour(r.kind, [])}
          />
          {sx(Math.min(r.to, x.high)) - sx(Math.max(r.from, x.low)) > text_width(r.kind, 10.5) && (
            <text x={sx(Math.max(r.from, x.low)) + 3} y={bottom - 9} font-size="10.5" fill="var(--soft)">
              {r.kind}
            </text>
          )}
        </g>
      ))}
      <g clip-path={`url(#${clip})`}>
        {ghost?.series.map((s, i) => path(s, `ghost${i}`, true))}
        {f.series.map((s, i) => path(s, String(i), false))}
      </g>
      {markers.map((m, i) => {
        if (!m.vertical) {
          if (m.at < y.low || m.at > y.high) return null;
          return (
            <g key={i}>
              <line x1={left} x2={right} y1={sy(m.at)} y2={sy(m.at)} stroke="var(--ink)" stroke-dasharray="2 4" opacity="0.7" />
              <text x={left + 4} y={sy(m.at) - 4} font-size="11" fill="var(--ink)">
                {m.text}
              </text>
            </g>
          );
        }
        if (m.at < x.low || m.at > x.high) return null;
        const at = sx(m.at),
          wide = text_width(m.text, 11);
        marker_row = at > marker_end ? 0 : marker_row + 1;
        const end_anchor = at + wide + 4 > right;
        marker_end = Math.max(marker_end, end_anchor ? at : at + wide + 8);
        return (
          <g key={i}>
            <line x1={at} x2={at} y1={top} y2={bottom} stroke="var(--ink)" stroke-dasharray="2 4" opacity="0.6" />
            <text
              x={end_anchor ? at - 4 : at + 4}
              y={top + 9 + 13 * marker_row}
              font-size="11"
              text-anchor={end_anchor ? "end" : "start"}
              fill="var(--ink)"
            >
              {m.text}
            </text>
          </g>
        );
      })}
      {hover !== undefined && <line x1={sx(hover)} x2={sx(hover)} y1={top} y2={bottom} stroke="var(--soft)" pointer-events="none" />}
      {handle?.map((h) => {
        const s = f.series.find((one) => one.name === h.series);
        if (!s) return null;
        return (
          <path
            key={h.series}
            class="handle"
            d={path_of(s.x, s.y, sx, sy, false)}
            fill="none"
            stroke="transparent"
            stroke-width="22"
            onPointerDown={(e) => {
              const from = e.clientY,
                was = h.value;
              begin((event) => h.set((was * y.value((from - event.clientY) / (bottom - top))) / y.value(0)))(e);
            }}
          >
            <title>{h.label}</title>
          </path>
        );
      })}
      {here && finite(here.x) && (
        <g
          class={here.set ? "here" : undefined}
          onPointerDown={
            here.set &&
            begin((e) => {
              const box = box_of(e);
              here.set!(x.value(Math.min(1, Math.max(0, (e.clientX - box.left - left) / (right - left)))));
            })
          }
        >
          <line x1={sx(here.x)} x2={sx(here.x)} y1={top - 2} y2={bottom} stroke="var(--accent)" stroke-width="2" />
          {here.set && <rect x={sx(here.x) - 14} y={top - 4} width="28" height={bottom - top + 12} fill="transparent" />}
          {here.set && <circle cx={sx(here.x)} cy={bottom} r="7" fill="var(--accent)" stroke="var(--board)" stroke-width="2" />}
          <text
            x={sx(here.x) > right - 90 ? sx(here.x) - 6 : sx(here.x) + 6}
            y={bottom - 24}
            font-size="11.5"
            font-weight="600"
            fill="var(--accent)"
            text-anchor={sx(here.x) > right - 90 ? "end" : "start"}
            paint-order="stroke"
            stroke="var(--board)"
            stroke-width="3"
          >
            {here.label}
          </text>
        </g>
      )}
    </svg>
  );
}

// The value of each series at `x`: of the nearest point.
function read(f: Lines, x: number): { name: string; value: string; colour: string }[] {
  const unit_y = (v: number) => fitting(f.y.unit, v);
  return f.series.flatMap((s) => {
    if (s.style === "points") return [];
    let best = -1,
      distance = Infinity;
    s.x.forEach((v, i) => {
      if (!finite(v) || !finite(s.y[i])) return;
      const d = f.x.scale === "linear" ? Math.abs(v - x) : Math.abs(Math.log(v / x));
      if (d < distance) ((distance = d), (best = i));
    });
    if (best < 0) return [];
    const shown = (v: number) => `${digits(v / unit_y(v).factor)} ${unit_y(v).name}`.trim();
    const value = s.high ? `${shown(s.y[best]!)} to ${shown(s.high[best] ?? 0)}` : shown(s.y[best]!);
    return [{ name: s.name, value, colour: `var(--s${s.colour % 8})` }];
  });
}

// Rows over one axis from left to right: its lines, its name and the legend, as bars and timelines have them.
function Rows(p: {
  title: string;
  axis: Axis;
  unit: Unit;
  ticks: number[];
  at: (v: number) => number;
  top: number;
  right: number;
  bottom: number;
  width: number;
  legend: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <svg
      xmlns="http://www.w3.org/2000/svg"
      width={p.width}
      height={p.bottom + 40}
      viewBox={`0 0 ${p.width} ${p.bottom + 40}`}
      role="img"
      aria-label={p.title}
      font-family="system-ui, sans-serif"
    >
      {p.legend}
      {p.ticks.map((t) => (
        <g key={t}>
          <line x1={p.at(t)} x2={p.at(t)} y1={p.top} y2={p.bottom} stroke="var(--line)" />
          <text x={p.at(t)} y={p.bottom + 15} font-size="11" text-anchor="middle" fill="var(--soft)">
            {tick_text(t, p.unit, p.axis)}
          </text>
        </g>
      ))}
      <text x={p.right} y={p.bottom + 32} font-size="11" text-anchor="end" fill="var(--soft)">
        {axis_text(p.axis, p.unit)}
      </text>
      {p.children}
    </svg>
  );
}

function BarsPicture({ f, width }: { f: Bars; width: number }) {
  const kinds = [...new Set(f.rows.flatMap((r) => r.parts.map((p) => p.kind)))].filter((k) => k !== "");
  const single = f.rows.every((r) => r.parts.filter((p) => p.kind !== "").length <= 1);
  const names = new Map(f.rows.flatMap((r) => r.parts.map((p) => [p.kind, p.name] as const)));
  const key = legend(single ? [] : kinds.map((k) => ({ name: names.get(k) ?? k, colour: kind_colour(k, kinds) })), 8, width - 12, 16);
  const longest = 10 + Math.max(...f.rows.map((r) => text_width(r.name, 12)));
  const head = longest > width * 0.36 ? 16 : 0; // long names stand over their bars
  const label = head ? 4 : longest;
  const most = Math.max(
    ...f.rows.map((r) => r.parts.reduce((sum, p) => sum + Math.max(0, p.amount), 0)),
    ...(f.markers ?? []).map((m) => m.at),
    1e-300,
  );
  const unit = fitting(f.value.unit, most);
  const left = label + 8,
    right = width - (single ? 64 : 14),
    top = key.bottom + (f.markers ? 20 : 12),
    row = (single ? 26 : 34) + head;
  const s = scale({ ...f.value, scale: "linear", from_zero: true }, 0, most, right - left);
  const bottom = top + row * f.rows.length;
  const at = (v: number) => left + s.at(v) * (right - left);
  return (
    <Rows title={`${f.title}. ${f.description}`} axis={f.value} legend={key.drawn} {...{ unit, ticks: s.ticks, at, top, right, bottom, width }}>
      {(f.markers ?? []).map((m) => (
        <g key={m.text}>
          <line x1={at(m.at)} x2={at(m.at)} y1={top - 4} y2={bottom} stroke="var(--accent)" stroke-width="1.5" stroke-dasharray="4 3" />
          <text
            x={at(m.at) > right - 60 ? at(m.at) + 3 : at(m.at) - 2}
            y={top - 7}
            font-size="11"
            fill="var(--accent)"
            text-anchor={at(m.at) > right - 60 ? "end" : "start"}
          >
            {m.text}
          </text>
        </g>
      ))}
      {f.rows.map((r, i) => {
        let sum = 0;
        return (
          <g key={i}>
            <text
              x={head ? left : label}
              y={head ? top + i * row + 13 : top + i * row + row / 2 + 4}
              font-size="12"
              text-anchor={head ? "start" : "end"}
              fill="var(--ink)"
            >
              {r.name}
            </text>
            {r.parts.map((p, j) => {
              const from = at(sum),
                wide = Math.max(0, at(sum + p.amount) - from);
              sum += p.amount;
              if (p.kind === "") return null;
              const text = `${digits(p.amount / unit.factor)}`;
              return (
                <g key={j}>
                  <rect
                    x={from}
                    y={top + i * row + head + 4}
                    width={Math.max(1, wide - 1)}
                    height={row - head - 8}
                    rx="2"
                    fill={kind_colour(p.kind, kinds)}
                  >
                    <title>{`${p.name}: ${text} ${unit.name}`}</title>
                  </rect>
                  {single ? (
                    <text
                      x={from + wide + 5}
                      y={top + i * row + (row + head) / 2 + 4}
                      font-size="11"
                      fill="var(--soft)"
                      paint-order="stroke"
                      stroke="var(--board)"
                      stroke-width="3"
                    >{`${text} ${unit.name}`}</text>
                  ) : (
                    wide > text_width(text, 11) + 8 && (
                      <text
                        x={from + wide / 2}
                        y={top + i * row + row / 2 + 4}
                        font-size="11"
                        text-anchor="middle"
                        fill={on_colour(p.kind)}
                      >
                        {text}
                      </text>
                    )
                  )}
                </g>
              );
            })}
          </g>
        );
      })}
    </Rows>
  );
}

function TimelinePicture({ f, width, now }: { f: Timeline; width: number; now: number | undefined }) {
  const kinds = [...new Set(f.slots.map((s) => s.kind))];
  const key = legend(kinds.length > 1 ? kinds.map((k) => ({ name: k, colour: kind_colour(k, kinds) })) : [], 8, width - 12, 16);
  const most = Math.max(...f.slots.map((s) => s.end));
  const unit = unit_of(f.time, [most]);
  const left = Math.min(width * 0.34, 14 + Math.max(...f.rows.map((r) => text_width(r, 12)))),
    right = width - 14,
    top = key.bottom + 8,
    row = 30;
  const s = scale({ ...f.time, scale: "linear", from_zero: true }, 0, most, right - left);
  const bottom = top + row * f.rows.length;
  const at = (v: number) => left + s.at(v) * (right - left);
  return (
    <Rows title={`${f.title}. ${f.description}`} axis={f.time} legend={key.drawn} {...{ unit, ticks: s.ticks, at, top, right, bottom, width }}>
      {f.rows.map((r, i) => (
        <text key={i} x={left - 8} y={top + i * row + 19} font-size="12" text-anchor="end" fill="var(--ink)">
          {r}
        </text>
      ))}
      {f.slots.map((slot, i) => {
        if (now !== undefined && slot.start > now) return null;
        const end = now === undefined ? slot.end : Math.min(slot.end, now);
        const from = at(slot.start),
          wide = Math.max(0.5, at(end) - from - 1);
        const text = slot.text ?? "";
        return (
          <g key={i}>
            <rect x={from} y={top + slot.row * row + 4} width={wide} height={row - 8} rx="3" fill={kind_colour(slot.kind, kinds)}>
              <title>{`${f.rows[slot.row]}: ${text || slot.kind}`}</title>
            </rect>
            {text && wide > text_width(text, 10.5) + 4 && (
              <text x={from + wide / 2} y={top + slot.row * row + 19} font-size="10.5" text-anchor="middle" fill={on_colour(slot.kind)}>
                {text}
              </text>
            )}
          </g>
        );
      })}
      {now !== undefined && <line x1={at(now)} x2={at(now)} y1={top - 4} y2={bottom} stroke="var(--accent)" stroke-width="2" />}
    </Rows>
  );
}

function Table({ figure }: { figure: FigureData }) {
  const { names, rows } = columns(figure);
  const every = Math.max(1, Math.ceil(rows.length / 200));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Values of ${figure.title}`}>
      <table>
        <thead>
          <tr>
            {names.map((n) => (
              <th key={n} scope="col">
                {n}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows
            .filter((_, i) => i % every === 0)
            .map((r, i) => (
              <tr key={i}>
                {r.map((v, j) => (
                  <td key={j}>{typeof v === "number" ? digits(v, 4) : (v ?? "")}</td>
                ))}
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  );
}

export function Figure({ figure, height = 310, here, handle, ghost, onPick, children }: FigureProps) {
  const [box, width] = use_width();
  const [hover, setHover] = useState<number | undefined>(undefined);
  const [open, setOpen] = useState(false);
  const [now, setNow] = useState<number | undefined>(undefined);
  const svg = () => svg_of(box.current!.querySelector("svg")!, figure);
  const name = figure.title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  useEffect(() => {
    if (now === undefined || figure.kind !== "timeline") return;
    const most = Math.max(...figure.slots.map((s) => s.end));
    const frame = requestAnimationFrame(() => setNow(now >= most ? undefined : Math.min(most, now + most / 360)));
    return () => cancelAnimationFrame(frame);
  }, [now, figure]);
  const f = figure.kind === "lines" ? figure : undefined;
  const xs: Scale | undefined = f && lines_frame(f, ghost, here, width, height).x;
  const onKeyDown = (event: KeyboardEvent) => {
    if (!f || !xs) return;
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (event.key === "Escape") setHover(undefined);
    if (!way) return;
    event.preventDefault();
    if (here?.set && !event.shiftKey) {
      const to = xs.value(Math.min(1, Math.max(0, xs.at(here.x) + way * 0.02)));
      here.set(to);
      setHover(to);
    } else setHover(xs.value(Math.min(1, Math.max(0, xs.at(hover ?? xs.value(0.5)) + way * 0.02))));
  };
  const reading = f && hover !== undefined ? read(f, hover) : [];
  const x_unit = f && hover !== undefined ? fitting(f.x.unit, hover) : undefined;
  return (
    <figure class="figure">
      <figcaption>
        <strong>{figure.title}</strong>
        {figure.subtitle && <span class="sub">{figure.subtitle}</span>}
      </figcaption>
      <div
        ref={box}
        class="picture"
        {...(f
          ? {
              tabIndex: 0,
              role: "group",
              "aria-label": `${figure.title}: ${here?.set ? "arrows move the setting, with shift they read values" : "arrows read values"}`,
              onKeyDown,
            }
          : {})}
      >
        {f ? (
          <LinesPicture
            f={f}
            {...(ghost && { ghost })}
            {...(here && { here })}
            {...(handle && { handle })}
            {...(onPick && { onPick })}
            width={width}
            height={height}
            hover={hover}
            setHover={setHover}
          />
        ) : figure.kind === "bars" ? (
          <BarsPicture f={figure} width={width} />
        ) : figure.kind === "timeline" ? (
          <TimelinePicture f={figure} width={width} now={now} />
        ) : null}
      </div>
      {children}
      <div class="below">
        <div class="tools">
          {figure.kind === "timeline" && (
            <button type="button" onClick={() => setNow(0)}>
              play
            </button>
          )}
          <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
            values
          </button>
          <button
            type="button"
            aria-label={`Download ${figure.title} as SVG`}
            onClick={() => download(`${name}.svg`, svg(), "image/svg+xml")}
          >
            SVG
          </button>
          <button
            type="button"
            aria-label={`Download ${figure.title} as PNG`}
            onClick={async () => download(`${name}.png`, await png_of(svg()), "image/png")}
          >
            PNG
          </button>
          <button
            type="button"
            aria-label={`Download ${figure.title} as CSV`}
            onClick={() => download(`${name}.csv`, csv(columns(figure)), "text/csv")}
          >
            CSV
          </button>
        </div>
        <p class="reading" aria-live="polite">
          {f && hover !== undefined && x_unit ? (
            <>
              <b>
                {f.x.label} {digits(hover / x_unit.factor)} {x_unit.name}
              </b>
              {reading.map((r) => (
                <span key={r.name}>
                  <i style={{ background: r.colour }} />
                  {r.name} {r.value}
                </span>
              ))}
            </>
          ) : (
            " "
          )}
        </p>
      </div>
      {open && <Table figure={figure} />}
    </figure>
  );
}
