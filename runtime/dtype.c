/* Element types: what each one of actc.h is elsewhere. */
#include "runtime.h"

/* `code` as in DLPack. */
enum { DLPACK_FLOAT = 2, DLPACK_BFLOAT = 4 };

const DtypeInfo dtype_info[DTYPE_COUNT] = {
    [ACTC_F32] = {"f32", TYPE_F32, 4, DLPACK_FLOAT},
    [ACTC_F64] = {"f64", TYPE_F64, 8, DLPACK_FLOAT},
    [ACTC_F16] = {"f16", TYPE_F16, 2, DLPACK_FLOAT},
    [ACTC_BF16] = {"bf16", TYPE_BF16, 2, DLPACK_BFLOAT},
};

actc_dtype dtype_of(Type t) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (dtype_info[i].type == t) return (actc_dtype)i;
    return ACTC_F32;
}
