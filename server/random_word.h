/* server/random_word.h - words of chance, for what nobody may guess: keys, secrets, the ids of guests. */
#pragma once

#include <stddef.h>

/* Writes `count` characters of a-z and 0-9, five bits of chance each, and no zero behind them. Any thread. */
void random_word(char *to, size_t count);
