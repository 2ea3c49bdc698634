# SPDX-License-Identifier: Apache-2.0
"""The service: the bytes of the command line, and bad company: what is sent wrong, slowly, endlessly or by thousands."""
import http.client
import json
import os
import random
import re
import resource
import shlex
import signal
import socket
import subprocess
import threading
import time
import unittest
from pathlib import Path

program = os.environ["FARELINE_PROGRAM"]
checkout = Path(__file__).resolve().parent.parent.parent
small = {"question": "cost", "inputs": {"model": "meta-llama/Llama-3.1-8B", "system": "hgx-h100", "tp": 1, "concurrency": 8, "prompt": 1024,
                                        "output": 128, "explain": "none"}}
endless = {"question": "simulate", "inputs": {"model": "meta-llama/Llama-3.1-8B", "system": "hgx-h100", "tp": 1, "rate": "5/s",
                                              "prompt": "512", "output": "64", "requests": 1_000_000_000}}


class Served:
    """A service on a free port, for as long as the block lasts."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __enter__(self):
        self.process = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0", *self.arguments], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)$", line.strip())[1])
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.status = self.process.wait(30)
        self.process.stdout.close()

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.read().decode(), dict(reply.getheaders())
        finally:
            connection.close()

    def post(self, question):
        return self.ask("POST", "/v1/ask", json.dumps(question) if not isinstance(question, (str, bytes)) else question)[:2]

    def raw(self, data, timeout=60):
        """A socket to which `data` was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        connection.sendall(data)
        return connection

    def memory(self):
        """Resident bytes."""
        return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())[1]) * 1000

    def is_up(self):
        return self.post(small)[0] == 200


def all_of(connection):
    data = b""
    while block := connection.recv(65_536):
        data += block
    connection.close()
    return data


def line_of(question):
    return subprocess.run([program, "ask"], input=json.dumps(question) + "\n", capture_output=True, text=True).stdout


def post_bytes(body, headers=""):
    return f"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.served = cls.enterClassContext_(Served())

    @classmethod
    def enterClassContext_(cls, context):
        entered = context.__enter__()
        cls.addClassCleanup(context.__exit__, None, None, None)
        return entered

    def test_every_question_with_the_bytes_of_the_command_line(self):
        listed = json.loads(line_of({"question": "list", "inputs": {"kind": "questions"}}))["answer"]
        for question in listed["rows"]:
            asked = self.example(question["name"])
            with self.subTest(question["name"]):
                self.assertEqual(self.served.post(asked), (200, line_of(asked)))

    def example(self, name):
        help_text = subprocess.run([program, name, "--help"], capture_output=True, text=True).stdout
        words = shlex.split(help_text.split("Example: fareline ", 1)[1].strip())[1:]
        in_order = {"list": ["kind"], "show": ["kind", "name"], "lecture": ["id"], "sweep": ["of"]}.get(name, [])
        inputs = {}
        for key in in_order:
            if words and not words[0].startswith("--"):
                inputs[key] = words.pop(0)
        while words:
            key = words.pop(0)[2:].replace("-", "_")
            inputs[key] = words.pop(0) if words and not words[0].startswith("--") else "yes"
        if "set" in inputs:
            inputs["set"] = dict([inputs["set"].split("=")])
        if name == "sweep":
            own = {key: inputs.pop(key) for key in ("of", "vary", "show") if key in inputs}
            inputs = {**own, "inputs": inputs}
        return {"question": name, "inputs": inputs}

    def test_a_list_with_a_list_in_which_mistakes_stand_in_their_places(self):
        wrong = {"question": "costs"}
        status, body = self.served.post([small, wrong, small])
        self.assertEqual(status, 200)
        self.assertEqual(body, "[" + ",".join([line_of(small).rstrip(), line_of(wrong).rstrip(), line_of(small).rstrip()]) + "]\n")
        self.assertEqual(self.served.post([]), (200, "[]\n"))

    def test_mistakes_with_where_what_and_remedy(self):
        for question in ({}, [1], {"question": "costs"}, {"question": "cost"}, {**small, "more": 1},
                         {"question": "cost", "inputs": {**small["inputs"], "pace": 3}}):
            with self.subTest(question=question):
                status, body = self.served.post(question)
                self.assertEqual(status, 200 if isinstance(question, list) else 400)
                error = json.loads(body)[0]["error"] if isinstance(question, list) else json.loads(body)["error"]
                self.assertEqual(set(error), {"where", "what", "remedy"})
                if not isinstance(question, list):
                    self.assertEqual(body, line_of(question))

    def test_what_is_no_json_and_no_http(self):
        for body in (b"", b"{", b"nul", b"\xff\xfe", b"[" * 100_000, b'{"question": "cost", "question": "cost"}', b"\0" * 64):
            with self.subTest(body=body[:20]):
                status, text = self.served.post(body)
                self.assertEqual(status, 400)
                self.assertIn("remedy", json.loads(text)["error"])
        reply = all_of(self.served.raw(b"what is this\r\n\r\n"))
        self.assertTrue(reply.startswith(b"HTTP/1.1 400 "), reply)

    def test_no_question_with_a_file_of_the_host(self):
        for model in ("/etc/passwd", "../../etc/passwd", "./config.json", str(checkout / "data" / "models")):
            status, body = self.served.post({"question": "memory", "inputs": {**small["inputs"], "model": model}})
            self.assertEqual(status, 400, body)
        for question, name in (("simulate", "traffic"), ("bill", "cases")):
            status, body = self.served.post({"question": question, "inputs": {"model": "meta-llama/Llama-3.1-8B", name: "/etc/passwd"}})
            self.assertEqual(status, 400, body)
            self.assertNotIn("root:", body)
        for path in ("/../../etc/passwd", "/v1/../../etc/passwd", "/%2e%2e/etc/passwd", "//etc/passwd", "/index.html"):
            self.assertEqual(self.served.ask("GET", path)[0], 404)

    def test_other_paths_and_methods(self):
        self.assertEqual(self.served.ask("GET", "/nothing")[0], 404)
        status, body, headers = self.served.ask("GET", "/v1/ask")
        self.assertEqual((status, headers["Allow"]), (405, "POST"))
        self.assertIn("remedy", json.loads(body)["error"])
        status, body, headers = self.served.ask("HEAD", "/v1/schema")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["Content-Length"]), 1000)

    def test_with_a_schema_a_catalogue_and_a_page(self):
        schema = json.loads(self.served.ask("GET", "/v1/schema")[1])
        self.assertEqual(schema["openapi"], "3.1.0")
        catalogue = json.loads(self.served.ask("GET", "/v1/catalogue")[1])
        self.assertIn("hgx-h100", json.dumps(catalogue["systems"]))
        status, page, headers = self.served.ask("GET", "/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("/v1/ask", page)

    def test_with_counts_for_prometheus(self):
        self.served.post(small)
        text = self.served.ask("GET", "/metrics")[1]
        self.assertRegex(text, r'fareline_questions_total\{question="cost",outcome="answered"\} [1-9]')
        for line in text.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.e+-]+)$')
        bucket = [int(n) for n in re.findall(r'_bucket\{question="cost",le="[^"]+"\} (\d+)', text)]
        self.assertEqual(bucket, sorted(bucket))

    def test_several_requests_on_one_connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=60)
        bodies = set()
        for _ in range(3):
            connection.request("POST", "/v1/ask", json.dumps(small))
            bodies.add(connection.getresponse().read().decode())
        connection.close()
        self.assertEqual(bodies, {line_of(small)})

    def test_requests_sent_ahead_in_their_order(self):
        ahead = post_bytes(json.dumps(small).encode()) * 3 + b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        reply = all_of(self.served.raw(ahead))
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+) ", reply), [b"200", b"200", b"200", b"404"])

    def test_a_client_that_has_stopped_sending(self):
        connection = self.served.raw(post_bytes(json.dumps(small).encode()))
        connection.shutdown(socket.SHUT_WR)
        self.assertTrue(all_of(connection).endswith(line_of(small).encode()))

    def test_a_client_that_waits_to_be_told_to_go_on(self):
        body = json.dumps(small).encode()
        connection = self.served.raw(post_bytes(body, "Expect: 100-continue\r\nConnection: close\r\n")[:-len(body)])
        self.assertEqual(connection.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        self.assertTrue(all_of(connection).endswith(line_of(small).encode()))


class Events(unittest.TestCase):
    def stream(self, served, question):
        return served.raw(post_bytes(json.dumps(question).encode(), "Accept: text/event-stream\r\n"))

    def test_end_in_the_answer_of_the_command_line(self):
        with Served() as served:
            connection = self.stream(served, small)
            connection.shutdown(socket.SHUT_WR)
            head, events = all_of(connection).decode().split("\r\n\r\n", 1)
            self.assertIn("text/event-stream", head)
            self.assertTrue(events.endswith(f"event: answer\ndata: {line_of(small)}\n"), events[-200:])
            wrong = all_of(self.stream(served, {"question": "costs"})).decode()
            self.assertIn("event: error\ndata: {\"error\":", wrong)

    def test_tell_progress_and_cease_when_the_client_leaves(self):
        with Served("--threads", "1", "--seconds", "600") as served:
            connection = self.stream(served, endless)
            heard = b""
            while heard.count(b"event: progress") < 3:
                heard += connection.recv(4096)
            shares = [float(share) for share in re.findall(rb'"done":([0-9.]+)', heard)]
            self.assertEqual(shares, sorted(shares))
            connection.close()
            self.assertTrue(served.is_up())  # the one thread that answers is free again


class BadCompany(unittest.TestCase):
    def test_bodies_and_headers_beyond_the_limits_are_refused(self):
        with Served("--body", "10000", "--questions", "10") as served:
            self.assertEqual(served.post([small] * 11)[0], 413)
            self.assertEqual(served.post(" " * 10_001)[0], 413)
            before = served.memory()
            connection = served.raw(b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
            try:
                for _ in range(200):
                    connection.sendall(b" " * 1_000_000)
            except OSError:
                pass  # it is not read to its end
            self.assertTrue(connection.recv(100).startswith(b"HTTP/1.1 413 "))
            connection.close()
            chunked = served.raw(b"POST /v1/ask HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"fa0\r\n" + b" " * 4000 + b"\r\n" +
                                 b"fa0\r\n" + b" " * 4000 + b"\r\n" + b"fa0\r\n" + b" " * 4000 + b"\r\n")
            self.assertTrue(chunked.recv(100).startswith(b"HTTP/1.1 413 "))
            chunked.close()
            header = all_of(served.raw(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"))
            self.assertTrue(header.startswith(b"HTTP/1.1 431 "), header[:80])
            self.assertLess(served.memory() - before, 50_000_000)
            self.assertTrue(served.is_up())

    def test_random_bytes_leave_it_up(self):
        draw = random.Random(7)
        with Served() as served:
            for _ in range(300):
                data = bytearray(post_bytes(json.dumps(small).encode())) if draw.random() < 0.7 else bytearray(draw.randbytes(400))
                for _ in range(draw.randrange(1, 12)):
                    data[draw.randrange(len(data))] = draw.randrange(256)
                connection = served.raw(bytes(data))
                if draw.random() < 0.5:
                    connection.shutdown(socket.SHUT_WR)
                connection.close()
            self.assertTrue(served.is_up())

    def test_many_idle_and_slow_connections_leave_it_answering_in_bounded_memory(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        many = min(10_000, hard - 100 if hard != resource.RLIM_INFINITY else 10_000)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(many + 100, hard) if hard != resource.RLIM_INFINITY else many + 100, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with Served() as served:
            before = served.memory()
            idle = []
            for i in range(many):
                connection = socket.create_connection(("127.0.0.1", served.port), timeout=60)
                if i % 10 == 0:
                    connection.sendall(b"POST /v1/ask HTTP/1.1\r\nHost: slow")
                idle.append(connection)
            self.assertTrue(served.is_up())
            self.assertRegex(served.ask("GET", "/metrics")[1], rf"fareline_connections {many}|fareline_connections {many + 1}")
            self.assertLess(served.memory() - before, 30_000 * many)
            idle[1].sendall(post_bytes(json.dumps(small).encode(), "Connection: close\r\n"))
            self.assertTrue(all_of(idle[1]).endswith(line_of(small).encode()))
            for connection in idle:
                connection.close()
            self.assertTrue(served.is_up())

    def test_connections_beyond_the_limit_are_turned_away(self):
        with Served("--connections", "2") as served:
            held = [served.raw(b"") for _ in range(2)]
            for connection in held:
                connection.sendall(post_bytes(json.dumps(small).encode()))
                connection.recv(100)
            self.assertTrue(all_of(served.raw(b"")).startswith(b"HTTP/1.1 503 "))
            held.pop().close()
            deadline = time.monotonic() + 20
            while served.post(small)[0] != 200:
                self.assertLess(time.monotonic(), deadline)

    def test_a_question_beyond_its_time_is_stopped(self):
        with Served("--seconds", "1") as served:
            status, body = served.post(endless)
            self.assertEqual(status, 504)
            self.assertIn("longer than 1 s", json.loads(body)["error"]["what"])

    def test_stops_when_told_after_answering_what_was_asked(self):
        for told in (signal.SIGTERM, signal.SIGINT):
            served = Served().__enter__()
            idle = served.raw(b"")
            self.addCleanup(idle.close)
            slow = {"question": "simulate", "inputs": {**endless["inputs"], "requests": 20_000}}
            heard = []
            asking = threading.Thread(target=lambda: heard.append(served.post(slow)))
            asking.start()
            deadline = time.monotonic() + 20
            while "fareline_connections 1" in served.ask("GET", "/metrics")[1] and asking.is_alive():
                self.assertLess(time.monotonic(), deadline)
            served.process.send_signal(told)
            self.assertEqual(served.process.wait(30), 0)
            asking.join()
            self.assertEqual(heard, [(200, line_of(slow))])
            self.assertEqual(all_of(idle), b"")
            served.process.stdout.close()

    def test_says_what_is_wrong_with_where_it_should_listen(self):
        for listen in ("8410", "example.org:80", "127.0.0.1:70000", "127.0.0.1:"):
            run = subprocess.run([program, "serve", "--listen", listen], capture_output=True, text=True)
            self.assertEqual(run.returncode, 2)
            self.assertIn("--listen", run.stderr)
        with Served() as served:
            run = subprocess.run([program, "serve", "--listen", f"127.0.0.1:{served.port}"], capture_output=True, text=True)
            self.assertEqual(run.returncode, 2)
            self.assertIn("cannot be listened at", run.stderr)


if __name__ == "__main__":
    unittest.main()
