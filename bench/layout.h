/* bench/layout.h - who is in which room and who publishes: connection i is in room i mod rooms, the first ones
 * publish, in turn. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct layout {
    uint32_t connections;
    uint32_t rooms;
    uint32_t publishers; /* connections 0 to publishers - 1 */
    bool has_echo;       /* a publisher gets its own messages too */
};

static inline uint32_t layout_room(const struct layout *layout, uint32_t connection)
{
    return connection % layout->rooms;
}

/* How many of the first `count` connections are in the room. */
static inline uint32_t layout_in_room(const struct layout *layout, uint32_t room, uint32_t count)
{
    return count / layout->rooms + (room < count % layout->rooms);
}

/* How many connections get a message of this publisher. */
static inline uint32_t layout_readers(const struct layout *layout, uint32_t publisher)
{
    uint32_t members = layout_in_room(layout, layout_room(layout, publisher), layout->connections);
    return layout->has_echo ? members : members - 1;
}

/* Does this connection get all messages of its room? */
static inline bool layout_sees_all(const struct layout *layout, uint32_t connection)
{
    return layout->has_echo || connection >= layout->publishers;
}

/* The last connection of a room. Without echo it must not publish, so that somebody sees the room's whole order. */
static inline uint32_t layout_witness(const struct layout *layout, uint32_t room)
{
    return room + (layout_in_room(layout, room, layout->connections) - 1) * layout->rooms;
}
