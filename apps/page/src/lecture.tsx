// SPDX-License-Identifier: Apache-2.0
// The blackboard in chapters: prose whose numbers are in the hand, beside the figures they move.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Latest, core, type Answer, type Explained, type Quantity } from "./asking";
import { member } from "./ask";
import { models, row_of, systems, table_of } from "./catalogue";
import { chapters, type Chapter } from "./chapters";
import { Figure } from "./figure";
import type { FigureData } from "./figure_data";
import { digits, percent, show } from "./numbers";
import { Opened, Pick, Refused, Scrub, Take, Warnings } from "./parts";
import { other, other_key, part, question_of, set_other, type Given } from "./setting";

export function Field({
  question,
  name,
  given,
  set,
  used,
}: {
  question: string;
  name: string;
  given: Given;
  set: (value: string | undefined) => void;
  used?: string | undefined;
}) {
  const row = row_of(question, name),
    text = given[name] ?? used ?? row?.value ?? "";
  if (name === "model" || row?.kind === "model") return <Pick label={name} value={text} names={models.value} set={set} />;
  if (name === "system") return <Pick label={name} value={text} names={systems.value.map((s) => s.name)} set={set} />;
  const whole = row?.kind === "count";
  return (
    <Scrub
      label={row?.summary ?? name}
      text={text || "–"}
      whole={whole}
      least={row?.least}
      most={row?.kind === "quantity" ? undefined : row?.most}
      set={set}
      chosen={given[name] === undefined}
      shown={whole && Number.isFinite(Number(text)) && Number(text) < 1e7 ? Number(text).toLocaleString("en-US") : undefined}
    />
  );
}

// A number of an answer as prose takes it: what is counted stands in the sentence.
const counted = ["tok", "experts", "chips", "layers", "parameters"];
const bare = (value: Quantity | undefined) => (value && counted.includes(value.unit) ? digits(value.value) : show(value));

function Prose({ text, chapter, given, answer }: { text: string; chapter: Chapter; given: Given; answer: Answer | undefined }) {
  const pieces = text.split(/(\{[a-z_]+\}|\[[a-z0-9_.]+\]|\*[^*]+\*)/);
  return (
    <p>
      {pieces.map((piece, i) => {
        if (piece.startsWith("{")) {
          const name = piece.slice(1, -1);
          const used = answer?.inputs?.[name];
          return (
            <Field
              key={i}
              question={chapter.question}
              name={name}
              given={given}
              used={used ? (used.unit && used.unit !== "1" ? show(used as any) : String(used.value)) : undefined}
              set={(value) => {
                const next = { ...given };
                if (value) next[name] = value;
                else delete next[name];
                set_other(next);
              }}
            />
          );
        }
        if (piece.startsWith("[")) {
          const value = answer?.answer && member(answer.answer, piece.slice(1, -1));
          const share = value?.unit === "1" && value.value < 1 && /share|mfu|saving|again/.test(piece);
          return (
            <output key={i} class="live">
              {typeof value === "string" ? value : share ? percent(value.value) : bare(value)}
            </output>
          );
        }
        if (piece.startsWith("*")) return <em key={i}>{piece.slice(1, -1)}</em>;
        return piece;
      })}
    </p>
  );
}

const latest = new Latest();

export function Lecture() {
  const known = chapters.filter((c) => table_of(c.question));
  const chapter = known.find((c) => c.id === part.value) ?? known[0];
  const answer = useSignal<Answer | undefined>(undefined),
    last = useSignal<{ id: string; answer: Answer } | undefined>(undefined);
  const given = (part.value && other.value[other_key.value]) || chapter?.given || {};
  const question = chapter && question_of(chapter.question, given);
  const text = JSON.stringify(question);
  useEffect(() => {
    if (!question || !chapter) return;
    if (!part.value) part.value = chapter.id;
    latest.run(async () => {
      const began = performance.now(),
        got = await core.ask(question);
      answer.value = got;
      if (got.answer) last.value = { id: chapter.id, answer: got };
      requestAnimationFrame(() => performance.measure("redraw chapter", { start: began, end: performance.now() }));
    });
  }, [text]);
  if (!chapter || !question) return <p class="busy">…</p>;
  const now = last.value?.id === chapter.id ? last.value.answer : undefined;
  const at = known.indexOf(chapter),
    go = (c: Chapter | undefined) => c && (part.value = c.id);
  const explained = (now?.explain?.numbers ?? []) as Explained[];
  return (
    <section class="lecture" aria-labelledby="chapter-title">
      <nav aria-label="Chapters">
        <ol>
          {known.map((c) => (
            <li key={c.id}>
              <a
                href={`#lecture/${c.id}`}
                aria-current={c === chapter ? "page" : undefined}
                onClick={(e) => {
                  e.preventDefault();
                  go(c);
                }}
              >
                {c.title}
              </a>
            </li>
          ))}
        </ol>
      </nav>
      <article>
        <h1 id="chapter-title">{chapter.title}</h1>
        <div class="prose">
          {chapter.prose
            .trim()
            .split(/\n\s*\n/)
            .map((p, i) => (
              <Prose key={i} text={p} chapter={chapter} given={given} answer={now} />
            ))}
          {chapter.more && <p class="note">{chapter.more}</p>}
          {answer.value?.error && <Refused error={answer.value.error} />}
          {now?.answer?.why && (
            <p class="lead">
              {now.answer.why} {now.answer.change}
            </p>
          )}
        </div>
        <div class="figures">
          {((now?.answer?.figures ?? []) as FigureData[]).map((f, i) => (
            <Figure key={`${chapter.id}${i}`} figure={f} />
          ))}
        </div>
        {!now && !answer.value?.error && <p class="busy">…</p>}
        <Take question={question} />
        {explained.length > 0 && (
          <details class="inputs">
            <summary>The formulas, with the numbers put in</summary>
            {explained.map((e) => (
              <Opened key={e.name} one={e} />
            ))}
          </details>
        )}
        {now?.warnings && <Warnings warnings={now.warnings} />}
        <div class="row turn">
          {at > 0 ? (
            <button type="button" onClick={() => go(known[at - 1])}>
              ← {known[at - 1]!.title}
            </button>
          ) : (
            <span />
          )}
          {at + 1 < known.length ? (
            <button type="button" onClick={() => go(known[at + 1])}>
              {known[at + 1]!.title} →
            </button>
          ) : (
            <span />
          )}
        </div>
      </article>
    </section>
  );
}
