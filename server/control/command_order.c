/* server/control/command_order.c - what the main thread does for operators. */
#include "server/control/commands.h"
#include "server/control/orders.h"

void command_drain(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    (void)request;
    orders_ask(shard, connection, ORDER_DRAIN);
}

void command_stop(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    (void)request;
    orders_ask(shard, connection, ORDER_STOP);
}

void command_reload(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    (void)request;
    orders_ask(shard, connection, ORDER_RELOAD);
}

void command_certificates(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    (void)request;
    orders_ask(shard, connection, ORDER_CERTIFICATES);
}
