/*
 * What is being evaluated when an error occurs: a frame for each query that has
 * been started and not ended, as OPA's stack traces have it.
 *
 * A query is a body: of the query itself, a rule, an else branch, a
 * comprehension, `not`, `every` (one for the domain and one for each member),
 * `and` and `or`. Its number is how many were started before it. Codes tell of
 * them with QUERY and STEP, in engines made with rego_config.frames only.
 */
#include "rego/vm.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 80 }; /* code points of a frame, bytes of a value */

static struct live *live_at(struct rego_vm *vm, uint32_t level)
{
	uint32_t need = vm->live_base + level + 1;

	if (need > vm->cap_live) {
		uint32_t cap = vm->cap_live ? 2 * vm->cap_live : 64;
		struct live *more;

		while (cap < need)
			cap *= 2;
		more = realloc(vm->live, cap * sizeof(*more));
		if (!more)
			die("out of memory: %u frames", cap);
		vm->live = more;
		vm->cap_live = cap;
	}
	vm->nlive = need;
	return &vm->live[need - 1];
}

void frames_query(struct rego_vm *vm, uint32_t level)
{
	*live_at(vm, level) = (struct live){.id = vm->queries++};
}

void frames_step(struct rego_vm *vm, uint32_t level, const struct code *co,
	const struct step *s, const struct value *regs)
{
	struct live *l = live_at(vm, level);

	l->step = s;
	l->code = co;
	l->regs = regs;
	l->out = v_undef;
}

void frames_return(struct rego_vm *vm, const struct code *co, uint32_t live)
{
	bool goes_on = co->group && (co->group->kind == G_COMPLETE ||
					    co->group->kind == G_FUNC);

	if (vm->nlive > vm->tail)
		vm->tail = vm->nlive;
	if (!goes_on)
		vm->tail = 0;
	vm->nlive = live;
}

/* --- text -------------------------------------------------------------- */

/* One line, and not too long. */
static void shorten(struct buf *out, struct str s)
{
	bool gap = false;
	uint32_t n = 0;

	for (size_t i = 0; i < s.len;) {
		uint32_t cp;
		size_t width = utf8_decode(s.ptr + i, s.len - i, &cp);
		bool blank = memchr(" \t\r\n\v\f", s.ptr[i], 6);

		if (!blank && gap && out->len) {
			if (n++ == TEXT_MAX)
				break;
			buf_addc(out, ' ');
		}
		if (!blank && n++ == TEXT_MAX)
			break;
		if (!blank)
			buf_add(out, s.ptr + i, width);
		gap = blank;
		i += width;
	}
	if (n > TEXT_MAX)
		buf_adds(out, "...");
}

static struct value value_at(const struct live *l, uint16_t operand)
{
	return operand & K_BIT ? l->code->consts[operand & ~K_BIT]
			       : l->regs[operand];
}

/* The value of a variable, if it can stand in its place. */
static bool value_put(struct buf *out, const struct live *l, uint16_t operand)
{
	struct value v = value_at(l, operand);
	struct buf text = {0};
	bool fits = is_def(v) && v.tag != V_LAZY;

	if (fits)
		value_text(&text, v);
	fits = fits && text.len <= TEXT_MAX;
	if (fits)
		buf_addstr(out, buf_str(&text));
	buf_release(&text);
	return fits;
}

/* The source of the step; variables are in the order of their places. */
static void step_text(struct buf *out, const struct live *l)
{
	const struct step *s = l->step;
	struct str src = s->loc.src->text;
	uint32_t at = s->loc.off, end = s->loc.off + s->loc.len;

	if (is_def(l->out) && s->out.len) {
		buf_addstr(out, str_slice(src, at, s->out.off));
		value_text(out, l->out);
		at = s->out.off + s->out.len;
	}

	for (uint32_t i = 0; i < s->nvars; i++) {
		struct loc v = s->vars[i].loc;
		size_t before = out->len;

		if (v.off < at)
			continue;
		buf_addstr(out, str_slice(src, at, v.off));
		if (value_put(out, l, s->vars[i].operand))
			at = v.off + v.len;
		else
			out->len = before;
	}
	buf_addstr(out, str_slice(src, at, end));
}

static struct str frame_text(struct rego_vm *vm, const struct live *l)
{
	struct buf whole = {0}, text = {0};
	struct str out;

	step_text(&whole, l);
	shorten(&text, buf_str(&whole));
	out = arena_str(&vm->arena, buf_str(&text));
	buf_release(&whole);
	buf_release(&text);
	return out;
}

static struct rego_frame frame_of(struct rego_vm *vm, const struct live *l)
{
	struct rego_frame f = {.query_id = l->id};

	if (!l->step || !l->step->loc.src)
		return f;
	f.file = l->step->loc.src->name;
	source_pos(l->step->loc, &f.row, &f.col);
	f.text = frame_text(vm, l);
	return f;
}

static const struct rego_frame *frames_to(struct rego_vm *vm, uint32_t n)
{
	struct rego_frame *out =
		ARENA_ARRAY(&vm->arena, struct rego_frame, n + 1);

	for (uint32_t i = 0; i < n; i++)
		out[i] = frame_of(vm, &vm->live[n - 1 - i]);
	return out;
}

const struct rego_frame *frames_now(struct rego_vm *vm, uint32_t *n)
{
	*n = vm->nlive;
	return frames_to(vm, *n);
}

/* What the last step has called goes on, and what that has given is bound. */
static uint32_t conflict_inside(struct rego_vm *vm)
{
	struct live *l = &vm->live[vm->nlive - 1];

	if (l->step && l->step->after)
		l->step = &l->code->steps[l->step->after - 1];
	return vm->tail;
}

const struct rego_frame *frames_conflict(struct rego_vm *vm,
	const struct code *co, const struct rule *r, uint32_t *n)
{
	const struct term *value = r->head.value;

	/* A call is unified with a constant before the body is evaluated. */
	if (co->group->kind == G_FUNC && value->kind == T_SCALAR &&
		vm->live_base)
		vm->live[vm->live_base - 1].out = value->val;
	*n = vm->nlive;
	if (vm->tail > vm->nlive)
		*n = conflict_inside(vm);
	return frames_to(vm, *n);
}
