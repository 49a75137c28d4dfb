/* The claims of ir/expand. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy.h"

enum { MOST_CLAIMS = 160 };

static Claim claims[MOST_CLAIMS];
static size_t count;

static void add(const char *name, Type type, double ulp, bool exhaustive) {
    if (count == MOST_CLAIMS) abort();
    Claim *c = &claims[count++];
    snprintf(c->name, sizeof c->name, "%s", name);
    c->type = type;
    c->ulp = ulp;
    c->exhaustive = exhaustive;
}

static void read_file(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) return;
    char line[512], name[32], type[8], how[16];
    double ulp;
    while (fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "claim:");
        if (!at) continue;
        if (sscanf(at, "claim: %31s %7s max %lf ulp, %15[a-z]", name, type, &ulp, how) != 4) {
            fprintf(stderr, "accuracy: %s: not a claim: %s", path, at);
            exit(1);
        }
        add(name, strcmp(type, "f64") == 0 ? TYPE_F64 : TYPE_F32, ulp,
            strcmp(how, "exhaustive") == 0);
    }
    fclose(f);
}

void claims_read(const char *folder) {
    DIR *d = opendir(folder);
    if (!d) {
        fprintf(stderr, "accuracy: cannot open %s\n", folder);
        exit(3);
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        const size_t n = strlen(e->d_name);
        char path[1024];
        if (n < 3 || strcmp(e->d_name + n - 2, ".c") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        read_file(path);
    }
    closedir(d);
    static const Op exact[] = {OP_ABS, OP_FLOOR, OP_CEIL, OP_ROUND, OP_TRUNC, OP_SIGN, OP_STEP};
    for (Type type = TYPE_F32; type <= TYPE_F64; type++) {
        for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
            add(op_info[exact[i]].name, type, 0, type == TYPE_F32);
        add(op_info[OP_SQRT].name, type, 0.5, type == TYPE_F32);
    }
}

const Claim *claims_find(Op op, Type type) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(claims[i].name, op_info[op].name) == 0 && claims[i].type == type)
            return &claims[i];
    return NULL;
}

bool claims_concern(Op op) {
    switch ((int)op) {
    case OP_COND:
    case OP_MAX:
    case OP_MIN:
    case OP_CLAMP:
    case OP_DMUL:
    case OP_STOP:
    case OP_CUSTOM:
        return false;
    case OP_SQRT:
    case OP_ABS:
    case OP_FLOOR:
    case OP_CEIL:
    case OP_ROUND:
    case OP_TRUNC:
        return true;
    }
    return !op_info[op].prim;
}
