"""What a test of its own program counts and prints."""


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what, ok, said=""):
        """Count it; print what failed, with the end of what was said."""
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            said = ": " + str(said)[-1500:] if said else ""
            print("FAILED %s%s" % (what, said), flush=True)
        return ok

    def end(self):
        """The last line of the program, and what it exits with."""
        print("%d passed, %d failed" % (self.passed, self.failed))
        return 1 if self.failed else 0
