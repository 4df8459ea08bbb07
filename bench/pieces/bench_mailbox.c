/* bench/pieces/bench_mailbox.c - letters through a mailbox: by one thread in bursts, and from one thread to another,
 * which share a core or have one each. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "core/mailbox.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>

#define LETTERS_MAX 2048 /* as --mailbox-letters */
#define BURST       64
#define LETTERS     (UINT64_C(1) << 22)

struct traffic {
    struct mailbox *mailbox;
    uint64_t letters;
    int sender_cpu; /* where the threads are pinned; two threads only */
    int receiver_cpu;
};

/* The first and the last CPU that this process may run on. */
static bool find_cpus(int *first_r, int *last_r)
{
    cpu_set_t set;
    *first_r = *last_r = -1;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return false;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set)) continue;
        if (*first_r < 0) *first_r = cpu;
        *last_r = cpu;
    }
    return *first_r >= 0;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set); /* of the calling thread */
}

static struct letter letter_of(uint64_t number)
{
    return (struct letter){.kind = LETTER_DELIVER, .body = (void *)(uintptr_t)number};
}

static uint64_t receive(struct mailbox *mailbox, uint64_t *hash)
{
    struct letter letters[BURST];
    uint32_t count = mailbox_receive(mailbox, letters, BURST);
    for (uint32_t i = 0; i < count; i++) {
        *hash = bench_mix(*hash, (uintptr_t)letters[i].body);
    }
    return count;
}

static uint64_t run_one_thread(void *context)
{
    const struct traffic *traffic = context;
    uint64_t hash = 0;
    for (uint64_t sent = 0; sent < traffic->letters;) {
        for (uint64_t end = sent + BURST; sent < end; sent++) {
            struct letter letter = letter_of(sent);
            if (mailbox_send(traffic->mailbox, &letter) != RC_OK) return 0;
        }
        receive(traffic->mailbox, &hash);
    }
    return hash;
}

/* Sends without a pause. What does not fit waits in the spill list, so the sender stops until that is empty, as a
 * shard stops reading from its clients. */
static void *send_all(void *context)
{
    const struct traffic *traffic = context;
    pin(traffic->sender_cpu);
    for (uint64_t i = 0; i < traffic->letters; i++) {
        struct letter letter = letter_of(i);
        if (mailbox_send(traffic->mailbox, &letter) == RC_OK) continue;
        while (mailbox_waiting(traffic->mailbox) > 0) {
            if (mailbox_unspill(traffic->mailbox) == 0) sched_yield();
        }
    }
    return NULL;
}

static uint64_t run_two_threads(void *context)
{
    const struct traffic *traffic = context;
    pthread_t sender;
    cpu_set_t before;
    uint64_t hash = 0;
    sched_getaffinity(0, sizeof before, &before);
    pin(traffic->receiver_cpu);
    if (pthread_create(&sender, NULL, send_all, context) != 0) return 0;
    for (uint64_t received = 0; received < traffic->letters;) {
        uint64_t count = receive(traffic->mailbox, &hash);
        if (count == 0) sched_yield();
        received += count;
    }
    pthread_join(sender, NULL);
    sched_setaffinity(0, sizeof before, &before);
    return hash;
}

void bench_mailbox(struct bench *bench)
{
    static const struct {
        const char *name;
        uint64_t (*run)(void *context);
        bool has_two_cores;
    } pieces[] = {{"mailbox/one_thread", run_one_thread, false},
                  {"mailbox/one_core", run_two_threads, false},
                  {"mailbox/two_cores", run_two_threads, true}};
    int first_cpu, last_cpu;
    if (!find_cpus(&first_cpu, &last_cpu)) {
        bench_unable(bench, "mailbox", RC_EKERNEL);
        return;
    }
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        if (!bench_wants(bench, pieces[i].name)) continue;
        if (pieces[i].has_two_cores && first_cpu == last_cpu) {
            fprintf(stderr, "ringcast-bench: %s: there is only one core here, it is left out\n", pieces[i].name);
            continue;
        }
        struct traffic traffic = {.mailbox = mailbox_new(LETTERS_MAX),
                                  .sender_cpu = pieces[i].has_two_cores ? last_cpu : first_cpu,
                                  .receiver_cpu = first_cpu,
                                  .letters = (bench_size(bench, LETTERS) + BURST - 1) / BURST * BURST};
        if (traffic.mailbox == NULL) {
            bench_unable(bench, pieces[i].name, RC_ENOMEM);
            continue;
        }
        struct bench_piece piece = {
            .name = pieces[i].name, .operations = traffic.letters, .run = pieces[i].run, .context = &traffic};
        bench_measure(bench, &piece);
        mailbox_free(traffic.mailbox);
    }
}
