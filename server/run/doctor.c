/* server/run/doctor.c - the steps of a start without starting, each judged. */
#include "server/run/doctor.h"

#include "net/listener.h"
#include "net/ring.h"
#include "net/socket_file.h"
#include "net/tls/tls.h"
#include "server/config/app_value.h"
#include "server/config/options_read.h"
#include "server/connection/peer.h"
#include "server/run/become_user.h"
#include "server/run/certificates.h"
#include "server/run/doctor_machine.h"
#include "server/run/doctor_redis.h"
#include "server/run/limits.h"
#include "server/run/server.h"
#include "server/store/store_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pwd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { EXIT_OTHER = 1, EXIT_OPTION = 2, EXIT_IO_URING = 3 };

#define SERVICE_FILE    "/etc/ringcast/ringcast.conf" /* of the package's unit */
#define REASON_BYTES    1024
#define WS_BYTES        (5 * KIB)  /* of a connection, most of it the kernel's socket */
#define TLS_BYTES       (23 * KIB) /* the same, and a record that has not come whole */
#define CIFS_FILESYSTEM 0xff534d42
#define EVERYBODY       "everybody may read %s"

/* ---- configuration ---- */

static void find_lines(struct findings *findings, const char *error)
{
    char line[REASON_BYTES];
    while (error[0] != '\0') {
        size_t length = strcspn(error, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, error);
        finding_fault(findings, "options", EXIT_OPTION, line);
        error += length + (error[length] == '\n');
    }
}

/* May not only its owner and group read it? Told once for each file. */
static bool is_open(const char *name, const struct findings *findings)
{
    char what[FINDING_WHAT_BYTES];
    struct stat status;
    if (stat(name, &status) != 0 || (status.st_mode & S_IROTH) == 0) return false;
    snprintf(what, sizeof what, EVERYBODY, name);
    for (uint32_t i = 0; i < findings->count; i++)
        if (strcmp(findings->items[i].what, what) == 0) return false;
    return true;
}

/* A configuration with secrets in it. */
static void look_at_secrets(const char *name, struct findings *findings)
{
    if (is_open(name, findings))
        finding_warn(findings, "secrets", "whoever has an app's secret may publish and read everything of it",
                     "chmod 640 and a group of ringcast's, or secret=@FILE", EVERYBODY, name);
}

/* A file that is one. */
static void look_at_secret_file(void *findings, const char *name)
{
    if (is_open(name, findings))
        finding_warn(findings, "secrets", "whoever has the secret may do what it is for",
                     "chmod 640 and a group of ringcast's", EVERYBODY, name);
}

static void look_at_keys(const struct options *options, struct findings *findings)
{
    for (uint32_t i = 0; i < options->tls_key.count; i++)
        if (is_open(options->tls_key.items[i], findings))
            finding_warn(findings, "secrets", "whoever has the key of a certificate may pose as this server",
                         "chmod 640 and a group of ringcast's", EVERYBODY, options->tls_key.items[i]);
    if (is_open(options->tls_ticket_keys, findings))
        finding_warn(findings, "secrets", "whoever has the keys of tickets may go on with the sessions of clients",
                     "chmod 640 and a group of ringcast's", EVERYBODY, options->tls_ticket_keys);
}

/* Those of a file stand one behind the other. */
static void look_at_apps(const struct options *options, struct findings *findings)
{
    const char *last = NULL;
    for (uint32_t i = 0; i < options->places_count; i++) {
        const struct option_place *place = &options->places[i];
        if (place->option != OPTION_app || place->source != options->sources[OPTION_app]) continue;
        if (!options->app.items[place->entry].has_bare_secret || place->file == last) continue;
        last = place->file;
        look_at_secrets(last, findings);
    }
}

static void look_at_options(const struct options *options, struct findings *findings)
{
    for (const char *line = options->warnings; line[0] != '\0';) {
        size_t length = strcspn(line, "\n");
        finding_warn(findings, "options", "", "", "%.*s", (int)length, line);
        line += length + (line[length] == '\n');
    }
    finding_add(findings, "options", "", "", "apps: %u, rules of history: %u, files: %u", options->app.count,
                options->history.count, options->files.count);
    if (options->files.count == 0 && access(SERVICE_FILE, F_OK) == 0)
        finding_warn(findings, "options", "these are not the options of the service", "--config " SERVICE_FILE,
                     "no file is read, and the service has " SERVICE_FILE);
    look_at_apps(options, findings);
    look_at_keys(options, findings);
}

/* ---- kernel and memory ---- */

static void look_at_ring(struct findings *findings)
{
    char line[REASON_BYTES];
    enum rc rc = ring_probe(line, sizeof line);
    if (rc == RC_OK)
        finding_add(findings, "io_uring", "", "", "%s", line);
    else
        finding_fault(findings, "io_uring", rc == RC_ENOMEM ? EXIT_OTHER : EXIT_IO_URING, line);
}

static void look_at_peers(const struct options *options, struct findings *findings)
{
    if (peer_is_needed(options) && !ring_tells_peers()) {
        finding_fault(findings, "clients", EXIT_OTHER, SERVER_IS_BLIND);
        return;
    }
    finding_add(findings, "clients", "", "",
                ring_tells_peers()
                    ? "the kernel tells where clients come from"
                    : "the kernel does not tell where clients come from, as Linux does from 6.7 on: the "
                      "log has - for it, and addresses have no limits without a proxy's header");
}

static uint64_t most_bytes(const struct options *options)
{
    uint64_t each = options->tls_listen.count > 0 ? TLS_BYTES : WS_BYTES;
    uint64_t of_shard = options->history_bytes_max + options->answers_bytes_max + options->cache_bytes_max;
    return server_buffers_bytes(options) + options->connections_max * each + options->shards * of_shard;
}

static void look_at_memory(const struct options *options, const struct cgroup_limits *cgroup,
                           struct findings *findings)
{
    bool is_group;
    unsigned long long most = most_bytes(options) / MIB, there = limits_memory(cgroup, &is_group) / MIB;
    const char *whose = is_group ? "the control group" : "the machine";
    if (most <= there)
        finding_add(findings, "memory", "", "", "up to %llu MiB at connections_max=%u, and %s has %llu MiB", most,
                    options->connections_max, whose, there);
    else
        finding_warn(
            findings, "memory", "the kernel ends who needs more than there is",
            "lower connections_max, history_bytes_max, answers_bytes_max or cache_bytes_max, or give it memory",
            "up to %llu MiB at connections_max=%u with all that may be kept, but %s has %llu MiB", most,
            options->connections_max, whose, there);
}

/* False: a start would end here. */
static bool look_at_limits(struct options *options, struct findings *findings)
{
    char warning[REASON_BYTES], reason[REASON_BYTES];
    struct cgroup_limits cgroup;
    uint32_t slots_max;
    cgroup_read("", &cgroup);
    if (limits_settle(options, &cgroup, &slots_max, warning, sizeof warning, reason, sizeof reason) != RC_OK) {
        finding_fault(findings, "descriptors", EXIT_OTHER, reason);
        return false;
    }
    if (warning[0] != '\0')
        finding_warn(findings, "descriptors", "further clients wait in the backlog", "", "%s", warning);
    else
        finding_add(findings, "descriptors", "", "", "%u shards, up to %u connections", options->shards,
                    options->connections_max);
    limits_weigh(options, &cgroup, reason, sizeof reason);
    if (reason[0] != '\0') finding_warn(findings, "memory", "", "", "%s", reason);
    look_at_memory(options, &cgroup, findings);
    return true;
}

/* ---- addresses ---- */

#define IN_USE_WHY  "of two servers on an address the second does not start (1)"
#define IN_USE_CURE "all is well if it is the ringcast that runs; else stop the other, or give another "

static void look_at_path(const char *path, struct findings *findings)
{
    char reason[REASON_BYTES];
    switch (socket_file_look(path)) {
    case SOCKET_FILE_NONE:
    case SOCKET_FILE_LEFT:
        if (socket_file_can_be_made(path, reason, sizeof reason)) {
            finding_add(findings, "addresses", "", "", "unix:%s is free", path);
            return;
        }
        break;
    case SOCKET_FILE_IN_USE:
        finding_warn(findings, "addresses", IN_USE_WHY, IN_USE_CURE "path", "unix:%s is in use", path);
        return;
    case SOCKET_FILE_NO_SOCKET:
        snprintf(reason, sizeof reason, "unix:%s: " SOCKET_FILE_NO_SOCKET_TEXT, path);
        break;
    case SOCKET_FILE_UNKNOWN:
        snprintf(reason, sizeof reason, "unix:%s cannot be looked at: %s; give another path", path, strerror(errno));
        break;
    }
    finding_fault(findings, "addresses", EXIT_OTHER, reason);
}

static void look_at_address(const struct address *address, struct findings *findings)
{
    char text[ADDRESS_TEXT_MAX], reason[REASON_BYTES / 2], what[REASON_BYTES];
    if (address_path(address) != NULL) {
        look_at_path(address_path(address), findings);
        return;
    }
    address_format(address, text);
    enum rc rc = listener_try(&address->storage, reason, sizeof reason);
    if (rc == RC_OK)
        finding_add(findings, "addresses", "", "", "%s is free", text);
    else if (rc == RC_EBUSY)
        finding_warn(findings, "addresses", IN_USE_WHY, IN_USE_CURE "port", "%s is in use", text);
    else {
        snprintf(what, sizeof what, "cannot listen on %s: %s", text, reason);
        finding_fault(findings, "addresses", EXIT_OTHER, what);
    }
}

static void look_at_addresses(const struct options *options, struct findings *findings)
{
    const struct address_list *lists[] = {&options->listen, &options->tls_listen, &options->control};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (uint32_t k = 0; k < lists[i]->count; k++)
            look_at_address(&lists[i]->items[k], findings);
}

/* ---- certificates ---- */

static void look_at_expiry(const struct tls_files *files, struct findings *findings)
{
    bool has_expired;
    uint32_t days = certificates_days_left(files, &has_expired);
    if (days >= CERTIFICATES_DAYS_TO_WARN)
        finding_add(findings, "certificates", "", "", "the first to expire, %s, has %u days",
                    tls_files_expire_name(files), days);
    else
        finding_warn(findings, "certificates", "clients refuse one that has expired",
                     "renew it: the file is taken when it changes", "%s %s (%u days)", tls_files_expire_name(files),
                     has_expired ? "has expired" : "expires within 14 days", days);
}

static void look_at_certificates(const struct options *options, struct findings *findings)
{
    char reason[REASON_BYTES];
    struct tls_files *files;
    if (certificates_read(&files, options, reason, sizeof reason) != RC_OK)
        finding_fault(findings, "certificates", EXIT_OTHER, reason);
    else if (files != NULL)
        look_at_expiry(files, findings);
    tls_files_drop(files);
}

/* ---- the durable log ---- */

static bool is_remote(const struct statfs *status)
{
    unsigned long type = (unsigned long)status->f_type & UINT32_MAX;
    return type == NFS_SUPER_MAGIC || type == SMB_SUPER_MAGIC || type == CIFS_FILESYSTEM;
}

static void look_at_space(const struct options *options, struct findings *findings)
{
    struct statfs status;
    if (statfs(options->data_dir, &status) != 0) return;
    unsigned long long free_mib = (uint64_t)status.f_bavail * (uint64_t)status.f_bsize / MIB;
    unsigned long long most_mib = options->store_disk_bytes_max / MIB;
    if (is_remote(&status))
        finding_warn(findings, "store", "SQLite's log needs memory that all its readers share, and locks that hold",
                     "give a --data-dir on a disk of this machine", "%s is on a file system of another machine",
                     options->data_dir);
    if (most_mib == 0 || free_mib < most_mib)
        finding_warn(findings, "store", "when the disk is full durable publishes are answered 503",
                     "lower store_disk_bytes_max, or give it a larger disk",
                     "%s has %llu MiB free, and store_disk_bytes_max is %llu MiB%s", options->data_dir, free_mib,
                     most_mib, most_mib == 0 ? " (no bound)" : "");
    else
        finding_add(findings, "store", "", "", "%s has %llu MiB free, of which %llu may be used", options->data_dir,
                    free_mib, most_mib);
}

/* The lock is only tried. */
static void look_at_lock(const struct options *options, struct findings *findings)
{
    int directory = open(options->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int lock = directory >= 0 ? openat(directory, STORE_LOCK, O_RDONLY | O_CLOEXEC) : -1;
    if (lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) != 0)
        finding_warn(findings, "store", "of two servers on a directory the second does not start (1)",
                     "all is well if it is the ringcast that runs; else give each a --data-dir of its own",
                     "%s is in use", options->data_dir);
    if (lock >= 0) close(lock);
    if (directory >= 0) close(directory);
}

/* Where it would be made; as it is given, the folders above it have to be there. */
static void look_at_parent(const struct options *options, struct findings *findings)
{
    char reason[REASON_BYTES], parent[PATH_MAX];
    size_t length = strlen(options->data_dir);
    while (length > 1 && options->data_dir[length - 1] == '/')
        length--;
    while (length > 0 && options->data_dir[length - 1] != '/')
        length--;
    snprintf(parent, sizeof parent, "%.*s", length > 0 ? (int)length : 1, length > 0 ? options->data_dir : ".");
    if (faccessat(AT_FDCWD, parent, W_OK | X_OK, AT_EACCESS) == 0) {
        finding_add(findings, "store", "", "", "%s is not there, and will be made", options->data_dir);
        return;
    }
    snprintf(reason, sizeof reason,
             "--data-dir %s is not there and cannot be made: %s; make %.200s, or let ringcast write to it",
             options->data_dir, strerror(errno), parent);
    finding_fault(findings, "store", EXIT_OTHER, reason);
}

/* RC_OK; RC_ENOENT: there is none; RC_EINVAL, with errno: it cannot be used. */
static enum rc find_directory(const char *name)
{
    struct stat status;
    if (lstat(name, &status) != 0 && errno == ENOENT) return RC_ENOENT;
    if (stat(name, &status) != 0) return RC_EINVAL;
    if (!S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return RC_EINVAL;
    }
    return faccessat(AT_FDCWD, name, R_OK | W_OK | X_OK, AT_EACCESS) == 0 ? RC_OK : RC_EINVAL;
}

static void look_at_store(const struct options *options, struct findings *findings)
{
    char reason[REASON_BYTES];
    if (history_rule_durable(&options->history) == NULL) return;
    enum rc rc = find_directory(options->data_dir);
    if (rc == RC_ENOENT) {
        look_at_parent(options, findings);
    } else if (rc == RC_EINVAL) {
        snprintf(reason, sizeof reason,
                 "--data-dir %s cannot be used: %s; give a directory that ringcast may write to", options->data_dir,
                 strerror(errno));
        finding_fault(findings, "store", EXIT_OTHER, reason);
    } else {
        look_at_lock(options, findings);
        look_at_space(options, findings);
    }
}

/* ---- all of it ---- */

/* Where there is the package's user: elsewhere root may be whom it runs as. */
static void look_at_user(struct findings *findings)
{
    if (geteuid() != 0 || getpwnam(SERVICE_USER) == NULL) return;
    finding_warn(findings, "user", "the service starts only if its own user can read certificates and secrets",
                 "check as the user of the service: ringcast check --user " SERVICE_USER,
                 "this is root, who may read and write everything");
}

static void look(struct options *options, struct findings *findings)
{
    look_at_user(findings);
    look_at_options(options, findings);
    look_at_ring(findings);
    look_at_peers(options, findings);
    if (look_at_limits(options, findings)) doctor_look_at_machine(options, "", findings);
    look_at_addresses(options, findings);
    look_at_certificates(options, findings);
    look_at_store(options, findings);
    doctor_look_at_redis(options, findings);
}

void doctor_check(int argc, char *const argv[], char *const envp[], struct findings *findings)
{
    char error[OPTIONS_ERROR_BYTES];
    struct options options;
    const struct secret_watch watch = {.seen = look_at_secret_file, .context = findings};
    *findings = (struct findings){0};
    secret_watch_set(&watch);
    enum rc rc = options_read(&options, argc, argv, envp, error, sizeof error);
    secret_watch_set(NULL);
    if (rc != RC_OK) {
        find_lines(findings, error);
        return;
    }
    if (options.help || options.version || options.print_sample_config || options.print_config ||
        options.print_metrics || options.print_close_codes)
        finding_fault(findings, "options", EXIT_OPTION,
                      "--help and what else ends at once is not for check; see --help");
    else
        look(&options, findings);
    options_fini(&options);
}

void doctor_help(FILE *out)
{
    fputs("Usage: ringcast check [--strict] [--json] [--user NAME] [OPTION]...\n\n"
          "Reads the options as a start would, and looks at the machine; nothing is started or written.\n"
          "Each finding says what, why it matters, and the cure.\n\n"
          "  --strict      warnings make the status a 1\n"
          "  --json        one object, for programs\n"
          "  --user NAME   as this user, whom the service runs as: root may read what it may not\n"
          "  OPTION        as for a start: ringcast --help\n\n"
          "Exit status: 0 when a start would go on, else the one that it would end with: 1, 2 for what is wrong\n"
          "with the options, 3 when io_uring cannot be used.\n",
          out);
}
