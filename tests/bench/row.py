"""A row of `make bench`, and the table that they stand in.

A row is what was measured of regatta beside a peer, in one unit. Programs that
measure hand rows on as JSON, an object a line, with the fields of Row; what is
not known is left out. The ratio is always how many times better regatta is:
theirs / ours, but ours / theirs where more is better (`more`, a rate).
`ours_mb` and `theirs_mb` are MB resident at the most.
"""
import dataclasses
import json

# Name, heading.
GROUPS = {
    "eval": "One evaluation, everything prepared",
    "data": "Large data (250 MB at full scale), one question: a whole process",
    "test": "The tests of a suite: a whole process",
    "cold": "A cold start: a whole process",
    "build": "From a commit to a bundle, and all of `ci`",
    "verdict": "The verdict on 10,000 targets, 50 paths, 20 strata",
    "intake": "Decision logs taken in, for each decision",
    "serve": "Bundles served",
    "rollback": "From the command `rollback` to the last agent",
    "load": "The service under the load of a fleet",
}
# Name, what it holds, is that at least (or at most), how it is written.
GOALS = {
    "ratio": (lambda r: r.ratio(), True, ">= %gx"),
    "mb_ratio": (lambda r: r.mb_ratio(), True, "MB >= %gx"),
    "most": (lambda r: r.ours, False, "<= %g"),
    "mb": (lambda r: r.ours_mb, False, "MB <= %g"),
}


def times(a, b):
    """How many times b is in a; None where that can't be said."""
    return None if a is None or not b else a / b


@dataclasses.dataclass
class Row:
    group: str
    row: str
    unit: str = ""
    ours: float = None
    theirs: float = None
    peer: str = None  # what theirs is of
    more: bool = False
    ours_mb: float = None
    theirs_mb: float = None
    goal: dict = dataclasses.field(default_factory=dict)  # of GOALS
    note: str = None
    skipped: str = None  # why
    failed: str = None

    def ratio(self):
        if self.more:
            return times(self.ours, self.theirs)
        return times(self.theirs, self.ours)

    def mb_ratio(self):
        return times(self.theirs_mb, self.ours_mb)

    def missed(self):
        """The goals that it does not reach, of those that were measured."""
        return [name for name, limit in self.goal.items()
                for value, least, _ in [GOALS[name]]
                if value(self) is not None and
                (value(self) < limit if least else value(self) > limit)]

    def json(self):
        fields = dataclasses.asdict(self)
        fields.update(ratio=self.ratio(), mb_ratio=self.mb_ratio(),
                      missed=self.missed())
        return json.dumps({k: v for k, v in fields.items()
                           if v or v == 0 and v is not False})

    def remark(self):
        """What a footnote says of it, if anything."""
        for what, text in (("FAILED: ", self.failed),
                           ("skipped: ", self.skipped), ("", self.note)):
            if text:
                return what + text
        return None


    def line(self):
        """The most of it in one line."""
        if self.failed or self.skipped:
            return "%s: %s" % (self.row, self.remark())
        text = "%s: %s %s" % (self.row, number(self.ours), self.unit)
        if self.peer:
            text += ", %s %s, ratio %s" % (self.peer, number(self.theirs),
                                           number(self.ratio()))
        return text


def number(x):
    """Three digits or so, or all before the point."""
    if x is None:
        return "-"
    if abs(x) >= 1000:
        return "{:,.0f}".format(x)
    if abs(x) < 0.1:
        return "%.2g" % x
    return "%.*f" % (2 if abs(x) < 10 else 1 if abs(x) < 100 else 0, x)


def goal(row):
    missed = row.missed()
    return ", ".join(GOALS[name][2] % limit +
                     (" MISSED" if name in missed else "")
                     for name, limit in row.goal.items())


HEAD = ("", "regatta", "peer", "", "ratio", "MB", "peer MB", "ratio",
        "compared with", "goal")
RIGHT = (1, 2, 4, 5, 6, 7)


def cells(row, mark):
    name = "  %s%s" % (row.row, " [%d]" % mark if mark else "")
    if row.failed or row.skipped:
        return (name, "FAILED" if row.failed else "skipped") + ("",) * 8
    return (name, number(row.ours), number(row.theirs), row.unit,
            number(row.ratio()), number(row.ours_mb), number(row.theirs_mb),
            number(row.mb_ratio()), row.peer or "-", goal(row))


def count(n, what):
    return "%d %s%s" % (n, what, "" if n == 1 else "s")


def closing(rows):
    """The sum of all, as the last line."""
    goals = sum(len(r.goal) for r in rows if r.ours is not None)
    missed = sum(len(r.missed()) for r in rows)
    skipped = sum(bool(r.skipped) for r in rows)
    failed = sum(bool(r.failed) for r in rows)
    return "%s measured, %d skipped, %d failed; %s, %d missed" % (
        count(len(rows) - skipped - failed, "row"), skipped, failed,
        count(goals, "goal"), missed)


def table(rows):
    """All rows as text: under headings, columns in line, with footnotes."""
    notes = list(dict.fromkeys(r.remark() for r in rows if r.remark()))
    lines = [HEAD]
    for name, heading in GROUPS.items():
        own = [r for r in rows if r.group == name]
        if own:
            lines += [(), ("%s (%s)" % (heading, name),)]
        for r in own:
            mark = r.remark() and notes.index(r.remark()) + 1
            lines.append(cells(r, mark))
    widths = [max(len(x[i]) for x in lines if len(x) > 1)
              for i in range(len(HEAD))]
    out = ["  ".join(c.rjust(w) if i in RIGHT else c.ljust(w)
                     for i, (c, w) in enumerate(zip(x, widths))).rstrip()
           if len(x) > 1 else "".join(x) for x in lines]
    if notes:
        out += [""] + ["[%d] %s" % (i + 1, x) for i, x in enumerate(notes)]
    return "\n".join(out + ["", closing(rows)])
