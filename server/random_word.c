/* server/random_word.c - letters and digits from the kernel's randomness. */
#include "server/random_word.h"

#include <stdlib.h>

void random_word(char *to, size_t count)
{
    static const char characters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < count; i++)
        to[i] = characters[arc4random_uniform(sizeof characters - 1)];
}
