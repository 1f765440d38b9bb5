#!/usr/bin/env python3
"""A real OPA, started with what `regatta agent config` prints.

Its polls, its status and its decisions must arrive under its name, and it must
take a bundle that is signed with the key, and no other.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from house import until  # noqa: E402
from report import Report  # noqa: E402


def signed(repo):
    subprocess.run([house.PROGRAM, "key", "new", "keys/bundle.pem"],
                   cwd=repo.dir, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    (repo.dir / ".gitignore").write_text("keys/\n")
    (repo.dir / "regatta.yaml").write_text(
        house.CONFIG + "sign: {key: keys/bundle.pem, alg: ES256, "
        "keyid: k1, scope: test}\n")


def start(opa, h, repo, tmp):
    """An agent in the environment that the configuration asks for."""
    config = subprocess.run(
        [house.PROGRAM, "agent", "config", "--server",
         "http://127.0.0.1:%d" % h.port, "-l", "ring=canary", "--public-key",
         "keys/bundle.pub.pem", "--persist", str(tmp / "kept")],
        cwd=repo.dir, check=True, text=True, stdout=subprocess.PIPE).stdout
    path = tmp / "opa.yaml"
    path.write_text(config)
    port = house.free_port()
    agent = house.Agent.__new__(house.Agent)
    agent.port, agent.target, agent.sent = port, "web-17", 0
    agent.stopped = house.threading.Event()
    agent.p = subprocess.Popen(
        [opa, "run", "--server", "--addr", "127.0.0.1:%d" % port,
         "--log-level", "error", "-c", str(path)],
        env=dict(os.environ, NODE="web-17"), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    return agent


def target(h):
    found = h.json("targets")["targets"]
    return found[0] if found else {}


def main():
    opa = house.need_opa()
    r = Report()
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        repo = house.Repo(tmp / "repo")
        signed(repo)
        h = house.House(tmp / "state").start()
        agent = start(opa, h, repo, tmp)
        try:
            v1 = h.publish(repo, house.GOOD)
            h.run("rollout", "start", v1)
            until("the agent runs it", lambda: target(h).get("runs") == v1)
            t = until("its status came", lambda: target(h).get("reports") ==
                      v1 and target(h))
            r.check("it has its name", t["target"] == "web-17", t)
            r.check("and its labels", t["labels"].get("ring") == "canary", t)
            r.check("it decides", agent.ask({"user": "ana"}) is True)
            until("its decision arrived under its name", lambda: "web-17" in
                  h.run("decisions", "query", "-o", "ndjson"))
            r.check("it keeps the bundle",
                    list((tmp / "kept").rglob("bundle.tar.gz")) != [])
            (repo.dir / "regatta.yaml").write_text(house.CONFIG)
            v2 = h.publish(repo, house.GOOD_TOO)
            h.run("pin", v2, "--target", "web-17", "-m", "who signed that?")
            t = until("it refuses what nobody signed",
                      lambda: target(h).get("error") and target(h))
            r.check("and says why", "signature" in t["error"], t)
            r.check("and runs the other", t["runs"] == v1, t)
        finally:
            agent.stop()
            r.check("serve stops cleanly", h.stop() == 0)
    return r.end()


sys.exit(main())
