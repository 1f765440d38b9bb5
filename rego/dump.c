/*
 * dump: programs as text, the first tool when one does not do what it should.
 *
 * One line an instruction: address, name, operands (r3 a register, #"x" a
 * constant), where it goes when it fails, and the source line it comes from.
 */
#include "rego/program.h"

#include <string.h>

static const char *const names[] = {
#define X(name) #name,
	OPCODES(X)
#undef X
};

static void operand(struct buf *out, const struct code *co, uint16_t op)
{
	if (op == NO_OPERAND) {
		buf_adds(out, "_");
	} else if (op & K_BIT) {
		buf_addc(out, '#');
		value_text(out, co->consts[op & (K_BIT - 1)]);
	} else {
		buf_addf(out, "r%u", op);
	}
}

static void node_text(struct buf *out, const struct node *n)
{
	if (!n->parent) {
		buf_adds(out, "data");
		return;
	}
	node_text(out, n->parent);
	buf_addc(out, '.');
	value_text_bare(out, n->key);
}

static void path_text(struct buf *out, const struct path *p)
{
	node_text(out, p->node);
	for (uint32_t i = 0; i < p->nkeys; i++) {
		buf_addc(out, '.');
		value_text_bare(out, p->keys[i]);
	}
}

static void call_text(
	struct buf *out, const struct code *co, const struct call *c)
{
	buf_addf(out, " %s(", c->bi ? c->bi->name : c->group->name);
	for (uint32_t i = 0; i < c->nargs; i++) {
		if (i)
			buf_adds(out, ", ");
		operand(out, co, c->args[i]);
	}
	buf_addc(out, ')');
}

static void site_text(
	struct buf *out, const struct code *co, const struct site *s)
{
	for (uint32_t i = 0; i < s->ntargets; i++) {
		const struct with_target *t = &s->targets[i];

		buf_adds(out, t->kind == WITH_INPUT  ? " input"
			      : t->kind == WITH_DATA ? " data"
						     : " call");
		for (uint32_t k = 0; k < t->npath; k++) {
			buf_addc(out, '.');
			value_text_bare(out, t->path[k]);
		}
		buf_addc(out, '=');
		if (t->bi)
			buf_adds(out, t->bi->name);
		else if (t->group)
			buf_adds(out, t->group->name);
		else
			operand(out, co, t->operand);
	}
}

static bool has_fail(int op)
{
	switch (op) {
	case OP_INPUT:
	case OP_DATA:
	case OP_GET:
	case OP_LGET:
	case OP_FORCE:
	case OP_TEST:
	case OP_EQ:
	case OP_NE:
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
	case OP_ADD:
	case OP_SUB:
	case OP_MUL:
	case OP_DIV:
	case OP_REM:
	case OP_IN:
	case OP_ISARR:
	case OP_ISOBJ:
	case OP_ITER:
	case OP_NEXT:
	case OP_LITER:
	case OP_LNEXT:
	case OP_CALLR:
	case OP_CALLK:
	case OP_CALLF:
	case OP_CALLB:
	case OP_WALKNEXT:
	case OP_ONCE:
	case OP_JMP:
	case OP_JDEF:
	case OP_JPASS:
	case OP_RULE:
		return true;
	default:
		return false;
	}
}

static void operand_list(
	struct buf *out, const struct code *co, uint32_t at, uint32_t n)
{
	buf_adds(out, " (");
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			buf_adds(out, ", ");
		operand(out, co, co->pool[at + i]);
	}
	buf_addc(out, ')');
}

/* What members a loop is after. */
static void probe_text(
	struct buf *out, const struct code *co, const struct probe *p)
{
	buf_adds(out, " for ");
	for (uint32_t i = 0; i < p->path->n; i++) {
		buf_addc(out, '.');
		value_text_bare(out, p->path->keys[i]);
	}
	buf_adds(out, " = ");
	operand(out, co, p->operand);
}

/* What only some instructions have. */
static void extra(struct buf *out, const struct code *co, const struct insn *in,
	const struct rego_engine *e)
{
	switch (in->op) {
	case OP_DATA:
		buf_addc(out, ' ');
		path_text(out, e->paths[in->imm]);
		break;
	case OP_CALLR:
		buf_addf(out, " %s", e->comp.groups[in->imm]->name);
		break;
	case OP_CALLK:
	case OP_CALLF:
	case OP_CALLB:
		call_text(out, co, &co->calls[in->imm]);
		break;
	case OP_MKARR:
	case OP_MKSET:
		operand_list(out, co, in->imm, in->fail);
		break;
	case OP_MKOBJ:
		operand_list(out, co, in->imm, 2 * in->fail);
		break;
	case OP_TREEPUT:
	case OP_TREEADD:
		operand_list(out, co, in->imm, in->b);
		break;
	case OP_ISARR:
	case OP_ISOBJ:
	case OP_ITEM:
		buf_addf(out, " %u", in->imm);
		break;
	case OP_WITH:
		site_text(out, co, &co->sites[in->imm]);
		break;
	case OP_ITER:
	case OP_LITER:
		if (in->imm)
			probe_text(out, co, &co->probes[in->imm - 1]);
		break;
	default:
		break;
	}
}

static void insn_text(struct buf *out, const struct code *co, uint32_t pc,
	const struct rego_engine *e)
{
	const struct insn *in = &co->insns[pc];
	uint32_t row = 0, col = 0;

	buf_addf(out, "%5u  %-9s ", pc, names[in->op]);
	operand(out, co, in->a);
	buf_addc(out, ' ');
	operand(out, co, in->b);
	buf_addc(out, ' ');
	operand(out, co, in->c);
	extra(out, co, in, e);
	if (has_fail(in->op))
		buf_addf(out, "  -> %u", in->fail);
	if (co->locs[pc].src) {
		source_pos(co->locs[pc], &row, &col);
		buf_addf(out, "   ; %s:%u", co->locs[pc].src->name, row);
	}
	buf_addc(out, '\n');
}

static void code_text(
	struct buf *out, const struct code *co, const struct rego_engine *e)
{
	buf_addf(out, "%s: %u registers, %u constants\n",
		co->group ? co->group->name : "query", co->nregs, co->nconsts);
	for (uint32_t pc = 0; pc < co->len; pc++)
		insn_text(out, co, pc, e);
	buf_addc(out, '\n');
}

void rego_dump_code(struct buf *out, const struct rego_query *q)
{
	const struct rego_engine *e = q->engine;

	code_text(out, q->code, e);
	for (uint32_t i = 0; i < e->ncodes; i++)
		if (e->codes[i]->group)
			code_text(out, e->codes[i], e);
}

/* What each program reads, and with that when its value is made again. */
static void plan_text(struct buf *out, const struct code *co)
{
	const struct group_plan *gp = co->group ? co->group->plan : NULL;

	buf_addf(out, "%s%s%s%s\n", co->group ? co->group->name : "query",
		co->reads_input ? " input" : "", co->nondet ? " nondet" : "",
		gp && gp->closed ? " closed" : "");
	for (uint32_t i = 0; i < co->ndeps; i++)
		buf_addf(out, "  reads %s\n", co->deps[i]->name);
	for (uint32_t i = 0; i < co->npaths; i++) {
		buf_adds(out, "  reads ");
		path_text(out, co->paths[i]);
		buf_addc(out, '\n');
	}
	for (uint32_t i = 0; i < co->nsites; i++) {
		buf_adds(out, "  with");
		site_text(out, co, &co->sites[i]);
		buf_addc(out, '\n');
	}
}

void rego_dump_plan(struct buf *out, const struct rego_query *q)
{
	const struct rego_engine *e = q->engine;

	plan_text(out, q->code);
	for (uint32_t i = 0; i < e->ncodes; i++)
		if (e->codes[i]->group)
			plan_text(out, e->codes[i]);
}
