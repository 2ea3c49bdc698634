# SPDX-License-Identifier: Apache-2.0
"""snippets.py [--update] FILE...: runs the Python of Markdown pages.

Lines behind ">>> " in blocks fenced as python are run, a page in one session, and what they print is compared with what the page
shows; "..." stands for anything. --update writes what is printed where it differs.
"""
import doctest
import sys
from pathlib import Path

flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Kept(doctest.DocTestRunner):
    """Keeps what each example printed."""

    def __init__(self):
        super().__init__(optionflags=flags)
        self.got = {}

    def report_failure(self, out, test, example, got):
        super().report_failure(out, test, example, got)
        self.got[example.lineno] = got


def blocks(text):
    """First line, and lines, of each block fenced as python."""
    lines = text.splitlines(keepends=True)
    at = 0
    while at < len(lines):
        if lines[at].startswith("```python"):
            end = next(i for i in range(at + 1, len(lines)) if lines[i].startswith("```"))
            yield at + 1, lines[at + 1:end]
            at = end
        at += 1


def run(path, update):
    text = path.read_text()
    examples, lines = [], text.splitlines(keepends=True)
    for first, block in blocks(text):
        for example in doctest.DocTestParser().get_examples("".join(block)):
            example.lineno += first
            examples.append(example)
    if not examples:
        print(f"{path}: holds no Python to run")
        return 1
    runner = Kept()
    runner.run(doctest.DocTest(examples, {}, path.name, str(path), 0, text), clear_globs=True)
    if not update:
        return runner.failures
    for example in reversed(examples):
        if example.lineno in runner.got:
            begin = example.lineno + example.source.count("\n")
            lines[begin:begin + example.want.count("\n")] = runner.got[example.lineno].splitlines(keepends=True)
    path.write_text("".join(lines))
    return 0


if __name__ == "__main__":
    update = sys.argv[1] == "--update"
    sys.exit(1 if sum(run(Path(path), update) for path in sys.argv[1 + update:]) else 0)
