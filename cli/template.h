/*
 * template: the files of policies/, which `regatta init` writes.
 *
 * They are in the program (cli/template.sh makes a C file of them while
 * building), so that the program alone is enough.
 */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

struct template_file {
	const char *path;      /* "policies/lib/image/image.rego" */
	const char *from, *to; /* content */
};

extern const struct template_file template_files[]; /* path NULL: the end */

#endif
