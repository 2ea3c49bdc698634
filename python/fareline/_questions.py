# SPDX-License-Identifier: Apache-2.0
"""One function a question, made from the question tables; and the stubs that editors and type checkers read.

`python -m fareline._questions` writes the stubs.
"""
import inspect
import keyword
import re

from . import _core
from ._answers import Answer, Error, Quantity, Sweep

swept = ("cost", "step", "memory")            # questions that are asked over lists
positional = ("list", "show", "lecture")      # questions whose inputs the command line takes without names


def is_list(value):
    return isinstance(value, (list, tuple, range)) or getattr(value, "ndim", 0) == 1


def range_text(name, values):
    """What a list is to the question "sweep": batch=1,2,4."""
    texts = []
    for value in values.tolist() if hasattr(values, "tolist") else values:
        if isinstance(value, Quantity):
            text = f"{value.value!r}{value.unit}" if value.unit != "1" else repr(value.value)
        else:
            text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value).replace(" ", "")
        texts.append(text)
    if not texts:
        raise Error(name, "is an empty list", "give values")
    return f"{name}={','.join(texts)}"


def asked(name, documents, inputs, progress):
    """The answer to a question; a sweep where an input is a list."""
    inputs = {key: value for key, value in inputs.items() if value is not None}
    if name == "sweep":
        return Sweep(_core.ask("sweep", sweep_inputs(inputs), progress))
    lists = [key for key, value in inputs.items() if key != "show" and is_list(value) and key not in documents]
    if not lists:
        if "show" in inputs and name in swept:
            raise Error("show", "is given where no input is a list", "give one, e.g. batch=[1, 2, 4]")
        return Answer(_core.ask(name, inputs, progress))
    if name not in swept:
        raise Error(lists[0], "is a list", f"ask one by one; lists are taken by {', '.join(swept)}")
    vary = " ".join([range_text(key, inputs.pop(key)) for key in lists])
    sweep = {"of": name, "vary": vary}
    if "show" in inputs:
        sweep["show"] = shown(inputs.pop("show"))
    return Sweep(_core.ask("sweep", {**sweep, "inputs": inputs}, progress))


def shown(show):
    return show if isinstance(show, str) else ",".join(show)


def sweep_inputs(inputs):
    """Those of "sweep" stay, the rest are the inputs of the question that is asked at each point."""
    own = {name: inputs.pop(name) for name in ("of", "vary", "show", "inputs") if name in inputs}
    vary = own.get("vary", "")
    if isinstance(vary, dict):
        vary = [range_text(name, values) for name, values in vary.items()]
    if not isinstance(vary, str):
        vary = " ".join(one.replace(" ", "") for one in vary)
    own["vary"] = vary or " "
    if "show" in own:
        own["show"] = shown(own["show"])
    own["inputs"] = {**own.get("inputs", {}), **inputs}
    return own


# ── from the tables ──


def python_name(name):
    return name + "_" if keyword.iskeyword(name) else name


def parameters(question):
    """Name and row of each argument of a question's function; a name that is a word of Python's own has an underscore behind it."""
    rows = [(python_name(row["name"]), row) for row in question["inputs"]]
    if question["name"] in swept:
        rows.append(("show", {"name": "show", "kind": "shown", "value": "", "reason": "price and pace of cost; time of step; the largest "
                              "batch of memory", "summary": "of lists: paths of the answer to collect", "choices": "", "unit": ""}))
    return rows


def annotation(row, swept_question):
    kind, types = row["kind"], {
        "text": "str", "choice": "str", "count": "int | str", "number": "float | str", "quantity": "str | Quantity",
        "model": "str | os.PathLike[str] | Mapping[str, Any]", "document": "str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any]",
        "shown": "str | Sequence[str]"}
    if row["choices"]:
        types["choice"] = f"Literal[{', '.join(repr(choice) for choice in row['choices'].split(','))}]"
        if row["choices"] == "no,yes":
            types["choice"] += " | bool"
    one = types[kind]
    if swept_question and kind not in ("document", "shown"):
        member = "str" if kind == "model" else one
        one += f" | Sequence[{member}]" + (" | Array" if kind in ("count", "number") else "")
    return f"{one} | None"


def docstring(question):
    sentence = question["summary"]
    lines = [sentence[0].upper() + sentence[1:] + ".", "", f"On the command line: fareline {question['name']} {question['example']}", ""]
    for name, row in parameters(question):
        about = row["summary"]
        if row["choices"]:
            about += ": " + row["choices"].replace(",", ", ")
        if row["unit"]:
            about += f"; with a unit, e.g. of {row['unit']}"
        default = f"{row['value']}: {row['reason']}" if row["value"] else row["reason"]
        lines.append(f"{name}: {about} [{default}]" if default else f"{name}: {about}")
    lines.append("progress: called with the share of the answer, 0 to 1, that is there")
    return "\n".join(lines)


def signature(question):
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if question["name"] in positional else inspect.Parameter.KEYWORD_ONLY
    listed = [inspect.Parameter(name, kind, default=None) for name, _ in parameters(question)]
    if question["name"] == "sweep":
        listed[0] = listed[0].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD)
    listed.append(inspect.Parameter("progress", inspect.Parameter.KEYWORD_ONLY, default=None))
    if question["name"] == "sweep":
        listed.append(inspect.Parameter("inputs_of_the_question", inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(listed)


def function(question):
    """The function that asks a question."""
    in_order = [row["name"] for row in question["inputs"]]
    words = {python_name(name): name for name in in_order if keyword.iskeyword(name)}
    documents = frozenset(row["name"] for row in question["inputs"] if row["kind"] == "document")
    most = len(in_order) if question["name"] in positional else 1 if question["name"] == "sweep" else 0

    def ask(*given, progress=None, **inputs):
        if len(given) > most:
            raise TypeError(f"{question['name']} takes its inputs by name")
        for name, value in zip(in_order, given):
            if name in inputs:
                raise TypeError(f"{name} is given twice")
            inputs[name] = value
        for spelled, name in words.items():
            if spelled in inputs:
                inputs[name] = inputs.pop(spelled)
        return asked(question["name"], documents, inputs, progress)

    ask.__name__ = ask.__qualname__ = question["name"]
    ask.__module__ = "fareline"
    ask.__doc__ = docstring(question)
    ask.__signature__ = signature(question)
    return ask


def functions():
    return {question["name"]: function(question) for question in _core.questions()}


# ── stubs ──

stub_head = '''# SPDX-License-Identifier: Apache-2.0
# Written by `python -m fareline._questions`. Do not edit.
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from ._answers import Answer as Answer, Error as Error, Part as Part, Quantity as Quantity, Sweep as Sweep

Array = Any  # of NumPy

def ask(question: Mapping[str, Any], /, *, progress: Callable[[float], object] | None = None) -> Answer: ...
'''


def stub():
    """The text of __init__.pyi."""
    out = stub_head
    for question in _core.questions():
        lists = question["name"] in swept
        star = "" if question["name"] in positional else "    *,\n"
        arguments = ""
        for i, (name, row) in enumerate(parameters(question)):
            if question["name"] == "sweep" and name == "vary":
                row = {**row, "kind": "shown"}
            argument = f"    {name}: {annotation(row, lists)} = None,\n"
            if question["name"] == "sweep" and name == "vary":
                argument = "    vary: str | Sequence[str] | Mapping[str, Sequence[Any]] | None = None,\n"
            if question["name"] == "sweep" and i == 0:
                arguments += argument + star
            else:
                arguments += (star if i == 0 else "") + argument
        if question["name"] in positional:
            arguments += "    *,\n"
        arguments += "    progress: Callable[[float], object] | None = None,\n"
        if question["name"] == "sweep":
            arguments += "    **inputs_of_the_question: Any,\n"
        result = "Answer | Sweep" if lists else "Sweep" if question["name"] == "sweep" else "Answer"
        summary = re.sub(r"\s+", " ", question["summary"])
        out += f'\ndef {question["name"]}(\n{arguments}) -> {result}:\n    """{summary[0].upper() + summary[1:]}."""\n'
    return out


if __name__ == "__main__":
    print(stub(), end="")
