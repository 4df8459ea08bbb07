/* tests/fuzz/fuzz_proxy_header.c - any bytes as the beginning of a connection that a proxy has made.
 *
 * Aborts when what is said of a beginning is taken back when more comes, when more is eaten than was given, when it is
 * not known after PROXY_HEADER_BYTES_MAX bytes what they are, or when the client of a line does not stand in it. */
#include "net/proxy_header.h"
#include "tests/fuzz/fuzz.h"

struct verdict {
    enum rc rc;
    struct proxy_header header;
    size_t eaten;
};

static struct verdict judge(const uint8_t *input, size_t count)
{
    struct verdict verdict;
    struct bytes slice = fuzz_slice(input, count);
    verdict.rc = proxy_header_read(slice.at, count, &verdict.header, &verdict.eaten);
    free(slice.at);
    FUZZ_CHECK(verdict.rc == RC_OK || verdict.rc == RC_MORE || verdict.rc == RC_EINVAL);
    FUZZ_CHECK(verdict.eaten <= count && (verdict.eaten > 0) == (verdict.rc == RC_OK));
    FUZZ_CHECK(verdict.rc != RC_MORE || count < PROXY_HEADER_BYTES_MAX);
    return verdict;
}

static void check_same(const struct verdict *before, const struct verdict *now)
{
    FUZZ_CHECK(now->rc == before->rc);
    if (now->rc != RC_OK) return;
    FUZZ_CHECK(now->eaten == before->eaten && now->header.rest == before->header.rest);
    FUZZ_CHECK(now->header.has_address == before->header.has_address);
    FUZZ_CHECK(memcmp(&now->header.ip, &before->header.ip, sizeof now->header.ip) == 0);
    FUZZ_CHECK(now->header.port == before->header.port);
    FUZZ_CHECK(now->header.says_tls == before->header.says_tls && now->header.has_tls == before->header.has_tls);
    FUZZ_CHECK(now->header.says_tls || !now->header.has_tls);
}

/* An IPv4 address is written in one way only. */
static void check_line(const uint8_t *input, const struct verdict *verdict)
{
    char wanted[IP_TEXT_MAX + 20], line[PROXY_HEADER_BYTES_MAX + 1], text[IP_TEXT_MAX];
    if (input[0] != 'P' || !verdict->header.has_address || memcmp(input, "PROXY TCP4 ", 11) != 0) return;
    memcpy(line, input, verdict->eaten);
    line[verdict->eaten] = '\0';
    snprintf(wanted, sizeof wanted, "PROXY TCP4 %s ", ip_format(&verdict->header.ip, 0, text));
    FUZZ_CHECK(strncmp(line, wanted, strlen(wanted)) == 0);
    snprintf(wanted, sizeof wanted, " %u ", verdict->header.port);
    FUZZ_CHECK(strstr(line, wanted) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    struct verdict before = {.rc = RC_MORE};
    size_t most = count < 1100 ? count : 1100;
    for (size_t i = 0; i <= most; i++) {
        struct verdict now = judge(input, i);
        if (before.rc != RC_MORE) check_same(&before, &now);
        if (before.rc == RC_MORE && now.rc == RC_OK) FUZZ_CHECK(now.eaten == i);
        before = now;
    }
    if (before.rc == RC_OK) check_line(input, &before);
    return 0;
}
