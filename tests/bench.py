#!/usr/bin/env python3
"""Measure regatta beside its peers, and print one table.

    bench.py [--only w1,w4-routes-glob] [--scale 0.1] [--runs 3] [--json]

A real OPA, nginx and `gzip -dc` are the peers, measured in the same run, in
turn. What can't be measured here is left out, and a footnote says why; so does
one for what failed, and then this ends with 1. Each tests/bench/bench_*.py
measures some of the rows, and prints a table of them when run by itself.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "bench"))
import bench_decisions  # noqa: E402
import bench_engine  # noqa: E402
import bench_load  # noqa: E402
import bench_release  # noqa: E402
import bench_rollback  # noqa: E402
import bench_server  # noqa: E402
import measure  # noqa: E402

if __name__ == "__main__":
    sys.exit(measure.main(__doc__, [
        bench_engine, bench_release, bench_decisions, bench_server,
        bench_rollback, bench_load]))
