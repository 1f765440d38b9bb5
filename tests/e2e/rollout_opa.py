#!/usr/bin/env python3
"""Releases to real OPA agents: good ones, bad ones, and back.

Each bad version must fail on the canary and be rolled back by itself before
any other agent has seen it. At last a version that all of them run is taken
back, and each says when it had the one before.

AGENTS=50 is the same with so many, at some 40 MB each (5).
"""
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from house import until  # noqa: E402
from report import Report  # noqa: E402

AGENTS = int(os.environ.get("AGENTS") or 5)
CANARIES = max(1, AGENTS // 10)
FLEET = [("c%d" % i, "canary") for i in range(1, CANARIES + 1)] + [
    ("f%d" % i, "fleet") for i in range(1, AGENTS - CANARIES + 1)]
RATE = 300 / AGENTS  # calls a second of each; all that one machine can


def seen_by_fleet(h, revision):
    """Which agents of the fleet run a version."""
    return [t["target"] for t in h.json("targets")["targets"]
            if t["target"].startswith("f") and t.get("runs") == revision]


def first_release(r, h, repo):
    v1 = h.publish(repo, house.GOOD)
    h.run("rollout", "start", "-m", "the first one")
    until("all have v1", lambda: h.status()["targets"]["there"] == len(FLEET) and
          h.status().get("stable", {}).get("revision") == v1, 90,
          lambda: h.run("status", "--full"))
    return v1


def good_release(r, h, repo):
    v = h.publish(repo, house.GOOD_TOO)
    h.run("rollout", "start", v)
    until("the good one reaches all", lambda: h.state() == "succeeded", 90,
          lambda: h.run("status", "--full"))
    s = h.status()
    r.check("the good one is stable", s["stable"]["revision"] == v)
    r.check("all run it", s["targets"]["there"] == len(FLEET), s["targets"])
    r.check("verdict passes", h.json("verdict")["verdict"]["outcome"] == "pass")
    once = h.json("verdict", "--once", want=None)["once"]
    r.check("one look finds nothing against it", h.code in (0, 8) and
            not any(t["holds"] for t in once["worse"].values()), once)
    said = h.run("verdict")
    slow = h.json("verdict")["verdict"]["metrics"]["slow"]
    r.check("it says for people how far it is", "% likely worse" in said, said)
    timed = "latency" in slow  # of both sides, in one stratum at least
    r.check("and of latency what it timed", timed == ("of 100 pairs" in said)
            and (not timed or slow["canary"]["of"] and slow["baseline"]["of"]),
            (said, slow))
    row = h.json("decisions", "query", "--revision", v, "--target", "c1",
                 "--limit", "1")["rows"][0]
    one = row["event"]["decision_id"]
    why = h.json("why", "c1", "--decision", one)
    r.check("of a decision it says who gave the version", why["decision"]
            ["revision"] == v and why["given"]["because"] == "candidate" and
            why["given"]["event"] == "expose", why)
    r.check("and so for people", "for ring canary of rollout" in
            h.run("why", "--decision", one))
    h.run("why", "f1", "--decision", one, want=5)
    return v


def bad_release(r, h, repo, name, policy, good):
    v = h.publish(repo, policy)
    h.run("rollout", "start", v)
    fleet = []

    def ended():
        fleet.extend(seen_by_fleet(h, v))
        return h.state() in ("rolled-back", "hold", "succeeded")

    until("%s ends" % name, ended, 90, lambda: h.run("status", "--full"))
    s = h.status()
    r.check("%s is rolled back" % name, s["state"] == "rolled-back",
            (s["state"], s.get("hold"), s.get("verdict", {}).get("reason")))
    r.check("%s was not seen by the fleet" % name, not fleet, fleet)
    r.check("%s is in quarantine" % name,
            v in [q["revision"] for q in s["quarantine"]])
    r.check("stable is as before", s["stable"]["revision"] == good)
    h.run("verdict", want=7 if name != "refused" else None)
    if name in ("failing", "undefined"):
        r.check("one look fails %s, too" % name, "FAIL(" in
                h.run("verdict", "--once", want=7).partition("\none look")[2])
    h.run("rollout", "start", v, want=6)
    r.check("%s can't be started again" % name, "quarantine" in h.err, h.err)
    h.run("unfreeze", "-m", "looked at it")


def by_hand(r, h, repo, good):
    v = h.publish(repo, house.GOOD)
    h.run("rollout", "start", v, "--set", "bake.min=50s")
    until("canaries run it",
          lambda: h.status()["targets"]["there"] == len(FLEET) and
          h.state() == "baking")
    out = h.run("rollback", "--yes", "-m", "a feeling")
    r.check("a rollback by hand ends with proof", "all %d targets run" % len(FLEET) in out,
            out)
    r.check("and changed the channel", h.state() in
            ("rolling-back", "rolled-back"))
    again = h.run("rollback", "--yes")
    r.check("a second one changes nothing", "nothing changed" in again, again)
    until("it is over", lambda: h.state() == "rolled-back")
    r.check("stable is as before",
            h.status()["stable"]["revision"] == good)


def all_back(r, h, repo, agents, good):
    """Everybody runs it; then nobody does."""
    h.run("unfreeze", "-m", "looked at it")
    good_release(r, h, repo)
    began = time.time()
    out = h.run("rollback", "--yes", "-m", "all of them")
    proven = time.time() - began
    took = max(a.activated(good) for a in agents) - began
    r.check("proof that all %d are back" % AGENTS, "all %d targets run" % AGENTS
            in out, out)
    print("%d agents: the last had it %.3f s after the command, with proof "
          "%.3f s" % (AGENTS, took, proven))


def once_more(r, h):
    """What failed by its decisions fails again, and nothing else does."""
    rows = h.json("verdict", "--retro", "20")["rollouts"]
    by = {v["version"]: v["outcome"] == "fail" for v in rows}
    failed = [v["version"] for v in rows if v.get("was") == "fail"]
    r.check("judged once more the same fail", sum(by.values()) == 4 and
            all(v in failed for v in by if by[v]), rows)
    r.check("with a table for people", "WOULD BE" in
            h.run("verdict", "--retro", "2"))
    rows = h.json("verdict", "--retro", "20", "--set",
                  "worse_than=100000", "--set",
                  "error_ceiling=99%")["rollouts"]
    r.check("by other settings fewer do", sum(
        v["outcome"] == "fail" for v in rows) < 4, rows)
    h.run("verdict", "--set", "worse_than=2", want=2)


def main():
    opa = house.need_opa()
    r = Report()
    agents = []
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        repo = house.Repo(tmp / "repo")
        h = house.House(tmp / "state").start()
        try:
            agents = [house.Agent(opa, tmp, h.port, *a) for a in FLEET]
            for a in agents:
                a.call(RATE)
            first_release(r, h, repo)
            until("the first release is over",
                  lambda: h.state() == "succeeded", 90,
                  lambda: h.run("status", "--full"))
            good = good_release(r, h, repo)
            for name, policy in (("failing", house.FAILS),
                                 ("undefined", house.UNDEFINED),
                                 ("denying", house.DENIES),
                                 ("allowing", house.ALLOWS),
                                 ("refused", house.TOO_BIG)):
                bad_release(r, h, repo, name, policy, good)
            by_hand(r, h, repo, good)
            all_back(r, h, repo, agents, good)
            once_more(r, h)
            h.run("audit", "verify")
            r.check("doctor runs", h.json("doctor", want=None)["kind"] ==
                    "doctor")
        finally:
            for a in agents:
                a.stop()
            r.check("serve stops cleanly", h.stop() == 0)
            if r.failed:
                print(h.said)
    return r.end()


sys.exit(main())
