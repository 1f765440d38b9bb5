/*
 * infer: what the files of the type inference share.
 *
 *	infer.c        variables, statements, bodies, rules
 *	infer_term.c   the tree of documents, and types of terms
 *	infer_unify.c  which types two sides of = have in common
 *	infer_ref.c    errors, and where a ref can go
 *	infer_with.c   documents that `with` replaces
 *	infer_schema.c documents that have schemas
 */
#ifndef REGO_INFER_H
#define REGO_INFER_H

#include "rego/mismatch.h"
#include "rego/passes.h"

#include "base/map.h"

/*
 * Bounds on the work for one rule. Past them comprehensions are `any` and all
 * types fit: a policy is never refused because it is big.
 */
enum { BODIES_MAX = 20000, UNIFY_MAX = 10000000 };

struct layer {
	struct node *data, *input; /* NULL: not replaced */
	const struct layer *up;
};

/* A variable's type before a put, for taking it back. */
struct put {
	uint32_t id;
	const struct type *old;
	uint64_t state;
};

struct errors {
	struct mismatch **items;
	uint32_t len, cap;
};

/* What is known of a comprehension while variables and layers are these. */
struct typed {
	uint64_t state;
	const struct layer *layer;
	const struct type *key, *head;
	struct errors errors;
};

struct infer {
	struct passes *p;
	struct arena *a;
	const struct type **vars;
	uint32_t capvars;
	struct put *puts;
	uint32_t nputs, capputs;
	uint64_t state, nstates; /* which puts are in force */
	uint32_t work, bodies;   /* left for this rule */
	bool closures;           /* the rule has comprehensions */
	bool schemas;            /* annotations have some, and they count */
	struct layer rules;
	const struct layer *env; /* of the rule: with its schemas, over rules */
	const struct type **builtins; /* by number */
	const struct builtin *member_2, *member_3;
	struct map relaxed;  /* by target: struct node; the root for none */
	struct reach *reach; /* made on first use */
};

enum root { NO_ROOT, DATA, INPUT };

/* Both sides of `=`, and the types they have before. */
struct side {
	const struct term *term;
	const struct type *type;
};

/* --- infer.c --- */

/* As it is declared, read once; NULL when it declares none. */
const struct type *infer_builtin_type(
	struct infer *in, const struct builtin *b);
/* A variable named like a builtin is one, as long as nothing types it. */
const struct type *infer_var_type(struct infer *in, const struct var *v);
void infer_var_put(struct infer *in, const struct var *v, const struct type *t);
/* Typed anew unless a look at it in the same environment is kept. */
const struct typed *infer_comp_typed(
	struct infer *in, const struct layer *l, struct comp *c);

/* --- infer_term.c --- */

/* A constant as Go's JSON of it: sets are arrays. */
struct value infer_const_value(struct infer *in, const struct term *t);
enum root infer_root_of(const struct passes *p, const struct term *ref);
const struct type *infer_type_of(
	struct infer *in, const struct layer *l, const struct term *t);
/* One more rule of type `t` at `n`. Objects above it get it too. */
void infer_node_insert(struct infer *in, struct node *n, const struct type *t);
const struct type *infer_ref_type(
	struct infer *in, const struct layer *l, const struct term *ref);
/* The node of documents with types below `n` at a constant, or NULL. */
struct node *infer_kid_at(const struct node *n, const struct term *t);
struct node *infer_layer_root(const struct layer *l, enum root root);
/*
 * All that is at and below a node: an object with the rules there, and with
 * what base documents may add.
 */
const struct type *infer_extent(struct infer *in, struct node *n);
/* Something changed at `n`. */
void infer_node_touch(struct node *n);
bool infer_is_key_var(const struct term *t);
void infer_node_put(struct node *n, const struct type *t);

/* --- infer_unify.c --- */

/*
 * Does `t` fit a type? Variables that have none get it; under `sum` they may
 * be of this type too, as one of several.
 */
bool infer_unify(struct infer *in, const struct layer *l, const struct term *t,
	const struct type *to, bool sum);
bool infer_unifies(
	struct infer *in, const struct type *x, const struct type *y);
bool infer_unify_sides(
	struct infer *in, const struct layer *l, struct side x, struct side y);
struct side infer_side_of(
	struct infer *in, const struct layer *l, const struct term *t);

/* --- infer_ref.c --- */

/* One in the arena, with nothing but these; `message` is not copied. */
struct mismatch *infer_mismatch_new(struct infer *in, enum mismatch_kind kind,
	struct loc loc, const char *message);
/* "match error": the two sides can never be equal. */
struct mismatch *infer_match_error(struct infer *in, struct loc loc,
	const struct type *left, const struct type *right);
/* Append one. */
void infer_errors_add(struct infer *in, struct errors *e, struct mismatch *m);
/* Values of `with` have statements of their own, mostly. */
void infer_refs_in_expr(struct infer *in, const struct layer *l,
	const struct expr *x, struct errors *e);
const struct type **infer_arg_types(
	struct infer *in, const struct layer *l, const struct expr *x);
void infer_errors_append(
	struct infer *in, struct errors *e, const struct errors *more);
struct mismatch *infer_args_error(struct infer *in, const struct expr *x,
	const char *what, const struct type **have, const struct type *want);

/* --- infer_with.c --- */

/* A function can be replaced by one that takes the same. */
struct mismatch *infer_check_withs(
	struct infer *in, const struct layer *l, const struct expr *x);
const struct layer *infer_with_layers(
	struct infer *in, const struct layer *l, const struct expr *x);
/* In the layer's own tree the document at `target` gets a type. */
void infer_layer_put(struct infer *in, struct layer *l,
	const struct term *target, const struct type *t);

/* --- infer_schema.c --- */

/*
 * What all rules see: their tree, and input by its schema. `data` may be NULL.
 */
void infer_rules_start(struct infer *in, struct node *data);
/* Sets in->env for a branch of a rule; schemas that are none are errors. */
void infer_env_of_rule(
	struct infer *in, const struct rule *branch, struct errors *e);

#endif
