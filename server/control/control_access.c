/* server/control/control_access.c - by where a peer comes from, or by the token that it shows. */
#include "server/control/control_access.h"

#include "net/digest.h"
#include "net/ip.h"
#include "server/connection/peer.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <string.h>

#define SCHEME "Bearer "

bool control_access_has_token(struct text header, const char *token)
{
    size_t scheme = strlen(SCHEME);
    if (header.count < scheme || strncasecmp(header.at, SCHEME, scheme) != 0) return false;
    struct text given = text_behind(header, scheme);
    while (given.count > 0 && given.at[0] == ' ')
        given = text_behind(given, 1);
    return digest_equals(given, text_of(token));
}

static struct control_refusal judge_token(const struct shard *shard, const struct http_request *request)
{
    const char *token = shard->options->control_token;
    unsigned count = http_request_header_count(request, "authorization");
    if (token[0] == '\0')
        return (struct control_refusal){403,
                                        "This is told to who asks from the server's own machine, through no proxy; "
                                        "others need a --control-token.",
                                        NULL};
    if (count == 1 && control_access_has_token(http_request_header(request, "authorization"), token))
        return (struct control_refusal){0};
    return (struct control_refusal){401,
                                    count == 0 ? "Send the header Authorization: Bearer TOKEN, with the server's "
                                                 "--control-token, or ask its unix socket."
                                               : "This is not the server's --control-token.",
                                    "WWW-Authenticate: Bearer\r\n"};
}

/* A proxy on this machine asks for anybody. Not all say that they are one, so once there is a token it has to be shown
 * from here too. */
static bool is_of_machine(const struct shard *shard, enum peer_origin peer, const struct http_request *request)
{
    if (peer != PEER_MACHINE || shard->options->control_token[0] != '\0') return false;
    return http_request_header_count(request, "x-forwarded-for") == 0 &&
           http_request_header_count(request, "forwarded") == 0 && http_request_header_count(request, "via") == 0;
}

/* A page of another site whose name leads here, for once (DNS rebinding), is told by its browser what it asks for as if
 * that were its own. A browser sends Host, and no name of the site's is an address or localhost. */
static bool is_of_other_site(const struct http_request *request)
{
    struct ip ip;
    uint16_t port;
    struct text host = http_request_header(request, "host");
    if (http_request_header_count(request, "host") == 0 || ip_read_with_port(host, &ip, &port)) return false;
    const char *colon = host.count > 0 ? memchr(host.at, ':', host.count) : NULL;
    struct text name = colon != NULL ? text_between(host.at, colon) : host;
    return !text_is_nocase(name, "localhost");
}

static struct control_refusal judge_local(const struct shard *shard, enum peer_origin peer,
                                          const struct http_request *request)
{
    if (peer == PEER_SOCKET) return (struct control_refusal){0};
    if (!is_of_machine(shard, peer, request)) return judge_token(shard, request);
    if (!is_of_other_site(request)) return (struct control_refusal){0};
    return (struct control_refusal){
        403,
        "Without a --control-token this is told only to who asks for localhost or an address, "
        "http://127.0.0.1:PORT/: "
        "under any other name a web page of another site could read it by this machine's browser (DNS rebinding).",
        NULL};
}

struct control_refusal control_access_judge(const struct shard *shard, const struct connection *connection,
                                            const struct http_request *request, enum control_access access)
{
    assert(owner_is_me(&shard->owner));
    enum peer_origin peer = peer_origin(shard, connection);
    switch (access) {
    case CONTROL_ANYBODY:
        return (struct control_refusal){0};
    case CONTROL_LOCAL:
        return judge_local(shard, peer, request);
    case CONTROL_SOCKET:
        if (peer == PEER_SOCKET) return (struct control_refusal){0};
        return (struct control_refusal){
            403, "Commands are taken on the unix socket alone (--control unix:PATH), where ringcast ctl gives them.",
            NULL};
    }
    __builtin_unreachable();
}
