/*
 * vm: one thread's memory for evaluating, and what doc.c, env.c and vm.c
 * share.
 *
 * An env is what a body sees of the world: input, replaced data, mocks. The
 * stack of envs has one more for each `with` being evaluated. A group's value
 * is remembered together with the youngest env that can change it, so a `with`
 * that a rule does not depend on leaves its value in place.
 */
#ifndef REGO_VM_H
#define REGO_VM_H

#include "rego/memo.h"
#include "rego/program.h"

/* Replaced parts of `data`: a trie of the targets of all `with`s in force. */
struct overlay {
	struct value key;
	bool target;          /* everything from here on is replaced */
	struct overlay *kids; /* first child */
	struct overlay *next; /* sibling */
};

struct mock {
	uint32_t id; /* mock_id of what is replaced */
	const struct builtin *bi;
	struct group *group;
	struct value value; /* when neither */
	const struct mock *next;
};

struct env {
	const struct env *up;
	uint64_t id;
	const struct site_class *cls; /* what it can change; NULL: base */
	struct value input;
	struct value data; /* replacement of parts of data; undefined: none */
	const struct overlay *ov;
	const struct mock *mocks;
};

/* A document not read yet: the four layers of one path below data. */
struct lazy {
	const struct node *node;  /* rules and packages, or NULL */
	struct value base;        /* base data */
	struct value rep;         /* data of `with`, found at this path */
	const struct overlay *ov; /* `with` targets below, or NULL */
};

/* value.flags: a plain value of base data; its steps take any key as text. */
enum { VF_BASE = 1 };

struct memo {
	uint64_t env;
	struct value val;
	struct memo *below;
};

struct rego_vm {
	struct rego_engine *e;
	struct arena arena; /* of one evaluation */
	struct arena perm;  /* values of closed groups */
	struct bi_ctx cx;   /* cx.arena: where values go now */
	const struct env *env;
	uint64_t next_env, base_env;
	struct memo *memo;       /* by group id: of this evaluation */
	struct value *closed;    /* by group id: kept; see closed_state */
	uint8_t *closed_state;   /* 0 unknown, 1 undefined, 2 has value */
	struct memo_table calls; /* results of functions */
	uint32_t ngroups;        /* the tables above are for */
	uint32_t *hints;         /* by insn.imm: where a key was last */
	struct scan *scans;      /* of this evaluation, or NULL: none yet */
	uint64_t serial;
	struct value *stack, *stack_end, *sp;
	uint32_t depth;
	const struct rego_input *in;
	int64_t start_steps;     /* cx.steps at the start: the budget */
	int32_t granted;         /* steps until the next look at the clock, */
	int32_t tick;            /* and how many of them are left */
	struct rego_error error; /* why it halted */
	struct rego_error soft;  /* first builtin error, for strict mode */
	struct rego_result *out;
	struct rego_error *failures; /* result.failures */
	uint32_t cap_failures;
	/* For frames: what is being evaluated, outermost first. */
	struct live *live;
	uint32_t nlive, cap_live;
	uint32_t live_base; /* where those of the code that runs begin */
	uint32_t tail;    /* end of those that the last step has called, or 0 */
	uint32_t queries; /* started so far */
	bool explained;   /* what runs now is what is remembered as failed */
	uint32_t cap_rows, cap_cases;
	uint8_t *marks;
	uint32_t nmarks;
	unsigned passes; /* REGO_NO_INDEX, REGO_NO_EARLY_EXIT */
};

/* --- vm.c -------------------------------------------------------------- */

/* The value of a group in the present env. False: the evaluation is over. */
bool vm_group(struct rego_vm *vm, struct group *g, struct value *out);
bool vm_run_query(struct rego_vm *vm, const struct code *co);

/* --- frames.c ---------------------------------------------------------- */

/* A query that has been started, and the step it is at. */
struct live {
	uint32_t id;
	const struct step *step; /* NULL: before the first */
	const struct code *code;
	const struct value *regs;
	struct value out; /* of its call, once that is known */
};

/* A query of the code that runs starts, inside `level` others of it. */
void frames_query(struct rego_vm *vm, uint32_t level);
void frames_step(struct rego_vm *vm, uint32_t level, const struct code *co,
	const struct step *s, const struct value *regs);
/* The code that ran has given its value to the step that `live` ends with. */
void frames_return(struct rego_vm *vm, const struct code *co, uint32_t live);
/* What is being evaluated now, innermost first. */
const struct rego_frame *frames_now(struct rego_vm *vm, uint32_t *n);
/*
 * The same where a rule gives another value than one before it. To OPA that
 * happens inside of what was called last, which goes on with the caller.
 */
const struct rego_frame *frames_conflict(struct rego_vm *vm,
	const struct code *co, const struct rule *r, uint32_t *n);

/* --- doc.c -------------------------------------------------------------- */

/* A member of base data: numbers as keys of objects, digits as indexes. */
struct value base_get(struct value x, struct value key);

/* The document at a static path. V_UNDEF when there is nothing. */
struct value doc_at(struct rego_vm *vm, const struct path *p);

/* One step down. False: halted. */
bool doc_get(struct rego_vm *vm, struct value from, struct value key,
	struct value *out);

/* The whole value of a lazy document. False: halted. */
bool doc_force(struct rego_vm *vm, struct value v, struct value *out);

/* The keys one can step to, base data first: an array. */
struct value doc_keys(struct rego_vm *vm, struct value v);

/* A `with` target is at or above the path of this node. *rep: its value. */
bool doc_replaced(
	const struct env *env, const struct node *n, struct value *rep);

/* Objects merge, member by member; else `a` wins. */
struct value value_merge(struct arena *a, struct value x, struct value y);

/* --- env.c --------------------------------------------------------------- */

/* A new env with the targets of `site` replaced by values of operands. */
const struct env *env_with(struct rego_vm *vm, const struct site *site,
	const struct value *regs, const struct value *consts);

/* Whether a `with` in force can change what rules of this group give. */
static inline bool env_changes(const struct env *env, uint32_t group)
{
	return env->cls->affects[group / 64] >> (group % 64) & 1;
}

#endif
