/*
 * doc: documents below `data`, where base data, rules and the replacements of
 * `with` lie over each other.
 *
 * A step goes down all layers at once. Rules are evaluated only when a step
 * ends on one or when a whole document is forced; then base data wins over
 * rules, and what a `with` put there wins over base data.
 *
 * Source: OPA's evalTree (next, enumerate, extent) in v1/topdown/eval.go.
 */
#include "rego/vm.h"

#include <string.h>

struct value value_merge(struct arena *a, struct value x, struct value y)
{
	const struct object *ox, *oy;
	struct builder b;

	if (x.tag != V_OBJ || y.tag != V_OBJ)
		return x;
	ox = x.obj;
	oy = y.obj;
	b = builder_obj(a);
	for (uint32_t i = 0; i < ox->len; i++) {
		struct value k = ox->keys->items[i], v = ox->vals[i], old;
		struct value other = obj_get(oy, k);

		if (is_def(other))
			v = value_merge(a, v, other);
		builder_put(&b, k, v, &old);
	}
	for (uint32_t i = 0; i < oy->len; i++) {
		struct value old;

		builder_put(&b, oy->keys->items[i], oy->vals[i], &old);
	}
	return builder_done(&b);
}

/* The key as storage reads it, or an empty text when it is no scalar. */
static struct str text_key(struct value key, char tmp[24])
{
	if (key.tag == V_STR)
		return v_bytes(key);
	return is_num(key) ? num_text(key, tmp) : (struct str){0};
}

/* As OPA's storage reads a key of an array: "01", "+1" and "1.00" are 1. */
static bool index_of_text(struct str s, uint32_t *i)
{
	uint64_t n = 0;
	size_t k = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
	bool minus = k && s.ptr[0] == '-';

	if (s.len == k || s.len - k > 19)
		return false;
	for (; k < s.len && s.ptr[k] >= '0' && s.ptr[k] <= '9'; k++)
		n = n * 10 + (uint64_t)(s.ptr[k] - '0');
	if (k < s.len && s.ptr[k] == '.')
		for (k++; k < s.len && s.ptr[k] == '0'; k++)
			;
	*i = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	return k == s.len && !(minus && n);
}

static struct value obj_get_text(const struct object *o, struct str s)
{
	uint64_t room[(sizeof(struct string) + 32) / 8];
	struct string *k = (void *)room;
	uint32_t hash = str_hash(s.ptr, s.len);

	if (s.len > 24)
		return v_undef;
	*k = (struct string){.hash = hash, .len = (uint32_t)s.len};
	memcpy(k->bytes, s.ptr, s.len);
	return obj_get(o, (struct value){.tag = V_STR, .hash = hash, .str = k});
}

struct value base_get(struct value x, struct value key)
{
	struct value got = v_undef;
	char tmp[24];
	uint32_t i;

	if (x.tag == V_OBJ && key.tag == V_STR)
		got = obj_get(x.obj, key);
	else if (x.tag == V_OBJ && is_num(key))
		got = obj_get_text(x.obj, num_text(key, tmp));
	else if (x.tag == V_ARR && key.tag == V_INT)
		got = v_get(x, key);
	else if (x.tag == V_ARR && index_of_text(text_key(key, tmp), &i) &&
		 i < x.arr->len)
		got = x.arr->items[i];
	got.flags = VF_BASE;
	return got;
}

static const struct overlay *ov_kid(const struct overlay *o, struct value key)
{
	for (o = o ? o->kids : NULL; o; o = o->next)
		if (value_eq(o->key, key))
			return o;
	return NULL;
}

static struct value rep_get(struct value rep, struct value key)
{
	return is_def(rep) ? v_get(rep, key) : v_undef;
}

/* The layers as one value: plain where only base data is left. */
static struct value layers(struct rego_vm *vm, struct lazy l)
{
	struct lazy *p;

	if (!l.node && !l.ov && !is_def(l.rep)) {
		l.base.flags = VF_BASE;
		return l.base;
	}
	p = arena_raw(vm->cx.arena, sizeof(*p));
	*p = l;
	return (struct value){.tag = V_LAZY, .lazy = p};
}

static struct lazy layers_of(struct value v)
{
	if (v.tag == V_LAZY)
		return *v.lazy;
	return (struct lazy){.base = v};
}

bool doc_get(struct rego_vm *vm, struct value from, struct value key,
	struct value *out)
{
	struct lazy l, down;

	if (from.tag != V_LAZY) {
		*out = from.flags & VF_BASE ? base_get(from, key)
					    : v_get(from, key);
		return true;
	}
	l = *from.lazy;
	down = (struct lazy){
		.rep = rep_get(l.rep, key), .ov = ov_kid(l.ov, key)};
	if (down.ov && down.ov->target) {
		*out = down.rep;
		return true;
	}
	down.base = base_get(l.base, key);
	down.node = l.node ? node_child(l.node, key) : NULL;
	if (down.node && down.node->group) {
		if (down.node->group->kind == G_FUNC) {
			*out = v_undef;
			return true;
		}
		return vm_group(vm, down.node->group, out);
	}
	*out = layers(vm, down);
	return true;
}

/* All layers at a node. No rule stands above it: no step can halt. */
static struct value layers_at(struct rego_vm *vm, const struct node *n)
{
	const struct env *env = vm->env;
	struct value v;

	if (!n->parent) {
		struct lazy root = {.node = n,
			.base = vm->e->base,
			.rep = env->data,
			.ov = env->ov};

		return env->ov->target ? env->data : layers(vm, root);
	}
	v = layers_at(vm, n->parent);
	return doc_get(vm, v, n->key, &v) ? v : v_undef;
}

struct value doc_at(struct rego_vm *vm, const struct path *p)
{
	struct value v = p->base;

	if (!vm->env->ov) {
		struct lazy l = {.node = p->node, .base = p->base};

		if (p->tree)
			return layers(vm, l);
		v.flags = VF_BASE;
		return v;
	}
	v = layers_at(vm, p->node);
	for (uint32_t i = 0; i < p->nkeys; i++)
		if (!doc_get(vm, v, p->keys[i], &v))
			return v_undef;
	return v;
}

/*
 * The trie of targets at a node, or, at a target, that target; NULL when no
 * target is at, above or below. *rep is what the `with`s put there.
 */
static const struct overlay *overlay_at(
	const struct env *env, const struct node *n, struct value *rep)
{
	const struct overlay *ov;

	if (!n->parent) {
		*rep = env->data;
		return env->ov;
	}
	ov = overlay_at(env, n->parent, rep);
	*rep = rep_get(*rep, n->key);
	return ov && ov->target ? ov : ov_kid(ov, n->key);
}

bool doc_replaced(
	const struct env *env, const struct node *n, struct value *rep)
{
	struct value v;
	const struct overlay *ov = overlay_at(env, n, &v);

	if (!ov || !ov->target)
		return false;
	*rep = v;
	return true;
}

static bool is_system_key(struct value k)
{
	return k.tag == V_STR && k.str->len == 6 &&
	       !memcmp(k.str->bytes, "system", 6);
}

/* The root is shown without its reserved member `system`. */
static struct value without_system(struct rego_vm *vm, struct value base)
{
	struct builder b;
	struct value old;

	if (base.tag != V_OBJ || !is_def(obj_get_cstr(base.obj, "system")))
		return base;
	b = builder_obj(vm->cx.arena);
	for (uint32_t i = 0; i < base.obj->len; i++)
		if (!is_system_key(base.obj->keys->items[i]))
			builder_put(&b, base.obj->keys->items[i],
				base.obj->vals[i], &old);
	return builder_done(&b);
}

static struct value base_and_rep(struct rego_vm *vm, const struct lazy *l)
{
	struct value base = l->base;

	if (l->node && !l->node->parent)
		base = without_system(vm, base);
	if (!is_def(l->rep))
		return base;
	if (!is_def(base))
		return l->rep;
	return value_merge(vm->cx.arena, l->rep, base);
}

/* The rules below a node, evaluated. */
static bool leaves(struct rego_vm *vm, const struct node *n, struct value rep,
	const struct overlay *ov, struct value *out)
{
	struct builder b = builder_obj(vm->cx.arena);
	struct value v, old;

	for (uint32_t i = 0; i < n->nkids; i++) {
		const struct node *kid = n->kids[i];
		struct value krep = rep_get(rep, kid->key);
		const struct overlay *kov = ov_kid(ov, kid->key);

		if (!n->parent && is_system_key(kid->key))
			continue;
		if (kov && kov->target) {
			v = krep;
		} else if (!kid->group) {
			if (!leaves(vm, kid, krep, kov, &v))
				return false;
		} else if (kid->group->kind == G_FUNC) {
			continue;
		} else if (!vm_group(vm, kid->group, &v)) {
			return false;
		}
		if (is_def(v))
			builder_put(&b, kid->key, v, &old);
	}
	*out = builder_done(&b);
	return true;
}

bool doc_force(struct rego_vm *vm, struct value v, struct value *out)
{
	struct value base, virtual;

	if (v.tag != V_LAZY) {
		v.flags = 0;
		*out = v;
		return true;
	}
	base = base_and_rep(vm, v.lazy);
	if (!v.lazy->node) {
		*out = base;
	} else {
		if (!leaves(vm, v.lazy->node, v.lazy->rep, v.lazy->ov,
			    &virtual))
			return false;
		*out = is_def(base) ? value_merge(vm->cx.arena, base, virtual)
				    : virtual;
	}
	out->flags = 0;
	return true;
}

struct value doc_keys(struct rego_vm *vm, struct value v)
{
	struct lazy l = layers_of(v);
	struct value base = base_and_rep(vm, &l), *keys;
	uint32_t n = 0, nbase = 0, nkids = l.node ? l.node->nkids : 0;

	if (base.tag == V_ARR || base.tag == V_OBJ || base.tag == V_SET)
		nbase = v_len(base);
	keys = arena_array(
		vm->cx.arena, (size_t)nbase + nkids + 1, sizeof(*keys));
	for (uint32_t i = 0; i < nbase; i++)
		keys[n++] = base.tag == V_ARR   ? v_int(i)
			    : base.tag == V_OBJ ? base.obj->keys->items[i]
						: base.set->keys->items[i];
	uint32_t from = n;

	for (uint32_t i = 0; i < nkids; i++) {
		struct value k = l.node->kids[i]->key;
		uint32_t at = n;

		if (nbase && is_def(v_get(base, k)))
			continue;
		for (; at > from && value_cmp(keys[at - 1], k) > 0; at--)
			keys[at] = keys[at - 1];
		keys[at] = k;
		n++;
	}
	return v_arr(vm->cx.arena, keys, n);
}
