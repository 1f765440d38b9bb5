/*
 * fixtures: inputs whose verdict is known. Below a policy's folder,
 *
 *	fixtures/good/   must not violate the policy
 *	fixtures/bad/    must
 *
 * JSON or YAML, each document an input. A policy without both is not judged by
 * anything, and fails; so do inputs that no policy is held against.
 */
#include "gates/internal.h"

#include <string.h>

struct judge {
	struct run *run;
	const struct policy *policy;
	struct rego_query *query;
	struct rego_vm *vm;
	struct arena input;
	size_t n[2];  /* documents judged: bad, good */
	size_t empty; /* good ones that hold nothing */
	size_t wrong;
};

/* --- what a value says -------------------------------------------------------
 */

/* Rules that say when to let something pass; all others say when not to. */
static bool allows(const char *rule)
{
	return !strcmp(rule, "allow") || !strcmp(rule, "allowed");
}

static bool violates(const char *rule, struct value v)
{
	if (allows(rule))
		return !is_truthy(v);
	if (v.tag == V_SET || v.tag == V_ARR || v.tag == V_OBJ)
		return v_len(v) > 0;
	return is_truthy(v);
}

/* --- one document
 * ---------------------------------------------------------------- */

static struct rego_query *prepare(struct run *r, const struct policy *p)
{
	const struct term *package = p->module->package;
	uint32_t n = package->list.len;
	struct value *path = ARENA_ARRAY(r->arena, struct value, n);

	for (uint32_t i = 1; i < n; i++)
		path[i - 1] = package->list.items[i]->val;
	path[n - 1] = v_cstr(r->arena, p->rule);
	return rego_prepare_ref(r->engine, path, n);
}

static void wrong(struct judge *j, struct gate_case *c, const char *file,
	bool good, struct value v)
{
	struct finding *f;

	j->wrong++;
	if (good)
		f = find_at(j->run, GATE_FAIL, file, 0, 0, "T011",
			"a good input violates %s", j->policy->package);
	else
		f = find_at(j->run, GATE_FAIL, file, 0, 0, "T012",
			"a bad input does not violate %s", j->policy->package);
	if (is_def(v)) {
		struct buf text = {0};

		value_text(&text, v);
		f->detail =
			arena_printf(j->run->arena, "%s is %s", j->policy->rule,
				cut_text(j->run, buf_str(&text), VALUE_MAX));
		buf_release(&text);
	}
	f->subject = j->policy->package;
	f->again = arena_printf(j->run->arena, "regatta eval -b . -i %s %s.%s",
		file, j->policy->package, j->policy->rule);
	c->problem = f;
}

static void not_judged(struct judge *j, struct gate_case *c, const char *file,
	const struct rego_error *err)
{
	struct finding *f = find_at(
		j->run, GATE_BROKEN, file, 0, 0, err->code, "%s", err->message);

	const char *limit = limit_text(j->run, err);

	if (err->file && *err->file)
		f->detail = arena_printf(j->run->arena, "at %s:%u:%u%s%s",
			err->file, err->row, err->col, limit ? "\n" : "",
			limit ? limit : "");
	else
		f->detail = limit;
	f->subject = j->policy->package;
	c->problem = f;
}

static struct gate_case *fixture_case(
	struct judge *j, const char *file, size_t doc)
{
	struct gate_case *c = case_add(j->run);
	const char *base = strrchr(file, '/') + 1;
	bool good = strstr(file, "/fixtures/good/") != NULL;

	c->suite = file;
	c->class = j->policy->package;
	c->name = doc ? arena_printf(j->run->arena, "%s/%s[%zu]",
				good ? "good" : "bad", base, doc + 1)
		      : arena_printf(j->run->arena, "%s/%s",
				good ? "good" : "bad", base);
	c->row = 1;
	return c;
}

/* null, {} or []: violates nothing, whatever the policy says. */
static bool is_empty(struct value v)
{
	return v.tag == V_NULL ||
	       ((v.tag == V_OBJ || v.tag == V_ARR) && !v_len(v));
}

static void judge_input(struct judge *j, const char *file, size_t doc,
	bool good, struct value input)
{
	const struct run *r = j->run;
	const struct config *c = r->o->config;
	struct gate_case *result = fixture_case(j, file, doc);
	struct rego_input in = {.input = input,
		.now_ns = r->o->now_ns,
		.max_steps = c->test.steps,
		.max_memory = c->test.memory,
		.deadline_ns = c->test.timeout_ns ? clock_mono(&clock_system) +
							    c->test.timeout_ns
						  : 0};
	struct rego_result out;

	rego_eval(j->vm, j->query, &in, &out);
	j->n[good]++;
	j->empty += good && is_empty(input);
	if (out.error.code) {
		not_judged(j, result, file, &out.error);
		return;
	}
	struct value v = out.nrows ? out.rows[0].exprs[0] : v_undef;

	if (violates(j->policy->rule, v) == good)
		wrong(j, result, file, good, v);
}

/* --- files
 * ------------------------------------------------------------------------ */

/* From *pos up to a line "---"; false at the end. */
static bool next_document(struct str text, size_t *pos, struct str *doc)
{
	size_t from = *pos, at = from;

	if (from >= text.len)
		return false;
	while (at < text.len) {
		size_t nl = str_find(text, S("\n"), at);
		size_t end = nl == SIZE_MAX ? text.len : nl;
		struct str line = str_slice(text, at, end);

		if (at > from && str_starts(line, S("---")) &&
			(line.len == 3 || line.ptr[3] == ' ' ||
				line.ptr[3] == '\r'))
			break;
		at = nl == SIZE_MAX ? text.len : nl + 1;
	}
	*doc = str_slice(text, from, at);
	*pos = at;
	return true;
}

/* Nothing but comments and separators. */
static bool is_blank(struct str doc)
{
	for (size_t at = 0; at < doc.len;) {
		size_t nl = str_find(doc, S("\n"), at);
		size_t end = nl == SIZE_MAX ? doc.len : nl;

		while (at < end && (doc.ptr[at] == ' ' || doc.ptr[at] == '\r'))
			at++;
		if (at < end && doc.ptr[at] != '#' &&
			!str_starts(str_slice(doc, at, end), S("---")))
			return false;
		at = end + 1;
	}
	return true;
}

static void judge_text(struct judge *j, const char *file, bool good, bool json,
	struct str text, size_t doc)
{
	struct json_error je = {0};
	struct value v;

	arena_reset(&j->input);
	if (json ? json_parse(&j->input, NULL, text, LIMIT_DATA_DEPTH, &v, &je)
		 : yaml_parse(&j->input, NULL, text, &v, &je)) {
		judge_input(j, file, doc, good, v);
		return;
	}
	find_at(j->run, GATE_BROKEN, file, je.row, je.col, NULL, "%s", je.text)
		->subject = j->policy->package;
}

static void judge_file(struct judge *j, const struct repo_file *f, bool good)
{
	const char *name = arena_strdup(j->run->arena, f->path);
	struct str doc;
	size_t pos = 0, n = 0;

	if (str_ends(f->path, S(".json"))) {
		judge_text(j, name, good, true, f->content, 0);
		return;
	}
	while (next_document(f->content, &pos, &doc))
		if (!is_blank(doc))
			judge_text(j, name, good, false, doc, n++);
}

/* A finding of the policy as a whole. */
static void unjudged(struct judge *j, const char *text)
{
	uint32_t row, col;

	source_pos(j->policy->loc, &row, &col);
	find_at(j->run, GATE_FAIL, j->policy->module->src->name, row, col,
		"T010", "%s %s", j->policy->package, text)
		->subject = j->policy->package;
}

static bool is_input(struct str path)
{
	return str_ends(path, S(".json")) || str_ends(path, S(".yaml")) ||
	       str_ends(path, S(".yml"));
}

static void judge_folder(struct judge *j, bool good)
{
	const struct repo *repo = j->run->o->repo;
	struct str dir = str_from(arena_printf(j->run->arena,
		"%.*s%sfixtures/%s/", STR_ARG(j->policy->dir),
		j->policy->dir.len ? "/" : "", good ? "good" : "bad"));

	for (size_t i = 0; i < repo->nfiles; i++) {
		struct str path = repo->files[i].path;

		if (str_starts(path, dir) && is_input(path))
			judge_file(j, &repo->files[i], good);
	}
	if (!j->n[good])
		unjudged(j, arena_printf(j->run->arena, "has no input in %.*s",
				    STR_ARG(dir)));
	else if (good && j->empty == j->n[good])
		unjudged(j, arena_printf(j->run->arena,
				    "has nothing but empty inputs in %.*s, "
				    "which violate no policy",
				    STR_ARG(dir)));
}

/* --- inputs of nobody ------------------------------------------------------
 */

/* "policies/x" of policies/x/fixtures/bad/a.yaml; empty: it is no input. */
static struct str input_of(struct str path)
{
	static const struct str kinds[] = {
		STR("/fixtures/good/"), STR("/fixtures/bad/")};
	size_t at = SIZE_MAX;

	if (!is_input(path))
		return (struct str){0};
	for (size_t i = 0; i < 2 && at == SIZE_MAX; i++)
		at = str_find(path, kinds[i], 0);
	return str_slice(path, 0, at == SIZE_MAX ? 0 : at);
}

static bool has_policy(const struct run *r, struct str dir)
{
	for (size_t i = 0; i < r->npolicies; i++)
		if (str_eq(r->policies[i].dir, dir))
			return true;
	return false;
}

/* A rule with a name that nobody asks for decides nothing, and looks green. */
static void inputs_of_nobody(struct run *r)
{
	const struct repo *repo = r->o->repo;
	struct str last = {0};

	for (size_t i = 0; i < repo->nfiles; i++) {
		struct str dir = input_of(repo->files[i].path);

		if (!dir.len || str_eq(dir, last) || has_policy(r, dir))
			continue;
		last = dir;
		find_at(r, GATE_FAIL,
			arena_strdup(r->arena, repo->files[i].path), 0, 0,
			"T013",
			"no policy is held against this: no module in %.*s has "
			"a rule violations, violation or deny, or one that "
			"`decisions` in regatta.yaml names as its outcome",
			STR_ARG(dir));
	}
}

/* All queries before the first VM: what is prepared later is linked anew. */
static struct rego_query **prepare_all(struct run *r)
{
	struct rego_query **q =
		ARENA_ARRAY(r->arena, struct rego_query *, r->npolicies);

	for (size_t i = 0; i < r->npolicies; i++)
		q[i] = prepare(r, &r->policies[i]);
	return q;
}

void gate_fixtures(struct run *r)
{
	struct rego_query **queries = prepare_all(r);
	struct rego_vm *vm = rego_vm_new(r->engine);
	size_t n = 0, wrong_ones = 0;

	for (size_t i = 0; i < r->npolicies; i++) {
		struct judge j = {.run = r,
			.policy = &r->policies[i],
			.query = queries[i],
			.vm = vm};

		judge_folder(&j, true);
		judge_folder(&j, false);
		n += j.n[0] + j.n[1];
		wrong_ones += j.wrong;
		arena_release(&j.input);
	}
	rego_vm_free(vm);
	inputs_of_nobody(r);
	if (!r->npolicies)
		find_at(r, GATE_BROKEN, NULL, 0, 0, NULL,
			"there is no policy to hold inputs against: no module "
			"has a rule violations, violation or deny, or one that "
			"`decisions` in regatta.yaml names as its outcome");
	summary(r, "%s of %s, %s wrong", plural(r, n, "input", "inputs"),
		plural(r, r->npolicies, "policy", "policies"),
		count_text(r, wrong_ones));
}
