/*
 * make_bundle: a folder as a signed bundle, for tests that show one to OPA.
 *
 *	make_bundle DIR OUT ALG KEYID SCOPE
 *
 * Writes OUT.tar.gz and the public key, OUT.pem. SCOPE "" is none. The policies
 * are those below DIR/policies.
 */
#include "base/fs.h"
#include "bundler/bundler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct maker {
	struct repo repo;
	uint32_t nfiles, cap;
	struct repo_file *files;
	struct buf archive, public;
	const char *out;
	struct err err;
};

static enum fs_visit take(void *user, const struct fs_entry *entry,
	enum status *st, struct err *e)
{
	struct maker *m = user;
	struct arena *a = &m->repo.arena;
	struct buf text = {0};

	*st = OK;
	if (entry->info.kind != FS_FILE)
		return FS_GO_ON;
	*st = fs_read(NULL, entry->path, LIMIT_BUNDLE_FILE, &text, e);
	m->files =
		arena_grow(a, m->files, m->nfiles, &m->cap, sizeof(*m->files));
	m->files[m->nfiles++] =
		(struct repo_file){arena_str(a, str_from(entry->name)),
			arena_str(a, buf_str(&text))};
	buf_release(&text);
	return FS_GO_ON;
}

static enum status build(struct maker *m, struct bundle *b, const char *dir)
{
	static const char *policies = "policies";
	struct config c = {.include = {&policies, 1}, .rego_version = 1};
	struct build_options o = {.revision = "r1", .tool = "make_bundle"};
	enum status st = fs_walk(NULL, dir, 0, take, m, &m->err);

	m->repo.files = m->files;
	m->repo.nfiles = m->nfiles;
	return st ? st : bundle_build(b, &m->repo, &c, &o, &m->err);
}

/* The private half is in a file for as long as it takes to read it. */
static enum status new_key(
	struct maker *m, enum sign_alg alg, struct sign_key **k)
{
	struct buf private = {0}, path = {0};
	enum status st = sign_key_generate(alg, &private, &m->public, &m->err);

	buf_addf(&path, "%s.key", m->out);
	if (!st)
		st = fs_write(NULL, path.ptr, buf_str(&private), 0600, &m->err);
	if (!st)
		st = sign_key_load(k, path.ptr, alg, &m->err);
	unlink(path.ptr);
	buf_release(&private);
	buf_release(&path);
	return st;
}

static enum status write_file(
	struct maker *m, const char *end, const struct buf *bytes)
{
	struct buf path = {0};
	enum status st;

	buf_addf(&path, "%s%s", m->out, end);
	st = fs_write(NULL, path.ptr, buf_str(bytes), 0644, &m->err);
	buf_release(&path);
	return st;
}

int main(int argc, char **argv)
{
	struct maker m = {.out = argc == 6 ? argv[2] : ""};
	struct sign_key *k = NULL;
	struct bundle b = {0};
	enum status st;

	if (argc != 6) {
		fprintf(stderr, "make_bundle DIR OUT ALG KEYID SCOPE\n");
		return 2;
	}
	st = build(&m, &b, argv[1]);
	if (!st)
		st = new_key(&m, sign_alg_find(str_from(argv[3])), &k);
	if (!st)
		st = bundle_sign(
			&b, k, argv[4], *argv[5] ? argv[5] : NULL, &m.err);
	if (!st)
		st = bundle_pack(&b, &m.archive, &m.err);
	if (!st)
		st = write_file(&m, ".tar.gz", &m.archive);
	if (!st)
		st = write_file(&m, ".pem", &m.public);
	if (st)
		fprintf(stderr, "make_bundle: %s\n", m.err.text);
	sign_key_free(k);
	bundle_release(&b);
	buf_release(&m.archive);
	buf_release(&m.public);
	arena_release(&m.repo.arena);
	return st ? 1 : 0;
}
