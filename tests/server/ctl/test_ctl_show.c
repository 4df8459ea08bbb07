/* tests/server/ctl/test_ctl_show.c - answers as people read them, and no terminal obeys. */
#include "server/ctl/ctl_show.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static char *shown;

static enum rc show(const char *json)
{
    size_t bytes;
    free(shown);
    shown = NULL;
    FILE *out = open_memstream(&shown, &bytes);
    enum rc rc = ctl_show(out, text_of(json));
    fclose(out);
    return rc;
}

static void end(void)
{
    free(shown);
}

Test(ctl_show, values_stand_below_each_other_and_what_belongs_together_is_indented, .fini = end, .timeout = 10)
{
    cr_expect_eq(
        show(
            "{\"a\":1,\"log_level\":\"info\",\"is\":true,\"was\":false,\"none\":null,"
            "\"big\":18446744073709551615,\"o\":{\"in\":-1.5,\"side\":\"x\"},\"l\":[1,\"b\"],\"e\":[],\"empty\":{}}"),
        RC_OK);
    cr_expect_str_eq(shown, "a          1\n"
                            "log level  info\n"
                            "is         yes\n"
                            "was        no\n"
                            "none       -\n"
                            "big        18446744073709551615\n"
                            "o\n"
                            "  in    -1.5\n"
                            "  side  x\n"
                            "l          1, b\n"
                            "e          none\n"
                            "empty\n");
}

Test(ctl_show, lists_of_objects_are_tables, .fini = end, .timeout = 10)
{
    cr_expect_eq(show("{\"shards\":[{\"shard\":0,\"rooms\":10000},{\"shard\":1,\"rooms\":2},{\"rooms\":3}]}"), RC_OK);
    cr_expect_str_eq(shown, "shards\n"
                            "  shard  rooms\n"
                            "  0      10000\n"
                            "  1      2\n"
                            "         3\n");
    cr_expect_eq(show("{\"n\":[{\"name\":\"é€𐍈\",\"x\":1},{\"name\":\"abcd\",\"x\":2}]}"), RC_OK);
    cr_expect_str_eq(shown,
                     "n\n"
                     "  name  x\n"
                     "  é€𐍈   1\n"
                     "  abcd  2\n",
                     "columns are counted in characters");
}

Test(ctl_show, control_characters_are_spelled_out, .fini = end, .timeout = 10)
{
    cr_expect_eq(show("{\"a\":\"x\\u001b[2J\\n\\u0000y\\u007f\\u009bz\",\"b\\u0007\":\"\\u00a0é\"}"), RC_OK);
    cr_expect_str_eq(shown, "a      x\\x1b[2J\\x0a\\x00y\\x7f\\x9bz\nb\\x07  \u00a0é\n");
}

Test(ctl_show, what_is_no_object_is_refused_and_nothing_shown, .fini = end, .timeout = 10)
{
    static const char *const bad[] = {"", "[]", "1", "\"x\"", "{", "{\"a\":}", "{}x", "OK\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect_eq(show(bad[i]), RC_EINVAL, "%s", bad[i]);
        cr_expect_str_eq(shown, "");
    }
}
