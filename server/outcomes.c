/*
 * How decisions in the log are read: the rules of the stable versions, as they
 * were when the service last started. They are kept in the folder, since who
 * reads the log beside the service must read it in the same way.
 */
#include "server/serving.h"

#include "base/json.h"

#include <string.h>

#define OUTCOMES "outcomes.json"

/* The members of "decisions" of one version's rules. */
static enum status add_rules(struct service *s, const struct channel *c,
	struct buf *out, struct err *e)
{
	struct bundle b = {0};
	struct str rules;
	struct json_iter it;
	enum status st = service_bundle(s, c->stable.digest, &b, e);

	if (!st && bundle_release_config(&b).len &&
		json_member(
			bundle_release_config(&b), S("decisions"), &rules)) {
		it = json_iter(rules);
		while (json_next(&it)) {
			if (out->ptr[out->len - 1] != '[')
				buf_addc(out, ',');
			buf_addstr(out, it.value);
		}
	}
	bundle_release(&b);
	return st;
}

enum status outcomes_write(struct service *s, struct err *e)
{
	struct arena a = {0};
	struct buf rules = {0}, text = {0};
	struct channel *channels;
	size_t n;
	enum status st = state_channels(s->watch, &a, &channels, &n, e);

	buf_addc(&rules, '[');
	for (size_t i = 0; !st && i < n; i++)
		if (channels[i].stable.digest.len)
			st = add_rules(s, &channels[i], &rules, e);
	buf_adds(&text, "{\"bundle\":\"all\"");
	if (rules.len > 1)
		buf_addf(&text, ",\"decisions\":%s]", rules.ptr);
	buf_adds(&text, "}\n");
	buf_release(&rules);
	if (!st)
		st = fs_write(s->fs, arena_printf(&a, "%s/" OUTCOMES, s->dir),
			buf_str(&text), 0644, e);
	buf_release(&text);
	arena_release(&a);
	return st;
}

enum status outcomes_read(struct service *s, struct err *e)
{
	struct arena a = {0};
	struct buf text = {0};
	struct fs_info info;
	const char *path = arena_printf(&a, "%s/" OUTCOMES, s->dir);
	enum status st = fs_stat(s->fs, path, &info, e);

	if (!st && info.kind != FS_NONE)
		st = fs_read(s->fs, path, LIMIT_CONFIG_BYTES, &text, e);
	if (!st && text.len) {
		st = rollout_plan_parse(&s->outcomes, buf_str(&text), e);
		if (st)
			err_wrap(e, "%s", path);
	}
	buf_release(&text);
	arena_release(&a);
	return st;
}
