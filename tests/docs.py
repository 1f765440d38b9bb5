#!/usr/bin/env python3
"""Run what the documents show: every fenced `sh` block of README.md, docs/*.md.

Each block runs with `bash -e` in a fresh folder, so it makes what it needs, with
the program ($BUILD, default build) first on the PATH. A block marked `sh skip`
or `console` is not run; each `$ regatta` line of a console must name a command
and flags that there are. Wherever a block, run or not, calls `make TARGET`, the
Makefile must have that target. Ends with "N passed, N failed".
"""
import pathlib
import os
import re
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```[ \t]*$", re.M | re.S)
MAKE = re.compile(r"^(?:\$ )?make((?:[ \t]+[^\s#;&|]+)*)", re.M)
SECONDS = 60


def run(block, env):
    """What the block printed if it failed, else None."""
    with tempfile.TemporaryDirectory() as folder, \
            tempfile.TemporaryFile() as said:
        p = subprocess.Popen(["bash", "-e", "-u", "-o", "pipefail", "-c",
                              block], cwd=folder, env=env, stdout=said,
                             stdin=subprocess.DEVNULL,
                             stderr=subprocess.STDOUT, start_new_session=True)
        try:
            why = "exit status %d" % p.wait(SECONDS)
        except subprocess.TimeoutExpired:
            why = "no end after %d seconds" % SECONDS
        # What a block that failed left running, or is running.
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()
        said.seek(0)
        text = said.read().decode(errors="replace")
    return None if why == "exit status 0" else "%s\n%s" % (why, text[-2000:])


def make_targets(block):
    """The targets that a block's `make` lines name."""
    for words in MAKE.findall(block):
        for word in words.split():
            if not word.startswith("-") and "=" not in word:
                yield word


def unknown_words(line, env):
    """What of a command line the program does not have, or None."""
    words = line.split("#")[0].split()
    flags = [w.split("=")[0] for w in words if re.match("--[a-z]", w)]
    words = [w for w in words[1:4] if re.match("[a-z]", w)]
    for n in (2, 1):
        p = subprocess.run(["regatta", *words[:n], "--help"], env=env,
                           text=True, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if p.returncode == 0:
            lacks = [f for f in flags
                     if not re.search(re.escape(f) + r"\b", p.stdout)]
            return "no flag %s" % " ".join(lacks) if lacks else None
    return "no such command"


def check(path, env, known):
    """[(what, None or what is wrong)] of one document."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT)
    results = []
    for m in FENCE.finditer(text):
        kind, block = m[1].split(), m[2]
        place = "%s:%d" % (name, text.count("\n", 0, m.start()) + 1)
        if kind == ["sh"]:
            results.append((place, run(block, env)))
        elif kind[:1] not in (["sh"], ["console"]):
            continue
        for line in re.findall(r"^\$ (regatta [^\n|;&>]*)", block, re.M):
            results.append((place + ": " + line, unknown_words(line, env)))
        for target in make_targets(block):
            results.append(("%s: make %s" % (place, target), None if target in
                            known else "the Makefile has no such target"))
    return results


def main():
    build = ROOT / os.environ.get("BUILD", "build")
    program = build / "regatta"
    if not os.access(program, os.X_OK):
        print("FAILED: no program %s: run make first" % program)
        print("0 passed, 1 failed")
        return 1
    env = dict(os.environ, PATH="%s%s%s" % (build, os.pathsep,
                                            os.environ["PATH"]))
    known = set(re.findall(r"^([a-z][a-z0-9-]*):",
                           (ROOT / "Makefile").read_text(), re.M))
    results = []
    for path in [ROOT / "README.md"] + sorted(ROOT.glob("docs/*.md")):
        results += check(path, env, known)
    wrong = [r for r in results if r[1] is not None]
    for what, why in wrong:
        print("FAILED %s: %s" % (what, why))
    if not results:
        print("FAILED: the documents show nothing")
    print("%d passed, %d failed" % (len(results) - len(wrong),
                                    len(wrong) if results else 1))
    return 1 if wrong or not results else 0


if __name__ == "__main__":
    sys.exit(main())
