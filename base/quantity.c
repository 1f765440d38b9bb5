#include "base/quantity.h"

#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

/* clang-format off */
static const struct unit times[] = {
	{"ns", 1}, {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"ms", 1e6}, {"s", 1e9},
	{"m", 60e9}, {"h", 3600e9}, {NULL, 0},
};
static const struct unit sizes[] = {
	{"", 1}, {"B", 1}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824},
	{"K", 1024}, {"M", 1048576}, {"G", 1073741824}, {NULL, 0},
};
/* clang-format on */

/* Digits and at most one dot; not what else strtod() would take. */
static bool number(const char **p, double *out)
{
	char text[32], *end;
	size_t len = strspn(*p, "0123456789.");

	if (len >= sizeof(text))
		return false;
	memcpy(text, *p, len);
	text[len] = '\0';
	*out = strtod(text, &end);
	*p += len;
	return end != text && !*end;
}

/* A number and a unit at *p; moves *p behind them. */
static bool one_quantity(
	const char **p, const struct unit *units, double *total)
{
	double n;

	if (!number(p, &n))
		return false;
	size_t len = strcspn(*p, "0123456789.");

	for (; units->name; units++) {
		if (strlen(units->name) != len ||
			strncmp(units->name, *p, len) != 0)
			continue;
		*total += n * units->factor;
		*p += len;
		return true;
	}
	return false;
}

static bool parse_quantity(
	const char *s, const struct unit *units, int64_t *out)
{
	double total = 0;
	bool negative = *s == '-' && units == times;
	const char *p = s + negative;

	if (units == times && !strcmp(s, "0")) {
		*out = 0;
		return true;
	}
	do {
		if (!one_quantity(&p, units, &total))
			return false;
	} while (*p);
	if (total > 9e18)
		return false;
	*out = (int64_t)(negative ? -total : total);
	return true;
}

bool quantity_duration(const char *s, int64_t *ns)
{
	return parse_quantity(s, times, ns);
}

bool quantity_size(const char *s, int64_t *bytes)
{
	return parse_quantity(s, sizes, bytes);
}
