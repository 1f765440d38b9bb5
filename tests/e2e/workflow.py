#!/usr/bin/env python3
"""The workflow that `regatta init` writes, run as GitHub would run its lines.

Each `run:` of its two jobs, in order, in a clone with its history, with the
variables that GitHub sets: a pull request that is good, one that is not, and
the push that publishes, signed with the secret. Ends with "N passed, N failed".
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from house import GIT, PROGRAM  # noqa: E402
from report import Report  # noqa: E402

POLICY = "policies/kubernetes/disallow_latest_tag/disallow_latest_tag.rego"

tally = Report()
check = tally.check


def lines(repo, job):
    """What the steps of a job run."""
    text = (repo / ".github/workflows/regatta.yaml").read_text()
    part = re.search(r"^  %s:\n(.*?)(?=^  \w+:|\Z)" % job, text, re.M | re.S)
    return re.findall(r"^ +(?:- )?run: (.*)$", part[1], re.M)


def git(folder, *args):
    return subprocess.run(["git", *args], cwd=folder, check=True, text=True,
                          env=dict(os.environ, **GIT),
                          stdout=subprocess.PIPE).stdout.strip()


def run(line, folder, env):
    """As GitHub does without `shell:`; (exit status, what was said)."""
    path = "%s:%s" % (os.path.dirname(PROGRAM), os.environ["PATH"])
    p = subprocess.run(["bash", "-e", "-c", line], cwd=folder, text=True,
                       env={"PATH": path, "HOME": str(folder), "CI": "true",
                            "GITHUB_ACTIONS": "true", **env},
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=60)
    return p.returncode, p.stdout


def checkout(tmp, name, ref):
    folder = tmp / name
    git(tmp, "clone", "-q", str(tmp / "policies"), name)
    git(folder, "checkout", "-q", "--detach", ref)
    return folder


def start(tmp):
    repo = tmp / "policies"
    subprocess.run([PROGRAM, "init", str(repo)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run([PROGRAM, "key", "new", str(tmp / "secret.pem")],
                   check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    config = repo / "regatta.yaml"
    config.write_text(re.sub(r"^# sign:", "sign:", config.read_text(),
                             flags=re.M))
    git(repo, "init", "-q", "-b", "main")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "First policies")
    return repo


def pull_requests(tmp, repo):
    git(repo, "checkout", "-q", "-b", "good")
    with open(repo / POLICY, "a") as f:
        f.write("\n# A remark.\n")
    git(repo, "commit", "-q", "-a", "-m", "A remark")
    git(repo, "checkout", "-q", "-b", "typo", "main")
    policy = (repo / POLICY).read_text()
    (repo / POLICY).write_text(policy.replace('"latest"', '"lastest"'))
    git(repo, "commit", "-q", "-a", "-m", "A typo")
    for name, want in (("good", 0), ("typo", 3)):
        folder = checkout(tmp, "pr-" + name, "origin/" + name)
        for line in lines(repo, "gates"):
            status, said = run(line, folder, {"GITHUB_BASE_REF": "main"})
            check("the pull request %s ends with %d" % (name, want),
                  status == want, (status, said))
            check("%s is annotated" % name, ("::error" in said) == (want == 3),
                  said)
        check("%s has its report" % name, list((folder / "out").iterdir()))
        shown_again(folder, name, want)


def shown_again(folder, name, want):
    """The commands in a report show what it says, where it was made."""
    found = json.loads((folder / "out/report.json").read_text())["findings"]
    lines = [f["again"] for f in found if "again" in f]
    check("%s says how to see it again" % name, bool(lines) == (want == 3),
          found)
    for line in lines:
        status, said = run(line, folder, {})
        check("again: " + line, (status, "FAIL" in said) == (2, True)
              if " test " in line else
              status == 0 and json.loads(said)["result"][0]["expressions"][0][
                  "value"] == [], said)


def push(tmp, repo):
    before = git(repo, "rev-parse", "main")
    git(repo, "checkout", "-q", "main")
    git(repo, "merge", "-q", "--ff-only", "good")
    temp = tmp / "runner"
    temp.mkdir()
    folder = checkout(tmp, "push", "origin/main")
    env = {"BUNDLE_KEY": (tmp / "secret.pem").read_text().rstrip("\n"),
           "RUNNER_TEMP": str(temp), "BASE": before,
           "REGATTA_SIGN_KEY": str(temp / "bundle.pem")}
    for line in lines(repo, "publish"):
        status, said = run(line, folder, env)
        check("on main: " + line, status == 0, said)
    check("no key is left", not list(temp.iterdir()))
    found = sorted((folder / "var/bundles/archives").iterdir())
    check("there is one bundle", len(found) == 1, found)
    p = subprocess.run(
        [PROGRAM, "verify", str(found[0]), "--verification-key",
         str(tmp / "secret.pub.pem"), "--scope", "prod", "-o",
         "json"], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check("which the secret signed", p.returncode == 0 and
          json.loads(p.stdout), p.stdout)


def main():
    with tempfile.TemporaryDirectory() as tmp:
        tmp = pathlib.Path(tmp)
        repo = start(tmp)
        for job, want in (("gates", 1), ("publish", 3)):
            check("the job %s has its lines" % job,
                  len(lines(repo, job)) == want, lines(repo, job))
        pull_requests(tmp, repo)
        push(tmp, repo)
    return tally.end()


sys.exit(main())
