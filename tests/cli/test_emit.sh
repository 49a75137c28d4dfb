#!/bin/bash
# actc emit: which files come out, that C compiles without a word everywhere, that what is emitted runs without actc.
. "$(dirname "$0")/lib.sh"

CC=${CC:-cc}
library=$(sed -n 's/^\([a-z_0-9]*\)(.*/\1/p' "$EXAMPLES"/*.act)
compilers=("$CC")
for cc in gcc clang-14 clang-19; do # one file may have several names
    path=$(readlink -f "$(command -v "$cc")")
    [ -n "$path" ] && [ "$path" != "$(readlink -f "$(command -v "$CC")")" ] && compilers+=("$cc")
done

# quiet COMMAND…: it works and says nothing at all.
quiet() {
    local said
    said=$("$@" 2>&1) || complain "failed: $* ($said)"
    [ -z "$said" ] || complain "$* said: $(head -c 1000 <<<"$said")"
}

printf 'f(x) = 2*x\ng(x; k = 3) = k*x*tanh(x)\np = tanh -> relu\nc = sqrt(2/pi)\n' >two.act

# ---- which files ----
mkdir out
quiet actc emit mish -o out/m
[ "$(ls out | tr '\n' ' ')" = "m.c m.h " ] || complain "by default: $(ls out)"
quiet actc emit mish -o out/m --kind=c,h,obj,asm,llvm,bc,shared -MD
[ "$(ls out | tr '\n' ' ')" = "m.bc m.c m.d m.h m.ll m.o m.s m.so " ] || complain "all kinds: $(ls -a out)"
[ "$(cat out/m.d)" = "out/m.c out/m.h out/m.o out/m.s out/m.ll out/m.bc out/m.so:" ] || complain "m.d: $(cat out/m.d)"
[ "$(head -c 4 out/m.o | tail -c 3)" = ELF ] && [ "$(head -c 4 out/m.so | tail -c 3)" = ELF ] || complain "no ELF"
[ "$(head -c 2 out/m.bc)" = BC ] || complain "no bitcode"
grep -q '^\(define .*\)\?@mish_forward\b' out/m.ll || complain "no function in m.ll"
grep -q '\.globl.mish_forward$' out/m.s || complain "no function in m.s"
rm -rf out/*
cp two.act "out/a #1\$.act"
quiet actc emit "out/a #1\$.act" f --kind=c -o "out/a b" -MD
[ "$(cat "out/a b.d")" = 'out/a\ b.c: out/a\ \#1$$.act' ] || complain "escapes: $(cat "out/a b.d")"
quiet actc emit -e 'f(x) = x' -o out/e --kind=h -MD
[ "$(cat out/e.d)" = "out/e.h:" ] || complain "e.d: $(cat out/e.d)"
rm -rf out

# ---- which functions, and what they are called ----
# names OPTIONS…: the functions of the header that comes out
names() {
    quiet actc emit "$@" --kind=h -o n
    sed -n 's/^void \([A-Za-z0-9_]*\)(.*/\1/p' n.h | tr '\n' ' '
    rm -f n.h
}
is() { [ "$2" = "$1 " ] || complain "'$2', not '$1 '"; }
is "f_forward g_forward p_forward" "$(names two.act)"
is "g_forward f_forward" "$(names two.act g f)"
is "mish_forward mish_backward mish_forward_backward mish_backward2" "$(names mish --backward --fused --order 2)"
is "mish_forward mish_backward2" "$(names mish --order=2)"
is "k_mish_forward k_gelu_forward" "$(names mish gelu --prefix=k_)"
is "smooth_forward" "$(names 'x*tanh(x)' --name=smooth)"
is "hidden_forward" "$(names 'tanh → leaky_relu(0.03)' --name hidden)"
is "n_forward" "$(names 'x*tanh(x)')"
is "other_forward" "$(names mish --name=other)"
is "f_forward" "$(names -e 'f(x) = x')"
is "lambda_forward" "$(names -e 'λ(α) = α')"
quiet actc emit elu --set α=0.5 --kind=c -o elu
quiet actc emit elu --set alpha=1/2 --kind=c -o other
diff <(grep -v '"elu.h"\|elu.c' elu.c) <(grep -v '"other.h"\|other.c' other.c) >said || complain "α is not alpha: $(cat said)"
rm -f elu.c other.c said
quiet actc emit mish --dtype=f64 -o d
grep -qF 'void mish_forward(size_t n, const double *x, double *y);' d.h || complain "d.h: $(cat d.h)"
rm d.c d.h

# ---- what is refused ----
fails 2 "-o BASE is missing" actc emit mish
fails 2 "which functions?" actc emit -o k
fails 2 "the text defines none" actc emit -e 'c = 1' -o k
fails 2 "names a folder" actc emit mish -o ./
fails 2 "names a folder" actc emit mish -o ''
fails 2 "without their ending" actc emit mish -o -
fails 2 "must not contain quotes" actc emit mish -o 'a"b'
fails 2 "--output is given twice" actc emit mish -o a -o b
fails 2 "did you mean 'obj'?" actc emit mish -o k --kind=c,onj
fails 2 "the kinds are c, h, obj" actc emit mish -o k --kind=zzzzz
fails 2 "the kinds are" actc emit mish -o k --kind=c,
fails 2 "no code generator for the target 'foo'" actc emit mish -o k --kind=obj --target=foo
fails 2 "unknown processor 'foo'" actc emit mish -o k --kind=c,obj --cpu=foo
fails 2 'C is for any machine' actc emit mish -o k --kind=c,h --cpu=foo
fails 2 'C is for any machine' actc emit mish -o k --target=foo-bar
fails 2 "for this machine only" actc emit mish -o k --kind=shared --target=aarch64-linux-gnu
fails 2 "cannot begin a name in C" actc emit mish -o k --prefix='a b'
fails 2 "--name takes a name" actc emit 'x*x' -o k --name='a b'
fails 2 "--name is for one function, and there are 3" actc emit two.act -o k --name=h
fails 2 "--set is for one function" actc emit elu celu -o k --set alpha=1
fails 2 "has no name" actc emit mish 'x*x' -o k
fails 2 "both be called 'mish_forward'" actc emit mish mish -o k
fails 2 "emit takes no arrays" actc emit mish x=x.npy -o k
fails 2 "emit knows --order 1 and 2, not 3" actc emit mish -o k --order=3
fails 2 "'-MD' is there" actc emit mish -o k -MX
fails 2 "'-MD' is there" actc emit mish -M -o k
fails 2 "--runtime is not supported yet" actc emit elu -o k --runtime=alpha
fails 2 "--save is not supported yet" actc emit elu -o k --save=y
fails 2 "there is no type" actc emit mish -o k --dtype=f31
fails 1 "did you mean 'mish'" actc emit mihs -o k
fails 1 "has no param" actc emit elu -o k --set alhpa=1
fails 1 "has no inputs" actc emit two.act c -o k
only two.act

# ---- what cannot be written leaves nothing behind ----
mkdir folder sealed
mkdir folder/k.c
fails 3 "folder/k.c: error: cannot write it: it is a folder" actc emit mish -o folder/k
[ "$(ls -A folder)" = k.c ] || complain "left: $(ls -A folder)"
rmdir folder/k.c
fails 3 "missing/k.c: error: cannot write to its folder" actc emit mish -o missing/k
printf old >folder/k.c
mkdir folder/k.h
fails 3 "folder/k.h: error:" actc emit mish -o folder/k
[ "$(cat folder/k.c)" = old ] || complain "k.c is no longer as it was"
rmdir folder/k.h
ln -s /dev/full folder/k.h
fails 3 "folder/k.h: error: cannot write it: No space left" actc emit mish -o folder/k
[ "$(cat folder/k.c)" = old ] && [ "$(ls -A folder | tr '\n' ' ')" = "k.c k.h " ] || complain "left: $(ls -A folder)"
chmod 500 sealed
if ! touch sealed/x 2>/dev/null; then # root writes everywhere
    fails 3 "sealed/k.c: error: cannot write to its folder" actc emit mish -o sealed/k
fi
fails 3 "k.so: error: cannot run 'no-such-compiler'" env CC=no-such-compiler "$ACTC" emit mish --kind=c,shared -o k
fails 3 "k.so: error: 'false -shared' could not link it" env CC=false "$ACTC" emit mish --kind=c,shared -o k
mkdir tmp
fails 3 "could not link it" env TMPDIR="$PWD/tmp" CC=false "$ACTC" emit mish --kind=shared -o k
[ -z "$(ls -A tmp)" ] || complain "temporaries are left: $(ls -A tmp)"
rm -rf folder sealed tmp
only two.act

# ---- C that compiles without a word ----
cat >odd.act <<'EOF'
## Text that would end a comment: */ or begin one: /* or ??/ continue a line \
int(x) = 2*x
λ(α, float, n, i, M_PI, INT_MAX, t1, t_1, tmp1, dy) = α*float + n*i - M_PI*t1*exp(t_1)*exp(t_1) + tmp1*dy*INT_MAX
class(y, x_i, y_i) = y + x_i*y_i*exp(y)
main(double) = double → tanh
_x(_a) = _a*_a
Ω(fmaf) = exp(fmaf)*NULL where NULL = fmaf
EOF
quiet actc emit odd.act --backward --fused --order=2 -o odd
for dtype in f32 f64; do
    # shellcheck disable=SC2086
    quiet actc emit $library --backward --fused --order=2 --dtype=$dtype -o $dtype
done
awk 'length > 100 {print FILENAME ": " FNR}' f32.[ch] f64.[ch] odd.[ch] | grep . && complain "long lines"
sed -n 's/^#include *//p' f32.c f64.c odd.c | grep -v '^<\(math\|stddef\|stdint\|string\).h>$\|^"\(f32\|f64\|odd\).h"$' &&
    complain "other headers"
for cc in "${compilers[@]}"; do
    for base in odd f32 f64; do
        quiet "$cc" -std=c99 -O1 -Wall -Wextra -pedantic -Wshadow -Wconversion -c $base.c -o c.o
        # Only what compilers know as an instruction may be called, and what copies bits.
        nm -u c.o | awk '{print $2}' | grep -vxE '(fma|sqrt|floor|ceil|rint|trunc|fabs)f?|memcpy|_GLOBAL_OFFSET_TABLE_' &&
            complain "$cc: $base.c calls something"
        quiet "$cc" -std=c11 -Wall -Wextra -pedantic -fsyntax-only $base.c
        quiet "$cc" -std=gnu11 -Wall -Wextra -pedantic -O3 -march=native -fno-math-errno -fno-trapping-math -c odd.c -o c.o
        printf '#include "%s.h"\n#include "%s.h"\nextern int unit;\n' $base $base >header.c
        quiet "$cc" -std=c99 -Wall -Wextra -pedantic -fsyntax-only header.c
        quiet "$cc" -x c++ -std=c++17 -Wall -Wextra -pedantic -fsyntax-only header.c
    done
done
rm -f c.o header.c odd.*

# ---- objects for others ----
for format in asm obj; do
    quiet actc emit gelu --backward --kind=$format --target=aarch64-linux-gnu -o arm
done
[ "$(od -An -tu1 -j18 -N1 arm.o | tr -d ' ')" = 183 ] || complain "arm.o is not for AArch64"
rm arm.*
quiet actc emit gelu --kind=asm --cpu=x86-64-v3 -o v3
grep -q zmm v3.s && complain "AVX-512 for x86-64-v3"
rm v3.s

# ---- a program without actc: the object of one function, the C of another, a library of both ----
cat >program.c <<'EOF'
#include <stdio.h>
#include <string.h>
#include "c.h"
#include "o.h"
#include "s.h"

enum { N = 1003 };

static int compare(const char *what, const float *a, const float *b)
{
    if (memcmp(a, b, N * sizeof *a) == 0) return 0;
    printf("%s differ\n", what);
    return 1;
}

int main(void)
{
    static float x[N], dy[N], a[N], b[N], c[N];
    int wrong = 0;
    for (int i = 0; i < N; i++) x[i] = (float)(i - N / 2) / 37.0f, dy[i] = (float)(i % 7) - 2.5f;
    c_gelu_forward(N, x, a), o_gelu_forward(N, x, b), s_gelu_forward(N, x, c);
    wrong += compare("gelu: C and object", a, b) + compare("gelu: C and library", a, c);
    c_mish_backward(N, x, dy, a), o_mish_backward(N, x, dy, b), s_mish_backward(N, x, dy, c);
    wrong += compare("mish_backward: C and object", a, b) + compare("mish_backward: C and library", a, c);
    memcpy(b, x, sizeof b);
    c_mish_forward(N, x, a), o_mish_forward(N, b, b);
    wrong += compare("mish in place", a, b);
    printf("%.9g %.9g\n", (double)a[N / 2 + 37], (double)a[N / 2 - 37]);
    return wrong;
}
EOF
quiet actc emit gelu mish --backward --prefix=c_ -o c
quiet actc emit gelu mish --backward --prefix=o_ --kind=h,obj -o o
quiet actc emit gelu mish --backward --prefix=s_ --kind=h,shared -o s
for cc in "${compilers[@]}"; do
    quiet "$cc" -std=c99 -Wall -Wextra -pedantic -O2 -o program program.c c.c o.o ./s.so -lm
    got=$(./program) || complain "$cc: $got"
    [ "$got" = "0.865098417 -0.30340147" ] || complain "mish(±1) = $got"
    ldd ./program ./s.so | grep -E 'actc|LLVM' && complain "it needs actc"
done
[ "$(actc eval mish x=1 --order 0 --dtype f32)" = "y = 0.8650984" ] || complain "eval gives something else"

# ---- without LLVM: all but the code generator's own ----
folder=$(dirname "$ACTC")
mkdir bare
cp -P "$folder"/actc "$folder"/libactc.so* bare/
[ -e bare/libactc.so.0 ] || complain "there is no libactc.so.0 beside actc"
bare() { LD_LIBRARY_PATH=$PWD/bare "$@"; }
bare ldd bare/actc | grep -F "bare/libactc.so" >said || complain "another library: $(bare ldd bare/actc)"
bare ldd bare/actc | grep LLVM && complain "actc needs LLVM"
quiet actc emit gelu mish --backward --fused --order 2 -o c
mv c.c with.c
quiet bare bare/actc emit gelu mish --backward --fused --order 2 -o c
same c.c with.c
for stage in ast graph stable grad expanded plan c; do
    works bare bare/actc show mish --stage=$stage >said
    [ -s said ] || complain "show --stage=$stage prints nothing"
done
works bare bare/actc check two.act
[ "$(works bare bare/actc eval mish x=1 | head -1)" = "y = 0.8650983882673103" ] || complain "eval without LLVM"
[ "$(works bare bare/actc derive 'exp(x)')" = "exp(x)" ] || complain "derive without LLVM"
fails 3 "libactc-llvm.so" bare bare/actc show mish --stage=asm
fails 3 "libactc-llvm.so" bare bare/actc emit mish --kind=c,obj -o bare/d
[ ! -e bare/d.c ] || complain "C was written although the object failed"
# With all of it there, what needs no code generator does not load it either.
LD_DEBUG=files "$ACTC" emit gelu --backward -o c 2>&1 | grep -i llvm && complain "emit of C loads LLVM"
LD_DEBUG=files "$ACTC" emit gelu --backward --kind=obj -o c 2>&1 | grep -i llvm >said || complain "LD_DEBUG shows nothing"
finish
