#include "rego/builtin/unicode.h"
#include "rego/value_impl.h"

#include <string.h>

static void text_items(struct buf *out, const struct value *items, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_add(out, ", ", 2);
		value_text(out, items[i]);
	}
}

static void text_object(struct buf *out, const struct object *o)
{
	buf_addc(out, '{');
	for (uint32_t i = 0; i < o->len; i++) {
		if (i)
			buf_add(out, ", ", 2);
		value_text(out, o->keys->items[i]);
		buf_add(out, ": ", 2);
		value_text(out, o->vals[i]);
	}
	buf_addc(out, '}');
}

static void text_set(struct buf *out, const struct set *s)
{
	if (!s->len) {
		buf_adds(out, "set()");
		return;
	}
	buf_addc(out, '{');
	text_items(out, s->keys->items, s->len);
	buf_addc(out, '}');
}

/* Kept out of value_text(), whose frame recurs. */
static __attribute__((noinline)) void text_number(
	struct buf *out, struct value v)
{
	char tmp[24];

	buf_addstr(out, num_text(v, tmp));
}

void value_text(struct buf *out, struct value v)
{
	switch (v.tag) {
	case V_TRUE:
		buf_adds(out, "true");
		break;
	case V_FALSE:
		buf_adds(out, "false");
		break;
	case V_NULL:
		buf_adds(out, "null");
		break;
	case V_INT:
	case V_NUM:
		text_number(out, v);
		break;
	case V_STR:
		quote_go(out, v_bytes(v), false);
		break;
	case V_ARR:
		buf_addc(out, '[');
		text_items(out, v.arr->items, v.arr->len);
		buf_addc(out, ']');
		break;
	case V_OBJ:
		text_object(out, v.obj);
		break;
	case V_SET:
		text_set(out, v.set);
		break;
	default: /* what OPA prints in the place of no value */
		buf_adds(out, "<undefined>");
		break;
	}
}

void value_text_bare(struct buf *out, struct value v)
{
	if (v.tag == V_STR)
		buf_addstr(out, v_bytes(v));
	else
		value_text(out, v);
}

void text_line(struct buf *out, struct str s, uint32_t max)
{
	uint32_t n = 0, cp;
	bool gap = false;

	for (size_t i = 0, size; i < s.len; i += size) {
		size = utf8_decode(s.ptr + i, s.len - i, &cp);
		if (rune_is_space(cp)) {
			gap = n > 0;
			continue;
		}
		if (gap && n++ < max)
			buf_addc(out, ' ');
		gap = false;
		if (n++ >= max) {
			buf_adds(out, "...");
			return;
		}
		buf_add(out, s.ptr + i, size);
	}
}
