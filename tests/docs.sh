#!/bin/bash
# docs.sh FILE.md…: each block ```act is a golden file (golden.sh says how they look); one that expects nothing must be
# right. A message names the line of the block.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
ACTC=${ACTC:-$here/../build/actc}
scratch=$(mktemp -d) || exit 3
trap 'rm -rf "$scratch"' EXIT

bad=0 blocks=0
for file in "$@"; do
    # FILE, line, then the block into a file of its own.
    awk -v to="$scratch/block" '/^```act$/ { inside = 1; name = to "-" FNR ".act"; next } /^```/ { inside = 0 }
        inside { print >name }' "$file" || exit 3
    for block in "$scratch"/block-*.act; do
        [ -e "$block" ] || continue
        line=${block##*-} line=${line%.act}
        blocks=$((blocks + 1))
        if grep -Eq '^# \$ |# (error|warning): ' "$block"; then
            bash "$here/golden.sh" "$block" >"$scratch/said" 2>&1
        else
            "$ACTC" check "$block" >"$scratch/said" 2>&1
        fi && [ ! -s "$scratch/said" ] && continue
        echo "$file:$line: this example is not right:"
        cat "$scratch/said"
        bad=1
    done
    rm -f "$scratch"/block-*.act
done
((blocks > 0)) || { echo "docs.sh: no examples"; bad=1; }
exit $bad
