/* tests/server/run/test_stop.c - how long a stop may take, on a server without shards. */
#include "server/run/stop.h"

#include "server/config/config.h"
#include "server/run/server.h"

#include <criterion/criterion.h>

TestSuite(stop, .timeout = 20);

Test(stop, is_in_time_for_as_long_as_its_options_allow_and_no_longer)
{
    struct options options = {
        .drain_delay_ms = 1000, .drain_ms = 60000, .drain_ms_max = 5000, .webhook_stop_ms_max = 2000};
    struct config config = {.options = &options};
    struct server server = {.options = &options, .config = &config};
    struct stop stop = {0};
    stop_begin(&stop, &server, 10000);
    cr_assert_eq(stop.stage, SERVER_LEAVING);
    cr_assert(stop_is_in_time(&stop, 10000 + 68000));
    cr_assert_not(stop_is_in_time(&stop, 10000 + 2 * 68000), "a stop that hangs is left to the service manager");
}
