/* Elements of f16 (binary16 of IEEE 754) and bf16 (the upper half of an f32) as numbers. */
#ifndef ACTC_CLI_HALF_H
#define ACTC_CLI_HALF_H

#include <stdint.h>

#include "actc.h"

/* `type` is ACTC_F16 or ACTC_BF16. */
double half_to_double(uint16_t bits, actc_dtype type);
/* Rounded to nearest, ties to even. */
uint16_t half_from_double(double v, actc_dtype type);

#endif
