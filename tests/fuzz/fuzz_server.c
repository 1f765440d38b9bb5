/*
 * What the server reads by itself. The first byte says what the rest is; what
 * is taken has the properties its readers rely on.
 */
#include "server/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static bool inside(struct str part, struct str all)
{
	return !part.len || (part.ptr >= all.ptr &&
				    part.ptr + part.len <= all.ptr + all.len);
}

static void fields(struct str text)
{
	struct str tag = field_first_tag(text), token,
		   cookie = field_cookie(text, S("a"));

	field_wait(text);
	expect(inside(tag, text));
	expect(inside(cookie, text) && str_find(cookie, S(";"), 0) == SIZE_MAX);
	if (field_bearer(text, &token))
		expect(token.len && inside(token, text) &&
			!memchr(token.ptr, ' ', token.len));
}

/* A decoded path has no dots, no control characters, and is not longer. */
static void path(struct str text)
{
	char *p = malloc(text.len + 1);
	struct str params[SERVER_PARAMS] = {0}, got;
	struct err e = {0};
	size_t len;

	if (!p)
		abort();
	if (text.len)
		memcpy(p, text.ptr, text.len);
	p[text.len] = '\0';
	len = strlen(p);
	if (!url_path(p, &e)) {
		got = str_from(p);
		expect(got.len <= len && *p == '/');
		expect(str_find(got, S("/../"), 0) == SIZE_MAX &&
			str_find(got, S("//"), 0) == SIZE_MAX &&
			!str_ends(got, S("/..")));
		for (size_t i = 0; i < got.len; i++)
			expect((unsigned char)p[i] > 0x20);
		if (url_match("/{a}/b/{c...}", got, params))
			expect(inside(params[0], got) &&
				inside(params[1], got));
	} else {
		expect(e.code && e.text[0]);
	}
	free(p);
}

static void query(struct str text)
{
	struct str rest = text, key, value;
	size_t n = 0;

	while (url_next(&rest, &key, &value)) {
		struct buf out = {0};

		expect(inside(key, text) && inside(value, text));
		if (url_value(&out, value))
			expect(out.len <= value.len);
		buf_release(&out);
		n++;
	}
	expect(n <= text.len);
}

static void names(struct str text)
{
	struct server_who who = {0};

	server_who_label(&who, text);
	expect(server_target_valid(text) == (who.target[0] != '\0'));
	if (url_bundle_valid(text))
		expect(!memchr(text.ptr, '\0', text.len) &&
			str_find(text, S(".."), 0) != 0);
}

static void tokens(struct str text)
{
	struct server_tokens t = {0}, back = {0};
	struct buf out = {0};
	struct err e = {0};

	if (server_tokens_parse(&t, text, &e)) {
		expect(e.code && !t.items);
		return;
	}
	server_tokens_write(&t, &out);
	expect(!server_tokens_parse(&back, buf_str(&out), &e));
	expect(t.len == back.len);
	server_token_find(&t, text);
	buf_release(&out);
	server_tokens_release(&t);
	server_tokens_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(struct str) = {
		fields, path, query, names, tokens};
	struct str text;

	if (!size)
		return 0;
	text = (struct str){(const char *)data + 1, size - 1};
	readers[*data % COUNT(readers)](text);
	return 0;
}
