#!/usr/bin/env bash
# Install what building and testing Regatta needs and this Debian lacks. Says
# what it installs; does nothing where all is there. Needs root or sudo.
set -euo pipefail

packages=(
	gcc g++ make git python3          # build; python3 drives the tests
	libyaml-dev libgmp-dev libre2-dev # the engine
	libcurl4 libssl3 libmicrohttpd12  # opened on first use
	libgit2-1.5
	libssl-dev libcurl4-openssl-dev   # their headers
	libmicrohttpd-dev libgit2-dev libsqlite3-dev
	libarchive-dev zlib1g-dev libzstd-dev # archives, segments
	tzdata                            # time zones of the time builtins
	libcmocka-dev                     # unit tests
	openssl                           # keys and damage that tests make
	openssh-client                    # ssh-keygen: signatures that it makes
	libxml2-utils                     # xmllint: JUnit against its schema
	mandoc                            # what it says of the manual page
	dpkg-dev                          # make deb
	curl zstd                         # what docs/decisions.md shows
	clang-14 clang-tidy-14 clang-format-14 libclang-rt-14-dev binutils
)

missing=()
for p in "${packages[@]}"; do
	dpkg-query -W -f='${Status}' "$p" 2>/dev/null |
		grep -q '^install ok installed' || missing+=("$p")
done
if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi
sudo=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps: run as root, or install: ${missing[*]}" >&2
		exit 1
	}
	sudo=sudo
fi
echo "deps: installing ${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
