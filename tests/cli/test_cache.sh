#!/bin/bash
# Where the command keeps kernels, and that it needs no code generator for one that is there.
. "$(dirname "$0")/lib.sh"

count() { find "$1" -name '*.kernel' 2>/dev/null | wc -l; }

array make -n 20 -r -4:6 >x.npy
works actc run mish x=x.npy -o expected.npy # ACTC_CACHE is empty in tests
export HOME=$PWD/home
mkdir home
works actc run mish x=x.npy -o y.npy
[ -z "$(ls -A home)" ] || complain "an empty ACTC_CACHE is no folder, but there is: $(find home)"

unset ACTC_CACHE XDG_CACHE_HOME
works actc run mish x=x.npy -o y.npy
[ "$(count home/.cache/actc)" = 1 ] || complain "nothing in ~/.cache/actc"
[ "$(stat -c %a home/.cache/actc)" = 700 ] || complain "others may look into the folder"
export XDG_CACHE_HOME=$PWD/xdg
works actc run mish x=x.npy -o y.npy
[ "$(count xdg/actc)" = 1 ] || complain "nothing in \$XDG_CACHE_HOME/actc"
XDG_CACHE_HOME=relative works actc run mish x=x.npy -o y.npy
[ ! -e relative ] || complain "a relative XDG_CACHE_HOME is used"
export ACTC_CACHE=$PWD/own
works actc run mish x=x.npy -o y.npy
[ "$(count own)" = 1 ] || complain "nothing in \$ACTC_CACHE"

# From there without LLVM, the same bits; another kernel needs it.
# (glibc tells which libraries it opens.)
opened() { LD_DEBUG=files "$ACTC" run "$@" x=x.npy -o y.npy 2>&1 | grep -c 'libactc-llvm.so.*generating link map'; }
[ "$(opened tanh)" = 1 ] || complain "LD_DEBUG does not tell of libactc-llvm"
[ "$(opened tanh)" = 0 ] || complain "LLVM is loaded for a kernel that is there"
rm own/*
works actc run mish x=x.npy -o y.npy
works actc run mish x=x.npy -o y.npy
same y.npy expected.npy
works actc run mish --backward x=x.npy dy=x.npy -o dx.npy
[ "$(count own)" = 2 ] || complain "forward and backward are not two kernels"

# A folder that cannot be written, and files that are no kernels.
ACTC_CACHE=/proc/none works actc run mish x=x.npy -o y.npy
for f in own/*.kernel; do echo nonsense >"$f"; done
works actc run mish x=x.npy -o y.npy
same y.npy expected.npy
finish
