/* server/connection/secure.c - opening what comes, sealing what goes. */
#include "server/connection/secure.h"

#include "core/batch.h"
#include "core/bytes.h"
#include "core/span.h"
#include "net/tls/tls.h"
#include "server/connection/connection_state.h"
#include "server/connection/flush_queue.h"
#include "server/connection/long_answer.h"
#include "server/shard/shard.h"
#include "server/system/clock.h"
#include "server/system/log.h"

#include <assert.h>

_Static_assert(SECURE_SCRATCH_BYTES >= TLS_SEALED_BYTES_MAX, "a record fits");

/* ---- output ---- */

/* Where net/tls puts what it says by itself: behind what the connection has unsent. */
static enum rc collect(void *owner, const uint8_t *bytes, size_t count)
{
    struct connection *connection = owner;
    return span_append(&connection->unsent, bytes, (uint32_t)count);
}

/* What was collected goes out with the flush. */
static void flush_unsent(struct shard *shard, struct connection *connection)
{
    if (!connection_has_unsent(connection)) return;
    if (connection->unsent_ms == 0) connection->unsent_ms = shard->now_ms;
    flush_later(shard, shard_slot(shard, connection));
}

/* ---- what comes ---- */

static enum tls_result note(struct shard *shard, const struct connection *connection, enum tls_result result)
{
    if (result == TLS_OK || result == TLS_MORE) return result;
    log_debug("connection %u.%u: TLS: %s", shard_slot(shard, connection), connection->life,
              tls_reason(connection->tls));
    return result;
}

enum tls_result secure_open(struct shard *shard, struct connection *connection, struct bytes *in,
                            struct bytes *plain_r)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->is_secure && connection->tls != NULL);
    size_t eaten, count = 0;
    enum tls_result result = tls_read(connection->tls, in->at, in->count, &eaten, shard->tls.plain, &count);
    bytes_take(in, eaten);
    flush_unsent(shard, connection);
    *plain_r = bytes_of(shard->tls.plain, count);
    return note(shard, connection, result);
}

/* ---- handshakes ---- */

static bool make_session(struct shard *shard, struct connection *connection)
{
    if (connection->tls != NULL) return true;
    connection->tls = tls_new(shard->tls.sessions, shard->tls.context, collect, connection);
    if (connection->tls != NULL) counter_add(&shard->counters, COUNTER_tls_begun, 1);
    return connection->tls != NULL;
}

enum tls_result secure_shake(struct shard *shard, struct connection *connection, struct bytes *in)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->is_secure && connection->state == CONNECTION_TLS);
    if (!make_session(shard, connection)) return TLS_NO_MEMORY;
    size_t eaten;
    enum tls_result result = tls_handshake(connection->tls, in->at, in->count, &eaten);
    bytes_take(in, eaten);
    flush_unsent(shard, connection);
    shard->tls.shaken_us = monotonic_us();
    if (result == TLS_OK) {
        counter_add(&shard->counters, COUNTER_tls_handshakes, 1);
        histogram_record(&shard->counters.histograms[HISTOGRAM_tls_handshake],
                         shard->tls.shaken_us - connection->accepted_us);
        if (tls_is_resumed(connection->tls)) counter_add(&shard->counters, COUNTER_tls_resumed, 1);
    } else if (result != TLS_MORE) {
        counter_add(&shard->counters, COUNTER_tls_failed, 1);
    }
    return note(shard, connection, result);
}

/* ---- what goes ---- */

/* Plaintext for one record: the first batch's bytes where they lie, or several batches joined. */
static const uint8_t *gather(struct shard *shard, const struct outbox *outbox, size_t *count_r)
{
    assert(!outbox_is_empty(outbox));
    const uint8_t *first = outbox_first_bytes(outbox, count_r);
    if (*count_r >= TLS_RECORD_BYTES_MAX) {
        *count_r = TLS_RECORD_BYTES_MAX;
        return first;
    }
    if (outbox->rest == NULL) return first;
    *count_r = outbox_copy(outbox, shard->tls.plain, TLS_RECORD_BYTES_MAX);
    return shard->tls.plain;
}

enum rc secure_next(struct shard *shard, struct connection *connection, struct outbox *outbox, uint8_t *scratch,
                    const uint8_t **bytes_r, size_t *count_r)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->is_secure);
    if (connection_has_unsent(connection)) {
        *count_r = connection->unsent->count - connection->unsent_at;
        *bytes_r = connection->unsent->bytes + connection->unsent_at;
        return RC_OK;
    }
    if (outbox_is_empty(outbox) || connection->tls == NULL || connection->is_tls_ended) return RC_ENOENT;
    size_t count;
    const uint8_t *plain = gather(shard, outbox, &count);
    if (tls_seal(connection->tls, plain, count, scratch, count_r) != TLS_OK) return RC_ENOMEM;
    outbox_advance(outbox, &shard->counters, count);
    if (outbox->marks & OUTBOX_LONG) long_answer_went(connection, count);
    counter_subtract(&shard->counters, COUNTER_outbox_bytes, count);
    *bytes_r = scratch;
    return RC_OK;
}

enum rc secure_sent(struct shard *shard, struct connection *connection, const uint8_t *bytes, size_t count,
                    size_t went)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->is_secure && went <= count);
    if (connection_has_unsent(connection)) {
        connection->unsent_at += (uint32_t)went;
        if (connection_has_unsent(connection)) return RC_OK;
        span_free(&connection->unsent);
        connection->unsent_at = 0;
        connection->unsent_ms = 0;
    } else if (went < count) {
        connection->unsent_at = 0;
        enum rc rc = span_append(&connection->unsent, bytes + went, (uint32_t)(count - went));
        if (rc != RC_OK) return rc;
        connection->unsent_ms = shard->now_ms;
    }
    return RC_OK;
}

/* ---- the end ---- */

bool secure_say_end(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->tls == NULL || connection->is_tls_ended) return false;
    connection->is_tls_ended = true;
    tls_close(connection->tls);
    flush_unsent(shard, connection);
    return connection_has_unsent(connection);
}

void secure_free(struct connection *connection)
{
    tls_free(connection->tls);
    span_free(&connection->unsent);
    connection->tls = NULL;
    connection->unsent_at = 0;
    connection->unsent_ms = 0;
}
