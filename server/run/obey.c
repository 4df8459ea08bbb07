/* server/run/obey.c - what is ordered, done on the main thread, and what of it is told. */
#include "server/run/obey.h"

#include "net/json.h"
#include "net/tls/tls_files.h"
#include "server/run/certificates.h"
#include "server/run/reload.h"
#include "server/run/server.h"
#include "server/system/clock.h"
#include "server/system/log.h"

#include <string.h>
#include <time.h>

#define DAY_SECONDS (24 * 60 * 60)

static void add_time(yyjson_mut_doc *document, yyjson_mut_val *item, const char *name, int64_t seconds)
{
    char text[32];
    time_t time = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&time, &tm) == NULL) return;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    yyjson_mut_obj_add_strcpy(document, item, name, text);
}

static void add_certificate(yyjson_mut_doc *document, yyjson_mut_val *list, const struct tls_files *files,
                            size_t index)
{
    const struct tls_certificate_facts *facts = tls_files_facts(files, index);
    int64_t left = facts->expire_at - (int64_t)(realtime_ms() / 1000);
    yyjson_mut_val *item = yyjson_mut_arr_add_obj(document, list);
    yyjson_mut_obj_add_strcpy(document, item, "file", tls_files_name(files, index));
    yyjson_mut_obj_add_strcpy(document, item, "subject", facts->subject);
    yyjson_mut_obj_add_strcpy(document, item, "names", facts->names);
    add_time(document, item, "from", facts->valid_from);
    add_time(document, item, "until", facts->expire_at);
    yyjson_mut_obj_add_int(document, item, "days_left", left > 0 ? left / DAY_SECONDS : 0);
    yyjson_mut_obj_add_bool(document, item, "has_expired", left <= 0);
}

static char *tell_certificates(const struct tls_files *files)
{
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(document);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, root, "certificates");
    yyjson_mut_doc_set_root(document, root);
    for (size_t i = 0; files != NULL && i < tls_files_count(files); i++)
        add_certificate(document, list, files, i);
    char *text = yyjson_mut_write(document, 0, NULL);
    yyjson_mut_doc_free(document);
    return text;
}

enum order obey(struct server *server)
{
    struct orders *orders = &server->orders;
    enum order order = orders_take(orders);
    switch (order) {
    case ORDER_NONE:
        break;
    case ORDER_CERTIFICATES:
        orders_done(orders, tell_certificates(certificates_files(server->certificates)));
        return ORDER_NONE;
    case ORDER_DRAIN:
        log_info("an operator has the server drain");
        orders_done(orders, strdup("{\"state\":\"draining\"}"));
        orders_await_told(orders);
        break;
    case ORDER_RELOAD:
        log_info("an operator has the configuration read again");
        break;
    case ORDER_STOP:
        log_info("an operator has the server stop at once");
        orders_done(orders, strdup("{\"state\":\"stopping\"}"));
        orders_await_told(orders);
        break;
    }
    return order;
}

static char *tell_reload(const struct reload_result *result)
{
    yyjson_mut_doc *document = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(document);
    yyjson_mut_doc_set_root(document, root);
    yyjson_mut_obj_add_uint(document, root, "applied", result->applied);
    yyjson_mut_obj_add_uint(document, root, "need_a_restart", result->restarts);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(document, root, "told");
    for (const char *line = result->text; line[0] != '\0';) {
        size_t length = strcspn(line, "\n");
        yyjson_mut_obj_add_strn(document, yyjson_mut_arr_add_obj(document, list), "line", line, length);
        line += length + (line[length] == '\n');
    }
    char *text = yyjson_mut_write(document, 0, NULL);
    yyjson_mut_doc_free(document);
    return text;
}

void obey_reloaded(struct server *server, const struct reload_result *result)
{
    if (result->rc == RC_OK)
        orders_done(&server->orders, tell_reload(result));
    else
        orders_refuse(&server->orders, strndup(result->text, strcspn(result->text, "\n")));
}
