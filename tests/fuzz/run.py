#!/usr/bin/env python3
"""Run libFuzzer targets for some seconds each.

    run.py SECONDS PROGRAM...

New inputs are kept beside the program in <program>.corpus; the seeds of
tests/fuzz/seeds/ are only read. A crash is left as <program>.crash-*.
"""
import os
import subprocess
import sys


def fuzz(path, seconds):
    name = os.path.basename(path)[len("fuzz_"):]
    seeds = os.path.join("tests/fuzz/seeds", name)
    corpus = path + ".corpus"
    os.makedirs(corpus, exist_ok=True)
    argv = [path, "-max_total_time=%s" % seconds, "-max_len=65536",
            "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=0",
            "-artifact_prefix=%s." % path, corpus, seeds]
    words = os.path.join("tests/fuzz", name + ".dict")
    if os.path.exists(words):
        argv.insert(1, "-dict=" + words)
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, errors="replace")
    lines = p.stdout.splitlines()
    print(os.path.basename(path) + ":", lines[-1] if lines else "no output")
    if p.returncode != 0:
        print("\n".join(lines[-40:]))
    return p.returncode == 0


def main():
    results = [fuzz(p, sys.argv[1]) for p in sys.argv[2:]]
    print("%d passed, %d failed" % (sum(results), results.count(False)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
