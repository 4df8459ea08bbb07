/* core/mailbox.c - a CK ring of letters and the sender's spill list behind it.
 *
 * The ring's struct, its buffer and the spill list each begin on cache lines of their own, so that the sender's and
 * the receiver's words never share one (the CK struct itself ends in a third line: 136 bytes). */
#include "core/mailbox.h"

#include "core/tsan.h"

#include <assert.h>
#include <ck_ring.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 128 /* two lines: the prefetcher of x86 fetches pairs */

CK_RING_PROTOTYPE(letters, letter)

/* Letters that found the ring full: a circular array that grows, used by the sender alone. */
struct spill {
    struct letter *letters;
    uint32_t capacity;
    uint32_t first;
    uint32_t count;
};

struct mailbox {
    ck_ring_t ring __attribute__((aligned(LINE_BYTES)));
    struct letter *buffer __attribute__((aligned(LINE_BYTES)));
    struct spill spill __attribute__((aligned(LINE_BYTES)));
};

struct mailbox *mailbox_new(uint32_t letters_max)
{
    assert(letters_max >= 4 && (letters_max & (letters_max - 1)) == 0);
    struct mailbox *mailbox = aligned_alloc(LINE_BYTES, sizeof *mailbox);
    if (mailbox == NULL) return NULL;
    memset(mailbox, 0, sizeof *mailbox);
    mailbox->buffer =
        aligned_alloc(LINE_BYTES, (letters_max * sizeof(struct letter) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES);
    if (mailbox->buffer == NULL) {
        free(mailbox);
        return NULL;
    }
    ck_ring_init(&mailbox->ring, letters_max);
    return mailbox;
}

void mailbox_free(struct mailbox *mailbox)
{
    if (mailbox == NULL) return;
    free(mailbox->spill.letters);
    free(mailbox->buffer);
    free(mailbox);
}

static bool spill_grow(struct spill *spill)
{
    assert(spill->count == spill->capacity);
    uint32_t capacity = spill->capacity > 0 ? 2 * spill->capacity : 64;
    struct letter *letters = malloc(capacity * sizeof *letters);
    if (letters == NULL) return false;
    for (uint32_t i = 0; i < spill->count; i++) {
        letters[i] = spill->letters[(spill->first + i) % spill->capacity];
    }
    free(spill->letters);
    *spill = (struct spill){.letters = letters, .capacity = capacity, .count = spill->count};
    return true;
}

static bool enqueue(struct mailbox *mailbox, const struct letter *letter)
{
    struct letter copy = *letter; /* CK's prototype takes a pointer it may write through, but only reads the entry */
    TSAN_RELEASE(mailbox);
    TSAN_IGNORE_BEGIN();
    bool has_room = CK_RING_ENQUEUE_SPSC(letters, &mailbox->ring, mailbox->buffer, &copy);
    TSAN_IGNORE_END();
    return has_room;
}

static bool dequeue(struct mailbox *mailbox, struct letter *letter)
{
    TSAN_IGNORE_BEGIN();
    bool has_letter = CK_RING_DEQUEUE_SPSC(letters, &mailbox->ring, mailbox->buffer, letter);
    TSAN_IGNORE_END();
    if (has_letter) TSAN_ACQUIRE(mailbox);
    return has_letter;
}

enum rc mailbox_send(struct mailbox *mailbox, const struct letter *letter)
{
    struct spill *spill = &mailbox->spill;
    if (spill->count == 0 && enqueue(mailbox, letter)) return RC_OK;
    if (spill->count == spill->capacity && !spill_grow(spill)) return RC_ENOMEM;
    spill->letters[(spill->first + spill->count) % spill->capacity] = *letter;
    spill->count++;
    return RC_PENDING;
}

enum rc mailbox_offer(struct mailbox *mailbox, const struct letter *letter)
{
    return mailbox->spill.count == 0 && enqueue(mailbox, letter) ? RC_OK : RC_EFULL;
}

uint32_t mailbox_unspill(struct mailbox *mailbox)
{
    struct spill *spill = &mailbox->spill;
    uint32_t moved = 0;
    while (spill->count > 0) {
        if (!enqueue(mailbox, &spill->letters[spill->first])) return moved;
        spill->first = (spill->first + 1) % spill->capacity;
        spill->count--;
        moved++;
    }
    if (spill->capacity > 0) { /* a rare event is over: give its memory back */
        free(spill->letters);
        *spill = (struct spill){0};
    }
    return moved;
}

uint32_t mailbox_waiting(const struct mailbox *mailbox)
{
    return mailbox->spill.count;
}

uint32_t mailbox_count(const struct mailbox *mailbox)
{
    return ck_ring_size(&mailbox->ring);
}

uint32_t mailbox_receive(struct mailbox *mailbox, struct letter *letters, uint32_t letters_max)
{
    uint32_t count = 0;
    while (count < letters_max && dequeue(mailbox, &letters[count])) {
        count++;
    }
    return count;
}

bool mailbox_is_empty(const struct mailbox *mailbox)
{
    return ck_ring_size(&mailbox->ring) == 0;
}
