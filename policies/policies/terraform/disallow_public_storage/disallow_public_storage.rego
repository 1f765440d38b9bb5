# METADATA
# title: Storage is not public
# description: >-
#   No bucket and no storage account may be read by everybody: not by an access
#   list, a policy or a grant, nor by leaving the door unlocked.
# custom:
#   id: disallow-public-storage
#   severity: critical
#   owners: [cloud-security]
#   remediation: Serve public files through a CDN with an origin identity.
package library.terraform.disallow_public_storage

import data.library.lib.iam
import data.library.lib.terraform

everybody := {"allUsers", "allAuthenticatedUsers"}

public_acls := {"authenticated-read", "public-read", "public-read-write"}

block_arguments := {
	"block_public_acls",
	"block_public_policy",
	"ignore_public_acls",
	"restrict_public_buckets",
}

violations contains terraform.violation(resource, ["acl"], found, "set it to private") if {
	some resource in terraform.resources
	resource.type in {"aws_s3_bucket", "aws_s3_bucket_acl"}
	found := resource.change.after.acl
	found in public_acls
}

violations contains terraform.violation(resource, grantee.path, grantee.value, "take the grant out") if {
	some resource in terraform.resources
	resource.type == "aws_s3_bucket_acl"
	pattern := ["access_control_policy", "*", "grant", "*", "grantee", "*", "uri"]
	some grantee in terraform.at(resource, pattern)
	regex.match(`/(AllUsers|AuthenticatedUsers)$`, grantee.value)
}

violations contains terraform.violation(resource, [argument], found, "set it to true") if {
	some resource in terraform.resources
	resource.type in {"aws_s3_account_public_access_block", "aws_s3_bucket_public_access_block"}
	some argument in block_arguments
	found := terraform.value(resource, [argument])
	found != true
}

violations contains terraform.violation(resource, ["policy"], "a statement for everybody", "name who may") if {
	some resource in terraform.resources
	resource.type == "aws_s3_bucket_policy"
	some statement in iam.allowed(resource.change.after.policy)
	iam.for_everybody(statement)
}

violations contains terraform.violation(resource, place.path, place.value, "name who may") if {
	some resource in terraform.resources
	startswith(resource.type, "google_storage_bucket_iam_")
	some pattern in [["member"], ["members", "*"]]
	some place in terraform.at(resource, pattern)
	place.value in everybody
}

# It is true unless it is said to be false.
violations contains terraform.violation(resource, [argument], found, "set it to false") if {
	some resource in terraform.resources
	resource.type == "azurerm_storage_account"
	argument := "allow_nested_items_to_be_public"
	found := terraform.value(resource, [argument])
	found != false
}
