#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# how-wrong.sh: writes the tables and the pictures of how-wrong.md, and how-wrong.csv, the rows that the page shows, anew from
# ../shared/data/dev beside the checkout. Run from anywhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
program=../../build/release/fareline table=../../../shared/data/dev/e2e_serving_aic_silicon_sample.csv.gz
[[ -r $table ]] || { echo "how-wrong.sh: no $table; the page stays as it is" >&2; exit 0; }
rows=$(mktemp)
shown=$("$program" validate "$table" --plot how-wrong.svg --csv "$rows" | sed -n '1,/^tpot by load/p' | sed '$d')
{
  sed '/^<!-- tables -->$/q' how-wrong.md
  printf '```\n%s\n```\n' "$shown"
  sed -n '/^<!-- end of tables -->$/,$p' how-wrong.md
} > how-wrong.new
mv how-wrong.new how-wrong.md
# A row of measurements a line: both times, predicted and measured, to three digits.
awk -F, -v OFS=, '
  BEGIN { print "model,system,engine,precision,layout,users,prompt,output,tpot_predicted,tpot_measured,ttft_predicted,ttft_measured" }
  NR == 1 { next }
  { times = sprintf("%.3g,%.3g", $13, $17) }
  $11 == "tpot" { sub(/^users /, "", $8); row[$1] = $2 OFS $3 OFS $4 OFS $6 OFS $7 OFS $8 OFS $9 OFS $10; tpot[$1] = times; key[++n] = $1 }
  $11 == "ttft" { ttft[$1] = times }
  END { for (i = 1; i <= n; ++i) print row[key[i]], tpot[key[i]], key[i] in ttft ? ttft[key[i]] : OFS }' "$rows" > how-wrong.csv
rm "$rows"
runs=(../../../shared/data/dev/vllm_per_request_runs.csv.gz ../../../shared/data/dev/vllm_timeseries_runs.csv.gz)
shown=$("$program" validate "${runs[@]}" --plot requests.svg)
{
  sed '/^<!-- run -->$/q' how-wrong.md
  printf '```\n%s\n```\n' "$shown"
  sed -n '/^<!-- end of run -->$/,$p' how-wrong.md
} > how-wrong.new
mv how-wrong.new how-wrong.md
