# METADATA
# title: Strangers' code meets no secrets
# description: >-
#   A workflow that pull_request_target or workflow_run starts has the secrets
#   of the repository. One that then checks out the code of the pull request
#   hands them to whoever opened it.
# custom:
#   id: disallow-untrusted-checkout
#   severity: critical
#   owners: [platform-security]
#   remediation: Build the code under pull_request, and use its results in a second workflow.
package library.ci.disallow_untrusted_checkout

import data.library.lib.ci

privileged_triggers := {"pull_request_target", "workflow_run"}

violations contains ci.violation(title, field, found, fix, {"path": file.path}) if {
	some file in input.workflows
	started_by := ci.triggers(file.content) & privileged_triggers
	count(started_by) > 0
	some place in ci.steps
	place.path == file.path
	startswith(place.step.uses, "actions/checkout@")
	some argument in ["ref", "repository"]
	value := place.step.with[argument]
	regex.match(`github[.](head_ref|event[.](pull_request|workflow_run)[.]head)`, value)
	title := sprintf("Workflow %s", [file.path])
	field := sprintf("%s.with.%s", [place.field, argument])
	found := sprintf("%q", [value])
	fix := sprintf("don't check it out under %s", [concat(", ", sort(started_by))])
}
