/* tests/server/config/test_redis_url.c - addresses of Redis are read strictly, and no password is told. */
#include "server/config/redis_url.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct redis_url read_good(const char *text)
{
    struct redis_url url;
    char reason[300] = "";
    cr_assert_eq(redis_url_read(text, &url, reason, sizeof reason), RC_OK, "%s: %s", text, reason);
    return url;
}

static void expect_place(const struct redis_url *url, uint32_t index, const char *shown)
{
    char text[REDIS_PLACE_TEXT_MAX];
    cr_expect_lt(index, url->places_count);
    cr_expect_str_eq(redis_place_format(&url->places[index], text), shown);
}

Test(redis_url, names_one_server, .timeout = 10)
{
    static const struct {
        const char *given, *shown, *user;
        uint32_t database;
        bool is_tls;
    } cases[] = {
        {"redis://127.0.0.1:6380", "127.0.0.1:6380", "", 0, false},
        {"redis://localhost", "localhost:6379", "", 0, false},
        {"redis://Cache.Example:1/", "cache.example:1", "", 0, false},
        {"rediss://me@h:65535/15", "h:65535", "me", 15, true},
        {"redis://[::1]", "[::1]:6379", "", 0, false},
        {"redis://me@[2001:DB8::1]:7/0", "[2001:db8::1]:7", "me", 0, false},
        {"redis://[fe80::1%eth0]:7", "[fe80::1%eth0]:7", "", 0, false},
        {"unix:/run/redis/Redis.sock", "unix:/run/redis/Redis.sock", "", 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url url = read_good(cases[i].given);
        cr_expect_eq(url.kind, REDIS_ALONE);
        cr_expect_eq(url.places_count, 1);
        cr_expect_eq(url.database, cases[i].database);
        cr_expect_eq(url.is_tls, cases[i].is_tls);
        cr_expect_str_eq(url.user, cases[i].user);
        expect_place(&url, 0, cases[i].shown);
    }
}

Test(redis_url, names_several_sentinels_or_servers_of_a_cluster, .timeout = 10)
{
    struct redis_url url = read_good("redis+sentinel://a,[::2]:5,c:26380/my-master");
    cr_expect_eq(url.kind, REDIS_SENTINEL);
    cr_expect_eq(url.places_count, 3);
    expect_place(&url, 0, "a:26379");
    expect_place(&url, 1, "[::2]:5");
    expect_place(&url, 2, "c:26380");
    cr_expect_str_eq(url.master, "my-master");
    cr_expect_not(url.is_tls);

    url = read_good("rediss+cluster://app@a,b:7/0");
    cr_expect_eq(url.kind, REDIS_CLUSTER);
    cr_expect_eq(url.places_count, 2);
    expect_place(&url, 0, "a:6379");
    expect_place(&url, 1, "b:7");
    cr_expect_str_eq(url.user, "app");
    cr_expect(url.is_tls);
}

Test(redis_url, says_what_is_wrong_with_it, .timeout = 10)
{
    static const struct {
        const char *given, *said;
    } cases[] = {
        {"", "begins with none of"},
        {"127.0.0.1:6379", "begins with none of"},
        {"http://h", "begins with none of"},
        {"REDIS://h", "begins with none of"},
        {"redis://", "no host"},
        {"redis://:6379", "no host"},
        {"redis://h:", "no port"},
        {"redis://h:0", "no port"},
        {"redis://h:65536", "no port"},
        {"redis://h:6379x", "no port"},
        {"redis://h: 1", "no port"},
        {"redis://h h", "no host"},
        {"redis://-h", "no host"},
        {"redis://h?db=1", "no host"},
        {"redis://::1:6379", "in brackets"},
        {"redis://[::1", "in brackets"},
        {"redis://[::1]6379", "in brackets"},
        {"redis://[h]:1", "in brackets"},
        {"redis://h/x", "no database"},
        {"redis://h/-1", "no database"},
        {"redis://h/1048577", "no database"},
        {"redis://h/0/1", "no database"},
        {"redis://a,b", "redis+sentinel://"},
        {"redis://@h", "no user"},
        {"redis://a%40b@h", "no user"},
        {"unix:redis.sock", "whole path"},
        {"redis+sentinel://a", "no name of a master"},
        {"redis+sentinel://a/", "no name of a master"},
        {"redis+sentinel://a,a/m", "twice"},
        {"redis+sentinel://a,A:26379/m", "twice"},
        {"redis+sentinel://a,/m", "no host"},
        {"redis+cluster://a,b/1", "no other database"},
        {"redis+cluster://a,b,c,d,e,f,g,h,i,j", "more than nine"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url url = {.database = 77};
        char reason[300] = "";
        cr_assert_eq(redis_url_read(cases[i].given, &url, reason, sizeof reason), RC_EINVAL, "%s", cases[i].given);
        cr_expect_eq(url.database, 77);
        cr_expect(strstr(reason, cases[i].said) != NULL, "%s: %s", cases[i].given, reason);
        cr_expect_lt(strlen(reason), sizeof reason - 1);
    }
}

Test(redis_url, with_a_password_is_refused_and_the_password_not_told, .timeout = 10)
{
    static const char *const cases[] = {"redis://:hunter2@h:1",    "redis://me:hunter2@h:1",
                                        "rediss://me:hunter2@h/1", "redis+sentinel://me:hunter2@h/m",
                                        "redis:me:hunter2@h",      "me:hunter2@h"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_url url;
        char reason[300] = "";
        cr_expect_eq(redis_url_read(cases[i], &url, reason, sizeof reason), RC_EINVAL, "%s", cases[i]);
        cr_expect(strstr(reason, "hunter2") == NULL, "%s", reason);
        if (strstr(cases[i], "://") != NULL) cr_expect(strstr(reason, "--redis-password-file") != NULL, "%s", reason);
    }
}

Test(redis_url, has_bounds, .timeout = 10)
{
    char text[REDIS_URL_BYTES_MAX + 20], reason[300];
    struct redis_url url;
    memset(text, 'h', sizeof text);
    memcpy(text, "redis://", strlen("redis://"));
    text[strlen("redis://") + REDIS_HOST_BYTES_MAX] = '\0';
    cr_expect_eq(strlen(read_good(text).places[0].host), REDIS_HOST_BYTES_MAX);
    text[strlen("redis://") + REDIS_HOST_BYTES_MAX] = 'h';
    text[strlen("redis://") + REDIS_HOST_BYTES_MAX + 1] = '\0';
    cr_expect_eq(redis_url_read(text, &url, reason, sizeof reason), RC_EINVAL);
    text[strlen("redis://") + REDIS_HOST_BYTES_MAX + 1] = 'h';
    text[sizeof text - 1] = '\0';
    cr_expect_eq(redis_url_read(text, &url, reason, sizeof reason), RC_EINVAL);
    for (size_t size = 1; size < 100; size++) {
        char *small = malloc(size); /* the sanitizer watches its end */
        cr_assert(small != NULL);
        cr_expect_eq(redis_url_read("redis://me:pass@h", &url, small, size), RC_EINVAL);
        cr_expect_lt(strlen(small), size);
        free(small);
    }
}
