/* server/ctl/ctl_exit.h - how ringcast ctl ends. */
#pragma once

enum ctl_exit {
    CTL_DONE = 0,
    CTL_REFUSED = 1,     /* the server said no, or could not; its sentence is on stderr */
    CTL_USAGE = 2,       /* the command line is wrong; nothing was asked */
    CTL_UNREACHABLE = 3, /* nobody answers on the socket, or it may not be opened */
    CTL_LATE = 4,        /* no answer in time (-t): what was asked for may be done or not */
};
