#!/usr/bin/env python3
"""Rows of the engine, on the workloads of ../shared/bench.

    eval         one evaluation, everything prepared: build/bench_eval here,
                 `opa bench` there, with GOMAXPROCS=1, so that its clock counts
                 the garbage collector's work too; the first three inputs of a
                 case. Ours is processor time, its is the clock's: where the
                 machine has other work, as much of it as the process had of a
                 core
    data, cold   user + system time of a whole process: `eval` of a case's
                 entry with its first input
    test         the same of `test`

The workloads are written once to a folder (--cache). Results are compared
before anything is timed.
"""
import json
import pathlib
import statistics
import subprocess
import sys

import measure
from measure import Job, Skip, house
from row import Row

GENERATE = house.ROOT.parent / "shared" / "bench" / "generate.py"
WORKLOADS = {"w1": "eval", "w2": "eval", "w3": "eval", "w4": "eval",
             "w8": "eval", "w5": "data", "w6": "test", "w9": "test",
             "w7": "cold"}
GROUPS = tuple(dict.fromkeys(WORKLOADS.values()))
# What the design aims at, beside not being slower.
GOALS = {"w1-rbac-small": {"most": 0.5}, "w3-terraform-large": {"most": 1e5},
         "w7-cold-small": {"ratio": 5, "most": 1.5}}
MB_OF_DATA = 3  # times the size of its JSON
INPUTS = 3


class Case:
    """A folder of a workload, and how to give it to either program."""

    def __init__(self, folder, scratch, inputs):
        self.folder = folder
        self.facts = json.loads((folder / "case.json").read_text())
        self.name = folder.name
        self.verb = "test" if self.facts["tests"] else "eval"
        self.v0 = ["--v0-compatible"] * (self.facts["rego_version"] == 0)
        self.inputs = []
        path = folder / "inputs.json"
        if path.exists():
            for i, value in enumerate(json.loads(path.read_text())[:inputs]):
                file = scratch / ("%s-%d.json" % (self.name, i))
                file.write_text(json.dumps(value))
                self.inputs.append(file)
        self.numbers = range(max(1, len(self.inputs)))

    def data(self):
        path = self.folder / "data.json"
        return [path] if path.exists() else []

    def command(self, binary, verb, number=0, *options):
        args = [binary, verb, *options]
        if verb == "test":
            return args + [self.folder / "policy"] + self.v0
        for path in [self.folder / "policy"] + self.data():
            args += ["-d", path]
        for path in self.inputs[number:number + 1]:
            args += ["-i", path]
        return args + self.v0 + [self.facts["entry"]]


# --- the same results -------------------------------------------------------

def answer(case, binary, number):
    c = measure.cost(case.command(binary, "eval", number))
    return c.status, json.loads(c.out or "null")


def outcomes(case, binary):
    c = measure.cost(case.command(binary, "test", 0, "-f", "json"))
    return c.status, sorted(
        (t["package"], t["name"], t.get("fail"), t.get("skip"), "error" in t)
        for t in json.loads(c.out or "[]"))


def compare(case, opa):
    """An error where the two do not say the same."""
    if case.verb == "test":
        theirs, ours = (outcomes(case, b) for b in (opa, house.PROGRAM))
        if theirs != ours:
            raise ValueError("%d tests in OPA, %d in regatta, or other "
                             "outcomes" % (len(theirs[1]), len(ours[1])))
        return
    for number in case.numbers:
        theirs, ours = (answer(case, b, number)
                        for b in (opa, house.PROGRAM))
        if theirs != ours:
            raise ValueError("input %d: OPA %.150s, regatta %.150s" % (
                number, theirs, ours))


# --- time -------------------------------------------------------------------

def opa_bench(case, opa, number):
    """(microseconds of one evaluation, MB)"""
    c = measure.must(case.command(
        opa, "bench", number, "-f", "json", "--benchmem=false",
        "--metrics=false", "--fail=false"), env={"GOMAXPROCS": "1"})
    result = json.loads(c.out)
    share = min(1, c.seconds / c.took)
    return result["T"] / result["N"] / 1e3 * share, c.mb


def own_bench(case, seconds, number):
    args = [measure.program("bench_eval"), case.folder, seconds]
    c, said = measure.lines(args + ([number] if case.inputs else []))
    return said[0]["ns"] / 1e3, c.mb


def of_all(case, sample):
    """The mean of all inputs, and the memory of the greediest."""
    pairs = [sample(number) for number in case.numbers]
    return statistics.mean(p[0] for p in pairs), max(p[1] for p in pairs)


def hot(case, opa, bench):
    return "us", "opa bench", measure.beside(
        bench.runs,
        lambda: of_all(case, lambda n: own_bench(
            case, max(0.05, min(0.3, bench.scale)), n)),
        lambda: of_all(case, lambda n: opa_bench(case, opa, n)))


def whole(case, opa, bench):
    def run(binary):
        c = measure.must(case.command(binary, case.verb))
        return c.seconds * 1e3, c.mb

    runs = bench.runs if case.data() else max(bench.runs, 5)
    return "ms", "opa " + case.verb, measure.beside(
        runs, lambda: run(house.PROGRAM), lambda: run(opa))


def row(bench, group, folder):
    opa = measure.opa()
    how, inputs = (hot, INPUTS) if group == "eval" else (whole, 1)
    case = Case(folder, bench.scratch, inputs)
    compare(case, opa)
    unit, peer, fields = how(case, opa, bench)
    goal = {"ratio": 1, **GOALS.get(case.name, {})}
    if group == "data":
        goal["mb"] = round(MB_OF_DATA * case.data()[0].stat().st_size / 1e6)
    return [Row(group, case.name, unit, peer=peer, goal=goal, **fields)]


# --- workloads --------------------------------------------------------------

def folders(bench, workloads):
    """The folders of workloads: those that are not there are written first."""
    missing = [w for w in workloads if not any(bench.cache.glob(w + "-*"))]
    if missing and GENERATE.exists():
        measure.progress("writing " + " ".join(missing))
        subprocess.run([sys.executable, GENERATE, bench.cache, "--only",
                        ",".join(missing), "--scale", str(bench.scale)],
                       check=True, stderr=subprocess.DEVNULL)
    for w in workloads:
        for folder in sorted(bench.cache.glob(w + "-*")) or [None]:
            yield w, folder


def missing():
    raise Skip("no folder " + str(GENERATE.parent))


def workloads_of(bench, groups):
    """Those of which anything is wanted; `groups` is by their name."""
    return [w for w, group in groups.items()
            if not bench.only or any(n in (group, w) or n.startswith(w + "-")
                                     for n in bench.only)]


def jobs(bench):
    wanted = workloads_of(bench, WORKLOADS)
    for w, folder in folders(bench, wanted):
        group = WORKLOADS[w]
        if folder:
            yield Job(group, folder.name,
                      lambda g=group, f=folder: row(bench, g, f))
        else:
            yield Job(group, w, missing)


if __name__ == "__main__":
    sys.exit(measure.main(__doc__, [sys.modules[__name__]]))
