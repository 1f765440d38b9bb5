/*
 * bench_eval: how long an evaluation takes once everything is prepared.
 *
 *	bench_eval CASE [SECONDS [INPUT]]
 *
 * CASE is a folder as ../shared/bench/generate.py writes it: case.json,
 * policy/, data.json, inputs.json. Evaluates its entry with input number INPUT
 * (from 0; without it, with all in turn) for SECONDS (default 1) of processor
 * time, after one round that fills caches. Prints one line of JSON: the
 * nanoseconds, steps and bytes of an evaluation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "rego/load.h"
#include "rego/rego.h"

struct bench {
	const char *dir;
	struct arena a;
	struct rego_engine *e;
	struct rego_query *q;
	struct rego_vm *vm;
	struct value inputs; /* array, or undefined: none */
	uint32_t from, to;   /* of the inputs */
	uint64_t evals, steps, memory;
};

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct value read_json(struct bench *b, const char *name, bool optional)
{
	const char *path = arena_printf(&b->a, "%s/%s", b->dir, name);
	struct json_error je = {0};
	struct buf text = {0};
	struct err err = {0};
	struct value v = v_undef;

	if (load_disk.read(NULL, path, LIMIT_DATA_FILE, &text, &err)) {
		if (!optional)
			die("%s", err.text);
	} else if (!json_parse(rego_arena(b->e), rego_symtab(b->e),
			   buf_str(&text), LIMIT_DATA_DEPTH, &v, &je)) {
		die("%s: %s", path, je.text);
	}
	buf_release(&text);
	return v;
}

static _Noreturn void fail(const struct diags *d)
{
	if (!d->len)
		die("no reason given");
	die("%s:%u: %s", d->items[0].file ? d->items[0].file : "",
		d->items[0].row, d->items[0].message);
}

static void prepare(struct bench *b)
{
	struct rego_config v1 = {.version = REGO_V1};
	struct load_errors errs = {.list = {.arena = &b->a}};
	struct diags d = {.arena = &b->a};
	struct err err = {0};

	b->e = rego_new(&v1);
	struct value c = read_json(b, "case.json", false);
	struct value version = obj_get_cstr(c.obj, "rego_version");
	struct load_options o = {
		.version = version.tag == V_INT && version.i == 0 ? REGO_V0
								  : REGO_V1};
	const char *paths[] = {arena_printf(&b->a, "%s/policy", b->dir)};

	if (!load_paths(b->e, &o, paths, 1, &errs))
		fail(&errs.list);
	struct value data = read_json(b, "data.json", true);

	if (is_def(data) && rego_add_data(b->e, NULL, 0, data, false, &err))
		die("data.json: %s", err.text);
	b->inputs = read_json(b, "inputs.json", true);
	if (!rego_compile(b->e, true))
		fail(rego_errors(b->e));
	b->q = rego_prepare(
		b->e, v_bytes(obj_get_cstr(c.obj, "entry")), NULL, NULL, 0, &d);
	if (!b->q)
		fail(&d);
	b->vm = rego_vm_new(b->e);
}

static void one_round(struct bench *b)
{
	struct rego_result res;
	uint32_t i = b->from;

	do {
		struct rego_input in = {
			.input = b->inputs.tag == V_ARR
					 ? b->inputs.arr->items[i]
					 : v_undef};

		rego_eval(b->vm, b->q, &in, &res);
		if (res.error.code)
			die("input %u: %s: %s", i, res.error.code,
				res.error.message);
		b->evals++;
		b->steps += res.steps;
		b->memory += res.memory;
	} while (++i < b->to);
}

static void choose(struct bench *b, const char *input)
{
	uint32_t n = b->inputs.tag == V_ARR ? v_len(b->inputs) : 0;

	b->to = n;
	if (!input)
		return;
	b->from = (uint32_t)strtoul(input, NULL, 10);
	b->to = b->from + 1;
	if (b->from >= n)
		die("%s has %u inputs", b->dir, n);
}

int main(int argc, char **argv)
{
	struct bench b = {0};

	if (argc < 2 || argc > 4) {
		fputs("usage: bench_eval CASE [SECONDS [INPUT]]\n", stderr);
		return 2;
	}
	b.dir = argv[1];
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;

	prepare(&b);
	choose(&b, argc > 3 ? argv[3] : NULL);
	one_round(&b);
	b.evals = b.steps = b.memory = 0;
	double start = cpu_seconds(), took;

	do {
		for (int i = 0; i < 8; i++)
			one_round(&b);
		took = cpu_seconds() - start;
	} while (took < seconds);
	double n = (double)b.evals;

	printf("{\"ns\":%.1f,\"evals\":%.0f,\"steps\":%.1f,\"bytes\":%.1f}\n",
		took * 1e9 / n, n, (double)b.steps / n, (double)b.memory / n);
	rego_vm_free(b.vm);
	rego_free(b.e);
	arena_release(&b.a);
	return 0;
}
