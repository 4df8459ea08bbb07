/* server/protocol/user.c - the names of users' channels. */
#include "server/protocol/user.h"

#include "core/channel_type.h"
#include "net/utf8.h"
#include "server/config/app.h"

_Static_assert(sizeof CHANNEL_USER_PREFIX + USER_ID_BYTES_MAX <= NAME_BYTES_MAX, "every user has a channel");

bool user_id_is_valid(struct text id)
{
    struct utf8 utf8 = {0};
    if (id.count == 0 || id.count > USER_ID_BYTES_MAX || text_has_controls(id)) return false;
    return utf8_check(&utf8, (const uint8_t *)id.at, id.count) && utf8_is_complete(&utf8);
}

bool user_channel(const struct app *app, struct text user_id, char memory[NAME_BYTES_MAX], struct name *name_r)
{
    if (!user_id_is_valid(user_id)) return false;
    char *end = text_put(text_put(memory, text_of(CHANNEL_USER_PREFIX)), user_id);
    *name_r = name_of(app->index, text_between(memory, end));
    return true;
}
