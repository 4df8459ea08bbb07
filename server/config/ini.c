/* server/config/ini.c - a configuration file, line by line. */
#include "server/config/ini.h"

#include "net/utf8.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct text trim(struct text text)
{
    while (text.count > 0 && is_blank(text.at[0]))
        text = text_behind(text, 1);
    while (text.count > 0 && is_blank(text.at[text.count - 1]))
        text.count--;
    return text;
}

/* Byte order marks too: in front of the file, and wherever another one was joined to it. */
static struct text trim_begin(struct text line)
{
    static const char mark[] = "\xef\xbb\xbf";
    while (text_has_prefix(line, mark))
        line = trim(text_behind(line, sizeof mark - 1));
    return line;
}

void ini_init(struct ini *ini, struct text text)
{
    *ini = (struct ini){.rest = text};
}

/* Takes the next line, without its end and the blanks around it. */
static struct text take_line(struct ini *ini)
{
    struct text line = ini->rest;
    const char *end = memchr(line.at, '\n', line.count);
    if (end != NULL) line.count = (size_t)(end - line.at);
    ini->rest = text_behind(ini->rest, line.count + (end != NULL));
    ini->line++;
    return trim_begin(trim(line));
}

static bool is_comment(struct text line)
{
    return line.count == 0 || line.at[0] == '#' || line.at[0] == ';';
}

static bool has_controls(struct text line)
{
    for (size_t i = 0; i < line.count; i++) {
        unsigned char c = (unsigned char)line.at[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) return true;
    }
    return false;
}

static bool is_utf8(struct text line)
{
    struct utf8 utf8 = {0};
    return utf8_check(&utf8, (const uint8_t *)line.at, line.count) && utf8_is_complete(&utf8);
}

/* What is wrong with its bytes; NULL: nothing. */
static const char *judge_bytes(struct text line)
{
    if (line.count > 0 && memchr(line.at, '\0', line.count) != NULL)
        return "a byte of this line is 0, which no text has: save the file as UTF-8 (not as UTF-16)";
    if (line.count > 0 && memchr(line.at, '\r', line.count) != NULL)
        return "a CR stands in this line: save the file with lines that end with LF or CRLF";
    if (is_comment(line)) return NULL;
    if (has_controls(line)) return "a control character stands in this line: remove it";
    return is_utf8(line) ? NULL : "this line is no UTF-8: save the file as UTF-8";
}

static bool is_header(struct text line)
{
    return line.count > 0 && line.at[0] == '[';
}

static struct ini_item mistake_of(struct text line, const char *text)
{
    return (struct ini_item){.kind = INI_MISTAKE, .mistake = text, .is_header = is_header(line)};
}

/* "[channels private-*]" */
static struct ini_item read_section(struct text line)
{
    const char *end = memchr(line.at, ']', line.count);
    if (end == NULL) return mistake_of(line, "the ] is missing; give [SECTION]");
    if (end + 1 < line.at + line.count)
        return mistake_of(line, "something stands behind the ]; give it, or a comment, a line of its own");
    struct text inside = trim(text_between(line.at + 1, end));
    size_t word = 0;
    while (word < inside.count && !is_blank(inside.at[word]))
        word++;
    if (word == 0) return mistake_of(line, "the section has no name; give [SECTION]");
    return (struct ini_item){
        .kind = INI_SECTION, .name = {.at = inside.at, .count = word}, .value = trim(text_behind(inside, word))};
}

/* "ttl = 30d" */
static struct ini_item read_value(struct text line)
{
    const char *equals = memchr(line.at, '=', line.count);
    if (equals == NULL)
        return mistake_of(
            line, "there is no equals sign; give NAME = VALUE, or begin the line with # to make it a comment");
    struct text name = trim(text_between(line.at, equals));
    if (name.count == 0) return mistake_of(line, "nothing stands before the equals sign; give NAME = VALUE");
    return (struct ini_item){
        .kind = INI_VALUE, .name = name, .value = trim(text_between(equals + 1, line.at + line.count))};
}

struct ini_item ini_next_line(struct ini *ini)
{
    struct ini_item item = {.kind = INI_END};
    while (item.kind == INI_END && ini->rest.count > 0) {
        struct text line = take_line(ini);
        const char *wrong = judge_bytes(line);
        if (wrong != NULL)
            item = mistake_of(line, wrong);
        else if (!is_comment(line))
            item = (struct ini_item){.kind = INI_VALUE, .name = line};
    }
    item.line = ini->line;
    return item;
}

struct ini_item ini_next(struct ini *ini)
{
    struct ini_item item = ini_next_line(ini);
    if (item.kind != INI_VALUE) return item;
    uint32_t line = item.line;
    item = is_header(item.name) ? read_section(item.name) : read_value(item.name);
    item.line = line;
    return item;
}
