# SPDX-License-Identifier: Apache-2.0
"""Answers as Python objects: attributes for members, numbers that know their unit, columns for sweeps."""
import html

from . import _core


class Error(ValueError):
    """Bad input: where it stands, what is wrong with it, and what to write instead."""

    def __init__(self, where, what, remedy):
        super().__init__(where, what, remedy)
        self.where, self.what, self.remedy = where, what, remedy

    def __str__(self):
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}; {self.remedy}" if self.remedy else line


class Quantity(float):
    """A number with its unit. It counts as its value in that unit; `floor`, `low`, `high`, `ceiling`, `source` where the answer has them."""

    def __new__(cls, members):
        self = super().__new__(cls, members["value"])
        self._members = members
        return self

    @property
    def value(self):
        return float(self)

    @property
    def unit(self):
        return self._members["unit"]

    def __getattr__(self, name):
        if name == "_members" or name not in self._members:
            raise AttributeError(f"a quantity in {self.unit} has no {name}" if name != "_members" else name)
        member = self._members[name]
        return Quantity({"value": member, "unit": self.unit}) if name in ("floor", "ceiling", "low", "high") else member

    def __dir__(self):
        return [*super().__dir__(), *self._members]

    def __repr__(self):
        return _core.quantity_text(float(self), self.unit)

    __str__ = __repr__

    def __format__(self, spec):
        return repr(self) if not spec else format(float(self), spec)

    def __reduce__(self):
        return Quantity, (self._members,)

    def _repr_html_(self):
        return html.escape(repr(self))


def dressed(json):
    """The objects for what stands in an answer."""
    if isinstance(json, dict):
        number = type(json.get("value")) in (int, float) and isinstance(json.get("unit"), str)
        return Quantity(json) if number and "id" not in json else Part(json)
    return [dressed(element) for element in json] if isinstance(json, list) else json


class Part:
    """A part of an answer: its members are attributes, and items where a name is no Python name."""

    __slots__ = ("_members",)

    def __init__(self, members):
        self._members = members

    def __getattr__(self, name):
        try:
            return dressed(self._members[name])
        except KeyError:
            raise AttributeError(f"there is no {name!r} among {', '.join(self._members) or 'nothing'}") from None

    def __getitem__(self, name):
        return dressed(self._members[name])

    def __contains__(self, name):
        return name in self._members

    def __iter__(self):
        return iter(self._members)

    def __len__(self):
        return len(self._members)

    def __eq__(self, other):
        return isinstance(other, Part) and self._members == other._members

    __hash__ = None

    def __dir__(self):
        return [*super().__dir__(), *self._members]

    def __reduce__(self):
        return Part, (self._members,)

    def __repr__(self):
        return "{" + ", ".join(f"{name}: {dressed(member)!r}" for name, member in self._members.items()) + "}"

    def dict(self):
        """The same as plain dicts, lists, numbers and text."""
        return self._members


class Answer:
    """What a question was answered. The members of the answer are attributes: `answer.price.output`, `answer.latency.tpot.low`.

    `inputs` are the values used, who chose them and why; `explain` says where the numbers come from; `warnings` is a list of
    sentences. `print(answer)` shows what the command line shows.
    """

    def __init__(self, core):
        self._core = core
        self._members = {}

    def _member(self, name):
        if name not in self._members:
            self._members[name] = self._core.member(name)
        return self._members[name]

    @property
    def question(self):
        return self._member("question")

    @property
    def inputs(self):
        return dressed(self._member("inputs"))

    @property
    def answer(self):
        return dressed(self._member("answer"))

    @property
    def explain(self):
        return dressed(self._member("explain"))

    @property
    def warnings(self):
        return self._member("warnings")

    @property
    def run(self):
        return dressed(self._member("run"))

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return dressed(self._member("answer")[name])
        except (KeyError, TypeError):
            raise AttributeError(f"the answer has no {name!r}, but {', '.join(self._member('answer'))}") from None

    def __getitem__(self, name):
        """The member at a dotted path: answer["price.output"]."""
        here = self._member("answer")
        for key in name.split("."):
            if not isinstance(here, dict) or key not in here:
                raise KeyError(name)
            here = here[key]
        return dressed(here)

    def __dir__(self):
        return [*super().__dir__(), *self._member("answer")]

    def json(self, indent=2):
        """The answer as JSON: the bytes that `fareline QUESTION --json` prints; with indent=None those of `fareline ask`, one line."""
        return self._core.json(indent)

    def svg(self):
        """The picture as SVG; None where the question has none."""
        return self._core.plot()

    def __str__(self):
        return self._core.text(False).rstrip("\n")

    def __repr__(self):
        return f"<fareline.{type(self).__name__} to {self.question!r}: {', '.join(self._member('answer'))}>"

    def _repr_html_(self):
        return _page(self._table(), self._member("answer"), self.warnings, self.svg())

    def _table(self):
        quantities = list(_quantities(self._member("answer")))
        banded = [(name, q) for name, q in quantities if "low" in q]
        if not banded:
            return _html_table(["", "value"], [[name, _text(q)] for name, q in quantities[:most_rows]])
        bound = [[name, _text(q), _text(q, "ceiling" if "ceiling" in q else "floor"), f"{_text(q, 'low')} to {_text(q, 'high')}"]
                 for name, q in banded[:most_rows]]
        return _html_table(["", "estimate", "bound of physics", "80% band"], bound)


class Sweep(Answer):
    """A question asked over one or two lists. `columns` are arrays of NumPy where it is installed, lists otherwise; of two lists the first
    runs fastest. A point that does not fit is not a number, and `infeasible` says why."""

    def _column(self, group, index, name="values"):
        values = self._core.values(group, index, name)
        if not isinstance(values, bytes):
            return values
        numpy = _numpy()
        return numpy.frombuffer(values).copy() if numpy else memoryview(values).cast("d").tolist()

    @property
    def columns(self):
        """The varied inputs and what is shown, by name, all of one length."""
        varied = {name: self._column("varied", i) for i, (name, _) in enumerate(self._core.heads("varied"))}
        if len(varied) == 2:
            (across, first), (down, second) = varied.items()
            varied = {across: _like(first, [value for _ in second for value in first]),
                      down: _like(second, [value for value in second for _ in first])}
        return {**varied, **{name: self._column("columns", i) for i, (name, _) in enumerate(self._core.heads("columns"))}}

    @property
    def units(self):
        """The unit of each column."""
        return dict([*self._core.heads("varied"), *self._core.heads("columns")])

    def column(self, name, part="values"):
        """One column; part: "values", "floor", "low" or "high"."""
        for i, (shown, _) in enumerate(self._core.heads("columns")):
            if shown == name:
                return self._column("columns", i, part)
        return self.columns[name]

    def __getitem__(self, name):
        return self.column(name)

    def __len__(self):
        return self._core.points()

    def frame(self):
        """The columns as a pandas DataFrame, with floor and band behind each. Error where pandas is not installed."""
        try:
            import pandas
        except ImportError:
            raise Error("frame", "pandas is not installed", "install it, or use columns") from None
        columns = self.columns
        for name, _ in self._core.heads("columns"):
            for part in ("floor", "low", "high"):
                values = self.column(name, part)
                if values is not None:
                    columns[f"{name}.{part}"] = values
        return pandas.DataFrame({**columns, "bound": self.bound, "infeasible": self.infeasible})

    def __repr__(self):
        return f"<fareline.Sweep of {len(self)} points: {', '.join(self.units)}>"

    def _table(self):
        columns, units = self.columns, self.units
        rows = [[value if isinstance(value, str) else _core.quantity_text(float(value), units[name]) for name, value in zip(columns, row)]
                for row in zip(*columns.values())]
        if len(rows) > most_rows:
            rows = [*rows[:most_rows // 2], ["…"] * len(columns), *rows[-most_rows // 2:]]
        return _html_table(list(columns), rows)


# ── in a notebook ──

most_rows = 40


def _text(quantity, name="value"):
    value = quantity.get(name)
    return "" if value is None else _core.quantity_text(float(value), quantity["unit"])


def _quantities(json, path=""):
    if not isinstance(json, dict):
        return
    if type(json.get("value")) in (int, float) and "unit" in json:
        yield path.replace("_", " ").replace(".", ", "), json
        return
    for name, member in json.items():
        yield from _quantities(member, f"{path}.{name}" if path else name)


def _html_table(heads, rows):
    def row(tag, cells):
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + row("th", heads) + "".join(row("td", cells) for cells in rows) + "</table>"


def _page(table, answer, warnings, svg):
    sentences = [answer.get(name) for name in ("reason", "why", "change")] if isinstance(answer, dict) else []
    said = "".join(f"<p>{html.escape(text)}</p>" for text in [*sentences, *warnings] if isinstance(text, str))
    return f"<div>{table}{said}{svg or ''}</div>"


def _like(array, values):
    return _numpy().array(values) if hasattr(array, "dtype") else values


def _numpy():
    try:
        import numpy
    except ImportError:
        return None
    return numpy
