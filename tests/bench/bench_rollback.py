#!/usr/bin/env python3
"""Rows of how long a rollback takes, from the command to the last agent that
has the version before, and until `regatta rollback` itself had seen all of
them poll with its tag.

Agents wait at the server, as with long_polling_timeout_seconds. Simulated ones
are in one process on the same machine; real ones are OPA's, at some 40 MB
each. Memory is that of the server.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import measure
from measure import Job, house
from row import Row

GROUPS = ("rollback",)
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
        house.until("all have " + revision,
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
    house.until(revision + " is good", lambda: (
        h.state() == "succeeded" or h.run(
            "promote", "--force", "-m", "a measurement", want=None) is None),
        120)


def seconds(make):
    """(until the last agent was active, until that was proven, MB)"""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        repo = house.Repo(folder / "repo", CONFIG)
        h = house.House(folder / "state").start()
        first, second = (h.publish(repo, policy)
                         for policy in (house.GOOD, house.GOOD_TOO))
        agents = make(h, folder)
        try:
            house.until("all poll", lambda: h.json(
                "rollout", "plan").get("targets") == agents.n, 120)
            release(h, first)
            agents.activated(first, 1)
            release(h, second)
            agents.activated(second, 1)
            time.sleep(1)  # they wait again
            began = time.time()
            h.run("rollback", "--yes", "-m", "a measurement")
            proven = time.time() - began
            return (agents.activated(first, 2) - began, proven,
                    measure.memory(h.p.pid, "VmHWM"))
        finally:
            agents.stop()
            h.stop()


def rows(what, make, note=None):
    active, proven, mb = seconds(make)
    return [Row("rollback", what + ", active", "s", active, ours_mb=mb,
                goal={"most": 1}, note=note),
            Row("rollback", what + ", proven", "s", proven, note=note)]


def real(n):
    opa = measure.opa()
    return rows("%d OPA" % n, lambda h, folder: Real(h, opa, folder, n))


def simulated(n):
    n, note = measure.open_files(n, 200)
    return rows("{:,} simulated".format(n),
                lambda h, folder: Simulated(h, n), note)


def jobs(bench):
    yield Job("rollback", "opa", lambda: real(bench.of(50, 2)))
    for n in (1000, 10000):
        yield Job("rollback", "simulated-%d" % n,
                  lambda n=n: simulated(bench.of(n)))


if __name__ == "__main__":
    sys.exit(measure.main(__doc__, [sys.modules[__name__]]))
