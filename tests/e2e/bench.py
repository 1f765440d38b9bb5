#!/usr/bin/env python3
"""The table of `make bench`: what stands in it, and a small part measured.

Ends with "N passed, N failed".
"""
import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import types

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "bench")]
import measure  # noqa: E402
from measure import Job, Skip  # noqa: E402
from report import Report  # noqa: E402
from row import Row, table  # noqa: E402

tally = Report()
check = tally.check

ROWS = [
    Row("serve", "304s", "1/s", 1500, 2000, "nginx", more=True, ours_mb=20,
        theirs_mb=5, goal={"ratio": 0.8}),
    Row("cold", "w7", "ms", 2, 30.04, "opa eval",
        goal={"ratio": 5, "most": 2}),
    Row("cold", "w8", skipped="no OPA"),
    Row("cold", "w9", skipped="no OPA"),
    Row("load", "polls", "s", 0.5, ours_mb=600, goal={"mb": 500},
        note="fewer"),
    Row("load", "burst", failed="ValueError: lost"),
]
TABLE = """\
             regatta   peer       ratio    MB  peer MB  ratio  \
compared with  goal

A cold start: a whole process (cold)
  w7            2.00   30.0  ms    15.0     -        -      -  \
opa eval       >= 5x, <= 2
  w8 [1]     skipped
  w9 [1]     skipped

Bundles served (serve)
  304s         1,500  2,000  1/s   0.75  20.0     5.00   0.25  \
nginx          >= 0.8x MISSED

The service under the load of a fleet (load)
  polls [2]     0.50      -  s        -   600        -      -  \
-              MB <= 500 MISSED
  burst [3]   FAILED

[1] skipped: no OPA
[2] fewer
[3] FAILED: ValueError: lost

3 rows measured, 2 skipped, 1 failed; 4 goals, 2 missed"""


def as_table():
    check("a table has headings, columns in line, footnotes and a sum",
          table(ROWS) == TABLE, table(ROWS))
    fields = json.loads(ROWS[0].json())
    check("a row as JSON has its ratios and the goals it misses",
          fields["ratio"] == 0.75 and fields["mb_ratio"] == 0.25 and
          fields["missed"] == ["ratio"] and "note" not in fields, fields)
    check("a value of nothing is no value that is missing",
          json.loads(Row("load", "x", "s", 0.0).json())["ours"] == 0)


# --- running ----------------------------------------------------------------

def breaks():
    yield Row("load", "first", "s", 1)
    raise ValueError("in the\nmiddle")


def leaves_out():
    raise Skip("not here")


def no_jobs(bench):
    raise OSError("no folder")


def module(jobs):
    return types.SimpleNamespace(__name__="m", GROUPS=("verdict",), jobs=jobs)


MODULES = [module(no_jobs), module(lambda bench: [
    Job("load", "breaks", breaks), Job("load", "left-out", leaves_out),
    Job("serve", "good", lambda: [Row("serve", "good", "s", 1)])])]


def main_of(*argv):
    """(what it ends with, its rows)"""
    with contextlib.redirect_stdout(io.StringIO()) as said, \
            contextlib.redirect_stderr(io.StringIO()):
        code = measure.main("", MODULES, ["--json", *argv])
    return code, [json.loads(x) for x in said.getvalue().splitlines()]


def running():
    code, rows = main_of()
    got = [(r["row"], r.get("failed") or r.get("skipped") or r["ours"])
           for r in rows]
    check("a row that fails takes no other with it, and says why", got == [
        ("m", "OSError: no folder"), ("first", 1),
        ("breaks", "ValueError: in the middle"), ("left-out", "not here"),
        ("good", 1)], got)
    check("and then the program fails", code == 1, code)
    code, rows = main_of("--only", "left,good")
    check("what is left out is no failure", code == 1 and
          [r["row"] for r in rows] == ["m", "left-out", "good"], rows)
    MODULES.pop(0)
    check("rows are chosen by group and by how they begin",
          [r["row"] for r in main_of("--only", "serve,left")[1]] ==
          ["left-out", "good"] and main_of("--only", "serve,left")[0] == 0)
    try:
        main_of("--only", "serve,lef")
        check("a name that nothing has is refused", False)
    except SystemExit as e:
        check("a name that nothing has is refused",
              "nothing is named lef;" in str(e), e)


def costs():
    c = measure.cost([sys.executable, "-c", """
import time
room = bytearray(50000000)
while time.process_time() < 0.3:
    pass
print("out")"""])
    check("time and memory of a process are its own",
          c.status == 0 and c.out == b"out\n" and 0.3 <= c.seconds < 1.5 and
          50 < c.mb < 150, c)
    small = measure.cost(["true"])
    check("and not of the one that measures", small.mb < c.mb - 40, small)
    check("an exit status is handed on, and a signal",
          measure.cost(["false"]).status == 1 and
          measure.cost(["sh", "-c", "kill -9 $$"]).status == 137)
    for args, what in ((["no-such-program"], "No such file"),
                       (["false"], "exit status 1 of false")):
        try:
            measure.must(args)
            check("must() fails", False)
        except RuntimeError as e:
            check("%s is an error" % args[0], what in str(e), e)


# --- measured ---------------------------------------------------------------

def bench(only, **env):
    """(exit status, rows by name, what stood on standard error)"""
    p = subprocess.run(
        [sys.executable, str(TESTS / "bench.py"), "--json", "--scale", "0.01",
         "--only", only], env={**os.environ, **env}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    return p.returncode, {r["row"]: r for r in map(
        json.loads, p.stdout.splitlines())}, p.stderr


def measured():
    code, rows, said = bench("intake,304s")
    check("a part of it is measured", code == 0, said)
    taken = rows.get("taken in, on the disk", {})
    check("with the peer's time, memory and the ratio", taken and
          taken["peer"] == "gzip -dc" and taken["theirs_mb"] > 0 and
          abs(taken["ratio"] - taken["theirs"] / taken["ours"]) < 1e-9, taken)
    asked = rows.get("304s", {})
    check("and the server, beside nginx where there is one",
          "skipped" in asked or asked["ours"] > 100 and
          ("ratio" in asked) == ("note" not in asked), asked)
    check("what is being measured is said meanwhile",
          "1 of 2: intake intake" in said, said)
    code, rows, said = bench("init,intake", OPA="/bin/true")
    check("a peer that does nothing is found out", code == 1 and
          "failed" in rows["init-ci"] and "taken in" in rows, rows)


def main():
    as_table()
    running()
    costs()
    measured()
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
