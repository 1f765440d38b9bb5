/*
 * Files of a log: anything may stand in a segment, a manifest and in
 * checkpoints. The first byte chooses the file, and whether the sum of a block
 * is made right. Reading ends; and a log that
 * can be opened to write still holds an event that is added to it, after it was
 * opened again.
 */
#include "decisions/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void forget(void)
{
	static const char *const names[] = {
		"00000001.seg", "manifest", "checkpoints", "tree"};
	char path[128];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
}

static void remove_dir(void)
{
	forget();
	rmdir(dir);
}

static void make_dir(void)
{
	char name[] = "/tmp/regatta-fuzz-XXXXXX";

	if (dir[0])
		return;
	expect(mkdtemp(name) != NULL);
	snprintf(dir, sizeof(dir), "%s", name);
	atexit(remove_dir);
}

/* The sum of a block as large as the file, so that what it holds is read. */
static void mend_sum(uint8_t *block, size_t size)
{
	unsigned char sum[DIGEST_MAX];
	struct digest d;

	if (size < BLOCK_HEAD)
		return;
	digest_init(&d, DIGEST_SHA256);
	digest_update(&d, block, 72);
	digest_update(&d, block + BLOCK_HEAD, size - BLOCK_HEAD);
	digest_final(&d, sum);
	memcpy(block + 72, sum, MERKLE_BYTES);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wbe");
	expect(f && fwrite(data, 1, size, f) == size);
	fclose(f);
}

static uint64_t read_all(void)
{
	struct record rec;
	struct reader r;
	bool found = true;
	uint64_t n = 0;

	if (reader_open(&r, NULL, dir, "events", UINT64_MAX, NULL))
		return 0;
	while (!reader_at(&r, n, &rec, &found, NULL) && found)
		n++;
	reader_close(&r);
	return n;
}

static bool add_one(uint64_t *size)
{
	struct pending p = {0};
	struct item it = {.bytes = S("{}")};
	struct record r = {.bytes = it.bytes};
	struct log l;
	enum status st = log_open(&l, NULL, dir, "events", NULL, NULL);

	if (st)
		return false;
	pending_add(&p, &r, &it);
	expect(!log_append(&l, &p, NULL));
	*size = log_size(&l);
	pending_release(&p);
	log_close(&l);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {
		"00000001.seg", "manifest", "checkpoints", "tree"};
	uint64_t first, second;
	uint8_t *file;

	if (!size)
		return 0;
	make_dir();
	forget();
	file = malloc(size);
	expect(file != NULL);
	memcpy(file, data + 1, size - 1);
	if (data[0] & 4)
		mend_sum(file, size - 1);
	put(names[data[0] & 3], file, size - 1);
	free(file);
	read_all();
	if (!add_one(&first))
		return 0;
	expect(read_all() == first);
	expect(add_one(&second) && second == first + 1);
	return 0;
}
