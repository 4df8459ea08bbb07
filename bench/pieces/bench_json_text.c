/* bench/pieces/bench_json_text.c - events' data escaped into frames: plain text, and text that is JSON itself. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "core/json_text.h"

#include <stddef.h>
#include <string.h>

#define SEED      3
#define TEXT_MAX  10240
#define RUN_BYTES (UINT64_C(1) << 28)
#define JSON_COST 8 /* JSON has quotes all over and is slower by about this: do less of it */

struct work {
    char text[TEXT_MAX];
    char escaped[7 * TEXT_MAX];
    struct text view;
    uint64_t repeats;
    bool is_twice;
};

/* Printable ASCII but the quote and the backslash. */
static void fill_plain(struct work *work, size_t count)
{
    uint64_t random = SEED;
    for (size_t i = 0; i < count; i++) {
        char c = (char)(' ' + bench_random(&random) % 95);
        work->text[i] = c == '"' || c == '\\' ? '.' : c;
    }
}

static void fill_json(struct work *work, size_t count)
{
    static const char json[] = "{\"user\":\"ann\",\"text\":\"good morning\",\"at\":1700000000},";
    for (size_t i = 0; i < count; i++)
        work->text[i] = json[i % (sizeof json - 1)];
}

static uint64_t run(void *context)
{
    struct work *work = context;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < work->repeats; i++) {
        size_t bytes = work->is_twice ? json_text_bytes_twice(work->view) : json_text_bytes(work->view);
        char *end = work->is_twice ? json_text_write_twice(work->escaped, work->view)
                                   : json_text_write(work->escaped, work->view);
        hash = bench_mix(hash, bytes + (uint64_t)(end - work->escaped) + (uint8_t)end[-1]);
    }
    return hash;
}

void bench_json_text(struct bench *bench)
{
    static const struct {
        const char *name;
        void (*fill)(struct work *work, size_t count);
        size_t count;
        uint32_t cost;
        bool is_twice;
    } pieces[] = {{"json_text/plain/64", fill_plain, 64, 1, false},
                  {"json_text/plain/10240", fill_plain, 10240, 1, false},
                  {"json_text/json/64", fill_json, 64, JSON_COST, false},
                  {"json_text/json/10240", fill_json, 10240, JSON_COST, false},
                  {"json_text/twice/64", fill_json, 64, JSON_COST, true}};
    static struct work work;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (!bench_wants(bench, pieces[i].name)) continue;
        pieces[i].fill(&work, pieces[i].count);
        work.view = (struct text){.at = work.text, .count = pieces[i].count};
        work.repeats = bench_size(bench, RUN_BYTES / pieces[i].count / pieces[i].cost);
        work.is_twice = pieces[i].is_twice;
        struct bench_piece piece = {.name = pieces[i].name,
                                    .operations = work.repeats,
                                    .bytes = work.repeats * pieces[i].count,
                                    .run = run,
                                    .context = &work};
        bench_measure(bench, &piece);
    }
}
