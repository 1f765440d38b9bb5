/*
 * parser: the state of a parser and what its parts share.
 *
 *	parser.c        errors, tokens, small nodes, what was read before
 *	parse_term.c    terms: scalars, lists, refs, calls, operators
 *	parse_body.c    statements of bodies: with, some, every, not, and, or
 *	parse_rule.c    packages, imports, rules
 *	parse_module.c  statements made into a module, as OPA makes it
 *	parse.c         sources read, errors handed over; see ast.h
 *
 * Recursive descent over tokens taken one at a time, with as much looking back
 * as the grammar of Rego needs ({ may open a body, a set, an object or a
 * comprehension). Where a reading is tried and given up, what was reported in
 * it is given up too: it is part of the state that is put back.
 *
 * The order in which readings are tried is OPA's, because it decides which
 * errors are seen. Source: Rego reference, "Grammar"; OPA's v1/ast parser.
 *
 * Functions that read something give NULL or false when it is not there or was
 * broken; what is wrong has been reported then.
 */
#ifndef REGO_PARSER_H
#define REGO_PARSER_H

#include <string.h>

#include "rego/capabilities.h"
#include "rego/lex.h"

/* An error so far, newest first. */
struct problem {
	const char *message;
	uint32_t off;
	struct problem *older;
};

/* An advice that goes with the next error, newest first. */
struct hint {
	const char *text;
	struct hint *older;
};

struct remark { /* a comment, newest first */
	struct loc loc;
	struct remark *older;
};

/* What is put back when a reading is given up. */
struct state {
	uint32_t off, end; /* of the token at hand */
	uint32_t last_end; /* where the token before it ended */
	uint8_t tok;       /* enum tok */
	bool newline;      /* a line ended between the two */
	uint32_t nremarks;
	uint32_t nwildcards; /* numbered so far */
	struct problem *problems;
	struct hint *hints;
	struct remark *remarks;
};

/*
 * Terms read so far, by offset, ascending. A longer term replaces those
 * inside it. They make going back cheap, and bring their errors with them.
 */
struct memo {
	struct memo_item {
		struct term *term; /* NULL: there was none */
		struct state after;
		uint32_t off;
	} * items;
	uint32_t len, cap;
};

struct parser {
	struct arena *arena;
	struct symtab *syms;
	const struct source *src;
	struct lexer lx;
	struct state s;
	struct memo memo;
	uint8_t version;       /* enum rego_version */
	unsigned features;     /* enum feature: that there are */
	uint32_t future;       /* enum keyword: that imports may name */
	uint32_t ref_keywords; /* enum keyword: may stand in refs */
	bool keep_comments;
	bool number_wildcards;
	bool not_bodies;  /* not { ... } is known */
	bool quiet;       /* a guess: its errors will not be read */
	uint32_t levels;  /* nesting as OPA counts it */
	uint32_t nesting; /* of terms and bodies: what the stack has to bear */
	uint32_t nesting_max;
	bool too_deep;         /* nesting_max was met, */
	uint32_t deep_off;     /* there for the first time */
	char *room, *room_end; /* for nodes, see node() */
	struct term **stack;   /* terms of lists under construction */
	uint32_t nstack, capstack;
	const struct string *ops[TOK_COUNT]; /* operator names */
	const struct string *data, *input, *wildcard;
};

/* A rule and what only the parser wants to know about it. */
struct parsed_rule {
	struct rule rule;
	bool has_if;    /* for the checks of v1 */
	bool made_body; /* the body is an implied `true` */
	bool made_value;
	bool keyed; /* p[x]: counts as many rules in one, for else */
};

/*
 * Read ahead with other keywords, as a question only: nothing stays of it but
 * the answer. The memo belongs to the keywords it was made under.
 */
struct excursion {
	struct state s;
	struct memo memo;
	uint32_t keywords;
};

struct package {
	struct term *path;
	struct loc loc;
};

/* A rule and those chained to it: p { ... } { ... }. */
struct rules {
	struct parsed_rule **items;
	uint32_t len, cap;
};

enum stmt_kind { S_PACKAGE, S_IMPORT, S_RULE, S_BODY };

struct stmt {
	uint8_t kind; /* enum stmt_kind */
	struct loc loc;
	union {
		struct package package;
		struct import *import;
		struct parsed_rule *rule;
		struct body *body;
	};
};

struct stmts {
	struct stmt *items;
	uint32_t len, cap;
};

/* --- errors ------------------------------------------------------------ */

/* Report an error at `off`. */
void parser_problem(struct parser *p, uint32_t off, const char *fmt, ...)
	PRINTF(3, 4);
void parser_problem_text(struct parser *p, uint32_t off, const char *message);

/* An advice that goes with the next error. */
void parser_hint(struct parser *p, const char *fmt, ...) PRINTF(2, 3);

/* The token at hand is out of place; `fmt` says what was expected. */
void parser_unexpected(struct parser *p, const char *fmt, ...) PRINTF(2, 3);
void parser_unexpected_token(struct parser *p);

/* For messages; kept. */
const char *parser_text_of(struct parser *p, const struct term *t);
const char *parser_source_text(struct parser *p, uint32_t from, uint32_t to);

/* --- depth ------------------------------------------------------------- */

void parser_deep_problem(struct parser *p); /* nested too deep */

/*
 * Levels of nesting as OPA counts them, one for each rule of its grammar; false
 * when there are too many.
 */
enum { LEVELS_MAX = 100000 }; /* OPA's bound on the depth of its recursion */
static inline bool parser_enter(struct parser *p, uint32_t levels)
{
	if (p->levels + levels > LEVELS_MAX) {
		parser_deep_problem(p);
		return false;
	}
	p->levels += levels;
	return true;
}

/* Give back what parser_enter() took. */
static inline void parser_leave(struct parser *p, uint32_t levels)
{
	p->levels -= levels;
}

/* One level of what is made: bounds the stack here and in the passes. */
static inline bool parser_nest(struct parser *p)
{
	if (p->nesting >= p->nesting_max) {
		if (!p->too_deep)
			p->deep_off = p->s.off;
		p->too_deep = true;
		parser_deep_problem(p);
		return false;
	}
	p->nesting++;
	return true;
}

/* --- tokens ------------------------------------------------------------ */

/* Go on to the next token; or to white space; or, in a template, behind }. */
void parser_scan(struct parser *p);
void parser_scan_space(struct parser *p);
void parser_scan_template(struct parser *p, bool raw);

/* Nothing stands between the token at hand and the next; what that is. */
static inline bool parser_touches_next(const struct parser *p)
{
	if (p->s.end >= p->lx.len)
		return true;
	unsigned char c = (unsigned char)p->lx.text[p->s.end];

	return c != '#' && !lex_is_space(c);
}

/* The kind of the token after this one, which may be TOK_SPACE. */
uint8_t parser_peek_space(struct parser *p);

/* Keywords that are names where they stand: steps of refs, heads. */
bool parser_is_ref_keyword(const struct parser *p, uint8_t tok);
bool parser_keyword_as_name(struct parser *p);
bool parser_name_or_keyword(struct parser *p);

/* The comment begins a block of METADATA. */
bool parser_is_metadata(const struct parser *p, struct loc at);

/* Places: from and up to offsets; of the token at hand. */
static inline struct loc parser_span(
	const struct parser *p, uint32_t from, uint32_t to)
{
	return (struct loc){p->src, from, to > from ? to - from : 0};
}

/* Where the token at hand is. */
static inline struct loc parser_here(const struct parser *p)
{
	return parser_span(p, p->s.off, p->s.end);
}

/* --- nodes ------------------------------------------------------------- */

enum { ROOM = 8160 };

/* Memory for a node: packed closer than the arena does, which adds up. */
static inline void *parser_node(struct parser *p, size_t size)
{
	size = (size + 7) & ~(size_t)7;
	if (size > ROOM / 4)
		return arena_raw(p->arena, size);
	if (size > (size_t)(p->room_end - p->room)) {
		p->room = arena_raw(p->arena, ROOM);
		p->room_end = p->room + ROOM;
	}
	void *out = p->room;

	p->room += size;
	return out;
}

/* A term of this kind, otherwise empty, as long as the module. */
static inline struct term *parser_term_new(
	struct parser *p, uint8_t kind, struct loc loc)
{
	struct term *t = parser_node(p, sizeof(*t));

	*t = (struct term){.kind = kind, .loc = loc};
	return t;
}

/* A term of one value. */
static inline struct term *parser_scalar(
	struct parser *p, struct value v, struct loc loc)
{
	struct term *t = parser_term_new(p, T_SCALAR, loc);

	t->val = v;
	return t;
}

/* The one copy of this text that all of the engine shares. */
const struct string *parser_intern(struct parser *p, const char *s, size_t len);

/* A variable by its name. */
static inline struct term *parser_var_named(
	struct parser *p, const struct string *name, struct loc loc)
{
	struct term *t = parser_term_new(p, T_VAR, loc);

	t->var.name = name;
	return t;
}

/* The name at hand as a variable. */
struct term *parser_var(struct parser *p);

/* Arguments handed on to another head: each that is a wildcard is a new one. */
void parser_renew_wildcards(struct parser *p, struct term **args, uint32_t n);

/* Lists are made on a stack: push, then a term of all from `base` on. */
static inline void parser_push(struct parser *p, struct term *t)
{
	if (p->nstack == p->capstack) {
		uint32_t cap = p->capstack ? p->capstack * 2 : 64;
		struct term **more =
			arena_raw(p->arena, cap * sizeof(struct term *));

		if (p->nstack)
			memcpy(more, p->stack,
				p->nstack * sizeof(struct term *));
		p->stack = more;
		p->capstack = cap;
	}
	p->stack[p->nstack++] = t;
}

/*
 * A term of what was pushed since the stack had `base` terms; they are off it
 * then.
 */
static inline struct term *parser_list_term(
	struct parser *p, uint8_t kind, uint32_t base, struct loc loc)
{
	struct term *t = parser_term_new(p, kind, loc);
	uint32_t n = p->nstack - base;

	t->list.len = n;
	t->list.items = NULL;
	if (n) {
		t->list.items = parser_node(p, n * sizeof(struct term *));
		memcpy(t->list.items, p->stack + base,
			n * sizeof(struct term *));
	}
	p->nstack = base;
	return t;
}

/* A ref of just its head. */
struct term *parser_ref_of(struct parser *p, struct term *head);

/* Whether it is the variable `data` or `input`. */
static inline bool parser_is_root(const struct parser *p, const struct term *t)
{
	return t->kind == T_VAR &&
	       (t->var.name == p->data || t->var.name == p->input);
}

/* `data` and `input` alone are refs of one step. */
struct term *parser_name_alone(struct parser *p, struct term *t);
struct expr *parser_expr_new(struct parser *p, uint8_t kind);
struct expr *parser_term_expr(struct parser *p, struct term *t);
void parser_append(struct parser *p, struct body *b, struct expr *x);
struct body *parser_body_of(struct parser *p, struct expr *x);
struct body *parser_true_body(struct parser *p, struct loc at);

/* What terms are: a variable, a string; a call of a builtin. */
bool parser_is_name(const struct term *t, const char *name);
bool parser_is_text(const struct term *t, const char *text);
bool parser_calls(const struct term *t, const char *name);
bool parser_calls_internal(const struct term *t, const char *name);
const struct builtin *parser_called_builtin(const struct term *call);

/* --- reading twice ----------------------------------------------------- */

/* What was read at this offset before; NULL: nothing. */
const struct memo_item *parser_memo_find(const struct memo *m, uint32_t off);
/*
 * Keep what was read there (NULL: it was no term); what lies behind is
 * forgotten.
 */
void parser_memo_add(struct parser *p, uint32_t off, struct term *t);
/*
 * Read on with other keywords, with a memo of their own. The end gives both
 * back; p->s stays where it came to, and e->s is where it began.
 */
void parser_excursion_start(
	struct parser *p, struct excursion *e, uint32_t keywords);
void parser_excursion_end(struct parser *p, const struct excursion *e);

/* --- terms (parse_term.c) ---------------------------------------------- */

/* A term without operators; with them. */
struct term *parser_term(struct parser *p);
struct term *parser_infix_call(struct parser *p);

/* Steps behind the head of a ref. */
bool parser_at_ref_step(const struct parser *p);
struct term *parser_ref_steps(struct parser *p, struct term *head);
struct term *parser_operator_ref(struct parser *p);
struct term *parser_binary_call(
	struct parser *p, struct term *op, struct term *lhs, struct term *rhs);

/* --- bodies (parse_body.c) --------------------------------------------- */

/* One statement of a body. NULL: a problem was reported. */
struct expr *parser_literal(struct parser *p);

/* Statements up to `end`, which stays. */
struct body *parser_query(struct parser *p, bool one_line, uint8_t end);
struct body *parser_body_until(struct parser *p, uint8_t end);

/* From where `at` begins up to the last token. */
struct loc parser_reaching(const struct parser *p, struct loc at);

/* --- rules (parse_rule.c) ---------------------------------------------- */

/* What stands behind `package`. False: a problem was reported. */
bool parser_package(struct parser *p, struct package *pkg);
/* What stands behind `import`. NULL: a problem was reported. */
struct import *parser_import(struct parser *p);

/* What an import switches on, and the token at hand read again under it. */
void parser_future_import(struct parser *p, const struct import *imp);
void parser_rego_import(struct parser *p, const struct import *imp);
void parser_reread_word(struct parser *p);

/* A rule with those chained to it. */
bool parser_rule(struct parser *p, struct rules *out);

/* Report a keyword as the name of a rule, and say whether it was one. */
bool parser_keyword_rule_name(struct parser *p, bool is_default);

/* --- modules (parse_module.c) ------------------------------------------ */

/* mod->src and mod->version are set; errors go to `d`. */
void parser_make_module(struct parser *p, const struct stmts *all,
	struct module *mod, struct diags *d);

#endif
