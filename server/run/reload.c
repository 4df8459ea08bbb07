/* server/run/reload.c - reading, judging, publishing, waiting until all have taken it; and telling. */
#include "server/run/reload.h"

#include "server/config/config.h"
#include "server/config/options_follow.h"
#include "server/config/options_read.h"
#include "server/run/certificates.h"
#include "server/run/server.h"
#include "server/system/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reload {
    int argc;
    char *const *argv, *const *envp;
    struct options_given given;
    bool is_under_way; /* published, and not yet taken by all */
    bool is_wanted;    /* another one, then */
    char *told;        /* of the one under way; with its length, */
    size_t told_bytes;
    FILE *telling; /* while it is written; NULL: there is no memory for it */
    uint32_t applied, restarts;
    enum rc rc; /* of the last that ended, */
    char *text; /* and what was told; NULL: out of memory */
};

struct reload *reload_new(const struct options *options, int argc, char *const argv[], char *const envp[])
{
    struct reload *reload = calloc(1, sizeof *reload);
    if (reload == NULL) return NULL;
    reload->argc = argc;
    reload->argv = argv;
    reload->envp = envp;
    if (options_given_note(&reload->given, options) == RC_OK) return reload;
    reload_free(reload);
    return NULL;
}

void reload_free(struct reload *reload)
{
    if (reload == NULL) return;
    if (reload->telling != NULL) fclose(reload->telling);
    if (reload->telling != NULL) free(reload->told);
    options_given_fini(&reload->given);
    free(reload->text);
    free(reload);
}

/* ---- telling ---- */

/* To the log, however many lines there are, and to whoever asks for the result. */
__attribute__((format(printf, 3, 4))) static void tell(struct reload *reload, enum log_level level,
                                                       const char *format, ...)
{
    char *line;
    va_list arguments;
    va_start(arguments, format);
    int bytes = vasprintf(&line, format, arguments);
    va_end(arguments);
    if (bytes < 0) return;
    if (log_is_on(level)) log_write(level, "reload: %s", line);
    if (reload->telling != NULL) fprintf(reload->telling, "%s\n", line);
    free(line);
}

static void tell_changes(struct reload *reload, const struct changes *changes)
{
    for (uint32_t i = 0; i < changes->told; i++) {
        const struct change *change = &changes->items[i];
        if (change->needs_restart)
            tell(reload, LOG_LEVEL_WARN, "%s; this needs a restart, until then it is as it was", change->text);
        else
            tell(reload, LOG_LEVEL_INFO, "%s", change->text);
    }
    uint32_t more = changes->applied + changes->restarts - changes->told;
    if (more > 0) tell(reload, LOG_LEVEL_INFO, "and %u changes more", more);
}

/* A line for each of these. */
static void tell_lines(struct reload *reload, enum log_level level, const char *before, const char *lines)
{
    while (lines[0] != '\0') {
        int length = (int)strcspn(lines, "\n");
        tell(reload, level, "%s%.*s", before, length, lines);
        lines += length + (lines[length] == '\n');
    }
}

static void begin(struct reload *reload)
{
    reload->applied = reload->restarts = 0;
    reload->telling = open_memstream(&reload->told, &reload->told_bytes);
}

static void end(struct reload *reload, enum rc rc)
{
    char *text = NULL;
    if (reload->telling != NULL && fclose(reload->telling) == 0) text = reload->told;
    if (reload->telling != NULL && text == NULL) free(reload->told);
    reload->telling = NULL;
    reload->is_under_way = false;
    free(reload->text);
    reload->text = text;
    reload->rc = rc;
}

/* ---- one reload ---- */

/* Reads and judges; *follow is given back by the caller in any case, *options on success. */
static enum rc read_options(struct reload *reload, const struct server *server, struct options *options,
                            struct follow *follow, struct tls_files **files_r, char *reason_r, size_t reason_size)
{
    *follow = (struct follow){0};
    enum rc rc = options_read(options, reload->argc, reload->argv, reload->envp, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    rc = options_follow(options, server->config->options, &reload->given, follow, reason_r, reason_size);
    if (rc == RC_OK) rc = certificates_check(server->certificates, options, files_r, reason_r, reason_size);
    if (rc != RC_OK) options_fini(options);
    return rc;
}

/* Nothing can fail any more. */
static void apply(struct reload *reload, struct server *server, const struct options *options,
                  const struct follow *follow, struct tls_files *files)
{
    log_set_level(options->log_level);
    certificates_follow(server->certificates, options, files, server->shards, server->shards_count);
    tell_lines(reload, LOG_LEVEL_WARN, "", options->warnings);
    tell_changes(reload, &follow->changes);
    reload->applied = follow->changes.applied;
    reload->restarts = follow->changes.restarts;
    reload->is_under_way = true;
}

static enum rc try(struct reload *reload, struct server *server, char *reason_r, size_t reason_size)
{
    struct follow follow = {0};
    struct tls_files *files = NULL;
    snprintf(reason_r, reason_size, "out of memory");
    struct options *options = malloc(sizeof *options);
    if (options == NULL) return RC_ENOMEM;
    enum rc rc = read_options(reload, server, options, &follow, &files, reason_r, reason_size);
    bool is_read = rc == RC_OK;
    if (is_read)
        rc =
            server_take_options(server, options, follow.has_other_patterns, follow.shuts_apps, reason_r, reason_size);
    if (rc == RC_OK) {
        apply(reload, server, options, &follow, files);
    } else {
        certificates_drop(files);
        if (is_read) options_fini(options);
        free(options);
    }
    changes_fini(&follow.changes);
    return rc;
}

void reload_begin(struct reload *reload, struct server *server, bool is_draining)
{
    char reason[OPTIONS_ERROR_BYTES];
    if (reload->is_under_way) {
        reload->is_wanted = true;
        return;
    }
    begin(reload);
    enum rc rc = RC_EINVAL;
    if (is_draining)
        snprintf(reason, sizeof reason, "the server is draining, and will be gone soon");
    else
        rc = try(reload, server, reason, sizeof reason);
    if (rc == RC_OK) return;
    tell_lines(reload, LOG_LEVEL_ERROR, "refused, everything stays as it was: ", reason);
    end(reload, RC_EINVAL);
}

bool reload_is_under_way(const struct reload *reload)
{
    return reload->is_under_way;
}

bool reload_go_on(struct reload *reload, struct server *server, bool is_draining)
{
    if (!reload->is_under_way) return false;
    if (!server_config_settled(server)) return true;
    tell(reload, LOG_LEVEL_INFO, "done: %u changes are applied, %u need a restart", reload->applied,
         reload->restarts);
    end(reload, RC_OK);
    if (!reload->is_wanted) return false;
    reload->is_wanted = false;
    reload_begin(reload, server, is_draining);
    return reload->is_under_way;
}

struct reload_result reload_result(const struct reload *reload)
{
    return (struct reload_result){reload->rc, reload->applied, reload->restarts,
                                  reload->text != NULL ? reload->text : "out of memory\n"};
}
