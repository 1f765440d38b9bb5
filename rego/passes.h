/*
 * passes: what the compile passes share.
 *
 * OPA compiles in some thirty stages, each over all modules; the first stage
 * with an error that is not "recoverable" is the last one to run. We do the
 * stages rule by rule in a few passes, and tag each error with its stage:
 * errors_settle() then drops what OPA would not have reached. So the order of
 * the enum below is the order of v1/ast/compile.go's stages.
 *
 * Names are told apart by pointer (they are interned). A struct name holds
 * what the passes know of one name at the moment: what it resolves to in this
 * module, which scope declares it, its variable in this rule.
 */
#ifndef REGO_PASSES_H
#define REGO_PASSES_H

#include "rego/compile.h"

#include <stdarg.h>

enum stage {
	ST_SCHEMA, /* of input: before all stages */
	ST_RESOLVE,
	ST_UNUSED_IMPORTS,
	ST_HEADS,
	ST_KEYWORDS,
	ST_IMPORTS,
	ST_LOCALS,
	ST_TEMPLATES,
	ST_VOID,
	ST_PRINT,
	ST_METADATA,
	ST_WITH,
	ST_CONFLICTS,
	ST_FUNCS,
	ST_HEAD_SAFETY,
	ST_SAFETY,
	ST_RECURSION,
	ST_TYPES,
	ST_DEPRECATED,
};

extern const char ERR_COMPILE[], ERR_TYPE[], ERR_UNSAFE[], ERR_RECURSION[];

/* One error, until it is known whether it is reported. */
struct found {
	enum stage stage;
	bool recoverable; /* later stages still run */
	struct loc loc;
	const char *code, *message;
	struct mismatch *why; /* of a type error, or NULL */
	uint32_t row, col;    /* filled in when sorting */
};

/* What a rule holds, so that stages can leave it alone (rule.marks). */
enum rule_mark {
	R_TEMPLATE = 1,
	R_PRINT = 2, /* a call of a void builtin, perhaps */
	R_COMP = 4,
	R_WITH = 8,
	R_SHADOW = 16, /* a variable named like a builtin */
	R_DATA = 32,   /* a ref into data */
	R_REGO = 64,   /* a call of rego.something */
};

struct global {
	struct term **items; /* the full ref */
	struct term *head;   /* of an import: shared by all refs made of it */
	uint32_t len;
	bool used;
};

enum occurrence { O_NEW, O_ARG, O_SEEN, O_ASSIGNED, O_DECLARED };

/* What one scope knows of a name. */
struct bind {
	struct name *name;
	struct bind *outer; /* of the same name, further out */
	struct bind *next;  /* in the same scope */
	struct var *var;    /* when renamed: the variable it stands for */
	uint32_t level;
	uint32_t count; /* times seen */
	uint8_t occ;    /* enum occurrence */
	bool renamed;   /* has a variable of its own */
	bool present;   /* some term was bound to it */
	bool used;
	bool quiet;     /* key or value of `every`: not the body's own */
	struct loc loc; /* of the statement that made it */
};

struct scope {
	struct scope *up;
	struct bind *binds;  /* newest first */
	struct bind *leaked; /* of closed `every` and `not` bodies in here */
	uint32_t level;
	struct loc at, first; /* statement being worked on; the first */
};

struct name {
	const struct string *str;
	const struct builtin *bi; /* builtin of this one-part name */
	struct package *pkg;      /* global is for this package */
	struct global *global;
	struct global *imported; /* by the module numbered imported_gen */
	uint32_t imported_gen;
	uint32_t ignored; /* scopes that declare it, while resolving */
	struct bind *bind;
	struct var *free; /* of the rule numbered free_gen */
	uint32_t free_gen;
	uint32_t left_gen; /* safety.c: left of an unsafe `:=` */
	bool reserved;     /* input, data */
	bool wildcard;
};

struct export
{
	const struct string *name; /* NULL: free */
	struct global *global;
};

/* All modules of one package: what they define. */
struct package {
	struct term *path;
	struct export *exports; /* open addressing by pointer */
	uint32_t len, cap;
	struct module **mods; /* by file name */
	uint32_t nmods, capmods;
};

/* A list of rules that grows. */
struct rules {
	struct rule **items;
	uint32_t len, cap;
};

/* A set of variables of one rule, by id. */
struct vset {
	uint64_t *words;
	uint32_t n;
};

/* A list of distinct variables. */
struct vlist {
	struct var **items;
	uint32_t len, cap;
	uint32_t gen;
	/* If set, nothing is listed: it is only asked whether all are known. */
	bool (*known)(const void *ctx, const struct var *v);
	const void *ctx;
	bool unknown; /* one was not */
};

/* A branch of a rule, at the node of its ground prefix. */
struct ordered {
	struct node *node;
	struct rule *branch;
};

struct passes {
	struct compiler *c;
	struct arena *a;
	struct arena scratch; /* emptied after each rule */
	bool query;           /* a query is being compiled */
	bool deprecated;      /* a deprecated builtin is called */

	struct name **names; /* open addressing by pointer */
	uint32_t nnames, capnames;
	struct name *input, *data, *wild;
	const struct string *eq, *assign, *equal, *print, *internal, *rego;
	const struct string *member_2, *member_3, *template_string;
	const struct string *test_case;
	struct term *eq_op; /* operator of all `=` that passes make */

	struct found *found;
	uint32_t nfound, capfound;
	uint32_t nfatal; /* errors that are not recoverable */

	struct package **packages; /* by node id */
	uint32_t cappackages;
	struct rules *rules; /* by node id: all that stand exactly there */
	uint32_t caprules;

	struct module *mod;
	struct package *pkg;
	uint32_t mod_gen;
	struct term *mod_head; /* `data` of all refs into the own package */
	bool modern;           /* the module is v1, or strict is on */

	/* The rule being worked on, with its else chain. */
	struct rule *rule;
	struct var **vars;
	uint32_t nvars, capvars;
	uint32_t rule_gen;
	struct scope *scope;
	uint32_t nunused, nlocal_errors;
	/* Names that OPA would have made up by now: for messages. */
	uint32_t nlocals;
	uint32_t again;     /* locals.c: looks within looks at a statement */
	uint32_t nsubjects; /* lower.c: copies around the term at work */
	const struct string **made; /* names of generated variables, by id */
	uint32_t capmade;

	uint32_t found_in[ST_DEPRECATED + 1]; /* errors by stage */
	/* All branches, those they depend on first: recursion.c. */
	struct ordered *order;
	uint32_t norder, caporder;
	struct infer *infer; /* types: infer.c */
	uint32_t *stamps;    /* by variable id, for struct vlist */
	uint32_t capstamps, gen;
	uint8_t *flags; /* by variable id, all 0 between uses: safety.c */
	uint32_t capflags;
};

/* --- compile.c ------------------------------------------------------ */

/* The state of a compiler's passes, made on first use; lives in its arena. */
struct passes *passes_of(struct compiler *c);

/*
 * Report an error: those of a stage are counted, and kept up to the limit. One
 * that is recoverable does not end the passes after it.
 */
void found_add(struct passes *p, enum stage s, bool recoverable,
	const char *code, struct loc loc, const char *fmt, ...) PRINTF(6, 7);
void found_vadd(struct passes *p, enum stage s, bool recoverable,
	const char *code, struct loc loc, const char *fmt, va_list ap)
	PRINTF(6, 0);
/* As many errors of the stage were found as are reported. */
bool found_enough(const struct passes *p, enum stage s);
/* Say why: the last error, if it is one found since there were `before`. */
void found_why(struct passes *p, uint32_t before, struct mismatch *why);
bool module_is_v1(const struct module *m);

/* Start and end work on a rule; nothing else may make variables. */
void rule_enter(struct passes *p, struct rule *r);
void rule_leave(struct passes *p, struct rule *r);
struct var *var_new(
	struct passes *p, const struct string *name, struct loc loc);
struct var *var_made(struct passes *p, struct loc loc); /* a generated one */

/* What is known of a name, made on first use. By pointer: one for each text. */
struct name *name_of(struct passes *p, const struct string *s);
/* Made of these and otherwise empty, in the arena of the passes. */
struct term *term_new(struct passes *p, enum term_kind kind, struct loc loc);
struct term *term_of_var(struct passes *p, struct var *v, struct loc loc);
struct term *term_op(struct passes *p, struct loc loc,
	const struct string *const *parts, uint32_t n); /* a ref of names */
struct term *term_call(struct passes *p, struct loc loc, struct term *op,
	struct term *x, struct term *y); /* y may be NULL */
/* Of equal keys of an object, which the parser keeps in order, the last counts.
 */
void term_drop_equal_keys(struct term *t);
/* A statement of one term. */
struct expr *expr_new(struct passes *p, struct term *t, struct loc loc);
/* `v = t`, generated, at the place of t. */
struct expr *expr_equals(struct passes *p, struct term *v, struct term *t);
/* The same for a variable that is made. */
struct expr *expr_capture(struct passes *p, struct term *t);

/* A statement that is one call, and no template string. */
static inline bool expr_is_call(const struct expr *x)
{
	return x->kind == X_TERM && x->term->kind == T_CALL && !x->term->raw;
}

/* Of such a call, from 0; and how many. */
static inline struct term *expr_operand(const struct expr *x, uint32_t i)
{
	return x->term->list.items[i + 1];
}

/* How many operands a call has. */
static inline uint32_t expr_noperands(const struct expr *x)
{
	return x->term->list.len - 1;
}

/* Whether it calls the builtin or operator of this one-word name. */
bool expr_is_op(const struct expr *x, const struct string *name);

/* `body` with `x` at its end; a body of just `true` is replaced by it. */
void body_append(struct passes *p, struct body *b, struct expr *x);
bool body_is_true(const struct body *b);

/* The builtin that a ref names; NULL: none, or a local hides it. */
const struct builtin *builtin_of_ref(struct passes *p, const struct term *ref);
/* Text of a term, kept. Variables have the names that were written. */
const char *text_of(struct passes *p, const struct term *t);
const char *loc_text(struct passes *p, struct loc loc); /* "file:row" */
bool var_hidden(const struct var *v); /* made by a pass: not for users */

/*
 * Empty, for a list that has each variable once; only the list that was
 * started last may be added to.
 */
void vlist_start(struct passes *p, struct vlist *l);
void vlist_add(struct passes *p, struct vlist *l, struct var *v);
/*
 * A set of what `from` has (NULL: nothing), in the scratch arena; variables
 * made later do not fit.
 */
struct vset vset_new(struct passes *p, const struct vset *from);
static inline bool vset_has(const struct vset *s, const struct var *v)
{
	return v->id / 64 < s->n && s->words[v->id / 64] >> (v->id % 64) & 1;
}
/* Put a variable in; take it out. */
void vset_add(struct vset *s, const struct var *v);
void vset_del(struct vset *s, const struct var *v);
/* vlist_add() without looking whether it is there. */
void vlist_push(struct passes *p, struct vlist *l, struct var *v);

/* OPA's VarVisitor: which places are left out. */
enum var_skip {
	SKIP_REF_HEAD = 1,
	SKIP_CALL_HEAD = 2,
	SKIP_KEYS = 4,
	SKIP_CLOSURES = 8,
	SKIP_SETS = 16,
	SKIP_SAFETY = SKIP_CALL_HEAD | SKIP_CLOSURES,
};
void term_vars(
	struct passes *p, struct vlist *l, const struct term *t, unsigned skip);
void expr_vars(
	struct passes *p, struct vlist *l, const struct expr *x, unsigned skip);
void with_vars(
	struct passes *p, struct vlist *l, const struct with *w, unsigned skip);
void body_vars(
	struct passes *p, struct vlist *l, const struct body *b, unsigned skip);

/*
 * Calls back for terms and exprs, outer ones first, in OPA's order. A callback
 * that returns true keeps the walk out of what is inside. Either may be NULL.
 * The steps of a rule's ref are not visited: they are in the body by then.
 */
struct visit {
	bool (*term)(struct visit *v, struct term *t);
	bool (*expr)(struct visit *v, struct expr *x);
	struct passes *p;
	void *ctx;
};

/* expr.braces of a statement `=` that was written `==`. */
enum { WAS_EQUAL = 4 };

/*
 * Walk it and all inside, each callback before what is inside of what it gets;
 * one that returns true has done that itself.
 */
void visit_term(struct visit *v, struct term *t);
void visit_expr(struct visit *v, struct expr *x);
void visit_body(struct visit *v, struct body *b);
void visit_head(struct visit *v, struct head *h);

bool term_has_refs(const struct term *t); /* or comprehensions */
/* Made of scalars alone, without variables, refs, calls and closures. */
bool term_is_constant(const struct term *t);

/* --- tree.c ---------------------------------------------------------- */
void tree_build(struct passes *p); /* nodes, packages, rules */
/* `name` is defined in `pkg`. */
void package_export(
	struct passes *p, struct package *pkg, const struct string *name);
void groups_build(struct passes *p); /* after the conflict check */
/* The child of `parent` at `key`, made if missing: a node without number. */
struct node *node_under(struct arena *a, struct node *parent, struct value key);
struct node *tree_find(const struct passes *p, const struct term *ref);
struct rules *node_rules(const struct passes *p, const struct node *n);
/* Kids in the order of their keys; lives until the scratch is emptied. */
struct node **node_sorted(struct passes *p, const struct node *n);
/* Order kids by their keys for good, at and below `n`: as they are evaluated.*/
void tree_sort(struct arena *a, struct node *n);
uint32_t head_ground_len(const struct head *h); /* items before the first var */
/* "data.a.p[x]" of a rule, with the names that were written. */
const char *rule_name(struct passes *p, const struct rule *r);
/* The full ref of a rule, the package's steps in front. */
struct term *rule_ref(struct passes *p, const struct rule *r);

/* --- the passes' parts ------------------------------------------------ */
/* Variables for what resolve.c has left, of a rule with its else chain. */
void locals_of_rule(struct passes *p, struct rule *r);
void locals_of_query(struct passes *p, struct rule *q);
bool ref_is_root(
	const struct passes *p, const struct term *t); /* input, data */
void query_resolve(struct passes *p, struct rule *q, const struct module *ctx);
void query_lower(struct passes *p, struct rule *q);
void query_check(struct passes *p, struct rule *q);
void query_safety(struct passes *p, struct rule *q);
void query_lower_late(struct passes *p, struct rule *q);
void query_types(struct passes *p, struct rule *q);
void query_deprecated(struct passes *p, struct rule *q);
void pass_lower_late(struct compiler *c); /* after safety */
void pass_deprecated(struct compiler *c);
void graph_note(struct passes *p, struct rule *r);
void check_annotations(struct passes *p); /* sets c->annotations */

/* lower.c: the statement at `from` stands at `to` then, before what was there.
 */
void body_move_up(struct body *b, uint32_t from, uint32_t to);

/* metadata.c: the calls of rego.metadata.* in a branch, with R_REGO. */
void lower_metadata(struct passes *p, struct rule *r);

/* recursion.c: calls back for each ref into data in a branch of a rule. */
void graph_refs(const struct rule *branch,
	void (*ref)(void *ctx, const struct term *ref), void *ctx);

/* infer.c: the types in "f: arity mismatch" of a call that has none yet. */
struct mismatch *arity_mismatch(struct passes *p, const struct expr *x);

/* infer_schema.c: sets c->input_type. */
void read_input_schema(struct passes *p);

/* safety.c: what `x` binds when `safe` is bound; OPA's outputVarsForExpr(). */
void expr_outputs(struct passes *p, const struct expr *x,
	const struct vset *safe, struct vlist *out);

#endif
