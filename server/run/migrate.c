/* server/run/migrate.c - channel by channel, page by page, out of the store and into Redis. */
#include "server/run/migrate.h"

#include "core/counters.h"
#include "core/message.h"
#include "server/cluster/cluster_import.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"
#include "server/config/options_read.h"
#include "server/store/store_job.h"
#include "server/store/store_log.h"
#include "server/system/clock.h"

#include <stdlib.h>
#include <string.h>

#define REASON_BYTES   1024
#define PAGE_MESSAGES  256
#define PAGE_BYTES     (1 << 20)
#define PROGRESS_EVERY 1000 /* channels */

enum { EXIT_DONE = 0, EXIT_OTHER = 1, EXIT_OPTION = 2 };

/* A channel of the store; the texts are one block. */
struct kept {
    char *app;
    struct name channel;
};

struct migration {
    struct options options;
    struct counters counters;
    struct store_log *log;
    struct cluster_import *import;
    struct kept *channels;
    size_t channels_count;
    bool is_out_of_memory;
    uint64_t brought, messages, left; /* left: Redis had them already */
    uint64_t unwanted;                /* no app or no rule has them any more, or all is too old */
    FILE *out;
    char reason[REASON_BYTES];
};

/* ---- what there is ---- */

static void note_channel(void *owner, const char *app, struct text channel)
{
    struct migration *migration = owner;
    size_t count = migration->channels_count;
    if ((count & (count - 1)) == 0) {
        struct kept *grown = realloc(migration->channels, (count == 0 ? 1 : count * 2) * sizeof *grown);
        if (grown == NULL) migration->is_out_of_memory = true;
        if (grown != NULL) migration->channels = grown;
    }
    char *texts = migration->is_out_of_memory ? NULL : malloc(strlen(app) + 1 + channel.count);
    if (texts == NULL) {
        migration->is_out_of_memory = true;
        return;
    }
    char *name = stpcpy(texts, app) + 1;
    memcpy(name, channel.at, channel.count);
    const struct app *known = app_of_id(&migration->options.app, text_of(app));
    uint16_t index = known != NULL ? known->index : 0;
    migration->channels[migration->channels_count++] =
        (struct kept){texts, name_of(index, (struct text){name, channel.count})};
}

/* ---- one channel ---- */

/* The next page behind job->since. */
static enum rc read_page(struct migration *migration, struct store_job *job)
{
    enum rc rc = store_log_begin(migration->log, false);
    if (rc != RC_OK) return rc;
    rc = store_log_read(migration->log, job, realtime_ms());
    store_log_rollback(migration->log);
    return rc == RC_OK ? job->rc : rc;
}

/* Brings the page over. The messages came from backends and clients alike: nobody is told of them again. */
static enum rc bring_page(struct migration *migration, struct store_job *job)
{
    enum rc rc = RC_OK;
    for (uint32_t i = 0; rc == RC_OK && i < job->messages_count; i++) {
        job->messages[i]->origin = ORIGIN_BACKEND;
        rc = cluster_import_message(migration->import, job->messages[i]);
        job->since = job->messages[i]->offset;
        migration->messages++;
    }
    return rc;
}

static struct store_job page_job(const struct kept *kept, const struct history_rule *rule)
{
    return (struct store_job){.kind = STORE_READ,
                              .app = kept->app,
                              .channel = &kept->channel,
                              .rule = rule,
                              .before = UINT64_MAX,
                              .count_max = PAGE_MESSAGES,
                              .bytes_max = PAGE_BYTES};
}

static enum rc bring_pages(struct migration *migration, struct store_job *job)
{
    enum rc rc;
    uint32_t count;
    do {
        rc = bring_page(migration, job);
        count = job->messages_count;
        store_job_fini(&migration->counters, job);
        if (rc == RC_OK && count > 0) rc = read_page(migration, job);
    } while (rc == RC_OK && count > 0);
    return rc;
}

/* Where the messages begin that the rule lets stay. */
static enum rc find_begin(struct migration *migration, struct store_job *job, const struct history_rule *rule)
{
    enum rc rc = read_page(migration, job);
    if (rc != RC_OK || job->last - job->first < rule->size) return rc;
    store_job_fini(&migration->counters, job);
    job->since = job->last - rule->size;
    return read_page(migration, job);
}

static enum rc bring_channel(struct migration *migration, const struct kept *kept)
{
    const struct app *app = app_of_id(&migration->options.app, text_of(kept->app));
    const struct history_rule *rule = history_rule_of(&migration->options.history, name_text(&kept->channel));
    if (app == NULL || rule == NULL) {
        migration->unwanted++;
        return RC_OK;
    }
    struct store_job job = page_job(kept, rule);
    enum rc rc = find_begin(migration, &job, rule);
    uint64_t last = job.last;
    if (rc == RC_ENOENT || (rc == RC_OK && job.messages_count == 0)) {
        migration->unwanted++;
        return RC_OK;
    }
    if (rc != RC_OK) return rc;
    rc = cluster_import_begin(migration->import, text_of(kept->app), name_text(&kept->channel), rule);
    if (rc == RC_ENOENT) {
        store_job_fini(&migration->counters, &job);
        migration->left++;
        return RC_OK;
    }
    if (rc == RC_OK) rc = bring_pages(migration, &job);
    store_job_fini(&migration->counters, &job);
    if (rc == RC_OK) rc = cluster_import_end(migration->import, last);
    if (rc == RC_OK) migration->brought++;
    return rc;
}

/* ---- all of them ---- */

static enum rc bring_all(struct migration *migration)
{
    enum rc rc = store_log_each_channel(migration->log, note_channel, migration);
    if (migration->is_out_of_memory) return RC_ENOMEM;
    for (size_t i = 0; rc == RC_OK && i < migration->channels_count; i++) {
        rc = bring_channel(migration, &migration->channels[i]);
        if ((i + 1) % PROGRESS_EVERY == 0)
            fprintf(migration->out, "%zu of %zu channels\n", i + 1, migration->channels_count);
    }
    if (rc == RC_ESTORE) snprintf(migration->reason, REASON_BYTES, "%s", store_log_reason(migration->log));
    return rc;
}

static enum rc migrate(struct migration *migration)
{
    const struct options *options = &migration->options;
    if (options->data_dir[0] == '\0') {
        snprintf(migration->reason, REASON_BYTES, "there is no --data-dir: say where the durable log is");
        return RC_EINVAL;
    }
    enum rc rc = cluster_import_open(&migration->import, options, migration->reason, REASON_BYTES);
    if (rc == RC_OK)
        rc = store_log_open(&migration->log, &migration->counters, options->data_dir, true, migration->reason,
                            REASON_BYTES);
    return rc == RC_OK ? bring_all(migration) : rc;
}

static void fini(struct migration *migration)
{
    cluster_import_close(migration->import);
    store_log_close(migration->log);
    for (size_t i = 0; i < migration->channels_count; i++) {
        free(migration->channels[i].app);
    }
    free(migration->channels);
    options_fini(&migration->options);
}

int migrate_run(int argc, char *const argv[], char *const envp[], FILE *out, FILE *error)
{
    char options_error[OPTIONS_ERROR_BYTES];
    struct migration migration = {.out = out};
    if (options_read(&migration.options, argc, argv, envp, options_error, sizeof options_error) != RC_OK) {
        fprintf(error, "ringcast migrate: %s\n", options_error);
        return EXIT_OPTION;
    }
    enum rc rc = migrate(&migration);
    if (rc == RC_OK) {
        fprintf(
            out,
            "%llu channels with %llu messages are in Redis now; %llu were there already, of %llu nothing is to be "
            "kept\n",
            (unsigned long long)migration.brought, (unsigned long long)migration.messages,
            (unsigned long long)migration.left, (unsigned long long)migration.unwanted);
    } else {
        bool has_reason = rc != RC_ENOMEM && migration.reason[0] != '\0';
        fprintf(error, "ringcast migrate: %s\n", has_reason ? migration.reason : rc_text(rc));
    }
    fini(&migration);
    return rc == RC_OK ? EXIT_DONE : EXIT_OTHER;
}

void migrate_help(FILE *out)
{
    fputs("ringcast migrate [OPTION]... - bring the durable log of one server into the Redis of several nodes\n\n"
          "The options are those with which the nodes will be started (--redis, --history, the apps), and the\n"
          "--data-dir of the server whose log it is; both may stand in a file (--config). Neither the server nor\n"
          "a node may run meanwhile. Offsets stay; the epoch is a new one, so clients that come back are told\n"
          "that they cannot resume and load the history. The log is only read, and channels that Redis has\n"
          "already are left as they are: it can be done again.\n\n"
          "Exit status: 0 all is there; 1 something stands in the way, which is said; 2 a bad option.\n",
          out);
}
