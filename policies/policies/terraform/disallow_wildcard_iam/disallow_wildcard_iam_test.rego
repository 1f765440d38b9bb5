package library.terraform.disallow_wildcard_iam_test

import data.library.terraform.disallow_wildcard_iam

violations(type, after) := found if {
	found := disallow_wildcard_iam.violations with input.resource_changes as [{
		"address": "r",
		"mode": "managed",
		"type": type,
		"name": "r",
		"change": {"actions": ["create"], "after": after},
	}]
}

document(changes) := json.marshal({"Version": "2012-10-17", "Statement": [object.union(
	{
		"Effect": "Allow",
		"Resource": "*",
	},
	changes,
)]})

test_statement[name] if {
	some name, row in {
		"one action": {"statement": {"Action": "s3:GetObject"}, "violations": 0},
		"a part of a service": {"statement": {"Action": ["s3:Get*"]}, "violations": 0},
		"a service on one thing": {"statement": {"Action": "s3:*", "Resource": "arn:aws:s3:::logs"}, "violations": 0},
		"a service on everything": {"statement": {"Action": ["ec2:Describe*", "s3:*"]}, "violations": 1},
		"a service on everything, in a list": {"statement": {"Action": "s3:*", "Resource": ["arn:aws:s3:::a", "*"]}, "violations": 1},
		"everything": {"statement": {"Action": "*"}, "violations": 1},
		"everything on one thing": {"statement": {"Action": ["*"], "Resource": "arn:aws:s3:::logs"}, "violations": 1},
		"everything denied": {"statement": {"Effect": "Deny", "Action": "*"}, "violations": 0},
		"all but some": {"statement": {"NotAction": "iam:*"}, "violations": 1},
	}
	count(violations("aws_iam_policy", {"policy": document(row.statement)})) == row.violations
}

test_inline_policies if {
	found := violations("aws_iam_role", {"inline_policy": [
		{"name": "read", "policy": document({"Action": "s3:GetObject"})},
		{"name": "all", "policy": document({"Action": "*"})},
	]})
	{violation.msg | some violation in found} == {"r: inline_policy[1].policy is a statement that allows all actions; list the actions and resources"}
}

test_what_is_not_known_is_not_judged if violations("aws_iam_policy", {}) == set()

test_attachment[name] if {
	some name, row in {
		"administrator": {"type": "aws_iam_role_policy_attachment", "arn": "arn:aws:iam::aws:policy/AdministratorAccess", "violations": 1},
		"in another partition": {"type": "aws_iam_policy_attachment", "arn": "arn:aws-cn:iam::aws:policy/AdministratorAccess", "violations": 1},
		"read only": {"type": "aws_iam_user_policy_attachment", "arn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "violations": 0},
		"another type": {"type": "aws_iot_policy_attachment", "arn": "arn:aws:iam::aws:policy/AdministratorAccess", "violations": 0},
	}
	count(violations(row.type, {"policy_arn": row.arn})) == row.violations
}
