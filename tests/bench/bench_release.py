#!/usr/bin/env python3
"""Rows about releasing: from a commit to a bundle, and all of `ci`.

    build   `regatta build` beside `opa build -b`
    ci      `regatta ci`, which also judges, beside `opa test -b` and `opa
            build -b` of the same policies, one after the other

Time is user + system time; memory is that of the larger process where there
are two. Modules, data and, for `ci`, tests must be the same before anything is
timed.

A blob of a policy repo may have 16 MiB, so the 50 MB of w10 are cut into five
files for regatta; OPA reads them as the one file they were. Tests and fixtures
are kept out of OPA's bundles, as regatta keeps them out.
"""
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import bench_engine
import measure
from measure import Job, house
from row import Row

GROUPS = ("build",)
NOT_SHIPPED = ["--ignore", ".git", "--ignore", "*_test.rego", "--ignore",
               "fixtures"]


# --- the repositories -------------------------------------------------------

def commit(repo):
    when = "2026-01-01T12:00:00Z"
    env = dict(os.environ, **house.GIT, GIT_AUTHOR_DATE=when,
               GIT_COMMITTER_DATE=when)
    for args in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All"],
                 ["gc", "-q"]):
        subprocess.run(["git"] + args, cwd=repo, env=env, check=True)


def write_json(path, value):
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(value, separators=(",", ":")))


def repo_of_data(case, repo):
    """w10: policy/ as it is, data.json cut into parts that merge again."""
    shutil.copytree(case / "policy", repo / "policy")
    data = json.loads((case / "data.json").read_text())
    hosts = list(data["hosts"].items())
    parts = [{"hosts": dict(hosts[i::4])} for i in range(4)]
    parts.append({"groups": data["groups"]})
    for i, part in enumerate(parts):
        write_json(repo / ("data%d" % i) / "data.json", part)
    (repo / "regatta.yaml").write_text(
        "bundle: bench\ninclude: [policy, %s]\n" %
        ", ".join("data%d" % i for i in range(len(parts))))
    return case, ""


def repo_of_files(case, repo):
    """w11: the tree as policies/, and a good and a bad input for each rule."""
    shutil.copytree(case / "tree", repo / "policies")
    for policy in repo.glob("policies/*/*/policy.rego"):
        kind = re.search(r'input.kind == "(\w+)"', policy.read_text())[1]
        for name, what in (("good", "none"), ("bad", kind)):
            write_json(policy.parent / "fixtures" / name / "a.json",
                       {"kind": what, "name": "a", "labels": {}, "spec": {}})
    (repo / "regatta.yaml").write_text("bundle: bench\ninclude: [policies]\n")
    return repo / "policies", "policies/"


def repo_of_init(case, repo):
    """What a user begins with."""
    subprocess.run([house.PROGRAM, "init", str(repo)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return repo, ""


ROWS = {
    "w10": (repo_of_data, ["build"]),
    "w11": (repo_of_files, ["build", "ci"]),
    "init": (repo_of_init, ["ci"]),
}


class Release:
    """A repository, the folder that OPA reads, and both programs on them."""

    def __init__(self, workload, case, scratch):
        self.opa = measure.opa()
        self.out = pathlib.Path(tempfile.mkdtemp(dir=scratch))
        self.repo = self.out / "repo"
        self.repo.mkdir()
        # `prefix`: of the paths in our bundle, not in OPA's
        self.folder, self.prefix = ROWS[workload][0](case, self.repo)
        commit(self.repo)

    def theirs(self, verb):
        build = [self.opa, "build", "-b", ".", "-o",
                 self.out / "opa.tar.gz"] + NOT_SHIPPED
        test = [self.opa, "test", "-b", "."]
        return self.cost([test, build] if verb == "ci" else [build],
                         self.folder)

    def ours(self, verb):
        what = ["ci", "--out", self.out] if verb == "ci" else \
            ["build", "-o", self.out / "bundle.tar.gz"]
        return self.cost([[house.PROGRAM] + what], self.repo)

    def cost(self, commands, folder):
        """(ms, MB) of all commands."""
        costs = [measure.must(args, cwd=folder) for args in commands]
        return sum(c.seconds for c in costs) * 1e3, max(c.mb for c in costs)

    # --- the same results ---------------------------------------------------

    def bundle(self, name, prefix):
        """(modules by path, data)"""
        modules, data = {}, {}
        with tarfile.open(self.out / name) as archive:
            for member in archive:
                path = member.name.lstrip("/")
                content = archive.extractfile(member).read()
                if path == "data.json":
                    data = json.loads(content)
                elif path.endswith(".rego"):
                    modules[path.removeprefix(prefix)] = content
        # Made by our gates, from files that are no data to OPA.
        data.pop("waivers", None)
        data.pop("stages", None)
        return modules, data

    def their_tests(self):
        c = measure.must([self.opa, "test", "-b", ".", "-f", "json"],
                         cwd=self.folder)
        return sorted((t["package"], t["name"]) for t in json.loads(c.out))

    def our_tests(self):
        report = json.loads((self.out / "report.json").read_text())
        return sorted({(c["class"], c["name"].partition("[")[0])
                       for c in report["cases"]
                       if c["suite"].endswith("_test.rego")})

    def compare(self, verb):
        """An error where the two do not make the same."""
        self.theirs(verb)
        self.ours(verb)
        theirs = self.bundle("opa.tar.gz", "")
        ours = self.bundle("bundle.tar.gz", self.prefix)
        if theirs[0] != ours[0] or not ours[0]:
            raise ValueError("%d modules in OPA, %d in regatta, or other "
                             "contents" % (len(theirs[0]), len(ours[0])))
        if theirs[1] != ours[1]:
            raise ValueError("other data")
        if verb == "ci" and self.their_tests() != self.our_tests():
            raise ValueError("other tests")


def row(bench, made, name, verb):
    release = made()
    release.compare(verb)
    peer = "opa test, opa build" if verb == "ci" else "opa build -b"
    return [Row("build", name, "ms", peer=peer, goal={"ratio": 1,
                                                      "mb_ratio": 1},
                **measure.beside(bench.runs, lambda: release.ours(verb),
                                 lambda: release.theirs(verb)))]


def jobs(bench):
    wanted = bench_engine.workloads_of(bench, dict.fromkeys(ROWS, "build"))
    generated = [w for w in wanted if w != "init"]
    places = list(bench_engine.folders(bench, generated))
    for w, folder in places + [("init", None)] * ("init" in wanted):
        if w != "init" and not folder:
            yield Job("build", w, bench_engine.missing)
            continue
        made = functools.cache(
            lambda w=w, f=folder: Release(w, f, bench.scratch))
        for verb in ROWS[w][1]:
            name = "%s-%s" % (folder.name if folder else w, verb)
            yield Job("build", name, lambda m=made, n=name, v=verb:
                      row(bench, m, n, v))


if __name__ == "__main__":
    sys.exit(measure.main(__doc__, [sys.modules[__name__]]))
