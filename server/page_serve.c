/* The dashboard over HTTP: its documents, its style, its script. */
#include "server/doc.h"
#include "server/internal.h"
#include "server/op_common.h"
#include "server/page.h"
#include "server/serving.h"

#include "base/digest.h"
#include "base/json.h"

#include <string.h>

/* --- files in the program ---------------------------------------------------
 */

#define FILE_IN(name, path)                                                    \
	".pushsection .rodata\n.global " name ", " name "_end\n" name          \
	": .incbin \"" path "\"\n" name "_end: .byte 0\n.popsection\n"

__asm__(FILE_IN("page_file_css", "server/page.css") FILE_IN("page_file_js",
	"server/page.js") FILE_IN("page_file_svg", "server/page.svg"));

extern const char page_file_css[], page_file_css_end[];
extern const char page_file_js[], page_file_js_end[];
extern const char page_file_svg[], page_file_svg_end[];

static const struct file {
	const char *path, *type, *from, *to;
} files[] = {
	{"/page.css", "text/css; charset=utf-8", page_file_css,
		page_file_css_end},
	{"/page.js", "text/javascript; charset=utf-8", page_file_js,
		page_file_js_end},
	{"/page.svg", "image/svg+xml", page_file_svg, page_file_svg_end},
};

static struct str content(const struct file *f)
{
	return (struct str){f->from, (size_t)(f->to - f->from)};
}

/* "/page.css?v=<digest>": the address of these very bytes. */
static struct str address(struct arena *a, const struct file *f)
{
	unsigned char sum[DIGEST_MAX];
	struct buf b = {0};
	struct str out;

	digest(DIGEST_SHA256, content(f), sum);
	buf_addf(&b, "%s?v=", f->path);
	digest_hex(&b, sum, 8);
	out = arena_str(a, buf_str(&b));
	buf_release(&b);
	return out;
}

struct page_files page_files(struct arena *a)
{
	return (struct page_files){.style = address(a, &files[0]),
		.script = address(a, &files[1])};
}

static void do_file(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	const struct file *f = req->route->data;
	struct arena a = {0};
	struct str query = address(&a, f);

	(void)user;
	reply->type = f->type;
	/* Other bytes have another address, so these may stay for ever. */
	reply->keep = str_eq(str_from(strchr(query.ptr, '?') + 1), req->query);
	buf_addstr(&reply->body, content(f));
	arena_release(&a);
}

/* --- documents ---------------------------------------------------------------
 */

#define NONE ((struct op_arg){{0}, {0}})
#define ARG(name, value) ((struct op_arg){S(name), (value)})

struct asking {
	struct service *s;
	struct arena *a;
	unsigned roles;
	struct str bundle;
};

/* The document of an operation on the bundle, with up to two arguments more. */
static struct str ask(const struct asking *q, const char *name,
	struct op_arg one, struct op_arg two)
{
	struct op_arg args[] = {{S("bundle"), q->bundle}, one, two};
	struct op_call call = {.args = args,
		.who = S("page"),
		.roles = q->roles,
		.now_ns = clock_wall(service_clock(q->s)),
		.a = q->a};
	struct buf out = {0};
	struct str text, doc;
	struct err e;

	while (call.nargs < COUNT(args) && args[call.nargs].value.len)
		call.nargs++;
	op_run(q->s, op_find(name), &call, &out);
	text = arena_str(q->a, buf_str(&out));
	buf_release(&out);
	return json_check(text, NULL, &doc, &e) ? (struct str){0} : doc;
}

/* The status of each channel; `wanted` is chosen, or the first. */
static void ask_channels(
	struct asking *q, struct str wanted, struct page_docs *docs)
{
	struct str list = ask(q, "channels", NONE, NONE), all;
	struct str *status;
	struct json_iter it;
	uint32_t cap = 0;

	status = NULL;
	if (!json_member(list, S("channels"), &all)) {
		status = arena_grow(q->a, status, 0, &cap, sizeof(*status));
		status[docs->nstatus++] = list; /* it says why */
	} else {
		it = json_iter(all);
		while (json_next(&it)) {
			status = arena_grow(q->a, status,
				(uint32_t)docs->nstatus, &cap, sizeof(*status));
			q->bundle = doc_see(it.value, "/bundle", q->a);
			if (str_eq(q->bundle, wanted))
				docs->chosen = docs->nstatus;
			status[docs->nstatus++] = ask(q, "status", NONE, NONE);
		}
	}
	docs->status = status;
}

/*
 * Versions never change, and neither does what differs between two; to find it
 * both are read and parsed, which is not done for each look.
 */
static struct str diff_of(
	const struct asking *q, struct str from, struct str to)
{
	struct service *s = q->s;
	struct str doc = {0},
		   of = str_from(arena_printf(q->a, "%.*s %.*s %.*s",
			   STR_ARG(q->bundle), STR_ARG(from), STR_ARG(to)));

	pthread_mutex_lock(&s->diff_lock);
	if (str_eq(of, buf_str(&s->diff_of)))
		doc = arena_str(q->a, buf_str(&s->diff));
	pthread_mutex_unlock(&s->diff_lock);
	if (doc.len)
		return doc;
	doc = ask(q, "diff", ARG("from", from), ARG("to", to));
	if (doc_part(doc, "/error").len)
		return doc;
	pthread_mutex_lock(&s->diff_lock);
	buf_reset(&s->diff_of);
	buf_reset(&s->diff);
	buf_addstr(&s->diff_of, of);
	buf_addstr(&s->diff, doc);
	pthread_mutex_unlock(&s->diff_lock);
	return doc;
}

static void ask_diff(struct asking *q, struct page_docs *docs)
{
	struct page p = {.a = q->a};
	struct str status = docs->status[docs->chosen],
		   to = doc_see(status, "/candidate/revision", q->a),
		   from = page_before(&p, status);

	if (!to.len) /* after a rollback: what it was about */
		to = doc_see(status, "/bad/revision", q->a);
	if (to.len && from.len)
		docs->diff = diff_of(q, from, to);
}

static void ask_details(struct asking *q, struct page_docs *docs)
{
	struct str status = docs->status[docs->chosen];

	q->bundle = doc_see(status, "/bundle", q->a);
	if (!q->bundle.len)
		return;
	if (doc_number(status, "/targets/total") <= PAGE_TARGETS)
		docs->targets = ask(q, "targets",
			ARG("limit", PAGE_F(q, "%d", PAGE_TARGETS)), NONE);
	if (doc_part(status, "/rollout").len)
		docs->verdict =
			ask(q, "verdict", ARG("windows", S("true")), NONE);
	docs->history = ask(q, "history", ARG("limit", S("20")), NONE);
	ask_diff(q, docs);
}

static void do_page(void *user, const struct server_request *req,
	struct server_reply *reply)
{
	struct arena a = {0};
	struct asking q = {.s = user, .a = &a, .roles = req->who->roles};
	struct page_docs docs = {.files = page_files(&a),
		.name = str_from(req->who->token),
		.role = str_from(server_role_name(req->who->roles)),
		.session = req->who->session};
	struct buf wanted = {0};

	server_query(req, "bundle", &wanted);
	ask_channels(&q, buf_str(&wanted), &docs);
	if (docs.nstatus)
		ask_details(&q, &docs);
	reply->type = "text/html; charset=utf-8";
	page_write(&reply->body, &a, &docs);
	buf_release(&wanted);
	arena_release(&a);
}

enum { SMALL = 1 << 16 };

const struct server_route page_routes[] = {
	{"GET", "/", OP_READERS, SMALL, do_page, NULL},
	{"GET", "/page.css", 0, SMALL, do_file, &files[0]},
	{"GET", "/page.js", 0, SMALL, do_file, &files[1]},
	{"GET", "/page.svg", 0, SMALL, do_file, &files[2]},
	{"GET", "/sign-in", 0, SMALL, page_sign_in_form, NULL},
	{"POST", "/sign-in", 0, SMALL, page_sign_in, NULL},
	{"POST", "/sign-out", 0, SMALL, page_sign_out, NULL},
};
const size_t page_nroutes = COUNT(page_routes);
