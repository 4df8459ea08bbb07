/* server/run/obey.h - the main thread's side of operators' orders (server/control/orders.h).
 *
 * Threads:   the main thread. */
#pragma once

#include "server/control/orders.h"

struct reload_result;
struct server;

/* Carries out what was ordered, and answers. ORDER_DRAIN and ORDER_STOP are left to the caller: they are answered, and
 * it is to begin now; so is ORDER_RELOAD, which obey_reloaded() answers when it is over. ORDER_NONE: nothing more is to
 * be done. */
enum order obey(struct server *server);
/* Tells who has ordered the reload how it went. */
void obey_reloaded(struct server *server, const struct reload_result *result);
