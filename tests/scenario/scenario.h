/*
 * scenario: weeks of a fleet in one process, on a fake clock.
 *
 *	scenario [--weeks N]      SEED=n repeats a run exactly
 *
 * What is real: the state folder, signed bundles that are verified, the
 * operations of server/ops.h, the answers that polls get, the decision log and
 * status uploads with their JSON, the rollout engine with its judge. What is a
 * model: 500 agents (fleet.c) and the people and machines around them
 * (days.c). HTTP and threads are left out, since neither can be repeated: the
 * hooks that the server has (server/serving.h) are called one after the other,
 * and all uploads of one moment share a commit, as they do when they come in
 * together.
 *
 *	main.c     the run and its report
 *	world.c    time, chance, versions
 *	fleet.c    agents: what they have, decide, send
 *	site.c     the service: up, down, killed; calls of operations
 *	days.c     what happens in a week, and who does what about it
 *	model.c    what the ledger's lines mean, written down a second time
 *	checks.c   the invariants
 *	refused.c  those of what has to be refused, and is
 *
 * Time goes on by two minutes while a rollout moves or something is broken, by
 * four while one is held and by six when there is none: so often each agent
 * polls and the engine looks.
 * Decisions leave every minute. A kill is real: the
 * step is done in a child process that ends in the midst of a write. The world
 * is in memory that both share, so agents know what they were told before it.
 */
#ifndef TESTS_SCENARIO_SCENARIO_H
#define TESTS_SCENARIO_SCENARIO_H

#include "base/clock.h"
#include "canary/state.h"
#include "server/serving.h"

#define BUNDLE "authz"
#define MINUTE (60 * NS_PER_S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)

enum {
	TARGETS = 500,
	CANARIES = 25,
	VERSIONS = 1000,
	NOBODY = -1, /* no version */
	PENDING = 96,
	PINS = 256,
	BUSY = 2,  /* minutes of a step while a rollout moves */
	QUIET = 4, /* while one is held */
	IDLE = 6,  /* and when there is none */
	LOGGED = 4 << 20,
};

/* What is wrong with a version, for who runs it. */
enum trouble {
	FINE,
	ERRORS,
	UNDEFINED_RESULTS,
	DENIES_MORE,
	DENIES_LESS,
	SLOW,
	REFUSED, /* some agents do not take it */
	SILENT,  /* who runs it logs nothing */
	LOSES,   /* and this one a third of it */
	LATE,    /* errors, an hour after it was first run */
	TROUBLES,
};

const char *trouble_name(enum trouble t);

struct build {
	char revision[16], digest[65];
	enum trouble trouble;
	bool tried;        /* a publish was begun */
	bool there;        /* and acknowledged */
	int64_t first_ns;  /* run by somebody */
	uint64_t acked;    /* decisions by it that were */
	int64_t newest_ns; /* of these */
};

struct event {
	uint32_t serial;
	int16_t version;
	uint8_t outcome;
	int64_t time_ns;
};

struct agent {
	char id[16];
	unsigned number, instance; /* a new one at each start */
	bool eu, core, canary;
	int active, refused; /* versions */
	bool labels_known;   /* a status with them was stored */
	bool status_due;
	int64_t away_ns; /* until then; true time */
	struct event pending[PENDING];
	unsigned npending;
	uint64_t requests, dropped;
	int64_t candidate_of; /* number of the rollout it got one in */
	int64_t unwanted_ns;  /* since when it runs what it should not */
	int64_t refused_ns;   /* since when it refuses that one */
};

/* --- what is known of the ledger (model.c) ---------------------------------
 */

struct pinned {
	int target; /* or -1 */
	char selector[32];
	int version;
	int64_t until_ns;
};

struct model {
	int stable, candidate, last_good, former, queued;
	bool all, exposed[TARGETS]; /* with all: who is held back */
	bool published[VERSIONS], quarantined[VERSIONS], promoted[VERSIONS];
	int forced; /* went there by force; -1 */
	struct pinned pins[PINS];
	unsigned npins;
	int64_t from_ns[FREEZES], until_ns[FREEZES];
	int64_t generation, epoch, rollout, seq, since_ns;
	int64_t fence; /* generation of the last rollback */
	int started;   /* version of the last rollout */
	int ring;      /* that has the candidate, of the config; -1: none */
	enum channel_state state;
	char record[65];
	struct { /* the record that stops all channels */
		int64_t from_ns[FREEZES], until_ns[FREEZES], generation;
		char record[65];
	} fleet;
	uint64_t acked_before; /* of the candidate, when its bake began */
	bool failed;           /* a verdict of this rollout said so */
};

/* The model after a line. Text is of the line. */
void model_apply(struct model *m, const struct ledger_line *l);
bool model_active(const struct model *m); /* a candidate may still win */
/* What a target should get; NOBODY: nothing. */
int model_choose(const struct model *m, const struct agent *a, int64_t wall_ns);
/* Its pin that holds, or NULL. */
const struct pinned *model_pin(
	const struct model *m, const struct agent *a, int64_t wall_ns);
/* By its own freeze, or by that of all channels. */
bool model_frozen(const struct model *m, bool automation, int64_t wall_ns);
bool model_frozen_itself(
	const struct model *m, bool automation, int64_t wall_ns);
/* Of those in world.c; -1: there is no such. */
int ring_of(struct str name);
bool line_of_all(const struct ledger_line *l); /* of the record above */
/* Where a rollback goes; NOBODY: nowhere. */
int model_back(const struct model *m);

/* --- the world (world.c) ----------------------------------------------------
 */

enum seam { SEAM_NONE, SEAM_DATABASE, SEAM_FILES };

struct release {
	int version;
	bool by_ci, published;
	const char *set; /* of its plan; NULL: any */
	int64_t next_ns; /* try again then */
};

struct item {
	int64_t at_ns; /* true time */
	unsigned what; /* row of days.c */
	uint64_t chance;
	bool done;
};

enum { RELEASES = 8, ITEMS = 256, KINDS = 64, NAMED = 64 };

/* Shared with children that are killed: no pointers into one's own heap. */
struct world {
	uint64_t seed, random;
	struct fake_clock clock;
	int64_t start_ns, true_ns; /* as all but the server know it */
	uint64_t step;
	struct build versions[VERSIONS];
	int nversions;
	struct agent agents[TARGETS];
	uint32_t serial;

	/* What is broken, until when; true time. */
	int64_t server_away_ns, engine_away_ns, eu_away_ns;
	int64_t jumped_back_ns; /* then the clock is set right; 0: it is */
	enum seam kill, breaks, broken; /* at the next step; in this one */
	unsigned kill_at, broken_at;
	bool restart;
	int64_t disturbed_ns; /* when something was broken last */

	struct release releases[RELEASES];
	unsigned nreleases; /* so far */
	struct item items[ITEMS];
	unsigned nitems;
	int week;
	int64_t hold_until_ns; /* somebody looks then; 0: nobody yet */
	int to_hold;           /* a version that is held in its bake; or none */
	int64_t tries_ns;      /* somebody does not mind the freeze then */
	int wanted_state;      /* for a rollback by hand; -1: none */

	/* The engine, as one sees it from outside. */
	int64_t ticked_ns; /* mono; 0: never */
	int64_t gap_ns;    /* before the tick that is being looked at */
	int64_t jump_ns;   /* of the wall clock since the tick before */
	int64_t offset_ns; /* wall less true time, at the last tick */
	int64_t word_rollout, word; /* of the judge, that was looked at */

	uint64_t violations, looked[NAMED], broke[NAMED];
	uint64_t happened[KINDS];
	uint64_t back_from[CHANNEL_STATES], back_tried[CHANNEL_STATES];
	uint64_t answers, decisions, calls, refused_calls, kills, restarts;
	uint64_t faults;
	/* The highest that was seen; never less from then on. */
	int64_t high_epoch, high_generation, high_seq;
	/* Decisions by their serial. */
	uint64_t hashes[LOGGED];
	unsigned char acked[LOGGED];
};

extern struct world *w;

void world_new(uint64_t seed);
uint64_t chance(void);       /* any 64 bits */
unsigned one_of(unsigned n); /* 0 to n - 1 */
bool likely(double share);   /* so often */
int64_t between(int64_t from, int64_t to);
uint64_t hash_of(struct str s); /* to know bytes again by */
int64_t wall(void);             /* as the server's machine has it */
int64_t mono(void);
void time_passes(int64_t ns);

int version_new(enum trouble t);
int version_of(struct str revision); /* NOBODY: none */
int version_by_digest(struct str digest);
/* The signed archive, made when it is asked for. */
struct str version_archive(int v);
void versions_release(void);
/* Whether these bytes are of that version, whole, and signed by us. */
bool version_verify(int v, struct str bytes, struct err *e);

/* --- agents (fleet.c) --------------------------------------------------------
 */

bool agent_away(const struct agent *a);
bool trouble_began(int v);
void fleet_decide(int64_t ns); /* for so long */
void fleet_upload(void);
void fleet_poll(void);
void fleet_report(bool all);

/* --- the service (site.c)
 * ----------------------------------------------------- */

struct called {
	const char *name;
	const struct op_call *call; /* what was asked for, by whom */
	enum op_code code;
	struct str doc, failure; /* the document, and its error's text */
	bool changed;
	int64_t generation;
	int64_t seq_before, seq_after; /* of the ledger; seen by another eye */
	int64_t generation_before, generation_after;
	bool writes, faulty;
	bool may;       /* whoever called has a role for it */
	bool named;     /* a rollback to a version that is named */
	bool on_bundle; /* that is named */
};

extern struct service *site; /* NULL: it is down */

void site_new(void);  /* a folder */
void site_free(void); /* removes it */
const char *site_dir(void);
void site_up(void);
void site_down(void);
bool site_serves(void);
/* Names and values of arguments, NULL at the end. */
enum op_code site_call(const char *who, unsigned roles, const char *name, ...);
enum op_code site_publish(int v, const char *who);
void site_tick(void); /* log, targets, engine */
/* A step in a child that is killed within. */
void site_killed(void (*step)(void));
unsigned site_files(void); /* that this process has open */

/* --- what happens (days.c) -------------------------------------------------
 */

void days_plan(int week);
void days_act(void);
const char *days_name(unsigned row); /* NULL: no such row */

/* --- invariants (checks.c) --------------------------------------------------
 */

enum at {
	AT_ANSWER = 1 << 0,
	AT_LINE = 1 << 1,
	AT_CALL = 1 << 2,
	AT_STEP = 1 << 3,
	AT_START = 1 << 4, /* the service has just come up */
	AT_END = 1 << 5,
	AT_FETCH = 1 << 6,
	AT_TICK = 1 << 7,  /* the engine has looked */
	AT_FLEET = 1 << 8, /* a line of all channels */
};

struct moment {
	enum at at;
	struct agent *agent; /* an answer: to whom, what */
	const struct server_answer *answer;
	int version; /* fetched: of which; good, or why not */
	bool good;
	const char *text;
	const struct ledger_line *line;     /* and the model on both sides */
	const struct model *before, *after; /* of a tick too */
	const struct called *call;
	const struct channel *record; /* a step's */
};

extern struct model model;

void checks_look(const struct moment *m);
/* Read new lines of the ledger and look at each. */
void checks_lines(void);
void checks_step(void);
void checks_start(void);
void checks_end(void);
/* How many passed; with `all`, what was never looked at did not. */
size_t checks_report(bool all, size_t *failed);
void checks_release(void);
/* The hash of the ledger's last line: all that happened to the channel. */
const char *checks_root(void);

#endif
