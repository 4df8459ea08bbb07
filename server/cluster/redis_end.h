/* server/cluster/redis_end.h - why a connection to Redis is over, from the table redis_end.def. */
#pragma once

enum redis_end {
    REDIS_END_NONE, /* it is not */
#define REDIS_END(name, ...) REDIS_END_##name,
#include "server/cluster/redis_end.def"
#undef REDIS_END
    REDIS_ENDS_MAX
};

/* What it means and what helps, to go on with behind whose end it is, without a full stop; "" for none. */
const char *redis_end_text(enum redis_end end);
