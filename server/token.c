#include "base/digest.h"
#include "base/json.h"
#include "server/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "rgt_"

/* --- the file ------------------------------------------------------------- */

static bool name_valid(struct str s)
{
	return s.len <= SERVER_NAME_MAX && server_target_valid(s);
}

static bool copy_member(
	struct str object, const char *key, size_t max, char *out, size_t *len)
{
	struct buf text = {0};
	struct str span;
	bool fits;

	*len = 0;
	if (!json_member(object, str_from(key), &span))
		return true;
	if (json_kind(span) != JSON_STRING)
		return false;
	json_text(&text, span);
	fits = text.len <= max;
	if (fits && text.len) {
		memcpy(out, text.ptr, text.len);
		*len = text.len;
	}
	buf_release(&text);
	return fits;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool sum_parse(unsigned char sum[32], struct str hex)
{
	if (hex.len != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		int high = digit(hex.ptr[2 * i]),
		    low = digit(hex.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		sum[i] = (unsigned char)(high * 16 + low);
	}
	return true;
}

static enum status token_parse(
	struct server_token *t, struct str object, struct err *e)
{
	char role[16] = "", hex[64];
	size_t name_len, role_len, target_len, hex_len;

	*t = (struct server_token){0};
	if (!copy_member(object, "name", SERVER_NAME_MAX, t->name, &name_len) ||
		!name_valid((struct str){t->name, name_len}))
		return err_set(
			e, E_INVALID, "a token without a valid \"name\"");
	if (!copy_member(object, "role", sizeof(role), role, &role_len))
		role_len = 0;
	t->role = server_role_find((struct str){role, role_len});
	if (!t->role)
		return err_set(e, E_INVALID,
			"token %s: \"role\" must be agent, ci, release, oncall "
			"or viewer",
			t->name);
	if (!copy_member(object, "target", SERVER_TARGET_MAX, t->target,
		    &target_len) ||
		(target_len && !server_target_valid(
				       (struct str){t->target, target_len})))
		return err_set(
			e, E_INVALID, "token %s: not a target's id", t->name);
	if (!copy_member(object, "sha256", sizeof(hex), hex, &hex_len) ||
		!sum_parse(t->sha256, (struct str){hex, hex_len}))
		return err_set(e, E_INVALID,
			"token %s: \"sha256\" must be 64 lower-case "
			"hexadecimal "
			"digits",
			t->name);
	return OK;
}

static int by_sum(const void *a, const void *b)
{
	const struct server_token *x = a, *y = b;

	return memcmp(x->sha256, y->sha256, sizeof(x->sha256));
}

static struct server_token *token_add(struct server_tokens *t)
{
	/* Powers of two: the array is full when its length is one. */
	if (!(t->len & (t->len - 1))) {
		size_t cap = t->len ? t->len * 2 : 1;
		struct server_token *more =
			reallocarray(t->items, cap, sizeof(*more));

		if (!more)
			die("out of memory: %zu tokens", cap);
		t->items = more;
	}
	return &t->items[t->len++];
}

static enum status list_parse(
	struct server_tokens *t, struct str list, struct err *e)
{
	struct json_iter it = json_iter(list);
	enum status st = OK;

	while (!st && json_next(&it)) {
		if (t->len == LIMIT_TOKENS)
			return err_set(e, E_LIMIT, "more than %u tokens",
				LIMIT_TOKENS);
		st = token_parse(token_add(t), it.value, e);
	}
	if (!st && t->len)
		qsort(t->items, t->len, sizeof(*t->items), by_sum);
	return st;
}

enum status server_tokens_parse(
	struct server_tokens *out, struct str text, struct err *e)
{
	struct server_tokens t = {0};
	struct str doc, list;
	enum status st = json_check(text, NULL, &doc, e);

	if (st)
		return st;
	if (!json_member(doc, S("tokens"), &list) ||
		json_kind(list) != JSON_ARRAY)
		return err_set(e, E_INVALID, "no list \"tokens\" in it");
	st = list_parse(&t, list, e);
	if (st)
		server_tokens_release(&t);
	else
		*out = t;
	return st;
}

enum status server_tokens_read(struct server_tokens *out, const struct fs *fs,
	const char *path, struct err *e)
{
	struct fs_info info;
	struct buf text = {0};
	enum status st = fs_stat(fs, path, &info, e);

	if (!st && info.kind == FS_NONE) {
		*out = (struct server_tokens){0};
		return OK;
	}
	if (!st)
		st = fs_read(fs, path, LIMIT_TOKENS_FILE, &text, e);
	if (!st) {
		st = server_tokens_parse(out, buf_str(&text), e);
		if (st)
			err_wrap(e, "%s", path);
	}
	buf_release(&text);
	return st;
}

static void token_write(const struct server_token *t, struct buf *out)
{
	buf_adds(out, "{\"name\": ");
	json_quote(out, str_from(t->name));
	buf_addf(out, ", \"role\": \"%s\"", server_role_name(t->role));
	if (t->target[0]) {
		buf_adds(out, ", \"target\": ");
		json_quote(out, str_from(t->target));
	}
	buf_adds(out, ", \"sha256\": \"");
	digest_hex(out, t->sha256, sizeof(t->sha256));
	buf_adds(out, "\"}");
}

void server_tokens_write(const struct server_tokens *t, struct buf *out)
{
	buf_adds(out, "{\"tokens\": [");
	for (size_t i = 0; i < t->len; i++) {
		buf_adds(out, i ? ",\n" : "\n");
		token_write(&t->items[i], out);
	}
	buf_adds(out, "\n]}\n");
}

void server_tokens_release(struct server_tokens *t)
{
	free(t->items);
	*t = (struct server_tokens){0};
}

/* --- asking -----------------------------------------------------------------
 */

/*
 * The place is searched for by the sum, and the sum compared in constant time.
 * What the search leaks is where the sum of a guess stands among others, and
 * nobody can make a guess from the sum it should have.
 */
const struct server_token *token_of(
	const struct server_tokens *t, const unsigned char sum[32])
{
	static const unsigned char none[32];
	size_t low = 0, high = t->len;
	bool found;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(t->items[middle].sha256, sum, 8) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	found = digest_equal(
		low < t->len ? t->items[low].sha256 : none, sum, 32);
	return found && low < t->len ? &t->items[low] : NULL;
}

const struct server_token *server_token_find(
	const struct server_tokens *t, struct str token)
{
	unsigned char sum[DIGEST_MAX];

	if (token.len > SERVER_TOKEN_LEN)
		token.len = SERVER_TOKEN_LEN + 1; /* as wrong, and no dearer */
	digest(DIGEST_SHA256, token, sum);
	return token_of(t, sum);
}

/* --- changing ---------------------------------------------------------------
 */

/* One writer at a time: the lock is a file beside it that stays. */
static int lock(const char *path, struct err *e)
{
	struct buf name = {0};
	int fd;

	buf_addf(&name, "%s.lock", path);
	fd = open(name.ptr, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	while (fd >= 0 && flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			close(fd);
			fd = -1;
		}
	if (fd < 0)
		err_sys(e, errno, "locking %s", name.ptr);
	buf_release(&name);
	return fd;
}

static size_t find_name(const struct server_tokens *t, const char *name)
{
	size_t i = 0;

	while (i < t->len && strcmp(t->items[i].name, name) != 0)
		i++;
	return i;
}

static enum status store(const struct fs *fs, const char *path,
	const struct server_tokens *t, struct err *e)
{
	struct buf text = {0};
	enum status st;

	server_tokens_write(t, &text);
	st = fs_write(fs, path, buf_str(&text), 0600, e);
	buf_release(&text);
	return st;
}

static enum status token_check(const struct server_tokens *all,
	const char *name, unsigned role, const char *target, struct err *e)
{
	if (!name_valid(str_from(name)))
		return err_set(e, E_INVALID,
			"\"%s\" is no name for a token: 1 to %d of A-Z a-z 0-9 "
			". _ - : @",
			name, SERVER_NAME_MAX);
	if (!*server_role_name(role))
		return err_set(e, E_INVALID, "a token has exactly one role");
	if (*target && role != SERVER_AGENT)
		return err_set(e, E_INVALID,
			"a target goes with the role agent, not %s",
			server_role_name(role));
	if (*target && !server_target_valid(str_from(target)))
		return err_set(e, E_INVALID,
			"\"%s\" is no id of a target: 1 to %d of A-Z a-z 0-9 . "
			"_ - : @",
			target, SERVER_TARGET_MAX);
	if (find_name(all, name) < all->len)
		return err_set(e, E_EXISTS,
			"there is a token %s; revoke it first", name);
	if (all->len == LIMIT_TOKENS)
		return err_set(e, E_LIMIT, "there are %u tokens already",
			LIMIT_TOKENS);
	return OK;
}

static void token_make(struct server_token *t, const char *name, unsigned role,
	const char *target, struct str text)
{
	unsigned char sum[DIGEST_MAX];

	*t = (struct server_token){.role = role};
	memcpy(t->name, name, strlen(name));
	memcpy(t->target, target, strlen(target));
	digest(DIGEST_SHA256, text, sum);
	memcpy(t->sha256, sum, sizeof(t->sha256));
}

enum status server_token_add(const struct fs *fs, const char *path,
	const char *name, unsigned role, const char *target,
	const unsigned char random[SERVER_TOKEN_RANDOM], struct buf *out,
	struct err *e)
{
	struct server_tokens all = {0};
	struct buf text = {0};
	int fd = lock(path, e);
	enum status st;

	if (fd < 0)
		return E_IO;
	target = target ? target : "";
	st = server_tokens_read(&all, fs, path, e);
	if (!st)
		st = token_check(&all, name, role, target, e);
	if (!st) {
		buf_adds(&text, PREFIX);
		digest_hex(&text, random, SERVER_TOKEN_RANDOM);
		token_make(token_add(&all), name, role, target, buf_str(&text));
		st = store(fs, path, &all, e);
	}
	if (!st)
		buf_addstr(out, buf_str(&text));
	if (text.ptr)
		explicit_bzero(text.ptr, text.cap);
	buf_release(&text);
	server_tokens_release(&all);
	close(fd);
	return st;
}

enum status server_token_revoke(
	const struct fs *fs, const char *path, const char *name, struct err *e)
{
	struct server_tokens all = {0};
	int fd = lock(path, e);
	enum status st;
	size_t at;

	if (fd < 0)
		return E_IO;
	st = server_tokens_read(&all, fs, path, e);
	at = find_name(&all, name);
	if (!st && at == all.len)
		st = err_set(e, E_NOT_FOUND, "%s has no token %s", path, name);
	if (!st) {
		all.items[at] = all.items[--all.len];
		st = store(fs, path, &all, e);
	}
	server_tokens_release(&all);
	close(fd);
	return st;
}

/* --- a running server -------------------------------------------------------
 */

static bool same_file(const struct tokens_seen *a, const struct tokens_seen *b)
{
	return a->sec == b->sec && a->nsec == b->nsec && a->inode == b->inode &&
	       a->size == b->size;
}

/*
 * A file that can't be read leaves the tokens that were in force: no typing
 * mistake may cut a fleet off. One that is gone has no tokens.
 */
void tokens_refresh(struct server *s)
{
	struct tokens_seen seen = {0};
	struct server_tokens fresh = {0}, old;
	struct stat info;
	struct err e = {0};

	if (!stat(s->cfg.tokens, &info))
		seen = (struct tokens_seen){info.st_mtim.tv_sec,
			info.st_mtim.tv_nsec, info.st_ino,
			(uint64_t)info.st_size};
	if (same_file(&seen, &s->tokens_seen))
		return;
	s->tokens_seen = seen;
	if (server_tokens_read(&fresh, s->cfg.fs, s->cfg.tokens, &e)) {
		server_warn(
			s, "%s; the tokens read before stay in force", e.text);
		return;
	}
	pthread_rwlock_wrlock(&s->tokens_lock);
	old = s->tokens;
	s->tokens = fresh;
	if (fresh.len)
		s->had_tokens = true;
	pthread_rwlock_unlock(&s->tokens_lock);
	server_tokens_release(&old);
}
