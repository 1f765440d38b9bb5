/* stop: Ctrl-C for commands that stay, or write. */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM only ask to stop; a second one ends it. */
void stop_catch(void);
bool stop_asked(void);
/* What a command exits with that was stopped before its end: 130, 143. */
int stop_exit(void);
/* Before a second signal ends it; only what a signal handler may. NULL: none */
void stop_undo(void (*undo)(void));

/*
 * Put SIGINT, SIGTERM and SIGHUP off while files are written that belong
 * together, or that would leave a part of one behind; what came meanwhile has
 * its effect at stop_release().
 */
void stop_hold(void);
void stop_release(void);

#endif
