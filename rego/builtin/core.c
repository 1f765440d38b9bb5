#include "rego/builtin/operand.h"

#include <string.h>

/* --- arithmetic and sets --------------------------------------------- */

static enum bi_status arith(struct bi_ctx *cx, enum num_op op,
	const struct value *args, struct value *out)
{
	const char *why = NULL;

	if (!num_arith(cx->arena, op, args[0], args[1], out, &why))
		return bi_error(cx, "%s", why);
	return BI_OK;
}

static enum bi_status bi_plus(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return arith(cx, NUM_ADD, args, out);
}

static enum bi_status bi_mul(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return arith(cx, NUM_MUL, args, out);
}

static enum bi_status bi_div(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return arith(cx, NUM_DIV, args, out);
}

static enum bi_status bi_rem(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	return arith(cx, NUM_REM, args, out);
}

/* Two numbers or two sets. OPA words a mixture as below, also for strings. */
static enum bi_status bi_minus(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	if (is_num(args[0]) && is_num(args[1]))
		return arith(cx, NUM_SUB, args, out);
	if (args[0].tag == V_SET && args[1].tag == V_SET) {
		if (!bi_charge(cx, v_len(args[0])))
			return BI_HALT;
		*out = set_minus(cx->arena, args[0].set, args[1].set);
		return BI_OK;
	}
	if (!is_num(args[0]) && args[0].tag != V_SET)
		return bi_operand(cx, 1, "one of {number, set}", args[0]);
	return bi_operand(cx, 2, is_num(args[1]) ? "set" : "number", args[1]);
}

static enum bi_status bi_and(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	if (!bi_charge(cx, v_len(args[0])))
		return BI_HALT;
	*out = set_intersect(cx->arena, args[0].set, args[1].set);
	return BI_OK;
}

static enum bi_status bi_or(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	if (!bi_charge(cx, (uint64_t)v_len(args[0]) + v_len(args[1])))
		return BI_HALT;
	*out = set_union(cx->arena, args[0].set, args[1].set);
	return BI_OK;
}

/* --- comparison ------------------------------------------------------ */

static enum bi_status bi_equal(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(value_eq(args[0], args[1]));
	return BI_OK;
}

static enum bi_status bi_neq(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(!value_eq(args[0], args[1]));
	return BI_OK;
}

static enum bi_status bi_lt(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(value_cmp(args[0], args[1]) < 0);
	return BI_OK;
}

static enum bi_status bi_lte(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(value_cmp(args[0], args[1]) <= 0);
	return BI_OK;
}

static enum bi_status bi_gt(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(value_cmp(args[0], args[1]) > 0);
	return BI_OK;
}

static enum bi_status bi_gte(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	*out = v_bool(value_cmp(args[0], args[1]) >= 0);
	return BI_OK;
}

/* --- membership ------------------------------------------------------ */

static bool among(const struct value *items, uint32_t len, struct value v)
{
	for (uint32_t i = 0; i < len; i++)
		if (value_eq(items[i], v))
			return true;
	return false;
}

/* x in coll: what cannot hold members holds none. */
static enum bi_status bi_member(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value in = args[1];
	bool found = false;

	(void)cx;
	if (in.tag == V_SET)
		found = set_has(in.set, args[0]);
	else if (in.tag == V_ARR)
		found = among(in.arr->items, in.arr->len, args[0]);
	else if (in.tag == V_OBJ)
		found = among(in.obj->vals, in.obj->len, args[0]);
	*out = v_bool(found);
	return BI_OK;
}

/* k, x in coll */
static enum bi_status bi_member_key(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	struct value got = operand_get(args[2], args[0]);

	(void)cx;
	*out = v_bool(is_def(got) && value_eq(got, args[1]));
	return BI_OK;
}

/* --- types ----------------------------------------------------------- */

/* is_TYPE: the name of the row says which. */
static enum bi_status bi_is_type(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	*out = v_bool(!strcmp(value_type(args[0]), cx->name + strlen("is_")));
	return BI_OK;
}

/* cast_TYPE, as far as it only checks. */
static enum bi_status bi_cast(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const char *type = cx->name + strlen("cast_");

	if (strcmp(value_type(args[0]), type) != 0)
		return bi_operand(cx, 1, type, args[0]);
	*out = args[0];
	return BI_OK;
}

static enum bi_status bi_cast_array(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct value *items;
	uint32_t n;

	if (!operand_members(args[0], &items, &n))
		return bi_operand(cx, 1, "one of {array, set}", args[0]);
	*out = v_arr(cx->arena, items, n);
	return BI_OK;
}

static enum bi_status bi_cast_set(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct value *items;
	struct value *copy;
	uint32_t n;

	if (!operand_members(args[0], &items, &n))
		return bi_operand(cx, 1, "one of {array, set}", args[0]);
	if (!bi_charge(cx, n))
		return BI_HALT;
	copy = ARENA_ARRAY(cx->arena, struct value, n);
	if (n)
		memcpy(copy, items, n * sizeof(*items));
	*out = v_set(cx->arena, copy, n);
	return BI_OK;
}

static enum bi_status bi_type_name(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	*out = v_cstr(cx->arena, value_type(args[0]));
	return BI_OK;
}

/* --- the rest -------------------------------------------------------- */

static enum bi_status bi_all(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct value *items;
	uint32_t n, i = 0;

	if (!operand_members(args[0], &items, &n))
		return bi_operand(cx, 1, "one of {array, set}", args[0]);
	while (i < n && items[i].tag == V_TRUE)
		i++;
	*out = v_bool(i == n);
	return BI_OK;
}

static enum bi_status bi_any(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct value *items;
	uint32_t n;

	if (!operand_members(args[0], &items, &n))
		return bi_operand(cx, 1, "one of {array, set}", args[0]);
	*out = v_bool(among(items, n, v_true));
	return BI_OK;
}

/* The note itself goes into the trace, which the caller writes. */
static enum bi_status bi_trace(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	(void)cx;
	(void)args;
	*out = v_true;
	return BI_OK;
}

enum { NUMSET = BT_NUM | BT_SET, ARRSET = BT_ARR | BT_SET };

/* clang-format off */
static const struct builtin rows[] = {
	{"plus",  "+",  2, {BT_NUM, BT_NUM}, bi_plus,  0},
	{"minus", "-",  2, {NUMSET, NUMSET}, bi_minus, BF_RAWTYPES},
	{"mul",   "*",  2, {BT_NUM, BT_NUM}, bi_mul,   0},
	{"div",   "/",  2, {BT_NUM, BT_NUM}, bi_div,   0},
	{"rem",   "%",  2, {BT_NUM, BT_NUM}, bi_rem,   0},
	{"and",   "&",  2, {BT_SET, BT_SET}, bi_and,   0},
	{"or",    "|",  2, {BT_SET, BT_SET}, bi_or,    0},
	{"equal", "==", 2, {BT_ANY, BT_ANY}, bi_equal, 0},
	{"neq",   "!=", 2, {BT_ANY, BT_ANY}, bi_neq,   0},
	{"lt",    "<",  2, {BT_ANY, BT_ANY}, bi_lt,    0},
	{"lte",   "<=", 2, {BT_ANY, BT_ANY}, bi_lte,   0},
	{"gt",    ">",  2, {BT_ANY, BT_ANY}, bi_gt,    0},
	{"gte",   ">=", 2, {BT_ANY, BT_ANY}, bi_gte,   0},
	{"eq",     "=",  2, {BT_ANY, BT_ANY}, NULL, 0},
	{"assign", ":=", 2, {BT_ANY, BT_ANY}, NULL, 0},
	{"internal.member_2", "in", 2, {BT_ANY, BT_ANY},         bi_member,     0},
	{"internal.member_3", "in", 3, {BT_ANY, BT_ANY, BT_ANY}, bi_member_key, 0},
	{"is_array",   NULL, 1, {BT_ANY}, bi_is_type,   0},
	{"is_boolean", NULL, 1, {BT_ANY}, bi_is_type,   0},
	{"is_null",    NULL, 1, {BT_ANY}, bi_is_type,   0},
	{"is_number",  NULL, 1, {BT_ANY}, bi_is_type,   0},
	{"is_object",  NULL, 1, {BT_ANY}, bi_is_type,   0},
	{"is_set",     NULL, 1, {BT_ANY}, bi_is_type,   0},
	{"is_string",  NULL, 1, {BT_ANY}, bi_is_type,   0},
	{"type_name",  NULL, 1, {BT_ANY}, bi_type_name, 0},
	{"print",              NULL, -1, {BT_ANY}, NULL,     BF_VOID},
	{"internal.print",     NULL,  1, {BT_ARR}, NULL,     BF_VOID},
	{"internal.test_case", NULL,  1, {BT_ARR}, NULL,     BF_VOID},
	{"trace",              NULL,  1, {BT_STR}, bi_trace, 0},
	{"all",      NULL, 1, {ARRSET},         bi_all,      BF_DEPRECATED | BF_RAWTYPES},
	{"any",      NULL, 1, {ARRSET},         bi_any,      BF_DEPRECATED | BF_RAWTYPES},
	{"set_diff", NULL, 2, {BT_SET, BT_SET}, bi_minus, BF_DEPRECATED},
	{"cast_array",   NULL, 1, {BT_ANY}, bi_cast_array, BF_DEPRECATED | BF_RAWTYPES},
	{"cast_boolean", NULL, 1, {BT_ANY}, bi_cast,       BF_DEPRECATED | BF_RAWTYPES},
	{"cast_null",    NULL, 1, {BT_ANY}, bi_cast,       BF_DEPRECATED | BF_RAWTYPES},
	{"cast_object",  NULL, 1, {BT_ANY}, bi_cast,       BF_DEPRECATED | BF_RAWTYPES},
	{"cast_set",     NULL, 1, {BT_ANY}, bi_cast_set,   BF_DEPRECATED | BF_RAWTYPES},
	{"cast_string",  NULL, 1, {BT_ANY}, bi_cast,       BF_DEPRECATED | BF_RAWTYPES},
};
/* clang-format on */

const struct builtin_table builtin_core = {rows, COUNT(rows)};
