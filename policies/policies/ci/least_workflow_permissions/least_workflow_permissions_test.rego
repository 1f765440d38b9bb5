package library.ci.least_workflow_permissions_test

import data.library.ci.least_workflow_permissions

fields(content) := {violation.field | some violation in found} if {
	found := least_workflow_permissions.violations with input.workflows as [{"path": "ci.yaml", "content": content}]
}

test_permissions[name] if {
	some name, row in {
		"of the workflow": {"content": {"permissions": {"contents": "read"}, "jobs": {"a": {}}}, "fields": set()},
		"none at all": {"content": {"permissions": {}, "jobs": {"a": {}}}, "fields": set()},
		"read all": {"content": {"permissions": "read-all", "jobs": {"a": {}}}, "fields": set()},
		"write all": {"content": {"permissions": "write-all", "jobs": {"a": {}}}, "fields": {"permissions"}},
		"of each job": {"content": {"jobs": {"a": {"permissions": {}}, "b": {"permissions": {"id-token": "write"}}}}, "fields": set()},
		"of one job": {"content": {"jobs": {"a": {"permissions": {}}, "b": {}}}, "fields": {"jobs.b.permissions"}},
		"write all in a job": {"content": {"permissions": {}, "jobs": {"a": {"permissions": "write-all"}}}, "fields": {"jobs.a.permissions"}},
		"null": {"content": {"permissions": null, "jobs": {"a": {}}}, "fields": {"jobs.a.permissions"}},
		"an action": {"content": {"runs": {"using": "composite"}}, "fields": set()},
	}
	fields(row.content) == row.fields
}
