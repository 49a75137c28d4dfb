/* What check.c and axes.c share. Nobody else includes this. */
#ifndef ACTC_CHECKER_H
#define ACTC_CHECKER_H

#include "frontend.h"

typedef struct {
    Kind kind;
    const char *varies; /* NULL: constant; else an input, learnable or random number in it */
    AxisSet axes;
    bool loose; /* its axes are not known */
    bool split; /* `..` in `axes` is what calls left over of the definition's */
} Info;

/* An axis while a definition is checked: one that it declares, or one that a call brings with it.
 */
typedef struct {
    const char *name;
    bool declared;
    uint8_t same;  /* the index of the axis that it turned out to be, or its own */
    uint32_t size; /* 0: not known */
    /* Where the size, or an axis of a call, is from: the axis `of_axis` of the definition `of`. */
    const Def *of;
    const char *of_axis;
    Span at;
} AxisVar;

enum { AXIS_VARS = 31 }; /* bits of an AxisSet beside that of `..` */

typedef struct {
    const Module *m;
    Arena *arena;
    Diags *diags;
    Def *d;
    Info *slots;
    AxisVar *axes; /* AXIS_VARS of them; axis i is bit i + 1 of an AxisSet */
    unsigned naxes;
    unsigned before_rest;    /* so many of them stand in front of `..` */
    unsigned rests;          /* inputs that have a `..`, written or not */
    uint8_t tail[AXIS_VARS]; /* the axes at the end of what `..` stands for, from the right */
    unsigned ntail;
} Checker;

#define REPORT(c, span, ...)                                                                       \
    ((c)->d->bad = true,                                                                           \
     diag_report((c)->diags, source_loc((c)->diags, (c)->d->source, (span)), __VA_ARGS__))
#define NOTE(c, source, span, ...)                                                                 \
    diag_report((c)->diags, source_loc((c)->diags, (source), (span)), __VA_ARGS__)

/* ---- axes.c ---- */

/* A set with each axis as what it turned out to be. */
AxisSet axes_known(const Checker *c, AxisSet set);
/* The bit of an axis that the definition declares, or of `..`; 0 if there is none. */
AxisSet axes_find(const Checker *c, const char *name);
/* The axes written in a declaration; new names are bound. */
AxisSet axes_declare(Checker *c, const Axis *list, bool learn);
/* What both values together are; their kinds are the caller's business. */
Info axes_join(const Checker *c, Info a, Info b);
/* The axes of what a call of a definition gives. `args` are those of its inputs, and `spans` where
 * they stand; NULL for the first stage of a pipeline, whose inputs are the pipeline's. */
Info axes_call(Checker *c, const Call *call, const Info *args, const Span *spans);
/* Forgets the axes from `first` on that are not in `flow`, which is all that is left of a stage. */
void axes_forget(Checker *c, unsigned first, Info *flow);
/* Writes into the definition what its callers need to know. */
void axes_finish(Checker *c, Info body);

#endif
