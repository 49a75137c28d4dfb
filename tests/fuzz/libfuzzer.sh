#!/bin/bash
# libfuzzer.sh SECONDS: builds the harness with clang's libFuzzer and sanitizers in $BUILD (the frontend and ir, nothing of
# LLVM) and runs it from the texts of the tests, with the same seed each time. What breaks it is left in $BUILD/broken-*.
set -euo pipefail

has_libfuzzer() {
    echo 'int LLVMFuzzerTestOneInput(const char *s, unsigned long n) { return (void)s, (void)n, 0; }' |
        "$1" -fsanitize=fuzzer,address,undefined -x c - -o "$BUILD/probe" >/dev/null 2>&1
}

mkdir -p "$BUILD"
for clang in clang-19 clang; do
    if has_libfuzzer "$clang"; then break; fi
    clang=
done
if [ -z "$clang" ]; then
    echo "skipped: there is no clang with libFuzzer; './bootstrap --tests' installs one"
    exit 77
fi

fresh=()
if [ -f "$BUILD/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$SOURCE" "$BUILD/CMakeCache.txt"; then
    fresh=(--fresh)
fi
"$CMAKE" "${fresh[@]}" -G "$GENERATOR" -S "$SOURCE" -B "$BUILD" -DCMAKE_C_COMPILER="$clang" -DACTC_FUZZ=ON >"$BUILD/log" 2>&1 &&
    "$CMAKE" --build "$BUILD" --parallel 2 --target fuzz_frontend >>"$BUILD/log" 2>&1 || {
    cat "$BUILD/log"
    exit 1
}

# What is found goes to the first folder.
rm -rf "$BUILD/found" "$BUILD"/broken-*
mkdir "$BUILD/found"
"$BUILD/fuzz_frontend" "$BUILD/found" "$SOURCE"/tests/golden/* "$SOURCE/tests/fuzz/corpus" "$SOURCE/examples" \
    -seed=1 -max_total_time="$1" -max_len=4096 -timeout=60 -rss_limit_mb=3000 -print_final_stats=1 \
    -artifact_prefix="$BUILD/broken-" >"$BUILD/log" 2>&1 || {
    tail -n 60 "$BUILD/log"
    exit 1
}
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$BUILD/log")
seeds=$(find "$SOURCE"/tests/golden/* "$SOURCE/tests/fuzz/corpus" "$SOURCE/examples" -type f | wc -l)
echo "$clang: $runs texts, $seeds of them given"
[ "$runs" -gt "$seeds" ] # it did more than read what it was given
