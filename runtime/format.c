/* `actc_format_text`: definitions in canonical form. */
#include <string.h>

#include "runtime.h"

/* Everything that may jump. */
static actc_status format(actc_context *ctx, Arena *arena, const Source *source, char **out,
                          actc_diagnostics **diagnostics) {
    Diags diags;
    Intern names;
    Buf text;
    diags_init(&diags, arena);
    intern_init(&names, arena);
    buf_init(&text, arena);
    const bool good = frontend_format(arena, &names, &diags, *source, &text);
    export_diagnostics(&diags, diagnostics);
    return good ? give_text(&ctx->allocator, &text, out) : ACTC_E_SOURCE;
}

actc_status actc_format_text(actc_context *ctx, const char *name, const char *text, size_t length,
                             char **out, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (out) *out = NULL;
    if (!ctx || !name || (!text && length) || !out)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_format_text: an argument is NULL");
    const Source source = {
        .name = name, .text = length > LIMIT_TEXT ? too_long : text ? text : "", .len = length};
    Arena arena;
    jmp_buf no_memory;
    arena_init(&arena, ctx->allocator, 0, &no_memory);
    if (setjmp(no_memory)) {
        arena_free(&arena);
        return ACTC_E_MEMORY;
    }
    const actc_status status = format(ctx, &arena, &source, out, diagnostics);
    arena_free(&arena);
    return status;
}
