/* server/config/option_value.h - the types of options: how each is kept, read from text and given back.
 *
 * A new type is a typedef option_<type> here and an object option_type_<type>. Start-up only; one thread. */
#pragma once

#include "core/rc.h"
#include "server/config/address.h"
#include "server/system/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define KIB     UINT64_C(1024)
#define MIB     (1024 * KIB)
#define GIB     (1024 * MIB)
#define HOUR_MS UINT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)

/* Lists own their items; `items` is NULL while `count` is 0. */
struct text_list {
    char **items;
    uint32_t count;
};

struct address_list {
    struct address *items;
    uint32_t count;
};

typedef uint32_t option_count;        /* 0, 250 */
typedef uint32_t option_power_of_two; /* 64, 128 */
typedef uint64_t option_bytes;        /* 65536, 64KiB, 1MiB, 2GiB */
typedef uint64_t option_ms;           /* 500, 500ms, 10s, 2m, 24h, 7d; kept in milliseconds */
typedef bool option_bool;             /* yes, no, true, false, 1, 0; the flag alone means yes */
typedef bool option_action;           /* a flag only: it asks for something else than to run */
typedef bool option_report;           /* the same, about what the other options say */
typedef enum log_level option_level;
typedef enum { TLS_VERSION_1_2, TLS_VERSION_1_3 } option_tls_version;
typedef enum log_format option_log_format;
typedef char *option_log_target; /* stderr, journald or journald:SOCKET; owned. option_log_target_path() */
typedef char *option_text;       /* owned; "" when empty; the bounds are those of its length */
typedef struct text_list option_text_list;
typedef struct text_list option_token_list; /* names as HTTP has them, of at most OPTION_TOKEN_BYTES_MAX */
typedef struct text_list option_file_list;  /* of paths, which may have blanks */
typedef struct text_list option_redis_list; /* redis://, see server/config/redis_url.h; no two are the same */
typedef struct address_list option_address_list;
typedef struct address_list option_control_list; /* unix:PATH too */

#define OPTION_TOKEN_BYTES_MAX 100

struct option_bounds {
    uint64_t min; /* of a number; of a list the number of entries */
    uint64_t max;
};

/* Where a reader says what is wrong with a value and what to give instead. */
struct option_error {
    char *text;
    size_t size;
};

struct option_type {
    /* Reads `text` into *value; a list gets one more entry. RC_OK, or RC_EINVAL or RC_ENOMEM with *error written and
     * *value as it was. */
    enum rc (*read)(const char *text, struct option_bounds bounds, void *value, struct option_error *error);
    /* Writes the value, of a list one entry, as read() takes it; secrets as ***. NULL: apps and rules, which are
     * sections of a file and have settings of their own (settings_write()). */
    void (*write)(FILE *out, const void *value, uint32_t entry);
    bool (*is_secret)(const char *text);  /* does what read() takes hold a secret? NULL: never */
    uint32_t (*count)(const void *value); /* entries; only lists have it */
    void (*fini)(void *value);            /* gives back and zeroes; NULL when the type owns nothing */
    bool may_stand_alone;                 /* the flag without a value means yes */
    bool is_action;                       /* neither value nor environment nor file */
    bool needs_options;                   /* an action that is done when all options were read */
    const char *separators;               /* of a list's entries in the environment; NULL: commas and blanks */
};

/* Several values: the flag again, the type's separators in the environment. */
static inline bool option_type_is_list(const struct option_type *type)
{
    return type->count != NULL;
}

/* The path of the journal's socket, within the text or static; NULL: the log goes to stderr. */
const char *option_log_target_path(const char *target);

/* For lists of other types that are kept so. */
void option_text_list_write(FILE *out, const void *value, uint32_t entry);

extern const struct option_type option_type_count, option_type_power_of_two, option_type_bytes, option_type_ms,
    option_type_bool, option_type_action, option_type_report, option_type_level, option_type_tls_version,
    option_type_log_format, option_type_log_target, option_type_text, option_type_text_list, option_type_token_list,
    option_type_file_list, option_type_redis_list, option_type_address_list, option_type_control_list;

/* For readers of types that stand elsewhere. */
#define OPTION_SHOWN "\"%.60s\"" /* how an error quotes what was given: enough to recognise it, never a screenful */
/* Begins an error with where the value came from; returns the space behind, which is for what is wrong with it. */
__attribute__((format(printf, 2, 3))) struct option_error option_error_begin(const struct option_error *whole,
                                                                             const char *format, ...);
/* Writes *error; RC_EINVAL. */
__attribute__((format(printf, 2, 3))) enum rc option_refuse(struct option_error *error, const char *format, ...);
/* Writes *error; RC_ENOMEM. */
enum rc option_out_of_memory(struct option_error *error);
