/* server/component/pusher_event.h - events that clients send to each other. */
#pragma once

struct command;

void pusher_client_event(const struct command *command);
/* Like pusher_client_event(), for a room, whose raw clients get the data as a text. */
void pusher_room_event(const struct command *command);
