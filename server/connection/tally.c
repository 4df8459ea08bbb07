/* server/connection/tally.c - counting, and the line at the end. */
#include "server/connection/tally.h"

#include "core/memory.h"
#include "server/connection/component.h"
#include "server/connection/peer.h"
#include "server/system/log.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum rc tally_init(struct shard *shard)
{
    if (shard->options->log_connections == 0) return RC_OK;
    shard->tally.entries = memory_reserve(shard->slots_max, sizeof shard->tally.entries[0]);
    return shard->tally.entries != NULL ? RC_OK : RC_ENOMEM;
}

void tally_fini(struct shard *shard)
{
    if (shard->tally.entries == NULL) return;
    for (uint32_t i = 0; i < shard->slots_used; i++)
        free(shard->tally.entries[i].names);
    memory_release(shard->tally.entries, shard->slots_max, sizeof shard->tally.entries[0]);
    shard->tally.entries = NULL;
}

void tally_begin(struct shard *shard, uint32_t slot)
{
    assert(owner_is_me(&shard->owner));
    if (shard->tally.entries == NULL) return;
    shard->tally.entries[slot] = (struct tally){.began_ms = shard->now_ms, .protocol = "http"};
}

static char *join_names(const struct identity *identity)
{
    char *names = malloc(identity->app.count + identity->user.count + 2), *to = names;
    if (names == NULL) return NULL; /* the line goes without them */
    to = text_put(to, identity->app);
    *to++ = '\0';
    to = text_put(to, identity->user);
    *to = '\0';
    return names;
}

void tally_leave(struct shard *shard, const struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (shard->tally.entries == NULL || connection->component == NULL) return;
    struct tally *tally = &shard->tally.entries[shard_slot(shard, connection)];
    struct identity identity = {.app = text_of(""), .user = text_of("")};
    connection->component->identify(shard, connection, &identity);
    tally->protocol = connection->component->name;
    free(tally->names);
    tally->names = join_names(&identity);
}

static void add_names(struct log_fields *fields, const char *names)
{
    if (names == NULL) return;
    const char *user = names + strlen(names) + 1;
    if (names[0] != '\0') log_field_text(fields, LOG_FIELD_app, names);
    if (user[0] != '\0') log_field_text(fields, LOG_FIELD_user, user);
}

static void tell(const struct shard *shard, const struct connection *connection, const struct tally *tally)
{
    LOG_SITE(site, LOG_LEVEL_INFO, TALLY_LINES_MAX);
    char text[32], address[IP_TEXT_MAX];
    struct log_fields fields = {.used = 0};
    if (!log_is_on(LOG_LEVEL_INFO) || !log_site_admits(&site)) return;
    snprintf(text, sizeof text, "%u.%u", shard_slot(shard, connection), connection->life);
    log_field_text(&fields, LOG_FIELD_connection, text);
    log_field_text(&fields, LOG_FIELD_address, connection_address(shard, connection, address));
    log_field_text(&fields, LOG_FIELD_protocol, tally->protocol);
    add_names(&fields, tally->names);
    snprintf(text, sizeof text, "%s", close_reason_name(connection->reason));
    for (char *at = text; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    log_field_text(&fields, LOG_FIELD_reason, text);
    log_field_number(&fields, LOG_FIELD_bytes_in, tally->bytes_in);
    log_field_number(&fields, LOG_FIELD_bytes_out, tally->bytes_out);
    log_field_ms(&fields, LOG_FIELD_seconds, shard->now_ms - tally->began_ms);
    log_write_fields(LOG_LEVEL_INFO, &fields, "a connection ended: %s", close_reason_text(connection->reason));
}

void tally_end(struct shard *shard, const struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (shard->tally.entries == NULL) return;
    struct tally *tally = &shard->tally.entries[shard_slot(shard, connection)];
    if (shard->tally.ended++ % shard->options->log_connections == 0) tell(shard, connection, tally);
    free(tally->names);
    tally->names = NULL;
}
