/* Time for benchmarks. */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

/* Nanoseconds since some moment. */
double clock_ns(void);
/* What this process has computed so far: for what takes long enough to be interrupted by others. */
double clock_cpu_ns(void);

#endif
