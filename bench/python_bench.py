# SPDX-License-Identifier: Apache-2.0
"""python_bench.py PROGRAM: cost questions a second from Python, one by one and through a list, beside lines of `fareline ask`.

With the package on the path: PYTHONPATH=build/release/python python3 bench/python_bench.py build/release/fareline
"""
import json
import subprocess
import sys
import time

import fareline

inputs = {"model": "meta-llama/Llama-3.1-70B", "system": "hgx-h100", "tp": 8, "prompt": 2048, "output": 512}
points, singles = 20_000, 5_000


def rate(count, ask):
    begun = time.perf_counter()
    ask()
    return count / (time.perf_counter() - begun)


def lines():
    text = json.dumps({"question": "cost", "inputs": {**inputs, "batch": 64, "explain": "none"}}) + "\n"
    subprocess.run([sys.argv[1], "ask"], input=text * singles, stdout=subprocess.DEVNULL, text=True, check=True)


def one_by_one():
    for _ in range(singles):
        fareline.cost(**inputs, batch=64, explain="none")


base = rate(singles, lines)
print(f"{'lines of fareline ask':24}{base:10,.0f}/s")
for name, count, ask in (("single calls", singles, one_by_one), ("one call with a list", points, lambda: fareline.cost(**inputs, batch=range(1, points + 1)))):
    found = rate(count, ask)
    print(f"{name:24}{found:10,.0f}/s  {found / base:.2f} times")
