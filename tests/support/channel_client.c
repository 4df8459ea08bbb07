/* tests/support/channel_client.c - what clients of channels say, and what they make of what they hear. */
#include "tests/support/channel_client.h"

#include "core/channel_type.h"
#include "core/json_text.h"
#include "net/digest.h"
#include "net/frame.h"
#include "net/json.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- a client's places ---- */

static struct place *find_place(const struct channel_client *self, const char *channel)
{
    for (uint32_t i = 0; i < self->places_count; i++) {
        if (strcmp(self->places[i].channel, channel) == 0) return &self->places[i];
    }
    return NULL;
}

static struct place *make_place(struct channel_client *self, const char *channel)
{
    struct place *place = find_place(self, channel);
    if (place != NULL) return place;
    self->places = realloc(self->places, (self->places_count + 1) * sizeof self->places[0]);
    place = &self->places[self->places_count++];
    *place = (struct place){.channel = strdup(channel), .state = PLACE_LEFT};
    return place;
}

const struct place *channel_client_place(const struct channel_client *self, const char *channel)
{
    return find_place(self, channel);
}

bool channel_client_is_in(const struct channel_client *self, const char *channel)
{
    const struct place *place = find_place(self, channel);
    return place != NULL && place->state == PLACE_IN;
}

const char *channel_client_members(const struct channel_client *self, const char *channel)
{
    const struct place *place = find_place(self, channel);
    return place != NULL && place->members != NULL ? place->members : "";
}

/* ---- members ---- */

/* Where the id stands in the list, or where it would stand. */
static char *find_member(char *members, const char *id, bool *is_there_r)
{
    size_t count = strlen(id);
    char *at = members;
    *is_there_r = false;
    while (*at != '\0') {
        size_t own = strcspn(at, "=");
        int order = memcmp(at, id, own < count ? own : count);
        *is_there_r = order == 0 && own == count;
        if (order > 0 || (order == 0 && own >= count)) return at;
        at += strcspn(at, " ") + 1;
    }
    return at;
}

static bool add_member(struct place *place, const char *id, const char *info)
{
    bool is_there;
    char *at = find_member(place->members, id, &is_there), *longer;
    if (is_there) return false;
    int before = (int)(at - place->members);
    cr_assert_geq(asprintf(&longer, "%.*s%s=%s %s", before, place->members, id, info, at), 0);
    free(place->members);
    place->members = longer;
    return true;
}

static bool remove_member(struct place *place, const char *id)
{
    bool is_there;
    char *at = find_member(place->members, id, &is_there);
    if (!is_there) return false;
    const char *behind = at + strcspn(at, " ") + 1;
    memmove(at, behind, strlen(behind) + 1);
    return true;
}

static void take_snapshot(struct place *place, yyjson_val *presence)
{
    yyjson_val *hash, *ids, *count, *key, *id;
    size_t index, most;
    uint32_t members = 0;
    cr_assert_eq(json_member(presence, "hash", &hash), RC_OK);
    cr_assert_eq(json_member(presence, "ids", &ids), RC_OK);
    cr_assert_eq(json_member(presence, "count", &count), RC_OK);
    place->members = strdup("");
    yyjson_obj_iter iter = yyjson_obj_iter_with(hash);
    while ((key = yyjson_obj_iter_next(&iter)) != NULL) {
        char *info;
        size_t bytes;
        cr_assert_eq(json_write(yyjson_obj_iter_get_val(key), &info, &bytes), RC_OK);
        cr_assert(add_member(place, yyjson_get_str(key), info), "%s is twice in a snapshot", yyjson_get_str(key));
        free(info);
        members++;
    }
    yyjson_arr_foreach(ids, index, most, id)
    {
        bool is_there;
        find_member(place->members, yyjson_get_str(id), &is_there);
        cr_assert(is_there);
    }
    cr_assert_eq(yyjson_arr_size(ids), members);
    struct text number = json_text(count);
    cr_assert_eq(strtoul(number.at, NULL, 10), members);
}

/* {"offset":45,"epoch":"k3x9abcd"}, in an event or what it tells; neither: the position is not set. */
static void read_position(yyjson_val *object, struct position *position_r)
{
    yyjson_val *offset, *epoch;
    *position_r = (struct position){0};
    bool has_offset = json_member(object, "offset", &offset) == RC_OK;
    bool has_epoch = json_member(object, "epoch", &epoch) == RC_OK;
    cr_assert_eq(has_offset, has_epoch);
    if (!has_offset) return;
    cr_assert(text_is_number(json_text(offset), &position_r->offset));
    cr_assert_eq(json_text(epoch).count, EPOCH_BYTES);
    memcpy(position_r->epoch, json_text(epoch).at, EPOCH_BYTES);
}

static void take_answer_of_history(struct place *place, yyjson_val *root, bool is_loss)
{
    yyjson_val *recovered;
    struct position told;
    read_position(root, &told);
    bool is_told = json_member(root, "recovered", &recovered) == RC_OK;
    cr_assert(is_told || !position_is_set(&told));
    place->is_recovered = is_told && yyjson_is_true(recovered);
    /* Without a position: the log could not be read. */
    bool may_be_unknown = is_loss || position_is_set(&place->asked_from);
    cr_assert(!is_told || position_is_set(&told) || (!place->is_recovered && may_be_unknown));
    place->replay_end = told.offset;
    place->position = told;
    if (!place->is_recovered) return;
    cr_assert(position_is_set(&place->asked_from) && position_is_of(&told, place->asked_from.epoch));
    cr_assert_leq(place->asked_from.offset, told.offset, "%s: recovered from the future", place->channel);
    place->position = place->asked_from;
}

/* What was known of the channel's history is over. */
static void take_loss(struct place *place, const char *data)
{
    yyjson_doc *document;
    cr_assert_eq(json_read(text_of(data), &document, NULL), RC_OK);
    take_answer_of_history(place, yyjson_doc_get_root(document), true);
    cr_assert_not(place->is_recovered);
    yyjson_doc_free(document);
}

static void take_success(struct place *place, const char *data)
{
    yyjson_doc *document;
    yyjson_val *presence;
    bool is_presence = strncmp(place->channel, "presence-", 9) == 0;
    cr_assert(place->state == PLACE_ASKED || place->was_left, "%s: a second success", place->channel);
    if (place->state == PLACE_LEFT) return; /* it came too late */
    place->state = PLACE_IN;
    free(place->members);
    place->members = NULL;
    cr_assert_eq(json_read(text_of(data), &document, NULL), RC_OK);
    if (is_presence) {
        cr_assert_eq(json_member(yyjson_doc_get_root(document), "presence", &presence), RC_OK);
        take_snapshot(place, presence);
    }
    take_answer_of_history(place, yyjson_doc_get_root(document), false);
    bool is_plain = strcmp(data, "{}") == 0 || strcmp(data, "{\"recovered\":false}") == 0;
    cr_assert(is_presence || position_is_set(&place->position) || is_plain);
    yyjson_doc_free(document);
}

static void take_member(const struct channel_client *self, struct place *place, const char *data, bool is_added)
{
    yyjson_doc *document;
    yyjson_val *id, *info;
    cr_assert_eq(json_read(text_of(data), &document, NULL), RC_OK);
    yyjson_val *root = yyjson_doc_get_root(document);
    cr_assert_eq(json_member(root, "user_id", &id), RC_OK);
    cr_assert(yyjson_is_str(id));
    bool is_news;
    if (is_added) {
        char *text;
        size_t bytes;
        cr_assert_eq(json_member(root, "user_info", &info), RC_OK);
        cr_assert_eq(json_write(info, &text, &bytes), RC_OK);
        is_news = add_member(place, yyjson_get_str(id), text);
        free(text);
    } else {
        is_news = remove_member(place, yyjson_get_str(id));
    }
    cr_assert(is_news || self->is_lenient, "client %u, %s: %s was %s already", self->client->index, place->channel,
              yyjson_get_str(id), is_added ? "there" : "gone");
    yyjson_doc_free(document);
}

/* ---- hearing ---- */

static void take_channel_event(struct channel_client *self, const struct heard_event *heard)
{
    struct place *place = find_place(self, heard->channel);
    if (strncmp(heard->channel, CHANNEL_USER_PREFIX, strlen(CHANNEL_USER_PREFIX)) == 0) return;
    if (strcmp(heard->event, "pusher:subscription_error") == 0) {
        if (place != NULL && place->state == PLACE_ASKED) place->state = PLACE_LEFT;
        return;
    }
    cr_assert(place != NULL, "%s on %s, which was never asked for", heard->event, heard->channel);
    if (strcmp(heard->event, "pusher_internal:subscription_succeeded") == 0) {
        take_success(place, heard->data);
        return;
    }
    cr_assert(place->state != PLACE_ASKED || place->was_left, "%s on %s came before the success", heard->event,
              heard->channel);
    bool is_loss = strcmp(heard->event, "pusher_internal:ringcast_position") == 0;
    if (is_loss && place->state == PLACE_IN) take_loss(place, heard->data);
    if (place->state != PLACE_IN || place->members == NULL) return;
    if (strcmp(heard->event, "pusher_internal:member_added") == 0) take_member(self, place, heard->data, true);
    if (strcmp(heard->event, "pusher_internal:member_removed") == 0) take_member(self, place, heard->data, false);
}

/* The event, which has a position, was heard. */
static void move_on(const struct channel_client *self, const struct heard_event *heard)
{
    struct place *place = find_place(self, heard->channel);
    if (place->state != PLACE_IN) return;
    if (position_is_set(&place->position)) {
        cr_assert_str_eq(heard->position.epoch, place->position.epoch, "%s changed its epoch", heard->channel);
        cr_assert_gt(heard->position.offset, place->position.offset, "client %u, %s: an offset again",
                     self->client->index, heard->channel);
    }
    place->position = heard->position;
}

static char *string_of(yyjson_val *object, const char *name)
{
    yyjson_val *value;
    enum rc rc = json_member(object, name, &value);
    if (rc == RC_ENOENT) return NULL;
    cr_assert(rc == RC_OK && yyjson_is_str(value), "%s is no string, or there twice", name);
    return strdup(yyjson_get_str(value));
}

static void read_error(struct heard_event *heard, yyjson_val *root)
{
    yyjson_val *data, *code;
    cr_assert_eq(json_member(root, "data", &data), RC_OK);
    cr_assert_eq(json_member(data, "code", &code), RC_OK);
    heard->code = yyjson_is_null(code) ? CHANNEL_CODE_NULL : (int)strtoul(json_text(code).at, NULL, 10);
    heard->data = string_of(data, "message");
    cr_assert_not_null(heard->data);
}

static void greeted(struct channel_client *self, const char *data)
{
    yyjson_doc *document;
    cr_assert_eq(self->heard_count, 1, "the greeting is the first that is said");
    cr_assert_eq(json_read(text_of(data), &document, NULL), RC_OK);
    char *id = string_of(yyjson_doc_get_root(document), "socket_id");
    cr_assert(id != NULL && strlen(id) < sizeof self->socket_id);
    snprintf(self->socket_id, sizeof self->socket_id, "%s", id);
    free(id);
    yyjson_doc_free(document);
}

static void take(struct client *client, uint8_t opcode, const uint8_t *payload, size_t count)
{
    struct channel_client *self = client->owner;
    yyjson_doc *document;
    cr_assert_eq(opcode, FRAME_TEXT);
    cr_assert_eq(json_read((struct text){(const char *)payload, count}, &document, NULL), RC_OK, "%.*s", (int)count,
                 (const char *)payload);
    if (self->heard_count == self->heard_capacity) {
        self->heard_capacity = 2 * self->heard_capacity + 32;
        self->heard = realloc(self->heard, self->heard_capacity * sizeof self->heard[0]);
    }
    yyjson_val *root = yyjson_doc_get_root(document);
    struct heard_event *heard = &self->heard[self->heard_count++];
    *heard = (struct heard_event){.event = string_of(root, "event"), .channel = string_of(root, "channel")};
    cr_assert_not_null(heard->event);
    heard->said_then = self->now != NULL ? *self->now : 0;
    heard->user_id = string_of(root, "user_id");
    read_position(root, &heard->position);
    if (strcmp(heard->event, "pusher:error") == 0) {
        read_error(heard, root);
    } else {
        heard->data = string_of(root, "data");
        cr_assert_not_null(heard->data);
    }
    if (strcmp(heard->event, "pusher:connection_established") == 0) greeted(self, heard->data);
    if (heard->channel != NULL) take_channel_event(self, heard);
    if (self->on_event != NULL) self->on_event(self, heard);
    if (position_is_set(&heard->position)) move_on(self, heard);
    yyjson_doc_free(document);
}

const struct heard_event *channel_client_heard(const struct channel_client *self, const char *event,
                                               const char *channel, uint32_t n)
{
    for (uint32_t i = 0; i < self->heard_count; i++) {
        const struct heard_event *heard = &self->heard[i];
        if (strcmp(heard->event, event) != 0) continue;
        if (channel != NULL && (heard->channel == NULL || strcmp(heard->channel, channel) != 0)) continue;
        if (n-- == 0) return heard;
    }
    return NULL;
}

uint32_t channel_client_count(const struct channel_client *self, const char *event, const char *channel)
{
    uint32_t count = 0;
    while (channel_client_heard(self, event, channel, count) != NULL) {
        count++;
    }
    return count;
}

/* ---- coming and going ---- */

static void free_client(void *owner)
{
    struct channel_client *self = owner;
    for (uint32_t i = 0; i < self->heard_count; i++) {
        free(self->heard[i].event);
        free(self->heard[i].channel);
        free(self->heard[i].data);
        free(self->heard[i].user_id);
    }
    for (uint32_t i = 0; i < self->places_count; i++) {
        free(self->places[i].channel);
        free(self->places[i].members);
    }
    free(self->heard);
    free(self->places);
    free(self);
}

struct channel_client *channel_client_join(struct scenario *scenario, uint32_t shard, const char *key,
                                           size_t send_buffer)
{
    char path[200];
    struct channel_client *self = calloc(1, sizeof *self);
    snprintf(path, sizeof path, "/app/%s?protocol=7&client=js&version=8.6.0&flash=false", key);
    self->client = client_join(scenario, shard, key[0] == '/' ? key : path, send_buffer);
    self->client->owner = self;
    self->client->take = take;
    self->client->free_owner = free_client;
    return self;
}

struct channel_client *channel_client_enter(struct scenario *scenario, uint32_t shard)
{
    struct channel_client *self = channel_client_join(scenario, shard, CHANNEL_APP_KEY, 65536);
    scenario_settle(scenario);
    cr_assert(channel_client_is_here(self));
    return self;
}

bool channel_client_is_here(const struct channel_client *self)
{
    return self->socket_id[0] != '\0' && self->client->code == 0 && !fake_is_at_end(self->client->socket);
}

/* ---- saying ---- */

void channel_client_say(struct channel_client *self, const char *format, ...)
{
    va_list arguments;
    char *text;
    va_start(arguments, format);
    int count = vasprintf(&text, format, arguments);
    va_end(arguments);
    cr_assert_geq(count, 0);
    client_frame(self->client, FRAME_TEXT, text, (size_t)count);
    free(text);
}

void channel_sign(const char *text, char auth_r[128])
{
    char signature[DIGEST_HMAC_HEX_BYTES + 1];
    struct text piece = text_of(text);
    cr_assert_eq(digest_hmac_hex(text_of(CHANNEL_APP_SECRET), &piece, 1, signature), RC_OK);
    snprintf(auth_r, 128, "%s:%s", CHANNEL_APP_KEY, signature);
}

/* `recover` is a JSON value; NULL: it is not asked for. */
static void subscribe(struct channel_client *self, struct place *place, const char *data, const char *recover)
{
    char auth[128] = "", text[4000], *escaped = calloc(1, data != NULL ? json_text_bytes(text_of(data)) + 1 : 1);
    const char *channel = place->channel;
    place->state = PLACE_ASKED;
    if (channel_type_of(text_of(channel)).needs_auth) {
        snprintf(text, sizeof text, "%s:%s%s%s", self->socket_id, channel, data != NULL ? ":" : "",
                 data != NULL ? data : "");
        channel_sign(text, auth);
    }
    if (data != NULL) json_text_write(escaped, text_of(data));
    channel_client_say(self,
                       "{\"event\":\"pusher:subscribe\",\"data\":{\"auth\":\"%s\",\"channel\":\"%s\"%s%s%s%s%s}}",
                       auth, channel, data != NULL ? ",\"channel_data\":\"" : "", escaped, data != NULL ? "\"" : "",
                       recover != NULL ? ",\"recover\":" : "", recover != NULL ? recover : "");
    free(escaped);
}

void channel_client_subscribe_with(struct channel_client *self, const char *channel, const char *data)
{
    struct place *place = make_place(self, channel);
    place->asked_from = (struct position){0};
    subscribe(self, place, data, NULL);
}

void channel_client_recover(struct channel_client *self, const char *channel, const char *user_id,
                            const struct position *from)
{
    struct place *place = make_place(self, channel);
    char recover[100] = "true", data[300];
    if (position_is_set(from)) {
        snprintf(recover, sizeof recover, "{\"epoch\":\"%s\",\"offset\":%llu}", from->epoch,
                 (unsigned long long)from->offset);
    }
    if (user_id != NULL) {
        snprintf(data, sizeof data, "{\"user_id\":\"%s\",\"user_info\":{\"name\":\"%s\"}}", user_id, user_id);
    }
    place->asked_from = *from;
    subscribe(self, place, user_id != NULL ? data : NULL, recover);
}

void channel_client_subscribe(struct channel_client *self, const char *channel)
{
    channel_client_subscribe_with(self, channel, NULL);
}

void channel_client_subscribe_as(struct channel_client *self, const char *channel, const char *user_id)
{
    char data[300];
    snprintf(data, sizeof data, "{\"user_id\":\"%s\",\"user_info\":{\"name\":\"%s\"}}", user_id, user_id);
    channel_client_subscribe_with(self, channel, data);
}

void channel_client_unsubscribe(struct channel_client *self, const char *channel)
{
    struct place *place = make_place(self, channel);
    place->state = PLACE_LEFT;
    place->was_left = true;
    channel_client_say(self, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"%s\"}}", channel);
}

void channel_client_send(struct channel_client *self, const char *channel, const char *event, const char *data)
{
    channel_client_say(self, "{\"event\":\"%s\",\"channel\":\"%s\",\"data\":%s}", event, channel, data);
}

void channel_client_publish(struct channel_client *self, const char *channel, const char *event, const char *data,
                            const char *id)
{
    if (channel_type_is_public(channel_type_of(text_of(channel)))) {
        channel_client_say(self,
                           "{\"event\":\"pusher:ringcast_publish\",\"data\":{\"channel\":\"%s\",\"data\":%s,"
                           "\"id\":\"%s\"}}",
                           channel, data, id);
    } else {
        channel_client_say(self, "{\"event\":\"%s\",\"channel\":\"%s\",\"data\":%s,\"id\":\"%s\"}", event, channel,
                           data, id);
    }
}

void channel_client_ask_page(struct channel_client *self, const char *channel, const char *which, uint32_t limit,
                             uint32_t rid)
{
    channel_client_say(
        self, "{\"event\":\"pusher:ringcast_history\",\"data\":{\"channel\":\"%s\",\"limit\":%u,\"rid\":%u%s%s}}",
        channel, limit, rid, which[0] != '\0' ? "," : "", which);
}

void channel_client_sign_in(struct channel_client *self, const char *user_id, const char *watchlist)
{
    char *data;
    cr_assert_geq(asprintf(&data, "{\"id\":\"%s\"%s%s}", user_id, watchlist != NULL ? ",\"watchlist\":" : "",
                           watchlist != NULL ? watchlist : ""),
                  0);
    channel_client_sign_in_with(self, data);
    free(data);
}

void channel_client_sign_in_with(struct channel_client *self, const char *data)
{
    char *text, auth[128];
    cr_assert_geq(asprintf(&text, "%s::user::%s", self->socket_id, data), 0);
    channel_sign(text, auth);
    char *escaped = calloc(1, json_text_bytes(text_of(data)) + 1);
    json_text_write(escaped, text_of(data));
    channel_client_say(self, "{\"event\":\"pusher:signin\",\"data\":{\"auth\":\"%s\",\"user_data\":\"%s\"}}", auth,
                       escaped);
    free(escaped);
    free(text);
}

const char *channel_name(const struct scenario *scenario, const char *prefix, uint32_t home, uint32_t which,
                         char name_r[64])
{
    for (uint32_t n = 0;; n++) {
        int length = snprintf(name_r, 64, "%s%u", prefix, n);
        struct name name = name_of(0, (struct text){name_r, (size_t)length});
        if (hub_home(&scenario->server.shards[0].hub, &name) == home && which-- == 0) return name_r;
    }
}
