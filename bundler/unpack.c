/*
 * Reading archives from elsewhere.
 *
 * zlib inflates, within the limits, into one buffer; libarchive reads the tar
 * in it, with no other format to try and nothing written to disk. Inflating is
 * not left to libarchive since it takes several gzip members for one, ignores
 * what stands behind them and does not check the sum at the end. The type of
 * each entry is looked at before: libarchive takes types that it does not know
 * for files, agents skip them, and a bundle must be one thing to everybody.
 *
 * Source: OPA contract, section 1.1; POSIX, pax; RFC 1952.
 */
#include "base/limits.h"
#include "bundler/internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

enum { BLOCK = 512, TYPE_AT = 156, SIZE_AT = 124, SIZE_LEN = 12 };

/* --- gzip ----------------------------------------------------------------- */

#define FAILED "bundle read failed: "

static enum status inflate_failed(
	const z_stream *z, int ret, const struct buf *out, struct err *e)
{
	if (ret == Z_MEM_ERROR)
		die("out of memory: inflate");
	if (ret == Z_BUF_ERROR || ret == Z_OK)
		return err_set(e, E_INVALID, FAILED "unexpected EOF");
	if (!out->len && z->total_out == 0 && z->msg &&
		strstr(z->msg, "header"))
		return err_set(e, E_INVALID,
			FAILED "archive read failed: gzip: invalid header");
	return err_set(e, E_INVALID, FAILED "gzip: %s",
		z->msg ? z->msg : "broken data");
}

static enum status check_inflated(
	const struct buf *out, struct str bytes, struct err *e)
{
	if (out->len > LIMIT_BUNDLE_INFLATED)
		return err_set(e, E_LIMIT,
			FAILED "more than %zu bytes when inflated",
			LIMIT_BUNDLE_INFLATED);
	if (out->len > LIMIT_BUNDLE_RATIO_FROM &&
		out->len / LIMIT_BUNDLE_RATIO > bytes.len)
		return err_set(e, E_LIMIT,
			FAILED "inflates to more than %u times its size",
			LIMIT_BUNDLE_RATIO);
	return OK;
}

/*
 * The size that the end of a member tells. It may lie, so it is only a hint,
 * and one that the limits allow.
 */
static size_t told_size(struct str bytes)
{
	enum { SHORTEST = 18 }; /* header and end */
	size_t size = 0;

	if (bytes.len < SHORTEST)
		return 0;
	for (size_t i = bytes.len; i > bytes.len - 4; i--)
		size = size << 8 | (unsigned char)bytes.ptr[i - 1];
	if (size > LIMIT_BUNDLE_INFLATED ||
		size / LIMIT_BUNDLE_RATIO > bytes.len)
		return 0;
	return size;
}

static enum status inflate_member(
	z_stream *z, struct str bytes, struct buf *out, struct err *e)
{
	enum { ROOM = 1 << 18 };
	enum status st = OK;
	int ret;

	buf_reserve(out, told_size(bytes) + ROOM);
	do {
		z->next_out = (Bytef *)buf_reserve(out, ROOM);
		z->avail_out = ROOM;
		ret = inflate(z, Z_NO_FLUSH);
		out->len += ROOM - z->avail_out;
		st = check_inflated(out, bytes, e);
	} while (!st && ret == Z_OK);
	if (!st && ret != Z_STREAM_END)
		st = inflate_failed(z, ret, out, e);
	if (!st && z->avail_in)
		st = err_set(e, E_INVALID,
			FAILED "%u bytes behind the end of the gzip member",
			z->avail_in);
	return st;
}

static enum status inflate_all(struct str bytes, struct buf *out, struct err *e)
{
	z_stream z = {0};
	enum status st;

	if (!bytes.len)
		return err_set(e, E_INVALID, FAILED "archive read failed: EOF");
	if (bytes.len > LIMIT_BUNDLE_COMPRESSED)
		return err_set(e, E_LIMIT, FAILED "%zu bytes, limit %zu",
			bytes.len, LIMIT_BUNDLE_COMPRESSED);
	if (inflateInit2(&z, MAX_WBITS + 16) != Z_OK)
		die("out of memory: inflate");
	z.next_in = (const Bytef *)bytes.ptr;
	z.avail_in = (uInt)bytes.len;
	st = inflate_member(&z, bytes, out, e);
	inflateEnd(&z);
	return st;
}

/* --- headers as they stand there ------------------------------------------ */

struct reader {
	struct bundle *out;
	struct archive *a;
	struct str tar;
	size_t next; /* where the next header stands */
	struct map seen;
	struct arena names; /* of what was seen */
	struct err *e;
};

static enum status broken(struct reader *r, const char *what)
{
	return err_set(r->e, E_INVALID, FAILED "archive read failed: %s", what);
}

/* The keys of a pax header that may say something and change nothing. */
static bool harmless(struct str key)
{
	static const char *const keys[] = {"path", "mtime", "atime", "ctime",
		"uid", "gid", "uname", "gname", "comment"};

	for (size_t i = 0; i < COUNT(keys); i++)
		if (str_is(key, keys[i]))
			return true;
	return false;
}

/* Records of a pax header: "LEN KEY=VALUE\n". */
static enum status check_records(struct reader *r, struct str text)
{
	while (text.len) {
		size_t len = 0, at = 0, eq;

		while (at < text.len && at < 8 && text.ptr[at] >= '0' &&
			text.ptr[at] <= '9')
			len = len * 10 + (size_t)(text.ptr[at++] - '0');
		eq = str_find(text, S("="), at);
		if (!at || at == text.len || text.ptr[at] != ' ' ||
			len > text.len || eq >= len)
			return broken(r, "a broken pax header");
		if (!harmless(str_slice(text, at + 1, eq)))
			return err_set(r->e, E_INVALID,
				FAILED "a pax header sets %.*s",
				STR_ARG(str_slice(text, at + 1, eq)));
		text = str_slice(text, len, text.len);
	}
	return OK;
}

static bool octal(struct str field, uint64_t *out)
{
	size_t at = 0;

	*out = 0;
	while (at < field.len && field.ptr[at] >= '0' && field.ptr[at] <= '7')
		*out = *out << 3 | (uint64_t)(field.ptr[at++] - '0');
	return at && (at == field.len || field.ptr[at] == '\0' ||
			     field.ptr[at] == ' ');
}

static const char *type_name(char type)
{
	static const char *const names[] = {"a hard link", "a symbolic link",
		"a character device", "a block device", "a folder", "a fifo",
		"a contiguous file"};

	if (type == 'S')
		return "a sparse file";
	if (type == 'g')
		return "a global pax header";
	return type >= '1' && type <= '7' ? names[type - '1']
					  : "an entry of an unknown type";
}

static size_t padded(uint64_t size)
{
	return (size + BLOCK - 1) / BLOCK * BLOCK;
}

/*
 * The header where the last entry ended and, of a pax header, the one behind
 * it. libarchive must have found its entry there: some types it passes over.
 */
static enum status check_header(struct reader *r)
{
	size_t at = r->next;

	if (archive_read_header_position(r->a) != (int64_t)at)
		return broken(r, "an entry of an unknown type");
	for (int more = 1; more >= 0; more--) {
		struct str head = str_slice(r->tar, at, at + BLOCK);
		uint64_t size;
		enum status st;

		if (head.len < BLOCK)
			return broken(r, "unexpected EOF");
		char type = head.ptr[TYPE_AT];

		if (type == '0' || type == '\0' || type == '5') {
			r->next = at + BLOCK;
			return OK;
		}
		if (type != 'x' || !more)
			return err_set(r->e, E_INVALID,
				FAILED "the archive holds %s",
				type == 'x' ? "two pax headers for one file"
					    : type_name(type));
		if (!octal(str_slice(head, SIZE_AT, SIZE_AT + SIZE_LEN),
			    &size) ||
			size > r->tar.len)
			return broken(r, "a pax header without a size");
		at += BLOCK;
		st = check_records(r, str_slice(r->tar, at, at + size));
		if (st)
			return st;
		at += padded(size);
	}
	return OK;
}

/* --- entries -------------------------------------------------------------- */

static enum status unexpected(struct reader *r)
{
	const char *why = archive_error_string(r->a);

	return broken(r, why ? why : "broken data");
}

/* One "/" in front goes; the rest of the name stays as it is. */
static struct str path_of(struct str name)
{
	return str_starts(name, S("/")) ? str_slice(name, 1, name.len) : name;
}

static enum status unique(struct reader *r, struct str path)
{
	if (name_first(&r->seen, &r->names, path))
		return OK;
	return err_set(r->e, E_INVALID,
		FAILED "%.*s stands twice in the archive%s", STR_ARG(path),
		bundle_find(r->out, path) ? "" : ", but for its case");
}

/* Blocks must follow each other: a file with holes has another meaning. */
static enum status read_body(struct reader *r, struct buf *out, uint64_t size)
{
	const void *block;
	size_t len;
	int64_t at;
	int ret;

	buf_reserve(out, size);
	while ((ret = archive_read_data_block(r->a, &block, &len, &at)) ==
		ARCHIVE_OK) {
		if ((uint64_t)at != out->len || len > size - out->len)
			return broken(r, "a file with holes");
		buf_add(out, block, len);
	}
	if (ret != ARCHIVE_EOF)
		return unexpected(r);
	return out->len == size ? OK : broken(r, "unexpected EOF");
}

static enum status check_entry(
	struct reader *r, struct archive_entry *entry, struct str name)
{
	int64_t size = archive_entry_size(entry);
	enum status st = name_check(name, r->e);

	if (st)
		return st;
	if (archive_entry_filetype(entry) != AE_IFREG ||
		archive_entry_hardlink(entry) ||
		archive_entry_sparse_count(entry) > 0)
		return err_set(
			r->e, E_INVALID, "%.*s: no plain file", STR_ARG(name));
	if (size < 0 || (uint64_t)size > LIMIT_BUNDLE_FILE)
		return err_set(r->e, E_LIMIT, "%.*s: %lld bytes, limit %zu",
			STR_ARG(name), (long long)size, LIMIT_BUNDLE_FILE);
	if (r->out->nfiles == LIMIT_BUNDLE_FILES)
		return err_set(r->e, E_LIMIT, "more than %u files",
			LIMIT_BUNDLE_FILES);
	return unique(r, path_of(name));
}

static enum status read_entry(struct reader *r, struct archive_entry *entry)
{
	struct str name = str_from(archive_entry_pathname(entry));
	struct buf body = {0};
	enum status st;

	if (archive_entry_filetype(entry) == AE_IFDIR)
		return OK;
	st = check_entry(r, entry, name);
	if (!st)
		st = read_body(r, &body, (uint64_t)archive_entry_size(entry));
	if (st) {
		buf_release(&body);
		return st;
	}
	r->next += padded(body.len);
	st = bundle_take(r->out, path_of(name), &body, r->e);
	if (!st)
		r->out->files[r->out->nfiles - 1].bare =
			!str_starts(name, S("/"));
	return st;
}

/* Nothing but the zeros that end an archive may stand behind the last entry. */
static enum status check_rest(struct reader *r)
{
	for (size_t i = r->next; i < r->tar.len; i++)
		if (r->tar.ptr[i])
			return broken(r, "data behind the end of the archive");
	return OK;
}

static enum status read_entries(struct reader *r)
{
	struct archive_entry *entry;
	enum status st = OK;
	unsigned n = 0;
	int ret;

	while (!st &&
		(ret = archive_read_next_header(r->a, &entry)) != ARCHIVE_EOF) {
		if (ret != ARCHIVE_OK)
			return unexpected(r);
		if (++n > 2 * LIMIT_BUNDLE_FILES)
			return err_set(r->e, E_LIMIT, "more than %u entries",
				2 * LIMIT_BUNDLE_FILES);
		st = check_header(r);
		if (!st)
			st = read_entry(r, entry);
	}
	return st ? st : check_rest(r);
}

static enum status read_tar(struct reader *r)
{
	enum status st = OK;

	r->a = archive_read_new();
	if (!r->a)
		die("out of memory: archive");
	if (archive_read_support_format_tar(r->a) != ARCHIVE_OK ||
		archive_read_open_memory(r->a, r->tar.ptr, r->tar.len) !=
			ARCHIVE_OK)
		st = unexpected(r);
	if (!st)
		st = read_entries(r);
	archive_read_free(r->a);
	return st;
}

/* --- the whole ------------------------------------------------------------ */

static enum status read_manifest(struct bundle *b, struct err *e)
{
	for (uint32_t i = 0; i < b->nfiles; i++)
		if (name_role(b->files[i].path) == ROLE_MANIFEST)
			return bundle_manifest_read(&b->manifest,
				b->files[i].content, &b->arena, e);
	b->manifest =
		(struct bundle_manifest){.revision = "", .rego_version = -1};
	return OK;
}

enum status bundle_unpack(struct bundle *out, struct str bytes, struct err *e)
{
	struct buf tar = {0}, digest = {0};
	struct reader r = {.out = out, .e = e};
	enum status st;

	*out = (struct bundle){0};
	st = inflate_all(bytes, &tar, e);
	if (!st) {
		r.tar = buf_str(&tar);
		st = read_tar(&r);
	}
	buf_release(&tar);
	map_release(&r.seen);
	arena_release(&r.names);
	if (!st)
		st = read_manifest(out, e);
	if (st) {
		bundle_release(out);
		return st;
	}
	store_digest(&digest, bytes);
	memcpy(out->digest, digest.ptr, digest.len + 1);
	buf_release(&digest);
	return OK;
}
