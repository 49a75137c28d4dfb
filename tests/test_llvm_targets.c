/* The LLVM backend's targets and texts, and several processors in one object. LLVM must print
 * nothing. */
#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "llvm_backend.h"

static int silence_begin(char *name) {
    strcpy(name, "/tmp/actc-stderr-XXXXXX");
    const int file = mkstemp(name), old = dup(2);
    ck_assert_int_ge(file, 0);
    fflush(stderr);
    dup2(file, 2);
    close(file);
    return old;
}

static void silence_end(const char *name, int old) {
    char text[200] = "";
    fflush(stderr);
    dup2(old, 2);
    close(old);
    FILE *f = fopen(name, "r");
    const size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    unlink(name);
    ck_assert_msg(n == 0, "LLVM printed: %s", text);
}

static Bytes emit_graph(Jit *with, Graph *g, EmitKind kind) {
    const Plan *plan = plan_make(g, KERNEL_FORWARD, "f_forward");
    Bytes bytes;
    check_ok(backend->emit(with, &plan, 1, kind, &bytes));
    return bytes;
}

START_TEST(wrong_targets) {
    static const Target wrong[] = {{NULL, "pentium9", NULL},
                                   {NULL, "", NULL},
                                   {NULL, "help", NULL},
                                   {"x86_64-linux-gnu", "apple-m1", NULL},
                                   {NULL, "nehalem", NULL},
                                   {NULL, "x86-64", NULL},
                                   {"sparc-sun-solaris", 0, 0},
                                   {"nonsense", NULL, NULL},
                                   {"", NULL, NULL},
                                   {"---", NULL, NULL},
                                   {"x86_64", "x86-64-v2", 0},
                                   {"aarch64-linux-gnu", "znver4", NULL},
                                   {NULL, NULL, "+nonsense"},
                                   {NULL, NULL, "avx2"},
                                   {NULL, NULL, "+help"},
                                   {NULL, "x86-64-v3", "-fma"},
                                   {NULL, NULL, ","},
                                   {"x86_64-a-b-c-d", 0, 0},
                                   {"x86_64-pc-linux-gnux32", NULL, NULL}};
    char name[40];
    const int old = silence_begin(name);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Jit *made;
        const char *error = backend->create(&wrong[i], &made);
        ck_assert_msg(error && *error && !made, "target %zu was accepted", i);
    }
    silence_end(name, old);
}
END_TEST

START_TEST(known_targets) {
    static const struct {
        const char *triple, *name;
    } cpus[] = {
#define VECTORS_NONE
#define CPU(arch, name, vectors) {TRIPLE_##arch, name},
#define TRIPLE_X86               "x86_64-pc-linux-gnu"
#define TRIPLE_AARCH64           "aarch64-unknown-linux-gnu"
#include "llvm/cpus.def"
    };
    static const char *const triples[] = {
        "x86_64-linux-gnu",      "x86_64-linux-musl",      "x86_64-apple-darwin",
        "arm64-apple-macos14",   "x86_64-pc-windows-msvc", "x86_64-windows-gnu",
        "aarch64-windows-msvc",  "aarch64-none-elf",       "x86_64-unknown-freebsd",
        "aarch64-linux-android", "x86_64-none-elf"};
    char name[40];
    const int old = silence_begin(name);
    size_t compiled = 0;
    Graph *g = scale_graph(2);
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        const Target target = {cpus[i].triple, cpus[i].name, NULL};
        Jit *made;
        if (backend->create(&target, &made)) continue;
        Bytes b = emit_graph(made, g, EMIT_OBJECT);
        compiled++;
        backend->free_bytes(&b);
        backend->destroy(made);
    }
    for (size_t i = 0; i < sizeof triples / sizeof *triples; i++) {
        Jit *made = create(triples[i], NULL, NULL);
        Bytes b = emit_graph(made, g, EMIT_OBJECT);
        backend->free_bytes(&b);
        backend->destroy(made);
    }
    silence_end(name, old);
    ck_assert_uint_ge(compiled, 90);
}
END_TEST

static bool asm_has(const char *triple, const char *cpu, const char *text) {
    Jit *made = create(triple, cpu, NULL);
    Bytes b = emit_graph(made, scale_graph(2), EMIT_ASSEMBLY);
    const bool found = strstr(b.data, text) != NULL;
    backend->free_bytes(&b);
    backend->destroy(made);
    return found;
}

START_TEST(vectors_are_wide) {
    static const char *const wide[] = {"x86-64-v4",      "skylake-avx512", "cascadelake",
                                       "icelake-server", "sapphirerapids", "znver4"};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        ck_assert_msg(asm_has("x86_64-linux", wide[i], "zmm"), "%s", wide[i]);
    ck_assert(asm_has("x86_64-linux", "x86-64-v3", "ymm") &&
              !asm_has("x86_64-linux", "x86-64-v3", "zmm"));
    ck_assert(!asm_has("x86_64-linux", "x86-64-v3", "call\t") &&
              !asm_has("x86_64-linux", "x86-64-v4", "call\t"));
    ck_assert(asm_has("aarch64-linux", NULL, ".4s"));
}
END_TEST

START_TEST(texts) {
    Bytes b = emit_graph(jit, scale_graph(2), EMIT_LLVM);
    ck_assert(b.size == strlen(b.data) && strstr(b.data, "@f_forward = alias") &&
              strstr(b.data, "@f_forward__call"));
    backend->free_bytes(&b);
    b = emit_graph(jit, scale_graph(2), EMIT_BITCODE);
    ck_assert(b.size > 100 && !memcmp(b.data, "BC", 2));
    backend->free_bytes(&b);
    Jit *other = create("aarch64-linux-gnu", NULL, NULL);
    JitCode *code;
    b = emit_graph(other, scale_graph(2), EMIT_OBJECT);
    ck_assert(b.data[18] == (char)183);
    ck_assert(backend->load(jit, &b, &code) && backend->load(other, &b, &code));
    backend->free_bytes(&b);
    backend->destroy(other);
}
END_TEST

/* ---- several processors in one object ---- */

static const char *const pair = "x86-64-v4,x86-64-v3";

START_TEST(wrong_lists) {
    static const struct {
        Target target;
        const char *named;
    } wrong[] = {{{"x86_64-linux-gnu", "x86-64-v3,pentium9", NULL}, "'pentium9'"},
                 {{"x86_64-linux-gnu", "x86-64-v3,", NULL}, "''"},
                 {{"x86_64-linux-gnu", ",x86-64-v3", NULL}, "''"},
                 {{"x86_64-linux-gnu", "x86-64-v3,x86-64-v", NULL}, "'x86-64-v'"},
                 {{"x86_64-linux-gnu", "native,x86-64-v3", NULL}, "'native'"},
                 {{"x86_64-linux-gnu", "x86-64-v3,nehalem", NULL}, "nehalem"},
                 {{"x86_64-linux-gnu", "x86-64-v3,x86-64-v4", "+adx"}, "features"},
                 {{"x86_64-linux-musl", "x86-64-v3,x86-64-v4", NULL}, "musl"},
                 {{"x86_64-windows-gnu", "x86-64-v3,x86-64-v4", NULL}, "windows"},
                 {{"x86_64-apple-darwin", "x86-64-v3,x86-64-v4", NULL}, "darwin"},
                 {{"aarch64-linux-gnu", "generic,apple-m1", NULL}, "aarch64"}};
    char name[40];
    const int old = silence_begin(name);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Jit *made;
        const char *error = backend->create(&wrong[i].target, &made);
        ck_assert_msg(error && !made && strstr(error, wrong[i].named), "list %zu: %s", i,
                      error ? error : "accepted");
    }
    silence_end(name, old);
}
END_TEST

/* Every processor beside the least one, in each kind of output. */
START_TEST(known_lists) {
    static const char *const cpus[] = {
#define VECTORS_NONE
#define ROW_X86(name) name,
#define ROW_AARCH64(name)
#define CPU(arch, name, set) ROW_##arch(name)
#include "llvm/cpus.def"
    };
    char name[40], list[80];
    const int old = silence_begin(name);
    size_t compiled = 0;
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        snprintf(list, sizeof list, "x86-64-v3,%s", cpus[i]);
        const Target target = {"x86_64-linux-gnu", list, NULL};
        Jit *made;
        if (backend->create(&target, &made)) continue;
        Bytes b = emit_graph(made, scale_graph(2), EMIT_OBJECT);
        compiled++;
        backend->free_bytes(&b);
        backend->destroy(made);
    }
    Jit *made = create("x86_64-linux-gnu", pair, NULL);
    static const EmitKind kinds[] = {EMIT_LLVM, EMIT_BITCODE, EMIT_ASSEMBLY};
    for (size_t i = 0; i < 3; i++) {
        Bytes b = emit_graph(made, scale_graph(2), kinds[i]);
        if (kinds[i] == EMIT_ASSEMBLY)
            ck_assert(strstr(b.data, "zmm") && strstr(b.data, "ymm") &&
                      strstr(b.data, "f_forward__body.x86_64_v4"));
        backend->free_bytes(&b);
    }
    Bytes b = emit_graph(made, scale_graph(2), EMIT_OBJECT);
    JitCode *code;
    ck_assert_ptr_nonnull(backend->load(made, &b, &code));
    backend->free_bytes(&b);
    backend->destroy(made);
    silence_end(name, old);
    ck_assert_uint_ge(compiled, 30);
}
END_TEST

#if defined(__x86_64__) && defined(__linux__)
/* Prints a hash of what both entries give for many sizes. */
static const char program[] =
    "#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n"
    "void f_forward(size_t, const float *, const float *, const float *, float *);\n"
    "struct call { uint64_t begin, end; const uint64_t *sizes; void *const *arrays; const void "
    "*rest[5]; };\n"
    "void f_forward__call(const struct call *);\n"
    "static float x[999], y[999], z[999], o[999];\n"
    "int main(void) {\n"
    "    uint64_t hash = 14695981039346656037u, state = 1;\n"
    "    for (int i = 0; i < 3 * 999; i++) {\n"
    "        state = state * 6364136223846793005u + 1442695040888963407u;\n"
    "        (i < 999 ? x : i < 2 * 999 ? y : z)[i % 999] = (float)(int)(state >> 40) / 65536 - "
    "128;\n"
    "    }\n"
    "    for (size_t n = 0; n <= 999; n += n < 70 ? 1 : 103) {\n"
    "        void *const a[] = {x, y, z, o};\n"
    "        const struct call c = {.begin = n / 3, .end = n, .arrays = a};\n"
    "        f_forward(n, x, y, z, o);\n"
    "        for (size_t i = 0; i < sizeof o; i++) hash = (hash ^ ((unsigned char *)o)[i]) * "
    "1099511628211u;\n"
    "        memset(o, 0, sizeof o);\n"
    "        f_forward__call(&c);\n"
    "        for (size_t i = 0; i < sizeof o; i++) hash = (hash ^ ((unsigned char *)o)[i]) * "
    "1099511628211u;\n"
    "    }\n"
    "    printf(\"%016llx\\n\", (unsigned long long)hash);\n"
    "    return 0;\n"
    "}\n";

static void write_file(const char *folder, const char *name, const char *data, size_t size) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, size, f), size);
    ck_assert_int_eq(fclose(f), 0);
}

/* The first line that the command prints, without its end; "" when it fails. */
static void output_of(const char *folder, const char *command, char line[100]) {
    char all[600];
    snprintf(all, sizeof all, "cd %s && { %s; } 2>errors", folder, command);
    FILE *f = popen(all, "r");
    ck_assert_ptr_nonnull(f);
    if (!fgets(line, 100, f)) *line = 0;
    line[strcspn(line, "\n")] = 0;
    if (pclose(f) != 0) *line = 0;
}

static bool runs(const char *folder, const char *command) {
    char all[600];
    snprintf(all, sizeof all, "cd %s && { %s; } >errors 2>&1", folder, command);
    return system(all) == 0;
}

static Graph *busy_graph(void) {
    Kernel k = begin(TYPE_F32);
    Node *x = k.in[0], *y = k.in[1], *z = k.in[2];
    Node *root = op1(&k, OP_SQRT, op1(&k, OP_ABS, op2(&k, OP_DIV, x, op2(&k, OP_ADD, y, z))));
    Node *sum = op3(&k, OP_FMA, x, y, op2(&k, OP_MUL, root, real(&k, 0.1)));
    graph_output(k.g, "o", op3(&k, OP_SELECT, op2(&k, OP_LT, x, z), sum, op1(&k, OP_ROUND, root)));
    return k.g;
}

static void write_object(const char *folder, const char *name, const char *cpus) {
    Jit *made = create(NULL, cpus, NULL);
    Bytes b = emit_graph(made, busy_graph(), EMIT_OBJECT);
    write_file(folder, name, b.data, b.size);
    backend->free_bytes(&b);
    backend->destroy(made);
}

/* Whether the symbol of the shared library is bound to the function of that local name. */
static void check_chosen(const char *folder, const char *symbol, const char *local) {
    char path[200], command[200], line[100];
    snprintf(path, sizeof path, "%s/both.so", folder);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    void *bound = dlsym(library, symbol), *loaded = dlsym(library, "loaded_at");
    ck_assert(bound && loaded);
    snprintf(command, sizeof command, "nm both.so | grep ' %s$'", local);
    output_of(folder, command, line);
    const unsigned long local_at = strtoul(line, NULL, 16);
    output_of(folder, "nm both.so | grep ' loaded_at$'", line);
    const unsigned long loaded_at = strtoul(line, NULL, 16);
    ck_assert(local_at && loaded_at);
    ck_assert_msg((char *)bound - (char *)loaded == (long)(local_at - loaded_at), "%s is not %s",
                  symbol, local);
    dlclose(library);
}

START_TEST(one_object_for_several) {
    static const char *const links[] = {
        "cc -no-pie main.c both.o -o p -lm && ./p",
        "cc -fPIE -pie main.c both.o -o p && ./p",
        "cc -static main.c both.o -o p && ./p",
        "cc -fPIE -static-pie main.c both.o -o p && ./p",
        "cc -fPIE -pie -Wl,-z,now main.c both.o -o p && ./p",
        "cc main.c both.so -Wl,-rpath,. -o p && ./p",
        "cc -O2 -fno-plt main.c both.so -Wl,-z,now,-rpath,. -o p && ./p"};
    char folder[] = "/tmp/actc-cpus-XXXXXX", want[100], got[100];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    if (!runs(folder, "cc --version && nm --version")) {
        rmdir(folder);
        return;
    }
    static const char data[] = "int loaded_at = 1;\n";
    write_file(folder, "main.c", program, sizeof program - 1);
    write_file(folder, "data.c", data, sizeof data - 1);
    write_object(folder, "both.o", pair);
    write_object(folder, "one.o", "x86-64-v3");
    ck_assert(runs(folder, "cc -shared -fPIC both.o data.c -o both.so"));
    ck_assert(runs(folder, "test -z \"$(nm -u both.o)\""));
    output_of(folder, "cc main.c one.o -o p && ./p", want);
    ck_assert_msg(strlen(want) == 16, "the program does not run");
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        output_of(folder, links[i], got);
        if (!*got && strstr(links[i], "-static")) continue; /* there may be no static libc */
        ck_assert_msg(!strcmp(got, want), "%s: '%s', not '%s'", links[i], got, want);
    }
    const bool v4 =
        runs(folder, "grep -q 'avx512f.*avx512dq.*avx512cd.*avx512bw.*avx512vl' /proc/cpuinfo");
    check_chosen(folder, "f_forward",
                 v4 ? "f_forward__body.x86_64_v4" : "f_forward__body.x86_64_v3");
    check_chosen(folder, "f_forward__call",
                 v4 ? "f_forward__call.x86_64_v4" : "f_forward__call.x86_64_v3");
    runs(folder, "rm -f main.c data.c both.o one.o both.so p r errors");
    rmdir(folder);
}
END_TEST
#endif

int main(void) {
    const Case cases[] = {
        {"wrong targets", wrong_targets, 0, 1},
        {"known targets", known_targets, 0, 1},
        {"vectors", vectors_are_wide, 0, 1},
        {"texts", texts, 0, 1},
        {"wrong lists", wrong_lists, 0, 1},
#if defined(__x86_64__) && defined(__linux__)
        {"one object", one_object_for_several, 0, 1},
#endif
        {"known lists", known_lists, 0, 1}
    };
    return run_tests("llvm_targets", cases, sizeof cases / sizeof *cases);
}
