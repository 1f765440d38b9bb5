/*
 * verify: what the two files of it share: one walks a log, and the other holds
 * the indexes against each event that the first comes to.
 */
#ifndef DECISIONS_VERIFY_H
#define DECISIONS_VERIFY_H

#include "decisions/internal.h"

struct check_day;

/* The indexes. */
struct check_index {
	struct check_day *days;
	size_t n;
	uint64_t used; /* days that were asked, each time */
};

struct verify {
	struct decisions *d;
	struct decisions_fault *fault;
	const struct note_key *key;
	struct err *e;
	/* Of the log that is walked. */
	int log;
	const char *dir, *name;
	struct arena arena;
	struct manifest manifest;
	struct tree tree;
	struct merkle_hash head;
	struct block block;
	uint64_t end;      /* durable events */
	uint64_t position; /* the indexes have what is before it */
	struct buf checkpoints;
	size_t checkpoint_at;
	uint64_t checkpoint_size; /* of the next one to be reached */
	struct merkle_hash checkpoint_root;
	bool checkpoint_left;
	uint64_t held_size; /* 0: none */
	struct merkle_hash held_root;
	uint32_t torn_seq; /* the open segment has an end that is no block */
	uint64_t torn_at;
	struct check_index index;
	struct arena row;
};

/* The place of a fault, whose file is printed. */
void verify_at(struct verify *v, uint64_t offset, uint64_t event,
	const char *fmt, ...) PRINTF(4, 5);

/* Whether the index of its day says what this event is. */
enum status verify_row(
	struct verify *v, const struct record *r, uint64_t number) MUST_CHECK;

/* With the whole log walked: nothing else is in the indexes. */
enum status verify_files(struct verify *v) MUST_CHECK;
void verify_index_release(struct check_index *ix);

#endif
