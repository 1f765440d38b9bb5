/*
 * banned: calls that are too easy to get wrong.
 *
 * The Makefile includes this file before every C source. What stands here is a
 * compile error; each line names what to use instead. What headers of libraries
 * have as other names too (ctime) is for tests/lint.py to find.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* Their own headers first, so that the poison does not hit declarations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Fortify makes macros of some. */
#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat sprintf vsprintf /* snprintf, struct buf */
#pragma GCC poison strtok                         /* str_find */
#pragma GCC poison gmtime localtime asctime       /* gmtime_r; ctime: lint.py */
#pragma GCC poison atoi atol atoll                /* strtoll */
#pragma GCC poison tmpnam tempnam mktemp          /* mkstemp */

#endif
