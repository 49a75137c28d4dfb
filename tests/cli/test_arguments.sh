#!/bin/bash
# The command line itself: what is taken, what is refused with which status, and what is said.
. "$(dirname "$0")/lib.sh"

array make -s 2,2 -- -1 0 1 2 >x.npy
array make -s 2,2 -- 1 1 1 1 >dy.npy
printf 'f(x) = 2*x\n' >one.act
printf 'f(x) = 2*x\ng(x; k = 3) = k*x\n' >two.act
printf 'f(x) = sofplus(x)\n' >wrong.act
: >empty.act

# ---- help and version ----
[[ $(works actc --version) =~ ^actc\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || complain "version"
for command in check run eval derive show emit help; do
    works actc help $command >a
    works actc $command --help >b
    works actc $command -h >c
    same a b
    same a c
    grep -q "^Usage: actc $command" a || complain "help $command"
    awk 'length > 120' a | grep . && complain "long lines in the help of $command"
done
works actc help >a
works actc --help >b
works actc -h >c
same a b
same a c
grep -q '^  run ' a || complain "help lists no run"
awk 'length > 110' a b c | grep . && complain "long lines in the help"
rm a b c
fails 2 "a command is missing" actc
fails 2 "did you mean 'run'?" actc rnu
fails 2 "did you mean 'show'?" actc help shwo
fails 2 "unknown command 'frobnicate'" actc frobnicate
fails 2 "a command comes first" actc --frobnicate run
fails 2 "'plot' is not supported yet" actc plot
fails 2 "--axis takes AXIS=DIMENSION, such as d=1 or d=-1, not 'd=one'" actc run mish x=x.npy -o y.npy --axis d=one
fails 2 "--threads is not supported yet" actc run mish x=x.npy -o y.npy --threads=2

# ---- options ----
fails 2 "did you mean '--backward'?" actc run mish x=x.npy -o y.npy --bakcward
fails 2 "no option '--stage'; other commands do" actc run mish x=x.npy -o y.npy --stage=graph
fails 2 "no option '-z'" actc run mish x=x.npy -o y.npy -z
fails 2 "stands behind '--'" actc run '-x' x=x.npy -o y.npy
fails 2 "takes no value" actc run mish x=x.npy -o y.npy --backward=yes
fails 2 "'--set' needs a value" actc run mish x=x.npy -o y.npy --set
fails 2 "'-o' needs a value" actc run mish x=x.npy -o
fails 2 "PARAM=VALUE" actc run elu x=x.npy -o y.npy --set alpha
fails 1 "the param 'alpha' is set twice" actc run elu x=x.npy -o y.npy --set alpha=1 --set alpha=2
fails 2 "there is no type 'f31'" actc run elu x=x.npy -o y.npy --dtype f31
fails 2 "f16 and bf16 are there" actc run elu x=x.npy -o y.npy --dtype half
fails 1 "did you mean 'alpha'" actc run elu x=x.npy -o y.npy --set alhpa=1
fails 1 "unknown name 'zzz'" actc run elu x=x.npy -o y.npy --set alpha=zzz

# ---- operands ----
fails 2 "more than one NAME: 'mish' and 'silu'" actc run mish silu x=x.npy -o y.npy
fails 2 "more than one FILE" actc run one.act two.act f x=x.npy -o y.npy
fails 2 "in place of FILE" actc run -e 'f(x) = x' one.act x=x.npy -o y.npy
fails 2 "which function? there are f, g" actc run two.act x=x.npy -o y.npy
fails 2 "which function? the text defines none" actc run empty.act x=x.npy -o y.npy
fails 2 "which function? such as" actc run x=x.npy -o y.npy
fails 2 "array 'x' is given twice" actc run mish x=x.npy x=x.npy -o y.npy
fails 2 "nothing follows 'x='" actc run mish x= -o y.npy
fails 2 "an operand is empty" actc run '' x=x.npy -o y.npy
fails 3 "missing.act: error: cannot open it: No such file" actc run missing.act f x=x.npy -o y.npy
fails 3 "missing.npy: error: cannot open it: No such file" actc run mish x=missing.npy -o y.npy
fails 1 "did you mean 'mish'" actc run mihs x=x.npy -o y.npy
fails 1 "did you mean 'softplus'" actc run wrong.act f x=x.npy -o y.npy
fails 1 "wrong.act:1:8: error: " actc check wrong.act

# ---- names of arrays ----
fails 2 "no output is asked for; add -o" actc run mish x=x.npy
fails 2 "'mish' takes x; there is no 'z'" actc run mish z=x.npy -o y.npy
fails 2 "'mish' takes x; 'x' is missing: add x=FILE.npy" actc run mish -o y.npy
fails 2 "'mish' takes x, dy; 'dy' is missing" actc run mish --backward x=x.npy -o dx.npy
fails 2 "gradients need --backward" actc run mish x=x.npy dy=dy.npy -o y.npy
fails 2 "gradients need --backward" actc run mish x=x.npy -o dx=dx.npy
fails 2 "'mish' gives y; there is no 'u'" actc run mish x=x.npy -o u=u.npy
fails 2 "'mish' gives dx; there is no 'y'" actc run mish --backward x=x.npy dy=dy.npy -o y=y.npy
fails 2 "output 'y' is given twice" actc run mish x=x.npy -o a.npy -o b.npy
fails 2 "output 'y' is given twice" actc run mish x=x.npy -o y=a.npy -o y=b.npy
fails 2 "gives da, db; say which one" actc run 'a*b' --backward a=x.npy b=x.npy dy=dy.npy -o a.npy
fails 2 "two outputs go to 'a.npy'" actc run 'a*b' --backward a=x.npy b=x.npy dy=dy.npy -o da=a.npy -o db=a.npy
fails 2 "standard input more than once" actc run 'a*b' a=- b=- -o y.npy <x.npy
fails 2 "standard input more than once" actc run - f x=- -o y.npy <one.act
only x.npy dy.npy one.act two.act wrong.act empty.act

# ---- what is taken, in any order ----
twice='f32 (2, 2) C: -2 0 2 4'
works actc run one.act f x=x.npy -o y.npy
holds y.npy "$twice"
works actc run -o y=y.npy x=x.npy one.act
holds y.npy "$twice"
works actc run --output=y.npy f x=x.npy - <one.act
holds y.npy "$twice"
works actc run -o y.npy -- one.act x=x.npy f
holds y.npy "$twice"
POSIXLY_CORRECT=1 works actc run one.act x=x.npy -o y.npy
holds y.npy "$twice"
works actc run two.act g --set k=2 x=x.npy -o y.npy
holds y.npy "$twice"
works actc run -e 'h(x) = x + x' x=x.npy -o y.npy
holds y.npy "$twice"
works actc run 'x + x' x=x.npy -o y.npy
holds y.npy "$twice"
works actc run -o y.npy x=x.npy -- '-x*-2'
holds y.npy "$twice"
works actc run 'x==0 ? 0 : 2*x' x=x.npy -o y.npy
holds y.npy "$twice"
works actc run ./one.act x=./x.npy -o ./y.npy
holds y.npy "$twice"
works actc run 'relu -> leaky_relu(0.5)' x=x.npy -o y.npy
holds y.npy 'f32 (2, 2) C: 0 0 1 2'
works actc run 'relu → relu6' x=x.npy -o y.npy
holds y.npy 'f32 (2, 2) C: 0 0 1 2'
works actc run 'α*2' α=x.npy -o y.npy
holds y.npy "$twice"
works actc run 'α*2' alpha=x.npy -o y.npy
holds y.npy "$twice"
works actc run 'alpha*2' --backward α=x.npy dy=dy.npy -o dα=y.npy
holds y.npy 'f32 (2, 2) C: 2 2 2 2'
works actc run 'y*2' y=x.npy -o z=z.npy
holds z.npy "$twice"

# ---- check and show ----
works actc check one.act two.act empty.act
works actc check - <one.act
works actc check -e 'f(x) = x'
fails 1 "wrong.act:1:8: error:" actc check one.act wrong.act two.act
fails 3 "missing.act: error: cannot open it" actc check missing.act wrong.act
fails 2 "its name must end in .act" actc check x.npy
fails 2 "'a' is no file of definitions" actc check a b
fails 2 "'a' is no file of definitions" actc fmt a b
fails 2 "which file?" actc check
mkfifo pipe.act
mkdir folder.act
fails 3 "it is a pipe" timeout 10 "$ACTC" check pipe.act
fails 3 "it is a folder" actc check folder.act
fails 1 "it is no plain file" timeout 10 "$ACTC" check -e 'use "pipe.act"'
fails 2 "check takes files" actc check one.act x=x.npy
head -c 17000000 /dev/zero | tr '\0' '\n' >large.act
fails 1 "large.act" actc check large.act
fails 1 "larger than 16 MB" actc check - </dev/zero
rm large.act
for stage in ast graph stable grad expanded plan llvm asm c; do
    works actc show mish --stage=$stage >shown
    [ -s shown ] || complain "show --stage=$stage prints nothing"
done
works actc show mish >a
works actc show mish --stage=graph >b
same a b
fails 2 "did you mean 'graph'?" actc show mish --stage=grpah
fails 2 "the stages are ast" actc show mish --stage=zzz
fails 2 "show takes no arrays" actc show mish x=x.npy
fails 3 "cannot write to standard output" eval 'actc show mish >/dev/full'
fails 3 "cannot write to standard output" eval 'actc help >/dev/full'
finish
