/* What flex made, likewise. */
#include "act.lex.c"
