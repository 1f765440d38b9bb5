#!/usr/bin/env python3
"""Whatever happens while a version is published, the store has all of it or none.

Killed (SIGKILL) at every call that changes a file, stopped (SIGINT) at each, on
a disk that is full from each on, or that fails at each: afterwards the store
holds nothing or the whole version, nothing half, and the next run succeeds.
build/fault.so makes the calls go wrong. Then stores that can't be written. Ends
with "N passed, N failed".
"""
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import house  # noqa: E402
from house import FAULT  # noqa: E402
from report import Report  # noqa: E402

REGATTA = house.PROGRAM
GIT = dict(house.GIT, GIT_AUTHOR_DATE="2026-06-20T10:00:00Z",
           GIT_COMMITTER_DATE="2026-06-20T10:00:00Z")

tally = Report()
check = tally.check
work = None


def run(*command, cwd=None, env=None):
    done = subprocess.run([str(c) for c in command], cwd=cwd, text=True,
                          env=dict(os.environ, **GIT, **(env or {})),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    return done.returncode, done.stdout, done.stderr


class Way:
    """One way to publish, and the folder it all goes into."""
    def __init__(self, name, folder, bundles, *command, cwd=None):
        self.name, self.folder, self.cwd = name, folder, cwd
        self.bundles, self.command = bundles, command

    def run(self, **env):
        return run(REGATTA, *self.command, cwd=self.cwd, env=env)

    def fresh(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def calls(self):
        """The names of the calls that one run makes, in order."""
        log = work / "calls"
        self.fresh()
        status, out, err = self.run(LD_PRELOAD=str(FAULT),
                                    FAULT_LOG=str(log))
        check(self.name + " publishes", status == 0, out + err)
        names = log.read_text().split()
        log.unlink()
        return names

    def held(self):
        """The revisions in the store; an error if one is not whole."""
        found = []
        for path in sorted(self.bundles.glob("versions/*/*.json")):
            record = json.loads(path.read_text())
            digest = record["digest"].split(":")[-1]
            archive = self.bundles / "archives" / (digest + ".tar.gz")
            data = archive.read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                raise ValueError("%s is not what it is called" % archive)
            found.append(path.stem)
        return found

    def leftovers(self):
        """What is neither a version nor the archive of one."""
        digests = {json.loads(p.read_text())["digest"].split(":")[-1]
                   for p in self.bundles.glob("versions/*/*.json")}
        return [str(p) for p in self.bundles.rglob("*") if p.is_file() and
                p.name != "lock" and p.parent.parent.name != "versions" and
                p.name[:-len(".tar.gz")] not in digests]


def ended_so(what, at, status, err):
    """Did it end as it must, or without having met the fault?"""
    if status == 0:
        return True
    if what == "kill":
        return status == -signal.SIGKILL
    if what == "int":
        return status in (130, -signal.SIGINT)
    # Thing, place and way out.
    return status == 1 and re.search(
        r"^regatta: .*(/|standard output).*: .*(full|space|error).*"
        r"(; (free some room|look after)|, standard output)", err, re.M)


def sweep(way, what, env, picked):
    """Every call in turn goes wrong. What is wrong afterwards, if anything."""
    calls = way.calls()
    met = none = 0
    for at in [n + 1 for n, name in enumerate(calls) if name in picked]:
        way.fresh()
        place = "%s, %s at call %d, %s" % (way.name, what, at, calls[at - 1])
        status, out, err = way.run(LD_PRELOAD=str(FAULT), FAULT_AT=str(at),
                                   FAULT_DO=env)
        met += status != 0
        if not ended_so(what, at, status, err):
            return "%s: exit %d: %s" % (place, status, out + err)
        try:
            held = way.held()
        except (OSError, ValueError) as e:
            return "%s: half a version: %s" % (place, e)
        none += not held
        if status == 0 and not held:
            return "%s: it said it was published, and nothing is" % place
        status, out, err = way.run()
        if status or "published" not in out or len(way.held()) != 1:
            return "%s: the next run: exit %d: %s" % (place, status, out + err)
        if way.leftovers():
            return "%s: left behind: %s" % (place, way.leftovers())
        if "--state" in way.command or "ci" in way.command:
            status, out, err = run(REGATTA, "fsck", "--state", way.folder)
            if status:
                return "%s: fsck: %s" % (place, out + err)
    print("%s, %s: %d calls, %d ended it, %d left nothing" % (
        way.name, what, len(calls), met, none))
    if what != "int" and met < 10:
        return "%s: %s ended no more than %d runs" % (way.name, what, met)
    return None


CHANGES = {"fsync", "fdatasync", "ftruncate", "ftruncate64", "rename",
           "unlink", "mkdir", "write", "pwrite", "pwrite64", "close"}
# (what, FAULT_DO, calls)
FAULTS = [
    ("kill", "kill", CHANGES),
    ("int", "int", CHANGES),
    ("a full disk", str(errno.ENOSPC), CHANGES - {"close", "unlink"}),
    ("a disk that fails", str(errno.EIO), {"fsync", "fdatasync", "rename"}),
]
# A whole `ci`: its reading changes nothing, and the store is the same.
FEW = {"fsync", "fdatasync", "rename"}


def interrupted(repo, bundle):
    """Ctrl-C at each call leaves a file, a pair or a repo whole, or nothing."""
    folder = work / "interrupted"
    key = work / "sign.pem"
    run(REGATTA, "key", "new", key)
    commands = [
        ("build", 61, [repo, "-o", folder / "b.tar.gz"]),
        ("key", 1, ["new", folder / "k.pem"]),
        ("sign", 1, [bundle, "--signing-key", key, "-o", folder / "s.tar.gz"]),
        ("init", 301, [folder / "made"]),
        ("ci", 61, ["-q", "--repo", repo, "--out", folder / "out"]),
    ]

    def held():
        return {str(p.relative_to(folder)) for p in folder.rglob("*")
                if p.is_file()}

    def calls(name, args):
        log = work / "calls"
        folder.mkdir()
        status, out, err = run(REGATTA, name, *args, env={
            "LD_PRELOAD": str(FAULT), "FAULT_LOG": str(log)})
        names, files = log.read_text().split(), held()
        log.unlink()
        shutil.rmtree(folder)
        return len(names), files

    for name, step, args in commands:
        count, whole = calls(name, args)
        wrong, stopped = "", 0
        for at in sorted(set(range(1, count + 1, step)) |
                         set(range(max(1, count - 12), count + 1))):
            folder.mkdir()
            status, out, err = run(REGATTA, name, *args, env={
                "LD_PRELOAD": str(FAULT), "FAULT_AT": str(at),
                "FAULT_DO": "int"})
            stopped += status == -signal.SIGINT
            found = held()
            # The reports of ci are files by themselves, each one whole.
            if found not in (set(), whole) and not (
                    name == "ci" and found < whole):
                wrong = "call %d: %s" % (at, sorted(found - whole)[:3])
            shutil.rmtree(folder)
        check("Ctrl-C in %s leaves no part" % name,
              not wrong and stopped > 2 and whole, wrong or str(stopped))


def unwritable(bundle):
    """Stores that are there and can't be written: the thing, and the reason."""
    folder = work / "unwritable"
    folder.mkdir()
    store = folder / "store"
    command = ["publish", bundle, "--name", "platform", "--store",
               "dir:%s" % store]
    user = (["setpriv", "--reuid", "65534", "--clear-groups"]
            if os.geteuid() == 0 else [])
    os.chmod(work, 0o755)
    os.chmod(bundle, 0o644)
    status, out, err = run(REGATTA, *command)
    check("a store to begin with", status == 0, out + err)
    before = sorted(str(p) for p in store.rglob("*"))
    for p in [store] + list(store.rglob("*")):
        os.chmod(p, 0o555 if p.is_dir() else 0o444)
    status, out, err = run(*user, REGATTA, "publish", bundle, "--name",
                           "another", "--store", "dir:%s" % store)
    check("a read-only store is named, with the reason: exit 4",
          status == 4 and str(store) in err and "denied; do this as" in err,
          "exit %d: %s" % (status, err))
    check("and nothing in it has changed", before ==
          sorted(str(p) for p in store.rglob("*")))
    status, out, err = run(*user, REGATTA, "publish", bundle, "--name",
                           "platform", "--state", store / "state")
    check("a read-only state folder is named: exit 4", status == 4 and
          str(store) in err and "denied; do this as" in err,
          "exit %d: %s" % (status, err))


def main():
    global work
    if not house.can_preload():
        return tally.end()
    with tempfile.TemporaryDirectory(prefix="regatta-publish-") as folder:
        work = pathlib.Path(folder)
        repo = work / "repo"
        run(REGATTA, "init", repo)
        for args in (["init", "-q", "-b", "main"], ["add", "-A"],
                     ["commit", "-q", "-m", "policies"]):
            run("git", *args, cwd=repo)
        bundle = work / "b.tar.gz"
        status, _, err = run(REGATTA, "build", "-o", bundle, cwd=repo)
        check("a bundle", status == 0, err)
        store, state = work / "store", work / "state"
        ways = [
            (Way("publish --store", store, store, "publish", bundle, "--name",
                 "platform", "--store", "dir:%s" % store), CHANGES, FAULTS),
            (Way("publish --state", state, state / "bundles", "publish",
                 bundle, "--name", "platform", "--state", state), CHANGES,
             FAULTS),
            (Way("ci --publish", repo / "var", repo / "var/bundles", "ci",
                 "-q", "--publish", cwd=repo), FEW, FAULTS[::2]),
        ]
        for way, calls, faults in ways:
            for what, env, picked in faults:
                wrong = sweep(way, what, env, picked & calls)
                check("%s, %s" % (way.name, what), not wrong, wrong)
        interrupted(repo, bundle)
        unwritable(bundle)
    return tally.end()


sys.exit(main())
