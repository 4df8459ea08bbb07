/* server/system/random_word.c - letters and digits from the kernel's randomness. */
#include "server/system/random_word.h"

#include <stdlib.h>

static const char characters[] = "abcdefghijklmnopqrstuvwxyz0123456789";

void random_word(char *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = characters[arc4random_uniform(sizeof characters - 1)];
}

void word_of_number(uint64_t number, char *to, size_t count)
{
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9); /* the finalizer of SplitMix64, Steele 2014 */
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    number ^= number >> 31;
    for (size_t i = 0; i < count; i++, number /= sizeof characters - 1)
        to[i] = characters[number % (sizeof characters - 1)];
}
