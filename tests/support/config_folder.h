/* tests/support/config_folder.h - a folder for the files of a test, which is a process of its own, and the options that
 * they give. */
#pragma once

#include "server/config/options_read.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char error[OPTIONS_ERROR_BYTES];
static char folder[64];

#define WORDS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static inline void enter_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/ringcast-file-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    cr_assert_eq(chdir(folder), 0);
}

static inline int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static inline void leave_folder(void)
{
    cr_assert_eq(chdir("/"), 0);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void write_bytes(const char *name, const char *text, size_t count)
{
    FILE *file = fopen(name, "w");
    cr_assert(file != NULL, "%s", name);
    cr_assert_eq(fwrite(text, 1, count, file), count);
    cr_assert_eq(fclose(file), 0);
}

static inline void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static inline enum rc read_all(struct options *options, const char *const words[], const char *const envp[])
{
    const char *argv[64] = {"ringcast"};
    int argc = 1;
    for (; *words != NULL; words++)
        argv[argc++] = *words;
    return options_read(options, argc, (char *const *)argv, (char *const *)envp, error, sizeof error);
}

/* The file "a.conf" with this text, and nothing else. */
static inline enum rc read_text(struct options *options, const char *text)
{
    write_file("a.conf", text);
    return read_all(options, WORDS("--config", "a.conf"), NULL);
}
