/*
 * builtin: the functions a policy can call without defining them.
 *
 * One file per family in rego/builtin/, each with one table. A row names the
 * builtin, its arguments and the C function. The caller (vm.c) has checked
 * that every argument is defined, counted them, forced lazy documents and, for
 * rows that list allowed types, checked those too; the body only does its work.
 *
 * A builtin that fails makes its call undefined; the message is kept, and
 * reported when strict builtin errors are on. Error texts are OPA's.
 */
#ifndef REGO_BUILTIN_H
#define REGO_BUILTIN_H

#include "rego/value.h"

enum bi_status {
	BI_OK = 0,
	BI_UNDEF, /* no result and no error */
	BI_ERROR, /* no result; bi_error() or bi_operand() has said why */
	BI_HALT, /* the evaluation ends: limit, deadline; bi_limit() said why */
};

struct capabilities;

/* What a builtin may ask of the evaluation it runs in. */
struct bi_ctx {
	struct arena *arena; /* results and scratch; lives with the results */
	const char *name;    /* of the builtin, as in the table */
	int64_t now_ns;      /* wall clock, the same within one query */
	uint64_t seed;       /* for rand.intn, uuid.rfc4122 */
	int64_t steps;       /* countdown: see bi_charge() */
	size_t memory_max;   /* cap on arena->used */
	const struct capabilities *caps; /* whom it may reach; NULL: anybody */
	int64_t deadline_ns;             /* CLOCK_MONOTONIC; 0: none */
	const volatile int *cancel;      /* not 0: stop; NULL: nobody says so */
	uint64_t unpolled; /* charged since the last look at these two */
	const char *code;  /* "eval_builtin_error" or "eval_type_error" */
	char text[1024];   /* message, without "name: " */
	void *vm;          /* opaque to builtins */
	/*
	 * Per-evaluation cache of the family: `bi_cache_slot` numbers its
	 * entry. Freed by `free_fn` when the VM goes.
	 */
	struct bi_cache {
		void *state;
		void (*free_fn)(void *state);
	} caches[8];
};

enum bi_cache_slot {
	BI_CACHE_REGEX,
	BI_CACHE_GLOB,
	BI_CACHE_TIME,
	BI_CACHE_RAND,
	BI_CACHE_UUID
};

typedef enum bi_status bi_fn(
	struct bi_ctx *cx, const struct value *args, struct value *out);

/* Types of an argument, to be or-ed: one bit per tag class. */
enum bi_type {
	BT_NULL = 1,
	BT_BOOL = 2,
	BT_NUM = 4,
	BT_STR = 8,
	BT_ARR = 16,
	BT_OBJ = 32,
	BT_SET = 64,
	BT_ANY = 127,
};

enum bi_flags {
	BF_NONDET = 1,     /* not the same in every query: never memoised */
	BF_RELATION = 2,   /* walk: many results */
	BF_DEPRECATED = 4, /* v0 only */
	BF_VOID = 8,       /* print: has no result */
	BF_RAWTYPES = 16,  /* the function checks its types itself */
	BF_OTHER = 32,     /* of other OPAs: can't be evaluated here */
};

struct builtin {
	const char *name;
	const char *infix; /* "+", ":=", ...; NULL */
	int arity;         /* -1: any number (print) */
	uint8_t types[6];  /* enum bi_type of each argument */
	bi_fn *fn;         /* NULL for what the planner compiles itself */
	unsigned flags;
};

struct builtin_table {
	const struct builtin *rows;
	size_t len;
};

/* By full name ("io.jwt.decode"), or NULL. */
const struct builtin *builtin_find(struct str name);
/* Numbered 0 .. builtin_count()-1, in the order of the tables. */
size_t builtin_count(void);
const struct builtin *builtin_at(size_t i);
size_t builtin_index(const struct builtin *b);
/* Types of arguments and result as text: see builtin/declared.c. */
const char *builtin_declared(const struct builtin *b);

extern const struct builtin_table builtin_core;    /* operators, types, print */
extern const struct builtin_table builtin_numbers; /* and bits, aggregates */
extern const struct builtin_table builtin_collections; /* array set object */
extern const struct builtin_table builtin_strings;
extern const struct builtin_table builtin_format; /* sprintf, format_int */
extern const struct builtin_table builtin_units;
extern const struct builtin_table builtin_regex;
extern const struct builtin_table builtin_glob;
extern const struct builtin_table builtin_graph;    /* reachable, walk */
extern const struct builtin_table builtin_json;     /* filter, remove, patch */
extern const struct builtin_table builtin_encoding; /* base64 hex url json.. */
extern const struct builtin_table builtin_net;
extern const struct builtin_table builtin_time;
extern const struct builtin_table builtin_semver;  /* and uuid */
extern const struct builtin_table builtin_crypto;  /* hashes and hmac */
extern const struct builtin_table builtin_outside; /* http, runtime */
extern const struct builtin_table builtin_jwt;
extern const struct builtin_table builtin_graphql;
extern const struct builtin_table builtin_module; /* rego.parse_module */
extern const struct builtin_table builtin_jsonschema;
extern const struct builtin_table builtin_aws;
extern const struct builtin_table builtin_x509;
extern const struct builtin_table builtin_template; /* strings.render_.. */

/* --- for the builtins themselves ------------------------------------ */

/* Set the message; return BI_ERROR with code eval_builtin_error. */
enum bi_status bi_error(struct bi_ctx *cx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * A limit of ours was met: the evaluation ends. OPA would have gone on, so
 * the call must not become undefined, which a policy could take for an answer.
 */
enum bi_status bi_limit(struct bi_ctx *cx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The type error of OPA's operand checks, code eval_type_error:
 * "operand <pos> must be <expected> but got <type of got>", pos from 1.
 * `expected` as OPA writes it: "string", "one of {array, set}".
 */
enum bi_status bi_operand(
	struct bi_ctx *cx, int pos, const char *expected, struct value got);

/* As bi_operand(), with a free text after "operand <pos> ". */
enum bi_status bi_operand_text(struct bi_ctx *cx, int pos, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Capabilities let this host be reached; else what bi_error() gives. */
enum bi_status bi_host(struct bi_ctx *cx, struct str host);

/*
 * Charge work in advance: `units` is about one member or 64 bytes each. False
 * when the evaluation is over its budget, its time is up or it was cancelled;
 * return BI_HALT then.
 */
bool bi_charge(struct bi_ctx *cx, uint64_t units);

/* That somebody has cancelled the evaluation, or that its time is up. */
bool bi_cancelled(const struct bi_ctx *cx);

/* A string result out of a buffer; refuses more than LIMIT_STRING. */
enum bi_status bi_string(struct bi_ctx *cx, struct str s, struct value *out);

#endif
