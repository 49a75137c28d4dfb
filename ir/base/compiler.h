/* The only place that uses compiler extensions. */
#ifndef ACTC_COMPILER_H
#define ACTC_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define ACTC_NORETURN __attribute__((noreturn))
#define ACTC_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define ACTC_UNUSED __attribute__((unused))
#else
#define ACTC_NORETURN
#define ACTC_PRINTF(fmt, first)
#define ACTC_UNUSED
#endif

#endif
