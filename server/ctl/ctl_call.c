/* server/ctl/ctl_call.c - libcurl, and what its errors mean to an operator. */
#include "server/ctl/ctl_call.h"

#include "server/ctl/ctl_exit.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_BYTES_MAX 2048

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct ctl_answer *answer = context;
    size_t more = size * count;
    if (more > CTL_BODY_BYTES_MAX - answer->body_bytes) return 0;
    char *body = realloc(answer->body, answer->body_bytes + more + 1);
    if (body == NULL) return 0;
    memcpy(body + answer->body_bytes, bytes, more);
    answer->body = body;
    answer->body_bytes += more;
    body[answer->body_bytes] = '\0';
    return more;
}

/* False: no memory, or longer than any argument that makes sense. */
static bool write_url(CURL *easy, const struct ctl_call *call, char url_r[URL_BYTES_MAX])
{
    int used = snprintf(url_r, URL_BYTES_MAX, "http://ringcast%s", call->path);
    const char *between = "?";
    for (size_t i = 0; i < sizeof call->names / sizeof call->names[0]; i++) {
        if (call->names[i] == NULL) continue;
        char *value = curl_easy_escape(easy, call->values[i], (int)strlen(call->values[i]));
        if (value == NULL) return false;
        used += snprintf(url_r + used, (size_t)(URL_BYTES_MAX - used), "%s%s=%s", between, call->names[i], value);
        curl_free(value);
        if (used >= URL_BYTES_MAX) return false;
        between = "&";
    }
    return true;
}

/* Why the socket cannot be opened. */
static void explain_connect(CURL *easy, const struct ctl_call *call, char *reason_r, size_t reason_size)
{
    long error = 0;
    const char *cure = "";
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    if (error == ENOENT || error == ECONNREFUSED || error == 0)
        cure = "; does the server run, with --control unix:PATH? -s PATH names another socket";
    if (error == EACCES || error == EPERM) cure = "; be its owner, or in its group";
    snprintf(reason_r, reason_size, "cannot reach the server at %s: %s%s", call->socket,
             error != 0 ? strerror((int)error) : "no connection", cure);
}

static int explain(CURL *easy, CURLcode code, const struct ctl_call *call, char *reason_r, size_t reason_size)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        snprintf(reason_r, reason_size,
                 "no answer within %u seconds: what was asked for may be done or not; -t SECONDS waits longer",
                 call->seconds);
        return CTL_LATE;
    case CURLE_COULDNT_CONNECT:
        explain_connect(easy, call, reason_r, reason_size);
        return CTL_UNREACHABLE;
    default:
        snprintf(reason_r, reason_size, "what answers at %s is no ringcast, or it ended: %s", call->socket,
                 curl_easy_strerror(code));
        return CTL_UNREACHABLE;
    }
}

static void set_options(CURL *easy, const struct ctl_call *call, const char *url, struct ctl_answer *answer)
{
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, call->socket);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "ringcast-ctl/" RINGCAST_VERSION);
    if (call->is_post) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "POST"); /* without a body */
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->seconds * 1000);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
}

static int perform(CURL *easy, const struct ctl_call *call, struct ctl_answer *answer, char *reason_r,
                   size_t reason_size)
{
    char url[URL_BYTES_MAX];
    long status = 0;
    if (!write_url(easy, call, url)) {
        snprintf(reason_r, reason_size, "the argument is too long");
        return CTL_USAGE;
    }
    set_options(easy, call, url, answer);
    CURLcode code = curl_easy_perform(easy);
    if (code != CURLE_OK) return explain(easy, code, call, reason_r, reason_size);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (unsigned)status;
    if (answer->body == NULL) answer->body = calloc(1, 1);
    return answer->body != NULL ? CTL_DONE : CTL_REFUSED;
}

int ctl_call(const struct ctl_call *call, struct ctl_answer *answer_r, char *reason_r, size_t reason_size)
{
    *answer_r = (struct ctl_answer){0};
    CURL *easy = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    snprintf(reason_r, reason_size, "out of memory");
    int code = easy != NULL ? perform(easy, call, answer_r, reason_r, reason_size) : CTL_REFUSED;
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    if (code == CTL_DONE) return CTL_DONE;
    free(answer_r->body);
    *answer_r = (struct ctl_answer){0};
    return code;
}
