"""Rows of bench.py about releasing: from a commit to a bundle, and all of `ci`.

    build   `regatta build` beside `opa build -b`
    ci      `regatta ci`, which also judges, beside `opa test -b` and `opa build
            -b` of the same policies, one after the other

Time is user + system time; peak is the most memory resident at once, of the
larger process where there are two. Modules, data and, for `ci`, tests must be
the same before anything is timed.

A blob of a policy repo may have 16 MiB, so the 50 MB of w10 are cut into five
files for regatta; OPA reads them as the one file they were. Tests and fixtures
are kept out of OPA's bundles, as regatta keeps them out.
"""
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tarfile

# Runs a command and prints its status, seconds and peak in KiB. A process of
# its own, because a child's peak counts the memory it was forked with.
SPAWN = """
import os, sys
null = os.open(os.devnull, os.O_RDWR)
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
_, status, use = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), use.ru_utime + use.ru_stime,
      use.ru_maxrss)
"""
NOT_SHIPPED = ["--ignore", ".git", "--ignore", "*_test.rego", "--ignore",
               "fixtures"]


def cost(args, cwd, env):
    """(seconds, KiB) of a command that must succeed."""
    p = subprocess.run([sys.executable, "-I", "-S", "-c", SPAWN] + args,
                       cwd=cwd, env=env, stdout=subprocess.PIPE, text=True,
                       check=True)
    status, seconds, kib = p.stdout.split()
    if status != "0":
        raise RuntimeError("exit status %s of %s" % (status, " ".join(args)))
    return float(seconds), int(kib)


# --- the repositories ---------------------------------------------------------

def commit(repo):
    env = dict(os.environ, GIT_CONFIG_GLOBAL="/dev/null",
               GIT_CONFIG_NOSYSTEM="1")
    for name in ("AUTHOR", "COMMITTER"):
        env.update({"GIT_%s_NAME" % name: "bench",
                    "GIT_%s_EMAIL" % name: "bench@localhost",
                    "GIT_%s_DATE" % name: "2026-01-01T12:00:00Z"})
    for args in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All"],
                 ["gc", "-q"]):
        subprocess.run(["git"] + args, cwd=repo, env=env, check=True)


def write_json(path, value):
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(value, separators=(",", ":")))


def repo_of_data(case, repo, regatta):
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


def repo_of_files(case, repo, regatta):
    """w11: the tree as policies/, and a good and a bad input for each rule."""
    shutil.copytree(case / "tree", repo / "policies")
    for policy in repo.glob("policies/*/*/policy.rego"):
        kind = re.search(r'input.kind == "(\w+)"', policy.read_text())[1]
        for name, what in (("good", "none"), ("bad", kind)):
            write_json(policy.parent / "fixtures" / name / "a.json",
                       {"kind": what, "name": "a", "labels": {}, "spec": {}})
    (repo / "regatta.yaml").write_text("bundle: bench\ninclude: [policies]\n")
    return repo / "policies", "policies/"


def repo_of_init(case, repo, regatta):
    """What a user begins with."""
    subprocess.run([regatta, "init", str(repo)], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    return repo, ""


ROWS = {
    "w10": (repo_of_data, ["build"]),
    "w11": (repo_of_files, ["build", "ci"]),
    "init": (repo_of_init, ["ci"]),
}


class Release:
    """A repository, the folder that OPA reads, and both programs on them."""

    def __init__(self, workload, case, scratch, binaries, env):
        make, self.verbs = ROWS[workload]
        self.name = case.name if case else workload
        self.opa, self.regatta = binaries
        self.env = env
        self.out = scratch / self.name
        self.repo = self.out / "repo"
        self.repo.mkdir(parents=True)
        # `prefix`: of the paths in our bundle, not in OPA's
        self.folder, self.prefix = make(case, self.repo, self.regatta)
        commit(self.repo)

    def theirs(self, verb):
        build = [self.opa, "build", "-b", ".", "-o",
                 str(self.out / "opa.tar.gz")] + NOT_SHIPPED
        test = [self.opa, "test", "-b", "."]
        return [test, build] if verb == "ci" else [build]

    def ours(self, verb):
        if verb == "ci":
            return [[self.regatta, "ci", "--out", str(self.out)]]
        return [[self.regatta, "build", "-o",
                 str(self.out / "bundle.tar.gz")]]

    def cost(self, whose, verb):
        """(ms, MB) of all commands that do `verb`."""
        folder = self.repo if whose == self.ours else self.folder
        costs = [cost(args, folder, self.env) for args in whose(verb)]
        return (sum(c[0] for c in costs) * 1e3,
                max(c[1] for c in costs) * 1024 / 1e6)

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
        p = subprocess.run([self.opa, "test", "-b", ".", "-f", "json"],
                           cwd=self.folder, env=self.env,
                           stdout=subprocess.PIPE, check=True)
        return sorted((t["package"], t["name"])
                      for t in json.loads(p.stdout))

    def our_tests(self):
        report = json.loads((self.out / "report.json").read_text())
        return sorted({(c["class"], c["name"].partition("[")[0])
                       for c in report["cases"]
                       if c["suite"].endswith("_test.rego")})

    def difference(self, verb):
        """None, or what is not the same."""
        try:
            self.cost(self.theirs, verb)
            self.cost(self.ours, verb)
        except RuntimeError as e:
            return str(e)
        theirs = self.bundle("opa.tar.gz", "")
        ours = self.bundle("bundle.tar.gz", self.prefix)
        if theirs[0] != ours[0] or not ours[0]:
            return "%d modules in OPA, %d in regatta, or other contents" % (
                len(theirs[0]), len(ours[0]))
        if theirs[1] != ours[1]:
            return "other data"
        if verb == "ci" and self.their_tests() != self.our_tests():
            return "other tests"
        return None


def bench(release, runs, show):
    """Print the rows of a repository; how many could not be compared."""
    failed = 0
    for verb in release.verbs:
        wrong = release.difference(verb)
        if wrong:
            print("%-26s DIFFERS: %s" % (release.name, wrong), flush=True)
            failed += 1
            continue
        costs = {"theirs": [], "ours": []}
        for _ in range(runs):
            for whose in costs:
                costs[whose].append(
                    release.cost(getattr(release, whose), verb))
        for i, (what, unit) in enumerate(((verb, "ms"), ("peak", "MB"))):
            show(release.name, what,
                 statistics.median(c[i] for c in costs["theirs"]),
                 statistics.median(c[i] for c in costs["ours"]), unit)
    return failed
