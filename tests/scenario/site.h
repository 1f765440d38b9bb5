/* site: what of the service only some files of the scenario need. */
#ifndef TESTS_SCENARIO_SITE_H
#define TESTS_SCENARIO_SITE_H

#include "tests/scenario/scenario.h"

struct state *site_eye(void); /* to look at the folder with */
void site_look(void);         /* what polls are answered from is read anew */
void site_break(void);        /* w->broken, until site_mend() */
void site_mend(void);
const char *site_complaint(void); /* the service's last, "" */
/* A member of the last call's document, as text; empty: there is none. */
struct str site_said(const char *pointer);
void site_calls_release(void);

/* checks.c: the service itself failed, with nothing broken. */
void checks_complain(const char *what, const char *text);

#endif
