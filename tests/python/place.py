# SPDX-License-Identifier: Apache-2.0
"""Where tests find the program and the checkout, and how an example of a question becomes arguments."""
import os
import shlex
import subprocess
from pathlib import Path

program = os.environ["FARELINE_PROGRAM"]
checkout = Path(__file__).resolve().parent.parent.parent


def printed(*arguments, given=""):
    """What the program prints on standard output, and its exit status."""
    run = subprocess.run([program, *arguments], input=given, capture_output=True, text=True, cwd=checkout)
    return run.stdout, run.returncode


def arguments_of(question):
    """The example of a row of the question table as arguments of its function: (given in order, given by name)."""
    words = shlex.split(question["example"])
    in_order = []
    while words and not words[0].startswith("--"):
        in_order.append(words.pop(0))
    named = {}
    while words:
        name = words.pop(0)[2:].replace("-", "_")
        named[name] = words.pop(0) if words and not words[0].startswith("--") else "yes"
    if "set" in named:
        named["set"] = dict([named["set"].split("=")])
    return in_order, named
