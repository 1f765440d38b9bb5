#include "bundler/signed.h"

#include <string.h>

#include "base/buf.h"

/* --- lines ---------------------------------------------------------------- */

/* Take the line in front, without its end; false when nothing is left. */
static bool next_line(struct str *rest, struct str *line)
{
	if (!rest->len)
		return false;
	*line = str_take(rest, S("\n"));
	return true;
}

/* What stands behind "key " of a line; false: it is another one. */
static bool value_of(struct str line, struct str key, struct str *out)
{
	if (!str_starts(line, key) || line.len == key.len ||
		line.ptr[key.len] != ' ')
		return false;
	*out = str_slice(line, key.len + 1, line.len);
	return true;
}

/* The seconds of "Ann <ann@a.example> 1781956800 +0000". */
static bool read_time(struct str person, int64_t *out)
{
	size_t at = person.len;
	int64_t n = 0;
	bool minus;

	while (at && person.ptr[at - 1] != '>')
		at--;
	if (!at || at == person.len || person.ptr[at] != ' ')
		return false;
	minus = ++at < person.len && person.ptr[at] == '-';
	at += minus;
	size_t from = at;

	for (; at < person.len && person.ptr[at] >= '0' &&
		person.ptr[at] <= '9';
		at++)
		if (at - from > 17)
			return false;
		else
			n = n * 10 + (person.ptr[at] - '0');
	if (at == from || at == person.len || person.ptr[at] != ' ')
		return false;
	*out = minus ? -n : n;
	return true;
}

/* --- armour --------------------------------------------------------------- */

static enum signed_kind kind_of(struct str line)
{
	static const struct {
		struct str begin;
		enum signed_kind kind;
	} rows[] = {
		{STR("-----BEGIN SSH SIGNATURE-----"), SIGNED_SSH},
		{STR("-----BEGIN PGP SIGNATURE-----"), SIGNED_PGP},
		{STR("-----BEGIN PGP MESSAGE-----"), SIGNED_PGP},
		{STR("-----BEGIN SIGNED MESSAGE-----"), SIGNED_X509},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (str_starts(line, rows[i].begin))
			return rows[i].kind;
	return SIGNED_NOT;
}

/* --- commits -------------------------------------------------------------- */

/* The headers of a commit while they are gone through. */
struct headers {
	struct str object, rest;
	struct buf signature;
	size_t from, to; /* the lines of gpgsig in the object */
	bool has_time, inside;
	int64_t time;
	struct err *e;
};

static enum status begin_signature(
	struct headers *h, struct str line, struct str value)
{
	if (h->to)
		return err_set(h->e, E_INVALID, "it has two signatures");
	h->inside = true;
	h->from = (size_t)(line.ptr - h->object.ptr);
	h->to = h->object.len - h->rest.len;
	buf_addstr(&h->signature, value);
	buf_addc(&h->signature, '\n');
	return OK;
}

static enum status take_header(struct headers *h, struct str line)
{
	struct str value;

	if (line.ptr[0] == ' ') {
		if (!h->inside)
			return OK;
		h->to = h->object.len - h->rest.len;
		buf_addstr(&h->signature, str_slice(line, 1, line.len));
		buf_addc(&h->signature, '\n');
		return OK;
	}
	h->inside = false;
	if (value_of(line, S("gpgsig"), &value))
		return begin_signature(h, line, value);
	/* It would cover less in some repositories than in others. */
	if (str_starts(line, S("gpgsig")))
		return err_set(h->e, E_UNSUPPORTED,
			"it has a signature for another kind of repository "
			"(%.*s)",
			(int)(line.len > 20 ? 20 : line.len), line.ptr);
	if (!h->has_time && value_of(line, S("committer"), &value))
		h->has_time = read_time(value, &h->time);
	return OK;
}

static enum status take_headers(struct headers *h)
{
	struct str line;
	enum status st = OK;

	while (!st && next_line(&h->rest, &line) && line.len)
		st = take_header(h, line);
	if (!st && !h->has_time)
		st = err_set(h->e, E_INVALID, "no time of a committer in it");
	return st;
}

/* All but the lines of the signature. */
static struct str without(const struct headers *h, struct arena *a)
{
	struct buf text = {0};
	struct str out;

	buf_addstr(&text, str_slice(h->object, 0, h->from));
	buf_addstr(&text, str_slice(h->object, h->to, h->object.len));
	out = arena_str(a, buf_str(&text));
	buf_release(&text);
	return out;
}

enum status signed_commit(struct signed_object *out, struct str object,
	struct arena *a, struct err *e)
{
	struct headers h = {.object = object, .rest = object, .e = e};
	struct signed_object x = {.message = object};
	enum status st = take_headers(&h);

	x.time = h.time;
	if (!st && h.to) {
		x.signature = arena_str(a, buf_str(&h.signature));
		x.message = without(&h, a);
		x.kind = kind_of(x.signature);
		if (x.kind == SIGNED_NOT)
			st = err_set(e, E_INVALID,
				"its signature is of no known kind");
	}
	buf_release(&h.signature);
	if (!st)
		*out = x;
	return st;
}

/* --- tags ----------------------------------------------------------------- */

static enum status take_line(
	struct str *rest, struct str key, struct str *out, struct err *e)
{
	struct str line;

	if (next_line(rest, &line) && value_of(line, key, out))
		return OK;
	return err_set(e, E_INVALID, "no line \"%.*s\" in it where one belongs",
		STR_ARG(key));
}

/* Where the last line begins that could begin a signature. */
static void find_signature(
	struct signed_object *x, struct str object, struct str body)
{
	struct str rest = body, line;

	while (next_line(&rest, &line)) {
		enum signed_kind kind = kind_of(line);
		size_t at = (size_t)(line.ptr - object.ptr);

		if (kind == SIGNED_NOT)
			continue;
		x->kind = kind;
		x->message = str_slice(object, 0, at);
		x->signature = str_slice(object, at, object.len);
	}
}

enum status signed_tag(
	struct signed_object *out, struct str object, struct err *e)
{
	struct signed_object x = {.message = object};
	struct str rest = object, tagger, line;
	enum status st = take_line(&rest, S("object"), &x.target, e);

	if (!st)
		st = take_line(&rest, S("type"), &x.type, e);
	if (!st)
		st = take_line(&rest, S("tag"), &x.name, e);
	if (!st)
		st = take_line(&rest, S("tagger"), &tagger, e);
	if (!st && !read_time(tagger, &x.time))
		st = err_set(e, E_INVALID, "no time of a tagger in it");
	if (st)
		return st;
	while (next_line(&rest, &line) && line.len)
		;
	find_signature(&x, object, rest);
	*out = x;
	return OK;
}
