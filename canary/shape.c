#include "canary/shape.h"

#include "base/json.h"

#include <string.h>

static const void *place(const void *from, size_t at)
{
	return (const char *)from + at;
}

/* Enums of these structs are never negative. */
static uint32_t enum_at(const void *from, size_t at)
{
	uint32_t v;

	memcpy(&v, place(from, at), sizeof(v));
	return v;
}

static const void *list_at(
	const struct shape_field *f, const void *from, uint32_t *n)
{
	const void *items;

	memcpy(&items, place(from, f->at), sizeof(items));
	memcpy(n, place(from, f->count), sizeof(*n));
	return items;
}

/* --- writing -------------------------------------------------------------- */

static void write_list(
	const struct shape_field *f, const void *from, struct buf *out)
{
	uint32_t n;
	const char *items = list_at(f, from, &n);

	buf_addc(out, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_addc(out, ',');
		if (f->kind == SHAPE_STRS)
			json_quote(out,
				((const struct str *)(const void *)items)[i]);
		else
			shape_write(f->sub, items + i * f->sub->size, out);
	}
	buf_addc(out, ']');
}

static void write_value(
	const struct shape_field *f, const void *from, struct buf *out)
{
	switch (f->kind) {
	case SHAPE_STR:
		json_quote(out, *(const struct str *)place(from, f->at));
		break;
	case SHAPE_INT:
		buf_addf(out, "%lld",
			(long long)*(const int64_t *)place(from, f->at));
		break;
	case SHAPE_BOOL:
		buf_adds(out, "true");
		break;
	case SHAPE_ENUM:
		json_quote(out, str_from(f->names[enum_at(from, f->at)]));
		break;
	case SHAPE_OBJECT:
		shape_write(f->sub, place(from, f->at), out);
		break;
	case SHAPE_STRS:
	case SHAPE_LIST:
		write_list(f, from, out);
		break;
	}
}

static bool empty(const struct shape_field *f, const void *from);

static bool all_empty(const struct shape *s, const void *from)
{
	for (size_t i = 0; i < s->nfields; i++)
		if (!empty(&s->fields[i], from))
			return false;
	return true;
}

static bool empty(const struct shape_field *f, const void *from)
{
	uint32_t n;

	switch (f->kind) {
	case SHAPE_STR:
		return !((const struct str *)place(from, f->at))->len;
	case SHAPE_INT:
		return !*(const int64_t *)place(from, f->at);
	case SHAPE_BOOL:
		return !*(const bool *)place(from, f->at);
	case SHAPE_ENUM:
		return !enum_at(from, f->at);
	case SHAPE_OBJECT:
		return all_empty(f->sub, place(from, f->at));
	case SHAPE_STRS:
	case SHAPE_LIST:
	default:
		list_at(f, from, &n);
		return !n;
	}
}

void shape_write(const struct shape *s, const void *from, struct buf *out)
{
	char sep = '{';

	for (size_t i = 0; i < s->nfields; i++) {
		const struct shape_field *f = &s->fields[i];

		if (empty(f, from))
			continue;
		buf_addc(out, sep);
		buf_addf(out, "\"%s\":", f->name);
		write_value(f, from, out);
		sep = ',';
	}
	if (sep == '{')
		buf_addc(out, '{');
	buf_addc(out, '}');
}

/* --- parsing -------------------------------------------------------------- */

static struct str text_of(struct str span, struct arena *a)
{
	struct buf b = {0};
	struct str s;

	json_text(&b, span);
	s = arena_str(a, buf_str(&b));
	buf_release(&b);
	return s;
}

static enum status mismatch(const struct shape_field *f, struct err *e)
{
	/* clang-format off */
	static const char *const wanted[] = {
		[SHAPE_STR] = "a string", [SHAPE_INT] = "a whole number",
		[SHAPE_BOOL] = "true", [SHAPE_ENUM] = "a known name",
		[SHAPE_OBJECT] = "an object", [SHAPE_STRS] = "an array of strings",
		[SHAPE_LIST] = "an array of objects",
	};
	/* clang-format on */

	return err_set(
		e, E_INVALID, "\"%s\" is not %s", f->name, wanted[f->kind]);
}

static enum status read_object(const struct shape *s, struct str span,
	struct arena *a, void *out, struct err *e);

static enum status read_item(const struct shape_field *f, struct str span,
	struct arena *a, char *to, struct err *e)
{
	if (f->kind == SHAPE_LIST)
		return read_object(f->sub, span, a, to, e);
	if (json_kind(span) != JSON_STRING)
		return mismatch(f, e);
	*(struct str *)(void *)to = text_of(span, a);
	return OK;
}

static enum status read_list(const struct shape_field *f, struct str span,
	struct arena *a, char *out, struct err *e)
{
	size_t size = f->kind == SHAPE_LIST ? f->sub->size : sizeof(struct str);
	struct json_iter it = json_iter(span);
	enum status st = OK;
	uint32_t n = 0;
	char *items;

	if (json_kind(span) != JSON_ARRAY)
		return mismatch(f, e);
	while (json_next(&it))
		if (++n > f->max)
			return err_set(e, E_LIMIT,
				"\"%s\" has more than %u members", f->name,
				f->max);
	items = arena_array(a, n, size);
	it = json_iter(span);
	for (uint32_t i = 0; !st && json_next(&it); i++)
		st = read_item(f, it.value, a, items + i * size, e);
	memcpy(out + f->at, &items, sizeof(items));
	memcpy(out + f->count, &n, sizeof(n));
	return st;
}

static bool read_enum(const struct shape_field *f, struct str span, char *out)
{
	if (json_kind(span) != JSON_STRING)
		return false;
	for (uint32_t i = 0; i < f->max; i++)
		if (json_text_is(span, str_from(f->names[i]))) {
			memcpy(out + f->at, &i, sizeof(i));
			return true;
		}
	return false;
}

static enum status read_value(const struct shape_field *f, struct str span,
	struct arena *a, char *out, struct err *e)
{
	bool fits;

	switch (f->kind) {
	case SHAPE_STR:
		fits = json_kind(span) == JSON_STRING;
		if (fits)
			*(struct str *)(void *)(out + f->at) = text_of(span, a);
		break;
	case SHAPE_INT:
		fits = json_kind(span) == JSON_NUMBER &&
		       json_int(span, (int64_t *)(void *)(out + f->at));
		break;
	case SHAPE_BOOL:
		fits = *(bool *)(out + f->at) = str_is(span, "true");
		break;
	case SHAPE_ENUM:
		fits = read_enum(f, span, out);
		break;
	case SHAPE_OBJECT:
		return read_object(f->sub, span, a, out + f->at, e);
	case SHAPE_STRS:
	case SHAPE_LIST:
	default:
		return read_list(f, span, a, out, e);
	}
	return fits ? OK : mismatch(f, e);
}

static const struct shape_field *find(const struct shape *s, struct str key)
{
	for (size_t i = 0; i < s->nfields; i++)
		if (json_text_is(key, str_from(s->fields[i].name)))
			return &s->fields[i];
	return NULL;
}

static enum status read_object(const struct shape *s, struct str span,
	struct arena *a, void *out, struct err *e)
{
	struct json_iter it = json_iter(span);

	if (json_kind(span) != JSON_OBJECT)
		return err_set(e, E_INVALID, "not an object");
	while (json_next(&it)) {
		const struct shape_field *f = find(s, it.key);
		enum status st;

		if (!f)
			return err_set(e, E_INVALID, "unknown member %.*s",
				STR_ARG(it.key));
		st = read_value(f, it.value, a, out, e);
		if (st) {
			err_wrap(e, "%s", f->name);
			return st;
		}
	}
	return OK;
}

enum status shape_parse(const struct shape *s, struct str text, struct arena *a,
	void *out, struct err *e)
{
	struct buf again = {0};
	struct str span;
	void *got = arena_alloc(a, s->size);
	enum status st = json_check(text, NULL, &span, e);

	if (!st)
		st = read_object(s, span, a, got, e);
	if (st)
		return st;
	shape_write(s, got, &again);
	if (!str_eq(buf_str(&again), text))
		st = err_set(e, E_INVALID, "not in canonical form");
	else
		memcpy(out, got, s->size);
	buf_release(&again);
	return st;
}
