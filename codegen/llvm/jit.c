/* Objects in memory, through ORC's LLJIT and JITLink.
 *
 * Each object has a JITDylib of its own while it is loaded, so equal symbols of different objects
 * never meet, and nothing of the process is visible from it: a kernel that needed a function from
 * outside fails to load instead of finding any. A JITDylib cannot be removed through the C API, but
 * emptied: unloaded ones are kept for the next load, so there are as many as there were kernels at
 * the same time. */
#include "llvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llvm-c/Object.h>

struct JitCode {
    Jit *jit;
    LLVMOrcJITDylibRef dylib;
};

/* Without a reporter ORC prints; what matters also comes back from the calls. */
static void ignore_error(void *user, LLVMErrorRef error) {
    (void)user;
    LLVMConsumeError(error);
}

static const char *create_lljit(Jit *jit) {
    LLVMOrcLLJITRef lljit;
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&lljit, NULL);
    if (error) return backend_fail_error("LLVM's JIT", error);
    LLVMOrcExecutionSessionSetErrorReporter(LLVMOrcLLJITGetExecutionSession(lljit), ignore_error,
                                            NULL);
    jit->lljit = lljit;
    return NULL;
}

/* There is always room in free_dylibs to give one back, so that unloading cannot fail. */
static const char *take_dylib(Jit *jit, LLVMOrcJITDylibRef *out) {
    if (jit->nfree) {
        *out = jit->free_dylibs[--jit->nfree];
        return NULL;
    }
    if (jit->ndylibs == jit->free_cap) {
        size_t cap = jit->free_cap ? 2 * jit->free_cap : 16;
        LLVMOrcJITDylibRef *p = realloc(jit->free_dylibs, cap * sizeof *p);
        if (!p) return backend_fail("out of memory");
        jit->free_dylibs = p;
        jit->free_cap = cap;
    }
    char name[32];
    snprintf(name, sizeof name, "kernels%u", jit->ndylibs++);
    *out = LLVMOrcExecutionSessionCreateBareJITDylib(LLVMOrcLLJITGetExecutionSession(jit->lljit),
                                                     name);
    return NULL;
}

/* ---- looking symbols up ---- */

typedef struct {
    LLVMErrorRef error;
    void *address;
} Found;

static void found(LLVMErrorRef error, LLVMOrcCSymbolMapPairs result, size_t n, void *user) {
    Found *f = user;
    f->error = error;
    if (!error && n == 1) f->address = (void *)(uintptr_t)result[0].Sym.Address;
}

/* The first look-up links the object. Calls back before it returns: LLJIT without compile threads
 * runs everything on the caller's thread. */
static Found look_up(JitCode *code, const char *symbol) {
    Found f = {NULL, NULL};
    LLVMOrcCJITDylibSearchOrderElement order = {code->dylib,
                                                LLVMOrcJITDylibLookupFlagsMatchExportedSymbolsOnly};
    LLVMOrcCLookupSetElement name = {LLVMOrcLLJITMangleAndIntern(code->jit->lljit, symbol),
                                     LLVMOrcSymbolLookupFlagsRequiredSymbol};
    LLVMOrcExecutionSessionLookup(LLVMOrcLLJITGetExecutionSession(code->jit->lljit),
                                  LLVMOrcLookupKindStatic, &order, 1, &name, 1, found, &f);
    return f;
}

/* ---- loading ---- */

/* Whether the object is for this process's architecture: JITLink would link any. */
static bool object_fits(const Bytes *object) {
#if defined(__x86_64__)
    enum { MACHINE = 62 };
#elif defined(__aarch64__)
    enum { MACHINE = 183 };
#else
    enum { MACHINE = -1 };
#endif
    const unsigned char *p = (const unsigned char *)object->data;
    return object->size > 64 && !memcmp(p, "\177ELF\2\1", 6) && (p[18] | p[19] << 8) == MACHINE;
}

/* Looks up the first kernel in the object, for linking to happen, or fail, now. The local symbol of
 * its body names it. */
static const char *link_now(JitCode *code, LLVMMemoryBufferRef buffer) {
    static const char suffix[] = BODY_SUFFIX;
    const size_t m = sizeof suffix - 1;
    char *text = NULL, *symbol = NULL;
    LLVMBinaryRef binary = LLVMCreateBinary(buffer, NULL, &text);
    if (!binary) return backend_fail_text("cannot load code", text);
    LLVMSymbolIteratorRef s = LLVMObjectFileCopySymbolIterator(binary);
    for (; !symbol && !LLVMObjectFileIsSymbolIteratorAtEnd(binary, s); LLVMMoveToNextSymbol(s)) {
        const char *name = LLVMGetSymbolName(s);
        size_t n = strlen(name);
        if (n <= m || strcmp(name + n - m, suffix) != 0) continue;
        symbol = LLVMCreateMessage(name);
        symbol[n - m] = 0;
    }
    LLVMDisposeSymbolIterator(s);
    LLVMDisposeBinary(binary);
    if (!symbol) return backend_fail("cannot load code: there is no kernel in it");
    Found f = look_up(code, symbol);
    LLVMDisposeMessage(symbol);
    return f.error ? backend_fail_error("cannot load code", f.error) : NULL;
}

static const char *add_object(JitCode *code, const Bytes *object) {
    LLVMMemoryBufferRef linked =
        LLVMCreateMemoryBufferWithMemoryRangeCopy(object->data, object->size, "kernels");
    LLVMErrorRef failed = LLVMOrcLLJITAddObjectFile(code->jit->lljit, code->dylib, linked);
    if (failed) return backend_fail_error("cannot load code", failed);
    LLVMMemoryBufferRef read =
        LLVMCreateMemoryBufferWithMemoryRange(object->data, object->size, "kernels", 0);
    const char *error = link_now(code, read);
    LLVMDisposeMemoryBuffer(read);
    return error;
}

const char *jit_load(Jit *jit, const Bytes *object, JitCode **out) {
    *out = NULL;
    if (!jit->machine.runs_here)
        return backend_fail("code for %s cannot run in this process", jit->machine.triple);
    if (jit->machine.nvariants > 1)
        return backend_fail("code for several processors is not made for loading");
    if (!object_fits(object))
        return backend_fail("cannot load code: it is no object file for this machine");
    const char *error = jit->lljit ? NULL : create_lljit(jit);
    if (error) return error;
    JitCode *code = calloc(1, sizeof *code);
    if (!code) return backend_fail("out of memory");
    code->jit = jit;
    error = take_dylib(jit, &code->dylib);
    if (error) {
        free(code);
        return error;
    }
    error = add_object(code, object);
    if (error)
        jit_unload(code);
    else
        *out = code;
    return error;
}

void *jit_entry(JitCode *code, const char *symbol) {
    Found f = look_up(code, symbol);
    if (f.error) LLVMConsumeError(f.error);
    return f.address;
}

void jit_unload(JitCode *code) {
    if (!code) return;
    Jit *jit = code->jit;
    LLVMErrorRef error = LLVMOrcJITDylibClear(code->dylib);
    if (error)
        LLVMConsumeError(error); /* and do not use this one again */
    else
        jit->free_dylibs[jit->nfree++] = code->dylib;
    LLVMOrcSymbolStringPoolClearDeadEntries(
        LLVMOrcExecutionSessionGetSymbolStringPool(LLVMOrcLLJITGetExecutionSession(jit->lljit)));
    free(code);
}

void jit_close(Jit *jit) {
    if (jit->lljit) {
        LLVMErrorRef error = LLVMOrcDisposeLLJIT(jit->lljit);
        if (error) LLVMConsumeError(error);
    }
    free(jit->free_dylibs);
}
