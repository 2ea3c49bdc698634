// SPDX-License-Identifier: Apache-2.0
// browser.mjs, with PAGE and FARELINE in the environment: drives the page in Debian's chromium as its reader would, and prints what it
// measured. With PICTURES, a folder, it leaves what it saw there.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";

const { PAGE: file, FARELINE: fareline, PICTURES: pictures } = process.env;
const modules = createRequire(path.join(process.cwd(), "package.json"));
const { chromium } = modules("playwright-core");
const axe = modules("axe-core").source;
const url = pathToFileURL(path.resolve(file)).href;
const profile = mkdtempSync(path.join(tmpdir(), "fareline-page-"));
if (pictures) mkdirSync(pictures, { recursive: true });

const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  viewport: { width: 1280, height: 900 },
  acceptDownloads: true,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
after(async () => {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
});

const complaints = [],
  requests = [];
context.on("page", (page) => {
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
});
const page = await context.newPage();
page.setDefaultTimeout(60_000);

async function open(hash = "") {
  await page.goto("about:blank");
  await page.goto(url + hash);
}
const settled = () => page.waitForFunction(() => performance.getEntriesByType("mark").some((e) => e.name === "ready"));
const picture = async (name) => pictures && page.screenshot({ path: path.join(pictures, `${name}.png`), fullPage: true });
const asked = (question) => JSON.parse(spawnSync(fareline, ["ask"], { input: JSON.stringify(question) + "\n", encoding: "utf8" }).stdout);
async function axe_clean(what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run());
  const said = violations.map(
    (v) =>
      `${v.id}: ${v.help}: ${v.nodes
        .slice(0, 3)
        .map((n) => n.html.slice(0, 160))
        .join(" | ")}`,
  );
  assert.deepEqual(said, [], `axe on ${what}`);
}
const drop = (name, text) =>
  page.evaluate(
    ([name, text]) => {
      const carried = new DataTransfer();
      carried.items.add(new File([text], name, { type: "application/json" }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
    },
    [name, text],
  );
const spread = (times) => {
  const sorted = [...times].sort((a, b) => a - b),
    at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  return `median ${at(0.5).toFixed(1)} ms, p95 ${at(0.95).toFixed(1)} ms of ${sorted.length}`;
};

test("it answers when it opens, with the command line's numbers", async (t) => {
  const ready = [];
  for (let i = 0; i < 3; ++i) {
    await open();
    await page.locator(".number").first().waitFor();
    ready.push(await page.evaluate(() => performance.now()));
  }
  t.diagnostic(`from opening to the first answer on the screen: ${ready.map((r) => r.toFixed(0)).join(", ")} ms`);
  await settled();
  const { answer } = asked({
    question: "cost",
    inputs: { model: "deepseek-ai/DeepSeek-V3", system: "gb200-nvl72", prompt: 4096, output: 512 },
  });
  const shown = await page.locator(".number", { hasText: "output" }).first().innerText();
  assert.match(shown, new RegExp(String(Number(answer.price.output.value.toPrecision(3))).replace(".", "\\.")));
  await picture("ask-light");
});

test("a number opens into its formula, what went in, and its source", async () => {
  await page.getByRole("button", { name: /^each further token/ }).click();
  const opened = page.locator(".number.open");
  await opened.locator("code").first().waitFor();
  assert.match(await opened.innerText(), /output - 1/);
  await picture("ask-open");
});

test("a number is stepped by keys and typed, and the address says so", async () => {
  const prompt = page.locator(".sentence").getByRole("spinbutton", { name: /^prompt tokens/ });
  await prompt.focus();
  await page.keyboard.press("PageUp");
  await page.waitForFunction(() => location.hash.includes("prompt=8200"));
  await page.keyboard.press("Enter");
  await page.keyboard.type("2000");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.hash.includes("prompt=2000"));
});

test("a link restores what it shows", async () => {
  await open("#ask?model=meta-llama%2FLlama-3.1-70B&system=hgx-h100&prompt=3000&output=300&tp=8&concurrency=16");
  await page.locator(".number").first().waitFor();
  const { answer } = asked({
    question: "cost",
    inputs: { model: "meta-llama/Llama-3.1-70B", system: "hgx-h100", prompt: 3000, output: 300, tp: 8, concurrency: 16 },
  });
  await page.locator(".lead", { hasText: answer.why }).waitFor();
  assert.equal(await page.getByLabel("model", { exact: true }).inputValue(), "meta-llama/Llama-3.1-70B");
});

test("what does not fit is said, with what would", async () => {
  await open("#ask?model=meta-llama%2FLlama-3.1-70B&system=hgx-h100&prompt=3000&output=300&tp=1&concurrency=16");
  await page.locator(".nofit", { hasText: "does not fit" }).waitFor();
});

test("an unknown model is refused with the nearest names", async () => {
  await open("#ask?model=meta-llama%2FLlama-3.1-71B&system=hgx-h100&prompt=3000&output=300");
  await page.locator(".refused", { hasText: "Llama-3.1-70B" }).waitFor();
});

test("a dropped config.json is answered as the command line answers it", async () => {
  const config = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    vocab_size: 128256,
    torch_dtype: "bfloat16",
    max_position_embeddings: 131072,
    tie_word_embeddings: true,
  };
  await open("#ask?model=meta-llama%2FLlama-3.1-70B&system=hgx-h100&prompt=3000&output=300&tp=1&concurrency=16");
  await page.locator(".nofit").waitFor();
  await drop("mine.json", JSON.stringify(config));
  const { answer } = asked({
    question: "cost",
    inputs: { model: { name: "mine", config }, system: "hgx-h100", prompt: 3000, output: 300, tp: 1, concurrency: 16 },
  });
  await page.locator(".lead", { hasText: answer.why }).waitFor();
  await page.waitForFunction(() => location.hash.includes("config="));
  const link = await page.evaluate(() => location.hash);
  await open(link);
  await page.locator(".lead", { hasText: answer.why }).waitFor();
});

test("bad files are refused in words and change nothing", async () => {
  await drop("notes.txt", "not json");
  await page.locator(".refused", { hasText: "notes.txt is not a model's config.json" }).waitFor();
  await page.locator(".number").first().waitFor();
  await drop("empty.json", '{"hidden_size": -4}');
  await page.locator(".refused[role=alert]", { has: page.locator("em") }).waitFor();
});

test("curves are redrawn by a drag, all of them", async (t) => {
  await open("#curves?model=meta-llama%2FLlama-3.1-70B&system=hgx-h100&prompt=2048&output=512&tp=8&concurrency=64");
  await page.locator("#curves figure").nth(5).waitFor();
  await page.waitForTimeout(1500);
  await picture("curves-light");
  const figure = page.locator("#curves figure").first(),
    before = await page.locator("#curves figure").nth(2).locator("path").first().getAttribute("d");
  const handle = await figure.locator(".here circle").boundingBox();
  await page.evaluate(() => performance.clearMeasures());
  await page.mouse.move(handle.x + 7, handle.y + 7);
  await page.mouse.down();
  for (let i = 1; i <= 40; ++i) {
    await page.mouse.move(handle.x + 7 + 3 * i, handle.y + 7);
    await page.waitForTimeout(25);
  }
  await page.mouse.up();
  await page.waitForFunction(() => !location.hash.includes("concurrency=64"));
  assert.notEqual(await page.locator("#curves figure").nth(2).locator("path").first().getAttribute("d"), before);
  const times = await page.evaluate(() => performance.getEntriesByName("redraw").map((e) => e.duration));
  t.diagnostic(`from a drag's event to six figures redrawn, computing included: ${spread(times)}`);
  const drawn = await page.evaluate(() => performance.getEntriesByName("draw").map((e) => e.duration));
  if (drawn.length) t.diagnostic(`of which drawing: ${spread(drawn)}`);
  await page.locator("#curves figure").nth(5).scrollIntoViewIfNeeded();
  const roof = await page.locator("#curves figure").nth(5).locator(".handle").first().boundingBox();
  await page.mouse.move(roof.x + roof.width / 2, roof.y + roof.height / 2);
  await page.mouse.down();
  await page.mouse.move(roof.x + roof.width / 2, roof.y + roof.height / 2 - 30, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction(() => /hbm_bandwidth|peak/.test(location.hash));
});

test("two settings are pinned and compared", async () => {
  await page.getByRole("button", { name: /^pin this setting/ }).click();
  const figure = page.locator("#curves .picture").nth(2);
  await figure.focus();
  for (let i = 0; i < 8; ++i) await page.keyboard.press("ArrowRight");
  await page.locator(".compare table").waitFor();
  await page.waitForFunction(() => location.hash.includes("pin.tp="));
  await page.waitForTimeout(1200);
  await picture("curves-pinned");
});

test("figures are taken along as SVG, PNG and CSV, and read as a table", async () => {
  const figure = page.locator("#curves figure").first();
  for (const kind of ["SVG", "PNG", "CSV"]) {
    const [got] = await Promise.all([
      page.waitForEvent("download"),
      figure.getByRole("button", { name: new RegExp(`as ${kind}$`) }).click(),
    ]);
    assert.match(got.suggestedFilename(), new RegExp(`\\.${kind.toLowerCase()}$`));
    if (pictures) await got.saveAs(path.join(pictures, got.suggestedFilename()));
  }
  await figure.getByRole("button", { name: "values" }).click();
  assert.ok((await figure.locator("tbody tr").count()) > 20);
});

test("every chapter of the lecture draws its figures", async () => {
  await open("#lecture");
  await page.locator(".lecture figure").first().waitFor();
  const chapters = await page.locator(".lecture nav a").allInnerTexts();
  assert.ok(chapters.length >= 6, chapters.join(", "));
  for (const chapter of chapters) {
    await page.locator(".lecture nav a", { hasText: chapter }).click();
    await page.locator("h1", { hasText: chapter }).waitFor();
    await page.locator(".lecture figure svg").first().waitFor();
    await page.waitForTimeout(300);
    assert.equal(await page.locator(".lecture .refused").count(), 0, chapter);
    assert.doesNotMatch(await page.locator(".lecture .prose").innerText(), /–|undefined|NaN/, chapter);
    await picture(`lecture-${chapter.toLowerCase().replace(/[^a-z]+/g, "-")}`);
  }
});

test("a simulation runs in its worker, and is cancelled", async () => {
  await open(
    "#simulate?model=meta-llama%2FLlama-3.1-70B&system=hgx-h100&tp=4&rate=2%2Fs&prompt=lognormal%3A1024%2C0.8" +
      "&output=lognormal%3A256%2C1.0&requests=1000",
  );
  await page.getByRole("button", { name: "Run" }).click();
  await page.locator(".asked figure").first().waitFor();
  await picture("simulate-light");
  await page.locator("#in-requests").fill("5000000");
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.locator("p[role=status]", { hasText: "cancelled" }).waitFor();
});

test("every question is asked by its table", async () => {
  await open("#questions/step");
  await page.locator(".asked figure, .asked table").first().waitFor();
  await picture("questions");
});

test("truth is told", async () => {
  await open("#truth");
  await page.locator("tbody tr").first().waitFor();
  await picture("truth");
});

for (const scheme of ["light", "dark"])
  for (const view of ["ask", "curves", "lecture", "simulate", "truth", "questions"])
    test(`axe finds nothing: ${view}, ${scheme}`, async () => {
      await page.emulateMedia({ colorScheme: scheme });
      await open(`#${view}`);
      await settled();
      await page.locator("figure, table, form").first().waitFor();
      await page.waitForTimeout(700);
      await axe_clean(`${view}, ${scheme}`);
      if (scheme === "dark") await picture(`${view}-dark`);
    });

test("on a telephone nothing is cut off", async () => {
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 375, height: 780 });
  for (const view of ["ask", "curves", "lecture", "simulate", "truth"]) {
    await open(`#${view}`);
    await settled();
    await page.locator("figure, table, form").first().waitFor();
    await page.waitForTimeout(500);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    await picture(`${view}-phone`);
    assert.ok(wide <= 375, `${view} is ${wide} wide`);
  }
});

test("no request left the page, and the console holds no error", () => {
  assert.deepEqual(complaints, []);
  assert.deepEqual(
    requests.filter((r) => !/^(file|blob|data):/.test(r) && r !== "about:blank"),
    [],
  );
});
