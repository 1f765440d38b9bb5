/*
 * Writing archives.
 *
 * libarchive reads them (unpack.c) but can't write these bytes: its gzip names
 * the system in the header, its tar pads to 10,240 bytes, and what it makes of
 * a name depends on the locale. The layout is that of `opa build`: POSIX ustar,
 * mode 0600, no owner, no time, and a pax record only for a name that does not
 * fit. Nothing here asks the machine for anything.
 *
 * The deflated bytes are zlib's at its default level, the one that Go uses.
 * zlib is linked as an archive, so a program makes the same bytes wherever it
 * runs; a program built with another zlib may make other ones. What a release
 * is compared by when two builds meet is therefore the digest of each file,
 * which the signature lists; the archive's digest names one artifact.
 *
 * Source: OPA contract, sections 0 and 1.7; POSIX, pax; RFC 1952.
 */
#include "base/digest.h"
#include "base/limits.h"
#include "bundler/internal.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

enum {
	BLOCK = 512,
	NAME_MAX_USTAR = 100,
	PREFIX_MAX_USTAR = 155,
	OS_UNKNOWN = 255,
};

/* Offsets and widths of POSIX ustar. */
struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12];
	char chksum[8], type, linkname[100], magic[6], version[2];
	char uname[32], gname[32], devmajor[8], devminor[8], prefix[155];
	char rest[12];
};

_Static_assert(sizeof(struct ustar) == BLOCK, "a header is one block");

struct writer {
	z_stream z;
	struct buf *out;
	uint64_t total; /* bytes of tar so far */
};

/* --- gzip ----------------------------------------------------------------- */

static void write_some(struct writer *w, const void *ptr, size_t len, int flush)
{
	enum { ROOM = 1 << 16 };
	int ret;

	w->z.next_in = ptr;
	w->z.avail_in = (uInt)len; /* a file has at most LIMIT_BUNDLE_FILE */
	w->total += len;
	do {
		w->z.next_out = (Bytef *)buf_reserve(w->out, ROOM);
		w->z.avail_out = ROOM;
		ret = deflate(&w->z, flush);
		w->out->len += ROOM - w->z.avail_out;
	} while (ret == Z_OK && (w->z.avail_out == 0 || flush == Z_FINISH));
}

static void begin(struct writer *w, gz_header *head)
{
	*head = (gz_header){.os = OS_UNKNOWN};
	if (deflateInit2(&w->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
		    MAX_WBITS + 16, MAX_MEM_LEVEL - 1,
		    Z_DEFAULT_STRATEGY) != Z_OK ||
		deflateSetHeader(&w->z, head) != Z_OK)
		die("out of memory: deflate");
}

/* --- tar ------------------------------------------------------------------ */

/* `width` counts the NUL behind the digits. */
static void octal(char *at, size_t width, uint64_t n)
{
	at[--width] = '\0';
	while (width) {
		at[--width] = (char)('0' + (n & 7));
		n >>= 3;
	}
}

static void set_checksum(struct ustar *h)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned sum = 0;

	memset(h->chksum, ' ', sizeof(h->chksum));
	for (size_t i = 0; i < BLOCK; i++)
		sum += p[i];
	octal(h->chksum, 7, sum); /* and the blank that stays */
}

static void write_header(struct writer *w, struct str prefix, struct str name,
	uint64_t size, char type)
{
	struct ustar h = {.type = type};

	memcpy(h.name, name.ptr, name.len);
	if (prefix.len)
		memcpy(h.prefix, prefix.ptr, prefix.len);
	octal(h.mode, sizeof(h.mode), 0600);
	octal(h.uid, sizeof(h.uid), 0);
	octal(h.gid, sizeof(h.gid), 0);
	octal(h.size, sizeof(h.size), size);
	octal(h.mtime, sizeof(h.mtime), 0);
	memcpy(h.magic, "ustar", sizeof(h.magic));
	memcpy(h.version, "00", sizeof(h.version));
	octal(h.devmajor, sizeof(h.devmajor), 0);
	octal(h.devminor, sizeof(h.devminor), 0);
	set_checksum(&h);
	write_some(w, &h, sizeof(h), Z_NO_FLUSH);
}

static void write_body(struct writer *w, struct str body)
{
	static const char zeros[BLOCK];

	write_some(w, body.ptr, body.len, Z_NO_FLUSH);
	if (body.len % BLOCK)
		write_some(w, zeros, BLOCK - body.len % BLOCK, Z_NO_FLUSH);
}

/* Split a name at the last slash that leaves a prefix that fits. */
static bool split(struct str path, struct str *prefix, struct str *name)
{
	size_t at = path.len < PREFIX_MAX_USTAR + 1 ? path.len - 1
						    : PREFIX_MAX_USTAR;

	*prefix = (struct str){0};
	*name = path;
	if (path.len <= NAME_MAX_USTAR)
		return true;
	while (at > 0 && path.ptr[at] != '/')
		at--;
	*prefix = str_slice(path, 0, at);
	*name = str_slice(path, at + 1, path.len);
	return at > 0 && name->len > 0 && name->len <= NAME_MAX_USTAR;
}

/* "LEN path=NAME\n", where LEN counts itself. */
static void pax_record(struct buf *out, struct str path)
{
	size_t rest = strlen(" path=\n") + path.len, len = rest, digits;

	do {
		digits = (size_t)snprintf(NULL, 0, "%zu", len);
		len = rest + digits;
	} while ((size_t)snprintf(NULL, 0, "%zu", len) != digits);
	buf_addf(out, "%zu path=%.*s\n", len, STR_ARG(path));
}

/* The name as the header has it, which stands for the one in the record. */
static void write_pax(struct writer *w, struct str path)
{
	struct buf record = {0};

	pax_record(&record, path);
	write_header(
		w, (struct str){0}, S("PaxHeaders.0/name"), record.len, 'x');
	write_body(w, buf_str(&record));
	buf_release(&record);
}

static void write_file(struct writer *w, const struct bundle_file *f)
{
	struct str prefix, name, path;
	struct buf b = {0};

	buf_addc(&b, '/');
	buf_addstr(&b, f->path);
	path = buf_str(&b);
	if (!split(path, &prefix, &name)) {
		write_pax(w, path);
		prefix = (struct str){0};
		name = str_slice(path, 0, NAME_MAX_USTAR);
	}
	write_header(w, prefix, name, f->content.len, '0');
	write_body(w, f->content);
	buf_release(&b);
}

/* --- the whole ------------------------------------------------------------ */

static enum status check_file(const struct bundle_file *f, struct err *e)
{
	enum status st = name_check_strict(f->path, e);

	if (!st && f->content.len > LIMIT_BUNDLE_FILE)
		st = err_set(e, E_LIMIT, "%.*s: %zu bytes, limit %zu",
			STR_ARG(f->path), f->content.len, LIMIT_BUNDLE_FILE);
	return st;
}

static enum status check_files(const struct bundle *b, struct err *e)
{
	struct arena a = {0};
	struct map seen = {0};
	enum status st = OK;

	if (b->nfiles > LIMIT_BUNDLE_FILES)
		return err_set(e, E_LIMIT, "%u files, limit %u", b->nfiles,
			LIMIT_BUNDLE_FILES);
	for (uint32_t i = 0; i < b->nfiles && !st; i++) {
		st = check_file(&b->files[i], e);
		if (!st && !name_first(&seen, &a, b->files[i].path))
			st = err_set(e, E_INVALID,
				"%.*s: another file has this name but for its "
				"case; rename one",
				STR_ARG(b->files[i].path));
	}
	map_release(&seen);
	arena_release(&a);
	return st;
}

/* What a reader with our limits would not take must not be written. */
static enum status check_sizes(
	const struct writer *w, size_t packed, struct err *e)
{
	if (packed > LIMIT_BUNDLE_COMPRESSED)
		return err_set(e, E_LIMIT,
			"the archive has %zu bytes, limit %zu", packed,
			LIMIT_BUNDLE_COMPRESSED);
	if (w->total > LIMIT_BUNDLE_INFLATED)
		return err_set(e, E_LIMIT,
			"the archive has %llu bytes when inflated, limit %zu",
			(unsigned long long)w->total, LIMIT_BUNDLE_INFLATED);
	if (w->total > LIMIT_BUNDLE_RATIO_FROM &&
		w->total / LIMIT_BUNDLE_RATIO > packed)
		return err_set(e, E_LIMIT,
			"the archive inflates to more than %u times its size, "
			"which readers take for a bomb",
			LIMIT_BUNDLE_RATIO);
	return OK;
}

enum status bundle_pack(struct bundle *b, struct buf *out, struct err *e)
{
	static const char zeros[2 * BLOCK];
	struct writer w = {.out = out};
	size_t from = out->len;
	struct buf digest = {0};
	gz_header head;
	enum status st = check_files(b, e);

	if (st)
		return st;
	bundle_order(b);
	begin(&w, &head);
	for (uint32_t i = 0; i < b->nfiles; i++)
		write_file(&w, &b->files[i]);
	write_some(&w, zeros, sizeof(zeros), Z_NO_FLUSH);
	write_some(&w, zeros, 0, Z_FINISH);
	deflateEnd(&w.z);
	st = check_sizes(&w, out->len - from, e);
	if (st) {
		out->len = from;
		return st;
	}
	out->ptr[out->len] = '\0';
	store_digest(&digest, str_slice(buf_str(out), from, out->len));
	memcpy(b->digest, digest.ptr, digest.len + 1);
	buf_release(&digest);
	return OK;
}
