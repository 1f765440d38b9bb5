#include "rego/scan.h"
#include "rego/value_impl.h"

#include <string.h>

enum {
	PATH_MAX_KEYS = 8,
	SCAN_MIN = 16,    /* shorter collections are gone through */
	SCANS_BEFORE = 2, /* so often, before an index is worth making */
	PLACES = 256,
	TRIES = 4,
};

/* --- planning ---------------------------------------------------------- */

/* The engine's record of a path: paths of the same keys are one. */
static const struct scan_path *path_at(
	struct rego_engine *e, const struct value *keys, uint32_t n)
{
	struct buf id = {0};
	struct scan_path *path;
	struct value *kept;

	for (uint32_t i = 0; i < n; i++) {
		buf_addc(&id, '/');
		value_text(&id, keys[i]);
	}
	path = map_get(&e->scan_index, buf_str(&id));
	if (!path) {
		path = ARENA_NEW(&e->arena, struct scan_path);
		kept = ARENA_ARRAY(&e->arena, struct value, n + 1);
		memcpy(kept, keys, n * sizeof(*kept));
		*path = (struct scan_path){.keys = kept, .n = n};
		*map_at(&e->scan_index, arena_str(&e->arena, buf_str(&id))) =
			path;
	}
	buf_release(&id);
	return path;
}

/* A look-up of a constant key in `from`, which fails to `next`. */
static bool is_step(const struct insn *in, uint16_t from, uint32_t next)
{
	return (in->op == OP_GET || in->op == OP_LGET) && in->b == from &&
	       (in->c & K_BIT) && in->fail == next;
}

/* Instructions from NEXT to before `end` write the register. */
static bool writes(
	const struct code *co, uint32_t next, uint32_t end, uint16_t reg)
{
	if (co->insns[next].b == reg || co->insns[next].c == reg)
		return true;
	for (uint32_t i = next + 1; i < end; i++)
		if (co->insns[i].a == reg)
			return true;
	return false;
}

static void probe_add(struct rego_engine *e, struct code *co, struct insn *iter,
	struct probe probe)
{
	co->probes = arena_grow(&e->arena, co->probes, co->nprobes,
		&co->capprobes, sizeof(*co->probes));
	co->probes[co->nprobes++] = probe;
	iter->imm = co->nprobes;
}

static void plan_loop(struct rego_engine *e, struct code *co, uint32_t next)
{
	struct value keys[PATH_MAX_KEYS];
	uint16_t at = co->insns[next].c, other;
	const struct insn *in = &co->insns[next + 1];
	uint32_t n = 0;

	for (; n < PATH_MAX_KEYS && is_step(in, at, next); in++) {
		keys[n++] = co->consts[in->c & (K_BIT - 1)];
		at = in->a;
	}
	if (in->op == OP_FORCE && in->b == at && in->fail == next)
		at = (in++)->a;
	if (in->op != OP_EQ || in->fail != next || (in->b != at && in->c != at))
		return;
	other = in->b == at ? in->c : in->b;
	if (!writes(co, next, (uint32_t)(in - co->insns), other))
		probe_add(e, co, &co->insns[next - 1],
			(struct probe){path_at(e, keys, n), other});
}

void scan_plan(struct rego_engine *e, struct code *co)
{
	for (uint32_t i = 1; i < co->len; i++) {
		const struct insn *in = &co->insns[i], *iter = in - 1;

		if (in->a == iter->a &&
			((in->op == OP_NEXT && iter->op == OP_ITER) ||
				(in->op == OP_LNEXT && iter->op == OP_LITER)))
			plan_loop(e, co, i);
	}
}

/* --- running ------------------------------------------------------------ */

static struct value member(struct value c, uint32_t i)
{
	struct value v = c.tag == V_ARR   ? c.arr->items[i]
			 : c.tag == V_OBJ ? c.obj->vals[i]
					  : c.set->keys->items[i];

	v.flags |= c.flags & VF_BASE;
	return v;
}

static struct value value_at(struct value v, const struct scan_path *path)
{
	for (uint32_t i = 0; i < path->n && is_def(v); i++)
		v = v.flags & VF_BASE ? base_get(v, path->keys[i])
				      : v_get(v, path->keys[i]);
	return v;
}

/* From the last to the first member: the lists are in ascending order. */
static void index_members(struct rego_vm *vm, struct scan *s, struct value c)
{
	uint32_t n = v_len(c), lists = SCAN_MIN;

	while (lists < n && lists < 1u << 30)
		lists *= 2;
	s->mask = lists - 1;
	s->first = arena_array(&vm->arena, lists, sizeof(*s->first));
	memset(s->first, 0xff, lists * sizeof(*s->first));
	s->next = arena_array(&vm->arena, n, sizeof(*s->next));
	for (uint32_t i = n; i-- > 0;) {
		struct value v = value_at(member(c, i), s->path);
		uint32_t *first = &s->first[hash_value(v) & s->mask];

		if (!is_def(v))
			continue;
		s->next[i] = *first;
		*first = i;
	}
}

/* The place of a collection and path; NULL when too many are known. */
static struct scan *scan_at(
	struct rego_vm *vm, struct value c, const struct scan_path *path)
{
	uint64_t h = (uint64_t)(uintptr_t)c.arr ^ (uintptr_t)path << 1;
	struct scan *s, *free_one = NULL;
	uint32_t at = hash_int((int64_t)h) % PLACES;

	if (!vm->scans)
		vm->scans = ARENA_ARRAY(&vm->arena, struct scan, PLACES);
	for (uint32_t i = 0; i < TRIES; i++) {
		s = &vm->scans[(at + i) % PLACES];
		if (s->members == c.arr && s->path == path &&
			s->flags == c.flags)
			return s;
		if (!free_one && !s->members)
			free_one = s;
	}
	return free_one;
}

void scan_begin(struct rego_vm *vm, const struct scan_path *path,
	struct value want, struct value *it)
{
	struct value c = it[0];
	struct scan *s;

	if (v_len(c) < SCAN_MIN)
		return;
	s = scan_at(vm, c, path);
	if (!s)
		return;
	if (!s->members)
		*s = (struct scan){
			.members = c.arr, .path = path, .flags = c.flags};
	if (!s->next && s->full >= SCANS_BEFORE)
		index_members(vm, s, c);
	it[1].i = (int64_t)(intptr_t)s;
	if (!s->next)
		return;
	it[1].tag = V_LAZY;
	it[1].hash = s->first[hash_value(want) & s->mask];
}
