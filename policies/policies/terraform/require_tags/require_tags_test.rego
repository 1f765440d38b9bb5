package library.terraform.require_tags_test

import data.library.terraform.require_tags

fields(after, unknown) := {violation.field | some violation in found} if {
	found := require_tags.violations with input.resource_changes as [{
		"address": "r",
		"mode": "managed",
		"type": "aws_sqs_queue",
		"name": "r",
		"change": {"actions": ["create"], "after": after, "after_unknown": unknown},
	}]
}

both := {"team": "shop", "service": "web"}

test_tags[name] if {
	some name, row in {
		"both": {"after": {"tags": both}, "unknown": {}, "fields": set()},
		"by default": {"after": {"tags": null, "tags_all": both}, "unknown": {}, "fields": set()},
		"labels": {"after": {"labels": both}, "unknown": {}, "fields": set()},
		"one": {"after": {"tags": {"team": "shop"}}, "unknown": {}, "fields": {"tags.service"}},
		"empty": {"after": {"tags": {"team": "", "service": "web"}}, "unknown": {}, "fields": {"tags.team"}},
		"null": {"after": {"tags": null, "tags_all": null}, "unknown": {}, "fields": {"tags_all.team", "tags_all.service"}},
		"can't be tagged": {"after": {"name": "x"}, "unknown": {}, "fields": set()},
		"all to be known": {"after": {}, "unknown": {"tags_all": true}, "fields": set()},
		"one to be known": {"after": {"tags": {"team": "shop"}}, "unknown": {"tags": {"service": true}}, "fields": set()},
	}
	fields(row.after, row.unknown) == row.fields
}
