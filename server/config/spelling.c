/* server/config/spelling.c - the nearest name by Levenshtein's distance. */
#include "server/config/spelling.h"

#include <assert.h>
#include <ctype.h>

#define SHOWN_MAX 60

/* How many letters to add, drop or change until one name is the other, one row of the matrix at a time. */
static size_t distance(const char *one, const char *other)
{
    size_t row[SPELLING_BYTES_MAX];
    size_t width = strlen(other);
    assert(width < SPELLING_BYTES_MAX);
    for (size_t column = 0; column <= width; column++)
        row[column] = column;
    for (size_t line = 1; one[line - 1] != '\0'; line++) {
        size_t diagonal = row[0];
        row[0] = line;
        for (size_t column = 1; column <= width; column++) {
            size_t best = diagonal + (one[line - 1] != other[column - 1]);
            if (row[column] + 1 < best) best = row[column] + 1;
            if (row[column - 1] + 1 < best) best = row[column - 1] + 1;
            diagonal = row[column];
            row[column] = best;
        }
    }
    return row[width];
}

size_t spelling_closest(struct text given, const char *(*name_at)(const void *names, size_t index), const void *names,
                        size_t count)
{
    char name[SPELLING_BYTES_MAX];
    size_t length = 0;
    for (; length < given.count && length + 1 < sizeof name; length++) /* the rest would only make it less near */
        name[length] = given.at[length] == '-' ? '_' : (char)tolower((unsigned char)given.at[length]);
    name[length] = '\0';

    size_t closest = count;
    size_t wrong_max = length / 3 + 1;
    for (size_t index = 0; index < count; index++) {
        size_t wrong = distance(name, name_at(names, index));
        if (wrong >= wrong_max) continue;
        wrong_max = wrong;
        closest = index;
    }
    return closest;
}

size_t spelling_shown(struct text given)
{
    size_t count = 0;
    while (count < given.count && count < SHOWN_MAX &&
           (isalnum((unsigned char)given.at[count]) || given.at[count] == '_' || given.at[count] == '-'))
        count++;
    return count;
}
