#!/usr/bin/env python3
"""Capabilities of other OPAs are as a real OPA has them.

What `capabilities` prints of each version is OPA's byte for byte, and so is
what `check` and `eval` say under them; `build` refuses what agents of a version
could not run. Without an OPA (see tests/find-opa.sh) only the last is tested.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from house import GIT, PROGRAM, ROOT  # noqa: E402

VERSIONS = ["v0.17.0", "v0.34.0", "v0.42.0", "v0.59.0", "v1.0.0", "v1.6.0",
            "v1.12.0", "v1.22.2"]
POLICIES = [
    "import rego.v1\np if { some x in [1]; x > 0 }\n",
    "import rego.v2\np if { true or false }\n",
    "import future.keywords\np contains x if some x in input.xs\n",
    "a.b[x] := 1 if { x := 2 }\nq := input.if.not\n",
    "p := $\"a {input.x}\"\n",
    "p := strings.split_n(\"a,b\", \",\", 1)\nq := my.f(\"a\")\n",
    "p := re_match(\"a\", \"b\")\nq := count(1, 2)\n",
    "p := object.union({}, {}) + 1\n",
]
OWN = {"builtins": [
    {"name": "my.f", "decl": {"type": "function", "args": [{"type": "string"}],
                              "result": {"type": "number"}}},
    {"name": "eq", "infix": "=", "decl": {
        "type": "function", "args": [{"type": "any"}, {"type": "any"}],
        "result": {"type": "boolean"}}},
    {"name": "http.send", "decl": {
        "type": "function", "args": [{"type": "object", "dynamic": {
            "key": {"type": "string"}, "value": {"type": "any"}}}],
        "result": {"type": "any"}}},
], "features": ["rego_v1", "keywords_in_refs"], "future_keywords": ["not"],
    "allow_net": ["example.com"]}
QUERIES = ["my.f(1)", "count([1])", "1 in [1]", "x = 1",
           "http.send({\"method\": \"get\", \"url\": \"http://a.test:80/\"})"]
results = []


def check(name, ok, detail=""):
    results.append(ok)
    if not ok:
        print("FAILED %s: %s" % (name, detail))


def run(binary, args, cwd):
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPA_")}
    p = subprocess.run([binary] + args, cwd=cwd, env=dict(env, **GIT),
                       capture_output=True, text=True, timeout=60)
    return p.returncode, p.stdout, p.stderr


def same(opa, args, cwd):
    want, got = run(opa, args, cwd), run(PROGRAM, args, cwd)
    check(" ".join(args), want == got, "want %s, got %s" % (want, got))


def current(opa, cwd, *flags):
    args = ["capabilities", "--current"] + list(flags)
    want = json.loads(run(opa, args, cwd)[1])
    for b in want["builtins"]:
        for text in ("description", "categories"):
            b.pop(text, None)
    check(" ".join(args), json.loads(run(PROGRAM, args, cwd)[1]) == want)


def against(opa, cwd):
    same(opa, ["capabilities"], cwd)
    for version in run(opa, ["capabilities"], cwd)[1].split():
        same(opa, ["capabilities", "--version", version], cwd)
    same(opa, ["capabilities", "--file", "own.json"], cwd)
    same(opa, ["capabilities", "--version", "v1"], cwd)
    current(opa, cwd)
    current(opa, cwd, "--v0-compatible")
    for i, text in enumerate(POLICIES):
        name = "p%d.rego" % i
        (cwd / name).write_text("package t\n" + text)
        for caps in VERSIONS + ["own.json"]:
            for flags in ([], ["--v0-compatible"], ["--format=json"]):
                same(opa, ["check", "--capabilities", caps] + flags + [name],
                     cwd)
    for query in QUERIES:
        same(opa, ["eval", "--capabilities", "own.json", "-f", "values", query],
             cwd)
        same(opa, ["eval", "--capabilities", "v0.59.0", query], cwd)


def build(cwd):
    repo = cwd / "repo"
    (repo / "policies" / "t").mkdir(parents=True)
    (repo / "regatta.yaml").write_text("bundle: t\ninclude: [policies]\n")
    (repo / "policies" / "t" / "t.rego").write_text(
        "package t\n\np := array.flatten([[1]])\n")
    for args in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        run("git", args, repo)
    for version, code in (("v1.13.0", 0), ("v1.12.3", 13), ("v0.59.0", 13)):
        out = cwd / (version + ".tar.gz")
        status, _, err = run(PROGRAM, ["build", "--capabilities", version,
                                       "-o", str(out)], repo)
        check("build for " + version, status == code and
              out.exists() == (code == 0) and (code == 0 or version in err),
              "exit %d: %s" % (status, err))
    status, _, err = run(PROGRAM, ["build", "--capabilities", "v9"], repo)
    check("build for no version", status == 2 and "v9" in err, err)


def main():
    found = subprocess.run([ROOT / "tests" / "find-opa.sh"],
                           capture_output=True, text=True)
    with tempfile.TemporaryDirectory() as name:
        cwd = pathlib.Path(name)
        (cwd / "own.json").write_text(json.dumps(OWN))
        if found.returncode:
            print("skipped: " + found.stderr.strip().split("\n")[-1])
        else:
            against(found.stdout.strip(), cwd)
        build(cwd)
    print("%d passed, %d failed" % (sum(results),
                                    len(results) - sum(results)))
    return not all(results)


if __name__ == "__main__":
    sys.exit(main())
