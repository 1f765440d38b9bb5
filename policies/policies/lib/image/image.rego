# METADATA
# title: Names of container images
# description: >-
#   What stands in a name such as `registry.example.com/shop/web:1.4@sha256:...`,
#   by the rules of container runtimes: the first part is a registry only if it
#   has a dot or a port, or is `localhost`; else the image is Docker Hub's.
package library.lib.image

# METADATA
# description: The parts of an image name; tag and digest are "" if not there.
parse(name) := {
	"registry": registry(path),
	"repository": repository(path),
	"tag": tag(path),
	"digest": digest(name),
} if {
	path := split(name, "@")[0]
}

# METADATA
# description: Registry and repository in full, as `docker.io/library/nginx`.
full_name(name) := sprintf("%s/%s", [parts.registry, parts.repository]) if {
	parts := parse(name)
}

default digest(_) := ""

digest(name) := split(name, "@")[1]

default tag(_) := ""

tag(path) := split(regex.replace(path, `^.*/`, ""), ":")[1]

default registry(_) := "docker.io"

registry(path) := host(path)

host(path) := first if {
	contains(path, "/")
	first := split(path, "/")[0]
	regex.match(`[.:]|^localhost$`, first)
}

repository(path) := trim_prefix(untagged(path), sprintf("%s/", [host(path)]))

repository(path) := untagged(path) if {
	not host(path)
	contains(path, "/")
}

repository(path) := sprintf("library/%s", [untagged(path)]) if {
	not contains(path, "/")
}

untagged(path) := regex.replace(path, `:[^/:]*$`, "")
