/* server/ctl/ctl_follow.c - asks four times a second for what was told since. */
#include "server/ctl/ctl_follow.h"

#include "net/json.h"
#include "server/ctl/ctl_call.h"
#include "server/ctl/ctl_exit.h"
#include "server/ctl/ctl_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PAUSE_MS     250
#define NUMBER_BYTES 24

/* How far one has come. */
struct place {
    char trail[NUMBER_BYTES], after[NUMBER_BYTES]; /* "": it has not begun */
};

static bool take_number(yyjson_val *root, const char *name, char number_r[NUMBER_BYTES])
{
    yyjson_val *value = NULL;
    json_member(root, name, &value);
    struct text text = json_text(value);
    if (text.at == NULL || text.count >= NUMBER_BYTES) return false;
    snprintf(number_r, NUMBER_BYTES, "%.*s", (int)text.count, text.at);
    return true;
}

static bool show_event(yyjson_val *event, bool is_json)
{
    char *text;
    size_t bytes;
    if (!is_json) {
        ctl_show_event(stdout, event);
        return true;
    }
    if (json_write(event, &text, &bytes) != RC_OK) return false;
    printf("%.*s\n", (int)bytes, text);
    free(text);
    return true;
}

/* False: that was no answer of ringcast. */
static bool show_events(yyjson_val *root, bool is_json, struct place *place)
{
    yyjson_val *events = NULL, *event;
    size_t index, max;
    char left_out[NUMBER_BYTES];
    json_member(root, "events", &events);
    if (!yyjson_is_arr(events) || !take_number(root, "trail", place->trail) ||
        !take_number(root, "next", place->after) || !take_number(root, "left_out", left_out))
        return false;
    if (left_out[0] != '0') fprintf(stderr, "ringcast ctl: %s lines were left out: they came too fast\n", left_out);
    yyjson_arr_foreach(events, index, max, event)
    {
        if (!show_event(event, is_json)) return false;
    }
    return true;
}

static int take_answer(const struct ctl_answer *answer, bool is_json, struct place *place, char *reason_r,
                       size_t reason_size)
{
    yyjson_doc *document = NULL;
    yyjson_val *sentence = NULL;
    int code = CTL_DONE;
    bool is_good = json_read((struct text){answer->body, answer->body_bytes}, &document, NULL) == RC_OK;
    yyjson_val *root = yyjson_doc_get_root(document);
    if (is_good && answer->status != 200) {
        json_member(root, "error", &sentence);
        struct text text = json_text(sentence);
        snprintf(reason_r, reason_size, "%.*s", text.at != NULL ? (int)text.count : 0,
                 text.at != NULL ? text.at : "");
        code = CTL_REFUSED;
    } else if (!is_good || !show_events(root, is_json, place)) {
        snprintf(reason_r, reason_size, "what answers there is no ringcast");
        code = CTL_UNREACHABLE;
    }
    yyjson_doc_free(document);
    if (code == CTL_DONE && (fflush(stdout) != 0 || ferror(stdout))) {
        snprintf(reason_r, reason_size, "the answer could not be written to stdout");
        code = CTL_REFUSED;
    }
    return code;
}

int ctl_follow(const struct ctl_call *call, bool is_json, char *reason_r, size_t reason_size)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};
    struct place place = {"", ""};
    struct ctl_call next = *call;
    int code;
    do {
        struct ctl_answer answer;
        code = ctl_call(&next, &answer, reason_r, reason_size);
        if (code != CTL_DONE) return code;
        code = take_answer(&answer, is_json, &place, reason_r, reason_size);
        free(answer.body);
        next.names[CTL_PARAMETERS_MAX - 2] = "trail";
        next.values[CTL_PARAMETERS_MAX - 2] = place.trail;
        next.names[CTL_PARAMETERS_MAX - 1] = "after";
        next.values[CTL_PARAMETERS_MAX - 1] = place.after;
        if (code == CTL_DONE) nanosleep(&pause, NULL);
    } while (code == CTL_DONE);
    return code;
}
