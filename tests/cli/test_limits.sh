#!/bin/bash
# What is too long to be shown ends with a word about it.
set -euo pipefail
fail() { echo "limits: $1" >&2; exit 1; }

# A pipeline of 300 stages with one learnable each; one of 3 says nothing.
stages() { local i; for ((i = 1; i < $1; i++)); do printf 's → '; done; echo s; }
long=$("$ACTC" list -e "s(x; learn a = 1) = a*x long = $(stages 300) short = $(stages 3)")
grep -q '^long(x; learn a1 = 1.*learn a200 = 1, …)$' <<<"$long" || fail "the cut is not shown"
grep -q '^short(x; learn a1 = 1, learn a2 = 1, learn a3 = 1)$' <<<"$long" || fail "a cut where there is none"

# A thousand warnings are no errors.
said=$(for ((i = 0; i < 1000; i++)); do echo "f$i(x) = x^2 grad x = x"; done | "$ACTC" check - 2>&1) || fail "warnings fail"
grep -q 'note: more than 800 messages; the rest is not shown' <<<"$said" || fail "no word of the rest"
! grep -q '100 errors' <<<"$said" || fail "errors that were none"
