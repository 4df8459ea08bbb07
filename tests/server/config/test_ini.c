/* tests/server/config/test_ini.c - every line of a configuration file is what it says, or a sentence says why not. */
#include "server/config/ini.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define SPELLED_BYTES 1024

/* Writes the items as "line[name|value] ", "line name=value " or "line!mistake ". */
static const char *spell(struct text text)
{
    static char spelled[SPELLED_BYTES];
    struct ini ini;
    struct ini_item item;
    int used = 0;
    spelled[0] = '\0';
    ini_init(&ini, text);
    while ((item = ini_next(&ini)).kind != INI_END) {
        char *to = spelled + used;
        size_t size = sizeof spelled - (size_t)used;
        int name = (int)item.name.count, value = (int)item.value.count;
        if (item.kind == INI_SECTION)
            used += snprintf(to, size, "%u[%.*s|%.*s] ", item.line, name, item.name.at, value, item.value.at);
        else if (item.kind == INI_VALUE)
            used += snprintf(to, size, "%u %.*s=%.*s ", item.line, name, item.name.at, value, item.value.at);
        else
            used += snprintf(to, size, "%u!%.24s ", item.line, item.mistake);
    }
    return spelled;
}

/* From a block of its own, so that the sanitizer sees a read behind it. */
static const char *spell_bytes(const char *bytes, size_t count)
{
    char *copy = malloc(count > 0 ? count : 1);
    cr_assert(copy != NULL);
    memcpy(copy, bytes, count);
    const char *spelled = spell((struct text){.at = copy, .count = count});
    free(copy);
    return spelled;
}

Test(ini, lines_are_sections_and_values_and_comments, .timeout = 10)
{
    static const struct {
        const char *text, *spelled;
    } cases[] = {
        {"", ""},
        {"\n\n", ""},
        {"[a]\nb=c\n", "1[a|] 2 b=c "},
        {"[a]\r\nb = c\r\n", "1[a|] 2 b=c "},
        {"[a]\nb=c", "1[a|] 2 b=c "},
        {"# x\n; y\n  # z\n\t;[no]\n[a]", "5[a|] "},
        {"  [a]\n   indented = is a value of its own\n", "1[a|] 2 indented=is a value of its own "},
        {"[ app  my shop ]", "1[app|my shop] "},
        {"[channels private-*;,a=b@]", "1[channels|private-*;,a=b@] "},
        {"secret = a;b #c ; d", "1 secret=a;b #c ; d "},
        {"url=https://a/?b=c&d=e", "1 url=https://a/?b=c&d=e "},
        {"quoted = \"as it is\"", "1 quoted=\"as it is\" "},
        {"a =\nb=\n", "1 a= 2 b= "},
        {"\xef\xbb\xbf[a]", "1[a|] "},
        {"\xef\xbb\xbf\n \xef\xbb\xbf \xef\xbb\xbf# x\n\xef\xbb\xbf\xef\xbb\xbf b=c", "3 b=c "},
        {"a = gr\xc3\xbc\xc3\x9f", "1 a=gr\xc3\xbc\xc3\x9f "},
        {"a=b\\\nc=d", "1 a=b\\ 2 c=d "},
        {"# caf\xe9\na=b", "2 a=b "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_str_eq(spell_bytes(cases[i].text, strlen(cases[i].text)), cases[i].spelled);
}

Test(ini, mistakes_are_of_one_line_and_the_next_is_read, .timeout = 10)
{
    static const struct {
        const char *text;
        size_t count;
        const char *spelled;
    } cases[] = {
#define CASE(text, spelled) {(text), sizeof(text) - 1, (spelled)}
        CASE("[a\nb=c", "1!the ] is missing; give [ 2 b=c "),
        CASE("[a] x\nb=c", "1!something stands behind  2 b=c "),
        CASE("[a] # x", "1!something stands behind  "),
        CASE("[]\n[ ]", "1!the section has no name; 2!the section has no name; "),
        CASE("word\n\n=x", "1!there is no equals sign; 3!nothing stands before th "),
        CASE("a=b\0c\nd=e", "1!a byte of this line is 0 2 d=e "),
        CASE("# \0\nd=e", "1!a byte of this line is 0 2 d=e "),
        CASE("\xff\xfe[\0a\0]\0\n\0", "1!a byte of this line is 0 2!a byte of this line is 0 "),
        CASE("a=\x1b[2J\nb=\x7f", "1!a control character stan 2!a control character stan "),
        CASE("a=b\rc=d", "1!a CR stands in this line "),
        CASE("# a comment\r[server]\rpage=no\n\r#\r\r\na=b\r", "1!a CR stands in this line 3 a=b "),
        CASE("a=caf\xe9\nb=\xc3", "1!this line is no UTF-8: s 2!this line is no UTF-8: s "),
        CASE("a=\xef\xbb\xbf\n\xef\xbb", "1 a=\xef\xbb\xbf 2!this line is no UTF-8: s "),
#undef CASE
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_str_eq(spell_bytes(cases[i].text, cases[i].count), cases[i].spelled);
}

/* No length is cut: of a section, a name, a value, a comment. */
Test(ini, lines_of_a_mebibyte_are_read_whole, .timeout = 10)
{
    enum { LONG = 1 << 20 };
    char *text = malloc(4 * LONG + 8), *at = text;
    struct ini ini;
    cr_assert(text != NULL);
    at = text_put(at, text_of("#"));
    memset(at, 'c', LONG), at += LONG;
    at = text_put(at, text_of("\n["));
    memset(at, 's', LONG), at += LONG;
    at = text_put(at, text_of("]\n"));
    memset(at, 'n', LONG), at += LONG;
    at = text_put(at, text_of("="));
    memset(at, 'v', LONG), at += LONG;
    ini_init(&ini, text_between(text, at));
    struct ini_item section = ini_next(&ini), value = ini_next(&ini);
    cr_expect(section.kind == INI_SECTION && section.line == 2 && section.name.count == LONG);
    cr_expect(value.kind == INI_VALUE && value.line == 3 && value.name.count == LONG && value.value.count == LONG);
    cr_expect_eq(ini_next(&ini).kind, INI_END);
    cr_expect_eq(ini_next(&ini).kind, INI_END, "and the end stays the end");
    free(text);
}
