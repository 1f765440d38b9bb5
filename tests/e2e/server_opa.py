#!/usr/bin/env python3
"""A real OPA polls the server: first pull, long poll, release, canary,
rollback, a stop of the server and of the agent. Ends with one line
"N passed, N failed"; skipped where there is no OPA.
"""
import hashlib
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from house import BUILD, free_port, need_opa, until  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT = 20


class Server:
    def __init__(self, port=0, more=()):
        self.p = subprocess.Popen(
            [str(BUILD / "serve"), "--port", str(port), *more], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.p.stdout.readline().split()[1])

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def stop(self):
        """How many requests were cut."""
        cut = self.say("stop")
        self.p.wait(TIMEOUT)
        assert self.p.returncode == 0, "serve ended with %d" % self.p.returncode
        return int(cut)

    def kill(self):
        self.p.kill()
        self.p.wait()


class Agent:
    def __init__(self, opa, folder, port, target, wait=None, service=None):
        self.port = free_port()
        polling = {"min_delay_seconds": 1, "max_delay_seconds": 1}
        if wait:
            polling["long_polling_timeout_seconds"] = wait
        config = folder / ("%s-%d.json" % (target, self.port))
        config.write_text(json.dumps({
            "services": {"s": service or {
                "url": "http://127.0.0.1:%d" % port,
                "headers": {"X-Regatta-Target": target}}},
            "bundles": {"authz": {"service": "s", "polling": polling}},
            "status": {"service": "s"},
            "decision_logs": {"service": "s", "reporting": {
                "min_delay_seconds": 1, "max_delay_seconds": 1}},
        }))
        self.p = subprocess.Popen(
            [opa, "run", "--server", "--addr", "127.0.0.1:%d" % self.port,
             "--log-level", "error", "-c", str(config)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def get(self, path):
        try:
            url = "http://127.0.0.1:%d%s" % (self.port, path)
            with urllib.request.urlopen(url, timeout=5) as r:
                return json.load(r)
        except (OSError, urllib.error.URLError, ValueError):
            return {}

    def version(self):
        return self.get("/v1/data/v/n").get("result")

    def status(self):
        return self.get("/v1/status").get("result", {}).get(
            "bundles", {}).get("authz", {})

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()


def build(opa, folder, n):
    source = folder / ("v%d" % n)
    source.mkdir()
    (source / "v.rego").write_text("package v\n\nn := %d\n" % n)
    out = folder / ("v%d.tar.gz" % n)
    subprocess.run([opa, "build", "-b", str(source), "-r", "r%d" % n, "-o",
                    str(out)], check=True)
    return str(out)


def write_certificate(cert, key):
    """The certificate of the unit tests."""
    text = (HERE.parent / "server_cert.h").read_text()
    pems = re.findall(r"(?:\t+\"[^\n]*\\n\"\n?)+", text)
    for path, pem in zip((cert, key), pems):
        lines = re.findall(r'"(.*)\\n"', pem)
        pathlib.Path(path).write_text("\n".join(lines) + "\n")


class Tests:
    def __init__(self, opa, folder):
        self.opa, self.folder = opa, folder
        self.bundles = [build(opa, folder, n) for n in range(3)]
        self.started = []

    def server(self, port=0, more=()):
        s = Server(port, more)
        self.started.append(s.kill)
        assert s.say("use " + self.bundles[0]) == "ok"
        return s

    def agent(self, s, target="eu-1", wait=None, service=None):
        a = Agent(self.opa, self.folder, s.port, target, wait, service)
        self.started.append(a.stop)
        return a

    def end(self):
        while self.started:
            self.started.pop()()

    def interval_polls_get_release_and_rollback(self):
        s = self.server()
        a = self.agent(s)
        until("the first bundle", lambda: a.version() == 0)
        assert s.say("use " + self.bundles[1]) == "ok"
        until("the release", lambda: a.version() == 1)
        assert s.say("use " + self.bundles[0]) == "ok"
        until("the rollback", lambda: a.version() == 0)
        assert not a.status().get("code"), a.status()
        logs, status = map(int, s.say("uploads").split())
        assert status > 0
        until("decision logs", lambda: int(s.say("uploads").split()[0]) > 0)
        assert s.stop() == 0

    def long_polls_get_a_release_at_once(self):
        s = self.server()
        agents = [self.agent(s, "eu-%d" % i, 30) for i in range(3)]
        for a in agents:
            until("the first bundle", lambda: a.version() == 0)
        until("waiting polls", lambda: s.say("waiting") == "3")
        began = time.monotonic()
        assert s.say("canary eu-1 " + self.bundles[1]) == "ok"
        until("the canary", lambda: agents[1].version() == 1)
        took = time.monotonic() - began
        assert took < 2, "%.2f s" % took
        assert agents[0].version() == 0 and agents[2].version() == 0
        until("waiting again", lambda: s.say("waiting") == "3")
        assert s.say("use " + self.bundles[2]) == "ok"
        for a in (agents[0], agents[2]):
            until("the release", lambda: a.version() == 2)
        assert agents[1].version() == 1
        for a in agents:
            assert not a.status().get("code"), a.status()
        assert s.stop() == 0

    def a_wait_that_ends_is_no_error(self):
        s = self.server()
        a = self.agent(s, "eu-1", 1)
        until("the first bundle", lambda: a.version() == 0)
        first = a.status()["last_successful_request"]
        until("more polls",
              lambda: a.status()["last_successful_request"] > first)
        assert not a.status().get("code"), a.status()
        # One poll a second: no 304 came early.
        before = int(s.say("uploads").split()[1])
        time.sleep(2.5)
        polls = int(s.say("uploads").split()[1]) - before
        assert polls <= 4, "%d polls in 2.5 s" % polls
        assert s.stop() == 0

    def an_agent_survives_a_restart_of_the_server(self):
        s = self.server()
        a = self.agent(s, "eu-1", 30)
        until("the first bundle", lambda: a.version() == 0)
        until("a waiting poll", lambda: s.say("waiting") == "1")
        assert s.stop() == 0
        until("an error", lambda: a.status().get("code") == "bundle_error")
        assert a.version() == 0
        s = self.server(s.port)
        # It has the bundle, so that its next poll waits, with the error
        # still in its status until that poll is answered.
        until("a waiting poll", lambda: s.say("waiting") == "1")
        assert s.say("use " + self.bundles[1]) == "ok"
        until("the release", lambda: a.version() == 1)
        until("recovery", lambda: a.status() and not a.status().get("code"))
        assert s.stop() == 0

    def tls_and_a_token_name_the_canary(self):
        cert, key = (str(self.folder / n) for n in ("cert.pem", "key.pem"))
        write_certificate(cert, key)
        token, tokens = "rgt_" + 64 * "5", self.folder / "tokens"
        tokens.write_text(json.dumps({"tokens": [{
            "name": "eu-1", "role": "agent", "target": "eu-1",
            "sha256": hashlib.sha256(token.encode()).hexdigest()}]}))
        s = self.server(0, ("--tls", cert, key, "--tokens", str(tokens)))
        service = {"url": "https://127.0.0.1:%d" % s.port,
                   "tls": {"ca_cert": cert},
                   "credentials": {"bearer": {"token": token}}}
        a = self.agent(s, "eu-1", 30, service)
        wrong = json.loads(json.dumps(service).replace("555", "556"))
        other = self.agent(s, "eu-2", 30, wrong)
        until("the first bundle", lambda: a.version() == 0)
        until("a waiting poll", lambda: s.say("waiting") == "1")
        assert s.say("canary eu-1 " + self.bundles[1]) == "ok"
        until("the canary", lambda: a.version() == 1)
        until("a refusal", lambda: str(
            other.status().get("http_code")) == "401")
        assert other.version() is None
        assert s.stop() == 0

    def the_server_survives_a_restart_of_an_agent(self):
        s = self.server()
        a = self.agent(s, "eu-1", 30)
        until("a waiting poll", lambda: s.say("waiting") == "1")
        a.p.kill()
        a.p.wait()
        until("its place given back", lambda: s.say("waiting") == "0")
        a = self.agent(s, "eu-1", 30)
        until("the first bundle", lambda: a.version() == 0)
        until("a waiting poll", lambda: s.say("waiting") == "1")
        assert s.stop() == 0


def main():
    opa = need_opa()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        tests = Tests(opa, pathlib.Path(folder))
        for name in [n for n in vars(Tests) if "_" in n.strip("_")]:
            try:
                getattr(tests, name)()
                passed += 1
            except (AssertionError, OSError, KeyError,
                    subprocess.SubprocessError) as e:
                print("FAILED %s: %r" % (name, e))
                failed += 1
            finally:
                tests.end()
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
