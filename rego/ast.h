/*
 * ast: what the parser makes of a module, and what the passes make of that.
 *
 * Shapes and names follow OPA's own tree (module, rule, head, body, expr,
 * term), so that error texts, places and dumps agree with it. Everything lives
 * in one arena per compiler; names and constant strings are interned, so two
 * names are equal when their pointers are.
 *
 * A place is an offset into a source; row and column are worked out when they
 * are needed (source_pos()). Rows and columns count from 1, columns in code
 * points.
 */
#ifndef REGO_AST_H
#define REGO_AST_H

#include "rego/value.h"

struct source {
	const char *name; /* as in messages: "policy/a.rego"; "" for a query */
	struct str text;  /* kept alive by who added it */
	uint32_t *lines;  /* offset of each line; made on first use */
	uint32_t nlines;
};

struct loc {
	const struct source *src; /* NULL: nowhere */
	uint32_t off, len;        /* bytes */
};

/* Row and column of `loc`. Not for threads on the first call for a source. */
void source_pos(struct loc loc, uint32_t *row, uint32_t *col);

/* --- errors -------------------------------------------------------- */

/* Codes as OPA names them: "rego_parse_error", ... */
struct diag {
	const char *code; /* NULL: none (loading errors) */
	const char *message;
	const char *file; /* NULL: no location */
	uint32_t row, col;
	const char *line; /* details of a parse error; NULL: no details */
	int idx;
	uint32_t line_len; /* bytes of `line`, which may hold NULs */
	/* Of a type error, or NULL: lines, each after "\n\t"; a JSON object. */
	const char *why, *why_json;
};

struct diags {
	struct arena *arena;
	struct diag *items;
	uint32_t len, cap;
	uint32_t max; /* 0: no limit; reaching it stops the pass */
};

/* "a.rego:3: rego_parse_error: ...", or only the message when it has no code.
 */
void diag_line(struct buf *out, const struct diag *d);
/* The same, and its details on lines of their own. */
void diag_text(struct buf *out, const struct diag *d);
/* "1 error occurred: ..." or "N errors occurred:\n...", no line end behind;
   ": " stands behind `what`, " during loading". */
void diags_text(struct buf *out, const struct diags *d, const char *what);

/* The text is formatted into the arena; `loc` may be nowhere. */
void diag_add(struct diags *d, const char *code, struct loc loc,
	const char *fmt, ...) PRINTF(4, 5);

/* --- terms --------------------------------------------------------- */

enum term_kind {
	T_SCALAR, /* .val: null, boolean, number, string */
	T_VAR,    /* .var */
	T_REF,    /* .list: head, then one term a step ("a.b" is string "b") */
	T_ARRAY,  /* .list */
	T_SET,    /* .list, by term_cmp(), distinct */
	T_OBJECT, /* .list of key, value, ..., by key; of equal keys the
		     last wins */
	T_CALL,   /* .list: operator (a T_REF), then arguments */
	T_ARRAY_COMP, /* .comp */
	T_SET_COMP,
	T_OBJECT_COMP,
	T_TEMPLATE, /* .tmpl; gone after lower */
	T_BODY,     /* .body: operand { ... } of not, and, or */
};

struct term {
	uint8_t kind;   /* enum term_kind */
	uint8_t ground; /* no variables inside; set by lower for composites */
	uint8_t raw;    /* T_SCALAR string or T_TEMPLATE: written raw, `...`;
			   T_CALL: made of a template, no statement by itself */
	uint32_t lead;  /* bytes of its text before loc: parentheses */
	struct loc loc; /* reaches behind closing parentheses */
	union {
		struct value val;
		struct {
			const struct string *name;
			struct var *var; /* set by resolve */
		} var;
		struct {
			struct term **items;
			uint32_t len;
		} list;
		struct comp *comp;
		struct tmpl *tmpl;
		struct body *body;
	};
};

/* How many terms are in .list; 0 for a kind that has none. */
static inline uint32_t term_len(const struct term *t)
{
	return t->kind >= T_REF && t->kind <= T_CALL ? t->list.len : 0;
}

/* Whether it is a comprehension, with .comp. */
static inline bool term_is_comp(const struct term *t)
{
	return t->kind >= T_ARRAY_COMP && t->kind <= T_OBJECT_COMP;
}

/* A comprehension. key only for objects; head is value, element or member. */
struct comp {
	struct term *key, *head;
	struct body *body;
	struct typed *typed; /* infer.c's own */
};

/*
 * $"text {expr} text": parts alternate freely; expr NULL for literal text, and
 * for an {expression} that is a scalar, which may then be of any type.
 */
struct tmpl_part {
	struct value text;
	struct expr *expr;
	struct loc loc;
};

struct tmpl {
	struct tmpl_part *parts;
	uint32_t len;
	bool raw;
};

/* --- variables ------------------------------------------------------ */

/*
 * One variable of one rule or query. Made by resolve: shadowed names are
 * different variables. `id` is dense, 0 .. nvars-1, and is its register.
 */
struct var {
	const struct string *name; /* as written; "_" for a wildcard */
	uint32_t id;
	bool wildcard;  /* written as _ */
	bool generated; /* made by a pass: never shown to users */
	bool is_arg;    /* argument of the function, bound from the start */
	bool declared;  /* by :=, some, every or as an argument */
	struct loc loc; /* first place */
	struct term *subject; /* of a generated one: what messages show */
};

/* --- bodies --------------------------------------------------------- */

enum expr_kind {
	X_TERM,  /* .term; a T_CALL for calls and all operators */
	X_SOME,  /* .some */
	X_EVERY, /* .every */
	X_NOT,   /* .body: not { ... } (future.keywords.not) */
	X_AND,   /* .pair */
	X_OR,    /* .pair */
};

/* Which operands of not, and, or were written as { ... }. */
enum expr_braces {
	BRACES_LEFT = 1, /* also the one of X_NOT */
	BRACES_RIGHT = 2,
};

struct with {
	struct term *target, *value;
	struct loc loc;
};

struct expr {
	uint8_t kind; /* enum expr_kind */
	bool negated;
	bool generated; /* made by a pass out of `from` */
	bool assigned;  /* `=` that was written `:=` */
	bool of_some;   /* `=` that was written `some ... in` */
	uint8_t braces; /* enum expr_braces */
	uint32_t index; /* position in the body as written */
	struct loc loc;
	union {
		struct term *term;
		struct {
			struct term **symbols; /* vars, or one call of */
			uint32_t len;          /* internal.member_2 / _3 */
		} some;
		struct {
			struct term *key, *value, *domain; /* key may be NULL */
			struct body *body;
		} every;
		struct body *body;
		struct {
			struct body *left, *right;
		} pair;
	};
	struct with *withs;
	uint32_t nwiths;
	const struct expr *from; /* what it was generated from, or NULL */
};

struct body {
	struct expr **items;
	uint32_t len, cap;
	struct loc loc;
};

/* Append a statement, which is not copied; the room is in `a`. */
void body_add(struct arena *a, struct body *b, struct expr *x);

/* The bodies right inside of an expr, as written; returns how many, 0 to 2. */
static inline uint32_t expr_bodies(const struct expr *x, struct body *out[2])
{
	switch (x->kind) {
	case X_EVERY:
		out[0] = x->every.body;
		return 1;
	case X_NOT:
		out[0] = x->body;
		return 1;
	case X_AND:
	case X_OR:
		out[0] = x->pair.left;
		out[1] = x->pair.right;
		return 2;
	default:
		return 0;
	}
}

/* The name itself: `input`, `data` or a builtin's, and no variable. */
bool term_is_name(const struct term *t, const char *name);

/* A call of the builtin with this undotted name. */
bool term_calls(const struct term *t, const char *name);

/*
 * OPA's order of terms, in which sets and objects are kept: scalars in the
 * order of values, then templates, variables, refs, arrays, objects, sets,
 * comprehensions, calls. Wildcards are equal only at the same place.
 */
int term_cmp(const struct term *a, const struct term *b);

/* Deep copies; a place that is not {0} replaces those of all nodes. */
struct term *term_copy(struct arena *a, const struct term *t, struct loc at);
void expr_move(struct expr *x, struct loc at); /* all nodes of it to `at` */

/* The name messages call a kind of term: "ref", "var", "set", ... */
const char *term_kind_name(const struct term *t);

/* --- rules ---------------------------------------------------------- */

struct head {
	struct loc loc;
	struct term *ref;   /* T_REF: p, p.q[x].r, without the package */
	struct term **args; /* of a function */
	uint32_t nargs;
	bool is_func;       /* f() has no arguments and is one */
	bool assign;        /* written with := */
	bool contains;      /* p contains x */
	struct term *key;   /* of contains (or v0's p[x]); else NULL */
	struct term *value; /* never NULL unless key: true when not written */
	bool value_implied; /* `true` was not written */
};

struct rule {
	struct loc loc;
	struct module *mod;
	bool is_default;
	bool generated_body; /* no body was written: p := 1 */
	struct head head;
	struct body *body;
	struct rule *els;       /* else branch: its head has the value only,
			    but see number_wildcards */
	struct rule *prev_else; /* NULL for a rule of the module */

	/* Set by the passes. */
	struct var **vars; /* by id; shared by an else chain */
	uint32_t nvars;
	struct group *group;
	struct term **path; /* general ref heads: steps below the group */
	uint32_t npath;
	unsigned marks;     /* what the rule holds; see passes.h */
	struct note *notes; /* refs into data: recursion.c's own */
};

struct import {
	struct loc loc;
	struct term *path;          /* T_REF */
	const struct string *alias; /* NULL: last step of the path */
	struct loc alias_loc;
};

struct comment {
	struct loc loc; /* from # to the end of the line */
};

enum rego_version { REGO_V0, REGO_V1, REGO_V0_V1, REGO_V2 };

struct module {
	const struct source *src;
	enum rego_version version;
	bool imports_rego_v1; /* v0 module with import rego.v1 */
	bool imports_rego_v2; /* import rego.v2 */
	struct loc loc;       /* of the package statement */
	struct term *package; /* T_REF: data.a.b */
	struct import **imports;
	uint32_t nimports;
	struct rule **rules; /* bodies chained in v0 are rules of their own */
	uint32_t nrules;
	struct comment *comments;
	uint32_t ncomments;
	struct annotation **annotations; /* see annotations.h */
	uint32_t nannotations;
};

/* --- lexer (lex.c) and parser (parse.c) ------------------------------ */

struct capabilities; /* capabilities.h */

struct parse_options {
	enum rego_version version;
	const struct capabilities *caps; /* NULL: all that the version has */
	bool keep_comments;
	/*
	 * Names as OPA's own tree has them: each _ is "$0", "$1", ... in the
	 * order of reading, and an else branch of a function has its arguments
	 * too.
	 */
	bool number_wildcards;
	bool skip_annotations; /* METADATA is a comment like others */
};

/*
 * Parse a module. NULL when there were errors, which are in `d` as OPA reports
 * them. A text with nothing but blanks and comments is "empty module".
 */
struct module *parse_module(struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d);

/* Parse a query: a body, statements separated by ; or line ends. */
struct body *parse_query(struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d);

/* Parse one term, as for input_term of the conformance cases. */
struct term *parse_term(struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d);

/* --- text (print.c) -------------------------------------------------- */

/* Rego source text of a node in OPA's String() form, for messages. */
void term_text(struct buf *out, const struct term *t);
void body_text(struct buf *out, const struct body *b); /* "; " between */

/* Indented trees and token lists for people, for `regatta dump`. */
void dump_tokens(struct buf *out, const struct source *src);
void dump_module(struct buf *out, const struct module *m);
/* All builtins with their types: JSON as in OPA's capabilities. */
void dump_builtins(struct buf *out);

#endif
