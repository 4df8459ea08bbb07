/* server/store/store_wal.c - SQLite's log, frame by frame.
 *
 * Not obvious: behind the last commit there may be frames of earlier rounds, with other salts, and frames of
 * transactions that never ended, which are no commits. Neither was lost. */
#include "server/store/store_wal.h"

#include "server/store/store_directory.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define HEADER_BYTES   32
#define FRAME_BYTES    24 /* and a page */
#define MAGIC          0x377f0682u
#define FORMAT         3007000
#define PAGE_BYTES_MAX 65536

struct wal {
    int descriptor;
    bool is_big_endian; /* are the numbers that are summed? */
    uint32_t page_bytes;
    uint8_t salts[8];
    uint32_t sums[2]; /* up to the frame looked at last */
    uint8_t frame[FRAME_BYTES + PAGE_BYTES_MAX];
};

static uint32_t number_at(const uint8_t *bytes, bool is_big_endian)
{
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return is_big_endian == (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) ? number : __builtin_bswap32(number);
}

/* Goes on summing; the bytes are a multiple of 8. */
static void add_up(struct wal *wal, const uint8_t *bytes, size_t count)
{
    uint32_t first = wal->sums[0], second = wal->sums[1];
    for (size_t i = 0; i < count; i += 8) {
        first += number_at(bytes + i, wal->is_big_endian) + second;
        second += number_at(bytes + i + 4, wal->is_big_endian) + first;
    }
    wal->sums[0] = first;
    wal->sums[1] = second;
}

static bool has_sums(const struct wal *wal, const uint8_t *bytes)
{
    return number_at(bytes, true) == wal->sums[0] && number_at(bytes + 4, true) == wal->sums[1];
}

/* False: without a good header nothing of the file is read. */
static bool read_header(struct wal *wal)
{
    uint8_t header[HEADER_BYTES];
    if (pread(wal->descriptor, header, sizeof header, 0) != sizeof header) return false;
    uint32_t magic = number_at(header, true);
    wal->page_bytes = number_at(header + 8, true);
    if ((magic & ~1u) != MAGIC || number_at(header + 4, true) != FORMAT) return false;
    if (wal->page_bytes < 512 || wal->page_bytes > PAGE_BYTES_MAX || (wal->page_bytes & (wal->page_bytes - 1)) != 0)
        return false;
    memcpy(wal->salts, header + 16, sizeof wal->salts);
    wal->is_big_endian = magic & 1;
    add_up(wal, header, HEADER_BYTES - 8);
    return has_sums(wal, header + HEADER_BYTES - 8);
}

/* Reads so much of a frame; false: it is not there. */
static bool read_frame(struct wal *wal, uint64_t index, uint32_t bytes)
{
    uint64_t at = HEADER_BYTES + index * (FRAME_BYTES + (uint64_t)wal->page_bytes);
    return pread(wal->descriptor, wal->frame, bytes, (off_t)at) == (ssize_t)bytes;
}

/* Is the frame, of this round by its salts, where SQLite expects it? */
static bool is_of_round(const struct wal *wal)
{
    return memcmp(wal->frame + 8, wal->salts, sizeof wal->salts) == 0;
}

static bool is_commit(const struct wal *wal)
{
    return number_at(wal->frame + 4, true) != 0;
}

static enum store_wal look(struct wal *wal)
{
    uint64_t index = 0;
    if (!read_header(wal)) return STORE_WAL_DAMAGED;
    for (; read_frame(wal, index, FRAME_BYTES + wal->page_bytes) && is_of_round(wal); index++) {
        add_up(wal, wal->frame, 8);
        add_up(wal, wal->frame + FRAME_BYTES, wal->page_bytes);
        if (!has_sums(wal, wal->frame + 16)) break;
    }
    for (index++; read_frame(wal, index, FRAME_BYTES); index++) { /* behind the first that is not read */
        if (is_of_round(wal) && is_commit(wal)) return STORE_WAL_DAMAGED;
    }
    return STORE_WAL_WHOLE;
}

enum store_wal store_wal_look(int directory)
{
    struct wal wal = {.descriptor = openat(directory, STORE_DATABASE "-wal", O_RDONLY | O_CLOEXEC)};
    if (wal.descriptor < 0) return STORE_WAL_NONE;
    off_t bytes = lseek(wal.descriptor, 0, SEEK_END);
    enum store_wal state = bytes > HEADER_BYTES ? look(&wal) : STORE_WAL_NONE;
    close(wal.descriptor);
    return state;
}
