package library.ci.require_signed_images_test

import data.library.ci.require_signed_images

digest := "sha256:4b8f2c1d9e6a7f3054c2b1a09e8d7c6f5b4a3928170615f4e3d2c1b0a9f8e7d6"

release := {
	"verified": true,
	"issuer": "https://token.actions.githubusercontent.com",
	"identity": "https://github.com/example/shop/.github/workflows/release.yaml@refs/tags/v1.4.2",
}

fields(image) := {violation.field | some violation in found} if {
	found := require_signed_images.violations with input.images as [image]
}

test_signature[name] if {
	some name, row in {
		"of a release": {"changes": {}, "fields": set()},
		"of main": {"changes": {"identity": "https://github.com/example/shop/.github/workflows/release.yaml@refs/heads/main"}, "fields": set()},
		"of a branch": {"changes": {"identity": "https://github.com/example/shop/.github/workflows/release.yaml@refs/heads/x"}, "fields": {"signatures"}},
		"of another workflow": {"changes": {"identity": "https://github.com/example/shop/.github/workflows/test.yaml@refs/heads/main"}, "fields": {"signatures"}},
		"of another owner": {"changes": {"identity": "https://github.com/example-2/shop/.github/workflows/release.yaml@refs/heads/main"}, "fields": {"signatures"}},
		"of another issuer": {"changes": {"issuer": "https://accounts.example.com"}, "fields": {"signatures"}},
		"not verified": {"changes": {"verified": false}, "fields": {"signatures"}},
		"of nobody": {"changes": {"identity": null}, "fields": {"signatures"}},
	}
	image := {
		"name": sprintf("registry.example.com/web@%s", [digest]),
		"signatures": [object.union(release, row.changes)],
	}
	fields(image) == row.fields
}

test_name[name] if {
	some name, row in {
		"registry.example.com/web:1": {"fields": {"name"}},
		"registry.example.com/web@sha256:4b8f": {"fields": {"name"}},
	}
	fields({"name": name, "signatures": [release]}) == row.fields
}

test_one_good_signature_is_enough if {
	image := {
		"name": sprintf("registry.example.com/web:1@%s", [digest]),
		"signatures": [{"verified": false}, release],
	}
	fields(image) == set()
}

test_no_signature[name] if {
	some name, image in {
		"none": {"name": "web"},
		"an empty list": {"name": "web", "signatures": []},
		"null": {"name": "web", "signatures": null},
	}
	fields(image) == {"name", "signatures"}
}

test_an_image_that_says_nothing if fields({}) == {"name", "signatures"}

test_message if {
	found := require_signed_images.violations with input.images as [{
		"name": sprintf("web@%s", [digest]),
		"signatures": [{"verified": false}],
	}]
	{violation.msg | some violation in found} == {sprintf("Image web@%s: signatures is by somebody, which do not count; sign it in the release workflow", [digest])}
}
