/* Softmax regression in C, forward and backward, checked line by line by gradparity without running in it.

       gradparity trace softmax_regression --out trace.safetensors
       cc -O2 softmax_regression.c -lm -o softmax_regression
       ./softmax_regression trace.safetensors mine.safetensors
       gradparity check softmax_regression --against mine.safetensors

   It reads the parameters and the batch of the trace and writes its own values ("c/...") and gradients ("d/...").

   A safetensors file is an 8-byte little-endian length, that many bytes of JSON, which give each name its dtype, shape
   and place, and then the numbers. This program looks names up with strstr, which is enough for what gradparity writes. */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what) {
    fprintf(stderr, "softmax_regression: %s\n", what);
    exit(2);
}

typedef struct {
    char *header, *data;
} Trace;

static Trace read_trace(const char *path) {
    FILE *file = fopen(path, "rb");
    uint64_t length = 0;
    if (!file || fread(&length, 8, 1, file) != 1 || length > 1 << 20) fail("the trace cannot be read");
    char *header = calloc(length + 1, 1), *data = NULL;
    size_t size = 0, got = fread(header, 1, length, file);
    if (got != length) fail("the trace is cut short");
    do {
        data = realloc(data, size + 4096);
        got = fread(data + size, 1, 4096, file);
        size += got;
    } while (got);
    fclose(file);
    return (Trace){header, data};
}

/* The numbers of a name, and its shape of at most two sizes. */
static const void *array(Trace trace, const char *name, long shape[2]) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    char *entry = strstr(trace.header, key), *sizes = entry ? strstr(entry, "\"shape\":[") : NULL;
    char *place = entry ? strstr(entry, "\"data_offsets\":[") : NULL;
    if (!sizes || !place) fail(name);
    char *rest = sizes + strlen("\"shape\":[");
    shape[0] = strtol(rest, &rest, 10);
    shape[1] = *rest == ',' ? strtol(rest + 1, &rest, 10) : 1;
    return trace.data + strtol(place + strlen("\"data_offsets\":["), NULL, 10);
}

typedef struct {
    const char *name;
    const double *numbers;
    long rows, columns; /* columns 0: one axis; rows 0: a number alone */
} Named;

static void write_trace(const char *path, const Named *named, int count) {
    char header[4096] = "{";
    long offset = 0;
    for (int i = 0; i < count; i++) {
        char shape[64] = "";
        long size = (named[i].rows ? named[i].rows : 1) * (named[i].columns ? named[i].columns : 1) * 8;
        if (named[i].columns) snprintf(shape, sizeof shape, "%ld,%ld", named[i].rows, named[i].columns);
        else if (named[i].rows) snprintf(shape, sizeof shape, "%ld", named[i].rows);
        snprintf(header + strlen(header), sizeof header - strlen(header),
                 "%s\"%s\":{\"dtype\":\"F64\",\"shape\":[%s],\"data_offsets\":[%ld,%ld]}", i ? "," : "", named[i].name,
                 shape, offset, offset + size);
        offset += size;
    }
    strcat(header, "}");
    uint64_t length = strlen(header);
    FILE *file = fopen(path, "wb");
    if (!file) fail("the result cannot be written");
    fwrite(&length, 8, 1, file);
    fwrite(header, 1, length, file);
    for (int i = 0; i < count; i++)
        fwrite(named[i].numbers, 8,
               (named[i].rows ? named[i].rows : 1) * (named[i].columns ? named[i].columns : 1), file);
    fclose(file);
}

int main(int count, char **arguments) {
    if (count != 3) fail("usage: softmax_regression TRACE RESULT");
    Trace trace = read_trace(arguments[1]);
    long shape[2], n, features, classes;
    const double *b = array(trace, "params/b", shape);
    const double *W = array(trace, "params/W", shape);
    features = shape[0], classes = shape[1];
    const double *x = array(trace, "batch/x", shape);
    const int64_t *y = array(trace, "batch/y", shape);
    n = shape[0];

    double *logits = calloc(n * classes, 8), *probs = calloc(n * classes, 8), *d_logits = calloc(n * classes, 8);
    double *dW = calloc(features * classes, 8), *db = calloc(classes, 8), loss = 0;

    /* forward */
    for (long i = 0; i < n; i++) {
        double largest = -INFINITY, sum = 0;
        for (long k = 0; k < classes; k++) {
            double z = b[k];
            for (long j = 0; j < features; j++) z += x[i * features + j] * W[j * classes + k];
            logits[i * classes + k] = z;
            largest = fmax(largest, z);
        }
        for (long k = 0; k < classes; k++) sum += probs[i * classes + k] = exp(logits[i * classes + k] - largest);
        for (long k = 0; k < classes; k++) probs[i * classes + k] /= sum;
        loss -= log(probs[i * classes + y[i]]) / n;
    }

    /* backward */
    for (long i = 0; i < n; i++)
        for (long k = 0; k < classes; k++) {
            double d = (probs[i * classes + k] - (k == y[i])) / n;
            d_logits[i * classes + k] = d;
            db[k] += d;
            for (long j = 0; j < features; j++) dW[j * classes + k] += x[i * features + j] * d;
        }

    Named results[] = {
        {"c/logits", logits, n, classes}, {"c/loss", &loss, 0, 0},          {"d/logits", d_logits, n, classes},
        {"d/W", dW, features, classes},   {"d/b", db, classes, 0},
    };
    write_trace(arguments[2], results, 5);
    return 0;
}
