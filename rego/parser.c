#include "rego/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "rego/annotations.h"

/* --- errors --------------------------------------------------------- */

static void add_hints(struct buf *out, const struct hint *h)
{
	if (h->older) {
		add_hints(out, h->older);
		buf_adds(out, ", ");
	}
	buf_adds(out, h->text);
}

static const char *with_hints(struct parser *p, const char *message)
{
	struct buf b = {0};
	const struct hint *h = p->s.hints;

	if (!h)
		return message;
	buf_addf(&b, "%s (%s: ", message, h->older ? "hints" : "hint");
	add_hints(&b, h);
	buf_addc(&b, ')');
	message = arena_strdup(p->arena, buf_str(&b));
	buf_release(&b);
	p->s.hints = NULL;
	return message;
}

void parser_problem_text(struct parser *p, uint32_t off, const char *message)
{
	struct problem *x;

	if (p->quiet)
		return;
	x = ARENA_NEW(p->arena, struct problem);
	x->message = with_hints(p, message);
	x->off = off;
	x->older = p->s.problems;
	p->s.problems = x;
}

/* Report an error at `off`. */
void parser_problem(struct parser *p, uint32_t off, const char *fmt, ...)
{
	va_list ap;

	if (p->quiet)
		return;
	va_start(ap, fmt);
	parser_problem_text(p, off, arena_vprintf(p->arena, fmt, ap));
	va_end(ap);
}

void parser_hint(struct parser *p, const char *fmt, ...)
{
	struct hint *h = ARENA_NEW(p->arena, struct hint);
	va_list ap;

	va_start(ap, fmt);
	h->text = arena_vprintf(p->arena, fmt, ap);
	va_end(ap);
	h->older = p->s.hints;
	p->s.hints = h;
}

/* Report the token at hand as out of place; `fmt` says what was expected. */
void parser_unexpected(struct parser *p, const char *fmt, ...)
{
	const struct tok_info *info = &tok_info[p->s.tok];
	const char *what = info->is_word ? "keyword" : "token";
	va_list ap;

	if (p->quiet)
		return;
	if (p->s.tok == TOK_ILLEGAL) {
		parser_problem(p, p->s.off, "illegal token");
		return;
	}
	va_start(ap, fmt);
	const char *note = arena_vprintf(p->arena, fmt, ap);

	va_end(ap);
	parser_problem(
		p, p->s.off, "unexpected %s %s: %s", info->name, what, note);
}

void parser_unexpected_token(struct parser *p)
{
	const struct tok_info *info = &tok_info[p->s.tok];

	if (p->s.tok == TOK_ILLEGAL)
		parser_problem(p, p->s.off, "illegal token");
	else
		parser_problem(p, p->s.off, "unexpected %s %s", info->name,
			info->is_word ? "keyword" : "token");
}

const char *parser_text_of(struct parser *p, const struct term *t)
{
	struct buf b = {0};

	term_text(&b, t);
	const char *text = arena_strdup(p->arena, buf_str(&b));

	buf_release(&b);
	return text;
}

/* The source from `from` up to `to`. */
const char *parser_source_text(struct parser *p, uint32_t from, uint32_t to)
{
	struct str all = p->src->text;

	return arena_strdup(p->arena, str_slice(all, from, to));
}

void parser_deep_problem(struct parser *p)
{
	parser_problem(p, p->s.off, "max parsing recursion depth exceeded");
}

/* --- tokens --------------------------------------------------------- */

/* The comment begins a block of METADATA. */
bool parser_is_metadata(const struct parser *p, struct loc at)
{
	const char *text = p->lx.text + at.off;

	return (!at.off || text[-1] == '\n') &&
	       annotation_begins(str_make(text + 1, at.len - 1));
}

/*
 * The comment begins a block of METADATA or may go on with one: annotations.c
 * takes it from there.
 */
static bool in_metadata(const struct parser *p, const struct token *t)
{
	const struct remark *last = p->s.remarks;
	const char *text = p->lx.text;
	uint32_t end;

	if (t->off && text[t->off - 1] != '\n')
		return false;
	if (parser_is_metadata(
		    p, (struct loc){p->src, t->off, t->end - t->off}))
		return true;
	end = last ? last->loc.off + last->loc.len : 0;
	return last && end + 1 == t->off;
}

/* The rare part of take(): complaints, and comments, which are passed over. */
static bool take_slow(struct parser *p, const struct token *t)
{
	struct state *s = &p->s;

	for (const struct lex_note *n = t->notes; n; n = n->next)
		parser_problem_text(p, t->off, n->message);
	if (t->kind != TOK_COMMENT)
		return true;
	s->nremarks++;
	if (p->keep_comments || in_metadata(p, t)) {
		struct remark *r = ARENA_NEW(p->arena, struct remark);

		r->loc = (struct loc){p->src, t->off, t->end - t->off};
		r->older = s->remarks;
		s->remarks = r;
	}
	return false;
}

/* Make `t` the token at hand. False when it is to be passed over. */
static inline bool take(struct parser *p, const struct token *t)
{
	struct state *s = &p->s;

	s->off = t->off;
	s->end = t->end;
	s->tok = t->kind;
	if (t->newline)
		s->newline = true;
	if (!t->notes && t->kind != TOK_COMMENT)
		return true;
	return take_slow(p, t);
}

static inline void before_scan(struct state *s)
{
	if (s->tok == TOK_SPACE)
		return;
	s->last_end = s->end;
	s->newline = false;
}

/* Go on to the next token. */
void parser_scan(struct parser *p)
{
	struct token t;

	before_scan(&p->s);
	do
		lex(&p->lx, p->s.end, &t);
	while (!take(p, &t));
}

/* Go on behind the } of an expression in a template string. */
void parser_scan_template(struct parser *p, bool raw)
{
	struct token t;

	before_scan(&p->s);
	lex_template(&p->lx, p->s.end, raw, &t);
	take(p, &t);
}

/* The same, but white space counts as a token. */
void parser_scan_space(struct parser *p)
{
	struct token t;

	before_scan(&p->s);
	do
		lex_space(&p->lx, p->s.end, &t);
	while (!take(p, &t));
}

/* The kind of the token after this one, which may be TOK_SPACE. */
uint8_t parser_peek_space(struct parser *p)
{
	struct state s = p->s;
	uint8_t tok;

	parser_scan_space(p);
	tok = p->s.tok;
	p->s = s;
	return tok;
}

/* Is it a keyword that may stand where a name of a ref does? */
bool parser_is_ref_keyword(const struct parser *p, uint8_t tok)
{
	uint32_t known = p->ref_keywords | p->lx.keywords;

	return p->features & FEATURE_KEYWORDS_IN_REFS &&
	       tok_info[tok].keyword & known;
}

/* A keyword in front of . or [ is a name: the head of a ref. */
bool parser_keyword_as_name(struct parser *p)
{
	if (!parser_is_ref_keyword(p, p->s.tok))
		return false;
	uint8_t next = parser_peek_space(p);

	if (next != TOK_DOT && next != TOK_LBRACK)
		return false;
	p->s.tok = TOK_IDENT;
	return true;
}

/* A name, or a keyword that is taken as one. */
bool parser_name_or_keyword(struct parser *p)
{
	if (p->s.tok == TOK_IDENT)
		return true;
	if (!parser_is_ref_keyword(p, p->s.tok))
		return false;
	p->s.tok = TOK_IDENT;
	return true;
}

/* --- small nodes ---------------------------------------------------- */

const struct string *parser_intern(struct parser *p, const char *s, size_t len)
{
	return sym_intern(p->syms, s, len).str;
}

/* The next _ where they are numbered. */
static struct term *numbered_wildcard(struct parser *p, struct loc at)
{
	char name[16];
	int len = snprintf(name, sizeof(name), "$%u", p->s.nwildcards++);

	return parser_var_named(p, parser_intern(p, name, (size_t)len), at);
}

/* The name at hand as a variable. */
struct term *parser_var(struct parser *p)
{
	struct loc at = parser_here(p);

	if (p->number_wildcards && at.len == 1 && p->lx.text[at.off] == '_')
		return numbered_wildcard(p, at);
	return parser_var_named(
		p, parser_intern(p, p->lx.text + at.off, at.len), at);
}

void parser_renew_wildcards(struct parser *p, struct term **args, uint32_t n)
{
	for (uint32_t i = 0; i < n && p->number_wildcards; i++)
		if (args[i]->kind == T_VAR && *args[i]->var.name->bytes == '$')
			args[i] = numbered_wildcard(p, args[i]->loc);
}

struct term *parser_ref_of(struct parser *p, struct term *head)
{
	parser_push(p, head);
	return parser_list_term(p, T_REF, p->nstack - 1, head->loc);
}

/* `data` and `input` alone are refs of one step. */
struct term *parser_name_alone(struct parser *p, struct term *t)
{
	return parser_is_root(p, t) ? parser_ref_of(p, t) : t;
}

struct expr *parser_expr_new(struct parser *p, uint8_t kind)
{
	struct expr *x = parser_node(p, sizeof(*x));

	*x = (struct expr){.kind = kind};
	return x;
}

struct expr *parser_term_expr(struct parser *p, struct term *t)
{
	struct expr *x = parser_expr_new(p, X_TERM);

	x->term = t;
	return x;
}

void parser_append(struct parser *p, struct body *b, struct expr *x)
{
	x->index = b->len;
	if (!b->len)
		b->loc = x->loc;
	body_add(p->arena, b, x);
}

struct body *parser_body_of(struct parser *p, struct expr *x)
{
	struct body *b = ARENA_NEW(p->arena, struct body);

	parser_append(p, b, x);
	return b;
}

/* The body of what has none. */
struct body *parser_true_body(struct parser *p, struct loc at)
{
	struct expr *x = parser_term_expr(p, parser_scalar(p, v_true, at));

	x->loc = at;
	x->generated = true;
	return parser_body_of(p, x);
}

bool parser_is_name(const struct term *t, const char *name)
{
	return t->kind == T_VAR && strcmp(t->var.name->bytes, name) == 0;
}

bool parser_is_text(const struct term *t, const char *text)
{
	return t->kind == T_SCALAR && t->val.tag == V_STR &&
	       str_is(v_bytes(t->val), text);
}

/* Does the call `t` call `name`, one word without dots? */
bool parser_calls(const struct term *t, const char *name)
{
	return t->kind == T_CALL && t->list.items[0]->kind == T_REF &&
	       t->list.items[0]->list.len == 1 &&
	       parser_is_name(t->list.items[0]->list.items[0], name);
}

bool parser_calls_internal(const struct term *t, const char *name)
{
	const struct term *op;

	if (t->kind != T_CALL)
		return false;
	op = t->list.items[0];
	return op->kind == T_REF && op->list.len == 2 &&
	       parser_is_name(op->list.items[0], "internal") &&
	       parser_is_text(op->list.items[1], name);
}

/* The builtin a call calls, or NULL. */
const struct builtin *parser_called_builtin(const struct term *call)
{
	struct buf name = {0};
	const struct builtin *bi;

	term_text(&name, call->list.items[0]);
	bi = builtin_find(buf_str(&name));
	buf_release(&name);
	return bi;
}

/* --- the memo ------------------------------------------------------- */

const struct memo_item *parser_memo_find(const struct memo *m, uint32_t off)
{
	for (uint32_t i = m->len; i > 0 && m->items[i - 1].off >= off; i--)
		if (m->items[i - 1].off == off)
			return &m->items[i - 1];
	return NULL;
}

void parser_memo_add(struct parser *p, uint32_t off, struct term *t)
{
	struct memo *m = &p->memo;

	while (m->len && m->items[m->len - 1].off >= off)
		m->len--;
	if (m->len == m->cap) {
		uint32_t cap = m->cap ? m->cap * 2 : 64;
		struct memo_item *more =
			arena_raw(p->arena, cap * sizeof(*more));

		if (m->len)
			memcpy(more, m->items, m->len * sizeof(*more));
		m->items = more;
		m->cap = cap;
	}
	struct memo_item *x = &m->items[m->len++];

	x->off = off;
	x->term = t;
	x->after = p->s;
}

void parser_excursion_start(
	struct parser *p, struct excursion *e, uint32_t keywords)
{
	*e = (struct excursion){p->s, p->memo, p->lx.keywords};
	p->memo = (struct memo){0};
	p->lx.keywords = keywords;
}

void parser_excursion_end(struct parser *p, const struct excursion *e)
{
	p->memo = e->memo;
	p->lx.keywords = e->keywords;
}
