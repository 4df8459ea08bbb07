/* tests/fuzz/replay.c - a main for the fuzzers where libFuzzer is not: `fuzz_x DIRECTORY...` reads every file once.
 *
 * So each test run, with whatever compiler, goes through all seeds and all inputs that ever failed. Finding no file
 * is a failure: it would be a test of nothing. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>

enum { INPUT_BYTES_MAX = 1 << 20 };

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return false;
    uint8_t *buffer = malloc(INPUT_BYTES_MAX);
    size_t count = buffer != NULL ? fread(buffer, 1, INPUT_BYTES_MAX, file) : 0;
    fclose(file);
    struct bytes input = fuzz_slice(buffer, count);
    free(buffer);
    LLVMFuzzerTestOneInput(input.at, input.count);
    free(input.at);
    return true;
}

/* Returns how many files were read. */
static unsigned replay_directory(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL) return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char file[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        fprintf(stderr, "%s\n", file); /* the last one named is the one that failed */
        if (replay_file(file)) count++;
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++)
        count += replay_directory(argv[i]);
    printf("%u inputs\n", count);
    return count > 0 ? 0 : 1;
}
