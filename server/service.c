#include "server/serving.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_KEY "log.key"
#define LOG_PUBLIC "log.pub"
/* Each day has a file: a clock that is wrong makes no more than that. */
#define KEPT (366 * INT64_C(86400) * NS_PER_S)
#define LOG_NAME "regatta.local/log"

static const struct state_options *options_of(
	const struct service *s, struct state_options *o, bool create)
{
	*o = (struct state_options){
		.fs = s->fs, .busy_ms = s->busy_ms, .create = create};
	return o;
}

static void init_wake(struct service *s)
{
	pthread_condattr_t mono;

	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &mono);
	pthread_condattr_destroy(&mono);
}

enum status service_open(
	struct service **out, const struct service_options *o, struct err *e)
{
	struct service *s = calloc(1, sizeof(*s));
	struct state_options so;
	enum status st;

	if (!s)
		die("out of memory: service");
	s->dir = arena_strdup(&s->arena, str_from(o->dir));
	s->fs = o->fs;
	s->clock = o->clock ? o->clock : &clock_system;
	s->busy_ms = o->busy_ms;
	s->disk = o->disk;
	if (!s->disk.mark.percent)
		s->disk.mark.percent = DISK_PERCENT;
	if (!s->disk.mark.floor)
		s->disk.mark.floor = MIB(DISK_FLOOR_MIB);
	pthread_mutex_init(&s->state_lock, NULL);
	pthread_mutex_init(&s->open_lock, NULL);
	pthread_mutex_init(&s->wake_lock, NULL);
	pthread_mutex_init(&s->diff_lock, NULL);
	init_wake(s);
	pthread_rwlock_init(&s->shown_lock, NULL);
	st = state_open(&s->state, s->dir, options_of(s, &so, o->create), e);
	if (st)
		service_close(s);
	else
		*out = s;
	return st;
}

void service_close(struct service *s)
{
	if (!s)
		return;
	service_stop(s);
	decisions_close(s->decisions);
	note_key_free(s->log_key);
	notifier_free(s->notifier);
	store_close(s->store);
	state_close(s->state);
	pthread_rwlock_destroy(&s->shown_lock);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->wake_lock);
	pthread_mutex_destroy(&s->diff_lock);
	buf_release(&s->diff_of);
	buf_release(&s->diff);
	pthread_mutex_destroy(&s->open_lock);
	pthread_mutex_destroy(&s->state_lock);
	arena_release(&s->arena);
	free(s);
}

void service_warn(struct service *s, const char *fmt, ...)
{
	struct err e;
	va_list ap;

	if (!s->caller.warn)
		return;
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	s->caller.warn(s->caller.user, e.text);
}

/* --- what operations use -------------------------------------------------- */

const char *service_dir(const struct service *s)
{
	return s->dir;
}

const struct fs *service_fs(const struct service *s)
{
	return s->fs;
}

const struct clock *service_clock(const struct service *s)
{
	return s->clock;
}

struct state *service_state(struct service *s)
{
	return s->state;
}

struct target_book *service_book(struct service *s)
{
	return s->book;
}

void service_lock(struct service *s)
{
	pthread_mutex_lock(&s->state_lock);
}

void service_unlock(struct service *s)
{
	pthread_mutex_unlock(&s->state_lock);
}

static enum status open_store(struct service *s, struct err *e)
{
	struct arena a = {0};
	enum status st = store_open(&s->store,
		arena_printf(&a, "dir:%s/" STATE_BUNDLES, s->dir), s->fs, e);

	arena_release(&a);
	return st;
}

enum status service_store(struct service *s, struct store **out, struct err *e)
{
	enum status st = OK;

	pthread_mutex_lock(&s->open_lock);
	if (!s->store)
		st = open_store(s, e);
	*out = s->store;
	pthread_mutex_unlock(&s->open_lock);
	return st;
}

enum status service_archive(
	struct service *s, struct str digest, struct buf *out, struct err *e)
{
	struct buf name = {0};
	struct store *store;
	enum status st = service_store(s, &store, e);

	buf_addf(&name, "sha256:%.*s", STR_ARG(digest));
	if (!st)
		st = store_get(store, name.ptr, out, e);
	buf_release(&name);
	return st;
}

enum status service_bundle(
	struct service *s, struct str digest, struct bundle *out, struct err *e)
{
	struct buf bytes = {0};
	enum status st = service_archive(s, digest, &bytes, e);

	if (!st)
		st = bundle_unpack(out, buf_str(&bytes), e);
	buf_release(&bytes);
	return st;
}

/* --- the decision log ----------------------------------------------------- */

/* Where the key is, the log was too. */
static enum status no_log_is_gone(
	struct service *s, struct arena *a, struct err *e)
{
	const char *log = arena_printf(a, "%s/" STATE_DECISIONS, s->dir);
	struct fs_info info;
	enum status st = fs_stat(s->fs, log, &info, e);

	if (!st && info.kind == FS_NONE)
		return err_set(e, E_INVALID,
			"%s is gone, and %s/" LOG_PUBLIC " is there: put it "
			"back from a backup, or move " LOG_KEY
			" and " LOG_PUBLIC " away to begin a new log",
			log, s->dir);
	return st;
}

/* The key that signs its checkpoints, made at first use. */
static enum status make_log_key(
	struct service *s, const char *path, struct arena *a, struct err *e)
{
	struct buf private_line = {0}, public_line = {0};
	enum status st =
		note_key_generate(S(LOG_NAME), &private_line, &public_line, e);

	buf_addc(&private_line, '\n');
	buf_addc(&public_line, '\n');
	if (!st)
		st = fs_mkdirs(s->fs,
			arena_printf(a, "%s/" STATE_DECISIONS, s->dir), 0750,
			e);
	/* The private half last: where it is, the other one is too. */
	if (!st)
		st = fs_write(s->fs, arena_printf(a, "%s/" LOG_PUBLIC, s->dir),
			buf_str(&public_line), 0644, e);
	if (!st)
		st = fs_write(s->fs, path, buf_str(&private_line), 0600, e);
	explicit_bzero(private_line.ptr, private_line.len);
	buf_release(&private_line);
	buf_release(&public_line);
	return st;
}

static enum status load_log_key(struct service *s, struct err *e)
{
	struct arena a = {0};
	const char *path = arena_printf(&a, "%s/" LOG_KEY, s->dir);
	struct fs_info info;
	enum status st = fs_stat(s->fs, path, &info, e);

	if (!st && info.kind == FS_NONE)
		st = make_log_key(s, path, &a, e);
	else if (!st)
		st = no_log_is_gone(s, &a, e);
	if (!st)
		st = note_key_load(&s->log_key, path, e);
	arena_release(&a);
	return st;
}

static enum status there_is_a_log(struct service *s, struct err *e)
{
	struct arena a = {0};
	struct fs_info info;
	enum status st = fs_stat(s->fs,
		arena_printf(&a, "%s/" STATE_DECISIONS, s->dir), &info, e);

	arena_release(&a);
	if (!st && info.kind == FS_NONE)
		return err_set(e, E_NOT_FOUND,
			"%s has no decision log: no agent has sent one to it",
			s->dir);
	return st;
}

static enum status open_decisions(struct service *s, bool write, struct err *e)
{
	struct decisions_config c = {.dir = s->dir,
		.fs = s->fs,
		.clock = s->clock,
		.read_only = !write,
		.disk = s->disk.read,
		.disk_user = s->disk.user,
		.mark = s->disk.mark,
		.retention_ns = KEPT};
	enum status st = write ? load_log_key(s, e) : there_is_a_log(s, e);

	c.key = s->log_key;
	if (!st)
		st = decisions_open(&s->decisions, &c, e);
	s->decisions_write = !st && write;
	return st;
}

enum status service_decisions(
	struct service *s, bool write, struct decisions **out, struct err *e)
{
	enum status st = OK;

	pthread_mutex_lock(&s->open_lock);
	if (s->decisions && write && !s->decisions_write) {
		decisions_close(s->decisions);
		s->decisions = NULL;
	}
	if (!s->decisions)
		st = open_decisions(s, write, e);
	*out = s->decisions;
	pthread_mutex_unlock(&s->open_lock);
	return st;
}

enum status service_disk(struct service *s, struct decisions_disk *out,
	struct decisions_mark *mark, struct err *e)
{
	*mark = s->disk.mark;
	return s->disk.read ? s->disk.read(s->disk.user, out, e)
			    : decisions_disk_read(s->dir, out, e);
}

static void not_told(void *user, const struct err *e)
{
	service_warn(user, "notify: %s", e->text);
}

void service_notify(struct service *s, const char *const *argv)
{
	s->notifier = notifier_new(argv, not_told, s);
}
