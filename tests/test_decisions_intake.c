/* Bodies in, events kept: once each, and whatever happens. */
#include "tests/decisions.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <zstd.h>

#include "decisions/internal.h"

/* --- bodies -------------------------------------------------------------- */

static struct batch parsed(struct str body)
{
	struct batch b = {0};

	batch_parse(&b, body, NULL, S("eu-1"));
	return b;
}

static unsigned bad_items(const struct batch *b)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < b->n; i++)
		n += b->items[i].reason != NULL;
	return n;
}

#define EV(id)                                                                 \
	"{\"decision_id\":\"" id "\",\"timestamp\":\"2026-11-24T10:00:00Z\"}"

static void every_shape_of_a_body_is_taken(void **state)
{
	/* clang-format off */
	static const struct {
		const char *body;
		unsigned n, bad;
		const char *reason; /* of the last bad one */
	} cases[] = {
		{"", 0, 0, NULL},
		{" \n", 0, 0, NULL},
		{"[]", 0, 0, NULL},
		{"[" EV("a") "," EV("b") "]", 2, 0, NULL},
		{EV("a") "\n" EV("b") "\n", 2, 0, NULL},
		{" " EV("a"), 1, 0, NULL},
		{"[" EV("a") ",7," EV("b") "]", 3, 1, "object"},
		{"[" EV("a") ",{]," EV("b") "]", 3, 1, "a key"},
		{"[" EV("a") ",{\"x\":nul}," EV("b") "]", 3, 1, "a value"},
		{"[" EV("a") "," EV("b"), 2, 0, NULL},
		{"[" EV("a") ",{\"a\"", 2, 1, "':'"},
		{"[" EV("a") "] x", 2, 1, "after the array"},
		{"[" EV("a") " " EV("b") "]", 2, 1, "neither"},
		{EV("a") "\n{oops\n" EV("b"), 3, 1, "a key"},
		{"\xff", 1, 1, ""},
		{"\x1f\x8b", 1, 1, "too early"},
		{"[" EV("") "]", 1, 1, "empty decision_id"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct batch b = parsed(str_from(cases[i].body));

		if (b.n != cases[i].n || bad_items(&b) != cases[i].bad)
			fail_msg("%s: %u items, %u bad", cases[i].body, b.n,
				bad_items(&b));
		for (uint32_t k = 0; k < b.n; k++)
			if (b.items[k].reason &&
				!strstr(b.items[k].reason, cases[i].reason))
				fail_msg("%s: %s", cases[i].body,
					b.items[k].reason);
		batch_release(&b);
	}
}

/* An array of `depth` brackets as the input of an event. */
static void deep(struct buf *b, unsigned depth)
{
	buf_adds(b, "[" EV("a") ",{\"decision_id\":\"d\",\"timestamp\":"
				"\"2026-11-24T10:00:00Z\",\"input\":");
	for (unsigned i = 1; i < depth; i++)
		buf_addc(b, '[');
	for (unsigned i = 1; i < depth; i++)
		buf_addc(b, ']');
	buf_adds(b, "}," EV("b") "]");
}

static void too_deep_an_event_is_bad_alone(void **state)
{
	(void)state;
	for (unsigned depth = LIMIT_EVENT_DEPTH; depth <= LIMIT_EVENT_DEPTH + 1;
		depth++) {
		struct buf text = {0};
		struct batch b;

		deep(&text, depth);
		b = parsed(buf_str(&text));
		assert_num(b.n, 3);
		assert_num(bad_items(&b), depth > LIMIT_EVENT_DEPTH);
		batch_release(&b);
		buf_release(&text);
	}
}

static void gzip_is_taken_and_its_damage_kept(void **state)
{
	struct buf text = {0}, packed = {0};
	struct batch b;

	(void)state;
	add_batch(&text, 0, 10);
	gzip(&packed, buf_str(&text));
	b = parsed(buf_str(&packed));
	assert_num(b.n, 10);
	assert_num(bad_items(&b), 0);
	batch_release(&b);
	for (size_t i = 2; i < packed.len; i += 7) { /* cut short */
		b = parsed(str_slice(buf_str(&packed), 0, i));
		assert_num(b.n, 1);
		assert_num(bad_items(&b), 1);
		assert_num(b.items[0].bytes.len, i);
		batch_release(&b);
	}
	packed.ptr[packed.len / 2] ^= 1;
	b = parsed(buf_str(&packed));
	assert_num(bad_items(&b), 1);
	batch_release(&b);
	packed.ptr[packed.len / 2] ^= 1;
	buf_addstr(&packed, S("more"));
	b = parsed(buf_str(&packed));
	assert_num(bad_items(&b), 1);
	assert_non_null(strstr(b.items[0].reason, "after the end"));
	batch_release(&b);
	buf_release(&text);
	buf_release(&packed);
}

static void inflating_stops_at_its_limit(void **state)
{
	(void)state;
	for (int over = 0; over < 2; over++) {
		struct buf text = {0}, packed = {0};
		size_t len = LIMIT_BATCH_INFLATED + (size_t)over;
		struct batch b;

		memset(buf_reserve(&text, len), ' ', len);
		text.len = len;
		gzip(&packed, buf_str(&text));
		b = parsed(buf_str(&packed));
		assert_num(b.n, over);
		if (over)
			assert_non_null(strstr(b.items[0].reason, "64 MiB"));
		batch_release(&b);
		buf_release(&text);
		buf_release(&packed);
	}
}

static void an_upload_has_so_many_events_at_most(void **state)
{
	struct buf text = {0};
	struct batch b;

	(void)state;
	buf_addc(&text, '[');
	for (unsigned i = 0; i < LIMIT_BATCH_EVENTS; i++)
		buf_adds(&text, "1,");
	text.ptr[text.len - 1] = ']';
	b = parsed(buf_str(&text));
	assert_num(b.n, LIMIT_BATCH_EVENTS);
	batch_release(&b);
	text.ptr[text.len - 1] = ',';
	buf_adds(&text, "1,1,1]");
	b = parsed(buf_str(&text));
	assert_num(b.n, LIMIT_BATCH_EVENTS + 1);
	assert_str(b.items[b.n - 1].bytes, "1,1,1]");
	batch_release(&b);
	buf_release(&text);
}

static void too_large_an_event_is_no_event(void **state)
{
	(void)state;
	for (int over = 0; over < 2; over++) {
		struct buf text = {0};
		size_t len = LIMIT_EVENT + (size_t)over;
		struct batch b;

		buf_adds(&text, "{\"decision_id\":\"a\",\"timestamp\":"
				"\"2026-11-24T10:00:00Z\"");
		memset(buf_reserve(&text, len), ' ', len);
		text.len = len - 1;
		buf_addc(&text, '}');
		b = parsed(buf_str(&text));
		assert_num(b.n, 1);
		assert_num(bad_items(&b), over);
		batch_release(&b);
		buf_release(&text);
	}
}

/* --- the store ----------------------------------------------------------- */

static uint64_t events(struct decisions *d)
{
	struct decisions_counts c;

	decisions_counts(d, &c);
	return c.events;
}

/* Event i of the log is event i of add_batch(), to the byte. */
static void assert_events(struct decisions *d, unsigned n)
{
	struct reader r;
	struct err e = {0};

	assert_ok(store_reader(d, LOG_EVENTS, &r, &e), &e);
	for (unsigned i = 0; i <= n; i++) {
		struct buf want = {0};
		struct record rec;
		bool found;

		add_batch(&want, i, i + 1);
		assert_ok(reader_at(&r, i, &rec, &found, &e), &e);
		assert_num(found, i < n);
		if (found)
			assert_true(str_eq(rec.bytes,
				str_slice(buf_str(&want), 1, want.len - 1)));
		buf_release(&want);
	}
	reader_close(&r);
}

static void events_are_kept_byte_by_byte(void **state)
{
	struct decisions *d = open_store();

	(void)state;
	assert_num(send_events(d, 0, 100).accepted, 100);
	assert_num(send_events(d, 100, 300).accepted, 200);
	assert_events(d, 300);
	decisions_close(d);
	d = open_store();
	assert_events(d, 300);
	decisions_close(d);
}

static void duplicates_are_dropped_in_any_chunks(void **state)
{
	struct decisions *d = open_store();
	struct decisions_ticket t;

	(void)state;
	send_events(d, 0, 100);
	t = send_events(d, 50, 150);
	assert_num(t.duplicate, 50);
	assert_num(t.accepted, 50);
	decisions_close(d);
	d = open_store();
	t = send_events(d, 0, 160);
	assert_num(t.duplicate, 150);
	assert_num(t.accepted, 10);
	assert_events(d, 160);
	decisions_close(d);
}

static void duplicates_of_what_waits_wait_too(void **state)
{
	struct decisions *d = open_store();
	struct decisions_ticket a = {0}, b = {0};
	struct err e = {0};

	(void)state;
	assert_ok(decisions_submit(d, &a, S("[" EV("x") "]"), &e), &e);
	assert_ok(decisions_submit(d, &b, S("[" EV("x") "]"), &e), &e);
	assert_num(b.duplicate, 1);
	assert_num(b.state, TICKET_WAITING);
	assert_ok(decisions_commit(d, &e), &e);
	assert_num(a.state, TICKET_DURABLE);
	assert_num(b.state, TICKET_DURABLE);
	assert_num(events(d), 1);
	decisions_close(d);
}

static void the_same_id_with_other_bytes_is_a_clash(void **state)
{
	struct decisions *d = open_store();
	static const struct str other =
		STR("{\"decision_id\":\"a\",\"timestamp\":"
		    "\"2026-11-24T10:00:00Z\",\"x\":1}");

	(void)state;
	assert_num(send_body(d, S(EV("a"))).clashes, 0);
	assert_num(send_body(d, other).clashes, 1);
	assert_num(send_body(d, other).duplicate, 1);
	assert_num(send_body(d, S(EV("a"))).duplicate, 1);
	assert_num(events(d), 2);
	decisions_close(d);
}

static void what_is_no_event_goes_to_quarantine_once(void **state)
{
	struct decisions *d = open_store();
	struct decisions_ticket t;
	struct decisions_counts c;

	(void)state;
	t = send_body(d, S("[" EV("a") ",1]"));
	assert_num(t.accepted, 1);
	assert_num(t.quarantined, 1);
	t = send_body(d, S("[1]"));
	assert_num(t.quarantined, 1);
	decisions_close(d);
	d = open_store();
	send_body(d, S("[1,2]"));
	decisions_counts(d, &c);
	assert_num(c.quarantined, 2);
	assert_num(c.events, 1);
	decisions_close(d);
}

static void a_full_quarantine_keeps_reasons(void **state)
{
	struct decisions_config c = config();
	struct decisions *d;
	struct reader r;
	struct record rec;
	struct err e = {0};
	bool found;

	(void)state;
	c.quarantine_bytes = 10;
	d = open_with(c);
	send_body(d, S("[12345678]"));
	send_body(d, S("[123456789]"));
	assert_ok(store_reader(d, LOG_QUARANTINE, &r, &e), &e);
	assert_ok(reader_at(&r, 0, &rec, &found, &e), &e);
	assert_str(rec.bytes, "12345678");
	assert_ok(reader_at(&r, 1, &rec, &found, &e), &e);
	assert_str(rec.bytes, "");
	assert_true(str_find(rec.note, S("not kept: 9 bytes"), 0) != SIZE_MAX);
	reader_close(&r);
	decisions_close(d);
}

static void past_its_limit_what_is_no_event_is_only_counted(void **state)
{
	struct decisions_config c = config();
	struct decisions_counts counts;
	struct decisions *d;

	(void)state;
	c.quarantine_items = 2;
	d = open_with(c);
	assert_num(send_body(d, S("a")).quarantined, 1);
	assert_num(send_body(d, S("b")).quarantined, 1);
	assert_num(send_body(d, S("c")).quarantined, 1);
	decisions_counts(d, &counts);
	assert_num(counts.quarantined, 2);
	decisions_close(d);
	d = open_with(c);
	assert_num(send_body(d, S("d")).quarantined, 1);
	decisions_counts(d, &counts);
	assert_num(counts.quarantined, 2);
	decisions_close(d);
}

static void events_of_other_times_are_no_events(void **state)
{
	struct decisions_config c = config();
	struct decisions *d;
	struct buf b = {0};

	(void)state;
	c.retention_ns = 100 * NS_PER_S;
	d = open_with(c);
	add_event(&b, 1, 600 * NS_PER_S, "a", "");
	add_event(&b, 2, 600 * NS_PER_S + 1, "a", "");
	add_event(&b, 3, -100 * NS_PER_S, "a", "");
	add_event(&b, 4, -100 * NS_PER_S - 1, "a", "");
	assert_num(send_body(d, buf_str(&b)).quarantined, 2);
	assert_num(events(d), 2);
	buf_release(&b);
	decisions_close(d);
}

static void too_large_a_body_is_refused(void **state)
{
	struct decisions *d = open_store();
	struct decisions_ticket t = {0};
	struct err e = {0};
	struct buf b = {0};

	(void)state;
	memset(buf_reserve(&b, LIMIT_BATCH_COMPRESSED + 1), ' ',
		LIMIT_BATCH_COMPRESSED + 1);
	b.len = LIMIT_BATCH_COMPRESSED;
	assert_ok(decisions_submit(d, &t, buf_str(&b), &e), &e);
	b.len++;
	assert_fails(
		decisions_submit(d, &t, buf_str(&b), &e), &e, E_LIMIT, "limit");
	buf_release(&b);
	decisions_close(d);
}

/* Its agent is told 200, so that what is behind it comes. */
static void of_a_longer_body_the_beginning_goes_to_quarantine(void **state)
{
	struct decisions *d = open_store();
	struct str body = S("[{\"decision_id\": \"a\"");
	struct reader r;
	struct record rec;
	struct err e = {0};
	bool found;

	(void)state;
	for (int again = 0; again < 2; again++) {
		struct decisions_ticket t = {.left_out = 1000};

		assert_ok(decisions_submit(d, &t, body, &e), &e);
		assert_ok(decisions_wait(d, &t, &e), &e);
		assert_num(t.quarantined, 1);
		assert_num(t.accepted, 0);
	}
	assert_ok(store_reader(d, LOG_QUARANTINE, &r, &e), &e);
	assert_ok(reader_at(&r, 0, &rec, &found, &e), &e);
	assert_str(rec.bytes, "[{\"decision_id\": \"a\"");
	assert_true(str_find(rec.note,
			    S("1020 bytes, of which the first 20 are kept"),
			    0) != SIZE_MAX);
	assert_ok(reader_at(&r, 1, &rec, &found, &e), &e);
	assert_false(found);
	reader_close(&r);
	decisions_close(d);
}

static void above_the_high_water_mark_canaries_still_come_in(void **state)
{
	struct decisions_config c = config();
	struct decisions_ticket a = {0}, b = {0}, canary = {.canary = true};
	struct err e = {0};
	struct decisions *d;

	(void)state;
	c.budget = c.canary_budget = 1000;
	d = open_with(c);
	assert_true(decisions_admit(d, 1000, &a));
	assert_false(decisions_admit(d, 1, &b));
	assert_true(decisions_admit(d, 1000, &canary));
	assert_ok(decisions_submit(d, &a, S("[" EV("a") "]"), &e), &e);
	assert_false(decisions_admit(d, 1, &b)); /* until it is durable */
	assert_ok(decisions_commit(d, &e), &e);
	assert_true(decisions_admit(d, 1000, &b));
	decisions_withdraw(d, &b);
	decisions_withdraw(d, &canary);
	assert_true(decisions_admit(d, 1000, &canary));
	decisions_withdraw(d, &canary);
	decisions_close(d);
}

/* Few bytes of gzip may be many of events. */
static void what_waits_is_bounded_by_what_it_is(void **state)
{
	struct decisions_config c = config();
	struct decisions_ticket a = {0}, b = {0}, canary = {.canary = true};
	struct decisions_counts counts;
	struct buf some = {0}, other = {0};
	struct err e = {0};
	struct decisions *d;

	(void)state;
	add_batch(&some, 0, 20);
	add_batch(&other, 20, 40);
	c.budget = c.canary_budget = some.len + 100;
	d = open_with(c);
	assert_ok(decisions_submit(d, &a, buf_str(&some), &e), &e);
	assert_fails(decisions_submit(d, &b, buf_str(&other), &e), &e,
		E_CONFLICT, "again later");
	assert_ok(decisions_submit(d, &canary, buf_str(&other), &e), &e);
	assert_ok(decisions_wait(d, &a, &e), &e);
	assert_num(canary.state, TICKET_DURABLE);
	assert_num(send_body(d, buf_str(&other)).duplicate, 20);
	decisions_counts(d, &counts);
	assert_num(counts.busy, 1);
	assert_num(counts.events, 40);
	decisions_close(d);
	/* Larger than all that is allowed: alone. */
	c.budget = c.canary_budget = 1;
	d = open_with(c);
	assert_num(send_events(d, 100, 200).accepted, 100);
	decisions_close(d);
	buf_release(&some);
	buf_release(&other);
}

static void one_process_writes(void **state)
{
	struct decisions_config c = config();
	struct decisions *d = open_store(), *other = NULL;
	struct err e = {0};

	(void)state;
	assert_fails(decisions_open(&other, &c, &e), &e, E_CONFLICT,
		"one at a time may");
	c.read_only = true;
	assert_ok(decisions_open(&other, &c, &e), &e);
	decisions_close(other);
	decisions_close(d);
}

static void full_segments_go_on_in_the_next(void **state)
{
	struct decisions_config c = config();
	struct decisions *d;
	struct err e = {0};

	(void)state;
	c.segment_bytes = 1;
	d = open_with(c);
	for (unsigned i = 0; i < 10; i++) {
		send_events(d, 100 * i, 100 * i + 50);
		send_events(d, 100 * i + 50, 100 * i + 100);
		assert_ok(decisions_tick(d, &e), &e);
	}
	assert_num(d->logs[LOG_EVENTS].seq, 11);
	assert_events(d, 1000);
	decisions_close(d);
	d = open_with(c);
	assert_num(send_events(d, 0, 1001).duplicate, 1000);
	assert_events(d, 1001);
	decisions_close(d);
}

/* Frames that it skips between frames that it reads, as `zstd -dc` does. */
static void segments_are_what_zstd_reads(void **state)
{
	struct arena a = {0};
	struct decisions *d = open_store();
	struct buf want = {0}, file = {0};
	char got[20000];
	struct err e = {0};
	size_t len;

	(void)state;
	send_events(d, 0, 10);
	send_events(d, 10, 20);
	decisions_close(d);
	for (unsigned i = 0; i < 20; i++) {
		struct buf one = {0};

		add_batch(&one, i, i + 1);
		buf_add(&want, one.ptr + 1, one.len - 2);
		buf_addc(&want, '\n');
		buf_release(&one);
	}
	assert_ok(fs_read(NULL,
			  arena_printf(
				  &a, "%s/decisions/events/00000001.seg", dir),
			  MIB(1), &file, &e),
		&e);
	len = ZSTD_decompress(got, sizeof(got), file.ptr, file.len);
	assert_false(ZSTD_isError(len));
	assert_true(str_eq((struct str){got, len}, buf_str(&want)));
	buf_release(&want);
	buf_release(&file);
	arena_release(&a);
}

/* --- many threads -------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 25 };

struct agent {
	struct decisions *d;
	unsigned first;
	uint32_t accepted, duplicate;
};

/* Each sends events of its own, each twice in overlapping chunks. */
static void *send_all(void *arg)
{
	struct agent *a = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned at = a->first + 10 * i;
		struct decisions_ticket t = send_events(a->d, at, at + 20);

		a->accepted += t.accepted;
		a->duplicate += t.duplicate;
	}
	return NULL;
}

static void many_threads_share_commits(void **state)
{
	struct decisions *d = open_store();
	struct agent agents[THREADS];
	pthread_t threads[THREADS];
	struct decisions_counts c;
	uint32_t accepted = 0, duplicate = 0;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		agents[i] = (struct agent){d, i / 2 * 1000, 0, 0};
		assert_int_equal(
			pthread_create(&threads[i], NULL, send_all, &agents[i]),
			0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		accepted += agents[i].accepted;
		duplicate += agents[i].duplicate;
	}
	assert_num(accepted, THREADS / 2 * (10 * ROUNDS + 10));
	assert_num(duplicate, THREADS * ROUNDS * 20 - accepted);
	decisions_counts(d, &c);
	assert_num(c.events, accepted);
	assert_num(c.in_flight, 0);
	decisions_close(d);
}

/* --- what goes wrong ----------------------------------------------------- */

/* Sends until it is taken, as an agent does; gives up after some times. */
static void insist(struct decisions *d, unsigned from, unsigned to)
{
	struct buf b = {0};
	char last[ERR_TEXT_MAX] = "";

	add_batch(&b, from, to);
	for (int tries = 0;; tries++) {
		struct decisions_ticket t = {.source = {.target = S("eu-1")}};
		struct err e = {0};

		if (tries == 4)
			fail_msg("still: %s", last);
		assert_ok(decisions_submit(d, &t, buf_str(&b), &e), &e);
		if (!decisions_wait(d, &t, &e))
			break;
		memcpy(last, e.text, sizeof(last));
	}
	buf_release(&b);
}

/* A life of the store in which everything is written at least once. */
static void live(struct decisions *d)
{
	for (unsigned i = 0; i < 3; i++) {
		struct err e = {0};

		insist(d, 40 * i, 40 * i + 30);
		insist(d, 40 * i + 20, 40 * i + 40);
		if (decisions_tick(d, &e))
			assert_num(
				e.code, E_IO); /* the one that was asked for */
	}
}

static void fail_each(enum fs_op op)
{
	for (unsigned at = 1;; at++) {
		struct decisions_config c = config();
		struct decisions *d = NULL;
		struct fs_fault f;
		struct err e = {0};
		bool failed;

		fs_fault_init(&f, op, at, EIO);
		c.fs = &f.fs;
		c.segment_bytes = 1;
		if (decisions_open(&d, &c, &e)) { /* says so, and that's it */
			assert_num(f.calls[op] >= at, 1);
			c.fs = NULL;
			assert_ok(decisions_open(&d, &c, &e), &e);
		}
		live(d);
		failed = f.calls[op] >= at;
		decisions_close(d);
		c.fs = NULL;
		d = open_with(c);
		assert_events(d, 120);
		decisions_close(d);
		teardown(NULL);
		setup(NULL);
		if (!failed)
			return;
	}
}

static void each_call_that_fails_loses_nothing(void **state)
{
	static const enum fs_op ops[] = {FS_OPEN, FS_STAT, FS_READ, FS_WRITE,
		FS_SYNC, FS_CLOSE, FS_RENAME, FS_REMOVE, FS_MKDIR, FS_LIST,
		FS_CUT};

	(void)state;
	for (size_t i = 0; i < COUNT(ops); i++)
		fail_each(ops[i]);
}

/* Nothing is taken that is not kept, and nothing has to be started again. */
static void a_full_disk_is_waited_for(void **state)
{
	static const enum fs_op ops[] = {FS_WRITE, FS_SYNC, FS_OPEN, FS_CUT};

	(void)state;
	for (size_t i = 0; i < COUNT(ops); i++) {
		struct decisions_config c = config();
		struct decisions *d;
		struct fs_fault f;

		fs_fault_init(&f, ops[i], 0, ENOSPC);
		c.fs = &f.fs;
		c.segment_bytes = 1;
		d = open_with(c);
		send_events(d, 0, 50);
		f.at = f.calls[ops[i]] + 1;
		f.sticky = true;
		for (unsigned k = 0; k < 3; k++) {
			struct decisions_ticket t = {0};
			struct buf b = {0};
			struct err e = {0};

			add_batch(&b, 50, 100);
			assert_ok(decisions_submit(d, &t, buf_str(&b), &e), &e);
			if (ops[i] != FS_CUT && ops[i] != FS_OPEN)
				assert_fails(decisions_wait(d, &t, &e), &e,
					E_IO, "No space left");
			else /* the file is open, and whole */
				assert_ok(decisions_wait(d, &t, &e), &e);
			if (decisions_tick(d, &e))
				assert_num(e.code, E_IO);
			buf_release(&b);
		}
		f.at = 0;
		f.sticky = false;
		live(d);
		decisions_close(d);
		c.fs = NULL;
		d = open_with(c);
		assert_events(d, 120);
		decisions_close(d);
		teardown(NULL);
		setup(NULL);
	}
}

/* Ends the process at the n-th call of the seam, of whatever kind. */
struct killer {
	struct fs fs;
	unsigned at, calls;
};

static int kill_before(void *user, enum fs_op op, const char *path)
{
	struct killer *k = user;

	(void)op, (void)path;
	if (++k->calls == k->at)
		_exit(9);
	return 0;
}

/* In a child: tell through the pipe which batches were acknowledged. */
static _Noreturn void live_and_die(unsigned at, int tell)
{
	struct killer k = {.at = at};
	struct decisions_config c = config();
	struct decisions *d = NULL;
	struct err e = {0};

	k.fs = (struct fs){kill_before, &k};
	c.fs = &k.fs;
	c.segment_bytes = 1;
	if (decisions_open(&d, &c, &e))
		_exit(1);
	for (unsigned i = 0; i < 4; i++) {
		struct decisions_ticket t = {.source = {.target = S("eu-1")}};
		struct buf b = {0};

		add_batch(&b, 30 * i, 30 * i + 30);
		if (decisions_submit(d, &t, buf_str(&b), &e) ||
			decisions_wait(d, &t, &e))
			_exit(1);
		if (write(tell, "", 1) != 1)
			_exit(1);
		if (i % 2 && decisions_tick(d, &e))
			_exit(1);
		buf_release(&b);
	}
	decisions_close(d);
	_exit(0);
}

static void killed_at_any_call_it_keeps_its_word(void **state)
{
	int code = 9;

	(void)state;
	for (unsigned at = 1; code == 9; at++) {
		struct decisions *d;
		struct decisions_config c = config();
		unsigned told = 0;
		int tell[2], status;
		char byte;
		pid_t child;

		assert_int_equal(pipe(tell), 0);
		child = fork();
		if (!child)
			live_and_die(at, tell[1]);
		close(tell[1]);
		while (read(tell[0], &byte, 1) == 1)
			told++;
		close(tell[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		code = WEXITSTATUS(status);
		assert_true(code == 9 || code == 0);
		c.segment_bytes = 1;
		d = open_with(c);
		assert_true(events(d) >= 30 * told);
		assert_true(send_events(d, 0, 120).duplicate >= 30 * told);
		assert_events(d, 120);
		decisions_close(d);
		teardown(NULL);
		setup(NULL);
	}
	assert_int_equal(code, 0);
}

/* Bytes behind the last commit, of any kind. */
static void a_torn_tail_is_cut_off(void **state)
{
	struct arena a = {0};
	const char *path;
	struct fs_file f;
	struct err e = {0};

	(void)state;
	path = arena_printf(&a, "%s/decisions/events/00000001.seg", dir);
	for (unsigned i = 0; i < 5; i++) {
		struct decisions *d = open_store();
		static const char tails[][8] = {
			"", "x", "P*M\x18", "\0\0\0", "[]"};

		assert_num(send_events(d, 10 * i, 10 * i + 10).accepted, 10);
		assert_events(d, 10 * i + 10);
		decisions_close(d);
		assert_ok(fs_open(&f, NULL, path, true, 0, &e), &e);
		assert_ok(fs_append(&f,
				  (struct str){tails[i], sizeof(tails[i])}, &e),
			&e);
		fs_close(&f, NULL);
	}
	decisions_close(open_store());
	arena_release(&a);
}

/* A block that was committed is not cut off when it is damaged. */
static void damage_before_the_last_commit_stops_the_writer(void **state)
{
	struct arena a = {0};
	const char *path;
	struct decisions *d = open_store();
	struct decisions_config c = config();
	struct buf b = {0};
	struct err e = {0};
	size_t first;

	(void)state;
	path = arena_printf(&a, "%s/decisions/events/00000001.seg", dir);
	send_events(d, 0, 10);
	first = d->logs[LOG_EVENTS].places.offset;
	send_events(d, 10, 20);
	decisions_close(d);
	assert_ok(fs_read(NULL, path, MIB(1), &b, &e), &e);
	for (size_t i = 0; i < first; i += 13) {
		b.ptr[i] ^= 1;
		assert_ok(fs_write(NULL, path, buf_str(&b), 0640, &e), &e);
		assert_fails(decisions_open(&d, &c, &e), &e, E_INVALID,
			"damaged, with a later commit");
		b.ptr[i] ^= 1;
	}
	assert_ok(fs_write(NULL, path, buf_str(&b), 0640, &e), &e);
	decisions_close(open_store());
	buf_release(&b);
	arena_release(&a);
}

/* Also when what follows a commit that was taken out is whole. */
static void a_commit_that_is_gone_stops_the_writer(void **state)
{
	struct arena a = {0};
	const char *path;
	struct decisions *d = open_store();
	struct decisions_config c = config();
	struct buf b = {0}, less = {0};
	struct err e = {0};
	size_t first, second;

	(void)state;
	path = arena_printf(&a, "%s/decisions/events/00000001.seg", dir);
	send_events(d, 0, 10);
	first = d->logs[LOG_EVENTS].places.offset;
	send_events(d, 10, 20);
	second = d->logs[LOG_EVENTS].places.offset;
	send_events(d, 20, 30);
	decisions_close(d);
	assert_ok(fs_read(NULL, path, MIB(1), &b, &e), &e);
	buf_addstr(&less, str_slice(buf_str(&b), 0, first));
	buf_addstr(&less, str_slice(buf_str(&b), second, b.len));
	assert_ok(fs_write(NULL, path, buf_str(&less), 0640, &e), &e);
	assert_fails(decisions_open(&d, &c, &e), &e, E_INVALID,
		"damaged, with a later commit");
	buf_release(&b);
	buf_release(&less);
	arena_release(&a);
}

/* Else an empty one would be made, and hide that. */
static void a_log_that_is_gone_stops_the_writer(void **state)
{
	static const char *const gone[] = {"events", "quarantine", "rules"};
	struct decisions_config c = config();
	struct arena a = {0};
	struct decisions *d = open_store();
	struct err e = {0};

	(void)state;
	send_events(d, 0, 10);
	assert_ok(decisions_tick(d, &e), &e);
	decisions_close(d);
	for (size_t i = 0; i < COUNT(gone); i++) {
		const char *path =
			arena_printf(&a, "%s/decisions/%s", dir, gone[i]);
		const char *away = arena_printf(&a, "%s/away", dir);

		assert_num(rename(path, away), 0);
		assert_fails(
			decisions_open(&d, &c, &e), &e, E_INVALID, gone[i]);
		assert_num(rename(away, path), 0);
	}
	d = open_store();
	assert_num(events(d), 10);
	decisions_close(d);
	arena_release(&a);
}

static void what_was_opened_to_read_is_not_written(void **state)
{
	struct decisions_config c = config();
	struct decision_counters counters = {0};
	struct decisions_ticket t = {0};
	struct err e = {0};
	struct decisions *d;

	(void)state;
	decisions_close(open_store());
	c.read_only = true;
	d = open_with(c);
	assert_fails(decisions_submit(d, &t, S("[]"), &e), &e, E_DENIED,
		"opened to read");
	assert_num(decisions_commit(d, &e), E_DENIED);
	assert_num(decisions_tick(d, &e), E_DENIED);
	assert_num(decisions_rebuild(d, &e), E_DENIED);
	assert_num(decisions_checkpoint(d, &e), E_DENIED);
	assert_num(decisions_count(d, &counters, &e), E_DENIED);
	decisions_close(d);
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* --- rules ---------------------------------------------------------------- */

/* What was not written holds for no event, and can be written again. */
static void rules_that_could_not_be_written_are_none(void **state)
{
	static const struct outcome_rule rule = {
		.path = STR("**"), .kind = KIND_IGNORE};
	static const enum fs_op ops[] = {FS_WRITE, FS_SYNC};

	(void)state;
	for (size_t i = 0; i < COUNT(ops); i++) {
		char revision[8];
		struct decisions_config c = config();
		struct decisions *d;
		struct fs_fault f;
		struct err e = {0};

		snprintf(revision, sizeof(revision), "v%zu", i);
		fs_fault_init(&f, ops[i], 0, ENOSPC);
		c.fs = &f.fs;
		d = open_with(c);
		f.at = f.calls[ops[i]] + 1;
		assert_fails(decisions_add_rules(d, S("authz"),
				     str_from(revision), &rule, 1, &e),
			&e, E_IO, revision);
		assert_false(decisions_have_rules(
			d, S("authz"), str_from(revision)));
		assert_ok(decisions_add_rules(d, S("authz"), str_from(revision),
				  &rule, 1, &e),
			&e);
		decisions_close(d);
		c.fs = NULL;
		d = open_with(c);
		assert_true(decisions_have_rules(
			d, S("authz"), str_from(revision)));
		decisions_close(d);
	}
}

/* --- the disk ------------------------------------------------------------- */

/* 100 GiB, of which so many are used. */
static struct decisions_disk used(unsigned gib)
{
	return (struct decisions_disk){
		(uint64_t)100 << 30, (uint64_t)(100 - gib) << 30};
}

static void marks_of_a_disk_end_below_where_they_began(void **state)
{
	static const struct decisions_mark by_percent = {90, 1 << 20};
	static const struct decisions_mark by_floor = {100, UINT64_C(8) << 30};
	/* clang-format off */
	static const struct {
		const struct decisions_mark *mark;
		unsigned gib;
		bool others, canaries;
	} steps[] = {
		{&by_percent, 90, false, false}, {&by_percent, 91, true, false},
		{&by_percent, 88, true, false},  {&by_percent, 96, true, true},
		{&by_percent, 93, true, true},   {&by_percent, 92, true, false},
		{&by_percent, 95, true, false},  {&by_percent, 87, false, false},
		{&by_percent, 90, false, false},
		{&by_floor, 92, false, false},   {&by_floor, 93, true, false},
		{&by_floor, 91, true, false},    {&by_floor, 97, true, true},
		{&by_floor, 96, true, true},     {&by_floor, 95, true, false},
		{&by_floor, 90, false, false},
	};
	/* clang-format on */
	bool high[2] = {false, false};

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct decisions_disk d = used(steps[i].gib);

		room_next(high, &d, steps[i].mark);
		if (high[0] != steps[i].others || high[1] != steps[i].canaries)
			fail_msg("step %zu: %d %d", i, high[0], high[1]);
	}
}

static enum status fake_disk(
	void *user, struct decisions_disk *out, struct err *e)
{
	unsigned *gib = user;

	if (*gib > 100)
		return err_set(e, E_IO, "no such disk");
	*out = used(*gib);
	return OK;
}

static bool admits(struct decisions *d, bool canary)
{
	struct decisions_ticket t = {.canary = canary};
	bool ok = decisions_admit(d, 10, &t);

	if (ok)
		decisions_withdraw(d, &t);
	assert_int_equal(decisions_have_room(d, canary), ok);
	return ok;
}

static void a_full_disk_pushes_back_and_lets_canaries_in(void **state)
{
	unsigned gib = 50;
	struct decisions_config c = config();
	struct decisions *d;
	struct decisions_counts counts;
	struct err e = {0};

	(void)state;
	c.disk = fake_disk;
	c.disk_user = &gib;
	d = open_with(c);
	assert_true(admits(d, false) && admits(d, true));
	gib = 91;
	assert_ok(decisions_tick(d, &e), &e);
	assert_true(!admits(d, false) && admits(d, true));
	gib = 200; /* nobody knows: as before */
	assert_ok(decisions_tick(d, &e), &e);
	assert_true(!admits(d, false) && admits(d, true));
	decisions_close(d);
	gib = 98;
	d = open_with(c);
	assert_true(!admits(d, false) && !admits(d, true));
	decisions_counts(d, &counts);
	assert_true(counts.disk_high && counts.disk_full);
	assert_num(counts.disk_refused, 2);
	assert_num(decisions_disk_percent(&counts.disk), 98);
	gib = 80;
	assert_ok(decisions_tick(d, &e), &e);
	assert_true(admits(d, false) && admits(d, true));
	decisions_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_of_a_body_is_taken),
		cmocka_unit_test(too_deep_an_event_is_bad_alone),
		cmocka_unit_test(gzip_is_taken_and_its_damage_kept),
		cmocka_unit_test(inflating_stops_at_its_limit),
		cmocka_unit_test(an_upload_has_so_many_events_at_most),
		cmocka_unit_test(too_large_an_event_is_no_event),
		STORE_TEST(events_are_kept_byte_by_byte),
		STORE_TEST(duplicates_are_dropped_in_any_chunks),
		STORE_TEST(duplicates_of_what_waits_wait_too),
		STORE_TEST(the_same_id_with_other_bytes_is_a_clash),
		STORE_TEST(what_is_no_event_goes_to_quarantine_once),
		STORE_TEST(a_full_quarantine_keeps_reasons),
		STORE_TEST(past_its_limit_what_is_no_event_is_only_counted),
		STORE_TEST(events_of_other_times_are_no_events),
		STORE_TEST(too_large_a_body_is_refused),
		STORE_TEST(of_a_longer_body_the_beginning_goes_to_quarantine),
		STORE_TEST(above_the_high_water_mark_canaries_still_come_in),
		STORE_TEST(what_waits_is_bounded_by_what_it_is),
		STORE_TEST(one_process_writes),
		STORE_TEST(full_segments_go_on_in_the_next),
		STORE_TEST(segments_are_what_zstd_reads),
		STORE_TEST(many_threads_share_commits),
		STORE_TEST(each_call_that_fails_loses_nothing),
		STORE_TEST(a_full_disk_is_waited_for),
		STORE_TEST(killed_at_any_call_it_keeps_its_word),
		STORE_TEST(a_torn_tail_is_cut_off),
		STORE_TEST(damage_before_the_last_commit_stops_the_writer),
		STORE_TEST(a_commit_that_is_gone_stops_the_writer),
		STORE_TEST(a_log_that_is_gone_stops_the_writer),
		STORE_TEST(what_was_opened_to_read_is_not_written),
		STORE_TEST(rules_that_could_not_be_written_are_none),
		cmocka_unit_test(marks_of_a_disk_end_below_where_they_began),
		STORE_TEST(a_full_disk_pushes_back_and_lets_canaries_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
