/*
 * gates: what a commit must pass before it becomes a bundle.
 *
 *	source    the commit, or its tag, is signed by who may (if asked for)
 *	waivers   every exemption names its owner and ends; none has lapsed
 *	stages    every policy begins in dryrun and rises step by step
 *	load      modules parse, data merges
 *	check     they compile
 *	test      unit tests pass, each within its budget
 *	fixtures  good inputs do not violate their policy, bad ones do
 *	coverage  enough of the policies is reached by the tests
 *	changes   what this commit alters that reviewers should look at
 *
 * A gate is a function from a commit and a clock to findings. All share one
 * load, one parse and one compile; all run even if one fails, except that
 * nothing is evaluated when loading or compiling failed. What no gate could
 * judge is broken, which is not the same as failed.
 *
 * From waivers/ and stages/ come two documents that the bundle carries:
 * data.waivers, a list of what was valid at the commit, and data.stages.
 */
#ifndef GATES_GATES_H
#define GATES_GATES_H

#include "base/clock.h"
#include "bundler/bundler.h"
#include "rego/runner.h"
#include "signer/signers.h"

/* In order of weight. */
enum gate_level {
	GATE_OK,
	GATE_NOTE,
	GATE_WARN,
	GATE_FAIL,   /* judged, and wrong */
	GATE_BROKEN, /* could not be judged */
};

/* "ok", "note", "WARN", "FAIL", "BROKEN" */
const char *gate_level_name(enum gate_level l);

struct finding {
	const char *gate;
	enum gate_level level;
	const char *file;    /* path in the repo; NULL: no place */
	uint32_t row, col;   /* 0: not known */
	const char *code;    /* "W012", "rego_type_error"; NULL: none */
	const char *subject; /* "data.a_test.test_x"; NULL: none */
	const char *message; /* one line, no full stop */
	const char *detail;  /* further lines; NULL: none */
	const char *again;   /* command that shows it again; NULL: none */
	bool changed;        /* its file is not what it was in the base */
};

/* How one gate ended. */
struct gate_step {
	const char *name;
	enum gate_level level;
	bool skipped; /* something before it failed; `summary` says what */
	const char *summary; /* "1,004 passed, 1 failed" */
	int64_t duration_ns;
};

/* One thing judged, for lists of tests. */
struct gate_case {
	const char *suite; /* file */
	const char *class; /* "data.a_test" or the policy's package */
	const char *name;  /* unique within the class */
	uint32_t row;
	bool skip;
	const struct finding *problem; /* in the report's list; NULL: passed */
	const char *output;            /* what print() said; NULL: nothing */
	int64_t duration_ns;
};

/* Who signed what was judged; all NULL: nobody was asked for. */
struct gate_signer {
	const char *what; /* "commit" or "tag" */
	const char *who;  /* as the list of signers has it */
	const char *key;  /* "SHA256:..." */
};

struct gate_report {
	struct arena arena;
	const char *tool, *bundle; /* "regatta 0.1.0"; NULL: not said */
	struct gate_step *steps;
	size_t nsteps;
	struct finding *findings; /* worst first, then in order of the gates */
	size_t nfindings;
	struct gate_case *cases;
	size_t ncases;
	double coverage;       /* percent; negative: not measured */
	enum gate_level level; /* the worst of all */
	struct gate_signer signer;
	size_t npolicies, nmodules, ndata;
	int64_t as_of_ns, duration_ns;
	char commit[65], base[65]; /* "" when there is none */
	/* What goes into the bundle beside the repo's own files. */
	struct bundle_file *extra;
	size_t nextra;
	/* "sha256:..." over what was judged and how it ended, without times. */
	char digest[72];
};

/* That a signature is asked for, and whose. */
struct gate_source {
	const char *what; /* "commit", or "tag": the one that leads there */
	const struct signers *signers; /* NULL: no SSH key counts */
	struct str keyring;            /* "": no OpenPGP key does */
	const char *file;              /* that they are from, for messages */
	const char *by;                /* what asks: "regatta.yaml" */
	uint32_t row, col;             /* there; 0: something else asks */
};

struct gate_options {
	const struct repo *repo;
	const struct repo *base; /* to compare with; NULL: none */
	const struct config *config;
	const struct gate_source *source; /* NULL: any commit will do */
	int64_t now_ns;
	unsigned threads; /* 0: one for each core */
	bool data_only;   /* only source, and what makes data for the bundle */
	const char *tool; /* "regatta 0.1.0", for the report; or NULL */
};

/* Runs every gate. Nothing but the clock and the report is written to. */
void gates_run(struct gate_report *out, const struct gate_options *o,
	const struct clock *clock);
void gate_report_release(struct gate_report *r);

/* --- reports -------------------------------------------------------------
 *
 * The same report gives the same bytes. Texts in it may be anything: what a
 * reader would take for its own syntax is escaped, broken UTF-8 and control
 * characters are made visible, and nothing breaks out of its place.
 */

struct report_style {
	bool color;   /* words are painted */
	bool quiet;   /* what failed, and the last line */
	bool verbose; /* every case too, with what it printed */
};

/* For people: a line a gate, then every finding with its place. */
void gate_report_text(struct buf *out, const struct gate_report *r,
	const struct report_style *s);
/*
 * Everything, "schema": "regatta.report/1", as one line without an end. What is
 * not known is left out; `problem` of a case is a number in `findings`.
 */
void gate_report_json(struct buf *out, const struct gate_report *r);
/*
 * JUnit as the strict schema of Jenkins takes it; `wide` adds the file
 * attribute that GitLab reads. Each gate is a case, and so is a finding that
 * belongs to none.
 */
void gate_report_junit(struct buf *out, const struct gate_report *r, bool wide);
/*
 * Workflow commands of GitHub: at most ten errors, ten warnings and ten
 * notices. The last says how many there are beyond. One of each policy comes
 * first, of what changed before the rest.
 */
void gate_report_github(struct buf *out, const struct gate_report *r);
/* A log between commands that keep GitHub from obeying what stands in it. */
void gate_report_github_log(struct buf *out, struct str log);
/* For the file that GITHUB_STEP_SUMMARY names: HTML, below its 1 MiB. */
void gate_report_summary(struct buf *out, const struct gate_report *r);

#endif
