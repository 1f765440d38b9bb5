#!/usr/bin/env python3
"""Run commands one after the other and sum up their last lines.

    sum.py [--need FOLDER] COMMAND...

Each command is a shell line whose output ends with "N passed, N failed". One
that does not end so, or fails without counting a failure, counts as one. With
--need, nothing is run where the folder is missing, and the output says so.
"""
import os
import re
import subprocess
import sys


def run(command):
    """Show the output as it comes; (passed, failed) of its last line."""
    last = ""
    with subprocess.Popen(command, shell=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True,
                          errors="replace") as p:
        for line in p.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if line.strip() and not line.startswith("make"):
                last = line
    m = re.match(r"(\d+) passed, (\d+) failed$", last.strip())
    passed, failed = (int(m[1]), int(m[2])) if m else (0, 0)
    if p.returncode != 0 and failed == 0 or not m:
        print("FAILED %s: exit status %d, no sum" % (command, p.returncode))
        failed += 1
    return passed, failed


def main(args):
    passed = failed = 0
    if args[:1] == ["--need"]:
        if not os.path.isdir(args[1]):
            print("skipped: no folder %s" % args[1])
            args = args[:2]
        args = args[2:]
    for command in args:
        print("==", re.sub(r"^\S*make --no-print-directory", "make", command),
              flush=True)
        p, f = run(command)
        passed += p
        failed += f
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
