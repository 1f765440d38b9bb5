/* infer: documents that have schemas: input, and what annotations name. */
#include "rego/infer.h"

#include "rego/annotations.h"
#include "rego/schema.h"

static struct value schema_at(const struct compiler *c, struct value path)
{
	struct value v = c->schemas ? builder_get(c->schemas, path) : v_undef;

	return v.tag == V_NULL ? v_undef : v;
}

void read_input_schema(struct passes *p)
{
	struct compiler *c = p->c;
	struct value schema = schema_at(c, v_arr(p->a, NULL, 0));
	const char *why = NULL;

	if (!is_def(schema))
		return;
	c->input_type = schema_type(p->a, schema, &why);
	if (why)
		found_add(p, ST_SCHEMA, false, ERR_TYPE, (struct loc){0}, "%s",
			why);
}

/* Some annotation of a module has a schema. */
static bool any_schemas(const struct annotation_set *set)
{
	for (uint32_t i = 0; set && i < set->len; i++)
		if (set->items[i]->nschemas)
			return true;
	return false;
}

void infer_rules_start(struct infer *in, struct node *data)
{
	const struct compiler *c = in->p->c;

	in->rules = (struct layer){.data = data};
	in->env = &in->rules;
	in->schemas = c->use_schemas && any_schemas(c->annotations);
	if (!c->input_type)
		return;
	in->rules.input = ARENA_NEW(in->a, struct node);
	infer_node_put(in->rules.input, c->input_type);
}

/* --- schemas of annotations ----------------------------------------------- */

/* What of a step is no constant, the first such part; NULL: all is. */
static const struct term *loose_part(const struct term *t)
{
	bool composite =
		t->kind == T_ARRAY || t->kind == T_OBJECT || t->kind == T_SET;

	if (t->kind == T_SCALAR || term_is_constant(t))
		return NULL;
	for (uint32_t i = 0; composite && i < t->list.len; i++)
		if (loose_part(t->list.items[i]))
			return loose_part(t->list.items[i]);
	return t;
}

/* Why a path leads nowhere, or NULL. */
static const char *loose_path(struct infer *in, const struct term *ref)
{
	static const char *const names[] = {[T_VAR] = "var",
		[T_CALL] = "call",
		[T_ARRAY_COMP] = "arraycomprehension",
		[T_SET_COMP] = "setcomprehension",
		[T_OBJECT_COMP] = "objectcomprehension",
		[T_TEMPLATE] = "templatestring"};
	const struct term *at = NULL;

	for (uint32_t i = 1; !at && i < ref->list.len; i++)
		at = loose_part(ref->list.items[i]);
	if (!at)
		return NULL;
	if (at->kind == T_REF || at->kind >= COUNT(names) || !names[at->kind])
		return arena_printf(in->a,
			"error getting key from value: illegal value: %s",
			text_of(in->p, at));
	return arena_printf(in->a,
		"error getting key from value: %s requires evaluation",
		names[at->kind]);
}

/* The constants behind the first step. */
static struct value *steps_of(
	struct infer *in, const struct term *ref, uint32_t *n)
{
	struct value *steps;

	*n = ref->list.len - 1;
	steps = ARENA_ARRAY(in->a, struct value, *n);
	for (uint32_t i = 0; i < *n; i++)
		steps[i] = infer_const_value(in, ref->list.items[i + 1]);
	return steps;
}

/* The schema that an annotation names; undefined with the reason in s->why. */
static struct value named_schema(struct infer *in, struct annotation_schema *s)
{
	struct value *steps, found = v_undef;
	uint32_t n;

	if (!loose_path(in, s->schema)) {
		steps = steps_of(in, s->schema, &n);
		found = schema_at(in->p->c, v_arr(in->a, steps, n));
	}
	if (!is_def(found))
		s->why = arena_printf(in->a, "undefined schema: %s",
			text_of(in->p, s->schema));
	return found;
}

/* NULL: there is none, and s->why says it if that is an error. */
static const struct type *annotated_type(
	struct infer *in, struct annotation_schema *s)
{
	struct value schema = s->definition;

	if (s->type || s->why || (s->schema && !in->p->c->schemas))
		return s->type;
	if (s->schema)
		schema = named_schema(in, s);
	if (!s->why)
		s->type = schema_type(in->a, schema, &s->why);
	return s->type;
}

static void schema_error(struct infer *in, const struct rule *branch,
	struct errors *e, const char *why)
{
	infer_errors_add(
		in, e, infer_mismatch_new(in, MM_PLAIN, branch->loc, why));
}

/* The document at the path of a schema gets its type, in the layer `own`. */
static void apply(struct infer *in, const struct rule *branch,
	struct layer *own, struct annotation_schema *s, struct errors *e)
{
	struct term root = *s->path;
	const struct type *t = annotated_type(in, s);
	const char *why = s->why ? s->why : t ? loose_path(in, s->path) : NULL;
	struct value *steps;
	uint32_t n;

	if (infer_root_of(in->p, s->path) == NO_ROOT && !s->why)
		return;
	if (why)
		schema_error(in, branch, e, why);
	if (why || !t)
		return;
	root.list.len = 1;
	steps = steps_of(in, s->path, &n);
	if (n)
		t = type_override(
			in->a, infer_ref_type(in, own, &root), steps, n, t);
	infer_layer_put(in, own, &root, t);
}

/* What holds for the rule, those that are nearest last. */
static void apply_all(struct infer *in, const struct rule *branch,
	struct layer *own, struct errors *e)
{
	struct arena a = {0};
	const struct annotation **list;
	size_t n =
		annotations_of_rule(&a, in->p->c->annotations, branch, &list);

	while (n-- > 0)
		for (uint32_t i = 0; i < list[n]->nschemas; i++)
			apply(in, branch, own, &list[n]->schemas[i], e);
	arena_release(&a);
}

void infer_env_of_rule(
	struct infer *in, const struct rule *branch, struct errors *e)
{
	struct layer *own;

	in->env = &in->rules;
	if (!in->schemas)
		return;
	own = ARENA_NEW(in->a, struct layer);
	own->up = &in->rules;
	apply_all(in, branch, own, e);
	in->env = own;
}
