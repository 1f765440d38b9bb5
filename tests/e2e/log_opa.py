#!/usr/bin/env python3
"""Decision logs of real OPA agents, by a way on which everything goes wrong:
answers that get lost, a server that is killed and away, an agent that stops. In
the end the log holds each event that was sent, byte for byte, once.

    log_opa.py [--away SECONDS]

Ends with one line "N passed, N failed"; skipped where there is no OPA.
"""
import argparse
import collections
import gzip
import http.client
import http.server
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from house import until  # noqa: E402
from report import Report  # noqa: E402

POLICY = """package authz

default allow := false

allow if input.user == "ana"

boom := 1 if input.n

boom := 2 if input.n

echo := input.what

nothing if input.never
"""
LOG_POLICY = """package system.log

mask contains "/input/secret" if input.input.secret

mask contains {"op": "upsert", "path": "/input/token", "value": "*"} if input.input.token

mask contains "/result" if input.input.hide

drop if input.input.drop
"""
# Path and input, as they are written into the request.
ASKED = [
    ("allow", '{"user":"ana"}'),
    ("allow", '{"user":"bob"}'),
    ("allow", '{"user":"ana","secret":"s3cr3t"}'),
    ("allow", '{"user":"ana","token":{"a":[1,2]}}'),
    ("allow", '{"user":"ana","hide":true}'),
    ("echo", '{"what":"x","hide":true,"secret":1,"token":2}'),
    ("nothing", '{"user":"ana"}'),
    ("echo", '{"what":"nul \\u0000 and \\u0001, \\u2028, \\ud83d\\ude00"}'),
    ("echo", '{"what":"half \\ud800 of a pair"}'),
    ("echo", '{"what":"<&> \\u00e9 \u4f60\u597d \\" \\\\ \\/"}'),
    ("echo", '{"what":%s1%s}' % ("[" * 60, "]" * 60)),
    ("echo", '{"what":"%s"}' % random.Random(3).randbytes(5000).hex()),
    ("echo", '{"what":{"":{"":null}},"user":""}'),
]
# An agent with a rate limit packs again what failed. It can't read its own
# errors then, and numbers lose what a double has no room for.
WHOLE = [
    ("boom", '{"n":1}'),
    ("echo", '{"what":123456789012345678901234567890123}'),
    ("echo", '{"what":-0.0,"a":1.10,"b":1E2,"c":1e-7}'),
]
DROPPED = [("allow", '{"user":"ana","drop":true}')]


def events_of(body):
    """The bytes of each event in an upload."""
    text, out, at = gzip.decompress(body).decode(), [], 1
    read = json.JSONDecoder()
    while at < len(text):
        _, end = read.raw_decode(text, at)
        out.append(text[at:end].encode())
        at = end + 1
    return out


class Way(http.server.ThreadingHTTPServer):
    """Between agents and the server: notes what is sent, and loses answers."""
    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), Hop)
        self.to, self.lose, self.lock = port, 0, threading.Lock()
        self.sent, self.bodies, self.attempts = {}, {}, 0
        self.refused = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def note(self, body):
        with self.lock:
            self.attempts += 1
            if body not in self.bodies:
                self.bodies[body] = events_of(body)
            for event in self.bodies[body]:
                self.sent[event] = self.sent.get(event, 0) + 1


class Hop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        logs = self.path.startswith("/logs")
        if logs:
            self.server.note(body)
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.server.to,
                                           timeout=20)
            c.request("POST", self.path, body, dict(self.headers))
            answer = c.getresponse()
            text = answer.read()
            c.close()
        except OSError:
            self.server.refused += logs
            self.close_connection = True
            return
        with self.server.lock:
            lost = logs and self.server.lose > 0
            self.server.lose -= lost
        if lost:
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Agent:
    def __init__(self, opa, folder, way, name, more):
        self.port = house.free_port()
        config = folder / (name + ".json")
        config.write_text(json.dumps({
            "services": {"s": {
                "url": "http://127.0.0.1:%d" % way.server_address[1],
                "headers": {"X-Regatta-Target": name}}},
            "labels": {"target": name}, "status": {"service": "s"},
            "decision_logs": {"service": "s", "reporting": dict(
                {"min_delay_seconds": 1, "max_delay_seconds": 2}, **more)}}))
        self.p = subprocess.Popen(
            [opa, "run", "--server", "--addr", "127.0.0.1:%d" % self.port,
             "-c", str(config), "--log-level", "error",
             str(folder / "policies")], stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL)
        self.asked = 0
        until("the agent is up", self.up)
        self.c = http.client.HTTPConnection("127.0.0.1", self.port)

    def up(self):
        try:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            c.request("GET", "/health")
            return c.getresponse().status == 200
        except OSError:
            return False

    def ask(self, rows):
        for path, value in rows:
            self.c.request("POST", "/v1/data/authz/" + path,
                           ('{"input":%s}' % value).encode(),
                           {"Content-Type": "application/json"})
            self.c.getresponse().read()

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        self.p.wait(30)


class Traffic:
    """Requests to both agents, a few of each kind now and then."""

    def __init__(self, agents):
        self.agents, self.end, self.n = agents, False, [0, 0]
        self.rng = random.Random(1)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.end:
            for i, a in enumerate(self.agents):
                rows = ASKED + (WHOLE if i == 0 else [])
                some = self.rng.sample(rows, 8)
                a.ask(some + DROPPED)
                self.n[i] += len(some)
            time.sleep(0.05)

    def stop(self):
        self.end = True
        self.thread.join()


def count(things):
    return collections.Counter(things).values()


def stored(h, *more):
    p = subprocess.run([house.PROGRAM, "decisions", "query", "-o", "raw",
                        *more], env=h.env, stdout=subprocess.PIPE, check=True)
    return p.stdout.split(b"\n")[:-1]


def compare(r, h, way, traffic):
    kept = stored(h)
    r.check("each event that was sent is there, byte for byte",
            set(kept) == set(way.sent),
            "%d kept, %d sent; missing %s; more %s" % (
                len(set(kept)), len(way.sent),
                [x[:200] for x in set(way.sent) - set(kept)][:2],
                [x[:200] for x in set(kept) - set(way.sent)][:2]))
    r.check("and once", len(kept) == len(set(kept)), len(kept))
    r.check("each decision was sent, but those to be dropped",
            len(way.sent) == sum(traffic.n), (len(way.sent), traffic.n))
    r.check("some were sent again", max(way.sent.values()) > 1)
    r.check("some in other uploads than before", any(
        n > 1 for n in count(e for es in way.bodies.values() for e in es)))
    events = [json.loads(x) for x in kept]
    for what, fits in (
            ("masked", lambda e: "/input/token" in e.get("masked", [])),
            ("erased", lambda e: "/result" in e.get("erased", [])),
            ("failing", lambda e: "error" in e)):
        r.check("some are " + what, any(fits(e) for e in events))
    for what, text in (
            ("a big integer", b"123456789012345678901234567890123"),
            ("NUL", b"\\u0000"), ("a number as it was", b"1.10")):
        r.check("some have " + what, any(text in x for x in kept))
    r.check("nothing is in quarantine",
            h.run("decisions", "quarantine", "-o", "ndjson") == "")
    r.check("failing ones are errors",
            len(stored(h, "--outcome", "error")) ==
            sum("error" in e for e in events))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--away", type=float, default=10)
    away = parser.parse_args().away
    opa = house.need_opa()
    r = Report()
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        (tmp / "policies").mkdir()
        (tmp / "policies" / "authz.rego").write_text(POLICY)
        (tmp / "policies" / "log.rego").write_text(LOG_POLICY)
        h = house.House(tmp / "state").start()
        way = Way(h.port)
        agents = [
            Agent(opa, tmp, way, "whole", {
                "upload_size_limit_bytes": 8 << 20}),
            Agent(opa, tmp, way, "again", {
                "upload_size_limit_bytes": 1 << 20,
                "max_decisions_per_second": 100000})]
        traffic = Traffic(agents)
        try:
            until("uploads come", lambda: way.attempts >= 4)
            way.lose = 4
            until("answers are lost", lambda: way.lose == 0)
            h.stop(signal.SIGKILL)
            time.sleep(away)
            r.check("uploads failed while it was away", way.refused > 2,
                    way.refused)
            h.start()
            before = way.attempts
            until("uploads come again", lambda: way.attempts >= before + 6)
            h.stop()
            h.start()
            traffic.stop()
            for a in agents:
                a.stop()
            compare(r, h, way, traffic)
            h.run("decisions", "verify")
        finally:
            traffic.stop()
            for a in agents:
                a.stop()
            r.check("serve stops cleanly", h.stop() == 0)
    return r.end()


if __name__ == "__main__":
    sys.exit(main())
