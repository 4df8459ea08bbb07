/* tests/net/test_digest.c - digests against the vectors of the RFCs and the examples computed for the Pusher protocol
 * with its official SDK. */
#include "net/digest.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECRET "s3cr3t-ringcast-demo"

static void expect_hmac(struct text key, struct text text, const char *wanted)
{
    char hex[DIGEST_HMAC_HEX_BYTES + 1];
    cr_expect_eq(digest_hmac_hex(key, &text, 1, hex), RC_OK);
    cr_expect_str_eq(hex, wanted);
}

/* RFC 4231 4, without case 5, which cuts the output. */
Test(digest, hmac_gives_the_vectors_of_rfc_4231, .timeout = 5)
{
    char key[131], data[50];
    memset(key, 0x0b, 20);
    expect_hmac((struct text){key, 20}, text_of("Hi There"),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    expect_hmac(text_of("Jefe"), text_of("what do ya want for nothing?"),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, sizeof data);
    expect_hmac((struct text){key, 20}, (struct text){data, sizeof data},
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    expect_hmac((struct text){key, sizeof key}, text_of("Test Using Larger Than Block-Size Key - Hash Key First"),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    expect_hmac(
        (struct text){key, sizeof key},
        text_of("This is a test using a larger than block-size key and a larger than block-size data. The key "
                "needs to be hashed before being used by the HMAC algorithm."),
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    for (int i = 0; i < 25; i++)
        key[i] = (char)(i + 1);
    memset(data, 0xcd, sizeof data);
    expect_hmac((struct text){key, 25}, (struct text){data, sizeof data},
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}

Test(digest, hmac_takes_nothing_as_key_and_as_text, .timeout = 5)
{
    char hex[DIGEST_HMAC_HEX_BYTES + 1];
    static const char wanted[] = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    expect_hmac((struct text){0}, (struct text){0}, wanted);
    expect_hmac(text_of(""), text_of(""), wanted);
    cr_expect_eq(digest_hmac_hex(text_of(""), NULL, 0, hex), RC_OK);
    cr_expect_str_eq(hex, wanted);
}

/* Computed with the official node SDK. */
Test(digest, hmac_signs_as_the_pusher_sdks_do, .timeout = 5)
{
    static const struct {
        const char *text, *signature;
    } rows[] = {
        /* subscriptions and sign-in, of the connection 123.456 */
        {"123.456:private-room-7", "6c338e928590b1f52c0f57bd472ff291af9096403ab786a2747c70235b1bda89"},
        {"123.456:presence-room-7:{\"user_id\":\"42\",\"user_info\":{\"name\":\"Ann\"}}",
         "f640c989aa772323d936db44a5b9684c9c4fb8c9caf8dba8d721fb3c0a0cb59f"},
        {"123.456::user::{\"id\":\"42\",\"user_info\":{\"name\":\"Ann\"},\"watchlist\":[\"7\"]}",
         "0b88c3b458a0242bfe27370de05aefb5a5f277fadc699a5af789ef0bae6d4309"},
        {"123.456:private-encrypted-room-7", "a80b506975c221141e73c82d2bb92b0efea88128baedb1aeb24b8381681cae2c"},
        /* requests */
        {"POST\n/apps/1001/events\nauth_key=rcdemo4f2a9c71&auth_timestamp=1700000000&auth_version=1.0&"
         "body_md5=e9bf98ebe74d138c7b76bd938e5f0dea",
         "9dc6ec712cd97f2e843f48fce3ae1fe2b7ae061e5344a430f36e0b2fc1da64b3"},
        {"GET\n/apps/1001/channels\nauth_key=rcdemo4f2a9c71&auth_timestamp=1700000000&auth_version=1.0&"
         "filter_by_prefix=presence-&info=user_count",
         "d29f99a52aa0f140ee76ced874ed2c17635e31836679d00eeba8504dce3b5584"},
        /* a webhook */
        {"{\"time_ms\":1700000000123,\"events\":[{\"name\":\"channel_occupied\",\"channel\":\"room-7\"}]}",
         "bf04de43fa30f1a6879bd3fdea609e7a68b56376478772ea44451eba66ec089c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_hmac(text_of(SECRET), text_of(rows[i].text), rows[i].signature);
}

Test(digest, hmac_is_of_the_pieces_one_after_the_other, .timeout = 5)
{
    const struct text pieces[] = {text_of("123.456"), text_of(":"), {0}, text_of(""), text_of("private-room-7")};
    char hex[DIGEST_HMAC_HEX_BYTES + 1];
    cr_expect_eq(digest_hmac_hex(text_of(SECRET), pieces, sizeof pieces / sizeof pieces[0], hex), RC_OK);
    cr_expect_str_eq(hex, "6c338e928590b1f52c0f57bd472ff291af9096403ab786a2747c70235b1bda89");
}

Test(digest, md5_gives_the_vectors_of_rfc_1321, .timeout = 5)
{
    static const struct {
        const char *text, *md5;
    } rows[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
        /* the body of the request signed above */
        {"{\"name\":\"new-message\",\"channels\":[\"private-room-7\"],\"data\":\"{\\\"text\\\":\\\"hi\\\"}\"}",
         "e9bf98ebe74d138c7b76bd938e5f0dea"},
    };
    char hex[DIGEST_MD5_HEX_BYTES + 1];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(digest_md5_hex(text_of(rows[i].text), hex), RC_OK);
        cr_expect_str_eq(hex, rows[i].md5, "row %zu", i);
    }
    cr_expect_eq(digest_md5_hex((struct text){0}, hex), RC_OK);
    cr_expect_str_eq(hex, rows[0].md5);
}

Test(digest, sha1_gives_the_vectors_of_fips_180, .timeout = 5)
{
    static const struct {
        const char *text, *sha1;
    } rows[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {"return 1", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"}, /* as Redis names it */
    };
    char hex[DIGEST_SHA1_HEX_BYTES + 1];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(digest_sha1_hex(text_of(rows[i].text), hex), RC_OK);
        cr_expect_str_eq(hex, rows[i].sha1, "row %zu", i);
    }
}

Test(digest, equal_means_every_byte, .timeout = 5)
{
    char given[DIGEST_HMAC_HEX_BYTES], all_a[DIGEST_HMAC_HEX_BYTES];
    struct text expected = {all_a, sizeof all_a};
    memset(all_a, 'a', sizeof all_a);
    for (size_t i = 0; i < sizeof given; i++) {
        memset(given, 'a', sizeof given);
        cr_expect(digest_equals((struct text){given, sizeof given}, expected));
        given[i] = 'A';
        cr_expect_not(digest_equals((struct text){given, sizeof given}, expected), "byte %zu", i);
        cr_expect_not(digest_equals((struct text){expected.at, i}, expected), "a beginning is not all");
    }
    cr_expect_not(digest_equals((struct text){0}, expected));
    cr_expect_not(digest_equals(expected, text_of("")));
    cr_expect(digest_equals((struct text){0}, text_of("")), "both have no bytes");
}
