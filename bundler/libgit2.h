/*
 * libgit2: the functions that the bundler uses.
 *
 * Opened when the first repository is (base/lib.h). Set up once for reading
 * what strangers wrote: no config of the system or the user, repositories of
 * other owners refused, every object checked against its id, and no block of
 * memory beyond LIMIT_GIT_BLOCK.
 */
#ifndef BUNDLER_LIBGIT2_H
#define BUNDLER_LIBGIT2_H

#include "base/lib.h"

#include <git2.h>

#define GIT_FNS(X)                                                             \
	X(git_commit_committer)                                                \
	X(git_commit_free)                                                     \
	X(git_commit_id)                                                       \
	X(git_commit_lookup)                                                   \
	X(git_commit_parent_id)                                                \
	X(git_commit_parentcount)                                              \
	X(git_commit_tree_id)                                                  \
	X(git_error_last)                                                      \
	X(git_error_set_oom)                                                   \
	X(git_libgit2_init)                                                    \
	X(git_libgit2_opts)                                                    \
	X(git_merge_base)                                                      \
	X(git_object_free)                                                     \
	X(git_object_lookup)                                                   \
	X(git_object_peel)                                                     \
	X(git_odb_free)                                                        \
	X(git_odb_object_data)                                                 \
	X(git_odb_object_free)                                                 \
	X(git_odb_object_size)                                                 \
	X(git_odb_object_type)                                                 \
	X(git_odb_read)                                                        \
	X(git_odb_read_header)                                                 \
	X(git_oid_equal)                                                       \
	X(git_oid_fromstr)                                                     \
	X(git_oid_tostr)                                                       \
	X(git_reference_dwim)                                                  \
	X(git_reference_free)                                                  \
	X(git_reference_iterator_free)                                         \
	X(git_reference_iterator_glob_new)                                     \
	X(git_reference_lookup)                                                \
	X(git_reference_name)                                                  \
	X(git_reference_next)                                                  \
	X(git_reference_peel)                                                  \
	X(git_reference_target)                                                \
	X(git_reference_target_peel)                                           \
	X(git_repository_commondir)                                            \
	X(git_repository_free)                                                 \
	X(git_repository_head_unborn)                                          \
	X(git_repository_is_shallow)                                           \
	X(git_repository_odb)                                                  \
	X(git_repository_open_ext)                                             \
	X(git_revparse_single)                                                 \
	X(git_tree_entry_byindex)                                              \
	X(git_tree_entry_filemode_raw)                                         \
	X(git_tree_entry_id)                                                   \
	X(git_tree_entry_name)                                                 \
	X(git_tree_entrycount)                                                 \
	X(git_tree_free)                                                       \
	X(git_tree_lookup)

/* One global, written once by git_open(); read-only from then on. */
/* clang-format off */
extern struct libgit2 { GIT_FNS(LIB_SLOT) } git;
/* clang-format on */

/* To be called before anything in `git` is. Any thread, any number of times. */
enum status git_open(struct err *e) MUST_CHECK;

/* Report that libgit2 answered `rc`: the formatted text, and its reason. */
enum status git_fail(struct err *e, int rc, const char *fmt, ...) PRINTF(3, 4);

#endif
