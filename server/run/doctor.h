/* server/run/doctor.h - `ringcast check`: would a start with these options go well, and what will be wanting later?
 *
 * Nothing is started, written or kept: certificates are read, a ring is made and thrown away, addresses and the
 * directory of the durable log are looked at. That others have these is a warning, since it may be the server that
 * runs. One thread; waits for the disk. */
#pragma once

#include "server/run/findings.h"

/* Reads the options as a start does, then looks at the machine. What options_read() warns of or refuses is found. */
void doctor_check(int argc, char *const argv[], char *const envp[], struct findings *findings);
/* Writes what `ringcast check --help` shows. */
void doctor_help(FILE *out);
