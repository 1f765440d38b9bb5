#!/usr/bin/env python3
"""Errors of an evaluation have the stack that a real OPA gives them.

Each rule below fails in its own way; what `eval` says of it is compared in
both modes and formats, and what `test` says of tests that end in errors.
Skipped where there is no OPA: see tests/find-opa.sh.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from house import PROGRAM, ROOT  # noqa: E402

POLICY = """\
package s

f(x) := to_number(x)
g(x) := 1 if x > 1
g(x) := 2 if x > 2
h(a, b) := c if { c := to_number(a) / b }

one := to_number(input.x)
two := x if { y := input.x; x := to_number(y) }
three := f(input.x) + 1
four contains to_number(v) if some v in input.l
five := [n | some v in input.l; n := to_number(v)]
six if every v in input.l { to_number(v) > 0 }
seven if not f(input.x)
eight := 1 if { false } else := to_number(input.x)
nine := {v: to_number(v) | some v in input.l}
ten if { x := f(input.x) with input.x as "w"; x }
eleven := $"{f(input.x)} {input.x}"
twelve.q[x] := to_number(x) if some x in input.l
thirteen := data.s.twelve
fourteen if { z := one; z > 1 }
fifteen := g(5)
sixteen[k] := v if { some k in ["a"]; some v in [1, 2] }
seventeen := v if { xs := [1, 2]; v := xs[_] }
eighteen := [h("1", 1), h("1", 1), h("2", 0)]
nineteen := f(f("n"))
default twenty := 7
twenty := to_number("d")
last if { every x in [1, 2] { every y in ["1", "z"] { to_number(y) > x } } }
"""
TESTS = """\
package s_test

import data.s

test_conflict if { s.g(3) == 1 }
test_same if { s.fifteen }
test_same if { s.sixteen.a == 1 }
test_fine if true
"""
QUERIES = ["to_number(\"x\")", "1/0", "x := \"q\"; to_number(x)", "data.s",
           "[x | x := to_number(\"x\")]", "data.s.g(2)", "data.s.h(\"1\", 0)",
           "not to_number(\"x\")"]


def run(binary, args, cwd):
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPA_")}
    p = subprocess.run([binary] + args, cwd=cwd, env=env, capture_output=True,
                       text=True, timeout=60)
    said = re.sub(r"\([0-9.]+[mn\u00b5]?s\)|\"duration\": [0-9]+", "TIME",
                  p.stdout)
    return p.returncode, said, p.stderr


def commands():
    names = [line.split()[0].split("[")[0].split(".")[0]
             for line in POLICY.splitlines()
             if re.match(r"[a-z]+[ .\[]", line)]
    names = [n for n in names if n not in ("package", "default")]
    for query in ["data.s." + n for n in names] + QUERIES:
        for form in ("json", "pretty", "discard"):
            for flag in ("--strict-builtin-errors", "--show-builtin-errors",
                         "--coverage=false"):
                yield ["eval", flag, "-f", form, "-d", "s.rego", "-i",
                       "input.json", query]
    for form in ("json", "pretty"):
        yield ["test", "-p", "1", "-f", form, "-r", "conflict", "."]
        yield ["test", "-p", "1", "-f", form, "-r", "same$", "."]


def main():
    found = subprocess.run([ROOT / "tests" / "find-opa.sh"],
                           capture_output=True, text=True)
    if found.returncode:
        print("skipped: " + found.stderr.strip().split("\n")[-1])
        print("0 passed, 0 failed")
        return 0
    passed = failed = 0
    with tempfile.TemporaryDirectory() as name:
        cwd = pathlib.Path(name)
        (cwd / "s.rego").write_text(POLICY)
        (cwd / "s_test.rego").write_text(TESTS)
        (cwd / "input.json").write_text('{"x": "bad", "l": ["1", "q"]}')
        for args in commands():
            want = run(found.stdout.strip(), args, cwd)
            got = run(PROGRAM, args, cwd)
            passed += want == got
            failed += want != got
            if want != got:
                print("FAILED %s: want %s, got %s" % (" ".join(args), want,
                                                      got))
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
