/* server/webhook/webhook_post.c - for each app a few places for requests under way, over one curl multi handle.
 *
 * A place keeps its curl handle; connections belong to the multi handle and are reused by all of them. A request is
 * in exactly one of three places: under way, pausing in the timer wheel, or in its app's list of those that are due
 * again and wait for a place. */
#include "server/webhook/webhook_post.h"

#include "core/memory.h"
#include "net/digest.h"
#include "server/config/options.h"
#include "server/system/doorbell.h"
#include "server/system/log.h"

#include <assert.h>
#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAUSE_MS_MIN 1000
#define PAUSE_MS_MAX 60000
#define OK_MIN       200 /* statuses */
#define OK_MAX       299
#define THIS_MACHINE "localhost,127.0.0.0/8,::1"

struct place {
    struct webhook_request *request; /* NULL: free */
    CURL *easy;                      /* made when the place is first used */
    size_t answer_bytes;             /* thrown away so far */
    char error[CURL_ERROR_SIZE];
};

/* What one app has under way. */
struct lane {
    struct place places[WEBHOOK_APP_REQUESTS_MAX]; /* the first is for new requests */
    struct webhook_request *due;                   /* again, and waiting for a place */
    struct webhook_request **due_end;              /* NULL: none was yet */
    bool is_failing;                               /* the latest answer was no success; the log has said so */
};

struct webhook_post {
    const struct options *options;
    struct webhook_queue *queue;
    struct counters *counters;
    CURLM *multi;
    char *no_proxy;     /* hosts that no proxy of the environment stands before */
    struct lane *lanes; /* by the app's index, APP_INDEXES_MAX: those that are used take memory */
    struct timer_wheel pauses;
};

/* ---- life ---- */

/* The rules of the environment, and this machine, which a proxy on another one cannot reach. Owned by the caller. */
static char *make_no_proxy(void)
{
    char *rules = NULL;
    const char *given = getenv("no_proxy");
    if (given == NULL) given = getenv("NO_PROXY");
    if (given != NULL && strcmp(given, "*") == 0)
        return strdup(given); /* for all hosts, and only if it stands alone */
    int bytes = asprintf(&rules, "%s%s" THIS_MACHINE, given != NULL ? given : "", given != NULL ? "," : "");
    return bytes >= 0 ? rules : NULL;
}

struct webhook_post *webhook_post_new(const struct options *options, struct webhook_queue *queue,
                                      struct counters *counters, uint64_t now_ms)
{
    struct webhook_post *post = calloc(1, sizeof *post);
    if (post == NULL) return NULL;
    post->options = options;
    post->queue = queue;
    post->counters = counters;
    post->multi = curl_multi_init();
    post->no_proxy = make_no_proxy();
    post->lanes = memory_reserve(APP_INDEXES_MAX, sizeof post->lanes[0]);
    if (post->multi == NULL || post->lanes == NULL || post->no_proxy == NULL) {
        webhook_post_free(post);
        return NULL;
    }
    timer_wheel_init(&post->pauses, now_ms);
    webhook_post_take_options(post, options);
    return post;
}

void webhook_post_take_options(struct webhook_post *post, const struct options *options)
{
    assert(options->app.count >= post->options->app.count);
    post->options = options;
    curl_multi_setopt(post->multi, CURLMOPT_MAXCONNECTS, (long)options->app.count * WEBHOOK_APP_REQUESTS_MAX);
}

/* The request leaves for good. */
static void give_back(struct webhook_post *post, struct webhook_request *request, bool is_sent)
{
    curl_slist_free_all(request->headers);
    webhook_queue_done(post->queue, request, is_sent);
}

static struct webhook_request *take_due(struct lane *lane)
{
    struct webhook_request *request = lane->due;
    if (request == NULL) return NULL;
    lane->due = request->next;
    if (lane->due == NULL) lane->due_end = &lane->due;
    return request;
}

static void free_lane(struct webhook_post *post, struct lane *lane)
{
    for (struct webhook_request *request; (request = take_due(lane)) != NULL;) {
        give_back(post, request, false);
    }
    for (uint32_t i = 0; i < WEBHOOK_APP_REQUESTS_MAX; i++) {
        struct place *place = &lane->places[i];
        if (place->request != NULL) {
            curl_multi_remove_handle(post->multi, place->easy);
            give_back(post, place->request, false);
        }
        curl_easy_cleanup(place->easy);
    }
}

void webhook_post_free(struct webhook_post *post)
{
    if (post == NULL) return;
    if (post->lanes != NULL && post->multi != NULL) {
        webhook_post_hurry(post, 0);
        for (uint32_t i = 0; i < post->options->app.count; i++) {
            free_lane(post, &post->lanes[i]);
        }
    }
    curl_multi_cleanup(post->multi);
    memory_release(post->lanes, APP_INDEXES_MAX, sizeof post->lanes[0]);
    free(post->no_proxy);
    free(post);
}

/* ---- one try ---- */

static struct lane *lane_of(const struct webhook_post *post, const struct webhook_request *request)
{
    return &post->lanes[request->app];
}

static const struct app *app_of(const struct webhook_post *post, const struct webhook_request *request)
{
    return &post->options->app.items[request->app];
}

/* Throws the answer away; one without end is cut. */
static size_t take_answer(char *bytes, size_t size, size_t count, void *argument)
{
    struct place *place = argument;
    (void)bytes;
    place->answer_bytes += size * count;
    return place->answer_bytes <= WEBHOOK_ANSWER_BYTES_MAX ? size * count : CURL_WRITEFUNC_ERROR;
}

/* What is the same for all requests of this place. */
static bool make_easy(struct place *place, const char *no_proxy)
{
    CURL *easy = place->easy = curl_easy_init();
    if (easy == NULL) return false;
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, no_proxy);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "ringcast/" RINGCAST_VERSION);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)WEBHOOK_CONNECT_MS_MAX);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)WEBHOOK_TRY_MS_MAX);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, place);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, place->error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, place);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L); /* no timeouts by SIGALRM: there are other threads */
    /* A name server that does not answer must not hold up this thread: the resolving one is left to itself. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    return true;
}

static bool add_line(struct webhook_request *request, const char *line)
{
    struct curl_slist *headers = curl_slist_append(request->headers, line);
    if (headers != NULL) request->headers = headers; /* NULL leaves the list as it was */
    return headers != NULL;
}

static bool add_header(struct webhook_request *request, const char *name, const char *value)
{
    char *line;
    if (asprintf(&line, "%s: %s", name, value) < 0) return false;
    bool is_added = add_line(request, line);
    free(line);
    return is_added;
}

/* The app's own. */
static bool add_further(struct webhook_request *request, const struct app *app)
{
    const struct text_list *further = &app->webhook_header;
    uint32_t i = 0;
    while (i < further->count && add_line(request, further->items[i]))
        i++;
    return i == further->count;
}

/* Signs the body's exact bytes, anew for each try: the secret may have been changed. */
static bool make_headers(struct webhook_request *request, const struct app *app)
{
    const struct text body = {.at = request->body, .count = request->body_bytes};
    char signature[DIGEST_HMAC_HEX_BYTES + 1];
    curl_slist_free_all(request->headers);
    request->headers = NULL;
    bool is_made = digest_hmac_hex(text_of(app->secret), &body, 1, signature) == RC_OK &&
                   add_header(request, "Content-Type", "application/json") &&
                   add_header(request, "X-Pusher-Key", app->key) &&
                   add_header(request, "X-Pusher-Signature", signature) && add_further(request, app);
    if (is_made) return true;
    curl_slist_free_all(request->headers); /* all or none, for the next try */
    request->headers = NULL;
    return false;
}

/* False: out of memory. */
static bool start_transfer(struct webhook_post *post, struct place *place, struct webhook_request *request)
{
    const struct app *app = app_of(post, request);
    if (place->easy == NULL && !make_easy(place, post->no_proxy)) return false;
    if (!make_headers(request, app)) return false;
    place->answer_bytes = 0;
    place->error[0] = '\0';
    curl_easy_setopt(place->easy, CURLOPT_URL, app->webhook);
    curl_easy_setopt(place->easy, CURLOPT_HTTPHEADER, request->headers);
    curl_easy_setopt(place->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
    curl_easy_setopt(place->easy, CURLOPT_POSTFIELDS, &request->body[0]);
    return curl_multi_add_handle(post->multi, place->easy) == CURLM_OK;
}

static void give_up(struct webhook_post *post, struct webhook_request *request, const char *why)
{
    log_warn("app %s: a webhook request with %u events is given up, tries: %u; %s", app_of(post, request)->id,
             request->events, request->tries, why);
    give_back(post, request, false);
}

/* Pauses until the next try; gives up when that would be too late. */
static void take_failure(struct webhook_post *post, struct lane *lane, struct webhook_request *request,
                         const char *why, uint64_t now_ms)
{
    uint64_t again_ms = now_ms + webhook_pause_ms(request->tries, arc4random());
    counter_add(post->counters, COUNTER_webhooks_failed, 1);
    if (again_ms - request->first_try_ms > post->options->webhook_retry_ms_max) {
        give_up(post, request, why);
    } else {
        if (!lane->is_failing)
            log_warn("app %s: webhooks fail and are tried again; %s", app_of(post, request)->id, why);
        timer_set(&post->pauses, &request->retry, again_ms);
    }
    lane->is_failing = true;
}

static void take_success(struct webhook_post *post, struct lane *lane, struct webhook_request *request)
{
    counter_add(post->counters, COUNTER_webhooks_sent, 1);
    if (lane->is_failing) log_info("app %s: a webhook request succeeded again", app_of(post, request)->id);
    lane->is_failing = false;
    give_back(post, request, true);
}

static void try_in(struct webhook_post *post, struct place *place, struct webhook_request *request, uint64_t now_ms)
{
    assert(place->request == NULL);
    if (request->tries++ == 0) request->first_try_ms = now_ms;
    if (start_transfer(post, place, request))
        place->request = request;
    else
        take_failure(post, lane_of(post, request), request, "out of memory", now_ms);
}

/* Once there is a status it alone decides, even if the rest of the answer is cut or never comes. */
static void take_result(struct webhook_post *post, struct place *place, CURLcode result, uint64_t now_ms)
{
    struct webhook_request *request = place->request;
    long status = 0;
    curl_easy_getinfo(place->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(post->multi, place->easy);
    place->request = NULL;
    if (status >= OK_MIN && status <= OK_MAX) {
        take_success(post, lane_of(post, request), request);
        return;
    }
    char why[CURL_ERROR_SIZE];
    if (status > OK_MAX)
        snprintf(why, sizeof why, "the receiver answers with status %ld", status);
    else
        snprintf(why, sizeof why, "%s", place->error[0] != '\0' ? place->error : curl_easy_strerror(result));
    take_failure(post, lane_of(post, request), request, why, now_ms);
}

/* ---- all tries ---- */

uint32_t webhook_pause_ms(uint32_t tries, uint32_t chance)
{
    assert(tries > 0);
    uint32_t pause_ms = PAUSE_MS_MIN;
    for (uint32_t i = 1; i < tries && pause_ms < PAUSE_MS_MAX; i++) {
        pause_ms *= 2;
    }
    if (pause_ms > PAUSE_MS_MAX) pause_ms = PAUSE_MS_MAX;
    return pause_ms - chance % (pause_ms / 2 + 1);
}

bool webhook_post_has_room(const struct webhook_post *post, uint32_t app)
{
    return post->lanes[app].places[0].request == NULL;
}

void webhook_post_begin(struct webhook_post *post, struct webhook_request *request, uint64_t now_ms)
{
    try_in(post, &lane_of(post, request)->places[0], request, now_ms);
}

static void end_pauses(struct webhook_post *post, uint64_t now_ms)
{
    for (struct timer *timer; (timer = timer_wheel_expire(&post->pauses, now_ms)) != NULL;) {
        struct webhook_request *request =
            (struct webhook_request *)((char *)timer - offsetof(struct webhook_request, retry));
        struct lane *lane = lane_of(post, request);
        request->next = NULL;
        if (lane->due_end == NULL) lane->due_end = &lane->due;
        *lane->due_end = request;
        lane->due_end = &request->next;
    }
}

/* Requests that were due in time but still wait, because the tries before them hang, are given up after a while too. */
static bool is_too_late(const struct webhook_post *post, const struct webhook_request *request, uint64_t now_ms)
{
    return now_ms - request->first_try_ms > post->options->webhook_retry_ms_max + WEBHOOK_TRY_MS_MAX;
}

static void try_again(struct webhook_post *post, struct lane *lane, uint64_t now_ms)
{
    while (lane->due != NULL && is_too_late(post, lane->due, now_ms)) {
        give_up(post, take_due(lane), "the tries before it took too long");
    }
    for (uint32_t i = 1; lane->due != NULL && i < WEBHOOK_APP_REQUESTS_MAX; i++) {
        if (lane->places[i].request == NULL) try_in(post, &lane->places[i], take_due(lane), now_ms);
    }
}

void webhook_post_run(struct webhook_post *post, uint64_t now_ms)
{
    end_pauses(post, now_ms);
    for (uint32_t i = 0; i < post->options->app.count; i++) {
        try_again(post, &post->lanes[i], now_ms);
    }
    int running, left;
    curl_multi_perform(post->multi, &running);
    for (CURLMsg *message; (message = curl_multi_info_read(post->multi, &left)) != NULL;) {
        if (message->msg != CURLMSG_DONE) continue;
        char *place;
        CURLcode result = message->data.result; /* the message goes when the handle is removed */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &place);
        take_result(post, (struct place *)place, result, now_ms);
    }
}

void webhook_post_hurry(struct webhook_post *post, uint64_t now_ms)
{
    end_pauses(post, UINT64_MAX);
    timer_wheel_init(&post->pauses, now_ms); /* it is empty, and its time may not stay at the end of days */
}

void webhook_post_sleep(struct webhook_post *post, int descriptor, uint64_t now_ms, uint64_t wake_at_ms)
{
    uint64_t pause_ends_ms = timer_wheel_wake_at_ms(&post->pauses);
    if (pause_ends_ms < wake_at_ms) wake_at_ms = pause_ends_ms;
    uint64_t ms = wake_at_ms > now_ms ? wake_at_ms - now_ms : 0;
    struct curl_waitfd doorbell = {.fd = descriptor, .events = CURL_WAIT_POLLIN};
    int wait_ms = ms < INT_MAX ? (int)ms : INT_MAX;
    if (curl_multi_poll(post->multi, &doorbell, 1, wait_ms, NULL) != CURLM_OK) doorbell_rest();
}
