/* core/mailbox.h - letters from one shard to one other shard, in order (Concurrency Kit 0.7.2, ck_ring SPSC).
 *
 * Threads:   one sender and one receiver for its whole life; each function says whose it is.
 * Ownership: letters are copied in and out; the reference to a message goes with the copy.
 * Bounds:    the ring holds letters_max - 1 letters. What does not fit waits in the sender's spill list, in order,
 *            and the sender is told, so that it stops taking in what causes letters. Never spins, drops or blocks.
 * Wake-up:   not here. Sending is a plain store; a fence and the look at the receiver's sleep flag come once a
 *            turn (server/shard/post.c). */
#pragma once

#include "core/letter.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct mailbox;

/* letters_max is a power of two, at least 4. NULL: out of memory. */
struct mailbox *mailbox_new(uint32_t letters_max);
/* Both sides have stopped. Letters still inside are handed out by mailbox_receive() before this. Accepts NULL. */
void mailbox_free(struct mailbox *mailbox);

/* Sender. RC_OK: in the ring. RC_PENDING: the ring is full, kept in the spill list. RC_ENOMEM: not taken. */
enum rc mailbox_send(struct mailbox *mailbox, const struct letter *letter);
/* Sender, for letters that may be lost: nothing waits. RC_OK: in the ring. RC_EFULL: not taken, the ring is full or
 * letters of mailbox_send() wait before it. */
enum rc mailbox_offer(struct mailbox *mailbox, const struct letter *letter);
/* Sender, once a turn. Moves waiting letters into the ring as far as it has room; returns how many moved. */
uint32_t mailbox_unspill(struct mailbox *mailbox);
/* Sender. How many letters wait in the spill list. */
uint32_t mailbox_waiting(const struct mailbox *mailbox);

/* Any thread. How many letters are in the ring; those in the spill list the sender alone can count. */
uint32_t mailbox_count(const struct mailbox *mailbox);

/* Receiver. Takes out up to letters_max letters, oldest first; returns how many. */
uint32_t mailbox_receive(struct mailbox *mailbox, struct letter *letters, uint32_t letters_max);
/* Receiver. Would mailbox_receive() return any? A full fence before it makes the answer safe to sleep on. */
bool mailbox_is_empty(const struct mailbox *mailbox);
