/* net/proxy_header.c - a line of text, v1, or a block of bytes, v2. */
#include "net/proxy_header.h"

#include "core/text.h"

#include <string.h>

/* ---- v1 ---- */

#define LINE_BYTES_MAX 107

static const char v1_begin[] = "PROXY ";

static struct text take_word(struct text *line)
{
    const char *blank = line->count > 0 ? memchr(line->at, ' ', line->count) : NULL;
    struct text word = blank != NULL ? text_between(line->at, blank) : *line;
    *line = text_behind(*line, word.count + (blank != NULL ? 1 : 0));
    return word;
}

static bool take_ip(struct text *line, bool is_v4, struct ip *ip_r)
{
    struct text word = take_word(line);
    bool has_colon = word.count > 0 && memchr(word.at, ':', word.count) != NULL;
    return has_colon != is_v4 && ip_read(word, ip_r);
}

static bool take_port(struct text *line, uint16_t *port_r)
{
    uint64_t port;
    struct text word = take_word(line);
    if (!text_is_number(word, &port) || port > UINT16_MAX || (word.at[0] == '0' && word.count > 1)) return false;
    *port_r = (uint16_t)port;
    return true;
}

/* What stands between "PROXY " and the end of the line. */
static enum rc read_line(struct text line, struct proxy_header *header)
{
    struct ip destination;
    uint16_t destination_port;
    struct text family = take_word(&line);
    bool is_v4 = text_is(family, "TCP4");
    if (text_is(family, "UNKNOWN")) return RC_OK; /* whatever follows it */
    if (!is_v4 && !text_is(family, "TCP6")) return RC_EINVAL;
    header->has_address = take_ip(&line, is_v4, &header->ip) && take_ip(&line, is_v4, &destination) &&
                          take_port(&line, &header->port) && take_port(&line, &destination_port);
    bool is_whole = header->has_address && line.count == 0 && line.at[-1] != ' ';
    return is_whole ? RC_OK : RC_EINVAL;
}

static enum rc read_v1(struct text text, struct proxy_header *header, size_t *eaten_r)
{
    size_t begin = strlen(v1_begin), known = text.count < begin ? text.count : begin;
    if (memcmp(text.at, v1_begin, known) != 0) return RC_EINVAL;
    if (known < begin) return RC_MORE;
    if (text.count > LINE_BYTES_MAX) text.count = LINE_BYTES_MAX;
    const char *end = memchr(text.at, '\n', text.count);
    if (end == NULL) return text.count < LINE_BYTES_MAX ? RC_MORE : RC_EINVAL;
    if (end[-1] != '\r') return RC_EINVAL;
    *eaten_r = (size_t)(end + 1 - text.at);
    return read_line(text_between(text.at + begin, end - 1), header);
}

/* ---- v2 ---- */

enum {
    V2_HEAD_BYTES = 16,
    V2_LOCAL = 0x20,
    V2_PROXY = 0x21,
    V2_TCP4 = 0x11,
    V2_TCP6 = 0x21,
    V2_TCP4_BYTES = 12, /* both addresses, then both ports */
    V2_TCP6_BYTES = 36,
    V2_TLV_HEAD_BYTES = 3,
    V2_TLV_SSL = 0x20, /* a byte of flags, four that say whether a certificate was good, and what is of no interest */
    V2_SSL_BYTES_MIN = 5,
    V2_SSL_CLIENT = 0x01, /* it came over TLS */
};

static const uint8_t v2_begin[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* Unspecified, TCP, UDP or Unix: there are no others. */
static bool is_family(uint8_t family)
{
    return family == 0 || (family >> 4 >= 1 && family >> 4 <= 3 && (family & 0xf) >= 1 && (family & 0xf) <= 2);
}

/* How many bytes of addresses there have to be; 0: those there are, are of no interest. */
static size_t addresses_bytes(uint8_t command, uint8_t family)
{
    if (command != V2_PROXY) return 0;
    return family == V2_TCP4 ? V2_TCP4_BYTES : family == V2_TCP6 ? V2_TCP6_BYTES : 0;
}

static void read_addresses(const uint8_t *at, size_t bytes, struct proxy_header *header)
{
    size_t ip_bytes = bytes == V2_TCP4_BYTES ? 4 : 16;
    header->has_address = true;
    header->ip = bytes == V2_TCP4_BYTES ? ip_v4_prefix : (struct ip){{0}};
    memcpy(header->ip.bytes + sizeof header->ip.bytes - ip_bytes, at, ip_bytes);
    header->port = (uint16_t)(at[2 * ip_bytes] << 8 | at[2 * ip_bytes + 1]);
}

/* What stands behind the addresses, types and lengths, `beyond` bytes of which are not here. False: they do not add up.
 */
static bool read_tlvs(const uint8_t *at, size_t count, size_t beyond, struct proxy_header *header)
{
    while (count >= V2_TLV_HEAD_BYTES) {
        size_t bytes = (size_t)at[1] << 8 | at[2];
        bool is_ssl = at[0] == V2_TLV_SSL;
        at += V2_TLV_HEAD_BYTES;
        count -= V2_TLV_HEAD_BYTES;
        if (bytes > count + beyond || (is_ssl && bytes < V2_SSL_BYTES_MIN)) return false;
        if (is_ssl && count > 0) {
            header->says_tls = true;
            header->has_tls = (at[0] & V2_SSL_CLIENT) != 0;
        }
        if (bytes >= count) return true; /* the last that is here */
        at += bytes;
        count -= bytes;
    }
    return count == 0 || beyond > 0;
}

static enum rc read_v2(const uint8_t *bytes, size_t count, struct proxy_header *header, size_t *eaten_r)
{
    size_t known = count < sizeof v2_begin ? count : sizeof v2_begin;
    if (memcmp(bytes, v2_begin, known) != 0) return RC_EINVAL;
    if (count > 12 && bytes[12] != V2_LOCAL && bytes[12] != V2_PROXY) return RC_EINVAL;
    if (count > 13 && !is_family(bytes[13])) return RC_EINVAL;
    if (count < V2_HEAD_BYTES) return RC_MORE;
    size_t behind = (size_t)bytes[14] << 8 | bytes[15], wanted = addresses_bytes(bytes[12], bytes[13]);
    if (behind < wanted) return RC_EINVAL;
    size_t most = PROXY_HEADER_BYTES_MAX - V2_HEAD_BYTES, read = wanted == 0 ? 0 : behind < most ? behind : most;
    if (count < V2_HEAD_BYTES + read) return RC_MORE;
    const uint8_t *at = bytes + V2_HEAD_BYTES;
    header->rest = (uint16_t)(behind - read);
    if (wanted > 0) read_addresses(at, wanted, header);
    if (wanted > 0 && !read_tlvs(at + wanted, read - wanted, header->rest, header)) return RC_EINVAL;
    *eaten_r = V2_HEAD_BYTES + read;
    return RC_OK;
}

enum rc proxy_header_read(const uint8_t *bytes, size_t count, struct proxy_header *header_r, size_t *eaten_r)
{
    *header_r = (struct proxy_header){0};
    *eaten_r = 0;
    if (count == 0) return RC_MORE;
    enum rc rc = bytes[0] == v2_begin[0] ? read_v2(bytes, count, header_r, eaten_r)
                                         : read_v1((struct text){(const char *)bytes, count}, header_r, eaten_r);
    if (rc != RC_OK) *eaten_r = 0;
    return rc;
}
