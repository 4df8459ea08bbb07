/* server/config/value.h - copying and comparing values of settings, whatever their type: VALUE_COPY(to, from) and
 * VALUE_IS_SAME(one, other) take pointers to two fields of one type. A text may be NULL.
 *
 * No state. */
#pragma once

#include "server/config/option_value.h"

#include <stdbool.h>
#include <stddef.h>

#define VALUE_COPY(to, from) \
    _Generic((to), char **: value_copy_text, struct text_list *: value_copy_list, default: value_copy_plain)( \
        (to), (from), sizeof *(to))
#define VALUE_IS_SAME(one, other) \
    _Generic((one),                                  \
        char *const *: value_is_same_text,           \
        const struct text_list *: value_is_same_list, \
        default: value_is_same_plain)((one), (other), sizeof *(one))

/* *to is zeroed, and its owner gives it back, also when this is false: out of memory. */
bool value_copy_plain(void *to, const void *from, size_t size);
bool value_copy_text(void *to, const void *from, size_t size);
bool value_copy_list(void *to, const void *from, size_t size);
bool value_is_same_plain(const void *one, const void *other, size_t size);
bool value_is_same_text(const void *one, const void *other, size_t size);
bool value_is_same_list(const void *one, const void *other, size_t size);
