/*
 * runner: finds the tests of an engine's modules and runs them.
 *
 *	rego_new, load_paths()	an engine with modules, not compiled yet;
 *				test_mode must be set
 *	runner_new()		finds and numbers the tests
 *	rego_compile()
 *	runner_run()		may be called again: every test runs anew
 *
 * A test is a rule with a step of its head that begins with test_; with
 * todo_test_ it is skipped. Its name is the head up to that step. Rules of the
 * same name are tests of their own: the second is NAME#01. Rules whose head
 * goes on with variables are tables: each key is a case, found as soon as its
 * variables are bound, and fails unless its value is true.
 *
 * Tests run in parallel, a VM for each thread; results have the order of the
 * sources: by file name, then by place. Source: OPA contract, 7.1 and 7.2.
 */
#ifndef REGO_RUNNER_H
#define REGO_RUNNER_H

#include "rego/rego.h"

/* What failed last in a test or a case, with rego_config.explain. */
struct test_failure {
	const char *file; /* NULL: not known */
	uint32_t row;
	struct str text, line; /* line: blanks in front as in the source */
	/*
	 * The two sides of a comparison (empty: none), and the columns of those
	 * that are not constants (0: a constant).
	 */
	struct str left, right;
	uint32_t left_col, right_col;
};

/* A case of a table, or a group of cases where tables nest. */
struct test_case {
	const char *name;
	bool fail;
	bool unfinished; /* itself or one below began and came to no end */
	bool unnamed;    /* its value is null: OPA does not show its name */
	struct test_failure why; /* of a case that came to no end */
	struct test_case *cases; /* sorted by name */
	uint32_t ncases;
	uint32_t cap;
};

struct test_result {
	struct rule *rule;
	const char *file;
	uint32_t row, col;
	const char *package, *name; /* "data.a_test", "test_x#01" */
	bool skip, fail;
	struct rego_error error; /* code NULL: none */
	bool compile_error;      /* `error` is of compiling the query */
	int64_t duration_ns;
	struct str output;      /* what print() said, a line each */
	struct test_case table; /* of a table test; else empty */
	bool is_table;
	uint64_t steps;
	size_t memory;           /* bytes */
	struct test_failure why; /* of a table: of its first case that failed */
};

struct runner_options {
	const char *run;    /* regular expression over full names; NULL: all */
	unsigned threads;   /* 0: one for each core */
	int64_t timeout_ns; /* of each test; 0: none */
	uint64_t max_steps; /* of each test; 0: no limit */
	size_t max_memory;
	int64_t now_ns; /* 0: the wall clock */
	unsigned pass;  /* for coverage: see rego_vm_pass() */
};

struct runner;

/* NULL with the reason in *err: the regular expression is broken. */
struct runner *runner_new(
	struct rego_engine *e, const struct runner_options *o, struct err *err);
void runner_free(struct runner *r);

/*
 * Run all tests, in as many threads as the options say; again as often as
 * wanted.
 */
void runner_run(struct runner *r);

/*
 * Give the errors of `r` what was being evaluated, from a runner of the same
 * modules in an engine with rego_config.frames: the tests that ended in errors
 * run once more there, which is slower.
 */
void runner_add_frames(struct runner *r, struct runner *again);
/* Some test ended in an error that could be explained so. */
bool runner_has_errors(const struct runner *r);

/* In order; valid until the next runner_run(). */
size_t runner_count(const struct runner *r);
const struct test_result *runner_result(const struct runner *r, size_t i);

/* The VMs that ran the tests so far, for rego_coverage(). */
struct rego_vm *const *runner_vms(const struct runner *r, size_t *n);

/* It ran, was true, and no error came. */
static inline bool test_passed(const struct test_result *t)
{
	return !t->skip && !t->fail && !t->error.code;
}

#endif
