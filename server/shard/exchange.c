/* server/shard/exchange.c - the matrix of mailboxes, and what becomes of letters that are left in it. */
#include "server/shard/exchange.h"

#include "core/join.h"
#include "core/mailbox.h"
#include "core/message.h"
#include "core/query.h"

#include <stdlib.h>

/* One function for each kind of body. */
static void drop_message(struct counters *counters, const struct letter *letter)
{
    message_drop(counters, letter->message);
}

static void drop_join(struct counters *counters, const struct letter *letter)
{
    join_free(counters, letter->join);
}

static void drop_roster(struct counters *counters, const struct letter *letter)
{
    (void)counters, (void)letter; /* its home's */
}

static void drop_query(struct counters *counters, const struct letter *letter)
{
    query_free(counters, letter->query);
}

void exchange_drop(struct counters *counters, const struct letter *letter)
{
    switch ((enum letter_kind)letter->kind) {
#define LETTER(name, lane, body, text) \
    case LETTER_##name:                \
        drop_##body(counters, letter); \
        break;
#include "core/letter.def"
#undef LETTER
    }
}

enum rc exchange_init(struct exchange *exchange, struct shard *shards, uint32_t shards_count, uint32_t letters)
{
    *exchange = (struct exchange){.shards = shards, .shards_count = shards_count};
    exchange->mailboxes = calloc((size_t)LETTER_LANES_MAX * shards_count * shards_count, sizeof(struct mailbox *));
    if (exchange->mailboxes == NULL) return RC_ENOMEM;
    for (enum letter_lane lane = 0; lane < LETTER_LANES_MAX; lane++) {
        for (uint32_t i = 0; i < shards_count * shards_count; i++) {
            if (i / shards_count == i % shards_count) continue; /* nobody writes to itself */
            struct mailbox *mailbox = mailbox_new(letters);
            if (mailbox == NULL) return RC_ENOMEM;
            exchange->mailboxes[(size_t)lane * shards_count * shards_count + i] = mailbox;
        }
    }
    return RC_OK;
}

uint64_t exchange_bytes(uint64_t shards_count, uint64_t letters)
{
    uint64_t mailboxes = LETTER_LANES_MAX * shards_count * (shards_count - 1);
    return mailboxes * letters * sizeof(struct letter);
}

uint64_t exchange_letters(const struct exchange *exchange, uint32_t to)
{
    uint64_t letters = 0;
    for (uint32_t from = 0; from < exchange->shards_count; from++)
        for (enum letter_lane lane = 0; from != to && lane < LETTER_LANES_MAX; lane++)
            letters += mailbox_count(exchange_mailbox(exchange, lane, from, to));
    return letters;
}

/* Drops what is still in a mailbox, in its ring and behind it. */
static void empty_mailbox(struct counters *counters, struct mailbox *mailbox)
{
    struct letter letter;
    do {
        while (mailbox_receive(mailbox, &letter, 1) == 1) {
            exchange_drop(counters, &letter);
        }
    } while (mailbox_unspill(mailbox) > 0);
}

void exchange_fini(struct exchange *exchange, struct counters *counters)
{
    size_t count = (size_t)LETTER_LANES_MAX * exchange->shards_count * exchange->shards_count;
    for (size_t i = 0; exchange->mailboxes != NULL && i < count; i++) {
        if (exchange->mailboxes[i] == NULL) continue;
        empty_mailbox(counters, exchange->mailboxes[i]);
        mailbox_free(exchange->mailboxes[i]);
    }
    free(exchange->mailboxes);
    *exchange = (struct exchange){0};
}
