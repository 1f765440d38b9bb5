/*
 * internal: what the gates share while they run.
 */
#ifndef GATES_INTERNAL_H
#define GATES_INTERNAL_H

#include "base/clock.h"
#include "base/date.h"
#include "base/map.h"
#include "gates/gates.h"
#include "gates/node.h"
#include "rego/rego.h"

/* A policy: a module with the rule that its decisions are read by. */
struct policy {
	const struct repo_file *file; /* k8s/limits/limits.rego */
	const struct module *module;
	struct str dir;      /* "policies/k8s/limits" */
	const char *package; /* "data.library.k8s.limits" */
	const char *rule;    /* "violations" */
	struct loc loc;      /* of the rule */
};

/* A finding while others still come, and where it ends up in the report. */
struct found {
	struct finding finding;
	struct finding *last;
};

/* A policy that a waiver or a stage names. */
struct named {
	const char *policy, *file, *code;
	uint32_t row, col;
};

struct run {
	const struct gate_options *o;
	const struct clock *clock;
	struct gate_report *report;
	struct arena *arena;  /* the report's */
	struct found **found; /* in order of arrival */
	uint32_t nfound, cap_found, cap_cases;
	struct gate_step *step; /* that is running */

	struct rego_engine *engine; /* once loaded */
	struct bundle bundle;       /* what would be packed */
	bool compiled;              /* and an agent would activate it */
	struct runner *runner;      /* once the tests ran */
	struct policy *policies;
	size_t npolicies;
	struct named *named;
	uint32_t nnamed, cap_named;
	struct map stages; /* id of a policy to its node; values not NULL */
};

/* A finding of the running step, whose level becomes the worst of them. */
struct finding *find_at(struct run *r, enum gate_level level, const char *file,
	uint32_t row, uint32_t col, const char *code, const char *fmt, ...)
	PRINTF(7, 8);
/* The same for what struct err says, whose text has the place in front. */
void find_err(struct run *r, enum gate_level level, const char *code,
	const struct err *e);
/*
 * What regatta.yaml has to do with an error: "test.timeout in regatta.yaml
 * is the limit"; NULL: nothing.
 */
const char *limit_text(struct run *r, const struct rego_error *e);
/* Diagnostics of the engine, from number `from` on. */
void find_diags(struct run *r, enum gate_level level, const struct diags *d,
	size_t from);

/* Of a value, and of a line of the source: more nobody reads in a report. */
enum { VALUE_MAX = 2000, SOURCE_LINE_MAX = 500 };
/* Not more than `max` bytes of it, with dots behind what was cut. */
const char *cut_text(struct run *r, struct str s, size_t max);

/* What the step's line says. */
void summary(struct run *r, const char *fmt, ...) PRINTF(2, 3);

/* One more result of a test for the report, to be filled in now. */
struct gate_case *case_add(struct run *r);
/*
 * A file of the bundle that no commit has, as data that a gate derived; both
 * are copied. Each gate may have one.
 */
void extra_add(struct run *r, const char *path, const struct buf *content);

bool path_is_test(struct str path);    /* x_test.rego */
bool path_is_fixture(struct str path); /* .../fixtures/{good,bad}/... */

/* "1,004" */
const char *count_text(struct run *r, uint64_t n);
/* "1 policy", "12 policies" */
const char *plural(
	struct run *r, uint64_t n, const char *one, const char *many);

/* names.c: remember that `at` names a policy; report those that are not there.
 */
void name_policy(struct run *r, const char *file, const struct node *at,
	const char *code);
void check_names(struct run *r);

/* The gates, in their order. */
void gate_source(struct run *r);
void gate_waivers(struct run *r);
void gate_stages(struct run *r);
void gate_load(struct run *r);
void gate_check(struct run *r);
void gate_test(struct run *r);
void gate_fixtures(struct run *r);
void gate_coverage(struct run *r);
void gate_changes(struct run *r);

#endif
