/* bench/load/load_failure.c - what ends a run. */
#include "bench/load/load.h"

#include "bench/load/load_threads.h"

#include <stdarg.h>

bool load_fail(struct load *load, enum load_status status, const char *format, ...)
{
    va_list arguments;
    if (load->status != LOAD_OK) return false;
    load->status = status;
    va_start(arguments, format);
    vsnprintf(load->failure, sizeof load->failure, format, arguments);
    va_end(arguments);
    uint32_t nobody = 0;
    atomic_compare_exchange_strong(&load->run->failed, &nobody, load->index + 1);
    sem_post(&load->run->progress);
    return false;
}
