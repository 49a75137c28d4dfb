/* The only place that uses compiler extensions. */
#ifndef ACTC_COMPILER_H
#define ACTC_COMPILER_H

#if defined(__GNUC__) || defined(__clang__)
#define ACTC_NORETURN           __attribute__((noreturn))
#define ACTC_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define ACTC_UNUSED             __attribute__((unused))
/* For what a library shows though everything else in it is hidden. */
#define ACTC_EXPORT __attribute__((visibility("default")))
#else
#define ACTC_NORETURN
#define ACTC_PRINTF(fmt, first)
#define ACTC_UNUSED
#define ACTC_EXPORT
#endif

#endif
