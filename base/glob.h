/*
 * glob: patterns over paths of steps with "/" between.
 *
 * In a pattern, ? stands for one byte of a step, * for any bytes of one step,
 * and ** as a whole step for any number of steps, also none, so that ** behind
 * a folder is that folder and all below it. A slash at the end says nothing.
 */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/str.h"

/* Takes at most pattern x path steps of work, whatever stands in them. */
bool glob_path(struct str pattern, struct str path);

#endif
