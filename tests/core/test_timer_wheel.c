/* tests/core/test_timer_wheel.c - timers fire once, never early, at most a tick late, wherever time goes. */
#include "core/timer_wheel.h"

#include <criterion/criterion.h>

static const uint64_t horizon_ms = (uint64_t)TIMER_TICK_MS * TIMER_SLOTS;

_Static_assert(sizeof(struct timer) <= 24, "a timer lies in every connection");

/* The first time at which a timer due at `due_ms` may fire, set when the wheel had seen `now_ms`. */
static uint64_t fires_at_ms(uint64_t now_ms, uint64_t due_ms)
{
    uint64_t next_tick_ms = (now_ms / TIMER_TICK_MS + 1) * TIMER_TICK_MS;
    uint64_t due_tick_ms = (due_ms + TIMER_TICK_MS - 1) / TIMER_TICK_MS * TIMER_TICK_MS;
    return due_tick_ms > next_tick_ms ? due_tick_ms : next_tick_ms;
}

Test(timer_wheel, a_timer_fires_once_in_its_tick_wherever_it_is_set, .timeout = 10)
{
    static const uint64_t starts_ms[] = {0, 1, 31, 32, 1000, 32767, 32768, UINT64_C(1) << 40};
    static const uint64_t delays_ms[] = {0, 1, 31, 32, 33, 2048, 32735, 32736, 32767, 32768, 32769, 65536, 100000};
    for (size_t s = 0; s < sizeof starts_ms / sizeof starts_ms[0]; s++) {
        for (size_t d = 0; d < sizeof delays_ms / sizeof delays_ms[0]; d++) {
            uint64_t now_ms = starts_ms[s], due_ms = now_ms + delays_ms[d];
            struct timer_wheel wheel;
            struct timer timer = {0};
            timer_wheel_init(&wheel, now_ms);
            timer_set(&wheel, &timer, due_ms);

            uint64_t at_ms = fires_at_ms(now_ms, due_ms);
            cr_assert_eq(timer_wheel_wake_at_ms(&wheel), at_ms, "start %lu delay %lu", now_ms, delays_ms[d]);
            cr_assert_null(timer_wheel_expire(&wheel, at_ms - 1));
            cr_assert(timer_is_set(&timer));
            cr_assert_eq(timer_wheel_wake_at_ms(&wheel), at_ms, "the same after a look");
            cr_assert_eq(timer_wheel_expire(&wheel, at_ms), &timer);
            cr_assert_not(timer_is_set(&timer));
            cr_assert_null(timer_wheel_expire(&wheel, at_ms + 10 * horizon_ms));
            cr_assert_eq(timer_wheel_wake_at_ms(&wheel), UINT64_MAX);
        }
    }
}

Test(timer_wheel, a_moved_timer_forgets_its_earlier_time, .timeout = 5)
{
    static struct timer_wheel wheel;
    struct timer timer = {0};
    timer_wheel_init(&wheel, 0);
    static const uint64_t dues_ms[] = {320, 64, 64 + TIMER_TICK_MS * TIMER_SLOTS, 3200, 6400};
    for (size_t i = 0; i < sizeof dues_ms / sizeof dues_ms[0]; i++) {
        timer_set(&wheel, &timer, dues_ms[i]);
        cr_expect_eq(timer_wheel_wake_at_ms(&wheel), dues_ms[i]);
    }
    cr_expect_null(timer_wheel_expire(&wheel, 6399));
    cr_expect_eq(timer_wheel_expire(&wheel, 6400), &timer);
}

Test(timer_wheel, a_cleared_timer_does_not_fire_and_wakes_nobody, .timeout = 5)
{
    static struct timer_wheel wheel;
    struct timer near = {0}, also_near = {0}, far = {0}, never = {0};
    timer_wheel_init(&wheel, 0);
    timer_clear(&wheel, &never);
    timer_set(&wheel, &near, 320);
    timer_set(&wheel, &also_near, 320);
    timer_set(&wheel, &far, 320 + horizon_ms); /* same slot, next round */
    timer_clear(&wheel, &near);
    timer_clear(&wheel, &near);
    cr_expect_eq(timer_wheel_wake_at_ms(&wheel), 320);
    timer_clear(&wheel, &also_near);
    cr_expect_eq(timer_wheel_wake_at_ms(&wheel), 320 + horizon_ms);
    cr_expect_null(timer_wheel_expire(&wheel, 319 + horizon_ms));
    timer_clear(&wheel, &far);
    cr_expect_eq(timer_wheel_wake_at_ms(&wheel), UINT64_MAX);
    cr_expect_null(timer_wheel_expire(&wheel, 10 * horizon_ms));
}

Test(timer_wheel, what_a_small_budget_leaves_can_be_cleared_or_comes_later, .timeout = 5)
{
    static struct timer_wheel wheel;
    struct timer timers[4] = {0};
    timer_wheel_init(&wheel, 0);
    for (int i = 0; i < 4; i++)
        timer_set(&wheel, &timers[i], 64);
    struct timer *first = timer_wheel_expire(&wheel, 100);
    cr_assert_not_null(first);
    cr_expect_leq(timer_wheel_wake_at_ms(&wheel), 100, "more is waiting");
    struct timer *cleared = first == &timers[1] ? &timers[2] : &timers[1];
    timer_clear(&wheel, cleared);
    timer_set(&wheel, first, 960);
    int left = 0;
    for (struct timer *timer; (timer = timer_wheel_expire(&wheel, 100)) != NULL; left++)
        cr_expect(timer != first && timer != cleared);
    cr_expect_eq(left, 2);
    cr_expect_eq(timer_wheel_expire(&wheel, 960), first);
}

Test(timer_wheel, timers_set_again_at_once_end_the_loop_and_starve_nobody, .timeout = 5)
{
    enum { TIMERS = 50, ROUNDS = 20 };
    static struct timer_wheel wheel;
    static struct timer timers[TIMERS];
    static int fired[TIMERS];
    timer_wheel_init(&wheel, 5);
    for (int i = 0; i < TIMERS; i++)
        timer_set(&wheel, &timers[i], (uint64_t)i);
    uint64_t now_ms = 0;
    for (int round = 1; round <= ROUNDS; round++) {
        now_ms += round == 10 ? 100 * horizon_ms : 100;
        for (struct timer *timer; (timer = timer_wheel_expire(&wheel, now_ms)) != NULL;) {
            fired[timer - timers]++;
            timer_set(&wheel, timer, round % 2 ? now_ms : 0); /* due now, or long ago */
        }
        for (int i = 0; i < TIMERS; i++)
            cr_assert_eq(fired[i], round, "timer %d", i);
    }
}

Test(timer_wheel, time_that_goes_back_fires_nothing_twice, .timeout = 5)
{
    static struct timer_wheel wheel;
    struct timer first = {0}, second = {0};
    timer_wheel_init(&wheel, 10000);
    timer_set(&wheel, &first, 10100);
    timer_set(&wheel, &second, 10500);
    cr_expect_eq(timer_wheel_expire(&wheel, 10200), &first);
    cr_expect_null(timer_wheel_expire(&wheel, 5000));
    timer_set(&wheel, &first, 5000);
    cr_expect_eq(timer_wheel_expire(&wheel, 10240), &first);
    cr_expect_eq(timer_wheel_expire(&wheel, 10528), &second);
}

Test(timer_wheel, never_is_a_time_too, .timeout = 5)
{
    static struct timer_wheel wheel;
    struct timer timer = {0};
    timer_wheel_init(&wheel, 0);
    timer_set(&wheel, &timer, UINT64_MAX);
    cr_expect_eq(timer_wheel_wake_at_ms(&wheel), UINT64_MAX);
    cr_expect_null(timer_wheel_expire(&wheel, UINT64_MAX));
    timer_clear(&wheel, &timer);
}

Test(timer_wheel, a_million_timers_all_fire, .timeout = 60)
{
    enum { TIMERS = 1000000 };
    static struct timer_wheel wheel;
    struct timer *timers = calloc(TIMERS, sizeof *timers);
    cr_assert_not_null(timers);
    timer_wheel_init(&wheel, 0);
    for (uint64_t i = 0; i < TIMERS; i++)
        timer_set(&wheel, &timers[i], i * 7919 % (3 * horizon_ms));
    uint64_t fired = 0, wakes = 0;
    for (uint64_t now_ms; (now_ms = timer_wheel_wake_at_ms(&wheel)) != UINT64_MAX; wakes++)
        while (timer_wheel_expire(&wheel, now_ms) != NULL)
            fired++;
    cr_expect_eq(fired, TIMERS);
    cr_expect_leq(wakes, 3 * TIMER_SLOTS, "one wake for a tick");
    free(timers);
}

/* The model: an array of times at which timers may fire, 0 for those that are not set. */
enum { MODEL_TIMERS = 200, MODEL_STEPS = 60000 };

struct model {
    struct timer_wheel wheel;
    struct timer timers[MODEL_TIMERS];
    uint64_t fires_at_ms[MODEL_TIMERS];
    uint64_t now_ms;
    uint64_t random;
};

static uint64_t model_random(struct model *model, uint64_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % below;
}

/* Mostly near, sometimes past, on the edge of the horizon, or rounds away; multiples of it meet in one slot. */
static uint64_t model_due_ms(struct model *model)
{
    switch (model_random(model, 6)) {
    case 0:
        return model->now_ms - model_random(model, 1000);
    case 1:
        return model->now_ms + horizon_ms - 2 * TIMER_TICK_MS + model_random(model, 4 * TIMER_TICK_MS);
    case 2:
        return model->now_ms + model_random(model, 5 * horizon_ms);
    case 3:
        return model->now_ms + 500 + horizon_ms * model_random(model, 4);
    default:
        return model->now_ms + model_random(model, 3000);
    }
}

static uint64_t model_step_ms(struct model *model)
{
    switch (model_random(model, 50)) {
    case 0:
        return model_random(model, 10 * horizon_ms);
    case 1:
        return horizon_ms - TIMER_TICK_MS + model_random(model, 3 * TIMER_TICK_MS);
    default:
        return model_random(model, 200);
    }
}

static void model_set(struct model *model, uint64_t index)
{
    uint64_t due_ms = model_due_ms(model);
    timer_set(&model->wheel, &model->timers[index], due_ms);
    model->fires_at_ms[index] = fires_at_ms(model->now_ms, due_ms);
}

static void model_clear(struct model *model, uint64_t index)
{
    timer_clear(&model->wheel, &model->timers[index]);
    model->fires_at_ms[index] = 0;
}

static uint64_t model_soonest_ms(const struct model *model)
{
    uint64_t soonest_ms = UINT64_MAX;
    for (int i = 0; i < MODEL_TIMERS; i++)
        if (model->fires_at_ms[i] != 0 && model->fires_at_ms[i] < soonest_ms) soonest_ms = model->fires_at_ms[i];
    return soonest_ms;
}

/* Takes up to `budget` timers, at least one: the wheel learns the time here. Others are set and cleared in between. */
static void model_expire(struct model *model, uint64_t budget)
{
    while (budget-- > 0) {
        struct timer *timer = timer_wheel_expire(&model->wheel, model->now_ms);
        if (timer == NULL) {
            cr_assert_gt(model_soonest_ms(model), model->now_ms, "nothing due is kept back");
            return;
        }
        uint64_t index = (uint64_t)(timer - model->timers);
        cr_assert_lt(index, MODEL_TIMERS);
        cr_assert_neq(model->fires_at_ms[index], 0, "only what is set fires");
        cr_assert_leq(model->fires_at_ms[index], model->now_ms, "never early");
        model->fires_at_ms[index] = 0;
        if (model_random(model, 3) != 0) model_set(model, index);
        if (model_random(model, 4) == 0) model_clear(model, model_random(model, MODEL_TIMERS));
        if (model_random(model, 4) == 0) model_set(model, model_random(model, MODEL_TIMERS));
    }
}

static void model_check(struct model *model)
{
    for (int i = 0; i < MODEL_TIMERS; i++)
        cr_assert_eq(timer_is_set(&model->timers[i]), model->fires_at_ms[i] != 0, "timer %d", i);
    uint64_t soonest_ms = model_soonest_ms(model), wake_at_ms = timer_wheel_wake_at_ms(&model->wheel);
    if (soonest_ms > model->now_ms)
        cr_assert_eq(wake_at_ms, soonest_ms);
    else
        cr_assert_leq(wake_at_ms, model->now_ms, "something is due");
}

Test(timer_wheel, it_does_what_a_naive_model_does, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        static struct model model;
        model = (struct model){.now_ms = 1000000 + seed, .random = seed * UINT64_C(0x9e3779b97f4a7c15)};
        timer_wheel_init(&model.wheel, model.now_ms);
        for (int step = 0; step < MODEL_STEPS; step++) {
            uint64_t sets = model_random(&model, 4);
            for (uint64_t i = 0; i < sets; i++)
                model_set(&model, model_random(&model, MODEL_TIMERS));
            if (model_random(&model, 3) == 0) model_clear(&model, model_random(&model, MODEL_TIMERS));
            model_check(&model);
            model.now_ms += model_step_ms(&model);
            model_expire(&model, model_random(&model, 5) == 0 ? 1 + model_random(&model, 10) : UINT64_MAX);
            model_check(&model);
        }
    }
}
