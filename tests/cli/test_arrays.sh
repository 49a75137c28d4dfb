#!/bin/bash
# Arrays through `actc run`: sizes, types, orders, shapes, broken files, files in and out.
. "$(dirname "$0")/lib.sh"

# ---- sizes: tails, nothing at all ----
for n in 0 1 15 16 17 67 1000; do
    array make -n $n -r -4:6 >x.npy
    array make -n $n -r 0:20 >expected.npy
    works actc run 'x*2 + 8' x=x.npy -o y.npy
    got=$(array show y.npy) want=$(array show expected.npy)
    # Evenly spaced values are rounded: compare to 5 digits.
    [ "$(tr ' ' '\n' <<<"$got" | awk '{ if ($1+0 == $1) printf "%.5g\n", $1 + 1e-30; else print }')" = \
      "$(tr ' ' '\n' <<<"$want" | awk '{ if ($1+0 == $1) printf "%.5g\n", $1 + 1e-30; else print }')" ] ||
        complain "n = $n: $got"
    works actc run relu --backward x=x.npy dy=x.npy -o dx.npy
    works actc run relu x=x.npy -o expected.npy
    [ "$(array show dx.npy | sed 's/-0\>/0/g')" = "$(array show expected.npy)" ] || complain "relu's gradient, n = $n"
done
rm -f ./*

# ---- 10^7 elements; and any piece of them alone gives the same bits: vector body or tail ----
array make -n 10000000 -r -8:8 >x.npy
array make -n 10000000 -r 2:-1 >dy.npy
# piece FILE N WHERE: the first or last N elements as an array of their own.
piece() {
    array make -s "$2"
    if [ "$3" = first ]; then tail -c +129 "$1" | head -c $((4 * $2)); else tail -c $((4 * $2)) "$1"; fi
}
for case in 'elu --set alpha=0.5' 'mish' 'tanh->leaky_relu(0.03)' 'mish --backward'; do
    read -ra words <<<"$case"
    gradient=()
    [[ $case = *--backward ]] && gradient=(dy=dy.npy)
    works actc run "${words[@]}" x=x.npy "${gradient[@]}" -o y.npy
    [ "$(wc -c <y.npy)" -eq 40000128 ] || complain "$case: $(wc -c <y.npy) bytes"
    for n in 0 1 15 16 17 67; do
        for where in first last; do
            piece x.npy $n $where >part_x.npy
            piece dy.npy $n $where >part_dy.npy
            [[ $case = *--backward ]] && gradient=(dy=part_dy.npy)
            works actc run "${words[@]}" x=part_x.npy "${gradient[@]}" -o part_y.npy
            piece y.npy $n $where | tail -c +129 >expected
            tail -c +129 part_y.npy >got
            same expected got
        done
    done
done
rm -f ./*

# ---- shapes ----
for shape in '' 0 1 3 2,3 3,0,2 1,1 2,1,3 1,0; do
    count=1
    for size in ${shape//,/ }; do count=$((count * size)); done
    array make -s "$shape" -- $(seq $count) >x.npy
    works actc run relu x=x.npy -o y.npy
    [ "$(array show x.npy)" = "$(array show y.npy)" ] || complain "shape ($shape): $(array show y.npy)"
done

# ---- byte orders, versions, types, orders of the indices ----
for type in '<f4' '>f4' '=f4' 'f4'; do
    for version in 1 2 3; do
        array make -t "$type" -V $version -s 2,3 -- -1 2 -3 4 -5 6 >x.npy
        works actc run relu x=x.npy -o y.npy
        holds y.npy 'f32 (2, 3) C: 0 2 0 4 0 6'
    done
done
array make -F -s 2,3 -- -1 2 -3 4 -5 6 >f.npy
array make -s 2,3 -- -1 -3 -5 2 4 6 >c.npy # the same matrix
works actc run relu x=f.npy -o y.npy
holds y.npy 'f32 (2, 3) F: 0 2 0 4 0 6'
works actc run relu x=c.npy -o y.npy
holds y.npy 'f32 (2, 3) C: 0 0 0 2 4 6'
works actc run 'a + b' a=f.npy b=c.npy -o y.npy
holds y.npy 'f32 (2, 3) F: -2 4 -6 8 -10 12'
works actc run 'a + b' a=c.npy b=f.npy -o y.npy
holds y.npy 'f32 (2, 3) C: -2 -6 -10 4 8 12'
works actc run relu --backward x=c.npy dy=f.npy -o dx.npy
holds dx.npy 'f32 (2, 3) C: 0 0 0 2 4 6'
works actc run 'a*b' --backward a=c.npy b=f.npy dy=c.npy -o db=db.npy -o da=da.npy
holds da.npy 'f32 (2, 3) C: 1 9 25 4 16 36'
holds db.npy 'f32 (2, 3) F: 1 4 9 16 25 36'
array make -t '<f8' -s 2 -- 1 -2 >d.npy
works actc run relu --dtype=f32 x=d.npy -o y.npy
holds y.npy 'f32 (2,) C: 1 0'
array make -s 2 -- 1 -2 >x.npy
fails 1 "'a' is f32 but 'b' is f64; --dtype" actc run 'a + b' a=x.npy b=d.npy -o y.npy
works actc run 'a + b' --dtype f32 a=x.npy b=d.npy -o y.npy
holds y.npy 'f32 (2,) C: 2 -4'

# ---- f16 and bf16: rounded once, to nearest even; bf16 is stored as integers and must be asked for ----
array make -t '<f2' -s 2,2 -F -- 1 -2 0.5 2049 >h.npy
holds h.npy 'f16 (2, 2) F: 1 -2 0.5 2048'
works actc run relu x=h.npy -o y.npy
holds y.npy 'f16 (2, 2) F: 1 0 0.5 2048'
array make -t '>f2' -s 3 -- 0.0999755859375 60000 -1 >h.npy
works actc run '3*x' x=h.npy -o y.npy
holds y.npy 'f16 (3,) C: 0.299804688 inf -3'
works actc run 'x*x' --backward x=h.npy dy=h.npy -o dx.npy
holds dx.npy 'f16 (3,) C: 0.0199890137 inf 2'
array make -t '<u2' -s 3,1 -- 1 -2 3.0078125 >b.npy
fails 1 "'x' are unsigned integers ('<u2'); --dtype=bf16" actc run relu x=b.npy -o z.npy
fails 1 "'x' are unsigned integers" actc run relu --dtype=f32 x=b.npy -o z.npy
works actc run relu --dtype=bf16 x=b.npy -o y.npy
holds y.npy 'bf16 (3, 1) C: 1 0 3'
array make -s 2 -- 1 1.00390625 >row.npy
fails 1 "'a' is f16 but 'b' is f32; --dtype=f16 or --dtype=f32" actc run 'a + b' a=h.npy b=row.npy -o z.npy
works actc run 'a + b' --dtype bf16 a=b.npy b=row.npy -o y.npy
holds y.npy 'bf16 (3, 2) C: 2 2 -1 -1 4 4'
array make -t '<u2' -s 3,1 -- 1 1 1 >one.npy
works actc run 'a*a' --backward --dtype bf16 a=b.npy dy=one.npy -o da.npy
holds da.npy 'bf16 (3, 1) C: 2 -4 6'
works actc run elu --dtype f64 x=h.npy -o y.npy
rm -f ./*

# ---- broadcasting ----
array make -s 3,1 -- 10 20 30 >column.npy
array make -s 2 -- 1 2 >row.npy
array make -s '' -- 5 >scalar.npy
works actc run 'a + b' a=column.npy b=row.npy -o y.npy
holds y.npy 'f32 (3, 2) C: 11 12 21 22 31 32'
works actc run 'a + b' a=row.npy b=column.npy -o y.npy
holds y.npy 'f32 (3, 2) C: 11 12 21 22 31 32'
works actc run 'a + b + c' a=row.npy b=column.npy c=scalar.npy -o y.npy
holds y.npy 'f32 (3, 2) C: 16 17 26 27 36 37'
array make -s 3 -- 1 2 3 >three.npy
fails 1 "'b' (3,) and 'a' (2,) do not broadcast" actc run 'a + b' a=row.npy b=three.npy -o y.npy
fails 1 "'dy' (3,) and 'y' (2,) differ in shape" actc run relu --backward x=row.npy dy=three.npy -o dx.npy
array make -s 3,0 >empty.npy
works actc run 'a + b' a=empty.npy b=column.npy -o y.npy
holds y.npy 'f32 (3, 0) C:'
rm -f ./*

# ---- broken files: refused with the file's name, status 1, nothing written ----
put() { printf "$1" >broken.npy; }
refused() { fails 1 "broken.npy: error: $1" actc run relu x=broken.npy -o y.npy; }
put ''
refused 'it is empty'
put 'hello'
refused 'it is not a .npy file'
put 'PK\003\004rest of an archive'
refused 'it is a .npz archive'
put '\223NUMPY\001\000'
refused 'it is truncated in its header'
put '\223NUMPY\001\000\166\000{'
refused 'it is truncated in its header'
put '\223NUMPY\011\000\002\000{}'
refused 'format version 9.0 is not known'
put '\223NUMPY\002\000\377\377\377\377{}'
refused 'its header of 4294967295 bytes is too long'
for type in '<i4' '<i8' '|u1' '<i2' '<c8' '|O' '<U3' '|b1'; do
    array make -t "$type" -s 1 -- 1 >broken.npy
    refused 'its elements are '
    fails 1 "('$type'); actc takes f32" actc run relu x=broken.npy -o y.npy
done
for shape in -1 2,-3 99999999999999999999 4294967296,4294967296,4 x 3.5 None '3,,3' '(3,),'; do
    array make -s "$shape" -- 1 >broken.npy
    refused 'its '
done
array make -s 1000000000000 -- 1 >broken.npy
refused 'it is truncated: 4 bytes for shape (1000000000000,) of f32, which takes 4000000000000'
array make -s 3 -- 1 2 >broken.npy
refused 'it is truncated: 8 bytes'
fails 1 "<stdin>: error: it is truncated: 8 bytes" eval 'cat broken.npy | actc run relu x=- -o y.npy'
# Cut anywhere.
array make -s 2,3 -V 2 -- 1 2 3 4 5 6 >whole.npy
for cut in 1 5 6 7 8 9 10 11 12 13 50 100 127 128 129 151; do
    head -c $cut whole.npy >broken.npy
    refused 'it is '
done
# Bytes exchanged, by a fixed sequence: never worse than a refusal.
length=$(wc -c <whole.npy)
seed=1
for round in $(seq 100); do
    cp whole.npy broken.npy
    for _ in 1 2 3; do
        seed=$(((seed * 1103515245 + 12345) % 2147483648))
        printf "\\$(printf %o $((seed / 65536 % 256)))" |
            dd of=broken.npy bs=1 seek=$((seed / 256 % length)) conv=notrunc status=none
    done
    actc run relu x=broken.npy -o y.npy 2>said
    status=$?
    [ $status -le 1 ] || complain "round $round: status $status, $(cat said)"
    [ $status -eq 0 ] || grep -q '^broken.npy: error: ' said || complain "round $round: $(cat said)"
done
rm -f y.npy said
# What follows the elements is ignored, as NumPy does.
{ cat whole.npy; echo more; } >more.npy
works actc run relu x=more.npy -o y.npy
holds y.npy 'f32 (2, 3) C: 1 2 3 4 5 6'
rm -f ./*

# ---- files in and out ----
array make -s 3 -- -1 2 -3 >x.npy
works actc run relu x=x.npy -o x.npy # in place
holds x.npy 'f32 (3,) C: 0 2 0'
works actc run relu x=- -o - <x.npy >y.npy
same x.npy y.npy
works actc run relu x=x.npy -o /dev/stdout | cat >z.npy
same x.npy z.npy
works actc run relu x=x.npy -o /dev/null
ln -s x.npy link.npy
works actc run 'x + 1' x=x.npy -o link.npy
[ -L link.npy ] || complain "the link is gone"
holds x.npy 'f32 (3,) C: 1 3 1'
(umask 077 && works actc run relu x=x.npy -o private.npy)
[ "$(stat -c %a private.npy)" = 600 ] || complain "mode $(stat -c %a private.npy)"
(umask 022 && works actc run relu x=x.npy -o public.npy)
[ "$(stat -c %a public.npy)" = 644 ] || complain "mode $(stat -c %a public.npy)"
ln x.npy other_name.npy
works actc run 'x*0' x=x.npy -o x.npy
holds other_name.npy 'f32 (3,) C: 1 3 1'
rm -f ./*

array make -s 3 -- -1 2 -3 >x.npy
cp x.npy before.npy
fails 3 "/dev/full: error: cannot write it: No space left on device" actc run relu x=x.npy -o /dev/full
fails 3 "missing/y.npy: error: " actc run relu x=x.npy -o missing/y.npy
mkdir folder
fails 3 "folder: error: cannot write it: it is a folder" actc run relu x=x.npy -o folder
fails 3 "error: cannot read it: Is a directory" actc run relu x=folder -o y.npy
fails 3 "<stdout>: error: cannot write it" eval 'actc run relu x=x.npy -o - >/dev/full'
# The second output fails: the first is not there either.
fails 3 "/dev/full" actc run 'a*b' --backward a=x.npy b=x.npy dy=x.npy -o da=da.npy -o db=/dev/full
fails 3 "folder" actc run 'a*b' --backward a=x.npy b=x.npy dy=x.npy -o da=da.npy -o db=folder
# A file that cannot grow: nothing half-written is left, and what was there stays.
array make -n 100000 -r 0:1 >large.npy
fails 3 "x.npy: error: cannot write it: File too large" \
    bash -c 'ulimit -f 100; trap "" XFSZ; exec "$0" run relu x=large.npy -o x.npy' "$ACTC"
same x.npy before.npy
if [ "$(id -u)" -ne 0 ]; then
    chmod a-w folder
    fails 3 "folder/y.npy: error: cannot write to its folder" actc run relu x=x.npy -o folder/y.npy
fi
only x.npy before.npy large.npy folder
finish
