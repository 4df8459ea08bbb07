/* core/close_reason.c - names, codes and texts of the close reasons. */
#include "core/close_reason.h"

#include <assert.h>

struct row {
    const char *name;
    const char *text;
    const char *advice;
    uint16_t code;
    uint16_t channel_code;
    bool is_error;
};

static const struct row rows[CLOSE_REASONS_MAX] = {
#define CLOSE_REASON(id, wire_code, wire_channel_code, error, words, look_for) \
    [CLOSE_##id] = {.name = #id,                                               \
                    .text = (words),                                           \
                    .advice = (look_for),                                      \
                    .code = (wire_code),                                       \
                    .channel_code = (wire_channel_code),                       \
                    .is_error = (error)},
#include "core/close_reason.def"
#undef CLOSE_REASON
};

const char *close_reason_name(enum close_reason reason)
{
    assert(reason < CLOSE_REASONS_MAX);
    return rows[reason].name;
}

const char *close_reason_text(enum close_reason reason)
{
    assert(reason < CLOSE_REASONS_MAX);
    return rows[reason].text;
}

const char *close_reason_advice(enum close_reason reason)
{
    assert(reason < CLOSE_REASONS_MAX);
    return rows[reason].advice;
}

uint16_t close_reason_code(enum close_reason reason)
{
    assert(reason < CLOSE_REASONS_MAX);
    return rows[reason].code;
}

uint16_t close_reason_channel_code(enum close_reason reason)
{
    assert(reason < CLOSE_REASONS_MAX);
    return rows[reason].channel_code;
}

bool close_reason_is_error(enum close_reason reason)
{
    assert(reason < CLOSE_REASONS_MAX);
    return rows[reason].is_error;
}
