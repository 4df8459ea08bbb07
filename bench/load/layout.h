/* bench/load/layout.h - who is in which room, who publishes, who comes and goes and who reads slowly.
 *
 * Connection i is in room i mod rooms, the first ones publish, in turn. A load may be dealt out in parts, to threads
 * and processes: a part has every parts-th room, and in it everything has numbers of its own, as if it were alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LAYOUT_SHARE_WHOLE  10000u /* slow_share of everybody */
#define LAYOUT_SLOW_STRIDE  7u     /* from room to room, so that not always the same ones have the slow readers */
#define LAYOUT_MEMBERS_MAX  (1u << 20)
#define LAYOUT_MEMBERS_BITS 20

struct layout {
    uint32_t connections;
    uint32_t rooms;
    uint32_t publishers; /* connections 0 to publishers - 1 */
    bool has_echo;       /* a publisher gets its own messages too */
    bool has_guests;     /* some of those who only listen come and go */
    uint32_t slow_share; /* of the connections, in hundredths of a per cent, read slowly if they only listen */
    uint32_t part;       /* of `parts`; parts 0: this is all */
    uint32_t parts;
    uint32_t rooms_all; /* of all parts */
};

/* How many of `count` things, dealt out in rows over rooms_all, fall to the rooms of a part. */
static inline uint32_t layout_dealt(const struct layout *part, uint32_t count)
{
    uint32_t rest = count % part->rooms_all;
    return count / part->rooms_all * part->rooms +
           (rest > part->part ? (rest - part->part - 1) / part->parts + 1 : 0);
}

/* One of the parts of a whole; parts is at most the number of rooms. */
static inline struct layout layout_part(const struct layout *whole, uint32_t part, uint32_t parts)
{
    struct layout layout = *whole;
    layout.part = part;
    layout.parts = parts;
    layout.rooms_all = whole->rooms;
    layout.rooms = (whole->rooms - part - 1) / parts + 1;
    layout.connections = layout_dealt(&layout, whole->connections);
    layout.publishers = layout_dealt(&layout, whole->publishers);
    return layout;
}

/* A room of the part as the whole numbers it, and a connection: both as users see them. */
static inline uint32_t layout_room_number(const struct layout *layout, uint32_t room)
{
    return layout->parts > 1 ? room * layout->parts + layout->part : room;
}

static inline uint32_t layout_number(const struct layout *layout, uint32_t connection)
{
    if (layout->parts <= 1) return connection;
    return connection / layout->rooms * layout->rooms_all + layout_room_number(layout, connection % layout->rooms);
}

static inline uint32_t layout_room(const struct layout *layout, uint32_t connection)
{
    return connection % layout->rooms;
}

/* How many of the first `count` connections are in the room. */
static inline uint32_t layout_in_room(const struct layout *layout, uint32_t room, uint32_t count)
{
    return count / layout->rooms + (room < count % layout->rooms);
}

/* Does this connection get all messages of its room while it is there? */
static inline bool layout_sees_all(const struct layout *layout, uint32_t connection)
{
    return layout->has_echo || connection >= layout->publishers;
}

/* The last connection of a room, which is there all the time. Without echo it must not publish, so that somebody sees
 * the room's whole order. */
static inline uint32_t layout_witness(const struct layout *layout, uint32_t room)
{
    return room + (layout_in_room(layout, room, layout->connections) - 1) * layout->rooms;
}

static inline bool layout_only_listens(const struct layout *layout, uint32_t connection)
{
    return connection >= layout->publishers && connection != layout_witness(layout, layout_room(layout, connection));
}

static inline bool layout_is_slow(const struct layout *layout, uint32_t connection)
{
    if (layout->slow_share == 0 || !layout_only_listens(layout, connection)) return false;
    uint64_t row = connection / layout->rooms;
    uint64_t place = (connection % layout->rooms + row * LAYOUT_SLOW_STRIDE) % layout->rooms + row * layout->rooms;
    return place * layout->slow_share / LAYOUT_SHARE_WHOLE != (place + 1) * layout->slow_share / LAYOUT_SHARE_WHOLE;
}

/* Comes and goes: every second one of those that only listen and read as fast as they can. */
static inline bool layout_is_guest(const struct layout *layout, uint32_t connection)
{
    return layout->has_guests && connection / layout->rooms % 2 == 1 && layout_only_listens(layout, connection) &&
           !layout_is_slow(layout, connection);
}

/* Is it slow or a guest? How much such a one gets nobody knows beforehand. */
static inline bool layout_is_apart(const struct layout *layout, uint32_t connection)
{
    return layout_is_slow(layout, connection) || layout_is_guest(layout, connection);
}
