#!/bin/bash
# Named axes, reductions and learnables through `actc run`: dimensions, shapes, defaults, gradients.
. "$(dirname "$0")/lib.sh"

cat >rows.act <<'EOF'
top(x[.., d]) = max[d](x)
centred(x[.., d]) = x - mean[d](x)
scaled(x[.., c]; learn a[c] = 0.25) = a*x
slope(x; learn a = 0.25) = max(0, x) + a*min(0, x)
mixed(x[.., i]; learn W[o, i], bias = 2) = sum[i](W*x) + bias
columns(x[n, c]) = x - max[n](x)
fixed(x[.., i]) = x → mixed(2, 3)
distance(y, t) = sum[*]((y - t)^2)
double(x[n, c]) = 2*x
softmax(x[.., d]) = e/sum[d](e) where e = exp(x - max[d](x))
EOF

# gives 'EXPECTED' FILE
gives() {
    local got
    got=$(array show "$2")
    [ "$got" = "$1" ] || complain "$2 is '$got', not '$1'"
}

# ---- any dimension; the result keeps the layout ----
array make -s 2,3 1 5 3 4 2 9 >x.npy
array make -s 2,3 -F 1 4 5 2 3 9 >f.npy
works actc run rows.act top x=x.npy -o y.npy && gives 'f32 (2,) C: 5 9' y.npy
works actc run rows.act top x=x.npy -o y.npy --axis d=0 && gives 'f32 (3,) C: 4 5 9' y.npy
works actc run rows.act top x=f.npy -o y.npy --axis d=-2 && gives 'f32 (3,) C: 4 5 9' y.npy
works actc run rows.act centred x=x.npy -o y.npy && gives 'f32 (2, 3) C: -2 2 0 -1 -3 4' y.npy
works actc run rows.act centred x=f.npy -o y.npy && gives 'f32 (2, 3) F: -2 -1 2 -3 0 4' y.npy
works actc run rows.act columns x=x.npy -o y.npy && gives 'f32 (2, 3) C: -3 0 -6 0 -3 0' y.npy
works actc run rows.act columns x=x.npy -o y.npy --axis n=1 && gives 'f32 (2, 3) C: -4 0 -2 -5 -7 0' y.npy
works actc run rows.act double x=x.npy -o y.npy && gives 'f32 (2, 3) C: 2 10 6 8 4 18' y.npy
array make -s 2,2,2 1 2 3 4 5 6 7 8 >cube.npy
for case in '0:5 6 7 8' '1:3 4 7 8' '2:2 4 6 8' '-3:5 6 7 8'; do
    works actc run rows.act top x=cube.npy -o y.npy --axis "d=${case%%:*}"
    gives "f32 (2, 2) C: ${case#*:}" y.npy
done

# Softmax of every dimension is that of the transposed array, bit for bit, with rows longer than a block.
array make -s 5000,3 -n 15000 -r -4:4 >long.npy
array make -s 3,5000 -F -n 15000 -r -4:4 >turned.npy
works actc run rows.act softmax x=long.npy -o a.npy --axis d=0
works actc run rows.act softmax x=turned.npy -o b.npy
[ "$(array show a.npy | cut -d: -f2)" = "$(array show b.npy | cut -d: -f2)" ] || complain "softmax over dimension 0 differs"

# ---- learnables: files, defaults, gradients of all ----
array make 1 10 100 >a.npy
array make -s 2,3 1 1 1 2 2 2 >dy.npy
works actc run rows.act scaled x=x.npy a=a.npy -o y.npy && gives 'f32 (2, 3) C: 1 50 300 4 20 900' y.npy
works actc run rows.act scaled x=x.npy -o y.npy && gives 'f32 (2, 3) C: 0.25 1.25 0.75 1 0.5 2.25' y.npy
works actc run rows.act scaled --backward x=x.npy a=a.npy dy=dy.npy -o dx=dx.npy -o da=da.npy
gives 'f32 (2, 3) C: 1 10 100 2 20 200' dx.npy
gives 'f32 (3,) C: 9 9 21' da.npy
array make 3 >one.npy
works actc run rows.act slope --backward x=x.npy a=one.npy dy=dy.npy -o da=da.npy && gives 'f32 (1,) C: 0' da.npy
works actc run rows.act slope --backward x=x.npy dy=dy.npy -o da=da.npy && gives 'f32 () C: 0' da.npy
array make -s 2,3 1 0 0 0 1 1 >W.npy
works actc run rows.act mixed x=x.npy W=W.npy -o y.npy && gives 'f32 (2, 2) C: 3 10 6 13' y.npy
works actc run rows.act distance y=x.npy t=dy.npy -o z.npy && gives 'f32 () C: 73' z.npy
for t in '<f2:f16' '<u2:bf16'; do
    array make -t "${t%%:*}" -s 2,2 -n 4 -r 0:0 >h.npy
    works actc run rows.act scaled x=h.npy -o y.npy --dtype="${t#*:}"
done

# ---- sizes at which the loops change ----
for n in 0 1 2 15 16 17 63 64 65 4095 4096 4097 9000; do
    array make -s "$n" -n "$n" -r 1:1 >ones.npy
    works actc run -e 'total(x) = sum[*](x)' total x=ones.npy -o z.npy && gives "f32 () C: $n" z.npy
done
for n in 1 1023 1024 1025 3000; do
    array make -s "$n,3" -n $((3 * n)) -r 1:1 >ones.npy
    works actc run -e 'total(x[n, c]) = sum[n](x)' total x=ones.npy -o y.npy && gives "f32 (3,) C: $n $n $n" y.npy
done

# ---- what does not fit ----
array make 1 2 >two.npy
fails 1 "the axis 'c' has size 3 in 'x' (2, 3) and 2 in 'a' (2,)" actc run rows.act scaled x=x.npy a=two.npy -o y.npy
fails 1 "'x' has the shape (2, 2, 2), and its axes are [n, c]" actc run rows.act columns x=cube.npy -o y.npy
fails 1 "'y' (2, 3) and 't' (2,) must have the same sizes in the axes that '..' stands for" \
    actc run rows.act distance y=x.npy t=two.npy -o z.npy
fails 1 "the axis 'i' of 'x' (2, 3) has size 3, and must have 2" actc run rows.act fixed x=x.npy W=W.npy -o y.npy
fails 2 "needs values for the learnable 'W', which has no default: add W=FILE.npy" \
    actc run rows.act mixed x=x.npy -o y.npy
fails 2 "'top' has no axis 'c'" actc run rows.act top x=x.npy -o y.npy --axis c=0
fails 2 "'relu' has no axis 'd'" actc run relu x=x.npy -o y.npy --axis d=0
fails 1 "--axis d=2: 'x' has 2 dimensions" actc run rows.act top x=x.npy -o y.npy --axis d=2
fails 1 "--axis c=0: another axis is that dimension of 'x'" actc run rows.act columns x=x.npy -o y.npy --axis n=0 --axis c=0

# ---- what looks at numbers alone says so ----
fails 1 "'top' has named axes or reductions; eval looks at elementwise functions" actc eval rows.act top x=1
fails 1 "'distance' has named axes or reductions; derive looks at elementwise functions" actc derive rows.act distance

# ---- emitted C: no warnings ----
for f in top centred scaled mixed columns distance double softmax slope; do
    works actc emit rows.act $f -o $f --backward
    works ${CC:-cc} -std=c99 -O1 -Wall -Wextra -pedantic -Werror -c $f.c -o $f.o
done

finish
