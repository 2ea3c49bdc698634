# SPDX-License-Identifier: Apache-2.0
"""One question, one answer: Python gives the bytes that the command line prints."""
import json
import re
import shlex
import tempfile
import unittest
from pathlib import Path

import fareline
from fareline import _core, _questions
from place import arguments_of, checkout, printed


class EveryQuestion(unittest.TestCase):
    def test_is_answered_with_the_bytes_of_the_command_line(self):
        for question in _core.questions():
            with self.subTest(question["name"]):
                in_order, named = arguments_of(question)
                expected, status = printed(question["name"], *shlex.split(question["example"]), "--json")
                self.assertEqual(status, 0)
                if question["name"] == "simulate":  # what a run took of the machine is told by the command line alone
                    expected = re.sub(r',\n    "(wall|peak_memory)": \{[^}]*\}', "", expected)
                self.assertEqual(getattr(fareline, question["name"])(*in_order, **named).json(), expected)

    def test_is_answered_with_the_bytes_of_a_line(self):
        for question in _core.questions():
            with self.subTest(question["name"]):
                in_order, named = arguments_of(question)
                answer = getattr(fareline, question["name"])(*in_order, **named)
                whole = json.loads(answer.json())
                own = {name: row["value"] for name, row in whole["inputs"].items() if row["chosen_by"] == "you"}
                if question["name"] == "sweep":
                    own["inputs"] = {name: named[name] for name in named if name not in own}
                asked = {"question": question["name"], "inputs": {name: named.get(name, value) for name, value in own.items()}}
                line, status = printed("ask", given=json.dumps(asked) + "\n")
                self.assertEqual(status, 0, line)
                self.assertEqual(fareline.ask(asked).json(indent=None), line)

    def test_has_the_arguments_of_the_command_line(self):
        for question in _core.questions():
            with self.subTest(question["name"]):
                help_text, _ = printed(question["name"], "--help")
                for row in question["inputs"]:
                    if row["name"] not in ("inputs", "set") and not (question["name"] == "cost" and row["name"] == "explain"):
                        self.assertIn(row["name"], help_text)
                        self.assertIn(f"\n{_questions.python_name(row['name'])}: ", getattr(fareline, question["name"]).__doc__)


class AModel(unittest.TestCase):
    system = {"system": "hgx-h100", "tp": 8, "context": 4096}

    def test_is_a_name_a_path_or_a_dict(self):
        config = json.loads((checkout / "data" / "models" / "meta-llama--meta-llama-3.1-8b.json").read_text())["config"]
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        folder = Path(made.name)
        (folder / "config.json").write_text(json.dumps(config))
        path = str(folder / "config.json")
        by_path = fareline.memory(model=path, **self.system)
        self.assertEqual(by_path.json(), printed("memory", "--model", path, "--system", "hgx-h100", "--tp", "8", "--context", "4096",
                                                 "--json")[0])
        self.assertEqual(fareline.memory(model=folder / "config.json", **self.system).json(), by_path.json())
        by_dict = fareline.memory(model=config, **self.system)
        by_name = fareline.memory(model="meta-llama/Llama-3.1-8B", **self.system)
        self.assertEqual(by_dict.answer.dict(), by_path.answer.dict())
        self.assertEqual(by_dict.answer.dict(), by_name.answer.dict())


class ATrace(unittest.TestCase):
    def test_is_read_from_its_path(self):
        path = str(checkout / "docs" / "guide" / "example" / "traffic" / "day.csv")
        settings = {"model": "meta-llama/Llama-3.1-8B", "system": "hgx-h100", "tp": "1", "traffic": path}
        words = [word for name, value in settings.items() for word in (f"--{name}", value)]
        expected = json.loads(printed("simulate", *words, "--json")[0])
        answer = fareline.simulate(**settings)
        self.assertEqual(answer.answer.dict(), expected["answer"])
        self.assertGreater(answer.run.requests, 0)


class AMistake(unittest.TestCase):
    good = {"model": "meta-llama/Llama-3.1-8B", "system": "hgx-h100", "tp": 1, "prompt": 1024, "output": 128}
    mistakes = [
        ("cost", {}), ("cost", {"model": "no/such-model", "system": "hgx-h100"}), ("cost", {**good, "promt": 3}),
        ("cost", {**good, "pace": 50}), ("cost", {**good, "pace": "50"}), ("cost", {**good, "tp": 1.5}), ("cost", {**good, "tp": "many"}),
        ("cost", {**good, "tier": "moon"}), ("cost", {**good, "concurrency": 4, "batch": 4}), ("step", {**good, "pass": "none"}),
        ("sweep", {"of": "cost", "vary": "tp", "inputs": good}), ("list", {"kind": "planets"}), ("show", {"kind": "chip", "name": "h1000"}),
        ("cost", {**good, "model": {"config": {"model_type": "unheard-of"}}}), ("costs", {}), ("cost", {**good, "system": "nul\0l"}),
    ]

    def test_is_refused_as_a_line_of_the_command_line_is(self):
        for name, inputs in self.mistakes:
            with self.subTest(name=name, inputs=inputs):
                asked = {"question": name, "inputs": inputs}
                line, status = printed("ask", given=json.dumps(asked) + "\n")
                self.assertEqual(status, 2)
                with self.assertRaises(fareline.Error) as raised:
                    fareline.ask(asked)
                error = raised.exception
                self.assertEqual({"where": error.where, "what": error.what, "remedy": error.remedy}, json.loads(line)["error"])

    def test_is_refused_by_the_function_of_the_question_in_the_same_words(self):
        for name, inputs in self.mistakes:
            if name in ("costs", "sweep"):
                continue
            with self.subTest(name=name, inputs=inputs):
                line, _ = printed("ask", given=json.dumps({"question": name, "inputs": inputs}) + "\n")
                with self.assertRaises(fareline.Error) as raised:
                    getattr(fareline, name)(**inputs)
                self.assertEqual(raised.exception.what, json.loads(line)["error"]["what"])


if __name__ == "__main__":
    unittest.main()
