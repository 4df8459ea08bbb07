/* server/component/pusher_user.h - sign-in and watchlists. */
#pragma once

struct command;
struct join;
struct pusher;

void pusher_sign_in(const struct command *command);
/* A home has answered a subscription that sign-in brought along. */
void pusher_signed_in(const struct command *command);
void pusher_watching(const struct command *command, const struct join *join);
void pusher_free_user(struct pusher *pusher);
