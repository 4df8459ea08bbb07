/* tests/support/history_backend.c - the backend of the crowd: it publishes and asks, one call behind the other. */
#include "tests/support/history_crowd_private.h"

#include "tests/support/api_client.h"
#include "tests/support/fake_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define ASKED_MAX 8000

/* What it waits for. */
struct asked {
    uint32_t channel; /* UINT32_MAX: one that the book does not know */
    uint32_t number;  /* a publish; 0: a page */
    int keyed;        /* -1: without a key */
    struct page_asked page;
};

static struct api_client *backend;    /* NULL: not here */
static struct asked asked[ASKED_MAX]; /* by answer */
static uint32_t asked_count, taken_count;

void backend_forget(void)
{
    backend = NULL;
    asked_count = taken_count = 0;
}

/* ---- answers ---- */

static void take_publish(const struct asked *of, const struct api_answer *answer)
{
    yyjson_doc *document;
    yyjson_val *channels, *channel;
    struct position position;
    if (answer->status != 200) {
        crowd_counts.refusals++;
        bool is_certain = strstr(answer->body, "nothing was published") != NULL;
        if (is_certain && of->keyed < 0) book_refused(of->number);
        return;
    }
    cr_assert_eq(json_read(text_of(answer->body), &document, NULL), RC_OK);
    cr_assert_eq(json_member(yyjson_doc_get_root(document), "channels", &channels), RC_OK);
    cr_assert_eq(json_member(channels, book_channels[of->channel].name, &channel), RC_OK);
    answers_read_position(channel, &position);
    if (of->keyed >= 0) {
        answers_published((uint32_t)of->keyed, &position);
    } else if (position_is_set(&position)) {
        book_told(of->channel, &position, of->number);
    }
    yyjson_doc_free(document);
}

static void take_answer(const struct asked *of, const struct api_answer *answer)
{
    yyjson_doc *document;
    if (of->channel == UINT32_MAX) return;
    if (of->number != 0) {
        take_publish(of, answer);
    } else if (answer->status != 200) {
        cr_assert(answer->status != 404 || book_channels[of->channel].rule == NULL);
        crowd_counts.pages_refused++;
    } else {
        cr_assert_eq(json_read(text_of(answer->body), &document, NULL), RC_OK);
        answers_take_page(&of->page, yyjson_doc_get_root(document));
        yyjson_doc_free(document);
    }
}

void backend_hear(void)
{
    while (backend != NULL && taken_count < backend->answers_count) {
        cr_assert_lt(taken_count, asked_count);
        take_answer(&asked[taken_count], &backend->answers[taken_count]);
        taken_count++;
    }
}

/* ---- calls ---- */

static void backend_comes(void)
{
    if (backend != NULL && !fake_is_at_end(backend->client->socket)) return;
    if (crowd_scenario.clients_count >= SCENARIO_CROWD_MAX - 2) return;
    backend = api_client_join(&crowd_scenario, crowd_any_shard(), CROWD_SEND_BUFFER);
    asked_count = taken_count = 0;
}

static void backend_publishes(uint32_t channel)
{
    char *body, key[60] = "";
    uint32_t manner = fake_random(4);
    int old = manner == 0 ? answers_old_key(channel, BOOK_BACKEND) : -1;
    struct asked *of = &asked[asked_count++];
    *of = (struct asked){.channel = channel, .keyed = old};
    if (old < 0 && manner == 1) of->keyed = (int)answers_new_key(channel, BOOK_BACKEND);
    of->number = of->keyed >= 0 ? answers_key_number((uint32_t)of->keyed) : book_new(channel, BOOK_BACKEND, false);
    if (of->keyed >= 0) snprintf(key, sizeof key, ",\"idempotency_key\":\"k%d\"", of->keyed);
    cr_assert_geq(asprintf(&body, "{\"name\":\"message\",\"channel\":\"%s\",\"data\":\"%s\",\"info\":\"position\"%s}",
                           book_channels[channel].name, answers_data(of->number, channel), key),
                  0);
    api_client_post(backend, "/events", body);
    free(body);
}

static void backend_asks(const struct page_asked *page)
{
    char path[100], query[160];
    const char *which = answers_page_text(page, false);
    asked[asked_count++] = (struct asked){.channel = page->channel, .keyed = -1, .page = *page};
    snprintf(path, sizeof path, "/channels/%s/history", book_channels[page->channel].name);
    /* A signature wants its parameters in order: before, limit, since. */
    const char *since = strstr(which, "since="), *before = strstr(which, "before=");
    int since_bytes = since != NULL ? (int)strcspn(since, "&") : 0;
    snprintf(query, sizeof query, "%s%slimit=%u%s%.*s", before != NULL ? before : "", before != NULL ? "&" : "",
             page->limit, since != NULL ? "&" : "", since_bytes, since != NULL ? since : "");
    api_client_get(backend, path, query);
}

/* A channel that nobody else is in, of which the book knows nothing: it has to go by itself. */
static void backend_tries_another(void)
{
    char path[100], body[200];
    const char *kind = fake_random(2) ? "m" : "d";
    asked[asked_count++] = (struct asked){.channel = UINT32_MAX};
    if (fake_random(3) == 0) {
        snprintf(path, sizeof path, "/channels/once-%s%u/history", kind, fake_random(1000));
        api_client_get(backend, path, "");
        return;
    }
    snprintf(body, sizeof body, "{\"name\":\"x\",\"channel\":\"once-%s%u\",\"data\":\"y\"%s}", kind,
             fake_random(1000), fake_random(2) ? ",\"idempotency_key\":\"k\"" : "");
    api_client_post(backend, "/events", body);
}

void backend_act(uint32_t channel, const struct position *known)
{
    backend_comes();
    if (backend == NULL || fake_is_at_end(backend->client->socket) || asked_count == ASKED_MAX) return;
    if (fake_random(5) == 0) {
        backend_tries_another();
    } else if (fake_random(4) > 0) {
        backend_publishes(channel);
    } else {
        struct page_asked page = answers_choose_page(channel, known);
        backend_asks(&page);
    }
    backend_hear();
}

/* ---- all of a channel ---- */

static const struct page_asked whole = {.before = UINT64_MAX, .limit = 20};

/* One page more, which is told; false: none can be. */
static bool read_page(const struct page_asked *page)
{
    crowd_page_told.is_told = false;
    backend_asks(page);
    scenario_settle(&crowd_scenario);
    backend_hear();
    cr_assert(crowd_page_told.is_told, "%s: %s", book_channels[page->channel].name,
              backend->answers[backend->answers_count - 1].body);
    return crowd_page_told.count > 0;
}

/* How many of a durable channel have to be there: those of its rule's size that are not too old by then. */
static uint64_t oldest_due(uint32_t channel, const char *epoch)
{
    const struct book_channel *of = &book_channels[channel];
    uint64_t now_ms = FAKE_REALTIME_MS + fake_now_ms(), offsets[1000], count = 0;
    const struct fake_stored *stored = fake_store_next(of->name, epoch, 0);
    for (; stored != NULL; stored = fake_store_next(of->name, epoch, stored->offset)) {
        if (stored->time_ms + of->ttl_ms > now_ms + 5000) offsets[count++ % of->size] = stored->offset;
    }
    if (count == 0) return UINT64_MAX;
    return count > of->size ? offsets[count % of->size] : offsets[0];
}

void backend_read_whole(uint32_t channel)
{
    struct page_asked page = whole;
    backend_comes();
    page.channel = channel;
    page.is_from_end = true;
    uint64_t first = 0;
    bool may_lack = crowd_is_scarce && !book_is_durable(channel);
    while (read_page(&page)) {
        if (first > 0 && !may_lack) {
            cr_assert_eq(book_next(channel, crowd_page_told.epoch, crowd_page_told.last), first,
                         "%s: pages have a gap", book_channels[channel].name);
        }
        page.before = first = crowd_page_told.first;
        if (!crowd_page_told.has_more) break;
    }
    if (book_is_durable(channel)) {
        uint64_t due = oldest_due(channel, crowd_page_told.epoch);
        cr_assert(due == UINT64_MAX || (first > 0 && first <= due), "%s: %lu is lost, the oldest is %lu",
                  book_channels[channel].name, due, first);
    }
    page = whole;
    page.channel = channel;
    while (read_page(&page)) {
        bool is_next =
            page.since == 0 || book_next(channel, crowd_page_told.epoch, page.since) == crowd_page_told.first;
        cr_assert(is_next || may_lack, "%s: pages have a gap", book_channels[channel].name);
        page.since = crowd_page_told.last;
        if (!crowd_page_told.has_more) break;
    }
    if (page.since > 0 && !crowd_is_scarce) cr_assert_eq(page.since, crowd_page_told.offset);
}
