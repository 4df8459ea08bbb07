/* tests/e2e/race.c - two threads write one variable, and the program makes nothing of ThreadSanitizer's report: what
 * runs it has to. */
#include <pthread.h>

static int shared;

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "exitcode=0";
}

static void *write_it(void *argument)
{
    shared++;
    return argument;
}

int main(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, write_it, NULL) != 0) return 0;
    shared++;
    pthread_join(thread, NULL);
    return 0;
}
