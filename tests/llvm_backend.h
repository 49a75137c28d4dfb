/* What the tests of the LLVM backend share: the loaded backend, small graphs of primitives, and the
 * runner. */
#ifndef ACTC_TESTS_LLVM_BACKEND_H
#define ACTC_TESTS_LLVM_BACKEND_H

#include <check.h>

#include "codegen.h"

/* Made anew for each test. */
extern const Backend *backend;
extern Jit *jit, *least; /* for this processor, and for the least one that runs here; may be NULL */
extern Arena arena;

void check_ok(const char *error);
Jit *create(const char *triple, const char *cpu, const char *features);

/* A kernel of inputs x, y, z of one type, and one to five outputs of it. */
enum { INPUTS = 3 };

typedef struct {
    Graph *g;
    Node *in[INPUTS];
    Type type;
} Kernel;

Kernel begin(Type t);
Node *op1(Kernel *k, Op op, Node *a);
Node *op2(Kernel *k, Op op, Node *a, Node *b);
Node *op3(Kernel *k, Op op, Node *a, Node *b, Node *c);
Node *real(Kernel *k, double v);
/* y = x*by */
Graph *scale_graph(double by);
JitCode *compile(Jit *with, Graph *g, const char *symbol);

typedef struct {
    const char *name;
    const TTest *test;
    int from, to; /* of the loop */
} Case;
int run_tests(const char *name, const Case *cases, size_t n);

#endif
