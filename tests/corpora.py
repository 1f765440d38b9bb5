#!/usr/bin/env python3
"""Run OPA and regatta over public policy repositories and compare each test.

    corpora.py DIR [--tsv FILE] [--bin FILE] [--opa FILE] [--only TEXT] [--v0]

DIR has the checkouts, each at the commit of the table, as OWNER+NAME. FILE is
../shared/conformance/corpora.tsv unless named. Rows with --v0-compatible are
left out unless --v0 is given, `opa parse` rows always.

Both programs run the row's command from the root of a copy. Of `test` rows
every single test must be the same: package, name, outcome, place and
sub-results (names numbered over several files, x#01, are compared by place).
Of all others the errors, as text. Where all that regatta reports are builtins
or flags by name that it has not, the row is counted apart. Ends with "N passed,
N failed", a test or a row each.
"""
import argparse
import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SHARED = HERE.parent.parent / "shared" / "conformance"
FLAG = re.compile(r"flag --.* is not supported here yet$")


def run(binary, command, checkout):
    """The command with `opa` standing for the program, in a copy."""
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        shutil.copytree(checkout, root / "repo", symlinks=True,
                        ignore=shutil.ignore_patterns(".git"))
        (root / "bin").mkdir()
        (root / "bin" / "opa").symlink_to(binary)
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("OPA_")}
        env["PATH"] = "%s:%s" % (root / "bin", env["PATH"])
        p = subprocess.run(["sh", "-c", command], cwd=root / "repo", env=env,
                           capture_output=True, text=True, errors="replace")
    return p.returncode, p.stdout, p.stderr


def error_lines(text):
    """The messages of what a program reports, as JSON or for people."""
    try:
        return [e["message"] for e in json.loads(text)["errors"]]
    except (ValueError, KeyError, TypeError):
        pass
    lines = [line for line in text.splitlines()
             if line.strip() and not line.startswith("\t")]
    return [re.sub(r"^1 error occurred(?: during loading)?: ", "", line)
            for line in lines
            if not re.match(r"\d+ errors occurred.*:$", line)]


def refused(text):
    """The one error is a flag that is not there."""
    lines = error_lines(text)
    return len(lines) == 1 and bool(FLAG.search(lines[0]))


def outcome(test):
    if test.get("skip"):
        return "skip"
    if "error" in test:
        error = test["error"]
        first = error[0] if isinstance(error, list) else error
        return "error " + first.get("code", "")
    return "fail" if test.get("fail") else "pass"


def sub_results(test, path=()):
    for name, sub in sorted((test.get("sub_results") or {}).items()):
        yield path + (name, bool(sub.get("fail")))
        yield from sub_results(sub, path + (name,))


def table(text):
    """{(file, row, column, package, name): (outcome, sub-results)}"""
    result = {}
    for test in json.loads(text):
        place = test["location"]
        name = re.sub(r"#\d+", "", test["name"])
        key = (place["file"], place["row"], place["col"], test["package"],
               name)
        result[key] = (outcome(test), tuple(sub_results(test)))
    return result


def compare_tests(want, got):
    """(tests that are the same, what is wrong with the others)"""
    want, got = table(want), table(got)
    wrong = []
    for key in sorted(want.keys() | got.keys()):
        if want.get(key) != got.get(key):
            wrong.append("%s:%s %s.%s: OPA %s, regatta %s" % (
                key[0], key[1], key[3], key[4], want.get(key), got.get(key)))
    return len(want.keys() | got.keys()) - len(wrong), wrong


def compare(command, want, got):
    if want[1].lstrip().startswith("[") and got[1].lstrip().startswith("["):
        return compare_tests(want[1], got[1])
    if (want[0], want[2]) == (got[0], got[2]):
        return 1, []
    return 0, ["exit status %s, want %s\n\twant %s\n\tgot  %s" % (
        got[0], want[0], want[2][:300] or want[1][:300],
        got[2][:300] or got[1][:300])]


def rows(options):
    with open(options.tsv, newline="") as f:
        for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
            command = row["command"]
            if "--v0-compatible" in command and not options.v0:
                continue
            if "opa parse" in command:
                continue
            if options.only in row["repo"] + " " + command:
                yield row


def main():
    parser = argparse.ArgumentParser(
        description="Compare regatta and OPA on public repositories.")
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--tsv", type=pathlib.Path,
                        default=SHARED / "corpora.tsv")
    parser.add_argument("--bin", default="regatta")
    parser.add_argument("--opa", default="opa")
    parser.add_argument("--only", default="")
    parser.add_argument("--v0", action="store_true")
    options = parser.parse_args()
    programs = [shutil.which(options.opa), shutil.which(options.bin)]
    for name, path in zip((options.opa, options.bin), programs):
        if not path:
            sys.exit("corpora.py: no program " + name)
    opa, regatta = map(os.path.abspath, programs)
    passed = failed = left_out = missing = 0
    for row in rows(options):
        checkout = options.dir / row["repo"].replace("/", "+")
        title = "%s: %s" % (row["repo"], row["command"])
        if not checkout.is_dir():
            print("skipped %s: no folder %s" % (title, checkout))
            missing += 1
            continue
        want = run(opa, row["command"], checkout)
        got = run(regatta, row["command"], checkout)
        if refused(got[2]):
            left_out += 1
            print("refused %s\n\t%s" % (title, got[2].strip()[:400]))
            continue
        same, wrong = compare(row["command"], want, got)
        passed += same
        failed += len(wrong)
        print("%s %s: %d the same" % ("FAILED" if wrong else "ok", title,
                                      same))
        for line in wrong[:20]:
            print("\t" + line)
    if left_out or missing:
        print("%d rows refused for what is missing, %d without a checkout"
              % (left_out, missing))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
