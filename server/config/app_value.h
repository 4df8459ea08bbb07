/* server/config/app_value.h - the types of an app's settings that no option has: secrets, webhooks.
 *
 * Start-up only; one thread. */
#pragma once

#include "server/config/option_value.h"

#define APP_TOKEN_BYTES_MAX 64 /* of an ID, of a key */

enum webhook_kind {
#define WEBHOOK(name, is_default) WEBHOOK_##name,
#include "server/config/webhook.def"
#undef WEBHOOK
    WEBHOOK_KINDS_MAX
};

/* Bits 1 << kind: default, all, none or names with commas between. */
typedef uint32_t option_webhooks;
/* 1 to APP_TOKEN_BYTES_MAX of A-Z a-z 0-9 _ -; "" when not given. Owned. */
typedef char *option_app_token;
/* 1 to 128 printable characters without blank, or @FILE: what is in that file, without blanks and newlines around it;
 * "" when not given. Owned, overwritten when given back, never shown. */
typedef char *option_secret;
/* Who wants to know of each file that a secret is read from, by the thread that reads options; NULL: nobody. The struct
 * stays the caller's. */
struct secret_watch {
    void (*seen)(void *context, const char *name);
    void *context;
};
void secret_watch_set(const struct secret_watch *watch);
/* http:// or https://; "" when not given. Owned; a password in it is never shown. */
typedef char *option_web_address;

/* Headers of HTTP requests, "Name: value", whose values are never shown. */
typedef struct text_list option_header_list;

extern const struct option_type option_type_header_list, option_type_webhooks, option_type_app_token,
    option_type_secret, option_type_web_address;

/* "channel_occupied", as the protocol spells it; static. */
const char *webhook_kind_name(enum webhook_kind kind);
