/* The backend's table, and emit: plans become a module, the module an object or text.
 *
 * Each emit has an LLVM context of its own, so that nothing that LLVM keeps for a context grows
 * with the number of kernels; the target machine is what is expensive, and lives as long as the
 * Jit. */
#include "llvm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llvm-c/Analysis.h>
#include <llvm-c/BitWriter.h>

ACTC_EXPORT const Backend *actc_llvm_backend(void);

/* ---- messages ---- */

const char *backend_fail(const char *fmt, ...) {
    static _Thread_local char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return text;
}

const char *backend_fail_text(const char *what, char *text) {
    const char *message = backend_fail("%s: %s", what, text ? text : "unknown error");
    if (text) LLVMDisposeMessage(text);
    return message;
}

const char *backend_fail_error(const char *what, LLVMErrorRef error) {
    char *text = LLVMGetErrorMessage(error);
    const char *message = backend_fail("%s: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return message;
}

/* ---- emit ---- */

/* LLVM would print these; the first error is kept instead. */
static void keep_error(LLVMDiagnosticInfoRef info, void *user) {
    char **first = user;
    if (LLVMGetDiagInfoSeverity(info) == LLVMDSError && !*first)
        *first = LLVMGetDiagInfoDescription(info);
}

static const char *copy_bytes(const char *data, size_t size, Bytes *out) {
    out->data = malloc(size + 1);
    if (!out->data) return backend_fail("out of memory");
    memcpy(out->data, data, size);
    out->data[size] = 0;
    out->size = size;
    return NULL;
}

static const char *take_buffer(LLVMMemoryBufferRef buffer, Bytes *out) {
    if (!buffer) return backend_fail("out of memory");
    const char *error = copy_bytes(LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer), out);
    LLVMDisposeMemoryBuffer(buffer);
    return error;
}

static const char *emit_module(LLVMTargetMachineRef machine, LLVMModuleRef module, EmitKind kind,
                               Bytes *out) {
    char *text = NULL;
    LLVMMemoryBufferRef buffer = NULL;
    const char *error = NULL;
    switch (kind) {
    case EMIT_LLVM:
        text = LLVMPrintModuleToString(module);
        error = copy_bytes(text, strlen(text), out);
        LLVMDisposeMessage(text);
        return error;
    case EMIT_BITCODE:
        return take_buffer(LLVMWriteBitcodeToMemoryBuffer(module), out);
    case EMIT_OBJECT:
    case EMIT_LOADABLE:
    case EMIT_ASSEMBLY:
        if (LLVMTargetMachineEmitToMemoryBuffer(
                machine, module, kind == EMIT_ASSEMBLY ? LLVMAssemblyFile : LLVMObjectFile, &text,
                &buffer))
            return backend_fail_text("LLVM", text);
        return take_buffer(buffer, out);
    }
    return backend_fail("internal error: unknown kind of output");
}

static const char *fill_module(const Machine *m, LLVMModuleRef module, const Plan *const *plans,
                               size_t n, bool loadable) {
    LLVMSetTarget(module, m->triple);
    LLVMSetModuleDataLayout(module, m->layout);
    for (size_t i = 0; i < n; i++) {
        const char *error = build_kernel(module, m, plans[i], loadable);
        if (error) return error;
    }
    /* Wrong types would make LLVM abort in code generation. */
    char *text = NULL;
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &text))
        return backend_fail_text("internal error", text);
    LLVMDisposeMessage(text);
    return NULL;
}

static const char *emit(Jit *jit, const Plan *const *plans, size_t n, EmitKind kind, Bytes *out) {
    *out = (Bytes){NULL, 0};
    char *diagnostic = NULL;
    LLVMContextRef context = LLVMContextCreate();
    LLVMContextSetDiagnosticHandler(context, keep_error, &diagnostic);
    /* Names of values are for people; making them takes time. */
    LLVMContextSetDiscardValueNames(context, kind != EMIT_LLVM && kind != EMIT_BITCODE);
    LLVMModuleRef module =
        LLVMModuleCreateWithNameInContext(n ? plans[0]->symbol : "empty", context);
    const char *error = fill_module(&jit->machine, module, plans, n, kind == EMIT_LOADABLE);
    if (!error) error = emit_module(jit->machine.machine, module, kind, out);
    if (diagnostic && !error) {
        error = backend_fail("LLVM: %s", diagnostic);
        free(out->data);
        *out = (Bytes){NULL, 0};
    }
    if (diagnostic) LLVMDisposeMessage(diagnostic);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return error;
}

static void free_bytes(Bytes *bytes) {
    free(bytes->data);
    *bytes = (Bytes){NULL, 0};
}

/* ---- the table ---- */

static const char *create(const Target *target, Jit **out) {
    *out = NULL;
    Jit *jit = calloc(1, sizeof *jit);
    if (!jit) return backend_fail("out of memory");
    static const Target here = {NULL, NULL, NULL};
    const char *error = machine_open(target ? target : &here, &jit->machine);
    if (error)
        free(jit);
    else
        *out = jit;
    return error;
}

static void destroy(Jit *jit) {
    if (!jit) return;
    jit_close(jit);
    machine_close(&jit->machine);
    free(jit);
}

const Backend *actc_llvm_backend(void) {
    static const Backend backend = {BACKEND_VERSION, create,   destroy,   emit,
                                    free_bytes,      jit_load, jit_entry, jit_unload};
    return &backend;
}
