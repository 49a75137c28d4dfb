/* Uses C that actc wrote; neither actc nor LLVM is needed to build or to run it.
 *
 *     actc emit mish --kind=c,h --backward -o mish
 *     cc -O3 -march=native emitted.c mish.c -lm -o emitted */
#include <stdio.h>

#include "mish.h"

int main(void) {
    const float x[5] = {-2, -1, 0, 1, 2}, dy[5] = {1, 1, 1, 1, 1};
    float y[5], dx[5];
    mish_forward(5, x, y);
    mish_backward(5, x, dy, dx);
    for (int i = 0; i < 5; i++)
        printf("mish(%g) = %.9g, mish'(%g) = %.9g\n", x[i], y[i], x[i], dx[i]);
    return 0;
}
