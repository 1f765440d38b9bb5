#include "cli/publish.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "canary/state.h"
#include "cli/output.h"
#include "cli/status_text.h"

#define DEFAULT_STORE "dir:./var/" STATE_BUNDLES

/* The state folder whose store that is; NULL: it is a plain one. */
static const char *state_of(struct arena *a, const char *url)
{
	static const struct str end = STR("/" STATE_BUNDLES);
	struct str path = str_from(url);

	if (!str_starts(path, S("dir:")))
		return NULL;
	path = str_slice(path, 4, path.len);
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	if (!str_ends(path, end) || path.len == end.len)
		return NULL;
	return arena_strdup(a, str_slice(path, 0, path.len - end.len));
}

/* "dir:PATH" of a config is as seen from its repo. */
static const char *seen_from(struct arena *a, const char *url, const char *dir)
{
	if (strncmp(url, "dir:", 4) != 0 || url[4] == '/' || !dir ||
		!strcmp(dir, "."))
		return url;
	return arena_printf(a, "dir:%s/%s", dir, url + 4);
}

static int to_store(const char *url, const char *name, const struct bundle *b,
	struct str archive, struct arena *a, struct published *out)
{
	struct store *s = NULL;
	struct version v;
	struct err e = {0};
	enum status st = bundle_version(b, name, archive, a, &v, &e);

	v.published = clock_wall(&clock_system) / NS_PER_S;
	if (!st) {
		st = store_open(&s, url, NULL, &e);
		if (st)
			return print_given(st, &e);
		st = store_publish(s, &v, b, archive, a, &out->fresh, &e);
	}
	store_close(s);
	return st ? print_err(st, &e) : 0;
}

/* What its commit follows, where the repository is at hand. */
static void add_ancestry(
	struct remote *r, const char *repo, const struct bundle *b)
{
	struct repo_ancestry x;
	struct err ignored;

	if (!repo || repo_ancestry(repo, bundle_metadata(b, "commit", &r->a),
			     &r->a, &x, &ignored))
		return;
	remote_int(r, "order", x.count);
	remote_text(r, "ancestors", x.commits);
	remote_int(r, "ancestors_since", x.since);
}

static void warn(struct remote *r)
{
	struct screen s = screen_of(buf_str(&r->out), &r->a);
	struct buf text = {0};

	status_inherits(&text, &s, "regatta: ");
	print_buf(stderr, &text);
	buf_release(&text);
}

static int to_channel(const struct publish_params *p, const char *name,
	const struct bundle *b, struct str archive, struct published *out)
{
	struct remote r = {.params = &p->remote, .create = true};
	struct str fresh;
	int code;

	remote_text(&r, "bundle", name);
	add_ancestry(&r, p->repo, b);
	r.body = archive;
	code = remote_call(&r, "publish");
	out->fresh = json_member(buf_str(&r.out), S("fresh"), &fresh) &&
		     str_is(fresh, "true");
	if (!code)
		warn(&r);
	remote_release(&r);
	return code;
}

const char *publish_params_wrong(const struct publish_params *p)
{
	int places = (p->store != NULL) + (p->remote.server != NULL) +
		     (p->remote.state != NULL);

	return places > 1 ? "say one of --server, --state and --store: a "
			    "version goes to one place"
			  : NULL;
}

int publish_bundle(const struct publish_params *p, const char *config_store,
	const char *dir, const char *name, const struct bundle *b,
	struct str archive, struct published *out)
{
	struct arena a = {0};
	struct publish_params to = *p;
	const char *url = p->store;
	int code;

	if (!url)
		url = seen_from(
			&a, config_store ? config_store : DEFAULT_STORE, dir);
	if (!p->store && (to.remote.server || to.remote.state ||
				 env_value("REGATTA_SERVER") ||
				 env_value("REGATTA_STATE"))) {
		code = to_channel(&to, name, b, archive, out);
	} else {
		to.remote = (struct remote_params){.state = state_of(&a, url)};
		code = to.remote.state
			       ? to_channel(&to, name, b, archive, out)
			       : to_store(url, name, b, archive, &a, out);
	}
	arena_release(&a);
	return code;
}
