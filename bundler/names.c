/*
 * What a name means. Sources: OPA contract, sections 0.6, 1.2 and 1.6; the
 * path rules are those of repositories too.
 */
#include "bundler/internal.h"

#include <string.h>

struct str name_base(struct str path)
{
	size_t at = path.len;

	while (at && path.ptr[at - 1] != '/')
		at--;
	return str_slice(path, at, path.len);
}

/* clang-format off */
/* In this order; `whole`: the base name, else the end of the path. */
static const struct {
	const char *name;
	bool whole;
	enum role role;
} roles[] = {
	{".signatures.json", true,  ROLE_SIGNATURES},
	{"patch.json",       true,  ROLE_PATCH},
	{".rego",            false, ROLE_MODULE},
	{"policy.wasm",      true,  ROLE_WASM},
	{"plan.json",        true,  ROLE_PLAN},
	{"data.json",        true,  ROLE_JSON},
	{"data.yaml",        true,  ROLE_YAML},
	{"data.yml",         true,  ROLE_YAML},
	{".manifest",        false, ROLE_MANIFEST},
};
/* clang-format on */

enum role name_role(struct str path)
{
	struct str base = name_base(path);

	for (size_t i = 0; i < COUNT(roles); i++) {
		struct str name = str_from(roles[i].name);

		if (roles[i].whole ? str_eq(base, name) : str_ends(path, name))
			return roles[i].role;
	}
	return ROLE_NONE;
}

/* --- path rules ----------------------------------------------------------- */

static enum status refuse(struct str path, const char *why, struct err *e)
{
	return err_set(e, E_INVALID, "%.*s: %s", STR_ARG(path), why);
}

static bool is_dot_git(struct str step)
{
	return step.len == 4 && step.ptr[0] == '.' &&
	       (step.ptr[1] | 0x20) == 'g' && (step.ptr[2] | 0x20) == 'i' &&
	       (step.ptr[3] | 0x20) == 't';
}

static enum status check_step(struct str path, struct str step, struct err *e)
{
	char last = step.len ? step.ptr[step.len - 1] : '\0';

	if (!step.len)
		return refuse(path, "an empty step in the path", e);
	if (str_is(step, ".") || str_is(step, ".."))
		return refuse(path, "a step \".\" or \"..\" in the path", e);
	if (is_dot_git(step))
		return refuse(path, "a step .git in the path", e);
	if (last == '.' || last == ' ')
		return refuse(path, "a step that ends with a dot or space", e);
	if (step.len > LIMIT_PATH_COMPONENT)
		return err_set(e, E_LIMIT, "%.*s: a step of more than %u bytes",
			STR_ARG(path), LIMIT_PATH_COMPONENT);
	return OK;
}

static enum status check_bytes(struct str path, struct err *e)
{
	if (!utf8_valid(path.ptr, path.len))
		return err_set(e, E_INVALID, "a path is not UTF-8");
	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.ptr[i];

		if (c < 0x20 || c == 0x7f || c == '\\' || c == ':')
			return err_set(e, E_INVALID,
				"a path holds the byte 0x%02x", c);
	}
	return OK;
}

static struct str bare(struct str path)
{
	if (str_starts(path, S("./")))
		return str_slice(path, 2, path.len);
	return str_starts(path, S("/")) ? str_slice(path, 1, path.len) : path;
}

enum status name_check(struct str path, struct err *e)
{
	struct str rest = bare(path);
	enum status st;
	unsigned depth = 0;
	size_t to;

	if (rest.len > LIMIT_PATH_BYTES)
		return err_set(e, E_LIMIT, "a path of more than %u bytes",
			LIMIT_PATH_BYTES);
	st = check_bytes(path, e);
	for (size_t at = 0; !st && at <= rest.len; at = to + 1) {
		to = str_find(rest, S("/"), at);
		to = to < rest.len ? to : rest.len;
		st = check_step(path, str_slice(rest, at, to), e);
		if (!st && ++depth > LIMIT_PATH_DEPTH)
			st = err_set(e, E_LIMIT, "%.*s: more than %u steps",
				STR_ARG(path), LIMIT_PATH_DEPTH);
	}
	return st;
}

bool name_first(struct map *seen, struct arena *a, struct str path)
{
	struct str name = bare(path);
	char *low = arena_strdup(a, name);
	void **place;

	for (size_t i = 0; i < name.len; i++)
		if (low[i] >= 'A' && low[i] <= 'Z')
			low[i] = (char)(low[i] | 0x20);
	place = map_at(seen, str_make(low, name.len));
	if (*place)
		return false;
	*place = low;
	return true;
}

/* --- what we write -------------------------------------------------------- */

static bool in_profile(struct str path)
{
	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];
		char low = (char)(c | 0x20);

		if (c == '.' && (i == 0 || path.ptr[i - 1] == '/'))
			return false;
		if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') &&
			!strchr("/._-", c))
			return false;
	}
	return true;
}

enum status name_check_strict(struct str path, struct err *e)
{
	enum status st = path.len ? name_check(path, e)
				  : err_set(e, E_INVALID, "a file has no name");

	if (st || str_is(path, ".manifest") || str_is(path, ".signatures.json"))
		return st;
	if (str_ends(path, S(".manifest")))
		return refuse(path,
			"agents take every name with this end for the "
			"manifest, of which there is one; rename it",
			e);
	if (str_ends(path, S("signatures.json")))
		return refuse(path,
			"older agents take every name with this end for the "
			"signatures; rename it",
			e);
	if (!in_profile(path) || path.ptr[0] == '/')
		return refuse(path,
			"a path in a bundle is made of letters, digits, \"_\", "
			"\"-\", \".\" and \"/\", and no step begins with a "
			"dot; rename it",
			e);
	return OK;
}
