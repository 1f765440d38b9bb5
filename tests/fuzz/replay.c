/*
 * replay: run a fuzz target over files instead of under libFuzzer, so that
 * the seeds are part of the normal tests, in every build.
 */
#include "base/err.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_MAX = 1 << 20 };

/* A copy of exactly its size, so that asan sees a read past the end. */
static void replay(const char *path)
{
	static uint8_t room[FILE_MAX];
	FILE *f = fopen(path, "rbe");
	uint8_t *exact;
	size_t n;

	if (!f)
		die("no seed %s", path);
	n = fread(room, 1, sizeof(room), f);
	fclose(f);
	if (n == sizeof(room))
		die("seed %s has more than a seed should", path);
	exact = malloc(n ? n : 1);
	if (!exact)
		die("out of memory");
	for (size_t i = 0; i < n; i++)
		exact[i] = room[i];
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		die("no seeds");
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	return 0;
}
