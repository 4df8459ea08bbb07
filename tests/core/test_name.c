/* tests/core/test_name.c - the keyed hash of names, and which names there may be.
 *
 * The hash is checked against SipHash-c-d written here a second time and in another way: on bytes, as the paper
 * describes it. That this second one is right is checked by the paper's own vector, which is of SipHash-2-4. */
#include "core/name.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* ---- SipHash as in the paper, sections 2.1 to 2.4 ---- */

static uint64_t little_endian(const uint8_t *bytes, size_t count)
{
    uint64_t word = 0;
    for (size_t i = count; i > 0; i--) {
        word = word * 256 + bytes[i - 1];
    }
    return word;
}

static void rotate_left(uint64_t *word, int bits)
{
    for (; bits > 0; bits--) {
        *word = *word * 2 + (*word >= UINT64_C(1) << 63);
    }
}

struct sip {
    uint64_t a, b, c, d;
};

static void half_round(uint64_t *w, uint64_t *x, uint64_t *y, uint64_t *z, int x_bits, int z_bits)
{
    *w += *x;
    *y += *z;
    rotate_left(x, x_bits);
    rotate_left(z, z_bits);
    *x ^= *w;
    *z ^= *y;
    rotate_left(w, 32);
}

static void rounds(struct sip *sip, int count)
{
    for (; count > 0; count--) {
        half_round(&sip->a, &sip->b, &sip->c, &sip->d, 13, 16);
        half_round(&sip->c, &sip->b, &sip->a, &sip->d, 17, 21);
    }
}

static void compress(struct sip *sip, uint64_t word, int count)
{
    sip->d ^= word;
    rounds(sip, count);
    sip->a ^= word;
}

static uint64_t siphash(int c, int d, uint64_t key_0, uint64_t key_1, const uint8_t *bytes, size_t count)
{
    const uint8_t *text = (const uint8_t *)"somepseudorandomlygeneratedbytes"; /* big-endian words, in the paper */
    uint64_t words[4];
    for (int i = 0; i < 4; i++) {
        words[i] = __builtin_bswap64(little_endian(text + (ptrdiff_t)8 * i, 8));
    }
    struct sip sip = {words[0] ^ key_0, words[1] ^ key_1, words[2] ^ key_0, words[3] ^ key_1};
    size_t whole = count / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        compress(&sip, little_endian(bytes + i, 8), c);
    }
    compress(&sip, little_endian(bytes + whole, count - whole) + (uint64_t)(count % 256) * (UINT64_C(1) << 56), c);
    sip.c ^= 0xff;
    rounds(&sip, d);
    return sip.a ^ sip.b ^ sip.c ^ sip.d;
}

Test(name, the_second_siphash_gives_the_papers_vector, .timeout = 5)
{
    /* Appendix A: key 00 to 0f, message 00 to 0e. */
    uint8_t message[15];
    for (uint8_t i = 0; i < sizeof message; i++) {
        message[i] = i;
    }
    uint64_t hash = siphash(2, 4, 0x0706050403020100, 0x0f0e0d0c0b0a0908, message, sizeof message);
    cr_assert_eq(hash, 0xa129ca6149be45e5, "%lx", hash);
}

Test(name, the_hash_is_siphash_1_3, .timeout = 10)
{
    srandom(1);
    for (uint32_t length = 0; length <= 300; length++) {
        uint64_t key_0 = (uint64_t)random() << 33 ^ (uint64_t)random(), key_1 = key_0 * 0x9e3779b97f4a7c15;
        uint8_t *bytes = malloc(length); /* of just that size: the sanitizer sees a read too far */
        for (uint32_t i = 0; i < length; i++) {
            bytes[i] = (uint8_t)random();
        }
        name_set_key(key_0, key_1);
        struct name name = name_of(0, (struct text){(char *)bytes, length});
        cr_assert_eq(name.hash, siphash(1, 3, key_0, key_1, bytes, length), "length %u", length);
        cr_assert_eq(name.text, (char *)bytes);
        cr_assert_eq(name.length, length);
        free(bytes);
    }
}

Test(name, equal_means_the_same_bytes, .timeout = 5)
{
    static const struct {
        const char *a, *b;
        uint32_t a_bytes, b_bytes;
        bool are_equal;
    } cases[] = {{"room", "room", 4, 4, true},  {"room", "rooms", 4, 4, true}, {"room", "rooms", 4, 5, false},
                 {"room", "Room", 4, 4, false}, {"a", "a\0", 1, 2, false},     {"", "", 0, 0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct name a = name_of(0, (struct text){cases[i].a, cases[i].a_bytes});
        struct name b = name_of(0, (struct text){cases[i].b, cases[i].b_bytes});
        cr_expect_eq(name_equals(&a, &b), cases[i].are_equal, "case %zu", i);
    }
    struct name a = {"room", 4, 0, 1}, b = {"raum", 4, 0, 1};
    cr_expect_not(name_equals(&a, &b), "equal hashes do not make equal names");
}

Test(name, the_same_text_in_two_apps_is_two_names, .timeout = 5)
{
    struct name a = name_of(1, text_of("room")), b = name_of(2, text_of("room")), c = name_of(1, text_of("room"));
    cr_expect_not(name_equals(&a, &b));
    cr_expect_neq(a.hash, b.hash);
    cr_expect(name_equals(&a, &c));
    b.hash = a.hash;
    cr_expect_not(name_equals(&a, &b), "whatever their hashes");
}

Test(name, valid_names_have_the_bytes_pusher_allows, .timeout = 5)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;";
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c, 'z'};
        bool is_allowed = memchr(allowed, c, sizeof allowed - 1) != NULL;
        cr_expect_eq(name_is_valid((struct text){text, 3}), is_allowed, "byte %d", c);
        cr_expect_eq(name_is_valid((struct text){text + 1, 1}), is_allowed, "byte %d alone", c);
    }
}

Test(name, valid_names_have_1_to_200_bytes, .timeout = 5)
{
    char text[NAME_BYTES_MAX + 1];
    memset(text, 'a', sizeof text);
    cr_expect_not(name_is_valid((struct text){text, 0}));
    cr_expect(name_is_valid((struct text){text, 1}));
    cr_expect(name_is_valid((struct text){text, NAME_BYTES_MAX}));
    cr_expect_not(name_is_valid((struct text){text, NAME_BYTES_MAX + 1}));
    text[NAME_BYTES_MAX - 1] = ' ';
    cr_expect_not(name_is_valid((struct text){text, NAME_BYTES_MAX}), "the last byte counts too");
}
