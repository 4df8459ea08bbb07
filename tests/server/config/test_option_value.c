/* tests/server/config/test_option_value.c - values that only some options have: unix sockets beside addresses. */
#include "server/config/options_read.h"

#include <criterion/criterion.h>
#include <string.h>

#define FLAGS_MAX  8
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static char error[OPTIONS_ERROR_BYTES];

static enum rc read_flags(struct options *options, const char *const flags[])
{
    char *argv[FLAGS_MAX + 1] = {(char *)"ringcast"};
    int argc = 1;
    for (; flags[argc - 1] != NULL; argc++)
        argv[argc] = (char *)flags[argc - 1];
    return options_read(options, argc, argv, NULL, error, sizeof error);
}

static const char *shown(const struct options *options, uint32_t index)
{
    static char text[ADDRESS_TEXT_MAX];
    return address_format(&options->control.items[index], text);
}

Test(option_value, control_may_be_a_unix_socket_and_has_a_token, .timeout = 10)
{
    struct options options;
    cr_assert_eq(read_flags(&options, WORDS("--control", "unix:/run/x/c.sock", "--control=127.0.0.1:8081",
                                            "--control-token", "s3cret")),
                 RC_OK, "%s", error);
    cr_expect_eq(options.control.count, 2);
    cr_expect_str_eq(shown(&options, 0), "unix:/run/x/c.sock");
    cr_expect_str_eq(shown(&options, 1), "127.0.0.1:8081");
    cr_expect_str_eq(options.control_token, "s3cret");
    options_fini(&options);
    static const struct {
        const char *flag, *error;
    } wrong[] = {
        {"--control=unix:", "--control: \"unix:\" names no unix socket; give unix: and its whole path: "
                            "unix:/run/ringcast/control.sock"},
        {"--control=unix:c.sock", "--control: \"unix:c.sock\" names no unix socket; give unix: and its whole path: "
                                  "unix:/run/ringcast/control.sock"},
        {"--control=/run/c.sock", "--control: \"/run/c.sock\" is not an address; give unix:PATH, or ADDR:PORT in "
                                  "numbers: 127.0.0.1:8081"},
        {"--listen=unix:/run/c.sock", "--listen: \"unix:/run/c.sock\" is not an address; give ADDR:PORT in numbers: "
                                      "127.0.0.1:8080, [::1]:8080, *:8080"},
        {"--control=unix:/"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxxxxxx",
         "--control: \"unix:/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"... is too long: the path of a "
         "unix socket has at most 107 bytes"},
        {"--control-token=two words", "--control-token: not valid; give 1 to 128 printable characters without blank, "
                                      "or @FILE"},
        {"--control-token=@/nowhere/token", "--control-token: /nowhere/token cannot be read: "},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_expect_eq(read_flags(&options, WORDS(wrong[i].flag)), RC_EINVAL, "%s", wrong[i].flag);
        cr_expect_eq(strncmp(error, wrong[i].error, strlen(wrong[i].error)), 0, "%s", error);
    }
    cr_expect_eq(read_flags(&options, WORDS("--control=unix:/run/c", "--control=unix:/run/c")), RC_EINVAL);
    cr_expect_str_eq(error, "--control: \"unix:/run/c\" is there twice; give it once");
}
