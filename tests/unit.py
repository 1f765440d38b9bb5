#!/usr/bin/env python3
"""Run unit test programs and fuzz replays, and sum up what they say.

    unit.py PROGRAM...

A program named test_* is a cmocka program that prints TAP, or one line with the
reason for which it was skipped as a whole. A program named
fuzz_* gets the seeds of tests/fuzz/seeds/<name without fuzz_>/ and counts as
one test. A crash, a hang or a plan that is not kept is a failure.
"""
import concurrent.futures
import os
import re
import subprocess
import sys

TIMEOUT = 1800


def run(argv):
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    try:
        p = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=TIMEOUT)
        return p.returncode, p.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        out = (e.stdout or b"").decode(errors="replace")
        return "no end after %d s" % TIMEOUT, out


def tap(name, code, out):
    """(passed, failures) of a cmocka program."""
    passed, skipped, failures = 0, 0, []
    whole = re.match(r"1\.\.0 # SKIP (.*)", out)
    if whole and code == 0:
        print("skipped: %s: %s" % (name, whole[1]))
        return 0, []
    plan = sum(int(n) for n in re.findall(r"^1\.\.(\d+)", out, re.M))
    for line in out.splitlines():
        m = re.match(r"(not )?ok \d+(?: - (.*))?", line)
        if m and "# SKIP" in line:  # cmocka: "not ok 3 # SKIP name"
            skipped += 1
        elif m and m[1]:
            failures.append("%s: %s" % (name, m[2]))
        elif m:
            passed += 1
    ended = passed + skipped + len(failures)
    if ended != plan or plan == 0:
        failures.append("%s: %d of %d tests ended" % (name, ended, plan))
    elif code != 0 and not failures:
        failures.append("%s: ended with %s" % (name, code))
    return passed, failures


def one(path):
    name = os.path.basename(path)
    if name.startswith("fuzz_"):
        seeds = os.path.join("tests/fuzz/seeds", name[len("fuzz_"):])
        files = sorted(os.path.join(seeds, f) for f in os.listdir(seeds))
        code, out = run([path] + files)
        bad = [] if code == 0 else ["%s: seeds: ended with %s" % (name, code)]
        return (0 if bad else 1), bad, out
    code, out = run([path])
    return (*tap(name, code, out), out)


def main():
    passed, failures = 0, []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for ok, bad, out in pool.map(one, sys.argv[1:]):
            passed += ok
            failures += bad
            if bad:
                sys.stdout.write(out)
    for f in failures:
        print("FAILED", f)
    print("%d passed, %d failed" % (passed, len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
