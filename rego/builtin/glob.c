/*
 * glob.match and glob.quote_meta.
 *
 * A pattern is compiled into a small program. One without classes and braces
 * is walked directly, with one place to go back to for the last `*` and one
 * for the last `**`; any other by keeping the set of all places it may be at,
 * so that no pattern takes more than its length times that of the text.
 *
 * Source: the syntax documented for the package gobwas/glob 1.0.0, the texts of
 * whose errors are here too.
 */
#include "rego/builtin/operand.h"
#include "rego/builtin/patterns.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum op {
	G_TEXT,  /* these bytes */
	G_CHAR,  /* ?: one code point but no separator */
	G_RANGE, /* lo-hi, perhaps negated */
	G_SET,   /* any code point of a text, perhaps negated */
	G_STAR,  /* code points but no separators */
	G_SUPER, /* any code points */
	G_SPLIT, /* go on at `to` or behind */
	G_JUMP,  /* go on at `to` */
	G_END,
};

struct step {
	enum op op;
	bool negated;
	uint32_t lo, hi;    /* G_RANGE */
	uint32_t text, len; /* G_TEXT, G_SET: part of glob.text */
	uint32_t to;
};

struct glob {
	struct step *steps;
	size_t nsteps, capsteps;
	struct buf text;
	uint32_t *seps;
	size_t nseps;
	bool is_plain; /* no classes, no braces */
};

static void glob_free(void *item)
{
	struct glob *g = item;

	if (!g)
		return;
	buf_release(&g->text);
	free(g->steps);
	free(g->seps);
	free(g);
}

static bool is_sep(const struct glob *g, uint32_t cp)
{
	for (size_t i = 0; i < g->nseps; i++)
		if (g->seps[i] == cp)
			return true;
	return false;
}

/* --- tokens ---------------------------------------------------------- */

enum token {
	T_EOF,
	T_TEXT,
	T_ANY,
	T_SUPER,
	T_SINGLE,
	T_CLASS,
	T_OPEN,
	T_COMMA,
	T_CLOSE,
};

enum { EOF_RUNE = -1 };

struct lexer {
	struct str s;
	size_t at;
	const char *why; /* the error; NULL while there is none */
	int depth;       /* of braces */
	struct buf text; /* of a T_TEXT or a class that lists its members */
	/* of a T_CLASS */
	bool negated, is_range, is_list;
	int32_t lo, hi;
};

static int32_t peek(struct lexer *lx, size_t *width)
{
	uint32_t cp;

	*width = 0;
	if (lx->at == lx->s.len)
		return EOF_RUNE;
	*width = utf8_decode(lx->s.ptr + lx->at, lx->s.len - lx->at, &cp);
	if (cp == 0xfffd && *width == 1) {
		*width = 0;
		lx->why = "invalid UTF-8 sequence";
		return EOF_RUNE;
	}
	return (int32_t)cp;
}

static int32_t next(struct lexer *lx)
{
	size_t n;
	int32_t r = peek(lx, &n);

	lx->at += n;
	return r;
}

/* Characters up to one of `stops`, with escapes taken out. */
static void lex_text(struct lexer *lx, const char *stops)
{
	bool escaped = false;

	buf_reset(&lx->text);
	for (;;) {
		size_t n;
		int32_t r = peek(lx, &n);

		if (r == EOF_RUNE) {
			if (escaped)
				lx->why = "trailing backslash";
			return;
		}
		if (!escaped && r != '\\' && r && r < 0x80 && strchr(stops, r))
			return;
		lx->at += n;
		escaped = !escaped && r == '\\';
		if (!escaped)
			buf_addcp(&lx->text, (uint32_t)r);
	}
}

/* Behind the [, through the ]. */
static void lex_class(struct lexer *lx)
{
	size_t n, before = lx->at;
	int32_t r = next(lx);

	lx->negated = lx->is_range = lx->is_list = false;
	if (r == '!') {
		lx->negated = true;
		before = lx->at;
		r = next(lx);
	}
	if (r != EOF_RUNE && peek(lx, &n) == '-') {
		lx->at += n;
		lx->lo = r;
		r = lx->hi = next(lx);
		lx->is_range = true;
	} else if (r != EOF_RUNE) {
		lx->at = before;
		lex_text(lx, "]");
		lx->is_list = lx->text.len > 0;
	}
	if (r != EOF_RUNE)
		r = next(lx);
	if (r == EOF_RUNE)
		lx->why = "unexpected end of input";
	else if (r != ']')
		lx->why = "expected close range character";
}

/* What the class just read says is right by itself. */
static void check_class(struct lexer *lx)
{
	if (lx->why)
		return;
	if (lx->is_range && lx->hi < lx->lo)
		lx->why = "range hi character is less than lo";
	else if (lx->is_range == lx->is_list)
		lx->why = "could not parse range";
}

static enum token lex(struct lexer *lx)
{
	size_t n;
	int32_t r = peek(lx, &n);

	if (r == EOF_RUNE)
		return T_EOF;
	lx->at += n;
	switch (r) {
	case '{':
		lx->depth++;
		return T_OPEN;
	case '[':
		lex_class(lx);
		check_class(lx);
		return T_CLASS;
	case '?':
		return T_SINGLE;
	case '*':
		if (peek(lx, &n) != '*')
			return T_ANY;
		lx->at += n;
		return T_SUPER;
	case ',':
		if (lx->depth)
			return T_COMMA;
		break;
	case '}':
		if (lx->depth) {
			lx->depth--;
			return T_CLOSE;
		}
		break;
	default:
		break;
	}
	lx->at -= n;
	lex_text(lx, lx->depth ? "?*[{}," : "?*[{");
	return T_TEXT;
}

/* --- the program ----------------------------------------------------- */

/*
 * {a,b} becomes SPLIT a JUMP SPLIT b JUMP, where each SPLIT knows the next
 * alternative and each JUMP the end. While a group is open its jumps are
 * chained through `to`.
 */
struct group {
	uint32_t split; /* of the alternative being read */
	uint32_t jumps; /* the newest; NO_STEP: none */
};

static const uint32_t NO_STEP = UINT32_MAX;

struct compiler {
	struct lexer lx;
	struct glob *g;
	struct group *groups;
	size_t ngroups, capgroups;
};

static struct step *emit(struct glob *g, enum op op)
{
	if (g->nsteps == g->capsteps) {
		g->capsteps = g->capsteps ? g->capsteps * 2 : 8;
		g->steps = realloc(g->steps, g->capsteps * sizeof(*g->steps));
		if (!g->steps)
			die("out of memory: glob of %zu steps", g->capsteps);
	}
	g->steps[g->nsteps] = (struct step){.op = op};
	return &g->steps[g->nsteps++];
}

static void emit_text(struct glob *g, enum op op, struct str text, bool negated)
{
	struct step *s = emit(g, op);

	s->text = (uint32_t)g->text.len;
	s->len = (uint32_t)text.len;
	s->negated = negated;
	buf_addstr(&g->text, text);
}

static void emit_class(struct compiler *c)
{
	struct lexer *lx = &c->lx;
	struct step *s;

	c->g->is_plain = false;
	if (lx->is_list) {
		emit_text(c->g, G_SET, buf_str(&lx->text), lx->negated);
		return;
	}
	s = emit(c->g, G_RANGE);
	s->lo = (uint32_t)lx->lo;
	s->hi = (uint32_t)lx->hi;
	s->negated = lx->negated;
}

/* `**` next to `*` says all that both say; two `*` are one. */
static void emit_star(struct glob *g, bool super)
{
	struct step *last = g->nsteps ? &g->steps[g->nsteps - 1] : NULL;

	if (g->nseps == 0)
		super = true;
	if (g->is_plain && last && last->op == G_SUPER)
		return;
	if (g->is_plain && last && last->op == G_STAR) {
		if (super)
			last->op = G_SUPER;
		return;
	}
	emit(g, super ? G_SUPER : G_STAR);
}

static void group_open(struct compiler *c)
{
	if (c->ngroups == c->capgroups) {
		c->capgroups = c->capgroups ? c->capgroups * 2 : 8;
		c->groups =
			realloc(c->groups, c->capgroups * sizeof(*c->groups));
		if (!c->groups)
			die("out of memory: %zu braces", c->capgroups);
	}
	c->g->is_plain = false;
	c->groups[c->ngroups++] = (struct group){
		.split = (uint32_t)c->g->nsteps, .jumps = NO_STEP};
	emit(c->g, G_SPLIT);
}

static void group_comma(struct compiler *c)
{
	struct group *gr = &c->groups[c->ngroups - 1];
	struct step *jump = emit(c->g, G_JUMP);

	jump->to = gr->jumps;
	gr->jumps = (uint32_t)(c->g->nsteps - 1);
	c->g->steps[gr->split].to = (uint32_t)c->g->nsteps;
	gr->split = (uint32_t)c->g->nsteps;
	emit(c->g, G_SPLIT);
}

static void group_close(struct compiler *c)
{
	struct group *gr = &c->groups[--c->ngroups];
	struct glob *g = c->g;
	uint32_t j = gr->jumps, end = (uint32_t)g->nsteps;

	/* The last alternative has no other to go to. */
	g->steps[gr->split] = (struct step){.op = G_JUMP, .to = gr->split + 1};
	while (j != NO_STEP) {
		uint32_t older = g->steps[j].to;

		g->steps[j].to = end;
		j = older;
	}
}

static void compile_token(struct compiler *c, enum token t)
{
	switch (t) {
	case T_TEXT:
		if (c->lx.text.len)
			emit_text(c->g, G_TEXT, buf_str(&c->lx.text), false);
		break;
	case T_ANY:
	case T_SUPER:
		emit_star(c->g, t == T_SUPER);
		break;
	case T_SINGLE:
		emit(c->g, G_CHAR);
		break;
	case T_CLASS:
		emit_class(c);
		break;
	case T_OPEN:
		group_open(c);
		break;
	case T_COMMA:
		group_comma(c);
		break;
	case T_CLOSE:
		group_close(c);
		break;
	case T_EOF:
	default:
		break;
	}
}

static struct glob *glob_new(
	struct bi_ctx *cx, struct str pattern, const uint32_t *seps, size_t n)
{
	struct compiler c = {.lx = {.s = pattern}};
	enum token t = T_TEXT;

	c.g = calloc(1, sizeof(*c.g));
	if (c.g)
		c.g->seps = calloc(n + 1, sizeof(*seps));
	if (!c.g || !c.g->seps)
		die("out of memory: glob");
	c.g->is_plain = true;
	c.g->nseps = n;
	if (n)
		memcpy(c.g->seps, seps, n * sizeof(*seps));
	while (t != T_EOF && !c.lx.why) {
		t = lex(&c.lx);
		if (!c.lx.why)
			compile_token(&c, t);
	}
	if (!c.lx.why && c.ngroups)
		c.lx.why = "unclosed `{`";
	emit(c.g, G_END);
	buf_release(&c.lx.text);
	free(c.groups);
	if (!c.lx.why)
		return c.g;
	bi_error(cx, "glob: syntax error at %zu: %s", c.lx.at, c.lx.why);
	glob_free(c.g);
	return NULL;
}

/* --- matching -------------------------------------------------------- */

static struct str step_text(const struct glob *g, const struct step *s)
{
	return str_make(g->text.ptr + s->text, s->len);
}

static bool in_text(struct str set, uint32_t cp)
{
	for (size_t i = 0; i < set.len;) {
		uint32_t m;

		i += utf8_decode(set.ptr + i, set.len - i, &m);
		if (m == cp)
			return true;
	}
	return false;
}

/* Whether a step that takes one code point takes this one. */
static bool takes(const struct glob *g, const struct step *s, uint32_t cp)
{
	switch (s->op) {
	case G_CHAR:
	case G_STAR:
		return !is_sep(g, cp);
	case G_RANGE:
		return (cp >= s->lo && cp <= s->hi) != s->negated;
	case G_SET:
		return in_text(step_text(g, s), cp) != s->negated;
	case G_SUPER:
	case G_TEXT:
	case G_SPLIT:
	case G_JUMP:
	case G_END:
	default:
		return true;
	}
}

/* A place to go on from: behind a star that takes one code point more. */
struct retry {
	size_t step, at; /* step 0 of none: a star is followed by something */
	bool live;
};

static bool retry_star(const struct glob *g, struct str text, struct retry *r,
	size_t *step, size_t *at)
{
	uint32_t cp;
	size_t n;

	if (!r->live || r->at == text.len)
		return false;
	n = utf8_decode(text.ptr + r->at, text.len - r->at, &cp);
	if (!takes(g, &g->steps[r->step - 1], cp))
		return false;
	r->at += n;
	*step = r->step;
	*at = r->at;
	return true;
}

/* One step that is neither a star nor the end; false on a mismatch. */
static bool step_plain(
	const struct glob *g, const struct step *s, struct str text, size_t *at)
{
	uint32_t cp;
	size_t n;

	if (s->op == G_TEXT) {
		struct str rest = str_slice(text, *at, text.len);

		*at += s->len;
		return str_starts(rest, step_text(g, s));
	}
	if (*at == text.len)
		return false;
	n = utf8_decode(text.ptr + *at, text.len - *at, &cp);
	*at += n;
	return takes(g, s, cp);
}

/*
 * A later `*` makes an earlier one final, and a `**` all before it: what an
 * earlier star could still take, the later one can take as well, since text
 * between them that holds a separator has only one place to be.
 */
static bool match_plain(const struct glob *g, struct str text)
{
	struct retry star = {0}, super = {0};
	size_t i = 0, at = 0;

	for (;;) {
		const struct step *s = &g->steps[i];

		if (s->op == G_STAR) {
			star = (struct retry){++i, at, true};
			continue;
		}
		if (s->op == G_SUPER) {
			super = (struct retry){++i, at, true};
			star.live = false;
			if (g->steps[i].op == G_END)
				return true;
			continue;
		}
		if (s->op == G_END ? at == text.len
				   : step_plain(g, s, text, &at)) {
			if (s->op == G_END)
				return true;
			i++;
			continue;
		}
		if (retry_star(g, text, &star, &i, &at))
			continue;
		star.live = false;
		if (!retry_star(g, text, &super, &i, &at))
			return false;
	}
}

/*
 * All places of the program at once. A text step is at an offset of its own
 * text, so a place is a step and an offset, numbered through.
 */
struct places {
	uint32_t *list;
	uint32_t *seen; /* by number: the round it was last added in */
	size_t len;
};

struct machine {
	const struct glob *g;
	uint32_t *base; /* number of each step's first place */
	uint32_t *step; /* step of each place */
	uint32_t round;
	uint32_t *stack; /* steps still to follow */
};

/* Add the place `offset` of step `i`, and what is reached without taking. */
static void add(
	struct machine *m, struct places *p, uint32_t i, uint32_t offset)
{
	size_t n = 0;

	m->stack[n++] = i;
	while (n) {
		uint32_t s = m->stack[--n];
		uint32_t place = m->base[s] + (s == i ? offset : 0);
		const struct step *st = &m->g->steps[s];

		if (p->seen[place] == m->round)
			continue;
		p->seen[place] = m->round;
		p->list[p->len++] = place;
		if (st->op == G_SPLIT || st->op == G_STAR || st->op == G_SUPER)
			m->stack[n++] = s + 1;
		if (st->op == G_SPLIT || st->op == G_JUMP)
			m->stack[n++] = st->to;
	}
}

/* Where `place` leads when it takes the code point of `bytes`. */
static void advance(struct machine *m, struct places *to, uint32_t place,
	struct str bytes, uint32_t cp)
{
	uint32_t s = m->step[place], offset = place - m->base[s];
	const struct step *st = &m->g->steps[s];
	struct str rest;

	switch (st->op) {
	case G_TEXT:
		rest = step_text(m->g, st);
		rest = str_slice(rest, offset, rest.len);
		if (!str_starts(rest, bytes))
			return;
		offset += (uint32_t)bytes.len;
		if (offset == st->len)
			add(m, to, s + 1, 0);
		else
			add(m, to, s, offset);
		return;
	case G_STAR:
	case G_SUPER:
		if (takes(m->g, st, cp))
			add(m, to, s, 0);
		return;
	case G_CHAR:
	case G_RANGE:
	case G_SET:
		if (takes(m->g, st, cp))
			add(m, to, s + 1, 0);
		return;
	case G_SPLIT:
	case G_JUMP:
	case G_END:
	default:
		return;
	}
}

static bool at_end(const struct machine *m, const struct places *p)
{
	uint32_t end = m->base[m->g->nsteps - 1];

	return p->len && p->seen[end] == m->round;
}

static bool match_any(struct arena *a, const struct glob *g, struct str text)
{
	size_t nplaces = g->nsteps + g->text.len;
	struct machine m = {.g = g,
		.base = ARENA_ARRAY(a, uint32_t, g->nsteps),
		.step = ARENA_ARRAY(a, uint32_t, nplaces),
		.stack = ARENA_ARRAY(a, uint32_t, 2 * g->nsteps + 2),
		.round = 1};
	struct places now, then;
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->nsteps; i++) {
		uint32_t size = g->steps[i].op == G_TEXT ? g->steps[i].len : 1;

		m.base[i] = n;
		for (uint32_t k = 0; k < size; k++)
			m.step[n++] = i;
	}
	now = (struct places){ARENA_ARRAY(a, uint32_t, nplaces),
		ARENA_ARRAY(a, uint32_t, nplaces), 0};
	then = (struct places){ARENA_ARRAY(a, uint32_t, nplaces),
		ARENA_ARRAY(a, uint32_t, nplaces), 0};
	add(&m, &now, 0, 0);
	for (size_t at = 0; at < text.len && now.len;) {
		uint32_t cp;
		size_t w = utf8_decode(text.ptr + at, text.len - at, &cp);
		struct str bytes = str_slice(text, at, at + w);
		struct places spare = now;

		m.round++;
		then.len = 0;
		for (size_t i = 0; i < now.len; i++)
			advance(&m, &then, now.list[i], bytes, cp);
		now = then;
		then = spare;
		at += w;
	}
	return at_end(&m, &now);
}

/* --- the builtins ---------------------------------------------------- */

/* The separators: code points in `out`, which has room for all. */
static enum bi_status separators(
	struct bi_ctx *cx, struct value v, uint32_t *out)
{
	const struct array *arr = v.arr;

	for (uint32_t i = 0; i < arr->len; i++) {
		struct value s = arr->items[i];

		if (s.tag != V_STR)
			return operand_element(cx, 2, v, "string", s);
		if (s.str->runes != 1)
			return operand_element(cx, 2, v, "rune", s);
		utf8_decode(s.str->bytes, s.str->len, &out[i]);
	}
	return BI_OK;
}

/* The compiled pattern, of the cache or new. */
static enum bi_status compiled(struct bi_ctx *cx, struct str pattern,
	const uint32_t *seps, size_t nseps, struct glob **out)
{
	struct bi_cache *cache = &cx->caches[BI_CACHE_GLOB];
	struct buf key = {0};
	enum bi_status st = BI_OK;

	/* Separators first: each is there with its length. */
	buf_add(&key, &nseps, sizeof(nseps));
	buf_add(&key, seps, nseps * sizeof(*seps));
	buf_addstr(&key, pattern);
	*out = patterns_get(cache, buf_str(&key));
	if (!*out && !bi_charge(cx, 1 + pattern.len / 16))
		st = BI_HALT;
	if (!st && !*out) {
		*out = glob_new(cx, pattern, seps, nseps);
		if (*out)
			patterns_put(cache, buf_str(&key), *out, glob_free,
				(*out)->nsteps * sizeof(struct step));
		else
			st = BI_ERROR;
	}
	buf_release(&key);
	return st;
}

static enum bi_status run(struct bi_ctx *cx, const struct glob *g,
	struct str text, struct value *out)
{
	struct arena_mark mark;

	if (g->is_plain) {
		if (!bi_charge(cx, g->nsteps * text.len / 256))
			return BI_HALT;
		*out = v_bool(match_plain(g, text));
		return BI_OK;
	}
	if (!bi_charge(cx, (g->nsteps + g->text.len) * text.len / 64))
		return BI_HALT;
	mark = arena_mark(cx->arena);
	*out = v_bool(match_any(cx->arena, g, text));
	arena_rewind(cx->arena, mark);
	return BI_OK;
}

/* Types are checked here: one wrong separator comes before a wrong text. */
static enum bi_status match(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	uint32_t few[8] = {'.'}, *seps = few;
	size_t nseps = 0;
	struct glob *g;
	enum bi_status st;

	if (args[0].tag != V_STR)
		return bi_operand(cx, 1, "string", args[0]);
	if (args[1].tag == V_ARR) {
		nseps = args[1].arr->len;
		if (nseps > COUNT(few))
			seps = ARENA_ARRAY(cx->arena, uint32_t, nseps);
		st = separators(cx, args[1], seps);
		if (st)
			return st;
		if (nseps == 0)
			nseps = 1;
	} else if (args[1].tag != V_NULL) {
		return bi_operand(cx, 2, "one of {array, null}", args[1]);
	}
	if (args[2].tag != V_STR)
		return bi_operand(cx, 3, "string", args[2]);
	st = compiled(cx, v_bytes(args[0]), seps, nseps, &g);
	return st ? st : run(cx, g, v_bytes(args[2]), out);
}

static enum bi_status quote_meta(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct str s = v_bytes(args[0]);
	struct buf b = {0};
	enum bi_status st;

	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] && strchr("*?\\[]{}", s.ptr[i]))
			buf_addc(&b, '\\');
		buf_addc(&b, s.ptr[i]);
	}
	st = bi_string(cx, buf_str(&b), out);
	buf_release(&b);
	return st;
}

/* clang-format off */
static const struct builtin rows[] = {
	{"glob.match",      NULL, 3, {BT_STR, BT_NULL | BT_ARR, BT_STR}, match, BF_RAWTYPES},
	{"glob.quote_meta", NULL, 1, {BT_STR}, quote_meta, 0},
};
/* clang-format on */

const struct builtin_table builtin_glob = {rows, COUNT(rows)};
