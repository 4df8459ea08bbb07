/* server/ctl/ctl.h - ringcast ctl: gives a server that runs a command of command.def over its unix socket, and shows
 * what it answers.
 *
 * Its own process, one thread; the server's side is server/control/commands.h. */
#pragma once

/* argv[0] is "ctl", its words follow. Writes to stdout and stderr; an enum ctl_exit (server/ctl/ctl_exit.h). */
int ctl_run(int argc, char *const argv[], char *const envp[]);
