/*
 * Two patterns of characters, ".", sets "[a-z]" and the flags "*" and "+" meet
 * if some text matches both.
 *
 * Source: OPA's reference, regex.globs_match, and the documentation of the
 * package glob-intersection that serves it. Where that package takes a short
 * cut (a starred item stops at the first item that also fits its neighbour and
 * does not fit itself) the answer here is the same.
 */
#include "rego/builtin/globs.h"

#include <stdarg.h>
#include <string.h>

enum kind { CHARACTER, DOT, SET };
enum flag { NONE, PLUS, STAR };

struct range {
	uint32_t first, last;
};

struct token {
	enum kind kind;
	enum flag flag;
	uint32_t rune;
	struct range *ranges; /* of a SET: sorted, apart from each other */
	size_t nranges, capranges;
};

struct glob {
	struct token *t;
	size_t len;
};

/* --- tokens ---------------------------------------------------------- */

struct lexer {
	struct bi_ctx *cx;
	const uint32_t *in;
	size_t len, at;
};

struct letter {
	uint32_t rune;
	bool escaped;
};

PRINTF(3, 4)
static bool bad(struct lexer *lx, size_t pos, const char *fmt, ...)
{
	struct buf b = {0};
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < lx->len; i++)
		buf_addcp(&b, lx->in[i]);
	bi_error(lx->cx,
		"input:%.*s, pos:%zu, %s: the input provided is invalid",
		STR_ARG(buf_str(&b)), pos, why);
	buf_release(&b);
	return false;
}

static bool at_end(const struct lexer *lx)
{
	return lx->at >= lx->len;
}

/* The next letter; the caller has looked at at_end(). */
static bool next_letter(struct lexer *lx, struct letter *out)
{
	out->escaped = lx->in[lx->at] == '\\';
	if (out->escaped && lx->at == lx->len - 1)
		return bad(
			lx, lx->at, "input ends with a \\ (escape) character");
	lx->at += out->escaped;
	out->rune = lx->in[lx->at++];
	return true;
}

static void add_range(
	struct lexer *lx, struct token *t, uint32_t first, uint32_t last)
{
	if (t->nranges == t->capranges) {
		size_t cap = t->capranges ? t->capranges * 2 : 4;
		struct range *grown =
			ARENA_ARRAY(lx->cx->arena, struct range, cap);

		if (t->nranges)
			memcpy(grown, t->ranges, t->nranges * sizeof(*grown));
		t->ranges = grown;
		t->capranges = cap;
	}
	t->ranges[t->nranges++] = (struct range){first, last};
}

/* Behind the "-" of a range that begins with `first`. */
static bool range_end(struct lexer *lx, struct token *t, uint32_t first)
{
	struct letter l = {0};
	char a[5] = "", b[5] = "";

	if (lx->at + 1 >= lx->len)
		return bad(lx, lx->at,
			"range character '-' must be followed by a Unicode "
			"character");
	if (!next_letter(lx, &l))
		return false;
	if (!l.escaped && (l.rune == ']' || l.rune == '-'))
		return bad(lx, lx->at,
			"range character '-' cannot be followed by a special "
			"symbol");
	if (l.rune < first) {
		a[utf8_encode(l.rune, a)] = '\0';
		b[utf8_encode(first, b)] = '\0';
		return bad(lx, lx->at,
			"range is out of order: '%s' comes before '%s' in "
			"Unicode",
			a, b);
	}
	add_range(lx, t, first, l.rune);
	return true;
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Sort; ranges that touch become one, so that equal sets look equal. */
static void set_tidy(struct token *t)
{
	size_t n = 0;

	if (t->nranges)
		qsort(t->ranges, t->nranges, sizeof(*t->ranges), by_first);
	for (size_t i = 0; i < t->nranges; i++) {
		struct range r = t->ranges[i];

		if (n && r.first <= t->ranges[n - 1].last + 1) {
			if (t->ranges[n - 1].last < r.last)
				t->ranges[n - 1].last = r.last;
		} else {
			t->ranges[n++] = r;
		}
	}
	t->nranges = n;
}

/* Behind the "[". */
static bool set(struct lexer *lx, struct token *t)
{
	bool has_prev = false;
	uint32_t prev = 0;
	struct letter l = {0};

	t->kind = SET;
	while (!at_end(lx)) {
		if (!next_letter(lx, &l))
			return false;
		if (!l.escaped && l.rune == ']') {
			set_tidy(t);
			return true;
		}
		if (l.escaped || l.rune != '-') {
			add_range(lx, t, l.rune, l.rune);
			prev = l.rune;
			has_prev = true;
			continue;
		}
		if (!has_prev)
			return bad(lx, lx->at,
				"range character '-' must be preceded by a "
				"Unicode character");
		if (!range_end(lx, t, prev))
			return false;
		has_prev = false;
	}
	return bad(lx, lx->at, "found [ without matching ]");
}

static bool flag_after(struct lexer *lx, struct token *t)
{
	size_t from = lx->at;
	struct letter l = {0};

	if (at_end(lx))
		return true;
	if (!next_letter(lx, &l))
		return false;
	if (!l.escaped && l.rune == '+')
		t->flag = PLUS;
	else if (!l.escaped && l.rune == '*')
		t->flag = STAR;
	else
		lx->at = from;
	return true;
}

static bool token(struct lexer *lx, struct token *t)
{
	struct letter l = {0};

	*t = (struct token){0};
	if (!next_letter(lx, &l))
		return false;
	t->rune = l.rune;
	if (!l.escaped) {
		if (l.rune == '+' || l.rune == '*')
			return bad(lx, lx->at,
				"flag '%c' must be preceded by a non-flag",
				(char)l.rune);
		if (l.rune == ']')
			return bad(lx, lx->at,
				"set-close ']' with no preceding '['");
		if (l.rune == '[' && !set(lx, t))
			return false;
		if (l.rune == '.')
			t->kind = DOT;
	}
	return flag_after(lx, t);
}

static bool token_equal(const struct token *a, const struct token *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == CHARACTER)
		return a->rune == b->rune;
	return a->kind == DOT ||
	       (a->nranges == b->nranges &&
		       (a->nranges == 0 ||
			       !memcmp(a->ranges, b->ranges,
				       a->nranges * sizeof(*a->ranges))));
}

/* Add `t`; neighbours of the same kind with flags are one: a*a+ is a+. */
static void glob_add(struct glob *g, struct token t)
{
	struct token *last = g->len ? &g->t[g->len - 1] : NULL;

	if (last && t.flag && last->flag && token_equal(&t, last)) {
		if (t.flag == PLUS)
			last->flag = PLUS;
		return;
	}
	g->t[g->len++] = t;
}

static bool glob_parse(struct bi_ctx *cx, struct value v, struct glob *g)
{
	struct str s = v_bytes(v);
	uint32_t *in = ARENA_ARRAY(cx->arena, uint32_t, s.len + 1);
	struct lexer lx = {.cx = cx, .in = in};

	for (size_t i = 0; i < s.len;)
		i += utf8_decode(s.ptr + i, s.len - i, &in[lx.len++]);
	g->t = ARENA_ARRAY(cx->arena, struct token, lx.len + 1);
	while (!at_end(&lx)) {
		struct token t;

		if (!token(&lx, &t))
			return false;
		glob_add(g, t);
	}
	return true;
}

/* --- do two tokens share a character --------------------------------- */

static bool in_set(const struct token *s, uint32_t rune)
{
	for (size_t i = 0; i < s->nranges; i++)
		if (rune >= s->ranges[i].first && rune <= s->ranges[i].last)
			return true;
	return false;
}

static bool sets_meet(const struct token *a, const struct token *b)
{
	size_t i = 0, j = 0;

	while (i < a->nranges && j < b->nranges) {
		struct range x = a->ranges[i], y = b->ranges[j];

		if (x.first <= y.last && y.first <= x.last)
			return true;
		if (x.last < y.last)
			i++;
		else
			j++;
	}
	return false;
}

static bool tokens_meet(const struct token *a, const struct token *b)
{
	if (a->kind == DOT || b->kind == DOT)
		return true;
	if (a->kind == SET && b->kind == SET)
		return sets_meet(a, b);
	if (a->kind == SET)
		return in_set(a, b->rune);
	if (b->kind == SET)
		return in_set(b, a->rune);
	return a->rune == b->rune;
}

/* --- do two globs ---------------------------------------------------- */

enum { DEPTH_MAX = 2000, MEMO_MAX = 1 << 22 };

struct search {
	struct bi_ctx *cx;
	enum bi_status st;
	struct glob g[2];
	int depth;
	/* For meet(): 0 not known, 1 no, 2 yes; NULL when it would be large. */
	uint8_t *memo;
};

/* The rest of both globs; `a` says which one is looked at first. */
struct place {
	int a;
	size_t at[2];
};

static size_t rest(const struct search *s, const struct place *p, int which)
{
	return s->g[which].len - p->at[which];
}

static const struct token *tok(
	const struct search *s, const struct place *p, int which)
{
	return &s->g[which].t[p->at[which]];
}

static bool meet(struct search *s, struct place p);

/*
 * Glob `p.a` begins with a star: it takes items of the other one, and wherever
 * its second item fits too the rest is tried.
 */
static bool meet_star(struct search *s, struct place p)
{
	int a = p.a, b = 1 - a;
	const struct token *star = tok(s, &p, a);
	const struct token *next = rest(s, &p, a) > 1 ? star + 1 : NULL;

	for (; rest(s, &p, b); p.at[b]++) {
		const struct token *t = tok(s, &p, b);
		struct place q = p;

		q.at[a]++;
		if (next && tokens_meet(t, next) && meet(s, q))
			return true;
		if (s->st || !tokens_meet(t, star))
			return false;
	}
	return !next;
}

/* Glob `p.a` begins with a plus; the other one is not at its end. */
static bool meet_plus(struct search *s, struct place p)
{
	int a = p.a, b = 1 - a;
	struct place q = p;

	if (!tokens_meet(tok(s, &p, a), tok(s, &p, b)))
		return false;
	q.at[b]++;
	if (meet_star(s, q))
		return true;
	if (s->st || tok(s, &p, b)->flag == NONE)
		return false;
	p.at[a]++;
	return meet(s, p);
}

static bool meet_now(struct search *s, struct place p)
{
	int a = p.a, b = 1 - a;

	for (; rest(s, &p, a) && rest(s, &p, b); p.at[a]++, p.at[b]++) {
		enum flag fa = tok(s, &p, a)->flag, fb = tok(s, &p, b)->flag;

		if (!fa && !fb) {
			if (!tokens_meet(tok(s, &p, a), tok(s, &p, b)))
				return false;
			continue;
		}
		if (!fa) {
			p.a = b;
			fa = fb;
		}
		return fa == PLUS ? meet_plus(s, p) : meet_star(s, p);
	}
	return !rest(s, &p, a) && !rest(s, &p, b);
}

static bool meet(struct search *s, struct place p)
{
	size_t key = ((size_t)p.a * (s->g[0].len + 1) + p.at[0]) *
			     (s->g[1].len + 1) +
		     p.at[1];
	bool yes;

	if (s->memo && s->memo[key])
		return s->memo[key] == 2;
	if (!bi_charge(s->cx, 1)) {
		s->st = BI_HALT;
		return false;
	}
	if (s->depth == DEPTH_MAX) {
		s->st = bi_error(
			s->cx, "more than %d flags in patterns", DEPTH_MAX);
		return false;
	}
	s->depth++;
	yes = meet_now(s, p);
	s->depth--;
	if (s->memo && !s->st)
		s->memo[key] = yes ? 2 : 1;
	return yes;
}

/*
 * Cut off what both begin or end with and what has no flags; one token of it
 * stays on each side. False when that already does not fit.
 */
static bool trim(struct glob *x, struct glob *y)
{
	size_t l = 0, n = 0;

	for (; l < x->len && l < y->len && !x->t[l].flag && !y->t[l].flag; l++)
		if (!tokens_meet(&x->t[l], &y->t[l]))
			return false;
	if (l > 0)
		l--;
	*x = (struct glob){x->t + l, x->len - l};
	*y = (struct glob){y->t + l, y->len - l};
	for (; n < x->len && n < y->len; n++) {
		const struct token *a = &x->t[x->len - 1 - n];
		const struct token *b = &y->t[y->len - 1 - n];

		if (a->flag || b->flag)
			break;
		if (!tokens_meet(a, b))
			return false;
	}
	if (n > 0)
		n--;
	x->len -= n;
	y->len -= n;
	return true;
}

enum bi_status globs_match(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct search s = {.cx = cx};
	size_t cells;
	bool yes = false;

	if (!bi_charge(cx, (uint64_t)args[0].str->len + args[1].str->len))
		return BI_HALT;
	for (int i = 0; i < 2; i++)
		if (!glob_parse(cx, args[i], &s.g[i]))
			return BI_ERROR;
	if (trim(&s.g[0], &s.g[1])) {
		cells = 2 * (s.g[0].len + 1) * (s.g[1].len + 1);
		if (cells <= MEMO_MAX)
			s.memo = arena_alloc(cx->arena, cells);
		yes = meet(&s, (struct place){0});
	}
	if (!s.st)
		*out = v_bool(yes);
	return s.st;
}
