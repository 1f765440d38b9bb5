"""A policy repo, a served state folder, and real OPA agents, for tests.

The end-to-end tests of the release side stand on it.
"""
import datetime
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / (os.environ.get("BUILD") or "build")
PROGRAM = str(BUILD / "regatta")
FAULT = BUILD / "fault.so"
TIMEOUT = 60
# What git is run with, and nothing of who runs the tests.
GIT = {"GIT_AUTHOR_NAME": "ci", "GIT_AUTHOR_EMAIL": "ci@localhost",
       "GIT_COMMITTER_NAME": "ci", "GIT_COMMITTER_EMAIL": "ci@localhost",
       "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}

CONFIG = """\
bundle: authz
include: [policies]
decisions:
  - {path: "authz/allow", outcome: allow}
rollout:
  rings:
    - {name: canary, select: "ring=canary"}
    - {name: fleet, percent: 100}
  bake: {min: 1s, max: 60s, fleet: 2s}
  verdict: {min_decisions: 50, pass_below: 5%, window: 1s}
"""
GOOD = "package authz\n\ndefault allow := false\n\nallow if input.user == \"ana\"\n"
GOOD_TOO = GOOD + "\nallow if input.user == \"root\"\n"
# Each is a way in which a change goes wrong.
FAILS = "package authz\n\nallow := x if {\n\tx := input.n\n}\n\nallow := y if {\n\ty := 3\n}\n"
UNDEFINED = "package authz\n\nallow if input.usr == \"ana\"\n"
DENIES = "package authz\n\ndefault allow := false\n\nallow if input.user == \"anna\"\n"
TOO_BIG = "no agent takes it"
ALLOWS = "package authz\n\ndefault allow := true\n"


def can_preload():
    """Can FAULT make the program's calls go wrong? Says why it can't."""
    if not FAULT.exists():
        print("skipped: no %s here (make build/fault.so)" % FAULT)
        return False
    # What is preloaded comes before their libraries, which they refuse.
    program = pathlib.Path(PROGRAM).read_bytes()
    if b"__asan_init" in program or b"__tsan_init" in program:
        print("skipped: calls of a program with sanitizers can't be replaced")
        return False
    return True


def find_opa():
    p = subprocess.run([str(ROOT / "tests" / "find-opa.sh")], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return p.stdout.strip() if p.returncode == 0 else None


def need_opa():
    """The OPA to test with. Where there is none the test ends here."""
    opa = find_opa()
    if not opa:
        print("skipped: no OPA; tests/find-opa.sh says how to get one")
        print("0 passed, 0 failed")
        sys.exit(0)
    return opa


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, check, seconds=TIMEOUT, show=None):
    """The first true value of check(), or an error after that long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("not within %d s: %s%s" % (
        seconds, what, "\n" + show() if show else ""))


class Repo:
    """A git repository with one policy."""

    def __init__(self, folder, config=CONFIG):
        self.dir = folder
        (folder / "policies").mkdir(parents=True)
        (folder / "regatta.yaml").write_text(config)
        self.git("init", "-q")
        self.clock = int(time.time()) - 86400 * 3

    def git(self, *args):
        env = dict(os.environ, **GIT)
        if hasattr(self, "clock"):
            env["GIT_COMMITTER_DATE"] = env["GIT_AUTHOR_DATE"] = \
                "%d +0000" % self.clock
        return subprocess.run(["git", *args], cwd=self.dir, env=env, text=True,
                              check=True, stdout=subprocess.PIPE).stdout

    def commit(self, policy):
        self.clock += 60
        data = self.dir / "policies" / "data.json"
        data.unlink(missing_ok=True)
        if policy is TOO_BIG:
            data.write_text(json.dumps({"authz": {"big": "x" * 100000}}))
            policy = GOOD
        (self.dir / "policies" / "authz.rego").write_text(policy)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")

    def release_file(self, policy):
        """A commit of that policy as a bundle file."""
        self.commit(policy)
        path = self.dir.parent / "bundle.tar.gz"
        subprocess.run([PROGRAM, "build", str(self.dir), "-o", str(path)],
                       check=True, stderr=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        return path


class House:
    """A state folder, and a server on it when it is started."""

    def __init__(self, folder, *more):
        self.dir = folder
        self.more = more
        self.port = free_port()
        self.p = None
        self.env = dict(os.environ, REGATTA_STATE=str(folder))
        for name in ("REGATTA_SERVER", "REGATTA_TOKEN"):
            self.env.pop(name, None)

    def start(self):
        self.p = subprocess.Popen(
            [PROGRAM, "serve", "--state", str(self.dir), "--listen",
             "127.0.0.1:%d" % self.port, *self.more], text=True,
            stderr=subprocess.PIPE)
        self.said = self.p.stderr.readline()
        assert "serving" in self.said, self.said
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self):
        for line in self.p.stderr:
            self.said += line

    def stop(self, how=signal.SIGTERM):
        if not self.p:
            return None
        self.p.send_signal(how)
        code = self.p.wait(TIMEOUT)
        self.p = None
        return code

    def run(self, *args, want=0, **kw):
        """What a command prints; it must end with `want` (None: any)."""
        p = subprocess.run([PROGRAM, *args], text=True, env=self.env,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=TIMEOUT, **kw)
        self.code, self.err = p.returncode, p.stderr
        if want is not None and p.returncode != want:
            raise AssertionError("regatta %s ended with %d, not %d: %s%s" % (
                " ".join(args), p.returncode, want, p.stdout, p.stderr))
        return p.stdout

    def json(self, *args, want=0):
        return json.loads(self.run(*args, "-o", "json", want=want))

    def publish(self, repo, policy):
        path = repo.release_file(policy)
        return self.json("publish", str(path), "--name", "authz")["revision"]

    def status(self):
        return self.json("status")

    def state(self):
        return self.status()["state"]


class Agent:
    """A real OPA, and its callers."""

    def __init__(self, opa, folder, port, target, ring, wait=5, **reporting):
        self.target = target
        self.port = free_port()
        self.opa = opa
        self.stopped = threading.Event()
        self.sent = 0
        self.config = folder / (target + ".json")
        self.config.write_text(json.dumps({
            "services": {"s": {"url": "http://127.0.0.1:%d" % port,
                               "headers": {"X-Regatta-Target": target}}},
            "labels": {"target": target, "ring": ring},
            "bundles": {"authz": {"service": "s", "size_limit_bytes": 50000,
                                  "polling": {
                "min_delay_seconds": 1, "max_delay_seconds": 1,
                "long_polling_timeout_seconds": wait}}},
            "status": {"service": "s"},
            "decision_logs": {"service": "s", "reporting": {
                "min_delay_seconds": 1, "max_delay_seconds": 1,
                "upload_size_limit_bytes": 1048576, **reporting}},
        }))
        self.start()

    def start(self):
        self.p = subprocess.Popen(
            [self.opa, "run", "--server", "--addr",
             "127.0.0.1:%d" % self.port, "--log-level", "error", "-c",
             str(self.config)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, doc):
        body = json.dumps({"input": doc}).encode()
        req = urllib.request.Request(
            "http://127.0.0.1:%d/v1/data/authz/allow" % self.port, data=body,
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(req, timeout=5) as r:
                return json.load(r).get("result")
        except (OSError, urllib.error.URLError, ValueError):
            return None

    def activated(self, revision):
        """When it took up the bundle that it has, which must be this one."""
        def status():
            url = "http://127.0.0.1:%d/v1/status" % self.port
            with urllib.request.urlopen(url, timeout=5) as r:
                return json.load(r)["result"]["bundles"]["authz"]

        s = until("%s runs %s" % (self.target, revision), lambda: (
            lambda x: x.get("active_revision") == revision and x)(status()))
        day, _, fraction = s["last_successful_activation"].partition(".")
        at = datetime.datetime.fromisoformat(day.rstrip("Z") + "+00:00")
        return at.timestamp() + float("0." + (fraction.rstrip("Z") or "0"))

    def call(self, rate):
        """Let callers ask, so many times a second, until it is stopped."""
        self.thread = threading.Thread(target=self._call, args=(rate,),
                                       daemon=True)
        self.thread.start()

    def _call(self, rate):
        rnd = random.Random(self.target)
        while not self.stopped.wait(1 / rate):
            self.sent += 1
            self.ask({"user": rnd.choice(["ana", "ana", "ana", "bob"]),
                      "n": rnd.randrange(1000), "at": self.sent})

    def stop(self, how=signal.SIGTERM):
        self.stopped.set()
        self.p.send_signal(how)
        try:
            self.p.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
