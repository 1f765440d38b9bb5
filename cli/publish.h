/*
 * publish: where a version goes.
 *
 * To a server when one is named (cli/remote.h); else into a state folder, where
 * its channel hears of it; else into a plain store, from where somebody else
 * serves it. A store dir:X/bundles is that of the state folder X.
 */
#ifndef CLI_PUBLISH_H
#define CLI_PUBLISH_H

#include "bundler/bundler.h"
#include "cli/remote.h"

struct publish_params {
	struct remote_params remote;
	const char *store; /* --store; NULL: not given */
	const char *repo;  /* with the history of its commit; NULL: none */
};

#define PUBLISH_OPTIONS(type, member)                                          \
	{0, "server", OPT_STRING, offsetof(type, member.remote.server), "url", \
		NULL,                                                          \
		"the server to publish to (or REGATTA_SERVER; its token: "     \
		"REGATTA_TOKEN)"},                                             \
		{0, "state", OPT_STRING, offsetof(type, member.remote.state),  \
			"dir", NULL,                                           \
			"or the state folder, on its host (or "                \
			"REGATTA_STATE)"},                                     \
	{                                                                      \
		0, "store", OPT_STRING, offsetof(type, member.store), "url",   \
			NULL, "or a store that is served by others: dir:PATH"  \
	}

/* Places that exclude each other, as a usage error; NULL: none. */
const char *publish_params_wrong(const struct publish_params *p);

struct published {
	bool fresh; /* it was not there */
};

/*
 * `config_store` and `dir` are of the policy repo: the store that regatta.yaml
 * names, as seen from there; NULL: dir:./var/bundles. Returns an exit code,
 * with everything said when it is not 0.
 */
int publish_bundle(const struct publish_params *p, const char *config_store,
	const char *dir, const char *name, const struct bundle *b,
	struct str archive, struct published *out);

#endif
