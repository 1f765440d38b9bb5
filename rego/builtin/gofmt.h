/*
 * gofmt: values of Go, and how its package fmt prints them.
 *
 * sprintf() and templates show a policy what Go's fmt makes of a value, down
 * to the names of its types. A struct go_value stands for what OPA hands to
 * fmt: members of a JSON document, in which a number is a json.Number, that
 * is, its text, and what Go itself computes.
 */
#ifndef REGO_BUILTIN_GOFMT_H
#define REGO_BUILTIN_GOFMT_H

#include "rego/builtin.h"

enum go_kind {
	GO_NONE, /* no value at all: a key that is missing */
	GO_NIL,
	GO_BOOL,
	GO_INT,
	GO_INT64,
	GO_UINT8,
	GO_FLOAT,
	GO_COMPLEX,
	GO_STRING,
	GO_NUMBER, /* json.Number: a string with a type of its own */
	GO_BIG,    /* *big.Int, in decimal */
	GO_LIST,   /* []interface{} */
	GO_MAP,    /* map[string]interface{} */
};

/* Some members of an array of JSON. */
struct go_list {
	const struct value *items;
	uint32_t have;     /* of `items`; those behind them are nil */
	uint32_t len, cap; /* as Go's len() and cap() */
};

struct go_value {
	uint8_t kind; /* enum go_kind */
	bool boxed;   /* in an interface{}; fmt sees no difference */
	union {
		bool b;
		int64_t i; /* GO_INT, GO_INT64, GO_UINT8 */
		struct {
			double f; /* GO_FLOAT, real part of a GO_COMPLEX */
			double im;
		};
		struct str s; /* GO_STRING, GO_NUMBER, GO_BIG */
		struct go_list list;
		const struct object *map; /* all keys are strings */
	};
};

/* A string, borrowed. */
static inline struct go_value go_string(struct str s)
{
	return (struct go_value){.kind = GO_STRING, .s = s};
}

static inline struct go_value go_int(int64_t i)
{
	return (struct go_value){.kind = GO_INT, .i = i};
}

/*
 * What Go's decoder makes of a JSON value, with numbers kept as text; members
 * are made when they are asked for. `v` holds no set and no key but strings.
 */
struct go_value go_from_json(struct arena *a, struct value v);

/* Member i of a list, i < len. */
struct go_value go_member(struct arena *a, const struct go_list *l, uint32_t i);

/* "[]interface {}", "json.Number"; "<nil>" of what has no type. */
const char *go_type(const struct go_value *v);

/*
 * fmt.Sprintf(), fmt.Sprint() and fmt.Sprintln(): the text is added to `out`.
 * BI_HALT when it is over the limit of a string, or over the budget.
 */
enum bi_status go_printf(struct bi_ctx *cx, struct buf *out, struct str fmt,
	const struct go_value *args, size_t n);
enum bi_status go_print(struct bi_ctx *cx, struct buf *out,
	const struct go_value *args, size_t n);
enum bi_status go_println(struct bi_ctx *cx, struct buf *out,
	const struct go_value *args, size_t n);

/* Digits of `u` at the end of tmp; returns where they begin. */
char *go_digits(uint64_t u, unsigned base, char tmp[static 65]);

#endif
