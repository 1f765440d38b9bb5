/* Archives: the same bytes everywhere, and everything that is no archive. */
#include "tests/bundle_make.h"

#include "bundler/internal.h"

#include <locale.h>
#include <sys/stat.h>
#define ZLIB_CONST
#include <zlib.h>

/* --- archives by hand ----------------------------------------------------- */

enum { BLOCK = 512 };

#define GOLDEN                                                                 \
	"sha256:"                                                              \
	"b1da3af8410d43816862c48993bd16abb2a2c4b203932a494eb1a5c7cfd14eae"

struct entry {
	const char *name;
	char type;
	const char *body;
	const char *link;
};

/* Octal, NUL at the end. */
static void put(char *at, size_t width, unsigned long n)
{
	for (at[--width] = '\0'; width; n >>= 3)
		at[--width] = (char)('0' + (n & 7));
}

static void add_header(
	struct buf *tar, const struct entry *f, unsigned long size)
{
	char h[BLOCK] = {0};
	unsigned sum = 0;

	memcpy(h, f->name, strlen(f->name) < 100 ? strlen(f->name) : 100);
	put(h + 100, 8, 0644);
	put(h + 108, 8, 0);
	put(h + 116, 8, 0);
	put(h + 124, 12, size);
	put(h + 136, 12, 0);
	h[156] = f->type;
	if (f->link)
		memcpy(h + 157, f->link, strlen(f->link));
	memcpy(h + 257,
		"ustar\0"
		"00",
		8);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	put(h + 148, 7, sum);
	buf_add(tar, h, BLOCK);
}

static void add_padding(struct buf *tar)
{
	while (tar->len % BLOCK)
		buf_addc(tar, '\0');
}

static void add_entry(struct buf *tar, const struct entry *f)
{
	struct str body = str_from(f->body);

	add_header(tar, f, body.len);
	buf_addstr(tar, body);
	add_padding(tar);
}

static void add_end(struct buf *tar)
{
	for (int i = 0; i < 2 * BLOCK; i++)
		buf_addc(tar, '\0');
}

static void gzip(struct buf *out, struct str bytes)
{
	z_stream z = {0};

	assert_num(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, 0), Z_OK);
	z.next_in = (const Bytef *)bytes.ptr;
	z.avail_in = (uInt)bytes.len;
	z.next_out = (Bytef *)buf_reserve(out, bytes.len + 1000);
	z.avail_out = (uInt)bytes.len + 1000;
	assert_num(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += z.total_out;
	deflateEnd(&z);
}

static enum status unpack_tar(struct bundle *b, struct str tar)
{
	struct buf packed = {0};
	enum status st;

	gzip(&packed, tar);
	err = (struct err){0};
	st = bundle_unpack(b, buf_str(&packed), &err);
	buf_release(&packed);
	return st;
}

static enum status unpack(
	struct bundle *b, const struct entry *entries, size_t n)
{
	struct buf tar = {0};
	enum status st;

	for (size_t i = 0; i < n; i++)
		add_entry(&tar, &entries[i]);
	add_end(&tar);
	st = unpack_tar(b, buf_str(&tar));
	buf_release(&tar);
	return st;
}

/* --- writing -------------------------------------------------------------- */

static const char *const files[] = {"b/x.rego", "package b\n", ".manifest",
	"{\"revision\":\"r\",\"roots\":[\"b\"]}\n", "data.json", "{}\n",
	"a.rego", "package b\n", NULL, NULL};

static struct buf pack_of(const char *const *list)
{
	struct bundle b;
	struct buf out = {0};

	bundle_of(&b, list);
	assert_ok(bundle_pack(&b, &out, &err), &err);
	bundle_release(&b);
	return out;
}

static void what_is_packed_is_read_again(void **state)
{
	struct buf bytes = pack_of(files);
	struct bundle b;

	(void)state;
	assert_ok(bundle_unpack(&b, buf_str(&bytes), &err), &err);
	assert_num(b.nfiles, 4);
	assert_str(b.files[0].path, "data.json");
	assert_str(b.files[1].path, "a.rego");
	assert_str(b.files[2].path, "b/x.rego");
	assert_str(b.files[3].path, ".manifest");
	assert_str(content_of(&b, "b/x.rego"), "package b\n");
	assert_string_equal(b.manifest.revision, "r");
	assert_num(b.manifest.nroots, 1);
	bundle_release(&b);
	buf_release(&bytes);
}

/*
 * The digest is that of the bytes, and it is written down here: who changes
 * what these files are packed to changes the name of every release.
 */
static void the_bytes_do_not_depend_on_the_machine(void **state)
{
	static const char *const other[] = {"a.rego", "package b\n",
		"data.json", "{}\n", ".manifest",
		"{\"revision\":\"r\",\"roots\":[\"b\"]}\n", "b/x.rego",
		"package b\n", NULL, NULL};
	struct buf one = pack_of(files), two, digest = {0};
	mode_t mask = umask(077);

	(void)state;
	setenv("TZ", "Pacific/Chatham", 1);
	setlocale(LC_ALL, "C.UTF-8");
	two = pack_of(other);
	umask(mask);
	unsetenv("TZ");
	setlocale(LC_ALL, "C");
	assert_num(one.len, two.len);
	assert_memory_equal(one.ptr, two.ptr, one.len);
	assert_memory_equal(one.ptr, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	store_digest(&digest, buf_str(&one));
	assert_str(buf_str(&digest), GOLDEN);
	buf_release(&one);
	buf_release(&two);
	buf_release(&digest);
}

static struct buf inflated(struct str bytes)
{
	z_stream z = {0};
	struct buf out = {0};

	assert_num(inflateInit2(&z, 31), Z_OK);
	z.next_in = (const Bytef *)bytes.ptr;
	z.avail_in = (uInt)bytes.len;
	z.next_out = (Bytef *)buf_reserve(&out, MIB(1));
	z.avail_out = MIB(1);
	assert_num(inflate(&z, Z_FINISH), Z_STREAM_END);
	out.len = z.total_out;
	inflateEnd(&z);
	return out;
}

static void headers_are_those_of_opa_build(void **state)
{
	struct buf bytes = pack_of(files), tar = inflated(buf_str(&bytes));

	(void)state;
	assert_num(tar.len, 4 * 2 * BLOCK + 2 * BLOCK);
	assert_string_equal(tar.ptr, "/data.json");
	assert_string_equal(tar.ptr + 100, "0000600");
	assert_string_equal(tar.ptr + 108, "0000000");
	assert_string_equal(tar.ptr + 124, "00000000003");
	assert_string_equal(tar.ptr + 136, "00000000000");
	assert_num(tar.ptr[156], '0');
	assert_memory_equal(tar.ptr + 257, "ustar\00000", 8);
	assert_string_equal(tar.ptr + 265, "");
	buf_release(&bytes);
	buf_release(&tar);
}

/* Names of 1 to 1000 bytes: header, prefix and pax record. */
static void long_names_survive(void **state)
{
	static const size_t lens[] = {98, 99, 100, 101, 154, 155, 156, 200, 255,
		256, 257, 400, 1023, 1024};

	(void)state;
	for (size_t i = 0; i < COUNT(lens); i++) {
		char name[1100];
		const char *list[] = {name, "package b\n", NULL, NULL};
		struct buf bytes;
		struct bundle b;

		for (size_t k = 0; k < lens[i]; k++)
			name[k] = k % 60 == 59 ? '/' : (char)('a' + k % 26);
		memcpy(name + lens[i] - 6, "x.rego", 7);
		bytes = pack_of(list);
		assert_ok(bundle_unpack(&b, buf_str(&bytes), &err), &err);
		assert_str(b.files[0].path, name);
		bundle_release(&b);
		buf_release(&bytes);
	}
}

static void what_readers_would_refuse_is_not_written(void **state)
{
	static const char *const names[] = {"a b", "../x", "/x", "x//y", "x/",
		".x", "x.manifest", "a/.signatures.json", "\xc3\xa4", "x:y"};
	struct bundle b;
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		bundle_of(&b, (const char *const[]){names[i], "", NULL, NULL});
		if (bundle_pack(&b, &out, &err) != E_INVALID)
			fail_msg("%s was packed", names[i]);
		assert_num(out.len, 0);
		bundle_release(&b);
	}
	buf_release(&out);
}

static void names_that_only_case_tells_apart_are_not_written(void **state)
{
	struct bundle b;
	struct buf out = {0};

	(void)state;
	bundle_of(&b, (const char *const[]){
			      "a/B.rego", "", "A/b.rego", "", NULL, NULL});
	assert_fails(bundle_pack(&b, &out, &err), &err, E_INVALID,
		"another file has this name but for its case");
	bundle_release(&b);
	buf_release(&out);
}

static void a_path_stands_once_in_a_bundle(void **state)
{
	struct bundle b;

	(void)state;
	bundle_of(&b, files);
	assert_fails(bundle_add(&b, S("data.json"), S(""), &err), &err,
		E_CONFLICT, "data.json stands twice");
	assert_num(b.nfiles, 4);
	assert_null(bundle_find(&b, S("data")));
	bundle_release(&b);
}

/* --- one rule each -------------------------------------------------------- */

static void hostile_entries_are_refused(void **state)
{
	/* clang-format off */
	static const struct { struct entry entries[3]; const char *why; } rows[] = {
		{{{"/a", '1', "", "/b"}},       "the archive holds a hard link"},
		{{{"/a", '2', "", "/etc/passwd"}}, "a symbolic link"},
		{{{"/a", '3', "", NULL}},       "a character device"},
		{{{"/a", '4', "", NULL}},       "a block device"},
		{{{"/a", '6', "", NULL}},       "a fifo"},
		{{{"/a", '7', "x", NULL}},      "a contiguous file"},
		{{{"/a", 'S', "x", NULL}},      "a sparse file"},
		{{{"/a", 'Z', "x", NULL}},      "an entry of an unknown type"},
		{{{"/a", 'V', "", NULL}}, "data behind the end"},
		{{{"/a", '0', "x", NULL}, {"/a", '0', "y", NULL}},
			"a stands twice in the archive"},
		{{{"/a", '0', "x", NULL}, {"a", '0', "y", NULL}},
			"a stands twice in the archive"},
		{{{"/a", '0', "x", NULL}, {"./a", '0', "y", NULL}},
			"./a stands twice in the archive"},
		{{{"/a/B", '0', "x", NULL}, {"/A/b", '0', "y", NULL}},
			"A/b stands twice in the archive, but for its case"},
		{{{"/../a", '0', "x", NULL}},   "/../a: a step \".\" or \"..\""},
		{{{"/a/../b", '0', "x", NULL}}, "a step \".\" or \"..\""},
		{{{"/a/./b", '0', "x", NULL}},  "a step \".\" or \"..\""},
		{{{"//etc/passwd", '0', "", NULL}}, "an empty step"},
		{{{"/a//b", '0', "x", NULL}},   "an empty step"},
		{{{"/.git/config", '0', "", NULL}}, "a step .git"},
		{{{"/.GIT/config", '0', "", NULL}}, "a step .git"},
		{{{"/a\\b", '0', "x", NULL}},   "the byte 0x5c"},
		{{{"/a:b", '0', "x", NULL}},    "the byte 0x3a"},
		{{{"/a\nb", '0', "x", NULL}},   "the byte 0x0a"},
		{{{"/a\x7f", '0', "x", NULL}},  "the byte 0x7f"},
		{{{"/a\xff", '0', "x", NULL}},  "not UTF-8"},
		{{{"/a./b", '0', "x", NULL}},   "ends with a dot or space"},
		{{{"/a /b", '0', "x", NULL}},   "ends with a dot or space"},
		{{{"g", 'g', "19 path=/elsewhere\n", NULL}, {"/a", '0', "x", NULL}},
			"a global pax header"},
		{{{"x", 'x', "10 size=9\n", NULL}, {"/a", '0', "x", NULL}},
			"a pax header sets size"},
		{{{"x", 'x', "21 GNU.sparse.name=b\n", NULL},
			{"/a", '0', "x", NULL}},
			"a pax header sets GNU.sparse.name"},
		{{{"x", 'x', "18 linkpath=/x/yz\n", NULL}, {"/a", '0', "x", NULL}},
			"a pax header sets linkpath"},
		{{{"x", 'x', "9 path=b\n", NULL}, {"y", 'x', "9 path=c\n", NULL},
			{"/a", '0', "x", NULL}},
			"bundle read failed: "},
		{{{"x", 'x', "9999 path=b\n", NULL}, {"/a", '0', "x", NULL}},
			"archive read failed"},
		{{{"/a", '0', "x", NULL}, {"V", 'V', "", NULL}},
			"data behind the end"},
		{{{"L", 'L', "/long", NULL}, {"/a", '0', "x", NULL}},
			"an entry of an unknown type"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bundle b;
		size_t n = 0;

		while (n < 3 && rows[i].entries[n].name)
			n++;
		enum status st = unpack(&b, rows[i].entries, n);

		if (!st || !strstr(err.text, rows[i].why))
			fail_msg("row %zu, \"%s\": status %d: %s", i,
				rows[i].entries[0].name, (int)st, err.text);
		assert_num(b.nfiles, 0);
	}
}

static void folders_are_passed_over(void **state)
{
	static const struct entry entries[] = {{"/a/", '5', "", NULL},
		{"/a/b", '0', "x", NULL}, {"/c", '\0', "y", NULL}};
	struct bundle b;

	(void)state;
	assert_ok(unpack(&b, entries, COUNT(entries)), &err);
	assert_num(b.nfiles, 2);
	assert_str(content_of(&b, "a/b"), "x");
	assert_str(content_of(&b, "c"), "y");
	bundle_release(&b);
}

static void names_from_elsewhere_stay_as_they_are(void **state)
{
	static const struct entry entries[] = {{"./a", '0', "x", NULL},
		{"b/\xc3\xa4 c", '0', "y", NULL},
		{"x", 'x', "30 path=/d/quite/another/name\n", NULL},
		{"/d", '0', "z", NULL}};
	struct bundle b;

	(void)state;
	assert_ok(unpack(&b, entries, COUNT(entries)), &err);
	assert_str(content_of(&b, "./a"), "x");
	assert_str(content_of(&b, "b/\xc3\xa4 c"), "y");
	assert_str(content_of(&b, "d/quite/another/name"), "z");
	bundle_release(&b);
}

/* Every prefix of a good archive: an error, never a bundle. */
static void a_cut_archive_is_no_bundle(void **state)
{
	struct buf bytes = pack_of(files);

	(void)state;
	for (size_t len = 0; len < bytes.len; len++) {
		struct bundle b;
		struct str cut = str_slice(buf_str(&bytes), 0, len);

		err = (struct err){0};
		if (bundle_unpack(&b, cut, &err) != E_INVALID ||
			!strstr(err.text, "bundle read failed: "))
			fail_msg("%zu bytes: %s", len, err.text);
	}
	buf_release(&bytes);
}

/*
 * The sum at the end of gzip sees it, unless the same comes out: a run of zeros
 * can be copied from anywhere.
 */
static void a_flipped_bit_changes_nothing_or_is_seen(void **state)
{
	struct buf bytes = pack_of(files);

	(void)state;
	for (size_t i = 10; i < bytes.len; i++) {
		struct bundle b;

		bytes.ptr[i] = (char)(bytes.ptr[i] ^ 0x10);
		if (!bundle_unpack(&b, buf_str(&bytes), &err)) {
			assert_num(b.nfiles, 4);
			for (size_t k = 0; files[k]; k += 2)
				assert_str(
					content_of(&b, files[k]), files[k + 1]);
			bundle_release(&b);
		}
		bytes.ptr[i] = (char)(bytes.ptr[i] ^ 0x10);
	}
	buf_release(&bytes);
}

static void a_cut_tar_is_no_bundle(void **state)
{
	static const struct entry one = {"/a", '0', "x", NULL};
	static const struct entry two = {"/b", '0', "", NULL};
	struct buf tar = {0};
	struct bundle b;

	(void)state;
	add_entry(&tar, &one);
	add_header(&tar, &two, 600);
	buf_adds(&tar, "only this");
	assert_fails(unpack_tar(&b, buf_str(&tar)), &err, E_INVALID,
		"archive read failed");
	tar.len = BLOCK + BLOCK + 100;
	assert_fails(unpack_tar(&b, buf_str(&tar)), &err, E_INVALID,
		"archive read failed");
	buf_release(&tar);
}

static void nothing_stands_behind_the_end(void **state)
{
	static const struct entry one = {"/a", '0', "x", NULL};
	struct buf bytes = pack_of(files), two = {0}, tar = {0};
	struct bundle b;

	(void)state;
	buf_addstr(&two, buf_str(&bytes));
	buf_addstr(&two, buf_str(&bytes));
	assert_fails(bundle_unpack(&b, buf_str(&two), &err), &err, E_INVALID,
		"bytes behind the end of the gzip member");
	two.len = bytes.len;
	buf_addc(&two, '\0');
	assert_fails(bundle_unpack(&b, buf_str(&two), &err), &err, E_INVALID,
		"1 bytes behind the end of the gzip member");
	/* In the tar: more zeros are padding, anything else is hidden. */
	add_entry(&tar, &one);
	add_end(&tar);
	for (int i = 0; i < 8 * BLOCK; i++)
		buf_addc(&tar, '\0');
	assert_ok(unpack_tar(&b, buf_str(&tar)), &err);
	bundle_release(&b);
	add_entry(&tar, &one);
	assert_fails(unpack_tar(&b, buf_str(&tar)), &err, E_INVALID,
		"data behind the end of the archive");
	buf_release(&bytes);
	buf_release(&two);
	buf_release(&tar);
}

static void what_is_no_archive_has_opas_words(void **state)
{
	struct bundle b;

	(void)state;
	assert_fails(bundle_unpack(&b, S(""), &err), &err, E_INVALID,
		"bundle read failed: archive read failed: EOF");
	assert_fails(bundle_unpack(&b, S("PK\3\4 no gzip at all"), &err), &err,
		E_INVALID,
		"bundle read failed: archive read failed: gzip: invalid "
		"header");
	assert_fails(unpack_tar(&b, S("no tar")), &err, E_INVALID,
		"archive read failed");
	assert_fails(
		unpack_tar(&b, S("")), &err, E_INVALID, "archive read failed");
}

/* What libarchive could read too: other archives, and other ways to pack. */
static void no_other_archive_is_read(void **state)
{
	static const struct entry one = {"/a", '0', "x", NULL};
	/* clang-format off */
	static const struct str inside[] = {
		/* cpio, zip, ar, xar, 7-Zip, ISO's are none: the tar reader asks */
		STR("070701000000010000000100000000000000000000000100000000000000"
		    "0000000000000000000000000000000000000002000000000a\0"),
		STR("PK\3\4\n\0\0\0\0\0"),
		STR("!<arch>\na               0           0     0     644     1"
		    "         `\nx"),
		STR("xar!\0\34\0\1"),
		STR("7z\xbc\xaf\x27\x1c"),
		STR("#mtree\n/a type=file\n"),
	};
	static const struct str outside[] = {
		STR("\x28\xb5\x2f\xfd"), /* zstd */
		STR("\xfd" "7zXZ\0"),
		STR("BZh91AY&SY"),
		STR("\x04\x22\x4d\x18"), /* lz4 */
		STR("\x1f\x9d\x90"),     /* compress */
		STR("begin 644 a\n"),    /* uuencode */
	};
	/* clang-format on */
	struct buf tar = {0}, twice = {0};
	struct bundle b;

	(void)state;
	for (size_t i = 0; i < COUNT(inside); i++) {
		tar.len = 0;
		buf_addstr(&tar, inside[i]);
		add_padding(&tar);
		add_end(&tar);
		assert_fails(unpack_tar(&b, buf_str(&tar)), &err, E_INVALID,
			"bundle read failed: ");
	}
	for (size_t i = 0; i < COUNT(outside); i++)
		assert_fails(bundle_unpack(&b, outside[i], &err), &err,
			E_INVALID, "gzip: invalid header");
	tar.len = 0;
	add_entry(&tar, &one);
	add_end(&tar);
	assert_fails(bundle_unpack(&b, buf_str(&tar), &err), &err, E_INVALID,
		"gzip: invalid header");
	gzip(&twice, buf_str(&tar));
	assert_fails(unpack_tar(&b, buf_str(&twice)), &err, E_INVALID,
		"bundle read failed: ");
	buf_release(&tar);
	buf_release(&twice);
}

/* --- limits --------------------------------------------------------------- */

static void put_zeros(struct buf *tar, size_t n)
{
	memset(buf_reserve(tar, n), 0, n);
	tar->len += n;
}

static void a_bomb_is_not_inflated(void **state)
{
	struct entry f = {"/data.json", '0', "", NULL};
	struct buf tar = {0};
	struct bundle b;

	(void)state;
	add_header(&tar, &f, MIB(40));
	put_zeros(&tar, MIB(40) + 2 * BLOCK);
	assert_fails(unpack_tar(&b, buf_str(&tar)), &err, E_LIMIT,
		"inflates to more than 200 times its size");
	/* The same below the size from where that counts. */
	tar.len = 0;
	add_header(&tar, &f, MIB(15));
	put_zeros(&tar, MIB(15) + 2 * BLOCK);
	assert_ok(unpack_tar(&b, buf_str(&tar)), &err);
	bundle_release(&b);
	buf_release(&tar);
}

/* Bytes that do not compress, up to the limit and one more. */
static enum status unpack_sized(size_t file, size_t behind)
{
	struct entry f = {"/x", '0', "", NULL};
	struct buf tar = {0}, packed = {0};
	struct bundle b;
	uint64_t seed = 1;
	enum status st;

	add_header(&tar, &f, file);
	for (size_t i = 0; i < file; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		buf_addc(&tar, i % 64 ? 'x' : (char)(seed >> 56));
	}
	add_padding(&tar);
	put_zeros(&tar, 2 * BLOCK + behind);
	z_stream z = {0};

	assert_num(deflateInit2(&z, 1, Z_DEFLATED, 31, 9, 0), Z_OK);
	z.next_in = (const Bytef *)tar.ptr;
	z.avail_in = (uInt)tar.len;
	z.next_out = (Bytef *)buf_reserve(&packed, tar.len);
	z.avail_out = (uInt)tar.len;
	assert_num(deflate(&z, Z_FINISH), Z_STREAM_END);
	packed.len = z.total_out;
	deflateEnd(&z);
	err = (struct err){0};
	st = bundle_unpack(&b, buf_str(&packed), &err);
	if (!st)
		bundle_release(&b);
	buf_release(&tar);
	buf_release(&packed);
	return st;
}

static void a_file_has_its_limit(void **state)
{
	(void)state;
	assert_ok(unpack_sized(LIMIT_BUNDLE_FILE, 0), &err);
	assert_fails(unpack_sized(LIMIT_BUNDLE_FILE + 1, 0), &err, E_LIMIT,
		"/x: 67108865 bytes, limit 67108864");
}

static void an_archive_has_its_limits(void **state)
{
	const size_t file = MIB(48),
		     rest = LIMIT_BUNDLE_INFLATED - (file + 3 * BLOCK);
	struct buf bytes = {0};
	struct bundle b;

	(void)state;
	assert_ok(unpack_sized(file, rest), &err);
	assert_fails(unpack_sized(file, rest + 1), &err, E_LIMIT,
		"more than 268435456 bytes when inflated");
	put_zeros(&bytes, LIMIT_BUNDLE_COMPRESSED + 1);
	assert_fails(bundle_unpack(&b, buf_str(&bytes), &err), &err, E_LIMIT,
		"bundle read failed: 67108865 bytes, limit 67108864");
	bytes.len--;
	assert_fails(bundle_unpack(&b, buf_str(&bytes), &err), &err, E_INVALID,
		"invalid header");
	buf_release(&bytes);
}

static void files_are_counted(void **state)
{
	struct buf tar = {0};
	struct bundle b;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < LIMIT_BUNDLE_FILES; i++) {
		snprintf(name, sizeof(name), "/%u", i);
		add_header(&tar, &(struct entry){name, '0', "", NULL}, 0);
	}
	size_t len = tar.len;

	add_end(&tar);
	assert_ok(unpack_tar(&b, buf_str(&tar)), &err);
	assert_num(b.nfiles, LIMIT_BUNDLE_FILES);
	bundle_release(&b);
	tar.len = len;
	add_header(&tar, &(struct entry){"/more", '0', "", NULL}, 0);
	add_end(&tar);
	assert_fails(unpack_tar(&b, buf_str(&tar)), &err, E_LIMIT,
		"more than 20000 files");
	buf_release(&tar);
}

static void paths_have_their_limits(void **state)
{
	char path[LIMIT_PATH_BYTES + 8];

	(void)state;
	memset(path, 'a', sizeof(path));
	for (size_t i = 100; i < sizeof(path); i += 100)
		path[i] = '/';
	assert_ok(name_check(str_make(path, LIMIT_PATH_BYTES), &err), &err);
	assert_fails(name_check(str_make(path, LIMIT_PATH_BYTES + 1), &err),
		&err, E_LIMIT, "a path of more than 1024 bytes");
	memset(path, 'a', sizeof(path));
	assert_ok(name_check(str_make(path, LIMIT_PATH_COMPONENT), &err), &err);
	assert_fails(name_check(str_make(path, LIMIT_PATH_COMPONENT + 1), &err),
		&err, E_LIMIT, "a step of more than 255 bytes");
	for (size_t i = 1; i < sizeof(path); i += 2)
		path[i] = '/';
	assert_ok(name_check(str_make(path, 2 * LIMIT_PATH_DEPTH - 1), &err),
		&err);
	assert_fails(name_check(str_make(path, 2 * LIMIT_PATH_DEPTH + 1), &err),
		&err, E_LIMIT, "more than 32 steps");
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(what_is_packed_is_read_again),
		T(the_bytes_do_not_depend_on_the_machine),
		T(headers_are_those_of_opa_build),
		T(long_names_survive),
		T(what_readers_would_refuse_is_not_written),
		T(names_that_only_case_tells_apart_are_not_written),
		T(a_path_stands_once_in_a_bundle),
		T(hostile_entries_are_refused),
		T(folders_are_passed_over),
		T(names_from_elsewhere_stay_as_they_are),
		T(a_cut_archive_is_no_bundle),
		T(a_flipped_bit_changes_nothing_or_is_seen),
		T(a_cut_tar_is_no_bundle),
		T(nothing_stands_behind_the_end),
		T(what_is_no_archive_has_opas_words),
		T(no_other_archive_is_read),
		T(a_bomb_is_not_inflated),
		T(a_file_has_its_limit),
		T(an_archive_has_its_limits),
		T(files_are_counted),
		T(paths_have_their_limits),
	};

	return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
