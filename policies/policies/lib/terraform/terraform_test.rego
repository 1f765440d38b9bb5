package library.lib.terraform_test

import data.library.lib.terraform

change(mode, actions) := {
	"address": "module.a.module.b[\"x\"].aws_ebs_volume.data",
	"mode": mode,
	"type": "aws_ebs_volume",
	"name": "data",
	"change": {"actions": actions, "after": {"encrypted": true, "size": null}},
}

test_resources[name] if {
	some name, row in {
		"created": {"mode": "managed", "actions": ["create"], "resources": 1},
		"updated": {"mode": "managed", "actions": ["update"], "resources": 1},
		"replaced": {"mode": "managed", "actions": ["delete", "create"], "resources": 1},
		"replaced the other way": {"mode": "managed", "actions": ["create", "delete"], "resources": 1},
		"left alone": {"mode": "managed", "actions": ["no-op"], "resources": 0},
		"destroyed": {"mode": "managed", "actions": ["delete"], "resources": 0},
		"read": {"mode": "data", "actions": ["read"], "resources": 0},
	}
	count(terraform.resources) == row.resources with input.resource_changes as [change(row.mode, row.actions)]
}

test_value[name] if {
	some name, row in {
		"known": {"path": ["encrypted"], "value": true},
		"null": {"path": ["size"], "value": "missing"},
		"not there": {"path": ["kms_key_id"], "value": "missing"},
		"unknown": {"path": ["arn"], "value": "known only after apply"},
		"in what is unknown": {"path": ["tags", "team"], "value": "known only after apply"},
	}
	resource := {"change": {
		"after": {"encrypted": true, "size": null},
		"after_unknown": {"arn": true, "tags": true},
	}}
	terraform.value(resource, row.path) == row.value
}

test_value_without_unknowns if terraform.value({"change": {"after": {}}}, ["arn"]) == "missing"

test_place[name] if {
	some name, path in {
		"ingress[0].cidr_blocks[12]": ["ingress", 0, "cidr_blocks", 12],
		"encrypted": ["encrypted"],
		"a[0][1].b": ["a", 0, 1, "b"],
	}
	terraform.place(path) == name
}

test_at[name] if {
	some name, row in {
		"a name": {"pattern": ["a"], "paths": {["a"]}},
		"every index": {"pattern": ["a", "*", "b"], "paths": {["a", 0, "b"], ["a", 1, "b"]}},
		"lists in lists": {"pattern": ["a", "*", "b", "*"], "paths": {["a", 1, "b", 0]}},
		"no null": {"pattern": ["c"], "paths": set()},
		"a star is no name": {"pattern": ["*"], "paths": set()},
	}
	resource := {"change": {"after": {"a": [{"b": 1}, {"b": [2]}], "c": null}}}
	{found.path | some found in terraform.at(resource, row.pattern)} == row.paths
}

test_violation if {
	found := terraform.violation(change("managed", ["create"]), ["encrypted"], false, "set it") with input as {"variables": {"environment": {"value": "prod"}}}
	found == {
		"msg": "module.a.module.b[\"x\"].aws_ebs_volume.data: encrypted is false; set it",
		"field": "encrypted",
		"subject": {
			"address": "module.a.module.b[\"x\"].aws_ebs_volume.data",
			"resource": "aws_ebs_volume/data",
			"environment": "prod",
		},
	}
}

test_no_environment if {
	found := terraform.violation(change("managed", ["create"]), ["encrypted"], false, "set it") with input as {}
	not found.subject.environment
}

test_wide[cidr] if {
	some cidr in ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3"]
	terraform.wide(cidr)
}

test_narrow[cidr] if {
	some cidr in ["10.0.0.0/8", "203.0.113.7/32", "2001:db8::/32", "10.0.0.1", ""]
	not terraform.wide(cidr)
}
