/* Kernels that are there already.
 *
 * In memory: the living kernels of a context, found by what determines them (key.c). They are not
 * kept alive for it.
 *
 * On disk: a folder with one file for each object, named by its key:
 *
 *     magic, version, key, SHA-256 of the record, the record (record.c)
 *
 * A file is written under another name and renamed, so a reader sees all of it or nothing, and any
 * number of processes may share a folder. What is not whole, or not what the name says, is as good
 * as absent and gets replaced. Since what is read will be run, the folder and the file must belong
 * to the user and be writable to nobody else; then who could change them could change the program
 * as well. Nothing that goes wrong here is an error of the caller's: a kernel is compiled then. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "runtime.h"

/* ---- in memory ---- */

static actc_kernel **slot_of(actc_context *ctx, const Key *key) {
    const unsigned i = key->bytes[0] | (unsigned)key->bytes[1] << 8;
    return &ctx->kernels[i % KERNEL_SLOTS];
}

static bool equal(const Key *a, const Key *b) { return memcmp(a, b, sizeof *a) == 0; }

/* One more owner, unless the last one is just leaving. */
static bool try_retain(actc_kernel *k) {
    size_t n = atomic_load(&k->references);
    while (n > 0)
        if (atomic_compare_exchange_weak(&k->references, &n, n + 1)) return true;
    return false;
}

actc_kernel *cache_find(actc_context *ctx, const Key *key) {
    pthread_mutex_lock(&ctx->kernels_lock);
    actc_kernel *k = *slot_of(ctx, key);
    while (k && !(equal(&k->key, key) && try_retain(k))) k = k->next;
    pthread_mutex_unlock(&ctx->kernels_lock);
    return k;
}

void cache_add(actc_context *ctx, actc_kernel *k, const Key *key) {
    pthread_mutex_lock(&ctx->kernels_lock);
    actc_kernel **slot = slot_of(ctx, key);
    k->key = *key;
    k->cached = true;
    k->next = *slot;
    *slot = k;
    pthread_mutex_unlock(&ctx->kernels_lock);
}

void cache_remove(actc_context *ctx, actc_kernel *k) {
    if (!k->cached) return;
    pthread_mutex_lock(&ctx->kernels_lock);
    actc_kernel **at = slot_of(ctx, &k->key);
    while (*at != k) at = &(*at)->next;
    *at = k->next;
    pthread_mutex_unlock(&ctx->kernels_lock);
}

/* ---- on disk: the folder ---- */

enum {
    LARGEST = 64 << 20, /* bytes of one file */
    STALE = 3600,       /* seconds after which an unfinished file is nobody's */
    TOUCHED = 86400     /* a file counts as used once a day */
};

static const char magic[8] = "actc\1\0\n";

typedef struct {
    char magic[8];
    Key key, sum;
    uint64_t size; /* of the record */
} Head;

/* Belongs to this user, and nobody else may write to it. */
static bool is_ours(const struct stat *s) {
    return s->st_uid == geteuid() && !(s->st_mode & (S_IWGRP | S_IWOTH));
}

static void make_folders(const char *path) {
    char part[4096];
    const size_t n = strlen(path);
    if (n >= sizeof part) return;
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        part[i] = '\0';
        mkdir(part, 0700); /* whether it is there is seen when it is opened */
        part[i] = path[i];
    }
}

/* -1: there is none that may be used. */
static int open_folder(const char *path, bool make) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    struct stat s;
    int folder = open(path, flags);
    if (folder < 0 && errno == ENOENT && make) {
        make_folders(path);
        folder = open(path, flags);
    }
    if (folder >= 0 && (fstat(folder, &s) != 0 || !is_ours(&s))) {
        close(folder);
        return -1;
    }
    return folder;
}

enum { NAME_SIZE = 2 * sizeof(Key) + sizeof ".kernel" };

static void name_file(const Key *key, char *name) {
    for (size_t i = 0; i < sizeof key->bytes; i++) snprintf(name + 2 * i, 3, "%02x", key->bytes[i]);
    memcpy(name + 2 * sizeof key->bytes, ".kernel", sizeof ".kernel");
}

/* The key of a file: of all kernels in it, and of what made them. */
static Key file_key(const actc_context *ctx, const Key *keys, size_t n) {
    Hash h;
    hash_begin(&h);
    hash_add(&h, magic, sizeof magic);
    hash_add(&h, ctx->machine.bytes, sizeof ctx->machine.bytes);
    hash_add(&h, keys, n * sizeof *keys);
    return hash_end(&h);
}

static Key sum_of(const char *record, size_t size) {
    Hash h;
    hash_begin(&h);
    hash_add(&h, record, size);
    return hash_end(&h);
}

/* ---- reading ---- */

static bool read_all(int fd, void *to, size_t n) {
    for (char *p = to; n > 0;) {
        const ssize_t got = read(fd, p, n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

/* What stands in the file: NULL where it is not whole. */
static char *read_record(int fd, const Allocator *from, const Key *key, size_t *size,
                         actc_status *status) {
    struct stat s;
    Head head;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) || !is_ours(&s) ||
        s.st_size <= (off_t)sizeof head || s.st_size > LARGEST ||
        !read_all(fd, &head, sizeof head) || memcmp(head.magic, magic, sizeof magic) != 0 ||
        !equal(&head.key, key) || head.size != (uint64_t)s.st_size - sizeof head)
        return NULL;
    *size = head.size;
    char *record = memory_new(from, *size);
    if (!record) {
        *status = ACTC_E_MEMORY;
        return NULL;
    }
    const Key sum = read_all(fd, record, *size) ? sum_of(record, *size) : (Key){{0}};
    if (!equal(&sum, &head.sum)) {
        memory_free(record);
        return NULL;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec - s.st_mtim.tv_sec > TOUCHED) futimens(fd, NULL);
    return record;
}

/* Whether kernels may come from the disk at all; finds out what they depend on. */
static bool is_open(actc_context *ctx) {
    if (!ctx->cache_folder) return false;
    pthread_mutex_lock(&ctx->kernels_lock);
    if (!ctx->machine_asked) {
        char path[4096];
        ctx->machine_asked = true;
        ctx->machine_known =
            context_backend_path(ctx, path, sizeof path) && key_of_machine(path, &ctx->machine);
    }
    const bool known = ctx->machine_known;
    pthread_mutex_unlock(&ctx->kernels_lock);
    return known;
}

actc_status cache_read(actc_context *ctx, const Key *keys, size_t n, actc_kernel **kernels,
                       bool *found) {
    actc_status status = ACTC_OK;
    *found = false;
    const int folder = is_open(ctx) ? open_folder(ctx->cache_folder, false) : -1;
    if (folder < 0) return ACTC_OK;
    const Key key = file_key(ctx, keys, n);
    char name[NAME_SIZE];
    name_file(&key, name);
    /* What is no plain file must not make us wait. */
    const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    close(folder);
    if (fd < 0) return ACTC_OK;
    size_t size = 0;
    char *record = read_record(fd, &ctx->allocator, &key, &size, &status);
    close(fd);
    if (record) status = record_read(ctx, record, size, kernels, n, found);
    memory_free(record);
    return status;
}

/* ---- writing ---- */

static bool write_all(int fd, const void *from, size_t n) {
    for (const char *p = from; n > 0;) {
        const ssize_t put = write(fd, p, n);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        p += put;
        n -= (size_t)put;
    }
    return true;
}

/* A write beyond the process's limit would raise a signal. */
static bool is_allowed(size_t size) {
    struct rlimit limit;
    return size <= LARGEST && getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           (limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur);
}

static int create_file(int folder, char *name, size_t size) {
    struct timespec now;
    for (unsigned k = 0; k < 100; k++) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        snprintf(name, size, "new-%ld-%lx-%u", (long)getpid(),
                 (unsigned long)now.tv_sec * 1000000000ul + (unsigned long)now.tv_nsec, k);
        const int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

/* ---- what is too much ---- */

enum { BATCH = 64 };

typedef struct {
    struct timespec used;
    off_t size;
    char name[NAME_SIZE];
} File;

static bool is_older(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Keeps the oldest files of all, in order. */
static void keep_oldest(File *files, size_t *n, const File *f) {
    if (*n == BATCH && !is_older(&f->used, &files[BATCH - 1].used)) return;
    size_t i = *n < BATCH ? (*n)++ : BATCH - 1;
    for (; i > 0 && is_older(&f->used, &files[i - 1].used); i--) files[i] = files[i - 1];
    files[i] = *f;
}

/* How many bytes there are, and the oldest files; removes what somebody left unfinished. */
static off_t look_around(int folder, DIR *dir, File *files, size_t *n) {
    struct timespec now;
    off_t total = 0;
    *n = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    rewinddir(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        struct stat s;
        const bool unfinished = strncmp(e->d_name, "new-", 4) == 0;
        const char *end = strstr(e->d_name, ".kernel");
        const bool file = strlen(e->d_name) == NAME_SIZE - 1 && end && !end[7];
        if (!unfinished && !file) continue; /* not ours */
        if (fstatat(folder, e->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(s.st_mode))
            continue;
        if (unfinished) {
            if (now.tv_sec - s.st_mtim.tv_sec > STALE) unlinkat(folder, e->d_name, 0);
            continue;
        }
        File f = {s.st_mtim, s.st_size, ""};
        memcpy(f.name, e->d_name, sizeof f.name);
        total += s.st_size;
        keep_oldest(files, n, &f);
    }
    return total;
}

/* Removes the oldest files until a quarter of the room is free, so that this is not soon due
 * again. */
static void make_room(int folder, uint64_t most) {
    File files[BATCH];
    size_t n;
    const int fd = dup(folder);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0) close(fd);
        return;
    }
    off_t total = look_around(folder, dir, files, &n);
    const off_t goal = (off_t)(most - most / 4);
    for (bool any = (uint64_t)total > most; any && total > goal;) {
        any = false;
        for (size_t i = 0; i < n && total > goal; i++)
            if (unlinkat(folder, files[i].name, 0) == 0) {
                total -= files[i].size;
                any = true;
            }
        if (any && total > goal) total = look_around(folder, dir, files, &n);
    }
    closedir(dir);
}

actc_status cache_write(actc_context *ctx, const Key *keys, size_t n, actc_kernel *const *kernels,
                        const char *const *symbols, const Bytes *object) {
    const int folder = is_open(ctx) ? open_folder(ctx->cache_folder, true) : -1;
    if (folder < 0) return ACTC_OK;
    Head head = {.key = file_key(ctx, keys, n)};
    size_t size;
    char *record = record_write(&ctx->allocator, kernels, symbols, n, object, &size);
    if (!record) {
        close(folder);
        return ACTC_E_MEMORY;
    }
    memcpy(head.magic, magic, sizeof magic);
    head.sum = sum_of(record, size);
    head.size = size;
    char made[80], name[NAME_SIZE];
    const uint64_t whole = sizeof head + size;
    const int fd = whole <= ctx->cache_bytes && is_allowed(whole)
                       ? create_file(folder, made, sizeof made)
                       : -1;
    if (fd >= 0) {
        bool complete = write_all(fd, &head, sizeof head) && write_all(fd, record, size);
        complete &= close(fd) == 0;
        name_file(&head.key, name);
        if (!complete || renameat(folder, made, folder, name) != 0) unlinkat(folder, made, 0);
        /* Looking around takes time in proportion to the files: not for each small one. */
        if (head.key.bytes[0] % 16 == 0 || whole > ctx->cache_bytes / 64)
            make_room(folder, ctx->cache_bytes);
    }
    memory_free(record);
    close(folder);
    return ACTC_OK;
}
