#!/usr/bin/env python3
"""The types of builtins are those that a real OPA declares.

Compares `regatta dump --builtins` with `opa capabilities --current`, each
argument and result with its name and description. Skipped where there is no
OPA: see tests/find-opa.sh.
"""
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")


def output(*args):
    return json.loads(subprocess.run(args, check=True, capture_output=True,
                                     text=True, timeout=60).stdout)


def main():
    found = subprocess.run([ROOT / "tests" / "find-opa.sh"],
                           capture_output=True, text=True)
    if found.returncode:
        print("skipped: " + found.stderr.strip().split("\n")[-1])
        print("0 passed, 0 failed")
        return 0
    opa = output(found.stdout.strip(), "capabilities", "--current")
    want = {b["name"]: b["decl"] for b in opa["builtins"]}
    got = {b["name"]: b["decl"]
           for b in output(BUILD / "regatta", "dump", "--builtins")}
    failed = 0
    for name in sorted(want.keys() | got.keys()):
        if want.get(name) != got.get(name):
            failed += 1
            print("FAILED %s\n  want %s\n  got  %s" % (
                name, json.dumps(want.get(name), sort_keys=True),
                json.dumps(got.get(name), sort_keys=True)))
    print("%d passed, %d failed" % (len(want) - failed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
