# SPDX-License-Identifier: Apache-2.0
"""Answers as objects: members, units, columns, pictures, signatures, stubs; interrupts and threads."""
import copy
import inspect
import json
import math
import os
import pickle
import signal
import sys
import threading
import time
import unittest
from unittest import mock
from xml.etree import ElementTree

import fareline
from fareline import _core, _questions
from place import checkout

asked = {"model": "meta-llama/Llama-3.1-8B", "system": "hgx-h100", "tp": 1, "prompt": 1024, "output": 128}
try:
    import numpy
except ImportError:
    numpy = None


class AnAnswer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.answer = fareline.cost(**asked, concurrency=8)
        cls.whole = json.loads(cls.answer.json())

    def test_has_its_members_as_attributes(self):
        price = self.whole["answer"]["price"]["output"]
        self.assertEqual(self.answer.price.output, price["value"])
        self.assertEqual(self.answer.price.output.low, price["low"])
        self.assertEqual(self.answer.price.output.unit, "USD/Mtok")
        self.assertEqual(self.answer["price.output"], price["value"])
        self.assertEqual(self.answer.inputs.tp.chosen_by, "you")
        self.assertEqual(self.answer.warnings, self.whole["warnings"])
        self.assertEqual(self.answer.answer.dict(), self.whole["answer"])
        self.assertIn("price", dir(self.answer))
        self.assertIn("low", dir(self.answer.price.output))

    def test_names_what_it_has_where_a_member_is_not_there(self):
        with self.assertRaisesRegex(AttributeError, "price"):
            self.answer.prices
        with self.assertRaisesRegex(AttributeError, "cached_input"):
            self.answer.price.ouput
        with self.assertRaises(KeyError):
            self.answer["price.ouput"]

    def test_counts_and_prints_its_quantities(self):
        ttft = self.answer.latency.ttft
        self.assertEqual(2 * ttft, 2 * self.whole["answer"]["latency"]["ttft"]["value"])
        self.assertRegex(str(ttft), r"^[0-9.]+ m?s$")
        self.assertRegex(f"{ttft:.3e}", "e-")

    def test_takes_a_quantity_of_an_answer_as_an_input(self):
        pace = self.answer.latency.tpot
        again = fareline.cost(**asked, pace=pace)
        self.assertEqual(again.inputs.pace.value, pace.value)

    def test_takes_true_for_yes(self):
        self.assertEqual(fareline.cost(**asked, concurrency=8, owned=True).inputs.owned.value, "yes")

    def test_is_the_table_of_the_command_line_as_text(self):
        self.assertIn("price of output", str(self.answer))

    def test_is_a_table_in_a_notebook(self):
        page = ElementTree.fromstring(self.answer._repr_html_())
        heads = [cell.text for cell in page.iter("th")]
        self.assertEqual(heads, [None, "estimate", "bound of physics", "80% band"])
        self.assertIn("price, output", [cell.text for cell in page.iter("td")])

    def test_of_what_does_not_fit_says_so(self):
        answer = fareline.cost(**{**asked, "model": "meta-llama/Llama-3.1-70B"})
        self.assertFalse(answer.feasible)
        self.assertIn("<p>", answer._repr_html_())

    def test_can_be_copied_and_pickled_by_its_parts(self):
        self.assertEqual(copy.deepcopy(self.answer.price), self.answer.price)
        again = pickle.loads(pickle.dumps(self.answer.price.output))
        self.assertEqual((again, again.unit, again.low), (self.answer.price.output, "USD/Mtok", self.answer.price.output.low))
        error = pickle.loads(pickle.dumps(fareline.Error("a", "b", "c")))
        self.assertEqual(str(error), "a: b; c")

    def test_has_a_picture_where_its_question_has_one(self):
        for question in _core.questions():
            if question["name"] == "balance":
                answer = fareline.balance(model="openai/gpt-oss-20b", system="hgx-h100", context=8192)
                ElementTree.fromstring(answer.svg())
                self.assertIn("<svg", answer._repr_html_())


class AList(unittest.TestCase):
    batches = [1, 2, 4, 8, 1_000_000]

    @classmethod
    def setUpClass(cls):
        cls.swept = fareline.cost(**asked, batch=cls.batches)

    def test_gives_columns_that_hold_what_each_value_alone_is_answered(self):
        self.assertEqual(list(self.swept["batch"]), self.batches)
        for i, batch in enumerate(self.batches[:-1]):
            alone = fareline.cost(**asked, batch=batch)
            self.assertEqual(self.swept["price.output"][i], alone.price.output)
            self.assertEqual(self.swept.column("price.output", "floor")[i], alone.price.output.floor)
        self.assertEqual(len(self.swept), len(self.batches))
        self.assertEqual(self.swept.units, {"batch": "1", "price.output": "USD/Mtok", "latency.tpot": "s"})

    def test_says_why_a_point_does_not_fit(self):
        self.assertTrue(math.isnan(self.swept["price.output"][-1]))
        self.assertIsInstance(self.swept.infeasible[-1], str)
        self.assertIsNone(self.swept.infeasible[0])

    def test_is_the_question_sweep(self):
        of_text = fareline.sweep("cost", vary="batch=1,2,4,8,1000000", **asked)
        self.assertEqual(of_text.json(), self.swept.json())
        self.assertEqual(fareline.sweep(of="cost", vary={"batch": self.batches}, inputs=asked).json(), self.swept.json())

    def test_of_lists_runs_over_every_pair(self):
        grid = fareline.step(model="meta-llama/Llama-3.1-8B", system="hgx-h100", tp=[1, 2], batch=range(1, 4), show=["time"])
        self.assertEqual(list(grid["tp"]), [1, 2, 1, 2, 1, 2])
        self.assertEqual(list(grid["batch"]), [1, 1, 2, 2, 3, 3])
        alone = fareline.step(model="meta-llama/Llama-3.1-8B", system="hgx-h100", tp=2, batch=3)
        self.assertEqual(grid["time"][-1], alone.time)

    def test_may_hold_names_and_quantities(self):
        systems = fareline.memory(model="meta-llama/Llama-3.1-8B", system=["hgx-h100", "hgx-h200"], tp=1)
        self.assertEqual(list(systems["system"]), ["hgx-h100", "hgx-h200"])
        wide = fareline.step(model="meta-llama/Llama-3.1-8B", system="hgx-h100", tp=1, hbm_bandwidth=["2 TB/s", "4 TB/s"])
        self.assertGreater(wide["time"][0], wide["time"][1])

    def test_is_refused_where_no_list_is_taken(self):
        with self.assertRaises(fareline.Error) as raised:
            fareline.balance(model="openai/gpt-oss-20b", system="hgx-h100", context=[1, 2])
        self.assertEqual(raised.exception.where, "context")
        with self.assertRaises(fareline.Error):
            fareline.cost(**asked, batch=[])
        with self.assertRaises(fareline.Error):
            fareline.cost(**asked, batch=4, show="price.output")

    def test_is_lists_without_numpy(self):
        with mock.patch.dict(sys.modules, {"numpy": None}):
            self.assertIsInstance(self.swept["price.output"], list)
            self.assertEqual(self.swept["batch"], self.batches)

    @unittest.skipUnless(numpy, "NumPy is not installed")
    def test_is_arrays_with_numpy(self):
        self.assertEqual(self.swept["price.output"].dtype, numpy.float64)
        as_array = fareline.cost(**asked, batch=numpy.array(self.batches))
        self.assertEqual(as_array.json(), self.swept.json())
        self.assertEqual(fareline.cost(**asked, batch=numpy.int64(4)).price.output, self.swept["price.output"][2])

    def test_becomes_a_frame_where_pandas_is(self):
        pandas = mock.MagicMock()
        with mock.patch.dict(sys.modules, {"pandas": pandas}):
            self.swept.frame()
        columns = pandas.DataFrame.call_args[0][0]
        self.assertEqual(list(columns)[:3], ["batch", "price.output", "latency.tpot"])
        self.assertEqual({len(column) for column in columns.values()}, {len(self.batches)})
        with mock.patch.dict(sys.modules, {"pandas": None}):
            with self.assertRaises(fareline.Error):
                self.swept.frame()

    def test_is_drawn_in_a_notebook(self):
        self.assertIn("<svg", self.swept._repr_html_())
        self.assertIn("<th>price.output</th>", self.swept._repr_html_())


class TheModule(unittest.TestCase):
    def test_has_stubs_as_the_tables_give_them(self):
        committed = (checkout / "python" / "fareline" / "__init__.pyi").read_text()
        self.assertTrue(committed == _questions.stub(), "run docs/update")

    def test_has_a_function_with_a_signature_for_each_question(self):
        for question in _core.questions():
            function = getattr(fareline, question["name"])
            parameters = inspect.signature(function).parameters
            for row in question["inputs"]:
                self.assertIn(_questions.python_name(row["name"]), parameters)
            self.assertTrue(function.__doc__)

    def test_refuses_what_no_question_can_hold(self):
        for value in (object(), {1: 2}, float("nan"), b"bytes", "\ud800"):
            with self.subTest(value=repr(value)):
                with self.assertRaises(fareline.Error) as raised:
                    fareline.cost(**{**asked, "prompt": value})
                self.assertEqual(raised.exception.where, "prompt")

    def test_survives_a_document_without_end(self):
        endless = {}
        endless["inner"] = endless
        with self.assertRaises(fareline.Error):
            fareline.cost(**{**asked, "model": endless})


class ALongQuestion(unittest.TestCase):
    long = {"model": "meta-llama/Llama-3.1-8B", "system": "hgx-h100", "tp": 1, "rate": "5/s", "prompt": 512, "output": 64, "requests": 10**9}

    def test_ends_at_an_interrupt(self):
        begun = time.monotonic()
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            fareline.simulate(**self.long)
        self.assertLess(time.monotonic() - begun, 60)

    def test_leaves_other_threads_running_and_tells_how_far_it_is(self):
        heard, counted = [], [0]
        done = threading.Event()

        def count():
            while not done.is_set():
                counted[0] += 1
                time.sleep(0.001)

        def progress(share):
            heard.append((share, counted[0]))
            if len(heard) == 5:
                raise RuntimeError("heard enough")

        other = threading.Thread(target=count)
        other.start()
        try:
            with self.assertRaisesRegex(RuntimeError, "heard enough"):
                fareline.simulate(**self.long, progress=progress)
        finally:
            done.set()
            other.join()
        shares = [share for share, _ in heard]
        self.assertEqual(shares, sorted(shares))
        self.assertTrue(all(0 <= share <= 1 for share in shares))
        self.assertGreater(heard[-1][1], heard[0][1])

    def test_may_be_asked_by_several_threads_at_once(self):
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(fareline.cost(**asked, concurrency=8).json())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(answers), {fareline.cost(**asked, concurrency=8).json()})


if __name__ == "__main__":
    unittest.main()
