/* tests/fuzz/fuzz_record.c - what Redis pushes, with records and members in it, and the messages made of these.
 *
 * Every input is also tried cut at its end, and with a length that makes one record of it, so that what stands in it is
 * reached. Aborts when a frame has not the length that it says, when a message's record is not what it was made of, or
 * when a member lies outside of the push. */
#include "core/counters.h"
#include "net/frame.h"
#include "server/cluster/cluster_key.h"
#include "server/cluster/push.h"
#include "server/cluster/record.h"
#include "tests/fuzz/fuzz.h"

#define CUTS_MAX 8

static struct counters counters;

/* A frame says how long it is. */
static void check_frame(const struct message *message, enum form form)
{
    if (!message_has(message, form)) return;
    const uint8_t *frame = message_frame(message, form);
    size_t header = frame_header_bytes(frame), length = frame[1];
    if (header > 2) length = 0;
    for (size_t i = 2; i < header; i++) {
        length = length << 8 | frame[i];
    }
    FUZZ_CHECK(header + length == message->frame_bytes[form]);
}

static void check_again(const struct message *message, const struct record *record)
{
    size_t bytes = record_bytes(message);
    char *again = malloc(bytes);
    FUZZ_CHECK(record_write(again, message, record->kind, record->token) == again + bytes);
    struct text text = {again, bytes};
    struct record same;
    FUZZ_CHECK(record_take(&text, &same) == RC_OK && text.count == 0);
    FUZZ_CHECK(text_equals(same.raw, record->raw));
    if (record->raw.at != NULL) {
        FUZZ_CHECK(same.is_binary == record->is_binary);
    } else {
        FUZZ_CHECK(text_equals(same.event_name, record->event_name) && text_equals(same.data, record->data));
        FUZZ_CHECK(text_equals(same.user_id, record->user_id));
    }
    free(again);
}

static void check_record(const struct record *record, const struct position *position)
{
    struct name channel = name_of(0, text_of("room"));
    struct message *message = record_message(&counters, record, &channel, position, 1, 1);
    if (message == NULL) return;
    check_frame(message, FORM_RAW);
    check_frame(message, FORM_EVENT);
    if (record->kind == RECORD_MESSAGE) check_again(message, record);
    message_drop(&counters, message);
}

static void check_records(struct text rest)
{
    static const struct position place = {.offset = 1, .epoch = "loyw3v5n"};
    struct record record;
    enum rc rc;
    while ((rc = record_take(&rest, &record)) != RC_EPROTO) {
        if (rc != RC_OK) continue;
        check_record(&record, NULL);
        check_record(&record, &place);
    }
}

static void check_push(struct text text)
{
    struct push push;
    struct text user, info;
    if (push_read(text, &push) != RC_OK) return;
    if (push.kind == PUSH_RECORDS) check_records(push.rest);
    if (push.kind != PUSH_JOINED && push.kind != PUSH_LEFT) return;
    while (push_take_member(&push, &user, &info) == RC_OK) {
        FUZZ_CHECK(user.at >= text.at && user.at + user.count <= text.at + text.count);
    }
}

/* The bytes as they are, and with the length that makes one record of them. */
static void check_bytes(const uint8_t *input, size_t count)
{
    char memory[NAME_BYTES_MAX];
    struct bytes slice = fuzz_slice(input, count);
    struct text text = {(const char *)slice.at, count}, app, channel;
    check_push(text);
    check_records(text);
    cluster_tag_read(text, memory, &app, &channel);
    if (count >= RECORD_BYTES_MIN) {
        const uint8_t length[] = {(uint8_t)(count >> 24), (uint8_t)(count >> 16), (uint8_t)(count >> 8),
                                  (uint8_t)count};
        memcpy(slice.at + RECORD_TOKEN_BYTES, length, sizeof length);
        check_records(text);
    }
    free(slice.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    for (size_t cut = 0; cut <= count && cut <= CUTS_MAX; cut++) {
        check_bytes(input, count - cut);
    }
    return 0;
}
