/* net/refusal.h - sentences of cause and cure for system calls that the kernel, a limit or a seccomp profile refuses.
 *
 * `error` is an errno. Any thread; what does not fit is cut. */
#pragma once

#include <stddef.h>

/* Of one of io_uring's three calls, by its name. */
void refusal_of_io_uring(const char *call, int error, char *reason_r, size_t reason_size);
/* Of pthread_create(3); `what` is what the thread is for. */
void refusal_of_thread(const char *what, int error, char *reason_r, size_t reason_size);
/* Of any other call that nothing but a seccomp profile refuses; `use` is what we want it for. */
void refusal_of_call(const char *call, int error, const char *use, char *reason_r, size_t reason_size);
