/* Makes and prints .npy files, so that scripts need no Python.
 *
 *     array make [-t '<f4' | '<f8' | '<f2' | '<u2' (bf16)] [-s 3,4] [-F] [-V 1] VALUE…   header and
 * elements to stdout, VALUEs in the order of memory array make … -n N -r LOW:HIGH N evenly spaced
 * values in place of VALUE… array show FILE                                      "f32 (3, 4) C: 1 2
 * …", elements in the order of memory
 *
 * The header is put together here and not by cli/npy.c, which the tests are about. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "half.h"
#include "npy.h"

static int usage(void) {
    fputs("usage: array make [-t TYPE] [-s SHAPE] [-F] [-V VERSION] [-n N -r LOW:HIGH] [VALUE…]\n"
          "       array show FILE\n",
          stderr);
    return 2;
}

typedef struct {
    const char *type, *shape;
    bool fortran;
    int version;
    long count;
    double low, high;
} Make;

static void put_element(const char *type, double value) {
    unsigned char bytes[8];
    const float narrow = (float)value;
    const size_t size = strstr(type, "f8") ? 8 : strchr(type, '2') ? 2 : 4;
    const uint16_t half = half_from_double(value, strstr(type, "u2") ? ACTC_BF16 : ACTC_F16);
    const uint16_t one = 1;
    const bool little = *(const unsigned char *)&one == 1;
    if (size == 8)
        memcpy(bytes, &value, 8);
    else if (size == 4)
        memcpy(bytes, &narrow, 4);
    else
        memcpy(bytes, &half, 2);
    const bool swap = type[0] == (little ? '>' : '<');
    for (size_t i = 0; i < size; i++) putchar(bytes[swap ? size - 1 - i : i]);
}

static void put_header(const Make *m) {
    char text[1024], shape[256];
    if (m->shape)
        snprintf(shape, sizeof shape, "%s%s", m->shape,
                 strchr(m->shape, ',') || !*m->shape ? "" : ",");
    else
        snprintf(shape, sizeof shape, "%ld,", m->count);
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }",
                     m->type, m->fortran ? "True" : "False", shape);
    const int start = m->version == 1 ? 10 : 12;
    while ((start + n + 1) % 64) text[n++] = ' ';
    text[n++] = '\n';
    fputs("\x93NUMPY", stdout);
    putchar(m->version);
    putchar(0);
    for (int i = 0; i < start - 8; i++) putchar(n >> 8 * i & 0xff);
    fwrite(text, 1, (size_t)n, stdout);
}

static int make(int argc, char **argv) {
    Make m = {.type = "<f4", .version = 1, .count = -1};
    int option;
    while ((option = getopt(argc, argv, "+t:s:FV:n:r:")) != -1) {
        char *end = NULL;
        switch (option) {
        case 't':
            m.type = optarg;
            break;
        case 's':
            m.shape = optarg;
            break;
        case 'F':
            m.fortran = true;
            break;
        case 'V':
            m.version = atoi(optarg);
            break;
        case 'n':
            m.count = atol(optarg);
            break;
        case 'r':
            m.low = strtod(optarg, &end);
            if (*end != ':') return usage();
            m.high = strtod(end + 1, NULL);
            break;
        default:
            return usage();
        }
    }
    const bool range = m.count >= 0;
    if (!range) m.count = argc - optind;
    put_header(&m);
    for (long i = 0; i < m.count; i++) {
        const double t = m.count > 1 ? (double)i / (double)(m.count - 1) : 0;
        put_element(m.type, range ? m.low + t * (m.high - m.low) : strtod(argv[optind + i], NULL));
    }
    return fflush(stdout) == 0 ? 0 : 3;
}

static int show(const char *path) {
    NpyFile f;
    IoError e;
    void *data;
    if (!npy_open(&f, path, &e) || !npy_load(&f, f.header.dtype, &data, &e)) {
        fprintf(stderr, "%s: error: %s\n", path, e.text);
        return 1;
    }
    char shape[1500];
    npy_shape_text(&f.header, shape, sizeof shape);
    printf("%s %s %c:", npy_dtype_name(f.header.dtype), shape, f.header.fortran ? 'F' : 'C');
    for (size_t i = 0; i < f.header.count; i++) {
        const actc_dtype type = f.header.dtype;
        const bool wide = type == ACTC_F64;
        const double v = wide               ? ((double *)data)[i]
                         : type == ACTC_F32 ? (double)((float *)data)[i]
                                            : half_to_double(((uint16_t *)data)[i], type);
        if (v != v)
            printf(" nan"); /* its sign says nothing, and differs */
        else
            printf(" %.*g", wide ? 17 : 9, v);
    }
    putchar('\n');
    npy_close(&f);
    free(data);
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 2 && !strcmp(argv[1], "make")) return make(argc - 1, argv + 1);
    if (argc == 3 && !strcmp(argv[1], "show")) return show(argv[2]);
    return usage();
}
