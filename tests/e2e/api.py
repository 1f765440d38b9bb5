#!/usr/bin/env python3
"""docs/api.md has every operation, as the program has it."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
BEGIN = "<!-- regatta help --api -->\n"
END = "<!-- end -->\n"


def main():
    page = (ROOT / "docs" / "api.md").read_text()
    said = subprocess.run([str(BUILD / "regatta"), "help", "--api"], text=True,
                          check=True, stdout=subprocess.PIPE).stdout
    part = page.partition(BEGIN)[2].partition(END)[0]
    wrong = [x for x in set(part.splitlines()) ^ set(said.splitlines())]
    ok = part == said
    if not ok:
        print("FAILED docs/api.md is not what `regatta help --api` prints: "
              "%s" % wrong[:5])
    print("%d passed, %d failed" % (ok, not ok))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
