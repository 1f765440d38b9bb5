#include "rego/builtin/walk.h"

#include "rego/builtin/operand.h"

#include <string.h>

/* --- walk ------------------------------------------------------------ */

/* A collection that is being read, and where in it. */
struct walk_level {
	struct value coll;
	uint32_t next;
};

struct walk {
	struct arena *arena;
	struct value root;
	struct walk_level *levels; /* outermost first */
	struct value *path;        /* one element for each level */
	uint32_t depth, cap;
	bool started, want_path;
};

struct walk *walk_new(struct arena *arena, struct value v, bool want_path)
{
	struct walk *it = ARENA_NEW(arena, struct walk);

	it->arena = arena;
	it->root = v;
	it->want_path = want_path;
	return it;
}

static void *grown(struct arena *a, const void *old, size_t used, size_t size)
{
	void *p = arena_raw(a, size);

	if (used)
		memcpy(p, old, used);
	return p;
}

/* Go into `v` next, if there is something in it. */
static void enter(struct walk *it, struct value v)
{
	if ((v.tag != V_ARR && v.tag != V_OBJ && v.tag != V_SET) || !v_len(v))
		return;
	if (it->depth == it->cap) {
		uint32_t cap = it->cap ? it->cap * 2 : 8;

		it->levels = grown(it->arena, it->levels,
			it->cap * sizeof(*it->levels),
			cap * sizeof(*it->levels));
		it->path = grown(it->arena, it->path,
			it->cap * sizeof(*it->path), cap * sizeof(*it->path));
		it->cap = cap;
	}
	it->levels[it->depth++] = (struct walk_level){.coll = v};
}

/* The member at the place of a level, and its path element. */
static struct value member(const struct walk_level *l, struct value *element)
{
	switch (l->coll.tag) {
	case V_ARR:
		*element = v_int(l->next);
		return l->coll.arr->items[l->next];
	case V_OBJ:
		*element = l->coll.obj->keys->items[l->next];
		return l->coll.obj->vals[l->next];
	default:
		*element = l->coll.set->keys->items[l->next];
		return *element;
	}
}

static struct value path_copy(const struct walk *it)
{
	size_t size = it->depth * sizeof(*it->path);

	return v_arr(
		it->arena, grown(it->arena, it->path, size, size), it->depth);
}

bool walk_next(struct walk *it, struct value *path, struct value *val)
{
	struct walk_level *l;

	if (path)
		*path = v_empty_arr;
	if (!it->started) {
		it->started = true;
		*val = it->root;
		enter(it, *val);
		return true;
	}
	while (it->depth && it->levels[it->depth - 1].next ==
				    v_len(it->levels[it->depth - 1].coll))
		it->depth--;
	if (!it->depth)
		return false;
	l = &it->levels[it->depth - 1];
	*val = member(l, &it->path[it->depth - 1]);
	l->next++;
	if (path && it->want_path)
		*path = path_copy(it);
	enter(it, *val);
	return true;
}

/* --- reachable ------------------------------------------------------- */

/* The first vertices, in an array or a set. */
static enum bi_status vertices(struct bi_ctx *cx, const struct value *args,
	const struct value **items, uint32_t *len)
{
	if (args[0].tag != V_OBJ)
		return bi_operand(cx, 1, "object", args[0]);
	if (!operand_members(args[1], items, len))
		return bi_operand(cx, 2, "{array, set}", args[1]);
	return bi_charge(cx, *len) ? BI_OK : BI_HALT;
}

/*
 * The vertices that have edges in the graph are its keys, so a search marks
 * them by their number; others are reached, but never part of the result.
 */
struct search {
	const struct object *graph;
	uint32_t *todo; /* numbers of vertices */
	uint32_t len;
	struct value *seen; /* by number, as first met; else V_UNDEF */
};

static void reach(struct search *s, struct value vertex)
{
	int64_t at = s->graph->len ? keys_find(s->graph->keys, vertex) : -1;

	if (at < 0 || is_def(s->seen[at]))
		return;
	s->seen[at] = vertex;
	s->todo[s->len++] = (uint32_t)at;
}

static enum bi_status bi_reachable(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct value *items;
	struct search s;
	struct value *keys;
	uint32_t n;
	size_t nkeys = 0;
	enum bi_status st = vertices(cx, args, &items, &n);

	if (st)
		return st;
	s = (struct search){
		.graph = args[0].obj,
		.todo = ARENA_ARRAY(cx->arena, uint32_t, args[0].obj->len),
		.seen = ARENA_ARRAY(cx->arena, struct value, args[0].obj->len),
	};
	for (uint32_t i = 0; i < n; i++)
		reach(&s, items[i]);
	for (uint32_t done = 0; done < s.len; done++) {
		if (!operand_members(s.graph->vals[s.todo[done]], &items, &n))
			continue;
		if (!bi_charge(cx, n))
			return BI_HALT;
		for (uint32_t i = 0; i < n; i++)
			reach(&s, items[i]);
	}
	keys = ARENA_ARRAY(cx->arena, struct value, s.len);
	for (uint32_t i = 0; i < s.graph->len; i++)
		if (is_def(s.seen[i]))
			keys[nkeys++] = s.seen[i];
	*out = v_set_sorted(cx->arena, keys, nkeys);
	return BI_OK;
}

/* --- paths ----------------------------------------------------------- */

/* A vertex of the path, and how far its edges have been followed. */
struct path_step {
	const struct value *edges;
	uint32_t len, next;
	uint32_t vertex; /* number, as in struct search */
};

/*
 * The path from a root to the vertex under way. `on_path` counts how often a
 * vertex stands on it: a root with an edge to itself stands there twice.
 */
struct paths {
	struct bi_ctx *cx;
	const struct object *graph;
	struct path_step *steps;
	struct value *path;
	uint32_t depth, cap;
	uint32_t *on_path;
	struct builder found;
};

/* The path so far is a result. */
static enum bi_status commit(struct paths *p)
{
	size_t size = p->depth * sizeof(*p->path);
	struct arena *a = p->cx->arena;

	if (!bi_charge(p->cx, p->depth + 1u))
		return BI_HALT;
	builder_add(
		&p->found, v_arr(a, grown(a, p->path, size, size), p->depth));
	return BI_OK;
}

/* Put a vertex at the end of the path. */
static void step_into(struct paths *p, uint32_t at, struct value vertex)
{
	struct path_step *step;

	if (p->depth == p->cap) {
		uint32_t cap = p->cap ? p->cap * 2 : 16;

		p->steps = grown(p->cx->arena, p->steps,
			p->cap * sizeof(*p->steps), cap * sizeof(*p->steps));
		p->path = grown(p->cx->arena, p->path,
			p->cap * sizeof(*p->path), cap * sizeof(*p->path));
		p->cap = cap;
	}
	step = &p->steps[p->depth];
	*step = (struct path_step){.vertex = at};
	operand_members(p->graph->vals[at], &step->edges, &step->len);
	p->path[p->depth++] = vertex;
	p->on_path[at]++;
}

/* Follow one edge. What is not in the graph ends the path before itself. */
static enum bi_status follow(struct paths *p, struct value vertex)
{
	int64_t at = keys_find(p->graph->keys, vertex);

	/*
	 * Only the edges of a root are not checked against the path: the
	 * check comes with the vertex that has them, and a root is put in
	 * place without one.
	 */
	if (at < 0 || (p->depth > 1 && p->on_path[at]))
		return commit(p);
	step_into(p, (uint32_t)at, vertex);
	if (!p->steps[p->depth - 1].len)
		return commit(p);
	return BI_OK;
}

static enum bi_status paths_from(
	struct paths *p, uint32_t at, struct value root)
{
	enum bi_status st = BI_OK;

	step_into(p, at, root);
	if (!p->steps[0].len)
		st = commit(p);
	while (!st && p->depth) {
		struct path_step *step = &p->steps[p->depth - 1];

		if (step->next < step->len) {
			st = follow(p, step->edges[step->next++]);
			continue;
		}
		p->on_path[step->vertex]--;
		p->depth--;
	}
	return st;
}

static enum bi_status bi_reachable_paths(
	struct bi_ctx *cx, const struct value *args, struct value *out)
{
	const struct value *items;
	struct paths p;
	uint32_t n;
	enum bi_status st = vertices(cx, args, &items, &n);

	if (st)
		return st;
	p = (struct paths){
		.cx = cx,
		.graph = args[0].obj,
		.on_path = ARENA_ARRAY(cx->arena, uint32_t, args[0].obj->len),
		.found = builder_set(cx->arena),
	};
	for (uint32_t i = 0; !st && i < n && p.graph->len; i++) {
		int64_t at = keys_find(p.graph->keys, items[i]);

		if (at >= 0)
			st = paths_from(&p, (uint32_t)at, items[i]);
	}
	if (st)
		return st;
	*out = builder_done(&p.found);
	return BI_OK;
}

enum { LISTED = BT_ARR | BT_SET };

/* clang-format off */
static const struct builtin rows[] = {
	{"graph.reachable",       NULL, 2, {BT_OBJ, LISTED}, bi_reachable,       BF_RAWTYPES},
	{"graph.reachable_paths", NULL, 2, {BT_OBJ, LISTED}, bi_reachable_paths, BF_RAWTYPES},
	{"walk",                  NULL, 1, {BT_ANY},         NULL,               BF_RELATION},
};
/* clang-format on */

const struct builtin_table builtin_graph = {rows, COUNT(rows)};
