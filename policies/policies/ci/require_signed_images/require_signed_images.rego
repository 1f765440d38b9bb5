# METADATA
# title: Images are signed, and named by digest
# description: >-
#   A signature is about one digest, so an image that is named by a tag has
#   none. The CI job verifies (with cosign, say) and hands in what it found; here
#   stands whose signatures count.
# custom:
#   id: require-signed-images
#   severity: critical
#   owners: [platform-security]
#   remediation: Deploy the digest that the release workflow built and signed.
package library.ci.require_signed_images

import data.library.lib.ci

# METADATA
# description: Issuers, and a pattern of the identities they vouch for.
trusted := {"https://token.actions.githubusercontent.com": `^https://github[.]com/example/[^/]+/[.]github/workflows/release[.]yaml@refs/(heads/main|tags/v[0-9.]+)$`}

violations contains violation(image, "name", found, "name it by the digest that was signed") if {
	some image in input.images
	not by_digest(image)
	found := sprintf("%q, without a digest", [name(image)])
}

violations contains violation(image, "signatures", found, "sign it in the release workflow") if {
	some image in input.images
	not signed(image)
	found := signers(image)
}

violation(image, field, found, fix) := ci.violation(sprintf("Image %s", [name(image)]), field, found, fix, {"image": name(image)})

name(image) := object.get(image, "name", "without name")

by_digest(image) if regex.match(`@sha256:[0-9a-f]{64}$`, image.name)

signed(image) if {
	some signature in image.signatures
	signature.verified == true
	regex.match(trusted[signature.issuer], signature.identity)
}

signers(image) := sprintf("by %s, which do not count", [concat(", ", names)]) if {
	names := {name |
		some signature in image.signatures
		name := sprintf("%v", [object.get(signature, "identity", "somebody")])
	}
	count(names) > 0
} else := "missing"
