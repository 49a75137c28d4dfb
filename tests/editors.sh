#!/bin/bash
# editors.sh: the syntax files know every function of the language, and the grammar is JSON whose patterns compile.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
vim=$here/../editors/vim/syntax/act.vim grammar=$here/../editors/textmate/act.tmLanguage.json
bad=0
while read -r name; do
    for file in "$vim" "$grammar"; do
        grep -qE -e "(^|[^a-z0-9]|\\\\b)$name([^a-z0-9]|\$)" "$file" && continue
        echo "editors.sh: $file does not know '$name'"
        bad=1
    done
done < <(sed -nE 's/^ELEMENTARY\(([a-z0-9]+),.*/\1/p' "$here/../frontend/elementary.def"; printf '%s\n' where grad learn use and or not true false)
if command -v python3 >/dev/null; then
    python3 - "$grammar" <<'END' || bad=1
import json, re, sys
def walk(patterns):
    for p in patterns:
        for key in ('match', 'begin', 'end'):
            if key in p:
                re.compile(p[key])
        walk(p.get('patterns', []))
walk(json.load(open(sys.argv[1], encoding='utf-8'))['patterns'])
END
fi
exit $bad
