#!/usr/bin/env bash
# Make a Debian package of a tree that `make install` filled:
#
#	deb.sh TREE VERSION OUT ARCHIVE...
#
# TREE holds usr/...; it is finished in place. ARCHIVEs are the static libraries
# that were linked ("re2 gmp"). Prints the path of the package, which is in OUT.
# The same tree and version on the same Debian give the same bytes. The date in
# it is SOURCE_DATE_EPOCH, or else that of the version; MAINTAINER names who
# made it.
set -euo pipefail
shopt -s inherit_errexit
umask 022
export LC_ALL=C TZ=UTC0
cd "$(dirname "$0")"
tree=$1 version=$2 out=$3
shift 3
archives=("$@")
source_date() {
	date -u -d "$(sed -n 's/^.*program_date\[\] = "\(.*\)";/\1/p' \
		cli/commands.c)" +%s
}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(source_date)}
maintainer=${MAINTAINER:-The maintainers of Regatta <regatta@localhost>}
arch=$(dpkg --print-architecture)
doc=$tree/usr/share/doc/regatta

die() {
	echo "deb.sh: $*" >&2
	exit 1
}

# The package of this architecture that a library's file comes from.
owner() {
	local found
	found=$(dpkg-query -S "*/$1" 2>/dev/null |
		sed -n "s/: .*//; s/:$arch\$//; /:/!p" | sort -u)
	[ "$(wc -w <<<"$found")" = 1 ] ||
		die "which package has $1: \"${found//$'\n'/ }\""
	echo "$found"
}

# "a, b" of lines.
commas() {
	sort -u | paste -sd, | sed 's/,/, /g'
}

# What is linked, what base/lib.h opens by name, and what scripts and time
# builtins need.
depends() {
	local work so
	work=$(mktemp -d)
	mkdir -p "$work/debian/regatta/DEBIAN" "$work/debian/regatta/usr/bin"
	printf 'Source: regatta\n\nPackage: regatta\nArchitecture: any\n' \
		>"$work/debian/control"
	cp "$tree/usr/bin/regatta" "$work/debian/regatta/usr/bin"
	(cd "$work" && dpkg-shlibdeps -O debian/regatta/usr/bin/regatta) |
		sed 's/^[^=]*=//; s/, /\n/g'
	rm -r "$work"
	for so in $(grep -rhoE 'files\[\] = \{"lib[^"]+\.so\.[^}]*' \
		--include='*.c' base rego signer bundler gates decisions \
		canary server agent cli 2>/dev/null |
		grep -oE 'lib[^"]+\.so\.[0-9.]+'); do
		owner "$so"
	done
	printf '%s\n' adduser tzdata
}

# Their bytes are in the program: who rebuilds it must know, and their notices
# go with it.
built_using() {
	local a p
	for a in "${archives[@]}"; do
		p=$(owner "lib$a.a")
		dpkg-query -W -f '${source:Package} (= ${source:Version})\n' \
			"$p:$arch"
	done
}

notices() {
	local a p
	mkdir -p "$doc/libraries"
	for a in "${archives[@]}"; do
		p=$(owner "lib$a.a")
		cp --no-preserve=mode,timestamps \
			"/usr/share/doc/$p/copyright" "$doc/libraries/lib$a"
	done
}

copyright() {
	cat <<'END'
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: regatta
Comment: The program contains the static libraries that have a file each in
 /usr/share/doc/regatta/libraries, with their own notices and licences.

Files: *
Copyright: 2026 The authors of Regatta
License: Apache-2.0
 On Debian systems the text of this licence is in
 /usr/share/common-licenses/Apache-2.0.
END
}

# The first section of CHANGELOG.md, as Debian writes it.
changelog() {
	echo "regatta ($version) bookworm; urgency=medium"
	echo
	awk '/^## / { n++; next }
		n != 1 || /^$/ { next }
		/^- / { printf "%s* %s", sep, substr($0, 3); sep = "\n"; next }
		{ sub(/^ +/, " "); printf "%s", $0 }
		END { print "" }' CHANGELOG.md |
		fold -s -w 74 | sed 's/ *$//; s/^/    /; s/^    \*/  */'
	echo
	echo " -- $maintainer  $(date -uR -d "@$SOURCE_DATE_EPOCH")"
}

documents() {
	mkdir -p "$doc/docs"
	copyright >"$doc/copyright"
	changelog | gzip -9n >"$doc/changelog.gz"
	cp --no-preserve=mode,timestamps README.md "$doc"
	cp --no-preserve=mode,timestamps docs/* "$doc/docs"
	find "$tree/usr/share/man" -type f -exec gzip -9nf {} +
}

control() {
	local size depends using
	size=$(find "$tree/usr" -type f -printf '%s\n' |
		awk '{ n += int(($1 + 1023) / 1024) } END { print n }')
	depends=$(depends | commas)
	using=$(built_using | commas)
	cat <<END
Package: regatta
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $size
Depends: $depends
Recommends: ca-certificates
Suggests: bash-completion, gpgv
Static-Built-Using: $using
Section: admin
Priority: optional
Description: release of policy to fleets of Open Policy Agents
 Regatta takes Rego policies from a commit to a tested, signed and versioned
 bundle, serves it to OPA agents, moves it from canary agents to the whole
 fleet on the evidence in their decision logs, and takes it back with one
 command. It is one program and one folder of state.
 .
 Installing it starts nothing. It makes the system user "regatta" and the
 folder /var/lib/regatta for a server on this host.
END
}

postinst() {
	cat <<'END'
#!/bin/sh
set -e
if [ "$1" = configure ]; then
	if ! getent passwd regatta >/dev/null; then
		adduser --quiet --system --group --no-create-home \
			--home /var/lib/regatta regatta
	fi
	if [ ! -e /var/lib/regatta ]; then
		install -d -o regatta -g regatta -m 700 /var/lib/regatta
	fi
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload || true
	fi
fi
END
}

prerm() {
	cat <<'END'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	for unit in $(dpkg -L regatta | sed -n 's|^.*/systemd/system/||p'); do
		systemctl disable --now "$unit" || true
	done
fi
END
}

# The folder is evidence, and its owner must stay the same one: both are left.
postrm() {
	cat <<'END'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ "$1" = purge ] && [ -d /var/lib/regatta ]; then
	rmdir /var/lib/regatta 2>/dev/null ||
		echo "regatta: /var/lib/regatta is kept; it holds versions," \
			"the ledger and decision logs" >&2
fi
END
}

finish() {
	local script
	mkdir -p "$tree/DEBIAN"
	for script in postinst prerm postrm; do
		$script >"$tree/DEBIAN/$script"
		chmod 755 "$tree/DEBIAN/$script"
	done
	control >"$tree/DEBIAN/control"
	(cd "$tree" && find usr -type f -print0 | sort -z |
		xargs -0 md5sum) >"$tree/DEBIAN/md5sums"
	find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

notices
documents
finish
package=$out/regatta_${version}_$arch.deb
dpkg-deb -Zxz --root-owner-group --build "$tree" "$package" >/dev/null
echo "$package"
