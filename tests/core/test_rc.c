/* tests/core/test_rc.c - the tables of result codes and close reasons are whole. */
#include "core/close_reason.h"
#include "core/rc.h"

#include <criterion/criterion.h>

Test(rc, errors_are_negative_and_every_code_has_a_text, .timeout = 5)
{
#define RC(name, value, text)                   \
    cr_expect_str_eq(rc_text(RC_##name), text); \
    cr_expect_eq(rc_is_error(RC_##name), #name[0] == 'E', "%s", #name);
#include "core/rc.def"
#undef RC
}

/* From 4300 on clients of the Pusher protocol stay away for good. */
static bool is_pushers(uint16_t code)
{
    return code >= 4000 && code < 4300;
}

Test(close_reason, codes_on_the_wire_may_be_sent_by_an_endpoint, .timeout = 5)
{
    for (enum close_reason reason = 0; reason < CLOSE_REASONS_MAX; reason++) {
        uint16_t code = close_reason_code(reason);
        bool is_rfc6455s = code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
        cr_expect(code == 0 || is_rfc6455s || is_pushers(code), "%s", close_reason_name(reason));
        code = close_reason_channel_code(reason);
        cr_expect(code == 0 || code < 1015 || is_pushers(code), "%s", close_reason_name(reason));
        cr_expect(close_reason_text(reason)[0] != '\0');
    }
}
