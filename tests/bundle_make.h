/*
 * bundle_make: repositories, bundles and keys for tests of the bundler.
 */
#ifndef TESTS_BUNDLE_MAKE_H
#define TESTS_BUNDLE_MAKE_H

#include "base/fs.h"
#include "bundler/bundler.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct err err;

/* Files as {path, content, path, content, ..., NULL}. */
static inline void repo_of(struct repo *r, const char *const *files)
{
	size_t n = 0;

	*r = (struct repo){.commit = "c0ffee", .tree = "decade"};
	while (files[2 * n])
		n++;
	r->files = ARENA_ARRAY(&r->arena, struct repo_file, n + 1);
	for (size_t i = 0; i < n; i++)
		r->files[r->nfiles++] = (struct repo_file){
			str_from(files[2 * i]), str_from(files[2 * i + 1])};
}

static const char *include_all[] = {"policies", "waivers", "stages"};

static inline enum status build_of(
	struct bundle *b, const char *const *files, const char *const *roots)
{
	static const struct build_options o = {.revision = "r1",
		.tool = "regatta 0",
		.test_digest = "sha256:0"};
	struct config c = {.include = {include_all, COUNT(include_all)},
		.rego_version = 1};
	struct repo r;
	enum status st;

	repo_of(&r, files);
	while (roots && roots[c.roots.len])
		c.roots.len++;
	if (roots) {
		c.roots.items = ARENA_ARRAY(&r.arena, const char *, 16);
		memcpy(c.roots.items, roots, c.roots.len * sizeof(*roots));
	}
	st = bundle_build(b, &r, &c, &o, &err);
	arena_release(&r.arena);
	return st;
}

/* A bundle of just these files, as they are. */
static inline void bundle_of(struct bundle *b, const char *const *files)
{
	*b = (struct bundle){0};
	for (size_t i = 0; files[i]; i += 2)
		assert_ok(bundle_add(b, str_from(files[i]),
				  str_from(files[i + 1]), &err),
			&err);
}

static inline struct str content_of(const struct bundle *b, const char *path)
{
	const struct bundle_file *f = bundle_find(b, str_from(path));

	if (!f)
		fail_msg("%s is not in the bundle", path);
	return f->content;
}

/* A key pair; both sides are to be freed. */
struct key_pair {
	struct sign_key *private, *public;
};

static inline void key_pair_make(struct key_pair *p)
{
	struct buf private = {0}, public = {0};
	char path[64];

	snprintf(
		path, sizeof(path), "/tmp/test-bundle-%ld.pem", (long)getpid());
	assert_ok(sign_key_generate(ALG_ES256, &private, &public, &err), &err);
	assert_ok(fs_write(NULL, path, buf_str(&private), 0600, &err), &err);
	assert_ok(sign_key_load(&p->private, path, ALG_ES256, &err), &err);
	assert_ok(sign_key_parse_public(
			  &p->public, buf_str(&public), ALG_ES256, "k1", &err),
		&err);
	unlink(path);
	buf_release(&private);
	buf_release(&public);
}

static inline void key_pair_release(struct key_pair *p)
{
	sign_key_free(p->private);
	sign_key_free(p->public);
}

#endif
