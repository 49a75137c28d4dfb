/* What determines a kernel's code, as a hash: the compiler, the processor, the texts, the options.
 *
 * The compiler is known by the build ids of libactc and libactc-llvm, which linkers make from all
 * that is in them; so no code of another version is ever found. The processor is known by what it
 * says of itself, word by word, since LLVM goes by the same words. Without a build id there are no
 * kernels on disk. */
#define _GNU_SOURCE
#include <string.h>

#include "runtime.h"

#if defined(__linux__)
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* ---- the compiler ---- */

#if defined(__linux__)

/* Adds the build id among these notes; false if there is none. */
static bool add_build_id(Hash *h, const char *notes, size_t size) {
    size_t at = 0;
    while (size - at >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, notes + at, sizeof note);
        at += sizeof note;
        const uint64_t name = ((uint64_t)note.n_namesz + 3) & ~3ull,
                       text = ((uint64_t)note.n_descsz + 3) & ~3ull;
        if (name > size - at || text > size - at - name) return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && note.n_descsz >= 16 &&
            memcmp(notes + at, "GNU", 4) == 0) {
            hash_add_text(h, notes + at + name, note.n_descsz);
            return true;
        }
        at += name + text;
    }
    return false;
}

/* The first bytes of this library in memory; from the linker. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static bool add_this_library(Hash *h) {
    const char *base = (const char *)&__ehdr_start;
    for (int i = 0; i < __ehdr_start.e_phnum; i++) {
        ElfW(Phdr) part;
        memcpy(&part, base + __ehdr_start.e_phoff + (size_t)i * sizeof part, sizeof part);
        if (part.p_type == PT_NOTE && add_build_id(h, base + part.p_vaddr, part.p_memsz))
            return true;
    }
    return false;
}

/* Linkers put the notes near a file's beginning. */
static bool add_library_file(Hash *h, const char *path) {
    char head[4096];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const ssize_t n = pread(fd, head, sizeof head, 0);
    close(fd);
    ElfW(Ehdr) file;
    if (n < (ssize_t)sizeof file) return false;
    memcpy(&file, head, sizeof file);
    for (size_t i = 0; i < file.e_phnum; i++) {
        const size_t at = file.e_phoff + i * sizeof(ElfW(Phdr));
        ElfW(Phdr) part;
        if (at > (size_t)n || sizeof part > (size_t)n - at) return false;
        memcpy(&part, head + at, sizeof part);
        if (part.p_type != PT_NOTE || part.p_offset > (size_t)n ||
            part.p_filesz > (size_t)n - part.p_offset)
            continue;
        if (add_build_id(h, head + part.p_offset, part.p_filesz)) return true;
    }
    return false;
}

#else

static bool add_this_library(Hash *h) {
    (void)h;
    return false;
}

static bool add_library_file(Hash *h, const char *path) {
    (void)h, (void)path;
    return false;
}

#endif

/* ---- the processor ---- */

#if defined(__x86_64__)

static bool add_processor(Hash *h) {
    static const unsigned leaves[][2] = {{0, 0},  {1, 0},          {7, 0},         {7, 1},
                                         {7, 2},  {13, 1},         {20, 0},        {25, 0},
                                         {36, 0}, {0x80000001, 0}, {0x80000008, 0}};
    unsigned last = 0, last_extended = 0, first_words[4];
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        const unsigned leaf = leaves[i][0];
        unsigned w[4] = {0};
        if (leaf == 0x80000001) {
            __cpuid(0x80000000, w[0], w[1], w[2], w[3]);
            last_extended = w[0];
        }
        memset(w, 0, sizeof w);
        if (leaf <= last || !leaf || (leaf >= 0x80000000 && leaf <= last_extended))
            __cpuid_count(leaf, leaves[i][1], w[0], w[1], w[2], w[3]);
        if (!leaf) last = w[0];
        if (leaf == 1) w[1] = 0;                 /* which of the cores this is */
        if (leaf == 0x80000008) w[2] = w[3] = 0; /* how many there are */
        if (leaf == 1) memcpy(first_words, w, sizeof w);
        if (leaf == 13) w[1] = 0; /* how large the state is at the moment */
        for (int k = 0; k < 4; k++) hash_add_number(h, w[k]);
    }
    unsigned low = 0, high = 0; /* which registers the system saves; OSXSAVE says whether to ask */
    if (first_words[2] & 1u << 27) __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    hash_add_number(h, (uint64_t)high << 32 | low);
    return true;
}

#elif defined(__linux__)

static bool add_processor(Hash *h) {
    hash_add_number(h, getauxval(AT_HWCAP));
    hash_add_number(h, getauxval(AT_HWCAP2));
    return true;
}

#else

static bool add_processor(Hash *h) {
    (void)h;
    return false;
}

#endif

bool key_of_machine(const char *backend, Key *out) {
    Hash h;
    hash_begin(&h);
    hash_add_number(&h, BACKEND_VERSION);
    hash_add_number(&h, sizeof(void *));
    const bool known = backend && add_this_library(&h) && add_library_file(&h, backend);
    if (!known || !add_processor(&h)) return false;
    *out = hash_end(&h);
    return true;
}

/* ---- texts and options ---- */

Key key_of_module(const char *text, size_t length, const Module *tree) {
    Hash h;
    hash_begin(&h);
    hash_add_text(&h, text, length);
    /* The files that it uses, by name: two texts may mean each other's by the same words. */
    for (size_t i = 0; tree && i < tree->nused; i++) {
        const DefList *defs = &tree->used[i]->defs;
        if (!defs->count) continue;
        const Source *s = defs->items[0]->source;
        hash_add_text(&h, s->name, strlen(s->name));
        hash_add_text(&h, s->text, s->len);
    }
    return hash_end(&h);
}

/* A field that is added must go into the key as well. */
_Static_assert(sizeof(void *) != 8 || sizeof(actc_kernel_options) == 40,
               "actc_kernel_options has changed: see key_of_request");

Key key_of_request(const actc_module *m, const char *function, const actc_kernel_options *o) {
    Hash h;
    hash_begin(&h);
    hash_add(&h, m->key.bytes, sizeof m->key.bytes);
    hash_add_text(&h, function, strlen(function));
    hash_add_number(&h, o->kind);
    hash_add_number(&h, o->dtype);
    hash_add_number(&h, o->math);
    hash_add_number(&h, o->setting_count);
    for (size_t i = 0; i < o->setting_count; i++) {
        hash_add_text(&h, o->settings[i].name, strlen(o->settings[i].name));
        hash_add_text(&h, o->settings[i].value, strlen(o->settings[i].value));
    }
    return hash_end(&h);
}
