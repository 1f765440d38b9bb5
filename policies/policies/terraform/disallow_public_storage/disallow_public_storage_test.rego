package library.terraform.disallow_public_storage_test

import data.library.terraform.disallow_public_storage

fields(type, after) := {violation.field | some violation in found} if {
	found := disallow_public_storage.violations with input.resource_changes as [{
		"address": "r",
		"mode": "managed",
		"type": type,
		"name": "r",
		"change": {"actions": ["create"], "after": after},
	}]
}

blocked := {argument: true | some argument in disallow_public_storage.block_arguments}

policy(principal) := {"policy": json.marshal({"Statement": {
	"Effect": "Allow",
	"Principal": principal,
	"Action": "s3:GetObject",
	"Resource": "*",
}})}

test_storage[name] if {
	some name, row in {
		"a private bucket": {"type": "aws_s3_bucket", "after": {"acl": "private"}, "fields": set()},
		"a bucket without a list": {"type": "aws_s3_bucket", "after": {"acl": null}, "fields": set()},
		"a public bucket": {"type": "aws_s3_bucket", "after": {"acl": "public-read"}, "fields": {"acl"}},
		"a public list": {"type": "aws_s3_bucket_acl", "after": {"acl": "authenticated-read"}, "fields": {"acl"}},
		"a bucket policy": {"type": "aws_s3_bucket_policy", "after": policy({"AWS": "arn:aws:iam::111122223333:root"}), "fields": set()},
		"a policy for everybody": {"type": "aws_s3_bucket_policy", "after": policy("*"), "fields": {"policy"}},
		"a policy to be known": {"type": "aws_s3_bucket_policy", "after": {}, "fields": set()},
		"all blocked": {"type": "aws_s3_bucket_public_access_block", "after": blocked, "fields": set()},
		"one not blocked": {
			"type": "aws_s3_bucket_public_access_block",
			"after": object.union(blocked, {"ignore_public_acls": false}),
			"fields": {"ignore_public_acls"},
		},
		"one left out": {
			"type": "aws_s3_account_public_access_block",
			"after": object.remove(blocked, ["block_public_policy"]),
			"fields": {"block_public_policy"},
		},
		"a Google group": {"type": "google_storage_bucket_iam_member", "after": {"member": "group:a@example.com"}, "fields": set()},
		"all users": {"type": "google_storage_bucket_iam_member", "after": {"member": "allUsers"}, "fields": {"member"}},
		"all users among others": {
			"type": "google_storage_bucket_iam_binding",
			"after": {"members": ["group:a@example.com", "allAuthenticatedUsers"]},
			"fields": {"members[1]"},
		},
		"a closed account": {"type": "azurerm_storage_account", "after": {"allow_nested_items_to_be_public": false}, "fields": set()},
		"an account by default": {"type": "azurerm_storage_account", "after": {}, "fields": {"allow_nested_items_to_be_public"}},
	}
	fields(row.type, row.after) == row.fields
}

test_grants_in_lists[name] if {
	some name, row in {
		"a user": {"grantee": {"type": "CanonicalUser", "id": "79a5"}, "fields": set()},
		"everybody": {
			"grantee": {"type": "Group", "uri": "http://acs.amazonaws.com/groups/global/AllUsers"},
			"fields": {"access_control_policy[0].grant[1].grantee[0].uri"},
		},
		"those who write logs": {
			"grantee": {"type": "Group", "uri": "http://acs.amazonaws.com/groups/s3/LogDelivery"},
			"fields": set(),
		},
	}
	fields("aws_s3_bucket_acl", {"access_control_policy": [{"grant": [
		{"grantee": [{"type": "CanonicalUser", "id": "79a5"}]},
		{"grantee": [row.grantee]},
	]}]}) == row.fields
}
