#!/bin/bash
# golden.sh [--bless] FILE.act…: files of the language that carry what actc must say about them.
#
#     logistic(x) = 1/(1 + exp(-x))
#     # $ actc show - logistic --stage=stable     a command; it finds the file on its standard input and under its name
#     # | logistic(x) = sigmoid(x)                what it prints,
#     # ! <stdin>:1:1: warning: …                 what it says on stderr,
#     # exit 1                                    and its exit status where that is not 0
#     # asm-not: call                             in place of `# |`: no line may match this (grep -E)
#     # asm: vfmadd                               … or some line must
#     bad(x) = sofplus(x)   # error: unknown function 'sofplus'; did you mean 'softplus'?
#
# `# error:` and `# warning:` stand on the line that `actc check` names; further ones for the same line follow it on
# lines of their own. Commands do not see lines that have errors, so a wrong definition stands on one line. `array` is
# there too (tests/array.c). --bless writes what was found into the files. A file that expects nothing fails.
set -uo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
ACTC=${ACTC:-$here/../build/actc}
ARRAY=${ARRAY:-$here/../build/tests/array}

bless=false
if [ "${1-}" = --bless ]; then
    bless=true
    shift
fi
[ $# -gt 0 ] || { echo "usage: golden.sh [--bless] FILE.act…" >&2; exit 2; }
[ -x "$ACTC" ] || { echo "golden.sh: there is no $ACTC" >&2; exit 2; }

scratch=$(mktemp -d) || exit 3
trap 'rm -rf "$scratch"' EXIT

actc() { "$ACTC" "$@"; }
array() { "$ARRAY" "$@"; }

is_mark() { [[ $1 =~ ^#\ (error|warning):\  ]]; }
has_mark() { [[ $1 != '#'* && $1 =~ ^(.*[^[:space:]])[[:space:]]+#\ ((error|warning):\ .*)$ ]]; }
is_result() { [[ $1 =~ ^#\ [|!](\ |$) || $1 =~ ^#\ exit\ [0-9]+$ || $1 =~ ^#\ asm(-not)?:\  ]]; }

# What `actc check` says, as found[LINE] = "error: text" lines, each attached to the source line at or above it.
check_text() {
    local line owner n message
    "$ACTC" check - <"$1" 2>"$scratch/said" >/dev/null
    local status=$?
    while IFS= read -r line; do
        [[ $line =~ ^\<stdin\>:([0-9]+):[0-9]+:\ ((error|warning):\ .*)$ ]] || continue
        n=${BASH_REMATCH[1]} message=${BASH_REMATCH[2]}
        owner=$((n > ${#lines[@]} ? ${#lines[@]} : n))
        while ((owner > 1)) && [[ ${lines[owner - 1]} =~ ^[[:space:]]*(#|$) ]]; do owner=$((owner - 1)); done
        found[owner]+=$message$'\n'
    done <"$scratch/said"
    if ((status > 1)); then
        fail "actc check ended with status $status: $(head -c 2000 "$scratch/said")"
    elif ((status == 1 && ${#found[@]} == 0)); then
        fail "actc check failed without an error that has a line: $(head -c 2000 "$scratch/said")"
    fi
}

fail() {
    failed=true
    echo "$file: $*"
}

# Runs one command and prints what should stand behind it; `wanted` are the lines that stand there now.
run_command() {
    local command=$1 status line exact=true checked=() pattern
    shift
    (cd "$scratch/work" && eval "$command") <"$scratch/text" >"$scratch/out" 2>"$scratch/err"
    status=$?
    for line in "$@"; do
        [[ $line =~ ^#\ asm ]] && exact=false checked+=("$line")
    done
    if $exact; then
        sed 's/^/# | /; s/^# | $/# |/' "$scratch/out"
    else
        for line in "${checked[@]}"; do
            pattern=${line#*: }
            if [[ $line = '# asm-not: '* ]]; then
                grep -Eq -e "$pattern" "$scratch/out" &&
                    echo "$command: '$pattern' must not occur: $(grep -Em1 -e "$pattern" "$scratch/out")" >>"$scratch/complaints"
            else
                grep -Eq -e "$pattern" "$scratch/out" ||
                    echo "$command: '$pattern' does not occur" >>"$scratch/complaints"
            fi
            echo "$line"
        done
        [ -s "$scratch/out" ] || echo "$command: printed nothing" >>"$scratch/complaints"
    fi
    sed 's/^/# ! /; s/^# ! $/# !/' "$scratch/err"
    ((status == 0)) || echo "# exit $status"
}

# One source line with its marks as they should be; keeps the text where nothing changes.
print_line() {
    local i=$1 line=${lines[$1]} old='' group=() next message first=true
    group=("$line")
    if has_mark "$line"; then
        line=${BASH_REMATCH[1]}
        old=${BASH_REMATCH[2]}$'\n'
    fi
    for ((next = i + 1; next < ${#lines[@]}; next++)); do
        is_mark "${lines[next]}" || break
        group+=("${lines[next]}")
        old+=${lines[next]#\# }$'\n'
    done
    skip=$next
    expectations=$((expectations + ${#found[i + 1]}))
    if [ "$old" = "${found[i + 1]}" ]; then
        printf '%s\n' "${group[@]}"
        return
    fi
    [ -n "${found[i + 1]}" ] || echo "$line"
    while IFS= read -r message; do
        [ -n "$message" ] || continue
        if $first; then echo "$line   # $message"; else echo "# $message"; fi
        first=false
    done <<<"${found[i + 1]}"
}

# The whole file as it should be, into $scratch/new.
render() {
    local i results
    for ((i = 0; i < ${#lines[@]}; i = skip)); do
        skip=$((i + 1))
        if [[ ${lines[i]} == '# $ '* ]]; then
            results=()
            while ((skip < ${#lines[@]})) && is_result "${lines[skip]}"; do
                results+=("${lines[skip]}")
                skip=$((skip + 1))
            done
            expectations=$((expectations + 1))
            echo "${lines[i]}"
            run_command "${lines[i]#'# $ '}" "${results[@]}"
        elif [[ ${lines[i]} =~ ^[[:space:]]*(#|$) ]]; then
            echo "${lines[i]}"
        else
            print_line "$i"
        fi
    done >"$scratch/new"
}

# One file: compares it with what it should be, or makes it so.
process() {
    local line i
    expectations=0 lines=() found=()
    mapfile -t lines <"$file" || exit 3
    for ((i = 0; i <= ${#lines[@]} + 1; i++)); do found[i]=''; done
    check_text "$file"
    rm -rf "$scratch/work"
    mkdir "$scratch/work"
    : >"$scratch/complaints"
    for line in "${lines[@]}"; do
        if has_mark "$line"; then echo; else printf '%s\n' "$line"; fi
    done >"$scratch/text"
    cp "$scratch/text" "$scratch/work/$(basename "$file")"
    render
    cmp -s "$file" "$scratch/new" && return
    if $bless; then
        cat "$scratch/new" >"$file" || exit 3
    else
        fail "what is expected (-) is not what was found (+); tests/bless accepts the latter"
        diff -u --label expected --label found "$file" "$scratch/new"
    fi
}

any=false
for file in "$@"; do
    failed=false
    if $bless; then
        # Twice: which lines commands see depends on the marks that the first time makes.
        cp "$file" "$scratch/before"
        process
        process
        cmp -s "$file" "$scratch/before" || echo "$file: blessed"
    else
        process
    fi
    while IFS= read -r line; do fail "$line"; done <"$scratch/complaints"
    ((expectations > 0)) || fail "it expects nothing: it has no '# \$ actc …' and no '# error: …'"
    $failed && any=true
done
$any && exit 1
exit 0
