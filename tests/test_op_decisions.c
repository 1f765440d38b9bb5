/* Operations on the decision log: pages, filters, places of faults. */
#include "tests/decisions.h"

#include "base/json.h"
#include "server/service.h"
#include "server/service_ops.h"
#include "signer/note.h"

struct log {
	struct service *s;
	struct decisions *d;
	struct arena a;
	struct buf out;
	struct str rows;
	enum op_code code;
};

static void open_log(struct log *l)
{
	struct service_options o = {
		.dir = dir, .create = true, .clock = &fake.clock};
	struct err e = {0};

	*l = (struct log){0};
	assert_ok(service_open(&l->s, &o, &e), &e);
	assert_ok(service_decisions(l->s, true, &l->d, &e), &e);
}

static void close_log(struct log *l)
{
	service_close(l->s);
	buf_release(&l->out);
	arena_release(&l->a);
}

/* "a=1&b=2" as arguments. */
static size_t split(char *text, struct op_arg *args)
{
	size_t n = 0;

	for (char *p = strtok_r(text, "&", &text); p;
		p = strtok_r(NULL, "&", &text)) {
		char *value = strchr(p, '=');

		args[n++] = (struct op_arg){
			str_make(p, (size_t)(value - p)), str_from(value + 1)};
	}
	return n;
}

static struct str ask(struct log *l, const char *op, const char *query)
{
	struct op_arg args[16];
	struct op_call call = {.args = args,
		.nargs = split(arena_strdup(&l->a, str_from(query)), args),
		.who = S("ana"),
		.roles = SERVER_EVERYONE,
		.now_ns = NOW,
		.a = &l->a};
	struct str doc;
	struct err e = {0};

	buf_reset(&l->out);
	l->code = op_run(l->s, op_find(op), &call, &l->out);
	assert_ok(json_check(buf_str(&l->out), NULL, &doc, &e), &e);
	if (!json_member(doc, S("rows"), &l->rows))
		l->rows = S("[]");
	return doc;
}

static struct str at(struct log *l, const char *pointer)
{
	struct str span;
	struct buf text = {0};
	struct str out;

	if (!json_at(buf_str(&l->out), str_from(pointer), &span))
		return S("");
	if (json_kind(span) != JSON_STRING)
		return arena_str(&l->a, span);
	json_text(&text, span);
	out = arena_str(&l->a, buf_str(&text));
	buf_release(&text);
	return out;
}

static size_t count(struct log *l)
{
	struct json_iter it = json_iter(l->rows);
	size_t n = 0;

	while (json_next(&it))
		n++;
	return n;
}

/* The numbers of all rows, page after page. */
static unsigned follow(struct log *l, const char *op, const char *query,
	const char *name, struct buf *numbers)
{
	struct buf more = {0};
	unsigned pages = 0;
	struct str next = S("");

	do {
		struct json_iter it;
		struct str number;

		buf_reset(&more);
		buf_addf(&more, "%s%s%s%s%.*s", query,
			pages && *query ? "&" : "", pages ? name : "",
			pages ? "=" : "", STR_ARG(next));
		ask(l, op, more.ptr);
		assert_num(l->code, OP_OK);
		it = json_iter(l->rows);
		while (json_next(&it))
			if (json_member(it.value, S("number"), &number))
				buf_addf(numbers, "%.*s ", STR_ARG(number));
		next = at(l, "/next");
		pages++;
		assert_true(pages < 100);
	} while (next.len);
	buf_release(&more);
	return pages;
}

/* --- the tests ------------------------------------------------------------ */

static void where_no_log_is_that_is_said(void **state)
{
	struct service_options o = {.dir = dir, .create = true};
	struct log l = {0};
	struct err e = {0};

	(void)state;
	assert_ok(service_open(&l.s, &o, &e), &e);
	ask(&l, "decisions query", "");
	assert_num(l.code, OP_MISSING);
	assert_non_null(strstr(l.out.ptr, "no agent has sent one"));
	ask(&l, "decisions rebuild", "");
	assert_num(l.code, OP_MISSING);
	close_log(&l);
}

static void a_row_has_the_bytes_of_its_event(void **state)
{
	static const char event[] =
		"{\"decision_id\":\"x1\",  \"timestamp\":"
		"\"2026-11-24T10:00:00.5Z\",\"path\":\"a/b\",\"n\":1.10,"
		"\"labels\":{\"id\":\"i\"},\"result\":false,\"n\":1e400}";
	struct log l;

	(void)state;
	open_log(&l);
	send_body(l.d, str_from(event));
	ask(&l, "decisions query", "");
	assert_num(count(&l), 1);
	assert_str(at(&l, "/rows/0/event"), event);
	assert_str(at(&l, "/rows/0/number"), "0");
	assert_str(at(&l, "/rows/0/time"), "2026-11-24T10:00:00.5Z");
	assert_str(at(&l, "/rows/0/received"), "2026-11-24T10:00:00Z");
	assert_str(at(&l, "/rows/0/target"), "eu-1");
	assert_str(at(&l, "/rows/0/cohort"), "stable");
	assert_str(at(&l, "/rows/0/outcome"), "deny");
	assert_str(at(&l, "/rows/0/flags"), "[]");
	ask(&l, "decisions show", "id=x1");
	assert_str(at(&l, "/rows/0/event"), event);
	ask(&l, "decisions show", "id=x2");
	assert_num(l.code, OP_MISSING);
	close_log(&l);
}

static void pages_have_each_row_once(void **state)
{
	struct buf paged = {0}, whole = {0}, scanned = {0};
	struct log l;
	struct err e = {0};

	(void)state;
	open_log(&l);
	send_events(l.d, 0, 60);
	assert_ok(decisions_tick(l.d, &e), &e);
	send_events(l.d, 60, 100);
	follow(&l, "decisions query", "", "cursor", &whole);
	assert_num(
		follow(&l, "decisions query", "limit=7", "cursor", &paged), 15);
	assert_str(buf_str(&paged), whole.ptr);
	follow(&l, "decisions query", "limit=9&scan=true", "cursor", &scanned);
	assert_str(buf_str(&scanned), whole.ptr);
	buf_release(&paged);
	buf_release(&whole);
	buf_release(&scanned);
	close_log(&l);
}

/* All at the same instant: the cursor goes by number then. */
static void rows_of_one_instant_are_not_lost_between_pages(void **state)
{
	struct buf body = {0}, numbers = {0};
	struct log l;

	(void)state;
	open_log(&l);
	for (unsigned i = 0; i < 10; i++)
		add_event(&body, i, 0, "a", "\"result\":true");
	send_body(l.d, buf_str(&body));
	assert_num(follow(&l, "decisions query", "limit=3", "cursor", &numbers),
		4);
	assert_str(buf_str(&numbers), "0 1 2 3 4 5 6 7 8 9 ");
	buf_release(&body);
	buf_release(&numbers);
	close_log(&l);
}

static void what_comes_after_the_first_page_is_not_in_the_next(void **state)
{
	struct log l;
	struct buf next = {0};

	(void)state;
	open_log(&l);
	send_events(l.d, 0, 10);
	ask(&l, "decisions query", "limit=5");
	buf_addf(&next, "cursor=%.*s", STR_ARG(at(&l, "/next")));
	send_events(l.d, 10, 20);
	ask(&l, "decisions query", next.ptr);
	assert_num(count(&l), 5);
	assert_str(at(&l, "/next"), "");
	buf_release(&next);
	close_log(&l);
}

static void a_page_ends_at_four_mebibytes(void **state)
{
	struct buf body = {0}, numbers = {0};
	struct log l;

	(void)state;
	open_log(&l);
	for (unsigned i = 0; i < 7; i++) {
		buf_reset(&body);
		buf_addf(&body,
			"{\"decision_id\":\"%u\",\"timestamp\":"
			"\"2026-11-24T10:00:00Z\",\"path\":\"a\",\"input\":\"",
			i);
		while (body.len < MIB(1) - 200)
			buf_adds(&body, "0123456789abcdef0123456789abcdef");
		buf_adds(&body, "\"}");
		send_body(l.d, buf_str(&body));
	}
	assert_num(follow(&l, "decisions query", "", "cursor", &numbers), 2);
	assert_str(buf_str(&numbers), "0 1 2 3 4 5 6 ");
	buf_release(&body);
	buf_release(&numbers);
	close_log(&l);
}

static void filters_fit_together(void **state)
{
	static const struct {
		const char *query;
		size_t n;
	} rows[] = {
		{"", 100},
		{"outcome=deny", 20},
		{"outcome=deny&outcome=allow", 100},
		{"outcome=error", 0},
		{"path=authz/*", 100},
		{"path=other/**", 0},
		{"revision=r1", 50},
		{"target=eu-1", 100},
		{"target=eu-2", 0},
		{"cohort=stable", 100},
		{"cohort=canary", 0},
		{"where=/input/user=u3", 14},
		{"where=/input/n=42", 1},
		{"where=/input/n=42&where=/input/user=u3", 0},
		{"where=/input/nothing=1", 0},
		{"from=2026-11-24T10:00:00.050Z", 50},
		{"to=2026-11-24T10:00:00.050Z", 50},
		{"since=1h", 100},
	};
	struct log l;

	(void)state;
	open_log(&l);
	send_events(l.d, 0, 100);
	for (size_t i = 0; i < COUNT(rows); i++) {
		ask(&l, "decisions query", rows[i].query);
		if (l.code || count(&l) != rows[i].n)
			fail_msg("%s: %zu rows, %s", rows[i].query, count(&l),
				l.out.ptr);
	}
	close_log(&l);
}

static void what_can_not_be_asked_is_a_usage_error(void **state)
{
	static const struct {
		const char *op, *query, *says;
	} rows[] = {
		{"decisions query", "outcome=maybe", "must be allow"},
		{"decisions query", "where=x", "NAME=VALUE"},
		{"decisions query", "where==x", "NAME=VALUE"},
		{"decisions query", "cursor=1.2", "`next` of a page"},
		{"decisions query", "cursor=1.2.-3", "`next` of a page"},
		{"decisions query", "cursor=1.2.3.4", "`next` of a page"},
		{"decisions query",
			"from=2026-06-20T00:00:00Z&to=2026-06-20T00:00:00Z",
			"ends before it begins"},
		{"decisions show", "", "needs"},
	};
	struct log l;

	(void)state;
	open_log(&l);
	for (size_t i = 0; i < COUNT(rows); i++) {
		ask(&l, rows[i].op, rows[i].query);
		if (l.code != OP_USAGE || !strstr(l.out.ptr, rows[i].says))
			fail_msg("%s: %s", rows[i].query, l.out.ptr);
	}
	ask(&l, "decisions query", "where=team=x");
	assert_num(l.code, OP_MISSING);
	close_log(&l);
}

static void the_tail_begins_at_the_end_and_goes_on(void **state)
{
	struct log l;
	struct buf q = {0};

	(void)state;
	open_log(&l);
	send_events(l.d, 0, 10);
	ask(&l, "decisions tail", "");
	assert_num(count(&l), 0);
	assert_str(at(&l, "/next"), "10");
	send_events(l.d, 10, 15);
	ask(&l, "decisions tail", "next=10&limit=3");
	assert_num(count(&l), 3);
	assert_str(at(&l, "/next"), "13");
	assert_str(at(&l, "/more"), "true");
	ask(&l, "decisions tail", "next=13&outcome=allow");
	assert_num(count(&l), 2);
	assert_str(at(&l, "/next"), "15");
	assert_str(at(&l, "/more"), "false");
	buf_release(&q);
	close_log(&l);
}

static void gaps_are_listed(void **state)
{
	struct decision_counters c = {.target = S("eu-1"),
		.instance = S("i"),
		.time = NOW - 1,
		.requests = 0};
	struct log l;
	struct err e = {0};

	(void)state;
	open_log(&l);
	send_events(l.d, 0, 10);
	assert_ok(decisions_count(l.d, &c, &e), &e);
	c.time = NOW + NS_PER_S;
	c.requests = 12;
	c.dropped = 1;
	assert_ok(decisions_count(l.d, &c, &e), &e);
	assert_ok(decisions_tick(l.d, &e), &e);
	ask(&l, "decisions gaps", "");
	assert_num(count(&l), 1);
	assert_str(at(&l, "/rows/0/missing"), "2");
	assert_str(at(&l, "/rows/0/events"), "10");
	assert_str(at(&l, "/rows/0/dropped"), "1");
	close_log(&l);
}

static void quarantine_shows_bytes_that_are_no_text(void **state)
{
	struct buf numbers = {0};
	struct log l;

	(void)state;
	open_log(&l);
	send_body(l.d, S("nonsense"));
	send_body(l.d, S("\xff\xfe"));
	ask(&l, "decisions quarantine", "");
	assert_num(count(&l), 2);
	assert_str(at(&l, "/rows/0/text"), "nonsense");
	assert_str(at(&l, "/rows/1/base64"), "//4=");
	assert_str(at(&l, "/rows/1/size"), "2");
	assert_num(
		follow(&l, "decisions quarantine", "limit=1", "next", &numbers),
		2);
	assert_str(buf_str(&numbers), "0 1 ");
	buf_release(&numbers);
	close_log(&l);
}

static void verify_names_the_place_of_a_fault(void **state)
{
	struct buf path = {0};
	struct log l;
	struct err e = {0};
	FILE *f;

	(void)state;
	open_log(&l);
	send_events(l.d, 0, 10);
	assert_ok(decisions_tick(l.d, &e), &e);
	ask(&l, "decisions verify", "");
	assert_num(l.code, OP_OK);
	assert_str(at(&l, "/ok"), "true");
	assert_str(at(&l, "/events"), "10");
	assert_str(at(&l, "/signatures"), "true");
	buf_addf(&path, "%s/decisions/events/00000001.seg", dir);
	f = fopen(path.ptr, "r+e");
	assert_non_null(f);
	fseek(f, -1, SEEK_END);
	fputc('!', f);
	fclose(f);
	ask(&l, "decisions verify", "");
	assert_num(l.code, OP_INTEGRITY);
	assert_str(at(&l, "/ok"), "false");
	assert_str(at(&l, "/fault/file"), "events/00000001.seg");
	assert_str(at(&l, "/fault/offset"), "0");
	assert_str(at(&l, "/fault/event"), "0");
	buf_release(&path);
	close_log(&l);
}

static void a_proof_can_be_checked_without_the_log(void **state)
{
	static const char *const names[] = {
		"prove=3", "prove=00000003-0000-4000-8000-000000000000"};
	struct note_key *key;
	struct buf path = {0}, line = {0};
	struct log l;
	struct err e = {0};

	(void)state;
	open_log(&l);
	send_events(l.d, 0, 10);
	buf_addf(&path, "%s/log.pub", dir);
	assert_ok(fs_read(NULL, path.ptr, 4096, &line, &e), &e);
	assert_ok(note_key_parse(&key, buf_str(&line), &e), &e);
	for (size_t i = 0; i < COUNT(names); i++) {
		ask(&l, "decisions verify", names[i]);
		assert_num(l.code, OP_OK);
		assert_ok(decision_proof_check(
				  at(&l, "/proof"), at(&l, "/event"), key, &e),
			&e);
	}
	ask(&l, "decisions verify", "prove=10");
	assert_num(l.code, OP_MISSING);
	note_key_free(key);
	buf_release(&path);
	buf_release(&line);
	close_log(&l);
}

static void a_log_is_read_beside_its_writer_and_rebuilt_by_it(void **state)
{
	struct service_options o = {.dir = dir};
	struct log writer, reader = {0};
	struct err e = {0};

	(void)state;
	open_log(&writer);
	send_events(writer.d, 0, 10);
	assert_ok(service_open(&reader.s, &o, &e), &e);
	ask(&reader, "decisions query", "");
	assert_num(count(&reader), 10);
	ask(&reader, "decisions tail", "");
	assert_str(at(&reader, "/next"), "10");
	ask(&reader, "decisions rebuild", "");
	assert_num(reader.code, OP_CONFLICT);
	ask(&writer, "decisions rebuild", "");
	assert_str(at(&writer, "/events"), "10");
	close_log(&reader);
	close_log(&writer);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_no_log_is_that_is_said),
		TEST(a_row_has_the_bytes_of_its_event),
		TEST(pages_have_each_row_once),
		TEST(rows_of_one_instant_are_not_lost_between_pages),
		TEST(what_comes_after_the_first_page_is_not_in_the_next),
		TEST(a_page_ends_at_four_mebibytes),
		TEST(filters_fit_together),
		TEST(what_can_not_be_asked_is_a_usage_error),
		TEST(the_tail_begins_at_the_end_and_goes_on),
		TEST(gaps_are_listed),
		TEST(quarantine_shows_bytes_that_are_no_text),
		TEST(verify_names_the_place_of_a_fault),
		TEST(a_proof_can_be_checked_without_the_log),
		TEST(a_log_is_read_beside_its_writer_and_rebuilt_by_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
