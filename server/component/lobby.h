/* server/component/lobby.h - the component for raw WebSockets: / is the lobby, /room/NAME a room.
 *
 * A text or binary message goes, unchanged, to every other connection of the room (--lobby-echo: to its sender too).
 * A room is the channel of that name, the lobby the channel "lobby". */
#pragma once

#include "server/connection/component.h"

struct query;

extern const struct component component_lobby;

/* From a home: what a connection that ends has said is out. Takes over the query. */
void lobby_answered(struct shard *shard, struct query *query);

/* Can there be a room at this path, which lobby.serves? If not, *refusal_r says why: for its page as for its socket. */
bool lobby_has_room(struct text path, struct refusal *refusal_r);
