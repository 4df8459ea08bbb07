/* net/socket_file.h - listening on a unix socket, which is a file: made, found in the way, taken away.
 *
 * The file has mode 0660 from its first moment on, whatever the umask is, so that only its owner and its group can
 * connect. One that is left of a process that was killed is replaced; one on which somebody answers is not, nor what
 * is no socket. The folder is locked (flock) while that is looked at, so that of two servers which start at once one
 * gets the file: who may read that folder can lock it too and keep others from it, so it should be the server's own.
 * Any thread; nothing waits for whoever has the socket. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>

enum socket_file {
    SOCKET_FILE_NONE,      /* nothing is there */
    SOCKET_FILE_LEFT,      /* a socket on which nobody answers */
    SOCKET_FILE_IN_USE,    /* one on which somebody does */
    SOCKET_FILE_NO_SOCKET, /* something else */
    SOCKET_FILE_UNKNOWN,   /* errno says why it cannot be told */
};

/* What is at this path? */
enum socket_file socket_file_look(const char *path);

#define SOCKET_FILE_NO_SOCKET_TEXT "what is there is no socket: take it away, or choose another path"

/* May this process make a socket there? Makes nothing. False: reason_r names cause and cure. */
bool socket_file_can_be_made(const char *path, char *reason_r, size_t reason_size);

/* Listens there. RC_EBUSY: somebody has it; RC_EKERNEL: something else is wrong. On errors reason_r names cause and
 * cure. The descriptor closes on exec; give it back with close(2). */
enum rc socket_file_claim(const char *path, int *descriptor_r, char *reason_r, size_t reason_size);

/* Takes the file away, unless somebody answers on it, or it is none. */
void socket_file_remove(const char *path);
