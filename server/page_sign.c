/* The dashboard: who looks. Signing in and out, and refusals as pages. */
#include "server/internal.h"
#include "server/page.h"

#include "base/json.h"
#include "server/doc.h"

#include <string.h>

#define HTML "text/html; charset=utf-8"

static void write_word(struct server_reply *reply, struct page_word *w)
{
	struct arena a = {0};

	w->files = page_files(&a);
	reply->type = HTML;
	buf_reset(&reply->body);
	page_write_word(&reply->body, &a, w);
	arena_release(&a);
}

/* A request of ours goes on at the bundle it was for. */
static void query_bundle(const struct server_request *req, struct buf *out)
{
	if (!server_query(req, "bundle", out))
		buf_reset(out);
}

/* --- refusals --------------------------------------------------------------
 */

static struct str title_of(unsigned status)
{
	static const struct {
		unsigned status;
		struct str title;
	} rows[] = {
		{401, STR("Sign in")},
		{403, STR("Not with this token")},
		{404, STR("Nothing here")},
		{405, STR("Not in this way")},
		{503, STR("Not now")},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].status == status)
			return rows[i].title;
	return S("Not understood");
}

void page_refused(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct arena a = {0};
	struct buf bundle = {0};
	struct page_word w = {.title = title_of(reply->status),
		.sign_in = reply->status == 401 || reply->status == 403,
		.session = req->who->session};

	(void)user;
	query_bundle(req, &bundle);
	w.bundle = buf_str(&bundle);
	w.text = reply->status == 401
			 ? S("This server shows itself to those who have a "
			     "token")
			 : doc_see(buf_str(&reply->body), "/error/text", &a);
	write_word(reply, &w);
	buf_release(&bundle);
	arena_release(&a);
}

/* --- in and out ------------------------------------------------------------
 */

/* A form on somebody else's page: browsers say so. */
static bool foreign(
	const struct server_request *req, struct server_reply *reply)
{
	struct str site;

	if (!server_header(req, "Sec-Fetch-Site", &site) ||
		str_is(site, "same-origin") || str_is(site, "none"))
		return false;
	reply_error(reply, 403, "this form came from another site");
	page_refused(NULL, req, reply);
	return true;
}

/* To the dashboard, of the bundle that the request was for. */
static void go_on(const struct server_request *req, struct server_reply *reply)
{
	struct buf bundle = {0};

	query_bundle(req, &bundle);
	buf_addc(&reply->location, '/');
	if (bundle.len) {
		buf_adds(&reply->location, "?bundle=");
		buf_addurl(&reply->location, buf_str(&bundle));
	}
	buf_release(&bundle);
	reply->status = 303;
	reply->type = HTML;
}

/* The form's token; pasted with blanks around it, it is the same. */
static void form_token(const struct server_request *req, struct buf *out)
{
	struct str rest = req->body, key, value;

	while (url_next(&rest, &key, &value))
		if (str_is(key, "token") && !url_value(out, value))
			buf_reset(out);
}

static struct str bare(struct str s)
{
	while (s.len && strchr(" \t\r\n", *s.ptr))
		s = str_slice(s, 1, s.len);
	while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]))
		s.len--;
	return s;
}

void page_sign_in(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct buf token = {0};
	struct page_word w = {.sign_in = true};
	struct buf bundle = {0};

	(void)user;
	if (foreign(req, reply))
		return;
	form_token(req, &token);
	reply->status = server_sign_in(req, bare(buf_str(&token)), reply);
	if (token.ptr)
		explicit_bzero(token.ptr, token.cap);
	buf_release(&token);
	if (!reply->status) {
		go_on(req, reply);
		return;
	}
	query_bundle(req, &bundle);
	w.bundle = buf_str(&bundle);
	w.title = title_of(reply->status);
	w.text =
		reply->status == 401
			? S("That is no token of this server")
			: S("That token is an agent's: it may poll and report, "
			    "not look");
	write_word(reply, &w);
	buf_release(&bundle);
}

void page_sign_out(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	(void)user;
	if (foreign(req, reply))
		return;
	server_sign_out(req, reply);
	go_on(req, reply);
}
