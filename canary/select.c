/* Selectors, percentages, load and pins. */
#include "canary/select.h"

#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

/* --- selectors ------------------------------------------------------------ */

enum term_kind {
	TERM_IN,
	TERM_NOT_IN,
	TERM_EXISTS,
	TERM_ABSENT,
};

struct select_term {
	enum term_kind kind;
	struct str key;
	struct str *values;
	uint32_t nvalues, cap;
};

struct parser {
	struct str text;
	size_t at;
	uint32_t nvalues; /* of all terms */
	struct arena *a;
	struct err *e;
};

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("-_./:", c));
}

static void skip_space(struct parser *p)
{
	while (p->at < p->text.len &&
		(p->text.ptr[p->at] == ' ' || p->text.ptr[p->at] == '\t'))
		p->at++;
}

static bool take(struct parser *p, const char *token)
{
	struct str t = str_from(token);

	skip_space(p);
	if (!str_starts(str_slice(p->text, p->at, p->text.len), t))
		return false;
	p->at += t.len;
	return true;
}

static struct str word(struct parser *p)
{
	skip_space(p);
	size_t from = p->at;

	while (p->at < p->text.len && word_char(p->text.ptr[p->at]))
		p->at++;
	return str_slice(p->text, from, p->at);
}

static enum status expected(struct parser *p, const char *what)
{
	skip_space(p);
	if (p->at == p->text.len)
		return err_set(p->e, E_INVALID,
			"selector \"%.*s\" ends where %s should stand",
			STR_ARG(p->text), what);
	return err_set(p->e, E_INVALID,
		"selector \"%.*s\": column %zu should be %s", STR_ARG(p->text),
		p->at + 1, what);
}

static enum status add_value(
	struct parser *p, struct select_term *t, struct str v)
{
	if (p->nvalues++ == SELECT_VALUES_MAX)
		return err_set(p->e, E_LIMIT,
			"selector has more than %d values", SELECT_VALUES_MAX);
	t->values = arena_grow(
		p->a, t->values, t->nvalues, &t->cap, sizeof(*t->values));
	t->values[t->nvalues++] = arena_str(p->a, v);
	return OK;
}

static enum status value_list(struct parser *p, struct select_term *t)
{
	if (!take(p, "("))
		return expected(p, "\"(\"");
	do {
		struct str v = word(p);
		enum status st =
			v.len ? add_value(p, t, v) : expected(p, "a value");

		if (st)
			return st;
	} while (take(p, ","));
	return take(p, ")") ? OK : expected(p, "\",\" or \")\"");
}

/* `in` and `notin` are words between the key and its list. */
static enum status after_key(struct parser *p, struct select_term *t)
{
	size_t at = p->at;
	struct str w = word(p);

	if (str_is(w, "in") || str_is(w, "notin")) {
		t->kind = str_is(w, "in") ? TERM_IN : TERM_NOT_IN;
		return value_list(p, t);
	}
	p->at = at;
	if (take(p, "!="))
		t->kind = TERM_NOT_IN;
	else if (take(p, "==") || take(p, "="))
		t->kind = TERM_IN;
	else {
		t->kind = TERM_EXISTS;
		return OK;
	}
	return add_value(p, t, word(p)); /* may be empty */
}

static enum status term(struct parser *p, struct select_term *t)
{
	bool absent = take(p, "!");
	struct str key = word(p);

	if (!key.len)
		return expected(p, "a label's name");
	t->key = arena_str(p->a, key);
	if (!absent)
		return after_key(p, t);
	t->kind = TERM_ABSENT;
	return OK;
}

static enum status all_terms(
	struct parser *p, struct select_term **terms, uint32_t *n)
{
	uint32_t cap = 0;
	enum status st;

	do {
		if (*n == SELECT_TERMS_MAX)
			return err_set(p->e, E_LIMIT,
				"selector has more than %d terms",
				SELECT_TERMS_MAX);
		*terms = arena_grow(p->a, *terms, *n, &cap, sizeof(**terms));
		(*terms)[*n] = (struct select_term){0};
		st = term(p, &(*terms)[(*n)++]);
		if (st)
			return st;
	} while (take(p, ","));
	skip_space(p);
	return p->at == p->text.len ? OK : expected(p, "a comma");
}

enum status selector_parse(
	struct selector *out, struct str text, struct arena *a, struct err *e)
{
	struct parser p = {.text = text, .a = a, .e = e};
	struct select_term *terms = NULL;
	uint32_t n = 0;

	if (text.len > SELECT_BYTES_MAX)
		return err_set(e, E_LIMIT, "selector of %zu bytes, limit %d",
			text.len, SELECT_BYTES_MAX);
	skip_space(&p);
	if (p.at < text.len) {
		enum status st = all_terms(&p, &terms, &n);

		if (st)
			return st;
	}
	*out = (struct selector){terms, n};
	return OK;
}

static const struct label *find_label(
	const struct label *labels, size_t n, struct str key)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(labels[i].key, key))
			return &labels[i];
	return NULL;
}

static bool term_matches(const struct select_term *t, const struct label *l)
{
	bool in = false;

	for (uint32_t i = 0; l && i < t->nvalues; i++)
		in |= str_eq(t->values[i], l->value);
	switch (t->kind) {
	case TERM_IN:
		return in;
	case TERM_NOT_IN:
		return !in;
	case TERM_EXISTS:
		return l;
	case TERM_ABSENT:
		break;
	}
	return !l;
}

bool selector_matches(
	const struct selector *s, const struct label *labels, size_t n)
{
	for (size_t i = 0; i < s->nterms; i++)
		if (!term_matches(&s->terms[i],
			    find_label(labels, n, s->terms[i].key)))
			return false;
	return true;
}

/* --- percentages ---------------------------------------------------------- */

uint64_t select_hash(struct str channel, struct str salt, struct str id)
{
	unsigned char sum[DIGEST_MAX];
	struct digest d;
	uint64_t u = 0;

	digest_init(&d, DIGEST_SHA256);
	digest_update(&d, channel.ptr, channel.len);
	digest_update(&d, "", 1);
	digest_update(&d, salt.ptr, salt.len);
	digest_update(&d, "", 1);
	digest_update(&d, id.ptr, id.len);
	digest_final(&d, sum);
	for (int i = 0; i < 8; i++)
		u = u << 8 | sum[i];
	return u;
}

struct ranked {
	struct str group; /* class; empty: the small ones */
	uint64_t hash;
	struct str id;
	size_t index;
};

static int by_class(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return str_cmp(x->group, y->group);
}

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int c = str_cmp(x->group, y->group);

	if (c)
		return c;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return str_cmp(x->id, y->id);
}

static size_t group_end(const struct ranked *r, size_t from, size_t n)
{
	size_t to = from + 1;

	while (to < n && str_eq(r[to].group, r[from].group))
		to++;
	return to;
}

static size_t part(size_t n, uint32_t basis_points)
{
	return (n * basis_points + SELECT_WHOLE - 1) / SELECT_WHOLE;
}

/* Small classes lose their name, and so share one allocation. */
static void pool_small_classes(struct ranked *r, size_t n)
{
	qsort(r, n, sizeof(*r), by_class);
	for (size_t from = 0, to; from < n; from = to) {
		to = group_end(r, from, n);
		if (to - from >= SELECT_CLASS_MIN)
			continue;
		for (size_t i = from; i < to; i++)
			r[i].group = S("");
	}
	qsort(r, n, sizeof(*r), by_rank);
}

static bool never_canary(const struct select_target *t)
{
	const struct label *l =
		find_label(t->labels, t->nlabels, S("never-canary"));

	return l && !str_is(l->value, "false");
}

static void take_groups(const struct select_percent *p, const struct ranked *r,
	size_t n, bool *chosen)
{
	for (size_t from = 0, to; from < n; from = to) {
		to = group_end(r, from, n);
		size_t all = to - from, take_n = part(all, p->basis_points);
		size_t kept = all > 1 ? part(all, p->held_back) : 0;

		if (take_n > all - kept)
			take_n = all - kept;
		for (size_t i = from; i < from + take_n; i++)
			chosen[r[i].index] = true;
	}
}

void select_by_percent(const struct select_percent *p,
	const struct select_target *targets, size_t n, bool *chosen)
{
	struct ranked *r = calloc(n ? n : 1, sizeof(*r));
	size_t len = 0;

	if (!r)
		die("out of memory");
	for (size_t i = 0; i < n; i++) {
		const struct select_target *t = &targets[i];

		if (p->basis_points < SELECT_WHOLE && never_canary(t))
			continue;
		r[len++] = (struct ranked){t->target_class,
			select_hash(p->channel, p->salt, t->id), t->id, i};
	}
	pool_small_classes(r, len);
	take_groups(p, r, len, chosen);
	free(r);
}
