/* tests/support/scarce_steps.c - steps of the fake kernel while allocations fail. */
#include "tests/support/scarce_steps.h"

void scarce_steps(struct scenario *scenario, uint32_t count, uint32_t one_in)
{
    scarce_chance = fake_random;
    for (; count > 0; count--) {
        scarce_one_in = one_in;
        fake_kernel_step(fake_now_ms());
        scarce_one_in = 0;
        client_read(&scenario->clients[fake_random(scenario->clients_count)]);
    }
}
