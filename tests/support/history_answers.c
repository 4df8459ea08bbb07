/* tests/support/history_answers.c - what was published with keys and which pages were asked for, and the answers. */
#include "tests/support/history_crowd_private.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYED_MAX 8000
#define PAGES_MAX 8000
#define KEY_MS    (8 * 60 * 1000) /* well within the time that keys are remembered */

/* Published with a key. */
struct keyed {
    uint32_t number, channel;
    uint32_t life; /* in which it was acknowledged, */
    bool is_acked; /* as it was last said */
    struct position position;
    uint32_t tries;
    bool is_backends; /* whose keys are apart from those of clients */
    uint64_t said_ms; /* first */
};

bool crowd_is_scarce;
struct page_told crowd_page_told;
struct crowd_counts crowd_counts;
static struct keyed keyed[KEYED_MAX];
static uint32_t keyed_count;
static struct page_asked pages[PAGES_MAX]; /* by rid */
static uint32_t pages_count;

void answers_forget(void)
{
    keyed_count = pages_count = 0;
}

/* ---- keys ---- */

const char *answers_data(uint32_t number, uint32_t channel)
{
    static char data[CROWD_DATA_BYTES_MAX];
    bool is_large = strstr(book_channels[channel].name, "large") != NULL;
    int padding = is_large ? 1500 : (int)(number * 7 % 60);
    snprintf(data, sizeof data, "%08x%0*d", number, padding + 1, 0); /* the same for a repetition */
    return data;
}

uint32_t answers_new_key(uint32_t channel, uint32_t author)
{
    cr_assert_lt(keyed_count, KEYED_MAX);
    keyed[keyed_count] = (struct keyed){.number = book_new(channel, author, true),
                                        .channel = channel,
                                        .tries = 1,
                                        .is_backends = author == BOOK_BACKEND,
                                        .said_ms = fake_now_ms()};
    return keyed_count++;
}

int answers_old_key(uint32_t channel, uint32_t author)
{
    for (uint32_t i = 0; i < 20 && keyed_count > 0; i++) {
        uint32_t back = fake_random(keyed_count < 60 ? keyed_count : 60), index = keyed_count - 1 - back;
        struct keyed *of = &keyed[index];
        bool is_fresh = fake_now_ms() < of->said_ms + KEY_MS && of->tries < BOOK_TRIES_MAX;
        if (of->channel != channel || of->is_backends != (author == BOOK_BACKEND) || !is_fresh) continue;
        of->tries++;
        book_tried(of->number, author);
        return (int)index;
    }
    return -1;
}

uint32_t answers_key_number(uint32_t key)
{
    return keyed[key].number;
}

/* ---- acknowledgements ---- */

void answers_published(uint32_t key, const struct position *position)
{
    struct keyed *of = &keyed[key];
    bool is_same_history = book_is_durable(of->channel) || of->life == book_life();
    bool has_history = book_channels[of->channel].rule != NULL;
    crowd_counts.acks++;
    cr_assert_eq(position_is_set(position), has_history);
    if (has_history) book_told(of->channel, position, of->number);
    if (crowd_is_scarce && of->life != book_life()) is_same_history = false;
    if (of->is_acked && is_same_history) {
        crowd_counts.repeats++;
        cr_assert(of->position.offset == position->offset && position_is_of(position, of->position.epoch),
                  "key %u was told %lu, then %lu", key, of->position.offset, position->offset);
    }
    of->is_acked = true;
    of->life = book_life();
    of->position = *position;
}

static bool read_number(yyjson_val *object, const char *name, uint64_t *number_r)
{
    yyjson_val *value;
    if (json_member(object, name, &value) != RC_OK) return false;
    cr_assert(text_is_number(json_text(value), number_r));
    return true;
}

bool answers_read_position(yyjson_val *object, struct position *position_r)
{
    yyjson_val *epoch;
    *position_r = (struct position){0};
    if (!read_number(object, "offset", &position_r->offset)) return false;
    cr_assert_eq(json_member(object, "epoch", &epoch), RC_OK);
    struct text text = json_text(epoch); /* of another node, where nothing was ever said: "" */
    cr_assert(text.count == EPOCH_BYTES || text.count == 0);
    memcpy(position_r->epoch, text.at, text.count);
    return true;
}

static bool is_true(yyjson_val *object, const char *name)
{
    yyjson_val *value;
    return json_member(object, name, &value) == RC_OK && yyjson_is_true(value);
}

static void take_ack(const char *data)
{
    yyjson_doc *document;
    yyjson_val *id, *error;
    struct position position;
    cr_assert_eq(json_read(text_of(data), &document, NULL), RC_OK);
    yyjson_val *root = yyjson_doc_get_root(document);
    cr_assert_eq(json_member(root, "id", &id), RC_OK);
    uint32_t index = (uint32_t)strtoul(json_text(id).at + 1, NULL, 10);
    cr_assert_lt(index, keyed_count);
    if (json_member(root, "error", &error) == RC_OK) {
        crowd_counts.refusals++;
    } else {
        answers_read_position(root, &position);
        answers_published(index, &position);
    }
    yyjson_doc_free(document);
}

/* ---- pages ---- */

static void check_item(const struct page_asked *page, const struct position *at, uint64_t before, yyjson_val *item)
{
    yyjson_val *data;
    uint64_t time_ms;
    cr_assert_eq(json_member(item, "data", &data), RC_OK);
    cr_assert(read_number(item, "time_ms", &time_ms));
    cr_assert_gt(at->offset, page->since);
    cr_assert_lt(at->offset, page->before);
    book_told(page->channel, at, book_number(json_text(data).at));
    bool may_lack = crowd_is_scarce && !book_is_durable(page->channel);
    if (before > 0 && !may_lack) cr_assert_eq(at->offset, book_next(page->channel, at->epoch, before));
}

void answers_take_page(const struct page_asked *page, yyjson_val *root)
{
    yyjson_val *items, *item, *complete;
    size_t index, count;
    struct position at, newest;
    uint64_t before = 0;
    crowd_counts.pages++;
    cr_assert(answers_read_position(root, &newest));
    cr_assert_eq(json_member(root, "items", &items), RC_OK);
    bool has_more = is_true(root, "more");
    crowd_page_told.is_told = true;
    crowd_page_told.offset = newest.offset;
    crowd_page_told.has_more = has_more;
    crowd_page_told.count = (uint32_t)yyjson_arr_size(items);
    memcpy(crowd_page_told.epoch, newest.epoch, sizeof crowd_page_told.epoch);
    cr_assert_leq(yyjson_arr_size(items), page->limit);
    at = newest;
    yyjson_arr_foreach(items, index, count, item)
    {
        cr_assert(read_number(item, "offset", &at.offset));
        cr_assert_gt(at.offset, before);
        check_item(page, &at, before, item);
        if (index == 0) crowd_page_told.first = at.offset;
        before = crowd_page_told.last = at.offset;
    }
    cr_assert_leq(before, newest.offset);
    bool is_to_end = !page->is_from_end && page->before == UINT64_MAX && !has_more && count > 0;
    if (is_to_end && !crowd_is_scarce) cr_assert_eq(before, newest.offset);
    cr_assert_eq(json_member(root, "complete", &complete) == RC_OK, !page->is_from_end);
    if (!is_true(root, "complete")) return;
    uint64_t next = book_next(page->channel, newest.epoch, page->since);
    if (count > 0 && page->since < newest.offset) cr_assert_eq(crowd_page_told.first, next, "it is not complete");
    if (count == 0 && page->before == UINT64_MAX) cr_assert_gt(next, newest.offset);
}

static void take_history(const char *data)
{
    yyjson_doc *document;
    yyjson_val *error;
    uint64_t rid;
    cr_assert_eq(json_read(text_of(data), &document, NULL), RC_OK);
    yyjson_val *root = yyjson_doc_get_root(document);
    cr_assert(read_number(root, "rid", &rid));
    cr_assert_lt(rid, pages_count);
    if (json_member(root, "error", &error) == RC_OK) {
        crowd_counts.pages_refused++;
    } else {
        answers_take_page(&pages[rid], root);
    }
    yyjson_doc_free(document);
}

void answers_hear(struct channel_client *client, const struct heard_event *heard)
{
    if (strcmp(heard->event, "pusher_internal:ringcast_ack") == 0) take_ack(heard->data);
    if (strcmp(heard->event, "pusher_internal:ringcast_history") == 0) take_history(heard->data);
    if (heard->channel == NULL) return;
    const struct place *place = channel_client_place(client, heard->channel);
    if (place->state != PLACE_IN) return;
    if (strcmp(heard->event, "pusher_internal:subscription_succeeded") == 0) {
        book_entered(client, place);
        if (!position_is_set(&place->asked_from)) return;
        crowd_counts.recovered += place->is_recovered;
        crowd_counts.refused += !place->is_recovered && position_is_set(&place->position);
        crowd_counts.unknown += !position_is_set(&place->position);
    } else if (strncmp(heard->event, "pusher", 6) != 0) {
        crowd_counts.replayed += place->is_recovered && heard->position.offset <= place->replay_end;
        book_heard(client, place, heard);
    }
}

/* ---- asking for pages ---- */

struct page_asked answers_choose_page(uint32_t channel, const struct position *known)
{
    struct page_asked page = {.channel = channel, .before = UINT64_MAX, .limit = 1 + fake_random(30)};
    uint32_t manner = fake_random(4);
    page.is_from_end = manner < 2;
    if (known->offset == 0) return page;
    if (manner > 1) page.since = known->offset - fake_random(known->offset < 40 ? (uint32_t)known->offset : 40);
    if (manner == 1 || manner == 2) page.before = page.since + 1 + fake_random((uint32_t)known->offset);
    return page;
}

/* As JSON members or as a query's parameters. */
const char *answers_page_text(const struct page_asked *page, bool is_json)
{
    static char text[100];
    int used = 0;
    text[0] = '\0';
    if (!page->is_from_end) {
        used =
            snprintf(text, sizeof text, is_json ? "\"since\":%llu" : "since=%llu", (unsigned long long)page->since);
    }
    if (page->before == UINT64_MAX) return text;
    const char *between = used == 0 ? "" : is_json ? "," : "&";
    snprintf(text + used, sizeof text - (size_t)used, is_json ? "%s\"before\":%llu" : "%sbefore=%llu", between,
             (unsigned long long)page->before);
    return text;
}

uint32_t answers_new_rid(const struct page_asked *page)
{
    cr_assert_lt(pages_count, PAGES_MAX);
    pages[pages_count] = *page;
    return pages_count++;
}
