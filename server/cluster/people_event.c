/* server/cluster/people_event.c - an event and its texts in one block. */
#include "server/cluster/people_event.h"

#include <stdlib.h>

static size_t texts_bytes(const struct people_event *as)
{
    size_t bytes = as->channel.length + as->app.count + as->user_id.count;
    for (uint32_t i = 0; i < as->changes_count; i++) {
        bytes += as->changes[i].user_id.count + as->changes[i].info.count;
    }
    return bytes;
}

struct people_event *people_event_new(const struct people_event *as)
{
    size_t changes_bytes = as->changes_count * sizeof(struct people_change);
    struct people_event *event = malloc(sizeof *event + changes_bytes + texts_bytes(as));
    if (event == NULL) return NULL;
    *event = *as;
    event->changes = (struct people_change *)(event + 1);
    char *to = (char *)(event->changes + as->changes_count);
    for (uint32_t i = 0; i < as->changes_count; i++) {
        event->changes[i] = as->changes[i];
        event->changes[i].user_id = text_copy(&to, as->changes[i].user_id);
        event->changes[i].info = text_copy(&to, as->changes[i].info);
    }
    event->channel.text = text_copy(&to, name_text(&as->channel)).at;
    event->app = text_copy(&to, as->app);
    event->user_id = text_copy(&to, as->user_id);
    return event;
}
