/* Of an agent's configuration, what a fleet can't be released to safely. */
#include "server/advice.h"

#include "gates/node.h"

#include <stdlib.h>
#include <string.h>

enum {
	UPLOAD_DEFAULT = 32768, /* bytes, compressed */
	UPLOAD_LEAST = 1 << 20,
	LOG_DELAY_DEFAULT_S = 600,
	POLL_DELAY_DEFAULT_S = 120,
	DELAY_MOST_S = 30,
};

struct review {
	struct advice *advice;
	struct arena arena;
	const char *name;
	struct node root;
};

static const char *place(struct review *r, const struct node *at)
{
	return arena_printf(&r->arena, "%s:%u", r->name, at->row);
}

/* A row about the line of a node. */
#define ROW(r, at, h, c, f, ...)                                               \
	advice_add((r)->advice,                                                \
		(struct advice_row){.harm = (h),                               \
			.code = (c),                                           \
			.where = str_from(place(r, at)),                       \
			.fix = (f)},                                           \
		__VA_ARGS__)

/* Not there, or null, which is the same to OPA. */
static bool is_none(const struct node *n)
{
	return !n || (n->kind == YAML_SCALAR && n->type == YAML_NULL);
}

/* A text; NULL when it is not there or empty. */
static const char *text_at(
	struct review *r, const struct node *map, const char *key)
{
	const char *text = node_string(&r->arena, map, key);

	return text && *text ? text : NULL;
}

static bool is_true(const struct node *map, const char *key)
{
	const struct node *n = node_get(map, key);

	return !is_none(n) && n->type == YAML_BOOL &&
	       (n->text.ptr[0] | ' ') == 't';
}

/* A number; `absent` when there is none, -1 when it can't be told from here. */
static long long number_at(
	struct review *r, const struct node *map, const char *key, int absent)
{
	const struct node *n = node_get(map, key);

	if (is_none(n))
		return absent;
	if (n->kind != YAML_SCALAR || n->type != YAML_INT)
		return -1;
	return strtoll(arena_strdup(&r->arena, n->text), NULL, 0);
}

/* The line of a key's value, or else of the map that lacks it. */
static const struct node *line_of(const struct node *map, const char *key)
{
	const struct node *n = node_get(map, key);

	return n ? n : map;
}

/* --- services ------------------------------------------------------------- */

static const struct node *service_in_list(
	struct review *r, const struct node *list, const char *name)
{
	for (uint32_t i = 0; i < list->n; i++) {
		const char *its = text_at(r, &list->items[i], "name");

		if (!name || (its && !strcmp(its, name)))
			return &list->items[i];
	}
	return NULL;
}

/* By name, the first one without a name; NULL: there is none. */
static const struct node *service_of(struct review *r, const char *name)
{
	const struct node *all = node_get(&r->root, "services");

	if (!all)
		return NULL;
	if (all->kind == YAML_LIST)
		return service_in_list(r, all, name);
	if (name)
		return node_get(all, name);
	return all->kind == YAML_MAP && all->n ? &all->items[1] : NULL;
}

static bool has_header(const struct node *service, const char *name)
{
	const struct node *headers = node_get(service, "headers");

	for (uint32_t i = 0;
		headers && headers->kind == YAML_MAP && i + 1 < headers->n;
		i += 2) {
		if (str_eq_fold(headers->items[i].text, str_from(name)))
			return true;
	}
	return false;
}

static bool is_plain(struct str url)
{
	static const char *const here[] = {
		"http://127.", "http://localhost", "http://[::1]"};

	for (size_t i = 0; i < COUNT(here); i++)
		if (str_starts(url, str_from(here[i])))
			return false;
	return str_starts(url, S("http://"));
}

static void check_service(struct review *r, const struct node *service)
{
	const char *url = text_at(r, service, "url");

	if (url && is_plain(str_from(url)))
		ROW(r, node_get(service, "url"), HARM_MEDIUM, "D514",
			"url: https://...",
			"%s is spoken to without TLS: its token can be read on "
			"the way",
			url);
}

/* Who it is: by a credential, a header, or the way it asks on. */
static void check_identity(
	struct review *r, const struct node *bundle, const struct node *service)
{
	const char *resource = text_at(r, bundle, "resource");
	bool known =
		node_get(service, "credentials") ||
		(resource && (str_starts(str_from(resource), S("t/")) ||
				     str_starts(str_from(resource), S("/t/"))));

	if (!known && !has_header(service, "X-Regatta-Target"))
		ROW(r, service, HARM_HIGH, "D509",
			"headers: {X-Regatta-Target: \"${NODE}\"}, or "
			"credentials",
			"polls name nobody: the agent is never a canary, and "
			"nobody sees what it runs");
	if (!known && !node_get(node_get(&r->root, "labels"), "target"))
		ROW(r, line_of(&r->root, "labels"), HARM_MEDIUM, "D510",
			"labels: {target: \"${NODE}\"}",
			"status and decisions name no target, so they can't be "
			"joined to polls");
}

/* --- bundles -------------------------------------------------------------- */

static bool has_key(struct review *r, const char *keyid)
{
	return node_get(node_get(&r->root, "keys"), keyid);
}

/* A scope of the bundle, or else of its key. */
static bool has_scope(
	struct review *r, const struct node *signing, const char *keyid)
{
	const struct node *keys = node_get(&r->root, "keys");

	return text_at(r, signing, "scope") ||
	       (keyid && text_at(r, node_get(keys, keyid), "scope"));
}

static void check_signing(struct review *r, const struct node *bundle)
{
	const struct node *signing = node_get(bundle, "signing");
	const char *keyid = text_at(r, signing, "keyid");

	if (is_none(signing)) {
		ROW(r, bundle, HARM_HIGH, "D501",
			"signing: {keyid: ID, scope: SCOPE}, and keys: {ID: "
			"{key: ...}}",
			"bundles that nobody signed are taken");
		return;
	}
	if (!keyid)
		ROW(r, signing, HARM_HIGH, "D502", "keyid: ID",
			"signing has no keyid: agents before 1.21.3 take "
			"bundles that nobody signed");
	else if (!strstr(keyid, "$(") && !has_key(r, keyid))
		ROW(r, node_get(signing, "keyid"), HARM_HIGH, "D503",
			"keys: {ID: {algorithm: ES256, key: ...}}",
			"there is no key %s: no bundle is taken", keyid);
	if (!has_scope(r, signing, keyid))
		ROW(r, signing, HARM_MEDIUM, "D504", "scope: SCOPE",
			"signing has no scope: a bundle for another fleet with "
			"the same key is taken");
}

static void check_polling(struct review *r, const struct node *bundle)
{
	const struct node *p = node_get(bundle, "polling");
	const char *waits = "long_polling_timeout_seconds";
	long long delay =
		number_at(r, p, "max_delay_seconds", POLL_DELAY_DEFAULT_S);

	if (!number_at(r, p, waits, 0))
		ROW(r, p ? p : bundle, HARM_MEDIUM, "D511",
			"polling: {long_polling_timeout_seconds: 30, ...}",
			"polls do not wait: a release, and a rollback, take up "
			"to %lld s more",
			delay < 0 ? POLL_DELAY_DEFAULT_S : delay);
	else if (delay > DELAY_MOST_S)
		ROW(r, line_of(p, "max_delay_seconds"), HARM_MEDIUM, "D511",
			"polling: {min_delay_seconds: 1, max_delay_seconds: 5, "
			"...}",
			"between two polls are up to %lld s, which a rollback "
			"waits for",
			delay);
}

static void check_bundle(struct review *r, const struct node *bundle)
{
	const struct node *service =
		service_of(r, text_at(r, bundle, "service"));

	check_signing(r, bundle);
	check_polling(r, bundle);
	if (!is_true(bundle, "persist"))
		ROW(r, bundle, HARM_MEDIUM, "D512",
			"persist: true, and persistence_directory: DIR at the "
			"top",
			"it is not kept on the disk: an agent that starts "
			"while the server is away has no policy");
	if (service)
		check_identity(r, bundle, service);
	else
		ROW(r, bundle, HARM_HIGH, "D508",
			"service: NAME, one of services:",
			"there is no such service: it is never asked for");
}

static void check_bundles(struct review *r)
{
	const struct node *all = node_get(&r->root, "bundles");
	const struct node *services = node_get(&r->root, "services");
	bool map = services && services->kind == YAML_MAP;

	if (!all || all->kind != YAML_MAP || !all->n)
		ROW(r, &r->root, HARM_HIGH, "D507",
			"bundles: {NAME: {service: ..., ...}} (regatta agent "
			"config)",
			"it polls no bundle%s",
			node_get(&r->root, "discovery")
				? ", but for what discovery says"
				: "");
	for (uint32_t i = 1; all && all->kind == YAML_MAP && i < all->n; i += 2)
		check_bundle(r, &all->items[i]);
	for (uint32_t i = map; services && i < services->n; i += map ? 2 : 1)
		check_service(r, &services->items[i]);
}

/* --- status and decisions ------------------------------------------------- */

/*
 * Does a section send to a service? One that says nothing sends to the first;
 * one that only prints or counts does not.
 */
static bool sends(struct review *r, const struct node *section)
{
	if (!section)
		return false;
	if (text_at(r, section, "service"))
		return true;
	return !is_true(section, "console") &&
	       !is_true(section, "prometheus") && !node_get(section, "plugin");
}

static void check_status(struct review *r)
{
	if (!sends(r, node_get(&r->root, "status")))
		ROW(r, line_of(&r->root, "status"), HARM_HIGH, "D505",
			"status: {service: NAME}",
			"it sends no status: what it runs, what it refused and "
			"how many requests it answered are not known");
}

static void check_reporting(struct review *r, const struct node *logs)
{
	const struct node *p = node_get(logs, "reporting");
	const char *limit = "upload_size_limit_bytes";
	const char *most = "max_decisions_per_second";
	long long size = number_at(r, p, limit, UPLOAD_DEFAULT);
	long long delay =
		number_at(r, p, "max_delay_seconds", LOG_DELAY_DEFAULT_S);

	if (size >= 0 && size < UPLOAD_LEAST)
		ROW(r, p ? line_of(p, limit) : logs, HARM_HIGH, "D506",
			"reporting: {upload_size_limit_bytes: 1048576, ...}",
			"uploads are limited to %lld bytes: one decision with "
			"an error can take hundreds of others with it",
			size);
	if (delay > DELAY_MOST_S)
		ROW(r, p ? line_of(p, "max_delay_seconds") : logs, HARM_MEDIUM,
			"D513",
			"reporting: {min_delay_seconds: 1, max_delay_seconds: "
			"5, ...}",
			"decisions arrive up to %lld s late, and a verdict "
			"waits for them",
			delay);
	if (node_get(p, most))
		ROW(r, node_get(p, most), HARM_MEDIUM, "D515",
			"no max_decisions_per_second",
			"decisions above a rate are dropped");
}

static void check_logs(struct review *r)
{
	const struct node *logs = node_get(&r->root, "decision_logs");

	if (sends(r, logs))
		check_reporting(r, logs);
	else
		ROW(r, line_of(&r->root, "decision_logs"), HARM_HIGH, "D516",
			"decision_logs: {service: NAME, ...}",
			"it sends no decisions: nothing can be judged");
}

/*
 * OPA puts the environment in before it reads YAML, so ${NAME} may stand where
 * braces would open a map. Here it is read as $(NAME), a text.
 */
static struct str with_variables(struct arena *a, struct str text)
{
	char *copy = arena_strdup(a, text);
	bool inside = false;

	for (size_t i = 0; i < text.len; i++) {
		if (copy[i] == '{' && i && copy[i - 1] == '$') {
			copy[i] = '(';
			inside = true;
		} else if (inside && copy[i] == '}') {
			copy[i] = ')';
			inside = false;
		}
	}
	return (struct str){copy, text.len};
}

void advice_agent_config(struct advice *a, const char *name, struct str text)
{
	struct review r = {.advice = a, .name = name};
	struct err e = {0};
	enum status st = node_parse(
		&r.arena, name, with_variables(&r.arena, text), &r.root, &e);

	if (!st && r.root.kind != YAML_MAP)
		st = err_set(&e, E_INVALID,
			"%s is no map, as a configuration of OPA is", name);
	if (st) {
		advice_add(a,
			(struct advice_row){.harm = HARM_HIGH,
				.code = "D500",
				.where = str_from(name),
				.fix = "regatta agent config prints one"},
			"%s", e.text);
	} else {
		check_bundles(&r);
		check_status(&r);
		check_logs(&r);
	}
	arena_release(&r.arena);
}
