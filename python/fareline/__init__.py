# SPDX-License-Identifier: Apache-2.0
"""What a token costs, how fast it comes, and why.

One function a question, with the names and arguments of the command line:

    import fareline
    answer = fareline.cost(model="deepseek-ai/DeepSeek-V3", system="gb200-nvl72", prompt=4096, output=512)
    answer.price.output, answer.latency.tpot.high, answer.bound.decode

A list in place of a value asks once for each and gives columns. What is wrong with a question is a fareline.Error.
"""
from . import _core, _questions
from ._answers import Answer, Error, Part, Quantity, Sweep

__version__ = _core.version


def ask(question, /, *, progress=None):
    """Answers {"question": name, "inputs": {...}}, as `fareline ask` answers a line of JSON."""
    kind = Sweep if question.get("question") == "sweep" else Answer
    return kind(_core.ask_document(question, progress))


_asked = _questions.functions()
globals().update(_asked)
__all__ = ["Answer", "Error", "Part", "Quantity", "Sweep", "ask", *_asked]
