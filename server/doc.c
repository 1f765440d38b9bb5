#include "server/doc.h"

#include "base/date.h"
#include "base/json.h"

#include <inttypes.h>

static void comma(struct buf *out)
{
	char last = out->len ? out->ptr[out->len - 1] : '{';

	if (last != '{' && last != '[')
		buf_addc(out, ',');
}

static void key(struct buf *out, const char *name)
{
	comma(out);
	if (!name)
		return;
	json_quote(out, str_from(name));
	buf_addc(out, ':');
}

void doc_begin(struct buf *out, const char *kind)
{
	buf_addc(out, '{');
	doc_text(out, "kind", str_from(kind));
	doc_int(out, "schema", DOC_SCHEMA);
}

void doc_open(struct buf *out, const char *name, char bracket)
{
	key(out, name);
	buf_addc(out, bracket);
}

void doc_close(struct buf *out, char bracket)
{
	buf_addc(out, bracket);
}

void doc_text(struct buf *out, const char *name, struct str s)
{
	key(out, name);
	json_quote(out, s);
}

void doc_named(struct buf *out, struct str name, struct str s)
{
	comma(out);
	json_quote(out, name);
	buf_addc(out, ':');
	json_quote(out, s);
}

void doc_some(struct buf *out, const char *name, struct str s)
{
	if (s.len)
		doc_text(out, name, s);
}

void doc_int(struct buf *out, const char *name, int64_t n)
{
	key(out, name);
	buf_addf(out, "%" PRId64, n);
}

void doc_bool(struct buf *out, const char *name, bool b)
{
	key(out, name);
	buf_adds(out, b ? "true" : "false");
}

void doc_time(struct buf *out, const char *name, int64_t ns)
{
	struct buf text = {0};

	if (!ns)
		return;
	instant_text(&text, ns);
	doc_text(out, name, buf_str(&text));
	buf_release(&text);
}

void doc_json(struct buf *out, const char *name, struct str json)
{
	if (!json.len)
		return;
	key(out, name);
	buf_addstr(out, json);
}
