/* tests/bench/load/test_layout.c - parts are the whole, dealt out; numbers lead back; shares are what was asked for. */
#include "bench/load/layout.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct layout wholes[] = {
    {.connections = 1, .rooms = 1, .publishers = 1, .has_echo = true},
    {.connections = 100, .rooms = 7, .publishers = 30},
    {.connections = 1000, .rooms = 64, .publishers = 3},
    {.connections = 997, .rooms = 64, .publishers = 200, .has_guests = true, .slow_share = 1000},
};

#define WHOLES_MAX (sizeof wholes / sizeof wholes[0])

Test(layout, parts_have_every_connection_once_and_in_its_room, .timeout = 10)
{
    for (size_t w = 0; w < WHOLES_MAX; w++) {
        const struct layout *whole = &wholes[w];
        for (uint32_t parts = 1; parts <= whole->rooms && parts < 9; parts++) {
            uint8_t *times = calloc(whole->connections, 1);
            cr_assert_not_null(times);
            uint32_t rooms = 0;
            for (uint32_t p = 0; p < parts; p++) {
                struct layout part = layout_part(whole, p, parts);
                rooms += part.rooms;
                for (uint32_t i = 0; i < part.connections; i++) {
                    uint32_t number = layout_number(&part, i);
                    cr_assert_lt(number, whole->connections);
                    times[number]++;
                    cr_expect_eq(layout_room_number(&part, layout_room(&part, i)), layout_room(whole, number));
                    cr_expect_eq(i < part.publishers, number < whole->publishers);
                }
            }
            cr_expect_eq(rooms, whole->rooms);
            for (uint32_t i = 0; i < whole->connections; i++) {
                cr_expect_eq(times[i], 1, "connection %u of whole %zu in %u parts", i, w, parts);
            }
            free(times);
        }
    }
}

Test(layout, witnesses_and_publishers_are_never_apart, .timeout = 10)
{
    struct layout layout = {
        .connections = 997, .rooms = 13, .publishers = 40, .has_guests = true, .slow_share = 9000};
    uint32_t apart = 0;
    for (uint32_t i = 0; i < layout.connections; i++) {
        apart += layout_is_apart(&layout, i);
        cr_expect_not(layout_is_slow(&layout, i) && layout_is_guest(&layout, i));
        cr_expect_not(i < layout.publishers && layout_is_apart(&layout, i));
    }
    cr_expect_gt(apart, 0);
    for (uint32_t room = 0; room < layout.rooms; room++) {
        uint32_t witness = layout_witness(&layout, room);
        cr_expect_eq(layout_room(&layout, witness), room);
        cr_expect_lt(witness, layout.connections);
        cr_expect_geq(witness + layout.rooms, layout.connections, "it is the last one");
        cr_expect_not(layout_is_apart(&layout, witness));
    }
}

/* Counted among all; few publish, and few are witnesses. */
Test(layout, slow_ones_are_as_many_as_asked_for_and_not_all_in_the_same_rooms, .timeout = 10)
{
    static const uint32_t rooms[] = {1, 20, 100};
    for (size_t r = 0; r < sizeof rooms / sizeof rooms[0]; r++) {
        struct layout layout = {.connections = 10000, .rooms = rooms[r], .publishers = 1, .slow_share = 500};
        uint32_t slow = 0, rooms_with = 0;
        bool has_slow[100] = {false};
        for (uint32_t i = 0; i < layout.connections; i++) {
            if (!layout_is_slow(&layout, i)) continue;
            slow++;
            has_slow[layout_room(&layout, i)] = true;
        }
        for (uint32_t i = 0; i < rooms[r]; i++) {
            rooms_with += has_slow[i];
        }
        cr_expect(slow <= 500 && slow >= 500 - 1 - rooms[r], "%u of %u rooms", slow, rooms[r]);
        cr_expect_eq(rooms_with, rooms[r]);
    }
}
