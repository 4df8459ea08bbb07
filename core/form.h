/* core/form.h - the forms in which a message reaches its readers. A message has a frame for one or several of them, a
 * subscription is of one; who reads in another form than those of a message does not get it. */
#pragma once

enum form {
    FORM_RAW,   /* a WebSocket message as its sender made it: the readers of rooms */
    FORM_EVENT, /* an event of the Pusher protocol: the subscribers of channels */
    FORM_WATCH, /* that a user came or went: those who have the user on their watchlist */
    FORMS_MAX
};
