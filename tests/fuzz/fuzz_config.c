/* tests/fuzz/fuzz_config.c - any bytes as a configuration file: taken, or refused with lines that can be printed; and
 * what was taken, printed and read again, is the same.
 *
 * Aborts when an error is empty, has control characters or does not fit, when something is left to give back after one,
 * or when the second reading fails or prints otherwise. No case is what names files: has "@" or "file" in it. */
#include "server/config/options_print.h"
#include "server/config/options_read.h"

#include "tests/fuzz/fuzz.h"

#include <ctype.h>
#include <sys/mman.h>
#include <unistd.h>

/* Reads the bytes as a file that is in memory only. */
static enum rc read_config(struct options *options, const void *bytes, size_t count,
                           char error_r[OPTIONS_ERROR_BYTES])
{
    char flag[64];
    const char *argv[] = {"ringcast", flag, NULL};
    int file = memfd_create("config", MFD_CLOEXEC);
    if (file < 0 || write(file, bytes, count) != (ssize_t)count) abort();
    snprintf(flag, sizeof flag, "--config=/proc/self/fd/%d", file);
    enum rc rc = options_read(options, 2, (char *const *)argv, NULL, error_r, OPTIONS_ERROR_BYTES);
    close(file);
    return rc;
}

/* Printed without what is behind values: where they are from. Owned. */
static char *print(const struct options *options)
{
    char *text = NULL, *source;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) abort();
    options_print(options, out);
    fclose(out);
    for (char *at = text; (source = strstr(at, " # ")) != NULL; at = source)
        memmove(source, source + strcspn(source, "\n"), strlen(source + strcspn(source, "\n")) + 1);
    return text;
}

static void check_error(const char *error)
{
    FUZZ_CHECK(error[0] != '\0' && strlen(error) < OPTIONS_ERROR_BYTES);
    for (; *error != '\0'; error++)
        FUZZ_CHECK(*error == '\n' || !iscntrl((unsigned char)*error));
}

/* What was printed says "***" for secrets, which is one, and "no app" in a comment. */
static void check_again(const struct options *options)
{
    char error[OPTIONS_ERROR_BYTES], *first = print(options);
    struct options again;
    if (read_config(&again, first, strlen(first), error) != RC_OK) {
        fprintf(stderr, "%s\n%s\n", error, first);
        abort();
    }
    char *second = print(&again);
    options_fini(&again);
    FUZZ_CHECK(strcmp(strchr(first, '['), strchr(second, '[')) == 0);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    char error[OPTIONS_ERROR_BYTES];
    struct options options;
    if (memchr(input, '@', count) != NULL || memmem(input, count, "file", 4) != NULL) return 0;
    enum rc rc = read_config(&options, input, count, error);
    FUZZ_CHECK(rc == RC_OK || rc == RC_EINVAL);
    if (rc == RC_OK) {
        FUZZ_CHECK(error[0] == '\0');
        if (options.warnings[0] == '\0') check_again(&options); /* what has a comment in it does not come back */
        options_fini(&options);
    } else {
        check_error(error);
        FUZZ_CHECK(options.files.items == NULL && options.app.items == NULL && options.places == NULL);
    }
    return 0;
}
