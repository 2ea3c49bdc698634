// SPDX-License-Identifier: Apache-2.0
// The page: its views, and the question they share.
import { effect, signal } from "@preact/signals";
import { render } from "preact";
import { Ask } from "./ask";
import { Latest, core, type Answer } from "./asking";
import { load, tables } from "./catalogue";
import { Curves, held } from "./curves";
import { Form } from "./form";
import { Lecture } from "./lecture";
import { Choice } from "./parts";
import { config, keep_address, own_model, part, question_of, set, setting, view, type Given, type View } from "./setting";
import { Truth } from "./truth";

const answered = signal<{ answer?: Answer; of: Given; began: number }>({ of: {}, began: 0 });
const notice = signal("");
const theme = signal<"" | "light" | "dark">("");
const latest = new Latest();

const names: Record<View, string> = {
  ask: "Ask",
  curves: "Curves",
  lecture: "Lecture",
  simulate: "Simulate",
  truth: "Truth",
  questions: "All questions",
};

// A model's own file: dropped, picked, or pasted.
function take_config(text: string, name: string): void {
  try {
    const parsed = JSON.parse(text);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw new Error("it is no object");
  } catch (error) {
    notice.value = `${name} is not a model's config.json: ${(error as Error).message}`;
    return;
  }
  notice.value = "";
  config.value = { name: name.replace(/\.json$/, "") || "config", text: JSON.stringify(JSON.parse(text)) };
  set("model", own_model);
  if (view.value !== "ask" && view.value !== "curves") view.value = "ask";
}

async function take_file(file: File | undefined): Promise<void> {
  if (!file) return;
  if (file.size > 1 << 20) return void (notice.value = `${file.name} has ${file.size} bytes: too long for a model's config.json`);
  take_config(await file.text(), file.name);
}

function App() {
  const { answer, of, began } = answered.value;
  return (
    <>
      <header>
        <a class="brand" href="#ask" aria-label="fareline: ask">
          <svg viewBox="0 0 40 24" width="40" height="24" aria-hidden="true">
            <path d="M3 3c3 12 12 17 34 18" fill="none" stroke="currentColor" stroke-width="3" stroke-linecap="round" />
          </svg>
          fareline
        </a>
        <nav aria-label="Views">
          {(Object.keys(names) as View[]).map((v) => (
            <a
              key={v}
              href={`#${v}`}
              aria-current={view.value === v ? "page" : undefined}
              onClick={(e) => {
                e.preventDefault();
                view.value = v;
                part.value = "";
              }}
            >
              {names[v]}
            </a>
          ))}
        </nav>
        <div class="own">
          <label class="file">
            your config.json
            <input
              type="file"
              accept=".json,application/json"
              onChange={(e) => {
                take_file(e.currentTarget.files?.[0]);
                e.currentTarget.value = "";
              }}
            />
          </label>
          <button
            type="button"
            aria-label="Light or dark"
            title="light or dark"
            onClick={() =>
              (theme.value =
                (theme.value || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark" ? "light" : "dark")
            }
          >
            ◐
          </button>
        </div>
      </header>
      <main>
        {notice.value && (
          <div class="refused" role="alert">
            {notice.value}{" "}
            <button type="button" onClick={() => (notice.value = "")}>
              close
            </button>
          </div>
        )}
        {view.value === "ask" && <Ask answer={answer} />}
        {view.value === "curves" && <Curves answer={answer} answered_for={of} began={began} />}
        {view.value === "lecture" && <Lecture />}
        {view.value === "simulate" && (
          <Form
            at_once
            name="simulate"
            title="Simulate"
            intro={
              "Requests through a fleet, event by event, where the steady state has no tails to show: bursts, queues, caches, failures. " +
              "It runs in a worker of its own."
            }
          />
        )}
        {view.value === "truth" && <Truth />}
        {view.value === "questions" && (
          <>
            <p class="sentence">
              The question{" "}
              <Choice
                label="question"
                value={part.value || "step"}
                names={tables.value.filter((t) => t.name !== "sweep").map((t) => t.name)}
                set={(n) => (part.value = n)}
              />
            </p>
            <Form
              key={part.value || "step"}
              name={part.value || "step"}
              title={part.value || "step"}
              intro={tables.value.find((t) => t.name === (part.value || "step"))?.summary ?? ""}
              at_once
            />
          </>
        )}
      </main>
      <footer>Computed in this page by the same core as the command line, bit for bit. Nothing leaves it.</footer>
    </>
  );
}

function watch(): void {
  effect(() => {
    if (theme.value) document.documentElement.dataset["theme"] = theme.value;
  });
  effect(() => {
    const of = setting.value,
      own = config.value,
      keep = held.value,
      seen = view.value;
    void own;
    if (seen !== "ask" && seen !== "curves") return;
    const began = performance.now();
    const question = question_of("cost", { ...keep, ...of }, seen === "ask" ? { explain: "full" } : {});
    latest.run(async () => {
      try {
        answered.value = { answer: await core.ask(question), of, began };
      } catch (error) {
        notice.value = String(error);
      }
      requestAnimationFrame(() => performance.measure("answer", { start: began, end: performance.now() }));
    });
  });
  addEventListener("dragover", (e) => {
    e.preventDefault();
    document.documentElement.classList.add("dropping");
  });
  addEventListener("dragleave", (e) => {
    if (!e.relatedTarget) document.documentElement.classList.remove("dropping");
  });
  addEventListener("drop", (e) => {
    e.preventDefault();
    document.documentElement.classList.remove("dropping");
    take_file(e.dataTransfer?.files[0]);
  });
  addEventListener("paste", (e) => {
    const text = e.clipboardData?.getData("text") ?? "";
    if (!/^\s*\{/.test(text) || (e.target as HTMLElement).closest("input, textarea")) return;
    e.preventDefault();
    take_config(text, "pasted");
  });
}

keep_address();
render(<App />, document.getElementById("page")!);
watch();
load().then(
  () => performance.mark("ready"),
  (error) => (notice.value = String(error)),
);
