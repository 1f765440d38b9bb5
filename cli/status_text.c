#include "cli/status_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/json.h"
#include "server/doc.h"

static enum tone tone_of(struct str state)
{
	static const struct {
		const char *state;
		enum tone tone;
	} tones[] = {
		{"hold", TONE_WAIT},
		{"rolling-back", TONE_BAD},
		{"rolled-back", TONE_BAD},
		{"refused", TONE_BAD},
		{"aborted", TONE_WAIT},
		{"succeeded", TONE_GOOD},
		{"idle", TONE_NONE},
	};

	for (size_t i = 0; i < COUNT(tones); i++)
		if (str_is(state, tones[i].state))
			return tones[i].tone;
	return TONE_NONE;
}

static void label(struct buf *out, const char *name)
{
	buf_addf(out, "%-10s", name);
}

/* --- what it is ----------------------------------------------------------- */

static void upper(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		buf_addc(out, s.ptr[i] >= 'a' && s.ptr[i] <= 'z'
				      ? (char)(s.ptr[i] - 32)
			      : s.ptr[i] == '-' ? ' '
						: s.ptr[i]);
}

static int64_t instant(struct str text)
{
	int64_t ns;

	return instant_parse(text, &ns, NULL) ? ns : 0;
}

/* "for 3 min"; where no time counts, the time itself. */
static void since(struct buf *out, const struct screen *s)
{
	int64_t ns = instant(see(s, "/since"));

	if (ns && s->now_ns)
		buf_addf(out, " for %s", doc_span(s->a, s->now_ns - ns));
	else if (ns)
		buf_addf(out, " since %.*s", STR_ARG(see(s, "/since")));
}

static void first_line(struct buf *out, const struct screen *s)
{
	struct str state = see(s, "/state"),
		   candidate = see(s, "/candidate/revision"),
		   stable = see(s, "/stable/revision");
	struct buf word = {0};

	upper(&word, state);
	buf_addf(out, "%.*s  ", STR_ARG(see(s, "/bundle")));
	/* With the ring of all it is stable already. */
	if (str_eq(stable, candidate))
		stable = see(s, "/last_good/revision");
	if (candidate.len)
		buf_addf(out, "%.*s over ", STR_ARG(candidate));
	if (stable.len)
		buf_addf(out, "%.*s  ", STR_ARG(stable));
	else
		buf_adds(out, "nothing stable yet  ");
	say(s, out, tone_of(state), "%s", word.ptr);
	since(out, s);
	buf_addc(out, '\n');
	if (see(s, "/last/event").len) {
		label(out, "last");
		buf_addf(out, "%.*s by %.*s: %.*s\n",
			STR_ARG(see(s, "/last/event")),
			STR_ARG(see(s, "/last/who")),
			STR_ARG(see(s, "/last/reason").len
					? see(s, "/last/reason")
					: S("no reason given")));
	}
	if (see(s, "/hold").len) {
		label(out, "held");
		buf_addf(out, "%.*s\n", STR_ARG(see(s, "/hold")));
	}
	buf_release(&word);
}

/* canary ok | early 10% NOW | fleet 100% */
static void rings(struct buf *out, const struct screen *s)
{
	struct json_iter it = json_iter(see_part(s, "/rollout/rings"));
	bool first = true;

	if (!see_part(s, "/candidate").len || !it.at)
		return;
	label(out, "rings");
	while (json_next(&it)) {
		struct str is = see_in(s, it.value, "is");
		struct str percent = see_in(s, it.value, "percent");

		buf_addf(out, "%s%.*s", first ? "" : " | ",
			STR_ARG(see_in(s, it.value, "name")));
		if (percent.len)
			buf_addf(out, " %.*s%%", STR_ARG(percent));
		if (str_is(is, "done"))
			say(s, out, TONE_GOOD, " ok");
		else if (str_is(is, "now"))
			say(s, out, TONE_WAIT, " NOW");
		first = false;
	}
	buf_addc(out, '\n');
}

/* Of the step that bakes now. */
static void bake(struct buf *out, const struct screen *s)
{
	struct json_iter it = json_iter(see_part(s, "/rollout/steps"));
	int64_t began = 0, now = instant(see(s, "/time"));
	bool all = see_true(s, "/rollout/all");

	while (json_next(&it))
		began = instant(see_in(s, it.value, "bake"));
	if (!began || !see_part(s, "/candidate").len)
		return;
	label(out, "bake");
	buf_addf(out, "%s of %s", doc_span(s->a, now - began),
		doc_span(s->a, see_int(s, all ? "/rollout/bake_fleet_s"
					      : "/rollout/bake_min_s") *
				       NS_PER_S));
	if (!all)
		buf_addf(out, ", at most %s",
			doc_span(s->a,
				see_int(s, "/rollout/bake_max_s") * NS_PER_S));
	buf_addc(out, '\n');
}

/* --- is it good ----------------------------------------------------------- */

/* Where the evidence stands between nothing and the threshold. */
static void evidence_bar(struct buf *out, double ln_e, double threshold)
{
	enum { HALF = 6 };
	double share = threshold > 1 ? ln_e / log(threshold) : 0;
	int at = (int)lround(share * HALF);

	at = at > HALF ? HALF : at < -HALF ? -HALF : at;
	buf_addc(out, '[');
	for (int i = -HALF; i <= HALF; i++)
		buf_addc(out, i == 0                       ? '|'
			      : at > 0 && i > 0 && i <= at ? '#'
			      : at < 0 && i < 0 && i >= at ? '='
							   : ' ');
	buf_addc(out, ']');
}

static void rate(struct buf *out, const struct screen *s, struct str metric,
	const char *arm)
{
	struct str part;

	if (!json_member(metric, str_from(arm), &part))
		return;
	buf_addf(out, "  %s %.*s/%.*s %.3g%%", arm,
		STR_ARG(see_in(s, part, "count")),
		STR_ARG(see_in(s, part, "of")),
		100 * doc_number(part, "/rate"));
}

static void metric_line(struct buf *out, const struct screen *s,
	struct str name, struct str metric)
{
	double ln_e = doc_number(metric, "/ln_evidence");
	double threshold = doc_number(metric, "/threshold");
	bool fail = threshold > 0 && ln_e >= log(threshold);

	buf_addf(out, "%-10.*s", STR_ARG(name));
	/* Where nothing was decided there is no word for it either. */
	if (doc_number(metric, "/canary/of") <= 0) {
		buf_adds(out, "not measured\n");
		return;
	}
	evidence_bar(out, ln_e, threshold);
	buf_addf(
		out, " E %-14s of %4.0f ", doc_evidence(s->a, ln_e), threshold);
	say(s, out, fail ? TONE_BAD : TONE_GOOD, fail ? "FAIL" : "ok  ");
	rate(out, s, metric, "canary");
	rate(out, s, metric, "baseline");
	buf_addc(out, '\n');
}

static void explained(struct buf *out, const char *text)
{
	if (text)
		buf_addf(out, "%10s%s\n", "", text);
}

void status_verdict(struct buf *out, const struct screen *s, bool full)
{
	struct json_iter it = json_iter(see_part(s, "/verdict/metrics"));
	struct str outcome = see(s, "/verdict/outcome");
	struct buf word = {0};

	if (!outcome.len)
		return;
	upper(&word, outcome);
	label(out, "verdict");
	say(s, out,
		str_is(outcome, "fail")   ? TONE_BAD
		: str_is(outcome, "pass") ? TONE_GOOD
					  : TONE_WAIT,
		"%s", word.ptr);
	buf_addf(out, " %s: %.*s\n", see_ago(s, see(s, "/verdict/time")),
		STR_ARG(see(s, "/verdict/reason")));
	buf_release(&word);
	/* Before the first decision there is nothing to show. */
	while ((full || see_int(s, "/verdict/canary/decisions")) &&
		json_next(&it)) {
		metric_line(out, s,
			arena_str(s->a, str_slice(it.key, 1, it.key.len - 1)),
			it.value);
		if (full) {
			explained(out, doc_compared(s->a, it.value));
			explained(out, doc_latency(s->a, it.value));
		}
	}
	if (!full)
		return;
	label(out, "counted");
	buf_addf(out,
		"%lld canary and %lld baseline decisions; coverage %.3g%%, "
		"lost %.3g%%, unattributed %.3g%%\n",
		(long long)see_int(s, "/verdict/canary/decisions"),
		(long long)see_int(s, "/verdict/baseline/decisions"),
		100 * doc_number(s->doc, "/verdict/coverage"),
		100 * doc_number(s->doc, "/verdict/lost"),
		100 * doc_number(s->doc, "/verdict/unattributed"));
}

void status_inherits(struct buf *out, const struct screen *s, const char *begin)
{
	struct json_iter it = json_iter(see_part(s, "/inherits"));

	while (json_next(&it)) {
		struct str reason = see_in(s, it.value, "reason");

		buf_addf(out,
			"%swarning: it has all of %.*s (commit %.12s) in it, "
			"which %.*s put into quarantine%s%.*s\n",
			begin, STR_ARG(see_in(s, it.value, "revision")),
			arena_strdup(s->a, see_in(s, it.value, "commit")),
			STR_ARG(see_in(s, it.value, "who")),
			reason.len ? ": " : "", STR_ARG(reason));
	}
}

/* --- who is where --------------------------------------------------------- */

void status_targets(struct buf *out, const struct screen *s)
{
	buf_addf(out, "%lld there", (long long)see_int(s, "/targets/there"));
	buf_addf(out, ", %lld waiting",
		(long long)see_int(s, "/targets/waiting"));
	if (see_int(s, "/targets/failed"))
		say(s, out, TONE_BAD, ", %lld failed",
			(long long)see_int(s, "/targets/failed"));
	if (see_int(s, "/targets/lost"))
		say(s, out, TONE_WAIT, ", %lld lost",
			(long long)see_int(s, "/targets/lost"));
	buf_addf(out, ", of %lld", (long long)see_int(s, "/targets/total"));
}

void status_stragglers(struct buf *out, const struct screen *s)
{
	static const char *const head[] = {
		"TARGET", "PLACE", "RUNS", "LAST POLL", "ERROR"};
	struct columns c = {.head = head, .n = COUNT(head)};
	struct json_iter it = json_iter(see_part(s, "/targets/stragglers"));

	while (json_next(&it)) {
		columns_add(s->a, &c, see_in(s, it.value, "target"));
		columns_add(s->a, &c, see_in(s, it.value, "place"));
		columns_add(s->a, &c, see_in(s, it.value, "runs"));
		columns_add(s->a, &c,
			str_from(see_ago(s, see_in(s, it.value, "last_poll"))));
		columns_add(s->a, &c, see_in(s, it.value, "error"));
	}
	if (c.len)
		columns_write(&c, out);
}

void status_bar(struct buf *out, double share, unsigned width)
{
	unsigned full = (unsigned)(share * width + 0.5);

	buf_addc(out, '[');
	for (unsigned i = 0; i < width; i++)
		buf_addc(out, i < full ? '#' : '-');
	buf_addc(out, ']');
}

static void targets(struct buf *out, const struct screen *s)
{
	struct json_iter it = json_iter(see_part(s, "/targets/running"));
	bool first = true;

	label(out, "targets");
	status_targets(out, s);
	buf_addc(out, '\n');
	if (!see_int(s, "/targets/total"))
		return;
	label(out, "running");
	while (json_next(&it)) {
		buf_addf(out, "%s%.*s on %.*s", first ? "" : ", ",
			STR_ARG(see_in(s, it.value, "revision")),
			STR_ARG(see_in(s, it.value, "targets")));
		first = false;
	}
	buf_addc(out, '\n');
}

/* --- what stands open ----------------------------------------------------- */

static void freezes(struct buf *out, const struct screen *s)
{
	struct json_iter it = json_iter(see_part(s, "/freezes"));

	while (json_next(&it)) {
		struct str until = see_in(s, it.value, "until");

		label(out, "frozen");
		say(s, out, TONE_WAIT, "%.*s%s",
			STR_ARG(see_in(s, it.value, "scope")),
			str_is(see_in(s, it.value, "everywhere"), "true")
				? " of all bundles"
				: "");
		buf_addf(out, " by %.*s %s: %.*s",
			STR_ARG(see_in(s, it.value, "who")),
			see_ago(s, see_in(s, it.value, "from")),
			STR_ARG(see_in(s, it.value, "reason")));
		if (until.len)
			buf_addf(out, ", ends %s", see_ago(s, until));
		buf_addc(out, '\n');
	}
}

static void pins(struct buf *out, const struct screen *s)
{
	struct json_iter it = json_iter(see_part(s, "/pins"));

	while (json_next(&it)) {
		struct str target = see_in(s, it.value, "target");

		if (!target.len)
			target = see_in(s, it.value, "selector");
		label(out, "pinned");
		buf_addf(out, "%.*s to %.*s by %.*s, ends %s: %.*s\n",
			STR_ARG(target),
			STR_ARG(see_in(s, it.value, "revision")),
			STR_ARG(see_in(s, it.value, "who")),
			see_ago(s, see_in(s, it.value, "until")),
			STR_ARG(see_in(s, it.value, "reason")));
	}
}

static void queued(struct buf *out, const struct screen *s)
{
	if (!see(s, "/queued/revision").len)
		return;
	label(out, "queued");
	buf_addf(out, "%.*s starts when it can\n",
		STR_ARG(see(s, "/queued/revision")));
}

static void newer(struct buf *out, const struct screen *s)
{
	struct json_iter it = json_iter(see_part(s, "/newer"));
	bool first = true;

	while (json_next(&it)) {
		if (first)
			label(out, "newer");
		else
			buf_adds(out, ", ");
		json_text(out, it.value);
		first = false;
	}
	if (!first)
		buf_addc(out, '\n');
}

/* What the verdict said already is not said twice. */
static void waits(struct buf *out, const struct screen *s)
{
	struct str what = see(s, "/rollout/waiting");

	if (!what.len || !see_part(s, "/candidate").len ||
		str_eq(what, see(s, "/verdict/reason")))
		return;
	label(out, "waits for");
	buf_addf(out, "%.*s\n", STR_ARG(what));
}

void status_text(struct buf *out, const struct screen *s, bool full)
{
	first_line(out, s);
	rings(out, s);
	bake(out, s);
	status_verdict(out, s, full);
	targets(out, s);
	if (full)
		status_stragglers(out, s);
	freezes(out, s);
	pins(out, s);
	queued(out, s);
	newer(out, s);
	waits(out, s);
	if (see(s, "/act/why").len) {
		label(out, "to do");
		say(s, out, TONE_WAIT, "%.*s: %.*s",
			STR_ARG(see(s, "/act/why")),
			STR_ARG(see(s, "/act/command")));
		buf_addc(out, '\n');
	}
}
