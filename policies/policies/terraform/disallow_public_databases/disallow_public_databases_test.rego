package library.terraform.disallow_public_databases_test

import data.library.terraform.disallow_public_databases

fields(type, after) := {violation.field | some violation in found} if {
	found := disallow_public_databases.violations with input.resource_changes as [{
		"address": "r",
		"mode": "managed",
		"type": type,
		"name": "r",
		"change": {"actions": ["update"], "after": after},
	}]
}

test_argument[name] if {
	some name, row in {
		"not public": {"type": "aws_db_instance", "after": {"publicly_accessible": false}, "fields": set()},
		"by default": {"type": "aws_db_instance", "after": {}, "fields": set()},
		"public": {"type": "aws_rds_cluster_instance", "after": {"publicly_accessible": true}, "fields": {"publicly_accessible"}},
		"a server by default": {"type": "azurerm_mssql_server", "after": {}, "fields": {"public_network_access_enabled"}},
		"a closed server": {"type": "azurerm_mssql_server", "after": {"public_network_access_enabled": false}, "fields": set()},
		"another type": {"type": "aws_instance", "after": {"publicly_accessible": true}, "fields": set()},
	}
	fields(row.type, row.after) == row.fields
}

test_networks_in_lists if {
	fields("google_sql_database_instance", {"settings": [{"ip_configuration": [{"authorized_networks": [
		{"value": "10.0.0.0/8"},
		{"value": "0.0.0.0/0"},
	]}]}]}) == {"settings[0].ip_configuration[0].authorized_networks[1].value"}
}
