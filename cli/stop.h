/* stop: Ctrl-C for commands that stay. */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM only ask to stop; a second one ends it. */
void stop_catch(void);
bool stop_asked(void);

#endif
