/* server/cluster/redis_server.c - the lines of INFO that matter. */
#include "server/cluster/redis_server.h"

#include <string.h>

/* NAME:VALUE and an end of line, CR LF. */
static struct text take_line(struct text *rest)
{
    const char *end = memchr(rest->at, '\n', rest->count);
    struct text line = {.at = rest->at, .count = end == NULL ? rest->count : (size_t)(end - rest->at)};
    *rest = text_behind(*rest, line.count + (end != NULL));
    if (line.count > 0 && line.at[line.count - 1] == '\r') line.count--;
    return line;
}

/* The value, if the line is of this name. */
static bool is_line(struct text line, const char *name, struct text *value_r)
{
    size_t count = strlen(name);
    if (!text_has_prefix(line, name) || line.count == count || line.at[count] != ':') return false;
    *value_r = text_behind(line, count + 1);
    return true;
}

/* As much as fits. */
static void copy(char *to, size_t size, struct text text)
{
    size_t count = text.count < size ? text.count : size - 1;
    memcpy(to, text.at, count);
    to[count] = '\0';
}

/* "7.0.15": a byte for each number. What is not there is 0, and what does not fit 255. */
static uint32_t read_version(struct text text)
{
    uint32_t version = 0;
    for (int part = 0; part < 3; part++) {
        uint64_t number = 0;
        if (part > 0 && text.count > 0 && text.at[0] == '.') text = text_behind(text, 1);
        text_take_number(&text, &number);
        version = version << 8 | (number < 255 ? (uint32_t)number : 255);
    }
    return version;
}

static void take(struct text line, struct redis_server *server, bool *has_role)
{
    struct text value;
    uint64_t number = 0;
    if (is_line(line, "redis_version", &value)) {
        copy(server->version_text, sizeof server->version_text, value);
        server->version = read_version(value);
    } else if (is_line(line, "redis_mode", &value)) {
        server->is_cluster = text_is(value, "cluster");
        server->is_sentinel = text_is(value, "sentinel");
    } else if (is_line(line, "role", &value)) {
        *has_role = true;
        server->is_master = text_is(value, "master");
    } else if (is_line(line, "master_replid", &value)) {
        copy(server->replid, sizeof server->replid, value);
    } else if (is_line(line, "loading", &value)) {
        server->is_loading = text_is(value, "1");
    } else if (is_line(line, "aof_enabled", &value)) {
        server->has_aof = text_is(value, "1");
    } else if (is_line(line, "maxmemory_policy", &value)) {
        copy(server->policy, sizeof server->policy, value);
    } else if (is_line(line, "maxmemory", &value) && text_is_number(value, &number)) {
        server->memory_max = number;
    } else if (is_line(line, "connected_slaves", &value) && text_is_number(value, &number)) {
        server->replicas = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
    }
}

enum rc redis_server_read(struct text info, struct redis_server *server_r)
{
    bool has_role = false;
    struct redis_server server = {0};
    while (info.count > 0)
        take(take_line(&info), &server, &has_role);
    if (!has_role && server.version == 0) return RC_EPROTO;
    *server_r = server;
    return RC_OK;
}
