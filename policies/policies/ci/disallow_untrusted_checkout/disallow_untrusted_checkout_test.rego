package library.ci.disallow_untrusted_checkout_test

import data.library.ci.disallow_untrusted_checkout

messages(on, with_arguments) := {violation.msg | some violation in found} if {
	found := disallow_untrusted_checkout.violations with input.workflows as [{"path": "label.yaml", "content": {
		"on": on,
		"jobs": {"a": {"steps": [{"uses": "actions/checkout@v4", "with": with_arguments}]}},
	}}]
}

head := "${{ github.event.pull_request.head.sha }}"

test_checkout[name] if {
	some name, row in {
		"of the base": {"on": "pull_request_target", "with": {"fetch-depth": 0}, "violations": 0},
		"of the head": {"on": "pull_request_target", "with": {"ref": head}, "violations": 1},
		"of the head's branch": {"on": ["push", "pull_request_target"], "with": {"ref": "refs/heads/${{ github.head_ref }}"}, "violations": 1},
		"of the head's repository": {
			"on": {"pull_request_target": {"types": ["opened"]}},
			"with": {"repository": "${{ github.event.pull_request.head.repo.full_name }}", "ref": head},
			"violations": 2,
		},
		"after another workflow": {"on": "workflow_run", "with": {"ref": "${{ github.event.workflow_run.head_sha }}"}, "violations": 1},
		"without secrets": {"on": "pull_request", "with": {"ref": head}, "violations": 0},
	}
	count(messages(row.on, row.with)) == row.violations
}

test_message if {
	messages("pull_request_target", {"ref": head}) == {"Workflow label.yaml: jobs.a.steps[0].with.ref is \"${{ github.event.pull_request.head.sha }}\"; don't check it out under pull_request_target"}
}
