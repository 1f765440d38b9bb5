#include "cli/operation.h"

#include <string.h>
#include <sys/random.h>

#include "cli/output.h"

static bool is_ours(const char *name)
{
	static const char *const ours[] = {
		"server", "state", "output", "idempotency-key"};

	for (size_t i = 0; i < COUNT(ours); i++)
		if (!strcmp(name, ours[i]))
			return true;
	return false;
}

static const char *argument_name(struct arena *a, const char *option)
{
	char *name = arena_strdup(a, str_from(option));

	for (char *p = name; *p; p++)
		if (*p == '-')
			*p = '_';
	return name;
}

static void add_option(
	struct remote *r, const struct option *o, const void *params)
{
	const char *at = (const char *)params + o->at;
	const char *name = argument_name(&r->a, o->name);

	switch ((enum option_kind)o->kind) {
	case OPT_BOOL:
		remote_bool(r, name, *(const bool *)at);
		break;
	case OPT_STRING:
	case OPT_CHOICE:
		remote_text(r, name, *(const char *const *)(const void *)at);
		break;
	case OPT_LIST:
	case OPT_CSV:
		remote_list(r, name, (const void *)at);
		break;
	case OPT_INT:
	case OPT_SIZE:
		remote_int(r, name, *(const int64_t *)(const void *)at);
		break;
	case OPT_DURATION:
		remote_duration(r, name, *(const int64_t *)(const void *)at);
		break;
	case OPT_FLOAT:
	case OPT_NO_BOOL:
	case OPT_NO_VALUE:
		die("no operation takes --%s", o->name);
	}
}

bool operation_arguments(struct remote *r, const struct command *c,
	const void *params, const struct list *args, const char *const *names,
	const char *missing, int *code)
{
	size_t n = 0;

	for (; names && names[n] && n < args->len; n++)
		remote_text(r, names[n], args->items[n]);
	if (missing && names && names[n]) {
		*code = usage_error(c, "%s", missing);
		return false;
	}
	if (args->len > n) {
		*code = usage_error(
			c, "unknown argument \"%s\"", args->items[n]);
		return false;
	}
	for (size_t i = 0; i < c->noptions; i++)
		if (!is_ours(c->options[i].name))
			add_option(r, &c->options[i], params);
	return true;
}

const char *operation_key(struct arena *a)
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return NULL;
	return arena_printf(a, "cli-%016llx%016llx",
		(unsigned long long)random[0], (unsigned long long)random[1]);
}

int operation_run_as(const struct operation *o, const struct command *c,
	const void *params, const struct list *args)
{
	const struct operation_params *p = params;
	struct remote r = {.params = &p->remote, .key = p->key};
	struct buf out = {0};
	int code;

	if (!r.key && strcmp(op_find(c->name)->method, "GET") != 0)
		r.key = operation_key(&r.a);
	if (operation_arguments(
		    &r, c, params, args, o->names, o->missing, &code)) {
		code = remote_call(&r, c->name);
		if (r.out.len && !strcmp(p->format, "json"))
			json_print(stdout, buf_str(&r.out));
		else if (!remote_failed(&r))
			o->print(&out, buf_str(&r.out));
	}
	print_buf(stdout, &out);
	buf_release(&out);
	remote_release(&r);
	return code;
}

int operation_run(
	const struct command *c, const void *params, const struct list *args)
{
	return operation_run_as(c->operation, c, params, args);
}
