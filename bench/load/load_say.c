/* bench/load/load_say.c - what a connection is to send. */
#include "bench/load/load.h"

#include "core/span.h"

#include <string.h>

void load_say_later(struct load *load, uint32_t slot)
{
    struct load_connection *connection = &load->connections[slot];
    if (!connection->is_saying) slot_list_add(&load->saying, slot);
    connection->is_saying = true;
}

bool load_say(struct load *load, uint32_t slot, const void *bytes, size_t count)
{
    if (span_append(&load->connections[slot].filling, bytes, (uint32_t)count) != RC_OK) {
        return load_fail(load, LOAD_UNABLE, "out of memory");
    }
    load_say_later(load, slot);
    return true;
}

/* RFC 6455 5.3 wants masks that pages cannot foresee; a load tool's need only be no constant. */
static uint32_t next_mask(struct load *load)
{
    load->mask = load->mask * 1664525u + 1013904223u;
    return load->mask;
}

bool load_say_frame(struct load *load, uint32_t slot, uint8_t opcode, const struct text pieces[3])
{
    uint8_t header[FRAME_CLIENT_HEADER_BYTES_MAX];
    size_t count = pieces[0].count + pieces[1].count + pieces[2].count;
    size_t header_bytes = frame_header_write(header, opcode, count);
    uint32_t mask = next_mask(load);
    header[1] |= 0x80; /* masked */
    memcpy(header + header_bytes, &mask, sizeof mask);
    if (!load_say(load, slot, header, header_bytes + sizeof mask)) return false;
    for (int i = 0; i < 3; i++) {
        if (pieces[i].count > 0 && !load_say(load, slot, pieces[i].at, pieces[i].count)) return false;
    }
    struct span *filling = load->connections[slot].filling;
    frame_unmask(filling->bytes + filling->count - count, count, mask, 0);
    return true;
}
