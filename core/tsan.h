/* core/tsan.h - tells ThreadSanitizer what CK's inline assembly hides from it; nothing in other builds. */
#pragma once

#if defined(__SANITIZE_THREAD__)

#include <sanitizer/tsan_interface.h>

void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

/* What this thread did so far is seen by whoever acquires `at` later. */
#define TSAN_RELEASE(at) __tsan_release((void *)(at))
#define TSAN_ACQUIRE(at) __tsan_acquire((void *)(at))
/* Accesses in between are ordered by means it cannot see. */
#define TSAN_IGNORE_BEGIN()                            \
    do {                                               \
        AnnotateIgnoreReadsBegin(__FILE__, __LINE__);  \
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__); \
    } while (0)
#define TSAN_IGNORE_END()                            \
    do {                                             \
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__); \
        AnnotateIgnoreReadsEnd(__FILE__, __LINE__);  \
    } while (0)

#else

#define TSAN_RELEASE(at)    ((void)(at))
#define TSAN_ACQUIRE(at)    ((void)(at))
#define TSAN_IGNORE_BEGIN() ((void)0)
#define TSAN_IGNORE_END()   ((void)0)

#endif
