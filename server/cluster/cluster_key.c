/* server/cluster/cluster_key.c - writing names, and reading them again. */
#include "server/cluster/cluster_key.h"

#include <assert.h>
#include <stdio.h>

bool cluster_prefix_is_valid(struct text prefix)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/";
    if (prefix.count == 0 || prefix.count > CLUSTER_PREFIX_BYTES_MAX) return false;
    for (size_t i = 0; i < prefix.count; i++) {
        if (memchr(letters, prefix.at[i], sizeof letters - 1) == NULL) return false;
    }
    return true;
}

/* ---- writing ---- */

/* In a tag no brace may stand, for the first closing one ends it. */
static bool is_escaped(char c)
{
    return c == '{' || c == '}' || c == '%';
}

static char *put_escaped(char *to, struct text text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < text.count; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (!is_escaped(text.at[i])) {
            *to++ = text.at[i];
            continue;
        }
        *to++ = '%';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 0x0f];
    }
    return to;
}

static char *put_tag(char *to, struct text app, struct text channel)
{
    assert(app.count <= CLUSTER_APP_BYTES_MAX && channel.count <= NAME_BYTES_MAX);
    to = text_put(to, app);
    *to++ = ':';
    return put_escaped(to, channel);
}

static char *put_prefix(char *to, struct text prefix, char kind)
{
    assert(prefix.count <= CLUSTER_PREFIX_BYTES_MAX);
    to = text_put(to, prefix);
    *to++ = ':';
    *to++ = kind;
    *to++ = ':';
    *to++ = '{';
    return to;
}

struct text cluster_tag_write(char to[CLUSTER_TAG_BYTES_MAX], struct text app, struct text channel)
{
    return text_between(to, put_tag(to, app, channel));
}

static char *put_key(char *to, struct text prefix, enum cluster_key kind, struct text app, struct text channel)
{
    to = put_tag(put_prefix(to, prefix, (char)kind), app, channel);
    *to++ = '}';
    return to;
}

struct text cluster_key_of(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix, enum cluster_key kind, struct text app,
                           struct text channel)
{
    return text_between(to, put_key(to, prefix, kind, app, channel));
}

struct text cluster_key_receipt(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix, struct text app,
                                struct text channel, struct text key)
{
    assert(key.count <= RECEIPT_KEY_BYTES_MAX);
    char *end = put_key(to, prefix, CLUSTER_KEY_RECEIPT, app, channel);
    *end++ = ':';
    return text_between(to, text_put(end, key));
}

static struct text key_of_tag(char *to, struct text prefix, char kind, struct text tag)
{
    assert(tag.count <= CLUSTER_TAG_BYTES_MAX);
    char *end = text_put(put_prefix(to, prefix, kind), tag);
    *end++ = '}';
    return text_between(to, end);
}

struct text cluster_key_generation(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix, struct text tag)
{
    return key_of_tag(to, prefix, 'g', tag);
}

struct text cluster_key_node(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix, struct text node)
{
    return key_of_tag(to, prefix, 'n', node);
}

static struct text key_of_all(char *to, struct text prefix, const char *rest)
{
    assert(prefix.count <= CLUSTER_PREFIX_BYTES_MAX);
    return text_between(to, text_put(text_put(to, prefix), text_of(rest)));
}

struct text cluster_key_nodes(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix)
{
    return key_of_all(to, prefix, ":{nodes}");
}

struct text cluster_key_nodes_about(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix)
{
    return key_of_all(to, prefix, ":{nodes}:about");
}

struct text cluster_key_control(char to[CLUSTER_KEY_BYTES_MAX], struct text prefix)
{
    return key_of_all(to, prefix, ":ctl");
}

struct text cluster_node_write(char to[CLUSTER_NODE_BYTES + 1], uint64_t node)
{
    int count = snprintf(to, CLUSTER_NODE_BYTES + 1, "%016llx", (unsigned long long)node);
    return (struct text){to, (size_t)count};
}

/* ---- reading ---- */

/* The byte that "7b" stands for, if it is one of those that are escaped. */
static bool read_escape(const char *at, char *c_r)
{
    static const struct {
        char digits[3];
        char c;
    } escapes[] = {{"7b", '{'}, {"7d", '}'}, {"25", '%'}};
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (memcmp(at, escapes[i].digits, 2) != 0) continue;
        *c_r = escapes[i].c;
        return true;
    }
    return false;
}

static bool read_channel(struct text escaped, char memory[NAME_BYTES_MAX], struct text *channel_r)
{
    size_t count = 0;
    for (size_t i = 0; i < escaped.count; i++) {
        char c = escaped.at[i];
        if (count == NAME_BYTES_MAX || c == '{' || c == '}') return false;
        if (c == '%') {
            if (escaped.count - i < 3 || !read_escape(escaped.at + i + 1, &c)) return false;
            i += 2;
        }
        memory[count++] = c;
    }
    *channel_r = (struct text){memory, count};
    return count > 0;
}

enum rc cluster_tag_read(struct text tag, char memory[NAME_BYTES_MAX], struct text *app_r, struct text *channel_r)
{
    const char *colon = tag.count > 0 ? memchr(tag.at, ':', tag.count) : NULL;
    if (colon == NULL) return RC_EINVAL;
    *app_r = text_between(tag.at, colon);
    if (app_r->count == 0 || app_r->count > CLUSTER_APP_BYTES_MAX) return RC_EINVAL;
    return read_channel(text_behind(tag, app_r->count + 1), memory, channel_r) ? RC_OK : RC_EINVAL;
}

enum rc cluster_key_read(struct text key, struct text prefix, enum cluster_key kind, char memory[NAME_BYTES_MAX],
                         struct text *app_r, struct text *channel_r)
{
    char front[CLUSTER_KEY_BYTES_MAX];
    size_t front_bytes = (size_t)(put_prefix(front, prefix, (char)kind) - front);
    if (key.count <= front_bytes || memcmp(key.at, front, front_bytes) != 0) return RC_EINVAL;
    struct text tag = text_behind(key, front_bytes);
    if (tag.at[--tag.count] != '}') return RC_EINVAL;
    return cluster_tag_read(tag, memory, app_r, channel_r);
}
