#include "server/advice.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

const char *harm_name(enum harm h)
{
	static const char *const names[HARMS] = {"high", "medium", "low"};

	return names[h];
}

static void member(struct buf *out, const char *name, struct str text)
{
	buf_addf(out, ",\"%s\":", name);
	json_quote(out, text);
}

void advice_add(struct advice *a, struct advice_row row, const char *what, ...)
{
	struct buf *out = &a->rows[row.harm];
	char text[1024];
	va_list ap;

	va_start(ap, what);
	vsnprintf(text, sizeof(text), what, ap);
	va_end(ap);
	buf_addf(out, "%s{\"harm\":\"%s\"", out->len ? "," : "",
		harm_name(row.harm));
	member(out, "code", str_from(row.code));
	member(out, "where", row.where);
	member(out, "what", str_from(text));
	member(out, "fix", str_from(row.fix));
	buf_addc(out, '}');
	a->n[row.harm]++;
}

void advice_write(const struct advice *a, struct buf *out)
{
	bool first = true;

	buf_adds(out, "\"rows\":[");
	for (size_t h = 0; h < HARMS; h++) {
		if (!a->n[h])
			continue;
		if (!first)
			buf_addc(out, ',');
		buf_addstr(out, buf_str(&a->rows[h]));
		first = false;
	}
	buf_addc(out, ']');
}

void advice_release(struct advice *a)
{
	for (size_t h = 0; h < HARMS; h++)
		buf_release(&a->rows[h]);
}
