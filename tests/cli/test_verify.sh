#!/bin/bash
# actc verify: what golden files cannot say of it. Ctrl-C ends it with a report and status 1; nothing but the report is
# printed where no terminal listens.
. "$(dirname "$0")/lib.sh"

"$ACTC" verify --exhaustive 'x*x*x' >report 2>said &
pid=$!
sleep 4
kill -INT $pid
wait $pid
status=$?
[ $status = 1 ] || complain "interrupted: status $status"
grep -q '^  stopped: ' report || complain "interrupted: $(cat report)"
[ ! -s said ] || complain "it said: $(head -c 300 said)"

fails 1 "unknown function 'nothing'" actc verify --exhaustive --threads=1 nothing
fails 2 "--threads takes a number" actc verify relu --threads=many
fails 2 "no option '--backward'" actc verify relu --backward
fails 2 "'--exhaustive' takes no value" actc verify relu --exhaustive=yes
works actc verify relu --max-ulp=0 >report
grep -q "demanded: 0 ulp: met" report || complain "relu: $(cat report)"
finish
