#!/usr/bin/env python3
"""Compare what regatta prints with what OPA printed for the same command.

    golden.py SHARED [--bin FILE] [--expect FILE] [--only TEXT] [--trace] [-v]
              [--learn FILE]

SHARED holds `check/` and `cli/` as ../shared/conformance does (its README.md
says what the files mean). Runs of verbs that regatta has not are skipped and
counted; so are those that hold a trace (--trace runs them too).

A run is named check/TOPIC#CASE.RUN or cli/TREE#CASE. FILE (default
tests/expected/golden.txt beside this script) lists the failures that are
known, "NAME: REASON" a line; one of them that passes is a failure. --learn
writes such a list of all that fail now, to be edited. Ends with
"N passed, N failed".
"""
import argparse
import base64
import collections
import concurrent.futures
import difflib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

VERBS = {"capabilities", "check", "eval", "test"}
HERE = pathlib.Path(__file__).resolve().parent


class Number(str):
    """A JSON number, told apart by its literal."""


def load_json(text):
    return json.loads(text, parse_int=Number, parse_float=Number,
                      parse_constant=Number)


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPA_")}
    env["NO_COLOR"] = "1"
    return env


def run(binary, args, folder, stdin=""):
    """(exit status, stdout, stderr)."""
    try:
        p = subprocess.run([binary] + args, cwd=folder, env=environment(),
                           input=stdin.encode(), capture_output=True,
                           timeout=60)
    except subprocess.TimeoutExpired:
        return None, "", "timeout"
    return (p.returncode, p.stdout.decode(errors="replace"),
            p.stderr.decode(errors="replace"))


def difference(want, got):
    lines = difflib.unified_diff(want.splitlines(), got.splitlines(), "want",
                                 "got", lineterm="", n=1)
    return "\n".join(lines)


# --- check/ ---------------------------------------------------------------


def write_files(files, folder):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, dict):
            path.write_bytes(base64.b64decode(text["base64"]))
        else:
            path.write_bytes(text.encode())


def names_format(flags):
    return any(f.split("=")[0] in ("-f", "--format") for f in flags)


def check_errors(binary, want, case, folder):
    """The errors as JSON; None, or what is wrong."""
    args = ["check"] + want["flags"] + ["--format=json"] + case["paths"]
    code, out, err = run(binary, args, folder)
    if code != want["want_exit"]:
        return "exit status %s, want %s\n%s" % (code, want["want_exit"],
                                                err[:500])
    if out:
        return "standard output is not empty"
    try:
        got = load_json(err)["errors"] if err else []
    except (ValueError, KeyError, TypeError):
        return "no JSON: " + err[:500]
    wanted = load_json(json.dumps(want["want_errors"]))
    if got == wanted:
        return None
    return difference(json.dumps(wanted, indent=1), json.dumps(got, indent=1))


def check_run(binary, want, case, folder):
    args = ["check"] + want["flags"] + case["paths"]
    code, out, err = run(binary, args, folder)
    if code != want["want_exit"]:
        return "exit status %s, want %s\n%s" % (code, want["want_exit"],
                                                err[:500])
    if "want_stderr_line" in want:
        line = err.split("\n")[0]
        wanted = want["want_stderr_line"]
        return None if line == wanted else difference(wanted, line)
    if "want_text" in want and err != want["want_text"]:
        return difference(want["want_text"], err)
    if "want_errors" in want and not names_format(want["flags"]):
        return check_errors(binary, want, case, folder)
    return None


def check_case(binary, case, only):
    """[(number of the run, wrong or None)]; None for a skipped run."""
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_files(case["files"], folder)
        for i, want in enumerate(case["runs"]):
            if not only(i):
                continue
            if want["verb"] not in VERBS:
                results.append((i, "skip"))
                continue
            results.append((i, check_run(binary, want, case, folder)))
    return results


# --- cli/ -------------------------------------------------------------------


def normalise(text, folder):
    text = re.sub(r"\((\d+h)?(\d+m)?[\d.]+(ns|us|\u00b5s|ms|s)\)", "(TIME)",
                  text)
    text = re.sub(r'"duration": \d+', '"duration": 0', text)
    return text.replace(str(folder), "$DIR")


def as_set(value):
    """JSON whose order does not count: an array, or the list `errors`."""
    def key(x):
        return json.dumps(x, sort_keys=True)
    if isinstance(value, list):
        return sorted(value, key=key)
    if isinstance(value, dict) and isinstance(value.get("errors"), list):
        value = dict(value)
        value["errors"] = sorted(value["errors"], key=key)
    return value


def same_json(want, got, unordered):
    try:
        want, got = load_json(want), load_json(got)
    except ValueError:
        return False
    return as_set(want) == as_set(got) if unordered else want == got


def same_text(want, got, unordered):
    if not unordered:
        return want == got
    return (sorted(x for x in want.split("\n") if x) ==
            sorted(x for x in got.split("\n") if x))


def snapshot(folder):
    return {str(p.relative_to(folder)): p.read_bytes()
            for p in folder.rglob("*") if p.is_file()}


def cli_run(binary, case, folder):
    before = snapshot(folder)
    code, out, err = run(binary, case["args"], folder, case.get("stdin", ""))
    if code != case["want_exit"]:
        return "exit status %s, want %s\n%s%s" % (code, case["want_exit"],
                                                  out[:500], err[:500])
    if "want_stderr_line" in case:
        line, wanted = err.split("\n")[0], case["want_stderr_line"]
        return None if line == wanted else difference(wanted, line)
    unordered = case.get("unordered", False)
    for name, got in (("want_stdout", out), ("want_stderr", err)):
        want = normalise(case.get(name, ""), folder)
        got = normalise(got, folder)
        if same_text(want, got, unordered):
            continue
        if (name == "want_stdout" and case.get("json") and
                unordered and same_json(want, got, unordered)):
            continue
        return "%s:\n%s" % (name, difference(want, got))
    after = snapshot(folder)
    changed = {n for n in before | after if before.get(n) != after.get(n)}
    if changed and "want_files" not in case:
        return "changed files: " + ", ".join(sorted(changed))
    return None


def cli_case(binary, case, files, trace):
    if case["args"][0] not in VERBS or (case.get("trace") and not trace):
        return "skip"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(os.path.realpath(name)) / "files"
        shutil.copytree(files, folder)
        return cli_run(binary, case, folder)


# --- all --------------------------------------------------------------------


def tasks(shared, options):
    """(topic, function that gives [(name, wrong)])."""
    only = options.only

    for path in sorted((shared / "check").glob("*.json")):
        topic = "check/" + path.stem
        cases = json.loads(path.read_text())["cases"]
        for i, case in enumerate(cases):
            def check(topic=topic, i=i, case=case):
                def name(r):
                    return "%s#%d.%d" % (topic, i, r)
                return [(name(r), wrong) for r, wrong in check_case(
                    options.bin, case, lambda r: only in name(r))]
            yield topic, check
    for path in sorted((shared / "cli").glob("*/cases.json")):
        topic = "cli/" + path.parent.name
        cases = json.loads(path.read_text())["cases"]
        for i, case in enumerate(cases):
            name = "%s#%d" % (topic, i)
            if only not in name:
                continue
            def cli(name=name, case=case, files=path.parent / "files"):
                return [(name, cli_case(options.bin, case, files,
                                        options.trace))]
            yield topic, cli


def read_expected(path):
    known = {}
    if path and path.exists():
        for line in path.read_text().splitlines():
            name, colon, reason = line.partition(": ")
            if colon and not line.startswith("#"):
                known[name] = reason
    return known


def main():
    parser = argparse.ArgumentParser(
        description="Compare regatta with recorded output of OPA.")
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--bin", default="regatta")
    parser.add_argument("--expect", type=pathlib.Path,
                        default=HERE / "expected" / "golden.txt")
    parser.add_argument("--only", default="", help="part of a name")
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("-v", action="store_true", help="show differences")
    parser.add_argument("--learn", type=pathlib.Path)
    options = parser.parse_args()
    binary = shutil.which(options.bin)
    if not binary:
        sys.exit("golden.py: no program " + options.bin)
    options.bin = os.path.abspath(binary)
    if not options.shared.is_dir():
        print("skipped: no folder %s" % options.shared)
        print("0 passed, 0 failed")
        return 0
    known = {} if options.learn else read_expected(options.expect)
    options.failures = []
    counts = collections.defaultdict(collections.Counter)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [(topic, pool.submit(f))
                for topic, f in tasks(options.shared, options)]
        for topic, job in jobs:
            for name, wrong in job.result():
                report(topic, name, wrong, known, counts, options)
    if options.learn:
        options.learn.write_text("".join(options.failures))
    return total(counts)


def reason(wrong):
    """One line: the first that was wanted and is not there."""
    lines = [x for x in wrong.strip().splitlines() if x]
    for line in lines:
        if line.startswith("-") and not line.startswith("---"):
            return "no " + line[1:].strip()[:100]
    return lines[0][:100] if lines else "differs"


def report(topic, name, wrong, known, counts, options):
    n = counts[topic]
    if wrong == "skip":
        n["skipped"] += 1
    elif wrong and name in known:
        n["known"] += 1
    elif wrong:
        n["failed"] += 1
        first = re.sub(r"[^ -~]", "?", reason(wrong))
        options.failures.append("%s: %s\n" % (name, first))
        print("FAILED %s: %s" % (name, wrong if options.v else first))
    elif name in known:
        n["failed"] += 1
        print("FAILED %s: it passes; take it off %s" % (name, options.expect))
    else:
        n["passed"] += 1


def total(counts):
    kinds = ("passed", "failed", "known", "skipped")
    print("%-28s %s" % ("", " ".join("%8s" % k for k in kinds)))
    for topic in sorted(counts):
        print("%-28s %s" % (topic, " ".join("%8d" % counts[topic][k]
                                            for k in kinds)))
    passed = sum(n["passed"] for n in counts.values())
    failed = sum(n["failed"] for n in counts.values())
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
