#!/usr/bin/env python3
"""Backups that are taken while a server takes decisions in, and back.

As docs/state.md says: the server is paused, the folder copied, the server goes
on. Each copy must be whole: fsck finds nothing, the ledger has the head and the
log the checkpoint that were kept before, no decision that was acknowledged
before is missing, and a server on it gives agents the same bytes. Meanwhile the
first server goes on as if nothing had been. Ends with "N passed, N failed".
"""
import hashlib
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from report import Report  # noqa: E402

BACKUPS = 8
AGENTS = 30
RATE = 20


def decisions(h):
    """How many a server has on its disk."""
    return h.json("decisions", "verify")["events"]


def bundle(port):
    with urllib.request.urlopen("http://127.0.0.1:%d/bundles/authz" % port,
                                timeout=house.TIMEOUT) as answer:
        return hashlib.sha256(answer.read()).hexdigest()


def kept_elsewhere(h, folder):
    """A head of the ledger, and the newest checkpoint of the log, if any."""
    head = h.run("audit", "verify").split("head ")[1].split()[0]
    source = h.dir / "decisions/events/checkpoints"
    if not source.exists() or not source.read_text().strip():
        return head, None
    lines = source.read_text().strip("\n").split("\n\n")
    # A note: a text, an empty line, its signatures.
    held = folder / "held"
    held.write_text("\n\n".join(lines[-2:]) + "\n")
    return head, held


def take(server, folder, copy):
    """Returns for how long the server was paused, in seconds."""
    began = time.monotonic()
    server.send_signal(signal.SIGSTOP)
    try:
        subprocess.run(["cp", "-a", str(folder), str(copy)], check=True)
    finally:
        server.send_signal(signal.SIGCONT)
    return time.monotonic() - began


def look(r, copy, head, held, least, digest, what):
    h = house.House(copy)
    found = h.json("fsck", want=None)
    r.check(what + ": fsck finds nothing", h.code == 0 and
            found["faults"] == 0, found)
    r.check(what + ": nothing that was acknowledged is missing",
            found["decisions"] >= least, (found["decisions"], least))
    h.run("audit", "verify", "--known", head, want=None)
    r.check(what + ": the ledger has the head", h.code == 0, h.err)
    if held:
        h.run("decisions", "verify", "--held", str(held), want=None)
        r.check(what + ": the log has the checkpoint", h.code == 0, h.err)
    h.start()
    try:
        r.check(what + ": it serves the same bytes", bundle(h.port) == digest)
        r.check(what + ": and shows the channel",
                h.json("status", want=None).get("stable", {}).get("revision"))
        h.run("rollback", "--dry-run", want=None)
    finally:
        r.check(what + ": it stops cleanly", h.stop() == 0)


def simulate(port, inputs, log):
    return subprocess.Popen(
        [house.PROGRAM, "simulate", "--server", "http://127.0.0.1:%d" % port,
         "-b", "authz", "-g", "canary=3,ring=canary", "-g",
         "node=%d" % (AGENTS - 3), "--path", "authz/allow", "--inputs",
         str(inputs), "--rate", str(RATE), "--wait", "2s", "--upload-every",
         "100ms", "--status-every", "1s"], stdin=subprocess.DEVNULL, stdout=log,
        stderr=subprocess.STDOUT)


def rounds(r, h, tmp, rnd):
    digest = bundle(h.port)
    for i in range(BACKUPS):
        before = decisions(h)
        house.until("decisions come in", lambda: decisions(h) > before)
        time.sleep(rnd.random() / 5)
        head, held = kept_elsewhere(h, tmp)
        least = decisions(h)
        copy = tmp / ("copy%d" % i)
        took = take(h.p, h.dir, copy)
        r.check("the pause is short", took < 10, took)
        look(r, copy, head, held, least, digest, "copy %d" % i)
        # Who reads a cut-off line of a ledger: it grows between the copies.
        h.run("freeze", "-m", "round %d" % i, "--for", "1h")
        h.run("unfreeze", "-m", "round %d" % i)


def main():
    seed = random.randrange(1 << 32)
    r = Report()
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        repo = house.Repo(tmp / "repo")
        inputs = tmp / "inputs.ndjson"
        inputs.write_text("".join('{"user": "u%d", "n": %d}\n' % (n % 7, n)
                                  for n in range(200)))
        h = house.House(tmp / "state").start()
        with open(tmp / "agents.log", "w") as log:
            agents = simulate(h.port, inputs, log)
            try:
                h.publish(repo, house.GOOD)
                h.run("rollout", "start", "-m", "the first")
                house.until("it is stable", lambda: "stable" in h.status())
                rounds(r, h, tmp, random.Random(seed))
                before = decisions(h)
                house.until("the first goes on", lambda: decisions(h) >
                            before)
                h.run("decisions", "verify")
                h.run("fsck")
            finally:
                agents.terminate()
                agents.wait(house.TIMEOUT)
                r.check("serve stops cleanly", h.stop() == 0)
        lost = json.loads(h.run("decisions", "gaps", "-o", "json"))
        r.check("no decision was lost in a pause", not lost["rows"], lost)
    if r.failed:
        print("the seed was %d" % seed)
    return r.end()


sys.exit(main())
