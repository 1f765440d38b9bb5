#include "rego/capabilities.h"

#include "base/clock.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>

static const struct builtin_table *const tables[] = {
	&builtin_core,
	&builtin_numbers,
	&builtin_collections,
	&builtin_strings,
	&builtin_format,
	&builtin_units,
	&builtin_regex,
	&builtin_glob,
	&builtin_graph,
	&builtin_json,
	&builtin_encoding,
	&builtin_net,
	&builtin_time,
	&builtin_semver,
	&builtin_crypto,
	&builtin_outside,
	&builtin_jwt,
	&builtin_graphql,
	&builtin_module,
	&builtin_jsonschema,
	&builtin_aws,
	&builtin_x509,
	&builtin_template,
};

/*
 * Names by hash: number + 1 of the builtin, 0 is free. Filled on first use,
 * once in the process and the same every time; read-only from then on.
 */
enum { SLOTS = 1024 };
static uint16_t slots[SLOTS];
static pthread_once_t slots_once = PTHREAD_ONCE_INIT;

size_t builtin_count(void)
{
	size_t n = 0;

	for (size_t t = 0; t < COUNT(tables); t++)
		n += tables[t]->len;
	return n;
}

const struct builtin *builtin_at(size_t i)
{
	for (size_t t = 0; t < COUNT(tables); t++) {
		if (i < tables[t]->len)
			return &tables[t]->rows[i];
		i -= tables[t]->len;
	}
	return NULL;
}

size_t builtin_index(const struct builtin *b)
{
	uintptr_t at = (uintptr_t)b;
	size_t before = 0;

	for (size_t t = 0; t < COUNT(tables); t++) {
		uintptr_t first = (uintptr_t)tables[t]->rows;
		uintptr_t end = (uintptr_t)(tables[t]->rows + tables[t]->len);

		if (at >= first && at < end)
			return before + (at - first) / sizeof(*b);
		before += tables[t]->len;
	}
	return SIZE_MAX;
}

/* The slot of `name`, or the free one where it belongs. */
static size_t slot_of(struct str name)
{
	size_t s = str_hash(name.ptr, name.len) & (SLOTS - 1);

	while (slots[s] && !str_is(name, builtin_at(slots[s] - 1u)->name))
		s = (s + 1) & (SLOTS - 1);
	return s;
}

static void slots_fill(void)
{
	size_t n = builtin_count();

	if (n > SLOTS / 2)
		die("%zu builtins in a table of %d", n, SLOTS);
	for (size_t i = 0; i < n; i++) {
		size_t s = slot_of(str_from(builtin_at(i)->name));

		if (slots[s])
			die("two builtins named %s", builtin_at(i)->name);
		slots[s] = (uint16_t)(i + 1);
	}
}

const struct builtin *builtin_find(struct str name)
{
	size_t s;

	pthread_once(&slots_once, slots_fill);
	s = slot_of(name);
	return slots[s] ? builtin_at(slots[s] - 1u) : NULL;
}

/* --- for the builtins ------------------------------------------------ */

/* Format into cx->text; what was cut does not end inside a code point. */
PRINTF(3, 0)
static void text_set(struct bi_ctx *cx, size_t at, const char *fmt, va_list ap)
{
	size_t room = sizeof(cx->text) - at;
	int n = vsnprintf(cx->text + at, room, fmt, ap);
	size_t end;

	if (n < 0 || (size_t)n < room)
		return;
	end = sizeof(cx->text) - 1;
	while (end > at && (cx->text[end - 1] & 0xc0) == 0x80)
		end--;
	if (end > at && (cx->text[end - 1] & 0x80))
		end--;
	cx->text[end] = '\0';
}

enum bi_status bi_error(struct bi_ctx *cx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_set(cx, 0, fmt, ap);
	va_end(ap);
	cx->code = "eval_builtin_error";
	return BI_ERROR;
}

enum bi_status bi_limit(struct bi_ctx *cx, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_set(cx, 0, fmt, ap);
	va_end(ap);
	cx->code = "eval_cancel_error";
	return BI_HALT;
}

enum bi_status bi_operand_text(struct bi_ctx *cx, int pos, const char *fmt, ...)
{
	int n = snprintf(cx->text, sizeof(cx->text), "operand %d ", pos);
	va_list ap;

	va_start(ap, fmt);
	text_set(cx, (size_t)n, fmt, ap);
	va_end(ap);
	cx->code = "eval_type_error";
	return BI_ERROR;
}

enum bi_status bi_operand(
	struct bi_ctx *cx, int pos, const char *expected, struct value got)
{
	return bi_operand_text(
		cx, pos, "must be %s but got %s", expected, value_type(got));
}

enum bi_status bi_host(struct bi_ctx *cx, struct str host)
{
	if (capabilities_host(cx->caps, host))
		return BI_OK;
	return bi_error(cx, "disallowed host: %.*s", STR_ARG(host));
}

static bool over_budget(struct bi_ctx *cx, const char *of_what)
{
	cx->code = "eval_cancel_error";
	snprintf(cx->text, sizeof(cx->text), "%s", of_what);
	return false;
}

bool bi_cancelled(const struct bi_ctx *cx)
{
	if (cx->cancel && *cx->cancel)
		return true;
	return cx->deadline_ns && clock_mono(&clock_system) > cx->deadline_ns;
}

/* A look at the clock now and then; false: there is no need to go on. */
static bool poll(struct bi_ctx *cx, uint64_t units)
{
	enum { EVERY = 4096 };

	if (units < EVERY - cx->unpolled) {
		cx->unpolled += units;
		return true;
	}
	cx->unpolled = 0;
	return !bi_cancelled(cx);
}

bool bi_charge(struct bi_ctx *cx, uint64_t units)
{
	if (cx->steps < 0 || units > (uint64_t)cx->steps) {
		cx->steps = -1;
		return over_budget(cx, "evaluation is over its limit of steps");
	}
	cx->steps -= (int64_t)units;
	if (!poll(cx, units))
		return over_budget(cx, "caller cancelled query execution");
	if (cx->memory_max &&
		(cx->arena->used > cx->memory_max ||
			units * 16 > cx->memory_max - cx->arena->used))
		return over_budget(
			cx, "evaluation is over its limit of memory");
	return true;
}

enum bi_status bi_string(struct bi_ctx *cx, struct str s, struct value *out)
{
	if (s.len > LIMIT_STRING)
		return bi_limit(cx, "result has %zu bytes, limit %zu", s.len,
			LIMIT_STRING);
	if (!bi_charge(cx, s.len / 64))
		return BI_HALT;
	*out = v_str(cx->arena, s);
	return BI_OK;
}
