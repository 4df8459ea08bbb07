/* server/cluster/script.c - texts and digests of the scripts. */
#include "server/cluster/script.h"

#include "net/digest.h"
#include "server/cluster/script_files.h"

static const struct {
    const char *name;
    const char *file;
    uint32_t keys_min, keys_max;
} rows[SCRIPTS_MAX] = {
#define SCRIPT(name, file, keys_min, keys_max) {#name, "/" file, keys_min, keys_max},
#include "server/cluster/script.def"
#undef SCRIPT
};

static struct text texts[SCRIPTS_MAX];
static char digests[SCRIPTS_MAX][DIGEST_SHA1_HEX_BYTES + 1];

static enum rc find(const char *path, struct text *text_r)
{
    for (size_t i = 0; i < script_files_count; i++) {
        const struct embedded_file *file = &script_files[i];
        if (strcmp(file->path, path) != 0) continue;
        *text_r = (struct text){(const char *)file->bytes, file->count};
        return RC_OK;
    }
    return RC_ENOENT;
}

enum rc scripts_init(void)
{
    enum rc rc = RC_OK;
    for (enum script script = 0; rc == RC_OK && script < SCRIPTS_MAX; script++) {
        rc = find(rows[script].file, &texts[script]);
        if (rc == RC_OK) rc = digest_sha1_hex(texts[script], digests[script]);
    }
    return rc;
}

struct text script_text(enum script script)
{
    return texts[script];
}

struct text script_sha1(enum script script)
{
    return text_of(digests[script]);
}

const char *script_name(enum script script)
{
    return rows[script].name;
}

uint32_t script_keys_min(enum script script)
{
    return rows[script].keys_min;
}

uint32_t script_keys_max(enum script script)
{
    return rows[script].keys_max;
}
