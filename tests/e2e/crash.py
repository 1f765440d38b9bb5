#!/usr/bin/env python3
"""Killed at any moment, the decision log keeps its word.

build/crash_intake takes decisions in with several threads, and is killed with
SIGKILL after a random time, again and again in one folder. Like an agent, each
thread then sends the batch again that was not acknowledged. What was is there
once in the end, nothing is there twice, and the log verifies.
Ends with "N passed, N failed".
"""
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from house import BUILD  # noqa: E402
from report import Report  # noqa: E402

KILLS = int(os.environ.get("KILLS") or 200)
THREADS = 4
BATCH = 5
CHECK_EVERY = 50

tally = Report()
check = tally.check


def run_and_kill(folder, begin, seconds):
    """What each thread sends next, after a run that was killed."""
    p = subprocess.Popen([str(BUILD / "crash_intake"), "run", folder] +
                         [str(n) for n in begin], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    time.sleep(seconds)
    ended = p.poll()
    p.send_signal(signal.SIGKILL)
    out, err = p.communicate(timeout=30)
    if ended is not None:
        raise RuntimeError("it ended by itself: %s" % err.decode()[-500:])
    begin = list(begin)
    for line in out.decode().splitlines():
        thread, seq = map(int, line.split())
        if seq != begin[thread]:
            raise RuntimeError("thread %d said %d, not %d" %
                               (thread, seq, begin[thread]))
        begin[thread] = seq + 1
    return begin


def look(folder, begin, when):
    p = subprocess.run([str(BUILD / "crash_intake"), "check", folder],
                       capture_output=True, text=True, timeout=60)
    lines = p.stdout.splitlines()
    check("%s the log verifies" % when, p.returncode == 0 and
          lines[-1:] == ["clean"], p.stderr)
    ids = [tuple(map(int, line.split("-"))) for line in lines[:-1]]
    check("%s nothing is doubled" % when, len(ids) == len(set(ids)))
    want = {(t, seq, i) for t in range(THREADS) for seq in range(begin[t])
            for i in range(BATCH)}
    missing = want - set(ids)
    check("%s nothing acknowledged is missing" % when, not missing,
          sorted(missing)[:5])
    others = set(ids) - want
    check("%s no more than one batch of each thread was not acknowledged" %
          when, all(seq == begin[t] for t, seq, _ in others),
          sorted(others)[:5])
    check("%s batches are there whole" % when, len(ids) % BATCH == 0)
    return len(ids)


def main():
    seed = int(os.environ.get("SEED") or random.randrange(1 << 30))
    rng = random.Random(seed)
    begin = [0] * THREADS
    with tempfile.TemporaryDirectory() as folder:
        for n in range(1, KILLS + 1):
            # Also while it opens what the last one left.
            seconds = rng.choice((0.002, 0.02, 0.15)) * rng.random() + 0.001
            begin = run_and_kill(folder, begin, seconds)
            if n % CHECK_EVERY == 0 or n == KILLS:
                kept = look(folder, begin, "after %d kills (seed %d)" %
                            (n, seed))
        check("it took in enough to tell", kept > KILLS, kept)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
