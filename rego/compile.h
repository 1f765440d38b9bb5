/*
 * compile: from modules to rules the planner can plan.
 *
 *	parse   -> AST
 *	resolve    imports and rule names become full refs (data.a.b.p); every
 *	           T_VAR gets its struct var; the document tree is built
 *	lower      calls, refs and comprehensions inside terms move into exprs
 *	           of their own, in front of the expr they stood in and
 *	           outside its `not`, as OPA does it; `:=` and `==` become `=`
 *	           where OPA makes them so; templates and print too
 *	check      rule and package conflicts, undefined functions, arity,
 *	           with targets, void calls
 *	safety     bodies are put in execution order; unsafe variables
 *	recursion  cycles in the rule graph
 *	infer      types of rules and of all terms; what can't match
 *
 * Each pass is one file with one entry point; it reports into c->diags and the
 * driver (compile.c) stops where OPA stops. Errors, their places and their
 * order are OPA's (v1/ast/compile.go's stages).
 *
 * After the passes a body is a list of exprs in execution order, each one of:
 *
 *	X_TERM, term not a T_CALL   a test: var, scalar, ref, comprehension
 *	X_TERM, `eq` call           unification of two terms
 *	X_TERM, other call          operator ref (data.pkg.f or a builtin),
 *	                            `arity` arguments, perhaps one more: the
 *	                            output, a pattern to unify the result with
 *	X_EVERY                     key and value are vars, domain is a var or
 *	                            scalar or composite, body lowered
 *	X_NOT, X_AND, X_OR          bodies lowered
 *
 * X_SOME is gone. Refs contain only scalars, vars and composites of these as
 * steps. Composites (array, object, set) contain scalars, vars and composites.
 * A ref or comprehension stands only as one whole side of `eq`, as a whole
 * test, or as the value of a `with`. Heads: args, key, value and path are
 * refs-free in the same sense; what they need is at the end of the body.
 * expr.negated stays a flag of X_TERM exprs.
 */
#ifndef REGO_COMPILE_H
#define REGO_COMPILE_H

#include "rego/ast.h"
#include "rego/capabilities.h"

struct type;

enum group_kind {
	G_COMPLETE, /* one value: p := x if ..., with default and else */
	G_SET,      /* p contains x, nothing else */
	G_OBJECT,   /* general ref heads below the group, leaves may be sets */
	G_FUNC,
};

/*
 * All rules that make one document: those with the same ground ref, or, where
 * a head has variables, those under its ground prefix. Rules of deeper ground
 * refs under a G_OBJECT belong to it too, with the rest of their ref in
 * rule.path.
 */
struct group {
	enum group_kind kind;
	struct node *node;
	const char *name;    /* "data.a.p", for messages */
	struct rule **rules; /* in source order; defaults are not here */
	uint32_t nrules;
	struct rule *dflt; /* default rule, or NULL */
	uint32_t arity;    /* of a function */
	uint32_t id;       /* 0 .. c->ngroups-1 */
	void *plan;        /* for plan.c */
};

/* One step of the document tree: a package segment or a rule name. */
struct node {
	struct value key; /* the step below the parent; undefined at data */
	struct node *parent;
	uint32_t depth;     /* steps below data */
	struct node **kids; /* in order of arrival */
	uint32_t nkids, cap;
	struct group *group;   /* rules that stand here, or NULL */
	bool is_package;       /* a module has this package, or a longer one */
	uint32_t id;           /* 0 .. c->nnodes-1 */
	struct builder *index; /* of kids, when there are many; tree.c's own */
	/* infer.c's own: is there a type here or below, and which one. */
	bool typed;
	const struct type *type;   /* of the rules that stand here */
	const struct type *extent; /* of all below; NULL when not known */
};

/* What a value-or-function replacement by `with` can hit. */
struct compiler {
	struct arena *arena;
	struct symtab *syms;
	struct diags diags;

	/* Settings, before compile(). */
	const struct capabilities *caps; /* NULL: all that there is */
	bool strict;                     /* check --strict */
	uint32_t max_errors; /* before `error limit reached`; 0: 10 */
	bool keep_print;     /* print calls stay; else they are erased */
	bool test_mode;      /* mark the cases of table tests: see lower.c */
	bool use_schemas;    /* annotations say which schemas documents have */
	/*
	 * Schemas by path: ["a", "b"] of schema.a.b, [] of input. NULL: there
	 * are none, and what annotations say of them counts for nothing.
	 */
	struct builder *schemas;

	struct module **mods; /* sorted by source name before compiling */
	uint32_t nmods, cap;

	struct node *root; /* data */
	struct group **groups;
	uint32_t ngroups, capgroups;
	uint32_t nnodes;
	struct annotation_set *annotations; /* NULL: there are none */
	const struct type *input_type;      /* by its schema, or NULL */
	struct passes *passes;              /* working state; see passes.h */
};

/* Add a parsed module. */
void compile_add(struct compiler *c, struct module *m);

/* Run all passes. False when c->diags holds errors. */
bool compile_modules(struct compiler *c);

/*
 * Compile a query against the modules: resolved (with the imports and the
 * package of `ctx`, which may be NULL), lowered, checked, ordered. The result
 * is a rule without head whose body is the query.
 */
struct rule *compile_query(struct compiler *c, struct body *query,
	const struct module *ctx, struct diags *d);

/* The child of `n` at `key`, or NULL. */
struct node *node_child(const struct node *n, struct value key);

/*
 * The group a ground prefix of `ref` (head `data`) leads to, or NULL. *steps
 * is the number of items of the ref used, head included.
 */
struct group *group_of_ref(
	const struct compiler *c, const struct term *ref, uint32_t *steps);

/* Arity of a call's operator: builtin or rule; -1 when there is none. */
int call_arity(const struct compiler *c, const struct term *op,
	const struct builtin **bi, struct group **g);

/* --- the passes, for the driver ------------------------------------- */
void pass_resolve(struct compiler *c);
void pass_lower(struct compiler *c);
void pass_check(struct compiler *c);
void pass_safety(struct compiler *c);
void pass_recursion(struct compiler *c);
void pass_types(struct compiler *c);

#endif
