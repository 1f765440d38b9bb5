/*
 * Who signed a commit or a tag: what git and ssh-keygen make is read as git
 * reads it, and what was not signed so, or not by who may, is found.
 */
#include "tests/test.h"

#include "base/date.h"
#include "bundler/signed.h"
#include "gates/gates.h"
#include "signer/openpgp.h"
#include "signer/sshsig.h"
#include "tests/shell.h"

static struct err err;
static char dir[64], keys[64];

/* libgit2 1.5 leaks what libpcre2 took, as in test_repo.c. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpcre2-8";
}

/* --- helpers -------------------------------------------------------------- */

static int group(void **state)
{
	(void)state;
	shell_folder(keys);
	shell(keys, "for who in ann eve; do "
		    "ssh-keygen -q -N '' -C x -t ed25519 -f $who; done");
	return 0;
}

static int group_end(void **state)
{
	(void)state;
	shell(keys, "[ ! -d gpg ] || GNUPGHOME=$PWD/gpg gpgconf --kill all");
	shell_clean(keys);
	return 0;
}

static int fresh(void **state)
{
	(void)state;
	err = (struct err){0};
	shell_folder(dir);
	shell(dir, "git init -q -b main .; git config gpg.format ssh;"
		   "printf 'bundle: p\\n' >regatta.yaml; git add .");
	return 0;
}

static int clean(void **state)
{
	(void)state;
	shell_clean(dir);
	return 0;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

/* A script in the repo, with $keys as the folder of the keys. */
static const char *in_repo(const char *script)
{
	struct buf text = {0};
	const char *out;

	buf_addf(&text, "keys=%s\n%s", keys, script);
	out = shell(dir, text.ptr);
	buf_release(&text);
	return out;
}

#define SIGN "git -c user.signingkey=$keys/ann "
#define COMMIT SIGN "commit -q -S -m 'First policies'"

/* The public key of somebody, as a list of signers has it. */
static const char *public_key(const char *who)
{
	static char text[200];
	struct buf script = {0};

	buf_addf(&script, "cut -d' ' -f1,2 %s.pub", who);
	snprintf(text, sizeof(text), "%s", shell(keys, script.ptr));
	buf_release(&script);
	return text;
}

struct judged {
	struct repo repo;
	struct config config;
	struct arena a;
	struct signers signers;
	struct gate_report report;
};

/* Ann may sign, with `options` in her line; the rest of the gates don't run. */
static void judge(struct judged *j, const char *what, const char *options,
	const char *now)
{
	struct buf list = {0};
	struct gate_source from = {.what = what,
		.file = "allowed",
		.by = "regatta.yaml",
		.row = 7,
		.col = 9};
	struct gate_options o = {.repo = &j->repo,
		.config = &j->config,
		.source = &from,
		.data_only = true};

	*j = (struct judged){0};
	buf_addf(&list, "ann@a.example %s %s\n", options, public_key("ann"));
	assert_ok(repo_read(&j->repo, dir, NULL, &err), &err);
	assert_ok(
		config_parse(&j->config, "regatta.yaml", S("bundle: p"), &err),
		&err);
	assert_ok(signers_parse(
			  &j->signers, "allowed", buf_str(&list), &j->a, &err),
		&err);
	assert_true(instant_parse(str_from(now), &o.now_ns, NULL));
	from.signers = &j->signers;
	gates_run(&j->report, &o, &clock_system);
	buf_release(&list);
}

static void release(struct judged *j)
{
	gate_report_release(&j->report);
	repo_release(&j->repo);
	config_release(&j->config);
	arena_release(&j->a);
}

static void assert_found(const char *what, const char *options,
	const char *code, const char *part)
{
	struct judged j;

	judge(&j, what, options, "2026-06-21");
	if (!j.report.nfindings)
		fail_msg("nothing is found where %s should be", code);
	const struct finding *f = &j.report.findings[0];

	assert_num(j.report.level, GATE_FAIL);
	assert_string_equal(f->gate, "source");
	assert_string_equal(f->code, code);
	assert_string_equal(f->file, "regatta.yaml");
	assert_num(f->row, 7);
	assert_num(f->col, 9);
	assert_string_equal(f->subject, j.repo.commit);
	assert_contains(f->message, part);
	assert_null(j.report.signer.key);
	release(&j);
}

static void assert_passes(const char *what, const char *options)
{
	struct judged j;

	judge(&j, what, options, "2026-06-21");
	if (j.report.nfindings)
		fail_msg("found: %s", j.report.findings[0].message);
	assert_num(j.report.level, GATE_OK);
	assert_string_equal(j.report.signer.what, what);
	assert_string_equal(j.report.signer.who, "ann@a.example");
	assert_true(!strncmp(j.report.signer.key, "SHA256:", 7));
	release(&j);
}

/* --- commits -------------------------------------------------------------- */

static void a_commit_signed_by_who_may_passes(void **state)
{
	(void)state;
	in_repo(COMMIT);
	assert_passes("commit", "");
	assert_passes("commit", "namespaces=\"git\"");
	assert_passes("commit", "valid-after=\"20260601Z\"");
}

static void an_unsigned_commit_is_found(void **state)
{
	(void)state;
	in_repo("git commit -qm x");
	assert_found("commit", "", "S001", "is not signed, and regatta.yaml");
}

static void a_signature_of_a_stranger_is_found(void **state)
{
	(void)state;
	in_repo("git -c user.signingkey=$keys/eve commit -q -S -m x");
	assert_found("commit", "", "S004", "which allowed does not list");
}

/* The commit is of the 20th and judged on the 21st: a key must hold on both. */
static void a_key_must_hold_at_the_commits_time_and_now(void **state)
{
	(void)state;
	in_repo(COMMIT);
	assert_found("commit", "valid-before=\"20260619Z\"", "S005",
		"is valid until 2026-06-19T00:00:00Z, not at 2026-06-20T12");
	assert_found("commit", "valid-before=\"202606201800Z\"", "S005",
		"not at 2026-06-21T00:00:00Z");
	assert_found("commit", "valid-after=\"202606201800Z\"", "S005",
		"is valid from 2026-06-20T18:00:00Z, not at 2026-06-20T12");
}

static void a_commits_own_time_does_not_revive_a_key(void **state)
{
	(void)state;
	in_repo("at 2020-01-01T00:00:00Z; " COMMIT);
	assert_found("commit", "valid-before=\"20210101Z\"", "S005",
		"not at 2026-06-21");
}

static void commit_sig_namespace_wrong(void **state)
{
	(void)state;
	in_repo(COMMIT);
	assert_found("commit", "namespaces=\"file\"", "S005",
		"for namespaces \"file\", not for \"git\"");
	in_repo("git commit -q --amend -m x; git cat-file commit HEAD >raw;"
		"ssh-keygen -q -Y sign -f $keys/ann -n file <raw >sig "
		"2>/dev/null; { sed '/^$/,$d' raw; sed 's/^/ /;1s/^/gpgsig/' "
		"sig; sed -n '/^$/,$p' raw; } >new;"
		"git update-ref HEAD $(git hash-object -t commit -w new)");
	assert_found("commit", "", "S003", "a signature for \"file\"");
}

/* What was signed stays signed only as it was. */
static void a_commit_that_was_changed_is_found(void **state)
{
	static const char *const edits[] = {
		"s/First/Other/",
		"s/^author a/author b/",
		"/^tree /s/ .*/ 4b825dc642cb6eb9a060e54bf8d69288fbee4904/",
	};
	struct buf script = {0};

	(void)state;
	in_repo(COMMIT "; git hash-object -t tree -w /dev/null >/dev/null");
	for (size_t i = 0; i < COUNT(edits); i++) {
		buf_reset(&script);
		buf_addf(&script,
			"git cat-file commit main >raw; sed '%s' raw >new; "
			"! cmp -s raw new; git checkout -q --detach main;"
			"git update-ref --no-deref HEAD "
			"$(git hash-object -t commit -w new)",
			edits[i]);
		in_repo(script.ptr);
		assert_found("commit", "", "S003", "does not fit what is");
		in_repo("git checkout -q -f main");
	}
	buf_release(&script);
}

static void signatures_of_other_kinds_are_refused_by_name(void **state)
{
	(void)state;
	in_repo("git commit -qm x; git cat-file commit HEAD >raw; "
		"{ sed '/^$/,$d' raw; echo 'gpgsig -----BEGIN PGP "
		"SIGNATURE-----'; echo ' abc'; sed -n '/^$/,$p' raw; } >new;"
		"git update-ref HEAD $(git hash-object -t commit -w new)");
	assert_found("commit", "", "S002", "an OpenPGP signature");
	in_repo("sed 's/PGP SIGNATURE/SIGNED MESSAGE/' new >x; git update-ref "
		"HEAD $(git hash-object -t commit -w x)");
	assert_found("commit", "", "S002", "an X.509 signature");
}

static void a_commit_with_two_signatures_is_found(void **state)
{
	(void)state;
	in_repo(COMMIT "; git cat-file commit HEAD >raw; { sed '/^$/,$d' raw;"
		       "echo 'gpgsig -----BEGIN SSH SIGNATURE-----'; "
		       "sed -n '/^$/,$p' raw; } >new;"
		       "git update-ref HEAD $(git hash-object -t commit -w "
		       "new)");
	assert_found("commit", "", "S003", "it has two signatures");
}

/* --- tags ----------------------------------------------------------------- */

static void a_tag_signed_by_who_may_passes(void **state)
{
	(void)state;
	in_repo("git commit -qm x; " SIGN "tag -s v1 -m 'One'");
	assert_passes("tag", "");
}

static void a_tag_without_signature_is_found(void **state)
{
	(void)state;
	in_repo(COMMIT "; git tag v1");
	assert_found("tag", "", "S001", "tag v1 is no tag object");
	in_repo("git tag -d v1 >/dev/null; git tag -a v1 -m x");
	assert_found("tag", "", "S001", "tag v1 is not signed");
	in_repo("git tag -d v1 >/dev/null");
	assert_found("tag", "", "S001", "tag (none)");
}

/* A good signature, made of another commit, under another name or repo. */
static void signed_tag_other_repo(void **state)
{
	(void)state;
	in_repo("git commit -qm x; " SIGN "tag -s v1 -m 'One';"
		"git update-ref refs/tags/v2 $(git rev-parse refs/tags/v1);"
		"git tag -d v1 >/dev/null");
	assert_found("tag", "", "S003", "made as \"v1\"");
	in_repo("git tag -d v2 >/dev/null; " SIGN "tag -s inner -m x;" SIGN
		"-c advice.nestedTag=false tag -s v3 inner -m x; git tag -d "
		"inner");
	assert_found("tag", "", "S003", "names tag ");
}

static void a_tag_moved_to_another_commit_does_not_fit(void **state)
{
	(void)state;
	in_repo("git commit -qm x; " SIGN "tag -s v1 -m 'One'; git cat-file "
		"tag v1 >raw; git commit -q --allow-empty -m y; sed "
		"\"s/^object .*/object $(git rev-parse HEAD)/\" raw >new; git "
		"update-ref refs/tags/v1 $(git hash-object -t tag -w new)");
	assert_found("tag", "", "S003", "does not fit what is signed");
}

/* --- OpenPGP -------------------------------------------------------------- */

#define GPG "export GNUPGHOME=$keys/gpg; "

/* Keys of GnuPG, made once; false: no gpg here. */
static bool have_openpgp(void)
{
	static int have = -1;

	if (have < 0 && access(OPENPGP_PROGRAM, X_OK))
		have = 0;
	if (have < 0)
		have = strcmp(shell(keys,
				      "command -v gpg >/dev/null || exit 0;"
				      "export GNUPGHOME=$PWD/gpg; mkdir -m 700 "
				      "gpg; g() { "
				      "gpg -q --batch --passphrase '' "
				      "--pinentry-mode loopback \"$@\" "
				      "2>/dev/null; };"
				      "f=--faked-system-time=20260601T000000!;"
				      "for w in ann eve; do g $f "
				      "--quick-gen-key "
				      "$w@a.example ed25519 sign never; done;"
				      "g $f --quick-gen-key old@a.example "
				      "ed25519 "
				      "sign seconds=2592000; g --export "
				      "ann@a.example old@a.example >ring;"
				      "gpgconf --kill gpg-agent; echo yes"),
			       "yes") == 0;
	if (!have)
		print_message("no gpg here: OpenPGP is not tested\n");
	return have;
}

/* The commit is of 2026-06-20; ring has ann's key and one until the 30th. */
static void judge_openpgp(struct judged *j)
{
	struct buf path = {0}, ring = {0};
	struct gate_source from = {.what = "commit",
		.file = "ring",
		.by = "regatta.yaml",
		.row = 7,
		.col = 9};
	struct gate_options o = {.repo = &j->repo,
		.config = &j->config,
		.source = &from,
		.now_ns = clock_wall(&clock_system),
		.data_only = true};

	*j = (struct judged){0};
	buf_addf(&path, "%s/ring", keys);
	assert_ok(signers_file(&ring, path.ptr, dir, OPENPGP_KEYRING, &err),
		&err);
	assert_ok(repo_read(&j->repo, dir, NULL, &err), &err);
	assert_ok(
		config_parse(&j->config, "regatta.yaml", S("bundle: p"), &err),
		&err);
	from.keyring = buf_str(&ring);
	gates_run(&j->report, &o, &clock_system);
	buf_release(&path);
	buf_release(&ring);
}

static void assert_openpgp(const char *code, const char *part)
{
	struct judged j;

	judge_openpgp(&j);
	if (!code && j.report.nfindings)
		fail_msg("found: %s", j.report.findings[0].message);
	if (!code) {
		assert_contains(j.report.signer.who, "ann@a.example");
		assert_num(strlen(j.report.signer.key), 40);
	} else {
		if (!j.report.nfindings)
			fail_msg("nothing is found where %s should be", code);
		assert_string_equal(j.report.findings[0].code, code);
		assert_contains(j.report.findings[0].message, part);
		assert_num(j.report.level, GATE_FAIL);
	}
	release(&j);
}

static void an_openpgp_signature_is_judged_by_gpgv(void **state)
{
	(void)state;
	if (!have_openpgp())
		skip();
	in_repo(GPG "git config gpg.format openpgp; git -c user.signingkey="
		    "ann@a.example commit -q -S -m 'First policies'");
	assert_openpgp(NULL, NULL);
	in_repo("git cat-file commit HEAD | sed s/First/Other/ >new; git "
		"update-ref HEAD $(git hash-object -t commit -w new)");
	assert_openpgp("S003", "does not fit what is signed");
	in_repo(GPG "git -c user.signingkey=eve@a.example commit -q --amend "
		    "-S -m x");
	assert_openpgp("S004", "its key is not in the keyring");
	in_repo(GPG "cat >sign <<'E'\n#!/bin/sh\nexec gpg "
		    "--faked-system-time=20260620T120000! \"$@\"\nE\n"
		    "chmod +x sign; git -c gpg.program=$PWD/sign -c "
		    "user.signingkey=old@a.example commit -q --amend -S -m x");
	assert_openpgp("S003", "its key has ended");
	in_repo("git commit -q --amend -m x");
	assert_openpgp("S001", "sign it with an OpenPGP key that ring lists");
	in_repo("git config gpg.format ssh; " SIGN "commit -q --amend -S -m x");
	assert_openpgp("S002", "an SSH signature, which does not count here");
}

#define NEW "[GNUPG:] NEWSIG\n"
#define GOOD "[GNUPG:] GOODSIG 6B1F9ABDA9371038 Ann <ann@a.example>\n"
#define VALID(hash)                                                            \
	"[GNUPG:] VALIDSIG 11AA 2026-06-20 1781956800 0 4 0 22 " hash          \
	" 00 22BB\n"

/* What gpgv says, and whether it counts. */
static void only_one_good_signature_counts(void **state)
{
	/* clang-format off */
	static const struct {
		const char *said;
		bool well;
		enum status st;
		const char *part;
	} rows[] = {
		{NEW GOOD VALID("10"), true, OK, NULL},
		{"gpgv: a remark\n" NEW "[GNUPG:] KEY_CONSIDERED 11AA 0\n" GOOD VALID("8"), true, OK, NULL},
		{"", false, E_DENIED, "0 signatures"},
		{NEW GOOD, true, E_DENIED, "1 are good and 0 valid"},
		{GOOD VALID("10"), true, E_DENIED, "0 signatures"},
		{NEW GOOD VALID("10"), false, E_DENIED, "did not end well"},
		{NEW GOOD VALID("10") NEW GOOD VALID("10"), true, E_DENIED, "2 signatures"},
		{NEW GOOD VALID("10") NEW "[GNUPG:] BADSIG 33 Eve\n", true, E_DENIED, "does not fit what is signed: 33"},
		{NEW GOOD VALID("2"), true, E_DENIED, "no longer safe"},
		{NEW GOOD VALID("1"), true, E_DENIED, "no longer safe"},
		{NEW "[GNUPG:] ERRSIG 33 22 10 00 1 9 -\n[GNUPG:] NO_PUBKEY 33\n", false, E_NOT_FOUND, "not in the keyring: 33"},
		{NEW "[GNUPG:] EXPKEYSIG 33 Old\n" VALID("10"), true, E_DENIED, "its key has ended: 33"},
		{NEW "[GNUPG:] REVKEYSIG 33 Old\n" VALID("10"), true, E_DENIED, "was revoked"},
		{NEW "[GNUPG:] EXPSIG 33 Ann\n" VALID("10"), true, E_DENIED, "the signature has ended"},
		{"[GNUPG:] NODATA 4\n", false, E_DENIED, "no OpenPGP signature"},
		{"x" NEW GOOD VALID("10"), true, E_DENIED, "0 signatures"},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct openpgp_signer who = {0};
		struct arena a = {0};
		enum status st = openpgp_judge(
			&who, str_from(rows[i].said), rows[i].well, &a, &err);

		if (st != rows[i].st)
			fail_msg("row %zu: %d, %s", i, (int)st, err.text);
		if (rows[i].part)
			assert_contains(err.text, rows[i].part);
		else
			assert_string_equal(who.key, "22BB");
		if (!rows[i].part)
			assert_string_equal(who.who, "Ann <ann@a.example>");
		arena_release(&a);
	}
}

/* --- the text of the objects ---------------------------------------------- */

static void what_is_covered_is_what_git_covers(void **state)
{
	static const char raw[] = "tree 4b\nauthor A <a> 1 +0000\n"
				  "committer A <a> 1781956800 +0200\n"
				  "gpgsig -----BEGIN SSH SIGNATURE-----\n"
				  " abc\n -----END SSH SIGNATURE-----\n"
				  "encoding x\n\nsubject\n\ngpgsig none\n";
	struct signed_object o;
	struct arena a = {0};

	(void)state;
	assert_ok(signed_commit(&o, str_from(raw), &a, &err), &err);
	assert_num(o.kind, SIGNED_SSH);
	assert_num(o.time, 1781956800);
	assert_str(o.message, "tree 4b\nauthor A <a> 1 +0000\n"
			      "committer A <a> 1781956800 +0200\n"
			      "encoding x\n\nsubject\n\ngpgsig none\n");
	assert_str(o.signature, "-----BEGIN SSH SIGNATURE-----\nabc\n"
				"-----END SSH SIGNATURE-----\n");
	arena_release(&a);
}

static void a_tags_signature_is_its_end(void **state)
{
	static const char raw[] =
		"object 1f\ntype commit\ntag v1\ntagger A <a> -5 +0000\n\n"
		"quoted:\n-----BEGIN SSH SIGNATURE-----\nno\n"
		"-----BEGIN SSH SIGNATURE-----\nyes\n";
	struct signed_object o;

	(void)state;
	assert_ok(signed_tag(&o, str_from(raw), &err), &err);
	assert_str(o.target, "1f");
	assert_str(o.type, "commit");
	assert_str(o.name, "v1");
	assert_num(o.time, -5);
	assert_str(o.signature, "-----BEGIN SSH SIGNATURE-----\nyes\n");
	assert_true(str_ends(o.message, S("\nno\n")));
}

static void what_is_no_commit_and_no_tag_is_refused(void **state)
{
	static const struct {
		bool tag;
		const char *raw, *part;
	} rows[] = {
		{false, "", "no time of a committer"},
		{false, "committer A <a> x +0000\n\n", "no time"},
		{false, "committer A <a> 1781956800", "no time"},
		{false, "committer A <a> 1234567890123456789 +0000\n",
			"no time"},
		{false, "committer A <a> 1 +0000\ngpgsig-sha256 x\n",
			"another kind of repository"},
		{false, "committer A <a> 1 +0000\ngpgsig x\n", "no known kind"},
		{true, "", "no line \"object\""},
		{true, "object 1f\ntag v1\n", "no line \"type\""},
		{true, "object 1f\ntype commit\ntagger A <a> 1 +0000\n",
			"no line \"tag\""},
		{true, "object 1f\ntype commit\ntag v\n\n", "no line \"tagger"},
		{true, "object 1f\ntype commit\ntag v\ntagger A\n", "no time"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct signed_object o;
		struct arena a = {0};
		struct str raw = str_from(rows[i].raw);

		assert_true(
			(rows[i].tag ? signed_tag(&o, raw, &err)
				     : signed_commit(&o, raw, &a, &err)) != OK);
		assert_contains(err.text, rows[i].part);
		arena_release(&a);
	}
}

/* --- the list ------------------------------------------------------------- */

static enum status read_list(const char *name, const char *outside)
{
	struct signers list = {0};
	struct arena a = {0};
	struct buf path = {0};

	buf_addf(&path, "%s/%s", dir, name);
	enum status st = signers_read(&list, path.ptr, outside, &a, &err);

	arena_release(&a);
	buf_release(&path);
	return st;
}

static void a_list_that_others_could_write_is_not_trusted(void **state)
{
	(void)state;
	in_repo("mkdir list; echo \"a@a $(cut -d' ' -f1,2 $keys/ann.pub)\" "
		">list/ok; for m in 664 646; do cp list/ok list/$m; "
		"chmod $m list/$m; done; mkdir repo; cp list/ok repo;"
		"ln -s ../repo/ok list/link; : >list/empty; mkfifo list/pipe");
	char repo[80];

	snprintf(repo, sizeof(repo), "%s/repo", dir);
	assert_ok(read_list("list/ok", repo), &err);
	assert_ok(read_list("repo/ok", NULL), &err);
	assert_fails(read_list("list/664", repo), &err, E_DENIED, "mode 0664");
	assert_fails(read_list("list/646", repo), &err, E_DENIED, "mode 0646");
	assert_fails(read_list("repo/ok", repo), &err, E_DENIED,
		"lies in the repository");
	assert_fails(read_list("list/link", repo), &err, E_DENIED,
		"lies in the repository");
	assert_fails(read_list("list/none", repo), &err, E_NOT_FOUND, "none");
	assert_fails(
		read_list("list/pipe", repo), &err, E_INVALID, "no regular");
	assert_fails(
		read_list("list/empty", repo), &err, E_INVALID, "no key in it");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, clean)
	const struct CMUnitTest tests[] = {
		TEST(a_commit_signed_by_who_may_passes),
		TEST(an_unsigned_commit_is_found),
		TEST(a_signature_of_a_stranger_is_found),
		TEST(a_key_must_hold_at_the_commits_time_and_now),
		TEST(a_commits_own_time_does_not_revive_a_key),
		TEST(commit_sig_namespace_wrong),
		TEST(a_commit_that_was_changed_is_found),
		TEST(signatures_of_other_kinds_are_refused_by_name),
		TEST(a_commit_with_two_signatures_is_found),
		TEST(a_tag_signed_by_who_may_passes),
		TEST(a_tag_without_signature_is_found),
		TEST(signed_tag_other_repo),
		TEST(a_tag_moved_to_another_commit_does_not_fit),
		TEST(an_openpgp_signature_is_judged_by_gpgv),
		TEST(only_one_good_signature_counts),
		TEST(what_is_covered_is_what_git_covers),
		TEST(a_tags_signature_is_its_end),
		TEST(what_is_no_commit_and_no_tag_is_refused),
		TEST(a_list_that_others_could_write_is_not_trusted),
	};

	return cmocka_run_group_tests(tests, group, group_end);
}
