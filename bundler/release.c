/*
 * What a rollout goes by, as JSON in the words of regatta.yaml.
 *
 * Everything is spelled out, defaults too: what a version was built with is
 * what it is judged by, whatever a later regatta has as default. Numbers have
 * the fewest digits that read back as the same.
 */
#include "bundler/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"

static void key(struct buf *out, const char *name)
{
	char last = out->ptr[out->len - 1];

	if (last != '{' && last != '[')
		buf_addc(out, ',');
	json_quote(out, str_from(name));
	buf_addc(out, ':');
}

/* Where JSON and YAML differ: what YAML folds as a line, or won't read. */
static bool apart(uint32_t cp)
{
	return (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 ||
	       cp == 0xfeff || cp >> 1 == 0xfffe >> 1;
}

static void quote(struct buf *out, const char *value)
{
	struct buf b = {0};
	uint32_t cp;

	json_quote(&b, str_from(value));
	for (size_t i = 0, n; i < b.len; i += n) {
		n = utf8_decode(b.ptr + i, b.len - i, &cp);
		if (apart(cp))
			buf_addf(out, "\\u%04x", (unsigned)cp);
		else
			buf_add(out, b.ptr + i, n);
	}
	buf_release(&b);
}

static void text(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	key(out, name);
	quote(out, value);
}

/*
 * `scale` times x, so that x comes back by dividing. Without an exponent, which
 * percentages may not have.
 */
static void digits(struct buf *out, double x, double scale)
{
	char to[64];

	for (int n = 0; n < 30; n++) {
		double back;

		snprintf(to, sizeof(to), "%.*f", n, x * scale);
		back = strtod(to, NULL) / scale;
		if (!(back < x) && !(back > x))
			break;
	}
	buf_adds(out, to);
}

static void number(struct buf *out, const char *name, double x)
{
	key(out, name);
	digits(out, x, 1);
}

static void share(struct buf *out, const char *name, double x)
{
	key(out, name);
	buf_addc(out, '"');
	digits(out, x, 100);
	buf_adds(out, "%\"");
}

static void duration(struct buf *out, const char *name, int64_t ns)
{
	key(out, name);
	if (ns % NS_PER_S)
		buf_addf(out, "\"%" PRId64 "ns\"", ns);
	else
		buf_addf(out, "\"%" PRId64 "s\"", ns / NS_PER_S);
}

static void decision(struct buf *out, const struct config_decision *d)
{
	buf_adds(out, out->ptr[out->len - 1] == '[' ? "{" : ",{");
	text(out, "path", d->path);
	text(out, "outcome", *d->outcome ? d->outcome : NULL);
	if (d->ndimensions) {
		key(out, "dimensions");
		buf_addc(out, '{');
		for (size_t i = 0; i < d->ndimensions; i++)
			text(out, d->dimensions[i].name,
				d->dimensions[i].pointer);
		buf_addc(out, '}');
	}
	buf_addc(out, '}');
}

static void ring(struct buf *out, const struct config_ring *r)
{
	buf_adds(out, out->ptr[out->len - 1] == '[' ? "{" : ",{");
	text(out, "name", r->name);
	text(out, "select", r->select);
	if (r->percent > 0)
		number(out, "percent", r->percent);
	if (r->gate) {
		key(out, "gate");
		buf_adds(out, "true");
	}
	buf_addc(out, '}');
}

static void denies(struct buf *out, const struct config_denies *d)
{
	buf_adds(out, out->ptr[out->len - 1] == '[' ? "{" : ",{");
	text(out, "path", d->path);
	text(out, "mode", d->mode);
	if (d->max_up > 0)
		number(out, "max_up", d->max_up);
	if (d->min_down > 0)
		number(out, "min_down", d->min_down);
	text(out, "ticket", d->ticket);
	if (d->expires_ns) {
		key(out, "expires");
		buf_addc(out, '"');
		instant_text(out, d->expires_ns);
		buf_addc(out, '"');
	}
	buf_addc(out, '}');
}

static void verdict(struct buf *out, const struct config *c)
{
	key(out, "verdict");
	buf_addc(out, '{');
	number(out, "alpha", c->rollout.alpha);
	number(out, "worse_than", c->rollout.worse_than);
	share(out, "error_ceiling", c->rollout.error_ceiling);
	share(out, "pass_below", c->rollout.pass_below);
	key(out, "min_decisions");
	buf_addf(out, "%" PRIu64, c->rollout.min_decisions);
	duration(out, "window", c->rollout.window_ns);
	buf_addc(out, '}');
}

static void rollout(struct buf *out, const struct config *c)
{
	key(out, "rings");
	buf_addc(out, '[');
	for (size_t i = 0; i < c->rollout.nrings; i++)
		ring(out, &c->rollout.rings[i]);
	buf_addc(out, ']');
	key(out, "bake");
	buf_addc(out, '{');
	duration(out, "min", c->rollout.bake_min_ns);
	duration(out, "max", c->rollout.bake_max_ns);
	duration(out, "fleet", c->rollout.bake_fleet_ns);
	buf_addc(out, '}');
	verdict(out, c);
	text(out, "on_fail", c->rollout.on_fail);
	text(out, "on_inconclusive", c->rollout.on_inconclusive);
	text(out, "reason", c->rollout.reason);
	key(out, "approvers");
	buf_addf(out, "%d", c->rollout.approvers);
	if (!c->rollout.ndenies)
		return;
	key(out, "denies");
	buf_addc(out, '[');
	for (size_t i = 0; i < c->rollout.ndenies; i++)
		denies(out, &c->rollout.denies[i]);
	buf_addc(out, ']');
}

void config_write_release(const struct config *c, struct buf *out)
{
	buf_addc(out, '{');
	text(out, "bundle", c->bundle);
	if (c->ndecisions) {
		key(out, "decisions");
		buf_addc(out, '[');
		for (size_t i = 0; i < c->ndecisions; i++)
			decision(out, &c->decisions[i]);
		buf_addc(out, ']');
	}
	key(out, "rollout");
	buf_addc(out, '{');
	rollout(out, c);
	buf_adds(out, "}}");
}
