#!/usr/bin/env python3
"""Time regatta beside OPA on the workloads of ../shared/bench.

    bench.py [--only w1,w4-routes-glob] [--scale 0.1] [--runs 3]
             [--opa FILE] [--bin FILE] [--driver FILE] [--cache DIR]

A name is a workload, a case or what a case's name starts with up to a "-".
The workloads are written once to a folder (--cache). Results are compared
before anything is timed; a difference ends the case. Runs are interleaved, and
what is printed is the median of each and their ratio, OPA / regatta.

    eval    one evaluation, everything prepared: build/bench_eval here, `opa
            bench` there, with GOMAXPROCS=1, so that its wall clock counts the
            garbage collector's work too; the first three inputs of a case
    run     user + system time of whole processes: `test` where the case has
            tests, else `eval` of its entry with the first input
    build, ci, peak
            a commit to a bundle: bench_release.py
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

import bench_release

HERE = pathlib.Path(__file__).resolve().parent
GENERATE = HERE.parent.parent / "shared" / "bench" / "generate.py"
HOT = ("w1", "w2", "w3", "w4", "w8")
COLD = ("w5", "w6", "w7", "w9")
RELEASE = tuple(bench_release.ROWS)
INPUTS = 3


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPA_")}
    env.update(more)
    return env


def timed(args):
    """(user + system seconds, standard output) of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    p = subprocess.run(args, env=environment(), capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime - before.ru_utime +
            after.ru_stime - before.ru_stime), p.stdout


class Case:
    def __init__(self, folder, scratch):
        self.folder = folder
        self.facts = json.loads((folder / "case.json").read_text())
        self.name = folder.name
        self.inputs = []
        path = folder / "inputs.json"
        if path.exists():
            for i, value in enumerate(json.loads(path.read_text())[:INPUTS]):
                file = scratch / ("%s-%d.json" % (self.name, i))
                file.write_text(json.dumps(value))
                self.inputs.append(file)

    def files(self):
        args = ["-d", str(self.folder / "policy")]
        if (self.folder / "data.json").exists():
            args += ["-d", str(self.folder / "data.json")]
        if self.facts["rego_version"] == 0:
            args.append("--v0-compatible")
        return args

    def command(self, binary, verb, number=None):
        if verb == "test":
            args = [binary, "test", str(self.folder / "policy")]
            if self.facts["rego_version"] == 0:
                args.append("--v0-compatible")
            return args
        args = [binary, verb] + self.files()
        if number is not None and number < len(self.inputs):
            args += ["-i", str(self.inputs[number])]
        return args + [self.facts["entry"]]


def same_results(case, binaries):
    for number in range(max(1, len(case.inputs))):
        answers = []
        for binary in binaries:
            p = subprocess.run(case.command(binary, "eval", number),
                               env=environment(), capture_output=True)
            answers.append((p.returncode, json.loads(p.stdout or "null")))
        if answers[0] != answers[1]:
            return "input %d: OPA %.200s, regatta %.200s" % (
                number, answers[0], answers[1])
    return None


def same_tests(case, binaries):
    sums = []
    for binary in binaries:
        p = subprocess.run(case.command(binary, "test") + ["-f", "json"],
                           env=environment(), capture_output=True)
        tests = json.loads(p.stdout or "[]")
        sums.append((p.returncode, sorted(
            (t["package"], t["name"], t.get("fail"), t.get("skip"),
             "error" in t) for t in tests)))
    if sums[0] != sums[1]:
        return "%d tests in OPA, %d in regatta, or other outcomes" % (
            len(sums[0][1]), len(sums[1][1]))
    return None


def opa_bench(opa, case, number):
    """Nanoseconds of one evaluation."""
    args = case.command(opa, "bench", number)
    args[2:2] = ["-f", "json", "--benchmem=false", "--metrics=false",
                 "--fail=false"]
    p = subprocess.run(args, env=environment(GOMAXPROCS="1"),
                       capture_output=True)
    result = json.loads(p.stdout)
    return result["T"] / result["N"]


def own_bench(driver, case, number):
    args = [driver, str(case.folder), "1"]
    if case.inputs:
        args.append(str(number))
    p = subprocess.run(args, capture_output=True, check=True)
    return json.loads(p.stdout)["ns"]


def show(name, what, opa, own, unit):
    print("%-26s %-5s %12.1f %12.1f %s  %8.1f" % (name, what, opa, own, unit,
                                                 opa / own), flush=True)


def bench_hot(case, opa, driver, runs):
    theirs, ours = [], []
    for _ in range(runs):
        numbers = range(max(1, len(case.inputs)))
        theirs.append(statistics.mean(opa_bench(opa, case, n)
                                      for n in numbers))
        ours.append(statistics.mean(own_bench(driver, case, n)
                                    for n in numbers))
    show(case.name, "eval", statistics.median(theirs) / 1e3,
         statistics.median(ours) / 1e3, "us")


def bench_cold(case, opa, regatta, runs):
    verb = "test" if case.facts["tests"] else "eval"
    theirs, ours = [], []
    for _ in range(max(runs, 5)):
        theirs.append(timed(case.command(opa, verb, 0))[0])
        ours.append(timed(case.command(regatta, verb, 0))[0])
    show(case.name, "run", statistics.median(theirs) * 1e3,
         statistics.median(ours) * 1e3, "ms")


def cases_of(out, name):
    """The folders of a workload, or of a case by its whole name."""
    return sorted({*out.glob(name), *out.glob(name + "-*")})


def folders(options):
    names = [n.strip() for n in options.only.split(",") if n.strip()]
    names = names or list(HOT + COLD + RELEASE)
    out = options.cache / ("scale-%g" % options.scale)
    missing = [n.partition("-")[0] for n in names
               if n != "init" and not cases_of(out, n)]
    if missing:
        subprocess.run([sys.executable, str(GENERATE), str(out), "--only",
                        ",".join(missing), "--scale", str(options.scale)],
                       check=True)
    for name in names:
        if name == "init":  # regatta makes this one
            yield name, None
        for folder in cases_of(out, name):
            yield folder.name.partition("-")[0], folder


def main():
    build = pathlib.Path(os.environ.get("BUILD", HERE.parent / "build"))
    parser = argparse.ArgumentParser(description="Time regatta beside OPA.")
    parser.add_argument("--only", default="")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--opa", default="opa")
    parser.add_argument("--bin", default="regatta")
    parser.add_argument("--driver", default=str(build / "bench_eval"))
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path(
        tempfile.gettempdir()) / "regatta-bench")
    options = parser.parse_args()
    opa, regatta, driver = map(shutil.which,
                               (options.opa, options.bin, options.driver))
    if not GENERATE.exists():
        print("skipped: no " + str(GENERATE))
        return 0
    for name, path in ((options.opa, opa), (options.bin, regatta),
                       (options.driver, driver)):
        if not path:
            sys.exit("bench.py: no program " + name)
    print("%-26s %-5s %12s %12s     %8s" % ("", "", "OPA", "regatta",
                                           "ratio"))
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for workload, folder in folders(options):
            if workload in RELEASE:
                failed += bench_release.bench(bench_release.Release(
                    workload, folder, pathlib.Path(scratch), (opa, regatta),
                    environment()), options.runs, show)
                continue
            case = Case(folder, pathlib.Path(scratch))
            check = same_tests if case.facts["tests"] else same_results
            wrong = check(case, (opa, regatta))
            if wrong:
                print("%-26s DIFFERS: %s" % (case.name, wrong), flush=True)
                failed += 1
            elif workload in HOT:
                bench_hot(case, opa, driver, options.runs)
            else:
                bench_cold(case, opa, regatta, options.runs)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
