/* server/ctl/ctl_show.c - JSON as lines and tables. */
#include "server/ctl/ctl_show.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS_MAX 16
#define INDENT      2

/* ---- a value as text ---- */

/* Writes it so that it moves no cursor; names have blanks for '_'. Returns how many characters it takes. */
static int put(FILE *out, struct text text, bool is_name)
{
    int width = 0;
    for (size_t i = 0; i < text.count; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        bool is_c1 = byte == 0xc2 && i + 1 < text.count && ((unsigned char)text.at[i + 1] & 0xe0) == 0x80;
        if (byte < ' ' || byte == 0x7f || is_c1) {
            width += fprintf(out, "\\x%02x", is_c1 ? (unsigned char)text.at[++i] : byte);
        } else {
            fputc(is_name && byte == '_' ? ' ' : byte, out);
            width += (byte & 0xc0) != 0x80; /* what continues a character of UTF-8 takes no room */
        }
    }
    return width;
}

static int put_value(FILE *out, yyjson_val *value)
{
    if (yyjson_is_null(value)) return put(out, text_of("-"), false);
    if (yyjson_is_bool(value)) return put(out, text_of(yyjson_get_bool(value) ? "yes" : "no"), false);
    return put(out, json_text(value), false);
}

static FILE *nowhere;

static int width_of(yyjson_val *value, bool is_name)
{
    return is_name ? put(nowhere, json_text(value), true) : put_value(nowhere, value);
}

static void pad(FILE *out, int width)
{
    fprintf(out, "%*s", width > 0 ? width : 0, "");
}

/* ---- tables ---- */

/* The columns are the names of the first object. */
static void show_table(FILE *out, yyjson_val *list, int indent)
{
    int widths[COLUMNS_MAX] = {0};
    size_t columns = 0, row, max;
    yyjson_val *object, *name, *first = yyjson_arr_get_first(list);
    yyjson_obj_iter names = yyjson_obj_iter_with(first);
    while (columns < COLUMNS_MAX && (name = yyjson_obj_iter_next(&names)) != NULL) {
        int *width = &widths[columns++];
        *width = width_of(name, true);
        yyjson_arr_foreach(list, row, max, object)
        {
            int wanted = width_of(yyjson_obj_getn(object, yyjson_get_str(name), yyjson_get_len(name)), false);
            if (wanted > *width) *width = wanted;
        }
    }
    for (int line = -1; line < (int)yyjson_arr_size(list); line++) {
        object = line >= 0 ? yyjson_arr_get(list, (size_t)line) : NULL;
        names = yyjson_obj_iter_with(first);
        pad(out, indent);
        for (size_t column = 0; column < columns; column++) {
            name = yyjson_obj_iter_next(&names);
            int used = line < 0 ? put(out, json_text(name), true)
                                : put_value(out, yyjson_obj_getn(object, yyjson_get_str(name), yyjson_get_len(name)));
            if (column + 1 < columns) pad(out, widths[column] + 2 - used);
        }
        fputc('\n', out);
    }
}

static void show_list(FILE *out, yyjson_val *list)
{
    size_t index, max;
    yyjson_val *item;
    yyjson_arr_foreach(list, index, max, item)
    {
        if (index > 0) fputs(", ", out);
        put_value(out, item);
    }
    if (yyjson_arr_size(list) == 0) fputs("none", out);
    fputc('\n', out);
}

/* ---- objects ---- */

static void show_object(FILE *out, yyjson_val *object, int indent)
{
    int width = 0;
    size_t index, max;
    yyjson_val *name, *value;
    yyjson_obj_foreach(object, index, max, name, value)
    {
        int wanted = width_of(name, true);
        if (wanted > width) width = wanted;
    }
    yyjson_obj_foreach(object, index, max, name, value)
    {
        bool is_table = yyjson_is_arr(value) && yyjson_is_obj(yyjson_arr_get_first(value));
        pad(out, indent);
        int used = put(out, json_text(name), true);
        if (yyjson_is_obj(value) || is_table) {
            fputc('\n', out);
            if (is_table)
                show_table(out, value, indent + INDENT);
            else
                show_object(out, value, indent + INDENT);
            continue;
        }
        pad(out, width + 2 - used);
        if (yyjson_is_arr(value)) {
            show_list(out, value);
            continue;
        }
        put_value(out, value);
        fputc('\n', out);
    }
}

enum rc ctl_show(FILE *out, struct text json)
{
    yyjson_doc *document;
    enum rc rc = json_read(json, &document, NULL);
    if (rc != RC_OK) return rc == RC_ENOMEM ? rc : RC_EINVAL;
    yyjson_val *root = yyjson_doc_get_root(document);
    nowhere = fopen("/dev/null", "w");
    if (!yyjson_is_obj(root)) rc = RC_EINVAL;
    if (rc == RC_OK && nowhere == NULL) rc = RC_ENOMEM;
    if (rc == RC_OK) show_object(out, root, 0);
    if (nowhere != NULL) fclose(nowhere);
    yyjson_doc_free(document);
    return rc;
}

/* ---- events ---- */

static void show_time(FILE *out, struct text at)
{
    uint64_t ms = 0;
    char text[32];
    struct tm tm;
    text_is_number(at, &ms);
    time_t seconds = (time_t)(ms / 1000);
    if (localtime_r(&seconds, &tm) == NULL || strftime(text, sizeof text, "%H:%M:%S", &tm) == 0) text[0] = '\0';
    fprintf(out, "%s.%03u", text, (unsigned)(ms % 1000));
}

void ctl_show_event(FILE *out, yyjson_val *event)
{
    size_t index, max;
    yyjson_val *name, *value;
    show_time(out, json_text(yyjson_obj_get(event, "at")));
    fputs("  shard ", out);
    put_value(out, yyjson_obj_get(event, "shard"));
    fputs("  ", out);
    put_value(out, yyjson_obj_get(event, "step"));
    yyjson_obj_foreach(event, index, max, name, value)
    {
        static const char *const shown[] = {"at", "shard", "step"};
        bool is_shown = yyjson_equals_str(name, "left_out") && text_is(json_text(value), "0");
        for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
            is_shown = is_shown || yyjson_equals_str(name, shown[i]);
        if (is_shown) continue;
        fputs("  ", out);
        put(out, json_text(name), true);
        fputc('=', out);
        put_value(out, value);
    }
    fputc('\n', out);
}
