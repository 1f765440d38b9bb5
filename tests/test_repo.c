/* The policy repo: commits, rules on what is in them, revisions. */
#include "tests/test.h"

#include "bundler/config.h"
#include "bundler/repo.h"
#include "tests/shell.h"

#include <errno.h>

static struct err err;
static char dir[64];

/*
 * libgit2 1.5 keeps what a regular expression took that matched nothing, as it
 * asks a repository for extensions.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpcre2-8";
}

/* --- helpers -------------------------------------------------------------- */

static int fresh(void **state)
{
	(void)state;
	err = (struct err){0};
	shell_folder(dir);
	shell(dir, "git init -q -b main .");
	return 0;
}

static int clean(void **state)
{
	(void)state;
	shell_clean(dir);
	return 0;
}

static struct repo read_rev(const char *rev)
{
	struct repo r = {0};
	struct repo_options o = {.rev = rev};

	assert_ok(repo_read(&r, dir, &o, &err), &err);
	return r;
}

static void assert_refused(enum status want, const char *part)
{
	struct repo r = {.time = 7};
	enum status st = repo_read(&r, dir, NULL, &err);

	assert_fails(st, &err, want, part);
	assert_num(r.time, 7);
	assert_null(r.arena.top);
}

static void assert_content(
	const struct repo *r, const char *path, const char *want)
{
	const struct repo_file *f = repo_find(r, str_from(path));

	if (!f)
		fail_msg("no file %s", path);
	assert_str(f->content, want);
}

static struct repo read_paths(const char *const *paths, size_t n, bool worktree)
{
	struct repo r = {0};
	struct repo_options o = {
		.paths = paths, .npaths = n, .worktree = worktree};

	assert_ok(repo_read(&r, dir, &o, &err), &err);
	return r;
}

/* --- commits -------------------------------------------------------------- */

#define TWO_FILES                                                              \
	"mkdir -p policies/k8s; echo 1 >policies/k8s/a.rego; echo 2 >b;"       \
	"chmod +x b; git add .; git commit -qm x;"

static void a_commit_is_read_with_its_names(void **state)
{
	(void)state;
	shell(dir, TWO_FILES);
	struct repo r = read_rev(NULL);

	assert_num(r.nfiles, 2);
	assert_str(r.files[0].path, "b");
	assert_str(r.files[1].path, "policies/k8s/a.rego");
	assert_content(&r, "policies/k8s/a.rego", "1\n");
	assert_null(repo_find(&r, S("policies")));
	assert_string_equal(r.commit, shell(dir, "git rev-parse HEAD"));
	assert_string_equal(r.tree, shell(dir, "git rev-parse HEAD:"));
	assert_num(r.time, 1781956800);
	assert_false(r.worktree);
	repo_release(&r);
}

static void files_come_sorted_by_path_not_by_folder(void **state)
{
	(void)state;
	shell(dir, "mkdir a; echo 1 >a/x; echo 2 >a.b; echo 3 >a0; git add .;"
		   "git commit -qm x");
	struct repo r = read_rev(NULL);

	assert_num(r.nfiles, 3);
	assert_str(r.files[0].path, "a.b");
	assert_str(r.files[1].path, "a/x");
	assert_str(r.files[2].path, "a0");
	repo_release(&r);
}

static void the_work_tree_does_not_count(void **state)
{
	(void)state;
	shell(dir, TWO_FILES "echo changed >b; echo new >c; git add c");
	struct repo r = read_rev(NULL);

	assert_num(r.nfiles, 2);
	assert_content(&r, "b", "2\n");
	repo_release(&r);
}

static void filters_and_line_endings_are_not_applied(void **state)
{
	(void)state;
	shell(dir, "printf 'a\\r\\n$Id$\\n' >f; git add f;"
		   "echo '* text eol=crlf ident filter=evil' >.gitattributes;"
		   "git config core.safecrlf false; git config "
		   "filter.evil.smudge 'touch ran; cat';"
		   "git add .gitattributes 2>/dev/null; git commit -qm x");
	struct repo r = read_rev(NULL);

	assert_content(&r, "f", "a\r\n$Id$\n");
	assert_string_equal(shell(dir, "ls ran 2>/dev/null || echo no"), "no");
	repo_release(&r);
}

static void packed_and_loose_objects_read_the_same(void **state)
{
	(void)state;
	shell(dir, "for i in 1 2 3 4; do seq 1 500 >f$i; echo $i >>f$i; done;"
		   "git add .; git commit -qm x");
	struct repo loose = read_rev(NULL);

	shell(dir, "git gc -q --aggressive --prune=now");
	struct repo packed = read_rev(NULL);

	assert_string_equal(loose.commit, packed.commit);
	assert_num(packed.nfiles, loose.nfiles);
	for (size_t i = 0; i < loose.nfiles; i++)
		assert_true(str_eq(
			loose.files[i].content, packed.files[i].content));
	repo_release(&loose);
	repo_release(&packed);
}

static void a_bare_repository_is_read(void **state)
{
	(void)state;
	shell(dir, TWO_FILES "mv .git bare; rm -rf policies b; mv bare/* .;"
			     "rm -rf bare; git config core.bare true");
	struct repo r = read_rev("main");

	assert_content(&r, "b", "2\n");
	repo_release(&r);
}

static void the_git_folder_itself_is_read(void **state)
{
	struct repo r = {0};
	char git[80];

	(void)state;
	shell(dir, TWO_FILES);
	snprintf(git, sizeof(git), "%s/.git", dir);
	assert_ok(repo_read(&r, git, NULL, &err), &err);
	assert_num(r.nfiles, 2);
	repo_release(&r);
}

static void a_linked_work_tree_is_read(void **state)
{
	struct repo r = {0};
	char linked[80];

	(void)state;
	shell(dir, TWO_FILES "git worktree add -q linked -b other; cd linked;"
			     "echo 3 >c; git add c; git commit -qm y");
	snprintf(linked, sizeof(linked), "%s/linked", dir);
	assert_ok(repo_read(&r, linked, NULL, &err), &err);
	assert_content(&r, "c", "3\n");
	repo_release(&r);
}

static void a_folder_below_the_repository_is_none(void **state)
{
	struct repo r = {0};
	char below[80];

	(void)state;
	shell(dir, TWO_FILES);
	snprintf(below, sizeof(below), "%s/policies", dir);
	assert_fails(repo_read(&r, below, NULL, &err), &err, E_NOT_FOUND,
		"no git repository here");
}

static void settings_in_the_environment_do_not_count(void **state)
{
	char other[64];

	(void)state;
	shell_folder(other);
	shell(other, "git init -q .; echo 9 >b; git add b; git commit -qm o");
	shell(dir, TWO_FILES);
	snprintf(other + strlen(other), sizeof(other) - strlen(other), "/.git");
	setenv("GIT_DIR", other, 1);
	struct repo r = read_rev(NULL);

	unsetenv("GIT_DIR");
	other[strlen(other) - 5] = '\0';
	shell_clean(other);
	assert_content(&r, "b", "2\n");
	repo_release(&r);
}

/* All that git would run in a repository of a stranger, or ask there. */
static void nothing_of_a_repository_is_run(void **state)
{
	(void)state;
	shell(dir, TWO_FILES
		"printf '#!/bin/sh\\ntouch \"%s\"/ran; cat\\n' \"$PWD\" >x;"
		"chmod +x x; for h in post-checkout pre-commit reference-"
		"transaction post-index-change fsmonitor-watchman update "
		"proc-receive; do cp x .git/hooks/$h; done; for k in "
		"core.fsmonitor core.pager core.editor core.sshCommand "
		"core.askPass core.gitProxy diff.external diff.x.textconv "
		"diff.x.command filter.x.clean filter.x.smudge "
		"filter.x.process gpg.program gpg.ssh.program "
		"credential.helper uploadpack.packObjectsHook; do "
		"git config $k \"$PWD/x\"; done; git config extensions."
		"partialClone origin; git config remote.origin.url "
		"\"ext::$PWD/x\"; mkdir -p .git/info;"
		"echo '* filter=x diff=x' >.git/info/attributes");
	struct repo r = read_rev(NULL);

	assert_content(&r, "b", "2\n");
	repo_release(&r);
	r = read_paths(NULL, 0, true);
	repo_release(&r);
	assert_string_equal(shell(dir, "ls ran 2>/dev/null || echo no"), "no");
}

/* A user may have said that any folder is to be trusted. */
static void settings_of_the_user_do_not_count(void **state)
{
	char home[64], old[256];

	(void)state;
	if (getuid() != 0)
		skip();
	shell_folder(home);
	shell(home, "mkdir git; printf '[safe]\\n\\tdirectory = *\\n' "
		    "| tee .gitconfig >git/config");
	snprintf(old, sizeof(old), "%s", getenv("HOME") ? getenv("HOME") : "/");
	shell(dir, TWO_FILES "chown -R 12345 .");
	setenv("HOME", home, 1);
	setenv("XDG_CONFIG_HOME", home, 1);
	assert_refused(E_DENIED, "belongs to another user");
	setenv("HOME", old, 1);
	unsetenv("XDG_CONFIG_HOME");
	shell_clean(home);
}

static void a_damaged_object_is_refused(void **state)
{
	(void)state;
	shell(dir, TWO_FILES
		"old=$(echo 2 | git hash-object --stdin);"
		"new=$(echo 3 | blob); o=.git/objects;"
		"f=$o/$(echo $old | cut -c1-2)/$(echo $old | cut -c3-);"
		"n=$o/$(echo $new | cut -c1-2)/$(echo $new | cut -c3-);"
		"chmod u+w $f; cp $n $f");
	assert_refused(E_INVALID, "b: object ");
}

static void a_missing_object_is_refused_with_the_way_out(void **state)
{
	(void)state;
	shell(dir, TWO_FILES
		"old=$(echo 2 | git hash-object --stdin);"
		"rm .git/objects/$(echo $old | cut -c1-2)/$(echo $old | "
		"cut -c3-)");
	assert_refused(E_INVALID, "is not in this clone");
}

static void a_partial_clone_reads_what_it_has(void **state)
{
	(void)state;
	shell(dir, TWO_FILES "git config core.repositoryformatversion 1;"
			     "git config extensions.partialclone origin;"
			     "git config extensions.worktreeConfig true");
	struct repo r = read_rev(NULL);

	assert_num(r.nfiles, 2);
	repo_release(&r);
}

/* --- revs ----------------------------------------------------------------- */

static void a_rev_is_a_branch_a_tag_or_an_id(void **state)
{
	static const char *const revs[] = {"main", "refs/heads/main", "light",
		"heavy", "nested", "HEAD~1", "refs/tags/light"};
	char id[41];

	(void)state;
	shell(dir, TWO_FILES
		"git tag light; git tag -m x heavy;"
		"git tag -m y nested heavy 2>/dev/null; git branch -q keep;"
		"git checkout -q -b later; echo 3 >b; git commit -qam y");
	snprintf(id, sizeof(id), "%s", shell(dir, "git rev-parse main"));
	for (size_t i = 0; i < COUNT(revs); i++) {
		struct repo r = read_rev(revs[i]);

		assert_string_equal(r.commit, id);
		repo_release(&r);
	}
	struct repo full = read_rev(id);

	assert_string_equal(full.commit, id);
	repo_release(&full);
	id[10] = '\0';
	struct repo cut = read_rev(id);

	assert_num(strncmp(cut.commit, id, 10), 0);
	repo_release(&cut);
}

static void a_rev_that_is_not_there_is_not_found(void **state)
{
	static const char *const revs[] = {"nothing", "refs/heads/x",
		"0123456789012345678901234567890123456789", "abcdef12"};
	struct repo r = {0};

	(void)state;
	shell(dir, TWO_FILES);
	for (size_t i = 0; i < COUNT(revs); i++) {
		struct repo_options o = {.rev = revs[i]};

		assert_fails(repo_read(&r, dir, &o, &err), &err, E_NOT_FOUND,
			"names no commit in this clone");
	}
}

static void a_rev_that_is_no_commit_is_refused(void **state)
{
	static const char *const revs[] = {"HEAD:b", "HEAD:", "HEAD^{tree}",
		"-x", "..", "HEAD~0~", "a b", ""};
	struct repo r = {0};

	(void)state;
	shell(dir, TWO_FILES);
	for (size_t i = 0; i < COUNT(revs); i++) {
		struct repo_options o = {.rev = revs[i]};

		assert_fails(repo_read(&r, dir, &o, &err), &err, E_NOT_FOUND,
			"names no commit");
	}
}

static void a_name_of_branch_and_tag_is_refused(void **state)
{
	struct repo r = {0};
	struct repo_options o = {.rev = "prod"};

	(void)state;
	shell(dir, TWO_FILES "git tag prod; git branch prod");
	assert_fails(repo_read(&r, dir, &o, &err), &err, E_INVALID,
		"say refs/heads/prod or refs/tags/prod");
}

static void a_branch_named_like_an_id_is_not_that_commit(void **state)
{
	char id[41];

	(void)state;
	snprintf(id, sizeof(id), "%s",
		shell(dir, TWO_FILES "git rev-parse HEAD"));
	shell(dir, "id=$(git rev-parse HEAD); echo 9 >b; git commit -qam y;"
		   "git update-ref refs/heads/$id HEAD");
	struct repo r = read_rev(id);

	assert_string_equal(r.commit, id);
	assert_content(&r, "b", "2\n");
	repo_release(&r);
}

static void a_repository_without_commits_says_so(void **state)
{
	(void)state;
	assert_refused(E_NOT_FOUND, "there is no commit yet");
}

static void a_ref_that_moves_midway_gives_the_same_bytes(void **state)
{
	struct repo first = {0}, again = {0};
	struct config c = {0};

	(void)state;
	shell(dir, "mkdir policies; echo 'bundle: x' >regatta.yaml;"
		   "echo 1 >policies/a.rego; git add .; git commit -qm x");
	assert_ok(config_read_repo(&c, &first, dir, NULL, &err), &err);
	config_release(&c);
	shell(dir, "echo 2 >policies/a.rego; git commit -qam y");
	struct repo_options o = {.rev = first.commit};

	assert_ok(config_read_repo(&c, &again, dir, &o, &err), &err);
	assert_num(again.nfiles, 2);
	assert_content(&again, "policies/a.rego", "1\n");
	assert_string_equal(again.tree, first.tree);
	repo_release(&first);
	repo_release(&again);
	config_release(&c);
}

/* While somebody pushes, config and policies are still of one commit. */
static void a_ref_that_moves_all_the_time_gives_one_commit(void **state)
{
	pid_t pid;
	int ended = 0;

	(void)state;
	shell(dir, "mkdir policies; for n in aa bb; do echo \"bundle: $n\" "
		   ">regatta.yaml; printf $n >policies/f; git add .;"
		   "git commit -qm $n; git tag t$n; done");
	pid = fork();
	if (!pid) {
		shell(dir, "for i in $(seq 1 60); do git update-ref HEAD taa;"
			   "git update-ref HEAD tbb; done");
		_exit(0);
	}
	while (waitpid(pid, &ended, WNOHANG) == 0) {
		struct repo r = {0};
		struct config c = {0};

		assert_ok(config_read_repo(&c, &r, dir, NULL, &err), &err);
		assert_content(&r, "policies/f", c.bundle);
		repo_release(&r);
		config_release(&c);
	}
	assert_num(ended, 0);
}

static void replacements_do_not_count(void **state)
{
	(void)state;
	shell(dir, TWO_FILES "git replace $(echo 2 | git hash-object --stdin) "
			     "$(echo evil | blob)");
	struct repo r = read_rev(NULL);

	assert_content(&r, "b", "2\n");
	repo_release(&r);
}

/* --- rules ---------------------------------------------------------------- */

/* One entry "MODE TYPE ID\tNAME" beside a good file, in a commit. */
#define TREE(entry)                                                            \
	"f=$(echo hi | blob); t=$(printf '' | git mktree);"                    \
	"head $(printf \"100644 blob $f\\tgood\\n" entry                       \
	"\\n\" | git mktree --missing);"

/* As bytes, for what mktree would not make: MODE NAME\0 and the id. */
#define RAW(entries)                                                           \
	"f=$(echo hi | blob); raw() { echo $1 | fold -w2 | while read x; do "  \
	"printf \"\\\\$(printf %03o 0x$x)\"; done; };"                         \
	"head $({ " entries "; } | git hash-object -t tree --literally -w "    \
	"--stdin);"
#define ENTRY(mode, name) "printf '" mode " " name "\\0'; raw $f"

static const struct {
	const char *what, *script;
	enum status code;
	const char *part;
} hostile[] = {
	{"a link", TREE("120000 blob $f\\tz"), E_INVALID, "z: a symbolic link"},
	{"a submodule",
		TREE("160000 commit 0123456789012345678901234567890123456789"
		     "\\tz"),
		E_INVALID, "z: a submodule"},
	{"a mode of long ago", RAW(ENTRY("100664", "z")), E_INVALID,
		"z: neither a plain file nor a folder"},
	{"a mode of nothing", RAW(ENTRY("0", "z")), E_INVALID,
		"z: neither a plain file nor a folder"},
	{"a tree that is a file", RAW(ENTRY("40000", "z")), E_INVALID,
		"z: the tree names an object of another type"},
	{"a file that is a tree",
		"mkdir d; echo 1 >d/f; git add d; d=$(git write-tree); "
		"f=$d;" RAW("f=$d; printf '100644 z\\0'; raw $d"),
		E_INVALID, "z: the tree names an object of another type"},
	{"no tree at all",
		"head $(printf 'garbage' | git hash-object -t tree --literally "
		"-w --stdin)",
		E_INVALID, "can't be read"},
	{"the same name twice",
		RAW(ENTRY("100644", "z") ";" ENTRY("100755", "z")), E_INVALID,
		"z: is there twice"},
	{"a file and a folder of one name",
		"e=$(printf '' | git mktree);" RAW(
			ENTRY("100644", "z") ";"
					     "printf '40000 z\\0'; raw $e"),
		E_INVALID, "z: is there twice"},
	{"names that differ in case", TREE("100644 blob $f\\tGOOD"), E_INVALID,
		"the same as "},
	{"names that differ in case beyond ASCII",
		TREE("100644 blob $f\\t\303\204\\n100644 blob $f\\t\303\244"),
		E_INVALID, "but for case"},
	{"folders that differ in case",
		"f=$(echo hi | blob);"
		"d=$(printf \"100644 blob $f\\tx\\n\" | git mktree);"
		"e=$(printf \"100644 blob $f\\ty\\n\" | git mktree);"
		"head $(printf \"040000 tree $d\\tD\\n040000 tree $e\\td\\n\" "
		"| git mktree)",
		E_INVALID, "d: the same as D but for case"},
	{"a slash in a name", RAW(ENTRY("100644", "a/z")), E_INVALID,
		"a/z: a name with / in it"},
	{"two dots", RAW(ENTRY("100644", "..")), E_INVALID,
		"..: a path may not have . or .. as a step"},
	{"a dot", RAW(ENTRY("100644", ".")), E_INVALID,
		".: a path may not have . or .. as a step"},
	{"git's own folder", RAW(ENTRY("100644", ".git")), E_INVALID,
		".git: a path may not have .git as a step"},
	{"git's own folder in capitals", RAW(ENTRY("100644", ".GiT")),
		E_INVALID, "a path may not have .git as a step"},
	{"a backslash", RAW(ENTRY("100644", "a\\\\z")), E_INVALID,
		"a path may not have \\ or : in it"},
	{"a colon", TREE("100644 blob $f\\ta:z"), E_INVALID,
		"a path may not have \\ or : in it"},
	{"a dot at the end", TREE("100644 blob $f\\tz."), E_INVALID,
		"no name may end with a dot or a space"},
	{"a space at the end", TREE("100644 blob $f\\tz "), E_INVALID,
		"no name may end with a dot or a space"},
	{"a newline", RAW(ENTRY("100644", "a\\012z")), E_INVALID,
		"a\\x0az: a path may only have characters that can be seen"},
	{"a DEL", RAW(ENTRY("100644", "a\\177z")), E_INVALID,
		"a\\x7fz: a path may only have characters that can be seen"},
	{"a terminal's command", RAW(ENTRY("100644", "\\033[2Jz")), E_INVALID,
		"\\x1b[2Jz: a path may only have"},
	{"letters that run backwards", RAW(ENTRY("100644", "\\342\\200\\256z")),
		E_INVALID, "can be seen"},
	{"bytes that are no UTF-8", RAW(ENTRY("100644", "a\\377z")), E_INVALID,
		"a\\xffz: a path must be UTF-8"},
	{"a pointer of LFS",
		"f=$(printf 'version https://git-lfs.github.com/spec/v1\\noid "
		"sha256:00\\nsize 1\\n' | blob);"
		"head $(printf \"100644 blob $f\\tz.json\\n\" | git mktree)",
		E_INVALID, "z.json: a pointer of Git LFS"},
	{"alternates", TWO_FILES "echo /tmp >.git/objects/info/alternates",
		E_INVALID, "borrows objects from another repository"},
	{"sha256 ids",
		"rm -rf .git; git init -q --object-format=sha256 .;" TWO_FILES,
		E_INVALID, "ids of this repository are not of SHA-1"},
	{"a setting of a later git",
		TWO_FILES "git config core.repositoryformatversion 1;"
			  "git config extensions.refstorage reftable",
		E_INVALID, "extensions.refstorage, which is not read here"},
};

static void what_could_mean_two_things_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hostile); i++) {
		struct repo r = {0};
		enum status st;

		if (i)
			fresh(NULL);
		shell(dir, hostile[i].script);
		st = repo_read(&r, dir, NULL, &err);
		if (st != hostile[i].code || st != err.code ||
			!strstr(err.text, hostile[i].part))
			fail_msg("%s: status %d, %s", hostile[i].what, (int)st,
				err.text);
		if (i + 1 < COUNT(hostile))
			clean(NULL);
	}
}

/* A chain of `n` folders with a file in the last. */
static void deep(unsigned n)
{
	char script[256];

	snprintf(script, sizeof(script),
		"t=$(printf \"100644 blob $(echo hi | blob)\\tf\\n\" | "
		"git mktree); for i in $(seq 1 %u); do t=$(printf "
		"\"040000 tree $t\\td\\n\" | git mktree); done; head $t",
		n);
	shell(dir, script);
}

static void folders_are_read_to_the_limit_of_depth(void **state)
{
	(void)state;
	deep(LIMIT_PATH_DEPTH - 1);
	struct repo r = read_rev(NULL);

	assert_num(r.nfiles, 1);
	repo_release(&r);
	deep(LIMIT_PATH_DEPTH);
	assert_refused(E_LIMIT, "more than 32 steps deep");
}

static void names_are_read_to_the_limit_of_length(void **state)
{
	(void)state;
	shell(dir, TREE("100644 blob $f\\t$(printf %0255d 1)"));
	struct repo r = read_rev(NULL);

	assert_num(r.nfiles, 2);
	repo_release(&r);
	shell(dir, TREE("100644 blob $f\\t$(printf %0256d 1)"));
	assert_refused(E_LIMIT, "a name of 256 bytes, limit 255");
}

static void paths_are_read_to_the_limit_of_length(void **state)
{
	/* Four folders of 204 bytes and a slash each. */
	static const char script[] =
		"t=$(printf \"100644 blob $(echo hi | blob)\\t$(printf %%0%dd "
		"1)\\n\" | git mktree); d=$(printf %%0204d 1);"
		"for i in 1 2 3 4; do t=$(printf "
		"\"040000 tree $t\\t$d\\n\" | git mktree); done; head $t";
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), script, 204);
	shell(dir, text);
	struct repo r = read_rev(NULL);

	assert_num(r.files[0].path.len, LIMIT_PATH_BYTES);
	repo_release(&r);
	snprintf(text, sizeof(text), script, 205);
	shell(dir, text);
	assert_refused(E_LIMIT, "a path of 1025 bytes, limit 1024");
}

static void a_file_is_read_to_its_limit(void **state)
{
	static const char script[] =
		"head $(printf \"100644 blob $(head() { :; }; "
		"dd if=/dev/zero bs=1 count=0 seek=%zu 2>/dev/null of=z; "
		"git hash-object -w z)\\tz\\n\" | git mktree)";
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), script, LIMIT_GIT_BLOB);
	shell(dir, text);
	struct repo r = read_rev(NULL);

	assert_num(r.files[0].content.len, LIMIT_GIT_BLOB);
	repo_release(&r);
	snprintf(text, sizeof(text), script, LIMIT_GIT_BLOB + 1);
	shell(dir, text);
	assert_refused(E_LIMIT, "z: 16777217 bytes, limit 16777216");
}

/* Sixteen names of one blob: all files together. */
static void files_are_read_to_the_limit_of_all(void **state)
{
	(void)state;
	shell(dir, "dd if=/dev/zero bs=1M count=16 2>/dev/null of=z;"
		   "b=$(git hash-object -w z); for i in $(seq 10 25); do "
		   "printf \"100644 blob $b\\t$i\\n\"; done >list;"
		   "head $(git mktree <list)");
	struct repo r = read_rev(NULL);

	assert_num(r.nfiles, 16);
	repo_release(&r);
	shell(dir, "printf \"100644 blob $(echo | blob)\\t99\\n\" >>list;"
		   "head $(git mktree <list)");
	assert_refused(E_LIMIT, "99: with it more than 268435456 bytes");
}

static void entries_are_read_to_their_limit(void **state)
{
	char text[256];

	(void)state;
	snprintf(text, sizeof(text),
		"b=$(printf '' | blob); seq -f \"100644 blob $b\t%%06g\" 1 %u "
		">list; head $(git mktree <list)",
		LIMIT_GIT_OBJECTS);
	shell(dir, text);
	struct repo r = read_rev(NULL);

	assert_num(r.nfiles, LIMIT_GIT_OBJECTS);
	repo_release(&r);
	shell(dir, "printf \"100644 blob $(printf '' | blob)\\tz\\n\" >>list;"
		   "head $(git mktree <list)");
	assert_refused(E_LIMIT, "more than 50000 files and folders");
}

/* Each level holds the one below ten times: 10^9 files in ten objects. */
static void a_tree_of_itself_ends_at_the_limit(void **state)
{
	(void)state;
	shell(dir, "t=$(printf \"100644 blob $(echo | blob)\\tf\\n\" | git "
		   "mktree); for i in 1 2 3 4 5 6 7 8 9; do t=$(for j in 0 1 2 "
		   "3 4 5 6 7 8 9; do printf \"040000 tree $t\\t$j\\n\"; done "
		   "| git mktree); done; head $t");
	assert_refused(E_LIMIT, "more than 50000 files and folders");
}

/* A loose object that claims a size; `type` commit or tag is HEAD's. */
#define CLAIM                                                                  \
	"claim() { python3 -c 'import sys, zlib; sys.stdout.buffer.write("     \
	"zlib.compress(b\"%s %s\\0x\" % (sys.argv[1].encode(), "               \
	"sys.argv[2].encode())))' $1 $2; }; id=$(printf %040d 7);"             \
	"mkdir -p .git/objects/00; f=.git/objects/00/$(printf %038d 7);"

static void an_object_that_would_fill_memory_is_refused(void **state)
{
	struct repo r = {0};
	struct repo_options o = {.rev = "bomb"};

	(void)state;
	shell(dir, TWO_FILES CLAIM "claim commit 9000000000 >$f;"
				   "echo $id >.git/refs/heads/bomb");
	assert_fails(repo_read(&r, dir, &o, &err), &err, E_LIMIT,
		"more than 268435456 bytes at once");
	shell(dir, CLAIM "claim tag 9000000000 >$f");
	assert_fails(repo_read(&r, dir, &o, &err), &err, E_LIMIT,
		"more than 268435456 bytes at once");
	shell(dir, CLAIM "claim tree 9000000000 >$f; head $id");
	assert_refused(E_LIMIT, "a tree of 9000000000 bytes");
	shell(dir, CLAIM "claim blob 9000000000 >$f; head $(printf "
			 "\"100644 blob $id\\tz\\n\" | git mktree --missing)");
	assert_refused(E_LIMIT, "z: 9000000000 bytes, limit 16777216");
}

static void a_repository_of_somebody_else_is_denied(void **state)
{
	(void)state;
	if (getuid() != 0)
		skip();
	shell(dir, TWO_FILES "chown -R 12345 .");
	assert_refused(E_DENIED, "belongs to another user");
}

static void the_same_path_rule_is_for_any_path(void **state)
{
	static const struct {
		const char *path;
		enum status st;
	} rows[] = {
		{"a", OK},
		{"a/b c/.d", OK},
		{"\346\227\245\346\234\254.rego", OK},
		{"", E_INVALID},
		{"/a", E_INVALID},
		{"a/", E_INVALID},
		{"a//b", E_INVALID},
		{"./a", E_INVALID},
		{"a/../b", E_INVALID},
		{"a/.Git/b", E_INVALID},
		{"a/.gitignore", OK},
		{"a /b", E_INVALID},
		{"a./b", E_INVALID},
		{"a\tb", E_INVALID},
		{"a\xc2\x9b", E_INVALID},
		{"\xef\xbf\xbd", OK},
		{"\xed\xa0\x80", E_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (repo_path_check(str_from(rows[i].path), &err) != rows[i].st)
			fail_msg("\"%s\" is not %d", rows[i].path,
				(int)rows[i].st);
	assert_num(repo_path_check((struct str)STR("a\0b"), &err), E_INVALID);
}

static void folding_twice_is_folding_once(void **state)
{
	struct buf once = {0}, twice = {0};
	char text[4];

	(void)state;
	for (uint32_t cp = 0; cp < 0x110000; cp++) {
		buf_reset(&once);
		buf_reset(&twice);
		repo_path_fold(&once, str_make(text, utf8_encode(cp, text)));
		repo_path_fold(&twice, buf_str(&once));
		if (!str_eq(buf_str(&once), buf_str(&twice)))
			fail_msg("U+%04x", (unsigned)cp);
	}
	buf_release(&once);
	buf_release(&twice);
}

static void a_shown_path_is_short_and_harmless(void **state)
{
	char path[1000];
	struct repo_path_text text;

	(void)state;
	memset(path, '\033', sizeof(path));
	text = repo_path_text(str_make(path, sizeof(path)));
	assert_true(strlen(text.s) < sizeof(text.s));
	assert_null(strchr(text.s, '\033'));
	assert_non_null(strstr(text.s, "..."));
}

/* --- what is wanted ------------------------------------------------------- */

static void only_what_is_wanted_is_read_and_judged(void **state)
{
	static const char *const paths[] = {"policies/k8s", "CODEOWNERS"};

	(void)state;
	shell(dir, TWO_FILES "ln -s b link; mkdir policies/x policies/k8s2;"
			     "ln -s b policies/x/l; echo 1 >policies/k8s2/f;"
			     "echo '* a' >CODEOWNERS; echo 1 >A; echo 1 >a;"
			     "git add .; git commit -qm y");
	struct repo r = read_paths(paths, 2, false);

	assert_num(r.nfiles, 2);
	assert_str(r.files[0].path, "CODEOWNERS");
	assert_str(r.files[1].path, "policies/k8s/a.rego");
	repo_release(&r);
	r = read_paths(paths, 2, true);
	assert_num(r.nfiles, 2);
	repo_release(&r);
}

static void a_link_on_the_way_to_what_is_wanted_is_refused(void **state)
{
	static const char *const paths[] = {"policies/k8s"};
	struct repo r = {0};
	struct repo_options o = {.paths = paths, .npaths = 1};

	(void)state;
	shell(dir, "mkdir real; ln -s real policies; echo 1 >real/k8s;"
		   "git add .; git commit -qm x");
	assert_fails(repo_read(&r, dir, &o, &err), &err, E_INVALID,
		"policies: a symbolic link");
	o.worktree = true;
	assert_fails(repo_read(&r, dir, &o, &err), &err, E_INVALID,
		"policies: a symbolic link");
}

static void a_name_beside_what_is_wanted_may_not_hide_it(void **state)
{
	static const char *const paths[] = {"policies"};
	struct repo r = {0};
	struct repo_options o = {.paths = paths, .npaths = 1};

	(void)state;
	shell(dir, TWO_FILES "mkdir Policies; echo 1 >Policies/x; git add .;"
			     "git commit -qm y");
	assert_fails(
		repo_read(&r, dir, &o, &err), &err, E_INVALID, "but for case");
}

static void the_config_says_what_is_read(void **state)
{
	struct repo r = {0};
	struct config c = {0};

	(void)state;
	shell(dir, TWO_FILES
		"mkdir .github enforcement other waivers;"
		"printf 'bundle: p\\ninclude: [policies]\\n' >regatta.yaml;"
		"for f in .github/CODEOWNERS .github/ci.yml enforcement/e.yaml "
		"other/f waivers/w.yaml; do echo 1 >$f; done; git add .;"
		"git commit -qm y");
	assert_ok(config_read_repo(&c, &r, dir, NULL, &err), &err);
	assert_string_equal(c.bundle, "p");
	assert_num(r.nfiles, 4);
	assert_content(&r, ".github/CODEOWNERS", "1\n");
	assert_content(&r, "enforcement/e.yaml", "1\n");
	assert_content(&r, "policies/k8s/a.rego", "1\n");
	assert_non_null(repo_find(&r, S("regatta.yaml")));
	repo_release(&r);
	config_release(&c);
}

static void a_repo_without_config_is_told_how_to_get_one(void **state)
{
	struct repo r = {0};
	struct config c = {0};

	(void)state;
	shell(dir, TWO_FILES);
	assert_fails(config_read_repo(&c, &r, dir, NULL, &err), &err,
		E_NOT_FOUND, "`regatta init` makes one");
	shell(dir, "echo 'bundel: x' >regatta.yaml; git add .;"
		   "git commit -qm y");
	assert_fails(config_read_repo(&c, &r, dir, NULL, &err), &err, E_INVALID,
		"regatta.yaml:1:1: unknown key \"bundel\"");
}

/* --- work trees ----------------------------------------------------------- */

static void a_work_tree_is_read_as_it_lies_there(void **state)
{
	struct repo r = {0};
	struct repo_options o = {.worktree = true};

	(void)state;
	shell(dir,
		TWO_FILES "echo changed >b; echo new >c; echo c >.gitignore");
	assert_ok(repo_read(&r, dir, &o, &err), &err);
	assert_true(r.worktree);
	assert_string_equal(r.commit, "");
	assert_num(r.nfiles, 4);
	assert_content(&r, "b", "changed\n");
	assert_content(&r, "c", "new\n");
	assert_content(&r, ".gitignore", "c\n");
	assert_content(&r, "policies/k8s/a.rego", "1\n");
	repo_release(&r);
}

static void a_plain_folder_is_a_work_tree_too(void **state)
{
	struct repo r = {0};
	struct repo_options o = {.worktree = true};

	(void)state;
	shell(dir, "rm -rf .git; echo 1 >f");
	assert_ok(repo_read(&r, dir, &o, &err), &err);
	assert_num(r.nfiles, 1);
	repo_release(&r);
}

static void a_work_tree_has_the_same_rules(void **state)
{
	static const struct {
		const char *script;
		enum status code;
		const char *part;
	} rows[] = {
		{"ln -s /etc/passwd z", E_INVALID, "z: a symbolic link"},
		{"mkfifo z", E_INVALID, "z: neither a plain file"},
		{"mkdir sub; cd sub; git init -q .", E_INVALID,
			"sub: a submodule"},
		{"mkdir sub; echo gitdir: x >sub/.git", E_INVALID,
			"sub: a submodule"},
		{"echo 1 >a:b", E_INVALID, "\\ or :"},
		{"echo 1 >a; echo 1 >A", E_INVALID, "but for case"},
		{"printf 'version https://git-lfs.github.com/spec/v1\\n' >z",
			E_INVALID, "Git LFS"},
		{"dd if=/dev/zero bs=1 count=0 seek=16777217 of=z 2>/dev/null",
			E_LIMIT, "z: 16777217 bytes"},
		{"mkdir -p $(printf 'd/%.0s' $(seq 1 33))", E_LIMIT,
			"32 steps deep"},
	};
	struct repo_options o = {.worktree = true};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct repo r = {0};

		shell(dir, "rm -rf ./*");
		shell(dir, rows[i].script);
		assert_fails(repo_read(&r, dir, &o, &err), &err, rows[i].code,
			rows[i].part);
	}
}

static void a_work_tree_that_is_not_there_is_not_found(void **state)
{
	struct repo r = {0};
	struct repo_options o = {.worktree = true};
	char gone[80];

	(void)state;
	snprintf(gone, sizeof(gone), "%s/gone", dir);
	assert_fails(repo_read(&r, gone, &o, &err), &err, E_NOT_FOUND, "gone");
	o.worktree = false;
	assert_fails(repo_read(&r, gone, &o, &err), &err, E_NOT_FOUND, "gone");
}

static void a_work_tree_that_cannot_be_read_says_why(void **state)
{
	static const enum fs_op ops[] = {
		FS_OPEN, FS_STAT, FS_READ, FS_CLOSE, FS_LIST};

	(void)state;
	shell(dir, TWO_FILES);
	for (size_t i = 0; i < COUNT(ops); i++) {
		struct fs_fault count, fault;
		struct repo r = {0};
		struct repo_options o = {.worktree = true, .fs = &count.fs};

		fs_fault_init(&count, ops[i], 0, 0);
		assert_ok(repo_read(&r, dir, &o, &err), &err);
		repo_release(&r);
		for (unsigned n = 1; n <= count.calls[ops[i]]; n++) {
			fs_fault_init(&fault, ops[i], n, EIO);
			o.fs = &fault.fs;
			assert_fails(
				repo_read(&r, dir, &o, &err), &err, E_IO, dir);
		}
	}
}

/* --- history -------------------------------------------------------------- */

static void a_commit_knows_which_of_its_day_it_is(void **state)
{
	(void)state;
	shell(dir, "commit 2026-06-19T23:59:59Z;"
		   "commit 2026-06-20T00:00:00Z;"
		   "commit 2026-06-20T01:00:00+02:00;"
		   "commit 2026-06-20T23:59:59Z");
	struct repo r = read_rev("HEAD~3");

	assert_num(r.of_day, 1);
	repo_release(&r);
	r = read_rev("HEAD~2");
	assert_num(r.of_day, 1);
	repo_release(&r);
	/* 01:00 in +02:00 is the evening before. */
	r = read_rev("HEAD~1");
	assert_num(r.of_day, 2);
	repo_release(&r);
	r = read_rev("HEAD");
	assert_num(r.of_day, 2);
	repo_release(&r);
}

static void commits_of_merged_branches_do_not_count(void **state)
{
	(void)state;
	shell(dir, "commit 2026-06-20T01:00:00Z; git checkout -q -b side;"
		   "commit 2026-06-20T02:00:00Z;"
		   "commit 2026-06-20T03:00:00Z; git checkout -q main;"
		   " at 2026-06-20T04:00:00Z;git merge -q --no-ff -m m side");
	struct repo r = read_rev(NULL);

	assert_num(r.of_day, 2);
	repo_release(&r);
}

static void a_clock_that_was_off_makes_no_two_the_same(void **state)
{
	(void)state;
	shell(dir, "commit 2026-06-20T01:00:00Z;"
		   "commit 2026-06-19T01:00:00Z;"
		   "commit 2026-06-21T01:00:00Z;"
		   "commit 2026-06-20T02:00:00Z");
	struct repo r = read_rev(NULL);

	assert_num(r.of_day, 2);
	repo_release(&r);
}

static void clone(const char *depth, char out[80])
{
	char script[256];

	snprintf(out, 80, "%s/clone", dir);
	snprintf(script, sizeof(script),
		"rm -rf clone; git clone -q --depth %s \"file://$PWD\" clone",
		depth);
	shell(dir, script);
}

static void a_shallow_clone_is_read_and_may_not_know_the_count(void **state)
{
	struct repo r = {0};
	struct config c = {.scheme = SCHEME_CALVER};
	struct arena a = {0};
	const char *revision = NULL;
	char path[80];

	(void)state;
	shell(dir, "at 2026-06-19T01:00:00Z;" TWO_FILES
		   "commit 2026-06-20T01:00:00Z;"
		   "commit 2026-06-20T02:00:00Z");
	clone("1", path);
	assert_ok(repo_read(&r, path, NULL, &err), &err);
	assert_num(r.nfiles, 2);
	assert_num(r.of_day, 0);
	assert_fails(revision_of(&r, &c, &a, &revision, &err), &err, E_INVALID,
		"is cut off too near to 2026-06-20, so which commit of that");
	repo_release(&r);
	clone("3", path);
	assert_ok(repo_read(&r, path, NULL, &err), &err);
	assert_num(r.of_day, 2);
	repo_release(&r);
	arena_release(&a);
}

static struct repo_ancestry ancestry_of(
	const char *where, const char *rev, struct arena *a)
{
	struct repo_ancestry x;

	assert_ok(repo_ancestry(where, rev, a, &x, &err), &err);
	return x;
}

/* The commit that a rev names, as the list has it. */
static bool lists(const struct repo_ancestry *x, const char *rev)
{
	char script[128];

	snprintf(script, sizeof(script), "git rev-parse %s | cut -c-12", rev);
	return strstr(x->commits, shell(dir, script)) != NULL;
}

static void what_a_commit_follows_is_listed_by_all_lines(void **state)
{
	struct arena a = {0};
	struct repo_ancestry x;

	(void)state;
	shell(dir, "commit 2026-06-20T01:00:00Z; git tag first;"
		   "git checkout -q -b side; commit 2026-06-20T02:00:00Z;"
		   "git tag on-side; git checkout -q main;"
		   "commit 2026-06-20T03:00:00Z; git tag on-main;"
		   "at 2026-06-20T04:00:00Z;git merge -q --no-ff -m m side;"
		   "git checkout -q -b other first;"
		   "commit 2026-06-20T05:00:00Z; git tag elsewhere");
	x = ancestry_of(dir, "main", &a);
	assert_num(x.count, 3);
	assert_num(strlen(x.commits), 3 * 13 - 1);
	assert_true(lists(&x, "first") && lists(&x, "on-side") &&
		    lists(&x, "on-main"));
	assert_false(lists(&x, "main") || lists(&x, "elsewhere"));
	assert_true(x.since == 1);
	x = ancestry_of(dir, "first", &a);
	assert_num(x.count, 1);
	assert_string_equal(x.commits, "");
	assert_true(x.since == 1);
	arena_release(&a);
}

static void a_long_history_is_listed_back_to_a_time(void **state)
{
	struct arena a = {0};
	struct repo_ancestry x;

	(void)state;
	shell(dir, "for i in $(seq 300); do printf 'commit refs/heads/main\n"
		   "committer a <a@b> %d +0000\ndata 1\nx\n' $((1000 + i));"
		   "done | git fast-import --quiet");
	x = ancestry_of(dir, "main", &a);
	assert_num(x.count, 300);
	assert_num(strlen(x.commits), REPO_ANCESTORS * 13 - 1);
	assert_true(lists(&x, "main~1") && lists(&x, "main~250"));
	assert_false(lists(&x, "main~251"));
	assert_true(x.since == 1300 - 251);
	arena_release(&a);
}

static void a_shallow_clone_knows_less_of_what_a_commit_follows(void **state)
{
	struct arena a = {0};
	struct repo_ancestry x;
	char path[80];

	(void)state;
	shell(dir, "at 1970-01-01T00:16:40Z;" TWO_FILES
		   "commit 1970-01-01T00:20:00Z;"
		   "commit 1970-01-01T00:30:00Z");
	clone("1", path);
	x = ancestry_of(path, "HEAD", &a);
	assert_num(x.count, 0);
	assert_true(lists(&x, "HEAD~1")); /* a commit names its parents */
	assert_true(x.since == 1800);
	clone("2", path);
	x = ancestry_of(path, "HEAD", &a);
	assert_true(lists(&x, "HEAD~1") && lists(&x, "HEAD~2"));
	assert_true(x.since == 1200);
	clone("3", path);
	x = ancestry_of(path, "HEAD", &a);
	assert_num(x.count, 3);
	assert_true(x.since == 1);
	assert_fails(repo_ancestry(path, "nowhere", &a, &x, &err), &err,
		E_NOT_FOUND, "names no commit");
	arena_release(&a);
}

static void tags_that_point_at_the_commit_are_listed(void **state)
{
	(void)state;
	shell(dir, TWO_FILES
		"git tag v2; git tag -m x v1; git tag -m y rel/v3 v1 "
		"2>/dev/null;"
		"git tag blob HEAD:b; git pack-refs --all; git tag v0;"
		"echo 3 >b; git commit -qam y; git tag later");
	struct repo r = read_rev("v1");

	assert_num(r.ntags, 4);
	assert_string_equal(r.tags[0].name, "rel/v3");
	assert_string_equal(r.tags[1].name, "v0");
	assert_string_equal(r.tags[2].name, "v1");
	assert_string_equal(r.tags[3].name, "v2");
	repo_release(&r);
}

static void the_merge_base_of_two_branches_is_found(void **state)
{
	char base[65], want[65], path[80];

	(void)state;
	snprintf(want, sizeof(want), "%s",
		shell(dir, TWO_FILES
			"commit 2026-06-20T01:00:00Z; git branch side;"
			" git rev-parse HEAD"));
	shell(dir, "commit 2026-06-20T02:00:00Z; git checkout -q side;"
		   "commit 2026-06-20T03:00:00Z");
	assert_ok(repo_merge_base(dir, "main", "side", base, &err), &err);
	assert_string_equal(base, want);
	shell(dir, "git checkout -q --orphan alone;"
		   "commit 2026-06-20T03:00:00Z");
	assert_fails(repo_merge_base(dir, "main", "alone", base, &err), &err,
		E_NOT_FOUND, "no commit in common");
	assert_fails(repo_merge_base(dir, "main", "nothing", base, &err), &err,
		E_NOT_FOUND, "comparing main with nothing: ");
	assert_string_equal(base, want);
	/* Depth 2 has the place where they part, but not what is before. */
	clone("2 --no-single-branch", path);
	assert_ok(
		repo_merge_base(path, "origin/main", "origin/side", base, &err),
		&err);
	assert_string_equal(base, want);
	clone("1 --no-single-branch", path);
	assert_fails(
		repo_merge_base(path, "origin/main", "origin/side", base, &err),
		&err, E_NOT_FOUND, "too shallow");
}

/* Merges both ways, then again: git's own answer is the measure. */
static void the_merge_base_of_a_shallow_clone_is_gits(void **state)
{
	static const char *const pairs[][2] = {{"origin/main", "origin/side"},
		{"origin/main", "origin/main"}, {"origin/side", "origin/old"},
		{"origin/main", "origin/old"}};
	char path[80], base[65], script[128];

	(void)state;
	shell(dir, TWO_FILES "for i in 1 2 3 4 5; do"
			     " commit 2026-06-19T0$i:00:00Z; done");
	shell(dir, "commit 2026-06-20T01:00:00Z; git branch old;"

		   "commit 2026-06-20T02:00:00Z;"
		   "git checkout -q -b side HEAD~1;"
		   "commit 2026-06-20T03:00:00Z;"
		   "commit 2026-06-20T04:00:00Z; git checkout -q main;"
		   " at 2026-06-20T05:00:00Z;git merge -q -m m side~1;"
		   "commit 2026-06-20T06:00:00Z; git checkout -q side;"
		   "commit 2026-06-20T07:00:00Z");
	clone("4 --no-single-branch", path);
	assert_string_equal(
		shell(path, "git rev-parse --is-shallow-repository"), "true");
	for (size_t i = 0; i < COUNT(pairs); i++) {
		assert_ok(repo_merge_base(
				  path, pairs[i][0], pairs[i][1], base, &err),
			&err);
		snprintf(script, sizeof(script), "git merge-base %s %s",
			pairs[i][0], pairs[i][1]);
		assert_string_equal(base, shell(path, script));
	}
}

/* --- revisions ------------------------------------------------------------ */

static enum status revise(
	const struct repo *r, enum version_scheme scheme, char out[80])
{
	struct config c = {.scheme = scheme};
	struct arena a = {0};
	const char *text = "";
	enum status st = revision_of(r, &c, &a, &text, &err);

	snprintf(out, 80, "%s", text);
	arena_release(&a);
	return st;
}

static void a_calendar_version_is_day_and_count(void **state)
{
	struct repo r = {.time = 1781956800, .of_day = 3};
	char text[80];

	(void)state;
	assert_ok(revise(&r, SCHEME_CALVER, text), &err);
	assert_string_equal(text, "v2026.06.20-3");
	setenv("TZ", "Pacific/Kiritimati", 1);
	assert_ok(revise(&r, SCHEME_CALVER, text), &err);
	unsetenv("TZ");
	assert_string_equal(text, "v2026.06.20-3");
	r.time = -1;
	assert_fails(revise(&r, SCHEME_CALVER, text), &err, E_INVALID,
		"outside 1970 to 9999");
	r.time = INT64_C(253402300799);
	assert_ok(revise(&r, SCHEME_CALVER, text), &err);
	assert_string_equal(text, "v9999.12.31-3");
	r.time++;
	assert_fails(revise(&r, SCHEME_CALVER, text), &err, E_INVALID,
		"outside 1970 to 9999");
}

static void a_tagged_version_is_the_one_tag(void **state)
{
	struct repo_tag tags[] = {{.name = "v1.2.3"}, {.name = "v1.2.4"}};
	struct repo r = {.commit = "0123456789abcdef", .tags = tags};
	char text[80];

	(void)state;
	assert_fails(revise(&r, SCHEME_TAG, text), &err, E_INVALID,
		"commit 0123456789ab has no tag");
	r.ntags = 2;
	assert_fails(revise(&r, SCHEME_TAG, text), &err, E_INVALID,
		"has 2 tags (v1.2.3, v1.2.4)");
	r.ntags = 1;
	assert_ok(revise(&r, SCHEME_TAG, text), &err);
	assert_string_equal(text, "v1.2.3");
	tags[0].name = "rel/v1";
	assert_fails(revise(&r, SCHEME_TAG, text), &err, E_INVALID,
		"tag \"rel/v1\" can't be a version");
}

static void a_work_tree_has_no_version(void **state)
{
	struct repo r = {.worktree = true};
	char text[80];

	(void)state;
	assert_fails(revise(&r, SCHEME_CALVER, text), &err, E_INVALID,
		"a work tree has no version");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fresh, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_commit_is_read_with_its_names),
		TEST(files_come_sorted_by_path_not_by_folder),
		TEST(the_work_tree_does_not_count),
		TEST(filters_and_line_endings_are_not_applied),
		TEST(packed_and_loose_objects_read_the_same),
		TEST(a_bare_repository_is_read),
		TEST(the_git_folder_itself_is_read),
		TEST(a_linked_work_tree_is_read),
		TEST(a_folder_below_the_repository_is_none),
		TEST(settings_in_the_environment_do_not_count),
		TEST(nothing_of_a_repository_is_run),
		TEST(settings_of_the_user_do_not_count),
		TEST(a_damaged_object_is_refused),
		TEST(a_missing_object_is_refused_with_the_way_out),
		TEST(a_partial_clone_reads_what_it_has),
		TEST(a_rev_is_a_branch_a_tag_or_an_id),
		TEST(a_rev_that_is_not_there_is_not_found),
		TEST(a_rev_that_is_no_commit_is_refused),
		TEST(a_name_of_branch_and_tag_is_refused),
		TEST(a_branch_named_like_an_id_is_not_that_commit),
		TEST(a_repository_without_commits_says_so),
		TEST(a_ref_that_moves_midway_gives_the_same_bytes),
		TEST(a_ref_that_moves_all_the_time_gives_one_commit),
		TEST(replacements_do_not_count),
		TEST(what_could_mean_two_things_is_refused),
		TEST(folders_are_read_to_the_limit_of_depth),
		TEST(names_are_read_to_the_limit_of_length),
		TEST(paths_are_read_to_the_limit_of_length),
		TEST(a_file_is_read_to_its_limit),
		TEST(files_are_read_to_the_limit_of_all),
		TEST(entries_are_read_to_their_limit),
		TEST(a_tree_of_itself_ends_at_the_limit),
		TEST(an_object_that_would_fill_memory_is_refused),
		TEST(a_repository_of_somebody_else_is_denied),
		TEST(only_what_is_wanted_is_read_and_judged),
		TEST(a_link_on_the_way_to_what_is_wanted_is_refused),
		TEST(a_name_beside_what_is_wanted_may_not_hide_it),
		TEST(the_config_says_what_is_read),
		TEST(a_repo_without_config_is_told_how_to_get_one),
		TEST(a_work_tree_is_read_as_it_lies_there),
		TEST(a_plain_folder_is_a_work_tree_too),
		TEST(a_work_tree_has_the_same_rules),
		TEST(a_work_tree_that_is_not_there_is_not_found),
		TEST(a_work_tree_that_cannot_be_read_says_why),
		TEST(a_commit_knows_which_of_its_day_it_is),
		TEST(commits_of_merged_branches_do_not_count),
		TEST(a_clock_that_was_off_makes_no_two_the_same),
		TEST(a_shallow_clone_is_read_and_may_not_know_the_count),
		TEST(what_a_commit_follows_is_listed_by_all_lines),
		TEST(a_long_history_is_listed_back_to_a_time),
		TEST(a_shallow_clone_knows_less_of_what_a_commit_follows),
		TEST(tags_that_point_at_the_commit_are_listed),
		TEST(the_merge_base_of_two_branches_is_found),
		TEST(the_merge_base_of_a_shallow_clone_is_gits),
		cmocka_unit_test(the_same_path_rule_is_for_any_path),
		cmocka_unit_test(folding_twice_is_folding_once),
		cmocka_unit_test(a_shown_path_is_short_and_harmless),
		cmocka_unit_test(a_calendar_version_is_day_and_count),
		cmocka_unit_test(a_tagged_version_is_the_one_tag),
		cmocka_unit_test(a_work_tree_has_no_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
