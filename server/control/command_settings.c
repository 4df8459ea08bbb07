/* server/control/command_settings.c - options as they count, and the level of the log. */
#include "server/config/option_set.h"
#include "server/config/options_print.h"
#include "server/control/command.h"
#include "server/control/commands.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- config get ---- */

struct asked {
    yyjson_mut_doc *document;
    yyjson_mut_val *values;
    const char *name; /* "": all */
};

/* ping_ms, ping-ms, limits.ping_ms, or all of a section: "app 1001" */
static bool is_meant(const char *name, const struct option_shown *shown)
{
    char whole[400];
    if (name[0] == '\0' || strcmp(name, shown->section) == 0 || strcmp(name, shown->name) == 0) return true;
    snprintf(whole, sizeof whole, "%s.%s", shown->section, shown->name);
    return strcmp(name, whole) == 0;
}

static void add_shown(void *context, const struct option_shown *shown)
{
    struct asked *asked = context;
    if (!is_meant(asked->name, shown)) return;
    yyjson_mut_val *item = yyjson_mut_arr_add_obj(asked->document, asked->values);
    yyjson_mut_obj_add_strcpy(asked->document, item, "section", shown->section);
    yyjson_mut_obj_add_strcpy(asked->document, item, "name", shown->name);
    if (shown->value != NULL) {
        yyjson_mut_obj_add_strcpy(asked->document, item, "value", shown->value);
    } else {
        yyjson_mut_obj_add_null(asked->document, item, "value");
    }
    yyjson_mut_obj_add_strcpy(asked->document, item, "source", shown->source);
}

static void refuse_name(struct shard *shard, struct connection *connection, const char *name)
{
    enum option_id meant = option_find_closest(text_of(name));
    if (meant == OPTIONS_COUNT) {
        command_refuse(shard, connection, 404, "There is no option \"%s\": config get alone shows all.", name);
    } else {
        command_refuse(shard, connection, 404, "There is no option \"%s\"; did you mean %s?", name,
                       option_row_of(meant)->name);
    }
}

void command_config_get(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    char name[COMMAND_ARGUMENT_BYTES_MAX + 1];
    if (!command_argument(shard, connection, request, "name", true, name)) return;
    for (char *at = name; *at != '\0' && *at != ' '; at++)
        if (*at == '-') *at = '_';
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(document);
    yyjson_mut_doc_set_root(document, root);
    struct asked asked = {
        .document = document, .name = name, .values = yyjson_mut_obj_add_arr(document, root, "values")};
    options_show_all(shard->options, add_shown, &asked);
    if (asked.values != NULL && yyjson_mut_arr_size(asked.values) == 0) {
        yyjson_mut_doc_free(document);
        refuse_name(shard, connection, name);
    } else {
        command_say(shard, connection, document);
    }
}

/* ---- log-level ---- */

void command_log_level(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    char name[COMMAND_ARGUMENT_BYTES_MAX + 1];
    enum log_level level, before = log_get_level();
    if (!command_argument(shard, connection, request, "level", false, name)) return;
    if (log_level_read(name, &level) != RC_OK) {
        command_refuse(shard, connection, 400, "\"%s\" is no level; give error, warn, info or debug.", name);
        return;
    }
    log_set_level(level < LOG_LEVEL_INFO ? LOG_LEVEL_INFO : level); /* so that this is told: */
    log_info("the level of the log is %s now, it was %s", log_level_name(level), log_level_name(before));
    log_set_level(level);
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(document);
    yyjson_mut_doc_set_root(document, root);
    yyjson_mut_obj_add_str(document, root, "log_level", log_level_name(level));
    yyjson_mut_obj_add_str(document, root, "was", log_level_name(before));
    command_say(shard, connection, document);
}
