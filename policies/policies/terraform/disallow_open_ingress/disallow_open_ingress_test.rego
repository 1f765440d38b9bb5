package library.terraform.disallow_open_ingress_test

import data.library.terraform.disallow_open_ingress

fields(type, after) := {violation.field | some violation in found} if {
	found := disallow_open_ingress.violations with input.resource_changes as [{
		"address": "r",
		"mode": "managed",
		"type": type,
		"name": "r",
		"change": {"actions": ["create"], "after": after},
	}]
}

ingress(from, to, cidrs) := {
	"protocol": "tcp",
	"from_port": from,
	"to_port": to,
	"cidr_blocks": cidrs,
	"ipv6_cidr_blocks": [],
}

test_security_group[name] if {
	some name, row in {
		"the web": {"ingress": [ingress(443, 443, ["0.0.0.0/0"])], "fields": set()},
		"a private network": {"ingress": [ingress(22, 22, ["10.0.0.0/8"])], "fields": set()},
		"none": {"ingress": [], "fields": set()},
		"null": {"ingress": null, "fields": set()},
		"SSH": {"ingress": [ingress(22, 22, ["0.0.0.0/0"])], "fields": {"ingress[0].cidr_blocks[0]"}},
		"a range with the web in it": {"ingress": [ingress(80, 443, ["0.0.0.0/0"])], "fields": {"ingress[0].cidr_blocks[0]"}},
		"half of the internet": {"ingress": [ingress(22, 22, ["0.0.0.0/1"])], "fields": {"ingress[0].cidr_blocks[0]"}},
		"the second of the second": {
			"ingress": [ingress(443, 443, ["0.0.0.0/0"]), ingress(5432, 5432, ["10.0.0.0/8", "0.0.0.0/0"])],
			"fields": {"ingress[1].cidr_blocks[1]"},
		},
		"IPv6": {
			"ingress": [{"protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": null, "ipv6_cidr_blocks": ["::/0"]}],
			"fields": {"ingress[0].ipv6_cidr_blocks[0]"},
		},
		"all protocols": {
			"ingress": [{"protocol": "-1", "from_port": 443, "to_port": 443, "cidr_blocks": ["0.0.0.0/0"]}],
			"fields": {"ingress[0].cidr_blocks[0]"},
		},
	}
	fields("aws_security_group", {"ingress": row.ingress}) == row.fields
}

test_rule[name] if {
	some name, row in {
		"in": {
			"type": "aws_security_group_rule",
			"after": {"type": "ingress", "protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_blocks": ["0.0.0.0/0"]},
			"fields": {"cidr_blocks[0]"},
		},
		"out": {
			"type": "aws_security_group_rule",
			"after": {"type": "egress", "protocol": "-1", "from_port": 0, "to_port": 0, "cidr_blocks": ["0.0.0.0/0"]},
			"fields": set(),
		},
		"a rule of its own": {
			"type": "aws_vpc_security_group_ingress_rule",
			"after": {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "0.0.0.0/0"},
			"fields": {"cidr_ipv4"},
		},
		"a firewall": {
			"type": "google_compute_firewall",
			"after": {"source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": "tcp", "ports": ["443", "8000-8080"]}]},
			"fields": {"source_ranges[0]"},
		},
		"a firewall for the web": {
			"type": "google_compute_firewall",
			"after": {"direction": "INGRESS", "source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": "tcp", "ports": ["443"]}]},
			"fields": set(),
		},
		"a firewall without ports": {
			"type": "google_compute_firewall",
			"after": {"direction": null, "source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": "tcp", "ports": []}]},
			"fields": {"source_ranges[0]"},
		},
		"a firewall that denies": {
			"type": "google_compute_firewall",
			"after": {"source_ranges": ["0.0.0.0/0"], "deny": [{"protocol": "all"}]},
			"fields": set(),
		},
		"a firewall for what goes out": {
			"type": "google_compute_firewall",
			"after": {"direction": "EGRESS", "source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": "all"}]},
			"fields": set(),
		},
		"a network rule": {
			"type": "azurerm_network_security_rule",
			"after": {"direction": "Inbound", "access": "Allow", "destination_port_range": "3389", "source_address_prefix": "Internet"},
			"fields": {"source_address_prefix"},
		},
		"a network rule for all ports": {
			"type": "azurerm_network_security_rule",
			"after": {"direction": "Inbound", "access": "Allow", "destination_port_range": "*", "source_address_prefix": "*"},
			"fields": {"source_address_prefix"},
		},
		"a network rule with lists": {
			"type": "azurerm_network_security_rule",
			"after": {
				"direction": "Inbound",
				"access": "Allow",
				"destination_port_range": null,
				"destination_port_ranges": ["443", "22"],
				"source_address_prefixes": ["10.0.0.0/8", "0.0.0.0/0"],
			},
			"fields": {"source_address_prefixes[1]"},
		},
		"a network rule for the web": {
			"type": "azurerm_network_security_rule",
			"after": {"direction": "Inbound", "access": "Allow", "destination_port_range": "443", "source_address_prefix": "*"},
			"fields": set(),
		},
		"a network rule that denies": {
			"type": "azurerm_network_security_rule",
			"after": {"direction": "Inbound", "access": "Deny", "destination_port_range": "*", "source_address_prefix": "*"},
			"fields": set(),
		},
	}
	fields(row.type, row.after) == row.fields
}
