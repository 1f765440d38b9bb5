/*
 * load and check: the commit's modules and data in one engine, and which of
 * the modules are policies.
 */
#include "gates/internal.h"

#include <string.h>

#include "base/glob.h"

/* --- load --------------------------------------------------------------------
 */

static enum rego_version version_of(int n)
{
	return n == 0 ? REGO_V0 : n == 2 ? REGO_V2 : REGO_V1;
}

static bool included(const struct config *c, struct str path)
{
	for (size_t i = 0; i < c->include.len; i++) {
		struct str dir = str_from(c->include.items[i]);

		if (!dir.len || str_is(dir, ".") ||
			(str_starts(path, dir) && path.len > dir.len &&
				path.ptr[dir.len] == '/'))
			return true;
	}
	return c->include.len == 0;
}

static void load_modules(struct run *r)
{
	const struct repo *repo = r->o->repo;

	for (size_t i = 0; i < repo->nfiles; i++) {
		const struct repo_file *f = &repo->files[i];

		if (!str_ends(f->path, S(".rego")) ||
			path_is_fixture(f->path) ||
			!included(r->o->config, f->path))
			continue;
		r->report->nmodules++;
		/* What is wrong stands in rego_errors(). */
		(void)rego_add_module(
			r->engine, arena_strdup(r->arena, f->path), f->content);
	}
	find_diags(r, GATE_BROKEN, rego_errors(r->engine), 0);
}

static void load_json(struct run *r, struct str json)
{
	struct json_error je;
	struct value v;
	struct err e = {0};

	if (!json_parse(rego_arena(r->engine), rego_symtab(r->engine), json,
		    LIMIT_DATA_DEPTH, &v, &je))
		find_at(r, GATE_BROKEN, "data.json", je.row, je.col, NULL, "%s",
			je.text);
	else if (rego_add_data(r->engine, NULL, 0, v, false, &e))
		find_err(r, GATE_BROKEN, NULL, &e);
}

/*
 * The data that the bundle will carry, from the bundle itself: what is judged
 * is what is shipped, and what can't be packed is found here.
 */
static void load_data(struct run *r)
{
	struct build_options o = {.revision = "judged",
		.tool = "regatta",
		.extra = r->report->extra,
		.nextra = r->report->nextra};
	const struct bundle_file *data;
	struct err e = {0};

	if (bundle_gather(&r->bundle, r->o->repo, r->o->config, &o, &e)) {
		find_err(r, GATE_BROKEN, NULL, &e);
		return;
	}
	data = bundle_find(&r->bundle, S("data.json"));
	if (data)
		load_json(r, data->content);
}

void gate_load(struct run *r)
{
	const struct config *c = r->o->config;
	struct rego_config cfg = {.version = version_of(c->rego_version),
		.keep_print = true,
		.test_mode = true,
		.use_schemas = true,
		.coverage = true,
		.explain = true};
	struct runner_options ro = {.threads = r->o->threads,
		.timeout_ns = c->test.timeout_ns,
		.max_steps = c->test.steps,
		.max_memory = c->test.memory,
		.now_ns = r->o->now_ns};
	struct err e = {0};

	r->engine = rego_new(&cfg);
	load_modules(r);
	if (r->step->level < GATE_BROKEN)
		load_data(r);
	if (!r->report->nmodules)
		find_at(r, GATE_BROKEN, NULL, 0, 0, NULL,
			"there is no policy to judge: no .rego file below "
			"what `include` in regatta.yaml names");
	summary(r, "%s, %s",
		plural(r, r->report->nmodules, "module", "modules"),
		plural(r, r->o->repo->nfiles, "file", "files"));
	if (r->step->level == GATE_BROKEN)
		return;
	r->runner = runner_new(r->engine, &ro, &e);
	if (!r->runner)
		find_err(r, GATE_BROKEN, NULL, &e);
}

/* --- policies
 * -------------------------------------------------------------------- */

static struct str rule_name(const struct rule *rule)
{
	const struct term *t = rule->head.ref->list.items[0];

	if (t->kind != T_VAR)
		return (struct str){0};
	return str_make(t->var.name->bytes, t->var.name->len);
}

/* A function decides nothing by itself. */
static const struct rule *rule_named(const struct module *m, const char *name)
{
	for (uint32_t i = 0; i < m->nrules; i++)
		if (str_is(rule_name(m->rules[i]), name) &&
			!m->rules[i]->head.is_func)
			return m->rules[i];
	return NULL;
}

/* "data.library.k8s" as "library/k8s" */
static struct str slashed(struct run *r, const char *package)
{
	char *text = arena_strdup(r->arena, str_from(package));
	const char *dot = strchr(text, '.');

	for (char *p = text; *p; p++)
		if (*p == '.')
			*p = '/';
	return str_from(dot ? dot + 1 : "");
}

/*
 * The rule that decides for a package: what the first matching path of
 * `decisions` calls its outcome; without one, a usual name.
 */
static const struct rule *deciding_rule(
	struct run *r, const struct module *m, const char *package)
{
	static const char *const usual[] = {"violations", "violation", "deny"};
	const struct config *c = r->o->config;
	struct str path = slashed(r, package);

	for (size_t i = 0; i < c->ndecisions; i++) {
		const struct config_decision *d = &c->decisions[i];
		struct str full = str_from(arena_printf(
			r->arena, "%.*s/%s", STR_ARG(path), d->outcome));

		if (glob_path(str_from(d->path), full))
			return rule_named(m, d->outcome);
	}
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (rule_named(m, usual[i]))
			return rule_named(m, usual[i]);
	return NULL;
}

static void add_policy(struct run *r, const struct module *m)
{
	struct str path = str_from(m->src->name);
	struct buf package = {0};

	term_text(&package, m->package);
	const char *name = arena_strdup(r->arena, buf_str(&package));
	const struct rule *rule = deciding_rule(r, m, name);

	buf_release(&package);
	if (!rule)
		return;
	size_t slash = path.len;

	while (slash && path.ptr[slash - 1] != '/')
		slash--;
	struct str own = rule_name(rule);

	r->policies[r->npolicies++] = (struct policy){
		.file = repo_find(r->o->repo, path),
		.module = m,
		.dir = str_slice(path, 0, slash ? slash - 1 : 0),
		.package = name,
		.rule = arena_strdup(r->arena, own),
		.loc = rule->loc,
	};
}

static void find_policies(struct run *r)
{
	size_t n = rego_module_count(r->engine);

	r->policies = ARENA_ARRAY(r->arena, struct policy, n);
	for (size_t i = 0; i < n; i++) {
		const struct module *m = rego_module_at(r->engine, i);

		if (!path_is_test(str_from(m->src->name)))
			add_policy(r, m);
	}
	r->report->npolicies = r->npolicies;
}

/* All errors of all modules, tests too; then those of the bundle by itself. */
static bool compiles(struct run *r)
{
	struct err e = {0};
	bool ok = rego_compile(r->engine, true);

	find_diags(r, GATE_BROKEN, rego_errors(r->engine), 0);
	if (!ok)
		return false;
	if (!bundle_activates(&r->bundle, r->o->config, &e))
		return true;
	find_err(r, GATE_BROKEN, NULL, &e);
	return false;
}

void gate_check(struct run *r)
{
	if (!r->runner) {
		r->step->skipped = true;
		r->step->summary = "not run: not everything was loaded";
		return;
	}
	find_policies(r);
	r->compiled = compiles(r);
	if (r->compiled)
		check_names(r);
	summary(r, "%s, %s",
		plural(r, r->report->nmodules, "module", "modules"),
		plural(r, r->npolicies, "policy", "policies"));
}
