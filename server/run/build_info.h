/* server/run/build_info.h - `ringcast -vv`: what this program is made of and runs on, the first thing of a bug report.
 *
 * One thread. Says nothing of the configuration. */
#pragma once

#include <stdio.h>

/* Writes version, build, libraries, kernel and limits, a line for each. */
void build_info_print(FILE *out);
