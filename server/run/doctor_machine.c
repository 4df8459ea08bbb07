/* server/run/doctor_machine.c - sysctl, limits of the process and the clock: what keeps a server small or silent. */
#include "server/run/doctor_machine.h"

#include "server/run/server.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

#define BACKLOG          4096 /* that listeners ask for */
#define DESCRIPTORS_MORE 1000 /* of the rest of the machine, at least */

/* Up to two numbers of a file below /proc. Returns how many there are. */
static int read_numbers(const char *root, const char *name, uint64_t numbers_r[2])
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc/%s", root, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    unsigned long long first = 0, second = 0;
    int count = fscanf(file, "%llu %llu", &first, &second);
    fclose(file);
    numbers_r[0] = first;
    numbers_r[1] = second;
    return count > 0 ? count : 0;
}

static void look_at_io_uring(const char *root, struct findings *findings)
{
    uint64_t is_disabled[2];
    if (read_numbers(root, "sys/kernel/io_uring_disabled", is_disabled) == 0 || is_disabled[0] == 0) return;
    if (is_disabled[0] == 1)
        finding_warn(findings, "sysctl", "without CAP_SYS_ADMIN only members of that group may use io_uring",
                     "sysctl -w kernel.io_uring_disabled=0, or put ringcast's user into the group",
                     "kernel.io_uring_disabled is 1: io_uring is for the group of kernel.io_uring_group");
    else
        finding_warn(findings, "sysctl", "nobody may use io_uring then", "sysctl -w kernel.io_uring_disabled=0",
                     "kernel.io_uring_disabled is %llu", (unsigned long long)is_disabled[0]);
}

/* Before 5.12 the pages of rings count against it, and those of registered buffers still do. */
static void look_at_memlock(const struct options *options, struct findings *findings)
{
    struct rlimit limit;
    uint64_t needed = server_buffers_bytes(options);
    if (geteuid() == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed) return;
    finding_warn(findings, "memlock", "where the kernel counts rings against it, shards cannot be made",
                 "LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited",
                 "RLIMIT_MEMLOCK is %llu KiB, and the buffers of %u shards have %llu KiB",
                 (unsigned long long)(limit.rlim_cur / KIB), options->shards, (unsigned long long)(needed / KIB));
}

static void look_at_backlog(const char *root, struct findings *findings)
{
    uint64_t most[2];
    if (read_numbers(root, "sys/net/core/somaxconn", most) == 0) return;
    if (most[0] >= BACKLOG)
        finding_add(findings, "somaxconn", "", "", "net.core.somaxconn is %llu", (unsigned long long)most[0]);
    else
        finding_warn(findings, "somaxconn", "of a crowd that comes at once the kernel turns away what does not fit",
                     "sysctl -w net.core.somaxconn=4096",
                     "net.core.somaxconn is %llu, and listeners ask for a backlog of %d", (unsigned long long)most[0],
                     BACKLOG);
}

static void look_at_file_max(const struct options *options, const char *root, struct findings *findings)
{
    uint64_t most[2], needed = (uint64_t)options->connections_max + DESCRIPTORS_MORE;
    if (read_numbers(root, "sys/fs/file-max", most) == 0 || most[0] >= needed) return;
    finding_warn(findings, "file-max", "accepts fail when the whole machine has that many files open",
                 "sysctl -w fs.file-max=1000000 (or more)", "fs.file-max is %llu, and connections_max is %u",
                 (unsigned long long)most[0], options->connections_max);
}

/* Only where the module is loaded is there anything to fill. */
static void look_at_conntrack(const struct options *options, const char *root, struct findings *findings)
{
    uint64_t most[2];
    if (read_numbers(root, "sys/net/netfilter/nf_conntrack_max", most) == 0) return;
    if (most[0] >= (uint64_t)options->connections_max + options->connections_max / 4) return;
    finding_warn(findings, "conntrack", "the firewall drops packets of new connections when its table is full",
                 "sysctl -w net.netfilter.nf_conntrack_max=1000000, or no tracking for the server's ports",
                 "nf_conntrack_max is %llu, and connections_max is %u", (unsigned long long)most[0],
                 options->connections_max);
}

static void look_at_port(const struct address *address, const uint64_t range[2], struct findings *findings)
{
    char text[ADDRESS_TEXT_MAX];
    uint16_t port = address_port(address);
    if (port == 0 || port < range[0] || port > range[1]) return;
    finding_warn(findings, "ports", "an outgoing connection may have the port when the server starts again",
                 "listen on a port below that range, or sysctl -w net.ipv4.ip_local_reserved_ports=PORT",
                 "%s is in the range %llu to %llu, of which outgoing connections get their ports",
                 address_format(address, text), (unsigned long long)range[0], (unsigned long long)range[1]);
}

static void look_at_ports(const struct options *options, const char *root, struct findings *findings)
{
    const struct address_list *lists[] = {&options->listen, &options->tls_listen, &options->control};
    uint64_t range[2];
    if (read_numbers(root, "sys/net/ipv4/ip_local_port_range", range) < 2) return;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (uint32_t k = 0; k < lists[i]->count; k++)
            look_at_port(&lists[i]->items[k], range, findings);
}

/* Signatures of backends are good for ten minutes. */
static void look_at_clock(struct findings *findings)
{
    struct timex status = {.modes = 0};
    int state = adjtimex(&status);
    if (state < 0) return;
    if ((status.status & STA_UNSYNC) == 0)
        finding_add(findings, "clock", "", "", "the clock is kept by a time service");
    else
        finding_warn(findings, "clock",
                     "backends' requests are refused when the clocks differ by ten minutes, and history is stamped",
                     "run a time service: systemd-timesyncd, chrony", "no time service keeps the clock");
}

void doctor_look_at_machine(const struct options *options, const char *root, struct findings *findings)
{
    look_at_io_uring(root, findings);
    look_at_memlock(options, findings);
    look_at_backlog(root, findings);
    look_at_file_max(options, root, findings);
    look_at_conntrack(options, root, findings);
    look_at_ports(options, root, findings);
    look_at_clock(findings);
}
