/*
 * err: what went wrong, in one line.
 *
 * A function that can fail returns an enum status (0 is OK) and takes a
 * struct err as its last argument. The text lives inside the struct, so an
 * error needs no freeing and reporting one cannot fail. err_set() writes the
 * fact where it is known; err_wrap() puts in front what was being done, so
 * that the reader gets one line, outermost first:
 *
 *	building prod.tar.gz: adding authz.rego: authz.rego:14:3: ...
 *
 * A struct err of {0} is "no error". NULL is allowed wherever one is taken.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum status {
	OK = 0,
	E_INVALID,     /* the input is not what it should be */
	E_NOT_FOUND,   /* a name that is not there */
	E_EXISTS,      /* a name that is already taken */
	E_LIMIT,       /* a named limit was met */
	E_IO,          /* the system refused: file, network, disk */
	E_DENIED,      /* not allowed */
	E_CONFLICT,    /* somebody else was there first */
	E_CANCELED,    /* stopped by the user or by a deadline */
	E_UNSUPPORTED, /* known, and not to be had here */
};

enum { ERR_TEXT_MAX = 2048 };

struct err {
	enum status code;
	char text[ERR_TEXT_MAX]; /* one line, NUL-terminated, cut when longer */
};

/* Replace what `e` says. Returns `code`, so that it can stand in a return. */
enum status err_set(struct err *e, enum status code, const char *fmt, ...)
	PRINTF(3, 4);

/* err_set() with ": " and the text of errno `errnum` at the end. */
enum status err_sys(struct err *e, int errnum, const char *fmt, ...)
	PRINTF(3, 4);

/* Put the formatted text and ": " before what `e` says. */
void err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* End the process with a message: out of memory, or an invariant is broken. */
_Noreturn void die(const char *fmt, ...) PRINTF(1, 2);

#endif
