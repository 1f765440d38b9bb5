# METADATA
# title: Permissions say what they permit
# description: >-
#   A statement that allows all actions, all of a service on everything, or all
#   but a few, permits what nobody has thought of yet.
# custom:
#   id: disallow-wildcard-iam
#   severity: high
#   owners: [cloud-security]
#   remediation: List the actions, and the resources they are for.
package library.terraform.disallow_wildcard_iam

import data.library.lib.iam
import data.library.lib.terraform

# METADATA
# description: Where the types of resources keep a policy document.
documents := {
	"aws_iam_group_policy": {["policy"]},
	"aws_iam_policy": {["policy"]},
	"aws_iam_role": {["inline_policy", "*", "policy"]},
	"aws_iam_role_policy": {["policy"]},
	"aws_iam_user_policy": {["policy"]},
}

violations contains terraform.violation(resource, document.path, found, "list the actions and resources") if {
	some resource in terraform.resources
	some pattern in documents[resource.type]
	some document in terraform.at(resource, pattern)
	some statement in iam.allowed(document.value)
	some found in wildcards(statement)
}

violations contains terraform.violation(resource, ["policy_arn"], found, "write a policy for the job") if {
	some resource in terraform.resources
	regex.match(`^aws_iam_(group_|role_|user_)?policy_attachment$`, resource.type)
	found := resource.change.after.policy_arn
	endswith(found, ":policy/AdministratorAccess")
}

wildcards(statement) := {sprintf("a statement that allows %s", [what]) | some what in found} if {
	found := (all_actions(statement) | all_of_a_service(statement)) | all_but(statement)
}

all_actions(statement) := {"all actions" |
	some action in iam.list(statement.Action)
	action in {"*", "*:*"}
}

all_of_a_service(statement) := {sprintf("%s on all resources", [action]) |
	"*" in iam.list(statement.Resource)
	some action in iam.list(statement.Action)
	regex.match(`^[a-z0-9-]+:[*]$`, action)
}

all_but(statement) := {"all actions but some" | statement.NotAction}
