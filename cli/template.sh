#!/bin/sh
# A C file with every file below a folder, for cli/template.h.
set -eu
cd "$1"
echo '#include "cli/template.h"'
n=0
table=
for path in $(find . -type f | LC_ALL=C sort); do
	path=${path#./}
	n=$((n + 1))
	cat <<END
__asm__(".pushsection .rodata\\ntemplate_$n: .incbin \\"$PWD/$path\\"\\n"
	".global template_$n, template_end_$n\\n"
	"template_end_$n: .byte 0\\n.popsection");
extern const char template_$n[], template_end_$n[];
END
	table="$table	{\"$path\", template_$n, template_end_$n},
"
done
echo 'const struct template_file template_files[] = {'
printf '%s' "$table"
echo '	{0, 0, 0},'
echo '};'
