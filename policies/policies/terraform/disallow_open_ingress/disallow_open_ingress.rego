# METADATA
# title: Nothing but the web is open to the internet
# description: >-
#   A rule that lets in a good part of the internet may do so for ports 80 and
#   443 only: not for SSH, databases or all ports.
# custom:
#   id: disallow-open-ingress
#   severity: critical
#   owners: [cloud-security]
#   remediation: Name the networks that may come in, or go through a load balancer.
package library.terraform.disallow_open_ingress

import data.library.lib.terraform

# METADATA
# description: Ports that may be open to everybody.
public_ports := {80, 443}

violations contains terraform.violation(rule.resource, range.path, range.value, fix) if {
	some rule in rules
	not for_public_ports(rule.ports)
	some range in rule.ranges
	wide(range.value)
	fix := sprintf("narrow it, or open only ports %s", [concat(", ", [text | some port in public_ports; text := format_int(port, 10)])])
}

# Rules that let something in, as {resource, ports: [[from, to]], ranges}.
rules contains rule if {
	some resource in terraform.resources
	resource.type in {"aws_default_security_group", "aws_security_group"}
	some i, block in resource.change.after.ingress
	rule := {
		"resource": resource,
		"ports": [aws_ports(block, "protocol")],
		"ranges": ranges(resource, [
			["ingress", i, "cidr_blocks", "*"],
			["ingress", i, "ipv6_cidr_blocks", "*"],
		]),
	}
}

rules contains rule if {
	some resource in terraform.resources
	resource.type == "aws_security_group_rule"
	resource.change.after.type == "ingress"
	rule := {
		"resource": resource,
		"ports": [aws_ports(resource.change.after, "protocol")],
		"ranges": ranges(resource, [["cidr_blocks", "*"], ["ipv6_cidr_blocks", "*"]]),
	}
}

rules contains rule if {
	some resource in terraform.resources
	resource.type == "aws_vpc_security_group_ingress_rule"
	rule := {
		"resource": resource,
		"ports": [aws_ports(resource.change.after, "ip_protocol")],
		"ranges": ranges(resource, [["cidr_ipv4"], ["cidr_ipv6"]]),
	}
}

rules contains rule if {
	some resource in terraform.resources
	resource.type == "google_compute_firewall"
	after := resource.change.after
	object.get(after, "direction", "INGRESS") in {"INGRESS", null}
	rule := {
		"resource": resource,
		"ports": [ports | some block in after.allow; some ports in google_ports(block)],
		"ranges": ranges(resource, [["source_ranges", "*"]]),
	}
	count(rule.ports) > 0
}

rules contains rule if {
	some resource in terraform.resources
	resource.type == "azurerm_network_security_rule"
	after := resource.change.after
	lower(after.direction) == "inbound"
	lower(after.access) == "allow"
	rule := {
		"resource": resource,
		"ports": [from_text(port) | some port in azure_ports(after)],
		"ranges": ranges(resource, [["source_address_prefix"], ["source_address_prefixes", "*"]]),
	}
}

ranges(resource, patterns) := {range |
	some pattern in patterns
	some range in terraform.at(resource, pattern)
}

wide(text) if terraform.wide(text)

wide(text) if lower(text) in {"*", "any", "internet"}

# All protocols means all ports, whatever else is written.
aws_ports(block, protocol) := [block.from_port, block.to_port] if {
	not block[protocol] in {"-1", "all"}
} else := [0, 65535]

google_ports(block) := [from_text(port) | some port in block.ports] if {
	count(block.ports) > 0
} else := [[0, 65535]]

azure_ports(after) := array.concat(one, many) if {
	one := [port | some port in [after.destination_port_range]; port != null]
	many := [port | some port in object.get(after, "destination_port_ranges", [])]
}

from_text(text) := [to_number(ends[0]), to_number(ends[count(ends) - 1])] if {
	ends := split(text, "-")
	text != "*"
}

from_text("*") := [0, 65535]

for_public_ports(ports) if {
	every range in ports {
		range[0] == range[1]
		range[0] in public_ports
	}
}
