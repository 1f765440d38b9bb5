/*
 * The parser: recursive descent over tokens taken one at a time, with as much
 * looking back as the grammar of Rego needs ({ may open a body, a set, an
 * object or a comprehension). Where a reading is tried and given up, what was
 * reported in it is given up too: it is part of the state that is put back.
 *
 * The order in which readings are tried is OPA's, because it decides which
 * errors are seen. Source: Rego reference, "Grammar"; OPA's v1/ast parser.
 */
#include "rego/annotations.h"
#include "rego/lex.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "rego/builtin.h"

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
	uint32_t ref_keywords; /* enum keyword: may stand in refs */
	bool keep_comments;
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

static struct term *term(struct parser *p);
static struct term *infix_call(struct parser *p);
static struct term *infix_in_list(struct parser *p);
static struct expr *literal(struct parser *p);
static struct body *body_until(struct parser *p, uint8_t end);

/* --- errors --------------------------------------------------------- */

static char *vformat(struct parser *p, const char *fmt, va_list ap)
	PRINTF(2, 0);
static char *vformat(struct parser *p, const char *fmt, va_list ap)
{
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0)
		die("formatting a message: %s", fmt);
	char *text = arena_raw(p->arena, (size_t)len + 1);

	vsnprintf(text, (size_t)len + 1, fmt, ap);
	return text;
}

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

static void problem_text(struct parser *p, uint32_t off, const char *message)
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
static void problem(struct parser *p, uint32_t off, const char *fmt, ...)
	PRINTF(3, 4);
static void problem(struct parser *p, uint32_t off, const char *fmt, ...)
{
	va_list ap;

	if (p->quiet)
		return;
	va_start(ap, fmt);
	problem_text(p, off, vformat(p, fmt, ap));
	va_end(ap);
}

static void hint(struct parser *p, const char *fmt, ...) PRINTF(2, 3);
static void hint(struct parser *p, const char *fmt, ...)
{
	struct hint *h = ARENA_NEW(p->arena, struct hint);
	va_list ap;

	va_start(ap, fmt);
	h->text = vformat(p, fmt, ap);
	va_end(ap);
	h->older = p->s.hints;
	p->s.hints = h;
}

/* Report the token at hand as out of place; `fmt` says what was expected. */
static void unexpected(struct parser *p, const char *fmt, ...) PRINTF(2, 3);
static void unexpected(struct parser *p, const char *fmt, ...)
{
	const struct tok_info *info = &tok_info[p->s.tok];
	const char *what = info->is_word ? "keyword" : "token";
	va_list ap;

	if (p->quiet)
		return;
	if (p->s.tok == TOK_ILLEGAL) {
		problem(p, p->s.off, "illegal token");
		return;
	}
	va_start(ap, fmt);
	const char *note = vformat(p, fmt, ap);

	va_end(ap);
	problem(p, p->s.off, "unexpected %s %s: %s", info->name, what, note);
}

static void unexpected_token(struct parser *p)
{
	const struct tok_info *info = &tok_info[p->s.tok];

	if (p->s.tok == TOK_ILLEGAL)
		problem(p, p->s.off, "illegal token");
	else
		problem(p, p->s.off, "unexpected %s %s", info->name,
			info->is_word ? "keyword" : "token");
}

static const char *text_of(struct parser *p, const struct term *t)
{
	struct buf b = {0};

	term_text(&b, t);
	const char *text = arena_strdup(p->arena, buf_str(&b));

	buf_release(&b);
	return text;
}

/* The source from `from` up to `to`. */
static const char *source_text(struct parser *p, uint32_t from, uint32_t to)
{
	struct str all = p->src->text;

	return arena_strdup(p->arena, str_slice(all, from, to));
}

enum { LEVELS_MAX = 100000 }; /* OPA's bound on the depth of its recursion */

static void deep_problem(struct parser *p)
{
	problem(p, p->s.off, "max parsing recursion depth exceeded");
}

/*
 * Count levels of nesting as OPA does, which has one for each rule of its
 * grammar; false when there are too many.
 */
static bool enter(struct parser *p, uint32_t levels)
{
	if (p->levels + levels > LEVELS_MAX) {
		deep_problem(p);
		return false;
	}
	p->levels += levels;
	return true;
}

static void leave(struct parser *p, uint32_t levels)
{
	p->levels -= levels;
}

/*
 * Count a level of nesting of what is made: a bound on the stack needed here
 * and in the passes that walk the tree.
 */
static bool nest(struct parser *p)
{
	if (p->nesting >= p->nesting_max) {
		if (!p->too_deep)
			p->deep_off = p->s.off;
		p->too_deep = true;
		deep_problem(p);
		return false;
	}
	p->nesting++;
	return true;
}

/* --- tokens --------------------------------------------------------- */

/* The comment begins a block of METADATA. */
static bool is_metadata(const struct parser *p, struct loc at)
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
	if (is_metadata(p, (struct loc){p->src, t->off, t->end - t->off}))
		return true;
	end = last ? last->loc.off + last->loc.len : 0;
	return last && end + 1 == t->off;
}

/* The rare part of take(): complaints, and comments, which are passed over. */
static bool take_slow(struct parser *p, const struct token *t)
{
	struct state *s = &p->s;

	for (const struct lex_note *n = t->notes; n; n = n->next)
		problem_text(p, t->off, n->message);
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
static void scan(struct parser *p)
{
	struct token t;

	before_scan(&p->s);
	do
		lex(&p->lx, p->s.end, &t);
	while (!take(p, &t));
}

/* The same, but white space counts as a token. */
static void scan_space(struct parser *p)
{
	struct token t;

	before_scan(&p->s);
	do
		lex_space(&p->lx, p->s.end, &t);
	while (!take(p, &t));
}

/* Does the token at hand touch the next one? */
static bool touches_next(const struct parser *p)
{
	if (p->s.end >= p->lx.len)
		return true;
	unsigned char c = (unsigned char)p->lx.text[p->s.end];

	return c != '#' && !lex_is_space(c);
}

/* The kind of the token after this one, which may be TOK_SPACE. */
static uint8_t peek_space(struct parser *p)
{
	struct state s = p->s;
	uint8_t tok;

	scan_space(p);
	tok = p->s.tok;
	p->s = s;
	return tok;
}

/* Is it a keyword that may stand where a name of a ref does? */
static bool is_ref_keyword(const struct parser *p, uint8_t tok)
{
	uint32_t known = p->ref_keywords | p->lx.keywords;

	return tok_info[tok].keyword & known;
}

/* A keyword in front of . or [ is a name: the head of a ref. */
static bool keyword_as_name(struct parser *p)
{
	if (!is_ref_keyword(p, p->s.tok))
		return false;
	uint8_t next = peek_space(p);

	if (next != TOK_DOT && next != TOK_LBRACK)
		return false;
	p->s.tok = TOK_IDENT;
	return true;
}

/* A name, or a keyword that is taken as one. */
static bool name_or_keyword(struct parser *p)
{
	if (p->s.tok == TOK_IDENT)
		return true;
	if (!is_ref_keyword(p, p->s.tok))
		return false;
	p->s.tok = TOK_IDENT;
	return true;
}

/* --- small nodes ---------------------------------------------------- */

static struct loc span(const struct parser *p, uint32_t from, uint32_t to)
{
	return (struct loc){p->src, from, to > from ? to - from : 0};
}

/* The place of the token at hand. */
static struct loc here(const struct parser *p)
{
	return span(p, p->s.off, p->s.end);
}

enum { ROOM = 8160 };

/* Memory for a node: packed closer than the arena does, which adds up. */
static void *node(struct parser *p, size_t size)
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

static struct term *term_new(struct parser *p, uint8_t kind, struct loc loc)
{
	struct term *t = node(p, sizeof(*t));

	*t = (struct term){.kind = kind, .loc = loc};
	return t;
}

static struct term *scalar(struct parser *p, struct value v, struct loc loc)
{
	struct term *t = term_new(p, T_SCALAR, loc);

	t->val = v;
	return t;
}

static struct term *var_named(
	struct parser *p, const struct string *name, struct loc loc)
{
	struct term *t = term_new(p, T_VAR, loc);

	t->var.name = name;
	return t;
}

static const struct string *intern(struct parser *p, const char *s, size_t len)
{
	return sym_intern(p->syms, s, len).str;
}

/* The name at hand as a variable. */
static struct term *var(struct parser *p)
{
	struct loc at = here(p);

	return var_named(p, intern(p, p->lx.text + at.off, at.len), at);
}

static void push(struct parser *p, struct term *t)
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

/* A term of kind `kind` out of the stack from `base` on. */
static struct term *list_term(
	struct parser *p, uint8_t kind, uint32_t base, struct loc loc)
{
	struct term *t = term_new(p, kind, loc);
	uint32_t n = p->nstack - base;

	t->list.len = n;
	t->list.items = NULL;
	if (n) {
		t->list.items = node(p, n * sizeof(struct term *));
		memcpy(t->list.items, p->stack + base,
			n * sizeof(struct term *));
	}
	p->nstack = base;
	return t;
}

static struct term *ref_of(struct parser *p, struct term *head)
{
	push(p, head);
	return list_term(p, T_REF, p->nstack - 1, head->loc);
}

static bool is_root(const struct parser *p, const struct term *t)
{
	return t->kind == T_VAR &&
	       (t->var.name == p->data || t->var.name == p->input);
}

/* `data` and `input` alone are refs of one step. */
static struct term *name_alone(struct parser *p, struct term *t)
{
	return is_root(p, t) ? ref_of(p, t) : t;
}

static struct expr *expr_new(struct parser *p, uint8_t kind)
{
	struct expr *x = node(p, sizeof(*x));

	*x = (struct expr){.kind = kind};
	return x;
}

static struct expr *term_expr(struct parser *p, struct term *t)
{
	struct expr *x = expr_new(p, X_TERM);

	x->term = t;
	return x;
}

static void append(struct parser *p, struct body *b, struct expr *x)
{
	x->index = b->len;
	if (!b->len)
		b->loc = x->loc;
	body_add(p->arena, b, x);
}

static struct body *body_of(struct parser *p, struct expr *x)
{
	struct body *b = ARENA_NEW(p->arena, struct body);

	append(p, b, x);
	return b;
}

/* The body of what has none. */
static struct body *true_body(struct parser *p, struct loc at)
{
	struct expr *x = term_expr(p, scalar(p, v_true, at));

	x->loc = at;
	x->generated = true;
	return body_of(p, x);
}

static bool is_name(const struct term *t, const char *name)
{
	return t->kind == T_VAR && strcmp(t->var.name->bytes, name) == 0;
}

static bool is_text(const struct term *t, const char *text)
{
	return t->kind == T_SCALAR && t->val.tag == V_STR &&
	       str_is(v_bytes(t->val), text);
}

/* Does the call `t` call `name`, one word without dots? */
static bool calls(const struct term *t, const char *name)
{
	return t->kind == T_CALL && t->list.items[0]->kind == T_REF &&
	       t->list.items[0]->list.len == 1 &&
	       is_name(t->list.items[0]->list.items[0], name);
}

static bool calls_internal(const struct term *t, const char *name)
{
	const struct term *op;

	if (t->kind != T_CALL)
		return false;
	op = t->list.items[0];
	return op->kind == T_REF && op->list.len == 2 &&
	       is_name(op->list.items[0], "internal") &&
	       is_text(op->list.items[1], name);
}

/* The builtin a call calls, or NULL. */
static const struct builtin *called_builtin(const struct term *call)
{
	struct buf name = {0};
	const struct builtin *bi;

	term_text(&name, call->list.items[0]);
	bi = builtin_find(buf_str(&name));
	buf_release(&name);
	return bi;
}

/* --- the memo ------------------------------------------------------- */

static const struct memo_item *memo_find(const struct memo *m, uint32_t off)
{
	for (uint32_t i = m->len; i > 0 && m->items[i - 1].off >= off; i--)
		if (m->items[i - 1].off == off)
			return &m->items[i - 1];
	return NULL;
}

static void memo_add(struct parser *p, uint32_t off, struct term *t)
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

/*
 * Read ahead with other keywords, as a question only: nothing stays of it but
 * the answer. The memo belongs to the keywords it was made under.
 */
struct excursion {
	struct state s;
	struct memo memo;
	uint32_t keywords;
};

static void excursion_start(
	struct parser *p, struct excursion *e, uint32_t keywords)
{
	*e = (struct excursion){p->s, p->memo, p->lx.keywords};
	p->memo = (struct memo){0};
	p->lx.keywords = keywords;
}

static void excursion_end(struct parser *p, const struct excursion *e)
{
	p->memo = e->memo;
	p->lx.keywords = e->keywords;
}

/* --- scalars -------------------------------------------------------- */

/* The bytes OPA takes for the token: see the note on wide characters. */
static struct str literal_text(const struct parser *p, uint32_t from)
{
	uint32_t end = p->s.end;
	uint32_t cp;

	/*
	 * OPA cuts one byte before where the character behind the token ends,
	 * so a wide one leaves some of its bytes in the token.
	 */
	if (end < p->lx.len && (unsigned char)p->lx.text[end] >= 0x80)
		end += (uint32_t)utf8_decode(
			       p->lx.text + end, p->lx.len - end, &cp) -
		       1;
	return str_make(p->lx.text + from, end - from);
}

/* The number `json`, but written as `text`. */
static struct value number_as(
	struct parser *p, const char *json, struct str text)
{
	struct value v = v_number(p->arena, json, strlen(json));

	if (v.tag != V_NUM)
		return v;
	struct num *n = arena_raw(p->arena, sizeof(*n));

	*n = *v.num;
	n->text = arena_strdup(p->arena, text);
	n->len = (uint32_t)text.len;
	v.num = n;
	return v;
}

/* The exponent of a literal; false when it does not fit an int64. */
static bool exponent(struct str text, int64_t *out)
{
	const char *e = memchr(text.ptr, 'e', text.len);

	if (!e)
		e = memchr(text.ptr, 'E', text.len);
	*out = 0;
	if (!e)
		return true;
	errno = 0;
	*out = strtoll(e + 1, NULL, 10);
	return errno == 0;
}

enum { EXP10_ZERO = -646456993 }; /* of 2^-2^31: what is less is zero to OPA */

/*
 * The value of the literal `text`, NUL-terminated. V_UNDEF: too big. A literal
 * like .5 is no JSON number, but OPA keeps it as it stands.
 */
static struct value number_value(struct parser *p, struct str text, bool dot)
{
	const char *minus = text.ptr[0] == '-' ? "-" : "";
	int64_t exp;

	exponent(text, &exp);
	if (exp < EXP10_ZERO)
		return number_as(p, "0.0", text);
	if (!dot)
		return v_number(p->arena, text.ptr, text.len);
	return number_as(p,
		arena_printf(
			p->arena, "%s0%s", minus, text.ptr + (*minus != 0)),
		text);
}

static bool has_leading_zero(struct str s)
{
	if (s.len < 2 || s.ptr[0] != '0' || s.ptr[1] == '.')
		return false;
	return !(s.len > 2 && (s.ptr[1] | 0x20) == 'e');
}

static bool is_plain_number(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!strchr("0123456789.eE+-", s.ptr[i]) || !s.ptr[i])
			return false;
	return true;
}

/* The most usual number: digits that surely fit. -1: it is another. */
static int64_t small_number(const struct parser *p)
{
	uint32_t len = p->s.end - p->s.off;
	const char *s = p->lx.text + p->s.off;
	int64_t n = 0;

	if (p->s.tok != TOK_NUMBER || len > 18 || (s[0] == '0' && len > 1) ||
		literal_text(p, p->s.off).len != len)
		return -1;
	for (uint32_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -1;
		n = n * 10 + (s[i] - '0');
	}
	return n;
}

static struct term *number(struct parser *p)
{
	struct loc at = here(p);
	bool minus = p->s.tok == TOK_SUB, dot = false;
	int64_t small = small_number(p);

	if (small >= 0)
		return scalar(p, v_int(small), at);

	if (minus) {
		scan(p);
		if (p->s.tok != TOK_NUMBER && p->s.tok != TOK_DOT) {
			unexpected(p, "expected number");
			return NULL;
		}
	}
	if (p->s.tok == TOK_DOT) {
		dot = true;
		scan(p);
		if (p->s.tok != TOK_NUMBER) {
			unexpected(p, "expected number");
			return NULL;
		}
	}
	struct str lit = literal_text(p, p->s.off);

	if (!dot && has_leading_zero(lit)) {
		unexpected(p, "expected number without leading zero");
		return NULL;
	}
	char *text = arena_printf(p->arena, "%s%s%.*s", minus ? "-" : "",
		dot ? "." : "", STR_ARG(lit));
	struct str s = str_from(text);

	int64_t exp;

	if (!is_plain_number(s) || (dot && memchr(lit.ptr, '.', lit.len)) ||
		!exponent(s, &exp)) {
		unexpected(p, "invalid float");
		return NULL;
	}
	struct value v = number_value(p, s, dot);

	if (v.tag == V_UNDEF) {
		problem(p, p->s.off, "number too big");
		return NULL;
	}
	return scalar(p, v, at);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits at s.ptr[at], or -1. */
static int32_t hex4(struct str s, size_t at)
{
	int32_t n = 0;

	if (at + 4 > s.len)
		return -1;
	for (size_t i = at; i < at + 4; i++) {
		int d = hex_digit(s.ptr[i]);

		if (d < 0)
			return -1;
		n = n * 16 + d;
	}
	return n;
}

/* \uXXXX at s.ptr[*at], behind the u; half a surrogate pair gives U+FFFD. */
static bool unescape_u(struct buf *out, struct str s, size_t *at)
{
	int32_t a = hex4(s, *at), b = -1;

	if (a < 0)
		return false;
	*at += 4;
	if (a >= 0xd800 && a < 0xe000) {
		if (*at + 6 <= s.len && s.ptr[*at] == '\\' &&
			s.ptr[*at + 1] == 'u')
			b = hex4(s, *at + 2);
		if (a < 0xdc00 && b >= 0xdc00 && b < 0xe000) {
			*at += 6;
			a = 0x10000 + ((a - 0xd800) << 10) + (b - 0xdc00);
		} else {
			a = 0xfffd;
		}
	}
	buf_addcp(out, (uint32_t)a);
	return true;
}

/* The inside of a string literal as JSON reads it. */
static bool unescape(struct buf *out, struct str s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";

	for (size_t i = 0; i < s.len;) {
		char c = s.ptr[i++];

		if ((unsigned char)c < 0x20 || c == '"')
			return false;
		if (c != '\\') {
			buf_addc(out, c);
			continue;
		}
		if (i == s.len)
			return false;
		c = s.ptr[i++];
		if (c == 'u') {
			if (!unescape_u(out, s, &i))
				return false;
			continue;
		}
		const char *hit = c ? strchr(from, c) : NULL;

		if (!hit)
			return false;
		buf_addc(out, to[hit - from]);
	}
	return true;
}

static struct term *string(struct parser *p)
{
	struct loc at = here(p);
	struct str in = {p->lx.text + at.off + 1, at.len - 2};
	bool raw = p->lx.text[at.off] == '`';
	struct buf b = {0};
	struct value v;

	if (raw || !memchr(in.ptr, '\\', in.len)) {
		v = sym_intern(p->syms, in.ptr, in.len);
	} else if (unescape(&b, in)) {
		v = sym_intern(p->syms, b.ptr ? b.ptr : "", b.len);
	} else {
		buf_release(&b);
		problem(p, at.off, "illegal string literal: %.*s",
			STR_ARG(literal_text(p, at.off)));
		return NULL;
	}
	buf_release(&b);
	struct term *t = scalar(p, v, at);

	t->raw = raw;
	return t;
}

/* --- template strings ----------------------------------------------- */

/*
 * The text of the part at hand into *out. It stands between a quote or } and
 * a quote or {; \{ is a brace in both kinds, other escapes only in "...".
 */
static bool template_text(struct parser *p, bool first, struct value *out)
{
	uint32_t from = p->s.off + (first ? 2 : 0);
	struct str s = {p->lx.text + from, p->s.end - 1 - from};
	bool raw = p->s.tok == TOK_RAW_TEMPLATE_PART ||
		   p->s.tok == TOK_RAW_TEMPLATE_END;
	struct buf plain = {0}, done = {0};
	bool ok = true;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\\' && i + 1 < s.len) {
			if (s.ptr[i + 1] != '{') {
				buf_addc(&plain, '\\');
				/* \\{ is a backslash and then a brace */
				if (raw)
					continue;
			}
			i++;
		}
		buf_addc(&plain, s.ptr[i]);
	}
	s = buf_str(&plain);
	if (!raw && s.len && memchr(s.ptr, '\\', s.len)) {
		ok = unescape(&done, s);
		s = buf_str(&done);
	}
	if (ok)
		*out = sym_intern(p->syms, s.len ? s.ptr : "", s.len);
	else
		problem(p, p->s.off, "illegal template-string part: %c%.*s%c",
			first ? '"' : '}', STR_ARG(buf_str(&plain)),
			p->lx.text[p->s.end - 1]);
	buf_release(&plain);
	buf_release(&done);
	return ok;
}

struct parts {
	struct tmpl_part *items;
	uint32_t len, cap;
};

static void add_part(
	struct parser *p, struct parts *parts, struct tmpl_part part)
{
	if (parts->len == parts->cap) {
		uint32_t cap = parts->cap ? parts->cap * 2 : 4;
		struct tmpl_part *more =
			ARENA_ARRAY(p->arena, struct tmpl_part, cap);

		if (parts->len)
			memcpy(more, parts->items, parts->len * sizeof(*more));
		parts->items = more;
		parts->cap = cap;
	}
	parts->items[parts->len++] = part;
}

/* What may not stand in the braces of a template, or NULL. */
static const char *not_in_template(const struct expr *x)
{
	if (x->negated)
		return "unexpected negation ('not')";
	if (x->kind == X_TERM && calls(x->term, "eq"))
		return "unexpected unification ('=')";
	if (x->kind == X_TERM && calls(x->term, "assign"))
		return "unexpected assignment (':=')";
	if (x->kind == X_EVERY)
		return "unexpected 'every'";
	if (x->kind == X_SOME)
		return "unexpected 'some'";
	return NULL;
}

/* {expression}, from its brace. */
static bool template_expr(struct parser *p, struct parts *parts)
{
	uint32_t before = p->s.nremarks, after;
	struct tmpl_part part = {0};
	const char *why;

	scan(p);
	after = p->s.nremarks;
	struct expr *x = literal(p);

	if (!x) {
		problem(p, p->s.off, "invalid template-string expression");
		return false;
	}
	why = not_in_template(x);
	if (why) {
		problem(p, x->loc.off, "%s in template-string expression", why);
		return false;
	}
	/* A scalar without a comment in front is as good as text. */
	if (x->kind == X_TERM && x->term->kind == T_SCALAR && before == after)
		part.text = x->term->val;
	else
		part.expr = x;
	part.loc = part.expr ? x->loc : x->term->loc;
	add_part(p, parts, part);
	if (p->s.tok != TOK_RBRACE) {
		problem(p, p->s.off,
			"expected } to end template string expression");
		return false;
	}
	return true;
}

static struct term *template_string(struct parser *p, bool raw)
{
	uint32_t start = p->s.off;
	struct parts parts = {0};
	bool first = true;

	if (p->version == REGO_V0 || p->version == REGO_V0_V1) {
		problem(p, start,
			"template strings are not supported by current "
			"capabilities");
		return NULL;
	}
	for (;; first = false) {
		struct tmpl_part text = {.loc = here(p)};

		if (!template_text(p, first, &text.text))
			return NULL;
		if (text.text.str->len)
			add_part(p, &parts, text);
		if (p->s.tok == TOK_TEMPLATE_END ||
			p->s.tok == TOK_RAW_TEMPLATE_END)
			break;
		if (!template_expr(p, &parts))
			return NULL;
		struct token t;

		before_scan(&p->s);
		lex_template(&p->lx, p->s.end, raw, &t);
		take(p, &t);
		if (p->s.tok == TOK_ILLEGAL) {
			problem(p, p->s.off, "expected template-string part");
			return NULL;
		}
	}
	struct term *t = term_new(p, T_TEMPLATE, span(p, start, p->s.end));

	t->raw = raw;
	t->tmpl = ARENA_NEW(p->arena, struct tmpl);
	*t->tmpl = (struct tmpl){parts.items, parts.len, raw};
	return t;
}

/* --- lists ---------------------------------------------------------- */

/*
 * Terms up to `end`, a comma between them and perhaps behind the last, onto
 * the stack. The parser stays at `end`.
 */
static bool term_list(struct parser *p, uint8_t end)
{
	while (p->s.tok != end) {
		struct term *t = infix_in_list(p);

		if (!t)
			return false;
		push(p, t);
		if (p->s.tok == end)
			return true;
		if (p->s.tok != TOK_COMMA) {
			unexpected(p, "expected \",\" or \"%s\"",
				tok_info[end].name);
			return false;
		}
		scan(p);
	}
	return true;
}

/* key: value pairs up to }, onto the stack. */
static bool pair_list(struct parser *p)
{
	while (p->s.tok != TOK_RBRACE) {
		struct term *key = infix_in_list(p), *val;

		if (!key)
			return false;
		if (p->s.tok != TOK_COLON) {
			unexpected(p, "expected \":\"");
			return false;
		}
		scan(p);
		val = infix_in_list(p);
		if (!val)
			return false;
		push(p, key);
		push(p, val);
		if (p->s.tok == TOK_RBRACE)
			return true;
		if (p->s.tok != TOK_COMMA) {
			unexpected(p, "expected \",\" or \"}\"");
			return false;
		}
		scan(p);
	}
	return true;
}

/* One member of a set or object while they are put in order. */
struct member {
	struct term *key, *val;
	uint32_t at;
};

static int member_cmp(const void *x, const void *y)
{
	const struct member *a = x, *b = y;
	int c = term_cmp(a->key, b->key);

	return c ? c : (a->at > b->at) - (a->at < b->at);
}

/* Are the keys, every `step`th item, in order? Those of a set are distinct. */
static bool is_sorted(struct term *const *items, uint32_t n, uint32_t step)
{
	int most = step == 1 ? -1 : 0;

	for (uint32_t i = step; i < n; i += step)
		if (term_cmp(items[i - step], items[i]) > most)
			return false;
	return true;
}

/*
 * Put the members of a set (step 1) or object (step 2) in order. Of equal ones
 * in a set the first stays; in an object all stay, as written: as in OPA, the
 * last wins when the value is made.
 */
static void sort_members(struct parser *p, struct term *t, uint32_t step)
{
	struct term **items = t->list.items;
	uint32_t n = t->list.len / step, out = 0;
	struct member *ms;

	if (is_sorted(items, t->list.len, step))
		return;
	ms = arena_raw(p->arena, n * sizeof(*ms));
	for (uint32_t i = 0; i < n; i++)
		ms[i] = (struct member){
			items[i * step], items[i * step + step - 1], i};
	qsort(ms, n, sizeof(*ms), member_cmp);
	for (uint32_t i = 0; i < n; i++) {
		if (step == 1 && out &&
			term_cmp(ms[out - 1].key, ms[i].key) == 0)
			continue;
		ms[out++] = ms[i];
	}
	for (uint32_t i = 0; i < out; i++) {
		items[i * step + step - 1] = ms[i].val;
		items[i * step] = ms[i].key;
	}
	t->list.len = out * step;
}

static struct term *set_term(struct parser *p, uint32_t base, struct loc loc)
{
	struct term *t = list_term(p, T_SET, base, loc);

	sort_members(p, t, 1);
	return t;
}

static struct term *object_term(struct parser *p, uint32_t base, struct loc loc)
{
	struct term *t = list_term(p, T_OBJECT, base, loc);

	sort_members(p, t, 2);
	return t;
}

static struct term *comprehension(struct parser *p, uint8_t kind,
	struct term *key, struct term *head, struct body *body)
{
	struct term *t = term_new(p, kind, (struct loc){0});

	t->comp = ARENA_NEW(p->arena, struct comp);
	*t->comp = (struct comp){key, head, body};
	return t;
}

/* Behind the [ of an array or array comprehension. */
static struct term *array_rest(struct parser *p)
{
	uint32_t base = p->nstack;
	bool may_comprehend = true;
	struct loc none = {0};

	scan(p);
	if (p->s.tok == TOK_RBRACK)
		return list_term(p, T_ARRAY, base, none);
	/* A comma in front: taken, as OPA does. */
	if (p->s.tok == TOK_COMMA) {
		may_comprehend = false;
		scan(p);
	}
	struct state start = p->s;
	struct term *head = term(p);

	if (!head)
		return NULL;
	if (p->s.tok == TOK_RBRACK || p->s.tok == TOK_COMMA) {
		push(p, head);
		if (p->s.tok == TOK_COMMA) {
			scan(p);
			if (!term_list(p, TOK_RBRACK))
				return NULL;
		}
		return list_term(p, T_ARRAY, base, none);
	}
	if (p->s.tok == TOK_OR && may_comprehend) {
		scan(p);
		struct body *body = body_until(p, TOK_RBRACK);

		if (body)
			return comprehension(p, T_ARRAY_COMP, NULL, head, body);
		if (p->s.tok != TOK_COMMA)
			return NULL;
	}
	p->s = start;
	if (!term_list(p, TOK_RBRACK))
		return NULL;
	return list_term(p, T_ARRAY, base, none);
}

/* At the token behind the first member of a set. */
static struct term *set_rest(struct parser *p, const struct state *start,
	struct term *head, bool may_comprehend)
{
	uint32_t base = p->nstack;
	struct loc none = {0};

	if (!enter(p, 1))
		return NULL;
	switch (p->s.tok) {
	case TOK_RBRACE:
		push(p, head);
		return set_term(p, base, none);
	case TOK_COMMA:
		push(p, head);
		scan(p);
		break;
	case TOK_OR:
		if (may_comprehend) {
			scan(p);
			struct body *body = body_until(p, TOK_RBRACE);

			if (body)
				return comprehension(
					p, T_SET_COMP, NULL, head, body);
			if (p->s.tok != TOK_COMMA)
				return NULL;
		}
		p->s = *start;
		break;
	default:
		return NULL;
	}
	return term_list(p, TOK_RBRACE) ? set_term(p, base, none) : NULL;
}

/* At the token behind the first value of an object. */
static struct term *object_finish(struct parser *p, struct term *key,
	struct term *val, bool may_comprehend)
{
	uint32_t base = p->nstack;
	struct loc none = {0};
	struct body *body;

	if (!enter(p, 1))
		return NULL;
	switch (p->s.tok) {
	case TOK_RBRACE:
		push(p, key);
		push(p, val);
		return object_term(p, base, none);
	case TOK_OR:
		if (!may_comprehend) {
			unexpected(p, "non-terminated object");
			return NULL;
		}
		scan(p);
		body = body_until(p, TOK_RBRACE);
		return body ? comprehension(p, T_OBJECT_COMP, key, val, body)
			    : NULL;
	case TOK_COMMA:
		scan(p);
		push(p, key);
		push(p, val);
		return pair_list(p) ? object_term(p, base, none) : NULL;
	default:
		return NULL;
	}
}

/* At the colon behind the first key. */
static struct term *object_rest(
	struct parser *p, struct term *key, bool may_comprehend)
{
	if (!enter(p, 1))
		return NULL;
	scan(p);
	struct state start = p->s;
	uint32_t levels = p->levels;
	struct term *val = term(p);

	if (!val)
		return NULL;
	if (may_comprehend) {
		/* Only one reading is left: its errors are the ones to see. */
		if (p->s.tok == TOK_RBRACE || p->s.tok == TOK_COMMA)
			return object_finish(p, key, val, true);
		if (p->s.tok == TOK_OR) {
			struct term *t = object_finish(p, key, val, true);

			if (t)
				return t;
			p->levels = levels;
		}
	}
	p->s = start;
	val = infix_in_list(p);
	if (!val)
		return NULL;
	if (p->s.tok == TOK_RBRACE || p->s.tok == TOK_COMMA)
		return object_finish(p, key, val, false);
	unexpected(p, "non-terminated object");
	return NULL;
}

/* Behind the { of a set, an object or a comprehension of either. */
static struct term *brace_rest(struct parser *p)
{
	bool may_comprehend = true;

	scan(p);
	if (p->s.tok == TOK_RBRACE)
		return list_term(p, T_OBJECT, p->nstack, (struct loc){0});
	if (p->s.tok == TOK_COMMA) {
		may_comprehend = false;
		scan(p);
	}
	/*
	 * First a term alone, so that {a | b} is a comprehension and not a set
	 * of one call.
	 */
	struct state start = p->s;
	struct term *head = term(p);

	if (!head)
		return NULL;
	switch (p->s.tok) {
	case TOK_OR:
		if (may_comprehend)
			return set_rest(p, &start, head, true);
		break;
	case TOK_RBRACE:
	case TOK_COMMA:
		return set_rest(p, &start, head, may_comprehend);
	case TOK_COLON:
		return object_rest(p, head, may_comprehend);
	default:
		break;
	}
	p->s = start;
	head = infix_in_list(p);
	if (!head)
		return NULL;
	switch (p->s.tok) {
	case TOK_RBRACE:
	case TOK_COMMA:
		return set_rest(p, &start, head, false);
	case TOK_COLON:
		return object_rest(p, head, may_comprehend);
	default:
		unexpected(p, "non-terminated set");
		return NULL;
	}
}

/* A term in [ ] or { }; the parser stays at the closing one. */
static struct term *bracketed(
	struct parser *p, struct term *(*rest)(struct parser *p))
{
	uint32_t start = p->s.off, base = p->nstack, levels = p->levels;
	struct term *t;

	if (!enter(p, 1))
		return NULL;
	t = rest(p);
	p->levels = levels; /* also of what rest() has entered */
	p->nstack = base;
	if (t)
		t->loc = span(p, start, p->s.end);
	return t;
}

/* --- refs and calls ------------------------------------------------- */

/* Behind the ( of a call; the parser stays at the closing one. */
static struct term *call(struct parser *p, struct term *op)
{
	uint32_t base = p->nstack;
	struct term *t;

	if (!enter(p, 1))
		return NULL;
	scan(p);
	push(p, op);
	bool ok = term_list(p, TOK_RPAREN);

	leave(p, 1);
	if (!ok) {
		p->nstack = base;
		return NULL;
	}
	struct loc at = span(p, op->loc.off, p->s.end);

	if (p->nstack == base + 1 && op->list.len == 1 &&
		is_name(op->list.items[0], "set")) {
		p->nstack = base;
		return list_term(p, T_SET, base, at);
	}
	t = list_term(p, T_CALL, base, at);
	return t;
}

/* Can a ref begin with it? */
static bool is_ref_head(const struct term *t)
{
	return t->kind != T_SCALAR && t->kind != T_REF &&
	       t->kind != T_TEMPLATE && t->kind != T_BODY;
}

/* .name: onto the stack. */
static bool dot_step(struct parser *p)
{
	scan_space(p);
	if (p->s.tok != TOK_IDENT && !is_ref_keyword(p, p->s.tok)) {
		unexpected(p, "expected identifier");
		return false;
	}
	struct loc at = here(p);

	push(p, scalar(p, sym_intern(p->syms, p->lx.text + at.off, at.len),
			at));
	return true;
}

/* [term]: onto the stack; the parser stays at ]. */
static bool bracket_step(struct parser *p)
{
	scan(p);
	struct term *t = infix_call(p);

	if (!t)
		return false;
	if (p->s.tok != TOK_RBRACK) {
		unexpected(p, "expected [");
		return false;
	}
	push(p, t);
	return true;
}

static struct term *ref_steps(struct parser *p, struct term *head);

/* As inside ref_steps(), without counting the level. */
static struct term *ref_inside(struct parser *p, struct term *head)
{
	uint32_t base = p->nstack;
	struct term *t;

	if (!is_ref_head(head))
		problem(p, head->loc.off, "illegal ref (head cannot be %s)",
			term_kind_name(head));
	push(p, head);
	for (;;) {
		bool space = false;

		switch (p->s.tok) {
		case TOK_DOT:
			if (!dot_step(p))
				goto failed;
			break;
		case TOK_LBRACK:
			if (!bracket_step(p))
				goto failed;
			break;
		case TOK_LPAREN:
			t = list_term(p, T_REF, base,
				span(p, head->loc.off, p->s.off));
			t = call(p, t);
			if (!t)
				goto failed;
			space = !touches_next(p);
			scan(p);
			if (space ||
				(p->s.tok != TOK_DOT && p->s.tok != TOK_LBRACK))
				return t;
			if (!nest(p))
				goto failed;
			t = ref_steps(p, t);
			p->nesting--;
			return t;
		default:
			return list_term(p, T_REF, base,
				span(p, head->loc.off, p->s.last_end));
		}
		space = !touches_next(p);
		scan(p);
		if (space)
			return list_term(p, T_REF, base,
				span(p, head->loc.off, p->s.last_end));
	}
failed:
	p->nstack = base;
	return NULL;
}

/* The steps of a ref, from the . [ or ( behind its head on. */
static struct term *ref_steps(struct parser *p, struct term *head)
{
	struct term *t;

	if (!enter(p, 1))
		return NULL;
	t = ref_inside(p, head);
	leave(p, 1);
	return t;
}

static bool at_ref_step(const struct parser *p)
{
	return p->s.tok == TOK_LPAREN || p->s.tok == TOK_DOT ||
	       p->s.tok == TOK_LBRACK;
}

/* Behind the first part of a term: perhaps it is the head of a ref. */
static struct term *term_finish(struct parser *p, struct term *head)
{
	bool touches = touches_next(p);

	scan(p);
	if (touches && at_ref_step(p))
		return ref_steps(p, head);
	return name_alone(p, head);
}

/* --- terms ---------------------------------------------------------- */

/* and(x, y), or(x, y): at the start of a term these are functions. */
static void logical_call(struct parser *p)
{
	if (p->s.tok != TOK_LOGICAL_AND && p->s.tok != TOK_LOGICAL_OR)
		return;
	if (peek_space(p) == TOK_LPAREN)
		p->s.tok = TOK_IDENT;
}

/* ( term ); the parser stays at the closing one. */
static struct term *parenthesized(struct parser *p)
{
	scan(p);
	struct term *t = infix_call(p);

	if (!t)
		return NULL;
	if (p->s.tok != TOK_RPAREN) {
		problem(p, p->s.off, "non-terminated expression");
		return NULL;
	}
	t->paren = 1;
	return t;
}

/* The operator token at hand as the ref that names its builtin. */
static struct term *operator_ref(struct parser *p)
{
	uint8_t tok = p->s.tok;
	struct loc at = here(p);

	if (!p->ops[tok])
		p->ops[tok] = intern(
			p, tok_info[tok].name, strlen(tok_info[tok].name));
	struct term *op = ref_of(p, var_named(p, p->ops[tok], at));

	scan(p);
	return op;
}

static struct term *binary_call(
	struct parser *p, struct term *op, struct term *lhs, struct term *rhs)
{
	uint32_t base = p->nstack;
	struct loc at = span(p, lhs->loc.off, p->s.last_end);

	push(p, op);
	push(p, lhs);
	push(p, rhs);
	return list_term(p, T_CALL, base, at);
}

/* -x of a name is minus(0, x). */
static struct term *negative(struct parser *p, struct loc minus, struct term *t)
{
	struct term *op, *call_term;
	const struct string *name = intern(p, "minus", 5);

	op = ref_of(p, var_named(p, name, (struct loc){0}));
	call_term = binary_call(p, op, scalar(p, v_int(0), minus), t);
	call_term->loc = span(p, minus.off, p->s.last_end);
	return call_term;
}

/* What a term begins with, without the steps of a ref. */
static struct term *primary(struct parser *p)
{
	switch (p->s.tok) {
	case TOK_NULL:
		return scalar(p, v_null, here(p));
	case TOK_TRUE:
		return scalar(p, v_true, here(p));
	case TOK_FALSE:
		return scalar(p, v_false, here(p));
	case TOK_DOT:
	case TOK_NUMBER:
	case TOK_SUB:
		return number(p);
	case TOK_STRING:
		return string(p);
	case TOK_TEMPLATE_PART:
	case TOK_TEMPLATE_END:
		return template_string(p, false);
	case TOK_RAW_TEMPLATE_PART:
	case TOK_RAW_TEMPLATE_END:
		return template_string(p, true);
	case TOK_IDENT:
	case TOK_CONTAINS: /* a keyword only in heads of rules */
		return var(p);
	case TOK_LBRACK:
		return bracketed(p, array_rest);
	case TOK_LBRACE:
		return bracketed(p, brace_rest);
	case TOK_LPAREN:
		return parenthesized(p);
	default:
		unexpected_token(p);
		return NULL;
	}
}

/* A term without operators around it, behind which the parser then stands. */
static struct term *term(struct parser *p)
{
	const struct memo_item *known = memo_find(&p->memo, p->s.off);
	uint32_t start = p->s.off;
	struct loc minus = {0};
	struct term *t;

	if (known) {
		p->s = known->after;
		return known->term;
	}
	if (!enter(p, 1))
		return NULL;
	if (!nest(p)) {
		leave(p, 1);
		return NULL;
	}
	logical_call(p);
	if (p->s.tok == TOK_SUB) {
		struct state s = p->s;

		minus = here(p);
		scan(p);
		if (p->s.tok != TOK_IDENT && p->s.tok != TOK_CONTAINS) {
			p->s = s;
			minus.src = NULL;
		}
	}
	t = primary(p);
	if (t)
		t = term_finish(p, t);
	if (t && minus.src)
		t = negative(p, minus, t);
	p->nesting--;
	leave(p, 1);
	/* One token is as quickly read again. */
	if (!t || (t->kind != T_SCALAR && t->kind != T_VAR))
		memo_add(p, start, t);
	return t;
}

enum { TIGHTEST = 5 }; /* level of * and / */

/*
 * Terms with binary operators of level `min` and up between them. An operator
 * without a right side is an error, but the left side is still a term; the
 * operators that may then follow are looser ones.
 */
static struct term *infix(struct parser *p, unsigned min)
{
	uint32_t levels = p->levels, nesting = p->nesting;
	unsigned max = TIGHTEST, folds = 0;
	struct term *lhs;

	if (!enter(p, TIGHTEST + 1 - min))
		return NULL;
	lhs = term(p);
	while (lhs) {
		unsigned level = tok_info[p->s.tok].level;
		struct term *op, *rhs;

		if (level < min || level > max || !level)
			break;
		/* OPA has left the tighter levels, and is one deeper a fold. */
		folds = level == max ? folds : 0;
		p->levels = levels + level + 1 - min + folds;
		if (p->levels > LEVELS_MAX || !nest(p)) {
			if (p->levels > LEVELS_MAX)
				deep_problem(p);
			lhs = NULL;
			break;
		}
		op = operator_ref(p);
		rhs = level == TIGHTEST ? term(p) : infix(p, level + 1);
		if (rhs)
			lhs = binary_call(p, op, lhs, rhs);
		folds = rhs ? folds + 1 : 0;
		max = rhs ? level : level - 1;
	}
	p->levels = levels;
	p->nesting = nesting;
	return lhs;
}

/* internal.member_2 or _3, at the place of the `in` at hand. */
static struct term *member_ref(struct parser *p, const char *name)
{
	struct loc at = here(p);
	uint32_t base = p->nstack;

	push(p, var_named(p, intern(p, "internal", 8), at));
	push(p, scalar(p, sym_intern(p->syms, name, strlen(name)), at));
	scan(p);
	return list_term(p, T_REF, base, at);
}

/* `, value in collection` behind a key; NULL when it is something else. */
static struct term *pair_in(struct parser *p, struct term *key)
{
	struct state s = p->s;
	struct term *val, *op, *rhs, *t;
	uint32_t base = p->nstack;

	scan(p);
	val = infix(p, 1);
	if (val && p->s.tok == TOK_IN) {
		op = member_ref(p, "member_3");
		rhs = infix(p, 1);
		if (rhs) {
			struct loc at = span(p, key->loc.off, p->s.last_end);

			push(p, op);
			push(p, key);
			push(p, val);
			push(p, rhs);
			t = list_term(p, T_CALL, base, at);
			return t;
		}
	}
	p->s = s;
	return NULL;
}

/*
 * Relations with `in` between them; `pairs`: also `key, value in collection`,
 * which is not possible in a list, where commas mean something else.
 */
static struct term *membership(struct parser *p, bool pairs)
{
	uint32_t levels = p->levels, nesting = p->nesting;
	struct term *lhs;

	if (!enter(p, 2))
		return NULL;
	lhs = infix(p, 1);
	while (lhs) {
		struct term *t = NULL, *op;

		if (pairs && p->s.tok == TOK_COMMA)
			t = pair_in(p, lhs);
		if (!t) {
			keyword_as_name(p);
			if (p->s.tok != TOK_IN)
				break;
			op = member_ref(p, "member_2");
			t = infix(p, 1);
			if (t)
				t = binary_call(p, op, lhs, t);
		}
		if (!t)
			break;
		lhs = t;
		if (p->s.tok != TOK_IN)
			break;
		if (!enter(p, 1) || !nest(p))
			lhs = NULL;
	}
	p->levels = levels;
	p->nesting = nesting;
	return lhs;
}

/* A whole term, with everything but = and := in it. */
static struct term *infix_call(struct parser *p)
{
	return membership(p, true);
}

static struct term *infix_in_list(struct parser *p)
{
	return membership(p, false);
}

/* --- expressions ---------------------------------------------------- */

/* lhs, or lhs := rhs, or lhs = rhs. The place is left open. */
static struct expr *expression(struct parser *p)
{
	struct term *lhs = infix_call(p), *op, *rhs;

	if (!lhs)
		return NULL;
	if (p->s.tok != TOK_ASSIGN && p->s.tok != TOK_UNIFY)
		return term_expr(p, lhs);
	op = operator_ref(p);
	rhs = infix_call(p);
	return rhs ? term_expr(p, binary_call(p, op, lhs, rhs)) : NULL;
}

/* One `with target as value`. */
static bool with(struct parser *p, struct with *w)
{
	uint32_t start = p->s.off;

	scan(p);
	if (p->s.tok != TOK_IDENT) {
		unexpected(p, "expected ident");
		return false;
	}
	w->target = term(p);
	if (!w->target)
		return false;
	if (w->target->kind != T_REF && w->target->kind != T_VAR)
		unexpected(p, "expected with target path");
	if (p->s.tok != TOK_AS) {
		unexpected(p, "expected as keyword");
		return false;
	}
	scan(p);
	w->value = infix_call(p);
	w->loc = span(p, start, p->s.last_end);
	return w->value != NULL;
}

/* The with modifiers at hand, if any, onto `x`. */
static bool withs(struct parser *p, struct expr *x)
{
	uint32_t cap = 0;

	while (p->s.tok == TOK_WITH) {
		if (x->nwiths == cap) {
			cap = cap ? cap * 2 : 2;
			struct with *more =
				ARENA_ARRAY(p->arena, struct with, cap);

			if (x->nwiths)
				memcpy(more, x->withs,
					x->nwiths * sizeof(*more));
			x->withs = more;
		}
		if (!with(p, &x->withs[x->nwiths]))
			return false;
		x->nwiths++;
	}
	return true;
}

static struct expr *with_withs(struct parser *p, struct expr *x)
{
	return x && withs(p, x) ? x : NULL;
}

static bool call_has(const struct term *t, uint32_t args)
{
	return t->list.len == args + 1;
}

/* Would what follows be `x in xs` if `in` were a keyword? */
static bool is_future_membership(struct parser *p)
{
	struct excursion e;
	struct term *t;

	excursion_start(p, &e, p->lx.keywords | KW_FUTURE);
	t = infix_call(p);
	excursion_end(p, &e);
	p->s = e.s;
	return t &&
	       (calls_internal(t, "member_2") || calls_internal(t, "member_3"));
}

/* `some x in xs`; *done is false when it has to be `some x, y`. */
static struct expr *some_in(struct parser *p, struct loc at, bool *done)
{
	struct state s = p->s;
	struct expr *x;
	struct term *t;

	scan(p);
	t = infix_call(p);
	*done = t && t->kind == T_CALL;
	if (!*done) {
		p->s = s;
		return NULL;
	}
	bool pair = calls_internal(t, "member_3");

	if (!pair && !calls_internal(t, "member_2")) {
		unexpected(p, "expected `x in xs` or `x, y in xs` expression");
		return NULL;
	}
	if (!call_has(t, pair ? 3 : 2)) {
		unexpected(p, "illegal domain");
		return NULL;
	}
	x = expr_new(p, X_SOME);
	x->loc = at;
	x->some.symbols = arena_raw(p->arena, sizeof(struct term *));
	x->some.symbols[0] = t;
	x->some.len = 1;
	return with_withs(p, x);
}

static bool lacks_keyword(const struct parser *p)
{
	return p->version == REGO_V0 || p->version == REGO_V0_V1;
}

static struct expr *some(struct parser *p)
{
	struct loc at = here(p);
	uint32_t base = p->nstack;
	bool done;
	struct expr *x = some_in(p, at, &done);

	if (done)
		return x;
	if (lacks_keyword(p)) {
		struct state s = p->s;

		scan(p);
		bool would = is_future_membership(p);

		p->s = s;
		if (would)
			hint(p, "`import future.keywords.in` for `some x in "
				"xs` expressions");
	}
	do {
		scan(p);
		if (p->s.tok != TOK_IDENT) {
			unexpected(p, "expected var");
			p->nstack = base;
			return NULL;
		}
		push(p, var(p));
		scan(p);
	} while (p->s.tok == TOK_COMMA);
	struct term *list = list_term(p, T_ARRAY, base, at);

	x = expr_new(p, X_SOME);
	x->loc = at;
	x->some.symbols = list->list.items;
	x->some.len = list->list.len;
	return x;
}

/* The `x in xs` or `k, v in xs` of an every. */
static bool every_head(struct parser *p, struct expr *x, const struct term *t)
{
	bool pair = calls_internal(t, "member_3");

	if (!pair && !calls_internal(t, "member_2")) {
		unexpected(p, "expected `x[, y] in xs { ... }` expression");
		return false;
	}
	if (!call_has(t, pair ? 3 : 2)) {
		unexpected(p, "illegal domain");
		return false;
	}
	struct term **arg = t->list.items + 1;

	x->every.key = pair ? arg[0] : NULL;
	x->every.value = arg[pair];
	x->every.domain = arg[pair + 1];
	if (pair && x->every.key->kind != T_VAR) {
		unexpected(p, "expected key to be a variable");
		return false;
	}
	if (x->every.value->kind != T_VAR) {
		unexpected(p, "expected value to be a variable");
		return false;
	}
	return true;
}

static struct expr *every(struct parser *p)
{
	struct expr *x = expr_new(p, X_EVERY);
	struct term *t;

	x->loc = here(p);
	scan(p);
	t = infix_call(p);
	if (!t || !every_head(p, x, t))
		return NULL;
	if (p->s.tok != TOK_LBRACE) {
		unexpected(p, "missing body");
		return NULL;
	}
	scan(p);
	x->every.body = body_until(p, TOK_RBRACE);
	if (!x->every.body)
		return NULL;
	scan(p);
	return with_withs(p, x);
}

/* `every` as a plain name: would it be an expression as a keyword? */
static void hint_every(struct parser *p, const struct state *start)
{
	struct state now = p->s;
	struct excursion e;
	struct expr *x;

	p->s = *start;
	excursion_start(p, &e, p->lx.keywords | KW_FUTURE);
	x = every(p);
	excursion_end(p, &e);
	p->s = now;
	if (x)
		hint(p, "`import future.keywords.every` for `every x in xs { "
			"... }` expressions");
}

/* --- not, and, or (future.keywords, rego.v2) -------------------------- */

/* An operand of a logical operator: a body, braces and all. */
struct operand {
	struct body *body; /* NULL: there is none */
	bool braces;
	struct loc loc;
};

static bool at_logical(const struct parser *p)
{
	return p->s.tok == TOK_LOGICAL_AND || p->s.tok == TOK_LOGICAL_OR;
}

static bool logical_active(const struct parser *p)
{
	return p->lx.keywords & (KW_AND | KW_OR);
}

/* `at`, reaching up to the last token. */
static struct loc reaching(const struct parser *p, struct loc at)
{
	return span(p, at.off, p->s.last_end);
}

/* The value the leading { of a term opens: that of the first operand. */
static const struct term *brace_led(const struct term *t)
{
	while (t->kind == T_CALL) {
		const struct builtin *bi = called_builtin(t);

		if (!bi || !bi->infix || bi->arity < 0 ||
			!call_has(t, (uint32_t)bi->arity))
			break;
		t = t->list.items[1];
	}
	return t;
}

static void brace_led_operand(
	struct parser *p, struct loc at, const char *text, const char *op)
{
	hint(p, "wrap the operand to keep the value: `(%s) %s ...`", text, op);
	problem(p, at.off,
		"operand of `%s` cannot begin with `{` unless the braces hold "
		"a body",
		op);
}

static void with_on_operand(struct parser *p, struct loc at)
{
	const char *op = tok_info[p->s.tok].name;

	hint(p,
		"Wrap the operand in `(...)` or `{...}` to scope, or move "
		"`with` after the `%s` expression to apply it to the whole "
		"expression",
		op);
	problem(p, at.off, "`with` modifier is not allowed on operand of `%s`",
		op);
}

/*
 * { x | y }: as a body it holds a union, which looks like a comprehension.
 * The call or(x, y) and (x | y) don't.
 */
static bool is_union_body(const struct parser *p, const struct body *b)
{
	const struct expr *x = b->len ? b->items[0] : NULL;
	const char *text = p->lx.text;

	if (!x || x->kind != X_TERM || !calls(x->term, "or"))
		return false;
	const struct term *op = x->term->list.items[0];

	if (!op->loc.src || op->loc.len != 1 || text[op->loc.off] != '|')
		return false;
	return !x->loc.src || text[x->loc.off] != '(';
}

static void union_body(struct parser *p, uint32_t brace, const struct body *b,
	const char *prefix)
{
	const char *braces = source_text(p, brace, p->s.last_end);
	struct loc at = b->items[0]->loc;
	const char *set = braces;

	if (at.src && at.off > brace && at.off + at.len <= p->s.last_end)
		set = arena_printf(p->arena, "%s(%s)%s",
			source_text(p, brace, at.off),
			source_text(p, at.off, at.off + at.len),
			source_text(p, at.off + at.len, p->s.last_end));
	hint(p,
		"write `%s(%s)` for the comprehension, or `%s%s` for the set "
		"union",
		prefix, braces, prefix, set);
	problem(p, brace,
		"ambiguous `{ ... | ... }` operand: read as a body holding a "
		"set-union expression, not as a comprehension");
}

static struct expr *not_expr(
	struct parser *p, struct body *body, bool braces, struct loc at)
{
	struct expr *x = expr_new(p, X_NOT);

	x->body = body;
	x->braces = braces ? BRACES_LEFT : 0;
	x->loc = at;
	return x;
}

/* not { ... }, from the brace; `at` is the place of the not. */
static struct expr *not_body(struct parser *p, struct loc at)
{
	uint32_t brace = p->s.off;
	struct state s = p->s, failed;
	struct body *body;
	struct term *t;

	scan(p);
	bool empty = p->s.tok == TOK_RBRACE;

	body = body_until(p, TOK_RBRACE);
	if (body) {
		scan(p);
		if (is_union_body(p, body)) {
			union_body(p, brace, body, "not ");
			return NULL;
		}
		return not_expr(p, body, true, reaching(p, at));
	}
	if (empty)
		return NULL;
	/* Perhaps the braces hold a value: then say how to write that. */
	failed = p->s;
	p->s = s;
	t = infix_call(p);
	if (!t) {
		p->s = failed;
		return NULL;
	}
	const char *text = source_text(p, brace, p->s.last_end);

	hint(p,
		"write `not (%s)` to negate the value, or `not {%s}` for a "
		"body holding it",
		text, text);
	problem(p, brace,
		"`{...}` in an operand position must contain expression(s), "
		"got: %s",
		term_kind_name(brace_led(t)));
	return NULL;
}

/* The first void builtin of a body that does nothing but call some. */
static const char *void_calls(const struct body *b, struct loc *at)
{
	const char *name = NULL;

	for (uint32_t i = 0; i < b->len; i++) {
		const struct expr *x = b->items[i];
		const struct builtin *bi;

		if (x->negated || x->kind != X_TERM || x->term->kind != T_CALL)
			return NULL;
		bi = called_builtin(x->term);
		if (!bi || !(bi->flags & BF_VOID))
			return NULL;
		if (!name) {
			name = bi->name;
			*at = x->loc;
		}
	}
	return name;
}

static void check_void(struct parser *p, const struct body *b, const char *op)
{
	struct loc at = {0};
	const char *name = void_calls(b, &at);

	if (!name)
		return;
	hint(p,
		"`%s` produces no value and always succeeds, so the operand "
		"can never fail; move it out of the operand, or add an "
		"expression that can fail",
		name);
	problem(p, at.off,
		"operand of `%s` cannot consist only of calls to `%s`", op,
		name);
}

static struct operand logical_operand(struct parser *p, const char *op);

/* Fold one operator and its right side onto `lhs`. */
static struct operand fold(
	struct parser *p, uint8_t kind, struct operand lhs, struct operand rhs)
{
	const char *op = kind == X_AND ? "and" : "or";
	struct expr *x = expr_new(p, kind);
	struct operand out = {0};

	check_void(p, lhs.body, op);
	check_void(p, rhs.body, op);
	x->pair.left = lhs.body;
	x->pair.right = rhs.body;
	x->braces = (uint8_t)((lhs.braces ? BRACES_LEFT : 0) |
			      (rhs.braces ? BRACES_RIGHT : 0));
	x->loc = reaching(p, lhs.loc);
	out.body = body_of(p, x);
	out.loc = x->loc;
	return out;
}

/* `and`s from the left, as long as there are any. */
static struct operand and_chain(struct parser *p, struct operand lhs)
{
	uint32_t nesting = p->nesting;

	if (!lhs.body || p->s.tok != TOK_LOGICAL_AND)
		return lhs;
	if (!enter(p, 1))
		return (struct operand){0};
	while (lhs.body && p->s.tok == TOK_LOGICAL_AND) {
		struct operand rhs = {0};

		scan(p);
		if (nest(p))
			rhs = logical_operand(p, "and");
		lhs = rhs.body ? fold(p, X_AND, lhs, rhs) : rhs;
	}
	p->nesting = nesting;
	leave(p, 1);
	return lhs;
}

/* `and`s and `or`s from the left; `and` binds tighter. */
static struct expr *logical_chain(struct parser *p, struct operand lhs)
{
	uint32_t nesting = p->nesting;

	if (!enter(p, 1))
		return NULL;
	lhs = and_chain(p, lhs);
	while (lhs.body && p->s.tok == TOK_LOGICAL_OR) {
		struct operand rhs = {0};

		scan(p);
		if (nest(p))
			rhs = logical_operand(p, "or");
		rhs = and_chain(p, rhs);
		lhs = rhs.body ? fold(p, X_OR, lhs, rhs) : rhs;
	}
	p->nesting = nesting;
	leave(p, 1);
	return lhs.body ? lhs.body->items[0] : NULL;
}

/* What may follow a complete operand: a chain, and with modifiers. */
static struct expr *logical_tail(struct parser *p, struct operand lhs)
{
	struct expr *x = lhs.body->items[0];

	if (at_logical(p))
		x = logical_chain(p, lhs);
	return with_withs(p, x);
}

static bool is_logical_body(const struct body *b)
{
	return b->len == 1 &&
	       (b->items[0]->kind == X_AND || b->items[0]->kind == X_OR);
}

static bool is_negated_body(const struct body *b)
{
	return b->len == 1 &&
	       (b->items[0]->negated || b->items[0]->kind == X_NOT);
}

static bool close_group(struct parser *p)
{
	if (p->s.tok != TOK_RPAREN) {
		problem(p, p->s.off, "expected ) to close parenthesized group");
		return false;
	}
	scan(p);
	return true;
}

/* ({ body }) without and, or: the braces have to be a value. */
static bool is_braced_value(struct parser *p, const struct state *open,
	uint32_t brace, const char *prefix)
{
	const char *braces = source_text(p, brace, p->s.last_end);
	struct term *t;

	p->s = *open;
	scan(p);
	t = term(p);
	p->s = *open;
	if (t)
		return true;
	hint(p, "drop the parens to keep the body: `%s%s`", prefix, braces);
	problem(p, open->off,
		"`(...)` in an operand position cannot contain a body");
	return false;
}

/* (a with x): the modifier belongs to the only operand. */
static bool group_with(struct parser *p, struct operand lhs)
{
	struct loc at = here(p);

	if (!withs(p, lhs.body->items[0]))
		return false;
	if (at_logical(p)) {
		with_on_operand(p, at);
		return false;
	}
	return close_group(p);
}

/*
 * Parentheses that hold logical operators or negations, from the opening one.
 * False when they hold something else: the parser is where it was then.
 * `operand`: we are in operand position of and, or, not. `prefix` is "not "
 * behind a not, for hints.
 */
static bool group_inside(
	struct parser *p, bool operand, const char *prefix, struct operand *out)
{
	struct state open = p->s;
	struct loc at = here(p);
	struct operand lhs;
	struct expr *x;

	*out = (struct operand){0};
	scan(p);
	if (p->s.tok == TOK_RPAREN) {
		if (operand)
			problem(p, at.off, "empty parenthesized group");
		else
			p->s = open;
		return operand;
	}
	lhs = logical_operand(p, "");
	if (!lhs.body) {
		p->s = open;
		return false;
	}
	if (at_logical(p)) {
		x = with_withs(p, logical_chain(p, lhs));
		if (!x || !close_group(p))
			return true;
		out->body = body_of(p, x);
	} else if (p->s.tok == TOK_WITH && !lhs.braces && lhs.body->len == 1) {
		if (!group_with(p, lhs))
			return true;
		if (!operand && !at_logical(p)) {
			p->s = open;
			return false;
		}
		out->body = lhs.body;
	} else if (lhs.braces) {
		return !is_braced_value(p, &open, lhs.loc.off, prefix);
	} else if (is_logical_body(lhs.body) || is_negated_body(lhs.body)) {
		if (!close_group(p))
			return true;
		out->body = lhs.body;
	} else {
		p->s = open;
		return false;
	}
	out->loc = reaching(p, at);
	return true;
}

static bool logical_group(
	struct parser *p, bool operand, const char *prefix, struct operand *out)
{
	*out = (struct operand){0};
	if (!enter(p, 1))
		return true;
	bool is_group = true;

	if (nest(p)) {
		is_group = group_inside(p, operand, prefix, out);
		p->nesting--;
	}
	leave(p, 1);
	return is_group;
}

/* `not` as an operator, not as the head of a ref. */
static bool at_not(struct parser *p)
{
	if (p->s.tok != TOK_NOT)
		return false;
	uint8_t next = peek_space(p);

	return next != TOK_DOT && next != TOK_LBRACK;
}

/* { body } as an operand. `op` is "" where the reading is only tried. */
static struct operand braced_operand(struct parser *p, const char *op)
{
	struct operand out = {.braces = true, .loc = here(p)};
	uint32_t brace = p->s.off;
	struct state s = p->s, failed;

	scan(p);
	bool empty = p->s.tok == TOK_RBRACE;

	out.body = body_until(p, TOK_RBRACE);
	if (out.body) {
		scan(p);
		/* Where the reading is given up the error goes with it. */
		if (is_union_body(p, out.body))
			union_body(p, brace, out.body, "");
		return out;
	}
	if (empty || !*op)
		return out;
	failed = p->s;
	p->s = s;
	if (infix_call(p))
		brace_led_operand(
			p, out.loc, source_text(p, brace, p->s.last_end), op);
	else
		p->s = failed;
	return out;
}

/* A plain expression as an operand; `nots` is where its `not` stands. */
static struct operand plain_operand(
	struct parser *p, bool negated, struct loc nots)
{
	struct operand out = {0};
	uint32_t start = p->s.off;
	struct expr *x = expression(p);

	if (!x)
		return out;
	x->loc = span(p, start, p->s.last_end);
	if (negated && p->not_bodies)
		x = not_expr(p, body_of(p, x), false, reaching(p, nots));
	else
		x->negated = negated;
	out.body = body_of(p, x);
	out.loc = x->loc;
	return out;
}

static struct operand logical_operand(struct parser *p, const char *op)
{
	struct operand out = {0};
	struct loc nots = here(p);
	struct expr *x;

	if (p->s.tok == TOK_LBRACE)
		return braced_operand(p, op);
	bool negated = at_not(p);

	if (negated)
		scan(p);
	if (negated && p->not_bodies && p->s.tok == TOK_LBRACE) {
		x = not_body(p, nots);
		if (x) {
			out.body = body_of(p, x);
			out.loc = x->loc;
		}
		return out;
	}
	if (p->s.tok == TOK_LPAREN && logical_active(p) &&
		(!negated || p->not_bodies) &&
		logical_group(p, true, negated ? "not " : "", &out)) {
		if (out.body && negated) {
			x = not_expr(
				p, out.body, out.braces, reaching(p, nots));
			out = (struct operand){body_of(p, x), false, x->loc};
		}
		return out;
	}
	return plain_operand(p, negated, nots);
}

/* --- literals ------------------------------------------------------- */

static bool is_empty_object(const struct expr *x)
{
	return !x->nwiths && x->kind == X_TERM && x->term->kind == T_OBJECT &&
	       !x->term->list.len;
}

/* An expression that turned out to be the left side of and, or. */
static struct expr *chain_from(
	struct parser *p, struct expr *x, bool negated, struct loc with_at)
{
	if (with_at.src) {
		with_on_operand(p, with_at);
		return NULL;
	}
	if (!negated && p->lx.text[x->loc.off] == '{') {
		if (is_empty_object(x))
			problem(p, x->loc.off, "found empty body");
		else
			brace_led_operand(p, x->loc,
				source_text(
					p, x->loc.off, x->loc.off + x->loc.len),
				tok_info[p->s.tok].name);
		return NULL;
	}
	struct operand lhs = {body_of(p, x), false, x->loc};

	return with_withs(p, logical_chain(p, lhs));
}

/* not x as a node of its own; modifiers belong to the whole. */
static struct expr *negation(struct parser *p, struct expr *x, struct loc nots)
{
	struct expr * not ;
	struct with *ws = x->withs;
	uint32_t n = x->nwiths;

	x->withs = NULL;
	x->nwiths = 0;
	not = not_expr(p, body_of(p, x), false, reaching(p, nots));
	not ->withs = ws;
	not ->nwiths = n;
	return not ;
}

/* An expression with its modifiers, behind `not` when `negated`. */
static struct expr *plain_literal(
	struct parser *p, bool negated, struct loc nots)
{
	struct loc start = here(p), with_at = {0};
	bool may_be_every = lacks_keyword(p) && p->s.tok == TOK_IDENT;
	struct state s;
	struct operand group;
	struct expr *x;

	if (may_be_every)
		s = p->s;

	if (negated && p->not_bodies && p->s.tok == TOK_LPAREN &&
		logical_group(p, true, "not ", &group)) {
		if (!group.body)
			return NULL;
		x = not_expr(p, group.body, group.braces, reaching(p, nots));
		return logical_tail(
			p, (struct operand){body_of(p, x), false, x->loc});
	}
	x = expression(p);
	if (!x)
		return NULL;
	if (p->s.tok == TOK_WITH) {
		with_at = here(p);
		if (!withs(p, x))
			return NULL;
	}
	if (may_be_every && x->kind == X_TERM && is_name(x->term, "every"))
		hint_every(p, &s);
	if (negated && p->not_bodies)
		x = negation(p, x, nots);
	else
		x->negated = negated;
	if (!at_logical(p))
		return x;
	if (!x->loc.src)
		x->loc = span(p, start.off, p->s.last_end);
	return chain_from(p, x, negated, with_at);
}

/*
 * { body } and ..., tried where a literal begins with a brace. NULL with
 * *done false when it is no operand.
 */
static struct expr *braced_chain(struct parser *p, bool *done)
{
	struct state s = p->s;
	uint32_t memo = p->memo.len;
	struct operand lhs = {.braces = true, .loc = here(p)};

	scan(p);
	lhs.body = body_until(p, TOK_RBRACE);
	if (lhs.body)
		scan(p);
	*done = lhs.body && at_logical(p);
	if (!*done) {
		p->s = s;
		p->memo.len = memo < p->memo.len ? memo : p->memo.len;
		return NULL;
	}
	if (is_union_body(p, lhs.body)) {
		union_body(p, s.off, lhs.body, "");
		return NULL;
	}
	return with_withs(p, logical_chain(p, lhs));
}

static struct expr *literal_inside(struct parser *p)
{
	struct loc nots = here(p);
	struct operand group;
	bool negated, done;
	struct expr *x;

	if (p->s.tok == TOK_LBRACE && logical_active(p)) {
		x = braced_chain(p, &done);
		if (done)
			return x;
	}
	if (p->s.tok == TOK_LPAREN && logical_active(p) &&
		logical_group(p, false, "", &group))
		return group.body ? logical_tail(p, group) : NULL;
	if (keyword_as_name(p))
		return plain_literal(p, false, (struct loc){0});
	negated = at_not(p);
	if (negated)
		scan(p);
	if (negated && p->not_bodies && p->s.tok == TOK_LBRACE) {
		x = not_body(p, nots);
		if (!x)
			return NULL;
		return logical_tail(
			p, (struct operand){body_of(p, x), false, x->loc});
	}
	if (p->s.tok != TOK_SOME && p->s.tok != TOK_EVERY)
		return plain_literal(p, negated, nots);
	if (negated) {
		unexpected(
			p, "illegal negation of '%s'", tok_info[p->s.tok].name);
		return NULL;
	}
	return p->s.tok == TOK_SOME ? some(p) : every(p);
}

/* One statement of a body. */
static struct expr *literal(struct parser *p)
{
	uint32_t start = p->s.off;
	struct expr *x;

	x = literal_inside(p);
	if (!x)
		return NULL;
	x->loc = span(p, start, p->s.last_end);
	if (x->kind == X_NOT && !(x->braces & BRACES_LEFT))
		for (uint32_t i = 0; i < x->body->len; i++)
			x->body->items[i]->loc = x->loc;
	return x;
}

/* A word that is an infix keyword after an import, which is missing. */
static void hint_infix_keyword(struct parser *p)
{
	/* clang-format off */
	static const char *const uses[][2] = {
		{"in", "x in xs"}, {"and", "x and y"}, {"or", "x or y"},
	};
	/* clang-format on */
	struct str word = str_make(p->lx.text + p->s.off, p->s.end - p->s.off);
	size_t use = COUNT(uses);

	if (p->s.hints)
		return;
	if (p->s.tok == TOK_IDENT) {
		for (size_t i = 0; i < COUNT(uses); i++)
			if (str_is(word, uses[i][0]))
				use = i;
	} else if (p->s.tok == TOK_COMMA) {
		struct state s = p->s;

		scan(p);
		if (is_future_membership(p))
			use = 0;
		p->s = s;
	}
	if (use < COUNT(uses))
		hint(p, "`import future.keywords.%s` for `%s` expressions",
			uses[use][0], uses[use][1]);
}

/*
 * Statements up to `end`, by ; or line ends apart. `one_line`: the query
 * ends where no ; follows.
 */
static struct body *query(struct parser *p, bool one_line, uint8_t end)
{
	struct body *b;

	if (p->s.tok == end) {
		problem(p, p->s.off, "found empty body");
		return NULL;
	}
	b = ARENA_NEW(p->arena, struct body);
	for (;;) {
		struct expr *x = literal(p);

		if (!x)
			return NULL;
		append(p, b, x);
		if (p->s.tok == TOK_SEMICOLON) {
			scan(p);
			continue;
		}
		if (p->s.tok == end || one_line)
			return b;
		if (p->s.newline)
			continue;
		if (!p->s.problems) {
			hint_infix_keyword(p);
			unexpected(p, "expected \\n or ; or %s",
				tok_info[end].name);
		}
		return NULL;
	}
}

static struct body *body_until(struct parser *p, uint8_t end)
{
	struct body *b;

	if (!enter(p, 1))
		return NULL;
	b = NULL;
	if (nest(p)) {
		b = query(p, false, end);
		p->nesting--;
	}
	leave(p, 1);
	return b;
}

/* --- packages and imports -------------------------------------------- */

/*
 * Behind `package` or `import`: false when the word is the head of a ref
 * (*is_ref) or no path follows.
 */
static bool path_follows(struct parser *p, bool *is_ref)
{
	scan_space(p);
	*is_ref = p->s.tok == TOK_DOT || p->s.tok == TOK_LBRACK;
	if (*is_ref)
		return false;
	if (p->s.tok == TOK_SPACE)
		scan(p);
	if (name_or_keyword(p))
		return true;
	unexpected_token(p);
	return false;
}

static bool only_strings(struct parser *p, const struct term *ref)
{
	for (uint32_t i = 1; i < ref->list.len; i++) {
		const struct term *t = ref->list.items[i];

		if (t->kind == T_SCALAR && t->val.tag == V_STR)
			continue;
		problem(p, t->loc.off, "unexpected %s token: expecting string",
			term_kind_name(t));
		return false;
	}
	return true;
}

/* data. in front of what was written. */
static struct term *package_path(struct parser *p, struct term *t)
{
	uint32_t base = p->nstack;
	struct term *head = t->kind == T_REF ? t->list.items[0] : t;

	if (t->kind != T_REF && t->kind != T_VAR) {
		unexpected_token(p);
		return NULL;
	}
	if (head->kind != T_VAR) {
		problem(p, head->loc.off, "unexpected %s token: expecting var",
			term_kind_name(head));
		return NULL;
	}
	if (t->kind == T_REF && !only_strings(p, t))
		return NULL;
	push(p, var_named(p, p->data, head->loc));
	push(p, scalar(p,
			sym_intern(p->syms, head->var.name->bytes,
				head->var.name->len),
			head->loc));
	for (uint32_t i = 1; t->kind == T_REF && i < t->list.len; i++)
		push(p, t->list.items[i]);
	return list_term(p, T_REF, base, t->loc);
}

struct package {
	struct term *path;
	struct loc loc;
};

static bool package(struct parser *p, struct package *pkg)
{
	bool is_ref;
	struct term *t;

	pkg->loc = here(p);
	if (!path_follows(p, &is_ref))
		return false;
	t = term(p);
	pkg->path = t ? package_path(p, t) : NULL;
	if (!pkg->path && !p->s.problems)
		problem(p, p->s.off, "expected path");
	return pkg->path != NULL;
}

/* Without the words of later versions, so that these can be imported. */
static struct term *import_path(struct parser *p)
{
	struct excursion e;
	struct term *t;

	excursion_start(p, &e, p->lx.keywords & ~(uint32_t)KW_FUTURE);
	t = term(p);
	excursion_end(p, &e);
	return t;
}

static bool is_keyword_of(const struct parser *p, const struct string *s)
{
	uint8_t tok = lex_word(s->bytes, s->len, p->ref_keywords);

	return s->len > 1 && tok != TOK_IDENT;
}

static bool import_alias(struct parser *p, struct import *imp)
{
	struct term *t;

	scan(p);
	if (p->s.tok != TOK_IDENT) {
		unexpected(p, "expected var");
		return false;
	}
	t = term(p);
	if (t && t->kind == T_VAR) {
		imp->alias = t->var.name;
		imp->alias_loc = t->loc;
		return true;
	}
	if (t && t->kind == T_REF && t->list.len == 1 &&
		is_root(p, t->list.items[0])) {
		problem(p, t->loc.off,
			"unexpected import alias, must not be a reserved "
			"name, got: %s",
			t->list.items[0]->var.name->bytes);
		return false;
	}
	unexpected(p, "expected var");
	return false;
}

/* The last step of a path is a name in the module: no keyword then. */
static void check_import_name(struct parser *p, const struct term *path)
{
	const struct term *head = path->list.items[0];
	const struct term *last = path->list.items[path->list.len - 1];
	const struct string *name;

	if (path->list.len > 1 && is_name(head, "future"))
		return;
	name = path->list.len == 1 ? last->var.name : last->val.str;
	if (!is_keyword_of(p, name))
		return;
	hint(p, "import a different path or use an alias");
	problem(p, last->loc.off,
		"unexpected import path, must not end with a keyword, got: %s",
		name->bytes);
}

static struct import *import(struct parser *p)
{
	struct import *imp = ARENA_NEW(p->arena, struct import);
	bool is_ref;
	struct term *t;

	imp->loc = here(p);
	if (!path_follows(p, &is_ref))
		return NULL;
	t = import_path(p);
	if (t && t->kind == T_VAR)
		t = ref_of(p, t);
	if (t && t->kind == T_REF) {
		if (!only_strings(p, t))
			return NULL;
		imp->path = t;
	}
	if (!imp->path) {
		problem(p, p->s.off, "expected path");
		return NULL;
	}
	const struct term *head = t->list.items[0];

	if (!is_root(p, head) && !is_name(head, "future") &&
		!is_name(head, "rego")) {
		hint(p, "if this is unexpected, try updating OPA");
		problem(p, t->loc.off,
			"unexpected import path, must begin with one of: "
			"{data, future, input, rego}, got: %s",
			text_of(p, head));
		return NULL;
	}
	if (p->s.tok == TOK_AS)
		return import_alias(p, imp) ? imp : NULL;
	check_import_name(p, t);
	return imp;
}

static void add_keywords(struct parser *p, uint32_t keywords)
{
	if (keywords & KW_EVERY)
		keywords |= KW_IN;
	if (keywords & KW_NOT)
		p->not_bodies = true;
	p->lx.keywords |= keywords;
}

/* import future.keywords and import future.keywords.x */
static void future_import(struct parser *p, const struct import *imp)
{
	const struct term *path = imp->path;
	uint32_t steps = path->list.len, keyword = KW_FUTURE;

	if (steps == 1 || !is_text(path->list.items[1], "keywords")) {
		problem(p, path->loc.off,
			"invalid import, must be `future.keywords`");
		return;
	}
	if (imp->alias) {
		problem(p, imp->alias_loc.off,
			"`future` imports cannot be aliased");
		return;
	}
	if (steps == 3) {
		const struct string *s = path->list.items[2]->val.str;
		uint8_t tok = s->len ? lex_word(s->bytes, s->len, KW_FUTURE)
				     : TOK_IDENT;

		keyword = tok_info[tok].keyword & KW_FUTURE;
		if (!keyword) {
			problem(p, path->loc.off,
				"unexpected keyword, must be one of [and "
				"contains every if in not or]");
			return;
		}
	}
	add_keywords(p, keyword);
}

/* import rego.v1 and import rego.v2 */
static void rego_import(struct parser *p, const struct import *imp)
{
	const struct term *path = imp->path;
	bool two = path->list.len == 2;
	bool v1 = two && is_text(path->list.items[1], "v1");
	bool v2 = two && is_text(path->list.items[1], "v2");

	if (!v1 && !v2) {
		problem(p, path->loc.off,
			"invalid import `%s`, must be one of: `rego.v1`, "
			"`rego.v2`",
			text_of(p, path));
		return;
	}
	if (imp->alias) {
		problem(p, imp->alias_loc.off,
			"`rego` imports cannot be aliased");
		return;
	}
	if (v1 && p->version != REGO_V1)
		add_keywords(p, KW_V0_FUTURE);
	if (v2 && p->version != REGO_V2)
		add_keywords(p, KW_FUTURE);
}

/*
 * The token behind an import was read before its keywords were known: look at
 * it again.
 */
static void reread_word(struct parser *p)
{
	if (p->s.tok == TOK_IDENT)
		p->s.tok = lex_word(p->lx.text + p->s.off, p->s.end - p->s.off,
			p->lx.keywords & KW_FUTURE);
}

/* --- rules ---------------------------------------------------------- */

/* Report an operator that touches the name in front of it. */
static bool is_operator(uint8_t tok)
{
	return tok_info[tok].level > 0;
}

/* The name at hand with what may follow it in a head: steps, arguments. */
static struct term *head_name(struct parser *p)
{
	struct term *t = var(p);

	scan_space(p);
	if (is_operator(p->s.tok))
		unexpected_token(p);
	if (p->s.tok == TOK_SPACE)
		scan(p);
	if (at_ref_step(p))
		return ref_steps(p, t);
	return name_alone(p, t);
}

/* The parts of a head, out of the term it was read as. */
static bool set_head_name(struct parser *p, struct head *h, struct term *t)
{
	h->ref = t;
	if (t->kind == T_VAR)
		h->ref = ref_of(p, t);
	if (t->kind != T_CALL)
		return h->ref->kind == T_REF;
	h->ref = t->list.items[0];
	h->args = t->list.items + 1;
	h->nargs = t->list.len - 1;
	h->is_func = true;
	if (h->ref->list.items[0]->kind == T_VAR)
		return true;
	unexpected(p, "rule head ref %s invalid", text_of(p, h->ref));
	return false;
}

static void missing_value(
	struct parser *p, const struct head *h, bool is_default)
{
	const char *name = text_of(p, h->ref);

	if (h->nargs)
		unexpected(p,
			"expected function value term (e.g., %s(...) := "
			"<VALUE> { ... })",
			name);
	else if (is_default)
		unexpected(p,
			"expected default rule value term (e.g., default "
			"%s := <VALUE>)",
			name);
	else
		unexpected(p,
			"expected rule value term (e.g., %s := <VALUE> { "
			"... })",
			name);
}

static void contains_key(struct parser *p, struct head *h)
{
	const char *use = "contains <VALUE> { ... }";

	h->contains = true;
	if (h->is_func)
		unexpected(p,
			"the contains keyword can only be used with "
			"multi-value rule definitions (e.g., %s %s)",
			text_of(p, h->ref), use);
	scan(p);
	h->key = infix_call(p);
	if (!h->key)
		unexpected(p, "expected rule key term (e.g., %s %s)",
			text_of(p, h->ref), use);
}

/* Name, arguments, key or value of a rule. */
static bool rule_head(struct parser *p, struct parsed_rule *r)
{
	struct head *h = &r->rule.head;
	uint32_t start = p->s.off;
	struct term *t = head_name(p);

	if (!t) {
		unexpected(p, "expected rule head name");
		return false;
	}
	if (!set_head_name(p, h, t))
		return false;
	switch (p->s.tok) {
	case TOK_CONTAINS:
		contains_key(p, h);
		break;
	case TOK_UNIFY:
		scan(p);
		h->value = infix_call(p);
		if (!h->value)
			unexpected(p,
				"expected rule value term (e.g., %s[%s] "
				"= <VALUE> { ... })",
				text_of(p, h->ref), "<nil>");
		break;
	case TOK_ASSIGN:
		scan(p);
		h->assign = true;
		h->value = infix_call(p);
		if (!h->value)
			missing_value(p, h, r->rule.is_default);
		break;
	default:
		break;
	}
	h->loc = span(p, start, p->s.last_end);
	if (!h->value && !h->contains && (h->ref->list.len != 2 || h->nargs)) {
		r->made_value = true;
		h->value = scalar(p, v_true, (struct loc){0});
	}
	return true;
}

/* A default value has to be a constant, but for what comprehensions hold. */
static bool default_value(struct parser *p, uint32_t at, const struct term *t);

static bool default_values(
	struct parser *p, uint32_t at, struct term *const *items, uint32_t n)
{
	bool ok = true;

	for (uint32_t i = 0; i < n; i++)
		ok &= default_value(p, at, items[i]);
	return ok;
}

static bool default_template(
	struct parser *p, uint32_t at, const struct tmpl *t)
{
	bool ok = true;

	for (uint32_t i = 0; i < t->len; i++) {
		const struct expr *x = t->parts[i].expr;

		if (!x || x->kind != X_TERM)
			continue;
		if (x->term->kind == T_CALL)
			ok &= default_values(
				p, at, x->term->list.items, x->term->list.len);
		else
			ok &= default_value(p, at, x->term);
		for (uint32_t j = 0; j < x->nwiths; j++) {
			ok &= default_value(p, at, x->withs[j].target);
			ok &= default_value(p, at, x->withs[j].value);
		}
	}
	return ok;
}

static bool default_value(struct parser *p, uint32_t at, const struct term *t)
{
	switch (t->kind) {
	case T_REF:
	case T_VAR:
	case T_CALL:
		problem(p, at, "illegal default rule (value cannot contain %s)",
			term_kind_name(t));
		return false;
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
		return default_values(p, at, t->list.items, t->list.len);
	case T_TEMPLATE:
		return default_template(p, at, t->tmpl);
	default:
		return true;
	}
}

/* Arguments of a default function: variables, each once. */
static bool default_args(struct parser *p, const struct parsed_rule *r)
{
	const struct head *h = &r->rule.head;
	uint32_t at = r->rule.loc.off;
	bool ok = true;

	for (uint32_t i = 0; i < h->nargs; i++) {
		const struct term *t = h->args[i];

		if (t->kind != T_VAR) {
			problem(p, at,
				"illegal default rule (arguments cannot "
				"contain %s)",
				term_kind_name(t));
			ok = false;
			continue;
		}
		for (uint32_t j = 0; j < i; j++) {
			if (term_cmp(h->args[j], t) != 0)
				continue;
			problem(p, at,
				"illegal default rule (arguments cannot be "
				"repeated %s)",
				t->var.name->bytes);
			ok = false;
			break;
		}
	}
	return ok;
}

static bool default_rule(struct parser *p, struct parsed_rule *r)
{
	if (!r->rule.head.value) {
		problem(p, r->rule.loc.off,
			"illegal default rule (must have a value)");
		return false;
	}
	if (!default_value(p, r->rule.loc.off, r->rule.head.value))
		return false;
	if (!default_args(p, r))
		return false;
	r->rule.body = true_body(p, r->rule.loc);
	return true;
}

static bool is_ground(const struct term *t)
{
	switch (t->kind) {
	case T_SCALAR:
		return true;
	case T_REF:
	case T_ARRAY:
	case T_SET:
	case T_OBJECT:
	case T_CALL:
		for (uint32_t i = t->kind == T_REF; i < t->list.len; i++)
			if (!is_ground(t->list.items[i]))
				return false;
		return true;
	default:
		return false;
	}
}

/*
 * A head of two steps: p[x] without `if` or `contains` is v0's way to write a
 * set, and with a value or `if` it is one document a key.
 */
static bool two_steps(struct parser *p, struct parsed_rule *r, bool has_if)
{
	struct head *h = &r->rule.head;
	const struct term *step;

	if (h->contains || h->ref->list.len != 2 || (h->nargs && !has_if))
		return true;
	step = h->ref->list.items[1];
	if (!h->nargs)
		r->keyed = !has_if || !is_ground(step) || step->kind == T_REF;
	if (h->value || has_if) {
		if (!h->value) {
			r->made_value = true;
			h->value = scalar(p, v_true, h->loc);
		}
		return h->ref->list.items[0]->kind == T_VAR || r->made_value;
	}
	if (h->ref->list.items[0]->kind != T_VAR)
		return false;
	h->key = h->ref->list.items[1];
	h->ref = ref_of(p, h->ref->list.items[0]);
	return true;
}

/*
 * What { ... } behind `if` is when it is read as a literal, like the left side
 * of {"a": 1} == x. NULL: it has to be a body. Most often it is one, so the
 * first try is a guess without the work of reporting errors; it is made again
 * when they could matter.
 */
static struct expr *brace_literal(struct parser *p)
{
	struct state s = p->s;
	struct expr *x;

	p->quiet = true;
	x = literal(p);
	p->quiet = false;
	p->memo.len = 0; /* it knows of failures, not of their reasons */
	if (!x || (x->kind == X_TERM && x->term->kind == T_SET))
		return NULL;
	p->s = s;
	return literal(p);
}

/* What stands behind `if`: a literal, or { body }. */
static struct body *if_body(struct parser *p)
{
	struct state s = p->s;
	struct expr *x;
	struct body *b;

	if (s.tok != TOK_LBRACE) {
		x = literal(p);
		return x ? body_of(p, x) : NULL;
	}
	x = brace_literal(p);
	if (x)
		return body_of(p, x);
	p->s = s;
	scan(p);
	b = body_until(p, TOK_RBRACE);
	if (b)
		scan(p);
	return b;
}

/* { body } */
static struct body *braced_body(struct parser *p)
{
	struct body *b;

	scan(p);
	b = body_until(p, TOK_RBRACE);
	if (b)
		scan(p);
	return b;
}

/* The value and the beginning of one else; the parser stays at its body. */
static bool else_head(struct parser *p, struct parsed_rule *e)
{
	struct head *h = &e->rule.head;

	h->loc = here(p);
	scan(p);
	switch (p->s.tok) {
	case TOK_LBRACE:
	case TOK_IF:
		e->made_value = true;
		h->value = scalar(p, v_true, (struct loc){0});
		return true;
	case TOK_ASSIGN:
	case TOK_UNIFY:
		h->assign = p->s.tok == TOK_ASSIGN;
		scan(p);
		h->value = infix_call(p);
		h->loc = reaching(p, h->loc);
		return h->value != NULL;
	default:
		unexpected(p, "expected else value term or rule body");
		return false;
	}
}

static bool else_body(struct parser *p, struct parsed_rule *e)
{
	struct expr *x;

	e->has_if = p->s.tok == TOK_IF;
	if (!e->has_if && p->s.tok != TOK_LBRACE) {
		e->made_body = true;
		e->rule.body = true_body(p, e->rule.loc);
		return true;
	}
	if (e->has_if)
		scan(p);
	if (p->s.tok == TOK_LBRACE) {
		e->rule.body = braced_body(p);
		return e->rule.body != NULL;
	}
	if (p->s.tok == TOK_EOF) {
		unexpected(p, "rule body expected");
		return false;
	}
	x = literal(p);
	if (!x)
		return false;
	/* OPA gives everything in such a body the place of the else. */
	e->rule.body = body_of(p, x);
	expr_move(x, e->rule.loc);
	e->rule.body->loc = e->rule.loc;
	return true;
}

/* The chain of else branches from the one at hand on. */
static bool elses(struct parser *p, struct parsed_rule *r)
{
	struct rule *last = &r->rule;

	while (p->s.tok == TOK_ELSE) {
		struct parsed_rule *e = ARENA_NEW(p->arena, struct parsed_rule);

		e->rule.loc = here(p);
		e->rule.head.assign = r->rule.head.assign;
		if (!else_head(p, e) || !else_body(p, e))
			return false;
		e->rule.head.value_implied = e->made_value;
		e->rule.generated_body = e->made_body;
		e->rule.prev_else = last;
		last->els = &e->rule;
		last = &e->rule;
	}
	for (; last != &r->rule; last = last->prev_else)
		last->loc.len = p->s.last_end - last->loc.off;
	return true;
}

static bool allows_else(struct parser *p, const struct parsed_rule *r)
{
	const struct head *h = &r->rule.head;

	if (h->ref->list.len > 1 && !is_ground(h->ref)) {
		problem(p, p->s.off,
			"else keyword cannot be used on rules with variables "
			"in head");
		return false;
	}
	if (h->key || r->keyed) {
		problem(p, p->s.off,
			"else keyword cannot be used on multi-value rules");
		return false;
	}
	return true;
}

struct rules {
	struct parsed_rule **items;
	uint32_t len, cap;
};

static void add_rule(struct parser *p, struct rules *rs, struct parsed_rule *r)
{
	if (rs->len == rs->cap) {
		uint32_t cap = rs->cap ? rs->cap * 2 : 2;
		struct parsed_rule **more =
			arena_raw(p->arena, cap * sizeof(*more));

		if (rs->len)
			memcpy(more, rs->items, rs->len * sizeof(*more));
		rs->items = more;
		rs->cap = cap;
	}
	rs->items[rs->len++] = r;
}

/*
 * { body } behind a body, as v0 allows: a rule with the same head, which
 * stands where its body does.
 */
static struct parsed_rule *chained_rule(
	struct parser *p, const struct parsed_rule *first)
{
	struct parsed_rule *r = ARENA_NEW(p->arena, struct parsed_rule);
	const struct head *from = &first->rule.head;
	struct head *h = &r->rule.head;
	struct loc at = here(p);

	r->has_if = first->has_if;
	r->made_value = first->made_value;
	r->rule.body = braced_body(p);
	if (!r->rule.body)
		return NULL;
	at = reaching(p, at);
	r->rule.loc = at;
	*h = *from;
	h->loc = at;
	h->ref = term_copy(p->arena, from->ref, (struct loc){0});
	if (from->nargs)
		h->args = ARENA_ARRAY(p->arena, struct term *, from->nargs);
	for (uint32_t i = 0; i < from->nargs; i++)
		h->args[i] = term_copy(p->arena, from->args[i], at);
	if (from->key)
		h->key = term_copy(p->arena, from->key, at);
	if (from->value)
		h->value = term_copy(p->arena, from->value, at);
	return r;
}

static bool chained_rules(struct parser *p, struct rules *out)
{
	struct parsed_rule *first = out->items[0];

	while (p->s.tok == TOK_LBRACE) {
		struct parsed_rule *r;

		if (first->rule.els) {
			problem(p, p->s.off, "expected else keyword");
			return false;
		}
		r = chained_rule(p, first);
		if (!r)
			return false;
		add_rule(p, out, r);
	}
	return true;
}

static bool keyword_rule_name(struct parser *p, bool is_default);

/*
 * A rule, with the rules chained to it. False when there is none here, or it
 * is broken; a rule without a body (p := 1) is read as a query, and turned
 * into one later.
 */
static bool rule(struct parser *p, struct rules *out)
{
	struct parsed_rule *r = ARENA_NEW(p->arena, struct parsed_rule);
	struct head *h = &r->rule.head;

	r->rule.loc = here(p);
	keyword_as_name(p);
	if (p->s.tok == TOK_DEFAULT) {
		scan(p);
		r->rule.is_default = true;
		keyword_as_name(p);
	}
	if (p->s.tok != TOK_IDENT) {
		if (r->rule.is_default)
			keyword_rule_name(p, true);
		return false;
	}
	if (!rule_head(p, r))
		return false;
	add_rule(p, out, r);
	if (r->rule.is_default)
		return default_rule(p, r);
	r->has_if = p->s.tok == TOK_IF;
	if (!two_steps(p, r, r->has_if))
		return false;
	if (r->has_if) {
		scan(p);
		r->rule.body = if_body(p);
	} else if (p->s.tok == TOK_LBRACE) {
		r->rule.body = braced_body(p);
	} else if (h->contains) {
		r->rule.body = true_body(p, r->rule.loc);
		r->made_body = true;
		r->rule.loc = h->loc;
		return true;
	}
	if (!r->rule.body)
		return false;
	/* `else` in front of . or [ is the name of another rule. */
	if (p->s.tok == TOK_ELSE && !keyword_as_name(p) &&
		(!allows_else(p, r) || !elses(p, r)))
		return false;
	r->rule.loc.len = p->s.last_end - r->rule.loc.off;
	return chained_rules(p, out);
}

/* --- statements ------------------------------------------------------ */

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

static void add_stmt(struct parser *p, struct stmts *all, struct stmt s)
{
	if (all->len == all->cap) {
		uint32_t cap = all->cap ? all->cap * 2 : 32;
		struct stmt *more = arena_raw(p->arena, cap * sizeof(*more));

		if (all->len)
			memcpy(more, all->items, all->len * sizeof(*more));
		all->items = more;
		all->cap = cap;
	}
	all->items[all->len++] = s;
}

/*
 * Is the keyword at hand followed by what makes it the name of a rule? Some
 * have uses of their own in front of ( or a name.
 */
static bool follows_rule_name(uint8_t keyword, uint8_t next)
{
	bool value = next == TOK_ASSIGN || next == TOK_UNIFY;
	bool head = next == TOK_IF || next == TOK_CONTAINS;

	switch (keyword) {
	case TOK_EVERY:
	case TOK_IF:
	case TOK_IN:
	case TOK_SOME:
	case TOK_AS:
		return value || head || next == TOK_LPAREN;
	case TOK_PACKAGE:
	case TOK_IMPORT:
		return value || next == TOK_LPAREN;
	case TOK_NOT:
	case TOK_LOGICAL_AND:
	case TOK_LOGICAL_OR:
		return value || head;
	case TOK_CONTAINS:
		return head;
	default:
		return false;
	}
}

static bool can_name_rule(uint8_t keyword)
{
	return follows_rule_name(keyword, TOK_UNIFY) ||
	       follows_rule_name(keyword, TOK_IF);
}

/* Report a keyword as the name of a rule, and say whether it was one. */
static bool keyword_rule_name(struct parser *p, bool is_default)
{
	uint8_t keyword = p->s.tok;

	if (!can_name_rule(keyword))
		return false;
	if (!is_default) {
		struct state s = p->s;

		scan(p);
		uint8_t next = p->s.tok;

		p->s = s;
		if (!follows_rule_name(keyword, next))
			return false;
	}
	problem(p, p->s.off, "%s keyword cannot be used for rule name",
		tok_info[keyword].name);
	return true;
}

static bool package_stmt(struct parser *p, struct stmts *all)
{
	struct stmt s = {.kind = S_PACKAGE};

	if (!package(p, &s.package))
		return false;
	if (p->s.tok == TOK_SUB) {
		/* Not the sign of a number in the next statement. */
		unexpected_token(p);
		return false;
	}
	s.loc = s.package.loc;
	add_stmt(p, all, s);
	return true;
}

static bool import_stmt(struct parser *p, struct stmts *all)
{
	struct stmt s = {.kind = S_IMPORT, .import = import(p)};

	if (!s.import)
		return false;
	if (p->s.tok == TOK_SUB) {
		unexpected_token(p);
		return false;
	}
	const struct term *head = s.import->path->list.items[0];
	bool rego = is_name(head, "rego");

	if (rego)
		rego_import(p, s.import);
	else if (is_name(head, "future"))
		future_import(p, s.import);
	if (rego || is_name(head, "future"))
		reread_word(p);
	s.loc = s.import->loc;
	add_stmt(p, all, s);
	return true;
}

static bool rule_stmt(struct parser *p, struct stmts *all)
{
	struct rules rs = {0};

	if (!rule(p, &rs))
		return false;
	for (uint32_t i = 0; i < rs.len; i++) {
		struct parsed_rule *r = rs.items[i];

		r->rule.head.value_implied = r->made_value;
		r->rule.generated_body = r->made_body || r->rule.is_default;
		add_stmt(p, all,
			(struct stmt){
				.kind = S_RULE, .loc = r->rule.loc, .rule = r});
	}
	return true;
}

/*
 * Try one kind of statement. *stop when it is broken; nothing happened when
 * it is something else.
 */
static bool try_stmt(struct parser *p, struct stmts *all,
	bool (*read)(struct parser *, struct stmts *), bool *stop)
{
	struct state s = p->s;

	if (read(p, all))
		return true;
	*stop = p->s.problems != NULL;
	p->nstack = 0;
	if (!*stop)
		p->s = s;
	return false;
}

/* One statement; false at the end and after an error. */
static bool statement(struct parser *p, struct stmts *all, bool rules)
{
	bool stop = false;
	struct body *b;

	p->memo.len = 0; /* nothing goes back further than this */
	if (p->s.tok == TOK_EOF)
		return false;
	if (rules && keyword_rule_name(p, false))
		return false;
	if (p->s.tok == TOK_PACKAGE && try_stmt(p, all, package_stmt, &stop))
		return true;
	if (!stop && p->s.tok == TOK_IMPORT &&
		try_stmt(p, all, import_stmt, &stop))
		return true;
	if (!stop && rules && try_stmt(p, all, rule_stmt, &stop))
		return true;
	if (stop)
		return false;
	b = query(p, true, TOK_EOF);
	if (!b)
		return false;
	add_stmt(p, all,
		(struct stmt){
			.kind = S_BODY, .loc = b->items[0]->loc, .body = b});
	return true;
}

/* --- rules out of queries -------------------------------------------- */

/* How a query without a body of its own fails to be a rule, or NULL. */
static const char *head_error(struct parser *p, const struct term *ref)
{
	if (ref->list.items[0]->kind == T_VAR)
		return NULL;
	return arena_printf(p->arena, "invalid rule head: %s", text_of(p, ref));
}

static const char *name_error(struct parser *p, const struct term *t)
{
	return arena_printf(
		p->arena, "%s cannot be used for rule name", term_kind_name(t));
}

/* p.q.r, p[x]: true, or in v0 a set. */
static const char *rule_from_ref(
	struct parser *p, struct parsed_rule *r, struct term *t)
{
	struct head *h = &r->rule.head;
	const char *why;

	if (t->list.len == 1)
		return "refs cannot be used for rule head";
	why = head_error(p, t);
	if (why)
		return why;
	h->ref = t;
	if (t->list.len == 2) {
		h->ref = ref_of(p, t->list.items[0]);
		h->key = t->list.items[1];
	} else {
		h->value = scalar(p, v_true, t->loc);
		r->made_value = true;
	}
	h->loc = r->rule.loc = t->loc;
	r->rule.body = true_body(p, t->loc);
	return NULL;
}

/* f(x) := y, p := y, p[x] = y */
static const char *rule_from_equation(
	struct parser *p, struct parsed_rule *r, const struct expr *x)
{
	struct head *h = &r->rule.head;
	struct term *call_term = x->term, *lhs;
	const char *why = NULL;

	if (call_term->list.len < 3)
		return "assignment requires two operands";
	lhs = call_term->list.items[1];
	h->value = call_term->list.items[2];
	h->assign = calls(call_term, "assign");
	if (lhs->kind == T_VAR) {
		h->ref = ref_of(p, lhs);
	} else if (lhs->kind == T_REF) {
		h->ref = lhs;
		why = head_error(p, lhs);
	} else if (lhs->kind == T_CALL && lhs->list.items[0]->kind == T_REF &&
		   !head_error(p, lhs->list.items[0])) {
		h->ref = lhs->list.items[0];
		h->args = lhs->list.items + 1;
		h->nargs = lhs->list.len - 1;
		h->is_func = true;
	} else {
		why = name_error(p, lhs);
	}
	h->loc = r->rule.loc = x->loc;
	r->rule.body = true_body(p, h->value->loc);
	return why;
}

/* f(x): true */
static const char *rule_from_call(
	struct parser *p, struct parsed_rule *r, const struct term *t)
{
	struct head *h = &r->rule.head;
	struct loc at = t->list.items[0]->loc;
	const char *why;

	if (called_builtin(t))
		return "rule name conflicts with built-in function";
	if (t->list.len < 2)
		return "rule argument list must take at least one argument";
	why = head_error(p, t->list.items[0]);
	if (why)
		return why;
	h->ref = t->list.items[0];
	h->args = t->list.items + 1;
	h->nargs = t->list.len - 1;
	h->is_func = true;
	h->value = scalar(p, v_true, at);
	h->value_implied = true;
	h->loc = r->rule.loc = at;
	r->rule.body = true_body(p, at);
	return NULL;
}

static const char *rule_from_body(
	struct parser *p, struct parsed_rule *r, const struct body *b)
{
	const struct expr *x = b->items[0];

	if (b->len != 1)
		return "multiple expressions cannot be used for rule head";
	if (x->nwiths)
		return "expressions using with keyword cannot be used for "
		       "rule head";
	if (x->negated)
		return "negated expressions cannot be used for rule head";
	if (x->kind == X_SOME)
		return "'some' declarations cannot be used for rule head";
	if (x->kind != X_TERM)
		return "expression cannot be used for rule head";
	if (x->term->kind == T_REF)
		return rule_from_ref(p, r, x->term);
	if (x->term->kind != T_CALL)
		return name_error(p, x->term);
	if (calls(x->term, "eq") || calls(x->term, "assign"))
		return rule_from_equation(p, r, x);
	return rule_from_call(p, r, x->term);
}

/* --- modules -------------------------------------------------------- */

/* A module under construction. */
struct making {
	struct parser *p;
	struct diags *d;
	const struct stmts *all;
	struct module *mod;
	bool checks_v1; /* the rules of v1 for rules hold */
};

/* `if` or `contains`, when the statement is nothing but that name. */
static const char *head_keyword(const struct stmt *s)
{
	const struct term *t = NULL;

	if (s->kind == S_RULE && s->rule->rule.head.ref->list.len == 1)
		t = s->rule->rule.head.ref->list.items[0];
	else if (s->kind == S_BODY && s->body->len == 1 &&
		 s->body->items[0]->kind == X_TERM)
		t = s->body->items[0]->term;
	if (t && is_name(t, "if"))
		return "if";
	return t && is_name(t, "contains") ? "contains" : NULL;
}

/*
 * The keyword of v1 that the statement was misread for the lack of: it is read
 * as a name, and may be the statement behind on the same line.
 */
static const char *missing_keyword(const struct making *m, uint32_t i)
{
	const struct stmt *s = &m->all->items[i];
	const char *kw = head_keyword(s);
	uint32_t row, col, next_row;

	if (kw || i + 1 == m->all->len)
		return kw;
	source_pos(s->loc, &row, &col);
	source_pos(s[1].loc, &next_row, &col);
	return row == next_row ? head_keyword(&s[1]) : NULL;
}

static void error_at(struct making *m, struct loc at, const char *message)
{
	diag_add(m->d, "rego_parse_error", at, "%s", message);
}

static void body_stmt(struct making *m, uint32_t i)
{
	struct parser *p = m->p;
	const struct stmt *s = &m->all->items[i];
	struct parsed_rule *r = ARENA_NEW(p->arena, struct parsed_rule);
	const char *why = rule_from_body(p, r, s->body);
	const char *kw = NULL;

	if (!why) {
		r->made_body = true;
		r->rule.generated_body = true;
		r->rule.head.value_implied |= r->made_value;
		m->mod->rules[m->mod->nrules++] = &r->rule;
		return;
	}
	if (m->mod->version == REGO_V0 && !m->checks_v1)
		kw = missing_keyword(m, i);
	if (kw)
		why = arena_printf(p->arena,
			"%s (hint: `import future.keywords.%s` for `%s` "
			"rules)",
			why, kw, *kw == 'i' ? "p if { ... }" : "p contains x");
	error_at(m, s->loc, why);
}

static void import_into(struct making *m, struct import *imp)
{
	const struct term *path = imp->path;
	bool rego = path->list.len == 2 && is_name(path->list.items[0], "rego");
	bool v1 = rego && is_text(path->list.items[1], "v1");
	bool v2 = rego && is_text(path->list.items[1], "v2");

	m->mod->imports[m->mod->nimports++] = imp;
	m->mod->imports_rego_v1 |= v1;
	m->mod->imports_rego_v2 |= v2;
	m->checks_v1 |= v1 || v2;
}

/* The rules of v1 for how a rule is written. */
static void check_rule(
	struct making *m, const struct rule *first, const struct rule *rule)
{
	const struct parsed_rule *r = (const struct parsed_rule *)rule;
	const struct term *name = first->head.ref->list.items[0];
	const char *what = first->head.nargs ? "function" : "rule";
	struct parser *p = m->p;

	if (first->head.ref->list.len < 2 && name->kind == T_VAR &&
		name->var.name->len > 1 &&
		lex_word(name->var.name->bytes, name->var.name->len,
			KW_BASE | KW_NOT | KW_V0_FUTURE) != TOK_IDENT)
		error_at(m, rule->loc,
			arena_printf(p->arena,
				"%s keyword cannot be used for rule name",
				name->var.name->bytes));
	if (r->made_body && r->made_value)
		error_at(m, rule->loc,
			arena_printf(p->arena,
				"%s must have value assignment and/or body "
				"declaration",
				what));
	if (!r->made_body && !r->has_if && !rule->is_default)
		error_at(m, rule->loc,
			arena_printf(p->arena,
				"`if` keyword is required before %s body",
				what));
	if (!rule->head.value && !rule->head.contains)
		error_at(m, rule->loc,
			"`contains` keyword is required for partial set "
			"rules");
}

static void check_rules(struct making *m)
{
	for (uint32_t i = 0; i < m->mod->nrules; i++) {
		struct rule *first = m->mod->rules[i];

		for (struct rule *r = first; r; r = r->els) {
			r->mod = m->mod;
			if (m->checks_v1)
				check_rule(m, first, r);
		}
	}
}

static void make_module(struct making *m)
{
	struct module *mod = m->mod;
	const struct stmt *s = m->all->items;
	uint32_t n = m->all->len;

	mod->rules = ARENA_ARRAY(m->p->arena, struct rule *, n);
	mod->imports = ARENA_ARRAY(m->p->arena, struct import *, n);
	if (s->kind == S_PACKAGE) {
		mod->package = s->package.path;
		mod->loc = s->loc;
	} else {
		error_at(m, s->loc, "package expected");
	}
	for (uint32_t i = 1; i < n; i++) {
		s = &m->all->items[i];
		switch (s->kind) {
		case S_PACKAGE:
			error_at(m, s->loc, "unexpected package");
			break;
		case S_IMPORT:
			import_into(m, s->import);
			break;
		case S_RULE:
			mod->rules[mod->nrules++] = &s->rule->rule;
			break;
		default:
			body_stmt(m, i);
			break;
		}
	}
	check_rules(m);
}

/* --- results --------------------------------------------------------- */

/* unicode.IsSpace() of one byte as OPA uses it, also on parts of runes. */
static bool is_space_byte(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0;
}

/* The line of the last character at or before `off` that is not blank. */
static void detail(struct diag *d, struct str text, uint32_t off)
{
	uint32_t len = (uint32_t)text.len, begin, end;

	if (off >= len)
		off = len ? len - 1 : 0;
	while (off > 0 && is_space_byte((unsigned char)text.ptr[off]))
		off--;
	begin = end = off;
	while (begin > 0 && text.ptr[begin] != '\n' && text.ptr[begin] != '\r')
		begin--;
	if (begin < len && (text.ptr[begin] == '\n' || text.ptr[begin] == '\r'))
		begin++;
	while (end < len && text.ptr[end] != '\n' && text.ptr[end] != '\r')
		end++;
	if (begin > end)
		begin = end;
	d->line = text.ptr + begin;
	d->line_len = end - begin;
	d->idx = (int)off - (int)begin;
}

/* Where OPA thinks the end of the text is: before the end of a wide rune. */
static uint32_t end_offset(struct str text)
{
	uint32_t len = (uint32_t)text.len, width = 1;

	while (width < 4 && width < len &&
		((unsigned char)text.ptr[len - width] & 0xc0) == 0x80)
		width++;
	return len + 1 - width;
}

static void report(struct parser *p, struct diags *d, const struct problem *x)
{
	/* A chain from the newest to the oldest: turn it round. */
	struct str text = p->src->text;
	const char *last_line = NULL, *copy = NULL;
	uint32_t n = 0;

	for (const struct problem *i = x; i; i = i->older)
		n++;
	const struct problem **list = arena_raw(p->arena, n * sizeof(*list));

	for (const struct problem *i = x; i; i = i->older)
		list[--n] = i;
	for (const struct problem *i = x; i; i = i->older) {
		const struct problem *now = list[n++];
		struct loc at = {p->src, now->off, 0};
		struct diag *item;

		diag_add(d, "rego_parse_error", at, "%s", now->message);
		item = &d->items[d->len - 1];
		detail(item, text,
			now->off >= text.len ? end_offset(text) : now->off);
		/* One copy of a line for all errors in it. */
		if (item->line != last_line || !copy) {
			last_line = item->line;
			copy = arena_strdup(
				d->arena, str_make(item->line, item->line_len));
		}
		item->line = copy;
	}
}

/*
 * The table of lines, so that places are found quickly. A source is the
 * caller's, who leaves the table to us.
 */
static void index_lines(struct arena *a, const struct source *src)
{
	struct source *out = (struct source *)(uintptr_t)src;
	const char *p = src->text.ptr, *end = p + src->text.len;
	uint32_t n = 1;

	if (src->lines || !src->text.len)
		return;
	for (const char *at = p; (at = memchr(at, '\n', (size_t)(end - at)));
		n++)
		if (++at == end) {
			n++;
			break;
		}
	out->lines = arena_raw(a, n * sizeof(uint32_t));
	out->nlines = n;
	out->lines[0] = 0;
	n = 1;
	for (const char *at = p;
		at < end && (at = memchr(at, '\n', (size_t)(end - at)));)
		out->lines[n++] = (uint32_t)(++at - p);
}

static uint32_t keywords_of(uint8_t version)
{
	switch (version) {
	case REGO_V1:
		return KW_BASE | KW_NOT | KW_V0_FUTURE;
	case REGO_V2:
		return KW_BASE | KW_NOT | KW_FUTURE;
	default:
		return KW_BASE | KW_NOT;
	}
}

static void parser_start(struct parser *p, struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o)
{
	*p = (struct parser){
		.arena = a,
		.syms = t,
		.src = src,
		.version = (uint8_t)o->version,
		.keep_comments = o->keep_comments,
		.not_bodies = o->version == REGO_V2,
		.nesting_max = LIMIT_REGO_DEPTH,
	};
	index_lines(a, src);
	lex_start(&p->lx, a, src->text);
	p->lx.keywords = keywords_of(p->version);
	p->ref_keywords = keywords_of(
		p->version == REGO_V0_V1 ? (uint8_t)REGO_V1 : p->version);
	p->data = intern(p, "data", 4);
	p->input = intern(p, "input", 5);
	p->s.end = p->lx.first;
	scan(p);
}

static bool too_big(const struct source *src, struct diags *d)
{
	struct loc at = {src, 0, 0};

	if (src->text.len <= LIMIT_REGO_FILE)
		return false;
	diag_add(d, "rego_parse_error", at, "module is too large: %zu bytes",
		src->text.len);
	return true;
}

/* All statements of a source. */
struct reading {
	struct parser *p;
	struct stmts all;
	bool rules;
	struct annotation **annotations;
	uint32_t nannotations;
};

static void *read_all(void *reading)
{
	struct reading *r = reading;

	while (statement(r->p, &r->all, r->rules))
		;
	return NULL;
}

enum { DEEP_STACK = 1 << 30 }; /* address space; taken as it is used */

/* read_all() with stack for as many levels as OPA allows. */
static bool read_deep(struct reading *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool ok;

	if (pthread_attr_init(&attr))
		return false;
	ok = !pthread_attr_setstacksize(&attr, DEEP_STACK) &&
	     !pthread_create(&thread, &attr, read_all, r) &&
	     !pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	return ok;
}

static struct comment *comments_of(struct parser *p, uint32_t *n)
{
	struct comment *all;

	*n = 0;
	for (const struct remark *r = p->s.remarks; r; r = r->older)
		++*n;
	all = ARENA_ARRAY(p->arena, struct comment, *n);
	uint32_t i = *n;

	for (const struct remark *r = p->s.remarks; r; r = r->older)
		all[--i].loc = r->loc;
	return all;
}

/* The annotations of a module; what is wrong with them comes last. */
static void read_annotations(struct reading *r, struct symtab *t)
{
	struct parser *p = r->p;
	uint32_t n, used;
	const struct comment *all = comments_of(p, &n);

	r->annotations = ARENA_ARRAY(p->arena, struct annotation *, n);
	for (uint32_t i = 0; i < n; i += used) {
		struct annotation *an;
		struct loc at;
		const char *why;

		used = 1;
		if (!is_metadata(p, all[i].loc))
			continue;
		an = annotation_parse(
			p->arena, t, all + i, n - i, &used, &at, &why);
		if (an)
			r->annotations[r->nannotations++] = an;
		else
			problem_text(p, at.off, why);
	}
}

/*
 * Read a source; false when there were errors. What is nested deeper than we
 * bear is read once more, with a larger stack, for OPA's errors: where there
 * are none OPA would take the text and we refuse it.
 */
static bool read_source(struct reading *r, struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d)
{
	struct parser *p = r->p;
	struct problem deep = {0};

	if (too_big(src, d))
		return false;
	parser_start(p, a, t, src, o);
	read_all(r);
	if (p->too_deep) {
		deep.message = "max parsing recursion depth exceeded";
		deep.off = p->deep_off;
		r->all = (struct stmts){0};
		parser_start(p, a, t, src, o);
		p->nesting_max = UINT32_MAX;
		if (!read_deep(r) || !p->s.problems)
			p->s.problems = &deep;
	}
	if (r->rules && p->s.remarks)
		read_annotations(r, t);
	if (p->s.problems)
		report(p, d, p->s.problems);
	return !p->s.problems;
}

struct module *parse_module(struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d)
{
	uint32_t before = d->len;
	struct parser p;
	struct reading r = {.p = &p, .rules = true};

	if (!read_source(&r, a, t, src, o, d))
		return NULL;
	if (!r.all.len && r.nannotations) {
		diag_add(d, "rego_parse_error", r.annotations[0]->loc,
			"package expected");
		return NULL;
	}
	if (!r.all.len) {
		diag_add(
			d, "rego_parse_error", (struct loc){0}, "empty module");
		d->items[d->len - 1].file = src->name;
		return NULL;
	}
	struct module *mod = ARENA_NEW(a, struct module);
	struct making m = {.p = &p, .d = d, .all = &r.all, .mod = mod};

	mod->src = src;
	mod->version = o->version;
	m.checks_v1 = o->version != REGO_V0;
	mod->annotations = r.annotations;
	mod->nannotations = r.nannotations;
	if (o->keep_comments)
		mod->comments = comments_of(&p, &mod->ncomments);
	make_module(&m);
	if (d->len == before)
		annotations_attach(a, mod, d);
	return d->len == before ? mod : NULL;
}

static const char *stmt_type(uint8_t kind)
{
	switch (kind) {
	case S_PACKAGE:
		return "*ast.Package";
	case S_IMPORT:
		return "*ast.Import";
	default:
		return "*ast.Rule";
	}
}

struct body *parse_query(struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d)
{
	struct parser p;
	struct reading r = {.p = &p};

	if (!read_source(&r, a, t, src, o, d))
		return NULL;
	struct body *out = ARENA_NEW(a, struct body);

	for (uint32_t i = 0; i < r.all.len; i++) {
		const struct stmt *s = &r.all.items[i];

		if (s->kind != S_BODY) {
			diag_add(d, NULL, (struct loc){0},
				"expected body but got %s", stmt_type(s->kind));
			return NULL;
		}
		for (uint32_t j = 0; j < s->body->len; j++)
			append(&p, out, s->body->items[j]);
	}
	return out;
}

/* A call as Go shows the list of its terms: [plus 1 x]. */
static void call_words(struct buf *out, const struct term *call_term)
{
	for (uint32_t i = 0; i < call_term->list.len; i++) {
		buf_adds(out, i ? " " : "[");
		term_text(out, call_term->list.items[i]);
	}
	buf_addc(out, ']');
}

struct term *parse_term(struct arena *a, struct symtab *t,
	const struct source *src, const struct parse_options *o,
	struct diags *d)
{
	struct body *b = parse_query(a, t, src, o, d);
	struct buf text = {0};

	if (!b)
		return NULL;
	if (b->len == 1 && b->items[0]->kind == X_TERM &&
		b->items[0]->term->kind != T_CALL)
		return b->items[0]->term;
	if (b->len == 1 && b->items[0]->kind == X_TERM)
		call_words(&text, b->items[0]->term);
	else
		body_text(&text, b);
	diag_add(d, NULL, (struct loc){0},
		b->len == 1 ? "expected term but got %.*s"
			    : "expected exactly one term but got: %.*s",
		STR_ARG(buf_str(&text)));
	buf_release(&text);
	return NULL;
}
