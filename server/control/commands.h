/* server/control/commands.h - what operators ask for and have done over the unix socket: the rows of
 * server/ctl/command.def.
 *
 * Each is answered in JSON on the control shard's thread: an object, or {"error":"sentence"}. */
#pragma once

#include "server/control/control_answer.h"

#define COMMAND(id, ...)          control_answer command_##id;
#define COMMAND_FOLLOWED(id, ...) control_answer command_##id;
#define COMMAND_HERE(...)
#include "server/ctl/command.def"
#undef COMMAND
#undef COMMAND_FOLLOWED
#undef COMMAND_HERE
