#include "rego/rx.h"

#include "rego/rx_engine.h"
#include "rego/rx_syntax.h"

#include <stdlib.h>
#include <string.h>

struct rx {
	struct rx_parsed p;       /* p.out is empty once the engine has it */
	struct buf pattern;       /* names point into it */
	struct rx_engine *engine; /* NULL while nobody needed it */
};

/*
 * Most patterns are small; the few that need more get it, since RE2's DFA may
 * fill what it is given.
 */
enum { RX_MEMORY_FIRST = 8 << 20 };

static bool engine_start(struct rx *rx, struct err *e)
{
	const struct buf *b = &rx->p.out;
	bool too_large = false;
	char why[256];

	rx->engine = rx_engine_new(
		b->ptr, b->len, RX_MEMORY_FIRST, &too_large, why, sizeof(why));
	if (!rx->engine && too_large)
		rx->engine = rx_engine_new(b->ptr, b->len, RX_MEMORY,
			&too_large, why, sizeof(why));
	if (rx->engine)
		return true;
	if (too_large)
		err_set(e, E_LIMIT,
			"error parsing regexp: expression too large: `%.*s`",
			STR_ARG(buf_str(&rx->pattern)));
	else
		err_set(e, E_INVALID, "error parsing regexp: %s", why);
	return false;
}

static bool has_star(const struct rx_parsed *p)
{
	return p->star_before || p->star_after;
}

/*
 * Whether rx_test() and rx_scan_next() can do without an engine, or start one
 * later that is so small that this cannot fail.
 */
static bool can_wait(const struct rx *rx)
{
	return rx->p.is_plain && (!has_star(&rx->p) || rx->pattern.len < 4096);
}

static bool size_ok(struct str pattern, struct err *e)
{
	if (pattern.len <= LIMIT_REGEX_PATTERN)
		return true;
	err_set(e, E_LIMIT, "pattern has %zu bytes, limit %zu", pattern.len,
		LIMIT_REGEX_PATTERN);
	return false;
}

struct rx *rx_new(struct str pattern, struct err *e)
{
	struct rx *rx;

	if (!size_ok(pattern, e))
		return NULL;
	rx = calloc(1, sizeof(*rx));
	if (!rx)
		die("out of memory: regular expression");
	buf_addstr(&rx->pattern, pattern);
	if (rx_parse(buf_str(&rx->pattern), &rx->p, e) &&
		(can_wait(rx) || engine_start(rx, e)))
		return rx;
	rx_free(rx);
	return NULL;
}

void rx_free(struct rx *rx)
{
	if (!rx)
		return;
	rx_parsed_release(&rx->p);
	buf_release(&rx->pattern);
	if (rx->engine)
		rx_engine_free(rx->engine);
	free(rx);
}

bool rx_valid(struct str pattern, struct err *e)
{
	struct rx_parsed p = {0};
	bool ok = size_ok(pattern, e) && rx_parse(pattern, &p, e);

	rx_parsed_release(&p);
	return ok;
}

size_t rx_size(const struct rx *rx)
{
	return rx->pattern.len + rx->p.out.len + rx->p.plain.len +
	       (rx->engine ? rx_engine_size(rx->engine) : 0);
}

size_t rx_groups(const struct rx *rx)
{
	return rx->p.ngroups + 1;
}

struct str rx_group_name(const struct rx *rx, size_t group)
{
	for (size_t i = 0; i < rx->p.nnames; i++)
		if (rx->p.names[i].group == group)
			return rx->p.names[i].text;
	return (struct str){0};
}

/* --- finding --------------------------------------------------------- */

static bool plain_test(const struct rx_parsed *p, struct str text)
{
	struct str t = buf_str(&p->plain);

	if (p->at_begin && p->at_end)
		return str_eq(text, t);
	if (p->at_begin)
		return str_starts(text, t);
	if (p->at_end)
		return str_ends(text, t);
	return str_find(text, t, 0) != SIZE_MAX;
}

static bool plain_find(
	const struct rx_parsed *p, struct str text, size_t from, size_t *pair)
{
	struct str t = buf_str(&p->plain);
	size_t at;

	if (p->at_begin)
		at = from == 0 && plain_test(p, text) ? 0 : SIZE_MAX;
	else if (p->at_end)
		at = str_ends(text, t) && text.len - t.len >= from
			     ? text.len - t.len
			     : SIZE_MAX;
	else
		at = str_find(text, t, from);
	if (at == SIZE_MAX)
		return false;
	pair[0] = at;
	pair[1] = at + t.len;
	return true;
}

static bool inside_rune(struct str text, size_t at)
{
	return at < text.len && ((unsigned char)text.ptr[at] & 0xc0) == 0x80;
}

/*
 * The engine works on bytes: \B also matches between the bytes of one code
 * point. Such a match is empty, and the search goes on behind it.
 */
static bool engine_find(
	struct rx *rx, struct str text, size_t from, size_t *pairs, size_t n)
{
	struct err e = {0};

	if (!rx->engine && !engine_start(rx, &e))
		die("%s", e.text);
	while (rx_engine_find(rx->engine, text.ptr, text.len, from, pairs, n)) {
		if (!rx->p.has_not_boundary || !inside_rune(text, pairs[0]))
			return true;
		from = pairs[0] + 1;
		while (inside_rune(text, from))
			from++;
	}
	return false;
}

bool rx_test(struct rx *rx, struct str text)
{
	size_t pair[2];
	struct rx_scan s;
	bool found;

	if (rx->p.is_plain)
		return plain_test(&rx->p, text);
	if (!text.ptr)
		text.ptr = "";
	if (utf8_valid(text.ptr, text.len))
		return engine_find(
			rx, text, 0, pair, rx->p.has_not_boundary ? 1 : 0);
	rx_scan_start(&s, rx, text, 1);
	found = rx_scan_next(&s);
	rx_scan_end(&s);
	return found;
}

/* --- scanning -------------------------------------------------------- */

/* Make s->fixed and the way back from its offsets. */
static void scan_fix(struct rx_scan *s)
{
	struct str t = s->text;
	size_t at = 0;

	s->origin = calloc(t.len * 3 + 1, sizeof(*s->origin));
	if (!s->origin)
		die("out of memory: offsets of %zu bytes", t.len);
	while (at < t.len) {
		uint32_t cp;
		size_t n = utf8_decode(t.ptr + at, t.len - at, &cp);
		size_t start = s->fixed.len;

		buf_addcp(&s->fixed, cp);
		for (size_t i = start; i < s->fixed.len; i++)
			s->origin[i] = at;
		at += n;
	}
	s->origin[s->fixed.len] = t.len;
}

void rx_scan_start(
	struct rx_scan *s, struct rx *rx, struct str text, size_t ngroups)
{
	*s = (struct rx_scan){.rx = rx,
		.text = text,
		.ngroups = ngroups,
		.last_end = RX_NONE};
	if (!text.ptr)
		s->text.ptr = "";
	if (!utf8_valid(s->text.ptr, text.len))
		scan_fix(s);
	s->spans = calloc(ngroups, sizeof(*s->spans));
	if (!s->spans)
		die("out of memory: %zu groups", ngroups);
}

void rx_scan_end(struct rx_scan *s)
{
	buf_release(&s->fixed);
	free(s->origin);
	free(s->spans);
	*s = (struct rx_scan){0};
}

_Static_assert(sizeof(struct rx_span) == 2 * sizeof(size_t),
	"an array of spans is an array of pairs");

static bool find(struct rx_scan *s, struct str text)
{
	struct rx_parsed *p = &s->rx->p;
	size_t *pairs = &s->spans[0].from;

	if (p->is_plain && !has_star(p))
		return plain_find(p, text, s->pos, pairs);
	return engine_find(s->rx, text, s->pos, pairs, s->ngroups);
}

static void spans_to_origin(struct rx_scan *s)
{
	for (size_t i = 0; i < s->ngroups; i++) {
		struct rx_span *p = &s->spans[i];

		if (p->from == RX_NONE)
			continue;
		p->from = s->origin[p->from];
		p->to = s->origin[p->to];
	}
}

bool rx_scan_next(struct rx_scan *s)
{
	struct str text = s->origin ? buf_str(&s->fixed) : s->text;

	while (s->pos <= text.len && find(s, text)) {
		struct rx_span hit = s->spans[0];
		bool again = hit.to == s->pos && hit.from == s->last_end;
		uint32_t cp;

		if (hit.to > s->pos)
			s->pos = hit.to;
		else if (s->pos < text.len)
			s->pos += utf8_decode(
				text.ptr + s->pos, text.len - s->pos, &cp);
		else
			s->pos = text.len + 1;
		s->last_end = hit.to;
		if (again)
			continue;
		if (s->origin)
			spans_to_origin(s);
		return true;
	}
	return false;
}
