/*
 * A regatta.yaml: what is refused has a place and a reason in one line; what is
 * taken holds what the header promises.
 */
#include "bundler/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

/* "regatta.yaml:ROW:COL: " and something behind it, no control characters. */
static void check_message(const struct err *e)
{
	static const char name[] = CONFIG_NAME ":";
	const char *s = e->text;

	need(e->code == E_INVALID || e->code == E_LIMIT);
	need(!strncmp(s, name, sizeof(name) - 1));
	s += sizeof(name) - 1;
	for (int i = 0; i < 2; i++) {
		size_t digits = strspn(s, "0123456789");

		need(digits && s[digits] == ':' && *s != '0');
		s += digits + 1;
	}
	need(s[0] == ' ' && s[1]);
	for (; *s; s++)
		need((unsigned char)*s >= ' ' && *s != 0x7f);
}

static void check_list(const struct config_list *l)
{
	need(l->len <= LIMIT_CONFIG_ITEMS);
	for (size_t i = 0; i < l->len; i++)
		need(l->items[i][0] != '\0');
}

static void check_decisions(const struct config *c)
{
	for (size_t i = 0; i < c->ndecisions; i++) {
		const struct config_decision *d = &c->decisions[i];

		need(d->path && *d->path && d->row && d->col);
		need(d->ndimensions <= LIMIT_CONFIG_DIMENSIONS);
		for (size_t j = 0; j < d->ndimensions; j++)
			need(d->dimensions[j].pointer[0] == '/');
	}
}

static void check_rollout(const struct config *c)
{
	const struct config_ring *r = c->rollout.rings;
	size_t n = c->rollout.nrings;

	need(n && !r[n - 1].select && r[n - 1].percent >= 100);
	for (size_t i = 0; i < n; i++)
		need(*r[i].name && (r[i].select || r[i].percent > 0) &&
			r[i].percent <= 100);
	need(c->rollout.bake_min_ns > 0 && c->rollout.bake_fleet_ns > 0);
	need(c->rollout.bake_min_ns <= c->rollout.bake_max_ns);
	need(c->rollout.alpha > 0 && c->rollout.alpha <= 0.5);
	need(c->rollout.worse_than > 1 && c->rollout.min_decisions > 0);
	need(c->rollout.pass_below > 0 && c->rollout.error_ceiling <= 1);
	need(c->rollout.pass_below <= c->rollout.error_ceiling);
}

/* What a bundle carries of it reads back, and as the same. */
static void check_release(const struct config *c)
{
	struct config back;
	struct buf one = {0}, two = {0};
	struct err e = {0};

	config_write_release(c, &one);
	if (one.len <= LIMIT_CONFIG_BYTES) {
		need(!config_parse(&back, "release", buf_str(&one), &e));
		config_write_release(&back, &two);
		need(str_eq(buf_str(&one), buf_str(&two)));
		config_release(&back);
	}
	buf_release(&one);
	buf_release(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = {(const char *)data, size};
	struct config c = {0};
	struct err e = {0};

	if (config_parse(&c, CONFIG_NAME, text, &e)) {
		check_message(&e);
		return 0;
	}
	need(c.bundle && *c.bundle && c.store && *c.store);
	need(c.rego_version == 0 || c.rego_version == 1);
	need(c.include.len > 0);
	need(c.test.coverage >= 0 && c.test.coverage <= 100);
	need(c.test.timeout_ns > 0);
	need(sign_alg_name(c.sign.alg) && c.sign.alg < ALG_HS256);
	check_list(&c.roots);
	check_list(&c.include);
	check_list(&c.notify);
	check_decisions(&c);
	check_rollout(&c);
	check_release(&c);
	config_release(&c);
	return 0;
}
