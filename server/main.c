/* server/main.c - the program: options, limits, shards; then wait for signals.
 *
 * Exit status: 0 after a drain, 1 when something else stands in the way of a start or a second signal cut the drain
 * short, 2 for a bad option, 3 when io_uring cannot be used here, or no more. */
#include "core/name.h"
#include "core/trim.h"
#include "net/refusal.h"
#include "net/ring.h"
#include "server/config/address.h"
#include "server/config/options_print.h"
#include "server/config/options_read.h"
#include "server/ctl/ctl.h"
#include "server/http/guest.h"
#include "server/metrics/close_codes.h"
#include "server/metrics/metrics.h"
#include "server/run/become_user.h"
#include "server/run/black_box.h"
#include "server/run/build_info.h"
#include "server/run/certificates.h"
#include "server/run/doctor.h"
#include "server/run/limits.h"
#include "server/run/migrate.h"
#include "server/run/obey.h"
#include "server/run/passed_sockets.h"
#include "server/run/reload.h"
#include "server/run/server.h"
#include "server/run/stop.h"
#include "server/system/clock.h"
#include "server/system/crash.h"
#include "server/system/harmless.h"
#include "server/system/log.h"
#include "server/system/notify.h"
#include "server/system/output.h"
#include "server/web/web.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    EXIT_STOPPED = 0,
    EXIT_OTHER = 1,
    EXIT_OPTION = 2,
    EXIT_IO_URING = 3,
};

#define REASON_BYTES 1024 /* the path of a file, which SQLite holds to 512, and what is wrong with it */
#define PATIENCE_MS  1000 /* with a stdout or stderr that takes nothing */

/* A line on stderr for each of the reason's. */
static int complain(int status, const char *reason)
{
    static const char name[] = "ringcast: ";
    char part[REASON_BYTES], line[sizeof name + REASON_BYTES];
    while (reason[0] != '\0') {
        int length = (int)strcspn(reason, "\n");
        snprintf(part, sizeof part, "%.*s", length, reason);
        memcpy(line, name, sizeof name);
        size_t bytes = sizeof name - 1;
        bytes += harmless_put(line + bytes, sizeof line - bytes - 1, part);
        line[bytes++] = '\n';
        output_write(STDERR_FILENO, line, bytes, PATIENCE_MS);
        reason += length + (reason[length] == '\n');
    }
    return status;
}

/* Waits until the kernel's pool is ready, as it should: a guessed key would let clients choose collisions. First of
 * all, because whoever wants something random later (libraries too) could only abort. */
static bool choose_key(char *reason_r, size_t reason_size)
{
    uint64_t key[2];
    ssize_t bytes;
    do { /* short: a signal came while it waited */
        bytes = getrandom(key, sizeof key, 0);
    } while (bytes < 0 ? errno == EINTR : bytes < (ssize_t)sizeof key);
    if (bytes < 0) refusal_of_call("getrandom", errno, "for keys that nobody can guess", reason_r, reason_size);
    if (bytes > 0) name_set_key(key[0], key[1]);
    return bytes > 0;
}

/* Blocks what is waited for here, before any thread is made: they all inherit it. */
static sigset_t block_signals(void)
{
    sigset_t set;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* the store is told EFBIG, and tells */
    signal(SIGCHLD, SIG_IGN); /* we have no children, but those that process 1 of a container inherits: no zombies */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, ORDER_SIGNAL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return set;
}

static void name_addresses(FILE *line, const char *before, const char *between, const char *scheme,
                           const struct address_list *addresses)
{
    char text[ADDRESS_TEXT_MAX];
    for (uint32_t i = 0; i < addresses->count; i++) {
        bool has_scheme = address_path(&addresses->items[i]) == NULL;
        fprintf(line, "%s %s%s%s", i > 0 ? between : before, has_scheme ? scheme : "", has_scheme ? "://" : "",
                address_format(&addresses->items[i], text));
    }
}

/* Nobody who does not read it keeps us from hearing signals. */
static void say_ready(const struct server *server)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *line = open_memstream(&text, &bytes);
    if (line == NULL) return;
    fprintf(line, "ringcast %s listening on", RINGCAST_VERSION);
    name_addresses(line, "", " and", "http", &server->options->listen);
    name_addresses(line, " and", " and", "https", &server->options->tls_listen);
    name_addresses(line, ", control on", " and", "http", &server->options->control);
    fprintf(line, ", %u shards, up to %llu connections\n", server->homes_count,
            (unsigned long long)server->doors.public.connections_max);
    bool is_written = fclose(line) == 0 && output_write(STDOUT_FILENO, text, bytes, PATIENCE_MS);
    if (!is_written) log_warn("ready, but the line that says so could not be written to stdout: %s", strerror(errno));
    free(text);
}

/* systemd, if it has started us. */
static void say_ready_to_manager(void)
{
    if (!notify_say("READY=1\nSTATUS=Serving"))
        log_warn("ready, but the service manager could not be told: %s", strerror(errno));
}

static void tell_manager(const struct server *server, const struct stop *stop)
{
    unsigned long long open = doors_connections_open(&server->doors);
    if (!stop_has_begun(stop)) {
        notify_status("Serving %llu connections", open);
    } else {
        notify_status("Draining: %llu connections are open", open);
        if (stop_is_in_time(stop, monotonic_ms())) notify_patience();
    }
}

/* Begins a reload, if that is asked for, and goes on with the one under way. *is_ordered: an operator waits for it. */
static void go_on_reloading(struct reload *reload, struct server *server, bool is_asked, bool is_stopping,
                            bool *is_ordered)
{
    bool was_under_way = reload_is_under_way(reload);
    if (is_asked && !was_under_way && !is_stopping) notify_reloading();
    if (is_asked) reload_begin(reload, server, is_stopping);
    bool is_under_way = reload_go_on(reload, server, is_stopping);
    if ((is_asked || was_under_way) && !is_under_way && !is_stopping) say_ready_to_manager();
    if (!*is_ordered || is_under_way) return;
    *is_ordered = false;
    struct reload_result result = reload_result(reload);
    obey_reloaded(server, &result);
}

/* Waits for a signal, for so long. Its number; 0: the time is over; -1: signals cannot be waited for here. */
static int next_signal(const sigset_t *signals, const struct timespec *time)
{
    int number = sigtimedwait(signals, NULL, time);
    if (number > 0) return number;
    return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* Says why the server cannot go on, and stops it. */
static int give_up(struct server *server, int signal_error)
{
    char reason[REASON_BYTES];
    int ring_error = server_ring_error(server);
    if (ring_error != 0) {
        refusal_of_io_uring("io_uring_enter", ring_error, reason, sizeof reason);
    } else {
        refusal_of_call("rt_sigtimedwait", signal_error, "to hear of signals", reason, sizeof reason);
    }
    server_set_stage(server, SERVER_STOPPED);
    return complain(ring_error != 0 ? EXIT_IO_URING : EXIT_OTHER, reason);
}

/* Drains on the first SIGTERM or SIGINT, and ends at once on the second. */
static int wait_for_end(struct server *server, struct reload *reload, const sigset_t *signals)
{
    struct stop stop = {0};
    bool is_reload_ordered = false;
    const struct timespec poll = {.tv_nsec = STOP_LOOK_MS * 1000000}, look = {.tv_sec = CERTIFICATES_LOOK_MS / 1000};
    for (;;) {
        bool is_stopping = stop_has_begun(&stop), is_reloading = reload_is_under_way(reload);
        int number = next_signal(signals, is_stopping || is_reloading ? &poll : &look);
        if (number < 0 || server_ring_error(server) != 0) return give_up(server, errno);
        if (number == SIGUSR1) server_log_counters(server);
        enum order order = number == ORDER_SIGNAL ? obey(server) : ORDER_NONE;
        is_reload_ordered = is_reload_ordered || order == ORDER_RELOAD;
        bool is_reload_asked = number == SIGHUP || order == ORDER_RELOAD;
        go_on_reloading(reload, server, is_reload_asked, is_stopping, &is_reload_ordered);
        log_tell_left_out();
        if (number == 0 && !is_stopping && !is_reloading)
            certificates_look(server->certificates, server->shards, server->shards_count);
        if (order == ORDER_DRAIN && !is_stopping) number = SIGTERM;
        if (order == ORDER_STOP) {
            notify_say("STOPPING=1");
            server_set_stage(server, SERVER_STOPPED);
            return EXIT_STOPPED;
        }
        if (number == SIGTERM || number == SIGINT) {
            if (is_stopping) {
                stop_now(&stop, server);
                return EXIT_OTHER;
            }
            notify_say("STOPPING=1");
            stop_begin(&stop, server, monotonic_ms());
        }
        tell_manager(server, &stop);
        if (is_stopping && !stop_go_on(&stop, server, monotonic_ms())) return EXIT_STOPPED;
    }
}

static void log_warnings(const char *lines)
{
    while (lines[0] != '\0') {
        int length = (int)strcspn(lines, "\n");
        log_write(LOG_LEVEL_WARN, "%.*s", length, lines);
        lines += length + (lines[length] == '\n');
    }
}

static int run(struct options *options, struct reload *reload, const sigset_t *signals)
{
    char reason[REASON_BYTES], warning[REASON_BYTES], ring_line[REASON_BYTES];
    struct cgroup_limits cgroup;
    const char *guests_line;
    uint32_t slots_max;
    struct server server;
    const char *journal = option_log_target_path(options->log_to);
    if (log_choose(options->log_format, journal) != RC_OK)
        log_warn("no socket to the journal can be made: %s: lines go to stderr", strerror(errno));
    enum rc probed = ring_probe(ring_line, sizeof ring_line);
    if (probed != RC_OK) return complain(probed == RC_ENOMEM ? EXIT_OTHER : EXIT_IO_URING, ring_line);
    cgroup_read("", &cgroup);
    if (limits_settle(options, &cgroup, &slots_max, warning, sizeof warning, reason, sizeof reason) != RC_OK) {
        return complain(EXIT_OTHER, reason);
    }
    limits_weigh(options, &cgroup, reason, sizeof reason);
    if (reason[0] != '\0') log_warn("%s", reason); /* before anything is made: it may be the last word */
    if (server_init(&server, options, slots_max, reason, sizeof reason) != RC_OK) return complain(EXIT_OTHER, reason);
    if (log_start(options->log_level) != RC_OK) {
        refusal_of_thread("the log", errno, reason, sizeof reason);
        server_fini(&server);
        return complain(EXIT_OTHER, reason);
    }
    log_thread_init(""); /* so that this thread does not wait for stderr either */
    log_warnings(options->warnings);
    if (warning[0] != '\0') log_warn("%s", warning);
    log_info("%s", ring_line);
    guest_policy(options, &guests_line);
    log_info("%s", guests_line);
    int status = EXIT_OTHER;
    black_box_open(server.shards, server.shards_count);
    enum rc started = server_start(&server, reason, sizeof reason);
    if (started == RC_OK) started = server_watch(&server, reason, sizeof reason);
    if (started == RC_OK) {
        say_ready(&server);
        say_ready_to_manager();
        status = wait_for_end(&server, reload, signals);
        server_join(&server);
        server_log_counters(&server);
        log_info("stopped");
    } else {
        complain(status, reason);
    }
    log_thread_fini();
    log_stop();
    black_box_close();
    server_fini(&server);
    return status;
}

/* What was asked for has been printed: did it get there? */
static int finish_answer(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return EXIT_STOPPED;
    return complain(EXIT_OTHER, "what was asked for could not be written to stdout");
}

/* Runs on what is passed to it, or on addresses of its own. */
static int serve_by(struct reload *reload, struct options *options, const sigset_t *signals)
{
    char reason[REASON_BYTES];
    if (reload == NULL) return complain(EXIT_OTHER, "out of memory");
    if (passed_sockets_take(options, reason, sizeof reason) != RC_OK) return complain(EXIT_OTHER, reason);
    if (web_init() != RC_OK) return complain(EXIT_OTHER, "the page could not be made ready: out of memory");
    int status = run(options, reload, signals);
    web_fini();
    return status;
}

static int serve(struct options *options, int argc, char **argv)
{
    char reason[REASON_BYTES];
    sigset_t signals = block_signals();
    crash_watch(log_await_written, black_box_tell_all);
    trim_prepare();
    if (notify_open(reason, sizeof reason) != RC_OK) log_warn("%s", reason);
    notify_status("Starting");
    struct reload *reload = reload_new(options, argc, argv, environ); /* it notes what was given */
    int status = serve_by(reload, options, &signals);
    reload_free(reload);
    notify_close();
    return status;
}

/* Takes the first `flag VALUE` or `flag=VALUE` out of the arguments. NULL: it is not there; "": it has no value. */
static const char *take_value(int *argc, char **argv, const char *flag)
{
    size_t length = strlen(flag);
    for (int at = 1; at < *argc; at++) {
        if (strncmp(argv[at], flag, length) != 0 || (argv[at][length] != '=' && argv[at][length] != '\0')) continue;
        bool is_apart = argv[at][length] == '\0' && at + 1 < *argc;
        const char *value = is_apart ? argv[at + 1] : argv[at] + length + (argv[at][length] == '=');
        int taken = is_apart ? 2 : 1;
        memmove(argv + at, argv + at + taken, (size_t)(*argc - at - taken + 1) * sizeof *argv);
        *argc -= taken;
        return value;
    }
    return NULL;
}

/* Takes the flag out of the arguments. False: it is not there. */
static bool take_flag(int *argc, char **argv, const char *flag)
{
    int kept = 0;
    for (int at = 0; at < *argc; at++)
        if (strcmp(argv[at], flag) != 0) argv[kept++] = argv[at];
    bool is_there = kept < *argc;
    argv[kept] = NULL;
    *argc = kept;
    return is_there;
}

/* ringcast check [--strict] [--json] [--user NAME] [OPTION]... */
static int check(int argc, char **argv)
{
    static struct findings findings;
    bool is_strict = take_flag(&argc, argv, "--strict"), is_json = take_flag(&argc, argv, "--json");
    if (take_flag(&argc, argv, "--help")) {
        doctor_help(stdout);
        return finish_answer();
    }
    const char *user = take_value(&argc, argv, "--user");
    char reason[REASON_BYTES];
    if (user != NULL && become_user(user, reason, sizeof reason) != RC_OK) return complain(EXIT_OPTION, reason);
    doctor_check(argc, argv, environ, &findings);
    if (is_json)
        findings_print_json(&findings, stdout);
    else
        findings_print(&findings, stdout);
    int status = finish_answer();
    if (findings.status != 0) return findings.status;
    return status == 0 && is_strict && findings.warnings > 0 ? EXIT_OTHER : status;
}

/* ringcast migrate [OPTION]... */
static int migrate(int argc, char **argv)
{
    int status = EXIT_STOPPED;
    if (take_flag(&argc, argv, "--help")) {
        migrate_help(stdout);
    } else {
        status = migrate_run(argc, argv, environ, stdout, stderr);
    }
    int written = finish_answer();
    return status != 0 ? status : written;
}

int main(int argc, char **argv)
{
    char error[OPTIONS_ERROR_BYTES];
    struct options options;
    if (!choose_key(error, sizeof error)) return complain(EXIT_OTHER, error);
    if (argc > 1 && strcmp(argv[1], "ctl") == 0) return ctl_run(argc - 1, argv + 1, environ);
    if (argc > 1 && strcmp(argv[1], "check") == 0) return check(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "migrate") == 0) return migrate(argc - 1, argv + 1);
    if (argc == 2 && strcmp(argv[1], "-vv") == 0) {
        build_info_print(stdout);
        return finish_answer();
    }
    if (options_read(&options, argc, argv, environ, error, sizeof error) != RC_OK) {
        return complain(EXIT_OPTION, error);
    }
    int status;
    if (options.help) {
        options_help(stdout);
        status = finish_answer();
    } else if (options.version) {
        printf("ringcast %s\n", RINGCAST_VERSION);
        status = finish_answer();
    } else if (options.print_sample_config) {
        options_print_sample(stdout);
        status = finish_answer();
    } else if (options.print_metrics) {
        metrics_print(stdout);
        status = finish_answer();
    } else if (options.print_close_codes) {
        close_codes_print(stdout);
        status = finish_answer();
    } else if (options.print_config) {
        options_print(&options, stdout);
        status = finish_answer();
    } else {
        status = serve(&options, argc, argv);
    }
    options_fini(&options);
    return status;
}
