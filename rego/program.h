/*
 * program: what the planner makes and the VM runs.
 *
 * A struct code is the flat program of one group (or query): 16-byte
 * instructions over registers of one frame. There is no unifier and no choice
 * point: an instruction that fails jumps to `fail`, an address known when the
 * code was made: the NEXT of the innermost loop around it, or the end of the
 * body. So "backtracking" is a jump, and a register written inside a loop is
 * always written again before it is read.
 *
 * Operands of 16 bits name a register, or, with K_BIT, a constant of the code.
 */
#ifndef REGO_PROGRAM_H
#define REGO_PROGRAM_H

#include "base/map.h"
#include "rego/compile.h"
#include "rego/rego.h"

enum { K_BIT = 0x8000, REGS_MAX = 0x7fff };

/* clang-format off */
/*    name      a           b            c         imm / meaning           */
#define OPCODES(X)                                                           \
	X(MOVE)    /* dest      src                                        */ \
	X(INPUT)   /* dest                             fails: undefined     */ \
	X(DATA)    /* dest                             path; may be lazy    */ \
	X(GET)     /* dest      from         key       hint; fails: undef   */ \
	X(LGET)    /* dest      from         key       GET through documents */ \
	X(FORCE)   /* dest      src                    lazy becomes a value */ \
	X(TEST)    /*           src                    fails: false         */ \
	X(EQ)      /*           left         right     fails: different     */ \
	X(NE)                                                                 \
	X(LT)                                                                 \
	X(LE)                                                                 \
	X(GT)                                                                 \
	X(GE)                                                                 \
	X(ADD)     /* dest      left         right     numbers, or fails    */ \
	X(SUB)     /*                                  and sets             */ \
	X(MUL)                                                                \
	X(DIV)                                                                \
	X(REM)                                                                \
	X(IN)      /*           member       collection  fails: not in       */ \
	X(ISARR)   /*           src                    len; fails: not that */ \
	X(ISOBJ)   /*           src                    len; fails: not that */ \
	X(ITEM)    /* dest      array                  index, known to exist */ \
	X(ITER)    /* iterator  collection             probe + 1, or 0      */ \
	X(NEXT)    /* iterator  key          value     fails: at the end    */ \
	X(LITER)   /* iterator  document               ITER through documents */ \
	X(LNEXT)   /* iterator  key          value                          */ \
	X(CALLR)   /* dest                             group; fails: undef  */ \
	X(CALLK)   /* dest                             call; CALLR for keys */ \
	X(CALLF)   /* dest                             call                 */ \
	X(CALLB)   /* dest                             call                 */ \
	X(WALK)    /* iterator  value        want path                      */ \
	X(WALKNEXT) /* iterator path         value     fails: at the end    */ \
	X(MKARR)   /* dest      count                  operand list         */ \
	X(MKSET)                                                              \
	X(MKOBJ)   /* dest      count of pairs         operand list         */ \
	X(ARRNEW)  /* builder                                               */ \
	X(SETNEW)                                                             \
	X(OBJNEW)                                                             \
	X(PUSH)    /* builder   value                                       */ \
	X(ADDTO)   /* builder   value                                       */ \
	X(PUT)     /* builder   key          value     halts: conflict      */ \
	X(DONE)    /* dest      builder                                     */ \
	X(TREENEW) /* builder                                               */ \
	X(TREEPUT) /* builder   path length  value     operand list         */ \
	X(TREEADD) /* builder   path length  member    operand list         */ \
	X(TREEDONE) /* dest     builder                                     */ \
	X(ONCE)    /* dest      value                  rule; conflict halts */ \
	X(SETUNDEF) /* dest                                                 */ \
	X(JMP)     /*                                  goes to fail         */ \
	X(JPASS)   /*           imm: passes            of them: to fail     */ \
	X(JDEF)    /*           src                    defined: to fail     */ \
	X(WITH)    /* env reg   old env reg            site                 */ \
	X(ENV)     /*           env reg                                     */ \
	X(PRINT)   /*           array of sets                               */ \
	X(CASE)    /*           array of keys          a table test's case  */ \
	X(MARK)    /*                                  mark                 */ \
	X(AT)      /*                                  expr, for explain    */ \
	X(SIDES)   /*           left         right     of a comparison      */ \
	X(QUERY)   /* level                            for frames: one starts */ \
	X(STEP)    /* level     1: the end             for frames: its step */ \
	X(SWITCH)  /* cursor    subject                switch table         */ \
	X(RULE)    /* cursor                           table; fails: no more */ \
	X(ROW)     /*                                                       */ \
	X(RET)     /*           src                                         */
/* clang-format on */

enum op {
#define X(name) OP_##name,
	OPCODES(X)
#undef X
		OP_COUNT
};

struct insn {
	uint16_t op, a, b, c;
	uint32_t fail, imm;
};

_Static_assert(sizeof(struct insn) == 16, "instructions are 16 bytes");

/* A call: who and with what. */
struct call {
	const struct builtin *bi; /* or NULL: a function of the policy */
	struct group *group;
	uint32_t id; /* of the callee, as mocks name it: see mock_id() */
	uint32_t nargs;
	const uint16_t *args;
	struct loc loc;
};

/* A data path known when planning: from a node down, past it by `keys`. */
struct path {
	struct node *node;
	const struct value *keys;
	uint32_t nkeys;
	uint32_t id;       /* in the engine's list */
	bool tree;         /* rules may stand at or below: gives a lazy */
	struct value base; /* the base document there, set when linking */
};

enum target_kind { WITH_INPUT, WITH_DATA, WITH_MOCK };

struct with_target {
	enum target_kind kind;
	const struct value *path; /* below input or data */
	uint32_t npath;
	uint32_t mock_id; /* of what is replaced */
	/* Replacement of a mock: a function, or the value of `operand`. */
	const struct builtin *bi;
	struct group *group;
	uint16_t operand;
};

/* All `with`s of one expr. */
struct site {
	struct with_target *targets;
	uint32_t ntargets;
	struct loc loc;
	struct site_class *cls; /* sites with the same targets share one */
};

/* Which groups a set of targets can change the answer of. */
struct site_class {
	const char *key;
	struct site *site; /* one of them */
	uint64_t *affects; /* bit per group id; set when linking */
	struct site_class *next;
};

/* Constant keys from a member of a collection down. */
struct scan_path {
	const struct value *keys;
	uint32_t n;
};

/* A loop keeps only members with the operand's value there, see scan.h. */
struct probe {
	const struct scan_path *path;
	uint16_t operand;
};

/*
 * An expr as a frame of an error shows it: its source, with the values of
 * variables that are bound when it starts in their places. See frames.c.
 */
struct step {
	struct loc loc;
	struct step_var {
		struct loc loc;
		uint16_t operand;
	} * vars;
	uint32_t nvars, cap;
	struct loc out; /* of a call: where its value would stand */
	uint32_t after; /* number + 1 of the same with what it has bound */
};

/* Dispatch among the rules of a group, see index.c. */
struct switch_table;

struct code {
	struct group *group; /* NULL: a query */
	struct insn *insns;
	struct loc *locs; /* one per instruction */
	uint32_t len;
	struct value *consts;
	uint32_t nconsts;
	uint32_t nregs;
	struct call *calls;
	uint32_t ncalls;
	uint16_t *pool; /* operand lists */
	uint32_t npool;
	struct site *sites;
	uint32_t nsites;
	struct rule **rules; /* for ONCE */
	uint32_t nrules;
	const struct expr **exprs; /* for AT */
	uint32_t nexprs;
	struct step *steps; /* for STEP */
	uint32_t nsteps;
	struct switch_table **switches;
	uint32_t nswitches;
	struct probe *probes; /* for ITER */
	uint32_t nprobes, capprobes;
	/* A query's rows: */
	struct row_slot {
		const char *name;
		uint16_t operand;
	} * slots;
	uint32_t nslots;
	uint16_t *expr_ops; /* operand of each expr's value; NO_OPERAND: true */
	struct loc *expr_locs;
	uint32_t nexpr_ops;
	/* What it reads, for the dependency masks. */
	bool reads_input, nondet;
	struct group **deps; /* groups it may evaluate */
	uint32_t ndeps, capdeps;
	struct path **paths; /* base documents and documents by prefix */
	uint32_t npaths, cappaths;
	uint32_t *callees; /* mock ids of what it calls */
	uint32_t ncallees, capcallees;
};

enum { NO_OPERAND = 0xffff };

/* So many keys of a ref into a partial document are told to its rules. */
enum { KEYS_MAX = 4 };

/* What a group's plan field points to. */
struct group_plan {
	struct code *code;
	struct code *keyed[KEYS_MAX]; /* for one key, two keys, ... */
	uint32_t wanted;              /* bit n: keyed[n] is called */
	bool closed;  /* reads no input, the same in every evaluation */
	bool memoize; /* a function dear enough to remember its results */
	bool done;
};

struct mark {
	struct loc loc;
	bool head;
};

struct rego_engine {
	struct rego_config cfg;
	struct arena arena;
	struct symtab syms;
	struct compiler comp;
	struct diags diags;
	struct value base; /* an object */
	bool compiled, linked;
	struct path **paths;
	uint32_t npaths, cappaths;
	struct map path_index;
	struct map scan_index; /* struct scan_path by text */
	uint32_t nhints;       /* look-ups with a constant key */
	struct site_class *classes;
	struct site_class everything; /* changes all groups */
	struct code **codes;          /* everything planned */
	uint32_t ncodes, capcodes;
	uint64_t *mocked; /* bit per builtin: some `with` replaces it */
	struct mark *marks;
	uint32_t nmarks, capmarks;
	uint64_t memo_serial; /* changes when masks are made anew */
};

struct rego_query {
	struct rego_engine *engine;
	struct rule *rule;
	struct code *code;
};

/* Plan a query and everything it can reach. plan.c */
struct code *plan_query(struct rego_engine *e, struct rule *q,
	const struct body *as_written, const struct string *const *captures);
/* Work out masks and base values after planning. link.c */
void rego_link(struct rego_engine *e);

/* Number of a builtin or group as `with` names it. */
static inline uint32_t mock_id_builtin(
	const struct rego_engine *e, const struct builtin *b)
{
	return (uint32_t)capabilities_index(e->comp.caps, b) << 1;
}
static inline uint32_t mock_id_group(const struct group *g)
{
	return g->id << 1 | 1;
}

/* Some `with` replaces it: it is always called through the env. */
static inline bool builtin_is_mocked(
	const struct rego_engine *e, const struct builtin *b)
{
	size_t n = capabilities_index(e->comp.caps, b);

	return e->mocked[n / 64] >> (n % 64) & 1;
}

#endif
