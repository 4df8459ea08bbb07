/* tests/server/config/test_file.c - what a configuration file says is what the server gets; what it says wrong is told
 * with file, line and cure, all of it at once. */
#include "server/config/option_set.h"
#include "tests/support/config_folder.h"
#include "tests/support/small_error.h"

TestSuite(file, .init = enter_folder, .fini = leave_folder, .timeout = 20);

/* "listen" in [tls] is not the one of [server], which has no TLS. */
Test(file, a_name_without_its_sections_is_looked_for_there_first)
{
    struct options options;
    cr_assert_eq(read_text(&options, "[tls]\nlisten = 127.0.0.1:8443\ncert = a\nkey = b\n"
                                     "[webhooks]\ndelay_ms = 1s\n"
                                     "[server]\nlisten = 127.0.0.1:81\n"),
                 RC_OK, "%s", error);
    cr_expect_eq(options.tls_listen.count, 1);
    cr_expect_eq(options.listen.count, 1);
    cr_expect_eq(options.webhook_delay_ms, 1000);
    options_fini(&options);
}

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
                                     "listen = 127.0.0.1:4\n"
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
    cr_expect_str_eq(options.warnings, "");
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
        {"[apps shop]\nkey=k\n", "a.conf:1: [apps] has no name behind it; did you mean [app shop]?"},
        {"[history private-*]\nttl=1h\n",
         "a.conf:1: [history] has no name behind it; did you mean [channels private-*]?"},
        {"[server]\n[app shop\nkey=k\nsecret=s\n", "a.conf:2: the ] is missing; give [SECTION]"},
        {"[server]\n[app shop] # the first\nkey=k\n",
         "a.conf:2: something stands behind the ]; give it, or a comment, a line of its own"},
        {"[server]\n[app caf\xe9]\nkey=k\n", "a.conf:2: this line is no UTF-8: save the file as UTF-8"},
        {"[server]\nlisten = ,\n", "a.conf:2: listen: holds no value; give ADDR:PORT"},
        {"[server]\norigin = , ,\n", "a.conf:2: origin: holds no value; give ORIGIN"},
        {"[tls]\nlisten=*:8443\n",
         "a.conf:2: tls_listen: a certificate is missing; give --tls-cert FILE --tls-key FILE"},
        {"[tls]\ncert=c.pem\nkey=c.key\n", "a.conf:2: tls_cert: of no use without TLS; give --tls-listen ADDR:PORT"},
        {"[tls]\nmin_version=1.1\n", "a.conf:2: tls_min_version: \"1.1\" is none of its words; give 1.2 or 1.3"},
        {"# old\r[server]\rpage=no\r",
         "a.conf:1: a CR stands in this line: save the file with lines that end with LF or CRLF"},
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
         "a.conf:4: webhook of a: \"https...\" is no web address; give http://... or https://... (a comment "
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
    FILE *file = fopen("a.conf", "w");
    cr_assert(file != NULL);
    fputs("[limits]\n", file);
    for (int i = 0; i < 1000 * 1000; i++) /* each is compared with every name, if it is read */
        fputs("pimg_ms=1\n", file);
    cr_assert_eq(fclose(file), 0);
    cr_expect_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_EINVAL);
    cr_expect_str_eq(strrchr(error, '\n'), "\nand at least 980 more");
    cr_expect_eq(read_text(&options, "[limits]\n[\x1b[2J]\n"), RC_EINVAL);
    cr_expect_null(strchr(error, '\x1b'));
}

/* No error is longer than there is room for, however little that is. */
Test(file, mistakes_fit_the_space_that_is_there)
{
    const char *argv[] = {"ringcast", "--config=a.conf", NULL};
    write_file("a.conf", "[limits]\nping_ms=x\na b\n[server\n");
    expect_error_fits(2, argv, 300);
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
    cr_expect_not_null(strstr(error, "\nconf.d cannot be read: Not a directory; it is where further files would be: "
                                     "make it a folder, or move it away"));
    cr_assert(unlink("conf.d") == 0 && mkdir("conf.d", 0755) == 0 && mkdir("conf.d/x.conf", 0755) == 0);
    cr_expect_eq(read_all(&options, WORDS("--config=a.conf"), NULL), RC_EINVAL);
    cr_expect_not_null(
        strstr(error, "\nconf.d/x.conf is a folder, where files of that ending are read; give it another name"));

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

/* A comment behind a text is taken for a part of it: that is told, since nobody means it. */
Test(file, comments_behind_texts_are_worth_a_warning)
{
    struct options options;
    cr_assert_eq(read_text(&options, "[store]\ndata_dir = /var/lib/a # here\n[channels *]\n"), RC_OK, "%s", error);
    cr_expect_str_eq(options.data_dir, "/var/lib/a # here");
    cr_expect_eq(strncmp(options.warnings, "a.conf:2: what looks like a comment is a part of the value", 57), 0, "%s",
                 options.warnings);
    options_fini(&options);
}
