/* server/connection/flush_chunk.c - made once for each shard. */
#include "server/connection/flush_chunk.h"

#include "server/shard/shard.h"

#include <stdlib.h>

struct flush_chunk *flush_chunk_new(void)
{
    return calloc(1, sizeof(struct flush_chunk));
}

uint64_t flush_chunk_bytes(void)
{
    return sizeof(struct flush_chunk);
}

bool flush_is_queueing(const struct shard *shard)
{
    return shard->flush.chunk->count > 0;
}

void flush_chunk_free(struct flush_chunk *chunk)
{
    free(chunk);
}
