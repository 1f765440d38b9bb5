#!/usr/bin/env python3
"""`regatta simulate` against `regatta serve`: a fleet that can be believed."""
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from house import until  # noqa: E402
from report import Report  # noqa: E402

ALL = "simulated!=no"


def simulate(h, *args):
    return [house.PROGRAM, "simulate", "--server",
            "http://127.0.0.1:%d" % h.port, "-b", "authz", "--path",
            "authz/allow", "--wait", "2s", "--status-every", "1s",
            "--upload-every", "1s", "-o", "json", *args]


def give(h, revision):
    h.run("pin", revision, "--selector", ALL, "--for", "1h", "-m", "a test")


def running(h, revision):
    return {t["revision"]: t["targets"]
            for t in h.status()["targets"]["running"]}.get(revision, 0)


def refusing(r, h, v1, v2):
    """Agents that refuse a version, and what they say before and after."""
    p = subprocess.Popen(simulate(h, "-n", "3", "--rate", "5", "--fault",
                                  "refuse=1@" + v2), stdout=subprocess.PIPE,
                         text=True)
    try:
        give(h, v1)
        until("all run the first", lambda: running(h, v1) == 3)
        give(h, v2)
        until("all refuse the second",
              lambda: h.status()["targets"]["failed"] == 3)
        r.check("and run the first", running(h, v1) == 3)
        give(h, v1)
        until("what they refused is forgotten", lambda: not any(
            t.get("error") for t in h.json("targets")["targets"]))
    finally:
        p.send_signal(signal.SIGTERM)
        said = [json.loads(x) for x in p.communicate()[0].splitlines()]
    end = said[-1]
    r.check("it ends well", p.returncode == 0, p.returncode)
    r.check("everything that was logged arrived", end["logged"] ==
            end["acknowledged"] > 0, end)
    r.check("each refusal is told", sum(
        x["kind"] == "refused" for x in said) == end["refusals"] >= 3, end)


def outcomes(h, name):
    """Users and results of an agent's decisions, in its order."""
    out = h.run("decisions", "query", "--target", name, "-o", "raw")
    return [(e["input"]["user"], e.get("result")) for e in
            sorted((json.loads(x) for x in out.splitlines()),
                   key=lambda e: e["req_id"])]


def seeded(r, h):
    """The same seed decides the same, another one does not."""
    seen = []
    for name, seed in (("a", "7"), ("a", "7"), ("b", "8")):
        before = len(outcomes(h, name + "-1"))
        subprocess.run(simulate(h, "-n", "1", "--name", name, "--seed", seed,
                                "--rate", "30", "--duration", "3s"),
                       check=True, stdout=subprocess.DEVNULL)
        seen.append(outcomes(h, name + "-1")[before:] if name == "b" else
                    outcomes(h, name + "-1"))
    n = min(len(seen[0]), 40)
    twice = seen[1]
    # Both runs of one seed are in the log: each serial is there twice.
    r.check("the same seed gives the same", n > 10 and all(
        twice[i] == twice[i + 1] for i in range(0, 2 * n - 2, 2)))
    r.check("another seed gives others", seen[2][:n] != seen[0][:n])


def server_away(r, h):
    """Small uploads, and a server that is away for a while: all arrive once."""
    p = subprocess.Popen(simulate(
        h, "-n", "5", "--name", "away", "--rate", "40", "--duration", "9s",
        "--upload-limit", "4KiB"), stdout=subprocess.PIPE, text=True)
    time.sleep(3)
    h.stop()
    time.sleep(2)
    h.start()
    end = [json.loads(x) for x in p.communicate()[0].splitlines()][-1]
    r.check("uploads failed, and none was given up", end["pushed_back"] > 0 and
            end["logged"] == end["acknowledged"] > 500 and
            end["dropped"] == 0 and end["uploads"] > 30, end)
    ids = [json.loads(x)["decision_id"] for i in range(1, 6) for x in
           h.run("decisions", "query", "--target", "away-%d" % i, "-o",
                 "raw").splitlines()]
    r.check("each is in the log once", len(ids) == len(set(ids)) ==
            end["logged"], (len(ids), len(set(ids)), end["logged"]))


def bad_arguments(r, h):
    for args, says in ((["--fault", "x=1"], "a fault is"),
                       (["--fault", "error=2"], "a fault is"),
                       (["-g", "x"], "a group is"),
                       (["--inputs", "/nowhere"], "no input"),
                       (["--server", "https://x"], "plain HTTP")):
        p = subprocess.run(simulate(h, *args), text=True,
                           stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        r.check("%s is refused" % args, p.returncode == 2 and says in p.stderr
                or p.returncode in (2, 5), p.stderr)


def main():
    r = Report()
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        repo = house.Repo(tmp / "repo")
        h = house.House(tmp / "state").start()
        try:
            v1 = h.publish(repo, house.GOOD.replace("ana", "user-1"))
            v2 = h.publish(repo, house.GOOD_TOO)
            refusing(r, h, v1, v2)
            seeded(r, h)
            server_away(r, h)
            bad_arguments(r, h)
        finally:
            r.check("serve stops cleanly", h.stop() == 0)
    return r.end()


sys.exit(main())
