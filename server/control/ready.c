/* server/control/ready.c - what stands against sending clients here. */
#include "server/control/ready.h"

#include "core/json_text.h"
#include "core/text.h"
#include "server/cluster/cluster.h"
#include "server/connection/door.h"
#include "server/http/answer.h"
#include "server/shard/exchange.h"
#include "server/shard/shard.h"
#include "server/store/store.h"

#include <assert.h>
#include <ck_pr.h>
#include <stddef.h>

#define SHORT_MS         10000
#define NO_STORE         "Cache-Control: no-store\r\n"
#define REASON_BYTES_MAX 200
#define BODY_BYTES_MAX   (READY_REASONS_MAX * (2 * 6 * REASON_BYTES_MAX + 40) + 40)

void ready_answer_live(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    (void)request;
    http_answer(shard, connection, 200, ANSWER_JSON, text_of("{\"live\":true}"), NO_STORE);
}

/* Nobody tells us that memory is short, but what was closed for it does. */
static bool is_short_of_memory(struct shard *shard)
{
    const struct exchange *exchange = shard->exchange;
    uint64_t closed = 0;
    for (uint32_t i = 0; i < exchange->shards_count; i++) {
        closed += counter_get(&exchange->shards[i].counters, counter_of_close(CLOSE_NO_MEMORY));
    }
    if (closed > shard->control.closed_for_memory) shard->control.short_until_ms = shard->now_ms + SHORT_MS;
    shard->control.closed_for_memory = closed;
    return shard->now_ms < shard->control.short_until_ms;
}

uint32_t ready_find_reasons(struct shard *shard, struct ready_reason reasons_r[READY_REASONS_MAX])
{
    assert(owner_is_me(&shard->owner));
    const struct door *door = &shard->doors->public;
    const char *trouble = shard->store != NULL ? store_trouble(shard->store) : NULL;
    const char *away = shard->cluster != NULL ? cluster_trouble(shard->cluster) : NULL;
    uint32_t count = 0;
    if (shard_is_draining(shard)) reasons_r[count++] = (struct ready_reason){"draining", "the server is stopping"};
    if (trouble != NULL) reasons_r[count++] = (struct ready_reason){"store", trouble};
    if (away != NULL) reasons_r[count++] = (struct ready_reason){"cluster", away};
    if (ck_pr_load_64(&door->connections_open) >= door->connections_max)
        reasons_r[count++] = (struct ready_reason){"connections_full", "--connections-max clients are there"};
    if (is_short_of_memory(shard))
        reasons_r[count++] = (struct ready_reason){"memory", "connections were closed for want of memory"};
    return count;
}

static char *put_string(char *to, const char *text)
{
    struct text cut = text_of(text);
    if (cut.count > REASON_BYTES_MAX) cut.count = REASON_BYTES_MAX;
    *to++ = '"';
    to = json_text_write(to, cut);
    *to++ = '"';
    return to;
}

void ready_answer(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    (void)request;
    char body[BODY_BYTES_MAX];
    struct ready_reason reasons[READY_REASONS_MAX];
    uint32_t count = ready_find_reasons(shard, reasons);
    char *to =
        text_put(body, text_of(count == 0 ? "{\"ready\":true,\"reasons\":[" : "{\"ready\":false,\"reasons\":["));
    for (uint32_t i = 0; i < count; i++) {
        to = text_put(to, text_of(i > 0 ? ",{\"reason\":" : "{\"reason\":"));
        to = put_string(to, reasons[i].name);
        to = text_put(to, text_of(",\"text\":"));
        to = put_string(to, reasons[i].text);
        *to++ = '}';
    }
    to = text_put(to, text_of("]}"));
    http_answer(shard, connection, count == 0 ? 200 : 503, ANSWER_JSON, text_between(body, to), NO_STORE);
}
