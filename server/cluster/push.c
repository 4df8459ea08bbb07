/* server/cluster/push.c - reading what is pushed. */
#include "server/cluster/push.h"

#include <stdio.h>

static bool take_blank(struct text *text)
{
    if (!text_has_prefix(*text, " ")) return false;
    *text = text_behind(*text, 1);
    return true;
}

/* A number and the blank behind it. */
static bool take_number(struct text *text, uint64_t *number_r)
{
    return text_take_number(text, number_r) && take_blank(text);
}

static bool read_records(struct push *push)
{
    push->kind = PUSH_RECORDS;
    return stream_id_take(&push->rest, &push->id) && take_blank(&push->rest) &&
           take_number(&push->rest, &push->time_ms) && take_number(&push->rest, &push->count);
}

static bool read_members(struct push *push, enum push_kind kind)
{
    push->kind = kind;
    push->rest = text_behind(push->rest, 1);
    return take_blank(&push->rest) && take_number(&push->rest, &push->version) &&
           take_number(&push->rest, &push->count);
}

static bool read_count(struct push *push)
{
    push->kind = PUSH_COUNT;
    push->rest = text_behind(push->rest, 1);
    return take_blank(&push->rest) && take_number(&push->rest, &push->count) && push->rest.count == 0;
}

static bool read_push(struct push *push)
{
    if (push->rest.count == 0) return false;
    switch (push->rest.at[0]) {
    case '+':
        return read_members(push, PUSH_JOINED);
    case '-':
        return read_members(push, PUSH_LEFT);
    case '=':
        return read_count(push);
    case '!':
        push->kind = PUSH_TERMINATE;
        return text_is(push->rest, "! ");
    default:
        return read_records(push);
    }
}

enum rc push_read(struct text text, struct push *push_r)
{
    *push_r = (struct push){.rest = text};
    return read_push(push_r) ? RC_OK : RC_EINVAL;
}

static bool take_text(struct text *rest, struct text *text_r)
{
    uint64_t count;
    if (!take_number(rest, &count) || count > rest->count) return false;
    *text_r = (struct text){rest->at, (size_t)count};
    *rest = text_behind(*rest, (size_t)count);
    return true;
}

enum rc push_take_member(struct push *push, struct text *user_r, struct text *info_r)
{
    *info_r = text_of("");
    if (push->count == 0) return RC_ENOENT;
    struct text rest = push->rest;
    if (!take_text(&rest, user_r)) return RC_EINVAL;
    if (push->kind == PUSH_JOINED && (!take_blank(&rest) || !take_text(&rest, info_r))) return RC_EINVAL;
    bool is_last = --push->count == 0;
    if (!take_blank(&rest) && !is_last) return RC_EINVAL;
    push->rest = rest;
    return RC_OK;
}

struct text push_head_write(char to[PUSH_HEAD_BYTES_MAX], uint32_t count)
{
    int bytes = snprintf(to, PUSH_HEAD_BYTES_MAX, "0-0 0 %u ", count);
    return (struct text){to, (size_t)bytes};
}
