/*
 * run_cases: the conformance runner.
 *
 *	run_cases DIR [--v0] [--check-memo] [--expect FILE] [--only TEXT]
 *		[--fork] [--learn FILE] [-v]
 *
 * DIR holds GROUP.json files, each {"cases": [...]}; a case gives modules,
 * data, input and a query, and what must come out. A case is named
 * GROUP/FILE#N, N its position in GROUP.json from 0 (GROUP#N where it names no
 * file). Prints the failures, then "N passed, N failed".
 *
 * FILE lists the failures that are known, one a line, NAME: REASON ("v0 NAME:
 * REASON" counts with --v0 only). They are counted apart; one of them that
 * passes is a failure, so that the list only gets shorter. --learn appends to
 * such a list what fails now and is not known, to be edited.
 *
 * How a case is judged: a result is a set of rows and a row an object of
 * bindings, as JSON (sets are arrays, keys that are no strings their JSON
 *text), compared by Rego's equality; an error's code must be equal, its text
 *only be contained. A strict case may have both rows and an error, and every
 *want_* counts.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "rego/load.h"
#include "rego/rego.h"

enum { CASE_SECONDS = 20 };

struct options {
	const char *dir, *expect, *only, *learn;
	bool v0, check_memo, fork, verbose;
};

struct totals {
	struct map known; /* name to reason */
	FILE *learn;
	unsigned passed, failed, expected;
};

/* --- values as JSON ---------------------------------------------------------
 */

static struct value jsonify(struct arena *a, struct value v);

static struct value *jsonify_all(
	struct arena *a, const struct value *items, uint32_t n)
{
	struct value *out = ARENA_ARRAY(a, struct value, n);

	for (uint32_t i = 0; i < n; i++)
		out[i] = jsonify(a, items[i]);
	return out;
}

static struct value json_key(struct arena *a, struct value k)
{
	struct buf text = {0};

	if (k.tag == V_STR)
		return k;
	value_json(&text, k, 0, JSON_HTML);
	struct value s = v_str(a, buf_str(&text));

	buf_release(&text);
	return s;
}

static struct value jsonify(struct arena *a, struct value v)
{
	if (v.tag == V_ARR)
		return v_arr(
			a, jsonify_all(a, v.arr->items, v_len(v)), v_len(v));
	if (v.tag == V_SET)
		return v_arr(a, jsonify_all(a, v.set->keys->items, v_len(v)),
			v_len(v));
	if (v.tag != V_OBJ)
		return v;
	struct value *keys = ARENA_ARRAY(a, struct value, v_len(v));

	for (uint32_t i = 0; i < v_len(v); i++)
		keys[i] = json_key(a, v.obj->keys->items[i]);
	return v_obj(a, keys, jsonify_all(a, v.obj->vals, v_len(v)), v_len(v));
}

static int by_value(const void *x, const void *y)
{
	return value_cmp(*(const struct value *)x, *(const struct value *)y);
}

static struct value sorted(struct arena *a, struct value v)
{
	if (v.tag != V_ARR)
		return v;
	struct value *items = jsonify_all(a, v.arr->items, v_len(v));

	qsort(items, v_len(v), sizeof(*items), by_value);
	return v_arr(a, items, v_len(v));
}

/* One row as an object; what the compiler named is left out where asked. */
static struct value row_value(
	struct arena *a, const struct rego_row *row, bool sort, bool hide)
{
	struct builder b = builder_obj(a);

	for (uint32_t i = 0; i < row->nbindings; i++) {
		const struct rego_binding *bd = &row->bindings[i];

		if (hide && str_starts(bd->name, S("__localq")))
			continue;
		struct value v = jsonify(a, bd->value);

		builder_set_key(
			&b, v_str(a, bd->name), sort ? sorted(a, v) : v);
	}
	return builder_done(&b);
}

static struct value got_rows(
	struct arena *a, const struct rego_result *r, bool sort, bool hide)
{
	struct builder b = builder_set(a);

	for (uint32_t i = 0; i < r->nrows; i++)
		builder_add(&b, row_value(a, &r->rows[i], sort, hide));
	return builder_done(&b);
}

static struct value want_rows(struct arena *a, struct value list, bool sort)
{
	struct builder b = builder_set(a);

	for (uint32_t i = 0; i < v_len(list); i++) {
		struct value row = list.arr->items[i];

		if (sort && row.tag == V_OBJ) {
			struct value *vals =
				ARENA_ARRAY(a, struct value, v_len(row));

			for (uint32_t k = 0; k < v_len(row); k++)
				vals[k] = sorted(a, row.obj->vals[k]);
			row = v_obj_like(a, row.obj->keys, vals);
		}
		builder_add(&b, row);
	}
	return builder_done(&b);
}

/* --- terms as values, for input_term ------------------------------------- */

static struct value term_value(struct arena *a, const struct term *t);

static struct value *term_values(
	struct arena *a, const struct term *t, uint32_t from, uint32_t step)
{
	struct value *out =
		ARENA_ARRAY(a, struct value, t->list.len / step + 1);

	for (uint32_t i = from; i < t->list.len; i += step)
		out[i / step] = term_value(a, t->list.items[i]);
	return out;
}

static struct value term_value(struct arena *a, const struct term *t)
{
	if (t->kind == T_SCALAR)
		return t->val;
	if (t->kind == T_ARRAY)
		return v_arr(a, term_values(a, t, 0, 1), t->list.len);
	if (t->kind == T_SET)
		return v_set(a, term_values(a, t, 0, 1), t->list.len);
	if (t->kind == T_OBJECT)
		return v_obj(a, term_values(a, t, 0, 2),
			term_values(a, t, 1, 2), t->list.len / 2);
	return v_undef; /* set() is a call */
}

/* --- one case --------------------------------------------------------------
 */

struct run {
	const struct options *o;
	struct value cs; /* the case */
	struct arena a;
	struct rego_engine *e;
	struct rego_vm *vm;
	struct diags diags;
	struct buf why; /* empty: it passed */
};

static struct value field(const struct run *r, const char *name)
{
	struct value v = obj_get_cstr(r->cs.obj, name);

	return v.tag == V_NULL && strcmp(name, "input") != 0 ? v_undef : v;
}

static bool flag(const struct run *r, const char *name)
{
	return field(r, name).tag == V_TRUE;
}

static void add_errors(struct buf *out, const struct diags *d)
{
	for (uint32_t i = 0; i < d->len; i++) {
		const struct diag *g = &d->items[i];

		if (g->file && *g->file)
			buf_addf(out, "%s:%u: ", g->file, g->row);
		else if (g->file)
			buf_addf(out, "%u:%u: ", g->row, g->col);
		buf_addf(out, "%s: %s\n", g->code ? g->code : "", g->message);
	}
}

/* Errors of compiling: wanted by the case, or what is wrong with it. */
static void judge_diags(struct run *r, const char *what, const struct diags *d)
{
	struct value code = field(r, "want_error_code");
	struct value text = field(r, "want_error");
	struct buf got = {0};

	add_errors(&got, d);
	if ((!is_def(code) && !is_def(text)) ||
		(is_def(code) &&
			(!d->items[0].code ||
				!str_is(v_bytes(code), d->items[0].code))) ||
		(is_def(text) && !strstr(got.ptr, text.str->bytes)))
		buf_addf(&r->why, "%s: %s", what, got.ptr);
	buf_release(&got);
}

static bool load_modules(struct run *r)
{
	struct value mods = field(r, "modules"), data = field(r, "data");
	enum rego_version version = r->o->v0 ? REGO_V0 : REGO_V1;
	struct err err = {0};
	bool ok = true;

	for (uint32_t i = 0; is_def(mods) && i < v_len(mods); i++)
		ok &= rego_add_module_as(r->e,
			arena_printf(&r->a, "test-%u.rego", i),
			v_bytes(mods.arr->items[i]), version);
	if (is_def(data) && rego_add_data(r->e, NULL, 0, data, true, &err)) {
		buf_addf(&r->why, "data: %s", err.text);
		return false;
	}
	if (ok && rego_compile(r->e, false))
		return true;
	judge_diags(r, "compile", rego_errors(r->e));
	return false;
}

static bool read_input(struct run *r, struct value *out)
{
	struct value text = field(r, "input_term");

	*out = field(r, "input");
	if (!is_def(text))
		return true;
	struct source src = {.name = "", .text = v_bytes(text)};
	struct parse_options po = {.version = REGO_V1};
	struct term *t =
		parse_term(&r->a, rego_symtab(r->e), &src, &po, &r->diags);

	*out = t ? term_value(&r->a, t) : v_undef;
	if (is_def(*out))
		return true;
	buf_adds(&r->why, "input_term: ");
	add_errors(&r->why, &r->diags);
	return false;
}

/* The rendered error: FILE:ROW: CODE: MESSAGE. */
static void error_text(struct buf *out, const struct rego_error *e)
{
	if (e->file && *e->file)
		buf_addf(out, "%s:%u: ", e->file, e->row);
	else if (e->row)
		buf_addf(out, "%u:%u: ", e->row, e->col);
	buf_addf(out, "%s: %s", e->code, e->message);
}

static void judge_error(struct run *r, const struct rego_error *e)
{
	struct value code = field(r, "want_error_code");
	struct value text = field(r, "want_error");
	struct buf got = {0};

	if (e->code)
		error_text(&got, e);
	else
		buf_adds(&got, "no error");
	if (is_def(code) && (!e->code || !str_is(v_bytes(code), e->code)))
		buf_addf(&r->why, "want error code %s, got: %s",
			code.str->bytes, got.ptr);
	else if (is_def(text) &&
		 (!e->code || !strstr(got.ptr, text.str->bytes)))
		buf_addf(&r->why, "want error %s, got: %s", text.str->bytes,
			got.ptr);
	else if (!is_def(code) && !is_def(text) && e->code)
		buf_addf(&r->why, "unexpected error: %s", got.ptr);
	buf_release(&got);
}

static void judge_rows(struct run *r, const struct rego_result *res)
{
	struct value want = field(r, "want_result");
	bool sort = flag(r, "sort_bindings");

	if (!is_def(want))
		return;
	want = want_rows(&r->a, want, sort);
	struct value got =
		got_rows(&r->a, res, sort, flag(r, "ignore_generated_vars"));

	if (value_eq(want, got))
		return;
	buf_adds(&r->why, r->why.len ? "; want " : "want ");
	value_text(&r->why, want);
	buf_adds(&r->why, "\n\t got ");
	value_text(&r->why, got);
}

static void run_query(struct run *r)
{
	struct rego_input in = {
		.strict = flag(r, "strict_error"),
		.deadline_ns =
			clock_mono(&clock_system) + CASE_SECONDS * NS_PER_S,
	};
	struct rego_result res = {0};

	if (!read_input(r, &in.input))
		return;
	struct rego_query *q = rego_prepare(
		r->e, v_bytes(field(r, "query")), NULL, NULL, 0, &r->diags);

	if (!q) {
		judge_diags(r, "query", &r->diags);
		return;
	}
	r->vm = rego_vm_new(r->e);
	rego_eval(r->vm, q, &in, &res);
	judge_error(r, &res.error);
	judge_rows(r, &res);
}

static void run_case(const struct options *o, struct value cs, struct buf *why)
{
	struct rego_config cfg = {
		.version = REGO_V1, .check_memo = o->check_memo};
	struct run r = {.o = o, .cs = cs};

	r.e = rego_new(&cfg);
	r.diags.arena = rego_arena(r.e);
	if (load_modules(&r))
		run_query(&r);
	if (r.vm)
		rego_vm_free(r.vm);
	rego_free(r.e);
	arena_release(&r.a);
	buf_addstr(why, buf_str(&r.why));
	buf_release(&r.why);
}

/* The case in a child, so that a crash ends only that. */
static void run_forked(
	const struct options *o, struct value cs, struct buf *why)
{
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) || (pid = fork()) < 0)
		die("fork: %s", strerror(errno));
	if (pid == 0) {
		struct buf out = {0};

		close(fds[0]);
		alarm(3 * CASE_SECONDS);
		run_case(o, cs, &out);
		for (size_t at = 0; at < out.len;) {
			ssize_t n = write(fds[1], out.ptr + at, out.len - at);

			if (n < 0)
				_exit(1);
			at += (size_t)n;
		}
		_exit(0);
	}
	close(fds[1]);
	for (ssize_t n;;) {
		n = read(fds[0], buf_reserve(why, 4096), 4096);
		if (n <= 0)
			break;
		why->len += (size_t)n;
		why->ptr[why->len] = '\0';
	}
	close(fds[0]);
	if (waitpid(pid, &status, 0) < 0 || WIFSIGNALED(status))
		buf_addf(why, "the process died: signal %d",
			WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	else if (WEXITSTATUS(status))
		buf_addf(why, "the process ended: exit status %d",
			WEXITSTATUS(status));
}

/* --- all cases ---------------------------------------------------------------
 */

static const char *case_name(
	struct arena *a, const char *group, struct value cs, uint32_t i)
{
	struct value file = obj_get_cstr(cs.obj, "file");

	if (file.tag == V_STR)
		return arena_printf(a, "%s/%s#%u", group, file.str->bytes, i);
	return arena_printf(a, "%s#%u", group, i);
}

static void report(const struct options *o, struct totals *t, const char *name,
	struct value cs, const struct buf *why)
{
	const char *reason = map_get(&t->known, str_from(name));
	struct value note = obj_get_cstr(cs.obj, "note");
	const char *text = note.tag == V_STR ? note.str->bytes : "";

	if (why->len && reason) {
		t->expected++;
		if (o->verbose)
			printf("known %s: %s: %s\n", name, text, reason);
	} else if (why->len) {
		t->failed++;
		printf("FAILED %s: %s\n\t%s\n", name, text, why->ptr);
		if (t->learn)
			fprintf(t->learn, "%s%s: %.*s\n", o->v0 ? "v0 " : "",
				name, (int)strcspn(why->ptr, "\n"), why->ptr);
	} else if (reason) {
		t->failed++;
		printf("FAILED %s: it passes; take it off %s\n", name,
			o->expect);
	} else {
		t->passed++;
		if (o->verbose)
			printf("ok %s: %s\n", name, text);
	}
}

static bool run_group(
	const struct options *o, struct totals *t, const char *file)
{
	struct arena a = {0};
	struct symtab syms = {.arena = &a};
	struct buf text = {0};
	struct err err = {0};
	struct json_error je = {0};
	struct value doc, list = v_undef;
	const char *base = strrchr(file, '/') + 1;
	const char *group = arena_strdup(
		&a, str_make(base, strlen(base) - strlen(".json")));
	bool ok = !load_disk.read(NULL, file, LIMIT_DATA_FILE, &text, &err);

	if (ok)
		ok = json_parse(
			&a, &syms, buf_str(&text), LIMIT_DATA_DEPTH, &doc, &je);
	if (ok && doc.tag == V_OBJ)
		list = obj_get_cstr(doc.obj, "cases");
	if (list.tag != V_ARR) {
		printf("FAILED %s: %s\n", file,
			err.text[0]  ? err.text
			: je.text[0] ? je.text
				     : "no list \"cases\"");
		t->failed++;
	}
	for (uint32_t i = 0; list.tag == V_ARR && i < v_len(list); i++) {
		struct value cs = list.arr->items[i];
		const char *name = case_name(&a, group, cs, i);
		struct buf why = {0};

		if (o->only && !strstr(name, o->only))
			continue;
		fflush(stdout);
		(o->fork ? run_forked : run_case)(o, cs, &why);
		report(o, t, name, cs, &why);
		buf_release(&why);
	}
	buf_release(&text);
	symtab_release(&syms);
	arena_release(&a);
	return ok;
}

/* NAME: REASON; names have no blanks. */
static void read_expected(
	const struct options *o, struct totals *t, struct arena *a)
{
	char line[4096];
	FILE *f = fopen(o->expect, "re");

	if (!f)
		die("%s: %s", o->expect, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		char *name = line, *end;

		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(name, "v0 ", 3) != o->v0)
			continue;
		name += o->v0 ? 3 : 0;
		if (*name == '#' || !*name || !(end = strstr(name, ": ")))
			continue;
		*end = '\0';
		map_set(&t->known, arena_str(a, str_from(name)),
			arena_strdup(a, str_from(end + 2)));
	}
	fclose(f);
}

static int by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static size_t list_files(
	const struct options *o, struct arena *a, const char ***out)
{
	size_t n = 0, cap = 4096;
	DIR *dir = opendir(o->dir);

	if (!dir)
		die("%s: %s", o->dir, strerror(errno));
	*out = ARENA_ARRAY(a, const char *, cap);
	for (struct dirent *de; (de = readdir(dir)) && n < cap;)
		if (str_ends(str_from(de->d_name), S(".json")))
			(*out)[n++] =
				arena_printf(a, "%s/%s", o->dir, de->d_name);
	closedir(dir);
	qsort(*out, n, sizeof(**out), by_text);
	return n;
}

static _Noreturn void usage(void)
{
	fputs("usage: run_cases DIR [--v0] [--check-memo] [--expect FILE]\n"
	      "                 [--only TEXT] [--fork] [--learn FILE] [-v]\n",
		stderr);
	exit(2);
}

static struct options parse_args(int argc, char **argv)
{
	struct options o = {0};

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];

		if (!strcmp(arg, "--v0"))
			o.v0 = true;
		else if (!strcmp(arg, "--check-memo"))
			o.check_memo = true;
		else if (!strcmp(arg, "--fork"))
			o.fork = true;
		else if (!strcmp(arg, "-v"))
			o.verbose = true;
		else if (!strcmp(arg, "--expect") && i + 1 < argc)
			o.expect = argv[++i];
		else if (!strcmp(arg, "--only") && i + 1 < argc)
			o.only = argv[++i];
		else if (!strcmp(arg, "--learn") && i + 1 < argc)
			o.learn = argv[++i];
		else if (arg[0] != '-' && !o.dir)
			o.dir = arg;
		else
			usage();
	}
	if (!o.dir)
		usage();
	return o;
}

int main(int argc, char **argv)
{
	struct options o = parse_args(argc, argv);
	struct arena a = {0};
	struct totals t = {0};
	const char **files;
	size_t n = list_files(&o, &a, &files);

	if (o.expect)
		read_expected(&o, &t, &a);
	if (o.learn && !(t.learn = fopen(o.learn, "ae")))
		die("%s: %s", o.learn, strerror(errno));
	for (size_t i = 0; i < n; i++)
		run_group(&o, &t, files[i]);
	if (t.learn && fclose(t.learn))
		die("%s: %s", o.learn, strerror(errno));
	if (t.expected)
		printf("%u known failures, see %s\n", t.expected, o.expect);
	printf("%u passed, %u failed\n", t.passed, t.failed);
	map_release(&t.known);
	arena_release(&a);
	return t.failed != 0;
}
