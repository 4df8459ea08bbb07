/* tests/server/cluster/test_redis_server.c - what is read from INFO, of three servers. */
#include "server/cluster/redis_server.h"

#include <criterion/criterion.h>
#include <string.h>

static struct redis_server read_good(const char *info)
{
    struct redis_server server;
    cr_assert_eq(redis_server_read(text_of(info), &server), RC_OK);
    return server;
}

Test(redis_server, is_a_master_with_all_that_matters, .timeout = 10)
{
    struct redis_server server = read_good(
        "# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:00000000\r\nredis_mode:standalone\r\n\r\n"
        "# Memory\r\nmaxmemory:1048576\r\nmaxmemory_human:1.00M\r\nmaxmemory_policy:allkeys-lru\r\n\r\n"
        "# Persistence\r\nloading:0\r\nasync_loading:0\r\naof_enabled:1\r\naof_rewrite_in_progress:0\r\n\r\n"
        "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
        "master_replid:8b2d1f7a0c9e4d5f6a7b8c9d0e1f2a3b4c5d6e7f\r\n"
        "master_replid2:0000000000000000000000000000000000000000\r\n");
    cr_expect_eq(server.version, 0x07000f);
    cr_expect_str_eq(server.version_text, "7.0.15");
    cr_expect(server.is_master);
    cr_expect_not(server.is_cluster);
    cr_expect_not(server.is_sentinel);
    cr_expect_not(server.is_loading);
    cr_expect(server.has_aof);
    cr_expect_str_eq(server.policy, "allkeys-lru");
    cr_expect_eq(server.memory_max, 1048576);
    cr_expect_eq(server.replicas, 2);
    cr_expect_str_eq(server.replid, "8b2d1f7a0c9e4d5f6a7b8c9d0e1f2a3b4c5d6e7f");
}

Test(redis_server, is_what_its_role_and_mode_say, .timeout = 10)
{
    cr_expect_not(read_good("role:slave\r\n").is_master);
    cr_expect(read_good("redis_version:8.0.2\r\nredis_mode:cluster\r\n").is_cluster);
    cr_expect(read_good("redis_version:7.0.15\r\nredis_mode:sentinel\r\n").is_sentinel);
    cr_expect(read_good("redis_version:7.0.15\r\nloading:1\r\n").is_loading);
    cr_expect_eq(read_good("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\n").version,
                 0x070204);
    cr_expect_eq(read_good("role:master").is_master, true, "the last line may lack its end");
}

Test(redis_server, of_an_odd_version_is_still_compared, .timeout = 10)
{
    cr_expect_eq(read_good("redis_version:6.2.14\r\n").version, 0x06020e);
    cr_expect_lt(read_good("redis_version:6.255.255\r\n").version, REDIS_VERSION_MIN);
    cr_expect_eq(read_good("redis_version:7\r\n").version, REDIS_VERSION_MIN);
    cr_expect_eq(read_good("redis_version:255.255.255\r\n").version, 0xffffff);
    cr_expect_eq(read_good("redis_version:99999999999999999999.1.x\r\n").version, 0xff0100);
    cr_expect_eq(read_good("redis_version:8.2.0-rc1\r\n").version, 0x080200);
    cr_expect_lt(strlen(read_good("redis_version:7.0.15-with-a-very-long-name-of-a-build\r\n").version_text), 24);
}

Test(redis_server, is_not_read_from_something_else, .timeout = 10)
{
    static const char *const cases[] = {"",  "\r\n", "hello", "redis_versions:7", "xrole:master",
                                        ":", "role", "\n\n\n"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct redis_server server = {.replicas = 7};
        cr_expect_eq(redis_server_read(text_of(cases[i]), &server), RC_EPROTO, "%s", cases[i]);
        cr_expect_eq(server.replicas, 7);
    }
}
