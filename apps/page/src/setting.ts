// SPDX-License-Identifier: Apache-2.0
// What is being asked: kept in signals, and in the address, so that a link restores it.
import { batch, computed, effect, signal } from "@preact/signals";
import type { Json, Question } from "./asking";

export type Given = Record<string, string>; // inputs as they are typed on a command line

export const views = ["ask", "curves", "lecture", "simulate", "truth", "questions"] as const;
export type View = (typeof views)[number];

export const view = signal<View>("ask");
export const part = signal(""); // of the view: a chapter, a question
export const first: Given = { model: "deepseek-ai/DeepSeek-V3", system: "gb200-nvl72", prompt: "4096", output: "512" };
export const setting = signal<Given>(first); // of Ask and Curves
export const pinned = signal<Given | undefined>(undefined);
export const other = signal<Record<string, Given>>({}); // of the other views, by view and part
export const config = signal<{ name: string; text: string } | undefined>(undefined); // a model dropped or pasted

export const other_key = computed(() => `${view.value}/${part.value}`);
export const set_other = (given: Given) => (other.value = { ...other.value, [other_key.value]: given });

export function set(name: string, value: string | undefined): void {
  const next = { ...setting.value };
  if (value === undefined || value === "") delete next[name];
  else next[name] = value;
  setting.value = next;
}

export const own_model = "your config.json";

const as_json = (text: string): Json => (/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text);

export function question_of(name: string, given: Given, more: Record<string, Json> = {}): Question {
  const inputs: Record<string, Json> = {};
  for (const [key, value] of Object.entries(given)) {
    if (key === "model" && value === own_model && config.value) {
      let parsed: Json = config.value.text;
      try {
        parsed = JSON.parse(config.value.text);
      } catch {
        /* the core says what is wrong with it */
      }
      inputs["model"] = { name: config.value.name, config: parsed };
    } else if (/^\s*[[{]/.test(value)) {
      try {
        inputs[key] = JSON.parse(value);
      } catch {
        inputs[key] = value;
      }
    } else inputs[key] = as_json(value);
  }
  return { question: name, inputs: { ...inputs, ...more } };
}

const encoded = (given: Given, prefix = "") =>
  Object.entries(given).map(([k, v]) => `${encodeURIComponent(prefix + k)}=${encodeURIComponent(v)}`);

export function address(): string {
  const shared = view.value === "ask" || view.value === "curves";
  const given = shared ? setting.value : (other.value[other_key.value] ?? {});
  const words = encoded(given);
  if (shared && pinned.value) words.push(...encoded(pinned.value, "pin."));
  if (config.value && (given["model"] === own_model || (shared && pinned.value?.["model"] === own_model)))
    words.push(`config.name=${encodeURIComponent(config.value.name)}`, `config=${encodeURIComponent(config.value.text)}`);
  return `#${view.value}${part.value ? `/${part.value}` : ""}${words.length ? `?${words.join("&")}` : ""}`;
}

export function restore(hash: string): void {
  const match = /^#([a-z]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(hash);
  const named = match?.[1] as View | undefined;
  if (!match || !named || !views.includes(named)) return;
  const given: Given = {},
    pin: Given = {};
  let name = own_model,
    text: string | undefined;
  for (const [key, value] of new URLSearchParams(match[3] ?? "")) {
    if (key === "config") text = value;
    else if (key === "config.name") name = value;
    else if (key.startsWith("pin.")) pin[key.slice(4)] = value;
    else given[key] = value;
  }
  batch(() => {
    view.value = named;
    part.value = decodeURIComponent(match[2] ?? "");
    if (text !== undefined) config.value = { name, text };
    if (named === "ask" || named === "curves") {
      if (Object.keys(given).length) setting.value = given;
      pinned.value = Object.keys(pin).length ? pin : undefined;
    } else if (Object.keys(given).length) set_other(given);
  });
}

// Keeps the address and the setting the same, whichever moves.
export function keep_address(): void {
  restore(location.hash);
  let written = "",
    timer = 0;
  effect(() => {
    const now = address();
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (now === location.hash) return;
      written = now;
      const same_place = now.split("?")[0] === location.hash.split("?")[0];
      same_place ? history.replaceState(null, "", now) : history.pushState(null, "", now);
    }, 150) as unknown as number;
  });
  addEventListener("popstate", () => location.hash !== written && restore(location.hash));
  addEventListener("hashchange", () => location.hash !== written && restore(location.hash));
}
