#include "base/glob.h"

/* The first step, and what is behind it. */
static struct str first_step(struct str path, struct str *rest)
{
	size_t slash = str_find(path, S("/"), 0);

	if (slash == SIZE_MAX) {
		*rest = (struct str){path.ptr + path.len, 0};
		return path;
	}
	*rest = str_slice(path, slash + 1, path.len);
	return str_slice(path, 0, slash);
}

/* Of one step: the last * is tried again one byte further on, no other. */
static bool step_matches(struct str pattern, struct str step)
{
	size_t p = 0, s = 0, star = SIZE_MAX, from = 0;

	while (s < step.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			from = s;
		} else if (p < pattern.len &&
			   (pattern.ptr[p] == '?' ||
				   pattern.ptr[p] == step.ptr[s])) {
			p++;
			s++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			s = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

/* The same with steps for bytes and ** for *. */
bool glob_path(struct str pattern, struct str path)
{
	struct str after_stars = {0}, from = {0}, prest, rest;
	bool stars = false;

	while (path.len) {
		struct str p = first_step(pattern, &prest);
		struct str step = first_step(path, &rest);

		if (str_is(p, "**")) {
			stars = true;
			after_stars = pattern = prest;
			from = path;
		} else if (pattern.len && step_matches(p, step)) {
			pattern = prest;
			path = rest;
		} else if (stars) {
			first_step(from, &from);
			pattern = after_stars;
			path = from;
		} else {
			return false;
		}
	}
	while (pattern.len && str_is(first_step(pattern, &prest), "**"))
		pattern = prest;
	return !pattern.len;
}
