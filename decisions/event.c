/*
 * One event: a look at the members that count, without building anything.
 *
 * Source: OPA's decision log events; what may be absent, and what an empty id
 * means, as seen in uploads of OPA 1.22.
 */
#include "decisions/internal.h"

#include <string.h>

#include "base/digest.h"
#include "base/json.h"

enum member {
	ID,
	TIMESTAMP,
	LABELS,
	BUNDLES,
	REVISION,
	PATH,
	QUERY,
	INPUT,
	RESULT,
	ERROR,
	ERASED,
	MASKED,
	METRICS,
	CUSTOM,
	REQ_ID,
	MEMBERS,
};

static const struct str names[MEMBERS] = {
	[ID] = STR("decision_id"),
	[TIMESTAMP] = STR("timestamp"),
	[LABELS] = STR("labels"),
	[BUNDLES] = STR("bundles"),
	[REVISION] = STR("revision"),
	[PATH] = STR("path"),
	[QUERY] = STR("query"),
	[INPUT] = STR("input"),
	[RESULT] = STR("result"),
	[ERROR] = STR("error"),
	[ERASED] = STR("erased"),
	[MASKED] = STR("masked"),
	[METRICS] = STR("metrics"),
	[CUSTOM] = STR("custom"),
	[REQ_ID] = STR("req_id"),
};

/* --- pieces -------------------------------------------------------------- */

/* What a string means; "" when the span is none. */
static struct str text_of(struct str span, struct arena *a)
{
	struct str inside = str_slice(span, 1, span.len ? span.len - 1 : 0);
	struct buf b = {0};

	if (!span.len || json_kind(span) != JSON_STRING)
		return S("");
	if (!memchr(inside.ptr, '\\', inside.len))
		return inside;
	json_text(&b, span);
	inside = arena_str(a, buf_str(&b));
	buf_release(&b);
	return inside;
}

struct str json_plain(struct str span, struct arena *a)
{
	return json_kind(span) == JSON_STRING ? text_of(span, a) : span;
}

static struct str member_text(
	struct str object, struct str key, struct arena *a)
{
	struct str v = {0};

	return json_member(object, key, &v) ? text_of(v, a) : S("");
}

/* `digits` digits of s at *at; -1 when they are not there. */
static int number_at(struct str s, size_t *at, size_t digits)
{
	int n = 0;

	if (s.len - *at < digits)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		char c = s.ptr[*at + i];

		if (c < '0' || c > '9')
			return -1;
		n = n * 10 + (c - '0');
	}
	*at += digits;
	return n;
}

static bool char_at(struct str s, size_t *at, char c)
{
	if (*at >= s.len || (s.ptr[*at] | 0x20) != (c | 0x20))
		return false;
	(*at)++;
	return true;
}

/* Days since 1970-01-01 in the Gregorian calendar, from March on. */
static int64_t days(int y, int m, int d)
{
	int64_t year = m > 2 ? y : y - 1, era = year / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - 719468;
}

static int month_length(int y, int m)
{
	static const int lengths[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return lengths[m - 1] + (m == 2 && leap);
}

/* Digits behind the second; those past the ninth are dropped. */
static bool fraction(struct str s, size_t *at, int64_t *ns)
{
	int64_t unit = NS_PER_S / 10;
	size_t start = *at;

	for (; *at < s.len && s.ptr[*at] >= '0' && s.ptr[*at] <= '9'; ++*at) {
		*ns += (s.ptr[*at] - '0') * unit;
		unit /= 10;
	}
	return *at > start;
}

static bool offset(struct str s, size_t *at, int64_t *seconds)
{
	int sign, h, m;

	if (char_at(s, at, 'Z'))
		return true;
	if (*at >= s.len || (s.ptr[*at] != '+' && s.ptr[*at] != '-'))
		return false;
	sign = s.ptr[(*at)++] == '-' ? -1 : 1;
	h = number_at(s, at, 2);
	if (h < 0 || h > 23 || !char_at(s, at, ':'))
		return false;
	m = number_at(s, at, 2);
	*seconds = sign * (h * 3600 + m * 60);
	return m >= 0 && m < 60;
}

/* RFC 3339, from 1970 to 2261: what 64 bits of nanoseconds hold. */
static bool timestamp(struct str s, int64_t *out)
{
	size_t at = 0;
	int64_t ns = 0, east = 0, date;
	int y = number_at(s, &at, 4), m, d, h, min, sec;

	if (y < 1970 || y > 2261 || !char_at(s, &at, '-'))
		return false;
	m = number_at(s, &at, 2);
	if (m < 1 || m > 12 || !char_at(s, &at, '-'))
		return false;
	d = number_at(s, &at, 2);
	if (d < 1 || d > month_length(y, m) || !char_at(s, &at, 'T'))
		return false;
	h = number_at(s, &at, 2);
	if (h < 0 || h > 23 || !char_at(s, &at, ':'))
		return false;
	min = number_at(s, &at, 2);
	if (min < 0 || min > 59 || !char_at(s, &at, ':'))
		return false;
	sec = number_at(s, &at, 2);
	if (sec < 0 || sec > 60)
		return false;
	if (at < s.len && s.ptr[at] == '.' && !(at++, fraction(s, &at, &ns)))
		return false;
	if (!offset(s, &at, &east) || at != s.len)
		return false;
	date = days(y, m, d) * 86400 + h * 3600 + min * 60 + sec - east;
	if (date < 0)
		return false;
	*out = date * NS_PER_S + ns;
	return true;
}

/* --- the id -------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A UUID as OPA writes it: lower case, with hyphens. */
static bool uuid(struct str s, unsigned char id[16])
{
	size_t n = 0;

	if (s.len != 36)
		return false;
	for (size_t i = 0; i < s.len;) {
		int hi, lo;

		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (s.ptr[i++] != '-')
				return false;
			continue;
		}
		hi = hex_digit(s.ptr[i]);
		lo = hex_digit(s.ptr[i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		id[n++] = (unsigned char)(hi << 4 | lo);
		i += 2;
	}
	return true;
}

static void hashed_id(struct str a, struct str b, unsigned char id[16])
{
	unsigned char sum[DIGEST_MAX];
	struct digest d;

	digest_init(&d, DIGEST_SHA256);
	digest_update(&d, a.ptr, a.len);
	digest_update(&d, "", 1);
	digest_update(&d, b.ptr, b.len);
	digest_final(&d, sum);
	memcpy(id, sum, 16);
}

void decision_id(struct str text, unsigned char id[16])
{
	if (!uuid(text, id))
		hashed_id(S("id"), text, id);
}

/*
 * An event of the compile API has an empty id. The agent's instance and its
 * count of requests name it then.
 */
static enum status read_id(const struct str got[MEMBERS], struct arena *a,
	struct decision *ev, struct err *e)
{
	struct str instance;

	if (!got[ID].len || json_kind(got[ID]) != JSON_STRING)
		return err_set(e, E_INVALID, "no decision_id");
	ev->id_text = text_of(got[ID], a);
	if (ev->id_text.len > LIMIT_SOURCE)
		return err_set(e, E_LIMIT,
			"a decision_id of %zu bytes, "
			"limit %u",
			ev->id_text.len, LIMIT_SOURCE);
	if (ev->id_text.len) {
		decision_id(ev->id_text, ev->id);
		return OK;
	}
	instance = member_text(ev->labels, S("id"), a);
	if (!instance.len || !got[REQ_ID].len)
		return err_set(e, E_INVALID,
			"an empty decision_id, without labels.id and req_id");
	hashed_id(instance, got[REQ_ID], ev->id);
	return OK;
}

/* --- the rest ------------------------------------------------------------ */

static struct str object_or_none(struct str span)
{
	return span.len && json_kind(span) == JSON_OBJECT ? span
							  : (struct str){0};
}

static struct str revision_of(struct str bundles, struct str legacy,
	const char *name, struct arena *a)
{
	struct json_iter it = json_iter(bundles);
	struct str one = {0};

	if (name) {
		json_member(bundles, str_from(name), &one);
		return member_text(one, S("revision"), a);
	}
	while (json_next(&it)) {
		one = member_text(it.value, S("revision"), a);
		if (one.len)
			return one;
	}
	return text_of(legacy, a);
}

static int64_t latency_of(struct str metrics)
{
	static const struct str timers[] = {
		STR("timer_server_handler_ns"),
		STR("timer_rego_query_eval_ns"),
	};
	struct str v;
	int64_t ns;

	for (size_t i = 0; i < COUNT(timers); i++)
		if (json_member(metrics, timers[i], &v) && json_int(v, &ns) &&
			ns >= 0)
			return ns;
	return -1;
}

static bool has_text(struct str array, struct str text)
{
	struct json_iter it = json_iter(array);

	while (json_next(&it))
		if (json_kind(it.value) == JSON_STRING &&
			json_text_is(it.value, text))
			return true;
	return false;
}

static bool not_empty(struct str array)
{
	struct json_iter it = json_iter(array);

	return json_next(&it);
}

static void read_masks(const struct str got[MEMBERS], struct decision *ev)
{
	ev->result_erased = has_text(got[ERASED], S("/result"));
	if (not_empty(got[ERASED]) || not_empty(got[MASKED]))
		ev->flags |= DECISION_MASKED;
}

/* With a slash in front from some producers, without from OPA's server. */
static struct str path_of(struct str span, struct arena *a)
{
	struct str path = text_of(span, a);

	while (str_starts(path, S("/")))
		path = str_slice(path, 1, path.len);
	return path;
}

static void read_rest(const struct str got[MEMBERS], const char *bundle,
	struct arena *a, struct decision *ev)
{
	struct str type =
		member_text(object_or_none(got[CUSTOM]), S("type"), a);

	ev->bundles = object_or_none(got[BUNDLES]);
	ev->revision = revision_of(ev->bundles, got[REVISION], bundle, a);
	ev->path = path_of(got[PATH], a);
	ev->query = text_of(got[QUERY], a);
	ev->input = got[INPUT];
	ev->result = got[RESULT];
	if (got[ERROR].len && json_kind(got[ERROR]) != JSON_NULL)
		ev->error = got[ERROR];
	ev->label_target = member_text(ev->labels, S("target"), a);
	ev->latency = latency_of(object_or_none(got[METRICS]));
	read_masks(got, ev);
	if (str_is(type, "open-policy-agent/compile"))
		ev->flags |= DECISION_COMPILE;
}

const struct json_limits event_limits = {.depth = LIMIT_EVENT_DEPTH};

enum status decision_read(struct str doc, const char *bundle, struct arena *a,
	struct decision *out, struct err *e)
{
	struct decision ev = {.bytes = doc};
	struct str got[MEMBERS];
	enum status st;

	if (doc.len > LIMIT_EVENT)
		return err_set(e, E_LIMIT, "an event of %zu bytes, limit %zu",
			doc.len, LIMIT_EVENT);
	if (json_kind(doc) != JSON_OBJECT)
		return err_set(e, E_INVALID, "no event, which is an object");
	json_members(doc, names, MEMBERS, got);
	ev.labels = object_or_none(got[LABELS]);
	st = read_id(got, a, &ev, e);
	if (st)
		return st;
	if (!timestamp(text_of(got[TIMESTAMP], a), &ev.time))
		return err_set(e, E_INVALID, "%s",
			got[TIMESTAMP].len ? "the timestamp is not RFC 3339"
					   : "no timestamp");
	read_rest(got, bundle, a, &ev);
	*out = ev;
	return OK;
}

enum status decision_parse(struct str bytes, const char *bundle,
	struct arena *a, struct decision *out, struct err *e)
{
	struct str doc;
	enum status st;

	st = json_check(bytes, &event_limits, &doc, e);
	return st ? st : decision_read(doc, bundle, a, out, e);
}

bool decision_input_hash(
	const struct decision *ev, unsigned char sum[MERKLE_BYTES])
{
	if (!ev->input.len)
		return false;
	digest(DIGEST_SHA256, ev->input, sum);
	return true;
}
