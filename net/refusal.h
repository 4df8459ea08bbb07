/* net/refusal.h - sentences of cause and cure for system calls that the kernel, a limit or a seccomp profile refuses.
 *
 * `error` is an errno. Any thread; what does not fit is cut. */
#pragma once

#include <stddef.h>

/* Says why one of io_uring's three calls, by its name, is refused. */
void refusal_of_io_uring(const char *call, int error, char *reason_r, size_t reason_size);
/* Says why pthread_create(3) is refused; `what` is what the thread is for. */
void refusal_of_thread(const char *what, int error, char *reason_r, size_t reason_size);
/* Says why a call is refused that nothing but a seccomp profile refuses; `use` is what we want it for. */
void refusal_of_call(const char *call, int error, const char *use, char *reason_r, size_t reason_size);
