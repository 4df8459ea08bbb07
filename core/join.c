/* core/join.c - making and freeing of joins. */
#include "core/join.h"

#include "core/message.h"

#include <stdlib.h>

struct join *join_new(const struct join_wish *wish)
{
    struct join *join = malloc(sizeof *join + wish->channel.length + wish->user_id.count + wish->user_info.count);
    if (join == NULL) return NULL;
    char *to = (char *)(join + 1);
    *join = (struct join){.channel = wish->channel, .form = wish->form, .recover = wish->recover};
    join->channel.text = text_copy(&to, name_text(&wish->channel)).at;
    join->user_id = text_copy(&to, wish->user_id);
    join->user_info = text_copy(&to, wish->user_info);
    return join;
}

void join_free(struct counters *counters, struct join *join)
{
    if (join == NULL) return;
    if (join->greeting != NULL) message_drop(counters, join->greeting);
    if (join->stored != NULL) message_drop(counters, join->stored);
    free(join);
}
