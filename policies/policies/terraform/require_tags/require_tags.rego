# METADATA
# title: Cloud resources are tagged
# description: >-
#   Tags say whose a resource is and what it is for. Tags by default of the
#   provider count; what can't be tagged need not be.
# custom:
#   id: require-tags
#   severity: low
#   owners: [platform-team]
#   remediation: Set the tags team and service, best in default_tags of the provider.
package library.terraform.require_tags

import data.library.lib.terraform

required := {"service", "team"}

# METADATA
# description: Arguments that hold tags; labels are Google's.
arguments := ["tags_all", "tags", "labels"]

violations contains terraform.violation(resource, [argument, tag], "missing", "set it") if {
	some resource in terraform.resources
	argument := [name | some name in arguments; taggable(resource, name)][0]
	some tag in required
	not tagged(resource, tag)
}

taggable(resource, argument) if argument in object.keys(resource.change.after)

taggable(resource, argument) if terraform.unknown(resource, [argument])

tagged(resource, tag) if {
	some argument in arguments
	not terraform.value(resource, [argument, tag]) in {"", "missing"}
}
