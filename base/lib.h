/*
 * lib: big libraries, opened on first use.
 *
 * A short command must not pay for what it doesn't use. libcurl with all that
 * it pulls in takes 4.5 ms to load, libcrypto 1 ms; neither is linked. The
 * one file that uses such a library lists the functions it needs in a table:
 *
 *	#define CURL_FNS(X) X(curl_easy_init) X(curl_easy_perform)
 *	static struct { CURL_FNS(LIB_SLOT) } curl;
 *	static const char *const names[] = {CURL_FNS(LIB_NAME) NULL};
 *	static struct lib lib = {.name = "libcurl", .files = files,
 *		.names = names, .slots = &curl};
 *
 *	if (lib_load(&lib, e)) ...
 *	curl.curl_easy_init();
 *
 * Each slot has the type that the library's own header declares.
 */
#ifndef BASE_LIB_H
#define BASE_LIB_H

#include "base/err.h"

#include <stdbool.h>

#define LIB_SLOT(fn) __typeof__(&(fn)) fn;
#define LIB_NAME(fn) #fn,

struct lib {
	const char *name;         /* for messages */
	const char *const *files; /* tried in this order, NULL at the end */
	const char *const *names; /* functions, NULL at the end */
	void *slots;              /* struct of as many LIB_SLOT() */
	void (*start)(void);      /* once, when all are filled; may be NULL */
	bool loaded;              /* all slots are filled, and it was called */
};

/*
 * Fill the slots and start it, unless that was done before. Any thread may call
 * it at any time. E_UNSUPPORTED when no file can be opened or a function is
 * missing.
 */
enum status lib_load(struct lib *l, struct err *e) MUST_CHECK;

#endif
