/* tests/fuzz/fuzz_ini.c - any bytes as a configuration file: every line is told once and in order, and what was read,
 * written out and read again, is the same.
 *
 * Aborts when a line is told twice or out of order, when a name or value has a blank at an end, a control character or
 * no UTF-8, when a mistake has no words, or when the second reading differs. */
#include "server/config/ini.h"

#include "net/utf8.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_within(struct text inner, struct text outer)
{
    return inner.at >= outer.at && inner.at + inner.count <= outer.at + outer.count;
}

static void check_piece(struct text piece, struct text whole)
{
    struct utf8 utf8 = {0};
    FUZZ_CHECK(is_within(piece, whole));
    FUZZ_CHECK(piece.count == 0 || (!is_blank(piece.at[0]) && !is_blank(piece.at[piece.count - 1])));
    FUZZ_CHECK(utf8_check(&utf8, (const uint8_t *)piece.at, piece.count) && utf8_is_complete(&utf8));
    for (size_t i = 0; i < piece.count; i++)
        FUZZ_CHECK((unsigned char)piece.at[i] >= ' ' || piece.at[i] == '\t');
}

static void check_item(const struct ini_item *item, struct text whole)
{
    FUZZ_CHECK((item->kind == INI_MISTAKE) == (item->mistake != NULL));
    if (item->kind == INI_MISTAKE) return;
    FUZZ_CHECK(item->name.count > 0);
    check_piece(item->name, whole);
    check_piece(item->value, whole);
    if (item->kind == INI_VALUE) FUZZ_CHECK(memchr(item->name.at, '=', item->name.count) == NULL);
    if (item->kind == INI_SECTION) FUZZ_CHECK(memchr(item->value.at, ']', item->value.count) == NULL);
}

static char *write_item(char *to, const struct ini_item *item)
{
    bool is_section = item->kind == INI_SECTION;
    to = text_put(to, text_of(is_section ? "[" : ""));
    to = text_put(to, item->name);
    to = text_put(to, text_of(is_section ? " " : "="));
    to = text_put(to, item->value);
    return text_put(to, text_of(is_section ? "]\n" : "\n"));
}

/* Writes all items but mistakes; returns the end. At most 3 bytes more for each line. */
static char *write_all(struct text text, char *to)
{
    struct ini ini;
    struct ini_item item;
    uint32_t line = 0;
    ini_init(&ini, text);
    while ((item = ini_next(&ini)).kind != INI_END) {
        FUZZ_CHECK(item.line > line);
        line = item.line;
        check_item(&item, text);
        if (item.kind != INI_MISTAKE) to = write_item(to, &item);
    }
    return to;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    struct bytes slice = fuzz_slice(input, count);
    char *once = malloc(4 * count + 8), *twice = malloc(16 * count + 32);
    if (once == NULL || twice == NULL) abort();
    struct text first =
        text_between(once, write_all((struct text){.at = (const char *)slice.at, .count = count}, once));
    struct text second = text_between(twice, write_all(first, twice));
    FUZZ_CHECK(text_equals(first, second));
    free(slice.at);
    free(once);
    free(twice);
    return 0;
}
