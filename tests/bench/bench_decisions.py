#!/usr/bin/env python3
"""Rows of what is done with decisions: the verdict on them, and the intake.

build/bench_verdict and build/bench_intake measure; the intake stands beside
`gzip -dc` of the same uploads. Processor time, but for the rate.
"""
import statistics
import sys

import measure
from measure import Job
from row import Row

GROUPS = ("verdict", "intake")
EVENTS = 200000
# Of their rows.
GOALS = {"a window and its verdict": {"most": 50},
         "taken in, on the disk": {"ratio": 0.1}}


def verdict(bench):
    c, said = measure.lines([measure.program("bench_verdict"), bench.of(20)])
    for i, fields in enumerate(said):
        yield Row("verdict", goal=GOALS.get(fields["row"], {}),
                  ours_mb=None if i else c.mb, **fields)


def middle(samples):
    """The median of each field that is a number, over samples of a row."""
    return {name: statistics.median(s[name] for s in samples)
            if isinstance(first, float) else first
            for name, first in samples[0].items()}


def intake(bench):
    """Rows in time get gzip's time as peer."""
    file = bench.scratch / "bodies.gz"
    events, rows, gzip = bench.of(EVENTS, 1000), [], []
    for _ in range(bench.runs):
        rows.append(measure.lines(
            [measure.program("bench_intake"), events, file])[1])
        gzip.append(measure.must(["gzip", "-dc", file]))
    theirs = {"peer": "gzip -dc", "theirs_mb": gzip[0].mb,
              "theirs": statistics.median(
                  c.seconds for c in gzip) / events * 1e9}
    for samples in zip(*rows):
        fields = middle(samples)
        if fields["unit"] == "ns":
            fields.update(theirs)
        yield Row("intake", goal=GOALS.get(fields["row"], {}), **fields)


def jobs(bench):
    return [Job("verdict", "verdict", lambda: verdict(bench)),
            Job("intake", "intake", lambda: intake(bench))]


if __name__ == "__main__":
    sys.exit(measure.main(__doc__, [sys.modules[__name__]]))
