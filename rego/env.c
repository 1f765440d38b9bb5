/*
 * env: entering a `with`.
 *
 * Source: OPA's evalWith and mergeTermWithValues in v1/topdown.
 */
#include "rego/vm.h"

static struct value make_tree(
	struct arena *a, const struct value *path, uint32_t n, struct value v)
{
	while (n-- > 0) {
		struct value *k = arena_raw(a, 2 * sizeof(*k));

		k[0] = path[n];
		k[1] = v;
		v = v_obj(a, k, k + 1, 1);
	}
	return v;
}

/* `exist` with `val` put at `path`; what is no object on the way is replaced.
 */
static struct value value_put_at(struct arena *a, struct value exist,
	const struct value *path, uint32_t n, struct value val)
{
	struct builder b;
	struct value old;

	if (n == 0)
		return val;
	if (exist.tag != V_OBJ)
		return make_tree(a, path, n, val);
	val = value_put_at(
		a, obj_get(exist.obj, path[0]), path + 1, n - 1, val);
	b = builder_obj(a);
	for (uint32_t i = 0; i < exist.obj->len; i++)
		builder_put(&b, exist.obj->keys->items[i], exist.obj->vals[i],
			&old);
	builder_set_key(&b, path[0], val);
	return builder_done(&b);
}

/* A copy of the trie with one more target. */
static const struct overlay *ov_add(struct arena *a, const struct overlay *o,
	struct value key, const struct value *path, uint32_t n)
{
	struct overlay *copy = ARENA_NEW(a, struct overlay);
	struct overlay **end = &copy->kids;
	bool found = false;

	copy->key = key;
	copy->target = n == 0 || (o && o->target);
	for (const struct overlay *k = o ? o->kids : NULL; k; k = k->next) {
		struct overlay *kid = ARENA_NEW(a, struct overlay);

		if (n > 0 && value_eq(k->key, path[0])) {
			*kid = *ov_add(a, k, k->key, path + 1, n - 1);
			found = true;
		} else {
			*kid = *k;
		}
		kid->next = NULL;
		*end = kid;
		end = &kid->next;
	}
	if (n > 0 && !found) {
		struct overlay *kid = ARENA_NEW(a, struct overlay);

		*kid = *ov_add(a, NULL, path[0], path + 1, n - 1);
		*end = kid;
	}
	return copy;
}

const struct env *env_with(struct rego_vm *vm, const struct site *site,
	const struct value *regs, const struct value *consts)
{
	struct arena *a = vm->cx.arena;
	struct env *env = arena_raw(a, sizeof(*env));

	*env = *vm->env;
	env->up = vm->env;
	env->id = vm->next_env++;
	env->cls = site->cls;
	for (uint32_t i = 0; i < site->ntargets; i++) {
		const struct with_target *t = &site->targets[i];
		struct value v = v_undef;
		struct mock *m;

		if (!t->bi && !t->group)
			v = t->operand & K_BIT
				    ? consts[t->operand & (K_BIT - 1)]
				    : regs[t->operand];
		switch (t->kind) {
		case WITH_INPUT:
			env->input = value_put_at(
				a, env->input, t->path, t->npath, v);
			break;
		case WITH_DATA:
			env->data = value_put_at(
				a, env->data, t->path, t->npath, v);
			env->ov =
				ov_add(a, env->ov, v_undef, t->path, t->npath);
			break;
		case WITH_MOCK:
			m = arena_raw(a, sizeof(*m));
			*m = (struct mock){.id = t->mock_id,
				.bi = t->bi,
				.group = t->group,
				.value = v,
				.next = env->mocks};
			env->mocks = m;
			break;
		}
	}
	return env;
}
