package library.lib.iam_test

import data.library.lib.iam

test_allowed[name] if {
	some name, row in {
		"a list": {"document": {"Statement": [{"Effect": "Allow"}, {"Effect": "Deny"}]}, "statements": 1},
		"one statement": {"document": {"Statement": {"Effect": "Allow"}}, "statements": 1},
		"none": {"document": {"Statement": []}, "statements": 0},
	}
	count(iam.allowed(json.marshal(row.document))) == row.statements
}

test_no_document[text] if {
	some text in ["", "not JSON", "{}"]
	object.get({"is": iam.allowed(text)}, "is", []) == []
}

test_for_everybody[name] if {
	some name, statement in {
		"a star": {"Principal": "*"},
		"a star by kind": {"Principal": {"AWS": "*"}},
		"a star in a list": {"Principal": {"AWS": ["arn:aws:iam::111122223333:root", "*"]}},
	}
	iam.for_everybody(statement)
}

test_not_for_everybody[name] if {
	some name, statement in {
		"an account": {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}},
		"a service": {"Principal": {"Service": "cloudfront.amazonaws.com"}},
		"under a condition": {"Principal": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
		"no principal": {"Action": "*"},
	}
	not iam.for_everybody(statement)
}
