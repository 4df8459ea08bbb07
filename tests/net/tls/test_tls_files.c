/* tests/net/tls/test_tls_files.c - certificates and keys that are wrong in every usual way: each refusal names the file
 * and the cause. And when they expire. */
#include "tests/support/tls_server.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct made_certificate good, other;

static void set_up(void)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    made_certificate(&good, (struct made_wish){.subject = "good"});
    made_certificate(&other, (struct made_wish){.subject = "other"});
}

/* Reads one pair; expects a refusal with these words that names `named`. */
static void expect_refusal(const char *certificate, const char *key, const char *ca, enum rc wanted,
                           const char *named, const char *words)
{
    char reason[512] = "";
    struct tls_files *files = NULL;
    struct tls_names names = {&certificate, &key, 1, ca, false};
    enum rc rc = tls_files_read(&files, &names, reason, sizeof reason);
    cr_expect_eq(rc, wanted, "%s: %s", words, rc_text(rc));
    cr_expect_null(files);
    cr_expect_not_null(strstr(reason, named), "%s: names %s", reason, named);
    cr_expect_not_null(strstr(reason, words), "%s: says %s", reason, words);
    cr_expect_lt(strlen(reason), sizeof reason - 1, "%s", reason);
}

Test(tls_files, a_pair_of_each_kind_is_taken, .timeout = 30)
{
    static const enum made_kind kinds[] = {MADE_P256, MADE_P384, MADE_RSA_2048};
    set_up();
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct made_certificate made;
        struct tls_files *files;
        char reason[512];
        made_certificate(&made, (struct made_wish){.kind = kinds[i], .subject = "x"});
        const char *certificate = made_file(made.certificate), *key = made_file(made.key);
        struct tls_names names = {&certificate, &key, 1, NULL, false};
        cr_assert_eq(tls_files_read(&files, &names, reason, sizeof reason), RC_OK, "%s", reason);
        tls_files_hold(files);
        tls_files_drop(files);
        tls_files_drop(files);
    }
    tls_files_drop(NULL);
}

/* A certificate may have no common name, as those of Let's Encrypt; and more names than there is room for. */
Test(tls_files, the_names_of_a_certificate_are_told, .timeout = 30)
{
    static const char a[] = "a.test", wildcard[] = "*.b.test";
    static char many[7][100];
    const char *names[] = {a, wildcard, NULL}, *all[8] = {0};
    set_up();
    for (size_t i = 0; i < 7; i++) {
        snprintf(many[i], sizeof many[i], "server-%zu.%080d.test", i, 0);
        all[i] = many[i];
    }
    const char *const *const wishes[] = {NULL, names, all};
    for (size_t i = 0; i < 3; i++) {
        struct made_certificate made;
        struct tls_files *files;
        char reason[512];
        made_certificate(&made, (struct made_wish){.subject = "x", .names = wishes[i]});
        const char *certificate = made_file(made.certificate), *key = made_file(made.key);
        struct tls_names given = {&certificate, &key, 1, NULL, false};
        cr_assert_eq(tls_files_read(&files, &given, reason, sizeof reason), RC_OK, "%s", reason);
        const char *told = tls_files_facts(files, 0)->names;
        if (i == 0) cr_expect_str_eq(told, "");
        if (i == 1) cr_expect_str_eq(told, "*.b.test, a.test"); /* mbedTLS writes the last one first */
        if (i == 2) {
            cr_expect_eq(strncmp(told, "server-6.000", 12), 0, "%s", told);
            cr_expect_str_eq(told + strlen(told) - 10, ".test, ...", "%s", told);
        }
        tls_files_drop(files);
    }
}

/* Certificate and key in one file, as some tools keep them. */
Test(tls_files, both_may_stand_in_one_file, .timeout = 10)
{
    char both[sizeof good.certificate + sizeof good.key], reason[512];
    struct tls_files *files;
    set_up();
    snprintf(both, sizeof both, "%s%s", good.key, good.certificate);
    const char *name = made_file(both);
    cr_assert_eq(tls_files_read(&files, &(struct tls_names){&name, &name, 1, name, false}, reason, sizeof reason),
                 RC_OK, "%s", reason);
    tls_files_drop(files);
}

Test(tls_files, files_that_are_not_there_or_empty_are_named, .timeout = 10)
{
    set_up();
    const char *certificate = made_file(good.certificate), *key = made_file(good.key), *empty = made_file("");
    expect_refusal("/nowhere/x.pem", key, NULL, RC_ENOENT, "/nowhere/x.pem", "No such file");
    expect_refusal(certificate, "/nowhere/x.key", NULL, RC_ENOENT, "/nowhere/x.key", "No such file");
    expect_refusal(certificate, key, "/nowhere/ca", RC_ENOENT, "/nowhere/ca", "No such file");
    expect_refusal("/tmp", key, NULL, RC_EINVAL, "/tmp", "is a directory and no regular file");
    expect_refusal(empty, key, NULL, RC_EINVAL, empty, "is empty");
    expect_refusal(certificate, empty, NULL, RC_EINVAL, empty, "is empty");
    expect_refusal(certificate, key, empty, RC_EINVAL, empty, "is empty");
}

/* None is waited for, and none is read without end. */
Test(tls_files, only_regular_files_of_a_megabyte_are_read, .timeout = 10)
{
    char folder[] = "/tmp/ringcast-test-XXXXXX", pipe[64];
    static char large[(1 << 20) + 2];
    set_up();
    const char *certificate = made_file(good.certificate), *key = made_file(good.key);
    cr_assert_not_null(mkdtemp(folder));
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    expect_refusal(pipe, key, NULL, RC_EINVAL, pipe, "a pipe or a device and no regular file");
    expect_refusal(certificate, pipe, NULL, RC_EINVAL, pipe, "no regular file");
    expect_refusal(certificate, key, pipe, RC_EINVAL, pipe, "no regular file");
    expect_refusal("/dev/zero", key, NULL, RC_EINVAL, "/dev/zero", "no regular file");
    memset(large, '\n', sizeof large - 1);
    const char *file = made_file(large);
    expect_refusal(file, key, NULL, RC_EINVAL, file, "larger than");
    unlink(pipe);
    rmdir(folder);
}

Test(tls_files, files_that_hold_something_else_are_told, .timeout = 10)
{
    static const char ed25519[] = "-----BEGIN PRIVATE KEY-----\n"
                                  "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
                                  "-----END PRIVATE KEY-----\n";
    static const char encrypted[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                    "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
                                    "-----END ENCRYPTED PRIVATE KEY-----\n";
    static const char old_encrypted[] = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
                                        "DEK-Info: AES-128-CBC,000102030405060708090A0B0C0D0E0F\n\n"
                                        "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
                                        "-----END RSA PRIVATE KEY-----\n";
    set_up();
    const char *certificate = made_file(good.certificate), *key = made_file(good.key);
    const char *binary = made_file("0\x82\x01\x02"), *cut = made_file("-----BEGIN CERTIFICATE-----\nMIIB\n");
    const char *file = made_file(ed25519);
    expect_refusal(key, certificate, NULL, RC_EINVAL, key, "swapped?");
    expect_refusal(certificate, certificate, NULL, RC_EINVAL, certificate, "swapped?");
    expect_refusal(binary, key, NULL, RC_EINVAL, binary, "no PEM text");
    expect_refusal(certificate, binary, NULL, RC_EINVAL, binary, "no PEM text");
    expect_refusal(certificate, key, key, RC_EINVAL, key, "holds a key and no certificate");
    expect_refusal(cut, key, NULL, RC_EINVAL, cut, "cannot be parsed");
    expect_refusal(certificate, file, NULL, RC_EINVAL, file, "Ed25519");
    file = made_file(encrypted);
    expect_refusal(certificate, file, NULL, RC_EINVAL, file, "passphrase");
    file = made_file(old_encrypted);
    expect_refusal(certificate, file, NULL, RC_EINVAL, file, "passphrase");
}

Test(tls_files, pairs_that_do_not_match_are_told, .timeout = 10)
{
    char chain[2 * sizeof good.certificate];
    set_up();
    const char *certificate = made_file(good.certificate), *other_key = made_file(other.key);
    expect_refusal(certificate, other_key, NULL, RC_EINVAL, certificate, "does not belong");
    expect_refusal(certificate, other_key, NULL, RC_EINVAL, other_key, "does not belong");
    snprintf(chain, sizeof chain, "%s%s", other.certificate, good.certificate);
    const char *wrong_order = made_file(chain);
    expect_refusal(wrong_order, made_file(good.key), NULL, RC_EINVAL, wrong_order, "Put it first");
}

Test(tls_files, weak_ones_are_told, .timeout = 30)
{
    static const struct {
        struct made_wish wish;
        const char *words;
    } rows[] = {
        {{.kind = MADE_RSA_1024, .subject = "x"}, "too weak"},
        {{.kind = MADE_P521, .subject = "x"}, "P-256 or P-384"},
    };
    set_up();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made_certificate made;
        made_certificate(&made, rows[i].wish);
        const char *certificate = made_file(made.certificate);
        expect_refusal(certificate, made_file(made.key), NULL, RC_EINVAL, certificate, rows[i].words);
    }
    static struct made_certificate authority, old;
    made_certificate(&authority, (struct made_wish){.subject = "authority", .is_authority = true});
    made_certificate(&old, (struct made_wish){.subject = "old", .issuer = &authority, .is_signed_with_sha1 = true});
    const char *certificate = made_file(old.certificate);
    expect_refusal(certificate, made_file(old.key), NULL, RC_EINVAL, certificate, "digest");
}

Test(tls_files, none_and_too_many_are_told, .timeout = 10)
{
    char reason[512];
    const char *names[TLS_CERTIFICATES_MAX + 1];
    struct tls_files *files;
    set_up();
    const char *certificate = made_file(good.certificate), *key = made_file(good.key);
    cr_expect_eq(tls_files_read(&files, &(struct tls_names){names, names, 0, NULL, false}, reason, sizeof reason),
                 RC_EINVAL);
    cr_expect_not_null(strstr(reason, "No certificate"));

    const char *keys[TLS_CERTIFICATES_MAX + 1];
    for (size_t i = 0; i < TLS_CERTIFICATES_MAX; i++) {
        names[i] = certificate;
        keys[i] = key;
    }
    names[TLS_CERTIFICATES_MAX] = keys[TLS_CERTIFICATES_MAX] = "one-more.pem";
    struct tls_names many = {names, keys, TLS_CERTIFICATES_MAX + 1, NULL, false};
    cr_expect_eq(tls_files_read(&files, &many, reason, sizeof reason), RC_EINVAL);
    cr_expect_not_null(strstr(reason, "one-more.pem is one too many"), "%s", reason);
    many.count--;
    cr_expect_eq(tls_files_read(&files, &many, reason, sizeof reason), RC_OK, "%s", reason);
    tls_files_drop(files);
}

/* A short reason is cut, not overrun. */
Test(tls_files, a_reason_is_cut_to_its_room, .timeout = 10)
{
    char reason[8];
    struct tls_files *files;
    const char *name = "/nowhere/at/all";
    set_up();
    cr_expect_eq(tls_files_read(&files, &(struct tls_names){&name, &name, 1, NULL, false}, reason, sizeof reason),
                 RC_ENOENT);
    cr_expect_str_eq(reason, "/nowher");
}

/* The first to expire is told, expired ones too: that is for the caller to warn of. */
Test(tls_files, the_first_to_expire_is_told, .timeout = 10)
{
    static struct made_certificate late, soon;
    char reason[512];
    struct tls_files *files;
    set_up();
    made_certificate(&late, (struct made_wish){.subject = "late", .to_year = 2090});
    made_certificate(&soon, (struct made_wish){.subject = "soon", .to_year = 2021});
    const char *names[] = {made_file(late.certificate), made_file(soon.certificate), made_file(good.certificate)};
    const char *keys[] = {made_file(late.key), made_file(soon.key), made_file(good.key)};
    cr_assert_eq(tls_files_read(&files, &(struct tls_names){names, keys, 3, NULL, false}, reason, sizeof reason),
                 RC_OK, "%s", reason);
    cr_expect_eq(tls_files_expire_at(files), 1609459200); /* 2021-01-01 00:00:00 UTC */
    cr_expect_str_eq(tls_files_expire_name(files), names[1]);
    tls_files_drop(files);
}
