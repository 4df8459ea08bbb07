/* tests/server/config/test_options_follow.c - what of newly read options a server can go by, and what is told of it. */
#include "server/config/options_follow.h"

#include "server/config/option_set.h"
#include "tests/support/config_folder.h"

TestSuite(options_follow, .init = enter_folder, .fini = leave_folder, .timeout = 20);

static struct options now, next;
static struct options_given given;
static struct follow follow;
static char reason[OPTIONS_ERROR_BYTES];

/* The server runs with the one text, and has read the other. */
static void follow_texts(const char *one, const char *other)
{
    cr_assert_eq(read_text(&now, one), RC_OK, "%s", error);
    cr_assert_eq(options_given_note(&given, &now), RC_OK);
    cr_assert_eq(read_text(&next, other), RC_OK, "%s", error);
    cr_assert_eq(options_follow(&next, &now, &given, &follow, reason, sizeof reason), RC_OK, "%s", reason);
}

/* What was read follows in turn. */
static void follow_once_more(const char *other)
{
    options_fini(&now);
    changes_fini(&follow.changes);
    now = next;
    cr_assert_eq(read_text(&next, other), RC_OK, "%s", error);
    cr_assert_eq(options_follow(&next, &now, &given, &follow, reason, sizeof reason), RC_OK, "%s", reason);
}

static void end(void)
{
    changes_fini(&follow.changes);
    options_given_fini(&given);
    options_fini(&now);
    options_fini(&next);
}

static bool tells(const char *text, bool needs_restart)
{
    for (uint32_t i = 0; i < follow.changes.told; i++)
        if (strcmp(follow.changes.items[i].text, text) == 0)
            return follow.changes.items[i].needs_restart == needs_restart;
    return false;
}

/* Another value than the default; NULL: the option needs others beside it. */
static const char *other_value(enum option_id id)
{
    static char text[64];
    const struct option_row *row = option_row_of(id);
    const struct option_type *type = row->type;
    if (id == OPTION_tls_min_version) return "1.3";
    if (id == OPTION_apps_file) return NULL;
    if (type == &option_type_network_list) return "10.0.0.0/8";
    if (id == OPTION_log_format) return "json";
    if (id == OPTION_log_to) return "journald";
    if (type == &option_type_bool) return strcmp(row->value_default, "yes") == 0 ? "no" : "yes";
    if (type == &option_type_level) return "debug";
    if (type == &option_type_address_list || type == &option_type_control_list) return "127.0.0.1:0";
    if (id == OPTION_redis) return "rediss://h";
    if (type == &option_type_origin_list) return "https://example.com";
    if (type == &option_type_text || option_type_is_list(type)) return "some";
    uint64_t value = row->bounds.min > 0 ? row->bounds.min : 1;
    if (id == OPTION_store_disk_bytes_max) value = 64 * MIB;
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return text;
}

/* A file with this option, of which others are needed where it is about TLS. NULL: those alone. */
static const char *file_of(enum option_id id, const char *value, char text[512])
{
    const char *section = section_name(option_section_of(id));
    bool is_tls = option_section_of(id) == SECTION_tls;
    int used = snprintf(text, 512, "[%s]\n", section);
    if (value != NULL) used += snprintf(text + used, 512, "%s=%s\n", option_row_of(id)->name, value);
    if (is_tls && (value == NULL || id != OPTION_tls_listen))
        used += snprintf(text + used, 512, "listen=127.0.0.1:1\n");
    if (is_tls && (value == NULL || id != OPTION_tls_cert)) used += snprintf(text + used, 512, "cert=a\n");
    if (is_tls && (value == NULL || id != OPTION_tls_key)) snprintf(text + used, 512, "key=a\n");
    bool is_for_redis = id == OPTION_redis_password_file || id == OPTION_redis_ca || id == OPTION_redis_cert ||
                        id == OPTION_redis_key;
    if (is_for_redis) used += snprintf(text + used, 512, "redis=rediss://h\n");
    if (is_for_redis && (value == NULL || id != OPTION_redis_cert)) used += snprintf(text + used, 512, "cert=a\n");
    if (is_for_redis && (value == NULL || id != OPTION_redis_key)) snprintf(text + used, 512, "key=a\n");
    return text;
}

static void check_one(enum option_id id)
{
    char text[512], former[512], told[64];
    const struct option_row *row = option_row_of(id);
    const char *value = other_value(id);
    bool is_live = option_change_of(id) == OPTION_LIVE;
    if (value == NULL) return;
    follow_texts(file_of(id, NULL, former), file_of(id, value, text));
    char *was = option_row_text(row, option_value_of(&now, id)),
         *is = option_row_text(row, option_value_of(&next, id));
    cr_assert(was != NULL && is != NULL);
    cr_expect_eq(strcmp(was, is) != 0, is_live, "%s: %s, %s", row->name, was, is);
    cr_expect_eq(follow.changes.told, 1, "%s", row->name);
    cr_expect_eq(follow.changes.items[0].needs_restart, !is_live, "%s", row->name);
    snprintf(told, sizeof told, "%s: ", row->name);
    cr_expect_eq(strncmp(follow.changes.items[0].text, told, strlen(told)), 0, "%s", follow.changes.items[0].text);
    free(was);
    free(is);
    end();
}

Test(options_follow, every_live_option_is_applied_and_every_other_one_stays_and_is_named)
{
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++)
        if (option_section_of(id) != SECTION_none && id != OPTION_app && id != OPTION_history) check_one(id);
}

Test(options_follow, a_secret_of_the_servers_own_changes_and_is_not_told)
{
    follow_texts("[server]\ncontrol_token=one\n", "[server]\ncontrol_token=other\n");
    cr_expect(tells("control_token: another one", false));
    cr_expect_str_eq(next.control_token, "other");
    follow_once_more("[server]\ncontrol_token=other\n");
    cr_expect_eq(follow.changes.told, 0);
    end();
}

Test(options_follow, what_was_left_open_is_compared_as_it_was_given)
{
    cr_assert_eq(read_text(&now, "[server]\nlisten=127.0.0.1:0\n"), RC_OK);
    cr_assert_eq(options_given_note(&given, &now), RC_OK);
    now.shards = 7;
    now.connections_max = 1000;
    address_read("127.0.0.1:4711", &now.listen.items[0]);
    cr_assert_eq(read_text(&next, "[server]\nlisten=127.0.0.1:0\n"), RC_OK);
    cr_assert_eq(options_follow(&next, &now, &given, &follow, reason, sizeof reason), RC_OK);
    cr_expect_eq(follow.changes.told, 0);
    cr_expect_eq(next.shards, 7);
    cr_expect_eq(next.connections_max, 1000);
    follow_once_more("[server]\nlisten=127.0.0.1:0\nshards=3\n");
    cr_expect(tells("shards: 0 -> 3", true));
    cr_expect_eq(next.shards, 7);
    end();
}

Test(options_follow, apps_keep_their_indexes_and_secrets_are_not_told)
{
    follow_texts(
        "[app a]\nkey=ka\nsecret=Geheim1\n[app b]\nkey=kb\nsecret=s\nmembers_max=7\n[app c]\nkey=kc\nsecret=s\n",
        "[app a]\nkey=ka\nsecret=Geheim2\nprevious_secret=Geheim1\n[app d]\nkey=kb\nsecret=s\n"
        "[app c]\nkey=kc\nsecret=s\nmembers_max=8\nenabled=no\n");
    cr_assert_eq(next.app.count, 4);
    cr_expect_eq(app_of_id(&next.app, text_of("a"))->index, 0);
    cr_expect_eq(app_of_id(&next.app, text_of("c"))->index, 2);
    cr_expect_eq(app_of_id(&next.app, text_of("d"))->index, 3);
    cr_expect_null(app_of_id(&next.app, text_of("b")));
    cr_expect(next.app.items[1].is_gone);
    cr_expect_eq(next.app.items[1].members_max, 7);
    cr_expect_str_eq(app_of_key(&next.app, text_of("kb"))->id, "d", "the key of one that is gone is free");
    cr_expect_str_eq(next.app.items[0].secret, "Geheim2");
    cr_expect(follow.shuts_apps);
    cr_expect(tells("app a: secret: another one", false));
    cr_expect(tells("app a: previous_secret: none -> ***", false));
    cr_expect(tells("app b: is gone, its clients are closed", false));
    cr_expect(tells("app c: members_max: 10000 -> 8", false));
    cr_expect(tells("app c: enabled: yes -> no", false));
    cr_expect(tells("app d: is new", false));
    cr_expect_eq(follow.changes.told, 6);
    for (uint32_t i = 0; i < follow.changes.told; i++)
        cr_expect_null(strstr(follow.changes.items[i].text, "Geheim"));
    follow_once_more("[app a]\nkey=ka\nsecret=Geheim2\nprevious_secret=Geheim1\n[app b]\nkey=kx\nsecret=s\n");
    cr_expect_eq(app_of_id(&next.app, text_of("b"))->index, 1, "who comes back is who it was");
    cr_expect(tells("app b: is back", false));
    cr_expect(next.app.items[2].is_gone && next.app.items[3].is_gone);
    end();
}

Test(options_follow, the_first_app_stays_until_a_restart)
{
    follow_texts("[app a]\nkey=ka\nsecret=s\n", "[app b]\nkey=kb\nsecret=s\n[app a]\nkey=ka\nsecret=s\n");
    cr_expect_str_eq(next.app.items[0].id, "a");
    cr_expect(tells("app b: is the first now, but the rooms stay with app a", true));
    follow_once_more("[app b]\nkey=kb\nsecret=s\n");
    cr_expect_not_null(app_of_id(&next.app, text_of("a")));
    cr_expect(follow.changes.items[0].needs_restart);
    follow_once_more("");
    cr_expect_not_null(app_of_id(&next.app, text_of("a")));
    cr_expect_null(app_of_id(&next.app, text_of("b")));
    cr_expect(tells("app a: is gone, but has the rooms, so it stays", true));
    end();
}

Test(options_follow, the_app_of_the_servers_own_keeps_its_key)
{
    follow_texts("", "");
    cr_expect_str_eq(next.app.items[0].key, now.app.items[0].key);
    cr_expect_str_eq(next.app.items[0].secret, now.app.items[0].secret);
    cr_expect_eq(follow.changes.told, 0);
    end();
}

Test(options_follow, rules_of_history_change_but_not_which_channels_are_durable)
{
    static const struct {
        const char *now, *next;
        bool is_applied, has_other_patterns;
    } rows[] = {
        {"[channels a*]\nttl=1h\n", "[channels a*]\nttl=2h\nsize=5\n", true, false},
        {"[channels a*]\n", "[channels a*]\n[channels b*]\n", true, true},
        {"[channels a*]\n[channels b*]\n", "[channels b*]\n[channels a*]\n", true, true},
        {"[channels a*]\n[channels b*]\n", "[channels b*]\n", true, true},
        {"[channels a*]\ndurable=yes\n[channels b*]\n", "[channels a*]\ndurable=yes\nttl=2h\n[channels c*]\n", true,
         true},
        {"[channels a*]\ndurable=yes\n", "[channels a]\n[channels a*]\ndurable=yes\n", false, false},
        {"[channels a*]\ndurable=yes\n", "[channels a*]\n", false, false},
        {"[channels a*]\n", "[channels a*]\ndurable=yes\n", false, false},
        {"[channels a*]\ndurable=yes\n", "[channels b*]\ndurable=yes\n", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char one[256], other[256];
        snprintf(one, sizeof one, "[store]\ndata_dir=data\n%s", rows[i].now);
        snprintf(other, sizeof other, "[store]\ndata_dir=data\n%s", rows[i].next);
        follow_texts(one, other);
        cr_expect_eq(follow.changes.applied > 0, rows[i].is_applied, "case %zu", i);
        cr_expect_eq(follow.changes.restarts > 0, !rows[i].is_applied, "case %zu", i);
        cr_expect_eq(follow.has_other_patterns, rows[i].has_other_patterns, "case %zu", i);
        if (!rows[i].is_applied) {
            cr_assert_eq(next.history.count, now.history.count, "case %zu", i);
            for (uint32_t k = 0; k < now.history.count; k++)
                cr_expect_eq(history_rule_differences(&now.history.items[k], &next.history.items[k]), 0);
        }
        end();
    }
}

Test(options_follow, of_a_crowd_of_changes_a_hundred_are_told)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    fputs("[app a]\nkey=a\nsecret=s\n", out);
    for (int i = 0; i < 300; i++)
        fprintf(out, "[app n%d]\nkey=n%d\nsecret=s\n", i, i);
    fclose(out);
    follow_texts("[app a]\nkey=a\nsecret=s\n", text);
    cr_expect_eq(follow.changes.told, CHANGES_TOLD_MAX);
    cr_expect_eq(follow.changes.applied, 300);
    free(text);
    end();
}
