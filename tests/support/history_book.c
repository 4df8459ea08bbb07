/* tests/support/history_book.c - messages by number, by place, and what must come between two of them. */
#include "tests/support/history_book.h"

#include "tests/support/fake_store.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define NOTES_MAX   20000
#define EPOCHS_MAX  2000
#define RESUMES_MAX 20000

const struct book_channel book_channels[] = {
    {"room-m", "size=6 ttl=20s client_events=yes", false, 6, 20000},
    {"private-m", "size=200 ttl=60s bytes=8KiB client_events=yes", false, 200, 60000},
    {"presence-m", "size=50 ttl=60s client_events=yes", false, 50, 60000},
    {"private-large-m", "size=1000 ttl=300s bytes=1MiB client_events=yes", false, 1000, 300000},
    {"room-d", "size=40 ttl=30s client_events=yes durable=yes", true, 40, 30000},
    {"private-d", "size=1000 ttl=120s client_events=yes durable=yes", true, 1000, 120000},
    {"presence-d", "size=20 ttl=60s client_events=yes durable=yes", true, 20, 60000},
    {"private-none", NULL, false, 0, 0},
};
const uint32_t book_channels_count = sizeof book_channels / sizeof book_channels[0];

struct author {
    uint32_t who, life;
};

struct note {
    uint32_t channel, life;
    struct author authors[BOOK_TRIES_MAX]; /* who has tried to publish it */
    uint32_t authors_count;
    bool has_key, is_refused;
    struct position position; /* not set: nobody has told */
    uint32_t position_life;
};

/* The numbers of an epoch by offset, 0: none is known. */
struct epoch_notes {
    uint32_t channel;
    char epoch[EPOCH_BYTES + 1];
    uint32_t *numbers;
    uint64_t capacity;
};

/* Between two offsets of an epoch; of whom, and in which life. */
struct stretch {
    uint32_t epoch; /* index */
    uint64_t from, to;
    uint32_t reader, life;
};

/* A list of them. */
struct stretches {
    struct stretch items[RESUMES_MAX];
    uint32_t count;
};

static bool is_lenient, is_in_cluster;
static uint32_t life;
static struct note notes[NOTES_MAX];
static uint32_t notes_count;
static struct epoch_notes epochs[EPOCHS_MAX];
static uint32_t epochs_count;
static struct stretches gaps;    /* a reader heard nothing between these: all of it was its own */
static struct stretches resumes; /* was told that it had all between these */
static struct stretches tears;   /* something went out between these that was not kept */

/* Of readers who heard what was not kept, where they were; by channel and client. */
static struct position torn_at[16][SCENARIO_CROWD_MAX];

/* ---- numbers ---- */

void book_begin(bool lenient)
{
    for (uint32_t i = 0; i < epochs_count; i++) {
        free(epochs[i].numbers);
    }
    is_lenient = lenient;
    is_in_cluster = false;
    life = epochs_count = gaps.count = resumes.count = tears.count = 0;
    notes_count = 1;
    memset(torn_at, 0, sizeof torn_at);
}

void book_in_cluster(void)
{
    is_in_cluster = true;
}

bool book_is_durable(uint32_t channel)
{
    return book_channels[channel].is_durable && !is_in_cluster;
}

uint32_t book_life(void)
{
    return life;
}

uint32_t book_new(uint32_t channel, uint32_t author, bool has_key)
{
    cr_assert_lt(notes_count, NOTES_MAX);
    notes[notes_count] = (struct note){.channel = channel, .life = life, .has_key = has_key};
    book_tried(notes_count, author);
    return notes_count++;
}

void book_tried(uint32_t number, uint32_t author)
{
    struct note *note = &notes[number];
    cr_assert_lt(note->authors_count, BOOK_TRIES_MAX);
    note->authors[note->authors_count++] = (struct author){author, life};
}

uint32_t book_number(const char *data)
{
    char digits[9] = {0};
    memcpy(digits, data, strnlen(data, 8));
    uint32_t number = (uint32_t)strtoul(digits, NULL, 16);
    cr_assert(number > 0 && number < notes_count, "nobody said %s", data);
    return number;
}

void book_refused(uint32_t number)
{
    cr_assert_not(position_is_set(&notes[number].position), "%08x was refused, and kept", number);
    notes[number].is_refused = true;
}

uint32_t book_channel(const char *name)
{
    uint32_t channel = 0;
    while (strcmp(book_channels[channel].name, name) != 0) {
        channel++;
    }
    return channel;
}

/* ---- places ---- */

static uint32_t epoch_of(uint32_t channel, const char *epoch)
{
    for (uint32_t i = 0; i < epochs_count; i++) {
        if (epochs[i].channel == channel && strcmp(epochs[i].epoch, epoch) == 0) return i;
    }
    cr_assert_lt(epochs_count, EPOCHS_MAX);
    epochs[epochs_count] = (struct epoch_notes){.channel = channel};
    memcpy(epochs[epochs_count].epoch, epoch, sizeof epochs[0].epoch);
    return epochs_count++;
}

static uint32_t number_at(uint32_t epoch, uint64_t offset)
{
    return offset < epochs[epoch].capacity ? epochs[epoch].numbers[offset] : 0;
}

static uint32_t stored_number(const struct fake_stored *stored)
{
    return book_number((const char *)stored->frame + stored->data_at + 1);
}

static void check_stored(uint32_t channel, const struct position *position, uint32_t number)
{
    const struct fake_stored *stored =
        fake_store_next(book_channels[channel].name, position->epoch, position->offset - 1);
    cr_assert(stored != NULL && stored->offset == position->offset, "%s %lu was told, and is not stored",
              book_channels[channel].name, position->offset);
    cr_assert_eq(stored_number(stored), number);
}

static void note_place(uint32_t epoch, uint64_t offset, uint32_t number)
{
    struct epoch_notes *of = &epochs[epoch];
    if (offset >= of->capacity) {
        uint64_t capacity = 2 * offset + 64;
        of->numbers = realloc(of->numbers, capacity * sizeof of->numbers[0]);
        memset(of->numbers + of->capacity, 0, (capacity - of->capacity) * sizeof of->numbers[0]);
        of->capacity = capacity;
    }
    cr_assert(of->numbers[offset] == 0 || of->numbers[offset] == number, "%s %lu is %08x and %08x",
              book_channels[of->channel].name, offset, of->numbers[offset], number);
    of->numbers[offset] = number;
}

void book_told(uint32_t channel, const struct position *position, uint32_t number)
{
    struct note *note = &notes[number];
    bool is_durable = book_is_durable(channel);
    cr_assert_eq(note->channel, channel);
    cr_assert_not(note->is_refused, "%08x was refused", number);
    note_place(epoch_of(channel, position->epoch), position->offset, number);
    if (is_durable) check_stored(channel, position, number);
    bool must_be_same = position_is_set(&note->position) && (is_durable || note->position_life == life);
    if (is_lenient && note->has_key && note->life != life) must_be_same = false; /* the key may be forgotten */
    if (must_be_same) {
        cr_assert(position->offset == note->position.offset && position_is_of(position, note->position.epoch),
                  "%08x of %s stands at %lu and %lu", number, book_channels[channel].name, note->position.offset,
                  position->offset);
    }
    note->position = *position;
    note->position_life = life;
}

uint64_t book_next(uint32_t channel, const char *epoch, uint64_t offset)
{
    if (!book_is_durable(channel)) return offset + 1;
    const struct fake_stored *next = fake_store_next(book_channels[channel].name, epoch, offset);
    return next != NULL ? next->offset : UINT64_MAX;
}

/* ---- readers ---- */

static void add(struct stretches *list, uint32_t channel, const char *epoch, uint64_t from, uint64_t to,
                uint32_t reader)
{
    cr_assert_lt(list->count, RESUMES_MAX);
    list->items[list->count++] = (struct stretch){epoch_of(channel, epoch), from, to, reader, life};
}

void book_entered(const struct channel_client *client, const struct place *place)
{
    uint32_t channel = book_channel(place->channel);
    torn_at[channel][client->client->index] = (struct position){0};
    cr_assert(book_channels[channel].rule != NULL || !position_is_set(&place->position));
    if (!place->is_recovered) return;
    add(&resumes, channel, place->asked_from.epoch, place->asked_from.offset, place->replay_end,
        client->client->index);
}

static void check_replay_is_over(const struct channel_client *client, const struct place *place, uint32_t channel)
{
    if (!place->is_recovered || place->position.offset >= place->replay_end) return;
    uint64_t next = book_next(channel, place->position.epoch, place->position.offset);
    cr_assert_gt(next, place->replay_end, "client %u, %s: the replay from %lu to %lu lacks %lu",
                 client->client->index, place->channel, place->asked_from.offset, place->replay_end, next);
}

/* Nothing was heard between the place and there. */
static void note_gap(const struct channel_client *client, const struct place *place, uint32_t channel, uint64_t to)
{
    uint64_t from = place->position.offset;
    if (place->is_recovered && place->replay_end > from) from = place->replay_end;
    if (to > from + 1) add(&gaps, channel, place->position.epoch, from, to, client->client->index);
}

static void heard_unkept(const struct channel_client *client, const struct place *place, uint32_t channel,
                         const struct note *note)
{
    struct position *torn = &torn_at[channel][client->client->index];
    cr_assert(book_channels[channel].rule == NULL || !note->has_key, "what is acknowledged has a place");
    if (book_channels[channel].rule == NULL || position_is_set(torn)) return;
    *torn = place->position;
    if (place->is_recovered && place->replay_end > torn->offset) torn->offset = place->replay_end;
}

void book_heard(const struct channel_client *client, const struct place *place, const struct heard_event *heard)
{
    uint32_t channel = book_channel(place->channel), number = book_number(heard->data);
    struct position *torn = &torn_at[channel][client->client->index];
    if (!position_is_set(&heard->position)) {
        cr_assert_not(notes[number].is_refused);
        check_replay_is_over(client, place, channel);
        heard_unkept(client, place, channel, &notes[number]);
        return;
    }
    book_told(channel, &heard->position, number);
    if (!position_is_set(&place->position)) return;
    uint64_t offset = heard->position.offset;
    if (place->is_recovered && offset <= place->replay_end) {
        uint64_t next = book_next(channel, place->position.epoch, place->position.offset);
        cr_assert_eq(offset, next, "client %u, %s: the replay from %lu to %lu has %lu instead of %lu",
                     client->client->index, place->channel, place->asked_from.offset, place->replay_end, offset,
                     next);
        return;
    }
    check_replay_is_over(client, place, channel);
    note_gap(client, place, channel, offset);
    if (position_is_set(torn)) add(&tears, channel, torn->epoch, torn->offset, offset, client->client->index);
    *torn = (struct position){0};
}

/* ---- afterwards ---- */

static uint64_t last_known(uint32_t channel, const char *epoch)
{
    const struct epoch_notes *of = &epochs[epoch_of(channel, epoch)];
    uint64_t offset = of->capacity;
    while (offset > 0 && of->numbers[offset - 1] == 0) {
        offset--;
    }
    return offset;
}

void book_check_reader(const struct channel_client *client)
{
    for (uint32_t i = 0; i < client->places_count; i++) {
        const struct place *place = &client->places[i];
        if (place->state != PLACE_IN || !position_is_set(&place->position)) continue;
        uint32_t channel = book_channel(place->channel);
        check_replay_is_over(client, place, channel);
        note_gap(client, place, channel, last_known(channel, place->position.epoch));
    }
}

void book_check_raw(const struct client *client)
{
    struct position last = {0};
    for (uint32_t i = 0; i < client->heard_count; i++) {
        const struct note *note = &notes[client->heard[i]];
        cr_assert_lt(client->heard[i], notes_count);
        if (!position_is_set(&note->position) || note->position_life != life) continue;
        if (position_is_of(&last, note->position.epoch)) cr_assert_gt(note->position.offset, last.offset);
        last = note->position;
    }
}

static bool is_by(const struct note *note, uint32_t author, uint32_t then)
{
    for (uint32_t i = 0; i < note->authors_count; i++) {
        if (note->authors[i].who == author && note->authors[i].life == then) return true;
    }
    return false;
}

static void check_gap(const struct stretch *gap)
{
    const struct epoch_notes *of = &epochs[gap->epoch];
    for (uint64_t offset = gap->from + 1; offset < gap->to; offset++) {
        uint32_t number = number_at(gap->epoch, offset);
        if (number == 0) continue; /* nobody heard it: its author may have been alone */
        cr_assert(is_by(&notes[number], gap->reader, gap->life), "client %u, %s: missed %lu between %lu and %lu",
                  gap->reader, book_channels[of->channel].name, offset, gap->from, gap->to);
    }
}

/* One that no message followed before the next life says nothing of its own: others may have resumed before it. */
static bool is_torn(const struct stretch *resume, const struct stretch *tear)
{
    return resume->epoch == tear->epoch && resume->from <= tear->from && resume->to >= tear->to &&
           (tear->to > tear->from ? resume->life >= tear->life : resume->life > tear->life);
}

void book_check_all(void)
{
    for (uint32_t i = 0; i < gaps.count; i++) {
        check_gap(&gaps.items[i]);
    }
    for (uint32_t i = 0; i < resumes.count; i++) {
        for (uint32_t k = 0; k < tears.count; k++) {
            cr_assert_not(is_torn(&resumes.items[i], &tears.items[k]),
                          "client %u, %s: recovered from %lu to %lu, though something unkept went out behind %lu",
                          resumes.items[i].reader, book_channels[epochs[resumes.items[i].epoch].channel].name,
                          resumes.items[i].from, resumes.items[i].to, tears.items[k].from);
        }
    }
    gaps.count = resumes.count = 0;
}

void book_next_life(bool is_rested)
{
    for (uint32_t channel = 0; is_rested && channel < book_channels_count; channel++) {
        for (uint32_t i = 0; i < SCENARIO_CROWD_MAX; i++) {
            const struct position *torn = &torn_at[channel][i];
            if (position_is_set(torn)) add(&tears, channel, torn->epoch, torn->offset, torn->offset, i);
        }
    }
    life++;
    memset(torn_at, 0, sizeof torn_at);
}
