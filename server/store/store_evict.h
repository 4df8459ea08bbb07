/* server/store/store_evict.h - who loses messages first when the database is full. */
#pragma once

#include "server/store/store_statement.h"

struct message;

/* Notes who has published a message, before it is added to the channel. RC_OK or RC_ESTORE. */
enum rc store_evict_note(struct store_log *log, struct store_channel *channel, const struct message *message);
