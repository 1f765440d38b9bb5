package library.lib.ci_test

import data.library.lib.ci

test_violation[name] if {
	some name, row in {
		"in its place": {
			"input": {"repo": "example/shop", "environment": "prod"},
			"subject": {"repo": "example/shop", "environment": "prod", "image": "web"},
		},
		"of no place": {"input": {}, "subject": {"image": "web"}},
	}
	found := ci.violation("Image web", "name", "bad", "mend it", {"image": "web"}) with input as row.input
	found == {"msg": "Image web: name is bad; mend it", "field": "name", "subject": row.subject}
}

test_steps[name] if {
	some name, row in {
		"a workflow": {
			"content": {"jobs": {"a": {"steps": [{"uses": "x"}, {"run": "y"}]}, "b": {"steps": []}}},
			"fields": {"jobs.a.steps[0]", "jobs.a.steps[1]"},
		},
		"a called workflow": {"content": {"jobs": {"a": {"uses": "x"}}}, "fields": {"jobs.a"}},
		"an action": {"content": {"runs": {"using": "composite", "steps": [{"uses": "x"}]}}, "fields": {"runs.steps[0]"}},
		"no jobs": {"content": {"jobs": null}, "fields": set()},
		"nothing": {"content": null, "fields": set()},
	}
	{step.field | some step in ci.steps} == row.fields with input.workflows as [{"path": "w", "content": row.content}]
}

test_triggers[name] if {
	some name, row in {
		"one": {"content": {"on": "push"}, "triggers": {"push"}},
		"a list": {"content": {"on": ["push", "pull_request"]}, "triggers": {"push", "pull_request"}},
		"with settings": {"content": {"on": {"push": {"branches": ["main"]}}}, "triggers": {"push"}},
		"as older YAML reads it": {"content": {"true": {"push": null}}, "triggers": {"push"}},
		"none": {"content": {}, "triggers": set()},
	}
	ci.triggers(row.content) == row.triggers
}
