/*
 * output: what commands print, in OPA's forms.
 *
 * JSON is written compactly first and then set out by json_indent(), which
 * gives the bytes of Go's encoder with two spaces.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/cli.h"
#include "rego/load.h"
#include "rego/rego.h"

/* --- JSON ----------------------------------------------------------------- */

/* A JSON string, <, > and & escaped as Go's json.Marshal() does. */
void json_string(struct buf *out, struct str s);
/* `"name":`, with a comma first unless it begins an object. */
void json_key(struct buf *out, const char *name);
/* Sets out compact JSON, a line end behind it. */
void json_indent(struct buf *out, struct str compact);
/* The same to a file. */
void json_print(FILE *f, struct str compact);

/* --- errors ------------------------------------------------------------------
 */

/* [{"message":...}, ...] */
void diags_json(struct buf *out, const struct diags *d);

/* Errors of loading as `opa test` and `opa check` say them. */
void load_errors_text(struct buf *out, const struct load_errors *e);

/*
 * A run-time error: "a.rego:1: eval_conflict_error: ...", without the stack;
 * and the same as JSON, with it.
 */
void error_text(struct buf *out, const struct rego_error *e);
enum json_order {
	JSON_MESSAGE_FIRST, /* as in errors of eval */
	JSON_CODE_FIRST,    /* as in results of tests */
	JSON_SORTED,        /* by name, as Go writes maps */
};
void error_json(
	struct buf *out, const struct rego_error *e, enum json_order order);
/* "    a.rego:1: x := y" for each frame, after `indent`. */
void frames_text(
	struct buf *out, const struct rego_error *e, const char *indent);

/* --- tables
 * -------------------------------------------------------------------- */

/* Columns a text takes on a terminal. */
size_t text_width(struct str s);

/*
 * A box with `ncols` columns. `head` may be NULL; `cells` has ncols x nrows
 * texts, row by row.
 */
void table_text(struct buf *out, const struct str *head,
	const struct str *cells, size_t ncols, size_t nrows);

/* --- coverage
 * -------------------------------------------------------------------- */

/* Is this a kind that --coverage-runs takes? */
bool is_coverage_run(const char *kind);
/* The passes that --coverage-runs asks for: both, if it is not given. */
unsigned coverage_passes(const struct list *runs);
#define BAD_COVERAGE_RUN                                                       \
	"invalid --coverage-runs value \"%s\" (expected \"index_excluded\" "   \
	"or "                                                                  \
	"\"early_exit\")"

/* Coverage of all files together, in percent. */
double coverage_percent(const struct rego_coverage_file *files, size_t n);
/* {"files":{...},...} */
void coverage_json(
	struct buf *out, const struct rego_coverage_file *files, size_t n);

/* May standard output be coloured? A terminal, and no NO_COLOR. */
bool output_colour(void);

/* Text and struct buf to a file. */
void print_buf(FILE *f, const struct buf *b);

/*
 * A file that the user asked for, whole or not at all; Ctrl-C waits for that.
 * A device or a pipe is written to, and not replaced.
 */
enum status output_file(
	const char *path, struct str content, struct err *e) MUST_CHECK;

#endif
