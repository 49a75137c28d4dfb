/* Names as the language compares them: a Greek letter is its ASCII name, wherever it stands
 * (α=x.npy is alpha=x.npy). */
#include "cli.h"

#include <stdint.h>
#include <string.h>

/* A place in a name, and what is left of the letter that it stands for. */
typedef struct {
    const char *at, *letter;
    bool capital;
} Spelling;

/* The name of the two bytes at `s`, in small letters; NULL where they are no Greek letter. */
static const char *letter_name(const char *s, bool *capital) {
    static const char *const names[] = {
        "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta",    "eta",  "theta", "iota",
        "kappa", "lambda", "mu",      "nu",    "xi",      "omicron", "pi",   "rho",   "sigma",
        "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",     "omega"};
    const unsigned char *u = (const unsigned char *)s;
    if ((u[0] & 0xe0) != 0xc0 || (u[1] & 0xc0) != 0x80) return NULL;
    const uint32_t c = (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
    *capital = c >= 0x391 && c <= 0x3a9;
    if (*capital) return names[c - 0x391];
    if (c >= 0x3b1 && c <= 0x3c9) return names[c - 0x3b1];
    if (c == 0xb5) return "mu";
    if (c == 0x3d1) return "theta";
    if (c == 0x3d5) return "phi";
    return c == 0x3f5 ? "epsilon" : NULL;
}

/* The next character in ASCII spelling; 0 at the end. */
static char next_character(Spelling *s) {
    if (!s->letter || !*s->letter) {
        if (!*s->at) return '\0';
        s->letter = letter_name(s->at, &s->capital);
        if (!s->letter) return *s->at++;
        s->at += 2;
    }
    const char c = *s->letter++;
    const char spelled = s->capital ? (char)(c - 'a' + 'A') : c;
    s->capital = false;
    return spelled;
}

bool names_equal(const char *a, const char *b) {
    Spelling p = {.at = a}, q = {.at = b};
    for (;;) {
        const char c = next_character(&p);
        if (c != next_character(&q)) return false;
        if (!c) return true;
    }
}

bool names_is_name(const char *text) {
    bool capital;
    for (const char *s = text; *s; s++) {
        const bool digit = *s >= '0' && *s <= '9';
        if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_' ||
            (digit && s > text))
            continue;
        if (!letter_name(s, &capital)) return false;
        s++;
    }
    return *text != '\0';
}
