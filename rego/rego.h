/*
 * rego: the Rego engine.
 *
 *	engine  = modules + base data, compiled once, immutable then
 *	query   = a prepared query of an engine, immutable, shared by threads
 *	vm      = the memory one thread evaluates in
 *
 * The life of one: rego_new(), rego_add_module() and rego_add_data() for each
 * file, rego_compile(), rego_prepare() for each query; then, in as many threads
 * as wanted, rego_vm_new() and rego_eval() over and over. Adding, compiling and
 * preparing belong to one thread and come before the threads start.
 *
 * It is to be indistinguishable from OPA 1.22.2: results, order, error codes,
 * texts and places. What is not there (a builtin) is refused when compiling,
 * by name and place.
 *
 * Errors of a policy are lists of struct diag (ast.h), not struct err: there
 * can be many, each with a place. Nothing here ends the process on bad input.
 */
#ifndef REGO_REGO_H
#define REGO_REGO_H

#include "rego/ast.h"
#include "rego/value.h"

/* The OPA whose behaviour this is. */
extern const char rego_opa_version[];

struct annotation_set;
struct rego_engine;
struct rego_query;
struct rego_vm;

struct rego_config {
	enum rego_version version; /* of modules that do not say; default v0 is
				      0, so set it: REGO_V1 */
	const struct capabilities *caps; /* NULL: all that there is */
	bool strict;                     /* as `check --strict` */
	bool keep_print;                 /* print() prints; else it is erased */
	bool test_mode;                  /* record the cases of table tests */
	/*
	 * Schemas in annotations give documents their types, as for `opa eval`,
	 * `check` and `test`. Agents and `opa build` do not look at them.
	 */
	bool use_schemas;
	bool coverage;       /* programs mark the exprs they reach */
	bool check_memo;     /* recompute every memo hit and compare: slow */
	bool explain;        /* keep what is needed to show a failing expr */
	bool frames;         /* errors say what was being evaluated: slower */
	uint32_t max_errors; /* 0: 10 */
};

/* Never NULL. *cfg is copied; what it points to must stay. */
struct rego_engine *rego_new(const struct rego_config *cfg);
/*
 * And all that was made of it: modules, queries, errors. VMs first. NULL is
 * fine.
 */
void rego_free(struct rego_engine *e);

/*
 * Parse one module. `name` and `text` must live until rego_free(). False when
 * it did not parse; the errors are then in rego_errors().
 */
bool rego_add_module(struct rego_engine *e, const char *name, struct str text);
/* The same in a version of its own, as manifests of bundles set it. */
bool rego_add_module_as(struct rego_engine *e, const char *name,
	struct str text, enum rego_version version);

/*
 * Merge a document into the base data at `path` (n steps below data; the
 * steps are created). Two objects merge, anything else that meets is a
 * conflict: E_CONFLICT, nothing changed. `v` is copied if `copy`, else it must
 * live as long as the engine (rego_arena()).
 */
enum status rego_add_data(struct rego_engine *e, const struct str *path,
	size_t n, struct value v, bool copy, struct err *err) MUST_CHECK;

/*
 * JSON schemas, before rego_compile(): what has none is typed as ever. From
 * rego_use_schemas() on, an annotation that names one that was not added is
 * an error; `path` is a, b for schema.a.b, and empty for that of input. `v`
 * must live as long as the engine.
 */
void rego_use_schemas(struct rego_engine *e);
void rego_add_schema(struct rego_engine *e, const struct str *path, size_t n,
	struct value v);

/* Memory that lives as long as the engine, and its table of strings. */
struct arena *rego_arena(struct rego_engine *e);
struct symtab *rego_symtab(struct rego_engine *e);

/*
 * Compile all modules. False when rego_errors() has any. check_conflicts:
 * also refuse rules whose path collides with base data, as `opa eval` does.
 */
bool rego_compile(struct rego_engine *e, bool check_conflicts);

/* Parse, compile and data conflict errors so far, in OPA's order. */
const struct diags *rego_errors(const struct rego_engine *e);

/* The modules, in order of name. */
size_t rego_module_count(const struct rego_engine *e);
const struct module *rego_module_at(const struct rego_engine *e, size_t i);

/*
 * What METADATA comments say of packages and rules (annotations.h); NULL
 * before rego_compile() and when no module has any.
 */
const struct annotation_set *rego_annotations(const struct rego_engine *e);

/*
 * Prepare a query. `package` ("data.a.b", or NULL) and `imports` set what
 * names mean. NULL with errors in *d (whose arena is the engine's).
 */
struct rego_query *rego_prepare(struct rego_engine *e, struct str text,
	const char *package, const char *const *imports, size_t nimports,
	struct diags *d);

/* The query `data.a.b.c` of a rule, without parsing. */
struct rego_query *rego_prepare_ref(
	struct rego_engine *e, const struct value *path, size_t n);

struct rego_input {
	struct value input;  /* V_UNDEF: undefined. Must outlive the call */
	int64_t now_ns;      /* 0: the wall clock */
	uint64_t seed;       /* 0: random */
	bool strict;         /* builtin errors are reported */
	bool collect;        /* and all of them are: result.failures */
	int64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
	uint64_t max_steps;  /* 0: no limit */
	size_t max_memory;   /* bytes; 0: LIMIT_EVAL_MEMORY */
	const volatile int *cancel; /* set to 1 from outside to stop */
	/* Receives the text of each print(), without the line end. */
	void (*print)(void *user, struct loc where, struct str text);
	void *user;
};

struct rego_binding {
	struct str name;
	struct value value;
};

struct rego_row {
	struct rego_binding *bindings; /* sorted by name; no _ and no made-up */
	uint32_t nbindings;
	struct value *exprs; /* value of each expr of the query as written */
	uint32_t nexprs;
};

struct rego_frame;

/* A run-time error. code: "eval_conflict_error", "eval_cancel_error", ... */
struct rego_error {
	const char *code; /* NULL: no error */
	const char *message;
	const char *file;
	uint32_t row, col;
	struct str text; /* source at the place, where file is "" */
	/* What was being evaluated, innermost first; none: not known. */
	const struct rego_frame *frames;
	uint32_t nframes;
	const char *why, *why_json; /* of a type error, as in struct diag */
};

/* One query of the stack at an error, numbered as OPA numbers them. */
struct rego_frame {
	uint32_t query_id;
	const char *file;
	uint32_t row, col;
	struct str text; /* of the expr, with values in place of variables */
};

/* The expr that failed last (deepest place reached), for test -v. */
struct rego_failed {
	const struct expr *expr;  /* NULL: not known */
	struct value left, right; /* sides of a comparison, or undef */
};

/* One case of a table test, see rego_eval(). */
struct rego_case {
	struct value *keys; /* the head's variables, outermost first */
	uint32_t nkeys;
	struct rego_failed failed; /* after it was started */
};

/*
 * What an evaluation gave. Everything in it lives until the next rego_eval()
 * with the same VM. With strict builtin errors there can be rows and an error.
 */
struct rego_result {
	struct rego_row *rows;
	uint32_t nrows;
	struct rego_error error;
	/* With rego_input.collect: what failed, in the order of failing. */
	const struct rego_error *failures;
	uint32_t nfailures;
	struct rego_case *cases; /* test_mode: every case that was started */
	uint32_t ncases;
	uint64_t steps;            /* counted */
	size_t memory;             /* bytes taken from arenas */
	struct rego_failed failed; /* before the first case */
};

/* Never NULL. The engine must stay; for one thread at a time. */
struct rego_vm *rego_vm_new(struct rego_engine *e);
/* And its last result. NULL is fine. */
void rego_vm_free(struct rego_vm *vm);
/*
 * *out is what the query gives or why not; it lives until the VM's next
 * rego_eval().
 */
void rego_eval(struct rego_vm *vm, const struct rego_query *q,
	const struct rego_input *in, struct rego_result *out);

/* Where the i-th expr of a query stands, for `eval` output. */
struct loc rego_query_expr_loc(const struct rego_query *q, size_t i);

/* --- coverage (cover.c) --------------------------------------------- */

/*
 * A piece of a source, as an expr or rule head takes it: rows from..to, and
 * the columns where it begins and (one past) ends.
 */
struct rego_range {
	uint32_t from, to;
	uint32_t from_col, to_col;
	unsigned passes; /* not covered: the passes that reached it */
};

/*
 * What OPA evaluates once more for its report, for every piece that was not
 * reached: without the index that leaves rules out, and with all rules of a
 * document though the first has settled its value. For VMs of an engine that
 * marks what it reaches, before their first evaluation.
 */
enum { REGO_NO_INDEX = 1, REGO_NO_EARLY_EXIT = 2 };
void rego_vm_pass(struct rego_vm *vm, unsigned pass);

/* Rows are counted once however many pieces stand on them. */
struct rego_coverage_file {
	const char *name;
	struct rego_range *covered, *not_covered;
	uint32_t ncovered, nnot_covered; /* ranges */
	uint32_t lines_covered, lines_not_covered;
};

/*
 * Coverage so far of the given VMs together; those of a pass only tell what of
 * the rest they reached. Lives in `a`. Sorted by name.
 */
struct rego_coverage_file *rego_coverage(struct arena *a, struct rego_engine *e,
	struct rego_vm *const *vms, size_t nvms, size_t *nfiles);

/* --- dumps for people (dump.c) --------------------------------------- */
void rego_dump_plan(struct buf *out, const struct rego_query *q);
void rego_dump_code(struct buf *out, const struct rego_query *q);

#endif
