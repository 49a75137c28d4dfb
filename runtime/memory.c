/* Memory of handles and of what is given to the caller. Each block remembers the allocator that it
 * is from, so that it can be released without its context. */
#include <stdint.h>
#include <string.h>

#include "runtime.h"

/* 16 bytes, so that what stands behind it is aligned as the allocator's memory is. */
typedef struct {
    _Alignas(16) Allocator from;
} Head;

void *memory_new(const Allocator *from, size_t size) {
    if (size > SIZE_MAX - sizeof(Head)) return NULL;
    Head *head = from->resize(from->user, NULL, sizeof *head + size);
    if (!head) return NULL;
    head->from = *from;
    return memset(head + 1, 0, size);
}

void *memory_array(const Allocator *from, size_t count, size_t size) {
    return size && count > SIZE_MAX / size ? NULL : memory_new(from, count * size);
}

char *memory_text(const Allocator *from, const char *s, size_t n) {
    char *p = n < SIZE_MAX ? memory_new(from, n + 1) : NULL;
    if (p && n) memcpy(p, s, n);
    return p;
}

void memory_free(void *p) {
    if (!p) return;
    Head *head = (Head *)p - 1;
    const Allocator from = head->from;
    from.resize(from.user, head, 0);
}
