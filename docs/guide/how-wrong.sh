#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# how-wrong.sh: writes the tables and the pictures of how-wrong.md anew, from ../shared/data/dev beside the checkout. Run from anywhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
program=../../build/release/fareline table=../../../shared/data/dev/e2e_serving_aic_silicon_sample.csv.gz
[[ -r $table ]] || { echo "how-wrong.sh: no $table; the page stays as it is" >&2; exit 0; }
shown=$("$program" validate "$table" --plot how-wrong.svg | sed -n '1,/^tpot by load/p' | sed '$d')
{
  sed '/^<!-- tables -->$/q' how-wrong.md
  printf '```\n%s\n```\n' "$shown"
  sed -n '/^<!-- end of tables -->$/,$p' how-wrong.md
} > how-wrong.new
mv how-wrong.new how-wrong.md
runs=(../../../shared/data/dev/vllm_per_request_runs.csv.gz ../../../shared/data/dev/vllm_timeseries_runs.csv.gz)
shown=$("$program" validate "${runs[@]}" --plot requests.svg)
{
  sed '/^<!-- run -->$/q' how-wrong.md
  printf '```\n%s\n```\n' "$shown"
  sed -n '/^<!-- end of run -->$/,$p' how-wrong.md
} > how-wrong.new
mv how-wrong.new how-wrong.md
