// SPDX-License-Identifier: Apache-2.0
// The question of Ask and Curves as a sentence, each of its numbers and names in the hand.
import type { Answer } from "./asking";
import { models, row_of, systems } from "./catalogue";
import { digits, fitting } from "./numbers";
import { Pick, Scrub } from "./parts";
import { config, own_model, set, setting } from "./setting";

const as_text = (used: { value: any; unit?: string } | undefined): string => {
  if (!used) return "";
  if (typeof used.value !== "number") return String(used.value ?? "");
  const unit = fitting(used.unit ?? "1", used.value);
  const number = String(Number((used.value / unit.factor).toPrecision(6)));
  return unit.name ? `${number} ${unit.name.replace("µ", "u")}` : number;
};

// One input of `cost`, with the value the answer used where the asker gave none.
export function Number_({
  name,
  answer,
  label,
  share = false,
}: {
  name: string;
  answer: Answer | undefined;
  label?: string;
  share?: boolean;
}) {
  const row = row_of("cost", name);
  const given = setting.value[name];
  const used = answer?.inputs?.[name];
  const raw = given ?? as_text(used) ?? "";
  const text = share && raw && !raw.includes("%") ? `${digits(Number(raw) * 100)}%` : raw;
  const whole = row?.kind === "count";
  return (
    <Scrub
      label={label ?? row?.summary ?? name}
      text={text || "–"}
      whole={whole}
      least={share ? 0 : row?.least}
      most={share ? 99 : row?.kind === "quantity" ? undefined : row?.most}
      shown={whole && Number.isFinite(Number(text)) ? Number(text).toLocaleString("en-US") : undefined}
      chosen={given === undefined}
      set={(value) => set(name, value)}
      reset={given !== undefined && row && !["prompt", "output"].includes(name) ? () => set(name, undefined) : undefined}
    />
  );
}

export function SettingLine({ answer }: { answer: Answer | undefined }) {
  const names = config.value ? [own_model, ...models.value] : models.value;
  const users = setting.value["batch"] !== undefined ? "batch" : setting.value["rate"] !== undefined ? "rate" : "concurrency";
  return (
    <p class="sentence">
      What does a token of{" "}
      <Pick label="model" value={setting.value["model"] ?? ""} names={names} set={(v) => set("model", v)} /> cost on{" "}
      <Pick label="system" value={setting.value["system"] ?? ""} names={systems.value.map((s) => s.name)} set={(v) => set("system", v)} />,
      for prompts of <Number_ name="prompt" answer={answer} /> tokens,{" "}
      <Number_ name="cached" answer={answer} share label="share of each prompt that is cached" /> of them cached, and answers of{" "}
      <Number_ name="output" answer={answer} />, with <Number_ name={users} answer={answer} />{" "}
      {users === "batch" ? "decoding at once" : users === "rate" ? "" : "users"}, laid out{" "}
      <span class="plan">
        {["tp", "ep", "pp", "dp"].map((n) => (
          <span key={n}>
            {n} <Number_ name={n} answer={answer} />{" "}
          </span>
        ))}
      </span>
      at <Number_ name="rental" answer={answer} label="rent of a chip" /> a chip?
    </p>
  );
}
