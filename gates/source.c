/*
 * source: the commit, or the tag that names its version, is signed by somebody
 * who may sign.
 *
 * A key counts if it holds both when the commit was made, as the commit itself
 * says, and now: who steals a key that has ended can write any date into a
 * commit. Whose keys count is never read from the commit that is judged.
 */
#include "gates/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bundler/signed.h"
#include "signer/openpgp.h"
#include "signer/sshsig.h"

/* What must be signed, as messages name it. */
struct subject {
	struct run *run;
	const struct gate_source *from;
	const char *name; /* "commit 4f1c2ab90e21", "tag v1.2.3" */
	const char *id;
	const char *sign; /* command that signs it */
	struct signed_object object;
};

static void bad(struct subject *s, const char *code, const char *fmt, ...)
	PRINTF(3, 4);

static void bad(struct subject *s, const char *code, const char *fmt, ...)
{
	const struct gate_source *from = s->from;
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	find_at(s->run, GATE_FAIL, from->row ? CONFIG_NAME : NULL, from->row,
		from->col, code, "%s %s", s->name, text)
		->subject = s->id;
}

/* --- what is signed ------------------------------------------------------- */

static bool read_commit(struct subject *s)
{
	const struct repo *r = s->run->o->repo;
	struct err e = {0};

	s->name = arena_printf(s->run->arena, "commit %.12s", r->commit);
	s->id = s->run->report->commit;
	s->sign = "git commit --amend --no-edit -S";
	if (!signed_commit(&s->object, r->object, s->run->arena, &e))
		return true;
	bad(s, "S003", "can't be read as a signed one: %s", e.text);
	return false;
}

/* A signed tag of elsewhere, brought here under a name of here, is no one. */
static bool is_own_tag(struct subject *s, const struct repo_tag *tag)
{
	const struct signed_object *o = &s->object;

	if (!str_is(o->name, tag->name))
		bad(s, "S003",
			"is a tag object made as \"%s\": what was signed is "
			"that name and not this one; make the tag anew (%s)",
			repo_path_text(o->name).s, s->sign);
	else if (!str_is(o->type, "commit") ||
		 !str_is(o->target, s->run->o->repo->commit))
		bad(s, "S003",
			"names %s %s, not commit %.12s; tag the commit itself "
			"(%s)",
			repo_path_text(o->type).s,
			repo_path_text(str_slice(o->target, 0, 12)).s,
			s->run->o->repo->commit, s->sign);
	else
		return true;
	return false;
}

static bool read_tag(struct subject *s)
{
	const struct repo *r = s->run->o->repo;
	const struct repo_tag *tag = r->ntags == 1 ? r->tags : NULL;
	struct err e = {0};

	s->name = arena_printf(s->run->arena, "tag %s",
		tag ? repo_path_text(str_from(tag->name)).s : "(none)");
	s->id = s->run->report->commit;
	s->sign = arena_printf(s->run->arena, "git tag -f -s %s %.12s",
		tag ? repo_path_text(str_from(tag->name)).s : "NAME",
		r->commit);
	if (!tag || !tag->id[0]) {
		bad(s, "S001",
			"is no tag object, so nothing can be signed in it: %s",
			s->sign);
		return false;
	}
	if (signed_tag(&s->object, tag->object, &e)) {
		bad(s, "S003", "can't be read as a signed one: %s", e.text);
		return false;
	}
	return is_own_tag(s, tag);
}

/* --- by whom -------------------------------------------------------------- */

/* What would count, for the way out. */
static const char *wanted(const struct subject *s)
{
	return !s->from->keyring.len ? "an SSH key"
	       : s->from->signers    ? "an SSH or OpenPGP key"
				     : "an OpenPGP key";
}

static void is_of_no_kind(struct subject *s)
{
	static const char *const kinds[] = {[SIGNED_NOT] = "no",
		[SIGNED_SSH] = "an SSH",
		[SIGNED_PGP] = "an OpenPGP",
		[SIGNED_X509] = "an X.509"};

	if (s->object.kind == SIGNED_NOT)
		bad(s, "S001",
			"is not signed, and %s asks for it: sign it with %s "
			"that %s lists (%s)",
			s->from->by, wanted(s), s->from->file, s->sign);
	else
		bad(s, "S002",
			"has %s signature, which does not count here: sign it "
			"with %s that %s lists (git config gpg.format; %s)",
			kinds[s->object.kind], wanted(s), s->from->file,
			s->sign);
}

static void is_not_allowed(
	struct subject *s, enum status st, const char *key, const struct err *e)
{
	if (st == E_NOT_FOUND)
		bad(s, "S004",
			"is signed by the key %s, which %s does not list; "
			"whoever it belongs to must be let in there, or "
			"somebody who is must sign (%s)",
			key, s->from->file, s->sign);
	else
		bad(s, "S005",
			"is signed by the key %s, which does not count: %s "
			"(%s); a key must hold at the time that the commit or "
			"tag names and now",
			key, e->text, s->from->file);
}

static const char *fingerprint(struct arena *a, struct str key)
{
	struct buf text = {0};
	const char *out;

	ssh_fingerprint(&text, key);
	out = arena_strdup(a, buf_str(&text));
	buf_release(&text);
	return out;
}

static void passes(struct subject *s, const char *who, const char *key)
{
	struct run *r = s->run;

	r->report->signer = (struct gate_signer){
		.what = s->from->what, .who = who, .key = key};
	summary(r, "%s is signed by %.100s, %s", s->name, who, key);
}

/* The signature fits; may its key sign? */
static void check_key(struct subject *s, const struct sshsig *sig)
{
	struct run *r = s->run;
	const int64_t times[] = {s->object.time, r->o->now_ns / NS_PER_S};
	const char *key = fingerprint(r->arena, sig->key);
	const struct signer *who = NULL;
	struct err e = {0};
	enum status st = signers_find(s->from->signers, sig->key, "git", times,
		COUNT(times), &who, &e);

	if (st) {
		is_not_allowed(s, st, key, &e);
		return;
	}
	passes(s, arena_strdup(r->arena, who->who), key);
}

static void check_signature(struct subject *s)
{
	struct sshsig sig = {0};
	struct err e = {0};
	enum status st = sshsig_parse(&sig, s->object.signature, &e);

	if (!st)
		st = sshsig_verify(&sig, "git", s->object.message, &e);
	if (st)
		bad(s, "S003", "has a signature that does not hold: %s (%s)",
			e.text, s->sign);
	else
		check_key(s, &sig);
	sshsig_release(&sig);
}

static void check_openpgp(struct subject *s)
{
	struct openpgp_signer who;
	struct err e = {0};
	enum status st = openpgp_verify(&who, s->from->keyring,
		s->object.signature, s->object.message, s->run->arena, &e);

	if (st == E_NOT_FOUND)
		bad(s, "S004",
			"is signed, and %s (%s); whoever it belongs to must be "
			"let in there, or somebody who is must sign (%s)",
			e.text, s->from->file, s->sign);
	else if (st == E_UNSUPPORTED)
		find_at(s->run, GATE_BROKEN, NULL, 0, 0, "S002", "%s: %s",
			s->name, e.text);
	else if (st)
		bad(s, "S003", "has a signature that does not hold: %s (%s)",
			e.text, s->sign);
	else
		passes(s, who.who, who.key);
}

void gate_source(struct run *r)
{
	struct subject s = {.run = r, .from = r->o->source};
	bool tag = !strcmp(s.from->what, "tag");

	summary(r, "not signed by anybody who may");
	if (tag ? !read_tag(&s) : !read_commit(&s))
		return;
	if (s.object.kind == SIGNED_SSH && s.from->signers)
		check_signature(&s);
	else if (s.object.kind == SIGNED_PGP && s.from->keyring.len)
		check_openpgp(&s);
	else
		is_of_no_kind(&s);
}
