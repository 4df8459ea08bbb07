/* bench/load/load_options.c - one table of flags, and how one is read. */
#include "bench/load/load_options.h"

#include "bench/load/stamp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REFUSE(...) (snprintf(error, LOAD_ERROR_BYTES, __VA_ARGS__), RC_EINVAL)

enum flag_kind {
    FLAG_TEXT,
    FLAG_COUNT,  /* uint32_t */
    FLAG_NUMBER, /* double */
    FLAG_YES_NO, /* bool */
    FLAG_SWITCH, /* bool, without a value */
};

struct flag {
    const char *name; /* NULL: a heading */
    const char *value;
    const char *help;
    enum flag_kind kind;
    size_t offset;
    double min;
    double max;
};

#define FLAG(kind, field, name, value, min, max, help)                                      \
    {                                                                                       \
        "--" name, value, help, FLAG_##kind, offsetof(struct load_options, field), min, max \
    }
#define HEADING(text)  \
    {                  \
        .help = (text) \
    }
#define INDENT "\n                                   "

static const struct flag flags[] = {
    HEADING("Where"),
    FLAG(TEXT, url, "url", "URL", 0, 0,
         "Where to connect, ws:// or wss://; {room} in it becomes the connection's room number" INDENT
         "[ws://127.0.0.1:8080/]"),
    FLAG(TEXT, also, "also", "HOST:PORT,...", 0, 0,
         "Other nodes of the same cluster: connections go to one after the other, so that rooms" INDENT
         "are spread over all, and one order has to hold for them"),
    FLAG(TEXT, protocol, "protocol", "raw|pusher", 0, 0,
         "raw: a message is a frame, which the server passes on unchanged. pusher: channels of" INDENT
         "any server that speaks version 7 of that protocol [raw]"),
    FLAG(TEXT, source, "source", "ADDRESS", 0, 0,
         "First IPv4 source address; every 10,000 connections take the next one" INDENT "[beyond 10,000: 127.0.0.1]"),
    FLAG(TEXT, pid_text, "pid", "PID,...", 0, 0,
         "The server's process, to report its CPU time and memory; of several the sum"),

    HEADING("Who"),
    FLAG(COUNT, connections, "connections", "C", 1, LAYOUT_MEMBERS_MAX, "How many connections to open [100]"),
    FLAG(COUNT, rooms, "rooms", "R", 1, LAYOUT_MEMBERS_MAX, "Over how many rooms they spread [1]"),
    FLAG(COUNT, publishers, "publishers", "P", 1, LAYOUT_MEMBERS_MAX, "How many of them publish, in turn [1]"),
    FLAG(COUNT, ramp, "ramp", "CONNS/S", 0, 1 << 20,
         "Connections to open per second; 0: as fast as answers come [0]"),
    FLAG(NUMBER, churn, "churn", "CONNS/S", 0, 1e5,
         "While publishing, so many of those that only listen leave per second and come back," INDENT
         "each in its turn [0]"),
    FLAG(TEXT, slow, "slow", "SHARE:B/S", 0, 0,
         "Let this share of those that only listen read so many bytes a second: 5%:1000. It is" INDENT
         "no offence of the server when it closes them with 1013 or 4100"),

    HEADING("What"),
    FLAG(TEXT, payload, "payload-bytes", "B", 0, 0, "Size of a message, or of any length in between: 64..4096 [64]"),
    FLAG(SWITCH, binary, "binary", "", 0, 1, "Send binary messages instead of text"),
    FLAG(COUNT, window, "window", "W", 1, 1 << 20,
         "Closed loop: keep this many messages in flight [1, or one for each thread]"),
    FLAG(NUMBER, rate, "rate", "MSGS/S", 0.01, 1e7,
         "Open loop: send at this rate whatever the server does; latency counts from when a" INDENT
         "message was due"),
    FLAG(NUMBER, seconds, "seconds", "S", 0.01, 86400, "How long to publish [5]"),
    FLAG(YES_NO, echo, "echo", "yes|no", 0, 1, "raw: does the server send a message to its sender too? [no]"),
    FLAG(SWITCH, no_verify, "no-verify", "", 0, 1,
         "Only count messages, do not look whether they are the right ones"),
    FLAG(SWITCH, resume, "resume", "", 0, 1,
         "wss: all take up the session of the first, so that handshakes are short"),

    HEADING("Pusher"),
    FLAG(TEXT, app, "app", "ID:KEY:SECRET", 0, 0, "The app, whose secret signs what is published and who subscribes"),
    FLAG(TEXT, publish_by_text, "publish-by", "http|client", 0, 0,
         "http: events of the HTTP API, each publisher over a connection of its own. client:" INDENT
         "client events, of which most servers take 10 a second from a connection [http]"),
    FLAG(TEXT, channel, "channel", "NAME", 0, 0,
         "Name of a channel, public or private-, with {room} in it" INDENT
         "[load-{room}, by client events private-load-{room}]"),

    HEADING("How"),
    FLAG(COUNT, threads, "threads", "N", 1, LOAD_THREADS_MAX,
         "Threads that share the load. Each may have as many connections as the process may" INDENT
         "have descriptors (ulimit -Hn) [1]"),
    FLAG(TEXT, share_text, "share", "I/N", 0, 0,
         "This process takes the I-th of N shares of the load, which all have the other" INDENT
         "options in common; --save and --merge join what they show [1/1]"),

    HEADING("Results"),
    FLAG(SWITCH, json, "json", "", 0, 1, "Print the result as one line of JSON"),
    FLAG(TEXT, plot, "plot", "FILE.svg", 0, 0, "Draw latency and rate over time; needs gnuplot"),
    FLAG(TEXT, save, "save", "FILE", 0, 0, "Write the result, with all its histograms, for --merge"),
    FLAG(SWITCH, merge, "merge", "", 0, 1,
         "No load: join the results in the files that are named behind it, and report them"),
    FLAG(SWITCH, help, "help", "", 0, 1, "Show this and exit"),
};

#define FLAGS_MAX (sizeof flags / sizeof flags[0])

void load_options_help(FILE *file)
{
    fputs("ringcast-load - load a WebSocket server, measure it, and check every message\n\n"
          "Opens connections, publishes, and looks whether every message comes to every member of its room exactly\n"
          "once and in one order for all.\n\n"
          "    ringcast-load --connections 1000 --window 16 --pid $(pidof ringcast)\n"
          "    ringcast-load --url ws://127.0.0.1:8080/room/{room} --connections 18000 --rooms 1000 \\\n"
          "        --publishers 1000 --rate 2000 --threads 2 --plot load.svg\n"
          "    ringcast-load --url ws://127.0.0.1:6001/ --protocol pusher --app 1:key:secret --rate 100 \\\n"
          "        --churn 20 --slow 2%:1000\n"
          "    ringcast-load --share 1/2 --save a ... & ringcast-load --share 2/2 --save b ...; wait\n"
          "    ringcast-load --merge a b --plot both.svg\n",
          file);
    for (size_t i = 0; i < FLAGS_MAX; i++) {
        if (flags[i].name == NULL) {
            fprintf(file, "\n%s\n", flags[i].help);
        } else {
            fprintf(file, "  %-17s %-14s %s\n", flags[i].name, flags[i].value, flags[i].help);
        }
    }
    fputs("\nExit status: 0 all came as it should; 1 could not be run; 2 bad option; 3 a message was lost, came "
          "twice,\n"
          "out of order or changed, or the server closed a connection.\n",
          file);
}

bool load_options_row(size_t index, struct load_options_row *row_r)
{
    if (index >= FLAGS_MAX) return false;
    *row_r = (struct load_options_row){flags[index].name, flags[index].value, flags[index].help};
    return true;
}

static bool read_number(const char *text, double *value_r)
{
    char *end;
    errno = 0;
    *value_r = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0';
}

static enum rc read_value(const struct flag *flag, const char *text, void *value, char *error)
{
    double number;
    switch (flag->kind) {
    case FLAG_TEXT:
        *(const char **)value = text;
        return RC_OK;
    case FLAG_YES_NO:
        *(bool *)value = strcmp(text, "yes") == 0;
        if (*(bool *)value || strcmp(text, "no") == 0) return RC_OK;
        return REFUSE("%s is yes or no, not \"%s\"", flag->name, text);
    case FLAG_COUNT:
    case FLAG_NUMBER:
        /* Written so that a NaN is refused. */
        if (!read_number(text, &number) || !(number >= flag->min && number <= flag->max) ||
            (flag->kind == FLAG_COUNT && number != (double)(uint32_t)number)) {
            return REFUSE("%s is a%s number from %.10g to %.10g, not \"%s\"", flag->name,
                          flag->kind == FLAG_COUNT ? " whole" : "", flag->min, flag->max, text);
        }
        if (flag->kind == FLAG_COUNT) *(uint32_t *)value = (uint32_t)number;
        if (flag->kind == FLAG_NUMBER) *(double *)value = number;
        return RC_OK;
    case FLAG_SWITCH:
        break;
    }
    *(bool *)value = true;
    return RC_OK;
}

/* Reads argv[*i], and its value behind "=" or in the next argument. */
static enum rc read_flag(struct load_options *options, int argc, char **argv, int *i, char *error)
{
    const char *given = argv[*i];
    size_t length = strcspn(given, "=");
    for (const struct flag *flag = flags; flag < flags + FLAGS_MAX; flag++) {
        if (flag->name == NULL || strlen(flag->name) != length || strncmp(flag->name, given, length) != 0) continue;
        const char *value = given[length] == '=' ? given + length + 1 : NULL;
        if (flag->kind == FLAG_SWITCH) {
            if (value != NULL) return REFUSE("%s takes no value", flag->name);
        } else if (value == NULL) {
            if (*i + 1 == argc) return REFUSE("%s needs a value: %s", flag->name, flag->value);
            value = argv[++*i];
        }
        return read_value(flag, value, (char *)options + flag->offset, error);
    }
    if (given[0] != '-' && options->merge) {
        if (options->files_count == LOAD_FILES_MAX) return REFUSE("--merge takes at most %d files", LOAD_FILES_MAX);
        options->files[options->files_count++] = given;
        return RC_OK;
    }
    if (strncmp(given, "--", 2) != 0) { /* not shown: it may be a secret that stands in the wrong place */
        return REFUSE("argument %d is no option: they begin with --, and --help shows them all", *i);
    }
    return REFUSE("there is no option \"%.*s\": --help shows them all", (int)length, given);
}

enum rc load_options_read(struct load_options *options, int argc, char **argv, char error[LOAD_ERROR_BYTES])
{
    enum rc rc;
    *options = (struct load_options){.url = "ws://127.0.0.1:8080/",
                                     .connections = 100,
                                     .rooms = 1,
                                     .publishers = 1,
                                     .payload = "64",
                                     .seconds = 5,
                                     .threads = 1,
                                     .share_text = "1/1",
                                     .protocol = "raw"};
    for (int i = 1; i < argc; i++) {
        if ((rc = read_flag(options, argc, argv, &i, error)) != RC_OK) return rc;
    }
    if (!options->help && options->merge && options->files_count == 0) {
        return REFUSE("--merge needs files that --save has written");
    }
    return RC_OK;
}
