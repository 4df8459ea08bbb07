/* server/config/mistakes.c - lines of mistakes, as many as there is room for. */
#include "server/config/mistakes.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MORE_BYTES 40 /* "and at least 4294967295 more" */

void mistakes_init(struct mistakes *mistakes, const struct option_error *error)
{
    *mistakes = (struct mistakes){.rest = *error};
}

static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (iscntrl((unsigned char)*text)) *text = '?';
}

void mistakes_add(struct mistakes *mistakes, const char *file, uint32_t line, const char *text)
{
    char whole[MISTAKE_BYTES + 300];
    if (line > 0)
        snprintf(whole, sizeof whole, "%.250s:%u: %s", file, line, text);
    else
        snprintf(whole, sizeof whole, "%s", text);
    make_printable(whole);
    bool has_room = mistakes->told < MISTAKES_TOLD_MAX && strlen(whole) + MORE_BYTES < mistakes->rest.size;
    if (mistakes->told == 0 || (has_room && mistakes->untold == 0)) {
        mistakes->rest = option_error_begin(&mistakes->rest, "%s%s", mistakes->told > 0 ? "\n" : "", whole);
        mistakes->told++;
    } else {
        mistakes->untold++;
    }
}

bool mistakes_are_enough(const struct mistakes *mistakes)
{
    return mistakes->told + mistakes->untold >= MISTAKES_MAX;
}

enum rc mistakes_end(struct mistakes *mistakes)
{
    if (mistakes->untold > 0)
        option_error_begin(&mistakes->rest, "\nand %s%u more", mistakes_are_enough(mistakes) ? "at least " : "",
                           mistakes->untold);
    return mistakes->told == 0 ? RC_OK : RC_EINVAL;
}
