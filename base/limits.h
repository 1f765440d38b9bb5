/*
 * limits: every bound on input from outside, in one place.
 *
 * Sizes are in bytes unless the name says otherwise. A limit N means that N
 * passes and N + 1 is refused with E_LIMIT and a message that names it.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

/* JSON documents (policy data may be large; what strangers send may not). */
#define LIMIT_JSON_DEPTH 128u
#define LIMIT_JSON_KEYS 100000u  /* keys of one object, from strangers */
#define LIMIT_JSON_STRING MIB(1) /* one string, from strangers */
#define LIMIT_DATA_DEPTH 10000u  /* base documents given by the user */
#define LIMIT_DATA_FILE ((size_t)1 << 30)

/* YAML */
#define LIMIT_YAML_BYTES MIB(16)
#define LIMIT_YAML_DEPTH 64u
#define LIMIT_YAML_EVENTS 1000000u

/* Rego source */
#define LIMIT_REGO_FILE MIB(64)
#define LIMIT_REGO_DEPTH 2000u /* nesting of terms */
#define LIMIT_REGEX_PATTERN MIB(1)
#define LIMIT_SCHEMA_FILE MIB(16) /* a JSON schema for the type checker */
#define LIMIT_CAPABILITIES MIB(4) /* a file that says what an OPA can do */

/* Evaluation */
#define LIMIT_CALL_DEPTH 10000u /* rules and functions on the stack */
#define LIMIT_STRING MIB(256)   /* one string made by a builtin */
#define LIMIT_RANGE 100000000u  /* members made by one builtin call */
#define LIMIT_EVAL_MEMORY ((size_t)4 << 30)
#define LIMIT_TEMPLATE MIB(16)        /* of strings.render_template */
#define LIMIT_TEMPLATE_DEPTH 1000u    /* actions and brackets, nested */
#define LIMIT_CERTIFICATES 1000u      /* that one builtin call reads */
#define LIMIT_CERTIFICATE_ITEMS 2000u /* names, policies, ... of one */

/* regatta.yaml */
#define LIMIT_CONFIG_BYTES MIB(1)
#define LIMIT_CONFIG_ITEMS 1000u   /* of one list */
#define LIMIT_CONFIG_DIMENSIONS 8u /* of one kind of decision */

/* Bundles and repositories */
#define LIMIT_BUNDLE_COMPRESSED MIB(64)
#define LIMIT_BUNDLE_INFLATED MIB(256)
#define LIMIT_BUNDLE_RATIO 200u /* inflated to compressed, from here on: */
#define LIMIT_BUNDLE_RATIO_FROM MIB(16)
#define LIMIT_BUNDLE_FILES 20000u
#define LIMIT_BUNDLE_FILE MIB(64)
#define LIMIT_BUNDLE_MODULE MIB(4)
#define LIMIT_PATH_BYTES 1024u
#define LIMIT_PATH_DEPTH 32u
#define LIMIT_PATH_COMPONENT 255u
#define LIMIT_GIT_OBJECTS 50000u /* looked at while reading one commit */
#define LIMIT_GIT_BLOB MIB(16)
#define LIMIT_GIT_BLOBS MIB(256) /* all files of one commit */
#define LIMIT_GIT_OBJECT MIB(1)  /* a commit or a tag itself */
#define LIMIT_GIT_BLOCK MIB(256) /* memory libgit2 gets at once */

/* Uploads of decision logs. */
#define LIMIT_BATCH_COMPRESSED MIB(16)
#define LIMIT_BATCH_INFLATED MIB(64)
#define LIMIT_BATCH_EVENTS 100000u
#define LIMIT_EVENT MIB(8)
/* Less than of a document, so that documents can hold events. */
#define LIMIT_EVENT_DEPTH (LIMIT_JSON_DEPTH - 8)
#define LIMIT_SOURCE 1024u /* name of a target or of a cohort */

/* HTTP, as a client */
#define LIMIT_HTTP_BODY MIB(64)
#define LIMIT_HTTP_HEADERS KIB(64) /* of one response, all lines */

/* HTTP, as a server: what server/server.h starts with */
#define LIMIT_SERVER_HEADERS 64u /* lines of one request */
#define LIMIT_SERVER_HEADER_BYTES KIB(16)
#define LIMIT_SERVER_LOG MIB(16) /* one upload, as sent */
#define LIMIT_SERVER_STATUS MIB(4)
#define LIMIT_SERVER_BODIES MIB(64) /* all uploads in memory */
#define LIMIT_TOKENS 100000u
#define LIMIT_TOKENS_FILE MIB(64)

/* Verdicts */
#define LIMIT_STRATA 10000u          /* that stand alone */
#define LIMIT_WINDOWS_OPEN 64u       /* that can still take decisions */
#define LIMIT_WINDOW_ENTRIES 1000000 /* inputs told apart in all of them */
#define LIMIT_JUDGE_CELLS 100000u    /* of a metric, for its interval */
#define LIMIT_JUDGE_HISTORY MIB(64)  /* counts by target, packed */

#endif
