/* regatta status: what runs where, is it good, what comes next; and live. */
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/operation.h"
#include "cli/output.h"
#include "cli/status_text.h"
#include "cli/stop.h"

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
	struct termios before;
	struct buf shown; /* what was last printed, without a terminal */
	const char *note; /* what a key did */
};

/* --- the terminal --------------------------------------------------------- */

static void take_screen(struct watch *w)
{
	struct termios raw;

	w->screen = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO) &&
		    strcmp(w->p->head.format, "json") != 0 &&
		    !tcgetattr(STDIN_FILENO, &w->before);
	if (!w->screen)
		return;
	raw = w->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\x1b[?1049h\x1b[?25l", stdout); /* its own page, no cursor */
}

static void give_screen(struct watch *w)
{
	if (!w->screen)
		return;
	fputs("\x1b[?25h\x1b[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &w->before);
}

/* A line without what does not fit; escapes have no width. */
static void cut_line(struct buf *out, struct str line, size_t columns)
{
	size_t used = 0;

	for (size_t i = 0; i < line.len;) {
		uint32_t cp;
		size_t n = utf8_decode(line.ptr + i, line.len - i, &cp);

		if (cp == 0x1b)
			n = str_find(line, S("m"), i) + 1 - i;
		else if (++used > columns)
			break;
		buf_add(out, line.ptr + i, n);
		i += n;
	}
	buf_adds(out, "\x1b[0m\x1b[K");
}

static void footer(struct buf *out, const struct watch *w, size_t columns)
{
	struct buf line = {0};

	buf_addf(&line, "p promote  h hold  r rollback  v verdict  q quit%s%s",
		w->note ? "   " : "", w->note ? w->note : "");
	cut_line(out, buf_str(&line), columns);
	buf_release(&line);
}

/* All of it at once, over what stands there: nothing flickers. */
static void draw(struct watch *w, struct str text)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	struct buf out = {0};
	unsigned rows = 0;

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	buf_adds(&out, "\x1b[H");
	while (text.len && rows + 2 < size.ws_row) {
		cut_line(&out, str_take(&text, S("\n")), size.ws_col);
		buf_addc(&out, '\n');
		rows++;
	}
	buf_adds(&out, "\x1b[J\n");
	footer(&out, w, size.ws_col);
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
	w->r->quiet = true;
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
		printf("\r\x1b[K%s y/N ", keys[i].ask);
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

static int show(struct watch *w)
{
	struct arena a = {0};
	struct screen s = screen_of(buf_str(&w->r->out), &a);
	struct buf out = {0};
	int code = ended(&s);

	if (w->screen) {
		status_text(&out, &s, w->full);
		draw(w, buf_str(&out));
	} else {
		show_plain(w, &s);
	}
	buf_release(&out);
	arena_release(&a);
	return w->p->until_done ? code : -1;
}

static int watch(struct watch *w)
{
	int64_t until = clock_mono(&clock_system) + w->p->timeout;
	int code = 0, end = -1;

	while (!stop_asked()) {
		code = look(w);
		if (code)
			return code;
		end = show(w);
		if (end >= 0)
			return end;
		if (w->p->timeout && clock_mono(&clock_system) >= until)
			return EXIT_TIMEOUT;
		if (!w->screen)
			clock_sleep(&clock_system, LOOK_MS * NS_PER_MS);
		else if (!press(w, wait_key(LOOK_MS)))
			return 0;
	}
	return 0;
}

static int run_watch(const struct status_params *p)
{
	struct remote r = {.params = &p->head.remote};
	struct watch w = {.p = p, .r = &r, .full = p->full};
	int code;

	stop_catch();
	take_screen(&w);
	code = watch(&w);
	give_screen(&w);
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
		"people, 124 the time is up.",
	.options = options,
	.noptions = COUNT(options),
	.params = sizeof(struct status_params),
	.usage_exit = EXIT_BAD_USAGE,
	.run = run,
};
