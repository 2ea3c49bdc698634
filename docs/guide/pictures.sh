#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# pictures.sh [--check] [PROGRAM]: draws the guide's pictures into docs/guide/pictures; --check draws them elsewhere and compares.
set -euo pipefail
check=false
if [[ "${1:-}" == --check ]]; then check=true; shift; fi
fareline=$(realpath "${1:-$(dirname "${BASH_SOURCE[0]}")/../../build/release/fareline}")
cd "$(dirname "${BASH_SOURCE[0]}")"

out=pictures
if $check; then
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
fi
mkdir -p "$out"
picture() {  # picture NAME ARGS...: what "fareline ARGS... --plot NAME.svg" draws
  local name=$1; shift
  "$fareline" "$@" --plot "$out/$name.svg" >"$out/$name.log" || { cat "$out/$name.log"; exit 1; }
  rm "$out/$name.log"
}

llama=(--model meta-llama/Llama-3.1-70B --system hgx-h100 --stack vllm --tp 8)
chat=(--prompt 2048 --output 512)
deepseek=(--model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --ep 64 --dp 64)

picture two-rooflines sweep step "${llama[@]}" --pass prefill --vary tokens=1..8192
picture batch sweep cost "${llama[@]}" "${chat[@]}" --vary batch=1..256 --show price.output,latency.tpot
picture experts sweep step "${deepseek[@]}" --vary batch=1..4096 --show per_chip.weights,time
picture memory sweep memory --model meta-llama/Llama-3.1-70B --system hgx-h100 --tp 4 --vary context=1024..131072
picture serving sweep cost "${llama[@]}" "${chat[@]}" --replicas 1 --vary rate=0.5/s..6.5/s:13:linear --show latency.ttft,latency.tpot
picture money sweep cost "${llama[@]}" "${chat[@]}" --concurrency 64 --cached 0.8 --vary hold=1min..60min:13:linear --show price.cached_input,price.input
picture balance balance --model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --context 8192
picture departures departures --system rubin-nvl144 --batch 2000 --ride 200 --load 0.9
picture context context --model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --context 131072
picture racks racks --model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --racks 2
picture speed speed --model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --prompt 4096 --output 512
picture pipelines pipeline --schedule zb-h1
picture life lifetime --active_parameters 100e9
picture capacity capacity --model deepseek-ai/DeepSeek-V3 --system gb200-nvl72 --stages 4 --context 65536 --sequences 512
picture reversible reversible --layers 80 --hidden 8192
picture training train --model meta-llama/Llama-3.1-405B --system hgx-h100 --chips 8192 --tp 8 --pp 16 --batch 2048 --sharding gradients --tokens 15.6e12
picture tiers tiers --model meta-llama/Llama-3.1-70B --system hgx-h100 --context 8192
picture invert invert --input-price "5 USD/Mtok" --output-price "25 USD/Mtok" --write-5min-price "6.25 USD/Mtok" --above 200000 \
  --output-price-above "37.5 USD/Mtok" --active-parameters 100G --hardware-ratio 300
picture bill bill --input 8000 --cached 4000 --output 1000 --input-price "0.56 USD/Mtok" --cached-price "0.28 USD/Mtok" --output-price "1.68 USD/Mtok" \
  --model deepseek-ai/DeepSeek-V3.2 --system gb200-nvl72
picture simulate simulate --model meta-llama/Llama-3.1-70B --system hgx-h100 --tp 4 --traffic markov:4,0.1,60s --rate 2/s \
  --prompt lognormal:1024,0.8 --output lognormal:256,1.0 --requests 5000 --find-capacity
picture plan plan --model deepseek-ai/DeepSeek-V3 --systems hgx-h200,gb200-nvl72,mi355x-8 --prompt 4096 --output 512 --cached 0.5 --ttft 2s --tpot 30ms \
  --rate 50/s
picture calibration sweep step "${llama[@]}" --vary batch=1..256 --context 1024
picture measure sweep step --data example --model Qwen/Qwen3-0.6B --system my-machine --vary batch=1..64 --context 512
picture add-a-chip sweep cost --data example --model meta-llama/Llama-3.1-70B --system twice-h100-8 --stack vllm --tp 8 "${chat[@]}" --concurrency 64 \
  --vary hbm_bandwidth=2TB/s..8TB/s --show price.output

if $check; then
  if ! diff -rq "$out" pictures; then
    echo "what the program draws is not what is committed; run: docs/guide/pictures.sh, and look at the pictures"
    exit 1
  fi
fi
