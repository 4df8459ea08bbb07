/* tests/server/connection/test_tally.c - what is told of connections that end: whose, why, how much, how long; and of
 * how many. log_write_fields() is wrapped at link time. */
#include "server/connection/tally.h"

#include "server/system/log.h"
#include "tests/support/connection_case.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char lines[100000];
static uint32_t lines_count;

void __wrap_log_write_fields(enum log_level level, const struct log_fields *fields, const char *format, ...);
void __wrap_log_write_fields(enum log_level level, const struct log_fields *fields, const char *format, ...)
{
    struct log_record record = {.level = level, .fields = *fields};
    size_t used = strlen(lines);
    enum log_field field;
    const char *value;
    va_list arguments;
    va_start(arguments, format);
    log_record_write(&record, format, arguments);
    va_end(arguments);
    used += (size_t)snprintf(lines + used, sizeof lines - used, "%s:", record.text);
    for (uint32_t at = 0; log_fields_next(fields, &at, &field, &value);)
        used += (size_t)snprintf(lines + used, sizeof lines - used, " %s=%s", log_field_name(field), value);
    snprintf(lines + used, sizeof lines - used, "\n");
    lines_count++;
}

Test(tally, whose_it_was_and_why_it_ended_is_told, .timeout = 30)
{
    case_begin(CASE_FLAGS("--log-connections", "1"));
    struct fake_socket *socket = case_open(CASE_SEND_BUFFER);
    case_text(socket, "hello");
    case_pass(1500);
    cr_expect_str_eq(lines, "", "it has not ended");
    case_close(socket, 1000);
    case_run();
    fake_shutdown(socket);
    case_run();
    cr_expect_not_null(strstr(lines, "a connection ended: peer sent a close frame: connection="), "%s", lines);
    cr_expect_not_null(strstr(lines, " protocol=case app=an app user=somebody reason=peer_closed bytes_in="), "%s",
                       lines);
    uint64_t seconds = 0, ms = 0, in = 0, out = 0;
    cr_assert_eq(
        sscanf(strstr(lines, " bytes_in="), " bytes_in=%lu bytes_out=%lu seconds=%lu.%3lu", &in, &out, &seconds, &ms),
        4, "%s", lines);
    cr_expect_eq(in, case_counter(COUNTER_bytes_received), "all that came");
    cr_expect_eq(out, case_counter(COUNTER_bytes_sent), "and went");
    cr_expect(seconds == 1 && ms >= 500, "%s", lines);

    lines[0] = '\0';
    socket = case_connect(CASE_SEND_BUFFER);
    case_write(socket, CASE_GET("/nothing"));
    case_run();
    case_pass(3000);
    cr_expect_not_null(strstr(lines, " protocol=http reason=http_refused bytes_in="), "nobody's: %s", lines);
    case_end();
}

static uint32_t come_and_go(uint32_t count)
{
    lines_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        fake_shutdown(case_connect(CASE_SEND_BUFFER));
        case_run();
    }
    return lines_count;
}

Test(tally, one_of_so_many_is_told_and_none_unless_asked, .timeout = 60)
{
    case_begin(CASE_FLAGS("--log-connections", "10"));
    cr_expect_eq(come_and_go(31), 4);
    case_end();
    case_begin(CASE_FLAGS());
    cr_expect_null(case_shard->tally.entries);
    cr_expect_eq(come_and_go(5), 0);
    case_end();
    case_begin(CASE_FLAGS("--log-connections", "1"));
    log_set_level(LOG_LEVEL_WARN);
    cr_expect_eq(come_and_go(5), 0, "that is not asked for");
    log_set_level(LOG_LEVEL_INFO);
    case_end();
}
