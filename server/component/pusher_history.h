/* server/component/pusher_history.h - pages of what a channel keeps. */
#pragma once

struct command;
struct query;

void pusher_history(const struct command *command);
/* A home has answered: tells the client. */
void pusher_history_came(const struct command *command, const struct query *query);
