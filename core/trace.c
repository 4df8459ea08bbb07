/* core/trace.c - reading a trace that is being written, and the texts of its events.
 *
 * Not obvious: the writer may overtake the reader. The reader looks at the count before and after it has copied, and
 * keeps only what no event that came meanwhile, or is being written, can have gone over. */
#include "core/trace.h"

#include <assert.h>
#include <string.h>

static struct trace_event event_of(const uint64_t words[2])
{
    uint64_t first = ck_pr_load_64(&words[0]), second = ck_pr_load_64(&words[1]);
    return (struct trace_event){
        .at_ms = (uint32_t)first,
        .kind = (uint8_t)(first >> 32),
        .what = (uint8_t)(first >> 40),
        .from = (uint16_t)(first >> 48),
        .slot = (uint32_t)second,
        .number = (uint32_t)(second >> 32),
    };
}

uint32_t trace_read(const struct trace *trace, struct trace_event *events_r, uint32_t events_max)
{
    assert(events_max > 0);
    uint64_t end = ck_pr_load_64(&trace->count);
    uint64_t most = events_max < TRACE_EVENTS - 1 ? events_max : TRACE_EVENTS - 1;
    uint32_t count = (uint32_t)(end < most ? end : most);
    uint64_t first = end - count;
    ck_pr_fence_load(); /* the count, then the events */
    for (uint32_t i = 0; i < count; i++) {
        events_r[i] = event_of(trace->words[(first + i) & (TRACE_EVENTS - 1)]);
    }
    ck_pr_fence_load();                                  /* the events, then how far the writer has come */
    uint64_t written = ck_pr_load_64(&trace->count) + 1; /* one may be on its way */
    uint64_t oldest = written > TRACE_EVENTS ? written - TRACE_EVENTS : 0;
    uint64_t lost = oldest > first ? oldest - first : 0;
    if (lost >= count) return 0;
    count -= (uint32_t)lost;
    memmove(events_r, events_r + lost, count * sizeof events_r[0]);
    return count;
}

const char *trace_text(unsigned kind)
{
    static const char *const texts[TRACE_KINDS_MAX] = {
#define TRACE(name, text) [TRACE_##name] = (text),
#include "core/trace.def"
#undef TRACE
    };
    return kind < TRACE_KINDS_MAX ? texts[kind] : "an unknown event";
}
