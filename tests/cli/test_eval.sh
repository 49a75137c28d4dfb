#!/bin/bash
# actc eval: values and derivatives at a point, and how points are given.
. "$(dirname "$0")/lib.sh"

# gives 'LINES' ARGUMENTS…
gives() {
    local got want=$1
    shift
    got=$(works actc eval "$@")
    [ "$got" = "$want" ] || complain "eval $*: '$got', not '$want'"
}
gives $'y = 0.5\ndy/dx = 1' relu x=0.5
gives 'y = 0.5' relu x=0.5 --order 0
gives $'y = 0\ndy/dx = 0\nd2y/dx2 = 0' relu x=0 --order=2
gives $'y = 9\ndy/dx = 6\nd2y/dx2 = 2\nd3y/dx3 = 0' 'x^2' x=3 --order 3
gives $'y = 6\ndy/da = 3\ndy/db = 2' 'a*b' a=2 b=3
gives $'z = 4\ndz/dy = 2' 'y*2' y=2
gives $'y = 1\ndy/dalpha = 2' 'α*2' α=0.5
gives $'y = 1\ndy/dalpha = 2' 'α*2' alpha=1/2
gives 'y = -0.5' leaky_relu --set negative_slope=0.5 x=-1 --order=0
gives 'y = -0.01' leaky_relu x=-1 --order=0
gives 'y = -0.01' leaky_relu x=-1 --order=0 --dtype=f32
gives 'y = 3.141592653589793' 'x*1' x=pi --order 0
gives 'y = 3.1415927' 'x*1' x=pi --order 0 --dtype f32
gives 'y = inf' gelu x=inf --order 0
gives 'y = nan' gelu x=nan --order 0
gives 'y = -0' gelu x=-0 --order 0
gives 'y = 6' -e 'f(x) = 2*x' x=3 --order 0
gives 'y = 6' --order 0 -- '-x*-2' x=3
# What derive prints may be constant.
gives 'y = 0' 0 x=3
gives 'y = 1.5' '3/2'

fails 2 "--order takes a number from 0 to 8, not '9'" actc eval relu x=1 --order 9
fails 2 "not 'two'" actc eval relu x=1 --order two
fails 2 "value 'x' is given twice" actc eval relu x=1 x=2
fails 2 "nothing follows 'x='" actc eval relu x=
fails 2 "more than one NAME" actc eval relu mish x=1
fails 2 "which function?" actc eval x=1
fails 1 "the input 'x' has no value: add x=0.5" actc eval relu
fails 1 "'relu' has no input 'z'" actc eval relu x=1 z=2
fails 1 "not supported yet" actc eval relu 'x=[1,2,3]'
fails 1 "error:" actc eval relu x=1/
fails 1 "'x=zzz*2' is not a number" actc eval 'x*2' x=zzz*2
fails 1 "did you mean 'relu'" actc eval rellu x=1
fails 1 "has no param" actc eval relu x=1 --set alpha=1
fails 2 "no option '--backward'" actc eval relu x=1 --backward
finish
