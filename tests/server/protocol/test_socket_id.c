/* tests/server/protocol/test_socket_id.c - a socket id says where its connection is,
 * and only what looks like one is one. */
#include "server/protocol/socket_id.h"

#include <criterion/criterion.h>
#include <regex.h>
#include <string.h>

#define LIFE_MAX ((UINT32_C(1) << 24) - 1)

Test(socket_id, comes_back_as_the_connection_it_was_written_for, .timeout = 10)
{
    static const struct {
        uint32_t random, shard, slot, life;
    } rows[] = {
        {7, 0, 0, 0},
        {1, 0, 0, 1},
        {UINT32_MAX, 0, 0, LIFE_MAX},
        {1804289383, 3, 7, 9},
        {2, 255, SOCKET_ID_SLOTS_MAX - 1, 0},
        {UINT32_MAX, 255, SOCKET_ID_SLOTS_MAX - 1, LIFE_MAX},
    };
    regex_t pattern;
    cr_assert_eq(regcomp(&pattern, "^[0-9]+\\.[0-9]+$", REG_EXTENDED | REG_NOSUB), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char memory[SOCKET_ID_BYTES_MAX];
        struct publisher publisher;
        memset(memory, 'x', sizeof memory);
        struct text id = socket_id_write(memory, rows[i].random, rows[i].shard, rows[i].slot, rows[i].life);
        cr_assert_eq(id.at, memory);
        cr_assert_eq(id.count, strlen(memory), "it ends with a zero");
        cr_expect_eq(regexec(&pattern, memory, 0, NULL, 0), 0, "%s: every SDK wants it so", memory);
        cr_assert(socket_id_read(id, &publisher), "%s", memory);
        cr_expect_eq(publisher.shard, rows[i].shard, "%s", memory);
        cr_expect_eq(publisher.slot, rows[i].slot, "%s", memory);
        cr_expect_eq(publisher.life, rows[i].life, "%s", memory);
        cr_expect_eq(publisher.random, rows[i].random, "%s", memory);
        cr_expect(publisher.is_excluded);
    }
    regfree(&pattern);
}

/* JavaScript and JSON readers hold numbers up to 2^53. */
Test(socket_id, has_numbers_that_every_language_holds, .timeout = 10)
{
    char memory[SOCKET_ID_BYTES_MAX];
    socket_id_write(memory, UINT32_MAX, 255, SOCKET_ID_SLOTS_MAX - 1, LIFE_MAX);
    cr_expect_str_eq(memory, "4294967295.4503599627370495", "2^32 - 1 and 2^52 - 1");
}

Test(socket_id, is_nothing_else_than_two_numbers_with_a_point, .timeout = 10)
{
    static const char *const rows[] = {
        "",        ".",          "1",    "1.",   ".1",   "1.2.3", "1..2",  "a.1",     "1.a",   "1.2 ",
        " 1.2",    "1 .2",       "1. 2", "-1.2", "1.-2", "+1.2",  "1,2",   "0x1.2",   "1.2\n", "1e3.2",
        "1.2\r\n", "\xc2\xb9.2", "١.٢",  "1.2/", "1:2",  "1.2;3", "[1.2]", "\"1.2\"",
    };
    struct publisher publisher;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_not(socket_id_read(text_of(rows[i]), &publisher), "%s", rows[i]);
    }
    cr_expect_not(socket_id_read((struct text){0}, &publisher));
    cr_expect_not(socket_id_read((struct text){"1.2\0", 4}, &publisher), "a zero is no digit");
    cr_expect(socket_id_read((struct text){"1.23", 3}, &publisher), "what stands behind the view does not count");
}

/* A backend may name sockets of another server, as large as it likes: nobody is left out then. */
Test(socket_id, of_another_server_is_valid_and_nobodys, .timeout = 10)
{
    static const char *const rows[] = {
        "1.4503599627370496", /* 2^52: its shard would be 256 */
        "1.18446744073709551615",
        "1.18446744073709551616",
        "1.99999999999999999999999999999999999999999999999999",
        "0.5", /* no connection has this random number, */
        "4294967296.5",
        "99999999999999999999999999999999999999.5", /* nor these */
    };
    struct publisher publisher;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_assert(socket_id_read(text_of(rows[i]), &publisher), "%s", rows[i]);
        cr_expect_not(publisher.is_excluded, "%s", rows[i]);
    }
    cr_assert(
        socket_id_read(text_of("0000000000000000000000001.00000000000000000000000000000000000007"), &publisher));
    cr_expect_eq(publisher.life, 7, "zeros before it change no number");
}

Test(socket_id, of_one_place_are_as_different_as_the_places, .timeout = 10)
{
    char a[SOCKET_ID_BYTES_MAX], b[SOCKET_ID_BYTES_MAX];
    struct text first = socket_id_write(a, 1, 0, 1, 0), second = socket_id_write(b, 1, 0, 0, LIFE_MAX);
    cr_expect_not(text_equals(first, second));
    second = socket_id_write(b, 1, 1, 0, 0);
    cr_expect_not(text_equals(first, second));
}
