#!/bin/bash
# One backend against the JIT, bit for bit: check.sh PART, in the folder that `check.sh library` has filled.
#
# PART is library (emit everything, hash what the JIT computes), objects, gcc, clang-N (the emitted C, several options),
# aarch64 (C and object under qemu), header, or all_patterns (every f32 of two functions). A tool that is not there
# skips the part with a line that says so, status 77; gcc has to be there.
# shellcheck disable=SC2086 # options are words
set -euo pipefail
export LC_ALL=C
: "${JIT:?}" "${WORK:?}" "${EXAMPLES:?}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
part=$1
files=("$EXAMPLES"/*.act)
mkdir -p "$WORK"
cd "$WORK"
compared=0 wrong=0

# Samples of each kernel, as a power of two: for what people build, for other options, and where an emulator runs it.
dense=20 sparse=17 emulated=16
# What the C file's comment tells to use; test_flags checks that it does.
fast='-O3 -march=native -fno-math-errno -fno-trapping-math'
strict='-Wall -Wextra -pedantic -Werror'

need() {
    local tool
    for tool; do
        command -v "$tool" >/dev/null && continue
        echo "skipped: there is no $tool"
        exit 77
    done
}

say_wrong() {
    echo "WRONG: $*"
    wrong=$((wrong + 1))
}

# run PROGRAM… -- ARGUMENTS…: PROGRAM is that of one build; `jit` is the JIT's.
jit() { "$JIT" run "${files[@]}" -- "$@"; }

# compare WHAT SAMPLES COMMAND…: its hashes with the JIT's; of kernels that differ, the first elements that do.
compare() {
    local what=$1 samples=$2 name block count elements mismatches=0 shown=0
    shift 2
    local hashes
    hashes=$(mktemp hashes.XXXXXX)
    "$@" hash "$samples" >"$hashes" || say_wrong "$what: status $?"
    count=$(wc -l <"jit.$samples")
    elements=$((count * 4096))
    while read -r name block _; do
        # only so many blocks are looked at: the count is then a lower bound
        ((++shown <= 8)) || { mismatches=$((mismatches + 1)); continue; }
        jit dump "$samples" "$name" "$block" >"$hashes.jit"
        "$@" dump "$samples" "$name" "$block" >"$hashes.this"
        echo "$what: $name: inputs -> outputs of the JIT, then of this:"
        diff "$hashes.jit" "$hashes.this" >"$hashes.diff" || true
        grep -m 1 '^<' "$hashes.diff" || true
        grep -m 1 '^>' "$hashes.diff" || true
        mismatches=$((mismatches + $(grep -c '^>' "$hashes.diff" || true)))
    done < <(diff "jit.$samples" "$hashes" | sed -n 's/^< //p')
    rm -f "$hashes" "$hashes".*
    echo "$what: $elements elements compared, $mismatches$( ((shown <= 8)) || echo ' or more') mismatches"
    compared=$((compared + elements))
    [ $mismatches -eq 0 ] || wrong=$((wrong + 1))
}

edges() {
    local what=$1 said
    shift
    said=$("$@" edges) || say_wrong "$what: status $?"
    echo "$what: $said"
}

finish() {
    echo "$part: $compared elements compared, $wrong builds wrong"
    [ $wrong -eq 0 ]
    exit
}

# link OUTPUT OBJECT…: the driver with these kernels, by $cc. It must not need actc.
link() {
    local output=$1
    shift
    "$cc" -std=c11 -O2 ${static:+"$static"} -I"$here" -I. rows.c "$here/driver.c" "$here/samples.c" "$@" -o "$output" -lm
    if readelf -d "$output" | grep -q 'NEEDED.*actc'; then say_wrong "$output needs libactc"; fi
}

# compile FLAGS…: every C file, into objects of the folder $objects.
compile() {
    local c
    mkdir -p "$objects"
    for c in *_f32.c *_f64.c *f16.c; do "$cc" "$@" -c "$c" -o "$objects/${c%.c}.o"; done
}

# no_calls WHAT PATTERN OBJECT…: it needs no functions but those that match.
no_calls() {
    local what=$1 pattern=$2 names
    shift 2
    names=$(nm -u "$@" | awk 'NF == 2 { print $2 }' | sort -u | grep -vxE "$pattern" | tr '\n' ' ' || true)
    [ -z "$names" ] || say_wrong "$what calls $names"
}

processor_has() { grep -qsw "$1" /proc/cpuinfo; }

# ---- parts ----

library() {
    local samples
    rm -rf ./*
    "$JIT" emit . "${files[@]}"
    for samples in $dense $sparse $emulated; do jit hash "$samples" >"jit.$samples"; done
    edges jit jit
    # the comment tells what the tests use
    local c
    for c in *.c; do
        [ "$c" = rows.c ] || grep -qF -e "$fast" "$c" || say_wrong "$c does not name '$fast'"
    done
    compared=$(($(wc -l <jit.$dense) * 4096))
    finish
}

objects() {
    cc=gcc
    local folder
    for folder in host x86-64-v3 x86-64-v4; do
        [ -d $folder ] || continue
        if [ $folder = x86-64-v3 ] && ! processor_has avx2; then continue; fi
        if [ $folder = x86-64-v4 ] && ! processor_has avx512vl; then continue; fi
        no_calls "object for $folder" '' $folder/*.o
        link "objects.$folder" $folder/*.o
        compare "object for $folder" $dense "./objects.$folder"
        edges "object for $folder" "./objects.$folder"
    done
    # the C of one half beside the object of the other
    objects=mixed compile -std=c99 -O2
    link mixed.program {mixed/*_f32,host/*_f64,mixed/*_f16,host/*_bf16}.o
    compare 'C and object in one program' $emulated ./mixed.program
    finish
}

# The emitted C, by one compiler. Each of the options stands with a standard; all are free of
# warnings.
emitted_c() {
    local options i=0 objects samples static=
    cc=$1
    need "$cc"
    local variants=(
        "-std=c99 -O0"
        "-std=c11 -O2"
        "-std=c99 $fast"
        "-std=gnu11 -ffp-contract=fast $fast"
        "-std=c11 -O3 -march=native"
    )
    for options in "${variants[@]}"; do
        objects=$part.$((++i))
        compile $strict $options || { say_wrong "$cc $options: does not compile"; continue; }
        # sqrt is an instruction, and a call only where it must set errno
        case $options in
        *native*-fno-math-errno*) no_calls "$cc $options" 'memcpy|memset' $objects/*.o ;;
        *native*) no_calls "$cc $options" 'memcpy|memset|sqrtf?' $objects/*.o ;;
        esac
        link $objects.program $objects/*.o
        samples=$sparse
        [ "$options" != "-std=c99 $fast" ] || samples=$dense
        compare "$cc $options" $samples ./$objects.program
        [ $samples -ne $dense ] || edges "$cc $options" ./$objects.program
    done
    local c option
    for c in *_f32.c *_f64.c *f16.c; do
        for option in -ffast-math -Ofast -ffinite-math-only; do
            "$cc" -O2 $option -c "$c" -o /dev/null 2>said.$part && say_wrong "$cc $option is not refused"
            grep -q '#error\|error: this file must not' said.$part || say_wrong "$cc $option: $(cat said.$part)"
        done
    done
    finish
}

aarch64() {
    cc=aarch64-linux-gnu-gcc
    need $cc qemu-aarch64
    local options i=0 objects static=-static
    link aarch64.object.program aarch64/*.o
    no_calls 'object for aarch64' '' aarch64/*.o
    compare 'object for aarch64' $emulated qemu-aarch64 ./aarch64.object.program
    edges 'object for aarch64' qemu-aarch64 ./aarch64.object.program
    # gcc contracts by itself in the gnu modes, and this machine can
    for options in "-std=c99 -O0" "-std=gnu11 ${fast/-march=native/}"; do
        objects=$part.$((++i))
        compile $strict $options
        link $objects.program $objects/*.o
        compare "$cc $options" $emulated qemu-aarch64 ./$objects.program
    done
    edges "$cc $options" qemu-aarch64 ./$objects.program
    finish
}

# Headers compile alone, as C99 and as C++17.
header() {
    local compiler header tried=0
    for compiler in g++ clang++-14 clang++-19; do
        command -v $compiler >/dev/null || { echo "skipped: there is no $compiler"; continue; }
        for header in *_f32.h *_f64.h *f16.h; do
            $compiler -std=c++17 -x c++ $strict -fsyntax-only -include "$header" /dev/null || say_wrong "$compiler $header"
            tried=$((tried + 1))
        done
    done
    for header in *_f32.h *_f64.h *f16.h; do
        gcc -std=c99 -x c $strict -fsyntax-only -include "$header" /dev/null || say_wrong "gcc $header"
    done
    echo "header: $tried compilations as C++"
    finish
}

# All 2^32 floats, JIT against AVX2 code against C by the compilers that there are.
all_patterns() {
    local name kernels=(sigmoid_forward gelu_forward) objects
    jit hash all "${kernels[@]}" >jit.all
    local programs=()
    cc=gcc
    if processor_has avx2; then
        link all.v3.program x86-64-v3/*.o
        programs+=(all.v3.program)
    fi
    for cc in gcc clang-14 clang-19; do
        command -v $cc >/dev/null || { echo "skipped: there is no $cc"; continue; }
        objects=all.$cc
        compile -std=c99 $fast
        link all.$cc.program $objects/*.o
        programs+=("all.$cc.program")
    done
    for name in "${programs[@]}"; do
        ./"$name" hash all "${kernels[@]}" >hashes.all
        local differing
        differing=$(diff jit.all hashes.all | grep -c '^>' || true)
        echo "$name: ${kernels[*]}: $((${#kernels[@]} << 32)) elements compared, $differing blocks of 65536 differ"
        compared=$((compared + (${#kernels[@]} << 32)))
        [ "$differing" -eq 0 ] || {
            diff jit.all hashes.all | head -4
            wrong=$((wrong + 1))
        }
    done
    finish
}

case $part in
library | objects | aarch64 | header | all_patterns) $part ;;
gcc | clang-*) emitted_c "$part" ;;
*) echo "unknown part: $part" >&2 && exit 2 ;;
esac
