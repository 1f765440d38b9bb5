#include "rego/builtin/template.h"

#include <string.h>

#include "rego/builtin/operand.h"
#include "rego/builtin/unicode.h"

/*
 * The functions that a template can call. Their arguments are TP_VALUE, which
 * may be missing or boxed, unless the table says otherwise.
 */

PRINTF(2, 3)
static enum bi_status refuse(struct buf *why, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_adds(why, text);
	return BI_ERROR;
}

/* The result is the text in `b`, which is released. */
static enum bi_status text_result(struct bi_ctx *cx, enum bi_status st,
	struct buf *b, struct go_value *out)
{
	if (!st)
		*out = go_string(arena_str(cx->arena, buf_str(b)));
	buf_release(b);
	return st;
}

bool tmpl_truth(const struct go_value *v)
{
	switch (v->kind) {
	case GO_BOOL:
		return v->b;
	case GO_INT:
	case GO_INT64:
	case GO_UINT8:
		return v->i != 0;
	case GO_FLOAT:
		return v->f != 0;
	case GO_COMPLEX:
		return v->f != 0 || v->im != 0;
	case GO_STRING:
	case GO_NUMBER:
		return v->s.len != 0;
	case GO_LIST:
		return v->list.len != 0;
	case GO_MAP:
		return v->map->len != 0;
	default:
		return false;
	}
}

/* --- printing ------------------------------------------------------------- */

enum bi_status tmpl_print(
	struct bi_ctx *cx, struct buf *out, const struct go_value *v)
{
	if (v->kind > GO_NIL)
		return go_print(cx, out, v, 1);
	buf_adds(out, "<no value>");
	return BI_OK;
}

static enum bi_status fn_print(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	struct buf b = {0};

	(void)why;
	return text_result(cx, go_print(cx, &b, args, n), &b, out);
}

static enum bi_status fn_println(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	struct buf b = {0};

	(void)why;
	return text_result(cx, go_println(cx, &b, args, n), &b, out);
}

static enum bi_status fn_printf(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	struct buf b = {0};

	(void)why;
	return text_result(
		cx, go_printf(cx, &b, args[0].s, args + 1, n - 1), &b, out);
}

/* --- escaping ------------------------------------------------------------- */

/* All arguments as one text, as print() joins them; nil has its own mark. */
static enum bi_status join(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct buf *out)
{
	struct go_value *all = ARENA_ARRAY(cx->arena, struct go_value, n);

	for (size_t i = 0; i < n; i++)
		all[i] = args[i].kind > GO_NIL ? args[i]
					       : go_string(S("<no value>"));
	return go_print(cx, out, all, n);
}

static void add_html(struct buf *out, struct str s)
{
	static const char special[] = "\"'&<>";
	static const char *const escaped[] = {
		"&#34;", "&#39;", "&amp;", "&lt;", "&gt;"};

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		const char *found = c ? strchr(special, c) : NULL;

		if (!c)
			buf_adds(out, "\xef\xbf\xbd");
		else if (found)
			buf_adds(out, escaped[found - special]);
		else
			buf_addc(out, c);
	}
}

/* For a JavaScript string. */
static void add_js(struct buf *out, struct str s)
{
	for (size_t i = 0, w; i < s.len; i += w) {
		uint32_t c;

		w = utf8_decode(s.ptr + i, s.len - i, &c);
		if (c == '\\' || c == '\'' || c == '"')
			buf_addf(out, "\\%c", (char)c);
		else if (c < ' ' || c == '<' || c == '>' || c == '&' ||
			 c == '=' || (c >= 0x80 && !rune_is_print(c)))
			buf_addf(out, "\\u%04X", (unsigned)c);
		else
			buf_add(out, s.ptr + i, w);
	}
}

static enum bi_status escape(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, void (*add)(struct buf *, struct str))
{
	struct buf plain = {0}, b = {0};
	enum bi_status st = join(cx, args, n, &plain);

	if (!st)
		add(&b, buf_str(&plain));
	buf_release(&plain);
	if (!st && !bi_charge(cx, b.len / 64))
		st = BI_HALT;
	return text_result(cx, st, &b, out);
}

static enum bi_status fn_html(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	(void)why;
	return escape(cx, args, n, out, add_html);
}

static enum bi_status fn_js(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	(void)why;
	return escape(cx, args, n, out, add_js);
}

static enum bi_status fn_urlquery(struct bi_ctx *cx,
	const struct go_value *args, size_t n, struct go_value *out,
	struct buf *why)
{
	struct buf plain = {0};
	struct value v = v_undef;
	enum bi_status st = join(cx, args, n, &plain);

	(void)why;
	if (!st) {
		v = v_str(cx->arena, buf_str(&plain));
		st = operand_call(cx, "urlquery.encode", &v, &v);
	}
	buf_release(&plain);
	if (!st)
		*out = go_string(v_bytes(v));
	return st;
}

/* --- len, index, slice ---------------------------------------------------- */

static enum bi_status fn_len(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	const struct go_value *v = &args[0];

	(void)cx;
	(void)n;
	switch (v->kind) {
	case GO_NONE:
		return refuse(why,
			"reflect: call of reflect.Value.Type on zero Value");
	case GO_NIL:
		return refuse(why, "len of nil pointer");
	case GO_STRING:
	case GO_NUMBER:
		*out = go_int((int64_t)v->s.len);
		return BI_OK;
	case GO_LIST:
		*out = go_int(v->list.len);
		return BI_OK;
	case GO_MAP:
		*out = go_int(v->map->len);
		return BI_OK;
	default:
		return refuse(why, "len of type %s", go_type(v));
	}
}

/* A place from 0 up to and including `cap`. */
static enum bi_status position(
	struct buf *why, const struct go_value *at, size_t cap, size_t *out)
{
	if (at->kind == GO_NONE)
		return refuse(why, "cannot index slice/array with nil");
	if (at->boxed || (at->kind != GO_INT && at->kind != GO_UINT8))
		return refuse(why, "cannot index slice/array with type %s",
			at->boxed ? "interface {}" : go_type(at));
	if (at->i < 0 || (uint64_t)at->i > cap)
		return refuse(
			why, "index out of range: %lld", (long long)at->i);
	*out = (size_t)at->i;
	return BI_OK;
}

static enum bi_status index_map(struct bi_ctx *cx, struct go_value *item,
	const struct go_value *key, struct buf *why)
{
	struct value v;

	if (key->kind == GO_NONE)
		return refuse(why, "value is nil; should be of type string");
	if (key->kind != GO_STRING)
		return refuse(why, "value has type %s; should be string",
			go_type(key));
	v = obj_get(item->map, v_str(cx->arena, key->s));
	*item = go_from_json(cx->arena, v);
	item->boxed = true;
	return BI_OK;
}

static enum bi_status index_list(struct bi_ctx *cx, struct go_value *item,
	const struct go_value *key, struct buf *why)
{
	size_t at, len = item->kind == GO_LIST ? item->list.len : item->s.len;
	enum bi_status st = position(why, key, len, &at);

	if (st)
		return st;
	if (at == len)
		return refuse(why, "reflect: %s index out of range",
			item->kind == GO_LIST ? "slice" : "string");
	if (item->kind == GO_LIST) {
		*item = go_member(cx->arena, &item->list, (uint32_t)at);
		item->boxed = true;
	} else {
		*item = (struct go_value){
			.kind = GO_UINT8, .i = (uint8_t)item->s.ptr[at]};
	}
	return BI_OK;
}

static enum bi_status index_one(struct bi_ctx *cx, struct go_value *item,
	const struct go_value *key, struct buf *why)
{
	switch (item->kind) {
	case GO_NIL:
		return refuse(why, "index of nil pointer");
	case GO_MAP:
		return index_map(cx, item, key, why);
	case GO_LIST:
	case GO_STRING:
	case GO_NUMBER:
		return index_list(cx, item, key, why);
	default:
		return refuse(
			why, "can't index item of type %s", go_type(item));
	}
}

static enum bi_status fn_index(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	struct go_value item = tmpl_unbox(args[0]);

	if (item.kind == GO_NONE)
		return refuse(why, "index of untyped nil");
	for (size_t i = 1; i < n; i++) {
		struct go_value key = tmpl_unbox(args[i]);
		enum bi_status st = index_one(cx, &item, &key, why);

		if (st)
			return st;
	}
	*out = item;
	return BI_OK;
}

static struct go_value slice_of(
	const struct go_value *item, const size_t at[static 3])
{
	struct go_value v = *item;
	struct go_list *l = &v.list;

	if (item->kind != GO_LIST) {
		v.s = str_slice(item->s, at[0], at[1]);
		return v;
	}
	l->items += at[0] < l->have ? at[0] : l->have;
	l->have -= at[0] < l->have ? (uint32_t)at[0] : l->have;
	l->len = (uint32_t)(at[1] - at[0]);
	l->cap = (uint32_t)(at[2] - at[0]);
	return v;
}

/* What can be sliced, and how far; at[]: from, to, capacity. */
static enum bi_status slice_bounds(const struct go_value *item, size_t n,
	size_t at[static 3], struct buf *why)
{
	if (item->kind == GO_NONE)
		return refuse(why, "slice of untyped nil");
	if (n > 3)
		return refuse(why, "too many slice indexes: %zu", n);
	at[0] = 0;
	if (item->kind == GO_LIST) {
		at[1] = item->list.len;
		at[2] = item->list.cap;
		return BI_OK;
	}
	if (item->kind != GO_STRING && item->kind != GO_NUMBER)
		return refuse(
			why, "can't slice item of type %s", go_type(item));
	if (n == 3)
		return refuse(why, "cannot 3-index slice a string");
	at[1] = at[2] = item->s.len;
	return BI_OK;
}

static enum bi_status fn_slice(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	struct go_value item = tmpl_unbox(args[0]);
	size_t at[3] = {0}, cap;
	enum bi_status st = slice_bounds(&item, n - 1, at, why);

	(void)cx;
	cap = at[2];
	for (size_t i = 1; i < n && !st; i++)
		st = position(why, &args[i], cap, &at[i - 1]);
	for (size_t i = 0; i < 2 && !st; i++)
		if (at[i] > at[i + 1])
			st = refuse(why, "invalid slice index: %zu > %zu",
				at[i], at[i + 1]);
	if (!st)
		*out = slice_of(&item, at);
	return st;
}

/* --- comparing ------------------------------------------------------------ */

/* Kinds that can be compared with each other. */
enum basic {
	BASIC_NONE,
	BASIC_BOOL,
	BASIC_INT,
	BASIC_FLOAT,
	BASIC_COMPLEX,
	BASIC_STRING
};

static enum basic basic_of(const struct go_value *v)
{
	switch (v->kind) {
	case GO_BOOL:
		return BASIC_BOOL;
	case GO_INT:
	case GO_UINT8:
		return BASIC_INT;
	case GO_FLOAT:
		return BASIC_FLOAT;
	case GO_COMPLEX:
		return BASIC_COMPLEX;
	case GO_STRING:
	case GO_NUMBER:
		return BASIC_STRING;
	default:
		return BASIC_NONE;
	}
}

static enum bi_status incompatible(
	struct buf *why, const struct go_value *x, const struct go_value *y)
{
	return refuse(why, "incompatible types for comparison: %s and %s",
		go_type(x), go_type(y));
}

/* Lists and maps are equal to nothing, and only nil may be asked. */
static enum bi_status equal_others(struct bi_ctx *cx, const struct go_value *x,
	const struct go_value *y, bool *out, struct buf *why)
{
	struct go_value args[4] = {*x, go_string(str_from(go_type(x))),
		go_string(str_from(go_type(y))), *y};
	enum bi_status st;

	*out = x->kind == y->kind && x->kind == GO_NONE;
	if (x->kind == GO_NONE || y->kind == GO_NONE)
		return BI_OK;
	if (x->kind == y->kind) {
		args[0] = *y;
		st = go_printf(
			cx, why, S("non-comparable type %s: %v"), args, 2);
	} else {
		st = go_printf(cx, why,
			S("non-comparable types %s: %v, %s: %v"), args, 4);
	}
	return st ? st : BI_ERROR;
}

static enum bi_status equal(struct bi_ctx *cx, const struct go_value *x,
	const struct go_value *y, bool *out, struct buf *why)
{
	enum basic kind = basic_of(x);

	*out = false;
	if (kind != basic_of(y))
		return x->kind == GO_NONE || y->kind == GO_NONE
			       ? BI_OK
			       : incompatible(why, x, y);
	switch (kind) {
	case BASIC_BOOL:
		*out = x->b == y->b;
		break;
	case BASIC_INT:
		*out = x->i == y->i;
		break;
	case BASIC_FLOAT:
		*out = x->f == y->f;
		break;
	case BASIC_COMPLEX:
		*out = x->f == y->f && x->im == y->im;
		break;
	case BASIC_STRING:
		*out = str_eq(x->s, y->s);
		break;
	case BASIC_NONE:
		return equal_others(cx, x, y, out, why);
	}
	return BI_OK;
}

static bool has_order(enum basic kind)
{
	return kind == BASIC_INT || kind == BASIC_FLOAT || kind == BASIC_STRING;
}

/* Below 0, 0, above 0. */
static enum bi_status order(const struct go_value *x, const struct go_value *y,
	int *out, struct buf *why)
{
	enum basic kind = basic_of(x), other = basic_of(y);

	if (kind && other && kind != other)
		return incompatible(why, x, y);
	if (!has_order(kind) || !has_order(other))
		return refuse(why, "invalid type for comparison");
	if (kind == BASIC_INT)
		*out = (x->i > y->i) - (x->i < y->i);
	else if (kind == BASIC_FLOAT)
		*out = (x->f > y->f) - (x->f < y->f);
	else
		*out = str_cmp(x->s, y->s);
	return BI_OK;
}

static struct go_value boolean(bool b)
{
	return (struct go_value){.kind = GO_BOOL, .b = b};
}

/* Whether the first is equal to any of the others. */
static enum bi_status fn_eq(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	struct go_value x = tmpl_unbox(args[0]);
	bool found = false;

	if (n < 2)
		return refuse(why, "missing argument for comparison");
	for (size_t i = 1; i < n && !found; i++) {
		struct go_value y = tmpl_unbox(args[i]);
		enum bi_status st = equal(cx, &x, &y, &found, why);

		if (st)
			return st;
	}
	*out = boolean(found);
	return BI_OK;
}

static enum bi_status fn_ne(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	enum bi_status st = fn_eq(cx, args, n, out, why);

	if (!st)
		out->b = !out->b;
	return st;
}

static enum bi_status order_args(
	const struct go_value *args, int *out, struct buf *why)
{
	struct go_value x = tmpl_unbox(args[0]), y = tmpl_unbox(args[1]);

	return order(&x, &y, out, why);
}

#define ORDER(fn, op)                                                          \
	static enum bi_status fn(struct bi_ctx *cx,                            \
		const struct go_value *args, size_t n, struct go_value *out,   \
		struct buf *why)                                               \
	{                                                                      \
		int cmp = 0;                                                   \
		enum bi_status st = order_args(args, &cmp, why);               \
                                                                               \
		(void)cx;                                                      \
		(void)n;                                                       \
		*out = boolean(cmp op 0);                                      \
		return st;                                                     \
	}

ORDER(fn_lt, <)
ORDER(fn_le, <=)
ORDER(fn_gt, >)
ORDER(fn_ge, >=)

/* --- others --------------------------------------------------------------- */

static enum bi_status fn_not(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	(void)cx;
	(void)n;
	(void)why;
	*out = boolean(!tmpl_truth(&args[0]));
	return BI_OK;
}

/*
 * No value is a function: there is nothing to call. The text of the first
 * argument, as written, comes as args[0].
 */
static enum bi_status fn_call(struct bi_ctx *cx, const struct go_value *args,
	size_t n, struct go_value *out, struct buf *why)
{
	struct go_value v = tmpl_unbox(args[1]);

	(void)cx;
	(void)n;
	(void)out;
	if (v.kind == GO_NONE)
		return refuse(why, "call of nil");
	buf_adds(why, "non-function ");
	buf_addstr(why, args[0].s);
	return refuse(why, " of type %s", go_type(&v));
}

/* clang-format off */
/* name, arguments at least, and more?, types of the first and the rest */
static const struct tmpl_func funcs[] = {
	{"and",      1, true,  TP_VALUE,  TP_VALUE, NULL,        TF_AND},
	{"call",     1, true,  TP_VALUE,  TP_VALUE, fn_call,     TF_CALL},
	{"eq",       1, true,  TP_VALUE,  TP_VALUE, fn_eq,       0},
	{"ge",       2, false, TP_VALUE,  TP_VALUE, fn_ge,       0},
	{"gt",       2, false, TP_VALUE,  TP_VALUE, fn_gt,       0},
	{"html",     0, true,  TP_ANY,    TP_ANY,   fn_html,     0},
	{"index",    1, true,  TP_VALUE,  TP_VALUE, fn_index,    0},
	{"js",       0, true,  TP_ANY,    TP_ANY,   fn_js,       0},
	{"le",       2, false, TP_VALUE,  TP_VALUE, fn_le,       0},
	{"len",      1, false, TP_VALUE,  TP_VALUE, fn_len,      0},
	{"lt",       2, false, TP_VALUE,  TP_VALUE, fn_lt,       0},
	{"ne",       2, false, TP_VALUE,  TP_VALUE, fn_ne,       0},
	{"not",      1, false, TP_VALUE,  TP_VALUE, fn_not,      0},
	{"or",       1, true,  TP_VALUE,  TP_VALUE, NULL,        TF_OR},
	{"print",    0, true,  TP_ANY,    TP_ANY,   fn_print,    0},
	{"printf",   1, true,  TP_STRING, TP_ANY,   fn_printf,   0},
	{"println",  0, true,  TP_ANY,    TP_ANY,   fn_println,  0},
	{"slice",    1, true,  TP_VALUE,  TP_VALUE, fn_slice,    0},
	{"urlquery", 0, true,  TP_ANY,    TP_ANY,   fn_urlquery, 0},
};
/* clang-format on */

const struct tmpl_func *tmpl_func_find(struct str name)
{
	for (size_t i = 0; i < COUNT(funcs); i++)
		if (str_is(name, funcs[i].name))
			return &funcs[i];
	return NULL;
}
