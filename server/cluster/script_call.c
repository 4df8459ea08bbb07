/* server/cluster/script_call.c - the words of calls, in the order that the scripts have at their heads. */
#include "server/cluster/script_call.h"

#include <assert.h>
#include <stdio.h>

enum mark {
    MARK_RECEIPT = 1,
    MARK_LAST = 2,
};

#define KEYS_COUNT_AT 2 /* the word that says how many words behind it are keys */

/* ---- words ---- */

static void add_text(struct script_call *call, struct text text)
{
    assert(call->words_count < SCRIPT_WORDS_MAX);
    call->words[call->words_count++] = text;
}

static struct text number_text(struct script_call *call, uint64_t number)
{
    assert(call->numbers_count < SCRIPT_NUMBERS_MAX);
    char *to = call->numbers[call->numbers_count++];
    int count = snprintf(to, sizeof call->numbers[0], "%llu", (unsigned long long)number);
    return (struct text){to, (size_t)count};
}

static void add_number(struct script_call *call, uint64_t number)
{
    add_text(call, number_text(call, number));
}

static void begin(struct script_call *call, enum script script)
{
    call->script = script;
    call->words_count = call->keys_count = call->numbers_count = 0;
    add_text(call, text_of("EVALSHA"));
    add_text(call, script_sha1(script));
    add_text(call, (struct text){0}); /* end_keys() */
}

static void add_key(struct script_call *call, struct text key)
{
    assert(key.count > 0);
    add_text(call, key);
    call->keys_count++;
}

static void end_keys(struct script_call *call)
{
    assert(call->keys_count >= script_keys_min(call->script) && call->keys_count <= script_keys_max(call->script));
    call->words[KEYS_COUNT_AT] = number_text(call, call->keys_count);
}

static void begin_of_key(struct script_call *call, enum script script, struct text key)
{
    begin(call, script);
    add_key(call, key);
    end_keys(call);
}

static void add_push(struct script_call *call, const struct script_push *push)
{
    add_text(call, push->channel);
    add_text(call, text_of(push->is_sharded ? "SPUBLISH" : "PUBLISH"));
}

/* ---- publishing ---- */

/* A digit for each record. True: some say something. */
static bool write_marks(struct script_call *call, const struct script_publish *args)
{
    bool has_marks = false;
    assert(args->records_count > 0 && args->records_count <= SCRIPT_RECORDS_MAX);
    for (uint32_t i = 0; i < args->records_count; i++) {
        const struct script_record *record = &args->records[i];
        unsigned mark = (record->receipt.at != NULL ? MARK_RECEIPT : 0u) | (record->is_last ? MARK_LAST : 0u);
        call->marks[i] = (char)('0' + mark);
        has_marks = has_marks || mark != 0;
    }
    return has_marks;
}

static struct text marks_text(const struct script_call *call, const struct script_publish *args)
{
    return (struct text){call->marks, args->records_count};
}

static void add_receipts(struct script_call *call, const struct script_publish *args)
{
    add_key(call, args->last);
    for (uint32_t i = 0; i < args->records_count; i++) {
        if (args->records[i].receipt.at != NULL) add_key(call, args->records[i].receipt);
    }
}

static void add_records(struct script_call *call, const struct script_publish *args)
{
    for (uint32_t i = 0; i < args->records_count; i++) {
        add_text(call, args->records[i].bytes);
    }
}

void script_call_publish(struct script_call *call, const struct script_publish *args)
{
    assert(args->look_max > 0 && args->entries_max > 0);
    bool has_marks = write_marks(call, args);
    begin(call, SCRIPT_PUBLISH);
    add_key(call, args->stream);
    if (has_marks) add_receipts(call, args);
    end_keys(call);
    add_number(call, args->deadline_ms);
    add_number(call, args->generation);
    add_number(call, args->hint);
    add_number(call, args->entries_max);
    add_push(call, &args->push);
    add_number(call, args->expire_ms);
    add_number(call, args->receipt_ms);
    add_number(call, args->last_ms);
    add_text(call, has_marks ? marks_text(call, args) : text_of(""));
    add_text(call, args->look_from);
    add_number(call, args->look_max);
    add_records(call, args);
}

void script_call_plain(struct script_call *call, const struct script_publish *args)
{
    write_marks(call, args);
    begin(call, SCRIPT_PLAIN);
    add_receipts(call, args);
    end_keys(call);
    add_number(call, args->deadline_ms);
    add_push(call, &args->push);
    add_number(call, args->receipt_ms);
    add_number(call, args->last_ms);
    add_text(call, marks_text(call, args));
    add_records(call, args);
}

void script_call_open(struct script_call *call, struct text stream, uint64_t generation, uint64_t expire_ms)
{
    begin_of_key(call, SCRIPT_OPEN, stream);
    add_number(call, generation);
    add_number(call, expire_ms);
}

void script_call_generation(struct script_call *call, struct text key, struct text replid, uint64_t known)
{
    begin_of_key(call, SCRIPT_GENERATION, key);
    add_text(call, replid);
    add_text(call, known > 0 ? number_text(call, known) : text_of(""));
}

/* ---- members and counts ---- */

void script_call_join(struct script_call *call, const struct script_member *args, struct text user, struct text info)
{
    assert(user.count > 0);
    begin_of_key(call, SCRIPT_JOIN, args->members);
    add_number(call, args->deadline_ms);
    add_text(call, args->node);
    add_text(call, user);
    add_text(call, info);
    add_push(call, &args->push);
}

void script_call_leave(struct script_call *call, const struct script_member *args, const struct text *users,
                       uint32_t users_count)
{
    assert(users_count > 0 && users_count <= SCRIPT_USERS_MAX);
    begin_of_key(call, SCRIPT_LEAVE, args->members);
    add_number(call, args->deadline_ms);
    add_text(call, args->node);
    add_push(call, &args->push);
    for (uint32_t i = 0; i < users_count; i++) {
        add_text(call, users[i]);
    }
}

void script_call_count(struct script_call *call, const struct script_member *args, uint64_t count)
{
    begin_of_key(call, SCRIPT_COUNT, args->members);
    add_number(call, args->deadline_ms);
    add_text(call, args->node);
    add_number(call, count);
    add_push(call, &args->push);
}

/* ---- leases ---- */

static void begin_of_lease(struct script_call *call, enum script script, const struct script_lease *args)
{
    begin(call, script);
    add_key(call, args->nodes);
    add_key(call, args->about);
    end_keys(call);
    add_text(call, args->node);
}

void script_call_renew(struct script_call *call, const struct script_lease *args, uint64_t lease_ms, struct text text,
                       uint64_t told_max)
{
    begin_of_lease(call, SCRIPT_RENEW, args);
    add_number(call, lease_ms);
    add_text(call, text);
    add_number(call, told_max);
}

void script_call_retire(struct script_call *call, const struct script_lease *args, bool is_itself)
{
    begin_of_lease(call, SCRIPT_RETIRE, args);
    add_text(call, text_of(is_itself ? "1" : "0"));
}
