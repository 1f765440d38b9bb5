/* The service on its folder: up, down, killed; and calls of operations. */
#include "tests/scenario/scenario.h"

#include "base/json.h"
#include "server/doc.h"
#include "tests/scenario/site.h"
#include "tests/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

struct service *site;
static struct state *eye; /* looks at the folder beside whoever works on it */
static char dir[256];
static struct err complaint; /* of the service, the last one */

/* --- the seam ---------------------------------------------------------------
 */

static struct {
	bool kills;
	unsigned at, count; /* at 0: never */
} seam;

static bool changes(enum fs_op op)
{
	return op == FS_WRITE || op == FS_SYNC || op == FS_RENAME ||
	       op == FS_REMOVE || op == FS_CUT || op == FS_MKDIR;
}

static int before(void *user, enum fs_op op, const char *path)
{
	(void)user, (void)path;
	if (!seam.at || !changes(op) || ++seam.count != seam.at)
		return 0;
	if (seam.kills)
		_exit(VFS_EXIT);
	return EIO;
}

static const struct fs files = {.before = before};

static void arm(enum seam s, enum vfs_fault fault, unsigned at)
{
	vfs_arm(s == SEAM_DATABASE ? fault : VFS_NO_SYNC, (int)at);
	seam.kills = fault == VFS_KILL || fault == VFS_TORN;
	seam.at = s == SEAM_FILES ? at : 0;
	seam.count = 0;
}

void site_break(void)
{
	static const enum vfs_fault faults[] = {VFS_IO, VFS_FULL};

	w->broken = w->breaks;
	w->breaks = SEAM_NONE;
	if (w->broken)
		arm(w->broken, faults[w->broken_at % 2], w->broken_at);
}

void site_mend(void)
{
	bool met =
		seam.at ? seam.count >= seam.at : vfs.at && vfs.count >= vfs.at;

	if (w->broken && met)
		w->faults++;
	arm(SEAM_NONE, VFS_NO_SYNC, 0);
	w->broken = SEAM_NONE;
}

/* --- the folder -------------------------------------------------------------
 */

/* Where a sync costs nothing, if there is room for it. */
static const char *room(void)
{
	const char *given = getenv("TMPDIR");
	struct statvfs s;

	if (given && *given)
		return given;
	if (!statvfs("/dev/shm", &s) &&
		(uint64_t)s.f_bavail * s.f_frsize > UINT64_C(2) << 30)
		return "/dev/shm";
	return "/tmp";
}

void site_new(void)
{
	vfs_install();
	sqlite3_vfs_register(&vfs.vfs, 1);
	arm(SEAM_NONE, VFS_NO_SYNC, 0);
	snprintf(dir, sizeof(dir), "%s/regatta-scenario-XXXXXX", room());
	if (!mkdtemp(dir))
		die("scenario: no folder %s", dir);
}

static int remove_one(
	const char *path, const struct stat *sb, int kind, struct FTW *where)
{
	(void)sb, (void)kind, (void)where;
	return remove(path);
}

void site_free(void)
{
	site_down();
	if (nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS))
		fprintf(stderr, "scenario: %s stays\n", dir);
}

const char *site_dir(void)
{
	return dir;
}

unsigned site_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

struct state *site_eye(void)
{
	struct state_options o = {.create = true};
	struct err e = {0};

	if (!eye && state_open(&eye, dir, &o, &e))
		die("scenario: beside the service: %s", e.text);
	return eye;
}

/* --- up and down ------------------------------------------------------------
 */

static void warned(void *user, const char *text)
{
	(void)user;
	err_set(&complaint, E_IO, "%s", text);
}

const char *site_complaint(void)
{
	return complaint.text;
}

static struct decisions *log_of(void *user)
{
	return ((struct service *)user)->decisions;
}

static enum status open_service(struct service **out, struct err *e)
{
	struct service_options o = {.dir = dir,
		.create = true,
		.fs = &files,
		.clock = &w->clock.clock};
	enum status st = service_open(out, &o, e);

	if (!st)
		(*out)->caller.warn = warned;
	return st;
}

/* What service_start() does, but for HTTP and threads. */
static enum status start(struct service *s, struct err *e)
{
	struct state_options so = {.fs = &files};
	struct rollout_options ro = {.dir = dir,
		.fs = &files,
		.clock = &w->clock.clock,
		.decisions = log_of,
		.user = s};
	struct decisions *d;
	struct store *store;
	enum status st = state_open(&s->watch, dir, &so, e);

	s->book = target_book_new(0);
	if (!st)
		st = target_book_load(s->book, s->watch, e);
	if (!st)
		st = shown_refresh(s, e);
	if (!st)
		st = service_store(s, &store, e);
	if (!st)
		st = service_decisions(s, true, &d, e);
	if (!st)
		st = outcomes_record(s, e);
	if (!st)
		st = rollout_engine_new(&s->engine, &ro, e);
	return st;
}

void site_up(void)
{
	struct err e = {0};
	enum status st = open_service(&site, &e);

	if (!st)
		st = start(site, &e);
	if (st)
		die("seed %llu, step %llu: the service does not start: %s",
			(unsigned long long)w->seed,
			(unsigned long long)w->step, e.text);
	checks_start();
}

/* Nothing acknowledged is lost, and nothing that was heard. */
void site_down(void)
{
	struct err e;

	if (site && (target_book_flush(site->book, site->watch, &e) ||
			    decisions_commit(site->decisions, &e) ||
			    decisions_checkpoint(site->decisions, &e)))
		w->faults++;
	service_close(site);
	site = NULL;
	state_close(eye);
	eye = NULL;
}

bool site_serves(void)
{
	return site && w->server_away_ns <= w->true_ns;
}

void site_killed(void (*step)(void))
{
	static const enum vfs_fault faults[] = {VFS_KILL, VFS_TORN};
	int status = 0;
	pid_t pid;

	site_down();
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("scenario: no process");
	if (!pid) {
		arm(w->kill, faults[w->kill_at % 2], w->kill_at);
		site_up();
		step();
		fflush(NULL);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		;
	if (!WIFEXITED(status) ||
		(WEXITSTATUS(status) && WEXITSTATUS(status) != VFS_EXIT))
		die("seed %llu, step %llu: the step to be killed ended by "
		    "itself: status %x",
			(unsigned long long)w->seed,
			(unsigned long long)w->step, (unsigned)status);
	w->kills += WEXITSTATUS(status) == VFS_EXIT;
	w->kill = SEAM_NONE;
	site_up();
}

/* --- operations -------------------------------------------------------------
 */

static struct arena call_arena;
static struct buf call_doc;

static void head(int64_t *seq, int64_t *generation)
{
	struct ledger_line *l;
	size_t n = 0;
	struct err e = {0};

	if (ledger_newest(site_eye(), S(""), 1, &call_arena, &l, &n, &e))
		die("scenario: ledger: %s", e.text);
	*seq = n ? l[0].seq : 0;
	*generation = n ? l[0].after.generation : 0;
}

static struct str member(const char *pointer)
{
	struct str doc, span;
	struct buf text = {0};
	struct err e = {0};

	if (json_check(buf_str(&call_doc), NULL, &doc, &e) ||
		!json_at(doc, str_from(pointer), &span))
		return S("");
	if (json_kind(span) == JSON_STRING)
		json_text(&text, span);
	else
		buf_addstr(&text, span);
	span = arena_str(&call_arena, buf_str(&text));
	buf_release(&text);
	return span;
}

struct str site_said(const char *pointer)
{
	return member(pointer);
}

static enum op_code run(struct op_call *c, const char *name)
{
	struct called x = {
		.name = name, .call = c, .faulty = w->broken != SEAM_NONE};
	const struct op *op = op_find(name);
	struct service *s = site;
	struct err e = {0};

	checks_lines();
	buf_reset(&call_doc);
	head(&x.seq_before, &x.generation_before);
	if (!s && open_service(&s, &e))
		die("scenario: folder: %s", e.text);
	c->now_ns = wall();
	c->a = &call_arena;
	x.may = op->roles & c->roles;
	x.named = op_given(c, "to");
	x.on_bundle = op_given(c, "bundle");
	x.writes = !strcmp(op->method, "POST");
	x.code = op_run(s, op, c, &call_doc);
	if (!site)
		service_close(s);
	head(&x.seq_after, &x.generation_after);
	x.doc = buf_str(&call_doc);
	x.failure = member("/error/text");
	x.changed = str_is(member("/changed"), "true");
	if (!json_int(member("/generation"), &x.generation))
		x.generation = -1;
	w->calls++;
	w->refused_calls += x.code != OP_OK;
	checks_look(&(struct moment){.at = AT_CALL, .call = &x});
	return x.code;
}

enum op_code site_call(const char *who, unsigned roles, const char *name, ...)
{
	struct op_arg args[12];
	struct op_call c = {.args = args, .who = str_from(who), .roles = roles};
	const char *arg;
	va_list ap;

	arena_reset(&call_arena);
	va_start(ap, name);
	while ((arg = va_arg(ap, const char *)) && c.nargs < COUNT(args)) {
		args[c.nargs].name = str_from(arg);
		args[c.nargs++].value = str_from(va_arg(ap, const char *));
	}
	va_end(ap);
	return run(&c, name);
}

enum op_code site_publish(int v, const char *who)
{
	struct op_arg args[] = {{S("bundle"), S(BUNDLE)}, {S("order"), S("")}};
	char order[16];
	struct op_call c = {.args = args,
		.nargs = COUNT(args),
		.who = str_from(who),
		.roles = SERVER_CI};

	arena_reset(&call_arena);
	snprintf(order, sizeof(order), "%d", v + 1);
	args[1].value = str_from(order);
	c.body = version_archive(v);
	return run(&c, "publish");
}

void site_calls_release(void)
{
	arena_release(&call_arena);
	buf_release(&call_doc);
}

/* --- the service's own work -------------------------------------------------
 */

static void trouble(const char *what, enum status st, const struct err *e)
{
	if (!st)
		return;
	w->faults++;
	err_set(&complaint, st, "%s: %s", what, e->text);
	if (!w->broken)
		checks_complain(what, e->text);
}

static void drive(void)
{
	static struct model was;
	struct err e = {0};
	int64_t offset = wall() - w->true_ns;

	w->gap_ns = w->ticked_ns ? mono() - w->ticked_ns : 0;
	w->jump_ns = offset - w->offset_ns;
	was = model;
	trouble("rollouts", rollout_engine_tick(site->engine, &e), &e);
	w->ticked_ns = mono();
	w->offset_ns = offset;
	checks_lines();
	checks_look(&(struct moment){
		.at = AT_TICK, .before = &was, .after = &model});
}

void site_tick(void)
{
	struct err e = {0};

	if (!site_serves())
		return;
	if (channel_busy(model.state) || w->step % 6 == 0)
		trouble("targets",
			target_book_flush(site->book, site->watch, &e), &e);
	trouble("decision log", decisions_tick(site->decisions, &e), &e);
	if (w->engine_away_ns <= w->true_ns)
		drive();
}

void site_look(void)
{
	struct err e = {0};

	if (!site_serves())
		return;
	trouble("channels", shown_refresh(site, &e), &e);
	if (site->rules_due)
		trouble("rules of outcomes", outcomes_record(site, &e), &e);
}
