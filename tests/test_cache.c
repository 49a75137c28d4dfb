/* Kernels that are there already: in memory, on disk, and the loader that gets them from there.
 * Each test is a process of its own, so LLVM is in it only where the test has it compile. */
#define _GNU_SOURCE
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#undef fail /* Check's; the library has a function of this name */
#include "runtime.h"

typedef void Unary(size_t, const float *, float *);

static char folder[64], last_log[600];

static void remember(void *user, const char *message) {
    (void)user;
    snprintf(last_log, sizeof last_log, "%s", message);
}

/* ---- contexts with a cache ---- */

static actc_context *open_with(const char *cache, size_t bytes) {
    const actc_context_options options = {.size = sizeof options,
                                          .library_folder = ACTC_BUILD_FOLDER,
                                          .log = remember,
                                          .cache_folder = cache,
                                          .cache_bytes = bytes};
    actc_context *ctx;
    ck_assert_int_eq(actc_context_create(&options, &ctx), ACTC_OK);
    return ctx;
}

static actc_kernel *compile_in(actc_context *ctx, const char *text, const char *function) {
    actc_module *m;
    actc_kernel *k;
    ck_assert_int_eq(actc_module_parse(ctx, "cache.act", text, strlen(text), &m, NULL), ACTC_OK);
    ck_assert_int_eq(actc_kernel_compile(m, function, NULL, &k, NULL), ACTC_OK);
    actc_module_release(m);
    return k;
}

static float value(const actc_kernel *k, float x) {
    float y;
    ((Unary *)actc_kernel_function(k))(1, &x, &y);
    return y;
}

/* Compiles in a context of its own, says whether it came from the disk, and checks one value. */
static bool is_read(const char *cache, size_t bytes, const char *function, float want) {
    actc_context *ctx = open_with(cache, bytes);
    actc_kernel *k = compile_in(ctx, "", function);
    ck_assert_float_eq(value(k, 3), want);
    actc_kernel_release(k), actc_context_release(ctx);
    ck_assert(!strncmp(last_log, "read ", 5) || !strncmp(last_log, "compiled ", 9));
    return last_log[0] == 'r';
}

static bool llvm_is_here(void) {
    char line[600];
    bool found = false;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof line, f)) found |= strstr(line, "libactc-llvm") != NULL;
    if (f) fclose(f);
    return found;
}

/* Does it in another process, where LLVM comes in. */
static void elsewhere(void (*work)(void)) {
    int status;
    const pid_t child = fork();
    if (child == 0) {
        work();
        _exit(0);
    }
    ck_assert(child > 0 && waitpid(child, &status, 0) == child);
    ck_assert_int_eq(status, 0);
}

/* ---- the folder ---- */

/* The path of some file whose name ends like this, and the number of those. */
static size_t find_files(const char *ending, char *path, off_t *bytes) {
    size_t n = 0;
    DIR *d = opendir(folder);
    if (bytes) *bytes = 0;
    for (const struct dirent *e; d && (e = readdir(d));) {
        char full[400];
        struct stat s;
        const size_t length = strlen(e->d_name), m = strlen(ending);
        if (length < m || strcmp(e->d_name + length - m, ending) != 0 || e->d_name[0] == '.')
            continue;
        snprintf(full, sizeof full, "%s/%s", folder, e->d_name);
        if (path) snprintf(path, 400, "%s", full);
        if (bytes && stat(full, &s) == 0) *bytes += s.st_size;
        n++;
    }
    if (d) closedir(d);
    return n;
}

static void make_folder(void) {
    snprintf(folder, sizeof folder, "/tmp/actc-cache-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void) {
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));) {
        char full[400];
        snprintf(full, sizeof full, "%s/%s", folder, e->d_name);
        if (unlink(full) != 0) rmdir(full);
    }
    if (d) closedir(d);
    rmdir(folder);
}

typedef struct {
    char *bytes;
    size_t size;
} Text;

static Text read_file(const char *path) {
    Text t = {malloc(1 << 20), 0};
    FILE *f = fopen(path, "rb");
    ck_assert(f && t.bytes);
    t.size = fread(t.bytes, 1, 1 << 20, f);
    fclose(f);
    return t;
}

static void write_file(const char *path, const char *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert(fwrite(bytes, 1, n, f) == n);
    ck_assert_int_eq(fclose(f), 0);
}

/* ---- in memory ---- */

START_TEST(what_lives_is_given_again) {
    actc_context *ctx = open_with(NULL, 0);
    actc_kernel *a = compile_in(ctx, "", "mish"), *b = compile_in(ctx, "", "mish");
    ck_assert_ptr_eq(a, b);
    ck_assert(strncmp(last_log, "had mish", 8) == 0);
    actc_module *library;
    actc_kernel *c;
    ck_assert_int_eq(actc_module_library(ctx, &library), ACTC_OK);
    ck_assert_int_eq(actc_kernel_compile(library, "mish", NULL, &c, NULL), ACTC_OK);
    ck_assert_ptr_eq(a, c);
    actc_module_release(library);
    /* Other texts, options and names are other kernels. */
    actc_kernel *own = compile_in(ctx, "mish(x) = x + 1", "mish");
    ck_assert_ptr_ne(a, own);
    ck_assert_float_eq(value(own, 3), 4);
    actc_module *m;
    ck_assert_int_eq(actc_module_parse(ctx, "m", "", 0, &m, NULL), ACTC_OK);
    const actc_setting one = {"alpha", "1"}, two = {"alpha", "2"};
    const actc_kernel_options options[] = {
        {.size = sizeof *options, .kind = ACTC_BACKWARD},
        {.size = sizeof *options, .dtype = ACTC_F64},
        {.size = sizeof *options, .settings = &one, .setting_count = 1},
        {.size = sizeof *options, .settings = &two, .setting_count = 1},
    };
    actc_kernel *others[4];
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(actc_kernel_compile(m, "elu", &options[i], &others[i], NULL), ACTC_OK);
        for (int j = 0; j < i; j++) ck_assert_ptr_ne(others[i], others[j]);
    }
    /* In one request what is there and what is not, twice. */
    const actc_request requests[] = {{"mish", NULL}, {"tanh", NULL}, {"tanh", NULL}};
    actc_kernel *batch[3];
    ck_assert_int_eq(actc_kernels_compile(m, requests, 3, batch, NULL), ACTC_OK);
    ck_assert_ptr_eq(batch[0], a);
    ck_assert_float_eq(value(batch[1], 100), 1);
    ck_assert_float_eq(value(batch[2], 100), 1);
    actc_kernel *failing[2];
    const actc_request bad[] = {{"mish", NULL}, {"mihs", NULL}};
    ck_assert_int_eq(actc_kernels_compile(m, bad, 2, failing, NULL), ACTC_E_SOURCE);
    ck_assert_ptr_null(failing[0]);
    for (int i = 0; i < 4; i++) actc_kernel_release(others[i]);
    for (int i = 0; i < 3; i++) actc_kernel_release(batch[i]);
    actc_kernel_release(own), actc_kernel_release(c), actc_kernel_release(b);
    ck_assert_float_eq(value(a, 0), 0); /* it lives until the last owner goes */
    actc_kernel_release(a);
    a = compile_in(ctx, "", "mish");
    ck_assert(strncmp(last_log, "compiled mish", 13) == 0);
    actc_kernel_release(a), actc_module_release(m), actc_context_release(ctx);
}
END_TEST

START_TEST(warnings_are_said_again) {
    static const char text[] = "f(x) = x*x  grad x = 3*x";
    actc_context *ctx = open_with(folder, 0);
    for (int i = 0; i < 2; i++) {
        actc_module *m;
        actc_kernel *k;
        actc_diagnostics *parsed = NULL, *compiled = NULL;
        ck_assert_int_eq(actc_module_parse(ctx, "w.act", text, strlen(text), &m, &parsed), ACTC_OK);
        ck_assert_int_eq(actc_kernel_compile(m, "f", NULL, &k, &compiled), ACTC_OK);
        static size_t said[2][2];
        said[i][0] = actc_diagnostics_count(parsed);
        said[i][1] = actc_diagnostics_count(compiled);
        ck_assert_uint_eq(said[i][0], said[0][0]);
        ck_assert_uint_eq(said[i][1], said[0][1]);
        ck_assert_uint_gt(said[i][0] + said[i][1], 0);
        actc_diagnostics_release(parsed), actc_diagnostics_release(compiled);
        actc_kernel_release(k), actc_module_release(m);
    }
    actc_context_release(ctx);
}
END_TEST

/* ---- on disk ---- */

static void fill(void) {
    ck_assert(!is_read(folder, 0, "x*5 + relu6(x)", 18));
    ck_assert(llvm_is_here());
}

START_TEST(a_stored_kernel_needs_no_llvm) {
    elsewhere(fill);
    ck_assert_uint_eq(find_files(".kernel", NULL, NULL), 1);
    ck_assert(is_read(folder, 0, "x*5 + relu6(x)", 18));
    ck_assert(!llvm_is_here());
    ck_assert(!is_read(folder, 0, "x*5 + relu6( x)", 18)); /* another text */
    ck_assert(llvm_is_here());
    ck_assert(!is_read(NULL, 0, "x*5 + relu6(x)", 18));
    ck_assert(!is_read("", 0, "x*5 + relu6(x)", 18));
}
END_TEST

static const actc_setting shift = {"shift", "1/2"};

static void use_batch(actc_kernel **k) {
    static const char text[] = "f(a, b; shift = 0) = a*b + shift\nmany(a1,a2,a3,a4,a5,a6,a7,a8) = "
                               "a1+a2+a3+a4+a5+a6+a7+a8\n";
    const actc_kernel_options half = {
        .size = sizeof half, .kind = ACTC_BACKWARD, .settings = &shift, .setting_count = 1};
    const actc_request requests[] = {
        {"f", NULL}, {"f", &half}, {"many", NULL}, {"f", NULL}, {"tanh -> relu", NULL}};
    actc_context *ctx = open_with(folder, 0);
    actc_module *m;
    ck_assert_int_eq(actc_module_parse(ctx, "b", text, strlen(text), &m, NULL), ACTC_OK);
    ck_assert_int_eq(actc_kernels_compile(m, requests, 5, k, NULL), ACTC_OK);
    actc_module_release(m), actc_context_release(ctx);
}

static void fill_batch(void) {
    actc_kernel *k[5];
    use_batch(k);
    for (int i = 0; i < 5; i++) actc_kernel_release(k[i]);
}

START_TEST(a_batch_is_stored_with_all_that_it_says) {
    elsewhere(fill_batch);
    actc_kernel *k[5];
    use_batch(k);
    ck_assert_int_eq(last_log[0], 'r');
    ck_assert(!llvm_is_here());
    ck_assert_uint_eq(actc_kernel_argument_count(k[1]), 5);
    static const char *const names[] = {"a", "b", "dy", "da", "db"};
    static const actc_role roles[] = {ACTC_INPUT, ACTC_INPUT, ACTC_COTANGENT, ACTC_OUTPUT,
                                      ACTC_OUTPUT};
    for (size_t i = 0; i < 5; i++) {
        actc_argument a;
        ck_assert_int_eq(actc_kernel_argument(k[1], i, &a), ACTC_OK);
        ck_assert_str_eq(a.name, names[i]);
        ck_assert_int_eq(a.role, roles[i]);
        ck_assert_int_eq(a.dtype, ACTC_F32);
    }
    /* Tensors, with a broadcast, and the entry that takes more arrays than the runtime calls. */
    float x[2] = {2, 3}, one = 1, dy[2] = {1, 10}, da[2], db[1];
    int64_t two[] = {2}, single[] = {1};
    const actc_tensor t[] = {
        {.data = x, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = two},
        {.data = &one, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = single},
        {.data = dy, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = two},
        {.data = da, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = two},
        {.data = db, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = single}};
    const actc_tensor same = {
        .data = x, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = two};
    const actc_tensor *const backward[] = {&t[0], &same, &t[2], &t[3], &same};
    ck_assert_int_eq(actc_kernel_run(k[1], backward, 5, NULL), ACTC_OK);
    ck_assert_float_eq(da[0], 2);
    ck_assert_float_eq(da[1], 30);
    float y[2];
    const actc_tensor out = {
        .data = y, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = two};
    const actc_tensor *const eight[] = {&t[0], &t[0], &t[0], &t[0], &t[0],
                                        &t[0], &t[0], &t[0], &out};
    x[0] = 2, x[1] = 3;
    ck_assert_int_eq(actc_kernel_run(k[2], eight, 9, NULL), ACTC_OK);
    ck_assert_float_eq(y[0], 16);
    for (int i = 0; i < 5; i++) actc_kernel_release(k[i]);
}
END_TEST

START_TEST(files_that_are_used_count) {
    char used[100], text[200];
    snprintf(used, sizeof used, "%s/used.act", folder);
    snprintf(text, sizeof text, "use \"%s\"\nf(x) = g(x)*2\n", used);
    for (int i = 1; i < 4; i++) {
        char g[40];
        snprintf(g, sizeof g, "g(x) = x + %d\n", i % 3);
        write_file(used, g, strlen(g));
        actc_context *ctx = open_with(folder, 0);
        actc_kernel *k = compile_in(ctx, text, "f");
        ck_assert_float_eq(value(k, 3), 2 * (3 + (float)(i % 3)));
        actc_kernel_release(k), actc_context_release(ctx);
    }
}
END_TEST

/* Whatever stands there: the kernel is right, and afterwards the file is. */
static void must_mend(const Text *good, const char *path) {
    ck_assert(!is_read(folder, 0, "x*5 + relu6(x)", 18));
    const Text now = read_file(path);
    ck_assert(now.size == good->size && !memcmp(now.bytes, good->bytes, now.size));
    free(now.bytes);
}

START_TEST(a_damaged_file_is_replaced) {
    char path[400], other[400];
    fill();
    ck_assert_uint_eq(find_files(".kernel", path, NULL), 1);
    const Text good = read_file(path);
    for (size_t n = 0; n < good.size; n += n < 120 ? 9 : 271) { /* truncated */
        write_file(path, good.bytes, n);
        must_mend(&good, path);
    }
    for (size_t at = 0; at < good.size; at += at < 120 ? 7 : 283) { /* a bit of any field */
        good.bytes[at] ^= (char)(1 << at % 8);
        write_file(path, good.bytes, good.size);
        good.bytes[at] ^= (char)(1 << at % 8);
        must_mend(&good, path);
    }
    good.bytes[good.size] = 7;
    write_file(path, good.bytes, good.size + 1);
    must_mend(&good, path);
    /* Another kernel's file, whole as it is. */
    ck_assert(!is_read(folder, 0, "x*5 + relu6(x) + 1", 19));
    DIR *d = opendir(folder);
    other[0] = '\0';
    for (const struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && strcmp(e->d_name, strrchr(path, '/') + 1) != 0)
            snprintf(other, sizeof other, "%s/%s", folder, e->d_name);
    closedir(d);
    const Text foreign = read_file(other);
    write_file(path, foreign.bytes, foreign.size);
    must_mend(&good, path);
    /* What others may write to, and what is no file. */
    ck_assert_int_eq(chmod(path, 0666), 0);
    must_mend(&good, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink(other, path), 0);
    must_mend(&good, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    must_mend(&good, path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert(!is_read(folder, 0, "x*5 + relu6(x)", 18)); /* stays in the way */
    ck_assert_int_eq(rmdir(path), 0);
    must_mend(&good, path);
    ck_assert(is_read(folder, 0, "x*5 + relu6(x)", 18));
    ck_assert_uint_eq(find_files("", NULL, NULL), 2);
    free(good.bytes), free(foreign.bytes);
}
END_TEST

START_TEST(a_folder_that_cannot_be_used_is_no_error) {
    char below[100], file[100];
    snprintf(file, sizeof file, "%s/file", folder);
    write_file(file, "", 0);
    snprintf(below, sizeof below, "%s/file/below", folder);
    const char *const useless[] = {"/proc/nowhere", below, file, "/dev/null"};
    for (int i = 0; i < 4; i++)
        for (int again = 0; again < 2; again++) ck_assert(!is_read(useless[i], 0, "x + 1", 4));
    ck_assert_int_eq(chmod(folder, 0777), 0); /* anybody could put code there */
    for (int again = 0; again < 2; again++) ck_assert(!is_read(folder, 0, "x + 1", 4));
    ck_assert_int_eq(chmod(folder, 0500), 0);
    if (geteuid() != 0) ck_assert(!is_read(folder, 0, "x + 1", 4));
    ck_assert_int_eq(chmod(folder, 0700), 0);
    unlink(file);
    snprintf(below, sizeof below, "%s/a/b", folder); /* is made */
    ck_assert(!is_read(below, 0, "x + 1", 4));
    ck_assert(is_read(below, 0, "x + 1", 4));
    const char *const rm[] = {"/a/b", "/a"};
    char path[400];
    snprintf(path, sizeof path, "%s", folder);
    strcat(folder, rm[0]);
    remove_folder();
    strcpy(folder, path);
    rmdir(strcat(path, rm[1]));
}
END_TEST

START_TEST(a_full_disk_is_no_error) {
    const struct rlimit small = {1200, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    /* Its signal would end the process; Check itself writes less. */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert(!is_read(folder, 0, "gelu(x) - gelu(x)", 0));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
    ck_assert_uint_eq(find_files("", NULL, NULL), 0);
    /* As root in a container that may: a disk of one page. */
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=4096,mode=0700") != 0)
        return;
    for (int again = 0; again < 2; again++) ck_assert(!is_read(folder, 0, "gelu(x) - gelu(x)", 0));
    ck_assert_uint_eq(find_files("", NULL, NULL), 0);
    ck_assert_int_eq(umount(folder), 0);
}
END_TEST

START_TEST(the_oldest_goes) {
    enum { MOST = 16384 };
    off_t bytes;
    char formula[40];
    for (int i = 0; i < 40; i++) {
        snprintf(formula, sizeof formula, "x + %d", i);
        ck_assert(!is_read(folder, MOST, formula, 3 + (float)i));
        find_files(".kernel", NULL, &bytes);
        ck_assert_int_le(bytes, MOST);
    }
    ck_assert_int_gt(bytes, MOST / 2);
    ck_assert(is_read(folder, MOST, "x + 39", 42));
    ck_assert(!is_read(folder, MOST, "x + 0", 3));
}
END_TEST

/* ---- several at once ---- */

static void compile_all(void) {
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 8; i++) {
            char formula[40];
            snprintf(formula, sizeof formula, "x*%d", i);
            is_read(folder, 0, formula, 3 * (float)i);
        }
}

START_TEST(processes_share_a_folder) {
    pid_t child[3];
    for (int i = 0; i < 3; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            compile_all();
            _exit(0);
        }
    }
    for (int i = 0; i < 3; i++) {
        int status;
        ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_uint_eq(find_files(".kernel", NULL, NULL), 8);
    ck_assert_uint_eq(find_files("", NULL, NULL), 8); /* nothing unfinished */
    for (int i = 0; i < 8; i++) {
        char formula[40];
        snprintf(formula, sizeof formula, "x*%d", i);
        ck_assert(is_read(folder, 0, formula, 3 * (float)i));
    }
    ck_assert(!llvm_is_here());
}
END_TEST

/* ---- the hash, the loader ---- */

START_TEST(sha256_is_sha256) { /* FIPS 180-4's examples, and a million times `a` */
    static const struct {
        const char *text;
        int times;
        uint32_t first, last;
    } known[] = {
        {"abc", 1, 0xba7816bf, 0xf20015ad},
        {"", 1, 0xe3b0c442, 0x7852b855},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, 0x248d6a61, 0x19db06c1},
        {"a", 1000000, 0xcdc76e5c, 0xc7112cd0},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        Hash h;
        hash_begin(&h);
        for (int k = 0; k < known[i].times; k++) hash_add(&h, known[i].text, strlen(known[i].text));
        const Key key = hash_end(&h);
        const uint8_t *b = key.bytes, *e = key.bytes + 28;
        ck_assert_uint_eq((uint32_t)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3], known[i].first);
        ck_assert_uint_eq((uint32_t)e[0] << 24 | e[1] << 16 | e[2] << 8 | e[3], known[i].last);
    }
}
END_TEST

static Text object_of(const char *function) {
    actc_context *ctx = open_with(NULL, 0);
    actc_module *m;
    actc_bytes o;
    const actc_emit_options options = {
        .size = sizeof options, .functions = &function, .function_count = 1, .name = "k"};
    ck_assert_int_eq(actc_module_library(ctx, &m), ACTC_OK);
    ck_assert_int_eq(actc_emit(m, ACTC_FORMAT_OBJECT, &options, &o, NULL), ACTC_OK);
    Text t = {malloc(o.size), o.size};
    memcpy(t.bytes, o.data, o.size);
    actc_bytes_release(&o), actc_module_release(m), actc_context_release(ctx);
    return t;
}

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

START_TEST(the_loader_refuses_or_loads) {
    if (!IMAGE_LOADER) return;
    static const char *const functions[] = {"relu", "gelu", "sin"};
    uint32_t state = 1;
    size_t loaded = 0, refused = 0;
    for (int f = 0; f < 3; f++) {
        const Text good = object_of(functions[f]);
        Image image;
        ck_assert(image_load(good.bytes, good.size, &image));
        Unary *k;
        void *found = image_find(&image, good.bytes, good.size, "k_forward");
        memcpy(&k, &found, sizeof k);
        ck_assert_ptr_nonnull(found);
        ck_assert_ptr_null(image_find(&image, good.bytes, good.size, "k_forwar"));
        ck_assert_ptr_null(
            image_find(&image, good.bytes, good.size, "k_forward__body")); /* local */
        float x[20] = {1}, y[20];
        k(20, x, y);
        ck_assert_float_ge(y[0], 0.8f);
        ck_assert_float_eq(y[19], 0);
        image_unload(&image);
        for (size_t n = 0; n < good.size; n++) { /* truncated */
            char *part = malloc(n + !n);
            memcpy(part, good.bytes, n);
            ck_assert(!image_load(part, n, &image) || n >= good.size - 64);
            image_unload(&image);
            free(part);
        }
        for (int i = 0; i < 60000; i++) {
            char *bad = malloc(good.size); /* of just this size, for a sanitizer */
            memcpy(bad, good.bytes, good.size);
            const unsigned flips = 1 + next_random(&state) % 4;
            for (unsigned j = 0; j < flips; j++) {
                /* Half of them in the headers. */
                const size_t end = next_random(&state) % 2 ? good.size : 64;
                size_t at = next_random(&state) % end;
                if (end == 64 && next_random(&state) % 2)
                    at = good.size - 1 - next_random(&state) % 640;
                const uint32_t r = next_random(&state);
                bad[at] = r & 0x10000 ? (char)r : (char)(bad[at] ^ 1 << r % 8);
            }
            if (image_load(bad, good.size, &image)) {
                loaded++;
                image_find(&image, bad, good.size, "k_forward");
                image_find(&image, bad, good.size, "k_forward__call");
            } else {
                refused++;
            }
            image_unload(&image);
            free(bad);
        }
        free(good.bytes);
    }
    ck_assert_uint_gt(loaded, 1000);
    ck_assert_uint_gt(refused, 1000);
}
END_TEST

/* Records that are wrong inside a file that is whole: the head's checksum is made anew. */
START_TEST(a_wrong_record_is_refused_or_loaded) {
    enum { HEAD = 80, SUM = 40 };
    char path[400];
    fill();
    ck_assert_uint_eq(find_files(".kernel", path, NULL), 1);
    const Text good = read_file(path);
    actc_context *ctx = open_with(folder, 0);
    actc_module *m;
    uint32_t state = 7;
    size_t read = 0;
    ck_assert_int_eq(actc_module_parse(ctx, "m", "", 0, &m, NULL), ACTC_OK);
    char *bad = malloc(good.size);
    for (int i = 0; i < 300; i++) {
        memcpy(bad, good.bytes, good.size);
        /* The description in front, mostly. */
        const size_t end = i % 4 ? 100 : good.size - HEAD;
        bad[HEAD + next_random(&state) % end] = (char)next_random(&state);
        Hash h;
        hash_begin(&h);
        hash_add(&h, bad + HEAD, good.size - HEAD);
        const Key sum = hash_end(&h);
        memcpy(bad + SUM, sum.bytes, sizeof sum.bytes);
        write_file(path, bad, good.size);
        actc_kernel *k;
        ck_assert_int_eq(actc_kernel_compile(m, "x*5 + relu6(x)", NULL, &k, NULL), ACTC_OK);
        read += last_log[0] == 'r';
        for (size_t j = 0; j < actc_kernel_argument_count(k); j++) {
            actc_argument a;
            ck_assert_int_eq(actc_kernel_argument(k, j, &a), ACTC_OK);
            ck_assert_uint_lt(strlen(a.name), 100);
        }
        actc_kernel_release(k); /* and is not called: its code may be anything */
    }
    ck_assert_uint_gt(read, 10);
    ck_assert_uint_lt(read, 290);
    free(bad), free(good.bytes);
    actc_module_release(m), actc_context_release(ctx);
}
END_TEST

/* ---- out of memory ---- */

typedef struct {
    long left, live;
    bool failed;
} Failing;

static void *failing_resize(void *user, void *p, size_t n) {
    Failing *f = user;
    if (n == 0) {
        f->live -= p != NULL;
        free(p);
        return NULL;
    }
    if (f->left == 0) {
        f->failed = true;
        return NULL;
    }
    if (f->left > 0) f->left--;
    void *q = realloc(p, n);
    f->live += q && !p;
    return q;
}

/* First what writes a file, then what reads it. */
START_TEST(any_allocation_may_fail) {
    for (int stored = 0; stored < 2; stored++)
        for (long swept = 0;; swept++) {
            Failing f = {.left = swept};
            const actc_context_options options = {.size = sizeof options,
                                                  .library_folder = ACTC_BUILD_FOLDER,
                                                  .resize = failing_resize,
                                                  .resize_user = &f,
                                                  .cache_folder = folder};
            actc_context *ctx = NULL;
            actc_module *m = NULL;
            actc_kernel *k = NULL;
            actc_status s = actc_context_create(&options, &ctx);
            if (s == ACTC_OK) s = actc_module_parse(ctx, "m", "", 0, &m, NULL);
            if (s == ACTC_OK) s = actc_kernel_compile(m, "x*5", NULL, &k, NULL);
            ck_assert_int_eq(s, f.failed ? ACTC_E_MEMORY : ACTC_OK);
            if (s == ACTC_OK) ck_assert_float_eq(value(k, 3), 15);
            actc_kernel_release(k), actc_module_release(m), actc_context_release(ctx);
            ck_assert_int_eq(f.live, 0);
            if (s != ACTC_OK) continue;
            ck_assert_int_gt(swept, 5);
            ck_assert_uint_eq(find_files(".kernel", NULL, NULL), 1);
            break;
        }
}
END_TEST

int main(void) {
    Suite *s = suite_create("cache");
    TCase *t = tcase_create("cache");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_set_timeout(t, 200);
    tcase_add_test(t, what_lives_is_given_again);
    tcase_add_test(t, warnings_are_said_again);
    tcase_add_test(t, a_stored_kernel_needs_no_llvm);
    tcase_add_test(t, a_batch_is_stored_with_all_that_it_says);
    tcase_add_test(t, files_that_are_used_count);
    tcase_add_test(t, a_damaged_file_is_replaced);
    tcase_add_test(t, a_folder_that_cannot_be_used_is_no_error);
    tcase_add_test(t, a_full_disk_is_no_error);
    tcase_add_test(t, the_oldest_goes);
    tcase_add_test(t, processes_share_a_folder);
    tcase_add_test(t, sha256_is_sha256);
    tcase_add_test(t, the_loader_refuses_or_loads);
    tcase_add_test(t, a_wrong_record_is_refused_or_loaded);
    tcase_add_test(t, any_allocation_may_fail);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
