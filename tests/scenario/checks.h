/*
 * checks: what the files of invariants share. A function of an invariant says
 * whether the moment was one for it, and tells with wrong() what does not hold.
 */
#ifndef TESTS_SCENARIO_CHECKS_H
#define TESTS_SCENARIO_CHECKS_H

#include "tests/scenario/site.h"

/* An engine that was away for so long holds what it finds. */
#define STALE (300 * NS_PER_S)

/* Of the invariant that is looked at. */
void wrong(const char *fmt, ...) PRINTF(1, 2);
void same_version(const char *what, int got, int want);
const char *version_name(int version);
/* Some targets have a candidate, and the engine goes on by itself. */
bool deployed(enum channel_state s);

/* --- what has to be refused (refused.c) -------------------------------------
 */

bool who_may_not_is_refused(const struct moment *m);
bool quarantined_is_refused(const struct moment *m);
bool late_commit_is_refused(const struct moment *m);
bool frozen_is_refused(const struct moment *m);
bool busy_is_refused(const struct moment *m);
bool failed_is_refused(const struct moment *m);
bool unproved_is_refused(const struct moment *m);
bool late_promoter_is_refused(const struct moment *m);

bool record_asks_who(const struct moment *m);
bool record_asks_when(const struct moment *m);
bool record_keeps_a_hold(const struct moment *m);
bool record_asks_for_evidence(const struct moment *m);
bool record_keeps_a_freeze(const struct moment *m);
bool record_keeps_quarantine(const struct moment *m);
bool record_keeps_its_commit(const struct moment *m);

bool engine_lets_wait(const struct moment *m);
bool engine_goes_on_without_doubt(const struct moment *m);
bool fail_in_a_bake_is_acted_on(const struct moment *m);
bool fail_in_a_hold_goes_back(const struct moment *m);
bool pass_in_a_freeze_is_held(const struct moment *m);

#endif
