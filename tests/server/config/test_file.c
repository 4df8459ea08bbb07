/* tests/server/config/test_file.c - what a configuration file says is what the server gets; what it says wrong is told
 * with file, line and cure, all of it at once. */
#include "server/config/option_set.h"
#include "server/config/options_print.h"
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

/* Each test is a process of its own, and works in a folder of its own. */
static void enter_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/ringcast-file-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    cr_assert_eq(chdir(folder), 0);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static void leave_folder(void)
{
    cr_assert_eq(chdir("/"), 0);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_bytes(const char *name, const char *text, size_t count)
{
    FILE *file = fopen(name, "w");
    cr_assert(file != NULL, "%s", name);
    cr_assert_eq(fwrite(text, 1, count, file), count);
    cr_assert_eq(fclose(file), 0);
}

static void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

static enum rc read_all(struct options *options, const char *const words[], const char *const envp[])
{
    const char *argv[64] = {"ringcast"};
    int argc = 1;
    for (; *words != NULL; words++)
        argv[argc++] = *words;
    return options_read(options, argc, (char *const *)argv, (char *const *)envp, error, sizeof error);
}

/* The file "a.conf" with this text, and nothing else. */
static enum rc read_text(struct options *options, const char *text)
{
    write_file("a.conf", text);
    return read_all(options, WORDS("--config", "a.conf"), NULL);
}

TestSuite(file, .init = enter_folder, .fini = leave_folder, .timeout = 20);

Test(file, sections_have_options_and_apps_and_rules)
{
    struct options options;
    cr_assert_eq(read_text(&options, "# all kinds\n"
                                     "[server]\n"
                                     "listen = 127.0.0.1:1, [::1]:2\n"
                                     "listen = 127.0.0.1:3\n"
                                     "lobby-echo = yes\n"
                                     "[limits]\n"
                                     "  ping_ms = 2m\n"
                                     "message_bytes_max=1MiB\n"
                                     "[tls]\n"
                                     "cert = /etc/my certs/a.pem\n"
                                     "tls_key = /etc/my certs/a.key\n"
                                     "[log]\n"
                                     "level = debug\n"
                                     "[app shop]\n"
                                     "key = a-key\n"
                                     "secret = a;#secret=\n"
                                     "members-max = 5\n"
                                     "[app blog]\n"
                                     "secret = other\n"
                                     "key = other\n"
                                     "[channels private-*;,x]\n"
                                     "ttl = 30d\n"
                                     "[channels *]\n"),
                 RC_OK, "%s", error);
    cr_assert_eq(options.listen.count, 3);
    cr_expect_eq(address_port(&options.listen.items[2]), 3);
    cr_expect(options.lobby_echo);
    cr_expect_eq(options.ping_ms, 120000);
    cr_expect_eq(options.message_bytes_max, MIB);
    cr_expect_eq(options.outbox_bytes_max, 2 * MIB);
    cr_assert(options.tls_cert.count == 1 && options.tls_key.count == 1);
    cr_expect_str_eq(options.tls_cert.items[0], "/etc/my certs/a.pem");
    cr_expect_eq(options.log_level, LOG_LEVEL_DEBUG);
    cr_assert_eq(options.app.count, 2);
    cr_expect_str_eq(options.app.items[0].id, "shop");
    cr_expect_str_eq(options.app.items[0].key, "a-key");
    cr_expect_str_eq(options.app.items[0].secret, "a;#secret=");
    cr_expect_eq(options.app.items[0].members_max, 5);
    cr_expect_eq(options.app.items[0].channels_max, 100, "a default");
    cr_expect_str_eq(options.app.items[1].id, "blog");
    cr_expect_eq(options.app.items[1].index, 1);
    cr_assert_eq(options.history.count, 2);
    cr_expect_str_eq(options.history.items[0].pattern, "private-*;,x");
    cr_expect_eq(options.history.items[0].ttl, 30 * DAY_MS);
    cr_expect_eq(options.history.items[1].ttl, DAY_MS);
    cr_expect(options_is_set(&options, OPTION_ping_ms));
    cr_expect_not(options_is_set(&options, OPTION_shards));
    cr_expect_str_eq(options.warning, "");
    options_fini(&options);
}

Test(file, gives_way_to_the_environment_and_that_to_flags)
{
    struct options options;
    write_file("a.conf",
               "[server]\nlisten=*:1\norigin=http://a\nshards=1\n[limits]\nping_ms=1s\nhead_bytes_max=1KiB\n"
               "[app a]\nkey=a\nsecret=a\n[channels a]\n");
    cr_assert_eq(read_all(&options, WORDS("--shards=3", "--config=a.conf", "--app=f:f:f"),
                          WORDS("RINGCAST_PING_MS=2s", "RINGCAST_SHARDS=2", "RINGCAST_ORIGIN=http://b,http://c")),
                 RC_OK, "%s", error);
    cr_expect_eq(options.shards, 3);
    cr_expect_eq(options.ping_ms, 2000);
    cr_expect_eq(options.head_bytes_max, KIB);
    cr_expect_eq(options.listen.count, 1);
    cr_expect_eq(options.origin.count, 2, "the variable's replace the file's");
    cr_assert_eq(options.app.count, 1, "so do the flag's");
    cr_expect_str_eq(options.app.items[0].id, "f");
    cr_expect_eq(options.app.items[0].index, 0);
    cr_expect_eq(options.history.count, 1);
    options_fini(&options);

    cr_assert_eq(read_all(&options, WORDS(), WORDS("RINGCAST_CONFIG= a.conf\n")), RC_OK, "%s", error);
    cr_expect_eq(options.shards, 1, "a variable may name the file");
    options_fini(&options);
    cr_assert_eq(read_all(&options, WORDS("--config="), WORDS("RINGCAST_CONFIG=b.conf")), RC_OK, "%s", error);
    cr_expect_eq(options.files.count, 0, "and a flag none");
    options_fini(&options);
}

Test(file, of_the_folder_beside_it_follow_in_order)
{
    struct options options;
    write_file("a.conf",
               "[limits]\nping_ms=1s\npong_ms_max=1s\n[server]\norigin=http://a\n[app a]\nkey=a\nsecret=a\n");
    cr_assert_eq(mkdir("conf.d", 0755), 0);
    write_file("conf.d/20.conf", "[limits]\nping_ms=3s\n[app b]\nkey=b\nsecret=b\n");
    write_file("conf.d/10.conf", "[limits]\nping_ms=2s\n[server]\norigin=http://b\n[app c]\nkey=c\nsecret=c\n");
    write_file("conf.d/.hidden.conf", "nonsense");
    write_file("conf.d/30.conf.old", "nonsense");
    write_file("conf.d/README", "nonsense");
    cr_assert_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_OK, "%s", error);
    cr_expect_eq(options.ping_ms, 3000, "what a later one says counts");
    cr_expect_eq(options.pong_ms_max, 1000);
    cr_expect_eq(options.origin.count, 2, "entries add up");
    cr_assert_eq(options.app.count, 3);
    cr_expect_str_eq(options.app.items[1].id, "c");
    cr_expect_str_eq(options.app.items[2].id, "b");
    cr_assert_eq(options.files.count, 3);
    cr_expect_str_eq(options.files.items[1], "conf.d/10.conf");
    options_fini(&options);

    write_file("conf.d/20.conf", "[server]\norigin=\norigin=http://c\n[limits]\nping_ms=\n");
    cr_assert_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_OK, "%s", error);
    cr_assert_eq(options.origin.count, 1, "an empty one takes back what was said");
    cr_expect_str_eq(options.origin.items[0], "http://c");
    cr_expect_eq(options.ping_ms, 25000);
    cr_expect_not(options_is_set(&options, OPTION_ping_ms));
    options_fini(&options);
}

Test(file, mistakes_are_told_with_file_line_and_cure)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"[limits]\nping_ms = 25x\n",
         "a.conf:2: ping_ms: \"25x\" is not a time (500ms, 10s, 24h, 7d); give 10ms to 1h"},
        {"[limits]\nping_ms = 25s # often\n",
         "a.conf:2: ping_ms: \"25s # often\" is not a time (500ms, 10s, 24h, 7d); "
         "give 10ms to 1h (a comment needs a line of its own)"},
        {"[limits]\npingms = 25s\n", "a.conf:2: unknown option \"pingms\" in [limits]; did you mean ping_ms?"},
        {"[limits]\nPing-MS = 25s\n", "a.conf:2: unknown option \"Ping-MS\" in [limits]; did you mean ping_ms?"},
        {"[server]\npingms = 25s\n",
         "a.conf:2: unknown option \"pingms\" in [server]; did you mean ping_ms, in [limits]?"},
        {"[limits]\nnonsense = 1\n",
         "a.conf:2: unknown option \"nonsense\" in [limits]; --print-sample-config shows all"},
        {"[server]\n\n\nping_ms = 25s\n", "a.conf:4: ping_ms belongs into [limits]; move it there"},
        {"[server]\nconfig = b\n", "a.conf:2: config is not for files; give it on the command line"},
        {"[server]\nhelp = yes\n", "a.conf:2: help is not for files; give it on the command line"},
        {"[server]\napp = 1:k:s\n", "a.conf:2: app is a section here; give [app ID] and its settings below"},
        {"[history]\nhistory = *\n",
         "a.conf:2: history is a section here; give [channels PATTERN] and its settings below"},
        {"[limits]\nping_ms=1s\nping-ms=2s\n", "a.conf:3: ping_ms is there twice, first in line 2; give it once"},
        {"[server]\nlisten=*:1\nlisten=*:1\n", "a.conf:3: listen: \"*:1\" is there twice; give it once"},
        {"ping_ms=1s\n", "a.conf:1: a value stands before the first section; begin with one, as [server]"},
        {"[limit]\nping_ms=x\n", "a.conf:1: unknown section [limit]; did you mean [limits]?"},
        {"[Server]\n", "a.conf:1: unknown section [Server]; did you mean [server]?"},
        {"[databases]\n",
         "a.conf:1: unknown section [databases]; give server, tls, limits, apps, app ID, channels PATTERN, "
         "history, store, webhooks or log"},
        {"[server one]\n", "a.conf:1: [server] has no name behind it; give [server]"},
        {"[app]\nkey=k\n", "a.conf:1: the ID is missing; give 1 to 64 characters of A-Z a-z 0-9 _ -"},
        {"[app my shop]\n", "a.conf:1: the ID is not valid; give 1 to 64 characters of A-Z a-z 0-9 _ -"},
        {"[app a]\nkey=k\n[app b]\nkey=b\nsecret=b\n",
         "a.conf:1: app a has no secret; each needs a key and a secret"},
        {"[app a]\nkey=k\nsecret=s\n\n[app a]\nkey=l\nsecret=s\n",
         "a.conf:5: the ID a is there twice; give each app its own (first in a.conf:1)"},
        {"[app a]\nkey=k\nsecret=s\n[app b]\nkey=k\nsecret=s\n",
         "a.conf:4: the key of b is another app's too; give each app its own"},
        {"[app a]\nkey=k\nsecret=two words\n",
         "a.conf:3: secret of a: not valid; give 1 to 128 printable characters without blank, or @FILE"},
        {"[app a]\nkey=k\nsecret=s\nsecret=t\n", "a.conf:4: secret is there twice in this section; give it once"},
        {"[app a]\nkey=k\nsecret=s\nmember_max=5\n",
         "a.conf:4: unknown setting \"member_max\" of a; did you mean members_max? See --help"},
        {"[app a]\nkey=k\nsecret=s\nwebhook=https://b/ # c\n",
         "a.conf:4: webhook of a: \"https://b/ # c\" is no web address; give http://... or https://... (a comment "
         "needs a "
         "line of its own)"},
        {"[app a]\nkey=k\nsecret=s\nping_ms=5\n",
         "a.conf:4: ping_ms is no setting of [app], but an option; give it in [limits]"},
        {"[channels a b]\n", "a.conf:1: the pattern \"a b\" is not valid; give 1 to 200 characters of A-Z a-z 0-9 "
                             "_ - = @ , . ; and *"},
        {"[channels]\n", "a.conf:1: the pattern is missing; give PATTERN, then its settings: 'private-* size=500'"},
        {"[channels *]\nttl=1y\n[channels *]\n",
         "a.conf:2: ttl of *: \"1y\" is not a time (500ms, 10s, 24h, 7d); give 1s to 3650d"},
        {"[channels *]\n[channels b]\n[channels *]\n",
         "a.conf:3: the pattern \"*\" is there twice; give it once (first in a.conf:1)"},
        {"[server]\nlisten\n",
         "a.conf:2: there is no equals sign; give NAME = VALUE, or begin the line with # to make it "
         "a comment"},
        {"[server]\nlisten=*:8\ncontrol=*:8\n",
         "a.conf:3: control: \"0.0.0.0:8\" is an address of listen (a.conf:2) too; give it another port"},
        {"[channels a]\n[channels b]\ndurable=yes\n",
         "a.conf:2: history: \"b\" is durable, but there is no directory to "
         "store it in; give --data-dir too"},
        {"[store]\ndisk_bytes_max=1MiB\n",
         "a.conf:2: store_disk_bytes_max: too little for a database to work; give 64MiB "
         "or more, or 0 for no bound"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        cr_expect_eq(read_text(&options, cases[i].text), RC_EINVAL, "%s", cases[i].text);
        cr_expect_str_eq(error, cases[i].error);
        cr_expect(options.files.items == NULL && options.places == NULL, "nothing is left to give back");
    }
}

Test(file, mistakes_are_told_together)
{
    struct options options;
    char text[4096] = "[limits]\n";
    cr_expect_eq(read_text(&options, "[limits]\nping_ms=x\npong_ms_max=1s\n[log]\nlevel=loud\n[app a]\nkey=/\n"),
                 RC_EINVAL);
    cr_expect_str_eq(error, "a.conf:2: ping_ms: \"x\" is not a time (500ms, 10s, 24h, 7d); give 10ms to 1h\n"
                            "a.conf:5: log_level: \"loud\" is not a level; give error, warn, info or debug\n"
                            "a.conf:7: key of a: not valid; give 1 to 64 characters of A-Z a-z 0-9 _ -");
    for (int i = 0; i < 200; i++)
        strncat(text, "a b\n", sizeof text - strlen(text) - 1);
    cr_expect_eq(read_text(&options, text), RC_EINVAL);
    cr_expect_not_null(strstr(error, "a.conf:21: "));
    cr_expect_null(strstr(error, "a.conf:22: "));
    cr_expect_str_eq(strrchr(error, '\n'), "\nand 180 more");
    cr_expect_eq(read_text(&options, "[limits]\n[\x1b[2J]\n"), RC_EINVAL);
    cr_expect_null(strchr(error, '\x1b'));
}

/* No error is longer than there is room for, however little that is. */
Test(file, mistakes_fit_the_space_that_is_there)
{
    const char *argv[] = {"ringcast", "--config=a.conf", NULL};
    write_file("a.conf", "[limits]\nping_ms=x\na b\n[server\n");
    for (size_t size = 1; size < 300; size++) {
        struct options options;
        char *small = malloc(size); /* the sanitizer watches its end */
        cr_assert(small != NULL);
        cr_expect_eq(options_read(&options, 2, (char *const *)argv, NULL, small, size), RC_EINVAL);
        cr_expect_lt(strlen(small), size);
        free(small);
    }
}

Test(file, that_cannot_be_read_is_told)
{
    struct options options;
    cr_expect_eq(read_all(&options, WORDS("--config", "missing.conf"), NULL), RC_EINVAL);
    cr_expect_str_eq(error,
                     "missing.conf cannot be read: No such file or directory; check its path and who may read it");
    cr_expect_eq(read_all(&options, WORDS("--config=."), NULL), RC_EINVAL);
    cr_expect_str_eq(error, ". is a directory and no regular file; name one");
    cr_assert_eq(mkfifo("pipe", 0600), 0);
    cr_expect_eq(read_all(&options, WORDS("--config=pipe"), NULL), RC_EINVAL);
    cr_expect_str_eq(error, "pipe is a pipe or a device and no regular file; name one");
    cr_expect_eq(read_all(&options, WORDS("--config"), NULL), RC_EINVAL);
    cr_expect_str_eq(error, "--config: the value is missing; give --config FILE");

    write_file("a.conf", "[limits]\nping_ms=x\n");
    write_file("conf.d", "");
    cr_expect_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_EINVAL);
    cr_expect_not_null(strstr(error, "\nconf.d cannot be read: Not a directory; check who may read it"));
    cr_assert(unlink("conf.d") == 0 && mkdir("conf.d", 0755) == 0 && mkdir("conf.d/x.conf", 0755) == 0);
    cr_expect_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_EINVAL);
    cr_expect_not_null(strstr(error, "\nconf.d/x.conf is a directory and no regular file; name one"));

    cr_assert_eq(truncate("a.conf", (16 << 20) + 1), 0);
    cr_expect_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_EINVAL);
    cr_expect_not_null(strstr(error, "a.conf is larger than 16777216 bytes; is it the right file?"));
}

Test(file, of_other_worlds_is_read_or_told)
{
    static const char utf16[] = "\xff\xfe[\0l\0o\0g\0]\0\r\0\n\0";
    struct options options;
    cr_assert_eq(read_text(&options, "\xef\xbb\xbf[limits]\r\nping_ms = 1s\r\n"), RC_OK, "%s", error);
    cr_expect_eq(options.ping_ms, 1000);
    options_fini(&options);
    cr_assert_eq(read_text(&options, ""), RC_OK, "%s", error);
    options_fini(&options);
    write_bytes("a.conf", utf16, sizeof utf16 - 1);
    cr_expect_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_EINVAL);
    cr_expect_not_null(
        strstr(error, "a.conf:1: a byte of this line is 0, which no text has: save the file as UTF-8"));
    cr_expect_eq(read_text(&options, "[store]\ndata_dir = /caf\xe9\n"), RC_EINVAL);
    cr_expect_str_eq(error, "a.conf:2: this line is no UTF-8: save the file as UTF-8");
}

Test(file, many_apps_have_a_line_each_in_a_file_of_their_own)
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

Test(file, mistakes_in_a_file_of_apps_are_told_with_their_lines)
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

/* As many as there may be, and one more: each is found by its ID and its key. */
Test(file, ten_thousand_apps_are_found)
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
Test(file, secrets_are_read_from_files_of_their_own)
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

Test(file, secrets_in_files_that_are_none_are_told_and_not_shown)
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
    cr_expect_not_null(strstr(error, "a.conf:3: secret of a:  cannot be read: No such file"));
}

/* A comment behind a text is taken for a part of it: that is told, since nobody means it. */
Test(file, comments_behind_texts_are_worth_a_warning)
{
    struct options options;
    cr_assert_eq(read_text(&options, "[store]\ndata_dir = /var/lib/a # here\n[channels *]\n"), RC_OK, "%s", error);
    cr_expect_str_eq(options.data_dir, "/var/lib/a # here");
    cr_expect_eq(strncmp(options.warning, "a.conf:2: what looks like a comment is a part of the value", 57), 0, "%s",
                 options.warning);
    options_fini(&options);
}

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

Test(file, printed_has_every_value_with_its_source_and_no_secret)
{
    struct options options;
    write_file("a.conf", "[limits]\nping_ms=90s\n[server]\norigin=http://a\norigin=http://b\n[app a]\nkey=k\n"
                         "secret=Geheim\nwebhook=https://anna:Geheim@host/a\n[channels x*]\nttl=1h\n");
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
    cr_expect(has_line(text, "shards = 2", "--shards"));
    cr_expect(has_line(text, "close_ms_max = 7s", "RINGCAST_CLOSE_MS_MAX"));
    cr_expect(has_line(text, "keep_alive_ms = 75s", "default"));
    cr_expect(has_line(text, "tls_cert =", "default"));
    cr_expect_not_null(strstr(text, "\n[app a]\nkey = k"));
    cr_expect(has_line(text, "secret = ***", "a.conf:6"));
    cr_expect(has_line(text, "webhook = https://***@host/a", "a.conf:6"));
    cr_expect(has_line(text, "members_max = 10000", "default"));
    cr_expect_not_null(strstr(text, "\n[channels x*]\n"));
    cr_expect(has_line(text, "ttl = 1h", "a.conf:10"));
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

Test(file, sample_is_the_defaults_with_and_without_its_comments)
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
