/*
 * rows: lists that come in pages, printed as they come.
 *
 * An operation gives {"rows": [...], ...} and, when there is more, "next",
 *which goes back as an argument. No more than one page is in memory.
 *
 *	struct rows r = {.op = "decisions query", .next = "cursor", ...};
 *	code = rows_run(&r, c, params, args);
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "cli/operation.h"
#include "cli/screen.h"

/* A cell of a table or a field of CSV. */
struct rows_column {
	const char *name;
	/* A JSON pointer into the row, or what to make of it. */
	const char *pointer;
	struct str (*of)(const struct screen *s, struct str row);
	bool csv_only;
};

struct rows {
	const char *op;
	const char *next; /* the argument that `next` goes back as */
	const char *kind; /* of the document that -o json prints */
	const char *none; /* said of a table without rows */
	const struct rows_column *columns;
	size_t ncolumns;
	const char *const *names; /* of positional arguments; or NULL */
	const char *missing;
	int64_t limit; /* rows; 0: all */
	int64_t *page; /* the parameter --limit, set for each page */

	/* While it runs: */
	const char *format; /* "table", "ndjson", "csv", "json", "raw" */
	int64_t shown;
};

/*
 * Print all pages. The remote is the caller's, for calls after it. Returns what
 * the command exits with.
 */
int rows_run(struct rows *r, struct remote *remote, const struct command *c,
	const void *params, const struct list *args);

/* For a list without an end: what stands before, between and behind pages. */
void rows_begin(struct rows *r, struct buf *out);
void rows_page(struct rows *r, struct str doc, struct buf *out);
void rows_end(struct rows *r, struct buf *out);

#endif
