// SPDX-License-Identifier: Apache-2.0
// build.mjs CORE.wasm RESIDUALS.csv OUT.html CORE.js: bundles the page into one file that asks nobody for anything: script, style, and the core,
// compressed; and the core's script alone, for tests.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const [wasm, residuals, out, alone] = process.argv.slice(2);
const common = {
  bundle: true,
  minify: true,
  write: false,
  target: "es2022",
  format: "iife",
  charset: "utf8",
  absWorkingDir: here,
  legalComments: "none",
};
const text = async (options) => (await build({ ...common, ...options })).outputFiles[0].text;

writeFileSync(alone, await text({ entryPoints: ["src/core.ts"], format: "esm" }));
const worker = await text({ entryPoints: ["src/worker.ts"] });
const script = await text({
  entryPoints: ["src/main.tsx"],
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { WORKER: JSON.stringify(worker) },
});
const style = await text({ entryPoints: ["src/page.css"] });
const squeeze = (file) => gzipSync(readFileSync(file), { level: constants.Z_BEST_COMPRESSION, memLevel: 9 });
const [squeezed, truth] = [wasm, residuals].map(squeeze);
const inline = (code) => code.replaceAll("</script", "<\\/script");

// No request can leave the page: the policy allows none.
const policy =
  "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval'; worker-src blob:; style-src 'unsafe-inline'; img-src data: blob:";
const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="light dark">
<title>fareline: what a token costs</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='3' fill='%2318332b'/%3E%3Cpath d='M3 4c1 6 4 8 10 8' fill='none' stroke='%23ffd866' stroke-width='2' stroke-linecap='round'/%3E%3C/svg%3E">
<style>${style}</style>
</head>
<body>
<div id="page"></div>
<noscript>This page computes in your browser and needs JavaScript.</noscript>
<script type="application/octet-stream" id="core">${squeezed.toString("base64")}</script>
<script type="application/octet-stream" id="residuals">${truth.toString("base64")}</script>
<script>${inline(script)}</script>
</body>
</html>
`;
mkdirSync(path.dirname(out), { recursive: true });
writeFileSync(out, html);
const kB = (n) => `${(n / 1000).toFixed(1)} kB`;
console.log(
  `${out}: ${kB(html.length)}, ${kB(gzipSync(html, { level: 9 }).length)} gzipped (core ${kB(squeezed.length)}, residuals ${kB(truth.length)}, script ${kB(gzipSync(script).length)}, style ${kB(gzipSync(style).length)})`,
);
