#!/usr/bin/env python3
"""`regatta doctor` as it is typed: regatta.yaml, keys, agents' configurations,
a server elsewhere; the order of rows, the exit code, both formats.

What it says of a state folder is tested in tests/test_op_doctor.c, and each line
of an agent's configuration in tests/test_advice.c.
"""
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from report import Report  # noqa: E402

GOOD = """\
bundle: platform
sign: {key: keys/bundle.pem, alg: ES256, keyid: bundle-1, scope: prod}
test: {coverage: 80}
decisions: [{path: "**", outcome: violations}]
rollout:
  rings: [{name: canary, percent: 5}, {name: fleet, percent: 100}]
  on_inconclusive: hold
notify: [./tell]
"""
ONE_RING = "[{name: fleet, percent: 100}]"
# What is changed in it, and what is found then.
CHANGES = [
    ("", "", []),
    ("bundle:", "bundel:", ["D400"]),
    ("sign:", "#", ["D401"]),
    (", keyid: bundle-1", "", ["D402"]),
    (", scope: prod", "", ["D403"]),
    ("[{name: canary, percent: 5}, {name: fleet, percent: 100}]", ONE_RING,
     ["D405"]),
    ("on_inconclusive: hold", "on_inconclusive: promote\n  reason: so",
     ["D406"]),
    ("decisions:", "#", ["D407"]),
    ("test:", "#", ["D408"]),
    ("notify: [./tell]", "", ["D410"]),
]
HARMS = ["high", "medium", "low"]


def doctor(folder, *args):
    """(exit status, rows, standard error); of rows and text, as one."""
    env = dict(os.environ)
    for name in ("REGATTA_SERVER", "REGATTA_STATE", "REGATTA_TOKEN"):
        env.pop(name, None)
    p = subprocess.run([house.PROGRAM, "doctor", "-o", "json", *args],
                       cwd=folder, env=env, text=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=house.TIMEOUT)
    rows = json.loads(p.stdout)["rows"] if p.stdout else []
    text = subprocess.run([house.PROGRAM, "doctor", *args], cwd=folder,
                          env=env, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=house.TIMEOUT)
    for row in rows:
        assert row["code"] in text.stdout and row["fix"] in text.stdout, row
    assert p.returncode == text.returncode, (p, text)
    return p.returncode, rows, p.stderr


def codes(rows):
    return [row["code"] for row in rows]


def config(r, repo):
    for old, new, want in CHANGES:
        (repo / "regatta.yaml").write_text(GOOD.replace(old, new) if old else
                                           GOOD)
        status, rows, _ = doctor(repo)
        high = any(row["harm"] == "high" for row in rows)
        r.check("with %r for %r" % (new, old), codes(rows) == want, rows)
        r.check("its exit status", status == (3 if high else 0), status)
    (repo / "regatta.yaml").write_text("bundle: platform\n")
    harms = [HARMS.index(row["harm"]) for row in doctor(repo)[1]]
    r.check("the worst is first", harms == sorted(harms) and len(set(harms)) >
            1, harms)
    (repo / "regatta.yaml").write_text(
        GOOD + "server: http://regatta.example\n")
    r.check("a server without TLS", codes(doctor(repo, "--state", "none")[1])
            == ["D409"])
    (repo / "regatta.yaml").write_text(GOOD)


def keys(r, repo):
    key = repo / "keys/bundle.pem"
    key.chmod(0o644)
    status, rows, _ = doctor(repo)
    r.check("a key that others can read", (status, codes(rows)) ==
            (3, ["D404"]), rows)
    key.chmod(0o600)
    git = ["git", "-C", str(repo), "-c", "user.name=a", "-c",
           "user.email=a@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    (repo / ".gitignore").write_text("*.pem\n")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
    r.check("a key that git ignores", doctor(repo)[1] == [], doctor(repo))
    subprocess.run([*git, "add", "-f", "keys/bundle.pem"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
    status, rows, _ = doctor(repo)
    r.check("a key in git", (status, codes(rows)) == (3, ["D411"]), rows)


def agents(r, folder):
    made = subprocess.run(
        [house.PROGRAM, "agent", "config", "--server", "https://r.example",
         "-b", "platform", "--public-key", "repo/keys/bundle.pub.pem",
         "--keyid", "bundle-1", "--scope", "prod", "--persist", "/var/opa"],
        cwd=folder, check=True, text=True, stdout=subprocess.PIPE).stdout
    (folder / "agent.yaml").write_text(made)
    empty = ["--repo", "none", "--state", "none"]
    status, rows, _ = doctor(folder, *empty, "--agent-config", "agent.yaml")
    r.check("nothing is wrong with what `agent config` prints",
            (status, rows) == (0, []), rows)
    (folder / "old.yaml").write_text(made.replace("1048576", "32768"))
    status, rows, _ = doctor(folder, *empty, "--agent-config", "agent.yaml",
                             "--agent-config", "old.yaml")
    line = 1 + made[:made.index("1048576")].count("\n")
    r.check("a low limit has its line", status == 3 and
            [(x["code"], x["where"]) for x in rows] ==
            [("D506", "old.yaml:%d" % line)], rows)
    status, rows, said = doctor(folder, *empty, "--agent-config", "nowhere")
    r.check("a file that is not there", status == 5 and "nowhere" in said,
            (status, said))


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A server whose clock is off."""
    off = 0

    def do_GET(self):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ",
                            time.gmtime(time.time() + self.off))
        body = json.dumps({"kind": "doctor", "now": now, "rows": [
            {"harm": "low", "code": "D112", "where": "w", "what": "x",
             "fix": "f"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def servers(r, folder):
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    where = ["--repo", "none", "--server",
             "http://127.0.0.1:%d" % s.server_address[1]]
    for off, want in ((0, ["D112"]), (300, ["D306", "D112"]),
                      (-300, ["D306", "D112"])):
        Elsewhere.off = off
        rows = doctor(folder, *where)[1]
        r.check("a clock that is off by %d s" % off, codes(rows) == want,
                rows)
        if off:
            r.check("it says which way", ("behind" if off < 0 else "ahead")
                    in rows[0]["what"], rows)
    s.shutdown()
    s.server_close()
    # What the repo shows is shown all the same.
    (folder / "repo/regatta.yaml").write_text(GOOD.replace("sign:", "#"))
    status, rows, said = doctor(folder, "--repo", "repo", *where[2:])
    r.check("a server that is not there", status not in (0, 3) and
            codes(rows) == ["D401"] and said, (status, rows, said))


def main():
    r = Report()
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        repo = tmp / "repo"
        repo.mkdir()
        subprocess.run([house.PROGRAM, "key", "new", "keys/bundle.pem"],
                       cwd=repo, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        config(r, repo)
        keys(r, repo)
        agents(r, tmp)
        servers(r, tmp)
    return r.end()


sys.exit(main())
