/* server/control/control_path.c - the table of paths, and looking one up. */
#include "server/control/control_path.h"

#include "server/control/commands.h"
#include "server/control/dashboard.h"
#include "server/control/metrics_answer.h"
#include "server/control/ready.h"

#include <stddef.h>

static const struct control_path paths[] = {
#define CONTROL_PATH(method_, path_, access_, answer_) \
    {.method = HTTP_METHOD_##method_, .path = (path_), .access = CONTROL_##access_, .answer = (answer_)},
#include "server/control/control_path.def"
#undef CONTROL_PATH
#define COMMAND(id_, method_, words_, path_, ...) \
    {.method = HTTP_METHOD_##method_, .path = (path_), .access = CONTROL_SOCKET, .answer = command_##id_},
#define COMMAND_FOLLOWED(id_, words_, path_, ...) \
    {.method = HTTP_METHOD_GET, .path = (path_), .access = CONTROL_SOCKET, .answer = command_##id_},
#define COMMAND_HERE(...)
#include "server/ctl/command.def"
#undef COMMAND
#undef COMMAND_FOLLOWED
#undef COMMAND_HERE
};

const struct control_path *control_path_of(struct text path)
{
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (text_is(path, paths[i].path)) return &paths[i];
    }
    return NULL;
}
