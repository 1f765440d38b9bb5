#include "cli/cli.h"

#include <errno.h>
#include <math.h>

#include "base/clock.h"
#include "base/quantity.h"

/* Append an item, which is not copied; the room is in `a`. */
static void list_add(struct arena *a, struct list *l, const char *item)
{
	if (l->len == l->cap) {
		const char **old = l->items;

		l->cap = l->cap ? 2 * l->cap : 8;
		l->items = ARENA_ARRAY(a, const char *, l->cap);
		if (l->len)
			memcpy(l->items, old, l->len * sizeof(*old));
	}
	l->items[l->len++] = item;
	l->set = true;
}

static void *slot(const struct option *o, void *params)
{
	return (char *)params + o->at;
}

/* --- values ------------------------------------------------------------ */

/* Texts of these errors are those of Go's strconv and time. */
static bool parse_int(const char *s, int64_t *out, const char **why)
{
	char *end;

	errno = 0;
	long long n = strtoll(s, &end, 0);

	if (end == s || *end || strchr(" \t\n\v\f\r", *s)) {
		*why = "invalid syntax";
		return false;
	}
	if (errno == ERANGE) {
		*why = "value out of range";
		return false;
	}
	*out = n;
	return true;
}

static bool has_choice(const char *choices, const char *s)
{
	size_t len = strlen(s);

	for (const char *p = choices; *p;) {
		p += *p == '+';
		size_t n = strcspn(p, " ");

		if (n == len && !strncmp(p, s, n))
			return true;
		p += n + (p[n] == ' ');
	}
	return false;
}

/* The choices with `between` between them; not those of ours, unless `all`. */
static void choice_list(
	struct buf *out, const char *choices, char between, bool all)
{
	bool first = true;

	for (const char *p = choices; *p;) {
		bool ours = *p == '+';
		size_t n;

		p += ours;
		n = strcspn(p, " ");
		if (all || !ours) {
			if (!first)
				buf_addc(out, between);
			first = false;
			buf_add(out, p, n);
		}
		p += n + (p[n] == ' ');
	}
}

static const char *choice_text(struct arena *a, const char *choices)
{
	struct buf out = {0};

	buf_addc(&out, '{');
	choice_list(&out, choices, ',', false);
	buf_addc(&out, '}');
	const char *s = arena_strdup(a, buf_str(&out));

	buf_release(&out);
	return s;
}

static bool parse_bool(const char *s, bool *out)
{
	if (has_choice("1 t T true TRUE True", s))
		*out = true;
	else if (has_choice("0 f F false FALSE False", s))
		*out = false;
	else
		return false;
	return true;
}

static void add_csv(struct arena *a, struct list *l, const char *s)
{
	l->set = true;
	while (*s) {
		size_t n = strcspn(s, ",");

		list_add(a, l, arena_strdup(a, str_make(s, n)));
		s += n + (s[n] == ',');
	}
}

/* As Go's strconv says it. */
static const char *no_number(
	struct arena *a, const char *parser, const char *s, const char *why)
{
	return arena_printf(
		a, "strconv.%s: parsing \"%s\": %s", parser, s, why);
}

/* NULL, or why `s` is no value for the option. */
static const char *set_value(
	struct arena *a, const struct option *o, const char *s, void *at)
{
	const char *why = "invalid syntax";
	char *end;

	switch (o->kind) {
	case OPT_BOOL:
		return parse_bool(s, at) ? NULL
					 : no_number(a, "ParseBool", s, why);
	case OPT_STRING:
		*(const char **)at = s;
		return NULL;
	case OPT_CHOICE:
		if (!has_choice(o->value, s))
			return arena_printf(a, "must be one of %s",
				choice_text(a, o->value));
		*(const char **)at = s;
		return NULL;
	case OPT_LIST:
		list_add(a, at, s);
		return NULL;
	case OPT_CSV:
		add_csv(a, at, s);
		return NULL;
	case OPT_INT:
		return parse_int(s, at, &why)
			       ? NULL
			       : no_number(a, "ParseInt", s, why);
	case OPT_FLOAT:
		*(double *)at = strtod(s, &end);
		return end != s && !*end ? NULL
					 : no_number(a, "ParseFloat", s, why);
	case OPT_DURATION:
		return quantity_duration(s, at)
			       ? NULL
			       : arena_printf(
					 a, "time: invalid duration \"%s\"", s);
	case OPT_SIZE:
		return quantity_size(s, at)
			       ? NULL
			       : "not a size; say 1000, 64MiB or 1GB";
	default:
		return "no value is taken";
	}
}

/* --- arguments ----------------------------------------------------------- */

struct parser {
	struct arena *a;
	const struct command *c;
	void *params;
	int argc, i; /* i: the next argument */
	char **argv;
	struct err *err;
};

static bool takes_value(const struct option *o)
{
	return o->kind != OPT_BOOL && o->kind != OPT_NO_BOOL;
}

static bool refuse(struct parser *p, const struct option *o)
{
	err_set(p->err, E_UNSUPPORTED,
		"flag --%s of opa %s is not supported here yet", o->name,
		p->c->name);
	return false;
}

static bool set_option(struct parser *p, const struct option *o, const char *s)
{
	if (o->kind == OPT_NO_BOOL || o->kind == OPT_NO_VALUE)
		return refuse(p, o);
	const char *why = set_value(p->a, o, s, slot(o, p->params));

	if (!why)
		return true;
	if (o->letter)
		err_set(p->err, E_INVALID,
			"invalid argument \"%s\" for \"-%c, --%s\" flag: %s", s,
			o->letter, o->name, why);
	else
		err_set(p->err, E_INVALID,
			"invalid argument \"%s\" for \"--%s\" flag: %s", s,
			o->name, why);
	return false;
}

static const struct option *by_name(const struct command *c, struct str name)
{
	for (size_t i = 0; i < c->noptions; i++)
		if (str_is(name, c->options[i].name))
			return &c->options[i];
	return NULL;
}

static const struct option *by_letter(const struct command *c, char letter)
{
	for (size_t i = 0; i < c->noptions; i++)
		if (c->options[i].letter == letter)
			return &c->options[i];
	return NULL;
}

/*
 * Commands that OPA has say no more than OPA; others name the flag that is at
 * most two letters away.
 */
static bool unknown_option(struct parser *p, struct str name)
{
	const char *near = NULL;
	unsigned least = 3;

	for (size_t i = 0; p->c->usage_exit && i < p->c->noptions; i++) {
		const struct option *o = &p->c->options[i];
		char given[64];

		snprintf(given, sizeof(given), "%.*s", STR_ARG(name));
		unsigned d = str_distance(given, o->name);

		if (d < least) {
			least = d;
			near = o->name;
		}
	}
	err_set(p->err, E_INVALID, "unknown flag: --%.*s%s%s", STR_ARG(name),
		near ? "; did you mean --" : "", near ? near : "");
	return false;
}

static bool long_option(struct parser *p, const char *arg)
{
	const char *eq = strchr(arg, '=');
	struct str name = str_make(arg, eq ? (size_t)(eq - arg) : strlen(arg));
	const struct option *o = by_name(p->c, name);

	if (!o)
		return unknown_option(p, name);
	if (eq)
		return set_option(p, o, eq + 1);
	if (!takes_value(o))
		return set_option(p, o, "true");
	if (p->i >= p->argc) {
		err_set(p->err, E_INVALID, "flag needs an argument: --%s",
			o->name);
		return false;
	}
	return set_option(p, o, p->argv[p->i++]);
}

/* "-abc": letters up to the first that takes a value. */
static bool short_options(struct parser *p, const char *arg)
{
	for (const char *s = arg + 1; *s; s++) {
		const struct option *o = by_letter(p->c, *s);

		if (!o) {
			uint32_t cp;
			size_t n = utf8_decode(s, strlen(s), &cp);

			err_set(p->err, E_INVALID,
				"unknown shorthand flag: '%.*s' in -%s", (int)n,
				s, s);
			return false;
		}
		if (s[1] == '=')
			return set_option(p, o, s + 2);
		if (!takes_value(o)) {
			if (!set_option(p, o, "true"))
				return false;
			continue;
		}
		if (s[1])
			return set_option(p, o, s + 1);
		if (p->i < p->argc)
			return set_option(p, o, p->argv[p->i++]);
		err_set(p->err, E_INVALID,
			"flag needs an argument: '%c' in -%s", *s, s);
		return false;
	}
	return true;
}

static void set_initial(struct parser *p)
{
	for (size_t i = 0; i < p->c->noptions; i++) {
		const struct option *o = &p->c->options[i];

		if (o->initial)
			set_value(p->a, o, o->initial, slot(o, p->params));
	}
}

bool parse_options(struct arena *a, const struct command *c, int argc,
	char **argv, void *params, struct list *args, bool *help,
	struct err *err)
{
	struct parser p = {.a = a,
		.c = c,
		.params = params,
		.argc = argc,
		.argv = argv,
		.err = err};

	set_initial(&p);
	*help = false;
	while (p.i < argc) {
		const char *arg = argv[p.i++];

		if (!strcmp(arg, "--"))
			break;
		if (!strcmp(arg, "--help") || !strcmp(arg, "-h")) {
			*help = true;
			return true;
		}
		if (arg[0] != '-' || !arg[1])
			list_add(a, args, arg);
		else if (!(arg[1] == '-' ? long_option(&p, arg + 2)
					 : short_options(&p, arg)))
			return false;
	}
	while (p.i < argc)
		list_add(a, args, argv[p.i++]);
	return true;
}

/* --- help ------------------------------------------------------------------
 */

static void option_head(struct buf *out, const struct option *o)
{
	if (o->letter)
		buf_addf(out, "  -%c, --%s", o->letter, o->name);
	else
		buf_addf(out, "      --%s", o->name);
	if (o->kind == OPT_CHOICE) {
		buf_addc(out, ' ');
		choice_list(out, o->value, '|', true);
	} else if (takes_value(o)) {
		buf_addf(out, " %s", o->value ? o->value : "value");
	}
}

enum { HELP_COLUMN = 30, HELP_WIDTH = 79 };

/* Words of `text` in lines that begin at HELP_COLUMN. */
static void fill(FILE *f, size_t at, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, " ");

		if (at + 1 + n > HELP_WIDTH && at > HELP_COLUMN) {
			fprintf(f, "\n%*s", HELP_COLUMN, "");
			at = HELP_COLUMN;
		} else if (at > HELP_COLUMN) {
			fputc(' ', f);
			at++;
		}
		fprintf(f, "%.*s", (int)n, text);
		at += n;
		text += n + (text[n] == ' ');
	}
	fputc('\n', f);
}

static void option_help(FILE *f, const struct option *o)
{
	struct buf line = {0};

	option_head(&line, o);
	if (line.len + 2 > HELP_COLUMN)
		fprintf(f, "%s\n%*s", line.ptr, HELP_COLUMN, "");
	else
		fprintf(f, "%-*s", HELP_COLUMN, line.ptr);
	buf_reset(&line);
	buf_adds(&line, o->help);
	if (o->initial && *o->initial && o->kind != OPT_BOOL)
		buf_addf(&line, " (default %s)", o->initial);
	fill(f, HELP_COLUMN, line.ptr);
	buf_release(&line);
}

void print_command_help(FILE *f, const struct command *c)
{
	bool missing = false;

	fprintf(f, "%s\n\nUsage:\n  regatta %s%s%s%s\n", c->text, c->name,
		*c->args ? " " : "", c->args, c->noptions ? " [flags]" : "");
	if (c->noptions)
		fputs("\nFlags:\n", f);
	for (size_t i = 0; i < c->noptions; i++) {
		if (c->options[i].kind == OPT_NO_BOOL ||
			c->options[i].kind == OPT_NO_VALUE)
			missing = true;
		else
			option_help(f, &c->options[i]);
	}
	if (!missing)
		return;
	fprintf(f, "\nFlags of opa %s that are refused, not here yet:\n%*s",
		c->name, HELP_COLUMN, "");
	struct buf names = {0};

	for (size_t i = 0; i < c->noptions; i++)
		if (c->options[i].kind == OPT_NO_BOOL ||
			c->options[i].kind == OPT_NO_VALUE)
			buf_addf(&names, "%s--%s", names.len ? " " : "",
				c->options[i].name);
	fill(f, HELP_COLUMN, names.ptr);
	buf_release(&names);
}

/* --- the environment ------------------------------------------------------ */

const char *env_value(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}
