/* server/config/mistakes.h - what is wrong with files, each with its place: told together, since whoever mends one
 * line wants to hear of the others too.
 *
 * Start-up only; one thread. */
#pragma once

#include "server/config/option_value.h"

#define MISTAKES_TOLD_MAX 20
#define MISTAKES_MAX      1000 /* then reading ends: files may have millions, and each is compared with every name */
#define MISTAKE_BYTES     512  /* enough for the text of one */

struct mistakes {
    struct option_error rest; /* where the next one goes */
    uint32_t told, untold;
};

void mistakes_init(struct mistakes *mistakes, const struct option_error *error);
/* Adds a line "FILE:LINE: text"; line 0: the file as a whole, "text" alone. Control characters become question
 * marks. */
void mistakes_add(struct mistakes *mistakes, const char *file, uint32_t line, const char *text);
/* Is there no need to look for more? */
bool mistakes_are_enough(const struct mistakes *mistakes);
/* Behind the last: how many more there are. RC_OK: there was none; RC_EINVAL. */
enum rc mistakes_end(struct mistakes *mistakes);
