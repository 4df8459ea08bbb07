/* tests/server/ctl/test_ctl_command.c - commands are found by their words, and by words that are nearly theirs. */
#include "server/ctl/ctl_command.h"

#include <criterion/criterion.h>
#include <string.h>

#define WORDS(...) ((const char *const[]){__VA_ARGS__}), sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

Test(ctl_command, is_found_by_all_of_its_words, .timeout = 10)
{
    size_t taken;
    cr_expect_str_eq(ctl_command_find(WORDS("status"), &taken)->words, "status");
    cr_expect_eq(taken, 1);
    cr_expect_str_eq(ctl_command_find(WORDS("config", "get", "ping_ms"), &taken)->words, "config get");
    cr_expect_eq(taken, 2);
    cr_expect_str_eq(ctl_command_find(WORDS("close", "user", "7"), &taken)->words, "close user");
    cr_expect_null(ctl_command_find(WORDS("config"), &taken));
    cr_expect_null(ctl_command_find(WORDS("config get"), &taken));
    cr_expect_null(ctl_command_find(WORDS("statu"), &taken));
    cr_expect_null(ctl_command_find(WORDS("statuses"), &taken));
    cr_expect_null(ctl_command_find(WORDS(""), &taken));
    cr_expect_null(ctl_command_find(NULL, 0, &taken));
}

Test(ctl_command, that_is_misspelled_is_guessed, .timeout = 10)
{
    cr_expect_str_eq(ctl_command_closest(WORDS("statis"))->words, "status");
    cr_expect_str_eq(ctl_command_closest(WORDS("log_level", "debug"))->words, "log-level");
    cr_expect_str_eq(ctl_command_closest(WORDS("config", "git"))->words, "config get");
    cr_expect_str_eq(ctl_command_closest(WORDS("close", "conection", "1.2"))->words, "close connection");
    cr_expect_null(ctl_command_closest(WORDS("xyzzy")));
    cr_expect_null(ctl_command_closest(NULL, 0));
}

Test(ctl_command, has_words_and_a_path_of_its_own, .timeout = 10)
{
    for (size_t i = 0; i < ctl_commands_count; i++) {
        const struct ctl_command *command = &ctl_commands[i];
        char name[32];
        cr_expect(command->path == NULL || strncmp(command->path, "/ctl/", 5) == 0, "%s", command->words);
        cr_expect_eq(command->argument[0] != '\0', ctl_command_parameter(command, name)[0] != '\0');
        cr_expect_eq(name[strspn(name, "abcdefghijklmnopqrstuvwxyz")], '\0');
        for (size_t k = 0; k < i; k++) {
            cr_expect_str_neq(command->words, ctl_commands[k].words);
            if (command->path != NULL && ctl_commands[k].path != NULL)
                cr_expect_str_neq(command->path, ctl_commands[k].path);
        }
    }
}
