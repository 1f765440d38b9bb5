/* The dashboard: who looks. Signing in and out, and refusals as pages. */
#include "server/internal.h"
#include "server/page.h"

#include "server/doc.h"

#include <string.h>

#define HTML "text/html; charset=utf-8"

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

/* A page of that word; it goes on at the bundle that the request was for. */
static void write_page(const struct server_request *req, unsigned status,
	struct str text, struct server_reply *reply)
{
	struct arena a = {0};
	struct buf bundle = {0};
	struct page_word w = {.title = title_of(status),
		.text = text,
		.sign_in = status == 401 || status == 403,
		.session = req->who->session};

	if (server_query(req, "bundle", &bundle))
		w.bundle = buf_str(&bundle);
	w.files = page_files(&a);
	reply->type = HTML;
	buf_reset(&reply->body);
	page_write_word(&reply->body, &a, &w);
	buf_release(&bundle);
	arena_release(&a);
}

#define NEEDS_TOKEN "This server shows itself to those who have a token"

void page_refused(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct arena a = {0};
	struct str text = S(NEEDS_TOKEN);

	(void)user;
	if (reply->status != 401)
		text = doc_see(buf_str(&reply->body), "/error/text", &a);
	write_page(req, reply->status, text, reply);
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

	buf_addc(&reply->location, '/');
	if (server_query(req, "bundle", &bundle)) {
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

void page_sign_in_form(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	(void)user;
	write_page(req, 401, S(NEEDS_TOKEN), reply);
}

void page_sign_in(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct buf token = {0};

	(void)user;
	if (foreign(req, reply))
		return;
	form_token(req, &token);
	reply->status = server_sign_in(req, field_trim(buf_str(&token)), reply);
	if (token.ptr)
		explicit_bzero(token.ptr, token.cap);
	buf_release(&token);
	if (!reply->status)
		go_on(req, reply);
	else if (reply->status == 401)
		write_page(
			req, 401, S("That is no token of this server"), reply);
	else
		write_page(req, 403,
			S("That token is an agent's: it may poll and report, "
			  "not look"),
			reply);
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
