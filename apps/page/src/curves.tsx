// SPDX-License-Identifier: Apache-2.0
// Curves: six figures of one setting; what is dragged in one moves all.
import { effect, signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Latest, type Answer } from "./asking";
import { row_of } from "./catalogue";
import { asked, curves, with_plan, type Curves as All, type Ranges } from "./curves_data";
import { Figure, type Here } from "./figure";
import type { Lines } from "./figure_data";
import { digits, show } from "./numbers";
import { NoFit, member } from "./ask";
import { Refused, Take, Warnings } from "./parts";
import { pinned, question_of, set, setting, type Given } from "./setting";
import { SettingLine } from "./setting_line";

// While something is dragged the layout stays what it was: `held`.
export const held = signal<Given | undefined>(undefined);
const all = signal<All | undefined>(undefined);
const ghosts = signal<{ all: All; answer: Answer } | undefined>(undefined);
const ranges = signal<Ranges>({ users: 1024, prompt: 131072 });
const steps = signal<{ of: string; lines: Lines } | undefined>(undefined);
const frontier = signal<{ of: string; lines: Lines } | undefined>(undefined);
const points = () => (held.peek() ? 40 : 240); // of a curve: while it is dragged, and when it rests
const latest = new Latest();
let release = 0,
  search = 0;

function hold(answer: Answer): void {
  if (!held.value) {
    const { concurrency, tp, ep, pp, dp } = with_plan(setting.value, answer, true) as Record<string, string>;
    held.value = { concurrency: concurrency!, tp: tp!, ep: ep!, pp: pp!, dp: dp! };
  }
  clearTimeout(release);
  release = setTimeout(() => (held.value = undefined), 600) as unknown as number;
}

function fit_ranges(answer: Answer): void {
  const users = answer.answer.batch.concurrency.value,
    prompt = Number(answer.inputs["prompt"]?.value ?? 4096);
  const { users: most, prompt: longest } = ranges.value;
  const next = {
    users: users * 1.4 > most || users * 300 < most ? 2 ** Math.ceil(Math.log2(Math.max(16, users * 4))) : most,
    prompt: prompt * 1.2 > longest ? 2 ** Math.ceil(Math.log2(prompt * 4)) : longest,
  };
  if (next.users !== most || next.prompt !== longest) ranges.value = next;
}

// The setting as far as another question knows its inputs.
const context_question = (given: Given) => {
  const { prompt, context: _, ...rest } = given;
  const known = Object.entries(rest).filter(([name]) => row_of("context", name));
  return question_of("context", { ...Object.fromEntries(known), context: prompt ?? "4096" });
};

const speed_question = (given: Given) => {
  const { concurrency: _c, batch: _b, rate: _r, tp: _t, ep: _e, pp: _p, dp: _d, ...rest } = given;
  return question_of("speed", rest);
};

async function redraw(answer: Answer, given: Given, began: number): Promise<void> {
  if (!answer.answer?.feasible) return;
  fit_ranges(answer);
  const full = await asked(question_of("cost", with_plan(given, answer, true), { explain: "full" }));
  const of = JSON.stringify(speed_question(given));
  const known = frontier.peek();
  all.value = await curves(
    given,
    answer,
    ranges.peek(),
    full.answer?.feasible ? full : undefined,
    known?.of === of ? known.lines : undefined,
    points(),
  );
  requestAnimationFrame(() => performance.measure("redraw", { start: began, end: performance.now() }));
  const stepped = JSON.stringify(context_question(given));
  if (steps.peek()?.of !== stepped && !held.peek() && row_of("context", "context"))
    asked(JSON.parse(stepped)).then((found) => {
      const lines = (found.answer?.figures as Lines[] | undefined)?.find((f) => f.series?.some((one) => one.style === "step"));
      if (lines) steps.value = { of: stepped, lines };
    });
  clearTimeout(search);
  if (known?.of !== of && !held.peek())
    search = setTimeout(async () => {
      const found = await asked(JSON.parse(of));
      const lines = found.answer?.figures?.[0] as Lines | undefined;
      if (!lines) return;
      frontier.value = { of, lines };
      if (all.value) latest.run(() => redraw(answer, given, performance.now()));
    }, 400) as unknown as number;
}

export function Curves({ answer, answered_for, began }: { answer: Answer | undefined; answered_for: Given; began: number }) {
  const last = useSignal<Answer | undefined>(undefined);
  useEffect(() => {
    if (!answer?.answer?.feasible) return;
    last.value = answer;
    latest.run(() => redraw(answer, answered_for, began));
  }, [answer]);
  useEffect(
    () =>
      effect(() => {
        const pin = pinned.value;
        if (!pin) return void (ghosts.value = undefined);
        const at = ranges.value;
        (async () => {
          const of = await asked(question_of("cost", pin));
          if (!of.answer?.feasible) return;
          const full = await asked(question_of("cost", with_plan(pin, of, true), { explain: "full" }));
          ghosts.value = { all: await curves(pin, of, at, full, undefined, points()), answer: of };
        })();
      }),
    [],
  );
  const move = (name: string, text: (v: number) => string) => (value: number) => {
    if (last.value) hold(last.value);
    set(name, text(value));
  };
  const now = last.value,
    a = all.value,
    g = ghosts.value?.all;
  const users = now?.answer.batch?.concurrency?.value as number | undefined;
  const prompt = Number(now?.inputs["prompt"]?.value ?? 0);
  const whole = (v: number) => String(Math.max(1, Math.round(v)));
  const at_users: Here | undefined =
    users === undefined ? undefined : { x: users, label: `${digits(users)} users`, set: move("concurrency", whole) };
  const handles =
    now && a
      ? [
          {
            series: "bandwidth",
            label: "drag: memory bandwidth of a chip",
            value: now.inputs["hbm_bandwidth"]!.value as number,
            set: move("hbm_bandwidth", (v) => `${Number((v / 1e12).toPrecision(3))} TB/s`),
          },
          ...a.roofline.series
            .filter((s) => s.name.startsWith("peak"))
            .map((s) => ({
              series: s.name,
              label: "drag: peak FLOP/s of a chip",
              value: now.inputs["peak"]!.value as number,
              set: move("peak", (v: number) => `${Number((v / 1e12).toPrecision(3))} TFLOP/s`),
            })),
        ]
      : undefined;
  return (
    <section aria-labelledby="curves-title">
      <h1 id="curves-title" class="hidden">
        Curves
      </h1>
      <SettingLine answer={answer?.answer ? answer : last.value} />
      <div class="row">
        <Take
          question={question_of(
            "sweep",
            {},
            { of: "cost", inputs: question_of("cost", setting.value).inputs, vary: `concurrency=1..${ranges.value.users}` },
          )}
        />
        <div class="take">
          <button
            type="button"
            aria-pressed={!!pinned.value}
            onClick={() => (pinned.value = pinned.value ? undefined : now ? { ...with_plan(setting.value, now, true) } : undefined)}
          >
            {pinned.value ? "unpin" : "pin this setting, to compare"}
          </button>
        </div>
      </div>
      {answer?.error && <Refused error={answer.error} />}
      {answer?.answer && !answer.answer.feasible && <NoFit answer={answer.answer} />}
      {ghosts.value && now && (
        <div class="scroll compare" tabIndex={0} role="region" aria-label="This setting beside the pinned one">
          <table>
            <thead>
              <tr>
                <th scope="col">number</th>
                <th scope="col">pinned ┄</th>
                <th scope="col">now</th>
                <th scope="col">now over pinned</th>
              </tr>
            </thead>
            <tbody>
              {["price.input", "price.output", "price.blended", "latency.ttft", "latency.tpot", "throughput.output_tokens_per_chip"].map(
                (path) => {
                  const was = member(ghosts.value!.answer.answer, path),
                    is = member(now.answer, path);
                  return (
                    <tr key={path}>
                      <th scope="row">{path}</th>
                      <td>{show(was)}</td>
                      <td>{show(is)}</td>
                      <td>{was && is ? `${digits(is.value / was.value)}×` : ""}</td>
                    </tr>
                  );
                },
              )}
              <tr>
                <th scope="row">setting</th>
                <td>
                  {Object.entries(pinned.value ?? {})
                    .map(([k, v]) => `${k} ${v}`)
                    .join(", ")}
                </td>
                <td>
                  {Object.entries(setting.value)
                    .map(([k, v]) => `${k} ${v}`)
                    .join(", ")}
                </td>
                <td />
              </tr>
            </tbody>
          </table>
        </div>
      )}
      {a && now && (
        <div class="figures" id="curves">
          <Figure figure={a.price} {...(at_users && { here: at_users })} {...(g && { ghost: g.price })} />
          <Figure figure={a.time} {...(at_users && { here: at_users })} {...(g && { ghost: g.time })} />
          <Figure
            figure={a.context}
            here={{ x: prompt, label: `${digits(prompt)} tokens`, set: move("prompt", whole) }}
            {...(g && { ghost: g.context })}
          />
          <Figure figure={a.frontier} {...(g && { ghost: g.frontier })} />
          <Figure
            figure={a.memory}
            here={{ x: users ?? 0, label: `${digits(users ?? 0)} users`, set: move("concurrency", whole) }}
            {...(g && { ghost: g.memory })}
          />
          <Figure figure={a.roofline} {...(handles && { handle: handles })} {...(g && { ghost: g.roofline })} />
          {steps.value && (
            <Figure figure={steps.value.lines} here={{ x: prompt, label: `${digits(prompt)} tokens`, set: move("prompt", whole) }} />
          )}
        </div>
      )}
      {!a && <p class="busy">…</p>}
      {answer?.warnings && <Warnings warnings={answer.warnings} />}
    </section>
  );
}
