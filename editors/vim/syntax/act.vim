" Vim syntax of actc's language: activation functions as mathematics.
if exists('b:current_syntax')
  finish
endif

syntax iskeyword @,48-57,_,206-207

syntax keyword actStatement where grad use
syntax keyword actLearn learn
syntax keyword actOperatorWord and or not
syntax keyword actBoolean true false
syntax keyword actConstant pi e inf
syntax match   actConstant "[π∞]"
syntax keyword actFunction exp exp2 expm1 log log2 log1p sqrt rsqrt abs sign floor ceil round trunc sin cos tan asin acos atan sinh cosh tanh asinh erf erfc erfcx pow sigmoid softplus logsigmoid sech2 normcdf min max clamp step
syntax keyword actRandom uniform normal
syntax match   actReduction "\<\%(sum\|mean\|max\|min\|prod\)\ze\s*\["
syntax match   actNumber "\<\d\+\%(\.\d*\)\?\%([eE][-+]\?\d\+\)\?\>"
syntax match   actNumber "\%(\w\|\.\)\@<!\.\d\+\%([eE][-+]\?\d\+\)\?\>"
syntax match   actNumber "\<0[xX]\x\+\%(\.\x*\)\?\%([pP][-+]\?\d\+\)\?\>"
syntax match   actOperator "->\|→\|[-+*/^?:<>!=√·×−≤≥≠]\|&&\|||"
syntax match   actDefinition "^\s*\zs[[:alpha:]_α-ωΑ-Ω][[:alnum:]_α-ωΑ-Ω]*\ze\s*\%((.*)\)\?\s*=\%([^=]\|$\)"
syntax match   actAxes "\[[^]]*\]" contains=actRest
syntax match   actRest "\.\." contained
syntax region  actString start=+"+ end=+"\|$+ oneline
syntax match   actComment "#.*$" contains=actTodo,@Spell
syntax match   actDoc "^\s*##.*$" contains=actTodo,@Spell
syntax keyword actTodo TODO FIXME contained

highlight default link actStatement Statement
highlight default link actLearn StorageClass
highlight default link actOperatorWord Operator
highlight default link actOperator Operator
highlight default link actBoolean Boolean
highlight default link actConstant Constant
highlight default link actFunction Function
highlight default link actRandom Function
highlight default link actReduction Function
highlight default link actNumber Number
highlight default link actDefinition Identifier
highlight default link actAxes Type
highlight default link actRest Special
highlight default link actString String
highlight default link actComment Comment
highlight default link actDoc SpecialComment
highlight default link actTodo Todo

let b:current_syntax = 'act'
