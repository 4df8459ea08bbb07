/* server/system/log_recent.c - a ring of lines behind a lock that who logs only tries. */
#include "server/system/log_recent.h"

#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_recent lines[LOG_RECENT_LINES];
static uint64_t kept; /* ever */

void log_recent_keep(uint64_t time_ms, enum log_level level, const char *thread, const char *text)
{
    if (level > LOG_LEVEL_WARN || pthread_mutex_trylock(&lock) != 0) return;
    struct log_recent *line = &lines[kept++ % LOG_RECENT_LINES];
    line->time_ms = time_ms;
    line->level = level;
    snprintf(line->thread, sizeof line->thread, "%s", thread);
    snprintf(line->text, sizeof line->text, "%s", text);
    pthread_mutex_unlock(&lock);
}

uint32_t log_recent_read(struct log_recent lines_r[LOG_RECENT_LINES])
{
    pthread_mutex_lock(&lock);
    uint32_t count = kept < LOG_RECENT_LINES ? (uint32_t)kept : LOG_RECENT_LINES;
    for (uint32_t i = 0; i < count; i++)
        lines_r[i] = lines[(kept - count + i) % LOG_RECENT_LINES];
    pthread_mutex_unlock(&lock);
    return count;
}
