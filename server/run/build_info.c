/* server/run/build_info.c - version, build, libraries, kernel and limits. */
#include "server/run/build_info.h"

#include "net/http.h"
#include "net/json.h"
#include "net/ring.h"
#include "net/tls/tls.h"
#include "server/store/store.h"
#include "server/system/cgroup.h"
#include "server/webhook/webhook.h"

#include <ck_md.h>
#include <gnu/libc-version.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif
#ifdef NDEBUG
#define ASSERTIONS "without assertions"
#else
#define ASSERTIONS "with assertions"
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZERS ", with AddressSanitizer"
#elif defined(__SANITIZE_THREAD__)
#define SANITIZERS ", with ThreadSanitizer"
#else
#define SANITIZERS ""
#endif

static void print_libraries(FILE *out)
{
    char ring[40];
    ring_library(ring, sizeof ring);
    fprintf(out, "libraries  %s, Concurrency Kit %s, %s, %s, %s, SQLite %s\n", ring, CK_VERSION, tls_library(),
            http_library(), json_library(), store_library());
    fprintf(out, "           %s, glibc %s\n", webhooks_library(), gnu_get_libc_version());
}

/* As a server with certificates chooses. */
static void print_tls(FILE *out)
{
    if (tls_global_init() != RC_OK) return;
    tls_use_fast_curves();
    fprintf(out, "TLS        %s\n", tls_libraries());
}

static void print_kernel(FILE *out)
{
    char line[1024];
    struct utsname system;
    uname(&system);
    ring_probe(line, sizeof line);
    fprintf(out, "kernel     %s %s %s, page %ld, %ld CPUs\n", system.sysname, system.release, system.machine,
            sysconf(_SC_PAGESIZE), sysconf(_SC_NPROCESSORS_ONLN));
    fprintf(out, "io_uring   %s\n", line); /* or why it cannot be used here */
}

static void print_limit(FILE *out, const char *name, int resource)
{
    struct rlimit limit;
    getrlimit(resource, &limit);
    if (limit.rlim_max == RLIM_INFINITY)
        fprintf(out, "%s unlimited, ", name);
    else
        fprintf(out, "%s %llu, ", name, (unsigned long long)limit.rlim_max);
}

/* 0: none, 1: strict, 2: a filter, as containers have it. -1: not said. */
static int seccomp_mode(void)
{
    char line[200];
    int mode = -1;
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) return mode;
    while (mode < 0 && fgets(line, sizeof line, file) != NULL)
        sscanf(line, "Seccomp: %d", &mode);
    fclose(file);
    return mode;
}

static void print_limits(FILE *out)
{
    struct cgroup_limits cgroup;
    cgroup_read("", &cgroup);
    fputs("limits     ", out);
    print_limit(out, "RLIMIT_NOFILE", RLIMIT_NOFILE);
    print_limit(out, "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK);
    if (cgroup.cpus != CGROUP_NONE) fprintf(out, "control group's CPUs %llu, ", (unsigned long long)cgroup.cpus);
    if (cgroup.memory_bytes != CGROUP_NONE)
        fprintf(out, "its memory %llu MiB, ", (unsigned long long)(cgroup.memory_bytes >> 20));
    fprintf(out, "seccomp mode %d, user %u\n", seccomp_mode(), (unsigned)geteuid());
}

void build_info_print(FILE *out)
{
    fprintf(out, "ringcast %s\n", RINGCAST_VERSION);
    fprintf(out, "build      %s, %s%s\n", COMPILER, ASSERTIONS, SANITIZERS);
    print_libraries(out);
    print_tls(out);
    print_kernel(out);
    print_limits(out);
}
