#!/usr/bin/env python3
"""The decision log from a command line, on a server and on its folder.

Ends with "N passed, N failed".
"""
import csv
import io
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from house import PROGRAM as REGATTA  # noqa: E402
from report import Report  # noqa: E402

EVENTS = 2500  # three pages
START = int(time.time()) - 7200

tally = Report()
check = tally.check


def stamp(n):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START + n // 10)) + \
        ".%dZ" % (n % 10)


def event(n):
    """As text, on several lines, with what a parser would change."""
    return ('{"decision_id": "id-%d",\n "labels": {"id": "i", "target": "t%d"},'
            '\r\n "path": "authz/%s", "timestamp": "%s", "n": 1.10, "n": %d,'
            '\n "bundles": {"authz": {"revision": "v%d"}},'
            ' "input": {"user": "a \\"quoted\\", name"}, "result": %s}' % (
                n, n % 3, "allow" if n % 2 else "view", stamp(n), n,
                n // 1000, "false" if n % 10 == 0 else "true"))


class Server:
    def __init__(self, state, *more):
        self.state = state
        self.p = subprocess.Popen(
            [REGATTA, "serve", "--state", state, "--listen", "127.0.0.1:0",
             *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not os.path.exists(state + "/socket"):
            if time.monotonic() > end:
                raise RuntimeError("no server")
            time.sleep(0.02)

    def post(self, path, body):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(self.state + "/socket")
            s.sendall(("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                       "Content-Length: %d\r\n\r\n" % (path, len(body)))
                      .encode() + body)
            answer = b""
            while True:
                part = s.recv(65536)
                if not part:
                    return answer
                answer += part

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        self.p.wait(timeout=30)


def regatta(state, *args):
    return subprocess.run([REGATTA, *args, "--state", state],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=60)


def rows_of(state, *args):
    p = regatta(state, "decisions", "query", "-o", "ndjson", *args)
    if p.returncode:
        raise RuntimeError(p.stderr.decode())
    return [json.loads(line) for line in p.stdout.decode().splitlines()]


def formats(state, where):
    raw = regatta(state, "decisions", "query", "-o", "raw").stdout
    check(where + "raw is what was sent, in order of time", raw ==
          "".join(event(n) + "\n" for n in range(EVENTS)).encode())
    whole = regatta(state, "decisions", "query", "-o", "json").stdout.decode()
    check(where + "json has the bytes too", event(7) in whole)
    rows = json.loads(whole)["rows"]
    lines = rows_of(state)
    check(where + "json and ndjson are the same rows", rows == lines)
    check(where + "each row is there once", [r["number"] for r in lines] ==
          list(range(EVENTS)))
    check(where + "a scan lists the same", rows_of(state, "--scan") == lines)
    text = regatta(state, "decisions", "query", "-o", "csv").stdout.decode()
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    check(where + "csv has all rows", len(table) == EVENTS)
    check(where + "csv has the event's bytes",
          table[1234]["EVENT"] == event(1234), table[1234])
    out = regatta(state, "decisions", "query", "-n", "1500").stdout.decode()
    check(where + "a table has one head and so many rows",
          len(out.splitlines()) == 1501 and out.count("NUMBER") == 1)


def filters(state, where):
    for args, want in [
            (["--outcome", "deny"], lambda n: n % 10 == 0),
            (["--outcome", "deny,error", "--target", "t1"],
             lambda n: n % 10 == 0 and n % 3 == 1),
            (["--path", "authz/v*"], lambda n: n % 2 == 0),
            (["--revision", "v2"], lambda n: n // 1000 == 2),
            (["--where", "/n=77"], lambda n: n == 77),
            (["--from", stamp(100), "--to", stamp(200)],
             lambda n: 100 <= n < 200),
            (["--since", "1m"], lambda n: False)]:
        got = [r["number"] for r in rows_of(state, *args)]
        check(where + " ".join(args),
              got == [n for n in range(EVENTS) if want(n)], got[:9])


def one(state, where):
    p = regatta(state, "decisions", "show", "id-42", "-o", "raw")
    check(where + "show has the bytes", p.stdout.decode() == event(42) + "\n")
    p = regatta(state, "decisions", "show", "id-nothing")
    check(where + "no such decision is 5", p.returncode == 5, p.stderr)
    p = regatta(state, "decisions", "query", "--where", "x")
    check(where + "a wrong filter is 2", p.returncode == 2, p.stderr)
    p = regatta(state, "decisions", "quarantine")
    check(where + "quarantine is shown", b"nonsense" in p.stdout, p.stdout)
    p = regatta(state, "decisions", "verify")
    check(where + "it verifies", p.returncode == 0 and
          b"ok: 2500 decisions" in p.stdout, p.stdout + p.stderr)
    p = regatta(state, "fsck", "-o", "json")
    # A note may be there: so new a log may have no checkpoint yet.
    check(where + "fsck finds nothing", p.returncode == 0 and
          all(row["harm"] == "note" and row["where"].endswith("/checkpoints")
              for row in json.loads(p.stdout)["rows"]), p.stdout + p.stderr)


def tail(server):
    """What comes while it looks, and it ends at Ctrl-C."""
    p = subprocess.Popen([REGATTA, "decisions", "tail", "--state",
                          server.state, "-o", "ndjson", "--next",
                          str(EVENTS)], stdout=subprocess.PIPE)
    server.post("/logs", event(EVENTS).encode())
    line = p.stdout.readline()
    check("the tail shows what comes",
          json.loads(line)["event"]["decision_id"] == "id-%d" % EVENTS, line)
    p.send_signal(signal.SIGINT)
    check("and ends when it is told to", p.wait(timeout=20) == 0)


def gaps(server):
    for requests in (0, 7):
        server.post("/status", json.dumps({
            "labels": {"id": "i", "target": "t1"},
            "metrics": {"prometheus": {"http_request_duration_seconds": {
                "name": "http_request_duration_seconds", "metric": [{
                    "label": [{"name": "handler", "value": "v1/data"},
                              {"name": "code", "value": "200"}],
                    "histogram": {"sampleCount": str(requests)}}]}}},
            "bundles": {}}).encode())
        time.sleep(1.1)
    p = regatta(server.state, "decisions", "gaps", "-o", "ndjson")
    rows = [json.loads(line) for line in p.stdout.splitlines()]
    check("a gap is listed", [(r["target"], r["missing"]) for r in rows] ==
          [("t1", 7)], p.stdout + p.stderr)
    # What is of the last minute may still be under way.
    p = regatta(server.state, "decisions", "query", "-n", "1", "--to",
                "2100-01-01")
    check("a query says on stderr that something is missing",
          b"7 decisions of 1 agent (t1) are missing" in p.stderr, p.stderr)


def proofs(state, folder):
    proof, ev = folder + "/proof", folder + "/event"
    out = regatta(state, "decisions", "verify", "--prove", "id-42").stdout
    pathlib.Path(proof).write_bytes(out)
    pathlib.Path(ev).write_bytes(
        regatta(state, "decisions", "show", "id-42", "-o", "raw").stdout)
    args = ["decisions", "verify", "--proof", proof, "--event", ev,
            "--public-key", state + "/log.pub"]
    check("a proof is right", regatta(state, *args).returncode == 0)
    pathlib.Path(ev).write_bytes(event(43).encode())
    check("and of another event it is not",
          regatta(state, *args).returncode == 11)


def full_disk(state):
    server = Server(state, "--disk-floor", "1000000GiB")
    try:
        answer = server.post("/logs", b"[]").decode().lower()
        check("with a disk that is too full an upload is for later",
              answer.startswith("http/1.1 503 ") and
              "retry-after: 30\r\n" in answer, answer)
        check("and status is not", server.post("/status", b"{}").startswith(
            b"HTTP/1.1 200 "))
        p = regatta(state, "doctor", "-o", "json")
        check("doctor says so", b"are pushed back" in p.stdout,
              p.stdout + p.stderr)
    finally:
        server.stop()


def damage(state):
    path = state + "/decisions/events/00000001.seg"
    with open(path, "r+b") as f:
        f.seek(500)
        f.write(b"damage")
    p = regatta(state, "decisions", "verify", "-o", "json")
    check("damage is 11, with its place", p.returncode == 11 and
          json.loads(p.stdout)["fault"]["file"] == "events/00000001.seg",
          p.stdout + p.stderr)
    p = regatta(state, "fsck")
    check("fsck too", p.returncode == 11 and
          b"decisions/events/00000001.seg" in p.stdout, p.stdout + p.stderr)


def main():
    with tempfile.TemporaryDirectory() as folder:
        state = folder + "/var"
        server = Server(state)
        try:
            body = "[%s]" % ",".join(event(n) for n in range(EVENTS))
            check("an upload is taken",
                  b'"accepted":2500' in server.post("/logs", body.encode()))
            server.post("/logs", b"nonsense")
            for part in (formats, filters, one):
                part(state, "with a server: ")
            proofs(state, folder)
            p = regatta(state, "decisions", "rebuild")
            check("rebuild", p.stdout == b"ok: 2500 decisions indexed\n",
                  p.stdout + p.stderr)
        finally:
            server.stop()
        for part in (formats, filters, one):
            part(state, "on the folder: ")
        server = Server(state)
        try:
            tail(server)
            gaps(server)
        finally:
            server.stop()
        full_disk(state)
        damage(state)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
