/* Code in memory without LLVM: a loader of relocatable ELF objects for x86-64, as the backend makes
 * them.
 *
 * It takes what stands alone: executable code and read-only data that refer to each other by
 * PC-relative or absolute addresses. Anything else (writable data, symbols from outside, other
 * relocations) it declines, and LLVM's own linker gets the object. The bytes may be of any origin:
 * everything that is read is looked up within them first, and everything that is written lies
 * within the sections. What the code does when it is called is another matter; cache.c says whom to
 * trust.
 *
 * Read-only data come first, code behind them on pages of its own. Nothing is ever writable and
 * executable at the same time. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <string.h>

#include "runtime.h"

#if defined(__x86_64__) && defined(__linux__) /* as IMAGE_LOADER */

#include <elf.h>
#include <sys/mman.h>

enum { PAGE = 4096, MOST_SECTIONS = 64, LONGEST = 64 << 20 };

typedef struct {
    const char *data;
    size_t size;
    Elf64_Shdr sections[MOST_SECTIONS];
    size_t place[MOST_SECTIONS]; /* of a section in the image; ABSENT: it is not loaded */
    size_t count, code, total;   /* where code begins; all bytes, whole pages */
    const Elf64_Shdr *symbols;   /* NULL: there are none */
} Object;

#define ABSENT SIZE_MAX

/* Whether [at, at + n) lies within the object. */
static bool holds(const Object *o, uint64_t at, uint64_t n) {
    return at <= o->size && n <= o->size - at;
}

static bool read_sections(Object *o) {
    Elf64_Ehdr head;
    if (o->size < sizeof head) return false;
    memcpy(&head, o->data, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
        head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_type != ET_REL ||
        head.e_machine != EM_X86_64 || head.e_shentsize != sizeof(Elf64_Shdr) || !head.e_shnum ||
        head.e_shnum > MOST_SECTIONS ||
        !holds(o, head.e_shoff, (uint64_t)head.e_shnum * sizeof(Elf64_Shdr)))
        return false;
    o->count = head.e_shnum;
    memcpy(o->sections, o->data + head.e_shoff, o->count * sizeof(Elf64_Shdr));
    for (size_t i = 0; i < o->count; i++) {
        const Elf64_Shdr *s = &o->sections[i];
        if (s->sh_type != SHT_NOBITS && s->sh_type != SHT_NULL &&
            !holds(o, s->sh_offset, s->sh_size))
            return false;
        if (s->sh_type == SHT_SYMTAB) {
            if (o->symbols || s->sh_entsize != sizeof(Elf64_Sym) || s->sh_link >= o->count ||
                o->sections[s->sh_link].sh_type != SHT_STRTAB)
                return false;
            o->symbols = s;
        }
    }
    return o->symbols != NULL;
}

/* Gives the sections of one kind their places from *at on, and leaves *at on the next page; false
 * where one of them cannot be loaded. */
static bool place_sections(Object *o, bool code, size_t *at) {
    for (size_t i = 0; i < o->count; i++) {
        const Elf64_Shdr *s = &o->sections[i];
        /* Tables for unwinding are left out: kernels call nothing that would unwind. */
        if (!(s->sh_flags & SHF_ALLOC) || s->sh_type == SHT_X86_64_UNWIND) continue;
        if (!(s->sh_flags & SHF_EXECINSTR) == code) continue;
        const uint64_t align = s->sh_addralign ? s->sh_addralign : 1;
        const uint64_t harmless = SHF_ALLOC | SHF_EXECINSTR | SHF_MERGE | SHF_STRINGS;
        if (s->sh_type != SHT_PROGBITS || (s->sh_flags & ~harmless) || align > PAGE ||
            (align & (align - 1)) || s->sh_size > LONGEST)
            return false;
        *at = (*at + align - 1) & ~(size_t)(align - 1);
        o->place[i] = *at;
        *at += s->sh_size;
        if (*at > LONGEST) return false;
    }
    *at = (*at + PAGE - 1) & ~(size_t)(PAGE - 1);
    return true;
}

static bool place_all(Object *o) {
    for (size_t i = 0; i < o->count; i++) o->place[i] = ABSENT;
    size_t at = 0;
    if (!place_sections(o, false, &at)) return false;
    o->code = at;
    if (!place_sections(o, true, &at)) return false;
    o->total = at;
    return o->total > o->code;
}

/* Where a symbol is in the image; false for one that is not in it. */
static bool find_symbol(const Object *o, uint64_t index, Elf64_Sym *symbol, size_t *at) {
    if (index >= o->symbols->sh_size / sizeof(Elf64_Sym)) return false;
    memcpy(symbol, o->data + o->symbols->sh_offset + index * sizeof *symbol, sizeof *symbol);
    if (symbol->st_shndx >= o->count || o->place[symbol->st_shndx] == ABSENT ||
        symbol->st_value > o->sections[symbol->st_shndx].sh_size)
        return false;
    *at = o->place[symbol->st_shndx] + symbol->st_value;
    return true;
}

static bool relocate(const Object *o, char *base, size_t section, const Elf64_Rela *r) {
    const uint64_t type = ELF64_R_TYPE(r->r_info), wide = type == R_X86_64_64 ? 8 : 4;
    const Elf64_Shdr *s = &o->sections[section];
    Elf64_Sym symbol;
    size_t target;
    if (type != R_X86_64_64 && type != R_X86_64_PC32 && type != R_X86_64_PLT32) return false;
    if (r->r_offset > s->sh_size || wide > s->sh_size - r->r_offset) return false;
    if (!find_symbol(o, ELF64_R_SYM(r->r_info), &symbol, &target)) return false;
    /* Some bytes before the symbol, where an instruction goes on behind the field, up to the end.
     */
    if (r->r_addend < -LONGEST || r->r_addend > LONGEST) return false;
    const size_t at = o->place[section] + r->r_offset;
    const int64_t to = (int64_t)target + r->r_addend, distance = to - (int64_t)at;
    if (wide == 8) {
        const uint64_t address = (uint64_t)(uintptr_t)base + (uint64_t)to;
        memcpy(base + at, &address, sizeof address);
    } else {
        const int32_t narrow = (int32_t)distance; /* both are less than 2^28 */
        memcpy(base + at, &narrow, sizeof narrow);
    }
    return true;
}

static bool fill(const Object *o, char *base) {
    for (size_t i = 0; i < o->count; i++)
        if (o->place[i] != ABSENT && o->sections[i].sh_size)
            memcpy(base + o->place[i], o->data + o->sections[i].sh_offset, o->sections[i].sh_size);
    for (size_t i = 0; i < o->count; i++) {
        const Elf64_Shdr *s = &o->sections[i];
        if (s->sh_type != SHT_RELA && s->sh_type != SHT_REL) continue;
        if (s->sh_info >= o->count) return false;
        if (o->place[s->sh_info] == ABSENT) continue;
        if (s->sh_type == SHT_REL || s->sh_entsize != sizeof(Elf64_Rela)) return false;
        for (uint64_t k = 0; k < s->sh_size / sizeof(Elf64_Rela); k++) {
            Elf64_Rela r;
            memcpy(&r, o->data + s->sh_offset + k * sizeof r, sizeof r);
            if (!relocate(o, base, s->sh_info, &r)) return false;
        }
    }
    return true;
}

bool image_load(const char *object, size_t size, Image *out) {
    Object o = {.data = object, .size = size};
    *out = (Image){NULL, 0};
    if (!read_sections(&o) || !place_all(&o)) return false;
    char *base = mmap(NULL, o.total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return false;
    if (!fill(&o, base) || (o.code && mprotect(base, o.code, PROT_READ) != 0) ||
        mprotect(base + o.code, o.total - o.code, PROT_READ | PROT_EXEC) != 0) {
        munmap(base, o.total);
        return false;
    }
    *out = (Image){base, o.total};
    return true;
}

void *image_find(const Image *image, const char *object, size_t size, const char *name) {
    Object o = {.data = object, .size = size};
    if (!image->base || !read_sections(&o) || !place_all(&o) || o.total != image->size) return NULL;
    const Elf64_Shdr *strings = &o.sections[o.symbols->sh_link];
    const size_t n = strlen(name) + 1;
    for (uint64_t i = 0; i < o.symbols->sh_size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym symbol;
        size_t at;
        if (!find_symbol(&o, i, &symbol, &at) || at < o.code || at >= o.total) continue;
        if (ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL || symbol.st_name > strings->sh_size ||
            n > strings->sh_size - symbol.st_name)
            continue;
        if (memcmp(object + strings->sh_offset + symbol.st_name, name, n) == 0)
            return (char *)image->base + at;
    }
    return NULL;
}

void image_unload(Image *image) {
    if (image->base) munmap(image->base, image->size);
    *image = (Image){NULL, 0};
}

#else

bool image_load(const char *object, size_t size, Image *out) {
    (void)object, (void)size;
    *out = (Image){NULL, 0};
    return false;
}

void *image_find(const Image *image, const char *object, size_t size, const char *name) {
    (void)image, (void)object, (void)size, (void)name;
    return NULL;
}

void image_unload(Image *image) { *image = (Image){NULL, 0}; }

#endif
