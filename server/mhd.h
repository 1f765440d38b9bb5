/*
 * mhd: the functions of libmicrohttpd that the server uses.
 *
 * With GnuTLS and all that pulls in it takes milliseconds to load, so it is
 * opened by the first server (base/lib.h). Two facts of 0.9.75 shape what is
 * built on it: a suspended connection has no timeout and a hang-up is not
 * noticed, and all must be resumed before the daemon is stopped.
 */
#ifndef SERVER_MHD_H
#define SERVER_MHD_H

#include "base/lib.h"

#include <microhttpd.h>

#define MHD_FNS(X)                                                             \
	X(MHD_add_response_header)                                             \
	X(MHD_create_response_from_buffer)                                     \
	X(MHD_create_response_from_buffer_with_free_callback)                  \
	X(MHD_create_response_from_callback)                                   \
	X(MHD_destroy_response)                                                \
	X(MHD_get_connection_info)                                             \
	X(MHD_get_connection_values_n)                                         \
	X(MHD_lookup_connection_value_n)                                       \
	X(MHD_queue_response)                                                  \
	X(MHD_quiesce_daemon)                                                  \
	X(MHD_resume_connection)                                               \
	X(MHD_start_daemon)                                                    \
	X(MHD_stop_daemon)                                                     \
	X(MHD_suspend_connection)

/* One global, written once by mhd_open(); read-only from then on. */
/* clang-format off */
extern struct mhd_library { MHD_FNS(LIB_SLOT) } mhd;
/* clang-format on */

/* To be called before anything in `mhd` is. Any thread, any number of times. */
enum status mhd_open(struct err *e) MUST_CHECK;

#endif
