#!/usr/bin/env python3
"""The policy library in policies/ keeps what its README promises.

In our engine, and in a real OPA where there is one: it compiles in strict mode,
its tests pass, the two list the same tests with the same results, every policy
has METADATA, tests and fixtures, fixtures/good violates nothing and fixtures/bad
something, and both engines find the same. With the stages that ship, decisions
are the same too. Ends with "N passed, N failed".
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
REPO = ROOT / "policies"
LIBRARY = REPO / "policies"
# Folders whose packages help the policies and are none themselves.
NOT_AREAS = {"lib", "main"}
COVERAGE = 90
# The time of the decisions here; the stages that ship have been reached.
AS_OF = "2026-06-01T00:00:00Z"
OPA_CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or
                         pathlib.Path.home() / ".cache") / "regatta/bin/opa"
ID = re.compile(r"^[a-z][a-z0-9-]*$")
SEVERITIES = {"low", "medium", "high", "critical"}

passed = 0
failed = 0


def check(what, wrong):
    """Count one result; `wrong` is falsy, or says what is wrong."""
    global passed, failed
    if wrong:
        failed += 1
        print("FAILED %s: %s" % (what, wrong))
    else:
        passed += 1


def find_opa():
    """A real OPA, if one is there; none is built for this."""
    cached = str(OPA_CACHE) if OPA_CACHE.exists() else None
    return os.environ.get("OPA") or shutil.which("opa") or cached


def run(*command):
    """(exit status, stdout, what it said if it said anything wrong)."""
    done = subprocess.run([str(c) for c in command], cwd=REPO, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    return done.returncode, done.stdout, (done.stderr + done.stdout)[-1500:]


def evaluate(engine, query, *args):
    """The value of `query`; an error of the engine is one string."""
    status, out, said = run(engine, "eval", "-f", "json", *args, query)
    if status != 0:
        return "exit status %d: %s" % (status, said)
    result = json.loads(out).get("result")
    return result[0]["expressions"][0]["value"] if result else "undefined"


def policies():
    """[(area, name, folder)], by what is on disk."""
    return [(p.parent.name, p.name, p) for p in sorted(LIBRARY.glob("*/*"))
            if p.is_dir() and p.parent.name not in NOT_AREAS]


def fixtures(folder, kind):
    return sorted(f for f in (folder / "fixtures" / kind).glob("*")
                  if f.suffix in {".yaml", ".json"})


# --- tests -----------------------------------------------------------------

def leaves(cases, path=()):
    for name, case in sorted((cases or {}).items()):
        below = case.get("sub_results")
        if below:
            yield from leaves(below, path + (name,))
        else:
            yield path + (name,), not case.get("fail", False)


def test_results(engine):
    """{(test, sub-result...): passed}, or what the engine said."""
    status, out, said = run(engine, "test", "-b", "-f", "json", LIBRARY)
    try:
        tests = json.loads(out)
    except ValueError:
        return "exit status %d: %s" % (status, said)
    results = {}
    for t in tests:
        name = "%s.%s" % (t["package"], t["name"])
        ok = not (t.get("fail") or t.get("error") or t.get("skip"))
        results[(name,)] = ok
        for path, good in leaves(t.get("sub_results")):
            results[(name,) + path] = good
    return results


def check_tests(engines):
    results = {name: test_results(engine) for name, engine in engines}
    for name, found in results.items():
        if isinstance(found, str):
            check("tests in " + name, found)
            return {}
        bad = sorted("/".join(t) for t, ok in found.items() if not ok)
        check("tests in " + name, ", ".join(bad) or not found and "none ran")
    first, *others = results.items()
    for name, found in others:
        differ = set(first[1].items()) ^ set(found.items())
        check("the same tests in %s and %s" % (first[0], name),
              ", ".join(sorted("/".join(t) for t, _ in differ)))
    return first[1]


def check_coverage(engine):
    """Lines of the rules, without those of the tests."""
    _, out, said = run(engine, "test", "-b", "--coverage", LIBRARY)
    try:
        files = json.loads(out)["files"]
    except (ValueError, KeyError):
        check("coverage", said)
        return
    covered = total = 0
    missing = []
    for name, file in sorted(files.items()):
        if name.endswith("_test.rego"):
            continue
        covered += file.get("covered_lines", 0)
        total += file.get("covered_lines", 0) + file.get("not_covered_lines", 0)
        missing += ["%s:%d" % (name, r["start"]["row"])
                    for r in file.get("not_covered", [])]
    share = 100 * covered / total if total else 0
    check("coverage of the rules", share < COVERAGE and
          "%.1f %%, want %d %%; not covered: %s" % (
              share, COVERAGE, " ".join(missing)))


# --- each policy -------------------------------------------------------------

def metadata(text):
    """The METADATA block of the package as text, without its comment signs."""
    m = re.match(r"# METADATA\n((?:#.*\n)+)package ", text)
    return re.sub(r"^# ?", "", m[1], flags=re.M) if m else None


def metadata_faults(block, name):
    if block is None:
        yield "no METADATA block above the package"
        return
    for key in ("title", "description"):
        if not re.search(r"^%s: *\S" % key, block, re.M):
            yield "METADATA has no %s" % key
    custom = dict(re.findall(r"^  (\w+): *(.*)$",
                             block.partition("custom:\n")[2], re.M))
    if custom.get("id") != name.replace("_", "-"):
        yield "custom.id is not the folder's name with hyphens"
    if custom.get("severity") not in SEVERITIES:
        yield "custom.severity is none of %s" % ", ".join(sorted(SEVERITIES))
    for key in ("owners", "remediation"):
        if not custom.get(key):
            yield "custom.%s is missing" % key


def check_form(area, name, folder, tests):
    """What can be said about a policy without evaluating it."""
    title = "%s/%s" % (area, name)
    source = folder / (name + ".rego")
    text = source.read_text() if source.exists() else ""
    faults = list(metadata_faults(metadata(text), name))
    package = "library.%s.%s" % (area, name)
    if not re.search(r"^package %s$" % re.escape(package), text, re.M):
        faults.append("%s is not package %s" % (source.name, package))
    prefix = "data.%s_test." % package
    if not any(t[0].startswith(prefix) for t in tests):
        faults.append("no test in package %s_test" % package)
    for kind in ("good", "bad"):
        if not fixtures(folder, kind):
            faults.append("no fixtures/%s" % kind)
    check(title, "; ".join(faults))


def key(found):
    """A set's members in one order, whatever order an engine writes them in."""
    if isinstance(found, list):
        return sorted(json.dumps(v, sort_keys=True) for v in found)
    return found


def judge(engines, area, name, kind, path):
    """What is wrong with what the engines say of one fixture."""
    query = "data.library.%s.%s.violations" % (area, name)
    results = [evaluate(engine, query, "-b", LIBRARY, "-i", path)
               for _, engine in engines]
    found = results[0]
    if not isinstance(found, list):
        return found
    if kind == "good" and found:
        return "it violates: " + found[0]["msg"]
    if kind == "bad" and not found:
        return "it does not violate"
    for v in found:
        if not {"msg", "field", "subject"} <= set(v):
            return "a violation without msg, field or subject: %s" % v
    for (engine, _), other in zip(engines[1:], results[1:]):
        if key(other) != key(found):
            return "%s finds %s, not %s" % (engine, other, found)
    return None


def check_fixtures(engines):
    work = [(area, name, kind, path) for area, name, folder in policies()
            for kind in ("good", "bad") for path in fixtures(folder, kind)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        wrong = pool.map(lambda w: judge(engines, *w), work)
        for (_, _, _, path), why in zip(work, wrong):
            check(path.relative_to(REPO), why)


# --- the rest of the repository -------------------------------------------------

def read_yaml(engine, path):
    """A YAML file as the engine reads it."""
    return evaluate(engine, "data.file", "-d", "file:%s" % path)


def rank(entry):
    return ["dryrun", "warn", "audit", "enforce"].index(entry["stage"])


def record_faults(record):
    entries = record["stages"]
    if entries[0]["stage"] != "dryrun":
        yield "its first stage is not dryrun"
    ranks = [rank(e) for e in entries]
    if ranks != sorted(ranks) or max(b - a for a, b in
                                     zip(ranks, ranks[1:] + ranks[-1:])) > 1:
        yield "a stage is left out or goes back"
    dates = [e["from"] for e in entries]
    if dates != sorted(set(dates)) or max(dates) > AS_OF[:10]:
        yield "its dates are not in order, or to come"


def check_stages(engine, found):
    """The records of all files by policy, as a bundle carries them."""
    records = {}
    for path in sorted((REPO / "stages").glob("*.yaml")):
        for name, record in read_yaml(engine, path)["policies"].items():
            check("stages of " + name, "; ".join(record_faults(record)) or
                  name in records and "it has two records")
            records[name] = record
    ids = {name.replace("_", "-") for _, name, _ in found}
    check("a record for each policy",
          ", ".join(sorted(ids ^ set(records))))
    return records


def decide(engine, data, area, path):
    query = "data.library.main.%s.decision with time.now_ns as %s" % (
        area, "time.parse_rfc3339_ns(\"%s\")" % AS_OF)
    # Not -b: a bundle without a manifest owns all data, and OPA drops the rest.
    return evaluate(engine, query, "--ignore", "fixtures", "-d", LIBRARY,
                    "-d", data, "-i", path)


def plain(decision):
    """A decision with its lists, and the sets in them, in one order."""
    if isinstance(decision, dict):
        return {k: plain(v) for k, v in decision.items()}
    if isinstance(decision, list):
        return sorted((plain(v) for v in decision),
                      key=lambda v: json.dumps(v, sort_keys=True))
    return decision


def decision_fault(engines, data, records, area, name, path):
    """What is wrong with the decision about a bad fixture."""
    decisions = [decide(e, data, area, path) for _, e in engines]
    first = decisions[0]
    if not isinstance(first, dict):
        return first
    if any(plain(d) != plain(first) for d in decisions):
        return "the engines decide differently: %s" % decisions
    policy = name.replace("_", "-")
    lists = {k for k, v in first.items() if isinstance(v, list) and
             any(i["policy"] == policy for i in v)}
    last = records[policy]["stages"][-1]
    want = {"enforce": "deny"}.get(last["stage"], last["stage"])
    if "scope" not in last and lists != {want}:
        return "%s is in %s, not %s" % (policy, sorted(lists), want)
    if first["allow"] != (not first["deny"]):
        return "allow is not whether nothing is denied"
    return None


def check_decisions(engines, records):
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "packed.json"
        data.write_text(json.dumps({"stages": records, "waivers": []}))
        for area, name, folder in policies():
            for path in fixtures(folder, "bad"):
                check("decision about %s" % path.relative_to(REPO),
                      decision_fault(engines, data, records, area, name, path))


def check_waiver_example(engines):
    """The entry that waivers/ shows holds until its end, and then no more."""
    text = (REPO / "waivers/platform-team.yaml").read_text()
    entry = "".join(re.findall(r"^# ((?:- |  ).*\n)", text, re.M))
    review = {"namespace": "payments", "object": {
        "kind": "Deployment", "metadata": {"name": "legacy-gateway"},
        "spec": {"template": {"spec": {"containers": [{"name": "app"}]}}}}}
    with tempfile.TemporaryDirectory() as folder:
        waivers = pathlib.Path(folder) / "waivers.yaml"
        waivers.write_text(entry)
        document = pathlib.Path(folder) / "input.json"
        document.write_text(json.dumps({"review": review}))
        for name, engine in engines:
            for now, want in (("2026-09-27T23:59:59Z", ["WV-1"]),
                              ("2026-09-28T00:00:00Z", [])):
                got = evaluate(engine, "[w | some v in data.library.main"
                               ".kubernetes.decision.waived; some w in "
                               "v.waivers] with time.now_ns as "
                               "time.parse_rfc3339_ns(\"%s\")" % now,
                               "--ignore", "fixtures", "-d", LIBRARY, "-d",
                               "waivers:%s" % waivers, "-i", document)
                check("the waiver that is shown, %s at %s" % (name, now),
                      got != want and "waived: %s" % got)


def check_own_workflow(engine):
    """The workflow that ships passes the policies it ships with."""
    path = REPO / ".github/workflows/regatta.yaml"
    with tempfile.TemporaryDirectory() as folder:
        document = pathlib.Path(folder) / "input.json"
        document.write_text(json.dumps({"repo": "example/policies", "workflows":
            [{"path": path.name, "content": read_yaml(engine, path)}]}))
        for name in ("require_pinned_actions", "least_workflow_permissions",
                     "disallow_untrusted_checkout"):
            found = evaluate(engine, "data.library.ci.%s.violations" % name,
                             "-b", LIBRARY, "-i", document)
            check("our workflow by " + name, found)


def check_yaml(engines):
    """Both engines read every other YAML file, and the same from it."""
    for path in sorted(set(REPO.rglob("*.yaml")) - set(LIBRARY.rglob("*"))):
        read = [read_yaml(engine, path) for _, engine in engines]
        check(path.relative_to(REPO), isinstance(read[0], str) and read[0] or
              any(r != read[0] for r in read) and "read differently")


def check_readme(found):
    text = (REPO / "README.md").read_text()
    missing = [name.replace("_", "-") for area, name, _ in found
               if not re.search(r"^\| `%s` \| %s \|" % (
                   name.replace("_", "-"), area), text, re.M)]
    check("the README's table", ", ".join(missing))


def main():
    program = ROOT / os.environ.get("BUILD", "build") / "regatta"
    engines = [("regatta", program)]
    opa = find_opa()
    if opa:
        engines.append(("opa", opa))
    else:
        print("no OPA here: only our own engine runs the library")
    for name, engine in engines:
        status, _, said = run(engine, "check", "--strict", "-b", LIBRARY)
        check("check --strict by " + name, status and said)
    if opa:
        _, out, said = run(opa, "fmt", "-l", LIBRARY)
        check("opa fmt", said)
    tests = check_tests(engines)
    check_coverage(program)
    found = policies()
    check("policies", not found and "there are none")
    ids = [name for _, name, _ in found]
    check("names of policies", ", ".join(
        sorted({n for n in ids if ids.count(n) > 1})))
    for area, name, folder in found:
        check_form(area, name, folder, tests)
    check_fixtures(engines)
    check_readme(found)
    check_yaml(engines)
    check_own_workflow(program)
    check_waiver_example(engines)
    check_decisions(engines, check_stages(program, found))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
