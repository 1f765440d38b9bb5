/*
 * regatta eval: a query against files, as `opa eval`.
 */
#include <errno.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cli/capabilities.h"
#include "cli/output.h"
#include "rego/load.h"

struct eval_params {
	struct list data, bundles, ignore, imports, coverage_runs, entrypoints;
	const char *capabilities, *input, *package, *format, *explain, *target,
		*schema;
	bool query_stdin, input_stdin, fail, fail_defined, strict_builtins,
		strict, coverage, show_builtins, v0, v1, no_index,
		no_early_exit, read_speed, var_values;
	int64_t count, timeout, pretty_limit, optimize, max_steps, max_memory;
};

#define AT(field) offsetof(struct eval_params, field)
#define SAME "accepted for opa's sake: results do not depend on it"

/* clang-format off */
static const struct option options[] = {
	{'b', "bundle", OPT_LIST, AT(bundles), "path", NULL, "load a folder as a bundle; may be repeated"},
	CAPABILITIES_OPTION(AT(capabilities)),
	{0, "count", OPT_INT, AT(count), "n", "1", "evaluate n times; the first result is printed"},
	{0, "coverage", OPT_BOOL, AT(coverage), NULL, NULL, "report which lines were evaluated"},
	{0, "coverage-runs", OPT_CSV, AT(coverage_runs), "kinds", NULL, "passes that say why pieces are uncovered: index_excluded, early_exit; both unless given"},
	{'d', "data", OPT_LIST, AT(data), "path", NULL, "load policy and data from a file or folder, PREFIX:PATH puts data below data.PREFIX; may be repeated"},
	{0, "disable-early-exit", OPT_BOOL, AT(no_early_exit), NULL, NULL, SAME},
	{0, "disable-indexing", OPT_BOOL, AT(no_index), NULL, NULL, SAME},
	{0, "disable-inlining", OPT_NO_VALUE, 0, NULL, NULL, NULL},
	{'e', "entrypoint", OPT_LIST, AT(entrypoints), "path", NULL, SAME},
	{0, "explain", OPT_CHOICE, AT(explain), "off full notes fails debug", "off", "traces are not written here: only off is taken"},
	{0, "fail", OPT_BOOL, AT(fail), NULL, NULL, "exit with 1 if the result is undefined"},
	{0, "fail-defined", OPT_BOOL, AT(fail_defined), NULL, NULL, "exit with 1 if the result is defined"},
	{'f', "format", OPT_CHOICE, AT(format), "json values bindings pretty source raw discard", "json", "how to print the result"},
	{0, "ignore", OPT_CSV, AT(ignore), "patterns", NULL, "names of files and folders not to load"},
	{0, "import", OPT_LIST, AT(imports), "ref", NULL, "import for the query; may be repeated"},
	{'i', "input", OPT_STRING, AT(input), "file", NULL, "input document, JSON or YAML"},
	{0, "instrument", OPT_NO_BOOL, 0, NULL, NULL, NULL},
	{0, "max-memory", OPT_SIZE, AT(max_memory), "size", NULL, "stop when the evaluation takes more memory than this"},
	{0, "max-steps", OPT_INT, AT(max_steps), "n", NULL, "stop after n steps"},
	{0, "metrics", OPT_NO_BOOL, 0, NULL, NULL, NULL},
	{0, "nondeterminstic-builtins", OPT_NO_BOOL, 0, NULL, NULL, NULL},
	{'O', "optimize", OPT_INT, AT(optimize), "level", "0", "only level 0 is there"},
	{0, "optimize-store-for-read-speed", OPT_BOOL, AT(read_speed), NULL, NULL, SAME},
	{0, "package", OPT_STRING, AT(package), "ref", NULL, "package the query stands in"},
	{'p', "partial", OPT_NO_BOOL, 0, NULL, NULL, NULL},
	{0, "pretty-limit", OPT_INT, AT(pretty_limit), "n", "80", SAME},
	{0, "profile", OPT_NO_BOOL, 0, NULL, NULL, NULL},
	{0, "profile-limit", OPT_NO_VALUE, 0, NULL, NULL, NULL},
	{0, "profile-sort", OPT_NO_VALUE, 0, NULL, NULL, NULL},
	{'s', "schema", OPT_STRING, AT(schema), "path", NULL, "JSON schema of input, or a folder with those that annotations name"},
	{0, "shallow-inlining", OPT_NO_BOOL, 0, NULL, NULL, NULL},
	{0, "show-builtin-errors", OPT_BOOL, AT(show_builtins), NULL, NULL, "print all errors of builtins, beside the result"},
	{0, "stdin", OPT_BOOL, AT(query_stdin), NULL, NULL, "read the query from standard input"},
	{'I', "stdin-input", OPT_BOOL, AT(input_stdin), NULL, NULL, "read the input document from standard input"},
	{'S', "strict", OPT_BOOL, AT(strict), NULL, NULL, "compile in strict mode"},
	{0, "strict-builtin-errors", OPT_BOOL, AT(strict_builtins), NULL, NULL, "the first error of a builtin is the result"},
	{'t', "target", OPT_CHOICE, AT(target), "rego", "rego", "only rego is there"},
	{0, "timeout", OPT_DURATION, AT(timeout), "duration", "0s", "stop after this time"},
	{'u', "unknowns", OPT_NO_VALUE, 0, NULL, NULL, NULL},
	{0, "v0-compatible", OPT_BOOL, AT(v0), NULL, NULL, "read modules as Rego v0"},
	{0, "v1-compatible", OPT_BOOL, AT(v1), NULL, NULL, "read modules as Rego v1, as is done anyway"},
	{0, "var-values", OPT_BOOL, AT(var_values), NULL, NULL, SAME " without --explain"},
};
/* clang-format on */

/* One run of the command. */
struct eval {
	const struct eval_params *p;
	struct arena a;
	struct rego_engine *e;
	struct rego_vm *vm;
	struct rego_query *q;
	struct buf query, input_text;
	struct value input;
	struct diags errors; /* of loading and compiling */
	struct rego_result res;
	struct rego_coverage_file *files; /* coverage */
	size_t nfiles;
	struct rego_config cfg;
	int64_t now_ns; /* of the last evaluation */
};

/* --- getting ready ----------------------------------------------------------
 */

static bool wants_coverage(const struct eval_params *p)
{
	return p->coverage || p->coverage_runs.set;
}

static const char *bad_params(
	const struct eval_params *p, const struct list *args)
{
	if (args->len > 0 && p->query_stdin)
		return "specify query argument or --stdin but not both";
	if (args->len == 0 && !p->query_stdin)
		return "specify query argument or --stdin";
	if (args->len > 1)
		return "specify at most one query argument";
	if (p->query_stdin && p->input_stdin)
		return "specify --stdin or --stdin-input but not both";
	if (p->input_stdin && p->input)
		return "specify --stdin-input or --input but not both";
	if (p->fail && p->fail_defined)
		return "specify --fail or --fail-defined but not both";
	if (!strcmp(p->format, "source"))
		return "invalid output format for evaluation";
	if (p->optimize != 0)
		return "flag --optimize of opa eval is not supported here yet";
	if (strcmp(p->explain, "off") != 0)
		return "flag --explain of opa eval is not supported here yet";
	if (p->count < 1 || p->max_steps < 0)
		return "--count must be at least 1, --max-steps at least 0";
	return NULL;
}

static bool parse_input(struct eval *ev)
{
	struct arena *a = rego_arena(ev->e);
	struct symtab *t = rego_symtab(ev->e);
	struct str text = buf_str(&ev->input_text);
	struct json_error je = {0};

	if (json_parse(a, t, text, LIMIT_DATA_DEPTH, &ev->input, &je) ||
		yaml_parse(a, t, text, &ev->input, &je))
		return true;
	fprintf(stderr, "unable to parse input: %s\n", je.text);
	return false;
}

static bool read_input(struct eval *ev)
{
	struct err err = {0};
	const char *path = ev->p->input;

	if (ev->p->input_stdin)
		return read_stdin(&ev->input_text) && parse_input(ev);
	if (!path || !*path)
		return true;
	if (!strncmp(path, "file://", 7))
		path += 7;
	if (!load_disk.read(NULL, path, LIMIT_DATA_FILE, &ev->input_text, &err))
		return parse_input(ev);
	fprintf(stderr, "%s\n", err.text);
	return false;
}

/* A bundle's errors are one message to `opa eval`. */
static void bundle_failed(struct eval *ev, struct load_errors *errs)
{
	struct buf text = {0};

	buf_adds(&text, errs->bundle ? "loading error: "
				     : "bundle activation failed: ");
	if (errs->prefix)
		load_errors_text(&text, errs);
	else
		diag_text(&text, &errs->list.items[0]);
	diag_add(&ev->errors, NULL, (struct loc){0}, "%s", text.ptr);
	buf_release(&text);
}

/* What is wrong with schemas is said in words, whatever the format. */
static bool read_schemas(struct eval *ev)
{
	struct load_options o = {0};
	struct load_errors errs = {.list = {.arena = &ev->a}};
	struct buf text = {0};

	if (!ev->p->schema || !*ev->p->schema ||
		load_schemas(ev->e, &o, ev->p->schema, &errs))
		return true;
	load_errors_text(&text, &errs);
	buf_addc(&text, '\n');
	print_buf(stderr, &text);
	buf_release(&text);
	return false;
}

static bool load(struct eval *ev)
{
	const struct eval_params *p = ev->p;
	struct load_options o = {.ignore = p->ignore.items,
		.nignore = p->ignore.len,
		.version = p->v0 ? REGO_V0 : REGO_V1};
	struct load_errors errs = {.list = {.arena = &ev->a}};

	if (p->data.len &&
		!load_paths(ev->e, &o, p->data.items, p->data.len, &errs)) {
		ev->errors = errs.list;
		return false;
	}
	if (p->bundles.len && !load_bundles(ev->e, &o, p->bundles.items,
				      p->bundles.len, true, &errs)) {
		bundle_failed(ev, &errs);
		return false;
	}
	return true;
}

static bool prepare(struct eval *ev)
{
	const struct eval_params *p = ev->p;

	if (!ev->query.len) {
		diag_add(&ev->errors, NULL, (struct loc){0},
			"cannot evaluate empty query");
		return false;
	}
	if (!load(ev))
		return false;
	if (!rego_compile(ev->e, true)) {
		ev->errors = *rego_errors(ev->e);
		return false;
	}
	ev->errors.arena = rego_arena(ev->e);
	ev->q = rego_prepare(ev->e, buf_str(&ev->query), p->package,
		p->imports.items, p->imports.len, &ev->errors);
	return ev->q != NULL;
}

static void print_line(void *user, struct loc where, struct str text)
{
	(void)user;
	(void)where;
	fprintf(stderr, "%.*s\n", STR_ARG(text));
}

static struct rego_input eval_input(const struct eval *ev)
{
	const struct eval_params *p = ev->p;
	struct rego_input in = {.input = ev->input,
		.now_ns = ev->now_ns,
		.seed = (uint64_t)ev->now_ns,
		.strict = p->strict_builtins,
		.collect = p->show_builtins,
		.max_steps = (uint64_t)p->max_steps,
		.max_memory = (size_t)p->max_memory};

	if (p->timeout > 0)
		in.deadline_ns = clock_mono(&clock_system) + p->timeout;
	return in;
}

static void evaluate(struct eval *ev)
{
	ev->vm = rego_vm_new(ev->e);
	for (int64_t i = 0; i < ev->p->count; i++) {
		struct rego_input in;

		ev->now_ns = clock_wall(&clock_system);
		in = eval_input(ev);
		in.print = print_line;
		rego_eval(ev->vm, ev->q, &in, &ev->res);
	}
}

/* What a pass prints and gives is of no interest. */
static struct rego_vm *cover_pass(struct eval *ev, unsigned pass)
{
	struct rego_vm *vm = rego_vm_new(ev->e);
	struct rego_result res;
	struct rego_input in = eval_input(ev);

	in.strict = in.collect = false;
	rego_vm_pass(vm, pass);
	rego_eval(vm, ev->q, &in, &res);
	return vm;
}

static void cover(struct eval *ev)
{
	unsigned passes = coverage_passes(&ev->p->coverage_runs);
	struct rego_vm *vms[3] = {ev->vm};
	size_t n = 1;

	for (unsigned pass = 1; pass <= passes; pass *= 2)
		if (passes & pass)
			vms[n++] = cover_pass(ev, pass);
	ev->files = rego_coverage(&ev->a, ev->e, vms, n, &ev->nfiles);
	while (n > 1)
		rego_vm_free(vms[--n]);
}

/* --- what was evaluated when it failed ---------------------------------- */

static void eval_release(struct eval *ev)
{
	if (ev->vm)
		rego_vm_free(ev->vm);
	rego_free(ev->e);
	buf_release(&ev->query);
	buf_release(&ev->input_text);
	arena_release(&ev->a);
}

static bool same_error(const struct rego_error *a, const struct rego_error *b)
{
	return a->code && b->code && !strcmp(a->code, b->code) &&
	       !strcmp(a->message, b->message) && a->row == b->row &&
	       a->col == b->col;
}

/*
 * Evaluate the same once more, so that frames are kept: that is slower, so it
 * is only done for an error. What prints has printed.
 */
static void add_frames(struct eval *ev, struct eval *again)
{
	struct rego_config cfg = ev->cfg;
	struct rego_input in;

	cfg.frames = true;
	cfg.use_schemas = false; /* they said what they have to say */
	cfg.coverage = false;
	*again = (struct eval){.p = ev->p, .now_ns = ev->now_ns};
	again->e = rego_new(&cfg);
	again->errors.arena = &again->a;
	buf_addstr(&again->query, buf_str(&ev->query));
	buf_addstr(&again->input_text, buf_str(&ev->input_text));
	if ((ev->input_text.len && !parse_input(again)) || !prepare(again))
		return;
	again->vm = rego_vm_new(again->e);
	in = eval_input(again);
	rego_eval(again->vm, again->q, &in, &again->res);
	if (same_error(&ev->res.error, &again->res.error))
		ev->res.error = again->res.error;
}

/* A limit is met wherever it is met. */
static bool wants_frames(const struct eval *ev)
{
	const char *code = ev->res.error.code;

	return code && !ev->cfg.frames &&
	       strcmp(code, "eval_cancel_error") != 0;
}

/* --- the result
 * ----------------------------------------------------------------- */

/* OPA gives rows or an error, not both. */
static uint32_t nrows(const struct eval *ev)
{
	return ev->res.error.code ? 0 : ev->res.nrows;
}

static bool failed(const struct eval *ev)
{
	return ev->errors.len || ev->res.error.code;
}

/* What ended the evaluation, then what builtins failed with. */
static const struct rego_error *eval_error(const struct eval *ev, uint32_t i)
{
	bool ended = ev->res.error.code != NULL;

	return ended && !i ? &ev->res.error : &ev->res.failures[i - ended];
}

static uint32_t eval_nerrors(const struct eval *ev)
{
	return ev->res.nfailures + (ev->res.error.code != NULL);
}

static bool says_errors(const struct eval *ev)
{
	return failed(ev) || ev->res.nfailures;
}

static struct str expr_source(const struct eval *ev, size_t i)
{
	struct loc loc = rego_query_expr_loc(ev->q, i);

	if (!loc.src)
		return (struct str){0};
	return str_slice(loc.src->text, loc.off, loc.off + loc.len);
}

static void add_json(struct buf *out, struct value v)
{
	value_json(out, v, 0, JSON_HTML);
}

static void bindings_json(struct buf *out, const struct rego_row *r)
{
	buf_addc(out, '{');
	for (uint32_t i = 0; i < r->nbindings; i++) {
		buf_adds(out, i ? "," : "");
		json_string(out, r->bindings[i].name);
		buf_addc(out, ':');
		add_json(out, r->bindings[i].value);
	}
	buf_addc(out, '}');
}

static void row_json(
	const struct eval *ev, struct buf *out, const struct rego_row *r)
{
	uint32_t row, col;

	buf_addc(out, '{');
	json_key(out, "expressions");
	buf_addc(out, '[');
	for (uint32_t i = 0; i < r->nexprs; i++) {
		buf_adds(out, i ? ",{" : "{");
		json_key(out, "value");
		add_json(out, r->exprs[i]);
		json_key(out, "text");
		json_string(out, expr_source(ev, i));
		source_pos(rego_query_expr_loc(ev->q, i), &row, &col);
		json_key(out, "location");
		buf_addf(out, "{\"row\":%u,\"col\":%u}}", row, col);
	}
	buf_addc(out, ']');
	if (r->nbindings) {
		json_key(out, "bindings");
		bindings_json(out, r);
	}
	buf_addc(out, '}');
}

/* With all members in the order of their names, if sorted. */
static void diags_in_order(const struct eval *ev, struct buf *out, bool sorted)
{
	struct buf text = {0};
	struct json_error je;
	struct value v;

	diags_json(&text, &ev->errors);
	if (sorted && json_parse(rego_arena(ev->e), NULL, buf_str(&text),
			      LIMIT_DATA_DEPTH, &v, &je))
		add_json(out, v);
	else
		buf_addstr(out, buf_str(&text));
	buf_release(&text);
}

static void errors_json(const struct eval *ev, struct buf *out, bool sorted)
{
	json_key(out, "errors");
	if (ev->errors.len) {
		diags_in_order(ev, out, sorted);
		return;
	}
	buf_addc(out, '[');
	for (uint32_t i = 0; i < eval_nerrors(ev); i++) {
		buf_adds(out, i ? "," : "");
		error_json(out, eval_error(ev, i),
			sorted ? JSON_SORTED : JSON_MESSAGE_FIRST);
	}
	buf_addc(out, ']');
}

static void print_json(const struct eval *ev, bool discard)
{
	struct buf out = {0};

	buf_addc(&out, '{');
	if (discard && wants_coverage(ev->p)) {
		json_key(&out, "coverage");
		coverage_json(&out, ev->files, ev->nfiles);
	}
	if (says_errors(ev))
		errors_json(ev, &out, discard);
	if (nrows(ev) && discard) {
		json_key(&out, "result");
		buf_adds(&out, "\"discarded\"");
	} else if (nrows(ev)) {
		json_key(&out, "result");
		buf_addc(&out, '[');
		for (uint32_t i = 0; i < nrows(ev); i++) {
			buf_adds(&out, i ? "," : "");
			row_json(ev, &out, &ev->res.rows[i]);
		}
		buf_addc(&out, ']');
	}
	if (!discard && wants_coverage(ev->p)) {
		json_key(&out, "coverage");
		coverage_json(&out, ev->files, ev->nfiles);
	}
	buf_addc(&out, '}');
	json_print(stdout, buf_str(&out));
	buf_release(&out);
}

static void print_error(
	struct buf *out, const struct rego_error *e, const char *before)
{
	buf_adds(out, before);
	error_text(out, e);
	if (!e->nframes)
		return;
	buf_adds(out, "\n\nTraceback:");
	frames_text(out, e, "  ");
}

/* Errors of the formats for people go to standard error. */
static void print_errors(const struct eval *ev)
{
	struct buf out = {0};
	uint32_t n = eval_nerrors(ev);

	if (ev->errors.len)
		diags_text(&out, &ev->errors, "");
	else if (n > 1)
		buf_addf(&out, "%u errors occurred:", n);
	else
		buf_adds(&out, "1 error occurred: ");
	for (uint32_t i = 0; i < n && !ev->errors.len; i++)
		print_error(&out, eval_error(ev, i), n > 1 ? "\n" : "");
	buf_addc(&out, '\n');
	print_buf(stderr, &out);
	buf_release(&out);
}

static void print_bindings(const struct eval *ev)
{
	for (uint32_t i = 0; i < nrows(ev); i++) {
		struct buf out = {0};

		bindings_json(&out, &ev->res.rows[i]);
		json_print(stdout, buf_str(&out));
		buf_release(&out);
	}
}

static void print_values(const struct eval *ev)
{
	for (uint32_t i = 0; i < nrows(ev); i++) {
		const struct rego_row *r = &ev->res.rows[i];
		struct buf out = {0};

		buf_addc(&out, '[');
		for (uint32_t k = 0; k < r->nexprs; k++) {
			buf_adds(&out, k ? "," : "");
			add_json(&out, r->exprs[k]);
		}
		buf_addc(&out, ']');
		json_print(stdout, buf_str(&out));
		buf_release(&out);
	}
}

static void print_raw(const struct eval *ev)
{
	struct buf out = {0};

	for (uint32_t i = 0; i < nrows(ev); i++) {
		const struct rego_row *r = &ev->res.rows[i];

		for (uint32_t k = 0; k < r->nexprs; k++) {
			if (r->exprs[k].tag == V_STR)
				buf_addstr(&out, v_bytes(r->exprs[k]));
			else
				add_json(&out, r->exprs[k]);
			buf_addc(&out, k + 1 < r->nexprs ? ' ' : '\n');
		}
	}
	print_buf(stdout, &out);
	buf_release(&out);
}

static bool all_boolean(const struct rego_row *r)
{
	for (uint32_t i = 0; i < r->nexprs; i++)
		if (!is_bool(r->exprs[i]))
			return false;
	return true;
}

/* One column of the table: an expr (by number) or a binding (by name). */
struct column {
	bool is_expr;
	uint32_t expr;
	struct str name;
};

/* Exprs come first; with bindings only those whose value says something. */
static size_t columns(const struct eval *ev, struct column *out)
{
	const struct rego_row *r = &ev->res.rows[0];
	size_t n = 0;

	for (uint32_t i = 0; i < r->nexprs; i++)
		if (!is_bool(r->exprs[i]) || !r->nbindings)
			out[n++] = (struct column){true, i, expr_source(ev, i)};
	for (uint32_t i = 0; i < r->nbindings; i++)
		out[n++] = (struct column){false, 0, r->bindings[i].name};
	return n;
}

static struct value cell(const struct rego_row *r, const struct column *c)
{
	if (c->is_expr)
		return r->exprs[c->expr];
	for (uint32_t i = 0; i < r->nbindings; i++)
		if (str_eq(r->bindings[i].name, c->name))
			return r->bindings[i].value;
	return v_null;
}

static void print_table(struct eval *ev)
{
	const struct rego_row *first = &ev->res.rows[0];
	struct column *cols = ARENA_ARRAY(
		&ev->a, struct column, first->nexprs + first->nbindings);
	size_t ncols = columns(ev, cols);
	struct str *head = ARENA_ARRAY(&ev->a, struct str, ncols);
	struct str *cells = ARENA_ARRAY(&ev->a, struct str, ncols * nrows(ev));
	struct buf text = {0};

	for (size_t k = 0; k < ncols; k++)
		head[k] = cols[k].name;
	for (size_t i = 0; i < ncols * nrows(ev); i++) {
		buf_reset(&text);
		add_json(&text,
			cell(&ev->res.rows[i / ncols], &cols[i % ncols]));
		cells[i] = arena_str(&ev->a, buf_str(&text));
	}
	buf_reset(&text);
	table_text(&text, head, cells, ncols, nrows(ev));
	print_buf(stdout, &text);
	buf_release(&text);
}

static void print_rows(struct eval *ev)
{
	const struct rego_row *r = ev->res.rows;
	struct buf out = {0};

	if (!nrows(ev)) {
		puts("undefined");
	} else if (nrows(ev) == 1 && !r->nbindings &&
		   (r->nexprs == 1 || all_boolean(r))) {
		add_json(&out, r->exprs[0]);
		json_print(stdout, buf_str(&out));
		buf_release(&out);
	} else {
		print_table(ev);
	}
}

static void print_pretty(struct eval *ev)
{
	struct buf out = {0};

	if (says_errors(ev))
		print_errors(ev);
	else
		print_rows(ev);
	if (!wants_coverage(ev->p))
		return;
	const char *percent = arena_printf(
		&ev->a, "%.2f", coverage_percent(ev->files, ev->nfiles));
	struct str cells[] = {STR("Overall Coverage"), str_from(percent)};

	table_text(&out, NULL, cells, 2, 1);
	print_buf(stdout, &out);
	buf_release(&out);
}

static void print_result(struct eval *ev)
{
	const char *f = ev->p->format;

	if (!strcmp(f, "json") || !strcmp(f, "discard"))
		print_json(ev, f[0] == 'd');
	else if (!strcmp(f, "pretty"))
		print_pretty(ev);
	else if (says_errors(ev))
		print_errors(ev);
	else if (!strcmp(f, "values"))
		print_values(ev);
	else if (!strcmp(f, "bindings"))
		print_bindings(ev);
	else
		print_raw(ev);
}

static int exit_code(const struct eval *ev)
{
	bool defined = nrows(ev) > 0;

	if (failed(ev))
		return 2;
	return (ev->p->fail && !defined) || (ev->p->fail_defined && defined);
}

static bool both_errors(const struct eval_params *p)
{
	if (!p->show_builtins || !p->strict_builtins)
		return false;
	fputs("cannot use --show-builtin-errors with --strict-builtin-errors, "
	      "--strict-builtin-errors will return the first built-in error "
	      "encountered immediately\n",
		stderr);
	return true;
}

static int eval_all(struct eval *ev)
{
	if (!read_input(ev) || both_errors(ev->p) || !read_schemas(ev))
		return 2;
	struct eval again = {0};

	if (prepare(ev)) {
		evaluate(ev);
		if (wants_frames(ev))
			add_frames(ev, &again);
		if (wants_coverage(ev->p))
			cover(ev);
	}
	print_result(ev);
	eval_release(&again);
	return exit_code(ev);
}

static int run_with(const struct command *c, const void *params,
	const struct list *args, const struct capabilities *caps)
{
	const struct eval_params *p = params;
	struct eval ev = {.p = p};
	const char *bad = bad_params(p, args);

	if (bad)
		return usage_error(c, "%s", bad);
	for (size_t i = 0; i < p->coverage_runs.len; i++)
		if (!is_coverage_run(p->coverage_runs.items[i]))
			return usage_error(
				c, BAD_COVERAGE_RUN, p->coverage_runs.items[i]);
	if (args->len)
		buf_adds(&ev.query, args->items[0]);
	else if (!read_stdin(&ev.query))
		return 2;
	ev.cfg = (struct rego_config){.version = p->v0 ? REGO_V0 : REGO_V1,
		.caps = caps,
		.strict = p->strict,
		.keep_print = true,
		.use_schemas = true,
		.frames = p->show_builtins,
		.coverage = wants_coverage(p)};
	ev.e = rego_new(&ev.cfg);
	ev.errors.arena = &ev.a;
	int code = eval_all(&ev);

	eval_release(&ev);
	return code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct eval_params *p = params;

	return capabilities_run(c, params, args, p->capabilities, run_with);
}

const struct command cmd_eval = {
	.name = "eval",
	.args = "<query>",
	.summary = "Evaluate a query",
	.text = "Evaluates a Rego query against policies, data and an input "
		"document.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct eval_params),
	.run = run,
};
