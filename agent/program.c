/* Bundles, compiled once for all agents that have them. */
#include "agent/internal.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

struct program *program_find(struct program *list, const char *digest)
{
	for (; list; list = list->next)
		if (!strcmp(list->digest, digest))
			return list;
	return NULL;
}

static void prepare(struct program *p, const struct fleet_config *c)
{
	struct arena *a = rego_arena(p->engine);
	struct diags d = {.arena = a};
	struct json_error je;

	p->queries = ARENA_ARRAY(a, struct rego_query *, c->npaths);
	for (size_t i = 0; i < c->npaths; i++) {
		char *text = arena_printf(a, "data.%.*s", STR_ARG(c->paths[i]));

		for (char *x = text; *x; x++)
			if (*x == '/')
				*x = '.';
		p->queries[i] = rego_prepare(
			p->engine, str_from(text), NULL, NULL, 0, &d);
	}
	p->inputs = ARENA_ARRAY(a, struct value, c->ninputs);
	for (size_t i = 0; i < c->ninputs; i++)
		if (!json_parse(a, rego_symtab(p->engine), c->inputs[i],
			    LIMIT_JSON_DEPTH, &p->inputs[i], &je))
			p->inputs[i] = v_undef;
	p->vm = rego_vm_new(p->engine);
}

static enum status load(const struct fleet_config *c, struct program *p,
	struct str bytes, struct err *e)
{
	struct bundle_verify_options how = {.keys = c->keys};
	enum status st = bundle_unpack(&p->bundle, bytes, e);

	if (!st && c->keys)
		st = bundle_verify(&p->bundle, &how, e);
	if (!st)
		st = bundle_check(&p->bundle, BUNDLE_AS_AGENT, e);
	if (!st)
		st = bundle_compile(&p->bundle, &p->engine, e);
	return st;
}

struct program *program_new(
	const struct fleet_config *c, const char *digest, struct str bytes)
{
	struct program *p = calloc(1, sizeof(*p));
	struct err e = {0};

	if (!p)
		die("out of memory: a program");
	memcpy(p->digest, digest, sizeof(p->digest));
	p->size = bytes.len;
	if (load(c, p, bytes, &e)) {
		p->refusal = arena_str(&p->bundle.arena, str_from(e.text));
		return p;
	}
	p->revision = str_from(p->bundle.manifest.revision);
	prepare(p, c);
	return p;
}

void program_free(struct program *p)
{
	if (p->vm)
		rego_vm_free(p->vm);
	if (p->engine)
		rego_free(p->engine);
	bundle_release(&p->bundle);
	free(p);
}

static void write_error(struct buf *out, const struct rego_error *e)
{
	buf_addf(out, "{\"code\":\"%s\",\"message\":", e->code);
	json_quote(out, str_from(e->message));
	buf_addc(out, '}');
}

enum decided program_decide(
	struct program *p, size_t path, size_t input, struct buf *out)
{
	struct rego_input in = {.input = p->inputs[input]};
	struct rego_result res = {0};

	if (!p->queries[path])
		return DECIDED_UNDEFINED;
	rego_eval(p->vm, p->queries[path], &in, &res);
	if (res.error.code) {
		write_error(out, &res.error);
		return DECIDED_ERROR;
	}
	if (!res.nrows || !res.rows[0].nexprs)
		return DECIDED_UNDEFINED;
	value_json(out, res.rows[0].exprs[0], 0, 0);
	return DECIDED;
}
