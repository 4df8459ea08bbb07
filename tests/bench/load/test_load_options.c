/* tests/bench/load/test_load_options.c - what is given is read, what cannot be is refused with a sentence that names
 * it. */
#include "bench/load/load_options.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#define ARGUMENTS_MAX 16

/* Splits at blanks, as a shell would. */
static enum rc read_line(struct load_options *options, const char *line, char *error)
{
    static char copy[512], program[] = "ringcast-load";
    char *arguments[ARGUMENTS_MAX + 1] = {program}, *rest = NULL;
    int count = 1;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        cr_assert_lt(count, ARGUMENTS_MAX);
        arguments[count++] = word;
    }
    error[0] = '\0';
    enum rc rc = load_options_read(options, count, arguments, error);
    return rc == RC_OK ? load_options_check(options, error) : rc;
}

Test(load_options, addresses_are_taken_apart, .timeout = 10)
{
    static const struct {
        const char *url;
        const char *host; /* for the Host header */
        const char *path;
        const char *address;
        uint16_t port;
    } cases[] = {{"ws://127.0.0.1:8080/", "127.0.0.1:8080", "/", "127.0.0.1", 8080},
                 {"ws://127.0.0.2", "127.0.0.2", "/", "127.0.0.2", 80},
                 {"ws://127.0.0.1:1/room/{room}?a=b", "127.0.0.1:1", "/room/{room}?a=b", "127.0.0.1", 1},
                 {"ws://[::1]:9000/x", "[::1]:9000", "/x", "::1", 9000},
                 {"ws://[::1]", "[::1]", "/", "::1", 80}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[128], error[LOAD_ERROR_BYTES], address[INET6_ADDRSTRLEN];
        struct load_options options;
        snprintf(line, sizeof line, "--url %s", cases[i].url);
        cr_assert_eq(read_line(&options, line, error), RC_OK, "%s: %s", cases[i].url, error);
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&options.servers[0].socket;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&options.servers[0].socket;
        bool is_v6 = options.servers[0].socket.ss_family == AF_INET6;
        inet_ntop(options.servers[0].socket.ss_family, is_v6 ? (const void *)&v6->sin6_addr : &v4->sin_addr, address,
                  sizeof address);
        cr_expect_str_eq(options.host, cases[i].host);
        cr_expect_str_eq(options.path, cases[i].path);
        cr_expect_str_eq(address, cases[i].address);
        cr_expect_eq(ntohs(is_v6 ? v6->sin6_port : v4->sin_port), cases[i].port);
    }
}

Test(load_options, further_nodes_are_taken_apart, .timeout = 10)
{
    struct load_options options;
    char error[LOAD_ERROR_BYTES];
    cr_assert_eq(read_line(&options, "--also 127.0.0.2:81,[::1]:82 --pid 7,8,9", error), RC_OK, "%s", error);
    cr_assert_eq(options.servers_count, 3);
    const struct sockaddr_in *second = (const struct sockaddr_in *)&options.servers[1].socket;
    const struct sockaddr_in6 *third = (const struct sockaddr_in6 *)&options.servers[2].socket;
    cr_expect_eq(ntohl(second->sin_addr.s_addr), INADDR_LOOPBACK + 1);
    cr_expect_eq(ntohs(second->sin_port), 81);
    cr_expect_eq(third->sin6_family, AF_INET6);
    cr_expect_eq(ntohs(third->sin6_port), 82);
    cr_assert_eq(options.pids_count, 3);
    cr_expect_eq(options.pids[2], 9);
    static const char *const wrong[] = {"--also 127.0.0.1",
                                        "--also :80",
                                        "--also 127.0.0.1:",
                                        "--also 127.0.0.1:1,,127.0.0.1:2",
                                        "--also 127.0.0.1:1,",
                                        "--pid 0",
                                        "--pid 7,",
                                        "--pid 7x",
                                        "--pid 9999999",
                                        "--pid 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_eq(read_line(&options, wrong[i], error), RC_EINVAL, "%s", wrong[i]);
        cr_expect(strstr(error, wrong[i][2] == 'a' ? "--also" : "--pid") != NULL, "%s: %s", wrong[i], error);
    }
}

Test(load_options, values_stand_behind_a_blank_or_an_equals_sign, .timeout = 10)
{
    char error[LOAD_ERROR_BYTES];
    struct load_options options;
    cr_assert_eq(read_line(&options, "--connections=50 --rate 2.5 --echo yes --json --payload-bytes=65536", error),
                 RC_OK);
    cr_expect_eq(options.connections, 50);
    cr_expect_eq(options.rate, 2.5);
    cr_expect(options.echo);
    cr_expect(options.json);
    cr_expect_not(options.no_verify);
    cr_expect_eq(options.payload_bytes_min, 65536);
    cr_expect_eq(options.payload_bytes_max, 65536);
    cr_assert_eq(read_line(&options, "", error), RC_OK);
    cr_expect_eq(options.window, 1, "a closed loop, unless a rate is given");
}

Test(load_options, many_connections_change_their_source_address, .timeout = 10)
{
    static const struct {
        const char *line;
        uint32_t first;
    } cases[] = {{"--connections 10000", 0},
                 {"--connections 10001", 0x7f000001},
                 {"--connections 10 --source 127.1.2.3", 0x7f010203},
                 {"--connections 10001 --url ws://[::1]/", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[LOAD_ERROR_BYTES];
        struct load_options options;
        cr_assert_eq(read_line(&options, cases[i].line, error), RC_OK, "%s", error);
        cr_expect_eq(options.source_first, cases[i].first, "%s", cases[i].line);
    }
}

Test(load_options, what_cannot_be_is_refused_by_name, .timeout = 10)
{
    static const struct {
        const char *line;
        const char *word;
    } cases[] = {
        {"--bogus", "\"--bogus\""},
        {"bogus", "argument 1 is no option"},
        {"--connections 5 1:key:secret", "argument 3 is no option"},
        {"--secret=x", "no option \"--secret\":"},
        {"--connection 5", "\"--connection\""},
        {"--seconds", "--seconds needs"},
        {"--json=yes", "--json takes no value"},
        {"--echo maybe", "\"maybe\""},
        {"--connections 0", "--connections"},
        {"--connections 1.5", "whole number"},
        {"--connections 5x", "\"5x\""},
        {"--connections 99999999999", "--connections"},
        {"--payload-bytes 31", "from 32"},
        {"--payload-bytes 65537", "to 65536"},
        {"--payload-bytes 100..50", "\"100..50\""},
        {"--payload-bytes 100..", "\"100..\""},
        {"--payload-bytes ..100", "\"..100\""},
        {"--payload-bytes -5", "\"-5\""},
        {"--seconds nan", "--seconds"},
        {"--rate -1", "--rate"},
        {"--rate 5 --window 5", "exclude each other"},
        {"--rooms 2", "{room}"},
        {"--rooms 101 --url ws://127.0.0.1/{room}", "--rooms 101 is more"},
        {"--publishers 101 --echo yes", "--publishers 101 is more"},
        {"--publishers 100", "at most 99"},
        {"--rooms 10 --publishers 91 --url ws://127.0.0.1/{room}", "at most 90"},
        {"--url http://127.0.0.1/", "begins with ws://"},
        {"--url ws:///path", "names no host"},
        {"--url ws://[::1/", "lacks a ]"},
        {"--url ws://127.0.0.1:/", "lacks the port"},
        {"--source here", "--source here"},
        {"--source 127.0.0.1 --url ws://[::1]/", "--source 127.0.0.1"},
        {"--threads 0", "--threads"},
        {"--threads 3 --connections 2 --echo yes", "--threads 3 is more"},
        {"--threads 4 --rooms 8 --publishers 8 --window 3 --url ws://127.0.0.1/{room}", "give 4 or more"},
        {"--share 0/2", "\"0/2\""},
        {"--share 3/2", "\"3/2\""},
        {"--share 1", "\"1\""},
        {"--share 1/2", "needs 2 rooms"},
        {"--slow 5:1000", "\"5:1000\""},
        {"--slow 5%:0", "\"5%:0\""},
        {"--slow 95%:1000", "\"95%:1000\""},
        {"--slow 1%:1000 --connections 10", "is nobody"},
        {"--churn -1", "--churn"},
        {"--churn 5 --connections 2", "rooms of three"},
        {"--churn 100000 --seconds 80000", "can be remembered"},
        {"--protocol http", "raw or pusher"},
        {"--protocol pusher", "needs --app"},
        {"--protocol pusher --app a:b", "needs --app"},
        {"--protocol pusher --app 1:k:s --publish-by mail", "\"mail\""},
        {"--protocol pusher --app 1:k:s --echo yes", "--echo is for"},
        {"--protocol pusher --app 1:k:s --binary", "--binary is for"},
        {"--protocol pusher --app 1:k:s --channel presence-x", "presence"},
        {"--protocol pusher --app 1:k:s --channel x --publish-by client", "--channel private-x"},
        {"--protocol pusher --app 1:k:s --channel x --rooms 2", "{room} in --channel"},
        {"--app 1:k:s", "--app is for --protocol pusher"},
        {"--publish-by http", "--publish-by is for"},
        {"--merge", "needs files"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[LOAD_ERROR_BYTES];
        static struct load_options options;
        cr_expect_eq(read_line(&options, cases[i].line, error), RC_EINVAL, "%s", cases[i].line);
        cr_expect_not_null(strstr(error, cases[i].word), "%s: %s", cases[i].line, error);
    }
}

Test(load_options, pusher_has_an_address_and_a_channel_of_its_own, .timeout = 10)
{
    char error[LOAD_ERROR_BYTES];
    static struct load_options options;
    cr_assert_eq(read_line(&options, "--protocol pusher --app 12:key:sec:ret --publishers 100", error), RC_OK, "%s",
                 error);
    cr_expect(text_is(options.app_id, "12"));
    cr_expect(text_is(options.app_key, "key"));
    cr_expect(text_is(options.app_secret, "sec:ret"));
    cr_expect_eq(strncmp(options.path, "/app/key?protocol=7&", 20), 0, "%s", options.path);
    cr_expect_eq(options.publish_by, LOAD_BY_HTTP);
    cr_expect_str_eq(options.channel, "load-{room}");
    cr_expect(load_options_layout(&options, 0).has_echo, "over HTTP all members get it");
    cr_assert_eq(
        read_line(&options,
                  "--protocol pusher --app 1:k:s --publish-by client --url ws://127.0.0.1/x/app/k?protocol=7", error),
        RC_OK);
    cr_expect_str_eq(options.path, "/x/app/k?protocol=7");
    cr_expect_str_eq(options.channel, "private-load-{room}");
    cr_expect_not(load_options_layout(&options, 0).has_echo);
}

Test(load_options, threads_and_shares_have_all_connections_between_them, .timeout = 10)
{
    static const struct {
        const char *line;
        bool spans;
        uint32_t publishers_of_first; /* thread of the first share */
    } cases[] = {
        {"--connections 103 --threads 4", true, 1},
        {"--connections 103 --threads 4 --publishers 50", true, 50},
        {"--connections 103 --threads 1 --publishers 50", false, 50},
        {"--connections 103 --threads 4 --rooms 5 --publishers 8 --window 8 --url ws://127.0.0.1/{room}", false, 3},
        {"--connections 103 --threads 2 --share 1/2 --rooms 5 --window 9 --url ws://127.0.0.1/{room}", false, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[LOAD_ERROR_BYTES];
        static struct load_options options;
        cr_assert_eq(read_line(&options, cases[i].line, error), RC_OK, "%s: %s", cases[i].line, error);
        cr_expect_eq(load_options_spans(&options), cases[i].spans);
        uint32_t connections = 0, next = 0;
        for (options.share = 0; options.share < options.shares; options.share++) {
            for (uint32_t thread = 0; thread < options.threads; thread++) {
                uint32_t count, first = load_options_first(&options, thread, &count);
                if (cases[i].spans) cr_expect_eq(first, next, "they follow one another");
                next = first + count;
                connections += count;
                if (thread > 0 || options.share > 0) continue;
                struct layout layout = load_options_layout(&options, thread);
                cr_expect_eq(layout.publishers, cases[i].publishers_of_first, "%s", cases[i].line);
                cr_expect_geq(count, layout.publishers, "publishers are the first thread's");
            }
        }
        cr_expect_eq(connections, 103, "%s", cases[i].line);
    }
}

Test(load_options, files_to_merge_need_no_server, .timeout = 10)
{
    char error[LOAD_ERROR_BYTES];
    static struct load_options options;
    cr_assert_eq(read_line(&options, "--merge a b --json c", error), RC_OK);
    cr_expect_eq(options.files_count, 3);
    cr_expect(options.json);
}
