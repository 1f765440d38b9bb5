"""What measures for `make bench` stands on: jobs, peers, what processes cost.

A module of rows has GROUPS and jobs(bench): each Job has a group, a name and a
function of nothing that returns (or yields) its rows. run() does those that
are wanted, one after the other; what one raises is the reason of a row that
failed or, with Skip, was left out, and the next one has its turn.
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
import time
import typing

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import house  # noqa: E402
from row import GROUPS, Row, table  # noqa: E402

MB = 1e6


class Skip(Exception):
    """Why a row can't be measured here."""


class Job(typing.NamedTuple):
    group: str
    name: str
    rows: typing.Callable

    def named(self, word):
        """By its group, its name, or how that begins, up to a "-"."""
        return word in (self.group, self.name) or \
            self.name.startswith(word + "-")


# --- what is there ----------------------------------------------------------

def program(name):
    return str(house.BUILD / name)


def opa():
    path = house.find_opa()
    if not path:
        raise Skip("no OPA here; tests/find-opa.sh says how to get one")
    return path


def nginx():
    """None where there is none."""
    return shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")


def two_cores():
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip("one core; client and server need one each")


def open_files(asked, others):
    """How many of `asked` may be open beside others, and a note if fewer."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most - others >= asked:
        return asked, None
    return most - others, "fewer than the %d asked for: the limit of open " \
        "files is %d" % (asked, most)


# --- what it costs ----------------------------------------------------------

class Cost(typing.NamedTuple):
    status: int
    seconds: float  # of processor time, user and system
    took: float     # seconds until it ended
    mb: float       # resident at most
    out: bytes


def cost(args, cwd=None, env=None):
    """Of a process, whatever it ends with. No OPA_* variable reaches it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPA_")}
    p = subprocess.run([program("bench_run"), *map(str, args)], cwd=cwd,
                       env={**kept, **(env or {})}, capture_output=True)
    said, _, last = p.stderr.decode(errors="replace").rstrip().rpartition("\n")
    try:
        status, seconds, took, kib = last.split()
        return Cost(int(status), float(seconds), float(took),
                    int(kib) * 1024 / MB, p.stdout)
    except ValueError:
        raise RuntimeError("%s: %s" % (args[0], last or said)) from None


def must(args, **how):
    """Of a process that must succeed."""
    c = cost(args, **how)
    if c.status:
        raise RuntimeError("exit status %d of %s" % (
            c.status, " ".join(map(str, args))))
    return c


def lines(args):
    """Its cost, and the JSON object on each line that it prints."""
    c = must(args)
    return c, [json.loads(line) for line in c.out.splitlines()]


def processor(pid):
    """Seconds that a process has had of the processor."""
    f = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2]
    f = f.split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid, field="VmRSS"):
    """MB of a process: now, or with VmHWM at most so far."""
    for line in pathlib.Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / MB
    raise KeyError(field)


def in_turn(runs, ours, theirs=None):
    """Samples of both, by the names of a row's fields."""
    samples = {"theirs": [], "ours": []}
    for _ in range(runs):
        for whose, measure in (("theirs", theirs), ("ours", ours)):
            if measure:
                samples[whose].append(measure())
    return samples


def medians(samples, *places):
    """Fields of a row: of values and MB, that stand there in each sample."""
    return {whose + suffix: statistics.median(x[place] for x in values)
            for whose, values in samples.items() if values
            for place, suffix in zip(places, ("", "_mb"))}


def beside(runs, ours, theirs=None):
    """Fields of a row: medians of both, in turn; each gives (value, MB)."""
    return medians(in_turn(runs, ours, theirs), 0, 1)


# --- running ----------------------------------------------------------------

class Bench:
    """What was asked for, and a folder that is there until the end."""

    def __init__(self, options, scratch):
        self.scale = options.scale
        self.runs = options.runs or (3 if self.scale >= 1 else 1)
        self.only = [n.strip() for n in options.only.split(",") if n.strip()]
        self.cache = options.cache / ("scale-%g" % self.scale)
        self.scratch = scratch

    def of(self, n, least=1):
        """So many, scaled."""
        return max(least, round(n * min(self.scale, 1)))

    def wanted(self, job):
        return not self.only or any(job.named(n) for n in self.only)


def reason(e):
    text = " ".join((str(e) or repr(e)).split())
    return "%s: %.400s" % (type(e).__name__, text)


def rows_of(job):
    """Its rows, and one more that says why there are no others."""
    try:
        yield from job.rows()
    except Skip as e:
        yield Row(job.group, job.name, skipped=str(e))
    except Exception as e:
        yield Row(job.group, job.name, failed=reason(e))


def jobs_of(module, bench):
    try:
        return [j for j in module.jobs(bench) if bench.wanted(j)]
    except Exception as e:
        why = reason(e)
        return [Job(module.GROUPS[0], module.__name__, lambda: [
            Row(module.GROUPS[0], module.__name__, failed=why)])]


def progress(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def run(bench, modules, show):
    """The rows of all jobs, each shown as soon as it is there."""
    jobs = [j for m in modules for j in jobs_of(m, bench)]
    for word in bench.only:
        if not any(j.named(word) for j in jobs):
            sys.exit("bench: nothing is named %s; groups are %s" % (
                word, " ".join(GROUPS)))
    rows = []
    for i, job in enumerate(jobs):
        progress("%d of %d: %s %s" % (i + 1, len(jobs), job.group, job.name))
        began = time.monotonic()
        try:
            for row in rows_of(job):
                progress("  " + row.line())
                show(row)
                rows.append(row)
        except KeyboardInterrupt:
            rows.append(Row(job.group, job.name, failed="interrupted; what "
                            "comes after it was not measured"))
            break
        progress("  took %.1f s" % (time.monotonic() - began))
    return rows


def version(*args):
    """What a program calls itself: the last word of its first line."""
    try:
        p = subprocess.run(args, stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.STDOUT)
    except OSError as e:
        return "(%s)" % e
    return p.stdout.partition("\n")[0].rpartition(" ")[2]


def conditions(bench):
    """What the figures hold for: programs, machine, how it was measured."""
    found = house.find_opa()
    peers = ("OPA " + version(found, "version") if found else "no OPA",
             version(nginx(), "-v") if nginx() else "no nginx")
    return "regatta %s beside %s, %s; %d cores, load %.1f at the start; " \
        "scale %g, medians of %d, in turn\nratio: how many times better " \
        "regatta is; MB: resident at the most" % (
            version(house.PROGRAM, "version"), *peers, os.cpu_count(),
            os.getloadavg()[0], bench.scale, bench.runs)


def main(manual, modules, argv=None):
    """What a program ends with; `argv` is for tests."""
    parser = argparse.ArgumentParser(
        description=manual,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="NAME,...",
                        help="groups, rows, or how rows begin up to a \"-\"")
    parser.add_argument("--scale", type=float, default=1.0,
                        help="0.1: a tenth of everything, for a quick look")
    parser.add_argument("--runs", type=int, default=0,
                        help="of each (3; 1 at a smaller scale)")
    parser.add_argument("--json", action="store_true",
                        help="a line of JSON for each row, no table")
    parser.add_argument("--cache", type=pathlib.Path, metavar="DIR",
                        default=pathlib.Path(tempfile.gettempdir()) /
                        "regatta-bench", help="where workloads are kept")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(options, pathlib.Path(scratch))
        head = "" if options.json else conditions(bench)
        rows = run(bench, modules, (
            lambda row: print(row.json(), flush=True)) if options.json
            else lambda row: None)
    if not options.json:
        print(head, table(rows), sep="\n\n")
    return 1 if any(r.failed for r in rows) else 0
