/* server/run/findings.c - findings collected, and written for people and for programs. */
#include "server/run/findings.h"

#include "server/system/harmless.h"

#include <stdarg.h>

static const char *const levels[] = {
    [FINDING_GOOD] = "good", [FINDING_WARNING] = "warning", [FINDING_FAULT] = "fault"};

static void add(struct findings *findings, struct finding finding, const char *format, va_list arguments)
{
    if (finding.level == FINDING_WARNING) findings->warnings++;
    if (findings->count == FINDINGS_MAX) {
        findings->left_out++;
        return;
    }
    char what[FINDING_WHAT_BYTES];
    vsnprintf(what, sizeof what, format, arguments);
    harmless_text(finding.what, sizeof finding.what, what);
    findings->items[findings->count++] = finding;
}

void finding_add(struct findings *findings, const char *about, const char *why, const char *cure, const char *format,
                 ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(findings, (struct finding){.level = FINDING_GOOD, .about = about, .why = why, .cure = cure}, format,
        arguments);
    va_end(arguments);
}

void finding_warn(struct findings *findings, const char *about, const char *why, const char *cure, const char *format,
                  ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(findings, (struct finding){.level = FINDING_WARNING, .about = about, .why = why, .cure = cure}, format,
        arguments);
    va_end(arguments);
}

__attribute__((format(printf, 3, 4))) static void add_fault(struct findings *findings, const char *about,
                                                            const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(findings, (struct finding){.level = FINDING_FAULT, .about = about, .why = "", .cure = ""}, format, arguments);
    va_end(arguments);
}

void finding_fault(struct findings *findings, const char *about, int status, const char *what)
{
    if (findings->status == 0) findings->status = status;
    add_fault(findings, about, "%s", what);
}

/* ---- for people ---- */

void findings_print(const struct findings *findings, FILE *out)
{
    for (uint32_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        fprintf(out, "%-8s %-12s %s\n", levels[finding->level], finding->about, finding->what);
        if (finding->why[0] != '\0') fprintf(out, "%22swhy:  %s\n", "", finding->why);
        if (finding->cure[0] != '\0') fprintf(out, "%22scure: %s\n", "", finding->cure);
    }
    if (findings->left_out > 0) fprintf(out, "and %u more\n", findings->left_out);
    if (findings->status == 0)
        fprintf(out, "ringcast would start; warnings: %u\n", findings->warnings);
    else
        fprintf(out, "ringcast would not start, it would end with %d; warnings: %u\n", findings->status,
                findings->warnings);
}

/* ---- for programs ---- */

static void write_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_member(FILE *out, const char *name, const char *value)
{
    fprintf(out, ",\"%s\":", name);
    write_string(out, value);
}

void findings_print_json(const struct findings *findings, FILE *out)
{
    fprintf(out, "{\"version\":\"%s\",\"status\":%d,\"warnings\":%u,\"left_out\":%u,\"findings\":[", RINGCAST_VERSION,
            findings->status, findings->warnings, findings->left_out);
    for (uint32_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        fprintf(out, "%s{\"level\":\"%s\"", i > 0 ? "," : "", levels[finding->level]);
        write_member(out, "about", finding->about);
        write_member(out, "what", finding->what);
        write_member(out, "why", finding->why);
        write_member(out, "cure", finding->cure);
        fputc('}', out);
    }
    fputs("]}\n", out);
}
