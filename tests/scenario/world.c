/* Time, chance, and versions with their archives. */
#include "tests/scenario/scenario.h"

#include "base/fs.h"
#include "bundler/bundler.h"
#include "tests/signer_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct world *w;

/* --- chance (splitmix64) ----------------------------------------------------
 */

uint64_t chance(void)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

unsigned one_of(unsigned n)
{
	return (unsigned)(chance() % n);
}

bool likely(double share)
{
	return (double)(chance() >> 11) * 0x1p-53 < share;
}

int64_t between(int64_t from, int64_t to)
{
	return from + (int64_t)(chance() % (uint64_t)(to - from));
}

/* FNV-1a. */
uint64_t hash_of(struct str s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.ptr[i]) * 1099511628211u;
	return h;
}

/* --- time -------------------------------------------------------------------
 */

int64_t wall(void)
{
	return clock_wall(&w->clock.clock);
}

int64_t mono(void)
{
	return clock_mono(&w->clock.clock);
}

void time_passes(int64_t ns)
{
	w->true_ns += ns;
	fake_clock_advance(&w->clock, ns);
}

static void new_agent(unsigned i)
{
	struct agent *a = &w->agents[i];

	*a = (struct agent){.number = i,
		.eu = i % 3 == 0,
		.core = i % 5 == 0,
		.canary = i % (TARGETS / CANARIES) == 7,
		.active = NOBODY,
		.refused = NOBODY,
		.status_due = true};
	snprintf(a->id, sizeof(a->id), "t%03u", i);
}

void world_new(uint64_t seed)
{
	void *room = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		die("no memory for a world of %zu bytes", sizeof(*w));
	w = room;
	w->seed = w->random = seed;
	w->start_ns = w->true_ns = INT64_C(1780272000) * NS_PER_S;
	w->week = -1;
	w->wanted_state = -1;
	w->to_hold = NOBODY;
	fake_clock_init(&w->clock, w->start_ns);
	for (unsigned i = 0; i < TARGETS; i++)
		new_agent(i);
}

/* --- versions ---------------------------------------------------------------
 */

/* clang-format off */
static const char *const troubles[TROUBLES] = {
	[FINE] = "fine", [ERRORS] = "errors", [UNDEFINED_RESULTS] = "undefined",
	[DENIES_MORE] = "denies more", [DENIES_LESS] = "denies less",
	[SLOW] = "slow", [REFUSED] = "refused", [SILENT] = "silent",
	[LOSES] = "loses events", [LATE] = "errors later",
};
/* clang-format on */

const char *trouble_name(enum trouble t)
{
	return troubles[t];
}

int version_new(enum trouble t)
{
	struct build *v = &w->versions[w->nversions];

	if (w->nversions == VERSIONS)
		die("scenario: more than %d versions", VERSIONS);
	*v = (struct build){.trouble = t};
	snprintf(v->revision, sizeof(v->revision), "v%d", w->nversions + 1);
	return w->nversions++;
}

int version_of(struct str revision)
{
	for (int v = w->nversions; v-- > 0;)
		if (str_is(revision, w->versions[v].revision))
			return v;
	return NOBODY;
}

int version_by_digest(struct str digest)
{
	for (int v = w->nversions; digest.len && v-- > 0;)
		if (str_is(digest, w->versions[v].digest))
			return v;
	return NOBODY;
}

/* --- archives ---------------------------------------------------------------
 */

static const char config_text[] =
	"bundle: " BUNDLE "\ninclude: [policies]\n"
	"decisions:\n  - {path: \"authz/allow\", outcome: allow}\n"
	"rollout:\n"
	"  rings:\n"
	"    - {name: canary, select: \"ring=canary\"}\n"
	"    - {name: early, percent: 20}\n"
	"    - {name: fleet, percent: 100}\n"
	"  bake: {min: 10m, max: 90m, fleet: 15m}\n"
	"  verdict: {min_decisions: 40, pass_below: 12%,"
	" error_ceiling: 25%}\n";

static struct buf archives[VERSIONS];
static struct {
	struct sign_key *private, *public;
} keys;

static void load_keys(void)
{
	struct str pem = str_from(foreign_keys[0].pem);
	struct err e = {0};
	char path[] = "/tmp/regatta-scenario-key-XXXXXX";
	int fd;

	if (keys.private)
		return;
	fd = mkstemp(path);
	if (fd < 0 || close(fd) || fs_write(NULL, path, pem, 0600, &e) ||
		sign_key_load(&keys.private, path, ALG_ES256, &e) ||
		sign_key_parse_public(&keys.public, pem, ALG_ES256, "k1", &e))
		die("scenario: key: %s", e.text);
	unlink(path);
}

static void fill_repo(struct repo *r, int v)
{
	struct repo_file *f = ARENA_ARRAY(&r->arena, struct repo_file, 1);

	*f = (struct repo_file){S("policies/authz/authz.rego"),
		str_from(arena_printf(&r->arena,
			"package authz\n\ndefault allow := false\n\n"
			"allow if input.n >= %d\n",
			v))};
	r->files = f;
	r->nfiles = 1;
	snprintf(r->commit, sizeof(r->commit), "c%d", v + 1);
	snprintf(r->tree, sizeof(r->tree), "d%d", v + 1);
	r->time = w->start_ns / NS_PER_S + v;
}

static void make(int v, struct buf *out)
{
	struct config c;
	struct repo r = {0};
	struct bundle b = {0};
	struct build_options o = {
		.revision = w->versions[v].revision, .tool = "regatta 0"};
	struct err e = {0};

	load_keys();
	if (config_parse(&c, CONFIG_NAME, str_from(config_text), &e))
		die("scenario: %s", e.text);
	fill_repo(&r, v);
	if (bundle_build(&b, &r, &c, &o, &e) ||
		bundle_sign(&b, keys.private, "k1", "prod", &e) ||
		bundle_pack(&b, out, &e))
		die("scenario: bundle: %s", e.text);
	snprintf(w->versions[v].digest, sizeof(w->versions[v].digest), "%s",
		b.digest + strlen("sha256:"));
	bundle_release(&b);
	arena_release(&r.arena);
	config_release(&c);
}

struct str version_archive(int v)
{
	if (!archives[v].len)
		make(v, &archives[v]);
	return buf_str(&archives[v]);
}

void versions_release(void)
{
	for (int v = 0; v < VERSIONS; v++)
		buf_release(&archives[v]);
	sign_key_free(keys.private);
	sign_key_free(keys.public);
	keys.private = keys.public = NULL;
}

bool version_verify(int v, struct str bytes, struct err *e)
{
	struct verify_config check = {.keys = &keys.public,
		.nkeys = 1,
		.scope = "prod",
		.strict = true};
	struct bundle_verify_options o = {.keys = &check};
	struct bundle b = {0};
	bool good;

	load_keys();
	good = !bundle_unpack(&b, bytes, e) && !bundle_verify(&b, &o, e) &&
	       !bundle_check(&b, true, e) &&
	       !strcmp(b.digest + strlen("sha256:"), w->versions[v].digest) &&
	       !strcmp(b.manifest.revision, w->versions[v].revision);
	bundle_release(&b);
	return good;
}
