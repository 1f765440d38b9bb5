#!/usr/bin/env python3
"""The pages in docs/ beside the program.

configuration.md: every key of the tables in bundler/config.c has a row, and
every row is a key. What the page shows is tried with `regatta ci --worktree`:
each `yaml` block passes, each `yaml wrong` block is refused with the `text`
block that follows it. The first block and the second, the one with all defaults,
must make the same bundle.

ci.md: shows the workflow that `regatta init` writes; has a row for every gate,
every code of a finding and every exit code. Its `sh` blocks are run by
tests/docs.py.

doctor.md: has every code of a finding, with its harm.

security.md: every test that it names is there. architecture.md: has every
library, and every header that it names is there. state.md: has everything that is
in the folder of a server. All pages: what they link to is there. Ends with
"N passed, N failed".
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from house import PROGRAM as REGATTA, ROOT  # noqa: E402
from report import Report  # noqa: E402


tally = Report()
check = tally.check


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


PAGE = text("docs/configuration.md")
SOURCE = text("bundler/config.c")


def keys_of_source():
    """{"rollout.bake.min", ...}, from the tables and the sections' paths."""
    sections = dict(re.findall(
        r'static const struct section \w+ = \{\s*"([^"]*)", (\w+_keys),',
        SOURCE))
    tables = dict(re.findall(
        r"static const struct key (\w+_keys)\[\] = \{\n(.*?)\n\};", SOURCE,
        re.S))
    if sorted(sections.values()) != sorted(tables):
        raise RuntimeError("a section without a table, or the reverse")
    return {path + name for path, table in sections.items()
            for name in re.findall(r'^\t\{"(\w+)",', tables[table], re.M)}


def ci(config):
    """(exit status, standard output, standard error) of a repo with this."""
    with tempfile.TemporaryDirectory() as folder:
        repo = pathlib.Path(folder) / "repo"
        subprocess.run([str(REGATTA), "init", str(repo)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (repo / "regatta.yaml").write_text(config)
        subprocess.run([str(REGATTA), "key", "new", "keys/bundle.pem"],
                       cwd=repo, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        p = subprocess.run([str(REGATTA), "ci", "--worktree", "-q"], cwd=repo,
                           capture_output=True, text=True, timeout=60)
        return p.returncode, p.stdout, p.stderr


def configuration():
    known = keys_of_source()
    rows = re.findall(r"^\| `([a-z_.\[\]]+)` \|", PAGE, re.M)
    check("the tables of config.c are read", len(known) > 30, known)
    for key in sorted(known):
        check("%s has one row in the page" % key, rows.count(key) == 1)
    for key in sorted(set(rows) - known):
        check("%s is a key" % key, False, "config.c has no such key")

    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", PAGE, re.M | re.S)
    digests = []
    for i, (kind, block) in enumerate(blocks):
        name = "block %d (%.40r)" % (i + 1, block)
        if kind == "yaml":
            status, out, err = ci(block)
            check(name + " passes", status == 0, out + err)
            digests += re.findall(r"sha256:\w+", out)[:1]
        elif kind == "yaml wrong":
            status, out, err = ci(block)
            after = blocks[i + 1] if i + 1 < len(blocks) else ("", "")
            check(name + " is refused as the page says", status == 2 and
                  after == ("text", err), err)
    check("what is left out has the defaults of the page",
          len(digests) > 1 and digests[0] == digests[1], digests[:2])


def rows_of(page, pattern):
    return set(re.findall(r"^\| %s \|" % pattern, page, re.M))


def job():
    page = text("docs/ci.md")
    shown = re.findall(r"^```yaml\n(.*?)^```$", page, re.M | re.S)
    check("ci.md shows the workflow that init writes", shown == [
        text("policies/.github/workflows/regatta.yaml")])
    gates = re.findall(r'^\t\{"(\w+)", gate_', text("gates/run.c"), re.M)
    check("gates/run.c is read", len(gates) > 5, gates)
    check("ci.md has every gate", set(gates) <= rows_of(page, r"`(\w+)`"),
          gates)
    codes = {code for path in (ROOT / "gates").glob("*.c")
             for code in re.findall(r'"([A-Z]\d{3})"', path.read_text())}
    listed = rows_of(page, r"`([A-Z]\d{3})`")
    check("ci.md has every code", len(codes) > 10 and codes == listed,
          codes ^ listed)
    exits = set(re.findall(r"EXIT_[A-Z]+ = (\d+)", text("cli/cli.h")))
    missing = exits - {"11"} - rows_of(page, r"(\d+)")  # 11: verify's
    check("ci.md has every exit code", not missing, missing)


def release():
    page = text("docs/release.md")
    codes = dict(re.findall(r"OP_([A-Z_]+) = (\d+)", text("server/ops.h")))
    missing = set(codes.values()) - rows_of(page, r"(\d+)") - {
        codes["FAILED"], codes["REPLAY"]}  # of ci, doctor and replay
    check("release.md has every exit code", not missing, missing)
    for path in ("op_channel", "op_status", "op_target", "op_version",
                 "op_rollout"):
        for name, roles in re.findall(
                r'\.name = "([^"]+)".*?\.roles = ([^,]+),',
                text("server/%s.c" % path), re.S):
            row = [line for line in page.splitlines()
                   if line.startswith("| `") and "`%s" % name in line]
            if name in ("publish", "channels"):
                continue
            check("release.md has the command " + name, row)
            roles = set(re.findall(r"SERVER_(\w+)", roles.upper()))
            said = set(r.upper() for r in re.findall(
                r"`(\w+)`", " ".join(row).rsplit("|", 2)[-2])) if row else set()
            check("release.md says who may " + name, roles <= said,
                  (roles, said))


def doctor():
    """Every code, and each harm that it can have."""
    harms = {}
    for path in ("server/op_doctor.c", "server/agent_config.c",
                 "cli/cmd_doctor.c"):
        source = text(path)
        for m in re.finditer(r'"(D\d{3})"', source):
            start = max(source.rfind(w, 0, m.start()) for w in
                        ("ADD(", "ROW(", "advice_add(", "] = {"))
            harms.setdefault(m[1], set()).update(
                h.lower() for h in re.findall(r"HARM_([A-Z]+)",
                                              source[start:m.start()]))
    rows = dict(re.findall(r"^\| `(D\d{3})` \| ([a-z, ]+) \|",
                           text("docs/doctor.md"), re.M))
    check("doctor.md has every code", len(harms) > 40 and
          set(harms) == set(rows), set(harms) ^ set(rows))
    for code in set(harms) & set(rows):
        check("doctor.md has the harm of " + code, harms[code] ==
              set(rows[code].split(", ")), (harms[code], rows[code]))


def security():
    page = text("docs/security.md")
    tests = {name for path in (ROOT / "tests").glob("test_*.c")
             for name in re.findall(r"^static void (\w+)\(void \*\*",
                                    path.read_text(), re.M)}
    named = {name for row in re.findall(r"^\|[^|]*\|(.*)\|$", page, re.M)
             for name in re.findall(r"`([^`]+)`", row)}
    check("security.md names tests", len(named) > 30, named)
    for name in sorted(named):
        check("the test %s of security.md is there" % name,
              (ROOT / name).is_file() if "/" in name else name in tests)


def architecture():
    page = text("docs/architecture.md")
    libs = re.search(r"^LIBS = (.*)$", text("Makefile"), re.M)[1].split()
    here = ["%s/" % name for name in libs if (ROOT / name).is_dir()]
    rows = re.findall(r"^\| `(\w+/)` \|", page, re.M)
    check("architecture.md has the libraries in their order", rows == here,
          (rows, here))
    for name in re.findall(r"`(\w+/[\w/]+\.[ch])`", page):
        check("%s of architecture.md is there" % name, (ROOT / name).is_file())


def served(folder):
    """What is in a state folder while a server has it."""
    subprocess.run([str(REGATTA), "token", "add", "a", "--state", folder],
                   check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    p = subprocess.Popen([str(REGATTA), "serve", "--state", folder,
                          "--listen", "127.0.0.1:0"], text=True,
                         stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        said = p.stderr.readline()  # or its end
        return sorted(os.listdir(folder)), said
    finally:
        p.terminate()
        p.wait(60)
        p.stderr.close()


def state():
    with tempfile.TemporaryDirectory() as folder:
        names, said = served(folder)
    check("it serves", "serving" in said and len(names) > 5, said)
    rows = "".join(re.findall(r"^\| `.*$", text("docs/state.md"), re.M))
    for name in names:
        check("state.md has %s" % name, re.search(
            r"`%s/?`" % re.escape(name), rows))


def links():
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                check("%s links to %s" % (page.name, target),
                      (page.parent / target).exists())


def main():
    configuration()
    job()
    release()
    doctor()
    security()
    architecture()
    state()
    links()
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
