#!/usr/bin/env python3
"""Rollouts to real OPA agents while things break.

The server and agents are killed in the middle of a bake, and the version still
reaches all. An agent that logs less than it decides makes no PASS, one that
falls silent makes a HOLD, and what waited was seen by nobody else. A rollback
works while the canary does not answer, on hold, and in the bake of the fleet.
"""
import pathlib
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from house import until  # noqa: E402
from report import Report  # noqa: E402

RATE = 40
FLEET = ("f1", "f2", "f3")
CONFIG = house.CONFIG.replace("max: 60s, fleet: 2s", "max: 15s, fleet: 4s")


class Site:
    """A fleet of one canary and three others, on its last good version."""

    def __init__(self, opa, tmp):
        self.opa, self.tmp = opa, tmp
        self.repo = house.Repo(tmp / "repo", CONFIG)
        self.h = house.House(tmp / "state").start()
        self.agents, self.seen, self.good = {}, set(), None
        self.policies = [house.GOOD, house.GOOD_TOO]

    def agent(self, name, **reporting):
        ring = "canary" if name == "c1" else "fleet"
        a = house.Agent(self.opa, self.tmp, self.h.port, name, ring,
                        **reporting)
        self.agents[name] = a
        a.call(RATE)

    def again(self, name, how, **reporting):
        """Another process in its place."""
        self.agents[name].stop(how)
        self.agent(name, **reporting)

    def start(self, *settings):
        """The next version, no worse than the last."""
        self.policies.reverse()
        v = self.h.publish(self.repo, self.policies[0])
        self.seen.clear()
        sets = [x for s in settings for x in ("--set", s)]
        self.h.run("rollout", "start", v, "-m", "the next", *sets)
        return v

    def runs(self):
        return {t["target"]: t.get("runs")
                for t in self.h.json("targets")["targets"]}

    def state(self, v):
        """Of the rollout; notes who has seen the version meanwhile."""
        self.seen |= {t for t, x in self.runs().items() if x == v}
        return self.h.state()

    def until(self, v, *states):
        until("%s: %s" % (v, " or ".join(states)),
              lambda: self.state(v) in states, 90,
              lambda: self.h.run("status", "--full"))
        return self.h.status()

    def succeed(self, v):
        self.until(v, "succeeded")
        self.good = v

    def all_back(self):
        until("all are back", lambda: set(self.runs().values()) ==
              {self.good}, 30, lambda: self.h.run("targets"))
        until("it is over", lambda: self.h.state() == "rolled-back")
        self.h.run("unfreeze", "-m", "looked at it")


def killed(r, s):
    """Server and agents, in the middle."""
    v = s.start("bake.min=5s", "bake.max=60s")
    s.until(v, "baking")
    s.h.stop(signal.SIGKILL)
    s.again("f1", signal.SIGKILL)
    time.sleep(1)
    s.h.start()
    s.again("f2", signal.SIGTERM)
    before = len(s.h.json("history", "-n", "1000")["lines"])
    s.succeed(v)
    r.check("a kill in the middle: it goes on by itself", before < len(
        s.h.json("history", "-n", "1000")["lines"]))
    until("all run it", lambda: set(s.runs().values()) == {v}, 30,
          lambda: s.h.run("targets"))
    s.h.run("audit", "verify")
    s.h.run("fsck")


def lossy(r, s):
    """It decides all the time, and logs three of them a second."""
    s.again("c1", signal.SIGTERM, max_decisions_per_second=5)
    until("it is back", lambda: s.runs()["c1"] == s.good and
          s.agents["c1"].ask({"user": "ana"}) is True)
    v = s.start("bake.max=20s")
    now = s.until(v, "hold", "fleet-bake", "succeeded", "rolled-back")
    said = now["verdict"]["reason"]
    r.check("lost events: hold", now["state"] == "hold", now["state"])
    r.check("lost events: it says so", "coverage" in said and "c1" in said,
            said)
    verdict = s.h.json("verdict", want=8)["verdict"]
    r.check("lost events: enough came for a pass, but for that",
            verdict["canary"]["decisions"] >= 50, verdict["canary"])
    r.check("lost events: nobody else saw it", s.seen <= {"c1"}, s.seen)
    s.h.run("abort", "-m", "no proof")
    s.again("c1", signal.SIGTERM)
    until("all run the last good one", lambda: set(s.runs().values()) ==
          {s.good})


def silent(r, s):
    """It takes the version, and then nothing is heard of it."""
    v = s.start("bake.min=8s", "bake.max=20s")
    s.until(v, "baking")
    s.agents["c1"].p.send_signal(signal.SIGSTOP)
    try:
        now = s.until(v, "hold", "fleet-bake", "succeeded", "rolled-back")
        r.check("silence: hold", now["state"] == "hold", now["state"])
        r.check("silence: no pass", "INCONCLUSIVE(" in
                now["verdict"]["reason"], now["verdict"])
        r.check("silence: nobody else saw it", s.seen <= {"c1"}, s.seen)
        out = s.h.run("rollback", "--yes", "--timeout", "2s", want=10)
        r.check("back from a hold: the straggler is named", "c1" in out and
                v in out, out)
    finally:
        s.agents["c1"].p.send_signal(signal.SIGCONT)
    s.all_back()


def canary_away(r, s):
    """Taken back while the canary stands still: at most what was already on its
    way to it, as the answer to a poll, is seen, and by it alone."""
    s.agents["c1"].p.send_signal(signal.SIGSTOP)
    try:
        v = s.start()
        s.until(v, "distributing")
        s.h.run("rollback", "--yes", "--timeout", "2s", want=None)
        r.check("while it is handed out", s.h.code in (0, 10), s.h.err)
    finally:
        s.agents["c1"].p.send_signal(signal.SIGCONT)
    for _ in range(20):
        s.state(v)
    s.all_back()
    r.check("nobody else saw it", s.seen <= {"c1"}, s.seen)


def fleet_bake(r, s):
    v = s.start("bake.fleet=60s")
    s.until(v, "fleet-bake")
    until("the fleet has it", lambda: list(s.runs().values()).count(v) >= 3)
    out = s.h.run("rollback", "--yes", "-m", "a feeling")
    r.check("in the bake of the fleet: proof", "all 4 targets run" in out, out)
    s.all_back()
    before = s.h.status()["generation"]
    out = s.h.run("rollback", "--yes")
    r.check("after it ended: nothing", "already at " + s.good in out and
            s.h.status()["generation"] == before, out)


def main():
    opa = house.need_opa()
    r = Report()
    with tempfile.TemporaryDirectory() as tmp:
        s = Site(opa, pathlib.Path(tmp))
        try:
            for name in ("c1",) + FLEET:
                s.agent(name)
            s.succeed(s.start())
            killed(r, s)
            lossy(r, s)
            silent(r, s)
            canary_away(r, s)
            fleet_bake(r, s)
            s.h.run("audit", "verify")
        finally:
            for a in s.agents.values():
                a.p.send_signal(signal.SIGCONT)
                a.stop()
            r.check("serve stops cleanly", s.h.stop() in (0, None))
            if r.failed:
                print(s.h.said)
    return r.end()


if __name__ == "__main__":
    sys.exit(main())
