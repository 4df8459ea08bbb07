/* tests/net/test_proxy_header.c - headers of the PROXY protocol, good and bad, each given in all its pieces. */
#include "net/proxy_header.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 107 /* by the specification */
#define V2             "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(literal) literal, sizeof(literal) - 1

/* What is said of the first `count` bytes, in a block of their own. */
static enum rc read_part(const char *bytes, size_t count, struct proxy_header *header, size_t *eaten)
{
    uint8_t *block = malloc(count + 1);
    memcpy(block, bytes, count);
    block[count] = 'x';
    block = realloc(block, count > 0 ? count : 1);
    enum rc rc = proxy_header_read(block, count, header, eaten);
    free(block);
    return rc;
}

/* However the header comes, it is read when it is there and not before; `behind` bytes are not of it. */
static void expect_good(const char *bytes, size_t count, size_t behind, size_t rest, const char *client)
{
    char text[IP_TEXT_MAX] = "-";
    struct proxy_header header;
    size_t eaten, wanted = count - behind - rest;
    for (size_t i = 0; i < wanted; i++) {
        cr_assert_eq(read_part(bytes, i, &header, &eaten), RC_MORE, "%zu of %zu bytes, for %s", i, wanted, client);
        cr_expect_eq(eaten, 0);
    }
    for (size_t i = wanted; i <= count; i++) {
        cr_assert_eq(read_part(bytes, i, &header, &eaten), RC_OK, "%zu of %zu bytes, for %s", i, wanted, client);
        cr_expect_eq(eaten, wanted);
        cr_expect_eq(header.rest, rest);
    }
    if (header.has_address) ip_format(&header.ip, header.port, text);
    cr_expect_str_eq(text, client);
}

/* It is told as soon as it is seen, and nothing that follows makes it good. */
static void expect_bad(const char *bytes, size_t count, size_t good)
{
    struct proxy_header header;
    size_t eaten;
    for (size_t i = 0; i <= count; i++) {
        enum rc wanted = i <= good ? RC_MORE : RC_EINVAL;
        cr_expect_eq(read_part(bytes, i, &header, &eaten), wanted, "%zu bytes of %.*s", i, (int)count, bytes);
        cr_expect(eaten == 0 && (wanted == RC_MORE || i > good));
    }
}

Test(proxy_header, a_line_names_the_client, .timeout = 5)
{
    expect_good(BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 49152 443\r\n"), 0, 0, "192.0.2.1:49152");
    expect_good(BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\nGET /"), 5, 0,
                "255.255.255.255:65535");
    expect_good(BYTES("PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), 0, 0, "[2001:db8::1]:1");
    expect_good(BYTES("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), 0, 0, "192.0.2.1:1");
    expect_good(BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 0 0\r\n"), 0, 0, "192.0.2.1");
}

Test(proxy_header, a_line_may_name_nobody, .timeout = 5)
{
    expect_good(BYTES("PROXY UNKNOWN\r\n"), 0, 0, "-");
    expect_good(BYTES("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n\r\n"), 2, 0, "-");
}

/* Each with how much of it might have been a good one; behind it stands the byte that tells, or its line's end. */
Test(proxy_header, bad_lines_are_refused, .timeout = 5)
{
    static const char *const lines[] = {"PROXY TCP5 192.0.2.1 10.0.0.1 1 2",
                                        "PROXY ",
                                        "PROXY  TCP4 192.0.2.1 10.0.0.1 1 2",
                                        "PROXY TCP4  192.0.2.1 10.0.0.1 1 2",
                                        "PROXY TCP4 192.0.2.1 10.0.0.1 1",
                                        "PROXY TCP4 192.0.2.1 10.0.0.1 1 ",
                                        "PROXY TCP4 192.0.2.1 10.0.0.1 1 2 ",
                                        "PROXY TCP4 192.0.2.1 10.0.0.1 1 2 3",
                                        "PROXY TCP4 192.0.2.1 10.0.0.1 01 2",
                                        "PROXY TCP4 192.0.2.1 10.0.0.1 1 65536",
                                        "PROXY TCP4 192.0.2.1 10.0.0.1 -1 2",
                                        "PROXY TCP4 192.0.2.01 10.0.0.1 1 2",
                                        "PROXY TCP4 192.0.2 10.0.0.1 1 2",
                                        "PROXY TCP4 ::1 ::1 1 2",
                                        "PROXY TCP6 192.0.2.1 10.0.0.1 1 2",
                                        "PROXY TCP6 ::1 localhost 1 2",
                                        "PROXY UNKNOWNS",
                                        "PROXY tcp4 192.0.2.1 10.0.0.1 1 2"};
    char line[120];
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t count = strlen(lines[i]);
        memcpy(line, lines[i], count);
        memcpy(line + count, "\r\n", 2);
        expect_bad(line, count + 2, count + 1);
    }
    expect_bad(BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n"), 33);
    expect_bad(BYTES("PROXZ"), 4);
    expect_bad(BYTES("GET / HTTP/1.1\r\n"), 0);
    expect_bad(BYTES("\x16\x03\x01"), 0);
}

Test(proxy_header, a_line_ends_in_time, .timeout = 5)
{
    char line[200];
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    memcpy(line + LINE_BYTES_MAX - 2, "\r\n", 2);
    expect_good(line, LINE_BYTES_MAX, 0, 0, "-");
    memset(line + 14, 'x', sizeof line - 14);
    memcpy(line + LINE_BYTES_MAX - 1, "\r\n", 2);
    expect_bad(line, sizeof line, LINE_BYTES_MAX - 1);
}

/* ---- blocks ---- */

#define TCP4 "\xc0\x00\x02\x01\x0a\x00\x00\x01\xc0\x00\x01\xbb"
#define TCP6                                     \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01" \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02" \
    "\x00\x07\x01\xbb"

Test(proxy_header, a_block_names_the_client, .timeout = 5)
{
    expect_good(BYTES(V2 "\x21\x11\x00\x0c" TCP4 "GET"), 3, 0, "192.0.2.1:49152");
    expect_good(BYTES(V2 "\x21\x21\x00\x24" TCP6), 0, 0, "[2001:db8::1]:7");
}

Test(proxy_header, what_a_block_has_beside_is_passed_over, .timeout = 5)
{
    expect_good(BYTES(V2 "\x21\x11\x00\x10" TCP4 "\x04\x00\x01\x00GET"), 3, 0, "192.0.2.1:49152");
    expect_good(BYTES(V2 "\x21\x11\x00\x0f" TCP4 "\x04\x00\x00"), 0, 0, "192.0.2.1:49152");
}

/* A block of so many bytes behind its head, all of which an entry takes that stands behind `tlvs`. */
static size_t long_block(char *block, uint16_t behind, const char *tlvs, size_t tlvs_count)
{
    size_t left = (size_t)behind - 12 - tlvs_count - 3;
    size_t begin = sizeof(V2) - 1;
    memcpy(block, V2 "\x21\x11", begin + 2);
    block[begin + 2] = (char)(behind >> 8);
    block[begin + 3] = (char)behind;
    memcpy(block + begin + 4, TCP4, 12);
    memcpy(block + begin + 16, tlvs, tlvs_count);
    char filler[] = {4, (char)(left >> 8), (char)left};
    memcpy(block + begin + 16 + tlvs_count, filler, 3);
    memset(block + begin + 19 + tlvs_count, ' ', left);
    return begin + 4 + behind;
}

#define SSL(client) "\x20\x00\x05" client "\0\0\0\0"

Test(proxy_header, of_a_long_block_the_beginning_is_read, .timeout = 20)
{
    static char block[70000];
    struct proxy_header header;
    size_t eaten, count = long_block(block, 65535, SSL("\x01"), 8);
    cr_expect_eq(read_part(block, PROXY_HEADER_BYTES_MAX - 1, &header, &eaten), RC_MORE);
    for (size_t i = PROXY_HEADER_BYTES_MAX; i <= count; i += 13) {
        cr_assert_eq(read_part(block, i, &header, &eaten), RC_OK);
        cr_assert(eaten == PROXY_HEADER_BYTES_MAX && eaten + header.rest == count);
        cr_assert(header.has_address && header.says_tls && header.has_tls);
    }
    long_block(block, PROXY_HEADER_BYTES_MAX - 16, "", 0);
    cr_assert_eq(read_part(block, PROXY_HEADER_BYTES_MAX, &header, &eaten), RC_OK);
    cr_expect(header.rest == 0 && !header.says_tls);
}

static void expect_tls(const char *bytes, size_t count, bool says_tls, bool has_tls)
{
    struct proxy_header header;
    size_t eaten;
    expect_good(bytes, count, 0, 0, "192.0.2.1:49152");
    cr_assert_eq(read_part(bytes, count, &header, &eaten), RC_OK);
    cr_expect(header.says_tls == says_tls && header.has_tls == has_tls);
}

Test(proxy_header, a_block_says_whether_its_client_speaks_tls, .timeout = 5)
{
    expect_tls(BYTES(V2 "\x21\x11\x00\x0c" TCP4), false, false);
    expect_tls(BYTES(V2 "\x21\x11\x00\x14" TCP4 SSL("\x00")), true, false);
    expect_tls(BYTES(V2 "\x21\x11\x00\x14" TCP4 SSL("\x01")), true, true);
    expect_tls(BYTES(V2 "\x21\x11\x00\x14" TCP4 SSL("\x06")), true, false);
    expect_tls(BYTES(V2 "\x21\x11\x00\x18" TCP4 "\x04\x00\x01\x00" SSL("\x07")), true, true);
    expect_tls(BYTES(V2 "\x21\x11\x00\x1f" TCP4 "\x20\x00\x0c\x01\0\0\0\0\x21\x00\x04TLSv\x04\x00\x01 "), true, true);
    struct proxy_header header;
    size_t eaten;
    cr_assert_eq(read_part(BYTES(V2 "\x20\x11\x00\x14" TCP4 SSL("\x01")), &header, &eaten), RC_OK);
    cr_expect(!header.says_tls && header.rest == 20);
}

Test(proxy_header, entries_of_a_block_have_to_add_up, .timeout = 5)
{
    expect_bad(BYTES(V2 "\x21\x11\x00\x0d" TCP4 "\x04"), 28);
    expect_bad(BYTES(V2 "\x21\x11\x00\x0e" TCP4 "\x04\x00"), 29);
    expect_bad(BYTES(V2 "\x21\x11\x00\x0f" TCP4 "\x04\x00\x01"), 30);
    expect_bad(BYTES(V2 "\x21\x11\x00\x14" TCP4 "\x20\x00\x06\x01\0\0\0\0"), 35);
    expect_bad(BYTES(V2 "\x21\x11\x00\x13" TCP4 "\x20\x00\x04\x01\0\0\0"), 34);
    static char block[70000];
    struct proxy_header header;
    size_t eaten, count = long_block(block, 2000, "\x04\xff\xff", 3);
    cr_assert_eq(read_part(block, count, &header, &eaten), RC_EINVAL);
}

Test(proxy_header, a_block_may_name_nobody, .timeout = 5)
{
    expect_good(BYTES(V2 "\x20\x00\x00\x00"), 0, 0, "-");
    expect_good(BYTES(V2 "\x20\x11\x00\x0c" TCP4), 0, 12, "-");
    expect_good(BYTES(V2 "\x21\x00\x00\x03xyz"), 0, 3, "-");
    expect_good(BYTES(V2 "\x21\x12\x00\x0c" TCP4), 0, 12, "-");
    struct proxy_header header;
    size_t eaten;
    cr_assert_eq(read_part(BYTES(V2 "\x21\x31\x00\xd8"), &header, &eaten), RC_OK);
    cr_expect(!header.has_address && header.rest == 216);
}

Test(proxy_header, bad_blocks_are_refused, .timeout = 5)
{
    expect_bad(BYTES(V2 "\x22\x11\x00\x0c" TCP4), 12);
    expect_bad(BYTES(V2 "\x11\x11\x00\x0c" TCP4), 12);
    expect_bad(BYTES(V2 "\x31\x11\x00\x0c" TCP4), 12);
    expect_bad(BYTES(V2 "\x21\x13\x00\x0c" TCP4), 13);
    expect_bad(BYTES(V2 "\x21\x41\x00\x0c" TCP4), 13);
    expect_bad(BYTES(V2 "\x21\x10\x00\x0c" TCP4), 13);
    expect_bad(BYTES(V2 "\x21\x01\x00\x0c" TCP4), 13);
    expect_bad(BYTES(V2 "\x21\x11\x00\x0b" TCP4), 15);
    expect_bad(BYTES(V2 "\x21\x21\x00\x23" TCP6), 15);
    expect_bad(BYTES("\r\n\r\n\0\r\nQUIT\r\n\x21\x11"), 11);
    expect_bad(BYTES("\r\nGET / HTTP/1.1\r\n"), 2);
}
