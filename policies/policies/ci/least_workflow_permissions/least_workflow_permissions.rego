# METADATA
# title: Workflows say what their token may
# description: >-
#   Without `permissions` a job's token may what the repository's settings give,
#   often everything. Each job, or its workflow, says what it needs.
# custom:
#   id: least-workflow-permissions
#   severity: medium
#   owners: [platform-security]
#   remediation: "Start with `permissions: {contents: read}` and add by job."
package library.ci.least_workflow_permissions

import data.library.lib.ci

violations contains violation(file, "permissions", "write-all", "list what is needed") if {
	some file in input.workflows
	file.content.permissions == "write-all"
}

violations contains violation(file, field, "write-all", "list what is needed") if {
	some file in input.workflows
	some job
	file.content.jobs[job].permissions == "write-all"
	field := sprintf("jobs.%s.permissions", [job])
}

violations contains violation(file, field, "missing", "list what is needed, here or for the workflow") if {
	some file in input.workflows
	not given(file.content)
	some job, steps in file.content.jobs
	not given(steps)
	field := sprintf("jobs.%s.permissions", [job])
}

# An empty object gives nothing, and says so.
given(part) if object.get(part, "permissions", null) != null

violation(file, field, found, fix) := ci.violation(title, field, found, fix, {"path": file.path}) if {
	title := sprintf("Workflow %s", [file.path])
}
