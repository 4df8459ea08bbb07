/* tests/support/history_crowd_private.h - what the files of tests/support/history_crowd.h share; nobody else includes
 * it. */
#pragma once

#include "net/json.h"
#include "tests/support/history_crowd.h"

#define CROWD_SEND_BUFFER    65536
#define CROWD_DATA_BYTES_MAX 2600

struct page_asked {
    uint32_t channel;
    uint64_t since, before; /* 0, UINT64_MAX: as if not said */
    uint32_t limit;
    bool is_from_end;
};

/* What the latest page told, for who goes on with the next. */
struct page_told {
    uint64_t first, last, offset;
    char epoch[EPOCH_BYTES + 1];
    uint32_t count;
    bool has_more, is_told;
};

/* The server is short of memory, and need not remember keys. */
extern bool crowd_is_scarce;

static inline bool crowd_may_join(void)
{
    return crowd_scenario.clients_count < SCENARIO_CROWD_MAX - 10;
}

static inline uint32_t crowd_any_shard(void)
{
    return fake_random(crowd_scenario.server.shards_count);
}

/* ---- history_answers.c ---- */

extern struct page_told crowd_page_told;

void answers_forget(void);
/* A test's ears in each client. */
void answers_hear(struct channel_client *client, const struct heard_event *heard);
/* {"offset":43,"epoch":"k3x9abcd"}; false: there is none. */
bool answers_read_position(yyjson_val *object, struct position *position_r);
/* A page, in what an answer says. */
void answers_take_page(const struct page_asked *page, yyjson_val *root);

/* The data of a message: the same each time. */
const char *answers_data(uint32_t number, uint32_t channel);

/* Something to be published with a key, "kN" of the number returned: a new one, or an old one that is tried again (-1:
 * none was found). */
uint32_t answers_new_key(uint32_t channel, uint32_t author);
int answers_old_key(uint32_t channel, uint32_t author);
uint32_t answers_key_number(uint32_t key);
/* It was published, there. */
void answers_published(uint32_t key, const struct position *position);

/* A page around that place. */
struct page_asked answers_choose_page(uint32_t channel, const struct position *known);
/* As JSON members or as a query's parameters; static. */
const char *answers_page_text(const struct page_asked *page, bool is_json);
/* A number for what a client asks. */
uint32_t answers_new_rid(const struct page_asked *page);

/* ---- history_backend.c ---- */

/* It is gone with its server. */
void backend_forget(void);
/* Says something about this channel, or about another that nobody is in; `known` is where somebody is. */
void backend_act(uint32_t channel, const struct position *known);
/* Takes the answers that have come. */
void backend_hear(void);
/* Goes through all that a channel has, in both directions: each page follows on the one before. */
void backend_read_whole(uint32_t channel);
