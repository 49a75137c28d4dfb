/* What bison made, for fuzz_frontend: compiled with the fuzzer's coverage like everything else. */
#include "act.tab.c"
