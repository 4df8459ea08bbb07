/* tests/server/config/test_node_name.c - what a node is called. */
#include "server/config/node_name.h"

#include "server/config/options.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static char name[NODE_NAME_BYTES];

Test(node_name, it_is_what_the_operator_says, .timeout = 10)
{
    char given[] = "west-1";
    struct options options = {.node = given};
    node_name_write(&options, name);
    cr_assert_str_eq(name, "west-1");
}

Test(node_name, else_it_is_the_machines, .timeout = 10)
{
    char given[] = "";
    struct options options = {.node = given};
    char machine[NODE_NAME_BYTES] = "";
    gethostname(machine, sizeof machine - 1);
    node_name_write(&options, name);
    cr_assert_str_eq(name, machine);
}

Test(node_name, what_would_end_a_label_or_a_string_becomes_a_dash, .timeout = 10)
{
    char given[] = "a b\"c\\d\n\x7f\xc3\xa4";
    struct options options = {.node = given};
    node_name_write(&options, name);
    cr_assert_str_eq(name, "a-b-c-d----");
}
