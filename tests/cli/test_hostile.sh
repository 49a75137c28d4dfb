#!/bin/bash
# Texts that no person writes: each is done or refused with a message, within SECONDS of time and MEGABYTES of memory, and
# without a flood of text. TABLE=FILE writes what was measured there.
. "$(dirname "$0")/lib.sh"
SECONDS_MOST=${SECONDS_MOST:-60} MEGABYTES=${MEGABYTES:-1800}
# The address sanitizer takes a multiple of all this.
limited=true
if grep -qa __asan_init "$ACTC"; then limited=false SECONDS_MOST=$((SECONDS_MOST * 10)); fi
table=${TABLE:-/dev/null}
: >"$table"

rep() { # rep HEAD PART COUNT TAIL
    printf %s "$1"
    yes "$2" 2>/dev/null | head -n "$3" | tr -d '\n'
    printf '%s\n' "$4"
}

# tame NAME STATUS 'MESSAGE' [COMMAND…]: the text comes on standard input; without COMMAND it is checked.
tame() {
    local name=$1 status=$2 message=$3 got begin took peak=0
    shift 3
    [ $# -gt 0 ] || set -- check -
    cat >"$name.txt"
    begin=$(date +%s%N)
    (
        $limited && ulimit -v $((MEGABYTES * 1024))
        exec timeout "$SECONDS_MOST" "$ACTC" "$@"
    ) <"$name.txt" >said.out 2>said.err
    got=$?
    took=$((($(date +%s%N) - begin) / 1000000))
    if [ -x /usr/bin/time ] && [ "$table" != /dev/null ]; then
        peak=$(/usr/bin/time -f %M "$ACTC" "$@" <"$name.txt" 2>&1 >/dev/null | tail -n 1)
    fi
    printf '%-24s %9d bytes  status %d  %6d ms  %5d MB  %s\n' "$name" "$(stat -c %s "$name.txt")" $got "$took" $((peak / 1024)) \
        "$(head -n 1 said.err | cut -c 1-90)" >>"$table"
    [ $got -eq "$status" ] || complain "$name: status $got, not $status: $(head -c 300 said.err)"
    [ -z "$message" ] || grep -qF -e "$message" said.err || complain "$name: no '$message' in: $(head -c 300 said.err)"
    [ "$(stat -c %s said.err)" -lt 60000 ] || complain "$name: $(stat -c %s said.err) bytes of messages"
    rm -f "$name.txt" said.out said.err
}

deep='nested too deeply'
rep 'f(x) = ' '(' 100000 x | tame parentheses 1 "$deep"
rep 'f(x) = ' 'exp(' 100000 x | tame calls 1 "$deep"
rep 'f(x) = ' 'x + ' 1000000 x | tame plus 1 "$deep"
rep 'f(x) = ' 'x^' 100000 x | tame powers 1 "$deep"
rep 'f(x) = ' '-' 1000000 x | tame minus 1 "$deep"
rep 'f(x) = ' '√' 1000000 x | tame roots 1 "$deep"
rep 'f(x) = ' 'x > 0 ? x : ' 100000 x | tame conditionals 1 "$deep"
rep 'f(x) = ' 'x < ' 1000000 x | tame comparisons 1 "$deep"
rep 'f = ' 'relu → ' 100000 relu | tame stages 1 "$deep"
rep 'f(x) = ' '[(' 1000000 ')))' | tame brackets 1 error
rep 'f(x) = ' '(' 990 "x$(rep '' ')' 990 '')" | tame parentheses_990 0 ''
seq -f 'f%.0f(x) = x' 1000000 | head -c 16000000 | sed '$d' | tame definitions 0 ''
seq -f 'f%.0f(x) = y' 1000000 | head -c 16000000 | sed '$d' | tame bad_definitions 1 'more than 100 errors'
rep '' 'a=1 ' 2000000 '' | tame one_name 1 "'a' is defined twice"
(seq -f '%.0f' 0 500000 | awk '{ printf "f%d(x) = f%d(x)\n", $1 + 1, $1 }'; echo 'f0(x) = x') | tame chain 0 ''
(seq -f '%.0f' 0 500000 | awk '{ printf "f%d(x) = f%d(x)\n", $1 + 1, $1 }'; echo 'f0(x) = f500000(x)') | tame circle 1 recursive
rep 'f(x) = x*3.' 1 1000 '' | tame digits 0 ''
rep 'f(x) = x*3.' 1 1000000 '' | tame million_digits 1 'a number of more than'
echo 'f(x) = x*1e9999999999999999999999' | tame exponent 1 'too large'
echo 'f(x) = x*1e-9999999999999999999999' | tame small_exponent 1 'too small'
(echo 'f0(x) = x + 1'; for i in $(seq 0 29); do echo "f$((i + 1))(x) = f$i(x)*f$i(x)"; done) >explode
tame squares 0 '' show - f30 <explode
(echo 'f0(x) = x*x'; for i in $(seq 0 29); do echo "f$((i + 1))(x) = f$i(x + 1)*f$i(x + 2)"; done) | tame shifts 1 'too large' show - f30
(echo 'f0(x; p = 1) = x*p'; for i in $(seq 0 29); do echo "f$((i + 1))(x; p = 1) = f$i(x; p = p*2)*f$i(x; p = p*3)"; done) |
    tame params 0 '' show - f30
(printf 'f(x; p = 1'; seq -f ',p%.0f=1' 300000 | tr -d '\n'; echo ') = x*q') | tame many_params 1 "unknown name 'q'"
(printf 'f(x) = a0 where a0 = x'; seq -f '%.0f' 0 300000 | awk '{ printf ", a%d = a%d + 1", $1 + 1, $1 }'; echo) | tame many_wheres 0 ''
rep 'f(x) = x' ' grad x = x*x' 300000 '' | tame many_grads 1 'given twice'
seq -f 'f%.0f(x) = x*x grad x = x + x' 200000 | tame overrides 0 ''
rep 'f(x) = max(' 'x, ' 2000000 'x)' | tame arguments 0 ''
rep '' 'use "a" ' 1000000 '' | tame uses 1 'cannot read'
head -c 17000000 /dev/zero | tr '\0' ' ' | tame seventeen_megabytes 1 ''
head -c 16000000 /dev/zero | tr '\0' ' ' | tame spaces 0 ''
head -c 16000000 /dev/zero | tame nuls 1 'NUL byte'
head -c 1000000 /dev/urandom | tame noise 1 error
rep 'f(x) = ' , 15000000 '' | tame commas 1 "unexpected ','"
rep '' '"' 8000000 '' | tame quotes 1 error
rep '' x 1000000 '(y) = y' | tame long_name 1 'a name of more than'
rep '' $'## d\t' 3000000 $'\nf(x) = x' | tame docs 0 ''
printf 'f(x) = x # \xff\xfe\n\xed\xa0\x80g(x) = x\n' | tame encoding 1 'not valid UTF-8'
rep 'f(x) = x ' '`$' 4000000 '' | tame signs 1 "unexpected character"
rep 'f(x) = x' ' where' 2000000 '' | tame wheres 1 error
rep '' 'where = ' 2000000 '' | tame reserved 1 'is reserved'
l='lin(x[.., i]; learn W[o, i]) = sum[i](W*x)'
(echo "$l p0 = lin → lin"; for i in $(seq 0 39); do echo "p$((i + 1)) = p$i → p$i"; done) | tame pipelines 0 '' list -
(echo "$l"; seq -f '%.0f' 0 300000 | awk '{ printf "p%d = p%d\n", $1 + 1, $1 }'; echo 'p0 = lin') | tame pipeline_chain 0 '' list -
(echo "$l"; rep 'p = lin' ' → lin(3, 3)' 900 '') | tame sizes 0 ''
finish
