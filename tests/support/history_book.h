/* tests/support/history_book.h - what a test knows of all that was published, and what readers may rely on.
 *
 * Each message's data begins with a number of its own, eight hexadecimal digits. Whoever learns where one stands tells
 * the book, which asserts that nobody was told otherwise; of durable channels the fake store knows the truth, of the
 * others it is that offsets have no gaps. What needs all that was heard is checked at the end.
 * A life is the time from one start of the server to the next: channels in memory begin anew in each. */
#pragma once

#include "tests/support/channel_client.h"

struct book_channel {
    const char *name;
    const char *rule; /* its --history, behind the pattern; NULL: it keeps nothing */
    bool is_durable;
    uint32_t size; /* as in its rule, as is: */
    uint64_t ttl_ms;
};

extern const struct book_channel book_channels[];
extern const uint32_t book_channels_count;

#define BOOK_BACKEND   UINT32_MAX /* an author: no reader is left out */
#define BOOK_TRIES_MAX 6

/* Forgets everything. is_lenient: the server will be short of memory, and may not remember keys. */
void book_begin(bool is_lenient);
/* No store has anything: other nodes keep what is kept (tests/support/fake_cluster.h). */
void book_in_cluster(void);
/* Does the store know the truth about it? */
bool book_is_durable(uint32_t channel);
/* The server starts once more. is_rested: the store worked, and had time to, before it stopped. */
void book_next_life(bool is_rested);
uint32_t book_life(void);

/* A new number. author: a client's index, or BOOK_BACKEND. */
uint32_t book_new(uint32_t channel, uint32_t author, bool has_key);
/* It is published once more, with the same key. */
void book_tried(uint32_t number, uint32_t author);
uint32_t book_number(const char *data);
/* It was refused, and will not be tried again: nobody may ever hear of it. */
void book_refused(uint32_t number);

/* The index of that channel. */
uint32_t book_channel(const char *name);

/* Somebody was told that this stands there. */
void book_told(uint32_t channel, const struct position *position, uint32_t number);
/* The offset of the next message kept behind that one; UINT64_MAX: none yet. */
uint64_t book_next(uint32_t channel, const char *epoch, uint64_t offset);

/* A client was let in, or heard an event of a channel it is in, before its place moves on. */
void book_entered(const struct channel_client *client, const struct place *place);
void book_heard(const struct channel_client *client, const struct place *place, const struct heard_event *heard);

/* All is settled: who is in has heard everything. */
void book_check_reader(const struct channel_client *client);
/* One in a room heard things in their order. */
void book_check_raw(const struct client *client);
/* All have been heard out, once in a life. */
void book_check_all(void);
