/* bench/pieces/bench_utf8.c - texts judged: plain ASCII, and characters of all lengths. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "net/utf8.h"

#include <stddef.h>
#include <string.h>

#define SEED       2
#define TEXT_MAX   65536
#define RUN_BYTES  (UINT64_C(1) << 28)
#define MIXED_COST 16 /* mixed text is slower by about this: do less of it */

struct text {
    uint8_t bytes[TEXT_MAX];
    uint32_t count;
    uint64_t repeats;
};

static void write_ascii(struct text *text)
{
    uint64_t random = SEED;
    for (uint32_t i = 0; i < text->count; i++) {
        text->bytes[i] = (uint8_t)(' ' + bench_random(&random) % 95);
    }
}

/* One to four bytes a character, in no order; filled up with ASCII. */
static void write_mixed(struct text *text)
{
    static const char *const characters[] = {"a", "\u00e9", "\u20ac", "\U0001f600"};
    uint64_t random = SEED;
    uint32_t at = 0;
    while (at + 4 <= text->count) {
        const char *character = characters[bench_random(&random) % 4];
        memcpy(text->bytes + at, character, strlen(character));
        at += (uint32_t)strlen(character);
    }
    memset(text->bytes + at, '.', text->count - at);
}

static uint64_t run(void *context)
{
    const struct text *text = context;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < text->repeats; i++) {
        struct utf8 utf8 = {0};
        bool is_text = utf8_check(&utf8, text->bytes, text->count) && utf8_is_complete(&utf8);
        hash = bench_mix(hash, is_text);
    }
    return hash;
}

void bench_utf8(struct bench *bench)
{
    static const struct {
        const char *name;
        void (*write)(struct text *text);
        uint32_t count;
        uint32_t cost;
    } pieces[] = {{"utf8/ascii/64", write_ascii, 64, 1},
                  {"utf8/ascii/65536", write_ascii, 65536, 1},
                  {"utf8/mixed/64", write_mixed, 64, MIXED_COST},
                  {"utf8/mixed/65536", write_mixed, 65536, MIXED_COST}};
    static struct text text;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (!bench_wants(bench, pieces[i].name)) continue;
        text.count = pieces[i].count;
        text.repeats = bench_size(bench, RUN_BYTES / pieces[i].count / pieces[i].cost);
        pieces[i].write(&text);
        struct bench_piece piece = {.name = pieces[i].name,
                                    .operations = text.repeats,
                                    .bytes = text.repeats * text.count,
                                    .run = run,
                                    .context = &text};
        bench_measure(bench, &piece);
    }
}
