/* server/ctl/ctl_completion.h - a script for shells, from the tables of commands and options. */
#pragma once

#include <stdio.h>

/* ringcast ctl completion SHELL. An enum ctl_exit. */
int ctl_completion(const char *shell, FILE *out);
