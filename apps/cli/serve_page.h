// SPDX-License-Identifier: Apache-2.0
// The page at / of the service: what can be asked, and how.
#pragma once

#include <string_view>

namespace fareline::cli {

inline constexpr std::string_view index_page = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fareline</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
  pre { overflow-x: auto; padding: .75rem; border: 1px solid; border-radius: .4rem; }
</style>
</head>
<body>
<main>
<h1>fareline</h1>
<p>What a token costs on given hardware, how fast it comes, and why.</p>
<pre>curl -s http://127.0.0.1:8410/v1/ask -d '{"question": "cost", "inputs": {"model": "deepseek-ai/DeepSeek-V3",
  "system": "gb200-nvl72", "prompt": 4096, "output": 512}}'</pre>
<ul>
<li><code>POST /v1/ask</code>: a question, its answer; a list of questions, a list of answers. With
<code>Accept: text/event-stream</code> the answer comes as events, <code>progress</code> and then
<code>answer</code> or <code>error</code>.</li>
<li><a href="/v1/schema"><code>GET /v1/schema</code></a>: every question and input, as OpenAPI 3.1</li>
<li><a href="/v1/catalogue"><code>GET /v1/catalogue</code></a>: models, chips, systems, prices, calibrations</li>
<li><a href="/metrics"><code>GET /metrics</code></a>: counts and times, for Prometheus</li>
</ul>
</main>
</body>
</html>
)page";

}  // namespace fareline::cli
