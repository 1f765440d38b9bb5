package library.terraform.require_encryption_test

import data.library.terraform.require_encryption

messages(type, after) := {violation.msg | some violation in found} if {
	found := require_encryption.violations with input.resource_changes as [{
		"address": "r",
		"mode": "managed",
		"type": type,
		"name": "r",
		"change": {"actions": ["create"], "after": after, "after_unknown": {"unknown": true}},
	}]
}

test_argument[name] if {
	some name, row in {
		"encrypted": {"type": "aws_ebs_volume", "after": {"encrypted": true}, "found": null},
		"a string": {"type": "aws_rds_cluster", "after": {"storage_encrypted": "true"}, "found": null},
		"not encrypted": {"type": "aws_ebs_volume", "after": {"encrypted": false}, "found": "encrypted is false"},
		"null": {"type": "aws_efs_file_system", "after": {"encrypted": null}, "found": "encrypted is missing"},
		"not there": {"type": "aws_db_instance", "after": {}, "found": "storage_encrypted is missing"},
		"another type": {"type": "aws_sqs_queue", "after": {}, "found": null},
	}
	messages(row.type, row.after) == {sprintf("r: %s; set it to true", [found]) | some found in [row.found]; found != null}
}

test_blocks if {
	messages("aws_instance", {
		"root_block_device": [{"encrypted": true}],
		"ebs_block_device": [{"encrypted": true}, {"encrypted": false}],
	}) == {"r: ebs_block_device[1].encrypted is false; set it to true"}
}

test_blocks_in_blocks if {
	messages("aws_launch_template", {"block_device_mappings": [
		{"ebs": [{"encrypted": "true"}]},
		{"ebs": [{"volume_size": 20}]},
		{"virtual_name": "ephemeral0", "ebs": []},
	]}) == {"r: block_device_mappings[1].ebs[0].encrypted is missing; set it to true"}
}
