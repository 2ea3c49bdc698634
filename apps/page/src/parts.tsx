// SPDX-License-Identifier: Apache-2.0
// What the hand takes hold of: numbers that are dragged, names that are picked, and how a question is taken along.
import { useRef, useState } from "preact/hooks";
import { as_command, as_json, as_python } from "./sharing";
import { parts, rounded } from "./numbers";
import type { Explained, Failure, Question } from "./asking";
import { show } from "./numbers";

export interface ScrubProps {
  label: string;
  text: string; // "4096", "3.35 TB/s", "50%"
  set: (text: string) => void;
  whole?: boolean;
  least?: number | undefined;
  most?: number | undefined;
  reset?: (() => void) | undefined; // where the value was set by hand: back to what fareline chooses
  chosen?: boolean | undefined; // by fareline
  shown?: string | undefined;
}

// A number in a sentence: dragged sideways it changes by ratios, arrows step it, Enter or a click types it.
export function Scrub({ label, text, set, whole = false, least = 0, most = Infinity, reset, chosen, shown }: ScrubProps) {
  const [typing, setTyping] = useState(false);
  const drag = useRef<{ x: number; from: number; moved: boolean } | undefined>(undefined);
  const taken = parts(text);
  const put = (number: number) => {
    if (!taken) return;
    const kept = Math.min(most, Math.max(least, rounded(number, whole)));
    set(`${kept}${taken.rest}`);
  };
  const share = text.includes("%") || (!whole && most <= 1);
  const step = (way: number, far: boolean) => {
    if (!taken) return;
    if (share) return put(taken.number + way * (text.includes("%") ? 1 : 0.01) * (far ? 10 : 1));
    const ratio = far ? 2 : 1.1,
      next = taken.number * ratio ** way;
    put(whole && rounded(next, true) === taken.number ? taken.number + way : next);
  };
  if (typing)
    return (
      <input
        class="typed"
        aria-label={label}
        value={text}
        size={Math.max(4, text.length)}
        ref={(e) => {
          e?.focus();
        }}
        onFocus={(e) => e.currentTarget.select()}
        onBlur={(e) => {
          setTyping(false);
          if (e.currentTarget.value.trim() && e.currentTarget.value !== text) set(e.currentTarget.value.trim());
        }}
        onKeyDown={(e) => {
          if (e.key === "Enter") e.currentTarget.blur();
          if (e.key === "Escape") {
            e.currentTarget.value = text;
            e.currentTarget.blur();
          }
        }}
      />
    );
  return (
    <span class={`scrub${chosen ? " chosen" : ""}`}>
      <span
        class="hold"
        role="spinbutton"
        tabIndex={0}
        aria-label={label}
        aria-valuenow={taken?.number ?? 0}
        aria-valuetext={text}
        title={`${label}: drag, or click to type`}
        onPointerDown={(e) => {
          e.currentTarget.setPointerCapture(e.pointerId);
          drag.current = { x: e.clientX, from: taken?.number ?? 0, moved: false };
        }}
        onPointerMove={(e) => {
          const d = drag.current;
          if (!d || !taken) return;
          const way = e.clientX - d.x;
          if (Math.abs(way) > 3) d.moved = true;
          if (!d.moved) return;
          if (share) put(d.from + (way / 200) * (text.includes("%") ? 100 : 1));
          else if (whole && d.from < 4) put(d.from + way / 12);
          else put(d.from * 2 ** (way / 60));
        }}
        onPointerUp={() => {
          const d = drag.current;
          drag.current = undefined;
          if (d && !d.moved) setTyping(true);
        }}
        onPointerCancel={() => (drag.current = undefined)}
        onKeyDown={(e) => {
          const way = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 1, PageDown: -1 }[e.key];
          if (way) {
            e.preventDefault();
            step(way, e.key.startsWith("Page") || e.shiftKey);
          }
          if (e.key === "Enter" || /^[0-9]$/.test(e.key)) {
            e.preventDefault();
            setTyping(true);
          }
        }}
      >
        {shown ?? text}
      </span>
      {reset && (
        <button type="button" class="reset" aria-label={`${label}: let fareline choose`} title="let fareline choose" onClick={reset}>
          ↺
        </button>
      )}
    </span>
  );
}

export function Pick({ label, value, names, set }: { label: string; value: string; names: string[]; set: (name: string) => void }) {
  const id = `names-${label.replace(/\W/g, "-")}`;
  return (
    <>
      <input
        class="pick"
        aria-label={label}
        list={id}
        value={value}
        size={Math.max(6, value.length)}
        spellcheck={false}
        autocomplete="off"
        onFocus={(e) => e.currentTarget.select()}
        onInput={(e) => names.includes(e.currentTarget.value) && set(e.currentTarget.value)}
        onChange={(e) => e.currentTarget.value.trim() && set(e.currentTarget.value.trim())}
      />
      <datalist id={id}>
        {names.map((n) => (
          <option key={n} value={n} />
        ))}
      </datalist>
    </>
  );
}

export function Choice({ label, value, names, set }: { label: string; value: string; names: string[]; set: (name: string) => void }) {
  return (
    <select class="pick" aria-label={label} value={value} onChange={(e) => set(e.currentTarget.value)}>
      {names.map((n) => (
        <option key={n} value={n}>
          {n}
        </option>
      ))}
    </select>
  );
}

async function copied(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

export function Take({ question }: { question: Question }) {
  const [done, setDone] = useState("");
  const one = (name: string, text: () => string) => (
    <button
      type="button"
      onClick={async () => {
        await copied(text());
        setDone(name);
        setTimeout(() => setDone(""), 1500);
      }}
    >
      {done === name ? "copied" : name}
    </button>
  );
  return (
    <div class="take" role="group" aria-label="Copy this question">
      <span>copy as</span>
      {one("link", () => location.href)}
      {one("command", () => as_command(question))}
      {one("Python", () => as_python(question))}
      {one("JSON", () => as_json(question))}
    </div>
  );
}

export const Refused = ({ error }: { error: Failure }) => (
  <div class="refused" role="alert">
    <strong>{error.where}</strong> {error.what}; <em>{error.remedy}</em>
  </div>
);

export const Warnings = ({ warnings }: { warnings: string[] }) =>
  warnings.length ? (
    <ul class="warnings">
      {warnings.map((w) => (
        <li key={w}>{w}</li>
      ))}
    </ul>
  ) : null;

// A number opened: its formula, what went in, where it comes from.
export function Opened({ one, top = false }: { one: Explained; top?: boolean }) {
  return (
    <div class="opened">
      <p>
        {!top && <span class="name">{one.name}</span>} <b>{show(one.value)}</b>
        {one.formula && <code>{one.formula}</code>}
      </p>
      {one.inputs?.length ? (
        <div class="inside">
          {one.inputs.map((i) => (
            <Opened key={i.name} one={i} />
          ))}
        </div>
      ) : null}
      {one.source && <p class="source">{one.source}</p>}
    </div>
  );
}
