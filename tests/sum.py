#!/usr/bin/env python3
"""Run commands and sum up their last lines.

    sum.py [--need FOLDER] [--at-once N] COMMAND...

Each command is a shell line whose output ends with "N passed, N failed". One
that does not end so, or fails without counting a failure, counts as one. With
--need, nothing is run where the folder is missing, and the output says so.
One runs after the other and shows its output as it comes; with --at-once N of
them run beside each other, and each shows its output, whole, when it has ended.
"""
import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import time


def run(command, show):
    """Hand on each line of the output; (passed, failed) of its last line."""
    last = ""
    show("== %s\n" % re.sub(r"^\S*make --no-print-directory", "make", command))
    with subprocess.Popen(command, shell=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True,
                          errors="replace") as p:
        for line in p.stdout:
            show(line)
            if line.strip() and not line.startswith("make"):
                last = line
    m = re.match(r"(\d+) passed, (\d+) failed$", last.strip())
    passed, failed = (int(m[1]), int(m[2])) if m else (0, 0)
    if p.returncode != 0 and failed == 0 or not m:
        show("FAILED %s: exit status %d, no sum\n" % (command, p.returncode))
        failed += 1
    return passed, failed


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def aside(command):
    """run(), with its output as one text, and how long it took."""
    lines = []
    started = time.monotonic()
    passed, failed = run(command, lines.append)
    lines.append("   (%.0f s)\n" % (time.monotonic() - started))
    say("".join(lines))
    return passed, failed


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--need")
    p.add_argument("--at-once", type=int, default=1)
    p.add_argument("command", nargs="*")
    a = p.parse_args()
    # A shell starts its background jobs deaf for Ctrl-C, which tests send.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if a.need and not os.path.isdir(a.need):
        print("skipped: no folder %s" % a.need)
        a.command = []
    if a.at_once > 1:
        with concurrent.futures.ThreadPoolExecutor(a.at_once) as pool:
            sums = list(pool.map(aside, a.command))
    else:
        sums = [run(command, say) for command in a.command]
    failed = sum(f for _, f in sums)
    print("%d passed, %d failed" % (sum(p for p, _ in sums), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
