#!/usr/bin/env python3
"""What the release engineer and the on-call type, on a folder and on servers.

First with `regatta serve` on the folder and agents that poll it: a first
version, a rollout, a rollback with its proof and with its stragglers. Then the
server is stopped with SIGSTOP, so that it takes connections and answers none:
commands must go around it within seconds. Then on the folder alone, with every
way to be refused and its exit code. Last over the network, with tokens. Every
command's -o json must be one document. Ends with "N passed, N failed".
"""
import fcntl
import io
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tarfile
import tempfile
import termios
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from house import GIT  # noqa: E402
from report import Report  # noqa: E402

REGATTA = house.BUILD / "regatta"
V = ["v2026.06.2%d-1" % i for i in range(10)]  # V[1] is the first
SLOW = 6 if "asan" in str(REGATTA) or "san" in str(REGATTA.parent) else 1

work = None

tally = Report()
check = tally.check


def run(*command, cwd=None, env=None, timeout=60):
    done = subprocess.run([str(c) for c in command], cwd=cwd or work, text=True,
                          env=dict(os.environ, **GIT, **(env or {})),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout)
    return done.returncode, done.stdout, done.stderr


def regatta(*args, **more):
    return run(REGATTA, *args, **more)


def expect(what, code, *args, says="", **more):
    """One command, its exit code, and a word of what it says."""
    status, out, err = regatta(*args, **more)
    check("%s: exit %d" % (what, code), status == code,
          "exit %d\n%s%s" % (status, out, err))
    if says:
        check("%s: says %r" % (what, says), says in out + err, out + err)
    return out, err


def document(*args, code=0, **more):
    """What -o json gives; one document of JSON whatever the exit code."""
    status, out, err = regatta(*args, "-o", "json", **more)
    check("%s -o json: exit %d" % (" ".join(map(str, args)), code),
          status == code, "exit %d\n%s%s" % (status, out, err))
    try:
        doc = json.loads(out)
    except ValueError as e:
        check("%s -o json is a document" % (args,), False, "%s: %s" % (e, out))
        return {}
    check("%s -o json has a kind and a schema" % (args,), "error" in doc or
          ("kind" in doc and doc.get("schema") == 1), out)
    return doc


def until(what, true, seconds=20):
    """Look until it is so."""
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        if true():
            return check(what, True)
        time.sleep(0.05)
    return check(what, False, regatta("status", "--full")[1])


def policy_repo(name, versions, state=None, env=None, **more):
    """A repo with so many commits, each a version; the first is V[1]."""
    repo = work / name
    regatta("init", repo)
    run("git", "init", "-q", "-b", "main", repo)
    rego = sorted(p for p in repo.glob("policies/**/*.rego")
                  if not p.name.endswith("_test.rego"))[0]
    for i in range(1, versions + 1):
        with rego.open("a") as f:
            f.write("\n# %s %d\n" % (name, i))
        date = {"GIT_AUTHOR_DATE": "2026-06-2%dT10:00:00Z" % i,
                "GIT_COMMITTER_DATE": "2026-06-2%dT10:00:00Z" % i}
        run("git", "add", "-A", cwd=repo)
        run("git", "commit", "-q", "-m", "c%d" % i, cwd=repo, env=date)
        publish(repo, state, env)
    return repo


def publish(repo, state=None, env=None):
    where = ["--state", state] if state else []
    code, out, err = regatta("ci", "--publish", "-q", *where, cwd=repo, env=env)
    check("ci --publish", code == 0, out + err)


class Serve:
    def __init__(self, *args, state="var"):
        self.p = subprocess.Popen(
            [str(REGATTA), "serve", "--listen", "127.0.0.1:0", "--state",
             state] + list(args), cwd=work, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True)
        line = self.p.stderr.readline()
        found = re.search(r"http://\S+", line)
        if not found:
            raise RuntimeError("serve: " + line)
        self.url = found.group(0)
        threading.Thread(target=self.p.stderr.read, daemon=True).start()

    def end(self):
        self.p.send_signal(signal.SIGCONT)
        self.p.terminate()
        return self.p.wait(30 * SLOW)


class Agent(threading.Thread):
    """Polls every 0.1 s with the tag it has, and tells its labels and revision
    with each new bundle: so does a stock OPA."""

    def __init__(self, server, name, ring):
        super().__init__(daemon=True)
        self.server, self.name_, self.ring = server, name, ring
        self.tag = None
        self.alive = True
        self.start()

    def ask(self, path, body=None):
        q = urllib.request.Request(self.server.url + path, data=body)
        q.add_header("X-Regatta-Target", self.name_)
        if self.tag and not body:
            q.add_header("If-None-Match", self.tag)
        with urllib.request.urlopen(q, timeout=5) as r:
            return r.read(), r.headers["ETag"]

    def report(self, archive):
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            manifest = json.load(tar.extractfile("/.manifest"))
        bundle = {"name": "platform", "active_revision": manifest["revision"]}
        self.ask("/status", json.dumps({
            "labels": {"id": self.name_, "ring": self.ring},
            "bundles": {"platform": bundle}}).encode())

    def poll(self):
        try:
            archive, tag = self.ask("/bundles/platform")
            self.report(archive)
            self.tag = tag
        except (urllib.error.URLError, OSError):
            pass  # 304, 404, or the server is stopped

    def run(self):
        while self.alive:
            self.poll()
            time.sleep(0.1)

    def leave(self):
        self.alive = False
        self.join(20)


def fleet(server):
    """Ten agents, four of them canaries, when the server knows them."""
    agents = [Agent(server, "edge-%02d" % i, "canary" if i < 4 else "main")
              for i in range(10)]
    until("targets are known", lambda: document(
        "rollout", "plan", V[1]).get("targets") == len(agents))
    return agents


def state(*where):
    return json.loads(regatta("status", "-o", "json", *where)[1] or "{}")


def release(version, *where):
    """To all, by hand: there is no traffic that could prove it."""
    expect("rollout start " + version, 0, "rollout", "start", version,
           "--set", "bake.fleet=1h", "-m", "a test", *where)
    for _ in range(8):
        if state(*where).get("state") == "succeeded":
            break
        end = time.monotonic() + 10 * SLOW
        while (state(*where).get("state") in ("preflight", "distributing") and
               time.monotonic() < end):
            time.sleep(0.05)
        regatta("promote", "--force", "-m", "no traffic in this test", *where)
    now = state(*where)
    check(version + " is stable", now["state"] == "succeeded" and
          now["stable"]["revision"] == version,
          regatta("status", "--full", *where)[1])


# --- with a server and agents -------------------------------------------------

def first_version(agents):
    document("rollout", "plan", V[1])
    expect("a plan", 0, "rollout", "plan", V[1], says="first release")
    release(V[1])
    until("every agent has the first version",
          lambda: state()["targets"]["there"] == len(agents))


def a_rollout():
    plan = document("rollout", "plan", V[2])
    expect("a plan that is not this one", 6, "rollout", "start", V[2], "--plan",
           "0000000000000000")
    expect("start by its plan", 0, "rollout", "start", V[2], "--plan",
           plan.get("plan"), "-m", "second")
    until("the canary has it", lambda: state()["state"] == "baking")
    expect("a busy channel", 6, "rollout", "start", V[3], says="--if-busy")
    expect("a generation that has passed", 6, "hold", "--generation", "1", "-m",
           "late", says="generation")
    why = document("why", "edge-01")
    check("why: the canary", why.get("because") == "candidate" and
          why.get("runs") == V[2] and "ring canary" in why.get("why", ""), why)
    why = document("why", "edge-05")
    check("why: not the canary", why.get("because") == "stable" and
          why.get("runs") == V[1], why)
    expect("hold", 0, "hold", "-m", "wait a moment")
    expect("on hold, until done", 8, "status", "--until-done",
           "--timeout", "10s", says="HOLD")
    expect("extend", 0, "extend", "--by", "10m", "-m", "longer")
    for args in (["rollout", "list"], ["rollout", "show"]):
        expect(" ".join(args), 0, *args, says=V[2])
        document(*args)


def pins():
    expect("pin", 0, "pin", V[2], "--target", "edge-09", "-m", "a try")
    until("a pinned target has it",
          lambda: document("why", "edge-09").get("runs") == V[2])
    expect("pins are shown", 0, "status", says="edge-09 to " + V[2])
    document("unpin", "--target", "edge-09", "-m", "done")
    expect("no such pin", 5, "unpin", "--target", "edge-09", "-m", "again",
           says="no pin")
    expect("a pin of nobody", 2, "pin", V[2], "-m", "x")
    expect("a pin to nothing", 5, "pin", "v0", "--target", "edge-09", "-m", "x")


def back(agents):
    expect("a dry run", 0, "rollback", "--dry-run", says="%s -> %s" % (V[2],
                                                                      V[1]))
    check("changes nothing", state()["candidate"]["revision"] == V[2])
    document("rollback", "--dry-run")
    expect("nobody can be asked", 2, "rollback", says="--yes")
    began = time.monotonic()
    out, err = expect("rollback", 0, "rollback", "--yes", "--git-hint",
                      says="all %d targets" % len(agents))
    took = time.monotonic() - began
    print("rollback of %d agents, with proof: %.0f ms" % (len(agents),
                                                         took * 1000))
    check("one line of what changes", "%s -> %s" % (V[2], V[1]) in err, err)
    check("the hint for git", re.search(r"^git revert --no-edit \w{40}\.\.\w{40}",
                                        out, re.M), out)
    until("it ends", lambda: state()["state"] == "rolled-back")
    generation = state()["generation"]
    expect("a second rollback", 0, "rollback", "--yes", says="already at")
    document("rollback", "--yes")
    check("changes nothing", state()["generation"] == generation)
    expect("what ended badly", 7, "status", "--until-done",
           "--timeout", "10s")


def drill():
    """To another good version and back, timed, on one ring."""
    expect("drill", 0, "rollback", "--drill", "--ring", "canary", "--to", V[1],
           "-m", "every month", says="and back: all there")
    check("nothing is left of it", not state()["pins"], state()["pins"])


def stragglers(agents):
    """One agent is gone: it is named, with what it runs."""
    expect("unfreeze", 0, "unfreeze", "-m", "looked at it")
    release(V[3])
    until("all have it", lambda: state()["targets"]["there"] == len(agents))
    drill()
    expect("an ancestor of stable", 6, "rollout", "start", V[1], "-m", "late",
           says="a late job")
    agents[4].leave()
    out, _ = expect("rollback without one", 10, "rollback", "-y", "--timeout",
                    "3s", "-m", "errors", says="edge-04")
    check("it says what that one runs", V[3] in out, out)
    doc = state()
    check("the straggler in the document",
          [s["target"] for s in doc["targets"]["stragglers"]] == ["edge-04"],
          doc["targets"])


def watching():
    """Without a terminal: blocks of lines, or one document a line."""
    status, out, err = regatta("status", "--watch", "--timeout", "1s")
    check("status --watch ends with 124", status == 124, err)
    check("it is plain", "\x1b" not in out and V[1] in out, out)
    status, out, err = regatta("status", "--watch", "--timeout", "1s", "-o",
                               "json")
    check("each line is a document", status == 124 and all(
        json.loads(line)["kind"] == "status" for line in out.splitlines()), out)


def on_a_terminal(*args, keys, rows=24, columns=60, env=None):
    """Run it on a terminal, press keys one by one. (exit code, all it wrote)
    A key may be a function that gives it when its time has come."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(work)
        os.environ.update(env or {})
        os.environ["TERM"] = "xterm"
        os.execv(str(REGATTA), [str(REGATTA)] + list(args))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen = b""
    end = time.monotonic() + 30 * SLOW
    for wait_for, key in keys + [(None, None)]:
        while time.monotonic() < end and (wait_for is None or
                                          wait_for not in seen):
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    more = os.read(fd, 65536)
                except OSError:
                    more = b""
                if not more:
                    break
                seen += more
        if key is not None:
            os.write(fd, key() if callable(key) else key)
    if time.monotonic() >= end:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), seen.decode(errors="replace")


def terminal():
    code, seen = on_a_terminal("status", "--watch",
                               keys=[(b"q quit", b"v"), (b"counted", b"q")])
    check("the screen ends with q", code == 0, seen)
    check("its own page, given back", seen.count("\x1b[?1049h") == 1 and
          seen.count("\x1b[?1049l") == 1, seen)
    check("it is never cleared while it is drawn", "\x1b[2J" not in seen)
    plain = re.sub(r"\x1b\[H", "\n", seen)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", plain)
    check("no line is wider than the terminal",
          max(map(len, re.split(r"[\r\n]+", plain))) <= 60, plain)
    code, seen = on_a_terminal("status", "--watch", keys=[(b"q quit", b"q")],
                               env={"NO_COLOR": "1"})
    check("NO_COLOR", not re.search(r"\x1b\[[0-9;]*3[0-9]m", seen), seen)
    code, seen = on_a_terminal("rollback", "--to", V[2], "--force", "-m",
                               "a drill", keys=[(b"y/N", b"n\n")])
    check("a rollback that is not wanted", code == 4 and
          "nothing was done" in seen, seen)


def deaf(server):
    """A server that takes connections and answers none."""
    server.p.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        expect("rollback around a deaf server", 0, "rollback", "--to", V[2],
               "--force", "-m", "the server hangs", "--yes", "--no-wait",
               says="going around it")
        took = time.monotonic() - began
        check("within seconds", took < 8 * SLOW, took)
        print("rollback around a stopped server: %.1f s" % took)
        expect("status around it", 0, "status", says=V[2])
        expect("freeze around it", 0, "freeze", "-m", "while it hangs",
               says="going around it")
    finally:
        server.p.send_signal(signal.SIGCONT)


def with_server():
    server = Serve()
    agents = fleet(server)
    try:
        first_version(agents)
        a_rollout()
        pins()
        terminal()
        back(agents)
        stragglers(agents)
        watching()
        terminal()
        deaf(server)
        until("it answers", lambda: "going around" not in
              regatta("status")[2])
        time.sleep(1)  # for what it was told while it hung
        check("and does not do again what was done around it", [
            line.get("reason") for line in document("history")["lines"]].count(
                "while it hangs") == 1, regatta("history")[1])
        expect("unfreeze", 0, "unfreeze", "--scope", "all", "-m", "it works")
        until("the server hears of it", lambda: agents[5].tag and
              document("why", "edge-05").get("runs") == V[2])
    finally:
        for a in agents:
            a.leave()
        check("serve ends with 0", server.end() == 0)


# --- on the folder alone ------------------------------------------------------

def reading():
    for args in (["status"], ["versions"], ["targets"], ["history"],
                 ["rollout", "list"], ["rollout", "show"], ["why", "edge-05"],
                 ["diff", V[1], V[2]], ["diff", V[4]], ["audit", "verify"]):
        expect(" ".join(args), 0, *args)
        document(*args)
    out, _ = expect("audit export", 0, "audit", "export")
    lines = [json.loads(line) for line in out.splitlines()]
    check("audit export has the ledger", len(lines) > 10, out)
    head = document("audit", "verify")["head"]
    expect("a head kept elsewhere", 0, "audit", "verify", "--known", head)
    expect("a head that never was", 11, "audit", "verify", "--known",
           head.split(":")[0] + ":" + "0" * 64)
    expect("no head", 2, "audit", "verify", "--known", "yesterday")
    doc = document("targets", "--select", "ring=canary")
    check("targets by label", len(doc["targets"]) == 4, doc)
    doc = document("targets", "--limit", "3")
    check("a page of targets", len(doc["targets"]) == 3 and doc["next"], doc)
    doc = document("targets", "--limit", "300", "--after", doc["next"])
    check("and the next", len(doc["targets"]) == 7, doc)


def everything_frozen():
    """One freeze for all bundles, known by its own words."""
    expect("all, and one of them", 2, "freeze", "--all", "-b", "platform",
           "-m", "x")
    expect("all for no reason", 2, "freeze", "--all")
    expect("freeze all", 0, "freeze", "--all", "--for", "2h", "-m",
           "the fair", says="all bundles: freeze done")
    expect("status says so", 0, "status",
           says="all of all bundles by")
    expect("doctor says so", 3, "doctor", says="regatta unfreeze --all")
    expect("all are frozen", 9, "rollout", "start", V[4], "-m", "x",
           says="unfreeze --all")
    document("rollout", "start", V[4], "-m", "x", code=9)
    document("freeze", "--all", "-m", "the fair goes on")
    expect("a channel's own freeze is another", 0, "unfreeze", "-m", "x",
           says="nothing changed")
    expect("it stands in the ledger", 0, "history", says="the fair")
    expect("which is whole", 0, "audit", "verify")
    document("unfreeze", "--all", "-m", "over")
    check("nothing is frozen", state()["freezes"] == [], state()["freezes"])


def refusals():
    missing = [["rollback", "-y", "--to", "v0"],
               ["rollback", "-y", "--target", "nobody"],
               ["rollback", "-y", "--ring", "nowhere"],
               ["rollback", "-y", "nothing"], ["status", "-b", "nothing"],
               ["rollout", "start", "v0"], ["rollout", "show", "77"],
               ["verdict", "77"], ["diff", "v0"], ["diff", V[1], "v0"],
               ["why", "nobody"], ["quarantine", "v0", "-m", "x"]]
    for args in missing:
        expect("not found: " + " ".join(args), 5, *args)
        document(*args, code=5)
    expect("a ring of a percentage", 2, "rollback", "-y", "--ring", "early",
           says="percentage")
    for args in (["rollback", "a", "b"], ["status", "x"], ["diff"], ["why"],
                 ["pin"], ["freeze", "--until", "soon"],
                 ["freeze", "--scope", "some"], ["rollback", "--drill"],
                 ["rollback", "--nonsense"], ["history", "--limit", "-1"]):
        expect("usage: " + " ".join(args), 2, *args)
    expect("unfreeze", 0, "unfreeze", "-m", "go on")
    expect("in quarantine", 6, "rollout", "start", V[3], says="quarantine")
    expect("out of it", 0, "pardon", V[3], "-m", "it was not that")
    expect("never good", 6, "rollback", "-y", "--to", V[4], says="--force")
    expect("force takes a reason", 2, "rollback", "-y", "--to", V[4],
           "--force", says="--reason")
    expect("a freeze without a reason", 2, "freeze")
    expect("freeze", 0, "freeze", "--for", "2h", "-m", "the weekend")
    document("freeze", "--for", "2h", "-m", "the weekend")
    expect("frozen", 9, "rollout", "start", V[4], "-m", "x", says="frozen")
    document("rollout", "start", V[4], "-m", "x", code=9)
    expect("rollback in a freeze", 0, "rollback", "-y", "--to", V[3],
           "--no-wait", "-m", "always works")
    document("pardon", V[1], "-m", "for the tests that follow")
    document("unfreeze", "-m", "over")
    everything_frozen()
    expect("no folder", 5, "status", "--state", "nowhere", says="nowhere")
    expect("a part", 0, "rollback", "-y", "--ring", "canary", "--to", V[3],
           "--no-wait", "-m", "only these")
    check("is a pin", [p["selector"] for p in state()["pins"]] ==
          ["ring=canary"], state()["pins"])


def overlapping():
    """Both bundles on one target: one rollout after the other."""
    here = ["--state", "several"]
    server = Serve(state="several")
    try:
        for b in ("authz", "platform"):
            ask = urllib.request.Request(server.url + "/bundles/" + b)
            ask.add_header("X-Regatta-Target", "edge-01")
            try:
                urllib.request.urlopen(ask, timeout=5)
            except urllib.error.HTTPError as e:
                check("nothing is stable yet", e.code == 404, e)
        start = ["rollout", "start", *here, "-b"]
        expect("start", 0, *start, "authz")
        expect("a plan says so", 0, "rollout", "plan", *here, "-b", "platform",
               says="authz is being rolled out to the same targets")
        expect("the same targets", 6, *start, "platform",
               says="--allow-overlap")
        document(*start, "platform", code=6)
        expect("it may wait", 0, *start, "platform", "--if-busy", "queue")
        expect("status shows what waits", 0, "status", *here, "-b", "platform",
               says="queued")
        expect("or be allowed", 0, *start, "platform", "--allow-overlap")
    finally:
        check("serve ends with 0", server.end() == 0)


def several():
    policy_repo("other", 1, state=work / "several")
    repo = policy_repo("third", 0)
    (repo / "regatta.yaml").write_text(
        (repo / "regatta.yaml").read_text().replace("platform", "authz"))
    run("git", "add", "-A", cwd=repo)
    run("git", "commit", "-q", "-m", "c", cwd=repo,
        env={"GIT_COMMITTER_DATE": "2026-06-21T10:00:00Z"})
    publish(repo, work / "several")
    expect("two bundles", 2, "status", "--state", "several", says="authz")
    for b in ("authz", "platform"):
        expect("one of two", 0, "status", "--state", "several", "-b", b, says=b)
    overlapping()
    expect("two rollouts", 6, "rollback", "--state", "several", "-y",
           says="authz, platform")


def rewritten():
    """What does not follow stable is refused, whoever published it how."""
    repo = policy_repo("line", 2, state=work / "line-var")
    here = ["--state", work / "line-var"]

    def commit(day, name):
        (repo / name).write_text(name)
        run("git", "add", "-A", cwd=repo)
        date = {"GIT_AUTHOR_DATE": "2026-06-2%dT10:00:00Z" % day,
                "GIT_COMMITTER_DATE": "2026-06-2%dT10:00:00Z" % day}
        run("git", "commit", "-qm", name, cwd=repo, env=date)

    server = Serve(state=str(work / "line-var"))
    agent = Agent(server, "edge-01", "canary")
    try:
        until("it is known", lambda: document(
            "rollout", "plan", V[2], *here).get("targets") == 1)
        release(V[2], *here)
    finally:
        agent.leave()
        server.end()
    run("git", "checkout", "-qb", "side", cwd=repo)
    commit(3, "on-side")
    run("git", "checkout", "-q", "main", cwd=repo)
    run("git", "reset", "-q", "--hard", "HEAD~1", cwd=repo)
    commit(4, "instead")
    publish(repo, work / "line-var")
    expect("history was rewritten", 6, "rollout", "start", V[4], *here,
           says="does not follow %s" % V[2])
    document("rollout", "start", V[4], *here, code=6)
    commit(5, "more")
    expect("build", 0, "build", "-o", work / "line.tar.gz", cwd=repo)
    expect("publish its file, from its repo", 0, "publish", "--name",
           "platform", *here, work / "line.tar.gz", cwd=repo)
    expect("a file is no way around it", 6, "rollout", "start", V[5], *here,
           says="--allow-divergent")
    check("nothing was started", state(*here)["state"] == "succeeded")
    run("git", "merge", "-q", "--no-ff", "-m", "m", "side", cwd=repo,
        env={"GIT_COMMITTER_DATE": "2026-06-26T10:00:00Z"})
    publish(repo, work / "line-var")
    expect("what merges stable follows it", 0, "rollout", "start", V[6], *here)
    expect("abort", 0, "abort", *here)
    expect("or it is meant", 0, "rollout", "start", V[5], *here,
           "--allow-divergent", "-m", "a new beginning")
    expect("the ledger is whole", 0, "audit", "verify", *here)


def full_disk():
    """The reserve is for this: a rollback takes its room."""
    disk = work / "disk"
    disk.mkdir()
    status, _, err = run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk)
    if status:
        print("no file system of its own, so no full disk: " + err.strip())
        return
    try:
        shutil.copytree(work / "var", disk / "var",
                        ignore=shutil.ignore_patterns("socket", "decisions"))
        before = document("status", "--state", disk / "var")["generation"]
        with (disk / "junk").open("wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                check("the disk is full", f.tell() > 4096, f.tell())
        expect("a full disk", 0, "rollback", "-y", "--no-wait", "--to", V[1],
               "--state", disk / "var", "-m", "2 a.m.")
        after = document("status", "--state", disk / "var")
        check("it went back", after["generation"] > before and
              after["stable"]["revision"] == V[1], after)
        expect("and the ledger is whole", 0, "audit", "verify", "--state",
               disk / "var")
    finally:
        run("umount", disk)


def tampered():
    """Whatever was done to a line, `audit verify` names it; `fsck` too."""
    kept = work / "ledger.pub"
    shutil.copy(work / "var" / "ledger.pub", kept)
    expect("with the key that was kept", 0, "audit", "verify", "--public-key",
           kept)
    expect("no key", 5, "audit", "verify", "--public-key", work / "none")
    expect("nonsense", 2, "audit", "verify", "--public-key",
           work / "var" / "VERSION", says="public_key")
    key = ("audit", "verify", "--public-key", kept, "--state", "bad")
    for what, sql, names in (
            ("forged", "update ledger set line = replace(line, 'weekend',"
             " 'weekday')", "ledger line "),
            ("reordered", "update ledger set seq = -4 where seq = 5; update"
             " ledger set seq = 5 where seq = 4; update ledger set seq = 4"
             " where seq = -4", "ledger line 4"),
            ("truncated", "update ledger set line = substr(line, 1, 99)"
             " where seq = 6", "ledger line 6"),
            ("cut out", "delete from ledger where seq = 3",
             "line 3 is missing"),
            ("cut off", "delete from ledger where seq > 9", "ledger"),
            ("signed as another", "update ledger set head = (select head from"
             " ledger where seq = 2) where seq = 7", "ledger line 7")):
        spoil(sql)
        expect("a line " + what, 11, "audit", "verify", "--state", "bad",
               says=names)
        document("audit", "verify", "--state", "bad", code=11)
        expect(what + ": fsck", 11, "fsck", "--state", "bad", says=names)
    spoil("update ledger set head = null where seq > 5")
    expect("without signatures", 0, "audit", "verify", "--state", "bad",
           says="lines 6 to ")
    expect("which the key does not let pass", 11, *key,
           says="ledger lines 6 to ")
    spoil("select 1")
    regatta("key", "new", "another.pem")
    shutil.copy(work / "another.pub.pem", work / "bad" / "ledger.pub")
    expect("another key", 11, "audit", "verify", "--state", "bad",
           says="ledger line 1")
    expect("and the one that was kept", 0, *key)


def spoil(sql):
    shutil.rmtree(work / "bad", ignore_errors=True)
    shutil.copytree(work / "var", work / "bad",
                    ignore=shutil.ignore_patterns("socket"))
    db = sqlite3.connect(work / "bad" / "channels.db")
    db.executescript(sql)
    db.close()


def differences():
    """What a reviewer asks: files, rules, data, and what agents log."""
    repo = policy_repo("differ", 1, state=work / "differ-var")
    rego = sorted(p for p in repo.glob("policies/**/*.rego")
                  if not p.name.endswith("_test.rego"))[0]
    package = re.search(r"^package (\S+)", rego.read_text(), re.M)[1]
    with rego.open("a") as f:
        f.write("\n# a word\nnew_rule := 7\n")
    log = repo / "policies" / "log" / "log.rego"
    log.parent.mkdir()
    log.write_text("package system.log\n\nmask contains \"/input/secret\"\n")
    config = repo / "regatta.yaml"
    config.write_text(re.sub(r"^roots: \[", "roots: [system/log, ",
                             config.read_text(), flags=re.M))
    stages = repo / "stages" / "ci.yaml"
    stages.write_text(stages.read_text().replace("from: 2026-04-14",
                                                 "from: 2026-04-15"))
    run("git", "add", "-A", cwd=repo)
    run("git", "commit", "-q", "-m", "c", cwd=repo,
        env={"GIT_COMMITTER_DATE": "2026-06-22T10:00:00Z"})
    code, out, err = regatta("build", "-o", work / "differ.tar.gz", cwd=repo)
    check("build", code == 0, out + err)
    expect("publish", 0, "publish", "--name", "platform", "--state",
           "differ-var", "differ.tar.gz")
    expect("the same again", 0, "publish", "--name", "platform", "--state",
           "differ-var", "differ.tar.gz", says="published before")
    doc = document("diff", V[1], V[2], "--state", "differ-var")
    rules = {r["rule"]: r["change"] for r in doc["rules"]}
    check("the rules that differ, and no other", rules == {
        "data.%s.new_rule" % package: "added",
        "data.system.log.mask": "added"}, rules)
    check("that agents log otherwise", doc["system_log"] is True, doc)
    check("keys of the data", doc["data"] == [
        {"change": "changed", "path": "/stages/%s/stages" % policy}
        for policy in ("require-signed-images", "require-two-approvals")],
          doc["data"])
    expect("and as text", 0, "diff", V[1], V[2], "--state", "differ-var",
           says="what agents log changes")
    doc = document("diff", V[2], V[1], "--state", "differ-var")
    check("and back", {r["change"] for r in doc["rules"]} == {"removed"}, doc)


# --- over the network ---------------------------------------------------------

def token(name, role):
    out, _ = expect("token add", 0, "token", "add", name, "--role", role)
    return out.split()[-1]


def over_the_network(repo):
    tokens = {role: token(role, role)
              for role in ("viewer", "ci", "release", "oncall")}
    server = Serve()
    try:
        def asks(role, code, *args, says=""):
            expect("%s: %s" % (role, " ".join(args)), code, *args,
                   "--server", server.url, says=says,
                   env={"REGATTA_TOKEN": tokens.get(role, "")})

        asks("nobody", 4, "status", says="REGATTA_TOKEN")
        asks("viewer", 0, "status", says="platform")
        asks("viewer", 0, "history")
        for args in (["rollback", "-y"], ["freeze", "-m", "x"],
                     ["rollout", "start", V[4]]):
            asks("viewer", 4, *args)
        asks("ci", 4, "rollback", "-y")
        asks("oncall", 0, "freeze", "-m", "looking at it")
        asks("oncall", 4, "unfreeze", "-m", "over")
        asks("release", 0, "unfreeze", "-m", "over")
        asks("oncall", 0, "rollback", "-y", "--no-wait", "--to", V[1], "-m", "x")
        with open(repo / "CODEOWNERS", "a") as f:
            f.write("# more\n")
        run("git", "commit", "-qam", "more", cwd=repo,
            env={"GIT_COMMITTER_DATE": "2026-06-29T10:00:00Z"})
        publish(repo, env={"REGATTA_TOKEN": tokens["ci"],
                           "REGATTA_SERVER": server.url})
        asks("viewer", 0, "versions", says=V[9])
        asks("viewer", 4, "publish", "--name", "platform", str(
            work / "b.tar.gz"))
        who = {line["who"] for line in document("history")["lines"]}
        check("the ledger has the tokens' names", {"oncall", "release",
                                                   "ci"} <= who, who)
    finally:
        check("serve ends with 0", server.end() == 0)
    expect("a server that is gone", 1, "status", "--server", server.url,
           says=server.url)


def main():
    global work
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        repo = policy_repo("repo", 4, state=work / "var")
        expect("build", 0, "build", "-o", work / "b.tar.gz", cwd=repo)
        expect("nothing to go back from", 5, "rollback", "-y")
        with_server()
        reading()
        refusals()
        several()
        rewritten()
        full_disk()
        tampered()
        differences()
        over_the_network(repo)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
