#!/usr/bin/env python3
"""How long a rollback takes, from the command to the last agent that has the
version before.

    bench_rollback.py [--simulated 1000,10000] [--opa 50]

Agents wait at the server, as with long_polling_timeout_seconds. Simulated ones
are in one process on the same machine; real ones are OPA's, at some 40 MB each,
and left out where there is none. The last column is when `regatta rollback`
itself had seen all of them poll with the new tag.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from house import until  # noqa: E402

CONFIG = """\
bundle: authz
include: [policies]
decisions:
  - {path: "authz/allow", outcome: allow}
rollout:
  rings: [{name: fleet, percent: 100}]
  bake: {min: 1s, max: 1h, fleet: 1h}
"""


class Simulated:
    """`regatta simulate`, and when its agents took up what."""

    def __init__(self, h, n):
        self.n = n
        self.seen = {}
        self.p = subprocess.Popen(
            [house.PROGRAM, "simulate", "--server",
             "http://127.0.0.1:%d" % h.port, "-b", "authz", "--path",
             "authz/allow", "-n", str(n), "--rate", "0.001", "--wait", "60s",
             "--status-every", "10m", "-o", "json"],
            stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.p.stdout:
            x = json.loads(line)
            if x["kind"] == "activated":
                self.seen.setdefault(x["revision"], []).append(time.time())

    def activated(self, revision, times):
        """When all of them had it, for that many times."""
        need = self.n * times
        until("all have " + revision,
              lambda: len(self.seen.get(revision, [])) >= need, 120)
        return max(self.seen[revision])

    def stop(self):
        self.p.terminate()
        self.p.wait(60)


class Real:
    """OPA agents, which say themselves when they took it up."""

    def __init__(self, h, opa, folder, n):
        self.n = n
        self.all = [house.Agent(opa, folder, h.port, "opa-%d" % i, "x", 60)
                    for i in range(n)]

    def activated(self, revision, times):
        return max(a.activated(revision) for a in self.all)

    def stop(self):
        for a in self.all:
            a.stop()


def release(h, revision):
    """To all, by hand: nothing is to be proved here."""
    h.run("rollout", "start", revision)
    until(revision + " is good", lambda: h.state() == "succeeded" or h.run(
        "promote", "--force", "-m", "a measurement", want=None) is None, 120)


def measure(kind, make):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        repo = house.Repo(folder / "repo", CONFIG)
        h = house.House(folder / "state").start()
        first, second = (h.publish(repo, policy)
                         for policy in (house.GOOD, house.GOOD_TOO))
        agents = make(h, folder)
        try:
            until("all poll", lambda: h.json(
                "rollout", "plan").get("targets") == agents.n, 120)
            release(h, first)
            agents.activated(first, 1)
            release(h, second)
            agents.activated(second, 1)
            time.sleep(1)  # they wait again
            began = time.time()
            h.run("rollback", "--yes", "-m", "a measurement")
            proven = time.time() - began
            took = agents.activated(first, 2) - began
        finally:
            agents.stop()
            h.stop()
    print("%-10s %6d agents   last active %.3f s   proven %.3f s" % (
        kind, agents.n, took, proven), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--simulated", default="1000,10000")
    parser.add_argument("--opa", type=int, default=50)
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200
    for n in filter(None, options.simulated.split(",")):
        n = min(int(n), files)
        measure("simulated", lambda h, folder: Simulated(h, n))
    opa = house.find_opa() if options.opa else None
    if opa:
        measure("OPA", lambda h, folder: Real(h, opa, folder, options.opa))
    elif options.opa:
        print("OPA        skipped: tests/find-opa.sh says how to get one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
