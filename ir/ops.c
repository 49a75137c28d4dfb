/* The table of operations, as data. */
#include <string.h>

#include "ir.h"

const OpInfo op_info[OP_COUNT] = {
#define ROW(id, name, sig, p, d0, d1, d2, is_prim)                                                 \
    [OP_##id] = {#name, sig, sizeof(sig) - 2, is_prim, #p[0] == 'C', #p[0] != 'N', {d0, d1, d2}},
#define PRIM(id, name, sig, p, d0, d1, d2)   ROW(id, name, sig, p, d0, d1, d2, true)
#define EXPAND(id, name, sig, p, d0, d1, d2) ROW(id, name, sig, p, d0, d1, d2, false)
#include "ops.def"
#undef PRIM
#undef EXPAND
#undef ROW
};

Op op_by_name(const char *name) {
    for (int op = OP_BAD + 1; op < OP_COUNT; op++)
        if (strcmp(op_info[op].name, name) == 0) return (Op)op;
    return OP_COUNT;
}
