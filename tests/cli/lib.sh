# What the scripts of this folder share. Each works in a folder of its own and tells what goes wrong.
# shellcheck shell=bash
set -uo pipefail
export LC_ALL=C
: "${ACTC:?}" "${ARRAY:?}" "${EXAMPLES:?}"
work=$(mktemp -d) || exit 3
wrong=$work.wrong # a file, since some complaints come out of subshells
trap '[ $BASHPID != $$ ] || rm -rf "$work" "$wrong"' EXIT
cd "$work" || exit 3

actc() { "$ACTC" "$@"; }
array() { "$ARRAY" "$@"; }

# Says what is wrong, and in which line of the script.
complain() {
    local i=0
    while ((i < ${#BASH_LINENO[@]} - 2)) && [[ ${BASH_SOURCE[i + 1]} = *lib.sh ]]; do i=$((i + 1)); done
    echo "${0##*/}:${BASH_LINENO[i]}: $*" | tee -a "$wrong"
}

# fails STATUS 'TEXT IN THE MESSAGE' COMMAND…: it ends so, says so on stderr, and prints nothing.
fails() {
    local status=$1 text=$2 got
    shift 2
    "$@" >said.out 2>said.err
    got=$?
    [ $got -eq "$status" ] || complain "status $got, not $status: $* ($(cat said.err))"
    grep -qF -e "$text" said.err || complain "no '$text' in: $(cat said.err) ($*)"
    [ ! -s said.out ] || complain "it printed: $(head -c 200 said.out) ($*)"
    rm -f said.out said.err
}

# works COMMAND…: it ends with 0 and says nothing on stderr; what it prints goes on.
works() {
    local got
    "$@" 2>said.err
    got=$?
    [ $got -eq 0 ] && [ ! -s said.err ] || complain "status $got: $* ($(cat said.err))"
    rm -f said.err
}

# holds FILE 'TEXT': what `array show` says of it.
holds() {
    local got
    got=$(array show "$1" 2>&1)
    [ "$got" = "$2" ] || complain "$1 holds '$got', not '$2'"
}

# same FILE FILE: the same bytes.
same() { cmp -s "$1" "$2" || complain "$1 and $2 differ"; }

# No temporaries are left, and there are these files only.
only() {
    local got
    got=$(find . -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ')
    [ "$got" = "$(printf '%s\n' "$@" | sort | tr '\n' ' ')" ] || complain "the folder holds: $got"
}

finish() {
    [ ! -e "$wrong" ] || exit 1
    exit 0
}
