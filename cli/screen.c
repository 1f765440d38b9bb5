#include "cli/screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"
#include "cli/output.h"
#include "server/doc.h"

struct screen screen_of(struct str doc, struct arena *a)
{
	return (struct screen){.doc = doc,
		.a = a,
		.color = output_colour(),
		.now_ns = clock_wall(&clock_system)};
}

/* --- looking -------------------------------------------------------------- */

struct str see_part(const struct screen *s, const char *pointer)
{
	return doc_part(s->doc, pointer);
}

struct str see(const struct screen *s, const char *pointer)
{
	return doc_see(s->doc, pointer, s->a);
}

struct str see_in(const struct screen *s, struct str part, const char *name)
{
	struct str span;

	return json_member(part, str_from(name), &span)
		       ? doc_see(span, "", s->a)
		       : S("");
}

int64_t see_int(const struct screen *s, const char *pointer)
{
	int64_t n;

	return json_int(see_part(s, pointer), &n) ? n : 0;
}

bool see_true(const struct screen *s, const char *pointer)
{
	return str_is(see_part(s, pointer), "true");
}

/* --- times ---------------------------------------------------------------- */

const char *see_ago(const struct screen *s, struct str time)
{
	int64_t ns;

	if (!s->now_ns || !instant_parse(time, &ns, NULL))
		return arena_strdup(s->a, time);
	if (ns > s->now_ns)
		return arena_printf(
			s->a, "in %s", doc_ahead(s->a, ns - s->now_ns));
	return arena_printf(s->a, "%s ago", doc_span(s->a, s->now_ns - ns));
}

/* --- words ---------------------------------------------------------------- */

void say(const struct screen *s, struct buf *out, enum tone tone,
	const char *fmt, ...)
{
	static const char *const codes[] = {
		[TONE_NONE] = "",
		[TONE_GOOD] = "\x1b[32m",
		[TONE_BAD] = "\x1b[1;31m",
		[TONE_WAIT] = "\x1b[33m",
		[TONE_DIM] = "\x1b[2m",
	};
	bool color = s->color && tone;
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (color)
		buf_adds(out, codes[tone]);
	buf_adds(out, text);
	if (color)
		buf_adds(out, "\x1b[0m");
}

/* --- columns -------------------------------------------------------------- */

void columns_add(struct arena *a, struct columns *c, struct str cell)
{
	c->cells = arena_grow(a, c->cells, c->len, &c->cap, sizeof(*c->cells));
	c->cells[c->len++] = cell.len ? cell : S("-");
}

static size_t width(const struct columns *c, size_t column)
{
	size_t most = text_width(str_from(c->head[column]));

	for (size_t i = column; i < c->len; i += c->n) {
		size_t w = text_width(c->cells[i]);

		if (w > most)
			most = w;
	}
	return most;
}

/* The last one of a line has no space behind it. */
static void cell(struct buf *out, struct str text, size_t room, bool last)
{
	buf_addstr(out, text);
	if (last)
		buf_addc(out, '\n');
	for (size_t w = text_width(text); !last && w < room + 2; w++)
		buf_addc(out, ' ');
}

void columns_write(const struct columns *c, struct buf *out)
{
	size_t widths[16];

	for (size_t i = 0; i < c->n; i++)
		widths[i] = width(c, i);
	for (size_t i = 0; i < c->n; i++)
		cell(out, str_from(c->head[i]), widths[i], i + 1 == c->n);
	for (size_t i = 0; i < c->len; i++)
		cell(out, c->cells[i], widths[i % c->n], (i + 1) % c->n == 0);
}
