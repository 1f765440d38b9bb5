/*
 * Archives. The first byte chooses: the bytes are the archive, or the tar in
 * it, which reaches further. What is read must be packed, if its names allow
 * that, to an archive that is read as the same; and whatever it is, judging it
 * ends with a verdict.
 */
#include "bundler/bundler.h"

#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void gzip(struct buf *out, struct str bytes)
{
	z_stream z = {0};
	size_t room = bytes.len + 1000;

	expect(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, 0) == Z_OK);
	z.next_in = (const Bytef *)bytes.ptr;
	z.avail_in = (uInt)bytes.len;
	z.next_out = (Bytef *)buf_reserve(out, room);
	z.avail_out = (uInt)room;
	expect(deflate(&z, Z_FINISH) == Z_STREAM_END);
	out->len += z.total_out;
	deflateEnd(&z);
}

static void same(const struct bundle *a, const struct bundle *b)
{
	expect(a->nfiles == b->nfiles);
	for (uint32_t i = 0; i < a->nfiles; i++) {
		const struct bundle_file *f = bundle_find(b, a->files[i].path);

		expect(f && str_eq(f->content, a->files[i].content));
	}
}

static void round_trip(struct bundle *b)
{
	struct buf out = {0}, again = {0};
	struct bundle two;

	if (bundle_pack(b, &out, NULL)) {
		buf_release(&out);
		return;
	}
	expect(bundle_unpack(&two, buf_str(&out), NULL) == OK);
	same(b, &two);
	expect(bundle_pack(&two, &again, NULL) == OK);
	expect(str_eq(buf_str(&out), buf_str(&again)));
	bundle_release(&two);
	buf_release(&out);
	buf_release(&again);
}

static struct sign_key *key(void)
{
	static struct sign_key *k;

	if (!k)
		expect(sign_key_parse_public(
			       &k, S("seed"), ALG_HS256, "k1", NULL) == OK);
	return k;
}

static void judge(struct bundle *b)
{
	struct sign_key *k = key();
	struct verify_config cfg = {.keys = &k, .nkeys = 1};
	struct bundle_verify_options o = {.keys = &cfg};
	struct err e = {0};

	if (bundle_verify(b, &o, &e))
		expect(e.text[0]);
	cfg.strict = true;
	if (bundle_verify(b, &o, &e) == OK) {
		cfg.strict = false;
		expect(bundle_verify(b, &o, &e) == OK);
	}
	if (bundle_check(b, BUNDLE_RELEASE, &e) == OK)
		expect(bundle_check(b, BUNDLE_STRICT, &e) == OK);
	if (bundle_check(b, BUNDLE_STRICT, &e) == OK)
		expect(bundle_check(b, BUNDLE_AS_AGENT, &e) == OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text;
	struct buf packed = {0};
	struct bundle b;
	struct err e = {0};

	if (!size)
		return 0;
	text = str_make((const char *)data + 1, size - 1);
	if (data[0] % 2) {
		gzip(&packed, text);
		text = buf_str(&packed);
	}
	if (bundle_unpack(&b, text, &e)) {
		expect(e.text[0] && !b.nfiles);
	} else {
		judge(&b);
		round_trip(&b);
		bundle_release(&b);
	}
	buf_release(&packed);
	return 0;
}
