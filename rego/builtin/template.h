/*
 * template: strings.render_template(), Go's text/template as OPA uses it.
 *
 * A template is read into nodes (template_lex.c, template_parse.c and
 * template_number.c), which are then run on the variables (template_run.c,
 * template_funcs.c). Error texts are Go's: those of reading name the line,
 * those of running also the column and the node that was at work, written out
 * again as a template. Numbers of the variables are texts (json.Number), a key
 * that is missing is no error, and no value has methods.
 *
 *	struct tmpl_set set = {.text = text};
 *
 *	st = tmpl_parse(cx, &set);
 *	if (!st)
 *		st = tmpl_run(cx, &set, vars, &out);
 *
 * Source: documentation of Go's packages text/template and text/template/parse;
 * texts and corners from trials of OPA 1.22.2.
 */
#ifndef REGO_BUILTIN_TEMPLATE_H
#define REGO_BUILTIN_TEMPLATE_H

#include "base/map.h"
#include "rego/builtin/gofmt.h"

/* --- tokens (template_lex.c) ---------------------------------------------- */

enum tmpl_token_kind {
	TT_ERROR, /* `text` says what is wrong; nothing follows */
	TT_EOF,
	TT_TEXT,  /* outside of actions */
	TT_LEFT,  /* {{ */
	TT_RIGHT, /* }} */
	TT_SPACE,
	TT_BOOL,
	TT_OTHER, /* any other ASCII character, as "," */
	TT_CHAR,  /* 'a' */
	TT_COMPLEX,
	TT_NUMBER,
	TT_ASSIGN,
	TT_DECLARE,
	TT_FIELD,
	TT_IDENT,
	TT_OPEN,
	TT_CLOSE,
	TT_PIPE,
	TT_STRING,
	TT_RAW,
	TT_VARIABLE,
	TT_KEYWORD, /* those behind this one are keywords */
	TT_BLOCK,
	TT_BREAK,
	TT_CONTINUE,
	TT_DEFINE,
	TT_DOT,
	TT_ELSE,
	TT_END,
	TT_IF,
	TT_NIL,
	TT_RANGE,
	TT_TEMPLATE,
	TT_WITH,
};

struct tmpl_token {
	uint8_t kind;       /* enum tmpl_token_kind */
	uint32_t pos, line; /* where it begins: byte, line from 1 */
	struct str text;
};

/* {.cx = cx, .text = text, .line = 1} stands at the beginning of `text`. */
struct tmpl_lexer {
	struct bi_ctx *cx; /* texts of errors go into its arena */
	struct str text;
	size_t at, start; /* byte to read; where the token begins */
	size_t counted;   /* bytes of which the lines are counted */
	uint32_t line, parens;
	bool inside; /* an action */
};

/* The next token; at the end TT_EOF, however often it is asked for. */
struct tmpl_token tmpl_lex(struct tmpl_lexer *l);

/* --- constants (template_number.c) ---------------------------------------- */

/*
 * The value of a number, of a pair like 1+2i or of a character. NULL, or the
 * error text, in the arena. GO_NONE for an integer that is too large for
 * Go's int, which is an error only when it is used.
 */
const char *tmpl_number(
	struct bi_ctx *cx, const struct tmpl_token *t, struct go_value *out);

/* What stands in a quoted or a raw string; false if an escape is wrong. */
bool tmpl_unquote(struct arena *a, struct str quoted, struct str *out);

/* --- nodes (template_parse.c) --------------------------------------------- */

enum tmpl_node_kind {
	TN_TEXT,
	TN_ACTION,
	TN_IF,
	TN_RANGE,
	TN_WITH,
	TN_TEMPLATE,
	TN_BREAK,
	TN_CONTINUE,
	TN_PIPE,
	TN_COMMAND,
	TN_BOOL,
	TN_CHAIN,
	TN_DOT,
	TN_FIELD,
	TN_IDENT,
	TN_NIL,
	TN_NUMBER,
	TN_STRING,
	TN_VARIABLE,
};

struct tmpl_list {
	struct tmpl_node *first, *last;
	uint32_t len;
	bool empty; /* of a template that is defined: nothing but white space */
};

/* Names behind each other: .a.b, $x.a, (...).a */
struct tmpl_names {
	struct str *at;
	uint32_t len, cap;
};

struct tmpl_node {
	uint8_t kind;           /* enum tmpl_node_kind */
	uint32_t pos;           /* byte in the template */
	struct tmpl_node *next; /* in a list */
	struct str text;        /* as written; name of a template or function */
	union {
		struct { /* TN_ACTION, TN_IF, TN_RANGE, TN_WITH, TN_TEMPLATE */
			struct tmpl_node *pipe; /* NULL: {{template "x"}} */
			struct tmpl_list body, otherwise;
		};
		struct {                         /* TN_PIPE */
			struct tmpl_names decls; /* $x, $y := */
			struct tmpl_list commands;
			bool assign; /* = */
		};
		struct tmpl_list args; /* TN_COMMAND, the first is called */
		struct {               /* TN_FIELD, TN_VARIABLE, TN_CHAIN */
			struct tmpl_names names;
			struct tmpl_node *of; /* TN_CHAIN */
		};
		struct go_value constant; /* TN_BOOL, TN_NUMBER, TN_STRING */
		const struct tmpl_func *func; /* TN_IDENT */
	};
};

/* A template and those that are defined in it. */
struct tmpl_set {
	struct str text;
	struct map defined; /* struct tmpl_list, by name */
};

/* The name of a template that is rendered, for {{template}} and in errors. */
#define TMPL_NAME "template"

/* Read set->text. The nodes are in cx->arena. */
enum bi_status tmpl_parse(struct bi_ctx *cx, struct tmpl_set *set);
void tmpl_set_release(struct tmpl_set *set);

/* A node as a template again: `index .a ($x | len)`. */
void tmpl_node_text(struct buf *out, const struct tmpl_node *n);

/* --- functions (template_funcs.c) ----------------------------------------- */

enum tmpl_param {
	TP_NONE,   /* nothing asked: the value in front of a .field */
	TP_VALUE,  /* as it is: missing, nil, boxed */
	TP_ANY,    /* what is missing is nil */
	TP_STRING, /* a string, and no json.Number */
};

enum tmpl_kind { TF_CALL = 1, TF_AND, TF_OR };

/*
 * Adds to `why` what the function has against its arguments and returns
 * BI_ERROR, or BI_HALT as any builtin.
 */
typedef enum bi_status tmpl_fn(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why);

struct tmpl_func {
	const char *name;
	uint32_t min;
	bool more; /* any number of arguments from `min` on */
	enum tmpl_param first, rest;
	tmpl_fn *fn;            /* NULL: and, or, which tmpl_run() does */
	enum tmpl_kind special; /* 0: none */
};

/* NULL: no function has this name. */
const struct tmpl_func *tmpl_func_find(struct str name);

/* What is in the interface{}: nil becomes nothing at all. */
static inline struct go_value tmpl_unbox(struct go_value v)
{
	v.boxed = false;
	if (v.kind == GO_NIL)
		v.kind = GO_NONE;
	return v;
}

/* What `if` takes for true. */
bool tmpl_truth(const struct go_value *v);

/* The text of a value in the output. */
enum bi_status tmpl_print(
	struct bi_ctx *cx, struct buf *out, const struct go_value *v);

/* --- running (template_run.c) --------------------------------------------- */

/* Render the template to `out`. */
enum bi_status tmpl_run(struct bi_ctx *cx, const struct tmpl_set *set,
	struct value vars, struct buf *out);

#endif
