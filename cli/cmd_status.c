/* regatta status: what runs where, is it good, what comes next; and live. */
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/operation.h"
#include "cli/output.h"
#include "cli/status_text.h"
#include "cli/stop.h"
#include "server/doc.h"

struct status_params {
	struct operation_params head;
	const char *bundle;
	bool watch, full, until_done;
	int64_t timeout;
};

#define AT(field) offsetof(struct status_params, field)

/* clang-format off */
static const struct option options[] = {
	BUNDLE_OPTION(AT(bundle)),
	{0, "full", OPT_BOOL, AT(full), NULL, NULL, "the verdict's small print and the stragglers too"},
	OUTPUT_OPTION(struct status_params),
	SERVER_OPTION(struct status_params),
	STATE_OPTION(struct status_params),
	{0, "timeout", OPT_DURATION, AT(timeout), "duration", NULL, "end --watch and --until-done after that, with exit code 124"},
	{0, "until-done", OPT_BOOL, AT(until_done), NULL, NULL, "end when the rollout has ended, and say how by the exit code"},
	{'w', "watch", OPT_BOOL, AT(watch), NULL, NULL, "stay and show what changes"},
};
/* clang-format on */

enum { LOOK_MS = 500 };

struct watch {
	const struct status_params *p;
	struct remote *r;
	bool screen; /* a terminal that is ours */
	bool full;
	struct buf shown; /* the text on the screen; else what it was about */
	const char *note; /* what a key did */
};

/* --- the terminal --------------------------------------------------------- */

static struct termios before; /* for a signal handler, too */

static void restore(void)
{
	static const char end[] = "\x1b[0m\x1b[?25h\x1b[?1049l";

	(void)!write(STDOUT_FILENO, end, sizeof(end) - 1);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void take_screen(struct watch *w)
{
	struct termios raw;

	w->screen = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) &&
		    strcmp(w->p->head.format, "json") != 0 &&
		    !tcgetattr(STDIN_FILENO, &before);
	if (!w->screen)
		return;
	w->r->quiet = true;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	stop_undo(restore);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\x1b[?1049h\x1b[?25l", stdout); /* its own page, no cursor */
}

static void give_screen(struct watch *w)
{
	if (!w->screen)
		return;
	fflush(stdout);
	restore();
	stop_undo(NULL);
}

/*
 * A line without what does not fit; escapes have no width. Behind a full line
 * the cursor still stands on its last letter, which must not be erased.
 */
static void cut_line(struct buf *out, struct str line, size_t columns)
{
	size_t used = 0;

	for (size_t i = 0; i < line.len;) {
		uint32_t cp;
		size_t n = utf8_decode(line.ptr + i, line.len - i, &cp);

		if (cp == 0x1b)
			n = str_find(line, S("m"), i) + 1 - i;
		else if (used++ == columns)
			break;
		buf_add(out, line.ptr + i, n);
		i += n;
	}
	buf_adds(out, used < columns ? "\x1b[0m\x1b[K" : "\x1b[0m");
}

static void footer(struct buf *out, const struct watch *w, size_t columns)
{
	struct buf line = {0};

	buf_addf(&line, "p promote  h hold  r rollback  v verdict  q quit%s%s",
		w->note ? "   " : "", w->note ? w->note : "");
	cut_line(out, buf_str(&line), columns);
	buf_release(&line);
}

/* A terminal that nobody told its size says that it is 0 by 0. */
static struct winsize screen_size(void)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row ||
		!size.ws_col)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	return size;
}

/* All of it at once, over what stands there: nothing flickers. */
static void draw(struct watch *w, struct str text)
{
	struct winsize size = screen_size();
	struct buf out = {0};
	unsigned rows = 0;

	buf_adds(&out, "\x1b[H");
	while (text.len && rows + 2 < size.ws_row) {
		cut_line(&out, str_take(&text, S("\n")), size.ws_col);
		buf_addc(&out, '\n');
		rows++;
	}
	buf_adds(&out, "\x1b[K\n");
	footer(&out, w, size.ws_col);
	if (rows + 2 < size.ws_row)
		buf_adds(&out, "\n\x1b[J\x1b[A"); /* what stood below */
	fwrite(out.ptr, 1, out.len, stdout);
	fflush(stdout);
	buf_release(&out);
}

/* --- keys ----------------------------------------------------------------- */

static int wait_key(int64_t ms)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	char c;

	if (poll(&p, 1, (int)ms) <= 0 || read(STDIN_FILENO, &c, 1) != 1)
		return 0;
	return c;
}

static void do_operation(struct watch *w, const char *op, const char *name)
{
	remote_reset(w->r);
	remote_text(w->r, "bundle", w->p->bundle);
	remote_text(w->r, "reason", "by hand, from the status screen");
	w->note = remote_call(w->r, op)
			  ? arena_strdup(
				    &w->r->a, str_from("refused; q, then "
						       "the command says why"))
			  : name;
}

/* False: leave. */
static bool press(struct watch *w, int key)
{
	static const struct {
		int key;
		const char *op, *ask, *done;
	} keys[] = {
		{'p', "promote", "promote to the next ring?", "promoted"},
		{'h', "hold", "hold the rollout?", "held"},
		{'r', "rollback", "roll back now?", "rolled back"},
	};

	if (key == 'q')
		return false;
	if (key == 'v')
		w->full = !w->full;
	for (size_t i = 0; i < COUNT(keys); i++) {
		if (key != keys[i].key)
			continue;
		printf("\r%s y/N \x1b[K", keys[i].ask);
		fflush(stdout);
		w->note = NULL;
		if (wait_key(10000) == 'y')
			do_operation(w, keys[i].op, keys[i].done);
	}
	return true;
}

/* --- watching ------------------------------------------------------------- */

static int look(struct watch *w)
{
	remote_reset(w->r);
	remote_text(w->r, "bundle", w->p->bundle);
	return remote_call(w->r, "status");
}

/* What changes without news: times. */
static void show_plain(struct watch *w, struct screen *s)
{
	struct buf key = {0};

	buf_addf(&key, "%.*s %.*s %.*s %.*s %.*s",
		STR_ARG(see(s, "/generation")), STR_ARG(see(s, "/state")),
		STR_ARG(see(s, "/verdict/time")),
		STR_ARG(see_part(s, "/targets/running")),
		STR_ARG(see(s, "/rollout/waiting")));
	if (!str_eq(buf_str(&key), buf_str(&w->shown))) {
		struct buf out = {0};

		if (!strcmp(w->p->head.format, "json")) {
			buf_addstr(&out, s->doc);
			buf_addc(&out, '\n');
		} else {
			buf_addf(&out, "-- %.*s\n", STR_ARG(see(s, "/time")));
			status_text(&out, s, w->full);
		}
		print_buf(stdout, &out);
		fflush(stdout);
		buf_release(&out);
		buf_reset(&w->shown);
		buf_addstr(&w->shown, buf_str(&key));
	}
	buf_release(&key);
}

/* 0, 7 or 8 when the rollout has ended or waits for people; -1: it goes on. */
static int ended(const struct screen *s)
{
	static const struct {
		const char *state;
		int code;
	} ends[] = {
		{"idle", 0},
		{"succeeded", 0},
		{"rolled-back", OP_VERDICT_FAIL},
		{"refused", OP_VERDICT_FAIL},
		{"aborted", OP_PENDING},
		{"hold", OP_PENDING},
	};

	for (size_t i = 0; i < COUNT(ends); i++)
		if (str_is(see(s, "/state"), ends[i].state))
			return ends[i].code;
	return -1;
}

/* What an answer says; -1, or what to end with. */
static int show(struct watch *w)
{
	struct arena a = {0};
	struct screen s = screen_of(buf_str(&w->r->out), &a);
	int code = ended(&s);

	if (w->screen) {
		buf_reset(&w->shown);
		status_text(&w->shown, &s, w->full);
		draw(w, buf_str(&w->shown));
	} else {
		show_plain(w, &s);
	}
	arena_release(&a);
	return w->p->until_done ? code : -1;
}

static const char *why_not(struct remote *r)
{
	struct str text = doc_see(buf_str(&r->out), "/error/text", &r->a);

	return text.len ? arena_strdup(&r->a, text) : "no answer; still trying";
}

/*
 * Look again. On a screen one that gets no answer stays: servers are started
 * anew. -1: go on.
 */
static int look_again(struct watch *w)
{
	int code = look(w);

	if (!code)
		return show(w);
	if (!w->screen)
		return code;
	w->note = why_not(w->r);
	draw(w, buf_str(&w->shown));
	w->note = NULL;
	return -1;
}

/* False: somebody leaves. */
static bool pause_for_keys(struct watch *w)
{
	if (w->screen)
		return press(w, wait_key(LOOK_MS));
	clock_sleep(&clock_system, LOOK_MS * NS_PER_MS);
	return true;
}

static int watch(struct watch *w)
{
	int64_t until = clock_mono(&clock_system) + w->p->timeout;
	int end = show(w);

	while (end < 0) {
		if (w->p->timeout && clock_mono(&clock_system) >= until)
			return EXIT_TIMEOUT;
		if (!pause_for_keys(w))
			return w->p->until_done ? OP_PENDING : 0;
		/* To leave is no success of what was waited for. */
		if (stop_asked())
			return w->p->until_done ? stop_exit() : 0;
		end = look_again(w);
	}
	return end;
}

static int run_watch(const struct status_params *p)
{
	struct remote r = {.params = &p->head.remote};
	struct watch w = {.p = p, .r = &r, .full = p->full};
	int code;

	stop_catch();
	code = look(&w);
	if (!code) {
		take_screen(&w);
		code = watch(&w);
		give_screen(&w);
	}
	buf_release(&w.shown);
	remote_release(&r);
	return code;
}

/* --- once ----------------------------------------------------------------- */

static int run_once(const struct status_params *p)
{
	struct remote r = {.params = &p->head.remote};
	struct buf out = {0};
	struct screen s;
	int code;

	remote_text(&r, "bundle", p->bundle);
	code = remote_call(&r, "status");
	if (r.out.len && !strcmp(p->head.format, "json"))
		json_print(stdout, buf_str(&r.out));
	if (!code && strcmp(p->head.format, "json") != 0) {
		s = screen_of(buf_str(&r.out), &r.a);
		status_text(&out, &s, p->full);
		print_buf(stdout, &out);
	}
	buf_release(&out);
	remote_release(&r);
	return code;
}

static int run(
	const struct command *c, const void *params, const struct list *args)
{
	const struct status_params *p = params;

	if (args->len)
		return usage_error(c,
			"unknown argument \"%s\"; --bundle names "
			"the bundle",
			args->items[0]);
	return p->watch || p->until_done ? run_watch(p) : run_once(p);
}

const struct command cmd_status = {
	.name = "status",
	.args = "",
	.summary = "Say what runs where, how its rollout goes, what it waits "
		   "for",
	.text = "With --watch it stays: on a terminal as a screen with keys, "
		"elsewhere as a block of\nlines at each change, with -o json "
		"as one document a line.\n\nExit codes of --until-done: 0 it "
		"succeeded, 7 it was rolled back or refused, 8 it\nwaits for "
		"people or q was pressed, 124 the time\nis up, 130 or 143 it "
		"was stopped.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct status_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
