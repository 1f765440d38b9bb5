/* Decisions: is the log as it was written; a proof of one; its indexes again.
 */
#include "server/op_common.h"

#include "base/json.h"
#include "server/doc.h"
#include "signer/note.h"

/* The key that checkpoints are signed with; NULL when none was made yet. */
static enum op_code log_key(
	struct service *s, struct op_call *c, struct note_key **key)
{
	enum status st = note_key_read(key, service_fs(s),
		arena_printf(c->a, "%s/log.pub", service_dir(s)), c->err);

	if (st)
		*key = NULL;
	if (st == E_NOT_FOUND) {
		c->err->text[0] = 0;
		st = OK;
	}
	return op_code_of(st);
}

static void write_fault(
	struct buf *out, const struct decisions_fault *f, const char *says)
{
	doc_open(out, "fault", '{');
	doc_text(out, "file", str_from(f->file));
	doc_int(out, "offset", (int64_t)f->offset);
	if (f->event != UINT64_MAX)
		doc_int(out, "event", (int64_t)f->event);
	doc_text(out, "text", str_from(says));
	doc_close(out, '}');
}

/* The bytes it is about go with the proof: both are checked elsewhere. */
struct proving {
	struct op_call *c;
	struct buf *out;
	uint64_t number;
	bool found;
};

static bool proved_row(void *user, const struct decision_row *row)
{
	struct proving *p = user;

	p->number = row->number;
	p->found = true;
	doc_int(p->out, "number", (int64_t)row->number);
	doc_json(p->out, "event", row->event.bytes);
	return false;
}

/* By its number, or by its decision_id. */
static enum status find_proved(
	struct decisions *log, struct str name, struct proving *p)
{
	static const struct decision_filter all;
	int64_t n;
	uint64_t next;
	enum status st;

	if (!json_int(name, &n) || n < 0)
		return decisions_show(log, name, proved_row, p, p->c->err);
	next = (uint64_t)n;
	st = decisions_tail(log, &all, &next, proved_row, p, p->c->err);
	if (!st && !p->found)
		st = err_set(
			p->c->err, E_NOT_FOUND, "no event %lld", (long long)n);
	return st;
}

/* What no checkpoint has yet is signed, if this process may. */
static enum status prove_now(
	struct decisions *log, uint64_t number, struct buf *out, struct err *e)
{
	struct err before;
	enum status st = decisions_prove(log, number, out, e);

	if (st != E_NOT_FOUND)
		return st;
	before = *e;
	if (decisions_checkpoint(log, e)) {
		*e = before;
		return st;
	}
	return decisions_prove(log, number, out, e);
}

static enum op_code prove(struct service *s, struct op_call *c, struct buf *out)
{
	struct proving p = {.c = c, .out = out};
	struct buf proof = {0};
	struct decisions *log;
	enum status st = service_decisions(s, false, &log, c->err);

	if (st)
		return op_code_of(st);
	doc_begin(out, "decision proof");
	st = find_proved(log, op_text(c, "prove"), &p);
	if (!st)
		st = prove_now(log, p.number, &proof, c->err);
	doc_text(out, "proof", buf_str(&proof));
	doc_close(out, '}');
	buf_release(&proof);
	return op_code_of(st);
}

static enum op_code verify(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct decisions_fault fault;
	struct note_key *key;
	struct decisions *log;
	uint64_t n = 0;
	enum status st;
	enum op_code code;

	if (op_given(c, "prove"))
		return prove(s, c, out);
	code = op_code_of(service_decisions(s, false, &log, c->err));
	if (!code)
		code = log_key(s, c, &key);
	if (!code)
		code = op_code_of(decisions_end(log, &n, c->err));
	if (code)
		return code;
	st = decisions_verify(log, key, op_text(c, "held"), &fault, c->err);
	doc_begin(out, "decisions verify");
	doc_bool(out, "ok", !st);
	doc_int(out, "events", (int64_t)n);
	doc_bool(out, "signatures", key != NULL);
	if (!st)
		doc_bool(out, "checkpoints", !(fault.bare & 1u << LOG_EVENTS));
	if (st && fault.file[0]) {
		write_fault(out, &fault, c->err->text);
		c->err->text[0] = 0;
	}
	doc_close(out, '}');
	note_key_free(key);
	return op_code_of(st);
}

static const struct op_param verify_params[] = {
	{"held", PARAM_TEXT, false,
		"a checkpoint that was kept elsewhere: the log must begin with "
		"what it stands for"},
	{"prove", PARAM_TEXT, false,
		"verify nothing, and prove that the decision with this number "
		"or id is in the log"},
};

const struct op op_decisions_verify = {
	.name = "decisions verify",
	.method = "GET",
	.pattern = "/v1/decisions/verify",
	.roles = OP_READERS,
	.summary = "Read the whole log and compare it with its hashes, "
		   "checkpoints and indexes",
	.params = verify_params,
	.nparams = COUNT(verify_params),
	.slow = true,
	.run = verify,
};

/* --- rebuild ----------------------------------------------------------------
 */

static enum op_code rebuild(
	struct service *s, struct op_call *c, struct buf *out)
{
	struct decisions *log;
	struct decisions_counts counts;
	enum status st = service_decisions(s, false, &log, c->err);

	if (!st) /* only a log that there is */
		st = service_decisions(s, true, &log, c->err);
	if (!st)
		st = decisions_rebuild(log, c->err);
	if (st)
		return op_code_of(st);
	decisions_counts(log, &counts);
	doc_begin(out, "decisions rebuild");
	doc_int(out, "events", (int64_t)counts.events);
	doc_close(out, '}');
	return OP_OK;
}

const struct op op_decisions_rebuild = {
	.name = "decisions rebuild",
	.method = "POST",
	.pattern = "/v1/decisions/rebuild",
	.roles = SERVER_RELEASE | SERVER_ONCALL,
	.summary = "Make the indexes of the log again, from the log alone",
	.slow = true,
	.run = rebuild,
};
