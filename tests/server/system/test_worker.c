/* tests/server/system/test_worker.c - a thread that sleeps, is rung for, stopped and joined. */
#include "server/system/worker.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* What the thread does, and what it has seen. */
struct errand {
    struct worker worker;
    atomic_uint asked, done;
    sigset_t blocked;
    char name[16];
    bool has_ended;
};

static void run(void *owner)
{
    struct errand *errand = owner;
    pthread_sigmask(SIG_SETMASK, NULL, &errand->blocked);
    strncpy(errand->name, errand->worker.name, sizeof errand->name - 1);
    while (!worker_is_stopping(&errand->worker)) {
        doorbell_lie_down(&errand->worker.doorbell);
        bool is_idle = atomic_load(&errand->asked) == atomic_load(&errand->done);
        if (is_idle) doorbell_wait(&errand->worker.doorbell, 60 * 60 * 1000);
        doorbell_get_up(&errand->worker.doorbell);
        atomic_store(&errand->done, atomic_load(&errand->asked));
    }
    errand->has_ended = true;
}

/* The timeout is the assertion that it is woken. */
Test(worker, does_what_it_is_asked_until_it_is_stopped, .timeout = 30)
{
    static struct errand errand;
    cr_assert_eq(worker_init(&errand.worker), RC_OK);
    cr_assert_eq(worker_start(&errand.worker, "errands", run, &errand), RC_OK);
    for (unsigned i = 1; i <= 1000; i++) {
        atomic_store(&errand.asked, i);
        doorbell_ring(&errand.worker.doorbell);
        while (atomic_load(&errand.done) != i) {
            usleep(10);
        }
    }
    cr_expect(!worker_is_stopping(&errand.worker));
    worker_stop(&errand.worker);
    cr_expect(errand.has_ended, "it is over when the stop returns");
    cr_expect_str_eq(errand.name, "errands");
    worker_stop(&errand.worker);
    worker_fini(&errand.worker);
}

Test(worker, has_no_signals_and_who_starts_it_keeps_its_own, .timeout = 30)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};
    static struct errand errand;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    cr_assert_eq(worker_init(&errand.worker), RC_OK);
    cr_assert_eq(worker_start(&errand.worker, "errands", run, &errand), RC_OK);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    worker_stop(&errand.worker);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        cr_expect(sigismember(&errand.blocked, signals[i]), "signal %d", signals[i]);
        cr_expect_eq(sigismember(&after, signals[i]), sigismember(&before, signals[i]), "signal %d", signals[i]);
    }
    worker_fini(&errand.worker);
}

Test(worker, one_that_was_never_made_can_be_stopped_and_given_back, .timeout = 10)
{
    struct worker worker = {0};
    int ends[2];
    char byte;
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    cr_assert_eq(dup2(ends[1], 0), 0, "descriptor 0, as in one of zeros");
    worker_stop(&worker);
    worker_fini(&worker);
    cr_expect_neq(fcntl(0, F_GETFD), -1, "it is not closed");
    cr_expect_eq(read(ends[0], &byte, 1), -1, "nor rung");
}

Test(worker, without_a_descriptor_there_is_none, .timeout = 10)
{
    struct worker worker = {0};
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max});
    enum rc rc = worker_init(&worker);
    setrlimit(RLIMIT_NOFILE, &limit);
    cr_expect_eq(rc, RC_EKERNEL);
    worker_fini(&worker);
    cr_expect_neq(fcntl(0, F_GETFD), -1);
}
