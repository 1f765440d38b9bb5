#!/usr/bin/env python3
"""Run what the documents show: every fenced `sh` block, in a fresh folder.

Blocks of one document run in one folder, in their order, with the program on
the PATH; a block fails with the first line that fails. In indented blocks each
`make TARGET` must name a target of the Makefile.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def blocks(text):
    return re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)


def targets():
    text = open(os.path.join(ROOT, "Makefile")).read()
    return set(re.findall(r"^([a-z][a-z-]*):", text, re.M))


def run_block(block, folder, env):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], cwd=folder,
                          env=env, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=60)
    return None if done.returncode == 0 else done.stdout[-2000:]


def check(name, env):
    text = open(os.path.join(ROOT, name)).read()
    passed, failed = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for number, block in enumerate(blocks(text), 1):
            wrong = run_block(block, folder, env)
            if wrong is None:
                passed += 1
            else:
                failed.append("%s, block %d:\n%s" % (name, number, wrong))
    known = targets()
    for target in re.findall(r"^    make ([a-z-]+)", text, re.M):
        if target in known:
            passed += 1
        else:
            failed.append("%s: no target %s" % (name, target))
    return passed, failed


def main():
    build = os.path.join(ROOT, os.environ.get("BUILD", "build"))
    env = dict(os.environ, PATH=build + os.pathsep + os.environ["PATH"])
    passed, failed = 0, []
    for name in ["README.md"] + sorted(glob.glob("docs/*.md", root_dir=ROOT)):
        p, f = check(name, env)
        passed += p
        failed += f
    for text in failed:
        print("FAILED", text)
    print("%d passed, %d failed" % (passed, len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
