/*
 * mark: which places of the policies an evaluation reached.
 *
 * With rego_config.coverage each expr and each rule head has a mark; a VM
 * remembers those it reached. Marks are numbered as they are planned.
 */
#ifndef REGO_MARK_H
#define REGO_MARK_H

#include "rego/rego.h"

/* How many places of the code are marked. */
size_t engine_marks(const struct rego_engine *e);
/* What its modules were parsed under; NULL: everything. */
const struct capabilities *engine_capabilities(const struct rego_engine *e);
/* Where the i-th stands in its source. */
struct loc engine_mark_loc(const struct rego_engine *e, size_t i);
/* The passes that it was made for by rego_vm_pass(); 0: none. */
unsigned vm_passes(const struct rego_vm *vm);
/* Whether this VM has passed it. */
bool vm_marked(const struct rego_vm *vm, size_t i);

#endif
