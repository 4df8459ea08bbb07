/* tests/server/config/test_apps_file.c - apps and secrets that stand in files of their own. */
#include "server/config/option_set.h"
#include "tests/support/config_folder.h"

TestSuite(apps_file, .init = enter_folder, .fini = leave_folder, .timeout = 20);

Test(apps_file, many_apps_have_a_line_each_in_a_file_of_their_own)
{
    struct options options;
    write_file("a.conf", "[app a]\nkey=a\nsecret=a\n[apps]\nfile = apps\n");
    write_file("apps", "\xef\xbb\xbf# the shops\r\n1:k1:s1 members_max=5\r\n\n  ; more\n  2:k2:s2#3\n");
    cr_assert_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_OK, "%s", error);
    cr_assert_eq(options.app.count, 3);
    cr_expect_str_eq(options.app.items[0].id, "a");
    cr_expect_eq(app_of_id(&options.app, text_of("1"))->members_max, 5);
    cr_expect_str_eq(app_of_key(&options.app, text_of("k2"))->secret, "s2#3");
    cr_expect_eq(option_place_of(&options, OPTION_app, 2)->line, 5);
    cr_expect(options_is_set(&options, OPTION_app));
    options_fini(&options);

    cr_assert_eq(read_all(&options, WORDS("--config=a.conf", "--app=f:f:f"), NULL), RC_OK, "%s", error);
    cr_expect_eq(options.app.count, 1, "a flag's apps replace them");
    options_fini(&options);
    cr_assert_eq(read_all(&options, WORDS("--config=a.conf", "--apps-file=apps"), NULL), RC_OK, "%s", error);
    cr_expect_eq(options.app.count, 2, "a flag's file replaces the sections");
    options_fini(&options);
    cr_assert_eq(read_all(&options, WORDS("--app=f:f:f"), WORDS("RINGCAST_APPS_FILE=missing")), RC_OK, "%s", error);
    cr_expect_eq(options.app.count, 1);
    options_fini(&options);
}

Test(apps_file, mistakes_in_a_file_of_apps_are_told_with_their_lines)
{
    struct options options;
    write_file("a.conf", "[app a]\nkey=a\nsecret=a\n[apps]\nfile = apps\n");
    write_bytes("apps", "1:k\n2:k:s\n\n2:l:s\na:m:s\n3:k:s color=red\n4:\0:s\n5:k\x1b:s\n", 52);
    cr_expect_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_EINVAL);
    cr_expect_str_eq(error,
                     "apps:1: an app's ID, key or secret is missing; give ID:KEY:SECRET, then its settings\n"
                     "apps:4: the ID 2 is there twice; give each app its own (first in apps:2)\n"
                     "apps:5: the ID a is there twice; give each app its own (first in a.conf:1)\n"
                     "apps:6: unknown setting \"color\" of 3; see --help\n"
                     "apps:7: a byte of this line is 0, which no text has: save the file as UTF-8 (not as UTF-16)\n"
                     "apps:8: a control character stands in this line: remove it");
    cr_assert_eq(unlink("apps"), 0);
    cr_expect_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_EINVAL);
    cr_expect_str_eq(error,
                     "a.conf:5: apps_file: apps cannot be read: No such file or directory; check its path and who "
                     "may read it");
}

Test(apps_file, that_cannot_be_read_is_told_without_what_a_terminal_obeys)
{
    struct options options;
    cr_expect_eq(read_all(&options, WORDS("--apps-file=a\x1b[2J\nb"), NULL), RC_EINVAL);
    cr_expect_str_eq(error, "--apps-file: a?[2J?b cannot be read: No such file or directory; check its path and who "
                            "may read it");
}

Test(apps_file, of_which_every_line_is_wrong_is_not_read_to_its_end)
{
    struct options options;
    FILE *file = fopen("apps", "w");
    cr_assert(file != NULL);
    for (int i = 0; i < 1000 * 1000; i++)
        fputs("1:k:s mambers_max=1\n", file);
    cr_assert_eq(fclose(file), 0);
    cr_expect_eq(read_all(&options, WORDS("--apps-file=apps"), NULL), RC_EINVAL);
    cr_expect_str_eq(strrchr(error, '\n'), "\nand at least 980 more");
}

/* As many as there may be, and one more: each is found by its ID and its key. */
Test(apps_file, ten_thousand_apps_are_found)
{
    struct options options;
    char name[32];
    FILE *file = fopen("apps", "w");
    cr_assert(file != NULL);
    for (int i = 0; i < APPS_MAX; i++)
        fprintf(file, "%d:k%d:s\n", i, i);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(read_all(&options, WORDS("--apps-file=apps"), NULL), RC_OK, "%s", error);
    cr_assert_eq(options.app.count, APPS_MAX);
    for (uint32_t i = 0; i < APPS_MAX; i++) {
        snprintf(name, sizeof name, "k%u", i);
        const struct app *app = app_of_key(&options.app, text_of(name));
        cr_assert(app != NULL && app->index == i && app == app_of_id(&options.app, text_of(name + 1)));
    }
    cr_expect_null(app_of_key(&options.app, text_of("k")));
    options_fini(&options);
    file = fopen("apps", "a");
    cr_assert(file != NULL);
    fputs("x:x:x\n", file);
    cr_assert_eq(fclose(file), 0);
    cr_expect_eq(read_all(&options, WORDS("--apps-file=apps"), NULL), RC_EINVAL);
    cr_expect_str_eq(error, "apps:10001: more than 10000 apps; give fewer");
}

/* As systemd's credentials and containers' secrets are: in files, with a newline that nobody means. */
Test(apps_file, secrets_are_read_from_files_of_their_own)
{
    struct options options;
    write_file("new one", "  Geheim2\r\n\n");
    write_file("old", "Geheim1");
    cr_assert_eq(read_text(&options, "[app a]\nkey=a\nsecret=@new one\nprevious_secret = @old\n"), RC_OK, "%s",
                 error);
    cr_expect_str_eq(app_secret(&options.app.items[0], 0), "Geheim2");
    cr_expect_str_eq(app_secret(&options.app.items[0], 1), "Geheim1");
    cr_expect_null(app_secret(&options.app.items[0], 2));
    options_fini(&options);
    cr_assert_eq(read_all(&options, WORDS("--app=1:k:@old previous_secret=@old"), NULL), RC_OK, "%s", error);
    cr_expect_str_eq(app_secret(&options.app.items[0], 0), "Geheim1");
    cr_expect_str_eq(app_secret(&options.app.items[0], 1), "Geheim1");
    options_fini(&options);
}

Test(apps_file, secrets_in_files_that_are_none_are_told_and_not_shown)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *error;
    } cases[] = {
#define NONE "s holds no secret; write 1 to 128 printable characters without blank into it"
        {"", 0, NONE},
        {" \n", 2, NONE},
        {"Geheim Geheim\n", 14, NONE},
        {"Geheim\nGeheim\n", 14, NONE},
        {"Geheim\0", 7, NONE},
        {"Geheim\xc3\xa4", 8, NONE},
#undef NONE
    };
    struct options options;
    char expected[OPTIONS_ERROR_BYTES], *large = calloc(1, 5000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_bytes("s", cases[i].bytes, cases[i].count);
        snprintf(expected, sizeof expected, "a.conf:3: secret of a: %s", cases[i].error);
        cr_expect_eq(read_text(&options, "[app a]\nkey=a\nsecret=@s\n"), RC_EINVAL, "%zu", i);
        cr_expect_str_eq(error, expected);
    }
    memset(large, 'G', 4999);
    write_file("s", large);
    free(large);
    cr_expect_eq(read_text(&options, "[app a]\nkey=a\nsecret=@s\n"), RC_EINVAL);
    cr_expect_str_eq(error, "a.conf:3: secret of a: s is larger than 4096 bytes; is it the right file?");
    cr_expect_eq(read_text(&options, "[app a]\nkey=a\nsecret=@.\n"), RC_EINVAL);
    cr_expect_str_eq(error, "a.conf:3: secret of a: . is a directory and no regular file; name one");
    cr_expect_eq(read_text(&options, "[app a]\nkey=a\nsecret=@\n"), RC_EINVAL);
    cr_expect_str_eq(error, "a.conf:3: secret of a: no file is named behind @; give @FILE");
    cr_expect_eq(read_text(&options, "[app a]\nkey=a\nsecret=@Geheim\n"), RC_EINVAL);
    cr_expect_null(strstr(error, "Geheim"), "it was the secret");
    cr_expect_eq(read_text(&options, "[app a]\nkey=a\nsecret: Geheim==\n"), RC_EINVAL);
    cr_expect_null(strstr(error, "Geheim"), "%s", error);
    cr_expect_eq(read_text(&options, "[server]\nlisten: Geheim==\n"), RC_EINVAL);
    cr_expect_null(strstr(error, "Geheim"), "%s", error);
}
