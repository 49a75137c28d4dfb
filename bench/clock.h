/* Time for benchmarks. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

/* Nanoseconds since some moment. */
double clock_ns(void);

#endif
