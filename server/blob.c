/*
 * blob: the bytes of bundles, once in memory each.
 *
 * A blob is two responses that all connections share, with and without the
 * bytes; its tag is the SHA-256 of what was read, so that identical bytes have
 * the identical tag and a damaged file is never served.
 */
#include "server/internal.h"

#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

struct blob {
	struct blob *next; /* used before this one */
	char digest[SERVER_DIGEST_HEX + 1];
	size_t len;
	struct MHD_Response *full, *same;
};

static enum status check(
	const struct buf *b, const char *digest_hex_want, struct err *e)
{
	unsigned char sum[DIGEST_MAX];
	struct buf hex = {0};
	enum status st = OK;

	digest(DIGEST_SHA256, buf_str(b), sum);
	digest_hex(&hex, sum, 32);
	if (strcmp(hex.ptr, digest_hex_want) != 0)
		st = err_set(e, E_INVALID,
			"%zu bytes with the SHA-256 %s, not %s", b->len,
			hex.ptr, digest_hex_want);
	buf_release(&hex);
	return st;
}

static struct MHD_Response *response(
	const char *digest, size_t len, char *bytes)
{
	struct MHD_Response *m = mhd.MHD_create_response_from_buffer(len, bytes,
		bytes ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	char tag[SERVER_DIGEST_HEX + 3];

	if (!m)
		die("out of memory: a bundle");
	snprintf(tag, sizeof(tag), "\"%s\"", digest);
	mhd.MHD_add_response_header(m, "ETag", tag);
	mhd.MHD_add_response_header(m, "Cache-Control", "no-cache, private");
	mhd.MHD_add_response_header(
		m, "Vary", "Authorization, X-Regatta-Target");
	if (bytes)
		mhd.MHD_add_response_header(m, "Content-Type", BUNDLE_TYPE);
	return m;
}

static struct blob *make(const char *digest, struct buf *bytes)
{
	struct blob *b = calloc(1, sizeof(*b));

	if (!b)
		die("out of memory: a bundle");
	b->len = bytes->len;
	memcpy(b->digest, digest, strlen(digest) + 1);
	b->full = response(digest, b->len, buf_detach(bytes));
	b->same = response(digest, 0, NULL);
	return b;
}

static void blob_free(struct blob *b)
{
	mhd.MHD_destroy_response(b->full);
	mhd.MHD_destroy_response(b->same);
	free(b);
}

static enum status load(
	struct server *s, const char *digest, struct blob **out, struct err *e)
{
	struct buf bytes = {0};
	enum status st =
		s->cfg.content(s->cfg.user, str_from(digest), &bytes, e);

	if (!st)
		st = check(&bytes, digest, e);
	if (!st) {
		*out = make(digest, &bytes);
		s->blob_bytes += (*out)->len;
	}
	buf_release(&bytes);
	return st;
}

/* The newest stays, whatever it takes; what is being sent lives on. */
static void evict(struct server *s)
{
	while (s->blob_bytes > s->max.blobs && s->blobs->next) {
		struct blob **last = &s->blobs->next;

		while ((*last)->next)
			last = &(*last)->next;
		s->blob_bytes -= (*last)->len;
		blob_free(*last);
		*last = NULL;
	}
}

/* Found or read; it is the first of the list then. */
static enum status use(struct server *s, const char *digest, struct err *e)
{
	struct blob **at = &s->blobs, *b;
	enum status st = OK;

	while (*at && strcmp((*at)->digest, digest) != 0)
		at = &(*at)->next;
	b = *at;
	if (b)
		*at = b->next;
	else
		st = load(s, digest, &b, e);
	if (st)
		return st;
	b->next = s->blobs;
	s->blobs = b;
	evict(s);
	return OK;
}

enum status blob_queue(struct request *r, const char *digest, unsigned status,
	enum MHD_Result *queued, struct err *e)
{
	struct server *s = r->s;
	struct blob *b;
	enum status st;

	pthread_mutex_lock(&s->blobs_lock);
	st = use(s, digest, e);
	b = s->blobs;
	if (!st && status == 304)
		*queued = http_queue(r, status, b->same, 0);
	else if (!st)
		*queued = http_queue(r, status, b->full, b->len);
	pthread_mutex_unlock(&s->blobs_lock);
	return st;
}

void blobs_release(struct server *s)
{
	while (s->blobs) {
		struct blob *b = s->blobs;

		s->blobs = b->next;
		blob_free(b);
	}
}
