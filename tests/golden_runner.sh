#!/bin/bash
# golden.sh, tried with a stand-in for actc: what must fail fails, and bless repairs it.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3

cat >actc <<'STAND_IN'
#!/bin/bash
case $1 in
check) awk '{ sub(/#.*/, "") } /bad/ { for (i = 1; i <= gsub(/bad/, "bad"); i++) printf "<stdin>:%d:1: error: bad thing\n  source\n  ^\n", NR; n++ }
            END { exit n > 0 }' >&2 ;;
say) shift; printf '%s\n' "$@" ;;
complain) echo "a: error: no" >&2; exit 1 ;;
text) grep -v '^#' ;;
esac
STAND_IN
chmod +x actc
export ACTC=$work/actc ARRAY=/bin/false
bad=0
# expect pass|fail NAME: the file comes on standard input.
expect() {
    cat >"$2.act"
    if bash "$here/golden.sh" "$2.act" >"$2.log" 2>&1; then got=pass; else got=fail; fi
    [ $got = "$1" ] && return
    echo "$2: expected to $1, but:"
    cat "$2.log"
    bad=1
}

expect fail empty </dev/null
expect fail nothing <<<'f(x) = x'
expect pass output <<'END'
f(x) = x
# $ actc say 'a b' '' c
# | a b
# |
# | c
END
expect fail output_differs <<'END'
# $ actc say a
# | b
END
expect fail output_more <<'END'
# $ actc say a b
# | a
END
expect fail output_less <<'END'
# $ actc say a
# | a
# | b
END
expect fail output_unexpected <<'END'
# $ actc say a
END
expect pass stderr_and_status <<'END'
# $ actc complain
# ! a: error: no
# exit 1
END
expect fail status_missing <<'END'
# $ actc complain
# ! a: error: no
END
expect fail status_unexpected <<'END'
# $ actc say a
# | a
# exit 1
END
expect pass asm <<'END'
# $ actc say vmulps ret
# asm: v[a-z]*ps
# asm-not: call
END
expect fail asm_not <<'END'
# $ actc say 'call expf'
# asm-not: call
END
expect fail asm_missing <<'END'
# $ actc say ret
# asm: vmulps
END
expect fail asm_silent <<'END'
# $ actc text
# asm-not: call
END
expect pass error <<'END'
f(x) = x
g(x) = bad(x)   # error: bad thing
END
expect pass errors <<'END'
g(x) = bad(bad(x))     # error: bad thing
# error: bad thing
# $ actc text
# |
END
expect fail error_text <<'END'
g(x) = bad(x)   # error: other thing
END
expect fail error_unexpected <<'END'
g(x) = bad(x)
# $ actc say a
# | a
END
expect fail error_not_found <<'END'
g(x) = x    # error: bad thing
END
expect fail error_line <<'END'
g(x) = bad(x)
h(x) = x    # error: bad thing
END
expect fail error_once <<'END'
g(x) = bad(bad(x))     # error: bad thing
END
expect pass hidden <<'END'
f(x) = x
g(x) = bad(x)    # error: bad thing
h(x) = x
# $ actc text
# | f(x) = x
# |
# | h(x) = x
# $ actc text <hidden.act
# | f(x) = x
# |
# | h(x) = x
END

# bless makes each of these pass, and changes nothing that passes.
for name in output output_differs output_more output_less output_unexpected stderr_and_status status_missing \
            status_unexpected error errors error_text error_unexpected error_line error_once hidden; do
    cp $name.act before.act
    bash "$here/golden.sh" --bless $name.act >bless.log 2>&1 || { echo "bless $name:"; cat bless.log; bad=1; }
    bash "$here/golden.sh" $name.act >bless.log 2>&1 || { echo "blessed $name:"; cat $name.act bless.log; bad=1; }
    case $name in
    output | stderr_and_status | error | errors | hidden)
        cmp before.act $name.act || bad=1 ;;
    esac
done
exit $bad
