#!/bin/bash
# diagnostics.sh: every row of diag.def is shown by a golden file. The text of a row, with anything for its arguments, must
# be there as an expected error, warning or note. With --count, prints how many lines show each.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
rows=$here/../ir/base/diag.def
bad=0 count=${1-}
expected=$(mktemp) || exit 3
trap 'rm -f "$expected"' EXIT
grep -rhE '(error|warning|note): ' "$here/golden" --include='*.act' >"$expected"

while IFS= read -r row; do
    [[ $row =~ ^DIAG\(([A-Z_0-9]+),\ *(ERROR|WARNING|NOTE|REMARK),\ *\"(.*)\"\) ]] || continue
    id=${BASH_REMATCH[1]} severity=${BASH_REMATCH[2],,} text=${BASH_REMATCH[3]}
    [ "$severity" = remark ] && severity=note
    pattern=$(sed -E 's/\\"/"/g; s/[].*^$+?(){}|\\[]/\\&/g; s/%(\\\.\\\*|0?[0-9])?[sdux]/.*/g' <<<"$text")
    n=$(grep -cE "$severity: $pattern" "$expected")
    [ -n "$count" ] && printf '%4d %s\n' "$n" "$id"
    ((n > 0)) && continue
    echo "diagnostics.sh: no golden file shows $id: $severity: $text"
    bad=1
done <"$rows"
exit $bad
