/* tests/fuzz/fuzz_http.c - any bytes as HTTP requests, in one piece and in slices, mean the same requests.
 *
 * The first byte of the input seeds the slicing. Bounds are small, so that they are met. Every complete request is
 * looked through and judged as a handshake. Aborts when the two ways differ or a view leaves the request. */
#include "net/http.h"
#include "net/upgrade.h"
#include "tests/fuzz/fuzz.h"

enum { HEAD_MAX = 400, BODY_MAX = 40, REQUESTS_MAX = 4 };

/* What came out, hashed; and where it ended. */
struct digest {
    uint64_t hash;
    size_t requests;
    unsigned status;
};

static void mix(struct digest *digest, struct text text)
{
    for (size_t i = 0; i < text.count; i++)
        digest->hash = (digest->hash ^ (uint8_t)text.at[i]) * UINT64_C(0x100000001b3);
    digest->hash += text.at != NULL; /* empty is not none */
    digest->hash *= UINT64_C(0x100000001b3);
}

static void take_request(struct digest *digest, const struct http_reader *reader)
{
    const struct http_request *request = http_reader_request(reader);
    FUZZ_CHECK(request->path.count > 0 && request->method_text.count > 0 && request->version_minor <= 1);
    FUZZ_CHECK(request->body.count <= BODY_MAX && request->headers.count <= HEAD_MAX);
    mix(digest, request->method_text);
    mix(digest, request->path);
    mix(digest, request->query);
    mix(digest, request->body);
    for (uint32_t n = 0; n < request->lines_count; n++) {
        struct http_header header = http_header_at(request, n);
        FUZZ_CHECK(header.name.count > 0 && memchr(header.value.at, '\n', header.value.count) == NULL);
        mix(digest, header.name);
        mix(digest, header.value);
    }
    FUZZ_CHECK(request->lines_count <= reader->headers_count); /* which counts trailers too */

    struct upgrade upgrade;
    char answer[UPGRADE_ANSWER_BYTES_MAX];
    upgrade_check(request, NULL, 0, &upgrade);
    FUZZ_CHECK(upgrade.status == 101 || upgrade.status == 400 || upgrade.status == 405 || upgrade.status == 426);
    static const char *const any[] = {"any"};
    struct text subprotocol = upgrade_subprotocol(request, any, 1);
    mix(digest, subprotocol);
    FUZZ_CHECK(upgrade.status == 101 ? upgrade_answer(&upgrade, subprotocol, answer, sizeof answer) > 0
                                     : upgrade.text != NULL);
    digest->hash += upgrade.status;
    digest->requests++;
}

/* Feeds one slice, which may end requests and begin others; false: go no further. */
static bool feed(struct http_reader *reader, struct bytes in, struct digest *digest)
{
    for (;;) {
        enum rc rc = http_reader_feed(reader, &in);
        if (rc_is_error(rc)) {
            digest->status = http_reader_status(reader);
            FUZZ_CHECK(digest->status >= 400 && strcmp(http_status_text(digest->status), "Unknown") != 0);
            return false;
        }
        if (rc == RC_MORE) {
            FUZZ_CHECK(in.count == 0);
            return true;
        }
        take_request(digest, reader);
        if (digest->requests == REQUESTS_MAX) return false;
        http_reader_reset(reader);
    }
}

/* slicing 0: all in one. */
static struct digest read_all(const uint8_t *input, size_t count, uint32_t slicing)
{
    struct http_reader reader;
    struct digest digest = {.hash = 1};
    http_reader_init(&reader, HEAD_MAX, BODY_MAX);
    bool goes_on = true;
    while (count > 0 && goes_on) {
        size_t slice_bytes = slicing != 0 ? fuzz_slice_bytes(&slicing, count) : count;
        struct bytes slice = fuzz_slice(input, slice_bytes);
        goes_on = feed(&reader, slice, &digest);
        free(slice.at);
        input += slice_bytes;
        count -= slice_bytes;
    }
    http_reader_fini(&reader);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    if (count < 1) return 0;
    struct digest whole = read_all(input + 1, count - 1, 0);
    struct digest sliced = read_all(input + 1, count - 1, input[0] + 1u);
    FUZZ_CHECK(whole.requests == sliced.requests);
    FUZZ_CHECK(whole.hash == sliced.hash);
    FUZZ_CHECK(whole.status == sliced.status);
    return 0;
}
