#!/usr/bin/env python3
"""Rules of the house that no compiler knows.

    lint.py LIBRARY...        the libraries, each may use those before it

Prints one line per finding, then "N passed, N failed" over files.
"""
import os
import re
import subprocess
import sys

# What a C source may not say, and what to say instead.
CALLS = [
    (r"\b(gets|strncpy|strncat|alloca|system|popen|ctime)\s*\(", "banned call"),
    (r"\bfopen\s*\([^;]*?,\s*\"(?![^\"]*e)[^\"]*\"\s*\)", "fopen without \"e\""),
    (r"\bopen(at)?\s*\((?![^;]*O_CLOEXEC)[^;]*;", "open without O_CLOEXEC"),
    (r"\bsocket\s*\((?![^;]*SOCK_CLOEXEC)[^;]*;",
     "socket without SOCK_CLOEXEC"),
    (r"\btime\s*\(\s*(NULL|0|&)", "time(): the clock is handed in"),
]
# What no file says: work left undone, and places that only one machine has.
WORDS = [
    (r"\b(TODO|FIXME|XXX|HACK)\b", "unfinished"),
    (r"(?<![\w.])/(home|root|work)/", "a path of one machine"),
    (r"[ \t]+$", "space at the end of a line"),
]
SELF = {"tests/lint.py", "Makefile"}


def files():
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        stdout=subprocess.PIPE, text=True, check=True).stdout
    return [f for f in out.splitlines() if os.path.isfile(f)]


def without_comments(text):
    """Comments and string contents blanked, lines kept."""
    def blank(m):
        s = m.group(0)
        if s.startswith('"'):
            return s
        return re.sub(r"[^\n]", " ", s)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text,
                  flags=re.S)


def includes(path, text, libs):
    own = path.split("/")[0]
    if own not in libs:
        return
    for m in re.finditer(r'^#include "([^"]+)"', text, re.M):
        used = m[1].split("/")[0]
        line = text.count("\n", 0, m.start()) + 1
        if "/" not in m[1]:
            yield line, 'include "%s" without its folder' % m[1]
        elif used not in libs:
            yield line, 'include of "%s", which is no library' % m[1]
        elif libs.index(used) > libs.index(own):
            yield line, "%s may not use %s: it stands below" % (own, used)


def matches(text, rules):
    for pattern, what in rules:
        for m in re.finditer(pattern, text, re.M):
            found = m.group(0).strip().split("\n")[0]
            yield text.count("\n", 0, m.start()) + 1, what + ": " + found


def findings(path, libs):
    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
    except UnicodeDecodeError:
        return
    source = path.endswith((".c", ".h", ".cc"))
    data = path.startswith(("tests/cases/", "tests/fuzz/seeds/",
                            "tests/golden/"))
    if not data and path not in SELF:
        yield from matches(text, WORDS)
    if source:
        yield from includes(path, text, libs)
        yield from matches(without_comments(text), CALLS)


def main():
    passed = failed = 0
    for path in files():
        bad = list(findings(path, sys.argv[1:]))
        for line, what in bad:
            print("%s:%d: %s" % (path, line, what))
        failed += bool(bad)
        passed += not bad
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
