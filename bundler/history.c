/* Commits: which one a rev names, which one of its day it is, its tags. */
#include "bundler/reading.h"

#include <stdlib.h>
#include <string.h>

/* --- revs ----------------------------------------------------------------- */

static bool ref_exists(
	git_repository *repo, const char *folder, const char *name)
{
	git_reference *ref = NULL;
	struct buf full = {0};

	buf_addf(&full, "%s%s", folder, name);
	int rc = git.git_reference_lookup(&ref, repo, full.ptr);

	git.git_reference_free(ref);
	buf_release(&full);
	return !rc;
}

static bool is_full_id(const char *rev)
{
	return strlen(rev) == GIT_OID_HEXSZ &&
	       strspn(rev, "0123456789abcdefABCDEF") == GIT_OID_HEXSZ;
}

static enum status no_commit(
	git_repository *repo, int rc, const char *rev, struct err *e)
{
	if (rc == GIT_EPEEL || rc == GIT_EINVALIDSPEC)
		return err_set(e, E_NOT_FOUND,
			"\"%s\" names no commit; say a branch, a tag or an id",
			rev);
	if (rc != GIT_ENOTFOUND)
		return git_fail(e, rc, "\"%s\" names no commit", rev);
	if (!strcmp(rev, "HEAD") && git.git_repository_head_unborn(repo) == 1)
		return err_set(e, E_NOT_FOUND,
			"there is no commit yet; commit the policies first");
	return err_set(e, E_NOT_FOUND,
		"\"%s\" names no commit in this clone; a branch or tag of "
		"elsewhere must be fetched first",
		rev);
}

/*
 * A name by itself is looked up here, since libgit2 1.5 loses it when what it
 * names can't be read; "HEAD~1" and parts of ids are libgit2's to make out.
 */
static int resolve(git_object **commit, git_repository *repo, const char *rev)
{
	git_reference *ref = NULL;
	git_object *any = NULL;
	int rc;

	if (*rev && !git.git_reference_dwim(&ref, repo, rev))
		rc = git.git_object_lookup(&any, repo,
			git.git_reference_target(ref), GIT_OBJECT_ANY);
	else
		rc = git.git_revparse_single(&any, repo, rev);
	if (!rc)
		rc = git.git_object_peel(commit, any, GIT_OBJECT_COMMIT);
	git.git_object_free(any);
	git.git_reference_free(ref);
	return rc;
}

enum status history_commit(
	git_commit **out, git_repository *repo, const char *rev, struct err *e)
{
	git_object *commit = NULL;
	git_oid id;
	int rc;

	if (!rev)
		rev = "HEAD";
	/* A branch could have the name of an id: the id counts. */
	if (is_full_id(rev)) {
		git.git_oid_fromstr(&id, rev);
		rc = git.git_commit_lookup(out, repo, &id);
		return rc ? no_commit(repo, rc, rev, e) : OK;
	}
	if (ref_exists(repo, "refs/heads/", rev) &&
		ref_exists(repo, "refs/tags/", rev))
		return err_set(e, E_INVALID,
			"\"%s\" is a branch and a tag; say refs/heads/%s or "
			"refs/tags/%s",
			rev, rev, rev);
	rc = resolve(&commit, repo, rev);
	if (rc)
		return no_commit(repo, rc, rev, e);
	*out = (git_commit *)commit;
	return OK;
}

/* --- the count of the day ------------------------------------------------- */

enum { DAY = 86400 };

/* A committer's clock may be off: this many older ones in a row end a day. */
enum { OLDER_MAX = 5 };

static int64_t day_of(const git_commit *c)
{
	int64_t t = git.git_commit_committer(c)->when.time;

	return t / DAY - (t % DAY < 0);
}

enum status history_parent(git_repository *repo, const git_commit *c,
	unsigned i, git_commit **out, bool *cut, struct err *e)
{
	const git_oid *id;
	char hex[65];
	int rc;

	*out = NULL;
	*cut = false;
	if (i >= git.git_commit_parentcount(c))
		return OK;
	id = git.git_commit_parent_id(c, i);
	rc = git.git_commit_lookup(out, repo, id);
	if (!rc)
		return OK;
	*cut = rc == GIT_ENOTFOUND && git.git_repository_is_shallow(repo) == 1;
	if (*cut)
		return OK;
	git.git_oid_tostr(hex, sizeof(hex), id);
	return git_fail(
		e, rc, "reading commit %s (`git fsck` shows more)", hex);
}

struct day {
	int64_t day;
	size_t seen;
	uint32_t count, older; /* older: in a row */
};

/* Count a commit; false when no more need be looked at. */
static bool count(struct day *d, const git_commit *c)
{
	int64_t day = day_of(c);

	d->seen++;
	d->count += day == d->day;
	d->older = day < d->day ? d->older + 1 : 0;
	return d->older < OLDER_MAX;
}

enum status history_of_day(git_repository *repo, const git_commit *commit,
	uint32_t *out, struct err *e)
{
	struct day d = {.day = day_of(commit)};
	const git_commit *at = commit;
	git_commit *own = NULL, *next;
	enum status st = OK;
	bool cut = false;

	while (at && !st && count(&d, at)) {
		if (d.seen > LIMIT_GIT_OBJECTS) {
			st = err_set(e, E_LIMIT,
				"more than %u commits in a day",
				LIMIT_GIT_OBJECTS);
			break;
		}
		st = history_parent(repo, at, 0, &next, &cut, e);
		git.git_commit_free(own);
		at = own = next;
	}
	git.git_commit_free(own);
	*out = cut ? 0 : d.count;
	return st;
}

/* --- objects ---------------------------------------------------------------
 */

/* Its size is known before any of it is read. */
static int read_object(git_odb *odb, const git_oid *id, struct arena *a,
	struct str *out, size_t *size)
{
	git_odb_object *object = NULL;
	git_object_t type;
	int rc = git.git_odb_read_header(size, &type, odb, id);

	if (rc || *size > LIMIT_GIT_OBJECT)
		return rc;
	rc = git.git_odb_read(&object, odb, id);
	if (rc)
		return rc;
	*out = arena_str(a, str_make(git.git_odb_object_data(object),
				    git.git_odb_object_size(object)));
	git.git_odb_object_free(object);
	return 0;
}

enum status history_object(git_repository *repo, const git_oid *id,
	struct arena *a, struct str *out, struct err *e)
{
	git_odb *odb = NULL;
	size_t size = 0;
	char hex[65];
	int rc = git.git_repository_odb(&odb, repo);

	if (!rc)
		rc = read_object(odb, id, a, out, &size);
	git.git_odb_free(odb);
	git.git_oid_tostr(hex, sizeof(hex), id);
	if (rc)
		return git_fail(e, rc, "reading object %s", hex);
	if (size > LIMIT_GIT_OBJECT)
		return err_set(e, E_LIMIT,
			"object %s: %zu bytes, limit %zu; no message of a "
			"commit or a tag needs as many",
			hex, size, LIMIT_GIT_OBJECT);
	return OK;
}

/* --- tags ----------------------------------------------------------------- */

/*
 * Does this tag lead to the commit, directly or through tag objects? What
 * can't be followed leads nowhere.
 */
static bool tag_names(const git_reference *ref, const git_oid *commit)
{
	const git_oid *id = git.git_reference_target(ref);
	const git_oid *peeled = git.git_reference_target_peel(ref);
	git_object *target = NULL;
	bool is;

	if (id && git.git_oid_equal(id, commit))
		return true;
	if (peeled)
		return git.git_oid_equal(peeled, commit);
	if (git.git_reference_peel(&target, ref, GIT_OBJECT_COMMIT))
		return false;
	is = git.git_oid_equal(
		git.git_commit_id((const git_commit *)target), commit);
	git.git_object_free(target);
	return is;
}

static int by_name(const void *a, const void *b)
{
	const struct repo_tag *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static struct repo_tag make_tag(
	const git_reference *ref, const git_oid *commit, struct arena *a)
{
	const git_oid *id = git.git_reference_target(ref);
	const char *name = git.git_reference_name(ref) + strlen("refs/tags/");
	struct repo_tag tag = {.name = arena_strdup(a, str_from(name))};

	if (id && !git.git_oid_equal(id, commit))
		git.git_oid_tostr(tag.id, sizeof(tag.id), id);
	return tag;
}

static int collect(git_reference_iterator *it, const git_oid *commit,
	struct arena *a, struct repo_tag **tags, uint32_t *n)
{
	git_reference *ref = NULL;
	uint32_t cap = 0;
	int rc;

	while (!(rc = git.git_reference_next(&ref, it))) {
		if (tag_names(ref, commit)) {
			*tags = arena_grow(a, *tags, *n, &cap, sizeof(**tags));
			(*tags)[(*n)++] = make_tag(ref, commit, a);
		}
		git.git_reference_free(ref);
	}
	return rc == GIT_ITEROVER ? 0 : rc;
}

/* What can't be read is left empty: only a signature is looked for in it. */
static void read_tag(
	git_repository *repo, struct repo_tag *tag, struct arena *a)
{
	struct err why = {0};
	git_oid id;

	if (git.git_oid_fromstr(&id, tag->id) ||
		history_object(repo, &id, a, &tag->object, &why))
		tag->object = S("");
}

enum status history_tags(git_repository *repo, const git_oid *commit,
	struct arena *a, struct repo_tag **tags, size_t *n, struct err *e)
{
	git_reference_iterator *it = NULL;
	struct repo_tag *list = NULL;
	uint32_t len = 0;
	int rc = git.git_reference_iterator_glob_new(&it, repo, "refs/tags/*");

	if (!rc)
		rc = collect(it, commit, a, &list, &len);
	git.git_reference_iterator_free(it);
	if (rc)
		return git_fail(e, rc, "listing the tags");
	if (len)
		qsort(list, len, sizeof(*list), by_name);
	if (len == 1 && list->id[0])
		read_tag(repo, list, a);
	*tags = list;
	*n = len;
	return OK;
}
