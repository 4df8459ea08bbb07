/* tests/bench/load/test_pusher.c - what is written is signed as the protocol's examples are, what servers send is
 * understood however they write it. */
#include "bench/load/pusher.h"

#include "bench/load/stamp.h"

#include <criterion/criterion.h>
#include <string.h>

/* The example that Pusher's own SDKs were seen to agree on. */
#define KEY    "rcdemo4f2a9c71"
#define SECRET "s3cr3t-ringcast-demo"

Test(pusher, a_private_channel_is_signed_and_a_public_one_is_not, .timeout = 10)
{
    char text[PUSHER_TEXT_BYTES_MAX];
    size_t count = pusher_write_subscribe(text, "private-room-7", "123.456", text_of(KEY), text_of(SECRET));
    cr_expect_eq(count, strlen(text));
    cr_expect_str_eq(text, "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"" KEY
                           ":6c338e928590b1f52c0f57bd472ff291af9096403ab786a2747c70235b1bda89\",\"channel\":"
                           "\"private-room-7\"}}");
    pusher_write_subscribe(text, "room-7", "123.456", text_of(KEY), text_of(SECRET));
    cr_expect_str_eq(text, "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"\",\"channel\":\"room-7\"}}");
}

Test(pusher, a_request_is_signed_with_its_body, .timeout = 10)
{
    char text[PUSHER_TEXT_BYTES_MAX];
    static const char body[] =
        "{\"name\":\"new-message\",\"channels\":[\"private-room-7\"],\"data\":\"{\\\"text\\\":\\\"hi\\\"}\"}";
    size_t count = pusher_write_request(text, "127.0.0.1:6001", text_of("1001"), text_of(KEY), text_of(SECRET),
                                        1700000000, text_of(body));
    cr_expect_eq(count, strlen(text));
    cr_expect_str_eq(text, "POST /apps/1001/events?auth_key=" KEY "&auth_timestamp=1700000000&auth_version=1.0&"
                           "body_md5=e9bf98ebe74d138c7b76bd938e5f0dea&"
                           "auth_signature=9dc6ec712cd97f2e843f48fce3ae1fe2b7ae061e5344a430f36e0b2fc1da64b3 "
                           "HTTP/1.1\r\nHost: 127.0.0.1:6001\r\nContent-Type: application/json\r\n"
                           "Content-Length: 79\r\n\r\n");
}

/* What cannot be said in a frame's room is not said in part. */
Test(pusher, what_does_not_fit_is_not_written, .timeout = 10)
{
    char text[PUSHER_TEXT_BYTES_MAX], channel[2 * PUSHER_TEXT_BYTES_MAX] = "";
    memset(channel, 'x', sizeof channel - 1);
    cr_expect_eq(pusher_write_subscribe(text, channel, "1.2", text_of(KEY), text_of(SECRET)), 0);
    cr_expect_eq(pusher_write_client_head(text, channel), 0);
}

Test(pusher, test_messages_are_found_however_they_are_written, .timeout = 10)
{
    static const struct {
        const char *message;
        const char *data; /* NULL: none of ours */
    } cases[] = {
        {"{\"event\":\"load\",\"data\":\"abc\",\"channel\":\"c\"}", "abc"},
        {"{\"event\":\"load\",\"channel\":\"load-1\",\"data\":\"abc\"}", "abc"},
        {"{\"channel\":\"load-1\",\"event\": \"load\", \"data\" : \"abc\",\"user_id\":\"1\"}", "abc"},
        {"{\"data\":\"\",\"event\":\"load\"}", ""},
        {"{\"event\":\"loads\",\"data\":\"abc\"}", NULL},
        {"{\"event\":\"load\",\"data\":{\"payload\":\"abc\"}}", "abc"},
        {"{\"data\" : { \"payload\" : \"abc\" } , \"event\" : \"load\"}", "abc"},
        {"{\"event\":\"load\",\"data\":{\n  \"payload\": \"abc\"\n}}", "abc"},
        {"{\"event\":\"load\",\"data\":\"{\\\"payload\\\":\\\"abc\\\"}\"}", "abc"},
        {"{\"event\":\"load\",\"data\":\"{\\n \\\"payload\\\" : \\\"abc\\\"\\n}\"}", "abc"},
        {"{\"event\":\"load\",\"data\":{\"payload\":5}}", NULL},
        {"{\"event\":\"load\",\"data\":{\"payload\":\"abc", NULL},
        {"{\"event\":\"load\",\"data\":{\"payload\":", NULL},
        {"{\"event\":\"load\",\"data\":\"{\\\"payload\\\":\\\"abc\"}", NULL},
        {"{\"event\":\"load\",\"data\":\"{\\\"payload\\\":\\", NULL},
        {"{\"event\":\"load\",\"data\":\"{", NULL},
        {"{\"event\":\"load\",\"data\":\"", NULL},
        {"{\"event\":\"load\",\"data\":", NULL},
        {"{\"event\":\"load\",\"data\":{}}", NULL},
        {"{\"event\":\"load\",\"data\":\"abc", NULL},
        {"{\"event\":\"load\"}", NULL},
        {"{\"event\":", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text data;
        bool is_ours = pusher_read_message(text_of(cases[i].message), "load", &data);
        cr_expect_eq(is_ours, cases[i].data != NULL, "%s", cases[i].message);
        if (is_ours) cr_expect(text_is(data, cases[i].data), "%s", cases[i].message);
    }
}

Test(pusher, events_are_understood_in_every_form, .timeout = 10)
{
    static const struct {
        const char *message;
        enum pusher_kind kind;
        const char *text;
    } cases[] = {
        {"{\"event\":\"pusher:connection_established\",\"data\":\"{\\\"socket_id\\\":\\\"1.2\\\"}\"}",
         PUSHER_ESTABLISHED, "1.2"},
        {"{\"event\":\"pusher:connection_established\",\"data\":{\"socket_id\":\"1.2\"}}", PUSHER_ESTABLISHED, "1.2"},
        {"{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"c\"}", PUSHER_SUBSCRIBED, ""},
        {"{\"event\":\"pusher:ping\"}", PUSHER_PING, ""},
        {"{\"event\":\"pusher:error\",\"data\":{\"code\":null,\"message\":\"no\"}}", PUSHER_ERROR, "no"},
        {"{\"event\":\"pusher:error\",\"data\":\"{\\\"code\\\":4001,\\\"message\\\":\\\"no\\\"}\"}", PUSHER_ERROR,
         "no"},
        {"{\"event\":\"pusher:error\",\"data\":\"no\"}", PUSHER_ERROR, "no"},
        {"{\"event\":\"pusher:subscription_error\",\"data\":{\"error\":\"no\"},\"channel\":\"c\"}", PUSHER_ERROR,
         "no"},
        {"{\"event\":\"pusher_internal:subscription_count\",\"data\":\"{}\"}", PUSHER_OTHER, ""},
        {"{\"event\":5}", PUSHER_BAD, ""},
        {"[]", PUSHER_BAD, ""},
        {"hello", PUSHER_BAD, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pusher_event event;
        pusher_read_event(text_of(cases[i].message), &event);
        cr_expect_eq(event.kind, cases[i].kind, "%s", cases[i].message);
        cr_expect_str_eq(event.text, cases[i].text, "%s", cases[i].message);
    }
}

/* Some servers refuse client events whose data is a string. */
Test(pusher, a_client_event_has_an_object, .timeout = 10)
{
    char text[2 * PUSHER_TEXT_BYTES_MAX];
    char *to = text + pusher_write_client_head(text, "private-c");
    to = text_put(to, text_of("abc"));
    pusher_write_client_tail(to);
    cr_expect_str_eq(text, "{\"event\":\"client-load\",\"channel\":\"private-c\",\"data\":{\"payload\":\"abc\"}}");
}

/* Between head and tail a payload is as it is found again by others: no letter of it needs an escape. */
Test(pusher, a_payload_passes_as_it_is, .timeout = 10)
{
    uint8_t payload[400];
    struct text data;
    char text[2 * PUSHER_TEXT_BYTES_MAX];
    stamp_write(payload, &(struct stamp){.publisher = 1, .sequence = 2, .due_ns = 3});
    filler_write(payload + STAMP_BYTES, sizeof payload - STAMP_BYTES, STAMP_BYTES);
    char *to = text + pusher_write_client_head(text, "private-c");
    to = text_put(to, (struct text){(const char *)payload, sizeof payload});
    to += pusher_write_client_tail(to);
    cr_assert(pusher_read_message(text_between(text, to), PUSHER_CLIENT_EVENT, &data));
    cr_expect(text_equals(data, (struct text){(const char *)payload, sizeof payload}));
    cr_expect_null(strpbrk(data.at, "\\/<>&'"), "what some writers of JSON escape");
}
