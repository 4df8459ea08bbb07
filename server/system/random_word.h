/* server/system/random_word.h - words of chance, for what nobody may guess: keys, secrets, the ids of guests. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Writes `count` characters of a-z and 0-9, five bits of chance each, and no zero behind them. Any thread. */
void random_word(char *to, size_t count);
/* Like random_word(), at most twelve characters, from a number: always the same word from the same one, which is not to
 * be told from it. */
void word_of_number(uint64_t number, char *to, size_t count);
