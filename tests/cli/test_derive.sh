#!/bin/bash
# actc derive: what it prints is an expression, whose value is the derivative's; LaTeX is balanced.
. "$(dirname "$0")/lib.sh"

# "name first other…" of the elementwise functions of the standard library
functions=$(sed -n 's/^\([a-z_0-9]*\)(\([^;)[]*\)[;)].*/\1 \2/p' "$EXAMPLES"/*.act | tr -d ,)
[ "$(wc -l <<<"$functions")" -ge 13 ] || complain "the library has but $functions"
points=(-100 -6 -4/3 -0 0 1e-30 1 6 inf nan)

# The same, but for the rounding of params: they print as people write them.
agree() { [ "$1" = "$2" ] || awk "BEGIN { a = $1; b = $2; d = a - b; exit !(d*d <= 1e-24*a*a) }" 2>/dev/null; }
value() { sed -n "s|^$1 = ||p"; }
count() { grep -oF -e "$1" <<<"$2" | wc -l; }
while read -r f first others; do
    point=()
    for input in $others; do point+=("$input=0.75"); done
    for order in 1 2; do
        derivative=$(works actc derive "$f" --order $order)
        name=$([ $order = 1 ] && echo "d./d$first" || echo "d2./d${first}2")
        for x in "${points[@]}"; do
            want=$(works actc eval "$f" "$first=$x" "${point[@]}" --order $order | value "$name")
            got=$(works actc eval "$first=$x" "${point[@]}" --order 0 -- "$derivative" | value .)
            agree "$got" "$want" || complain "$f, order $order, at $x: '$derivative' gives $got, not $want"
        done
        latex=$(works actc derive "$f" --order $order --latex)
        for pair in '{ }' '\left \right' '\begin{cases} \end{cases}'; do
            [ "$(count "${pair% *}" "$latex")" = "$(count "${pair#* }" "$latex")" ] ||
                complain "$f: $pair do not match in $latex"
        done
    done
done <<<"$functions"

# says 'LINE' ARGUMENTS…
says() {
    local got want=$1
    shift
    got=$(works actc derive "$@")
    [ "$got" = "$want" ] || complain "derive $*: '$got', not '$want'"
}
says 'exp(x)' 'exp(x)'
says '1*b' 'a*b'
says '1*a' 'a*b' --wrt b
says '1*alpha' 'α*β' --wrt β
says '1*alpha' 'α*β' --wrt beta
says 2 -e 'f(x) = 2*x'
says 'x > 0 ? 1 : 0.25' leaky_relu --set negative_slope=1/4
says 6 'x^3' --order 3
fails 1 "has no input 'z'" actc derive relu --wrt z
fails 2 "derive takes no values" actc derive relu x=1
fails 2 "from 0 to 8" actc derive relu --order 20
finish
