/* tests/support/channel_client.h - clients of channels in a scenario: they subscribe, sign for themselves, send
 * events, sign in, and keep what they hear.
 *
 * Not obvious: what every client may rely on is asserted as the events come: data is a string (of pusher:error an
 * object), a channel is heard of between its success and its end only, a member_added names somebody new and a
 * member_removed somebody who is there, positions only grow and stay in one epoch. What depends on the test is kept for
 * it: all events in their order, and the members of each channel. */
#pragma once

#include "core/position.h"
#include "tests/support/scenario.h"

#define CHANNEL_APP_ID     "1001"
#define CHANNEL_APP_KEY    "rc-key"
#define CHANNEL_APP_SECRET "rc-secret"
#define CHANNEL_APP        CHANNEL_APP_ID ":" CHANNEL_APP_KEY ":" CHANNEL_APP_SECRET
#define CHANNEL_CODE_NULL  (-1)
/* For scenario_start(): an app with these settings, and more flags. */
#define CHANNEL_FLAGS(settings, ...) \
    ((const char *const[]){"--app", CHANNEL_APP " " settings, __VA_ARGS__ __VA_OPT__(, ) NULL})

struct heard_event {
    char *event;
    char *channel;            /* NULL: none */
    char *data;               /* of pusher:error the message */
    char *user_id;            /* NULL: none */
    struct position position; /* in the channel's history; not set: none */
    int code;                 /* of pusher:error; CHANNEL_CODE_NULL: null */
    uint32_t said_then;       /* the test's own clock: client->now when it came */
};

enum place_state {
    PLACE_ASKED, /* to subscribe, not answered */
    PLACE_IN,
    PLACE_LEFT, /* unsubscribed from, or refused */
};

/* A channel, as the client sees it. */
struct place {
    char *channel;
    enum place_state state;
    bool was_left;              /* it has been here before: a success may be of the earlier time */
    bool is_member;             /* of a presence channel */
    char *members;              /* "a={...} b=null ", in the order of their ids; NULL: no presence channel */
    struct position asked_from; /* of the latest subscription; not set: it did not ask for what it missed */
    bool is_recovered;          /* what it missed came behind the success, */
    uint64_t replay_end;        /* up to here */
    struct position position;   /* how far it has come; not set: that is not known */
};

struct channel_client {
    struct client *client;
    char socket_id[32]; /* "": not greeted yet */
    bool is_lenient;    /* members may have been lost: the server was short of memory */
    uint32_t *now;      /* where the test counts; NULL: it does not */
    struct heard_event *heard;
    uint32_t heard_count, heard_capacity;
    struct place *places;
    uint32_t places_count;
    /* The test's own ears; NULL: none. Its place is still where the event before has left it. */
    void (*on_event)(struct channel_client *self, const struct heard_event *heard);
    uint32_t tag; /* the test's */
};

/* Connects to a shard as a client of that app's key, or to a path, which begins with a slash. */
struct channel_client *channel_client_join(struct scenario *scenario, uint32_t shard, const char *key,
                                           size_t send_buffer);
/* The same for the test's app with room for what it is sent; it has been greeted. */
struct channel_client *channel_client_enter(struct scenario *scenario, uint32_t shard);
/* Has it been greeted, and may it still say something? */
bool channel_client_is_here(const struct channel_client *self);

/* Says this text. */
void channel_client_say(struct channel_client *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Subscribes, with a signature where the channel wants one. */
void channel_client_subscribe(struct channel_client *self, const char *channel);
/* The same with channel_data, which is signed too. */
void channel_client_subscribe_with(struct channel_client *self, const char *channel, const char *channel_data);
/* Subscribes as this member, whose info is {"name":"ID"}. */
void channel_client_subscribe_as(struct channel_client *self, const char *channel, const char *user_id);
/* The same, and asks for what was missed since that position, or for the position only if it is not set. user_id as
 * above; NULL: no member. */
void channel_client_recover(struct channel_client *self, const char *channel, const char *user_id,
                            const struct position *from);
void channel_client_unsubscribe(struct channel_client *self, const char *channel);
/* Sends a client event; data is JSON. */
void channel_client_send(struct channel_client *self, const char *channel, const char *event, const char *data);
/* The same with an id, which is acknowledged; data is JSON. On a public channel the event is its room's "message". */
void channel_client_publish(struct channel_client *self, const char *channel, const char *event, const char *data,
                            const char *id);
/* Asks for a page: `which` is "since":40, or "before":43, or both with a comma. */
void channel_client_ask_page(struct channel_client *self, const char *channel, const char *which, uint32_t limit,
                             uint32_t rid);
/* Signs in; the watchlist is a JSON array, NULL: none. The id stands in JSON as it is. */
void channel_client_sign_in(struct channel_client *self, const char *user_id, const char *watchlist);
/* The same with this user_data. */
void channel_client_sign_in_with(struct channel_client *self, const char *data);

/* The n-th event of that name from the beginning, or NULL; `channel` NULL: of any or none. */
const struct heard_event *channel_client_heard(const struct channel_client *self, const char *event,
                                               const char *channel, uint32_t n);
uint32_t channel_client_count(const struct channel_client *self, const char *event, const char *channel);
/* NULL: never subscribed to. */
const struct place *channel_client_place(const struct channel_client *self, const char *channel);
bool channel_client_is_in(const struct channel_client *self, const char *channel);
/* The members it knows of, as in struct place. */
const char *channel_client_members(const struct channel_client *self, const char *channel);

/* A channel's name that begins so and lives on that shard; `which` tells several apart. */
const char *channel_name(const struct scenario *scenario, const char *prefix, uint32_t home, uint32_t which,
                         char name_r[64]);
/* "KEY:SIGNATURE" of the test's app. */
void channel_sign(const char *text, char auth_r[128]);
