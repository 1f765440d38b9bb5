#!/usr/bin/env python3
"""Every upload that a real OPA once sent, posted to `regatta serve`: all are
taken, and what was sent twice is known.

    tests/e2e/captures.py [PROGRAM]
"""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parents[2]
CAPTURES = HERE / "../shared/fixtures/opa-1.22.2"
PROGRAM = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/regatta")
TIMEOUT = 20

passed = failed = 0


def check(name, got, want):
    global passed, failed
    if got == want:
        passed += 1
        return
    failed += 1
    print("FAIL %s: got %r, want %r" % (name, got, want))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(url, body=None, headers=None):
    req = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(req, timeout=TIMEOUT) as r:
            return r.status, r.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


def wait_for(url, server):
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end and server.poll() is None:
        try:
            return ask(url)
        except OSError:
            time.sleep(0.02)
    sys.exit("regatta serve did not come up")


def post(base, path, body, gzip=False):
    headers = {"Content-Type": "application/json", "X-Regatta-Target": "n1"}
    if gzip:
        headers["Content-Encoding"] = "gzip"
    return ask(base + path, body, headers)


def statuses(base):
    for f in sorted((CAPTURES / "status").glob("*.json")):
        code, reply = post(base, "/status", f.read_bytes())
        check("status/%s %s" % (f.name, reply[:200]), code, 200)
    check("no JSON", post(base, "/status", b"{")[0], 400)


def logs(base):
    for f in sorted((CAPTURES / "logs").glob("*.json.gz")):
        events = json.loads(f.with_suffix("").read_bytes())
        for again in (False, True):
            code, reply = post(base, "/logs", f.read_bytes(), True)
            check("logs/%s" % f.name, code, 200)
            got = json.loads(reply)
            taken = "duplicate" if again else "accepted"
            check("logs/%s again=%s" % (f.name, again),
                  (got[taken], got["quarantined"]), (len(events), 0))


def main():
    if not CAPTURES.is_dir():
        print("skipped: no %s" % CAPTURES)
        print("0 passed, 0 failed")
        return
    base = "http://127.0.0.1:%d" % free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [PROGRAM, "serve", "--state", folder + "/state",
             "--listen", base[7:]], stdout=subprocess.DEVNULL)
        try:
            wait_for(base + "/healthz", server)
            statuses(base)
            logs(base)
        finally:
            server.terminate()
            check("serve ends", server.wait(TIMEOUT), 0)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(failed != 0)


main()
