/*
 * names: what policies are called, and whether what waivers and stages name is
 * there.
 *
 * A policy is called what its METADATA says (custom.id), else as its folder,
 * with hyphens. A waiver or a stage of another name has no effect, and nobody
 * would notice: it is a typo, or its policy is gone.
 */
#include "gates/internal.h"

#include <string.h>

#include "rego/annotations.h"

void name_policy(struct run *r, const char *file, const struct node *at,
	const char *code)
{
	r->named = arena_grow(r->arena, r->named, r->nnamed, &r->cap_named,
		sizeof(*r->named));
	r->named[r->nnamed++] = (struct named){
		.policy = arena_strdup(r->arena, at->text),
		.file = file,
		.code = code,
		.row = at->row,
		.col = at->col,
	};
}

/* policies/k8s/require_limits as require-limits */
static const char *folder_id(struct run *r, struct str dir)
{
	size_t from = dir.len;

	while (from && dir.ptr[from - 1] != '/')
		from--;
	char *id = arena_strdup(r->arena, str_slice(dir, from, dir.len));

	for (char *p = id; *p; p++)
		if (*p == '_')
			*p = '-';
	return id;
}

static const char *policy_id(struct run *r, const struct policy *p)
{
	const struct annotation_set *set = rego_annotations(r->engine);
	const struct annotation *a =
		set ? annotation_of_package(set, p->module->package) : NULL;
	struct value custom = v_undef, id = v_undef;

	if (a && a->value.tag == V_OBJ)
		custom = obj_get_cstr(a->value.obj, "custom");
	if (custom.tag == V_OBJ)
		id = obj_get_cstr(custom.obj, "id");
	return id.tag == V_STR ? arena_strdup(r->arena, v_bytes(id))
			       : folder_id(r, p->dir);
}

static const char *nearest(const char *const *ids, size_t n, const char *name)
{
	const char *best = NULL;
	unsigned least = 4;

	for (size_t i = 0; i < n; i++) {
		unsigned far = str_distance(name, ids[i]);

		if (far < least) {
			least = far;
			best = ids[i];
		}
	}
	return best;
}

static bool is_known(const char *const *ids, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(ids[i], name))
			return true;
	return false;
}

void check_names(struct run *r)
{
	const char **ids = ARENA_ARRAY(r->arena, const char *, r->npolicies);

	for (size_t i = 0; i < r->npolicies; i++)
		ids[i] = policy_id(r, &r->policies[i]);
	for (uint32_t i = 0; i < r->nnamed; i++) {
		const struct named *x = &r->named[i];
		const char *near = nearest(ids, r->npolicies, x->policy);

		if (is_known(ids, r->npolicies, x->policy))
			continue;
		find_at(r, GATE_FAIL, x->file, x->row, x->col, x->code,
			"there is no policy %s%s%s%s", x->policy,
			near ? "; did you mean " : "", near ? near : "",
			near ? "?" : "")
			->subject = x->policy;
	}
}
