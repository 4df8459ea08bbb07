/* server/run/obey.h - the main thread's side of operators' orders (server/control/orders.h).
 *
 * Threads:   the main thread. */
#pragma once

#include "server/control/orders.h"

struct server;

/* Carries out what was ordered, and answers. ORDER_DRAIN and ORDER_STOP are left to the caller: they are answered, and
 * it is to begin now. ORDER_NONE: nothing more is to be done. */
enum order obey(struct server *server);
