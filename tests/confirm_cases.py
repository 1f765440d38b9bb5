#!/usr/bin/env python3
"""Ask a real OPA whether the expectations in tests/cases are right.

    confirm_cases.py [--opa FILE] [--write] [CASES...]

CASES are files as run_cases reads them (default: all in tests/cases beside
this script). Each case is run by `opa eval` and compared as run_cases does it.
With --write, cases without an expectation get OPA's answer as theirs; those
that have one are never changed. Ends with "N passed, N failed".
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


class Number(str):
    """A JSON number, kept as it is written."""


def load(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def dump(value, indent=0):
    """JSON with numbers as they were written, one member a line."""
    pad, inner = "\t" * indent, "\t" * (indent + 1)
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict) and value:
        return "{\n%s\n%s}" % (",\n".join(
            "%s%s: %s" % (inner, json.dumps(k, ensure_ascii=False),
                          dump(v, indent + 1))
            for k, v in value.items()), pad)
    if isinstance(value, list) and value:
        return "[\n%s\n%s]" % (",\n".join(
            inner + dump(v, indent + 1) for v in value), pad)
    return json.dumps(value, ensure_ascii=False)


def run(opa, case):
    """OPA's whole answer."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        args = [opa, "eval", "-f", "json"]
        for i, text in enumerate(case.get("modules") or []):
            path = folder / ("test-%d.rego" % i)
            path.write_text(text)
            args += ["-d", path.name]
        if case.get("data"):
            (folder / "data.json").write_text(dump(case["data"]))
            args += ["-d", "data.json"]
        if "input" in case:
            (folder / "input.json").write_text(dump(case["input"]))
            args += ["-i", "input.json"]
        if case.get("strict_error"):
            args.append("--strict-builtin-errors")
        query = case["query"]
        if "input_term" in case:
            query += " with input as " + case["input_term"]
        p = subprocess.run(args + ["--", query], cwd=folder,
                           capture_output=True, text=True)
    return load(p.stdout)


def rendered(error):
    place = error.get("location", {})
    where = ""
    if place.get("file"):
        where = "%s:%s: " % (place["file"], place["row"])
    return "%s%s: %s" % (where, error.get("code", ""), error["message"])


def bindings(row):
    return row.get("bindings") or {}


def canonical(value):
    """Comparable: numbers by value, so that 1 and 1.0 are the same."""
    if isinstance(value, Number):
        return ["number", float(value)]
    if isinstance(value, dict):
        return {k: canonical(v) for k, v in value.items()}
    if isinstance(value, list):
        return [canonical(v) for v in value]
    return value


def row_set(rows, sort):
    out = set()
    for row in rows:
        row = {k: sorted(v, key=json.dumps) if sort and isinstance(v, list)
               else v for k, v in canonical(row).items()}
        out.add(json.dumps(row, sort_keys=True))
    return out


def judge(case, answer):
    """What differs from the expectation; None if nothing does."""
    errors = answer.get("errors")
    if "want_error_code" in case or "want_error" in case:
        if not errors:
            return "no error"
        if case.get("want_error_code", errors[0].get("code")) != \
                errors[0].get("code"):
            return "error code " + errors[0].get("code", "none")
        if case.get("want_error", "") not in rendered(errors[0]):
            return rendered(errors[0])
        return None
    if errors:
        return rendered(errors[0])
    got = [bindings(r) for r in answer.get("result", [])]
    sort = case.get("sort_bindings")
    if row_set(got, sort) != row_set(case["want_result"], sort):
        return dump(got)
    return None


def fill_in(case, answer):
    errors = answer.get("errors")
    if errors:
        case["want_error_code"] = errors[0].get("code", "")
        case["want_error"] = rendered(errors[0])
    else:
        case["want_result"] = [bindings(r) for r in answer.get("result", [])]


def main():
    parser = argparse.ArgumentParser(
        description="Check the expectations of cases against OPA.")
    parser.add_argument("--opa", default="opa")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("cases", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    passed = failed = 0
    for path in options.cases or sorted((HERE / "cases").glob("*.json")):
        document = load(path.read_text())
        changed = False
        for i, case in enumerate(document["cases"]):
            answer = run(options.opa, case)
            wants = {"want_result", "want_error", "want_error_code"}
            if options.write and not wants & case.keys():
                fill_in(case, answer)
                changed = True
            if not wants & case.keys():
                wrong = "it expects nothing"
            else:
                wrong = judge(case, answer)
            if wrong is None:
                passed += 1
                continue
            failed += 1
            print("FAILED %s#%d: %s: %s" % (path.stem, i, case["note"],
                                            wrong))
        if changed:
            path.write_text(dump(document) + "\n")
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
