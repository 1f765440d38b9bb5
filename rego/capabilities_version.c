/*
 * When OPA got what: facts of its release notes and its own list of
 * capabilities, as tables of what was new in a version.
 */
#include "rego/capabilities.h"
#include "rego/lex.h"

#include <assert.h>
#include <string.h>

#define V(major, minor, patch)                                                 \
	VERSION_NUMBER(major, minor, patch, VERSION_FINAL)
#define RC(major, minor, n) VERSION_NUMBER(major, minor, 0, n)

/* --- versions ---------------------------------------------------------- */

/* The last patch of each minor version, from the first with a name on. */
static const struct {
	uint32_t major, first;
	const char *patches;
} majors[] = {
	{0, 17, "302510202010420112012100021003402200100010000101001000"},
	{1, 0, "10002100000132112121242"},
};

/* Candidates before x.y.0 that have a name: -rc1 to -rcn. */
static const struct {
	uint32_t major, minor, n;
} candidates[] = {{0, 19, 1}, {0, 25, 4}};

enum { VERSIONS_MAX = 512 };

struct versions {
	uint32_t items[VERSIONS_MAX];
	uint32_t len;
};

static void add(struct versions *all, uint32_t version)
{
	assert(all->len < VERSIONS_MAX);
	all->items[all->len++] = version;
}

static void add_candidates(struct versions *all, uint32_t major, uint32_t minor)
{
	for (size_t i = 0; i < COUNT(candidates); i++)
		for (uint32_t n = 1;
			candidates[i].major == major &&
			candidates[i].minor == minor && n <= candidates[i].n;
			n++)
			add(all, RC(major, minor, n));
}

/* Oldest first. */
static struct versions all_versions(void)
{
	struct versions all = {.len = 0};

	for (size_t i = 0; i < COUNT(majors); i++)
		for (uint32_t k = 0; majors[i].patches[k]; k++) {
			uint32_t last = (uint32_t)(majors[i].patches[k] - '0');
			uint32_t minor = majors[i].first + k;

			add_candidates(&all, majors[i].major, minor);
			for (uint32_t patch = 0; patch <= last; patch++)
				add(&all, V(majors[i].major, minor, patch));
		}
	return all;
}

static void version_text(struct buf *out, uint32_t version)
{
	uint32_t stage = version & 0xff;

	buf_addf(out, "v%u.%u.%u", version >> 24, version >> 16 & 0xff,
		version >> 8 & 0xff);
	if (stage != VERSION_FINAL)
		buf_addf(out, "-rc%u", stage);
}

void capabilities_versions(struct buf *out)
{
	struct versions all = all_versions();

	for (uint32_t i = 0; i < all.len; i++) {
		version_text(out, all.items[i]);
		buf_addc(out, '\n');
	}
}

uint32_t version_parse(struct str name)
{
	struct versions all = all_versions();
	uint32_t found = 0;

	for (uint32_t i = 0; i < all.len && !found; i++) {
		struct buf text = {0};

		version_text(&text, all.items[i]);
		if (str_eq(name, buf_str(&text)))
			found = all.items[i];
		buf_release(&text);
	}
	return found;
}

/* --- the language ------------------------------------------------------ */

/* clang-format off */
static const struct {
	uint32_t since, until; /* until 0: still there */
	unsigned features;
	uint32_t keywords;
} language[] = {
	{V(0, 34, 0), V(1, 0, 0), 0,                        KW_IN},
	{V(0, 38, 0), V(1, 0, 0), 0,                        KW_EVERY},
	{V(0, 42, 0), V(1, 0, 0), 0,                        KW_CONTAINS | KW_IF},
	{V(0, 46, 0), V(1, 0, 0), FEATURE_REF_HEAD_PREFIXES, 0},
	{V(0, 59, 0), V(1, 0, 0), FEATURE_REF_HEADS | FEATURE_REGO_V1_IMPORT, 0},
	{V(1, 0, 0),  0,          FEATURE_REGO_V1,          0},
	{V(1, 6, 0),  0,          FEATURE_KEYWORDS_IN_REFS, 0},
	{V(1, 12, 0), 0,          FEATURE_TEMPLATES,        0},
	{V(1, 17, 0), 0,          0,                        KW_NOT},
	{V(1, 20, 0), 0,          0,                        KW_AND | KW_OR},
	{V(1, 22, 0), 0,          FEATURE_REGO_V2 | FEATURE_REGO_V2_IMPORT, 0},
};

/* The builtins that were new; those on no line were there from the start. */
static const struct {
	uint32_t since;
	const char *names;
} additions[] = {
	{V(0, 17, 2), "object.filter object.remove object.union"},
	{V(0, 18, 0), "bits.and bits.lsh bits.negate bits.or bits.rsh bits.xor json.remove"},
	{RC(0, 19, 1), "net.cidr_contains_matches"},
	{V(0, 19, 0), "time.add_date"},
	{V(0, 20, 0), "graph.reachable io.jwt.verify_es384 io.jwt.verify_es512 io.jwt.verify_hs384 io.jwt.verify_hs512 "
		"io.jwt.verify_ps384 io.jwt.verify_ps512 io.jwt.verify_rs384 io.jwt.verify_rs512 uuid.rfc4122"},
	{V(0, 21, 0), "crypto.x509.parse_certificate_request"},
	{V(0, 22, 0), "numbers.range semver.compare semver.is_valid"},
	{V(0, 23, 0), "regex.is_valid regex.match"},
	{V(0, 24, 0), "base64.is_valid net.cidr_merge urlquery.decode_object"},
	{RC(0, 25, 1), "json.is_valid yaml.is_valid"},
	{RC(0, 25, 2), "base64url.encode_no_pad hex.decode hex.encode"},
	{V(0, 25, 0), "json.patch"},
	{V(0, 26, 0), "ceil floor"},
	{V(0, 28, 0), "time.diff"},
	{V(0, 31, 0), "crypto.x509.parse_and_verify_certificates rand.intn"},
	{V(0, 33, 0), "crypto.x509.parse_rsa_private_key"},
	{V(0, 34, 0), "internal.member_2 internal.member_3 internal.print print"},
	{V(0, 35, 0), "net.lookup_ip_addr"},
	{V(0, 36, 0), "array.reverse crypto.hmac.md5 crypto.hmac.sha1 crypto.hmac.sha256 crypto.hmac.sha512 strings.reverse"},
	{V(0, 37, 0), "graph.reachable_paths indexof_n object.union_n"},
	{V(0, 40, 0), "rego.metadata.chain rego.metadata.rule"},
	{V(0, 41, 0), "graphql.is_valid graphql.parse graphql.parse_and_verify graphql.parse_query graphql.parse_schema units.parse"},
	{V(0, 42, 0), "object.subset"},
	{V(0, 44, 0), "strings.any_prefix_match strings.any_suffix_match"},
	{V(0, 45, 0), "regex.replace"},
	{V(0, 46, 0), "graphql.schema_is_valid net.cidr_is_valid"},
	{V(0, 47, 0), "object.keys providers.aws.sign_req"},
	{V(0, 48, 0), "time.format"},
	{V(0, 50, 0), "json.match_schema json.verify_schema"},
	{V(0, 52, 0), "crypto.hmac.equal"},
	{V(0, 53, 0), "crypto.x509.parse_keypair"},
	{V(0, 55, 0), "crypto.parse_private_keys"},
	{V(0, 56, 0), "numbers.range_step"},
	{V(0, 57, 0), "uuid.parse"},
	{V(0, 59, 0), "strings.render_template"},
	{V(0, 63, 0), "crypto.x509.parse_and_verify_certificates_with_options"},
	{V(0, 64, 0), "json.marshal_with_options"},
	{V(0, 67, 0), "strings.count"},
	{V(1, 2, 0),  "internal.test_case"},
	{V(1, 8, 0),  "io.jwt.verify_eddsa"},
	{V(1, 12, 0), "internal.template_string"},
	{V(1, 13, 0), "array.flatten"},
	{V(1, 16, 0), "uri.is_valid uri.parse"},
	{V(1, 19, 0), "strings.split_n"},
};

/* Declarations before they were changed, as in builtin/declared.c. */
static const struct {
	uint32_t until;
	const char *name, *decl;
} former[] = {
	{V(0, 43, 0), "glob.match", "s\n[s*]\ns\n=b"},
	{V(0, 43, 0), "type_name", "<a>\n=s"},
	{V(0, 45, 0), "graphql.is_valid", "s\ns\n=b"},
	{V(0, 45, 0), "graphql.parse", "s\ns\n=[{a:a}{a:a}]"},
	{V(0, 45, 0), "graphql.parse_and_verify", "s\ns\n=[b{a:a}{a:a}]"},
	{V(1, 19, 0), "json.filter", "{a:a}\n<[<s[a*]>*]%<s[a*]>>\n=a"},
	{V(1, 19, 0), "json.remove", "{a:a}\n<[<s[a*]>*]%<s[a*]>>\n=a"},
	{V(1, 19, 0), "object.filter", "{a:a}\n<[a*]{a:a}%a>\n=a"},
	{V(1, 19, 0), "object.remove", "{a:a}\n<[a*]{a:a}%a>\n=a"},
	{V(1, 19, 0), "object.subset", "<[a*]{a:a}%a>\n<[a*]{a:a}%a>\n=a"},
	{V(1, 19, 0), "object.union", "{a:a}\n{a:a}\n=a"},
	{V(1, 19, 0), "object.union_n", "[{a:a}*]\n=a"},
};

/* What files call nondeterministic, and since when. */
static const struct {
	uint32_t since;
	const char *names;
} nondeterministic[] = {
	{V(0, 44, 0), "http.send io.jwt.decode_verify io.jwt.encode_sign io.jwt.encode_sign_raw net.lookup_ip_addr opa.runtime "
		"rand.intn time.now_ns uuid.rfc4122"},
	{V(1, 21, 0), "json.match_schema json.verify_schema"},
};
/* clang-format on */

static bool in_force(size_t i, uint32_t version)
{
	return version >= language[i].since &&
	       (!language[i].until || version < language[i].until);
}

unsigned version_features(uint32_t version)
{
	unsigned all = 0;

	for (size_t i = 0; i < COUNT(language); i++)
		all |= in_force(i, version) ? language[i].features : 0;
	return all;
}

uint32_t version_keywords(uint32_t version)
{
	uint32_t all = 0;

	for (size_t i = 0; i < COUNT(language); i++)
		all |= in_force(i, version) ? language[i].keywords : 0;
	return all;
}

/* --- builtins ---------------------------------------------------------- */

/* A word of a list with blanks between. */
static bool has_word(const char *words, struct str word)
{
	for (size_t len; *words; words += len + (words[len] == ' ')) {
		len = strcspn(words, " ");
		if (str_eq(word, str_make(words, len)))
			return true;
	}
	return false;
}

uint32_t version_of_builtin(struct str name)
{
	for (size_t i = 0; i < COUNT(additions); i++)
		if (has_word(additions[i].names, name))
			return additions[i].since;
	return 0;
}

const char *version_declared(uint32_t version, struct str name)
{
	for (size_t i = 0; i < COUNT(former); i++)
		if (version < former[i].until && str_is(name, former[i].name))
			return former[i].decl;
	return NULL;
}

bool version_marks_deprecated(uint32_t version)
{
	return version >= V(1, 11, 0);
}

bool version_marks_nondeterministic(uint32_t version, struct str name)
{
	for (size_t i = 0; i < COUNT(nondeterministic); i++)
		if (version >= nondeterministic[i].since &&
			has_word(nondeterministic[i].names, name))
			return true;
	return false;
}

int version_wasm_abis(uint32_t version)
{
	return (version >= V(0, 27, 0)) + (version >= V(0, 31, 0));
}
