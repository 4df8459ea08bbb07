/* tests/server/run/test_doctor.c - what ringcast check says of a configuration and of a machine: each finding with its
 * cure, and the status that a start would have had. */
#include "server/run/doctor.h"

#include "server/run/doctor_machine.h"
#include "tests/support/config_folder.h"
#include "tests/support/forbid_call.h"

static struct findings findings;

TestSuite(doctor, .init = enter_folder, .fini = leave_folder, .timeout = 30);

static void check(const char *const words[])
{
    const char *argv[32] = {"check"};
    int argc = 1;
    for (; *words != NULL; words++)
        argv[argc++] = *words;
    doctor_check(argc, (char *const *)argv, NULL, &findings);
}

/* The first finding of this kind that says so. */
static const struct finding *found(enum finding_level level, const char *about, const char *what)
{
    for (uint32_t i = 0; i < findings.count; i++) {
        const struct finding *finding = &findings.items[i];
        if (finding->level == level && strcmp(finding->about, about) == 0 && strstr(finding->what, what) != NULL)
            return finding;
    }
    return NULL;
}

static char *print(void (*write)(const struct findings *, FILE *))
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    write(&findings, out);
    cr_assert_eq(fclose(out), 0);
    return text;
}

Test(doctor, mistakes_in_options_are_found_all_together)
{
    write_file("a.conf", "[limits]\nping_ms=x\n\n[nope]\n");
    check(WORDS("--config=a.conf"));
    cr_expect_eq(findings.status, 2);
    cr_expect_eq(findings.count, 2);
    cr_expect_not_null(found(FINDING_FAULT, "options", "a.conf:2: ping_ms: \"x\" is not a time"));
    cr_expect_not_null(found(FINDING_FAULT, "options", "a.conf:4: unknown section [nope]"));
    check(WORDS("--sharks=1"));
    cr_expect_eq(findings.status, 2);
    cr_expect_not_null(found(FINDING_FAULT, "options", "did you mean --shards?"));
    check(WORDS("--print-close-codes"));
    cr_expect_eq(findings.status, 2);
    check(WORDS("--help"));
    cr_expect_eq(findings.status, 2);
}

Test(doctor, what_a_start_would_stumble_over_is_found)
{
    check(WORDS("--listen=127.0.0.1:0", "--tls-listen=127.0.0.1:0", "--tls-cert=missing", "--tls-key=missing"));
    cr_expect_eq(findings.status, 1);
    cr_expect_not_null(found(FINDING_FAULT, "certificates", "missing cannot be read"));
    write_file("file", "");
    check(WORDS("--listen=127.0.0.1:0", "--history=* durable=yes", "--data-dir=file"));
    cr_expect_eq(findings.status, 1);
    cr_expect_not_null(found(FINDING_FAULT, "store", "--data-dir file cannot be used: Not a directory"));
    check(WORDS("--listen=192.0.2.1:1"));
    cr_expect_eq(findings.status, 1);
    cr_expect_not_null(found(FINDING_FAULT, "addresses",
                             "cannot listen on 192.0.2.1:1: bind: Cannot assign requested address: choose"));
}

Test(doctor, a_directory_is_made_where_there_is_room_for_it)
{
    static const char *const good[] = {"data", "data/", "./data", "there/data"};
    static const char *const bad[] = {"missing/data", "missing/data/", "file/data", "link"};
    cr_assert_eq(mkdir("there", 0755), 0);
    write_file("file", "");
    cr_assert_eq(symlink("nowhere", "link"), 0);
    for (size_t i = 0; i < 4; i++) {
        char data_dir[100];
        snprintf(data_dir, sizeof data_dir, "--data-dir=%s", good[i]);
        check(WORDS("--listen=127.0.0.1:0", "--history=* durable=yes", data_dir));
        cr_expect_eq(findings.status, 0, "%s", good[i]);
        cr_expect_not_null(found(FINDING_GOOD, "store", "is not there, and will be made"), "%s", good[i]);
        snprintf(data_dir, sizeof data_dir, "--data-dir=%s", bad[i]);
        check(WORDS("--listen=127.0.0.1:0", "--history=* durable=yes", data_dir));
        cr_expect_eq(findings.status, 1, "%s", bad[i]);
        cr_expect_not_null(found(FINDING_FAULT, "store", bad[i]), "%s", bad[i]);
    }
}

Test(doctor, where_no_socket_can_be_made_an_address_is_no_good)
{
    cr_assert(forbid_call(SYS_socket));
    check(WORDS("--listen=[::1]:0"));
    cr_expect_not_null(found(FINDING_FAULT, "addresses", "cannot listen on [::1]:0: socket: "));
}

/* Wherever it stands; what is no secret may be read by everybody. */
Test(doctor, secrets_that_everybody_may_read_are_worth_a_warning)
{
    write_file("key", "topsecret\n");
    write_file("apps", "1:k:@key webhook=http://h/\n2:l:@key webhook=http://me:word@h/\n");
    write_file("a.conf", "[apps]\nfile=apps\n[app 3]\nkey=m\nsecret=@key\n");
    cr_assert(chmod("apps", 0644) == 0 && chmod("a.conf", 0644) == 0 && chmod("key", 0640) == 0);
    check(WORDS("--listen=127.0.0.1:0", "--config=a.conf"));
    cr_expect_not_null(found(FINDING_WARNING, "secrets", "everybody may read apps"));
    cr_expect_null(found(FINDING_WARNING, "secrets", "everybody may read a.conf"));
    write_file("apps", "1:k:@key webhook=http://h/\n");
    check(WORDS("--listen=127.0.0.1:0", "--config=a.conf"));
    cr_expect_null(found(FINDING_WARNING, "secrets", ""));
    write_file("apps", "1:k:@key\n2:l:secret\n");
    check(WORDS("--listen=127.0.0.1:0", "--apps-file=apps"));
    cr_expect_not_null(found(FINDING_WARNING, "secrets", "everybody may read apps"));
    write_file("a.conf", "[app 3]\nkey=m\nsecret=@key\nwebhook_header=Authorization: Bearer x\n");
    check(WORDS("--listen=127.0.0.1:0", "--config=a.conf"));
    cr_expect_not_null(found(FINDING_WARNING, "secrets", "everybody may read a.conf"));
}

static uint32_t told_of_secrets(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < findings.count; i++)
        count += strcmp(findings.items[i].about, "secrets") == 0;
    return count;
}

Test(doctor, files_that_are_secrets_and_that_everybody_may_read_are_worth_a_warning)
{
    static const char *const files[] = {"key", "old", "token", "tls.key", "tickets"};
    write_file("key", "topsecret\n");
    write_file("old", "oldsecret\n");
    write_file("token", "t0ken\n");
    write_file("tls.key", "");
    write_file("tickets", "");
    write_file("a.conf", "[server]\ncontrol_token=@token\n[app 1]\nkey=m\nsecret=@key\nprevious_secret=@old\n"
                         "[app 2]\nkey=n\nsecret=@key\n");
    const char *const *given = WORDS("--listen=127.0.0.1:0", "--config=a.conf", "--tls-listen=127.0.0.1:0",
                                     "--tls-cert=a.conf", "--tls-key=tls.key", "--tls-ticket-keys=tickets");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        for (size_t k = 0; k < sizeof files / sizeof files[0]; k++)
            cr_assert_eq(chmod(files[k], i == k ? 0644 : 0640), 0);
        check(given);
        char what[64];
        snprintf(what, sizeof what, "everybody may read %s", files[i]);
        cr_expect_not_null(found(FINDING_WARNING, "secrets", what), "%s", files[i]);
        cr_expect_eq(told_of_secrets(), 1, "%s", files[i]);
    }
}

Test(doctor, each_warning_of_the_options_is_a_finding)
{
    static const char *const variables[] = {"RINGCAST_A_SERVICE_HOST=1", "RINGCAST_B_SERVICE_HOST=1",
                                            "RINGCAST_SHARD=1", NULL};
    const char *argv[] = {"check", "--listen=127.0.0.1:0", NULL};
    doctor_check(2, (char *const *)argv, (char *const *)variables, &findings);
    cr_expect_not_null(found(FINDING_WARNING, "options", "RINGCAST_A_SERVICE_HOST in the environment"));
    cr_expect_null(found(FINDING_WARNING, "options", "RINGCAST_B_SERVICE_HOST"));
    const struct finding *shard = found(FINDING_WARNING, "options", "RINGCAST_SHARD in the environment");
    cr_assert_not_null(shard);
    cr_expect_eq(shard->what[0], 'R', "one for each: %s", shard->what);
}

Test(doctor, what_is_wanting_later_is_worth_a_warning)
{
    write_file("a.conf",
               "[server]\nlisten=127.0.0.1:0\n[app a]\nkey=k\nsecret=s\n[channels *]\ndurable=yes\n[store]\n"
               "data_dir=.\ndisk_bytes_max=900000GiB\n[history]\nbytes_max=60000GiB\n");
    cr_assert_eq(chmod("a.conf", 0644), 0);
    check(WORDS("--config=a.conf"));
    cr_expect_eq(findings.status, 2, "60000GiB is too much");
    write_file("a.conf",
               "[server]\nlisten=127.0.0.1:0\n[app a]\nkey=k\nsecret=s\n[channels *]\ndurable=yes\n[store]\n"
               "data_dir=.\ndisk_bytes_max=900000GiB\n[history]\nbytes_max=64GiB\n[limits]\n"
               "answers_bytes_max=64GiB\ncache_bytes_max=64GiB\n");
    check(WORDS("--config=a.conf", "--shards=16"));
    cr_expect_eq(findings.status, 0);
    cr_expect_not_null(found(FINDING_WARNING, "secrets", "everybody may read a.conf"));
    cr_expect_not_null(found(FINDING_WARNING, "memory", "with all that may be kept"));
    cr_expect_not_null(found(FINDING_WARNING, "store", "and store_disk_bytes_max is 921600000 MiB"));
    for (uint32_t i = 0; i < findings.count; i++)
        if (findings.items[i].level == FINDING_WARNING && strcmp(findings.items[i].about, "store") == 0)
            cr_expect(findings.items[i].why[0] != '\0' && findings.items[i].cure[0] != '\0');
    cr_assert_eq(chmod("a.conf", 0640), 0);
    check(WORDS("--config=a.conf"));
    cr_expect_null(found(FINDING_WARNING, "secrets", ""));
    cr_expect_null(found(FINDING_FAULT, "", ""));
}

Test(doctor, whether_the_kernel_tells_where_clients_come_from_is_found)
{
    check(WORDS("--listen=127.0.0.1:0"));
    cr_expect_not_null(found(FINDING_GOOD, "clients", "where clients come from"));
}

static void make_proc(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "root/proc/%s", name);
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    write_file(path, text);
}

static void look_at_machine(struct options *options)
{
    findings = (struct findings){0};
    doctor_look_at_machine(options, "root", &findings);
}

Test(doctor, settings_of_the_kernel_that_are_too_small_are_found)
{
    struct address address;
    cr_assert_eq(address_read("127.0.0.1:40000", &address), RC_OK);
    struct options options = {.shards = 1,
                              .connections_max = 10000,
                              .mailbox_letters = 64,
                              .receive_buffers = 16,
                              .listen = {.items = &address, .count = 1}};
    look_at_machine(&options);
    cr_expect_null(found(FINDING_WARNING, "somaxconn", ""), "files that are not there say nothing");
    make_proc("sys/kernel/io_uring_disabled", "1\n");
    make_proc("sys/net/core/somaxconn", "128\n");
    make_proc("sys/fs/file-max", "9999\n");
    make_proc("sys/net/netfilter/nf_conntrack_max", "10000\n");
    make_proc("sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
    look_at_machine(&options);
    cr_expect_not_null(found(FINDING_WARNING, "sysctl", "kernel.io_uring_disabled is 1"));
    cr_expect_not_null(found(FINDING_WARNING, "somaxconn", "net.core.somaxconn is 128"));
    cr_expect_not_null(found(FINDING_WARNING, "file-max", "fs.file-max is 9999"));
    cr_expect_not_null(found(FINDING_WARNING, "conntrack", "nf_conntrack_max is 10000"));
    cr_expect_not_null(found(FINDING_WARNING, "ports", "127.0.0.1:40000 is in the range 32768 to 60999"));
    for (uint32_t i = 0; i < findings.count; i++)
        cr_expect(findings.items[i].level == FINDING_GOOD || findings.items[i].cure[0] != '\0');

    make_proc("sys/kernel/io_uring_disabled", "0\n");
    make_proc("sys/net/core/somaxconn", "4096\n");
    make_proc("sys/fs/file-max", "9223372036854775807\n");
    make_proc("sys/net/netfilter/nf_conntrack_max", "262144\n");
    make_proc("sys/net/ipv4/ip_local_port_range", "nonsense\n");
    look_at_machine(&options);
    static const char *const abouts[] = {"sysctl", "somaxconn", "file-max", "conntrack", "ports"};
    for (size_t i = 0; i < sizeof abouts / sizeof abouts[0]; i++)
        cr_expect_null(found(FINDING_WARNING, abouts[i], ""), "%s", abouts[i]);
}

Test(doctor, findings_are_written_for_people_and_for_programs)
{
    findings = (struct findings){0};
    finding_add(&findings, "one", "", "", "all is \"well\"\n");
    finding_warn(&findings, "two", "it matters", "do so", "too few: %d", 3);
    char *text = print(findings_print);
    cr_expect_str_eq(text, "good     one          all is \"well\"\\x0a\n"
                           "warning  two          too few: 3\n"
                           "                      why:  it matters\n"
                           "                      cure: do so\n"
                           "ringcast would start; warnings: 1\n");
    free(text);
    finding_fault(&findings, "three", 3, "no\\");
    finding_fault(&findings, "four", 1, "nor this");
    cr_expect_eq(findings.status, 3, "the first counts");
    text = print(findings_print_json);
    cr_expect_str_eq(
        text,
        "{\"version\":\"" RINGCAST_VERSION "\",\"status\":3,\"warnings\":1,\"left_out\":0,\"findings\":["
        "{\"level\":\"good\",\"about\":\"one\",\"what\":\"all is \\\"well\\\"\\\\x0a\",\"why\":\"\",\"cure\":\"\"},"
        "{\"level\":\"warning\",\"about\":\"two\",\"what\":\"too few: 3\",\"why\":\"it matters\","
        "\"cure\":\"do so\"},"
        "{\"level\":\"fault\",\"about\":\"three\",\"what\":\"no\\\\\",\"why\":\"\",\"cure\":\"\"},"
        "{\"level\":\"fault\",\"about\":\"four\",\"what\":\"nor this\",\"why\":\"\",\"cure\":\"\"}]}\n");
    free(text);
    for (int i = 0; i < FINDINGS_MAX; i++)
        finding_warn(&findings, "more", "", "", "%d", i);
    cr_expect(findings.count == FINDINGS_MAX && findings.left_out == 4 && findings.warnings == FINDINGS_MAX + 1);
    text = print(findings_print_json);
    cr_expect_not_null(strstr(text, ",\"left_out\":4,"));
    free(text);
    findings = (struct findings){0};
    finding_fault(&findings, "bytes", 1, "caf\xe9 caf\xc3\xa9 \xc2\x9b \x1b[2J");
    cr_expect_str_eq(findings.items[0].what, "caf\\xe9 caf\xc3\xa9 \\xc2\\x9b \\x1b[2J");
}
