// SPDX-License-Identifier: Apache-2.0
// Any question, as its table describes it: a row an input. Asked in a worker of its own, with progress and cancel.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Asker, type Answer, type Explained, type InputRow } from "./asking";
import { models, systems, table_of } from "./catalogue";
import { Figure } from "./figure";
import type { FigureData } from "./figure_data";
import { percent, show } from "./numbers";
import { NoFit } from "./ask";
import { Opened, Refused, Take, Warnings } from "./parts";
import { other, other_key, question_of, set_other, type Given } from "./setting";

const example = (words: string): Given => {
  const given: Given = {};
  const all = words.match(/"[^"]*"|\S+/g) ?? [];
  for (let i = 0; i < all.length; ++i) if (all[i]!.startsWith("--")) given[all[i]!.slice(2)] = (all[++i] ?? "").replaceAll('"', "");
  return given;
};

function Entry({ row, value, set }: { row: InputRow; value: string; set: (value: string) => void }) {
  const id = `in-${row.name}`;
  const hint = row.value || row.reason;
  return (
    <div class="entry">
      <label for={id} title={row.summary}>
        {row.name}
      </label>
      {row.choices ? (
        <select id={id} value={value} onChange={(e) => set(e.currentTarget.value)}>
          <option value="">{row.value ? `${row.value} (default)` : "–"}</option>
          {row.choices.split(",").map((c) => (
            <option key={c}>{c}</option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          value={value}
          placeholder={hint}
          spellcheck={false}
          autocomplete="off"
          list={row.kind === "model" ? "form-models" : row.name === "system" ? "form-systems" : undefined}
          onChange={(e) => set(e.currentTarget.value.trim())}
        />
      )}
      <span class="hint">{row.summary}</span>
    </div>
  );
}

// The members of an answer, one a row; what is a picture or a sentence stands elsewhere.
function Members({ answer }: { answer: any }) {
  const rows: [string, string][] = [];
  const see = (at: any, path: string) => {
    if (at === null || path.startsWith("figures") || path === "why" || path === "change") return;
    if (typeof at === "object" && typeof at.value === "number")
      rows.push([
        path,
        at.low !== undefined ? `${show(at)}  (${show({ ...at, value: at.low })} to ${show({ ...at, value: at.high })})` : show(at),
      ]);
    else if (Array.isArray(at)) {
      if (at.length <= 40) at.forEach((v, i) => see(v, `${path}[${i}]`));
      else rows.push([path, `${at.length} values`]);
    } else if (typeof at === "object") for (const [k, v] of Object.entries(at)) see(v, path ? `${path}.${k}` : k);
    else rows.push([path, typeof at === "number" ? show(at) : String(at)]);
  };
  see(answer, "");
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Answer as a table">
      <table>
        <tbody>
          {rows.map(([path, text]) => (
            <tr key={path}>
              <th scope="row">{path}</th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Form({ name, title, intro, at_once }: { name: string; title: string; intro: string; at_once?: boolean }) {
  const table = table_of(name);
  const asker = useRef<Asker | undefined>(undefined);
  const state = useSignal<{ name: string; answer?: Answer; running?: number; began?: number; failed?: string } | undefined>(undefined);
  const given_now = () => other.value[other_key.value] ?? (table ? example(table.example) : {});
  const given = given_now();
  const shown = state.value?.name === name ? state.value : undefined;
  const run = async () => {
    asker.current ??= new Asker();
    const began = performance.now();
    state.value = { name, running: 0, began };
    try {
      const answer = await asker.current.ask(question_of(name, given_now()), (done) => (state.value = { name, running: done, began }));
      state.value = { name, answer };
    } catch (error) {
      state.value = { name, failed: String((error as Error).message) };
    }
  };
  useEffect(() => () => asker.current?.cancel(), []);
  useEffect(() => {
    if (at_once && table) run();
  }, [name, !!table]);
  if (!table) return <p class="busy">…</p>;
  const groups = new Map<string, InputRow[]>();
  for (const row of table.inputs) {
    const group = given[row.name] !== undefined || ["model", "system"].includes(row.name) ? "" : row.group || "more";
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  const entry = (row: InputRow) => (
    <Entry
      key={row.name}
      row={row}
      value={given[row.name] ?? ""}
      set={(value) => {
        const next = { ...given };
        if (value) next[row.name] = value;
        else delete next[row.name];
        set_other(next);
      }}
    />
  );
  const a = shown?.answer;
  return (
    <section aria-labelledby="form-title" class="asked">
      <h1 id="form-title">{title}</h1>
      <p class="lead">{intro}</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          (document.activeElement as HTMLElement | null)?.blur();
          setTimeout(run);
        }}
      >
        <datalist id="form-models">
          {models.value.map((m) => (
            <option key={m} value={m} />
          ))}
        </datalist>
        <datalist id="form-systems">
          {systems.value.map((s) => (
            <option key={s.name} value={s.name} />
          ))}
        </datalist>
        <div class="entries">{(groups.get("") ?? []).map(entry)}</div>
        {[...groups]
          .filter(([g]) => g)
          .map(([group, rows]) => (
            <details key={group} class="inputs">
              <summary>
                {group}:{" "}
                {rows
                  .slice(0, 5)
                  .map((r) => r.name)
                  .join(", ")}
                {rows.length > 5 ? ` and ${rows.length - 5} more` : ""}
              </summary>
              <div class="entries">{rows.map(entry)}</div>
            </details>
          ))}
        <div class="row">
          <button type="submit" class="go" disabled={shown?.running !== undefined}>
            {name === "simulate" ? "Run" : "Ask"}
          </button>
          {shown?.running !== undefined && (
            <>
              <progress aria-label="Progress" {...(shown.running > 0 ? { value: shown.running, max: 1 } : {})} />
              <span>{shown.running > 0 ? percent(shown.running) : "under way"}</span>
              <button
                type="button"
                onClick={() => {
                  asker.current?.cancel();
                  state.value = { name, failed: "cancelled" };
                }}
              >
                Cancel
              </button>
            </>
          )}
          <Take question={question_of(name, given)} />
        </div>
      </form>
      {shown?.failed && <p role="status">{shown.failed}</p>}
      {a?.error && <Refused error={a.error} />}
      {a?.answer?.feasible === false && <NoFit answer={a.answer} />}
      {a?.answer && a.answer.feasible !== false && (
        <>
          {a.answer.why && (
            <p class="lead">
              {a.answer.why} {a.answer.change}
            </p>
          )}
          <div class="figures">
            {((a.answer.figures ?? []) as FigureData[]).map((f, i) => (
              <Figure key={i} figure={f} />
            ))}
          </div>
          <details class="inputs" open={!a.answer.figures}>
            <summary>Every number of the answer</summary>
            <Members answer={a.answer} />
          </details>
          {a.explain?.numbers && (
            <details class="inputs">
              <summary>The formulas, with the numbers put in</summary>
              {(a.explain.numbers as Explained[]).map((e) => (
                <Opened key={e.name} one={e} />
              ))}
            </details>
          )}
        </>
      )}
      {a?.warnings && <Warnings warnings={a.warnings} />}
    </section>
  );
}
