/* tests/server/config/test_options_print.c - options shown with their sources, and as a sample of a file. */
#include "server/config/options_print.h"

#include "server/config/option_set.h"
#include "tests/support/config_folder.h"

TestSuite(options_print, .init = enter_folder, .fini = leave_folder, .timeout = 20);

static char *print(const struct options *options)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (options != NULL)
        options_print(options, out);
    else
        options_print_sample(out);
    cr_assert_eq(fclose(out), 0);
    return text;
}

/* Is this line there, whatever blanks are before its source? */
static bool has_line(const char *text, const char *value, const char *source)
{
    size_t length = strlen(value);
    for (const char *line = text; (line = strstr(line, value)) != NULL; line += length) {
        const char *behind = line + length + strspn(line + length, " ");
        bool is_line = (line == text || line[-1] == '\n') && strncmp(behind, "# ", 2) == 0;
        if (is_line && strncmp(behind + 2, source, strlen(source)) == 0 && behind[2 + strlen(source)] == '\n')
            return true;
    }
    return false;
}

Test(options_print, has_every_value_with_its_source_and_no_secret)
{
    struct options options;
    write_file("a.conf",
               "[limits]\nping_ms=90s\n[server]\norigin=http://a\norigin=http://b\n[app a]\nkey=k\n"
               "secret=Geheim\nwebhook=https://anna:Geh@eim@host/a?b=c@Geheim\n"
               "webhook_header=Authorization: Bearer Geheim\nwebhook_header=X-A:Geheim\n[channels x*]\nttl=1h\n");
    cr_assert_eq(mkdir("conf.d", 0755), 0);
    write_file("conf.d/b.conf", "[limits]\npong_ms_max=1s\n");
    cr_assert_eq(read_all(&options, WORDS("--config=a.conf", "--shards=2", "--print-config"),
                          WORDS("RINGCAST_CLOSE_MS_MAX=7s")),
                 RC_OK, "%s", error);
    cr_expect(options.print_config);
    char *text = print(&options);
    cr_expect(has_line(text, "ping_ms = 90s", "a.conf:2"), "%s", text);
    cr_expect(has_line(text, "pong_ms_max = 1s", "conf.d/b.conf:2"));
    cr_expect(has_line(text, "origin = http://a", "a.conf:4"));
    cr_expect(has_line(text, "origin = http://b", "a.conf:5"));
    cr_expect(has_line(text, "shards = 2", "--shards, restart"));
    cr_expect(has_line(text, "close_ms_max = 7s", "RINGCAST_CLOSE_MS_MAX"));
    cr_expect(has_line(text, "keep_alive_ms = 75s", "default"));
    cr_expect(has_line(text, "tls_cert =", "default"));
    cr_expect_not_null(strstr(text, "\n[app a]\nkey = k"));
    cr_expect(has_line(text, "secret = ***", "a.conf:6"));
    cr_expect(has_line(text, "webhook = https://***@host/a?***", "a.conf:6"));
    cr_expect(has_line(text, "members_max = 10000", "default"));
    cr_expect_not_null(strstr(text, "\n[channels x*]\n"));
    cr_expect(has_line(text, "webhook_header = Authorization: ***", "a.conf:6"));
    cr_expect(has_line(text, "webhook_header = X-A: ***", "a.conf:6"));
    cr_expect(has_line(text, "ttl = 1h", "a.conf:12"));
    cr_expect_null(strstr(text, "Geheim"));
#define OPTION_GROUP(title)
#define OPTION(type, name, section, ...)                                         \
    if (SECTION_##section != SECTION_none && SECTION_##section != SECTION_app && \
        SECTION_##section != SECTION_channels)                                   \
        cr_expect_not_null(strstr(text, "\n" #name " ="), "%s", #name);
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
    free(text);
    options_fini(&options);
}

Test(options_print, no_terminal_obeys_what_was_given)
{
    struct options options;
    write_file("\033c.conf", "[limits]\nping_ms=90s\n");
    cr_assert_eq(read_all(&options, WORDS("--data-dir=a\033[2Jb\xff", "--config=\033c.conf"), NULL), RC_OK, "%s",
                 error);
    char *text = print(&options);
    cr_expect(has_line(text, "data_dir = a\\x1b[2Jb\\xff", "--data-dir, restart"), "%s", text);
    cr_expect(has_line(text, "ping_ms = 90s", "\\x1bc.conf:2"), "%s", text);
    cr_expect_not_null(strstr(text, "# read: \\x1bc.conf\n"));
    cr_expect_null(strchr(text, '\033'));
    cr_expect_null(strchr(text, '\xff'));
    free(text);
    options_fini(&options);
}

/* Takes the # away in front of sections and values; other comments stay. */
static void uncomment(char *text)
{
    for (char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += line[0] == '\n';
        if (line[0] == '#' && line[1] != ' ' && line[1] != '\n' && line[1] != '\0') line[0] = ' ';
        if (line[0] == '\0') break;
    }
}

/* What was printed, without sources, apps and rules; owned. */
static char *values_of(const struct options *options)
{
    char *text = print(options), *values = calloc(1, strlen(text) + 1), *to = values, *rest = text, *line;
    bool is_entry = false;
    cr_assert(values != NULL);
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] == '[') is_entry = strncmp(line, "[app", 4) == 0 || strncmp(line, "[channels", 9) == 0;
        char *source = strstr(line, " # ");
        if (source != NULL) *source = '\0';
        if (!is_entry && line[0] != '#' && line[0] != '\0') to = stpcpy(stpcpy(to, line), "\n");
    }
    free(text);
    return values;
}

static void expect_same(const struct options *one, const struct options *other)
{
    char *first = values_of(one), *second = values_of(other);
    cr_expect_str_eq(first, second);
    cr_expect_gt(strlen(first), 1000);
    free(first);
    free(second);
}

Test(options_print, of_a_sample_is_the_defaults_with_and_without_its_comments)
{
    struct options plain, options;
    char *sample = print(NULL);
    cr_assert_eq(read_all(&plain, WORDS(), NULL), RC_OK, "%s", error);
    cr_assert_eq(read_text(&options, sample), RC_OK, "%s", error);
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++)
        cr_expect_eq(options_is_set(&options, id), id == OPTION_config, "%s", option_row_of(id)->name);
    options_fini(&options);

    uncomment(sample);
    cr_assert_eq(read_text(&options, sample), RC_OK, "%s", error);
    expect_same(&plain, &options);
    cr_assert_eq(options.app.count, 1);
    cr_assert_eq(options.history.count, 1);
    for (const char *line = sample; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        cr_expect_leq(length, 100, "%.*s", (int)length, line);
        cr_expect(length == 0 || line[length - 1] != ' ', "%.*s", (int)length, line);
        line += length + 1;
    }
    options_fini(&options);
    options_fini(&plain);
    free(sample);
}
