/* bench/load/load_progress.c - how far a run is, on one line of a terminal. */
#include "bench/load/load_progress.h"

#include "bench/clock.h"
#include "bench/load/load_threads.h"

#include <unistd.h>

#define LINE_COLUMNS 100

static uint32_t open_of(const struct load_run *run)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < run->loads_count; i++) {
        open += atomic_load_explicit(&run->loads[i].told.open, memory_order_acquire);
    }
    return open;
}

static void show(const struct load_run *run, double seconds)
{
    char line[LINE_COLUMNS + 1];
    const struct histogram *latency = &run->recent.latency;
    if (run->begun_ns == 0) {
        snprintf(line, sizeof line, "%u of %u connections are open", open_of(run), run->options->connections);
    } else {
        snprintf(line, sizeof line,
                 "%4.0f s  %u connections  %.0f messages/s  %.0f deliveries/s  p50 %.0f us  p99 %.0f us",
                 (double)(run->shown_ns - run->begun_ns) / (double)NS_PER_SECOND, open_of(run),
                 (double)run->recent.sent / seconds, (double)latency->count / seconds,
                 (double)histogram_percentile(latency, 0.5) / 1e3, (double)histogram_percentile(latency, 0.99) / 1e3);
    }
    fprintf(stderr, "\r%-*s", LINE_COLUMNS, line);
}

void load_progress(struct load_run *run)
{
    uint64_t now_ns = clock_ns();
    if (run->shown_ns == 0) {
        run->shown_ns = now_ns;
        run->shows = isatty(STDERR_FILENO);
    }
    if (!run->shows || now_ns - run->shown_ns < NS_PER_SECOND) return;
    /* Threads hand over their seconds when they are full: a moment later they have all done so. */
    if (run->begun_ns > 0 && run->recent.latency.count == 0 && now_ns - run->shown_ns < 2 * NS_PER_SECOND) return;
    double seconds = (double)(now_ns - run->shown_ns) / (double)NS_PER_SECOND;
    run->shown_ns = now_ns;
    show(run, seconds);
    run->recent = (struct series_point){0};
}

void load_progress_end(struct load_run *run)
{
    if (run->shows) fprintf(stderr, "\r%*s\r", LINE_COLUMNS, "");
}
