#include "server/internal.h"

#include <string.h>

/* clang-format off */
static const struct {
	unsigned role;
	const char *name;
} roles_by_name[] = {
	{SERVER_AGENT,   "agent"},
	{SERVER_CI,      "ci"},
	{SERVER_RELEASE, "release"},
	{SERVER_ONCALL,  "oncall"},
	{SERVER_VIEWER,  "viewer"},
};
/* clang-format on */

unsigned server_role_find(struct str name)
{
	for (size_t i = 0; i < COUNT(roles_by_name); i++)
		if (str_is(name, roles_by_name[i].name))
			return roles_by_name[i].role;
	return 0;
}

const char *server_role_name(unsigned role)
{
	for (size_t i = 0; i < COUNT(roles_by_name); i++)
		if (role == roles_by_name[i].role)
			return roles_by_name[i].name;
	return "";
}

static bool id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("._-:@", c));
}

bool server_target_valid(struct str id)
{
	if (!id.len || id.len > SERVER_TARGET_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!id_char(id.ptr[i]))
			return false;
	return true;
}

static void claim(struct server_who *who, struct str id, enum server_named by)
{
	if (!id.len)
		return;
	if (who->target[0]) {
		who->disagrees |= !str_is(id, who->target);
		return;
	}
	if (!server_target_valid(id))
		return;
	memcpy(who->target, id.ptr, id.len);
	who->target[id.len] = '\0';
	who->by = by;
}

void server_who_label(struct server_who *who, struct str id)
{
	claim(who, id, SERVER_BY_LABEL);
}

static void use(struct server_who *who, const struct server_token *t)
{
	who->roles = t->role;
	memcpy(who->token, t->name, sizeof(who->token));
	claim(who, str_from(t->target), SERVER_BY_TOKEN);
}

static enum who_verdict use_token(struct server_who *who,
	const struct who_claims *claims, const struct server_tokens *tokens)
{
	const struct server_token *t = server_token_find(tokens, claims->token);

	if (!t)
		return WHO_UNKNOWN;
	use(who, t);
	return WHO_OK;
}

/* A session whose token is gone is none. */
static void use_session(struct server_who *who, const struct who_claims *claims,
	const struct server_tokens *tokens)
{
	const struct server_token *t = token_of(tokens, claims->sum);

	if (!t)
		return;
	use(who, t);
	who->session = true;
}

/* A wrong credential is refused, not read as none. */
enum who_verdict who_resolve(struct server_who *who,
	const struct who_claims *claims, const struct server_tokens *tokens,
	unsigned anonymous, unsigned roles)
{
	enum who_verdict v = WHO_OK;

	*who = (struct server_who){.roles = anonymous, .local = claims->local};
	if (claims->local)
		who->roles = SERVER_EVERYONE;
	else if (tokens && claims->has_token)
		v = use_token(who, claims, tokens);
	else if (tokens && claims->session)
		use_session(who, claims, tokens);
	if (v)
		return v;
	claim(who, claims->header, SERVER_BY_HEADER);
	claim(who, claims->path, SERVER_BY_PATH);
	if (!roles || (who->roles & roles))
		return WHO_OK;
	return who->token[0] ? WHO_NOT_ALLOWED : WHO_UNKNOWN;
}
