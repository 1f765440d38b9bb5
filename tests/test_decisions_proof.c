/* Tampering shows, and names the place; one event can be proved alone. */
#include "tests/decisions.h"

#include <sqlite3.h>
#include <sys/resource.h>

#include "decisions/internal.h"

static struct note_key *secret, *public;

static int make_keys(void **state)
{
	struct buf a = {0}, b = {0};
	struct err e = {0};

	(void)state;
	if (note_key_generate(S("test.example/log"), &a, &b, &e) ||
		note_key_parse(&secret, buf_str(&a), &e) ||
		note_key_parse(&public, buf_str(&b), &e))
		return -1;
	buf_release(&a);
	buf_release(&b);
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	note_key_free(secret);
	note_key_free(public);
	return 0;
}

static struct decisions_config signing(void)
{
	struct decisions_config c = config();

	c.key = secret;
	c.origin = "test.example/log";
	c.segment_bytes = 1;
	c.checkpoint_ns = 10 * NS_PER_S;
	return c;
}

/*
 * Three full segments, the first two in one block, and an open one; each event
 * of the first ones below a checkpoint, two of what is none, two counters.
 */
static void fill(void)
{
	struct decisions *d = open_with(signing());
	struct err e = {0};

	for (unsigned i = 0; i < 3; i++) {
		struct decision_counters c = {
			.target = S("eu-1"), .time = NOW + i, .requests = i};

		send_events(d, 300 * i, 300 * i + 150);
		send_events(d, 300 * i + 150, 300 * i + 300);
		send_body(d, i ? S("[1]") : S("[2]"));
		assert_ok(decisions_count(d, &c, &e), &e);
		assert_ok(decisions_commit(d, &e), &e);
		fake_clock_advance(&fake, 11 * NS_PER_S);
		assert_ok(decisions_tick(d, &e), &e);
	}
	send_events(d, 900, 950);
	send_events(d, 950, 1000);
	decisions_close(d);
}

static struct decisions *open_to_read(void)
{
	struct decisions_config c = config();

	c.read_only = true;
	return open_with(c);
}

static enum status verify(struct decisions_fault *fault, struct err *e)
{
	struct decisions *d = open_to_read();
	enum status st = decisions_verify(d, public, S(""), fault, e);

	decisions_close(d);
	return st;
}

static const char *path_of(struct arena *a, const char *name)
{
	return arena_printf(a, "%s/decisions/%s", dir, name);
}

static struct buf read_file(const char *name)
{
	struct arena a = {0};
	struct buf b = {0};
	struct err e = {0};

	assert_ok(fs_read(NULL, path_of(&a, name), MIB(64), &b, &e), &e);
	arena_release(&a);
	return b;
}

static void write_file(const char *name, struct str text)
{
	struct arena a = {0};
	struct err e = {0};

	assert_ok(fs_write(NULL, path_of(&a, name), text, 0640, &e), &e);
	arena_release(&a);
}

static void remove_file(const char *name)
{
	struct arena a = {0};
	struct err e = {0};

	assert_ok(fs_remove(NULL, path_of(&a, name), &e), &e);
	arena_release(&a);
}

/* It does not fit, and the place is in this file. */
static struct decisions_fault assert_found(const char *what, const char *file)
{
	struct decisions_fault fault;
	struct err e = {0};
	enum status st = verify(&fault, &e);

	if (st != E_INVALID && st != E_DENIED && st != E_NOT_FOUND)
		fail_msg("%s: status %d", what, (int)st);
	if (strcmp(fault.file, file) != 0)
		fail_msg("%s: found in %s: %s", what, fault.file, e.text);
	return fault;
}

static void assert_clean(void)
{
	struct decisions_fault fault;
	struct err e = {0};

	assert_ok(verify(&fault, &e), &e);
}

static void what_was_written_verifies(void **state)
{
	struct decisions_fault fault;
	struct decisions *d;
	struct err e = {0};

	(void)state;
	fill();
	assert_clean();
	d = open_with(signing());
	assert_ok(decisions_verify(d, public, S(""), &fault, &e), &e);
	decisions_close(d);
	assert_clean();
}

static const char *const segments[] = {"events/00000001.seg",
	"events/00000002.seg", "events/00000003.seg", "quarantine/00000001.seg",
	"counters/00000001.seg"};

static void every_flipped_byte_is_found(void **state)
{
	static const char *const others[] = {
		"events/manifest", "events/checkpoints", "events/tree"};

	(void)state;
	fill();
	for (size_t i = 0; i < COUNT(segments) + COUNT(others); i++) {
		const char *name = i < COUNT(segments)
					   ? segments[i]
					   : others[i - COUNT(segments)];
		struct buf b = read_file(name);

		for (size_t k = 0; k < b.len; k += 1 + b.len / 60) {
			struct decisions_fault fault;

			b.ptr[k] ^= 0x20;
			write_file(name, buf_str(&b));
			fault = assert_found(name, name);
			if (i < 3)
				assert_num(fault.event, 300 * i);
			b.ptr[k] ^= 0x20;
		}
		write_file(name, buf_str(&b));
		buf_release(&b);
		assert_clean();
	}
}

static void in_the_open_segment_too_before_the_last_commit(void **state)
{
	const char *name = "events/00000004.seg";
	struct buf b;

	(void)state;
	fill();
	b = read_file(name);
	for (size_t k = 0; k < b.len / 2 - 100; k += 1 + b.len / 60) {
		b.ptr[k] ^= 1;
		write_file(name, buf_str(&b));
		assert_num(assert_found(name, name).event, 900);
		b.ptr[k] ^= 1;
	}
	buf_release(&b);
}

static void cut_files_are_found(void **state)
{
	(void)state;
	fill();
	for (size_t i = 0; i < 3; i++) {
		struct buf b = read_file(segments[i]);

		write_file(segments[i], str_slice(buf_str(&b), 0, b.len - 1));
		assert_found("cut", segments[i]);
		write_file(segments[i], S(""));
		assert_found("emptied", segments[i]);
		remove_file(segments[i]);
		assert_found("removed", segments[i]);
		buf_addc(&b, 'x');
		write_file(segments[i], buf_str(&b));
		assert_found("longer", segments[i]);
		write_file(segments[i], str_slice(buf_str(&b), 0, b.len - 1));
		buf_release(&b);
		assert_clean();
	}
}

static void lines_that_are_gone_are_found(void **state)
{
	struct buf b;
	size_t second;

	(void)state;
	fill();
	b = read_file("events/manifest");
	second = str_find(buf_str(&b), S("\n"), 0) + 1;
	write_file("events/manifest", str_slice(buf_str(&b), second, b.len));
	assert_num(assert_found("first line", "events/manifest").offset, 1);
	write_file("events/manifest", str_slice(buf_str(&b), 0, second));
	assert_num(assert_found("last line", "events/manifest").offset, 2);
	write_file("events/manifest", S(""));
	assert_num(assert_found("all lines", "events/manifest").offset, 1);
	buf_release(&b);
}

static void swapped_segments_are_found(void **state)
{
	struct buf a, b;

	(void)state;
	fill();
	a = read_file("events/00000001.seg");
	b = read_file("events/00000002.seg");
	write_file("events/00000001.seg", buf_str(&b));
	write_file("events/00000002.seg", buf_str(&a));
	assert_found("swapped", "events/00000001.seg");
	buf_release(&a);
	buf_release(&b);
}

/*
 * Somebody who can write everything but has no key: the newest segments go,
 * and all that names them.
 */
static void a_shorter_log_is_found_by_its_checkpoints(void **state)
{
	struct buf b;
	size_t at = 0;

	(void)state;
	fill();
	b = read_file("events/manifest");
	for (int i = 0; i < 2; i++)
		at = str_find(buf_str(&b), S("\n"), at) + 1;
	write_file("events/manifest", str_slice(buf_str(&b), 0, at));
	remove_file("events/00000003.seg");
	remove_file("events/00000004.seg");
	assert_found("shorter", "events/checkpoints");
	buf_release(&b);
}

/* And the checkpoints too: only one that is held elsewhere tells. */
static void a_shorter_log_is_found_by_what_was_kept(void **state)
{
	struct decisions_fault fault;
	struct err e = {0};
	struct str note = {0};
	struct decisions *d;
	struct buf b;
	size_t at = 0;

	(void)state;
	fill();
	b = read_file("events/checkpoints");
	while (checkpoint_next(buf_str(&b), &at, &note))
		;
	d = open_to_read();
	assert_ok(decisions_verify(d, public, note, &fault, &e), &e);
	decisions_close(d);
	for (int i = 1; i <= 4; i++) {
		char name[32];

		snprintf(name, sizeof(name), "events/%08d.seg", i);
		remove_file(name);
	}
	remove_file("events/manifest");
	remove_file("events/tree");
	remove_file("events/checkpoints");
	remove_file("index/2026-11-24.db");
	d = open_with(config()); /* an empty log, as far as it knows */
	send_events(d, 0, 900);
	assert_fails(decisions_verify(d, public, note, &fault, &e), &e,
		E_INVALID, "another root");
	assert_string_equal(fault.file, "events");
	decisions_close(d);
	buf_release(&b);
}

static void an_old_copy_does_not_go_on(void **state)
{
	struct decisions_config c = signing();
	struct decisions *d = NULL;
	struct buf b;
	struct err e = {0};

	(void)state;
	fill();
	b = read_file("events/00000004.seg");
	d = open_with(c);
	send_events(d, 1000, 1100);
	assert_ok(decisions_checkpoint(d, &e), &e);
	decisions_close(d);
	write_file("events/00000004.seg", buf_str(&b));
	assert_fails(decisions_open(&d, &c, &e), &e, E_INVALID, "old copy");
	buf_release(&b);
}

/* --- the index ----------------------------------------------------------- */

static void run_sql(const char *sql)
{
	struct arena a = {0};
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(path_of(&a, "index/2026-11-24.db"), &db),
		SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	arena_release(&a);
}

static void an_index_that_lies_is_found(void **state)
{
	static const char *const lies[] = {
		"UPDATE d SET outcome=1 WHERE n=5",
		"UPDATE d SET ts=ts+1 WHERE n=5",
		"UPDATE d SET path=rev WHERE n=5",
		"UPDATE d SET id=x'00' WHERE n=5",
		"UPDATE d SET d3=path WHERE n=5", "DELETE FROM d WHERE n=5",
		"UPDATE d SET n=1000000-1 WHERE n=5",
		"INSERT INTO d SELECT -1,id,h,ts,recv,lat,outcome,flags,path,"
		"rev,target,cohort,d0,d1,d2,d3,d4,d5,d6,d7 FROM d WHERE n=5",
		"UPDATE s SET v='authz/deny' WHERE k=(SELECT path FROM d "
		"WHERE n=5)",
		"UPDATE r SET n=n+1", "DELETE FROM r", NULL, /* the file goes */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lies); i++) {
		fill();
		assert_clean();
		if (lies[i])
			run_sql(lies[i]);
		else
			remove_file("index/2026-11-24.db");
		assert_found(lies[i] ? lies[i] : "gone", "index/2026-11-24.db");
		teardown(NULL);
		setup(NULL);
	}
}

/* --- one event ----------------------------------------------------------- */

static bool keep_bytes(void *user, const struct decision_row *row)
{
	struct buf *b = user;

	buf_reset(b);
	buf_addstr(b, row->event.bytes);
	return false;
}

static struct buf bytes_of(struct decisions *d, uint64_t number)
{
	static const struct decision_filter all;
	struct buf b = {0};
	struct err e = {0};

	assert_ok(decisions_tail(d, &all, &number, keep_bytes, &b, &e), &e);
	return b;
}

static void every_event_below_a_checkpoint_has_a_proof(void **state)
{
	struct decisions *d;

	(void)state;
	fill();
	d = open_to_read();
	for (uint64_t i = 0; i < 900; i += 37) {
		struct buf proof = {0}, bytes = bytes_of(d, i);
		struct err e = {0};

		assert_ok(decisions_prove(d, i, &proof, &e), &e);
		assert_ok(decision_proof_check(
				  buf_str(&proof), buf_str(&bytes), public, &e),
			&e);
		bytes.ptr[bytes.len / 2] ^= 1;
		assert_fails(decision_proof_check(buf_str(&proof),
				     buf_str(&bytes), public, &e),
			&e, E_DENIED, "another event");
		buf_release(&proof);
		buf_release(&bytes);
	}
	decisions_close(d);
}

static void a_proof_that_was_changed_proves_nothing(void **state)
{
	struct decisions *d;
	struct buf proof = {0}, bytes;
	struct err e = {0};

	(void)state;
	fill();
	d = open_to_read();
	bytes = bytes_of(d, 700);
	assert_ok(decisions_prove(d, 700, &proof, &e), &e);
	for (size_t i = 0; i < proof.len; i++) {
		proof.ptr[i] ^= 1;
		if (!decision_proof_check(
			    buf_str(&proof), buf_str(&bytes), public, &e))
			fail_msg("byte %zu of %s", i, proof.ptr);
		proof.ptr[i] ^= 1;
	}
	buf_release(&proof);
	buf_release(&bytes);
	assert_fails(decisions_prove(d, 999, &proof, &e), &e, E_NOT_FOUND,
		"no checkpoint");
	assert_fails(decisions_prove(d, 1000, &proof, &e), &e, E_NOT_FOUND,
		"no event");
	decisions_close(d);
}

/* --- beside a writer, over years ------------------------------------------ */

/* Before some calls of the seam somebody else writes, and ends segments. */
struct neighbor {
	struct fs fs;
	struct decisions *d;
	unsigned from, calls, sent;
};

static int write_more(void *user, enum fs_op op, const char *path)
{
	struct neighbor *w = user;
	struct err e = {0};

	(void)op, (void)path;
	if (w->calls++ < w->from || w->calls > w->from + 4)
		return 0;
	send_events(w->d, w->sent, w->sent + 3);
	w->sent += 3;
	fake_clock_advance(&fake, NS_PER_MS);
	assert_ok(decisions_tick(w->d, &e), &e);
	return 0;
}

static void a_log_that_is_written_meanwhile_verifies(void **state)
{
	struct neighbor w = {.sent = 10000};
	struct decisions_config c = signing();

	(void)state;
	fill();
	c.checkpoint_ns = NS_PER_MS;
	w.d = open_with(c);
	w.fs = (struct fs){write_more, &w};
	c.fs = &w.fs;
	c.read_only = true;
	for (w.from = 0; w.from < 600; w.from += 7) {
		struct decisions *d = open_with(c);
		struct decisions_fault fault;
		struct err e = {0};

		w.calls = 0;
		assert_ok(decisions_verify(d, public, S(""), &fault, &e), &e);
		assert_true(w.calls > w.from);
		decisions_close(d);
	}
	decisions_close(w.d);
	assert_clean();
}

static void a_log_of_more_days_than_there_are_files_verifies(void **state)
{
	struct decisions *d = open_with(signing());
	struct decisions_fault fault;
	struct rlimit old, low;
	struct err e = {0};
	int next = dup(0);

	(void)state;
	close(next);
	for (unsigned day = 0; day < 60; day++) {
		struct buf b = {0};

		add_event(&b, day, -(int64_t)(day * 86400) * NS_PER_S, "a", "");
		send_body(d, buf_str(&b));
		buf_release(&b);
	}
	assert_ok(decisions_tick(d, &e), &e);
	decisions_close(d);
	d = open_to_read();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)next + 40;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_ok(decisions_verify(d, public, S(""), &fault, &e), &e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	decisions_close(d);
}

/* Checkpoints and segments go on when the clock was ahead and is set right. */
static void a_clock_that_is_set_back_stops_nothing(void **state)
{
	struct decisions_config c = signing();
	struct decisions *d;
	struct err e = {0};

	(void)state;
	c.segment_bytes = 0;
	d = open_with(c);
	fake_clock_init(&fake, NOW + 7 * 86400 * NS_PER_S);
	send_events(d, 0, 10);
	assert_ok(decisions_tick(d, &e), &e);
	assert_num(d->logs[LOG_EVENTS].signed_size, 10);
	fake_clock_init(&fake, NOW);
	send_events(d, 10, 20);
	assert_ok(decisions_tick(d, &e), &e);
	assert_num(d->logs[LOG_EVENTS].signed_size, 20);
	assert_num(d->logs[LOG_EVENTS].seq, 2);
	send_events(d, 20, 30);
	assert_ok(decisions_tick(d, &e), &e);
	assert_num(d->logs[LOG_EVENTS].seq, 2);
	decisions_close(d);
	assert_clean();
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(what_was_written_verifies),
		STORE_TEST(every_flipped_byte_is_found),
		STORE_TEST(in_the_open_segment_too_before_the_last_commit),
		STORE_TEST(cut_files_are_found),
		STORE_TEST(lines_that_are_gone_are_found),
		STORE_TEST(swapped_segments_are_found),
		STORE_TEST(a_shorter_log_is_found_by_its_checkpoints),
		STORE_TEST(a_shorter_log_is_found_by_what_was_kept),
		STORE_TEST(an_old_copy_does_not_go_on),
		STORE_TEST(an_index_that_lies_is_found),
		STORE_TEST(every_event_below_a_checkpoint_has_a_proof),
		STORE_TEST(a_proof_that_was_changed_proves_nothing),
		STORE_TEST(a_log_that_is_written_meanwhile_verifies),
		STORE_TEST(a_log_of_more_days_than_there_are_files_verifies),
		STORE_TEST(a_clock_that_is_set_back_stops_nothing),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
