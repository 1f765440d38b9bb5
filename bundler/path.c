/* Which paths repositories and bundles may have. */
#include "bundler/repo.h"

#include <stdio.h>
#include <string.h>

#include "rego/builtin/unicode.h"

static bool printable(struct str s, size_t at, size_t *width)
{
	unsigned char b = (unsigned char)s.ptr[at];
	uint32_t cp;

	*width = 1;
	if (b < 0x80)
		return b >= ' ' && b != 0x7f;
	*width = utf8_decode(s.ptr + at, s.len - at, &cp);
	return rune_is_print(cp) && (cp != 0xfffd || *width == 3);
}

struct repo_path_text repo_path_text(struct str path)
{
	struct repo_path_text out;
	size_t len = 0, width;

	for (size_t i = 0; i < path.len; i += width) {
		if (len > sizeof(out.s) - 16) {
			memcpy(out.s + len, "...", 3);
			len += 3;
			break;
		}
		if (printable(path, i, &width)) {
			memcpy(out.s + len, path.ptr + i, width);
			len += width;
			continue;
		}
		width = 1;
		len += (size_t)snprintf(
			out.s + len, 5, "\\x%02x", (unsigned char)path.ptr[i]);
	}
	out.s[len] = '\0';
	return out;
}

void repo_path_fold(struct buf *out, struct str path)
{
	uint32_t cp;
	size_t width;

	for (size_t i = 0; i < path.len; i += width) {
		char b = path.ptr[i];

		width = utf8_decode(path.ptr + i, path.len - i, &cp);
		if (cp < 0x80)
			buf_addc(out,
				b >= 'A' && b <= 'Z' ? (char)(b | 0x20) : b);
		else if (cp == 0xfffd) /* broken bytes stay what they are */
			buf_add(out, path.ptr + i, width);
		else
			buf_addcp(out, rune_lower(rune_upper(cp)));
	}
}

static enum status refuse(
	struct err *e, enum status code, struct str path, const char *rule)
{
	return err_set(e, code, "%s: %s", repo_path_text(path).s, rule);
}

static bool is_dot_git(struct str step)
{
	struct buf folded = {0};

	if (step.len < 4 || step.ptr[0] != '.')
		return false;
	repo_path_fold(&folded, step);
	bool is = str_is(buf_str(&folded), ".git");

	buf_release(&folded);
	return is;
}

/* NULL, or what is wrong with one step. */
static const char *bad_step(struct str step)
{
	if (!step.len)
		return "a path may not have empty steps";
	if (str_is(step, ".") || str_is(step, ".."))
		return "a path may not have . or .. as a step";
	if (is_dot_git(step))
		return "a path may not have .git as a step";
	if (strchr(". ", step.ptr[step.len - 1]))
		return "no name may end with a dot or a space";
	return NULL;
}

static const char *bad_characters(struct str path)
{
	size_t width;

	if (!utf8_valid(path.ptr, path.len))
		return "a path must be UTF-8";
	for (size_t i = 0; i < path.len; i += width) {
		if (!printable(path, i, &width))
			return "a path may only have characters that can be "
			       "seen";
		if (path.ptr[i] == '\\' || path.ptr[i] == ':')
			return "a path may not have \\ or : in it";
	}
	return NULL;
}

static enum status check_steps(struct str path, struct err *e)
{
	size_t steps = 0, end;

	for (size_t from = 0; from <= path.len; from = end + 1) {
		const char *why;

		end = str_find(path, S("/"), from);
		if (end == SIZE_MAX)
			end = path.len;
		why = bad_step(str_slice(path, from, end));
		if (why)
			return refuse(e, E_INVALID, path, why);
		if (end - from > LIMIT_PATH_COMPONENT)
			return err_set(e, E_LIMIT,
				"%s: a name of %zu bytes, limit %u",
				repo_path_text(path).s, end - from,
				LIMIT_PATH_COMPONENT);
		if (++steps > LIMIT_PATH_DEPTH)
			return err_set(e, E_LIMIT,
				"%s: more than %u steps deep",
				repo_path_text(path).s, LIMIT_PATH_DEPTH);
	}
	return OK;
}

enum status repo_path_check(struct str path, struct err *e)
{
	const char *why;

	if (path.len > LIMIT_PATH_BYTES)
		return err_set(e, E_LIMIT, "%s: a path of %zu bytes, limit %u",
			repo_path_text(path).s, path.len, LIMIT_PATH_BYTES);
	why = bad_characters(path);
	if (why)
		return refuse(e, E_INVALID, path, why);
	return check_steps(path, e);
}
