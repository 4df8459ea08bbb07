/* tests/server/config/test_network.c - options that are lists of networks: what they take, what they say to slips. */
#include "server/config/network.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char error[200];

static enum rc read_one(struct ip_networks *list, const char *text)
{
    struct option_error out = {error, sizeof error};
    return option_type_network_list.read(text, (struct option_bounds){.max = 3}, list, &out);
}

static char *written(const struct ip_networks *list)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    for (uint32_t i = 0; i < option_type_network_list.count(list); i++) {
        fputs(i > 0 ? " " : "", out);
        option_type_network_list.write(out, list, i);
    }
    fclose(out);
    return text;
}

Test(network, they_are_written_as_they_are_read, .timeout = 10)
{
    struct ip_networks list = {0};
    cr_expect_eq(read_one(&list, "10.0.0.0/8"), RC_OK);
    cr_expect_eq(read_one(&list, "2001:DB8::/32"), RC_OK);
    cr_expect_eq(read_one(&list, "192.0.2.7/32"), RC_OK);
    char *text = written(&list);
    cr_expect_str_eq(text, "10.0.0.0/8 2001:db8::/32 192.0.2.7");
    cr_expect_eq(read_one(&list, "::1"), RC_EINVAL);
    cr_expect_str_eq(error, "more than 3 networks; give fewer");
    cr_expect_eq(list.count, 3);
    free(text);
    option_type_network_list.fini(&list);
    cr_expect_eq(list.count, 0);
}

Test(network, slips_are_told_with_what_to_write, .timeout = 10)
{
    static const char *const slips[][2] = {
        {"proxy", "\"proxy\" is no network; give an address and how many bits count: 10.0.0.0/8, "
                  "2001:db8::/32"},
        {"10.0.0.0/33", "\"10.0.0.0/33\" is no network; give an address and how many bits count: 10.0.0.0/8, "
                        "2001:db8::/32"},
        {"", "\"\" is no network; give an address and how many bits count: 10.0.0.0/8, 2001:db8::/32"},
        {"10.1.2.3/8", "\"10.1.2.3/8\" has bits behind its length; write 10.0.0.0/8, or the address alone"},
        {"2001:db8::1/64",
         "\"2001:db8::1/64\" has bits behind its length; write 2001:db8::/64, or the address alone"}};
    struct ip_networks list = {0};
    for (size_t i = 0; i < sizeof slips / sizeof slips[0]; i++) {
        cr_expect_eq(read_one(&list, slips[i][0]), RC_EINVAL);
        cr_expect_str_eq(error, slips[i][1]);
    }
    cr_expect_eq(list.count, 0);
    cr_expect_null(list.items);
}
