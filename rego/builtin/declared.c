/*
 * What each builtin takes and gives, as OPA 1.22.2 declares it.
 *
 * A declaration is a line for each argument, one that begins with `+` for all
 * further arguments, and one that begins with `=` for the result, if there is
 * one. A line is type|name|description; the last two may be missing. They are
 * part of the interface: type errors as JSON show them. tests/e2e/declared.py
 * compares all rows with those of a real OPA.
 *
 *	0 b n s a   null, boolean, number, string, any
 *	[ns]        array of a number and a string
 *	[n*]        array of numbers
 *	%s          set of strings
 *	{s:a}       object of any values under strings
 *	{id=n,s:a}  the same, with a number under "id"
 *	<ns>        number or string
 *
 * Rows are sorted by name. Nothing is parsed before a type is asked for.
 */
#include "rego/builtin.h"

#include <stdlib.h>
#include <string.h>

struct declared {
	const char *name, *decl;
};

/* clang-format off */
static const struct declared rows[] = {
	{"abs",
		"n|x|the number to take the absolute value of\n"
		"=n|y|the absolute value of `x`"},
	{"all",
		"<[a*]%a>\n"
		"=b"},
	{"and",
		"%a|x|the first set\n"
		"%a|y|the second set\n"
		"=%a|z|the intersection of `x` and `y`"},
	{"any",
		"<[a*]%a>\n"
		"=b"},
	{"array.concat",
		"[a*]|x|the first array\n"
		"[a*]|y|the second array\n"
		"=[a*]|z|the concatenation of `x` and `y`"},
	{"array.flatten",
		"[a*]|arr|the array to be flattened\n"
		"=[a*]|flattened|array flattened one level"},
	{"array.reverse",
		"[a*]|arr|the array to be reversed\n"
		"=[a*]|rev|an array containing the elements of `arr` in reverse order"},
	{"array.slice",
		"[a*]|arr|the array to be sliced\n"
		"n|start|the start index of the returned slice; if less than zero, it's clamped to 0\n"
		"n|stop|the stop index of the returned slice; if larger than `count(arr)`, it's clamped to `count(arr)`\n"
		"=[a*]|slice|the subslice of `array`, from `start` to `end`, including `arr[start]`, but excluding `arr[end]`"},
	{"assign",
		"a\n"
		"a\n"
		"=b"},
	{"base64.decode",
		"s|x|string to decode\n"
		"=s|y|base64 deserialization of `x`"},
	{"base64.encode",
		"s|x|string to encode\n"
		"=s|y|base64 serialization of `x`"},
	{"base64.is_valid",
		"s|x|string to check\n"
		"=b|result|`true` if `x` is valid base64 encoded value, `false` otherwise"},
	{"base64url.decode",
		"s|x|string to decode\n"
		"=s|y|base64url deserialization of `x`"},
	{"base64url.encode",
		"s|x|string to encode\n"
		"=s|y|base64url serialization of `x`"},
	{"base64url.encode_no_pad",
		"s|x|string to encode\n"
		"=s|y|base64url serialization of `x`"},
	{"bits.and",
		"n|x|the first integer\n"
		"n|y|the second integer\n"
		"=n|z|the bitwise AND of `x` and `y`"},
	{"bits.lsh",
		"n|x|the integer to shift\n"
		"n|s|the number of bits to shift\n"
		"=n|z|the result of shifting `x` `s` bits to the left"},
	{"bits.negate",
		"n|x|the integer to negate\n"
		"=n|z|the bitwise negation of `x`"},
	{"bits.or",
		"n|x|the first integer\n"
		"n|y|the second integer\n"
		"=n|z|the bitwise OR of `x` and `y`"},
	{"bits.rsh",
		"n|x|the integer to shift\n"
		"n|s|the number of bits to shift\n"
		"=n|z|the result of shifting `x` `s` bits to the right"},
	{"bits.xor",
		"n|x|the first integer\n"
		"n|y|the second integer\n"
		"=n|z|the bitwise XOR of `x` and `y`"},
	{"cast_array",
		"a\n"
		"=[a*]"},
	{"cast_boolean",
		"a\n"
		"=b"},
	{"cast_null",
		"a\n"
		"=0"},
	{"cast_object",
		"a\n"
		"={a:a}"},
	{"cast_set",
		"a\n"
		"=%a"},
	{"cast_string",
		"a\n"
		"=s"},
	{"ceil",
		"n|x|the number to round\n"
		"=n|y|the result of rounding `x` _up_"},
	{"concat",
		"s|delimiter|string to use as a delimiter\n"
		"<[s*]%s>|collection|strings to join\n"
		"=s|output|the joined string"},
	{"contains",
		"s|haystack|string to search in\n"
		"s|needle|substring to look for\n"
		"=b|result|result of the containment check"},
	{"count",
		"<s[a*]{a:a}%a>|collection|the set/array/object/string to be counted\n"
		"=n|n|the count of elements, key/val pairs, or characters, respectively."},
	{"crypto.hmac.equal",
		"s|mac1|mac1 to compare\n"
		"s|mac2|mac2 to compare\n"
		"=b|result|`true` if the MACs are equals, `false` otherwise"},
	{"crypto.hmac.md5",
		"s|x|input string\n"
		"s|key|key to use\n"
		"=s|y|MD5-HMAC of `x`"},
	{"crypto.hmac.sha1",
		"s|x|input string\n"
		"s|key|key to use\n"
		"=s|y|SHA1-HMAC of `x`"},
	{"crypto.hmac.sha256",
		"s|x|input string\n"
		"s|key|key to use\n"
		"=s|y|SHA256-HMAC of `x`"},
	{"crypto.hmac.sha512",
		"s|x|input string\n"
		"s|key|key to use\n"
		"=s|y|SHA512-HMAC of `x`"},
	{"crypto.md5",
		"s|x|input string\n"
		"=s|y|MD5-hash of `x`"},
	{"crypto.parse_private_keys",
		"s|keys|PEM encoded data containing one or more private keys as concatenated blocks. Optionally Base64 encoded.\n"
		"=[{s:a}*]|output|parsed private keys represented as objects"},
	{"crypto.sha1",
		"s|x|input string\n"
		"=s|y|SHA1-hash of `x`"},
	{"crypto.sha256",
		"s|x|input string\n"
		"=s|y|SHA256-hash of `x`"},
	{"crypto.x509.parse_and_verify_certificates",
		"s|certs|base64 encoded DER or PEM data containing two or more certificates where the first is a root CA, the last is a leaf certificate, and all others are intermediate CAs\n"
		"=[b[{s:a}*]]|output|array of `[valid, certs]`: if the input certificate chain could be verified then `valid` is `true` and `certs` is an array of X.509 certificates represented as objects; if the input certificate chain could not be verified then `valid` is `false` and `certs` is `[]`"},
	{"crypto.x509.parse_and_verify_certificates_with_options",
		"s|certs|base64 encoded DER or PEM data containing two or more certificates where the first is a root CA, the last is a leaf certificate, and all others are intermediate CAs\n"
		"{s:a}|options|object containing extra configs to verify the validity of certificates. `options` object supports four fields which maps to same fields in [x509.VerifyOptions struct](https://pkg.go.dev/crypto/x509#VerifyOptions). `DNSName`, `CurrentTime`: Nanoseconds since the Unix Epoch as a number, `MaxConstraintComparisons` and `KeyUsages`. `KeyUsages` is list and can have possible values as in: `\"KeyUsageAny\"`, `\"KeyUsageServerAuth\"`, `\"KeyUsageClientAuth\"`, `\"KeyUsageCodeSigning\"`, `\"KeyUsageEmailProtection\"`, `\"KeyUsageIPSECEndSystem\"`, `\"KeyUsageIPSECTunnel\"`, `\"KeyUsageIPSECUser\"`, `\"KeyUsageTimeStamping\"`, `\"KeyUsageOCSPSigning\"`, `\"KeyUsageMicrosoftServerGatedCrypto\"`, `\"KeyUsageNetscapeServerGatedCrypto\"`, `\"KeyUsageMicrosoftCommercialCodeSigning\"`, `\"KeyUsageMicrosoftKernelCodeSigning\"` \n"
		"=[b[{s:a}*]]|output|array of `[valid, certs]`: if the input certificate chain could be verified then `valid` is `true` and `certs` is an array of X.509 certificates represented as objects; if the input certificate chain could not be verified then `valid` is `false` and `certs` is `[]`"},
	{"crypto.x509.parse_certificate_request",
		"s|csr|base64 string containing either a PEM encoded or DER CSR or a string containing a PEM CSR\n"
		"={s:a}|output|X.509 CSR represented as an object"},
	{"crypto.x509.parse_certificates",
		"s|certs|base64 encoded DER or PEM data containing one or more certificates or a PEM string of one or more certificates\n"
		"=[{s:a}*]|output|parsed X.509 certificates represented as objects"},
	{"crypto.x509.parse_keypair",
		"s|cert|string containing PEM or base64 encoded DER certificates\n"
		"s|pem|string containing PEM or base64 encoded DER keys\n"
		"={s:a}|output|if key pair is valid, returns the tls.certificate(https://pkg.go.dev/crypto/tls#Certificate) as an object. If the key pair is invalid, nil and an error are returned."},
	{"crypto.x509.parse_rsa_private_key",
		"s|pem|base64 string containing a PEM encoded RSA private key\n"
		"={s:a}|output|JWK as an object"},
	{"div",
		"n|x|the dividend\n"
		"n|y|the divisor\n"
		"=n|z|the result of `x` divided by `y`"},
	{"endswith",
		"s|search|search string\n"
		"s|base|base string\n"
		"=b|result|result of the suffix check"},
	{"eq",
		"a\n"
		"a\n"
		"=b"},
	{"equal",
		"a|x\n"
		"a|y\n"
		"=b|result|true if `x` is equal to `y`; false otherwise"},
	{"floor",
		"n|x|the number to round\n"
		"=n|y|the result of rounding `x` _down_"},
	{"format_int",
		"n|number|number to format\n"
		"n|base|base of number representation to use\n"
		"=s|output|formatted number"},
	{"glob.match",
		"s|pattern|glob pattern\n"
		"<0[s*]>|delimiters|glob pattern delimiters, e.g. `[\".\", \":\"]`, defaults to `[\".\"]` if unset. If `delimiters` is `null`, glob match without delimiter.\n"
		"s|match|string to match against `pattern`\n"
		"=b|result|true if `match` can be found in `pattern` which is separated by `delimiters`"},
	{"glob.quote_meta",
		"s|pattern|glob pattern\n"
		"=s|output|the escaped string of `pattern`"},
	{"graph.reachable",
		"{a:<[a*]%a>}|graph|object containing a set or array of neighboring vertices\n"
		"<[a*]%a>|initial|set or array of root vertices\n"
		"=%a|output|set of vertices reachable from the `initial` vertices in the directed `graph`"},
	{"graph.reachable_paths",
		"{a:<[a*]%a>}|graph|object containing a set or array of root vertices\n"
		"<[a*]%a>|initial|initial paths\n"
		"=%[a*]|output|paths reachable from the `initial` vertices in the directed `graph`"},
	{"graphql.is_valid",
		"<s{a:a}>|query|the GraphQL query\n"
		"<s{a:a}>|schema|the GraphQL schema\n"
		"=b|output|`true` if the query is valid under the given schema. `false` otherwise."},
	{"graphql.parse",
		"<s{a:a}>|query|the GraphQL query\n"
		"<s{a:a}>|schema|the GraphQL schema\n"
		"=[{a:a}{a:a}]|output|`output` is of the form `[query_ast, schema_ast]`. If the GraphQL query is valid given the provided schema, then `query_ast` and `schema_ast` are objects describing the ASTs for the query and schema."},
	{"graphql.parse_and_verify",
		"<s{a:a}>|query|the GraphQL query\n"
		"<s{a:a}>|schema|the GraphQL schema\n"
		"=[b{a:a}{a:a}]|output| `output` is of the form `[valid, query_ast, schema_ast]`. If the query is valid given the provided schema, then `valid` is `true`, and `query_ast` and `schema_ast` are objects describing the ASTs for the GraphQL query and schema. Otherwise, `valid` is `false` and `query_ast` and `schema_ast` are `{}`."},
	{"graphql.parse_query",
		"s|query|GraphQL query string\n"
		"={a:a}|output|AST object for the GraphQL query."},
	{"graphql.parse_schema",
		"s|schema|GraphQL schema string\n"
		"={a:a}|output|AST object for the GraphQL schema."},
	{"graphql.schema_is_valid",
		"<s{a:a}>|schema|the schema to verify\n"
		"=b|output|`true` if the schema is a valid GraphQL schema. `false` otherwise."},
	{"gt",
		"a|x\n"
		"a|y\n"
		"=b|result|true if `x` is greater than `y`; false otherwise"},
	{"gte",
		"a|x\n"
		"a|y\n"
		"=b|result|true if `x` is greater or equal to `y`; false otherwise"},
	{"hex.decode",
		"s|x|a hex-encoded string\n"
		"=s|y|deserialized from `x`"},
	{"hex.encode",
		"s|x|string to encode\n"
		"=s|y|serialization of `x` using hex-encoding"},
	{"http.send",
		"{s:a}|request|the HTTP request object\n"
		"={a:a}|response|the HTTP response object"},
	{"indexof",
		"s|haystack|string to search in\n"
		"s|needle|substring to look for\n"
		"=n|output|index of first occurrence, `-1` if not found"},
	{"indexof_n",
		"s|haystack|string to search in\n"
		"s|needle|substring to look for\n"
		"=[n*]|output|all indices at which `needle` occurs in `haystack`, may be empty"},
	{"internal.member_2",
		"a\n"
		"a\n"
		"=b"},
	{"internal.member_3",
		"a\n"
		"a\n"
		"a\n"
		"=b"},
	{"internal.print",
		"[%a*]"},
	{"internal.template_string",
		"[a*]\n"
		"=s"},
	{"internal.test_case",
		"[a*]"},
	{"intersection",
		"%%a|xs|set of sets to intersect\n"
		"=%a|y|the intersection of all `xs` sets"},
	{"io.jwt.decode",
		"s|jwt|JWT token to decode\n"
		"=[{a:a}{a:a}s]|output|`[header, payload, sig]`, where `header` and `payload` are objects; `sig` is the hexadecimal representation of the signature on the token."},
	{"io.jwt.decode_verify",
		"s|jwt|JWT token whose signature is to be verified and whose claims are to be checked\n"
		"{s:a}|constraints|claim verification constraints\n"
		"=[b{a:a}{a:a}]|output|`[valid, header, payload]`:  if the input token is verified and meets the requirements of `constraints` then `valid` is `true`; `header` and `payload` are objects containing the JOSE header and the JWT claim set; otherwise, `valid` is `false`, `header` and `payload` are `{}`"},
	{"io.jwt.encode_sign",
		"{s:a}|headers|JWS Protected Header\n"
		"{s:a}|payload|JWS Payload\n"
		"{s:a}|key|JSON Web Key (RFC7517)\n"
		"=s|output|signed JWT"},
	{"io.jwt.encode_sign_raw",
		"s|headers|JWS Protected Header\n"
		"s|payload|JWS Payload\n"
		"s|key|JSON Web Key (RFC7517)\n"
		"=s|output|signed JWT"},
	{"io.jwt.verify_eddsa",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_es256",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_es384",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_es512",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_hs256",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|secret|plain text secret used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_hs384",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|secret|plain text secret used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_hs512",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|secret|plain text secret used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_ps256",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_ps384",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_ps512",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_rs256",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_rs384",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"io.jwt.verify_rs512",
		"s|jwt|JWT token whose signature is to be verified\n"
		"s|certificate|PEM encoded certificate, PEM encoded public key, or the JWK key (set) used to verify the signature\n"
		"=b|result|`true` if the signature is valid, `false` otherwise"},
	{"is_array",
		"a|x|input value\n"
		"=b|result|`true` if `x` is an array, `false` otherwise."},
	{"is_boolean",
		"a|x|input value\n"
		"=b|result|`true` if `x` is an boolean, `false` otherwise."},
	{"is_null",
		"a|x|input value\n"
		"=b|result|`true` if `x` is null, `false` otherwise."},
	{"is_number",
		"a|x|input value\n"
		"=b|result|`true` if `x` is a number, `false` otherwise."},
	{"is_object",
		"a|x|input value\n"
		"=b|result|`true` if `x` is an object, `false` otherwise."},
	{"is_set",
		"a|x|input value\n"
		"=b|result|`true` if `x` is a set, `false` otherwise."},
	{"is_string",
		"a|x|input value\n"
		"=b|result|`true` if `x` is a string, `false` otherwise."},
	{"json.filter",
		"{a:a}|object|object to filter\n"
		"<[<s[a*]>*]%<s[a*]>>|paths|JSON string paths\n"
		"={a:a}|filtered|remaining data from `object` with only keys specified in `paths`"},
	{"json.is_valid",
		"s|x|a JSON string\n"
		"=b|result|`true` if `x` is valid JSON, `false` otherwise"},
	{"json.marshal",
		"a|x|the term to serialize\n"
		"=s|y|the JSON string representation of `x`"},
	{"json.marshal_with_options",
		"a|x|the term to serialize\n"
		"{indent=s,prefix=s,pretty=b,s:a}|opts|encoding options\n"
		"=s|y|the JSON string representation of `x`, with configured prefix/indent string(s) as appropriate"},
	{"json.match_schema",
		"<s{a:a}>|document|document to verify by schema\n"
		"<s{a:a}>|schema|schema to verify document by\n"
		"=[b[{desc=s,error=s,field=s,type=s}*]]|output|`output` is of the form `[match, errors]`. If the document is valid given the schema, then `match` is `true`, and `errors` is an empty array. Otherwise, `match` is `false` and `errors` is an array of objects describing the error(s)."},
	{"json.patch",
		"a|target|the object, array or set to patch\n"
		"[{op=s,path=a,a:a}*]|patches|the JSON patches to apply\n"
		"=a|output|result obtained after consecutively applying all patch operations in `patches`"},
	{"json.remove",
		"{a:a}|object|object to remove paths from\n"
		"<[<s[a*]>*]%<s[a*]>>|paths|JSON string paths\n"
		"={a:a}|output|result of removing all keys specified in `paths`"},
	{"json.unmarshal",
		"s|x|a JSON string\n"
		"=a|y|the term deserialized from `x`"},
	{"json.verify_schema",
		"<s{a:a}>|schema|the schema to verify\n"
		"=[b<0s>]|output|`output` is of the form `[valid, error]`. If the schema is valid, then `valid` is `true`, and `error` is `null`. Otherwise, `valid` is `false` and `error` is a string describing the error."},
	{"lower",
		"s|x|string that is converted to lower-case\n"
		"=s|y|lower-case of x"},
	{"lt",
		"a|x\n"
		"a|y\n"
		"=b|result|true if `x` is less than `y`; false otherwise"},
	{"lte",
		"a|x\n"
		"a|y\n"
		"=b|result|true if `x` is less than or equal to `y`; false otherwise"},
	{"max",
		"<[a*]%a>|collection|the set or array to be searched\n"
		"=a|n|the maximum of all elements"},
	{"min",
		"<[a*]%a>|collection|the set or array to be searched\n"
		"=a|n|the minimum of all elements"},
	{"minus",
		"<n%a>|x\n"
		"<n%a>|y\n"
		"=<n%a>|z|the difference of `x` and `y`"},
	{"mul",
		"n|x\n"
		"n|y\n"
		"=n|z|the product of `x` and `y`"},
	{"neq",
		"a|x\n"
		"a|y\n"
		"=b|result|true if `x` is not equal to `y`; false otherwise"},
	{"net.cidr_contains",
		"s|cidr|CIDR to check against\n"
		"s|cidr_or_ip|CIDR or IP to check\n"
		"=b|result|`true` if `cidr_or_ip` is contained within `cidr`"},
	{"net.cidr_contains_matches",
		"<s[<s[a*]>*]{s:<s[a*]>}%<s[a*]>>|cidrs|CIDRs to check against\n"
		"<s[<s[a*]>*]{s:<s[a*]>}%<s[a*]>>|cidrs_or_ips|CIDRs or IPs to check\n"
		"=%[aa]|output|tuples identifying matches where `cidrs_or_ips` are contained within `cidrs`"},
	{"net.cidr_expand",
		"s|cidr|CIDR to expand\n"
		"=%s|hosts|set of IP addresses the CIDR `cidr` expands to"},
	{"net.cidr_intersects",
		"s|cidr1|first CIDR\n"
		"s|cidr2|second CIDR\n"
		"=b|result|`true` if `cidr1` intersects with `cidr2`"},
	{"net.cidr_is_valid",
		"s|cidr|CIDR to validate\n"
		"=b|result|`true` if `cidr` is a valid CIDR"},
	{"net.cidr_merge",
		"<[<s>*]%s>|addrs|CIDRs or IP addresses\n"
		"=%s|output|smallest possible set of CIDRs obtained after merging the provided list of IP addresses and subnets in `addrs`"},
	{"net.cidr_overlap",
		"s\n"
		"s\n"
		"=b"},
	{"net.lookup_ip_addr",
		"s|name|domain name to resolve\n"
		"=%s|addrs|IP addresses (v4 and v6) that `name` resolves to"},
	{"numbers.range",
		"n|a|the start of the range\n"
		"n|b|the end of the range (inclusive)\n"
		"=[n*]|range|the range between `a` and `b`"},
	{"numbers.range_step",
		"n|a|the start of the range\n"
		"n|b|the end of the range (inclusive)\n"
		"n|step|the step between numbers in the range\n"
		"=[n*]|range|the range between `a` and `b` in `step` increments"},
	{"object.filter",
		"{a:a}|object|object to filter keys\n"
		"<[a*]{a:a}%a>|keys|keys to keep in `object`\n"
		"={a:a}|filtered|remaining data from `object` with only keys specified in `keys`"},
	{"object.get",
		"{a:a}|object|object to get `key` from\n"
		"a|key|key to lookup in `object`\n"
		"a|default|default to use when lookup fails\n"
		"=a|value|`object[key]` if present, otherwise `default`"},
	{"object.keys",
		"{a:a}|object|object to get keys from\n"
		"=%a|value|set of `object`'s keys"},
	{"object.remove",
		"{a:a}|object|object to remove keys from\n"
		"<[a*]{a:a}%a>|keys|keys to remove from x\n"
		"={a:a}|output|result of removing the specified `keys` from `object`"},
	{"object.subset",
		"<[a*]{a:a}%a>|super|object to test if sub is a subset of\n"
		"<[a*]{a:a}%a>|sub|object to test if super is a superset of\n"
		"=b|result|`true` if `sub` is a subset of `super`, otherwise undefined"},
	{"object.union",
		"{a:a}|a|left-hand object\n"
		"{a:a}|b|right-hand object\n"
		"={a:a}|output|a new object which is the result of an asymmetric recursive union of two objects where conflicts are resolved by choosing the key from the right-hand object `b`"},
	{"object.union_n",
		"[{a:a}*]|objects|list of objects to merge\n"
		"={a:a}|output|asymmetric recursive union of all objects in `objects`, merged from left to right, where conflicts are resolved by choosing the key from the right-hand object"},
	{"opa.runtime",
		"={s:a}|output|includes a `config` key if OPA was started with a configuration file; an `env` key containing the environment variables that the OPA process was started with; includes `version` and `commit` keys containing the version and build commit of OPA."},
	{"or",
		"%a|x\n"
		"%a|y\n"
		"=%a|z|the union of `x` and `y`"},
	{"plus",
		"n|x\n"
		"n|y\n"
		"=n|z|the sum of `x` and `y`"},
	{"print",
		"+a"},
	{"product",
		"<[n*]%n>|collection|the set or array of numbers to multiply\n"
		"=n|n|the product of all elements"},
	{"providers.aws.sign_req",
		"{s:a}|request|HTTP request object\n"
		"{s:a}|aws_config|AWS configuration object\n"
		"n|time_ns|nanoseconds since the epoch\n"
		"={a:a}|signed_request|HTTP request object with `Authorization` header"},
	{"rand.intn",
		"s|str|seed string for the random number\n"
		"n|n|upper bound of the random number (exclusive)\n"
		"=n|y|random integer in the range `[0, abs(n))`"},
	{"re_match",
		"s\n"
		"s\n"
		"=b"},
	{"regex.find_all_string_submatch_n",
		"s|pattern|regular expression\n"
		"s|value|string to match\n"
		"n|number|number of matches to return; `-1` means all matches\n"
		"=[[s*]*]|output|array of all matches"},
	{"regex.find_n",
		"s|pattern|regular expression\n"
		"s|value|string to match\n"
		"n|number|number of matches to return, if `-1`, returns all matches\n"
		"=[s*]|output|collected matches"},
	{"regex.globs_match",
		"s|glob1|first glob-style regular expression\n"
		"s|glob2|second glob-style regular expression\n"
		"=b|result|true if the intersection of `glob1` and `glob2` matches a non-empty set of non-empty strings"},
	{"regex.is_valid",
		"s|pattern|regular expression\n"
		"=b|result|true if `pattern` is a valid regular expression"},
	{"regex.match",
		"s|pattern|regular expression\n"
		"s|value|value to match against `pattern`\n"
		"=b|result|true if `value` matches `pattern`"},
	{"regex.replace",
		"s|s|string being processed\n"
		"s|pattern|regex pattern to be applied\n"
		"s|value|regex value\n"
		"=s|output|string with replaced substrings"},
	{"regex.split",
		"s|pattern|regular expression\n"
		"s|value|string to match\n"
		"=[s*]|output|the parts obtained by splitting `value`"},
	{"regex.template_match",
		"s|template|template expression containing `0..n` regular expressions\n"
		"s|value|string to match\n"
		"s|delimiter_start|start delimiter of the regular expression in `template`\n"
		"s|delimiter_end|end delimiter of the regular expression in `template`\n"
		"=b|result|true if `value` matches the `template`"},
	{"rego.metadata.chain",
		"=[a*]|chain|each array entry represents a node in the path ancestry (chain) of the active rule that also has declared annotations"},
	{"rego.metadata.rule",
		"=a|output|\"rule\" scope annotations for this rule; empty object if no annotations exist"},
	{"rego.parse_module",
		"s|filename|file name to attach to AST nodes' locations\n"
		"s|rego|Rego module\n"
		"={s:a}|output|AST object for the Rego module"},
	{"rem",
		"n|x\n"
		"n|y\n"
		"=n|z|the remainder"},
	{"replace",
		"s|x|string being processed\n"
		"s|old|substring to replace\n"
		"s|new|string to replace `old` with\n"
		"=s|y|string with replaced substrings"},
	{"round",
		"n|x|the number to round\n"
		"=n|y|the result of rounding `x`"},
	{"semver.compare",
		"s|a|first version string\n"
		"s|b|second version string\n"
		"=n|result|`-1` if `a < b`; `1` if `a > b`; `0` if `a == b`"},
	{"semver.is_valid",
		"a|vsn|input to validate\n"
		"=b|result|`true` if `vsn` is a valid SemVer; `false` otherwise"},
	{"set_diff",
		"%a\n"
		"%a\n"
		"=%a"},
	{"sort",
		"<[a*]%a>|collection|the array or set to be sorted\n"
		"=[a*]|n|the sorted array"},
	{"split",
		"s|x|string that is split\n"
		"s|delimiter|delimiter used for splitting\n"
		"=[s*]|ys|split parts"},
	{"sprintf",
		"s|format|string with formatting verbs\n"
		"[a*]|values|arguments to format into formatting verbs\n"
		"=s|output|`format` formatted by the values in `values`"},
	{"startswith",
		"s|search|search string\n"
		"s|base|base string\n"
		"=b|result|result of the prefix check"},
	{"strings.any_prefix_match",
		"<s[s*]%s>|search|search string(s)\n"
		"<s[s*]%s>|base|base string(s)\n"
		"=b|result|result of the prefix check"},
	{"strings.any_suffix_match",
		"<s[s*]%s>|search|search string(s)\n"
		"<s[s*]%s>|base|base string(s)\n"
		"=b|result|result of the suffix check"},
	{"strings.count",
		"s|search|string to search in\n"
		"s|substring|substring to look for\n"
		"=n|output|count of occurrences, `0` if not found"},
	{"strings.render_template",
		"s|value|a templated string\n"
		"{s:a}|vars|a mapping of template variable keys to values\n"
		"=s|result|rendered template with template variables injected"},
	{"strings.replace_n",
		"{s:s}|patterns|replacement pairs\n"
		"s|value|string to replace substring matches in\n"
		"=s|output|string with replaced substrings"},
	{"strings.reverse",
		"s|x|string to reverse\n"
		"=s|y|reversed string"},
	{"strings.split_n",
		"s|x|string that is split\n"
		"s|delimiter|delimiter used for splitting\n"
		"n|n|number of parts to return; positive selects from the left, negative from the right, zero returns an empty array\n"
		"=[s*]|ys|split parts"},
	{"substring",
		"s|value|string to extract substring from\n"
		"n|offset|offset, must be positive\n"
		"n|length|length of the substring starting from `offset`\n"
		"=s|output|substring of `value` from `offset`, of length `length`"},
	{"sum",
		"<[n*]%n>|collection|the set or array of numbers to sum\n"
		"=n|n|the sum of all elements"},
	{"time.add_date",
		"n|ns|nanoseconds since the epoch\n"
		"n|years|number of years to add\n"
		"n|months|number of months to add\n"
		"n|days|number of days to add\n"
		"=n|output|nanoseconds since the epoch representing the input time, with years, months and days added"},
	{"time.clock",
		"<n[ns]>|x|a number representing the nanoseconds since the epoch (UTC); or a two-element array of the nanoseconds, and a timezone string\n"
		"=[nnn]|output|the `hour`, `minute` (0-59), and `second` (0-59) representing the time of day for the nanoseconds since epoch in the supplied timezone (or UTC)"},
	{"time.date",
		"<n[ns]>|x|a number representing the nanoseconds since the epoch (UTC); or a two-element array of the nanoseconds, and a timezone string\n"
		"=[nnn]|date|an array of `year`, `month` (1-12), and `day` (1-31)"},
	{"time.diff",
		"<n[ns]>|ns1|nanoseconds since the epoch; or a two-element array of the nanoseconds, and a timezone string\n"
		"<n[ns]>|ns2|nanoseconds since the epoch; or a two-element array of the nanoseconds, and a timezone string\n"
		"=[nnnnnn]|output|difference between `ns1` and `ns2` (in their supplied timezones, if supplied, or UTC) as array of numbers: `[years, months, days, hours, minutes, seconds]`"},
	{"time.format",
		"<n[ns][nss]>|x|a number representing the nanoseconds since the epoch (UTC); or a two-element array of the nanoseconds, and a timezone string; or a three-element array of ns, timezone string and a layout string or golang defined formatting constant (see golang supported time formats)\n"
		"=s|formatted timestamp|the formatted timestamp represented for the nanoseconds since the epoch in the supplied timezone (or UTC)"},
	{"time.now_ns",
		"=n|now|nanoseconds since epoch"},
	{"time.parse_duration_ns",
		"s|duration|a duration like \"3m\"; see the [OPA `Duration Parsing` documentation](https://www.openpolicyagent.org/docs/latest/policy-reference/builtins/time#duration-parsing) for more details\n"
		"=n|ns|the `duration` in nanoseconds"},
	{"time.parse_ns",
		"s|layout|format used for parsing, see the [Go `time` package documentation](https://golang.org/pkg/time/#Parse) for more details\n"
		"s|value|input to parse according to `layout`\n"
		"=n|ns|`value` in nanoseconds since epoch"},
	{"time.parse_rfc3339_ns",
		"s|value|input string to parse in RFC3339 format\n"
		"=n|ns|`value` in nanoseconds since epoch"},
	{"time.weekday",
		"<n[ns]>|x|a number representing the nanoseconds since the epoch (UTC); or a two-element array of the nanoseconds, and a timezone string\n"
		"=s|day|the weekday represented by `ns` nanoseconds since the epoch in the supplied timezone (or UTC)"},
	{"to_number",
		"<0bns>|value|value to convert\n"
		"=n|num|the numeric representation of `value`"},
	{"trace",
		"s|note|the note to include\n"
		"=b|result|always `true`"},
	{"trim",
		"s|value|string to trim\n"
		"s|cutset|string of characters that are cut off\n"
		"=s|output|string trimmed of `cutset` characters"},
	{"trim_left",
		"s|value|string to trim\n"
		"s|cutset|string of characters that are cut off on the left\n"
		"=s|output|string left-trimmed of `cutset` characters"},
	{"trim_prefix",
		"s|value|string to trim\n"
		"s|prefix|prefix to cut off\n"
		"=s|output|string with `prefix` cut off"},
	{"trim_right",
		"s|value|string to trim\n"
		"s|cutset|string of characters that are cut off on the right\n"
		"=s|output|string right-trimmed of `cutset` characters"},
	{"trim_space",
		"s|value|string to trim\n"
		"=s|output|string leading and trailing white space cut off"},
	{"trim_suffix",
		"s|value|string to trim\n"
		"s|suffix|suffix to cut off\n"
		"=s|output|string with `suffix` cut off"},
	{"type_name",
		"a|x|input value\n"
		"=s|type|one of \"null\", \"boolean\", \"number\", \"string\", \"array\", \"object\", \"set\""},
	{"union",
		"%%a|xs|set of sets to merge\n"
		"=%a|y|the union of all `xs` sets"},
	{"units.parse",
		"s|x|the unit to parse\n"
		"=n|y|the parsed number"},
	{"units.parse_bytes",
		"s|x|the byte unit to parse\n"
		"=n|y|the parsed number"},
	{"upper",
		"s|x|string that is converted to upper-case\n"
		"=s|y|upper-case of x"},
	{"uri.is_valid",
		"s|uri|the URI string to validate\n"
		"=b|result|true if `uri` is a valid URI, false otherwise"},
	{"uri.parse",
		"s|uri|the URI string to parse\n"
		"={s:s}|output|object containing URI components"},
	{"urlquery.decode",
		"s|x|the URL-encoded string\n"
		"=s|y|URL-encoding deserialization of `x`"},
	{"urlquery.decode_object",
		"s|x|the query string\n"
		"={s:[s*]}|object|the resulting object"},
	{"urlquery.encode",
		"s|x|the string to encode\n"
		"=s|y|URL-encoding serialization of `x`"},
	{"urlquery.encode_object",
		"{s:<s[s*]%s>}|object|the object to encode\n"
		"=s|y|the URL-encoded serialization of `object`"},
	{"uuid.parse",
		"s|uuid|UUID string to parse\n"
		"={s:a}|result|Properties of UUID if valid (version, variant, etc). Undefined otherwise."},
	{"uuid.rfc4122",
		"s|k|seed string\n"
		"=s|output|a version 4 UUID; for any given `k`, the output will be consistent throughout a query evaluation"},
	{"walk",
		"a|x|value to walk\n"
		"=[[a*]a]|output|pairs of `path` and `value`: `path` is an array representing the pointer to `value` in `x`. If `path` is assigned a wildcard (`_`), the `walk` function will skip path creation entirely for faster evaluation."},
	{"yaml.is_valid",
		"s|x|a YAML string\n"
		"=b|result|`true` if `x` is valid YAML, `false` otherwise"},
	{"yaml.marshal",
		"a|x|the term to serialize\n"
		"=s|y|the YAML string representation of `x`"},
	{"yaml.unmarshal",
		"s|x|a YAML string\n"
		"=a|y|the term deserialized from `x`"},
};
/* clang-format on */

static int by_name(const void *key, const void *row)
{
	return strcmp(key, ((const struct declared *)row)->name);
}

const char *builtin_declared(const struct builtin *b)
{
	const struct declared *d =
		bsearch(b->name, rows, COUNT(rows), sizeof(*rows), by_name);

	return d ? d->decl : NULL;
}
