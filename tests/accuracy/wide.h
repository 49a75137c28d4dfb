/* See wide.c. */
#ifndef ACTC_TESTS_WIDE_H
#define ACTC_TESTS_WIDE_H

#include <stddef.h>

#define WIDE(f) void wide_##f(size_t n, const double *x, double *y);
#include "wide.def"
#undef WIDE

#endif
