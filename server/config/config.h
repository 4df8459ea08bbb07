/* server/config/config.h - the configuration as it stands; a reload puts another one in its place.
 *
 * None ever changes. Whoever goes by one, each shard and the webhook thread, holds it, looks between two pieces of work
 * whether there is a newer one, takes that, and lets go of its own. So in one turn everything is of one configuration,
 * and nothing that points into it is kept from turn to turn, but indexes of apps, which are the same in all of them.
 * Threads: the main thread makes, publishes and frees. It publishes none before all have taken the one before.
 * Order:   who has heard of something new, a newcomer's app, in a letter from another thread finds the configuration
 *          that has it, if it looks after it has received the letter: the sender had taken it by then. */
#pragma once

#include "core/tsan.h"

#include <ck_pr.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct options;
struct web_page;
struct webhooks;

struct config {
    const struct options *options;
    uint32_t number;           /* 1: that of the start; one more with each reload */
    bool has_guests;           /* server/http/guest.h: they may sign in */
    bool has_other_patterns;   /* other channels keep a history than in the one before, or by other rules */
    bool shuts_apps;           /* some that the one before served are gone or not enabled */
    struct web_page *chat;     /* the page, filled in; NULL: there is none */
    struct webhooks *webhooks; /* NULL: no app has ever had one */
    uint32_t holders;          /* atomic; without the main thread */
};

/* The newest, from where it is published; NULL: there is none. */
static inline struct config *config_newest(struct config *const *place)
{
    struct config *config = ck_pr_load_ptr(place);
    ck_pr_fence_acquire();
    TSAN_ACQUIRE(place);
    return config;
}

/* Main thread: its holders have been counted. */
static inline void config_publish(struct config **place, struct config *config)
{
    TSAN_RELEASE(place);
    ck_pr_fence_release();
    ck_pr_store_ptr(place, config);
}

/* A holder has taken a newer one. Accepts NULL. */
static inline void config_let_go(struct config *config)
{
    if (config == NULL) return;
    TSAN_RELEASE(&config->holders);
    ck_pr_fence_release();
    ck_pr_dec_32(&config->holders);
}

/* Main thread: does anybody else still go by it? */
static inline bool config_is_held(struct config *config)
{
    bool is_held = ck_pr_load_32(&config->holders) > 0;
    ck_pr_fence_acquire();
    TSAN_ACQUIRE(&config->holders);
    return is_held;
}
