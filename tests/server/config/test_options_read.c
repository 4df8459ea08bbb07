/* tests/server/config/test_options_read.c - what is odd among options and variables stops no start, and is told. */
#include "tests/support/config_folder.h"

TestSuite(options_read, .timeout = 10);

#define KUBERNETES                                                                     \
    " in the environment is no option: Kubernetes sets it for a service of this name " \
    "(enableServiceLinks: false keeps it away)"

Test(options_read, unknown_variables_are_only_worth_a_warning)
{
    static const struct {
        const char *variable;
        const char *warning;
    } cases[] = {
        {"RINGCAST_SHARD=4", "RINGCAST_SHARD in the environment is no option; did you mean RINGCAST_SHARDS?"},
        {"RINGCAST_COLOUR=red", "RINGCAST_COLOUR in the environment is no option"},
        {"RINGCAST_PORT_8080_TCP=tcp://10.0.0.1:8080", "RINGCAST_PORT_8080_TCP" KUBERNETES},
        {"RINGCAST_PORT=tcp://10.0.0.1:8080", "RINGCAST_PORT" KUBERNETES},
        {"RINGCAST_SERVICE_HOST=10.0.0.1", "RINGCAST_SERVICE_HOST" KUBERNETES},
        {"RINGCAST_FOO_SERVICE_HOST=10.0.0.1", "RINGCAST_FOO_SERVICE_HOST" KUBERNETES},
        {"RINGCAST_FOO_SERVICE_PORT=8080", "RINGCAST_FOO_SERVICE_PORT" KUBERNETES},
        {"RINGCAST_FOO_BAR_SERVICE_PORT_HTTP=8080", "RINGCAST_FOO_BAR_SERVICE_PORT_HTTP" KUBERNETES},
        {"RINGCAST_FOO_PORT=tcp://10.0.0.1:8080", "RINGCAST_FOO_PORT" KUBERNETES},
        {"RINGCAST_FOO_PORT_53_UDP_ADDR=10.0.0.1", "RINGCAST_FOO_PORT_53_UDP_ADDR" KUBERNETES},
        {"RINGCAST_PORT=8080", "RINGCAST_PORT in the environment is no option"},
        {"RINGCAST_PORTS_8080_TCP=1", "RINGCAST_PORTS_8080_TCP in the environment is no option"},
        {"RINGCAST_FOO_SERVICE_HOSTS=1", "RINGCAST_FOO_SERVICE_HOSTS in the environment is no option"},
        {"RINGCAST_C\x1bOLOUR=red", "RINGCAST_C?OLOUR in the environment is no option"},
        {"RINGCAST_shards=4", "RINGCAST_shards in the environment is no option; did you mean RINGCAST_SHARDS?"},
        {"RINGCAST_HELP=yes", "RINGCAST_HELP in the environment is no option"},
        {"RINGCAST=build/debug/bin/ringcast", ""},
        {"RINGCASTER_SHARDS=x", ""},
        {"SHARDS=x", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        cr_assert_eq(read_all(&options, WORDS(), WORDS(cases[i].variable)), RC_OK, "%s", error);
        cr_expect_str_eq(options.warnings, cases[i].warning);
        cr_expect_eq(options.shards, 0);
        cr_expect_not(options.help);
        options_fini(&options);
    }
}

/* A crowd of Kubernetes' does not hide one that was misspelled. */
Test(options_read, each_unknown_variable_is_told_but_of_a_crowd_the_first)
{
    struct options options;
    cr_assert_eq(read_all(&options, WORDS(),
                          WORDS("RINGCAST_PORT=tcp://h:1", "RINGCAST_SHARD=2", "RINGCAST_A_SERVICE_PORT=3",
                                "RINGCAST_COLOUR=4")),
                 RC_OK, "%s", error);
    cr_expect_str_eq(options.warnings,
                     "RINGCAST_PORT" KUBERNETES "\nRINGCAST_SHARD in the environment is no option; did "
                     "you mean RINGCAST_SHARDS?\nRINGCAST_COLOUR in the environment is no option");
    options_fini(&options);
}

Test(options_read, warnings_have_a_bound_and_say_that_there_are_more)
{
    struct options options;
    char names[200][40];
    const char *variables[201] = {NULL};
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "RINGCAST_NO_%d=1", i);
        variables[i] = names[i];
    }
    cr_assert_eq(read_all(&options, WORDS(), variables), RC_OK, "%s", error);
    cr_expect_str_eq(strrchr(options.warnings, '\n'), "\nand more");
    cr_expect_eq(strncmp(options.warnings, "RINGCAST_NO_0 in the environment is no option\n", 46), 0);
    options_fini(&options);
}

Test(options_read, what_means_something_else_with_other_nodes_is_worth_a_warning)
{
    static const char bytes[] =
        "--history a*: with --redis, bytes= only bounds what each node holds in its memory; a "
        "channel keeps by size= and ttl=";
    static const char app[] =
        "--redis without --app: each node makes an app of its own, so what has to do with guests "
        "is not for all of them; give all nodes the same --app";
    static const struct {
        const char *words[4];
        const char *warning;
    } cases[] = {
        {{"--redis=redis://h:1", "--app=1001:key:secret", "--history=a* bytes=1MiB"}, bytes},
        {{"--redis=redis://h:1", "--app=1001:key:secret", "--history=a* size=7"}, ""},
        {{"--redis=redis://h:1"}, app},
        {{"--history=a* bytes=1MiB"}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        cr_assert_eq(read_all(&options, cases[i].words, NULL), RC_OK, "%s", error);
        cr_expect_str_eq(options.warnings, cases[i].warning, "%s", options.warnings);
        options_fini(&options);
    }
}

Test(options_read, of_a_directory_that_nothing_is_stored_in_are_worth_a_warning)
{
    static const char unused[] =
        "--data-dir is not used, because no rule of --history is durable: give one durable=yes";
    static const struct {
        const char *words[4];
        const char *warning;
    } cases[] = {
        {{"--data-dir=/tmp"}, unused},
        {{"--data-dir=/tmp", "--history=* durable=no"}, unused},
        {{"--data-dir=/tmp", "--history=* durable=yes"}, ""},
        {{"--history=*"}, ""},
        {{"--data-dir="}, ""},
        {{"--redis=redis://h:1", "--app=1001:key:secret", "--data-dir=/tmp"},
         "--data-dir is not used, because no rule of --history is durable: give one durable=yes\n"
         "--data-dir is not used, because with --redis histories are kept there"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        cr_assert_eq(read_all(&options, cases[i].words, NULL), RC_OK, "%s", error);
        cr_expect_str_eq(options.warnings, cases[i].warning, "%s", cases[i].words[0]);
        options_fini(&options);
    }
    struct options options;
    cr_assert_eq(read_all(&options, WORDS(), WORDS("RINGCAST_HELP=1", "RINGCAST_DATA_DIR=/tmp")), RC_OK);
    cr_expect_not_null(strstr(options.warnings, "RINGCAST_HELP in the environment is no option\n--data-dir is not"));
    options_fini(&options);
}
