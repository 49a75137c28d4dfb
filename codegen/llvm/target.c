/* Which machine code is made for: a triple, a processor and instruction sets become an LLVM target
 * machine.
 *
 * LLVM answers a wrong name with a line on stderr, or an abort. So what it gets is taken from
 * lists: the parts of a triple that are supported, and cpus.def. The host's own processor and
 * features come from LLVM and need no check. */
#include "llvm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <llvm-c/Target.h>

typedef enum { ARCH_X86, ARCH_AARCH64, ARCH_NONE } Arch;

/* What stands in cpus.def. */
enum {
    VECTORS_NONE = 0,
    VECTORS_128 = 0,
    NEEDED = ISA_AVX2 | ISA_FMA,
    VECTORS_256 = NEEDED | ISA_F16C,
    VECTORS_512 = VECTORS_256 | ISA_F | ISA_VL | ISA_BW | ISA_DQ,
    SET_BDVER4 = VECTORS_256 | ISA_XOP,
    SET_ZNVER3 = VECTORS_256 | ISA_VAES,
    SET_ALDERLAKE = SET_ZNVER3 | ISA_GFNI | ISA_AVXVNNI,
    SET_SIERRAFOREST = SET_ALDERLAKE | ISA_INT8,
    SET_LUNARLAKE = SET_SIERRAFOREST | ISA_INT16,
    SET_KNL = VECTORS_256 | ISA_F,
    SET_KNM = SET_KNL | ISA_VPOPCNT,
    SET_CASCADELAKE = VECTORS_512 | ISA_VNNI,
    SET_COOPERLAKE = SET_CASCADELAKE | ISA_BF16,
    SET_CANNONLAKE = VECTORS_512 | ISA_VBMI,
    SET_ICELAKE = SET_CASCADELAKE | ISA_VBMI | ISA_VBMI2 | ISA_VPOPCNT | ISA_GFNI | ISA_VAES,
    SET_ZNVER4 = SET_ICELAKE | ISA_BF16,
    SET_ZNVER5 = SET_ZNVER4 | ISA_AVXVNNI,
    SET_SAPPHIRERAPIDS = SET_ZNVER5 | ISA_FP16
};

typedef struct {
    Arch arch;
    const char *name;
    unsigned isa;
} Cpu;

static const Cpu cpus[] = {
#define CPU(arch, name, set) {ARCH_##arch, name, set},
#include "cpus.def"
};

typedef struct {
    Arch arch;
    const char *name;
} Feature;

static const Feature features[] = {
#define FEATURE(arch, name) {ARCH_##arch, name},
#include "cpus.def"
};

/* LLVM's table of targets is shared by all threads, and filling it is not atomic. */
static pthread_once_t x86_once = PTHREAD_ONCE_INIT, aarch64_once = PTHREAD_ONCE_INIT,
                      x86_parser_once = PTHREAD_ONCE_INIT;

static void init_x86(void) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
}

static void init_aarch64(void) {
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
}

static bool in_list(const char *s, size_t n, const char *const *list, bool prefix) {
    for (; *list; list++) {
        size_t len = strlen(*list);
        if ((prefix ? len <= n : len == n) && !memcmp(s, *list, len)) return true;
    }
    return false;
}

/* The parts of a normalised triple, arch-vendor-system[-environment]; ARCH_NONE if one is not
 * supported. */
static Arch triple_arch(const char *triple) {
    static const char *const systems[] = {"linux",   "none",    "unknown", "freebsd", "netbsd",
                                          "openbsd", "windows", "darwin",  "macos",   NULL};
    static const char *const environments[] = {"gnu", "musl",    "android", "msvc",
                                               "elf", "unknown", NULL};
    static const char *const x86[] = {"x86_64", "amd64", NULL}, *const aarch64[] = {"aarch64",
                                                                                    "arm64", NULL};
    const char *part[4] = {"", "", "", ""};
    size_t len[4] = {0}, n = 0;
    for (const char *s = triple;; s++) {
        if (n == 4) return ARCH_NONE;
        part[n] = s;
        len[n] = strcspn(s, "-");
        s += len[n++];
        if (!*s) break;
    }
    Arch arch = in_list(part[0], len[0], x86, false)       ? ARCH_X86
                : in_list(part[0], len[0], aarch64, false) ? ARCH_AARCH64
                                                           : ARCH_NONE;
    if (len[2] && !in_list(part[2], len[2], systems, true)) return ARCH_NONE;
    if (len[3] && !in_list(part[3], len[3], environments, false)) return ARCH_NONE;
    return arch;
}

/* Whether both run the same programs: same architecture and system. */
static bool same_system(const char *a, const char *b) {
    const char *system_a = strchr(a, '-'), *system_b = strchr(b, '-');
    if (!system_a || !system_b || triple_arch(a) != triple_arch(b)) return false;
    system_a = strchr(system_a + 1, '-'), system_b = strchr(system_b + 1, '-');
    if (!system_a || !system_b) return system_a == system_b;
    size_t n = strcspn(system_a + 1, "-");
    return n == strcspn(system_b + 1, "-") && !memcmp(system_a + 1, system_b + 1, n);
}

static const Cpu *find_cpu(Arch arch, const char *name, size_t n) {
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        const Cpu *c = &cpus[i];
        if (c->arch == arch && strlen(c->name) == n && !memcmp(c->name, name, n)) return c;
    }
    return NULL;
}

static bool known_feature(Arch arch, const char *name, size_t n) {
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        const Feature *f = &features[i];
        if (f->arch == arch && strlen(f->name) == n && !memcmp(f->name, name, n)) return true;
    }
    return false;
}

/* Applies one of "+avx2", "-avx2" with what LLVM takes it to imply. */
static unsigned apply_feature(unsigned isa, bool on, const char *name, size_t n) {
    static const struct {
        const char *name;
        unsigned on, off;
    } sets[] = {
        {"avx", 0, ~0u},
        {"avx2", ISA_AVX2, ~0u & ~(ISA_FMA | ISA_F16C)},
        {"fma", ISA_FMA, ~0u & ~(ISA_AVX2 | ISA_F16C)},
        {"f16c", ISA_F16C, ISA_F16C | ISA_F | ISA_VL | ISA_BW | ISA_DQ},
        {"avx512f", VECTORS_256 | ISA_F, ISA_F | ISA_VL | ISA_BW | ISA_DQ},
        {"evex512", 0, ISA_F},
        {"avx512vl", VECTORS_256 | ISA_F | ISA_VL, ISA_VL},
        {"avx512bw", VECTORS_256 | ISA_F | ISA_BW, ISA_BW},
        {"avx512dq", VECTORS_256 | ISA_F | ISA_DQ, ISA_DQ},
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (strlen(sets[i].name) != n || memcmp(sets[i].name, name, n)) continue;
        return on ? isa | sets[i].on : isa & ~sets[i].off;
    }
    return isa;
}

/* Reads "+a,-b,…". With `check`, each name must be known. */
static const char *read_features(Arch arch, const char *list, bool check, unsigned *isa) {
    for (const char *s = list; *s;) {
        size_t n = strcspn(s, ",");
        if (n < 2 || (*s != '+' && *s != '-') || (check && !known_feature(arch, s + 1, n - 1)))
            return backend_fail("unknown processor feature '%.*s' (write +name or -name)",
                                (int)(n < 80 ? n : 80), s);
        *isa = apply_feature(*isa, *s == '+', s + 1, n - 1);
        s += n;
        if (*s == ',') s++;
    }
    return NULL;
}

static unsigned vector_bytes(Arch arch, unsigned isa) {
    if (arch == ARCH_AARCH64) return 16;
    if ((isa & VECTORS_512) == VECTORS_512) return 64;
    return (isa & NEEDED) == NEEDED ? 32 : 0;
}

static Variant make_variant(Arch arch, const char *name, const char *list, unsigned isa) {
    return (Variant){.name = name,
                     .features = list,
                     .isa = isa,
                     .vector_bytes = vector_bytes(arch, isa),
                     .converts_f16 = arch == ARCH_AARCH64 || (isa & ISA_F16C)};
}

/* The lists joined by commas, for the caller to free; NULL without memory. */
static char *join(const char *a, const char *b, const char *c) {
    const char *const parts[] = {a, b, c};
    char *all = malloc(strlen(a) + strlen(b) + strlen(c) + 3);
    if (!all) return NULL;
    char *to = all;
    for (size_t i = 0; i < 3; i++) {
        if (!*parts[i]) continue;
        if (to > all) *to++ = ',';
        memcpy(to, parts[i], strlen(parts[i]));
        to += strlen(parts[i]);
    }
    *to = 0;
    return all;
}

static const char *create_machine(Machine *m, const char *cpu, const char *list) {
    LLVMTargetRef target;
    char *text = NULL;
    if (LLVMGetTargetFromTriple(m->triple, &target, &text)) return backend_fail_text("LLVM", text);
    LLVMTargetMachineOptionsRef o = LLVMCreateTargetMachineOptions();
    LLVMTargetMachineOptionsSetCPU(o, cpu);
    LLVMTargetMachineOptionsSetFeatures(o, list);
    LLVMTargetMachineOptionsSetCodeGenOptLevel(o, LLVMCodeGenLevelLess);
    LLVMTargetMachineOptionsSetRelocMode(o, LLVMRelocPIC);
    LLVMTargetMachineOptionsSetCodeModel(o, LLVMCodeModelSmall);
    m->machine = LLVMCreateTargetMachineWithOptions(target, m->triple, o);
    LLVMDisposeTargetMachineOptions(o);
    if (!m->machine) return backend_fail("LLVM has no code generator for %s", m->triple);
    m->layout = LLVMCreateTargetDataLayout(m->machine);
    return NULL;
}

static const char *too_small(const char *cpu) {
    return backend_fail("the processor%s%.80s lacks AVX2 and FMA, which kernels need: x86-64-v3 is "
                        "the least",
                        cpu ? " " : "", cpu ? cpu : "");
}

static const char *unknown_cpu(const Machine *m, const char *name, size_t n) {
    return backend_fail("unknown processor '%.*s' for %s", (int)(n < 80 ? n : 80), name, m->triple);
}

/* Processors whose tuning prefers 256 bits still run these kernels faster with 512: they are pure
 * arithmetic. */
static const char *tuning(unsigned bytes) { return bytes == 64 ? "-prefer-256-bit" : ""; }

/* `here` is what this processor has, `host_list` the same in LLVM's words (empty for another
 * architecture). */
static const char *choose_cpu(const Target *target, Arch arch, const char *host_list, unsigned here,
                              Machine *m) {
    const char *extra = target->features ? target->features : "", *cpu = target->cpu;
    char *host_cpu = NULL;
    unsigned isa = here;
    if (!*host_list || (cpu && strcmp(cpu, "native") != 0)) {
        if (!cpu || !strcmp(cpu, "native")) cpu = arch == ARCH_X86 ? "x86-64-v3" : "generic";
        const Cpu *known = find_cpu(arch, cpu, strlen(cpu));
        if (!known) return unknown_cpu(m, cpu, strlen(cpu));
        isa = known->isa;
        host_list = "";
    }
    const char *error = read_features(arch, extra, true, &isa);
    if (error) return error;
    const unsigned bytes = vector_bytes(arch, isa);
    if (!bytes) return too_small(cpu);
    if (bytes > vector_bytes(arch, here)) m->runs_here = false;
    m->variants[m->nvariants++] = make_variant(arch, NULL, NULL, isa);
    char *list = join(host_list, extra, tuning(bytes));
    if (!cpu) cpu = host_cpu = LLVMGetHostCPUName();
    error = list ? create_machine(m, cpu, list) : backend_fail("out of memory");
    free(list);
    if (host_cpu) LLVMDisposeMessage(host_cpu);
    return error;
}

/* ---- several processors ---- */

static int count_bits(unsigned v) {
    int n = 0;
    for (; v; v &= v - 1) n++;
    return n;
}

/* Puts a processor where it belongs: before those with narrower vectors or fewer instruction sets,
 * so that none stands before one that can do more. */
static void insert_variant(Machine *m, Variant v) {
    size_t i = m->nvariants++;
    for (; i > 0; i--) {
        const Variant *w = &m->variants[i - 1];
        if (w->vector_bytes > v.vector_bytes) break;
        if (w->vector_bytes == v.vector_bytes && count_bits(w->isa) >= count_bits(v.isa)) break;
        m->variants[i] = *w;
    }
    m->variants[i] = v;
}

/* Indirect functions: ELF with a loader that resolves them. */
static bool has_ifunc(Arch arch, const char *triple) {
    return arch == ARCH_X86 && !strstr(triple, "musl") &&
           (strstr(triple, "-linux") || strstr(triple, "-freebsd"));
}

/* A list of names, separated by commas. */
static const char *choose_cpus(const Target *target, Arch arch, Machine *m) {
    if (!has_ifunc(arch, m->triple))
        return backend_fail("several processors in one object (%.80s) need x86-64 and ELF with "
                            "indirect functions; %s is something else",
                            target->cpu, m->triple);
    if (target->features && *target->features)
        return backend_fail("processor features cannot be given for several processors");
    for (const char *s = target->cpu;; s++) {
        const size_t n = strcspn(s, ",");
        const Cpu *known = find_cpu(arch, s, n);
        if (!known) return unknown_cpu(m, s, n);
        const unsigned bytes = vector_bytes(arch, known->isa);
        if (!bytes) return too_small(known->name);
        bool again = false;
        for (size_t i = 0; i < m->nvariants; i++) again |= m->variants[i].name == known->name;
        if (!again && m->nvariants == MAX_VARIANTS)
            return backend_fail("more than %d processors", MAX_VARIANTS);
        if (!again) insert_variant(m, make_variant(arch, known->name, tuning(bytes), known->isa));
        s += n;
        if (!*s) break;
    }
    const Variant *least = &m->variants[m->nvariants - 1];
    return create_machine(m, least->name, least->features);
}

/* Makes the architecture's code generator known to LLVM and chooses a processor. */
static const char *open_arch(const Target *target, const char *host, Machine *m) {
    const Arch arch = triple_arch(m->triple);
    int failed = 0;
    switch (arch) {
    case ARCH_X86:
        failed = pthread_once(&x86_once, init_x86);
        break;
    case ARCH_AARCH64:
        failed = pthread_once(&aarch64_once, init_aarch64);
        break;
    case ARCH_NONE:
        return backend_fail("no code generator for the target '%s'", m->triple);
    }
    if (failed) return backend_fail("cannot initialise LLVM");
    if (target->cpu && strchr(target->cpu, ',')) {
        /* The code that asks what the processor can is assembler text. */
        if (arch == ARCH_X86) failed = pthread_once(&x86_parser_once, LLVMInitializeX86AsmParser);
        return failed ? backend_fail("cannot initialise LLVM") : choose_cpus(target, arch, m);
    }
    if (arch != triple_arch(host)) return choose_cpu(target, arch, "", 0, m);
    unsigned here = 0;
    char *list = LLVMGetHostCPUFeatures();
    const char *error = read_features(arch, list, false, &here);
    if (!error) error = choose_cpu(target, arch, list, here, m);
    LLVMDisposeMessage(list);
    return error;
}

const char *machine_open(const Target *target, Machine *m) {
    *m = (Machine){0};
    if (target->triple && strlen(target->triple) > 200)
        return backend_fail("the target's triple is too long");
    char *given = LLVMGetDefaultTargetTriple(), *host = LLVMNormalizeTargetTriple(given);
    LLVMDisposeMessage(given);
    m->triple = LLVMNormalizeTargetTriple(target->triple ? target->triple : host);
    m->runs_here = same_system(m->triple, host);
    const char *error = open_arch(target, host, m);
    LLVMDisposeMessage(host);
    if (error) machine_close(m);
    return error;
}

void machine_close(Machine *m) {
    if (m->layout) LLVMDisposeTargetData(m->layout);
    if (m->machine) LLVMDisposeTargetMachine(m->machine);
    if (m->triple) LLVMDisposeMessage(m->triple);
    *m = (Machine){0};
}
