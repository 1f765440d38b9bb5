/*
 * config: regatta.yaml, the release config of a policy repo.
 *
 * Every key is optional but `bundle`; the comments here name the defaults, and
 * what is not given has its default after parsing. Unknown and repeated keys
 * are errors, which name the nearest known key. Every message is one line that
 * begins with "regatta.yaml:ROW:COL: " and says what was found and what is
 * allowed.
 *
 *	bundle: platform
 *	roots: [library, waivers, stages]
 *	include: [policies, waivers, stages]
 *	rego_version: 1
 *	version: {scheme: calver}
 *	source: {signed: commit, signers: /etc/regatta/allowed_signers}
 *	sign: {key: keys/bundle.pem, alg: ES256, keyid: k1, scope: prod}
 *	publish: {store: "dir:./var/bundles"}
 *	test: {coverage: 80, timeout: 30s, budget: {steps: 10000000,
 *	                                             memory: 256MiB}}
 *	decisions:
 *	  - {path: "**", outcome: violations,
 *	     dimensions: {namespace: /input/review/object/metadata/namespace}}
 *	rollout:
 *	  rings:
 *	    - {name: canary, select: "ring=canary"}
 *	    - {name: early, percent: 10}
 *	    - {name: fleet, percent: 100}
 *	  bake: {min: 15m, max: 60m, fleet: 60m}
 *	  verdict: {alpha: 0.01, worse_than: 1.25, error_ceiling: 5%,
 *	            pass_below: 0.5%, min_decisions: 500, window: 60s}
 *	  on_fail: rollback
 *	  on_inconclusive: hold
 *	  reason: why inconclusive may be promoted
 *	  approvers: 2
 *	  denies:
 *	    - {path: library/main/decision, mode: planned, max_up: 3,
 *	       ticket: POL-17, expires: 2026-12-31}
 *	server: https://regatta.example
 *	notify: [./tell-the-team, --urgent]
 *
 * Durations and sizes are those of base/quantity.h, 0 excluded.
 */
#ifndef BUNDLER_CONFIG_H
#define BUNDLER_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "bundler/repo.h"
#include "signer/signer.h"

#define CONFIG_NAME "regatta.yaml"

enum version_scheme { SCHEME_CALVER, SCHEME_TAG };

struct config_list {
	const char **items;
	size_t len;
};

/* How decisions of the paths that match `path` are classified. */
struct config_decision {
	const char *path; /* glob: * within a step, ** for any steps */
	/*
	 * What the result is: "allow" or "deny" (true is), "violations" or
	 * "advice" (not empty is); "": by its shape.
	 */
	const char *outcome;
	/* Names and JSON pointers into the event. */
	struct config_dimension {
		const char *name, *pointer;
	} * dimensions;
	size_t ndimensions;
	uint32_t row, col;
};

/*
 * Rings grow: the percents of those without a selector rise, and the last ring
 * is all of the fleet.
 */
struct config_ring {
	const char *name;
	/* "ring=canary,region!=eu": all must hold; NULL: every target. */
	const char *select;
	double percent; /* of those; 0: not given, all of them */
	bool gate;      /* people promote what passed here */
	uint32_t row, col;
};

/*
 * What its author expects of the denies of the paths that match. Ratios are of
 * odds, candidate to stable; 0: none is given. With one, ticket and end are.
 */
struct config_denies {
	const char *path;   /* glob */
	const char *mode;   /* planned (default), steady or observe */
	double max_up;      /* 1 or more */
	double min_down;    /* up to 1 */
	const char *ticket; /* NULL: none */
	int64_t expires_ns; /* wall; 0: none */
	uint32_t row, col;
};

struct config {
	struct arena arena;
	const char *bundle;       /* "platform", "prod/platform" */
	struct config_list roots; /* default: none, the bundle owns all */
	/* What is packed; default: policies, waivers, stages. */
	struct config_list include;
	int rego_version;           /* 0 or 1; default 1 */
	enum version_scheme scheme; /* default: calver */
	/* Whose signature the commit must carry, or its tag. */
	struct {
		/* "commit" or "tag"; default: what the version comes from */
		const char *what;
		/*
		 * Path of the allowed signers, absolute; NULL: whoever runs
		 * the gates names them.
		 */
		const char *signers;
		const char *keyring; /* the same, of OpenPGP keys */
		uint32_t row, col;   /* of the key's value; 0: not asked for */
	} source;
	struct {
		const char *key;           /* path; NULL: unsigned */
		enum sign_alg alg;         /* default ES256 */
		const char *keyid, *scope; /* NULL: none */
	} sign;
	/* dir:, http:, https:, s3: or oci:; default "dir:./var/bundles" */
	const char *store;
	struct {
		double coverage;    /* percent, 0 to 100; 0: no gate */
		int64_t timeout_ns; /* of one test; default 5 s */
		uint64_t steps;     /* of one test; 0: no budget */
		uint64_t memory;    /* bytes, of one test; 0: no budget */
	} test;
	struct config_decision *decisions; /* the first that matches counts */
	size_t ndecisions;
	struct {
		/*
		 * Default: canary (ring=canary), early (10), half (50), fleet
		 * (100).
		 */
		struct config_ring *rings;
		size_t nrings;
		/* Default 15 min, 60 min, 60 min; min <= max. */
		int64_t bake_min_ns, bake_max_ns, bake_fleet_ns;
		double alpha;           /* above 0, to 0.5; default 0.01 */
		double worse_than;      /* a factor above 1; default 1.25 */
		double error_ceiling;   /* a share: 0.05, the default, is 5% */
		double pass_below;      /* a share; default 0.005 */
		uint64_t min_decisions; /* default 500 */
		int64_t window_ns;      /* 1 s to 1 h; default 60 s */
		const char *on_fail;    /* rollback (default) or hold */
		/* hold (default), rollback or promote */
		const char *on_inconclusive;
		const char *reason; /* wanted with promote; NULL: none */
		/*
		 * How many people a promotion takes; above 1 who started the
		 * rollout is none of them. Default 1.
		 */
		int approvers;
		struct config_denies *denies; /* the first that matches */
		size_t ndenies;
	} rollout;
	const char *server;        /* http: or https: URL; NULL: none */
	struct config_list notify; /* command and arguments; default: none */
};

/*
 * `name` stands in messages. E_INVALID or E_LIMIT name the place and the way
 * out. On failure `out` is untouched.
 */
enum status config_parse(struct config *out, const char *name, struct str text,
	struct err *e) MUST_CHECK;
/* The same of DIR/regatta.yaml on disk. E_NOT_FOUND: there is none. */
enum status config_read(
	struct config *out, const char *dir, struct err *e) MUST_CHECK;
void config_release(struct config *c);

/*
 * Append what a rollout goes by, all of it spelled out, as one object of JSON
 * in the words of the file: bundle, decisions and rollout. config_parse() reads
 * it back as the same, and the same config gives the same text. Bundles carry
 * it (release.c), so that it is signed with what it is about.
 */
void config_write_release(const struct config *c, struct buf *out);

/* May a bundle have this name? Up to four names with / between them. */
bool config_is_bundle(struct str name);
#define CONFIG_BUNDLE_MUST                                                     \
	"a name like platform or prod/platform (lower-case letters, digits, "  \
	". _ and -)"

/*
 * A policy repo with its config: regatta.yaml of the commit that `o` names and,
 * of the same commit, what it includes and the files beside that gates read
 * (enforcement/, CODEOWNERS where it may lie), and o->paths.
 */
enum status config_read_repo(struct config *c, struct repo *r, const char *dir,
	const struct repo_options *o, struct err *e) MUST_CHECK;

/* May a version be called so? It stands in URLs, file names and logs. */
bool revision_is_plain(const char *s);
#define CONFIG_REVISION_MUST                                                   \
	"letters, digits, . _ and - only, 64 at most, and begin with no . or " \
	"-"

/*
 * The revision of a commit, the same on every machine; in `a`.
 *
 *	calver   v2026.06.20-3: the third commit of that day, UTC
 *	tag      the one tag that points at the commit
 *
 * E_INVALID says why there is none and what to do.
 */
enum status revision_of(const struct repo *r, const struct config *c,
	struct arena *a, const char **out, struct err *e) MUST_CHECK;

#endif
