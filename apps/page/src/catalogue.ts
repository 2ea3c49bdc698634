// SPDX-License-Identifier: Apache-2.0
// What the core knows: names to pick from, and the tables of questions.
import { signal } from "@preact/signals";
import { core, type Table } from "./asking";

export const models = signal<string[]>([]);
export const systems = signal<{ name: string; title: string; chip: string }[]>([]);
export const tables = signal<Table[]>([]);

export async function load(): Promise<void> {
  const rows = async (kind: string) => (await core.ask({ question: "list", inputs: { kind } })).answer.rows;
  const [all, known, kinds] = await Promise.all([core.text("tables"), rows("systems"), rows("models")]);
  tables.value = JSON.parse(all);
  systems.value = known;
  models.value = kinds.map((row: { name: string }) => row.name);
}

export const table_of = (name: string) => tables.value.find((t) => t.name === name);
export const row_of = (question: string, input: string) => table_of(question)?.inputs.find((i) => i.name === input);
