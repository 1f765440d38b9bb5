# METADATA
# title: Databases have no public address
# description: >-
#   A database is reached from the networks of its programs. With a public
#   address a leaked password is enough.
# custom:
#   id: disallow-public-databases
#   severity: critical
#   owners: [cloud-security]
#   remediation: Turn the public address off and connect through the private network.
package library.terraform.disallow_public_databases

import data.library.lib.terraform

# METADATA
# description: What must be false, and whether leaving it out is enough.
arguments := {
	"aws_db_instance": {"name": "publicly_accessible", "default": false},
	"aws_dms_replication_instance": {"name": "publicly_accessible", "default": false},
	"aws_rds_cluster_instance": {"name": "publicly_accessible", "default": false},
	"aws_redshift_cluster": {"name": "publicly_accessible", "default": false},
	"azurerm_mssql_server": {"name": "public_network_access_enabled", "default": true},
}

violations contains terraform.violation(resource, path, found, "set it to false") if {
	some resource in terraform.resources
	argument := arguments[resource.type]
	path := [argument.name]
	found := terraform.value(resource, path)
	not closed(found, argument)
}

violations contains terraform.violation(resource, network.path, network.value, "name the networks that may connect") if {
	some resource in terraform.resources
	resource.type == "google_sql_database_instance"
	pattern := ["settings", "*", "ip_configuration", "*", "authorized_networks", "*", "value"]
	some network in terraform.at(resource, pattern)
	terraform.wide(network.value)
}

closed(false, _)

closed("missing", argument) if argument.default == false
