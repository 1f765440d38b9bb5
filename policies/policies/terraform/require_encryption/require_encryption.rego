# METADATA
# title: Storage is encrypted
# description: >-
#   Disks, file systems and databases are encrypted at rest. Most of them can't
#   be encrypted later without being made anew.
# custom:
#   id: require-encryption
#   severity: high
#   owners: [cloud-security]
#   remediation: Set the encryption argument of the resource to true.
package library.terraform.require_encryption

import data.library.lib.terraform

# METADATA
# description: The argument that encrypts, by type of resource.
arguments := {
	"aws_db_instance": "storage_encrypted",
	"aws_docdb_cluster": "storage_encrypted",
	"aws_ebs_volume": "encrypted",
	"aws_efs_file_system": "encrypted",
	"aws_elasticache_replication_group": "at_rest_encryption_enabled",
	"aws_neptune_cluster": "storage_encrypted",
	"aws_rds_cluster": "storage_encrypted",
	"aws_redshift_cluster": "encrypted",
}

# METADATA
# description: Blocks that describe a disk of another resource.
blocks := {
	"aws_instance": {["root_block_device", "*"], ["ebs_block_device", "*"]},
	"aws_launch_template": {["block_device_mappings", "*", "ebs", "*"]},
}

violations contains terraform.violation(resource, path, found, "set it to true") if {
	some resource in terraform.resources
	path := [arguments[resource.type]]
	found := terraform.value(resource, path)
	not true_value(found)
}

violations contains terraform.violation(resource, path, found, "set it to true") if {
	some resource in terraform.resources
	some pattern in blocks[resource.type]
	some block in terraform.at(resource, pattern)
	path := array.concat(block.path, ["encrypted"])
	found := terraform.value(resource, path)
	not true_value(found)
}

# Some providers write booleans as strings.
true_value(value) if value in {true, "true"}
