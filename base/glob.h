/*
 * glob: patterns over paths of steps with "/" between.
 *
 * In a pattern, * stands for any bytes of one step, and ** as a whole step for
 * any number of steps, also none.
 */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/str.h"

/* Takes at most pattern x path steps of work, whatever stands in them. */
bool glob_path(struct str pattern, struct str path);

#endif
