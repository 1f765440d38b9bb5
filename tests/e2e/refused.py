#!/usr/bin/env python3
"""What is refused leaves every byte of the state folder as it was.

Each command gets its exit code and names its reason, and the folder is compared
before and after it. Then the clock is wrong, the folder can't be written, the
database is held by a process that hangs, and at last the disk runs full, or the
program is killed, at each call of a rollback that changes a file: the channel
is as before or rolled back, the ledger is whole, and the next rollback is done.
"""
import contextlib
import hashlib
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import release
from house import FAULT, can_preload
from release import SLOW, V, check, document, expect, regatta, state, until

DAY = 24 * 3600


def content(folder):
    """Names, kinds and bytes of all there is."""
    out = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        out[name] = (hashlib.sha256(path.read_bytes()).hexdigest()
                     if path.is_file() else "")
    return out


def refused(code, *args, says="", **more):
    """It ends so, says why and what to do, and changed nothing."""
    folder = release.work / "var"
    before = content(folder)
    name = "regatta " + " ".join(map(str, args))
    expect(name, code, *args, says=says, **more)
    after = content(folder)
    check(name + ": nothing changed", after == before, {
        n for n in before.keys() | after.keys()
        if before.get(n) != after.get(n)})


def unknown():
    """What does not exist."""
    for args in (["rollout", "start", "v0"], ["rollout", "plan", "v0"],
                 ["rollback", "-y", "--to", "v0"], ["pin", "v0", "--target",
                                                    "edge-01", "-m", "x"],
                 ["diff", V[1], "v0"], ["quarantine", "v0", "-m", "x"],
                 ["pardon", "v0", "-m", "x"]):
        refused(5, *args, says="v0")
    for args in (["rollback", "-y", "--target", "nobody"],
                 ["why", "nobody"]):
        refused(5, *args, says="nobody")
    refused(5, "pin", V[2], "--target", "nobody", "-m", "x", says="nobody")
    refused(5, "rollback", "-y", "--ring", "nowhere", says="nowhere")
    refused(5, "unpin", "--target", "nobody", "-m", "x", says="nobody")
    refused(5, "verdict", "77", says="77")
    refused(5, "rollout", "show", "77", says="77")
    for args in (["rollback", "-y", "nothing"], ["status", "-b", "nothing"],
                 ["rollout", "start", "-b", "nothing"],
                 ["rollout", "plan", "-b", "nothing"],
                 ["rollout", "list", "-b", "nothing"],
                 ["promote", "-b", "nothing", "-m", "x"],
                 ["hold", "-b", "nothing"], ["abort", "-b", "nothing"],
                 ["extend", "-b", "nothing"], ["retry", "-b", "nothing"],
                 ["freeze", "-b", "nothing", "-m", "x"],
                 ["unfreeze", "-b", "nothing"], ["versions", "-b", "nothing"],
                 ["targets", "-b", "nothing"], ["history", "-b", "nothing"]):
        refused(5, *args, says="nothing")


def unusable():
    """What can't be meant."""
    for args in (["rollout", "start", V[3], "--set", "bake.min=soon"],
                 ["rollout", "start", V[3], "--set", "bake.min"],
                 ["rollout", "start", V[3], "--set", "rings=x"],
                 ["rollout", "start", V[3], "--set", "bake.min=9h"],
                 ["rollout", "start", V[3], "--set", "approvers=0"],
                 ["rollout", "start", V[3], "--set",
                  "on_inconclusive=promote"],
                 ["rollout", "start", V[3], "--if-busy", "perhaps"],
                 ["rollback"], ["rollback", "-y", "--for", "-1h"],
                 ["rollback", "--drill", "-y"], ["pin", V[2], "-m", "x"],
                 ["pin", V[2], "--selector", "ring=", "--target",
                  "edge-01", "-m", "x"],
                 ["pin", V[2], "--selector", "((", "-m", "x"],
                 ["freeze"], ["freeze", "-m", "x", "--until", "yesterday"],
                 ["freeze", "-m", "x", "--for", "never"],
                 ["status", "--timeout", "x"], ["extend", "--by", "x"],
                 ["audit", "verify", "--known", "x"]):
        refused(2, *args)


def not_now():
    """What the channel's state does not allow."""
    for args in (["promote", "-m", "x"], ["hold", "-m", "x"],
                 ["abort", "-m", "x"], ["extend", "-m", "x"]):
        refused(6, *args)
    refused(6, "rollout", "start", V[1], says="late job")
    refused(6, "rollout", "start", V[3], "--plan", "0000000000000000",
            says="plan")
    refused(6, "rollout", "start", V[3], "--generation", "1",
            says="generation")
    refused(6, "rollback", "-y", "--to", V[3], says="--force")
    refused(2, "rollback", "-y", "--to", V[3], "--force", says="--reason")
    expect("freeze", 0, "freeze", "-m", "the fair")
    refused(9, "rollout", "start", V[3], says="unfreeze")
    expect("unfreeze", 0, "unfreeze", "-m", "over")
    expect("quarantine", 0, "quarantine", V[3], "-m", "bad")
    refused(6, "rollout", "start", V[3], says="quarantine")
    refused(6, "pin", V[3], "--target", "edge-01", "-m", "x",
            says="quarantine")
    refused(6, "rollback", "-y", "--to", V[3], says="quarantine")
    refused(6, "quarantine", V[2], "-m", "x")
    expect("pardon", 0, "pardon", V[3], "-m", "not bad")
    expect("start", 0, "rollout", "start", V[3], "-m", "x")
    refused(6, "rollout", "start", V[4], says="--if-busy")
    refused(6, "retry")
    for args in (["hold"], ["abort"], ["rollout", "start", V[4]],
                 ["freeze", "-m", "x"]):
        refused(6, *args, "--generation", "1", says="generation")
    expect("hold with a key", 0, "abort", "-m", "x", "--idempotency-key", "k")
    refused(6, "freeze", "-m", "x", "--idempotency-key", "k",
            says="another call")
    expect("the same call again", 0, "abort", "-m", "x", "--idempotency-key",
           "k")


def as_it_was(name="var"):
    """The folder as the tests below begin with it."""
    folder = release.work / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(release.work / "kept", folder)
    return folder


def clocks():
    """A clock that is wrong stops no rollback; twice is still once."""
    for name, seconds in (("an hour back", -3600),
                          ("400 days ahead", 400 * DAY)):
        as_it_was()
        clock = {"LD_PRELOAD": str(FAULT), "FAULT_CLOCK": str(seconds)}
        expect(name + ": status", 0, "status", env=clock)
        expect(name + ": rollback", 0, "rollback", "platform", "-y",
               "--no-wait", env=clock)
        check(name + ": it is back", state()["stable"]["revision"] == V[1])
        refused(0, "rollback", "platform", "-y", env=clock, says="already at")
        refused(0, "rollback", "platform", "-y", says="already at")
        expect(name + ": the ledger is whole", 0, "audit", "verify")
        refused(0, "audit", "verify", env=clock)
        expect(name + ": and it goes on", 0, "freeze", "-m", "x")


def read_only():
    """Root may write where it is not allowed to, but not where nobody can."""
    folder = as_it_was()
    status, _, err = release.run("mount", "--bind", folder, folder)
    if not status:
        status, _, err = release.run("mount", "-o", "remount,bind,ro", folder)
    try:
        if status:
            print("no read-only folder: " + err.strip())
            return
        for args in (["rollback", "-y"], ["freeze", "-m", "x"], ["status"]):
            refused(1, *args, says="Read-only")
    finally:
        release.run("umount", folder)


def held():
    """Somebody who hangs holds the database: it says so, and what to do."""
    folder = as_it_was()
    db = sqlite3.connect(folder / "channels.db", isolation_level=None)
    db.execute("begin immediate")
    expect("a database that is held", 6, "rollback", "-y", "--no-wait",
           says="can be killed")
    expect("can be read", 0, "status", says=V[2])
    db.execute("rollback")
    db.close()
    expect("and is let go", 0, "rollback", "-y", "--no-wait")


def two_at_once():
    """One of them does it; the other finds it done."""
    for _ in range(10):
        as_it_was()
        both = [subprocess.Popen(
            [str(release.REGATTA), "rollback", "-y", "--no-wait", "-m", who],
            cwd=release.work, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True) for who in ("ana", "bob")]
        said = [p.communicate(timeout=60 * SLOW) for p in both]
        check("two at once", [p.returncode for p in both] == [0, 0], said)
        lines = document("history")["lines"]
        check("of which one counts", [x["event"] for x in lines].count(
            "rollback") == 1, lines)
        check("and the fleet is back", state()["stable"]["revision"] == V[1])


def is_free():
    """Can the database be changed now?"""
    db = sqlite3.connect(release.work / "var" / "channels.db", timeout=0.2,
                         isolation_level=None)
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
        return True
    except sqlite3.OperationalError:
        return False
    finally:
        db.close()


def deaf_between():
    """The server stops answering after the question. What was done around it
    is not done again when it wakes up, whatever came meanwhile."""
    as_it_was()
    server = release.Serve()
    stopped = []

    def stop_and_answer():
        for _ in range(100):
            server.p.send_signal(signal.SIGSTOP)
            time.sleep(0.05)
            if is_free():  # not in the middle of a change: that is held()
                stopped.append(True)
                break
            server.p.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        return b"y\n"

    try:
        code, seen = release.on_a_terminal(
            "rollback", "--no-wait", keys=[(b"y/N", stop_and_answer)])
        check("around a server that fell silent", code == 0 and stopped, seen)
        expect("unfreeze around it", 0, "unfreeze", "-m", "x")
        expect("and something new", 0, "rollout", "start", V[3], "-m", "new",
               "--if-busy", "supersede")
        generation = document("status")["generation"]
    finally:
        server.p.send_signal(signal.SIGCONT)
    until("it wakes up", lambda: "going around" not in regatta("status")[2])
    time.sleep(1)
    now = state()
    check("the new one goes on", now["generation"] >= generation and
          now.get("candidate", {}).get("revision") == V[3], now)
    check("serve ends with 0", server.end() == 0)


def nowhere_to_go():
    """Before anything was good there is nothing to go back to."""
    here = ["--state", release.work / "new"]
    release.policy_repo("fresh", 1, state=release.work / "new")
    before = content(release.work / "new")
    expect("never released", 5, "rollback", "-y", *here,
           says="name the bundle")
    expect("named", 0, "rollback", "platform", "-y", *here,
           says="already at no version")
    check("nothing changed", content(release.work / "new") == before)
    as_it_was()
    expect("first", 0, "rollback", "-y", "--no-wait")
    refused(0, "rollback", "-y", says="already at " + V[1])
    refused(0, "rollback", "-y", "--to", V[1], says="already at " + V[1])


def each_call(what, log):
    """The disk is full, or it is killed, at each call that changes a file."""
    folder = as_it_was()
    count = {"LD_PRELOAD": str(FAULT), "FAULT_LOG": str(log)}
    expect("a rollback, counted", 0, "rollback", "-y", "--no-wait", env=count)
    calls = len(log.read_text().splitlines())
    log.unlink()
    check("it changes files", calls > 5, calls)
    done = failed = 0
    for n in range(1, calls + 1):
        folder = as_it_was()
        fault = {"LD_PRELOAD": str(FAULT), "FAULT_AT": str(n),
                 "FAULT_DO": what}
        status, out, err = regatta("rollback", "-y", "--no-wait", env=fault)
        now = state()
        back = now.get("stable", {}).get("revision") == V[1]
        done += back
        failed += status != 0
        check("%s at call %d: %d is what happened" % (what, n, status),
              back if status == 0 else
              status in (1, -9) and bool(back or now["stable"]["revision"] ==
                                         V[2]), out + err)
        verified = regatta("audit", "verify")
        check("%s at call %d: the ledger is whole" % (what, n),
              verified[0] == 0, verified)
        again = regatta("rollback", "-y", "--no-wait")
        check("%s at call %d: the next one is done" % (what, n),
              again[0] == 0 and state()["stable"]["revision"] == V[1], again)
        check("%s at call %d: and nothing is left over" % (what, n), not any(
            "tmp" in x for x in content(folder)), content(folder).keys())
    print("%s: %d calls, %d failed, %d were done at once" % (
        what, calls, failed, done))


def begin():
    """A fleet on its second version; two more were published."""
    release.policy_repo("repo", 4, state=release.work / "var")
    server = release.Serve()
    with contextlib.ExitStack() as ends:
        ends.callback(server.end)
        agents = release.fleet(server)
        for a in agents:
            ends.callback(a.leave)
        release.release(V[1])
        release.release(V[2])
        until("all have it", lambda: state()["targets"]["there"] ==
              len(agents))
    folder = release.work / "var"
    (folder / "socket").unlink(missing_ok=True)
    shutil.copytree(folder, release.work / "kept")


def main():
    with tempfile.TemporaryDirectory() as folder:
        release.work = pathlib.Path(folder)
        begin()
        unknown()
        unusable()
        not_now()
        nowhere_to_go()
        faults = can_preload()
        if faults:
            clocks()
        read_only()
        held()
        two_at_once()
        deaf_between()
        for what in ("28", "kill") if faults else ():  # ENOSPC, SIGKILL
            each_call(what, release.work / "log")
    return release.tally.end()


if __name__ == "__main__":
    sys.exit(main())
