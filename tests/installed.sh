#!/bin/bash
# An installed tree: its examples build by CMake and by pkg-config, also after the tree has moved, and do what they say.
# Takes BUILD and SOURCE, the folders, from the environment.
set -uo pipefail
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3
bad=0
complain() { echo "$*"; bad=1; }
must() { "$@" >log 2>&1 || { complain "failed: $*"; cat log; exit 1; }; }

must cmake --install "$BUILD" --prefix "$work/first"
mv first tree
for file in bin/actc include/actc.h share/man/man1/actc.1; do
    [ -s "tree/$file" ] || complain "there is no $file"
done
grep -rIl -e "$BUILD" -e "$SOURCE" -e "$work/first" tree && complain "these name a folder of the build"

try() { # FOLDER of the three programs
    local got
    got=$("$1/example_define" 'x*tanh(softplus(x))' 0 1) || complain "$1/define: $got"
    grep -q '^f(1) = 0.8650984' <<<"$got" || complain "$1/define: $got"
    awk '/^loss/ { exit !($2 > 2*$5) }' <<<"$got" || complain "$1/define: $got"
    "$1/example_define" 'sofplus(x)' 1 >said 2>&1 && complain "$1/define takes a wrong formula"
    grep -q "did you mean 'softplus'" said || complain "$1/define: $(cat said)"
    got=$("$1/example_load" "$SOURCE/examples/gated.act" bilinear) || complain "$1/load: $got"
    grep -q '^1 4 9$' <<<"$got" || complain "$1/load: $got"
    grep -q '^swiglu_oai(gate, x; alpha = 1.702, limit = 7)' <<<"$got" || complain "$1/load: $got"
    got=$("$1/emitted") || complain "$1/emitted: $got"
    grep -q '^mish(1) = 0.8650984' <<<"$got" || complain "$1/emitted: $got"
}

must cmake -G Ninja -S "$SOURCE/examples/c" -B by_cmake -DCMAKE_PREFIX_PATH="$work/tree" -DCMAKE_BUILD_TYPE=Release
must cmake --build by_cmake
try by_cmake

pc=$(cd tree && find . -name actc.pc)
export PKG_CONFIG_PATH=$work/tree/${pc%/actc.pc}
mkdir by_pkgconfig
libdir=$(pkg-config --variable=libdir actc)
for example in define load; do
    # shellcheck disable=SC2046 # words
    must cc -std=c11 -Wall -Wextra -Werror "$SOURCE/examples/c/$example.c" -o by_pkgconfig/example_$example \
        $(pkg-config --cflags --libs actc) -Wl,-rpath,"$libdir"
done
must tree/bin/actc emit mish --kind=c,h --backward -o by_pkgconfig/mish
must cc -std=c99 -O2 -Wall -Wextra -Werror -Iby_pkgconfig "$SOURCE/examples/c/emitted.c" by_pkgconfig/mish.c -lm \
    -o by_pkgconfig/emitted
try by_pkgconfig

# The header's own example.
{
    echo '#include <actc.h>'; echo '#include <stdio.h>'; echo '#include <string.h>'
    echo 'int main(void) { const float x[4] = {-1, 0, 1, 2}; float y[4]; size_t n = 4;'
    sed -n '/^ \*     actc_context \*ctx;/,/^ \*     actc_kernel_release/s/^ \* //p' tree/include/actc.h
    echo 'printf("%.6g %.6g\n", y[0], y[3]); return 0; }'
} >example.c
# shellcheck disable=SC2046 # words
must cc -std=c11 -Wall -Wextra -Werror example.c $(pkg-config --cflags --libs actc) -Wl,-rpath,"$libdir" -o example
[ "$(./example)" = '-0.632121 2' ] || complain "the header's example: $(./example)"

# The header alone, and what the library shows.
echo '#include <actc.h>' >alone.c
for language in "cc -std=c99 -x c" "c++ -std=c++17 -x c++"; do
    # shellcheck disable=SC2086 # words
    must $language -Wall -Wextra -Wpedantic -Werror -fsyntax-only -Itree/include alone.c
done
nm -D --defined-only "$libdir/libactc.so" | awk '{ print $3 }' | grep -v '^actc_' && complain "these symbols are not actc_*"
declared=$(sed -n 's/^ACTC_API.*[ *]\(actc_[a-z0-9_]*\)(.*/\1/p' tree/include/actc.h | sort)
exported=$(nm -D --defined-only "$libdir/libactc.so" | awk '{ print $3 }' | sort)
[ "$declared" = "$exported" ] || complain "declared and exported differ: $(diff <(echo "$declared") <(echo "$exported"))"
exit $bad
